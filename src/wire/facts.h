/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_FACTS_H
#define KITH_WIRE_FACTS_H

#include "base/cursor.h"
#include "base/types.h"
#include "wire/limits.h"

/*
 * The payload of `facts`, `facts.more` and `health`: what an author says of
 * itself, docs/protocol.md section 7.3.
 *
 *     n x { key length (1, 1 to 64), key, value length (2, 0 to 512), value }
 *
 * Pairs strictly ascend by (key, value), so a key may come with several
 * values. Keys are a-z 0-9 . _ -; values are text that may be shown as it is
 * (text_valid_utf8()). Of `facts` all pairs together take at most 900 bytes.
 *
 * A block of which facts_decode() returns an error is a valid block all the
 * same; it has no facts.
 */

/* One pair, not terminated by NUL. */
struct fact {
    const char *key;
    size_t key_len;
    const char *value; /* may be NULL when value_len is 0 */
    size_t value_len;
};

/* A payload that is well-formed, and belongs to somebody else. */
struct facts {
    struct cursor pairs;
};

/* Reads and checks the payload of a block of that type. Returns KITH_OK, or
 * KITH_ERR_TRUNCATED; KITH_ERR_RANGE: a length; KITH_ERR_FORMAT: a key or a
 * value, or the order; KITH_ERR_TYPE: a type that holds no facts. *out is
 * unchanged on an error. */
int facts_decode(uint16_t type, const uint8_t *payload, size_t len,
                 struct facts *out);

/* Walks the pairs; the facts must outlive the iterator. */
struct facts_iter {
    struct cursor left;
};

struct facts_iter facts_walk(const struct facts *facts);

/* Takes the next pair. Returns false at the end; *out is then unchanged. */
bool facts_next(struct facts_iter *it, struct fact *out);

/* Finds the first pair with that key. Returns false when there is none. */
bool facts_find(const struct facts *facts, const char *key, struct fact *out);

/*
 * The addresses at which the author says that it listens, in their order.
 * Returns how many it wrote to out, at most FACTS_ADDRS_MAX; more are left
 * out, and so is what is no numeric address with a port, or has an interface.
 * Nothing is said about whether one may be dialled.
 */
size_t facts_addrs(const struct facts *facts, struct addr out[FACTS_ADDRS_MAX]);

/*
 * Sorts the n pairs and appends them as the payload of a block of that type.
 * Returns KITH_OK; KITH_ERR_RANGE: a length; KITH_ERR_FORMAT: a key or a
 * value, or two equal pairs; KITH_ERR_TYPE: a type that holds no facts;
 * KITH_ERR_FULL: more than such a block holds, or than the writer has room
 * for. On an error nothing useful was written.
 */
int facts_build(struct writer *w, uint16_t type, struct fact *pairs, size_t n);

#endif
