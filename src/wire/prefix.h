/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_PREFIX_H
#define KITH_WIRE_PREFIX_H

#include "base/cursor.h"
#include "base/types.h"

/*
 * The first nibbles of a node id: a place in the trie of
 * docs/protocol.md, section 8. On the wire:
 *
 *     depth (1, 0 to 64) ‖ the nibbles, ⌈depth/2⌉ bytes, high nibble first
 *
 * Of an odd depth the last low nibble is zero.
 */

enum {
    PREFIX_DEPTH_MAX = 2 * NODE_ID_LEN, /* nibbles of an id */
};

struct trie_prefix {
    uint8_t depth;                /* how many nibbles, 0..PREFIX_DEPTH_MAX */
    uint8_t nibbles[NODE_ID_LEN]; /* two a byte, zero after the last */
};

/* The prefix of everything. */
struct trie_prefix prefix_root(void);

/* The first depth (0..PREFIX_DEPTH_MAX) nibbles of id. */
struct trie_prefix prefix_of_id(const struct node_id *id, uint8_t depth);

/* The prefix one deeper than p, by nibble (0..15); p is not a whole id. */
struct trie_prefix prefix_child(const struct trie_prefix *p, uint8_t nibble);

/* Nibble i (0..depth - 1) of p. */
uint8_t prefix_nibble(const struct trie_prefix *p, size_t i);

/* Nibble i (0..PREFIX_DEPTH_MAX - 1) of id. */
uint8_t prefix_id_nibble(const struct node_id *id, size_t i);

bool prefix_equal(const struct trie_prefix *a, const struct trie_prefix *b);

/* Whether id begins with p. */
bool prefix_contains(const struct trie_prefix *p, const struct node_id *id);

/* The bytes that a prefix of that depth takes on the wire. */
size_t prefix_len(uint8_t depth);

/* Reads a prefix. Returns KITH_OK; KITH_ERR_TRUNCATED; KITH_ERR_RANGE when
 * it is deeper than an id; KITH_ERR_FORMAT when the unused nibble is not
 * zero. *out is unchanged on an error. */
int prefix_decode(struct cursor *c, struct trie_prefix *out);

/* Appends a prefix. */
void prefix_encode(struct writer *w, const struct trie_prefix *p);

#endif
