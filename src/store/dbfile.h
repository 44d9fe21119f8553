/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_STORE_DBFILE_H
#define KITH_STORE_DBFILE_H

#include <sqlite3.h>

#include "store/backend.h"

/*
 * The file DIR/kith.db: what it must be before anything is read from it, and
 * where it goes when it is not.
 */

/*
 * Opens it for this process alone, in the newest format, sound and of this
 * mesh; makes it when it is not there.
 *
 * Returns KITH_OK, or an error with a reason in the store, and *out NULL:
 * KITH_ERR_CORRUPT, when it is damaged or of another mesh, and was set aside:
 * the next call makes a fresh one; KITH_ERR_NEWER; KITH_ERR_IO (errno is
 * EBUSY when another process has it); KITH_ERR_NOMEM; KITH_ERR_RANGE.
 */
int dbfile_open(sqlite3 **out, struct store *store, const char *dir,
                const struct mesh_id *mesh);

/* Closes it without writing to it; NULL is fine. For a file that is damaged,
 * or a disk that is. */
void dbfile_abandon(sqlite3 *db);

/* Renames it and its companions to kith.db.WORD-N, N the first that is free
 * up to 3, and logs that with the reason in the store. The file is closed.
 * Returns KITH_OK, or KITH_ERR_IO with a longer reason. */
int dbfile_set_aside(struct store *store, const char *dir, const char *word);

/* Whether the disk has room to write the whole content once more. Returns
 * KITH_OK, or KITH_ERR_IO with a reason in the store. */
int dbfile_room(struct store *store, const char *dir);

/*
 * In one transaction, takes those of the n steps that the file has not taken
 * yet, and records the mesh in a fresh one. Returns SQLITE_OK or SQLite's
 * error, with nothing changed.
 */
int dbfile_migrate(sqlite3 *db, const char *const *steps, int n,
                   const struct mesh_id *mesh);

/* Makes of SQLite's result an error of ours, and notes the reason. db may be
 * NULL. Never returns KITH_OK. */
int dbfile_error(struct store *store, sqlite3 *db, int rc);

#endif
