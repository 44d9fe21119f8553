/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_ITEM_H
#define KITH_WIRE_ITEM_H

#include "base/cursor.h"
#include "base/types.h"
#include "wire/limits.h"
#include "wire/prefix.h"

/*
 * The items that requests and answers hold under seal; docs/protocol.md
 * sections 6.6 and 8. Each is type (1), length (2), value:
 *
 *     type  item        value
 *     0x00  PAD         ignored
 *     0x01  COOKIE      16
 *     0x02  ROOT        root (16), heads (4)
 *     0x03  NODES       prefix, levels (1), bitmap (2 or 32), n x short (4)
 *     0x04  LEAVES      prefix, n x { id (32), serial (8), short (4) }
 *     0x05  ANNOUNCE    n x { id (32), serial (8), head hash[:8] }, n >= 1
 *     0x06  WANT_HEAD   n x { id (32), since (8), flags (1) }, n >= 1
 *     0x07  WANT_PIECE  n x { block hash (32), index (2) }, n >= 1
 *     0x08  SPKI        294
 *     0x09  AGE         head hash (32), seconds (4)
 *     0x0a  PIECE       block hash (32), total (4), index (2), bytes
 *     0x0b  ECHO        8
 *     0x0c  FULL        empty
 */
enum item_type {
    ITEM_PAD = 0x00,
    ITEM_COOKIE = 0x01,
    ITEM_ROOT = 0x02,
    ITEM_NODES = 0x03,
    ITEM_LEAVES = 0x04,
    ITEM_ANNOUNCE = 0x05,
    ITEM_WANT_HEAD = 0x06,
    ITEM_WANT_PIECE = 0x07,
    ITEM_SPKI = 0x08,
    ITEM_AGE = 0x09,
    ITEM_PIECE = 0x0a,
    ITEM_ECHO = 0x0b,
    ITEM_FULL = 0x0c,
};

/* Flags of WANT_HEAD; others are ignored. */
enum item_want_flag {
    ITEM_WANT_SPKI = 1,
};

/* Elements of the arrays. */
struct item_leaf {
    struct node_id id;
    uint64_t serial;
    uint8_t short_hash[SHORT_HASH_LEN];
};

struct item_announce {
    struct node_id id;
    uint64_t serial;
    uint8_t hash8[HASH8_LEN];
};

struct item_want_head {
    struct node_id id;
    uint64_t since; /* of the listed blocks, only those with a higher serial */
    uint8_t flags;  /* enum item_want_flag, and unknown ones */
};

struct item_want_piece {
    struct hash hash;
    uint16_t index;
};

/* A set of bytes inside the datagram. */
struct item_bytes {
    const uint8_t *p; /* may be NULL when n is 0 */
    size_t n;
};

/* The children (levels 1) or grandchildren (levels 2) of a prefix. */
struct item_nodes {
    struct trie_prefix prefix;
    uint8_t levels;
    const uint8_t *bitmap; /* item_bitmap_len(levels) bytes */
    const uint8_t *hashes; /* SHORT_HASH_LEN for each bit that is set */
    size_t n;              /* how many are set */
};

/* All elements of the sender under a prefix. */
struct item_leaves {
    struct trie_prefix prefix;
    size_t n;
    const uint8_t *elements; /* for item_leaf_at() */
};

/* ANNOUNCE, WANT_HEAD or WANT_PIECE. */
struct item_list {
    size_t n;                /* at least 1 */
    const uint8_t *elements; /* for the accessors below */
};

struct item_piece {
    struct hash hash;
    uint32_t total; /* of the signed block */
    uint16_t index;
    const uint8_t *p;
    size_t n; /* item_piece_len(total, index) */
};

/* An item that is well-formed. Pointers go into the bytes it was read from. */
struct item {
    uint8_t type; /* enum item_type, or unknown */
    union {
        struct item_bytes bytes; /* PAD and unknown types */
        uint8_t cookie[ITEM_COOKIE_LEN];
        struct {
            uint8_t root[TRIE_ROOT_LEN];
            uint32_t heads;
        } root;
        struct item_nodes nodes;
        struct item_leaves leaves;
        struct item_list list; /* ANNOUNCE, WANT_HEAD, WANT_PIECE */
        const uint8_t *spki;   /* SPKI_LEN */
        struct {
            struct hash head;
            uint32_t seconds;
        } age;
        struct item_piece piece;
        uint8_t echo[ITEM_ECHO_LEN];
    };
};

/* -- Reading. -- */

/*
 * Takes the next item and checks all of it. Returns KITH_OK;
 * KITH_ERR_NOTFOUND at the end; otherwise the datagram is malformed:
 * KITH_ERR_TRUNCATED, KITH_ERR_TRAILING; KITH_ERR_RANGE: a number or a size
 * outside its bounds; KITH_ERR_FORMAT: out of order, not under the prefix;
 * KITH_ERR_KEY: an SPKI that is not canonical. An unknown type is well-formed:
 * pass over it, and count it. *out is unchanged unless KITH_OK.
 */
int item_next(struct cursor *c, struct item *out);

/* Element i (below n) of an item of the type that the name says. */
void item_leaf_at(const struct item *item, size_t i, struct item_leaf *out);
void item_announce_at(const struct item *item, size_t i,
                      struct item_announce *out);
void item_want_head_at(const struct item *item, size_t i,
                       struct item_want_head *out);
void item_want_piece_at(const struct item *item, size_t i,
                        struct item_want_piece *out);

/* Walks all children or grandchildren of NODES, those without elements too. */
struct item_nodes_iter {
    const struct item_nodes *nodes;
    size_t next;               /* child */
    const uint8_t *short_hash; /* of the next one that is there */
};

struct item_nodes_iter item_nodes_walk(const struct item_nodes *nodes);

/* Takes the next one, in ascending order: prefix is its place, short_hash
 * points at SHORT_HASH_LEN bytes, or is NULL when nothing is there. Returns
 * false at the end. */
bool item_nodes_next(struct item_nodes_iter *it, struct trie_prefix *prefix,
                     const uint8_t **short_hash);

/* -- Sizes. -- */

/* The bytes of the bitmap of NODES with that many levels (1 or 2). */
size_t item_bitmap_len(uint8_t levels);

/* Whole items with n elements, header included. */
size_t item_nodes_len(uint8_t depth, uint8_t levels, size_t n);
size_t item_leaves_len(uint8_t depth, size_t n);

/* How many pieces a signed block of total bytes has. */
size_t item_piece_count(uint32_t total);

/* The bytes in piece index of a signed block of total bytes; 0 when there is
 * no such piece. */
size_t item_piece_len(uint32_t total, uint16_t index);

/* -- Writing. Lack of room shows in writer_finish(). -- */

/* Padding that takes n bytes in all, its header of ITEM_HEADER_LEN (3)
 * included. */
void item_put_pad(struct writer *w, size_t n);
void item_put_cookie(struct writer *w, const uint8_t cookie[ITEM_COOKIE_LEN]);
void item_put_root(struct writer *w, const uint8_t root[TRIE_ROOT_LEN],
                   uint32_t heads);
void item_put_nodes(struct writer *w, const struct item_nodes *nodes);
void item_put_spki(struct writer *w, const uint8_t spki[SPKI_LEN]);
void item_put_age(struct writer *w, const struct hash *head, uint32_t seconds);
/* Piece index of a whole signed block of total bytes, which has that piece. */
void item_put_piece(struct writer *w, const struct hash *hash,
                    const uint8_t *signed_block, uint32_t total,
                    uint16_t index);
void item_put_echo(struct writer *w, const uint8_t echo[ITEM_ECHO_LEN]);
void item_put_full(struct writer *w);

/*
 * Arrays grow element by element:
 *
 *     struct item_array a = item_begin(&w, ITEM_ANNOUNCE);
 *     while (... && item_add_announce(&a, &e))
 *         ...
 *     item_end(&a);
 *
 * item_begin() (ITEM_ANNOUNCE, ITEM_WANT_HEAD or ITEM_WANT_PIECE) writes
 * nothing before the first element comes, so an array without elements
 * leaves no trace. item_begin_leaves() writes its header at once, as no
 * element is a statement too; the elements follow strictly ascending by id,
 * all under the prefix. item_add_*() return false, and write nothing, when
 * the element does not fit; item_end() ends the item. Meanwhile nothing else
 * may be written to w.
 */
struct item_array {
    struct writer *w;
    uint8_t type;
    size_t at; /* of the length */
    size_t n;  /* elements so far */
};

struct item_array item_begin(struct writer *w, enum item_type type);
struct item_array item_begin_leaves(struct writer *w,
                                    const struct trie_prefix *prefix);
bool item_add_leaf(struct item_array *a, const struct item_leaf *e);
bool item_add_announce(struct item_array *a, const struct item_announce *e);
bool item_add_want_head(struct item_array *a, const struct item_want_head *e);
bool item_add_want_piece(struct item_array *a, const struct item_want_piece *e);
void item_end(struct item_array *a);

#endif
