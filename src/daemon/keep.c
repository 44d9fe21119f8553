/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/keep.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/table.h"

enum {
    COMMIT_MS = 3000
};

static const char alive_key[] = "alive_unix_ms";

void keep_init(struct keep *k, struct store *store, const struct node_id *self)
{
    memset(k, 0, sizeof *k);
    k->store = store;
    k->self = *self;
}

static void touched(struct keep *k, const struct now *now)
{
    if (!k->dirty)
        k->commit = instant_add_ms(now->mono, COMMIT_MS);
    k->dirty = true;
}

/* -- writing ------------------------------------------------------------------
 */

static void put_object(struct keep *k, const struct object *object)
{
    struct store_block row = {.author = object->author->id,
                              .serial = object->serial,
                              .type = object->type,
                              .hash = object->hash,
                              .bytes = object->bytes,
                              .len = object->len};
    struct block block;

    object_block(object, &block);
    memcpy(row.name, block.name, sizeof row.name);
    store_put_block(k->store, &row);
}

static bool has_object(const struct bundle *b, const struct object *object)
{
    for (size_t i = 0; b && i < b->n; i++)
        if (b->blocks[i] == object)
            return true;
    return false;
}

static void put_bundle(struct keep *k, const struct bundle *after,
                       const struct bundle *before)
{
    for (size_t i = 0; i < after->n; i++)
        if (!has_object(before, after->blocks[i]))
            put_object(k, after->blocks[i]);
    put_object(k, after->head);
    for (size_t i = 0; before && i < before->n; i++) {
        struct block block;

        object_block(before->blocks[i], &block);
        if (!bundle_block(after, block.name))
            store_drop_block(k->store, &before->author->id, block.name);
    }
}

static void put_node(struct keep *k, const struct now *now,
                     const struct effect *effect)
{
    struct store_node row = {.id = effect->keep_node.id,
                             .floor_serial = effect->keep_node.floor,
                             .head_awake_ms = effect->keep_node.age_s * 1000,
                             .seen_unix_ms = now->unix_ms};

    memcpy(row.spki, effect->keep_node.ident->spki, sizeof row.spki);
    row.state = effect->keep_node.gone ? STORE_NODE_GONE : STORE_NODE_LIVE;
    store_put_node(k->store, &row);
    for (size_t i = GOOD_ADDRS; i-- > 0;) {
        struct store_addr addr = {.id = row.id,
                                  .addr = effect->keep_node.good[i],
                                  .good_unix_ms = now->unix_ms - i};

        if (addr.addr.family != 0)
            store_put_addr(k->store, &addr);
    }
}

void keep_effect(struct keep *k, const struct now *now,
                 const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_KEEP:
        put_bundle(k, effect->keep.now, effect->keep.before);
        if (node_id_equal(&effect->keep.now->author->id, &k->self))
            k->urgent = true;
        break;
    case EFFECT_KEEP_NODE:
        put_node(k, now, effect);
        break;
    case EFFECT_DROP_NODE:
        store_drop_node(k->store, &effect->drop_node);
        break;
    default:
        return;
    }
    touched(k, now);
}

struct refill {
    struct keep *keep;
    const struct now *now;
};

static void refill_member(void *arg, const struct member_view *view)
{
    struct refill *r = arg;
    struct effect effect = {.type = EFFECT_KEEP_NODE};

    if (!view->bundle)
        return;
    effect.keep_node.id = view->id;
    effect.keep_node.ident = view->bundle->author;
    effect.keep_node.floor = view->bundle->serial;
    effect.keep_node.age_s = view->age_ms / 1000;
    effect.keep_node.gone =
        view->state == MEMBER_GONE || view->state == MEMBER_LEFT;
    effect.keep_node.good[0] = view->addr;
    put_node(r->keep, r->now, &effect);
    put_bundle(r->keep, view->bundle, NULL);
}

static void commit(struct keep *k, const struct now *now)
{
    store_meta_put(k->store, alive_key, now->unix_ms);
    store_commit(k->store); /* trouble shows in store_state() */
    k->dirty = k->urgent = false;
}

void keep_flush(struct keep *k, const struct now *now)
{
    if (k->urgent)
        commit(k, now);
}

void keep_tick(struct keep *k, const struct now *now,
               const struct engine *engine)
{
    if (store_retry(k->store, now->mono) == KITH_OK && store_stale(k->store) &&
        store_refill(k->store) == KITH_OK) {
        struct refill refill = {k, now};

        engine_members(engine, now, refill_member, &refill);
        commit(k, now);
    }
    if (k->dirty && instant_reached(now->mono, k->commit))
        commit(k, now);
}

void keep_close(struct keep *k, const struct now *now)
{
    commit(k, now);
}

/* -- loading -------------------------------------------------------------- */

enum {
    ROWS_MAX = HEAD_ENTRIES_MAX + 1
};

/* A node with its rows, collected as they come. */
struct loaded {
    struct node_id id;
    struct store_node row;
    uint8_t *blocks[ROWS_MAX]; /* owned */
    size_t lens[ROWS_MAX];
    size_t n;
    struct addr good[GOOD_ADDRS];
    uint64_t good_at[GOOD_ADDRS];
    UT_hash_handle hh;
};

struct loading {
    struct loaded *nodes;
};

static int on_node(void *arg, const struct store_node *row)
{
    struct loading *l = arg;
    struct loaded *n = calloc(1, sizeof *n);

    if (!n)
        return KITH_ERR_NOMEM;
    n->id = row->id;
    n->row = *row;
    HASH_ADD(hh, l->nodes, id, NODE_ID_LEN, n);
    if (!table_added(n)) {
        free(n);
        return KITH_ERR_NOMEM;
    }
    return KITH_OK;
}

static int on_block(void *arg, const struct store_block *row)
{
    struct loading *l = arg;
    struct loaded *n;
    uint8_t *copy;

    HASH_FIND(hh, l->nodes, row->author.b, NODE_ID_LEN, n);
    if (!n || n->n == ROWS_MAX)
        return KITH_OK;
    copy = malloc(row->len);
    if (!copy)
        return KITH_ERR_NOMEM;
    memcpy(copy, row->bytes, row->len);
    n->blocks[n->n] = copy;
    n->lens[n->n++] = row->len;
    return KITH_OK;
}

static int on_addr(void *arg, const struct store_addr *row)
{
    struct loading *l = arg;
    struct loaded *n;
    size_t i = GOOD_ADDRS - 1;

    HASH_FIND(hh, l->nodes, row->id.b, NODE_ID_LEN, n);
    if (!n || row->good_unix_ms < n->good_at[i])
        return KITH_OK;
    while (i > 0 && row->good_unix_ms >= n->good_at[i - 1]) {
        n->good[i] = n->good[i - 1];
        n->good_at[i] = n->good_at[i - 1];
        i--;
    }
    n->good[i] = row->addr;
    n->good_at[i] = row->good_unix_ms;
    return KITH_OK;
}

static uint64_t later_by_s(uint64_t now_ms, uint64_t then_ms)
{
    return now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
}

static int hand_over(struct engine *engine, const struct now *now,
                     const struct loaded *n, uint64_t alive_ms)
{
    struct stored_node node = {
        .floor = n->row.floor_serial,
        .age_s = n->row.head_awake_ms / 1000 +
                 later_by_s(now->unix_ms, n->row.seen_unix_ms),
        .off_s = later_by_s(now->unix_ms, alive_ms),
        .gone = n->row.state != STORE_NODE_LIVE,
        .blocks = (const uint8_t *const *)n->blocks,
        .lens = n->lens,
        .n = n->n,
    };

    memcpy(node.spki, n->row.spki, sizeof node.spki);
    memcpy(node.good, n->good, sizeof node.good);
    return engine_load_node(engine, now, &node);
}

int keep_load(struct keep *k, const struct now *now, struct engine *engine,
              size_t *count)
{
    struct loading l = {.nodes = NULL};
    struct store_visitor visitor = {
        .node = on_node, .block = on_block, .addr = on_addr, .arg = &l};
    struct loaded *n, *next;
    uint64_t alive_ms = now->unix_ms;
    int err = store_load(k->store, &visitor);

    *count = 0;
    store_meta_get(k->store, alive_key, &alive_ms);
    HASH_ITER (hh, l.nodes, n, next) {
        if (hand_over(engine, now, n, alive_ms) == KITH_OK)
            ++*count;
        /* The analyser does not follow a table that is emptied. */
        /* NOLINTNEXTLINE(clang-analyzer-*) */
        HASH_DEL(l.nodes, n);
        while (n->n > 0)
            free(n->blocks[--n->n]);
        free(n);
    }
    return err;
}

uint64_t keep_alive_unix_ms(const struct keep *k)
{
    uint64_t alive_ms = 0;

    if (store_meta_get(k->store, alive_key, &alive_ms) != KITH_OK)
        return 0;
    return alive_ms;
}
