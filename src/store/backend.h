/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_STORE_BACKEND_H
#define KITH_STORE_BACKEND_H

#include "base/log.h"
#include "store/store.h"

/*
 * What sqlite.c and memory.c have in common, for src/store/ only. store.c
 * checks arguments and knows the states; a backend knows how to keep rows.
 */

/*
 * The calls of store.h, with arguments that were checked, in STORE_OK only.
 * They return KITH_OK or an error; every error but KITH_ERR_NOTFOUND is
 * trouble, for which they leave a line in store->reason. store.c then calls
 * shut().
 */
struct store_ops {
    /* Begins, or begins again after shut(). KITH_ERR_CORRUPT: call shut() and
     * try once more. KITH_ERR_NEWER, KITH_ERR_RANGE, and KITH_ERR_IO with
     * errno = EBUSY are for the operator to mend. */
    int (*open)(struct store *store);
    /* Undoes what was not committed and lets go of the disk. why is the
     * error; after KITH_ERR_CORRUPT the next open() begins afresh. */
    void (*shut)(struct store *store, int why);
    /* Frees everything. */
    void (*free)(struct store *store);

    int (*put_node)(struct store *store, const struct store_node *node);
    int (*put_block)(struct store *store, const struct store_block *block);
    int (*put_addr)(struct store *store, const struct store_addr *addr);
    int (*drop_block)(struct store *store, const struct node_id *author,
                      const char *name);
    int (*drop_node)(struct store *store, const struct node_id *id);
    int (*meta_get)(struct store *store, const char *key, uint64_t *value);
    int (*meta_put)(struct store *store, const char *key, uint64_t value);
    int (*empty)(struct store *store);
    int (*commit)(struct store *store);
    /* *stopped is what a callback returned to end the load, else KITH_OK. */
    int (*load)(struct store *store, const struct store_visitor *visitor,
                int *stopped);
};

/* A backend's own struct begins with this one. */
struct store {
    const struct store_ops *ops;
    struct log log;
    enum store_state state;
    bool stale;              /* see store_stale() */
    bool refilling;          /* store_refill() went before, no commit yet */
    bool told;               /* the operator knows of STORE_MEMORY */
    uint32_t skipped;        /* see store_skipped() */
    struct instant now;      /* of the last store_retry() */
    struct instant next_try; /* no store_retry() before */
    struct instant next_log; /* no line about STORE_MEMORY before */
    char reason[192];        /* what went wrong last, for the log */
};

/* Sets the parts of a new store that do not depend on the backend, then opens
 * it. Takes the store over: an error that store_open() returns frees it. */
int store_begin(struct store *store, const struct store_ops *ops,
                store_log_fn log, void *arg);

/* Notes why an operation fails. */
__attribute__((format(printf, 2, 3))) void store_reason(struct store *store,
                                                        const char *fmt, ...);

/* Counts a row that cannot be used. */
void store_skip(struct store *store);

/* Whether what was read back may be handed to a caller: the same rules as for
 * what is put. */
bool store_node_valid(const struct store_node *node);
bool store_block_valid(const struct store_block *block);
bool store_addr_valid(const struct store_addr *addr);

#endif
