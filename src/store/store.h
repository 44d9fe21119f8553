/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_STORE_STORE_H
#define KITH_STORE_STORE_H

#include "base/types.h"

/*
 * What a node keeps of the others over a restart: who they are, the blocks
 * that they signed, and where they were reached. All of it is a cache of
 * what the mesh holds, so the store may lose its newest writes, or
 * everything, and says so; it never gives back anything that was not put.
 *
 * There are two of them behind this interface: store_open() keeps a SQLite
 * database DIR/kith.db, store_open_memory() of memory.h is for tests and the
 * simulator. A store belongs to one thread at a time. Writing blocks the
 * caller while the disk does.
 *
 * Trouble. When the disk is full, read-only or failing, or the database
 * turns out to be damaged, the call returns an error, what was written since
 * the last commit is undone, and the store goes to STORE_MEMORY: every call
 * fails from then on, and nothing is kept. A damaged file is set aside as
 * kith.db.damaged-N. store_retry() leads back; then the database is older
 * than what the caller holds (store_stale()), and the caller brings it up to
 * date:
 *
 *     if (store_retry(store, now) == KITH_OK && store_stale(store) &&
 *         store_refill(store) == KITH_OK) {
 *         ... put everything ...
 *         store_commit(store);
 *     }
 */

enum {
    STORE_NAME_MAX = 32,     /* bytes in the name of a block */
    STORE_KEY_MAX = 32,      /* bytes in the key of a number */
    STORE_BLOCK_MAX = 33104, /* bytes of a signed block: protocol.md, 7.1 */
    STORE_SPKI_LEN = 294,    /* protocol.md, 1 */
    STORE_ADDRS_MAX = 8,     /* addresses kept per node */
    STORE_RETRY_S = 60,      /* between two tries to use the disk again */
};

struct store;

enum store_state {
    STORE_OK,
    STORE_MEMORY, /* disk trouble: the node runs on, nothing is kept */
};

enum store_node_state {
    STORE_NODE_LIVE = 0,
    STORE_NODE_GONE = 1,
    STORE_NODE_LEFT = 2,
};

/* Times are below 2^63. */
struct store_node {
    struct node_id id;
    uint8_t spki[STORE_SPKI_LEN];
    uint64_t floor_serial;  /* refuse any head up to this */
    uint64_t head_awake_ms; /* awake time since the head was signed, as known
                             * when this was written */
    uint64_t seen_unix_ms;  /* when this was written */
    uint8_t state;          /* enum store_node_state */
};

/* One signed block, by its author and name. The author need not have a
 * store_node: the author of a mesh block is the mesh. */
struct store_block {
    struct node_id author;
    char name[STORE_NAME_MAX + 1]; /* 1 to 32 bytes and a NUL */
    uint64_t serial;
    uint16_t type;
    struct hash hash;
    const uint8_t *bytes; /* the caller's: valid during the call only */
    size_t len;           /* 1 to STORE_BLOCK_MAX */
};

/* An address that a node answered at. */
struct store_addr {
    struct node_id id;
    struct addr addr;      /* normalised, as by addr_normalise() */
    uint64_t good_unix_ms; /* when it last did, below 2^63 */
};

/* Gets lines for the operator: level is an enum log_level. The same shape as
 * the function in struct log. */
typedef void (*store_log_fn)(void *arg, int level, const char *line);

/*
 * Opens DIR/kith.db, which is made (mode 0600) when it is not there. A
 * database of an older program is migrated; one of another mesh is set aside
 * as kith.db.other-mesh-N, a damaged one as kith.db.damaged-N, and a fresh
 * one begun. dir is a directory that exists; log may be NULL.
 *
 * Returns KITH_OK, also when the disk is in trouble: ask store_state().
 * KITH_ERR_NEWER: a newer program wrote it, it is left as it is.
 * KITH_ERR_IO with errno = EBUSY: another process has it open.
 * KITH_ERR_RANGE: dir is too long. KITH_ERR_NOMEM. Then *out is NULL.
 */
int store_open(struct store **out, const char *dir, const struct mesh_id *mesh,
               store_log_fn log, void *arg);

/* Gives up what was not committed, and frees the store. NULL is fine. */
void store_close(struct store *store);

enum store_state store_state(const struct store *store);

/* Whether the database is known to differ from what was put: it was out of
 * reach for a while, is fresh after damage, or had rows that were skipped. */
bool store_stale(const struct store *store);

/* How many rows were skipped so far because they were damaged. */
uint32_t store_skipped(const struct store *store);

/*
 * The writes. They join one transaction until store_commit(). What is put
 * replaces what had the same id, (author, name) or (id, addr), whatever the
 * serials; what is dropped need not be there.
 *
 * Return KITH_OK; KITH_ERR_RANGE for a field outside of what its struct
 * allows, with nothing changed; KITH_ERR_IO in STORE_MEMORY; and those of
 * trouble: KITH_ERR_IO, KITH_ERR_CORRUPT, KITH_ERR_NOMEM, KITH_ERR_CRYPTO.
 */
int store_put_node(struct store *store, const struct store_node *node);
int store_put_block(struct store *store, const struct store_block *block);

/* Keeps the STORE_ADDRS_MAX addresses of a node that were good last, and
 * always the one just put. */
int store_put_addr(struct store *store, const struct store_addr *addr);

int store_drop_block(struct store *store, const struct node_id *author,
                     const char *name);

/* Drops a node with its blocks and addresses. */
int store_drop_node(struct store *store, const struct node_id *id);

/* A number under a key of 1 to STORE_KEY_MAX bytes, such as a clock floor.
 * store_meta_get() also returns KITH_ERR_NOTFOUND; then *value is
 * unchanged. It sees what was put but not yet committed. */
int store_meta_get(struct store *store, const char *key, uint64_t *value);
int store_meta_put(struct store *store, const char *key, uint64_t value);

/* Ends the transaction: all its writes are kept, or, on an error (those of
 * the writes), none. They survive the end of the process at once, a power
 * cut only after a while; each commit needs the ones before it. */
int store_commit(struct store *store);

/* Drops all nodes, blocks and addresses in the transaction under way, for
 * the caller to put what it holds; the commit that follows ends
 * store_stale(). Numbers stay. Errors as for the writes. */
int store_refill(struct store *store);

/* Tells the time, which is a monotonic clock's: to be called every few
 * seconds, in either state. In STORE_MEMORY it tries to use the disk again,
 * at most every STORE_RETRY_S. Returns KITH_OK in STORE_OK, otherwise why
 * not. */
int store_retry(struct store *store, struct instant now);

/* Called for what is in the store, all nodes first, then blocks, then
 * addresses, in no certain order. What is handed over is valid during the
 * call; the store may not be called. Each may be NULL, and ends the load by
 * returning anything but KITH_OK. */
struct store_visitor {
    int (*node)(void *arg, const struct store_node *node);
    int (*block)(void *arg, const struct store_block *block);
    int (*addr)(void *arg, const struct store_addr *addr);
    void *arg; /* the caller's own, handed to the three */
};

/* Visits everything. Rows that are not as they were put are skipped, counted
 * and make the store stale. Returns KITH_OK, what a callback returned, or an
 * error of the writes: what was visited until then is sound. */
int store_load(struct store *store, const struct store_visitor *visitor);

#endif
