/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_WIRE_AGAIN_H
#define KITH_TEST_WIRE_AGAIN_H

#include <stdlib.h>

#include "wire/bulk.h"
#include "wire/item.h"

/* Writing again what was read, for tests and fuzzers: the same bytes must
 * come of it. */

static inline void again_leaves(struct writer *w, const struct item *item)
{
    struct item_array a = item_begin_leaves(w, &item->leaves.prefix);
    struct item_leaf e;

    for (size_t i = 0; i < item->leaves.n; i++) {
        item_leaf_at(item, i, &e);
        item_add_leaf(&a, &e);
    }
    item_end(&a);
}

static inline void again_announce(struct writer *w, const struct item *item)
{
    struct item_array a = item_begin(w, ITEM_ANNOUNCE);
    struct item_announce e;

    for (size_t i = 0; i < item->list.n; i++) {
        item_announce_at(item, i, &e);
        item_add_announce(&a, &e);
    }
    item_end(&a);
}

static inline void again_want_head(struct writer *w, const struct item *item)
{
    struct item_array a = item_begin(w, ITEM_WANT_HEAD);
    struct item_want_head e;

    for (size_t i = 0; i < item->list.n; i++) {
        item_want_head_at(item, i, &e);
        item_add_want_head(&a, &e);
    }
    item_end(&a);
}

static inline void again_want_piece(struct writer *w, const struct item *item)
{
    struct item_array a = item_begin(w, ITEM_WANT_PIECE);
    struct item_want_piece e;

    for (size_t i = 0; i < item->list.n; i++) {
        item_want_piece_at(item, i, &e);
        item_add_want_piece(&a, &e);
    }
    item_end(&a);
}

/* A whole block is not at hand: its piece is put where it would stand. */
static inline void again_piece(struct writer *w, const struct item_piece *p)
{
    static uint8_t block[BLOCK_SIGNED_MAX];

    memcpy(block + (size_t)p->index * PIECE_LEN, p->p, p->n);
    item_put_piece(w, &p->hash, block, p->total, p->index);
}

static inline void again_bytes(struct writer *w, const struct item *item)
{
    writer_u8(w, item->type);
    writer_u16(w, (uint16_t)item->bytes.n);
    writer_bytes(w, item->bytes.p, item->bytes.n);
}

static inline void again_item(struct writer *w, const struct item *item)
{
    switch (item->type) {
    case ITEM_COOKIE:
        item_put_cookie(w, item->cookie);
        break;
    case ITEM_ROOT:
        item_put_root(w, item->root.root, item->root.heads);
        break;
    case ITEM_NODES:
        item_put_nodes(w, &item->nodes);
        break;
    case ITEM_LEAVES:
        again_leaves(w, item);
        break;
    case ITEM_ANNOUNCE:
        again_announce(w, item);
        break;
    case ITEM_WANT_HEAD:
        again_want_head(w, item);
        break;
    case ITEM_WANT_PIECE:
        again_want_piece(w, item);
        break;
    case ITEM_SPKI:
        item_put_spki(w, item->spki);
        break;
    case ITEM_AGE:
        item_put_age(w, &item->age.head, item->age.seconds);
        break;
    case ITEM_PIECE:
        again_piece(w, &item->piece);
        break;
    case ITEM_ECHO:
        item_put_echo(w, item->echo);
        break;
    case ITEM_FULL:
        item_put_full(w);
        break;
    default:
        again_bytes(w, item);
    }
}

static inline void again_list(struct writer *w,
                              const struct bulk_record *record)
{
    size_t n = record->list.n;
    struct bulk_serial *list = calloc(n + 1, sizeof *list);

    for (size_t i = 0; list != NULL && i < n; i++)
        bulk_serial_at(record, i, &list[i]);
    if (list != NULL)
        bulk_put_list(w, (enum bulk_type)record->type, list, n);
    free(list);
}

static inline void again_record(struct writer *w,
                                const struct bulk_record *record)
{
    switch (record->type) {
    case BULK_HAVE:
    case BULK_WANT:
        again_list(w, record);
        break;
    case BULK_SPKI:
        bulk_put_spki(w, record->spki);
        break;
    case BULK_AGE:
        bulk_put_age(w, record->age_s);
        break;
    case BULK_BLOCK:
        bulk_put_block(w, record->block.p, record->block.len);
        break;
    default:
        bulk_put_end(w);
    }
}

#endif
