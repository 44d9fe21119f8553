/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_TYPES_H
#define KITH_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Small structs instead of typedef'd integers and arrays: the compiler then
 * refuses a serial where an instant is meant, or a hash where an id is.
 */

enum {
    NODE_ID_LEN = 32,
    HASH_LEN = 32,
    MESH_ID_LEN = 32,
};

/* A point on a monotonic clock, microseconds from an arbitrary origin. */
struct instant {
    uint64_t us;
};

/* SHA-256 of the DER SubjectPublicKeyInfo of a node's key. */
struct node_id {
    uint8_t b[NODE_ID_LEN];
};

/* A SHA-256 digest of anything else. */
struct hash {
    uint8_t b[HASH_LEN];
};

/* Names a mesh; see docs/protocol.md, "Mesh". */
struct mesh_id {
    uint8_t b[MESH_ID_LEN];
};

/* An IP address with a port, and the interface for a link-local address.
 * Unused bytes are zero, so two addresses are equal when memcmp says so. */
struct addr {
    uint8_t family;   /* 4 or 6; 0: no address */
    uint8_t zero;     /* always 0 */
    uint16_t port;    /* host byte order */
    uint32_t ifindex; /* for fe80::/10 only, otherwise 0 */
    uint8_t ip[16];   /* IPv4 uses the first 4 */
};

#define INSTANT_NEVER ((struct instant){UINT64_MAX})

static inline struct instant instant_add_ms(struct instant t, uint64_t ms)
{
    if (ms > (UINT64_MAX - t.us) / 1000)
        return INSTANT_NEVER;
    return (struct instant){t.us + ms * 1000};
}

static inline struct instant instant_add_us(struct instant t, uint64_t us)
{
    if (us > UINT64_MAX - t.us)
        return INSTANT_NEVER;
    return (struct instant){t.us + us};
}

/* Milliseconds from `from` to `to`; 0 when `to` is not later. */
static inline uint64_t instant_since_ms(struct instant to, struct instant from)
{
    return to.us > from.us ? (to.us - from.us) / 1000 : 0;
}

static inline bool instant_reached(struct instant now, struct instant t)
{
    return now.us >= t.us;
}

static inline struct instant instant_min(struct instant a, struct instant b)
{
    return a.us < b.us ? a : b;
}

static inline bool node_id_equal(const struct node_id *a,
                                 const struct node_id *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

#endif
