/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L

#include "store/dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "store/schema.h"

enum {
    ASIDE_MAX = 3, /* files set aside of one kind; then the last goes */
    BUSY_MS = 500, /* for someone who looks with the sqlite3 shell */
    ROOM_MIN = 1024 * 1024, /* bytes free, beside the size of the database */
};

/* Of these the file proper comes first: should the renaming be cut short, a
 * log without its file is harmless, a file without its log is not. */
static const char *const parts[] = {"", "-wal", "-shm", "-journal"};

enum {
    PARTS = sizeof parts / sizeof parts[0],
    PART_NAME_SIZE = 64, /* "kith.db.other-mesh-3-journal" */
};

/*
 * Exclusive locking keeps the index of the log in the heap, not in a mapped
 * file: less memory, no bus error on a full disk, no second agent. What is
 * deleted was public and signed, so nobody overwrites it. The sizes keep the
 * whole agent below 4 MB; a longer log would save few writes, and make the
 * checkpoint, for which the caller waits, longer.
 */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                               "PRAGMA cache_size = -64;"
                               "PRAGMA mmap_size = 0;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA secure_delete = OFF;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA trusted_schema = OFF;"
                               "PRAGMA synchronous = NORMAL;"
                               "PRAGMA wal_autocheckpoint = 256;"
                               "PRAGMA journal_size_limit = 1048576;";

static int path_of(char *path, const char *dir, const char *name,
                   const char *part)
{
    int n = snprintf(path, PATH_MAX, "%s/%s%s", dir, name, part);

    return n >= 0 && n < PATH_MAX ? KITH_OK : KITH_ERR_RANGE;
}

int dbfile_error(struct store *store, sqlite3 *db, int rc)
{
    int sys = db != NULL ? sqlite3_system_errno(db) : 0;
    const char *text = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    char because[96] = "";

    if (sys != 0 && strerror_r(sys, because, sizeof because) != 0)
        because[0] = '\0';
    store_reason(store, "%s (%d)%s%s", text, rc, because[0] != '\0' ? ": " : "",
                 because);
    errno = sys != 0 && sys != EBUSY ? sys : EIO;
    switch (rc) {
    case SQLITE_IOERR_READ: /* whoever cannot be read is as good as damaged */
    case SQLITE_IOERR_SHORT_READ:
        return KITH_ERR_CORRUPT;
    case SQLITE_IOERR_NOMEM:
        return KITH_ERR_NOMEM;
    default:
        break;
    }
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* our SQL is right, so the tables are not ours */
        return KITH_ERR_CORRUPT;
    case SQLITE_NOMEM:
        return KITH_ERR_NOMEM;
    case SQLITE_BUSY:
        errno = EBUSY;
        return KITH_ERR_IO;
    default:
        return KITH_ERR_IO;
    }
}

void dbfile_abandon(sqlite3 *db)
{
    if (db == NULL)
        return;
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                            (int *)NULL);
    (void)sqlite3_close(db);
}

static void sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)fsync(fd);
    (void)close(fd);
}

/* Moves one part; what stands at the new name goes. */
static int move_part(const char *dir, const char *name, const char *part)
{
    char from[PATH_MAX], to[PATH_MAX];

    if (path_of(from, dir, "kith.db", part) != KITH_OK ||
        path_of(to, dir, name, part) != KITH_OK)
        return KITH_ERR_RANGE;
    if (rename(from, to) == 0)
        return KITH_OK;
    if (errno != ENOENT)
        return KITH_ERR_IO;
    if (unlink(to) != 0 && errno != ENOENT)
        return KITH_ERR_IO;
    return KITH_OK;
}

int dbfile_set_aside(struct store *store, const char *dir, const char *word)
{
    char name[PART_NAME_SIZE], path[PATH_MAX];
    struct stat st;
    int err = KITH_OK;

    for (int n = 1; n <= ASIDE_MAX; n++) {
        (void)snprintf(name, sizeof name, "kith.db.%s-%d", word, n);
        err = path_of(path, dir, name, "");
        if (err != KITH_OK || lstat(path, &st) != 0)
            break;
    }
    for (int i = 0; i < PARTS && err == KITH_OK; i++)
        err = move_part(dir, name, parts[i]);
    if (err != KITH_OK) {
        char before[sizeof store->reason];

        memcpy(before, store->reason, sizeof before);
        store_reason(store, "%.120s; nor can it be renamed, errno %d", before,
                     errno);
        return KITH_ERR_IO;
    }
    sync_dir(dir);
    log_msg(&store->log, LOG_LEVEL_WARN,
            "kith.db set aside, a fresh one is filled from the mesh "
            "renamed=%s reason=\"%s\"",
            name, store->reason);
    return KITH_OK;
}

int dbfile_room(struct store *store, const char *dir)
{
    char path[PATH_MAX];
    struct statvfs fs;
    struct stat st = {0};
    uint64_t need, room;

    if (path_of(path, dir, "kith.db", "") != KITH_OK)
        return KITH_ERR_RANGE;
    if (stat(path, &st) != 0 && errno != ENOENT)
        goto failed;
    if (statvfs(dir, &fs) != 0)
        goto failed;
    need = (uint64_t)st.st_size + ROOM_MIN;
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (fs.f_blocks == 0 || room >= need) /* some file systems do not tell */
        return KITH_OK;
    store_reason(store, "disk full: %llu bytes free, %llu needed",
                 (unsigned long long)room, (unsigned long long)need);
    errno = ENOSPC;
    return KITH_ERR_IO;

failed:
    store_reason(store, "cannot look at the disk, errno %d", errno);
    return KITH_ERR_IO;
}

/* Makes the file with the right mode before SQLite can make it with another;
 * its companions get the mode of the file. A file that is there is not
 * opened: closing it would end the locks that this process has on it. */
static void make_private(const char *dir)
{
    char path[PATH_MAX];
    struct stat st;
    int fd;

    if (path_of(path, dir, "kith.db", "") != KITH_OK)
        return;
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
    for (int i = 0; i < PARTS; i++) {
        if (path_of(path, dir, "kith.db", parts[i]) == KITH_OK &&
            stat(path, &st) == 0 && (st.st_mode & 077) != 0)
            (void)chmod(path, 0600);
    }
}

/* The number that a statement gives. */
static int query_number(sqlite3 *db, const char *sql, int *out)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int(stmt, 0);
    rc = sqlite3_finalize(stmt);
    return rc;
}

/* Whose file is it, and how old? *version is 0 for a fresh one. */
static int identify(struct store *store, sqlite3 *db, int *version)
{
    int application = 0, tables = 0, rc;

    rc = query_number(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = query_number(db, "PRAGMA user_version", version);
    if (rc == SQLITE_OK)
        rc = query_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return dbfile_error(store, db, rc);
    if (application == 0 && *version == 0 && tables == 0)
        return KITH_OK;
    if (application != SCHEMA_APPLICATION_ID || *version < 1) {
        store_reason(store, "not a database of kith");
        return KITH_ERR_CORRUPT;
    }
    if (*version > SCHEMA_VERSION) {
        store_reason(store,
                     "kith.db has format %d, this program knows up to %d: use "
                     "the newer program, or move the file away",
                     *version, SCHEMA_VERSION);
        return KITH_ERR_NEWER;
    }
    return KITH_OK;
}

/* Reads the whole file once. */
static int check_sound(struct store *store, sqlite3 *db)
{
    sqlite3_stmt *stmt;
    const char *verdict;
    int err = KITH_OK;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);

    if (rc != SQLITE_OK)
        return dbfile_error(store, db, rc);
    rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        err = dbfile_error(store, db, rc);
        goto out;
    }
    verdict = (const char *)sqlite3_column_text(stmt, 0);
    if (verdict == NULL || strcmp(verdict, "ok") != 0) {
        store_reason(store, "%.150s", verdict != NULL ? verdict : "no verdict");
        err = KITH_ERR_CORRUPT;
    }

out:
    (void)sqlite3_finalize(stmt);
    return err;
}

static int check_mesh(struct store *store, sqlite3 *db,
                      const struct mesh_id *mesh)
{
    sqlite3_stmt *stmt;
    int err = KITH_OK;
    int rc = sqlite3_prepare_v2(db, "SELECT id FROM mesh", -1, &stmt, NULL);

    if (rc != SQLITE_OK)
        return dbfile_error(store, db, rc);
    rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        err = dbfile_error(store, db, rc);
    } else if (rc == SQLITE_DONE ||
               sqlite3_column_bytes(stmt, 0) != MESH_ID_LEN) {
        store_reason(store, "names no mesh");
        err = KITH_ERR_CORRUPT;
    } else if (memcmp(sqlite3_column_blob(stmt, 0), mesh->b, MESH_ID_LEN) !=
               0) {
        store_reason(store, "belongs to another mesh");
        err = KITH_ERR_MESH;
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

static int record_mesh(sqlite3 *db, const struct mesh_id *mesh)
{
    sqlite3_stmt *stmt;
    int rc =
        sqlite3_prepare_v2(db, "INSERT INTO mesh VALUES (?)", -1, &stmt, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_bind_blob(stmt, 1, mesh->b, MESH_ID_LEN, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        (void)sqlite3_step(stmt);
    rc = sqlite3_finalize(stmt);
    return rc;
}

int dbfile_migrate(sqlite3 *db, const char *const *steps, int n,
                   const struct mesh_id *mesh)
{
    char header[96];
    int version = 0;
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = query_number(db, "PRAGMA user_version", &version);
    for (int i = version; i < n && rc == SQLITE_OK; i++)
        rc = sqlite3_exec(db, steps[i], NULL, NULL, NULL);
    if (rc == SQLITE_OK && version == 0)
        rc = record_mesh(db, mesh);
    (void)snprintf(header, sizeof header,
                   "PRAGMA application_id = %d; PRAGMA user_version = %d;"
                   "COMMIT",
                   SCHEMA_APPLICATION_ID, n);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, header, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* From an open connection to a file that can be used. */
static int prepare(struct store *store, sqlite3 *db, const struct mesh_id *mesh)
{
    int version = 0;
    int err, rc;

    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, (void *)NULL, 0, 0);
    (void)sqlite3_busy_timeout(db, BUSY_MS);
    rc = sqlite3_exec(db, settings, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return dbfile_error(store, db, rc);
    err = identify(store, db, &version);
    if (err == KITH_OK && version > 0)
        err = check_sound(store, db);
    if (err == KITH_OK && version > 0)
        err = check_mesh(store, db, mesh);
    if (err != KITH_OK)
        return err;
    rc = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    if (rc == SQLITE_OK && version < SCHEMA_VERSION)
        rc = dbfile_migrate(db, schema_steps, SCHEMA_VERSION, mesh);
    if (rc != SQLITE_OK)
        return dbfile_error(store, db, rc);
    if (version != 0 && version != SCHEMA_VERSION)
        log_msg(&store->log, LOG_LEVEL_INFO, "kith.db migrated from=%d to=%d",
                version, SCHEMA_VERSION);
    return KITH_OK;
}

static int open_once(sqlite3 **out, struct store *store, const char *dir,
                     const struct mesh_id *mesh)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    char path[PATH_MAX];
    sqlite3 *db = NULL;
    int err, rc;

    *out = NULL;
    err = path_of(path, dir, "kith.db-journal", "");
    if (err != KITH_OK) {
        store_reason(store, "the name of the directory is too long");
        return err;
    }
    (void)path_of(path, dir, "kith.db", "");
    make_private(dir);
    rc = sqlite3_open_v2(path, &db, flags, NULL);
    err = rc == SQLITE_OK ? prepare(store, db, mesh)
                          : dbfile_error(store, db, rc);
    if (err != KITH_OK) {
        int saved = errno;

        dbfile_abandon(db);
        db = NULL;
        errno = saved;
    }
    *out = db;
    return err;
}

int dbfile_open(sqlite3 **out, struct store *store, const char *dir,
                const struct mesh_id *mesh)
{
    int err = open_once(out, store, dir, mesh);
    int aside;

    if (err != KITH_ERR_CORRUPT && err != KITH_ERR_MESH)
        return err;
    aside = dbfile_set_aside(store, dir,
                             err == KITH_ERR_MESH ? "other-mesh" : "damaged");
    return aside == KITH_OK ? KITH_ERR_CORRUPT : aside;
}
