/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_HEAD_H
#define KITH_WIRE_HEAD_H

#include "base/cursor.h"
#include "base/types.h"
#include "wire/block.h"
#include "wire/limits.h"

/*
 * The payload of the block `head`: the list of all other blocks of its
 * author, and whom the author missed; docs/protocol.md section 7.2.
 *
 *     size  content
 *     1     format = 1
 *     1, 1  lowest and highest protocol major, 1 <= lowest <= highest
 *     2     flags
 *     8     feature bits
 *     16    boot id
 *     8     run id
 *     4     lease in seconds, 600 to 43,200
 *     1     n, number of blocks, at most 64
 *     n x   L (1), name (L), type (2), serial (8), size of the signed block
 *           (4), block hash (32); strictly ascending by name
 *     2     m, number of misses, at most 256
 *     m x   id (32), head hash[:8] (8), reason (1); strictly ascending by id
 *     2     x, length of the extension, at most 1,024
 *     x     extension
 */

/* Flags of a head; others are kept and ignored. */
enum head_flag {
    HEAD_LEAVE = 1,
    HEAD_AWAY = 2,
    HEAD_DIAL_OUT = 4,
    HEAD_CLONE = 8,
};

/* Why a node failed the author. */
enum miss_reason {
    MISS_REFUSED = 1, /* its host says that nobody listens */
    MISS_TCP = 2,     /* no connection in time */
    MISS_TLS = 3,     /* a connection, but no session */
    MISS_UDP = 4,     /* a session, but no answer to its datagrams */
};

/* What is not a list. */
struct head_fields {
    uint8_t major_min; /* protocol majors that the author speaks */
    uint8_t major_max;
    uint16_t flags; /* enum head_flag, and unknown ones */
    uint64_t features;
    uint8_t boot_id[BOOT_ID_LEN];
    uint8_t run_id[RUN_ID_LEN];
    uint32_t lease_s;         /* HEAD_LEASE_MIN_S .. HEAD_LEASE_MAX_S */
    const uint8_t *extension; /* may be NULL when extension_len is 0 */
    size_t extension_len;
};

/* A block that the author has. */
struct head_entry {
    char name[BLOCK_NAME_MAX + 1]; /* with a NUL after it */
    uint16_t type;
    uint64_t serial; /* below the head's own */
    uint32_t size;   /* signed, BLOCK_SIGNED_MIN .. BLOCK_SIGNED_MAX */
    struct hash hash;
};

/* A node that the author could not reach. */
struct head_miss {
    struct node_id id;
    uint8_t hash8[HASH8_LEN]; /* of its newest head, which a newer one voids */
    uint8_t reason;           /* enum miss_reason */
};

/* A valid head; the pointers go into the block's payload. */
struct head {
    struct head_fields fields;
    size_t entry_count;
    struct cursor entries; /* for head_entries() */
    size_t miss_count;
    struct cursor misses; /* for head_misses() */
    size_t total;         /* signed sizes of the entries together */
};

/*
 * Reads and checks the payload of a decoded block of type BLOCK_HEAD (another
 * type: KITH_ERR_TYPE). What passes is valid, apart from the signature.
 * Returns KITH_OK, or KITH_ERR_TRUNCATED, KITH_ERR_TRAILING,
 * KITH_ERR_VERSION: another format; KITH_ERR_RANGE: a number, a size or a
 * count outside its bounds; KITH_ERR_FORMAT: a bad name, or a list out of
 * order; KITH_ERR_TYPE: also an entry that no head may list. *out is
 * unchanged on an error.
 */
int head_decode(const struct block *block, struct head *out);

/* Walks a list of a valid head, which must outlive the iterator. */
struct head_iter {
    struct cursor left;
};

struct head_iter head_entries(const struct head *head);
struct head_iter head_misses(const struct head *head);

/* Take the next of the list. Return false at its end; *out is then
 * unchanged. */
bool head_entry_next(struct head_iter *it, struct head_entry *out);
bool head_miss_next(struct head_iter *it, struct head_miss *out);

/* Finds the entry of that name. Returns false when there is none. */
bool head_entry_find(const struct head *head, const char *name,
                     struct head_entry *out);

/*
 * Appends a head's payload. The caller vouches for what head_decode() checks
 * (an assertion holds it to that, the serials aside): bounds, names and types
 * that go together, n entries strictly ascending by name, m misses strictly
 * ascending by id. HEAD_PAYLOAD_MAX bytes are always enough; lack of room
 * shows in writer_finish().
 */
void head_build(struct writer *w, const struct head_fields *fields,
                const struct head_entry *entries, size_t n,
                const struct head_miss *misses, size_t m);

#endif
