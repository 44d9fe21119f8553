/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/item.h"

#include <assert.h>

#include "base/error.h"
#include "wire/block.h"

/* -- Elements: the one place that knows how each is laid out. -- */

static int read_leaf(struct cursor *c, struct item_leaf *e)
{
    int err;

    if ((err = cursor_copy(c, e->id.b, sizeof e->id.b)) != KITH_OK ||
        (err = cursor_u64(c, &e->serial)) != KITH_OK ||
        (err = cursor_copy(c, e->short_hash, sizeof e->short_hash)) != KITH_OK)
        return err;
    return KITH_OK;
}

static int read_announce(struct cursor *c, struct item_announce *e)
{
    int err;

    if ((err = cursor_copy(c, e->id.b, sizeof e->id.b)) != KITH_OK ||
        (err = cursor_u64(c, &e->serial)) != KITH_OK ||
        (err = cursor_copy(c, e->hash8, sizeof e->hash8)) != KITH_OK)
        return err;
    return KITH_OK;
}

static int read_want_head(struct cursor *c, struct item_want_head *e)
{
    int err;

    if ((err = cursor_copy(c, e->id.b, sizeof e->id.b)) != KITH_OK ||
        (err = cursor_u64(c, &e->since)) != KITH_OK ||
        (err = cursor_u8(c, &e->flags)) != KITH_OK)
        return err;
    return KITH_OK;
}

static int read_want_piece(struct cursor *c, struct item_want_piece *e)
{
    int err;

    if ((err = cursor_copy(c, e->hash.b, sizeof e->hash.b)) != KITH_OK ||
        (err = cursor_u16(c, &e->index)) != KITH_OK)
        return err;
    return KITH_OK;
}

/* A cursor over element i of those at elements, each len bytes long. */
static struct cursor element(const uint8_t *elements, size_t i, size_t len)
{
    struct cursor c;

    cursor_init(&c, elements + i * len, len);
    return c;
}

void item_leaf_at(const struct item *item, size_t i, struct item_leaf *out)
{
    struct cursor c;
    int err;

    assert(item->type == ITEM_LEAVES && i < item->leaves.n);
    c = element(item->leaves.elements, i, ITEM_LEAF_LEN);
    err = read_leaf(&c, out);
    assert(err == KITH_OK && c.left == 0);
}

void item_announce_at(const struct item *item, size_t i,
                      struct item_announce *out)
{
    struct cursor c;
    int err;

    assert(item->type == ITEM_ANNOUNCE && i < item->list.n);
    c = element(item->list.elements, i, ITEM_ANNOUNCE_LEN);
    err = read_announce(&c, out);
    assert(err == KITH_OK && c.left == 0);
}

void item_want_head_at(const struct item *item, size_t i,
                       struct item_want_head *out)
{
    struct cursor c;
    int err;

    assert(item->type == ITEM_WANT_HEAD && i < item->list.n);
    c = element(item->list.elements, i, ITEM_WANT_HEAD_LEN);
    err = read_want_head(&c, out);
    assert(err == KITH_OK && c.left == 0);
}

void item_want_piece_at(const struct item *item, size_t i,
                        struct item_want_piece *out)
{
    struct cursor c;
    int err;

    assert(item->type == ITEM_WANT_PIECE && i < item->list.n);
    c = element(item->list.elements, i, ITEM_WANT_PIECE_LEN);
    err = read_want_piece(&c, out);
    assert(err == KITH_OK && c.left == 0);
}

/* -- Values. Each reads all of c, or returns an error. -- */

/* Counts what is left of c in elements of len bytes each, and takes it. */
static int read_elements(struct cursor *c, size_t len, size_t *n,
                         const uint8_t **elements)
{
    *n = c->left / len;
    return cursor_bytes(c, elements, *n * len);
}

static int read_root(struct cursor *c, struct item *item)
{
    int err;

    if ((err = cursor_copy(c, item->root.root, TRIE_ROOT_LEN)) != KITH_OK ||
        (err = cursor_u32(c, &item->root.heads)) != KITH_OK)
        return err;
    return KITH_OK;
}

static size_t count_bits(const uint8_t *bitmap, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < 8 * len; i++)
        n += (size_t)(bitmap[i / 8] >> (7 - i % 8) & 1);
    return n;
}

static int read_nodes(struct cursor *c, struct item *item)
{
    struct item_nodes *nodes = &item->nodes;
    size_t len;
    int err;

    if ((err = prefix_decode(c, &nodes->prefix)) != KITH_OK ||
        (err = cursor_u8(c, &nodes->levels)) != KITH_OK)
        return err;
    if (nodes->levels < 1 || nodes->levels > 2 ||
        nodes->prefix.depth + nodes->levels > PREFIX_DEPTH_MAX)
        return KITH_ERR_RANGE;
    len = item_bitmap_len(nodes->levels);
    if ((err = cursor_bytes(c, &nodes->bitmap, len)) != KITH_OK)
        return err;
    nodes->n = count_bits(nodes->bitmap, len);
    return cursor_bytes(c, &nodes->hashes, nodes->n * SHORT_HASH_LEN);
}

static int check_leaves(const struct item *item)
{
    struct item_leaf before, e;

    for (size_t i = 0; i < item->leaves.n; i++) {
        item_leaf_at(item, i, &e);
        if (!block_serial_ok(e.serial))
            return KITH_ERR_RANGE;
        if (!prefix_contains(&item->leaves.prefix, &e.id))
            return KITH_ERR_FORMAT;
        if (i > 0 && memcmp(before.id.b, e.id.b, sizeof e.id.b) >= 0)
            return KITH_ERR_FORMAT;
        before = e;
    }
    return KITH_OK;
}

static int read_leaves(struct cursor *c, struct item *item)
{
    struct item_leaves *leaves = &item->leaves;
    int err;

    if ((err = prefix_decode(c, &leaves->prefix)) != KITH_OK ||
        (err = read_elements(c, ITEM_LEAF_LEN, &leaves->n,
                             &leaves->elements)) != KITH_OK)
        return err;
    return check_leaves(item);
}

static int read_list(struct cursor *c, struct item *item, size_t element_len)
{
    struct item_announce e;
    int err;

    err = read_elements(c, element_len, &item->list.n, &item->list.elements);
    if (err != KITH_OK)
        return err;
    if (item->list.n == 0)
        return KITH_ERR_TRUNCATED;
    for (size_t i = 0; item->type == ITEM_ANNOUNCE && i < item->list.n; i++) {
        item_announce_at(item, i, &e);
        if (!block_serial_ok(e.serial))
            return KITH_ERR_RANGE;
    }
    return KITH_OK;
}

static int read_spki(struct cursor *c, struct item *item)
{
    int err = cursor_bytes(c, &item->spki, SPKI_LEN);

    return err != KITH_OK ? err : spki_check(item->spki, SPKI_LEN);
}

static int read_age(struct cursor *c, struct item *item)
{
    int err;

    if ((err = cursor_copy(c, item->age.head.b, HASH_LEN)) != KITH_OK ||
        (err = cursor_u32(c, &item->age.seconds)) != KITH_OK)
        return err;
    return KITH_OK;
}

static int read_piece(struct cursor *c, struct item *item)
{
    struct item_piece *piece = &item->piece;
    int err;

    if ((err = cursor_copy(c, piece->hash.b, HASH_LEN)) != KITH_OK ||
        (err = cursor_u32(c, &piece->total)) != KITH_OK ||
        (err = cursor_u16(c, &piece->index)) != KITH_OK)
        return err;
    if (piece->total < BLOCK_SIGNED_MIN || piece->total > BLOCK_SIGNED_MAX)
        return KITH_ERR_RANGE;
    piece->n = item_piece_len(piece->total, piece->index);
    if (piece->n == 0)
        return KITH_ERR_RANGE;
    return cursor_bytes(c, &piece->p, piece->n);
}

static int read_bytes(struct cursor *c, struct item *item)
{
    item->bytes.n = c->left;
    return cursor_bytes(c, &item->bytes.p, c->left);
}

static int read_value(struct cursor *c, struct item *item)
{
    switch (item->type) {
    case ITEM_COOKIE:
        return cursor_copy(c, item->cookie, ITEM_COOKIE_LEN);
    case ITEM_ROOT:
        return read_root(c, item);
    case ITEM_NODES:
        return read_nodes(c, item);
    case ITEM_LEAVES:
        return read_leaves(c, item);
    case ITEM_ANNOUNCE:
        return read_list(c, item, ITEM_ANNOUNCE_LEN);
    case ITEM_WANT_HEAD:
        return read_list(c, item, ITEM_WANT_HEAD_LEN);
    case ITEM_WANT_PIECE:
        return read_list(c, item, ITEM_WANT_PIECE_LEN);
    case ITEM_SPKI:
        return read_spki(c, item);
    case ITEM_AGE:
        return read_age(c, item);
    case ITEM_PIECE:
        return read_piece(c, item);
    case ITEM_ECHO:
        return cursor_copy(c, item->echo, ITEM_ECHO_LEN);
    case ITEM_FULL:
        return KITH_OK;
    default: /* PAD and unknown types */
        return read_bytes(c, item);
    }
}

int item_next(struct cursor *c, struct item *out)
{
    struct cursor value;
    struct item item;
    uint16_t len;
    int err;

    if (c->left == 0)
        return KITH_ERR_NOTFOUND;
    if ((err = cursor_u8(c, &item.type)) != KITH_OK ||
        (err = cursor_u16(c, &len)) != KITH_OK ||
        (err = cursor_sub(c, len, &value)) != KITH_OK ||
        (err = read_value(&value, &item)) != KITH_OK ||
        (err = cursor_end(&value)) != KITH_OK)
        return err;
    *out = item;
    return KITH_OK;
}

/* -- Walking NODES. -- */

struct item_nodes_iter item_nodes_walk(const struct item_nodes *nodes)
{
    return (struct item_nodes_iter){nodes, 0, nodes->hashes};
}

bool item_nodes_next(struct item_nodes_iter *it, struct trie_prefix *prefix,
                     const uint8_t **short_hash)
{
    const struct item_nodes *nodes = it->nodes;
    size_t i = it->next;

    if (i == 8 * item_bitmap_len(nodes->levels))
        return false;
    *prefix = nodes->prefix;
    if (nodes->levels == 2)
        *prefix = prefix_child(prefix, (uint8_t)(i / 16));
    *prefix = prefix_child(prefix, (uint8_t)(i % 16));
    *short_hash = NULL;
    if ((nodes->bitmap[i / 8] >> (7 - i % 8) & 1) != 0) {
        *short_hash = it->short_hash;
        it->short_hash += SHORT_HASH_LEN;
    }
    it->next++;
    return true;
}

/* -- Sizes. -- */

size_t item_bitmap_len(uint8_t levels)
{
    assert(levels == 1 || levels == 2);
    return levels == 1 ? 2 : 32;
}

size_t item_nodes_len(uint8_t depth, uint8_t levels, size_t n)
{
    return ITEM_HEADER_LEN + prefix_len(depth) + 1 + item_bitmap_len(levels) +
           n * SHORT_HASH_LEN;
}

size_t item_leaves_len(uint8_t depth, size_t n)
{
    return ITEM_HEADER_LEN + prefix_len(depth) + n * ITEM_LEAF_LEN;
}

size_t item_piece_count(uint32_t total)
{
    return ((size_t)total + PIECE_LEN - 1) / PIECE_LEN;
}

size_t item_piece_len(uint32_t total, uint16_t index)
{
    size_t from = (size_t)index * PIECE_LEN;

    if (from >= total)
        return 0;
    return total - from < PIECE_LEN ? total - from : PIECE_LEN;
}
