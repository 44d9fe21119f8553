/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_STORE_MEMORY_H
#define KITH_STORE_MEMORY_H

#include "store/store.h"

/*
 * A store that lives in memory, for tests and the simulator. It keeps to
 * store.h, visits in the order of ids and names, and has the faults of a
 * disk, when told so. The stores given to the other functions here were made
 * by store_open_memory().
 */

enum {
    MEMORY_HISTORY = 8, /* commits that a power cut may undo */
};

#define MEMORY_NEVER UINT64_MAX

/* An empty store. Returns KITH_OK or KITH_ERR_NOMEM. */
int store_open_memory(struct store **out, store_log_fn log, void *arg);

/* The disk takes so many writes more (a commit is one, too) and is full from
 * then on, until this is called again; MEMORY_NEVER ends it. */
void memory_fail_after(struct store *store, uint64_t writes);

/* The next write, or load, finds the database damaged: all is lost, numbers
 * too. */
void memory_damage(struct store *store);

/* The machine loses power and the store is opened again: what was not
 * committed is lost, and the last commits, as many as are asked for and
 * remembered. Returns how many. With 0 it is the process that ended. */
size_t memory_crash(struct store *store, size_t commits);

/* What was committed at some moment, as a backup holds it. */
struct memory_snapshot;

/* Returns NULL when out of memory; freed by memory_snapshot_free(). Outlives
 * the store. */
struct memory_snapshot *memory_snapshot(const struct store *store);
void memory_snapshot_free(struct memory_snapshot *snapshot);

/* Puts the content of a snapshot in the place of the store's, and opens that
 * again. Any store will do, any number of times. Returns KITH_OK, or
 * KITH_ERR_NOMEM with nothing changed. */
int memory_restore(struct store *store, const struct memory_snapshot *snapshot);

#endif
