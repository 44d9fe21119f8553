/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator, and the store at the start, tell the engine. */
#include <assert.h>

#include "core/state.h"

/* -- the store --------------------------------------------------------------
 */

/* Finds among n verified objects those that a head lists, in its order. */
static int assemble(struct engine *e, struct object *const *objects, size_t n,
                    struct object *head, struct bundle **out)
{
    struct object *blocks[HEAD_ENTRIES_MAX];
    struct head h;
    struct head_iter it;
    struct head_entry entry;
    size_t found = 0;

    object_head(head, &h);
    it = head_entries(&h);
    while (head_entry_next(&it, &entry)) {
        size_t i = 0;

        while (i < n && !hash_equal(&objects[i]->hash, &entry.hash))
            i++;
        if (i == n)
            return KITH_ERR_NOTFOUND;
        blocks[found++] = objects[i];
    }
    return pool_bundle(e->pool, head, blocks, found, out);
}

static enum member_life stored_life(const struct stored_node *node,
                                    const struct bundle *b)
{
    struct head head;

    object_head(b->head, &head);
    if (node->gone ||
        node->age_s >= (uint64_t)LEASES_TO_GONE * head.fields.lease_s)
        return LIFE_GONE;
    return node->off_s > head.fields.lease_s ? LIFE_CACHED : LIFE_LIVE;
}

static int load_bundle(struct engine *e, const struct now *now,
                       const struct stored_node *node, struct bundle *b)
{
    bool own = node_id_equal(&b->author->id, &e->self);
    enum member_life life = own ? LIFE_LIVE : stored_life(node, b);
    int err = index_load(e, now, b, node->age_s * 1000, life);
    struct member *m;

    if (err != KITH_OK)
        return err;
    m = index_find(&e->index, &b->author->id);
    assert(m);
    if (node->floor > m->floor && node->floor <= BLOCK_SERIAL_MAX)
        m->floor = node->floor;
    memcpy(m->good, node->good, sizeof m->good);
    if (own)
        own_load(e, now, b);
    return KITH_OK;
}

int engine_load_node(struct engine *e, const struct now *now,
                     const struct stored_node *node)
{
    struct object *objects[HEAD_ENTRIES_MAX + 1];
    struct object *head = NULL;
    struct bundle *bundle = NULL;
    struct ident *ident = NULL;
    size_t n = 0;
    int err;

    assert(!e->started);
    err = pool_ident(e->pool, node->spki, &ident);
    if (err != KITH_OK)
        return err;
    for (size_t i = 0; i < node->n && n <= HEAD_ENTRIES_MAX; i++) {
        if (pool_object(e->pool, ident, node->blocks[i], node->lens[i],
                        &objects[n]) != KITH_OK) {
            e->counters[COUNT_BLOCKS_REFUSED]++;
            continue;
        }
        if (objects[n]->type == BLOCK_HEAD)
            head = objects[n];
        n++;
    }
    err = head ? assemble(e, objects, n, head, &bundle) : KITH_ERR_NOTFOUND;
    if (err == KITH_OK)
        err = load_bundle(e, now, node, bundle);
    bundle_unref(bundle);
    while (n > 0)
        object_unref(objects[--n]);
    ident_unref(ident);
    return err;
}

/* -- the operator --------------------------------------------------------- */

int engine_facts(struct engine *e, const struct now *now,
                 const struct fact *facts, size_t n, struct fact *more,
                 size_t n_more, struct effects *out)
{
    int err;

    engine_begin(e);
    err = own_facts(e, now, facts, n, more, n_more);
    engine_finish(e, now, out);
    return err;
}

int engine_tag(struct engine *e, const struct now *now, const char *key,
               const char *value, struct effects *out)
{
    int err;

    engine_begin(e);
    err = own_tag(e, now, key, value);
    engine_finish(e, now, out);
    return err;
}

int engine_put(struct engine *e, const struct now *now, const char *name,
               const uint8_t *payload, size_t n, struct effects *out)
{
    int err;

    engine_begin(e);
    err = own_put(e, now, name, payload, n);
    engine_finish(e, now, out);
    return err;
}

int engine_remove(struct engine *e, const struct now *now, const char *name,
                  struct effects *out)
{
    int err;

    engine_begin(e);
    err = own_remove(e, now, name);
    engine_finish(e, now, out);
    return err;
}

int engine_peer(struct engine *e, const struct now *now,
                const struct addr *peer)
{
    return dial_configure(e, now, peer);
}

void engine_leave(struct engine *e, const struct now *now, struct effects *out)
{
    engine_begin(e);
    own_flags(e, now, HEAD_LEAVE, HEAD_AWAY, out);
    engine_finish(e, now, out);
}

void engine_away(struct engine *e, const struct now *now, struct effects *out)
{
    engine_begin(e);
    if (!(e->own.flags & HEAD_LEAVE)) /* who has left is not back soon */
        own_flags(e, now, HEAD_AWAY, 0, out);
    engine_finish(e, now, out);
}

int engine_forget(struct engine *e, const struct now *now,
                  const struct node_id *id, struct effects *out)
{
    struct member *m = index_find(&e->index, id);

    (void)now;
    engine_begin(e);
    if (!m)
        return KITH_ERR_NOTFOUND;
    if (m->life != LIFE_GONE && m->life != LIFE_LEFT)
        return KITH_ERR_UNWANTED;
    index_forget(e, m, out);
    return KITH_OK;
}
