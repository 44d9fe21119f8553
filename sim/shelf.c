/* SPDX-License-Identifier: Apache-2.0 */
#include "shelf.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "world.h"

static struct shelf_node *find(const struct shelf *shelf,
                               const struct node_id *id)
{
    struct shelf_node *n;

    HASH_FIND(hh, shelf->nodes, id->b, NODE_ID_LEN, n);
    return n;
}

void shelf_clear(struct shelf *shelf)
{
    struct shelf_node *n = shelf->nodes;

    HASH_CLEAR(hh, shelf->nodes);
    while (n) {
        struct shelf_node *next = n->hh.next;

        bundle_unref(n->bundle);
        free(n);
        n = next;
    }
}

static void drop(struct shelf *shelf, const struct node_id *id)
{
    struct shelf_node *n = find(shelf, id);

    if (!n)
        return;
    HASH_DEL(shelf->nodes, n);
    bundle_unref(n->bundle);
    free(n);
}

static void keep(struct shelf *shelf, const struct now *now,
                 const struct bundle *bundle)
{
    const struct node_id *id = &bundle->author->id;
    struct shelf_node *n = find(shelf, id);
    struct bundle *mine =
        pool_bundle_find(bundle->author->pool, &bundle->head->hash);

    assert(mine == bundle);
    if (!n) {
        n = world_alloc(sizeof *n);
        n->id = *id;
        HASH_ADD(hh, shelf->nodes, id, NODE_ID_LEN, n);
    }
    bundle_ref(mine);
    bundle_unref(n->bundle);
    n->bundle = mine;
    n->floor = mine->serial;
    n->age_s = 0;
    n->kept_at = now->mono;
    n->gone = false;
}

static void keep_node(struct shelf *shelf, const struct now *now,
                      const struct effect *effect)
{
    struct shelf_node *n = find(shelf, &effect->keep_node.id);

    if (!n)
        return; /* without its blocks there is nothing to start from */
    n->floor = effect->keep_node.floor;
    n->age_s = effect->keep_node.age_s;
    n->kept_at = now->mono;
    n->gone = effect->keep_node.gone;
    memcpy(n->good, effect->keep_node.good, sizeof n->good);
}

void shelf_effect(struct shelf *shelf, const struct now *now,
                  const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_KEEP:
        keep(shelf, now, effect->keep.now);
        break;
    case EFFECT_KEEP_NODE:
        keep_node(shelf, now, effect);
        break;
    case EFFECT_DROP_NODE:
        drop(shelf, &effect->drop_node);
        break;
    default:
        assert(0 && "nothing to keep");
    }
}

static int load(const struct shelf_node *n, struct engine *engine,
                const struct now *now, uint64_t off_s)
{
    const uint8_t *blocks[HEAD_ENTRIES_MAX + 1];
    size_t lens[HEAD_ENTRIES_MAX + 1];
    struct stored_node stored = {
        .floor = n->floor,
        .age_s = n->age_s + instant_since_ms(now->mono, n->kept_at) / 1000,
        .off_s = off_s,
        .gone = n->gone,
        .blocks = blocks,
        .lens = lens,
        .n = n->bundle->n + 1,
    };

    memcpy(stored.spki, n->bundle->author->spki, SPKI_LEN);
    memcpy(stored.good, n->good, sizeof stored.good);
    blocks[0] = n->bundle->head->bytes;
    lens[0] = n->bundle->head->len;
    for (size_t i = 0; i < n->bundle->n; i++) {
        blocks[i + 1] = n->bundle->blocks[i]->bytes;
        lens[i + 1] = n->bundle->blocks[i]->len;
    }
    return engine_load_node(engine, now, &stored);
}

size_t shelf_load(const struct shelf *shelf, struct engine *engine,
                  const struct now *now, uint64_t off_s)
{
    const struct shelf_node *n;
    size_t taken = 0;

    for (n = shelf->nodes; n; n = n->hh.next)
        taken += load(n, engine, now, off_s) == KITH_OK;
    return taken;
}
