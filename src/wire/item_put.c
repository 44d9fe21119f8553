/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/item.h"

#include <assert.h>

/* The writing half of item.h. */

static void put_header(struct writer *w, enum item_type type, size_t len)
{
    assert(len <= UINT16_MAX);
    writer_u8(w, (uint8_t)type);
    writer_u16(w, (uint16_t)len);
}

void item_put_pad(struct writer *w, size_t n)
{
    assert(n >= ITEM_HEADER_LEN);
    put_header(w, ITEM_PAD, n - ITEM_HEADER_LEN);
    writer_zeros(w, n - ITEM_HEADER_LEN);
}

void item_put_cookie(struct writer *w, const uint8_t cookie[ITEM_COOKIE_LEN])
{
    put_header(w, ITEM_COOKIE, ITEM_COOKIE_LEN);
    writer_bytes(w, cookie, ITEM_COOKIE_LEN);
}

void item_put_root(struct writer *w, const uint8_t root[TRIE_ROOT_LEN],
                   uint32_t heads)
{
    put_header(w, ITEM_ROOT, ITEM_ROOT_LEN);
    writer_bytes(w, root, TRIE_ROOT_LEN);
    writer_u32(w, heads);
}

void item_put_nodes(struct writer *w, const struct item_nodes *nodes)
{
    uint8_t depth = nodes->prefix.depth;

    assert(depth + nodes->levels <= PREFIX_DEPTH_MAX);
    put_header(w, ITEM_NODES,
               item_nodes_len(depth, nodes->levels, nodes->n) -
                   ITEM_HEADER_LEN);
    prefix_encode(w, &nodes->prefix);
    writer_u8(w, nodes->levels);
    writer_bytes(w, nodes->bitmap, item_bitmap_len(nodes->levels));
    writer_bytes(w, nodes->hashes, nodes->n * SHORT_HASH_LEN);
}

void item_put_spki(struct writer *w, const uint8_t spki[SPKI_LEN])
{
    put_header(w, ITEM_SPKI, SPKI_LEN);
    writer_bytes(w, spki, SPKI_LEN);
}

void item_put_age(struct writer *w, const struct hash *head, uint32_t seconds)
{
    put_header(w, ITEM_AGE, ITEM_AGE_LEN);
    writer_bytes(w, head->b, sizeof head->b);
    writer_u32(w, seconds);
}

void item_put_piece(struct writer *w, const struct hash *hash,
                    const uint8_t *signed_block, uint32_t total, uint16_t index)
{
    size_t len = item_piece_len(total, index);

    assert(len > 0);
    put_header(w, ITEM_PIECE, ITEM_PIECE_FIXED_LEN + len);
    writer_bytes(w, hash->b, sizeof hash->b);
    writer_u32(w, total);
    writer_u16(w, index);
    writer_bytes(w, signed_block + (size_t)index * PIECE_LEN, len);
}

void item_put_echo(struct writer *w, const uint8_t echo[ITEM_ECHO_LEN])
{
    put_header(w, ITEM_ECHO, ITEM_ECHO_LEN);
    writer_bytes(w, echo, ITEM_ECHO_LEN);
}

void item_put_full(struct writer *w)
{
    put_header(w, ITEM_FULL, 0);
}

/* -- Arrays. -- */

struct item_array item_begin(struct writer *w, enum item_type type)
{
    assert(type == ITEM_ANNOUNCE || type == ITEM_WANT_HEAD ||
           type == ITEM_WANT_PIECE);
    return (struct item_array){.w = w, .type = (uint8_t)type};
}

static void begin_value(struct item_array *a)
{
    writer_u8(a->w, a->type);
    a->at = writer_reserve_u16(a->w);
}

struct item_array item_begin_leaves(struct writer *w,
                                    const struct trie_prefix *prefix)
{
    struct item_array a = {.w = w, .type = ITEM_LEAVES};

    begin_value(&a);
    prefix_encode(w, prefix);
    return a;
}

/* Whether an element of len bytes still fits; if so, all is ready for it. */
static bool add(struct item_array *a, enum item_type type, size_t len)
{
    bool first = a->n == 0 && type != ITEM_LEAVES;

    assert(a->type == type);
    if (writer_room(a->w) < len + (first ? ITEM_HEADER_LEN : 0))
        return false;
    if (first)
        begin_value(a);
    a->n++;
    return true;
}

bool item_add_leaf(struct item_array *a, const struct item_leaf *e)
{
    if (!add(a, ITEM_LEAVES, ITEM_LEAF_LEN))
        return false;
    writer_bytes(a->w, e->id.b, sizeof e->id.b);
    writer_u64(a->w, e->serial);
    writer_bytes(a->w, e->short_hash, sizeof e->short_hash);
    return true;
}

bool item_add_announce(struct item_array *a, const struct item_announce *e)
{
    if (!add(a, ITEM_ANNOUNCE, ITEM_ANNOUNCE_LEN))
        return false;
    writer_bytes(a->w, e->id.b, sizeof e->id.b);
    writer_u64(a->w, e->serial);
    writer_bytes(a->w, e->hash8, sizeof e->hash8);
    return true;
}

bool item_add_want_head(struct item_array *a, const struct item_want_head *e)
{
    if (!add(a, ITEM_WANT_HEAD, ITEM_WANT_HEAD_LEN))
        return false;
    writer_bytes(a->w, e->id.b, sizeof e->id.b);
    writer_u64(a->w, e->since);
    writer_u8(a->w, e->flags);
    return true;
}

bool item_add_want_piece(struct item_array *a, const struct item_want_piece *e)
{
    if (!add(a, ITEM_WANT_PIECE, ITEM_WANT_PIECE_LEN))
        return false;
    writer_bytes(a->w, e->hash.b, sizeof e->hash.b);
    writer_u16(a->w, e->index);
    return true;
}

void item_end(struct item_array *a)
{
    size_t value_at = a->at + sizeof(uint16_t);

    if (a->type == ITEM_LEAVES || a->n > 0)
        writer_patch_u16(a->w, a->at, a->w->len - value_at);
}
