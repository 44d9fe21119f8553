/* SPDX-License-Identifier: Apache-2.0 */
#include "core/index.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "core/state.h"
#include "wire/facts.h"
#include "wire/head.h"

enum {
    SWEEP_EVERY = 5000
}; /* ms between looks at all ages */

void index_init(struct index *index, struct pool *pool, uint32_t max,
                const struct now *now)
{
    memset(index, 0, sizeof *index);
    trie_init(&index->set, pool);
    index->max = max;
    index->sweep = instant_add_ms(now->mono, SWEEP_EVERY);
}

static void member_free(struct index *index, struct member *m)
{
    HASH_DEL(index->members, m);
    bundle_unref(m->bundle);
    ident_unref(m->ident);
    free(m);
}

void index_clear(struct index *index)
{
    struct member *m, *next;

    trie_clear(&index->set);
    HASH_ITER (hh, index->members, m, next)
        member_free(index, m);
}

struct member *index_find(const struct index *index, const struct node_id *id)
{
    struct member *m;

    HASH_FIND(hh, index->members, id->b, NODE_ID_LEN, m);
    return m;
}

bool index_has_room(const struct index *index)
{
    return HASH_COUNT(index->members) < index->max;
}

static struct member *new_member(struct engine *e, const struct now *now,
                                 const struct node_id *id)
{
    struct member *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->id = *id;
    m->heard = now->mono;
    budget_init(&m->accept, ACCEPT_BURST, ACCEPT_RATE_X1000, now->mono);
    HASH_ADD(hh, e->index.members, id, NODE_ID_LEN, m);
    if (!table_added(m)) {
        free(m);
        return NULL;
    }
    return m;
}

struct member *index_member(struct engine *e, const struct now *now,
                            const struct node_id *id, struct effects *out)
{
    struct index *index = &e->index;
    struct member *m = index_find(index, id);

    if (m)
        return m;
    if (!index_has_room(index) && !node_id_equal(id, &e->self)) {
        if (!index->full_told)
            engine_note(out, NOTE_FULL, id, NULL,
                        "max-members is reached; raise it to let in more");
        index->full_told = true;
        return NULL;
    }
    return new_member(e, now, id);
}

static void keep_node(const struct member *m, const struct now *now,
                      struct effects *out)
{
    struct effect *effect;

    if (!m->ident)
        return;
    effect = effects_add(out, EFFECT_KEEP_NODE);
    effect->keep_node.id = m->id;
    effect->keep_node.ident = m->ident;
    effect->keep_node.floor = m->floor;
    effect->keep_node.age_s = index_age_ms(m, now) / 1000;
    effect->keep_node.gone = m->life == LIFE_GONE || m->life == LIFE_LEFT;
    memcpy(effect->keep_node.good, m->good, sizeof m->good);
}

void index_set_life(struct engine *e, const struct now *now, struct member *m,
                    enum member_life life, struct effects *out)
{
    struct index *index = &e->index;
    enum member_life before = m->life;

    if (life == before)
        return;
    assert(life != LIFE_UNKNOWN && m->bundle && "only a head gives life");
    if (life == LIFE_LIVE) {
        if (trie_put(&index->set, m->bundle) != KITH_OK)
            return; /* out of memory: the next head tries again */
        index->live++;
    } else if (before == LIFE_LIVE) {
        /* Taking out builds a path anew, and may want memory too: then the
         * member stays until the next sweep. */
        if (trie_remove(&index->set, &m->id) != KITH_OK)
            return;
        index->live--;
    }
    m->life = life;
    index->version++;
    if (life != LIFE_CACHED)
        keep_node(m, now, out);
    if (node_id_equal(&m->id, &e->self))
        return;
    if (life == LIFE_LIVE)
        engine_note(out, NOTE_JOINED, &m->id, NULL, NULL);
    else if (life == LIFE_LEFT)
        engine_note(out, NOTE_LEFT, &m->id, NULL, NULL);
    else if (life == LIFE_GONE)
        engine_note(out, NOTE_GONE, &m->id, NULL, NULL);
}

uint64_t index_age_ms(const struct member *m, const struct now *now)
{
    return m->age_ms + instant_since_ms(now->mono, m->heard);
}

void index_hear_age(struct member *m, const struct now *now, uint64_t age_ms)
{
    uint64_t held_ms = instant_since_ms(now->mono, m->heard);
    uint64_t then_ms = age_ms > held_ms ? age_ms - held_ms : 0;

    /* `heard` is what we saw ourselves, and stays. */
    if (then_ms < m->age_ms)
        m->age_ms = then_ms;
}

/* Tells which blocks differ between two heads of one author. Both lists are
 * sorted by name. */
static void note_changes(const struct member *m, const struct bundle *before,
                         const struct bundle *after, struct effects *out)
{
    struct block old, new;
    size_t i = 0, j = 0;

    while (i < before->n || j < after->n) {
        int order = i == before->n ? 1 : -1;

        if (i < before->n)
            object_block(before->blocks[i], &old);
        if (j < after->n)
            object_block(after->blocks[j], &new);
        if (i < before->n && j < after->n)
            order = strcmp(old.name, new.name);
        if (order < 0)
            engine_note(out, NOTE_REMOVED, &m->id, old.name, NULL);
        else if (order > 0 || before->blocks[i] != after->blocks[j])
            engine_note(out, NOTE_CHANGED, &m->id, new.name, NULL);
        i += order <= 0;
        j += order >= 0;
    }
}

/* What the head says of its author, besides the blocks. */
static void read_head(struct member *m)
{
    struct head head;

    object_head(m->bundle->head, &head);
    m->lease_s = head.fields.lease_s;
    m->flags = head.fields.flags;
}

static void equivocation(const struct member *m, const struct bundle *other,
                         struct effects *out)
{
    char text[96], a[17], b[17];

    text_hex(a, sizeof a, m->bundle->head->hash.b, 8);
    text_hex(b, sizeof b, other->head->hash.b, 8);
    snprintf(text, sizeof text, "two heads of serial %llu: %s and %s",
             (unsigned long long)other->serial, a, b);
    engine_note(out, NOTE_EQUIVOCATION, &m->id, NULL, text);
}

bool index_is_newer(const struct member *m, uint64_t serial,
                    const struct hash *hash)
{
    if (serial != m->floor)
        return serial > m->floor;
    return m->bundle && m->life != LIFE_GONE && m->life != LIFE_LEFT &&
           block_beats(serial, hash, m->bundle->serial, &m->bundle->head->hash);
}

/* Whether this head is to replace what is held. */
static int compare(struct engine *e, const struct now *now, struct member *m,
                   const struct bundle *b, bool own, struct effects *out)
{
    if (m->bundle && m->bundle->head == b->head)
        return KITH_ERR_STALE;
    if (m->bundle && m->bundle->serial == b->serial)
        equivocation(m, b, out);
    if (!index_is_newer(m, b->serial, &b->head->hash))
        return KITH_ERR_STALE;
    if (!own && !budget_take(&m->accept, now->mono, 1)) {
        e->counters[COUNT_OVER_BUDGET]++;
        return KITH_ERR_BUDGET;
    }
    return KITH_OK;
}

/* The life that a fresh head gives. */
static enum member_life life_of(const struct member *m, const struct now *now)
{
    if (m->flags & HEAD_LEAVE)
        return LIFE_LEFT;
    if (index_age_ms(m, now) >= (uint64_t)LEASES_TO_GONE * m->lease_s * 1000)
        return LIFE_GONE;
    return LIFE_LIVE;
}

static void replace(struct engine *e, const struct now *now, struct member *m,
                    struct bundle *b, uint64_t age_ms, struct effects *out)
{
    struct bundle *before = m->bundle;
    uint16_t flags = m->flags;
    struct effect *effect = effects_add(out, EFFECT_KEEP);

    /* the caller holds b; the older one lives until the effects are done */
    m->bundle = bundle_ref(b);
    m->floor = b->serial;
    m->heard = now->mono;
    m->age_ms = age_ms;
    read_head(m);
    effect->keep.now = b;
    effect->keep.before = before;
    if (before) {
        note_changes(m, before, b, out);
        engine_retire(e, before);
    }
    if (!(flags & HEAD_AWAY) && (m->flags & HEAD_AWAY))
        engine_note(out, NOTE_AWAY, &m->id, NULL, NULL);
    if (!m->ident)
        m->ident = ident_ref(b->author);
}

/* Whether a head is said to be so old that its author would be gone at once:
 * true or not, it is no news. */
static bool is_too_old(const struct bundle *b, uint64_t age_ms)
{
    struct head head;

    object_head(b->head, &head);
    return age_ms >= (uint64_t)LEASES_TO_GONE * head.fields.lease_s * 1000 &&
           !(head.fields.flags & HEAD_LEAVE);
}

int index_accept(struct engine *e, const struct now *now, struct bundle *b,
                 uint64_t age_ms, const struct node_id *from,
                 struct effects *out)
{
    bool own = node_id_equal(&b->author->id, &e->self);
    struct member *m;
    enum member_life life;
    int err;

    if (!own && is_too_old(b, age_ms))
        return KITH_ERR_STALE;
    m = index_member(e, now, &b->author->id, out);
    if (!m)
        return index_has_room(&e->index) ? KITH_ERR_NOMEM : KITH_ERR_FULL;
    err = compare(e, now, m, b, own, out);
    if (err != KITH_OK)
        return err;
    replace(e, now, m, b, age_ms, out);
    e->counters[COUNT_HEADS_ACCEPTED]++;
    life = life_of(m, now);
    if (life == m->life) {
        if (life == LIFE_LIVE && trie_put(&e->index.set, b) != KITH_OK)
            log_msg(e->log, LOG_LEVEL_ERROR, "out of memory");
        keep_node(m, now, out);
    } else {
        index_set_life(e, now, m, life, out);
    }
    push_add(e, now, &m->id, from);
    if (!own)
        peer_head_rose(e, now, m, out);
    return KITH_OK;
}

int index_load(struct engine *e, const struct now *now, struct bundle *b,
               uint64_t age_ms, enum member_life life)
{
    struct member *m = index_find(&e->index, &b->author->id);
    int err;

    if (m && m->bundle)
        return KITH_ERR_STALE;
    if (!m)
        m = new_member(e, now, &b->author->id);
    if (!m)
        return KITH_ERR_NOMEM;
    m->bundle = bundle_ref(b);
    if (!m->ident)
        m->ident = ident_ref(b->author);
    if (m->floor < b->serial)
        m->floor = b->serial;
    m->heard = now->mono;
    m->age_ms = age_ms;
    read_head(m);
    if (m->flags & HEAD_LEAVE)
        life = LIFE_LEFT;
    if (life == LIFE_LIVE) {
        err = trie_put(&e->index.set, b);
        if (err != KITH_OK)
            return err;
        e->index.live++;
        e->index.version++;
    }
    m->life = life;
    return KITH_OK;
}

struct instant index_deadline(const struct index *index)
{
    return index->sweep;
}

static void sweep_member(struct engine *e, const struct now *now,
                         struct member *m, struct effects *out)
{
    uint64_t age_s = index_age_ms(m, now) / 1000;

    if (node_id_equal(&m->id, &e->self))
        return;
    if (m->life == LIFE_UNKNOWN) {
        if (!m->bundle && m->floor == 0 && age_s > 600)
            member_free(&e->index, m);
        return;
    }
    if ((m->life == LIFE_LIVE || m->life == LIFE_CACHED) &&
        age_s >= (uint64_t)LEASES_TO_GONE * m->lease_s)
        index_set_life(e, now, m, LIFE_GONE, out);
    if ((m->life == LIFE_GONE || m->life == LIFE_LEFT) &&
        age_s >=
            e->config.forget_after_s + (uint64_t)LEASES_TO_GONE * m->lease_s)
        index_forget(e, m, out);
}

void index_tick(struct engine *e, const struct now *now, struct effects *out)
{
    struct member *m, *next;

    if (!instant_reached(now->mono, e->index.sweep))
        return;
    e->index.sweep = instant_add_ms(now->mono, SWEEP_EVERY);
    HASH_ITER (hh, e->index.members, m, next) {
        if (!effects_room(out, 8)) {
            e->index.sweep = now->mono;
            return;
        }
        sweep_member(e, now, m, out);
    }
}

void index_slept(struct engine *e, const struct now *now, uint64_t slept_ms,
                 struct effects *out)
{
    struct member *m, *next;

    HASH_ITER (hh, e->index.members, m, next)
        if (m->life == LIFE_LIVE && !node_id_equal(&m->id, &e->self) &&
            slept_ms > (uint64_t)m->lease_s * 1000)
            index_set_life(e, now, m, LIFE_CACHED, out); /* no effects */
}

void index_forget(struct engine *e, struct member *m, struct effects *out)
{
    struct effect *effect = effects_add(out, EFFECT_DROP_NODE);

    assert(m->life != LIFE_LIVE);
    effect->drop_node = m->id;
    e->index.full_told = false;
    if (m->bundle) { /* earlier effects may point at it, and at its author */
        engine_retire(e, m->bundle);
        m->bundle = NULL;
    }
    member_free(&e->index, m);
}

struct object *index_object(const struct engine *e, const struct hash *hash)
{
    struct object *object = pool_object_find(e->pool, hash);
    const struct member *m =
        object ? index_find(&e->index, &object->author->id) : NULL;

    if (!m || (m->life != LIFE_LIVE && m->life != LIFE_LEFT))
        return NULL;
    if (object == m->bundle->head)
        return object;
    for (size_t i = 0; i < m->bundle->n; i++)
        if (object == m->bundle->blocks[i])
            return object;
    return NULL;
}

size_t index_addrs(const struct member *m, struct addr out[FACTS_ADDRS_MAX])
{
    const struct object *object =
        m->bundle ? bundle_block(m->bundle, "facts") : NULL;
    struct block block;
    struct facts facts;

    if (!object)
        return 0;
    object_block(object, &block);
    if (facts_decode(BLOCK_FACTS, block.payload, block.payload_len, &facts) !=
        KITH_OK)
        return 0;
    return facts_addrs(&facts, out);
}

bool index_has_addr(const struct index *index, const struct addr *a)
{
    const struct member *m;
    struct addr addrs[FACTS_ADDRS_MAX];

    for (m = index->members; m; m = m->hh.next) {
        size_t n = m->life == LIFE_LIVE ? index_addrs(m, addrs) : 0;

        for (size_t i = 0; i < n; i++)
            if (addr_equal(&addrs[i], a))
                return true;
    }
    return false;
}
