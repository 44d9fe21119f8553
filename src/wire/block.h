/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_BLOCK_H
#define KITH_WIRE_BLOCK_H

#include "base/cursor.h"
#include "base/types.h"
#include "crypto/hash.h"
#include "wire/limits.h"

/*
 * A block: the unit of state, docs/protocol.md section 7.1.
 *
 *     offset  size  content
 *     0       1     format = 1
 *     1       2     type
 *     3       32    author (node id; for mesh blocks the mesh id)
 *     35      8     serial, 1 .. 2^63 - 1
 *     43      1     L, length of the name, 1 to 32
 *     44      L     name: a-z 0-9 . _ -, the first a letter or digit
 *     44+L    4     P, length of the payload, at most 32,768
 *     48+L    P     payload
 *
 * These are the canonical bytes. A signed block is them and a signature of
 * SIG_LEN bytes by the author's key, over
 *
 *     "kith-block-v1\0" ‖ mesh id ‖ canonical bytes
 *
 * and the hash of a block is the SHA-256 of the same.
 */

enum block_type {
    BLOCK_HEAD = 1,
    BLOCK_CERT = 2,
    BLOCK_FACTS = 3,
    BLOCK_FACTS_MORE = 4,
    BLOCK_HEALTH = 5,
    BLOCK_DATA = 6, /* whatever the operator puts */
    BLOCK_CHARTER = 7,
    BLOCK_REVOKED = 8,
    /* all others are unknown: kept and passed on as they are */
};

struct block {
    uint16_t type; /* enum block_type, or unknown */
    struct node_id author;
    uint64_t serial;
    char name[BLOCK_NAME_MAX + 1]; /* with a NUL after it */
    const uint8_t *payload;        /* may be NULL when payload_len is 0 */
    size_t payload_len;
    const uint8_t *canonical; /* the encoding of all of the above */
    size_t canonical_len;
    const uint8_t *sig; /* SIG_LEN bytes right after it; NULL: not signed */
};

/*
 * Reads a signed block: len bytes that hold it and nothing else. The
 * pointers in *out point into signed_bytes, which the caller keeps. Nothing
 * is said about the signature. Returns KITH_OK, or KITH_ERR_TRUNCATED,
 * KITH_ERR_TRAILING; KITH_ERR_VERSION: another format; KITH_ERR_RANGE: the
 * serial or a length; KITH_ERR_FORMAT: the name; KITH_ERR_TYPE: type and
 * reserved name do not go together. *out is unchanged on an error.
 */
int block_decode(const uint8_t *signed_bytes, size_t len, struct block *out);

/* The same for canonical bytes alone; out->sig is then NULL. */
int block_decode_canonical(const uint8_t *canonical, size_t len,
                           struct block *out);

/*
 * Appends the canonical bytes of what block says (its own fields canonical
 * and sig are not looked at). Returns KITH_OK; KITH_ERR_RANGE,
 * KITH_ERR_FORMAT or KITH_ERR_TYPE when block_decode() would say that, and
 * then writes nothing; KITH_ERR_FULL when the writer has no room.
 */
int block_encode(const struct block *block, struct writer *w);

/* The length of a signed block with such a name and payload. */
size_t block_signed_len(size_t name_len, size_t payload_len);

/* The block hash of canonical bytes in that mesh, which is also the digest
 * to sign. Returns KITH_OK or KITH_ERR_CRYPTO, then out is all zeros. */
int block_hash(struct hasher *h, const struct mesh_id *mesh,
               const uint8_t *canonical, size_t len, struct hash *out);

/* Whether a block may have that serial. */
static inline bool block_serial_ok(uint64_t serial)
{
    return serial >= 1 && serial <= BLOCK_SERIAL_MAX;
}

/* Whether the n bytes at name can name a block. */
bool block_name_ok(const char *name, size_t n);

/* Whether they are one of the names that belong to a type; not for
 * operators. */
bool block_name_reserved(const char *name, size_t n);

/* Whether a block of that type may have that name: a reserved name goes with
 * its type and the other way round; every other type takes any other. */
bool block_name_fits(uint16_t type, const char *name, size_t n);

/* Whether block a replaces block b of the same author and name: the higher
 * serial does, of equal ones the higher hash. False when they are the same. */
bool block_beats(uint64_t a_serial, const struct hash *a_hash,
                 uint64_t b_serial, const struct hash *b_hash);

#endif
