/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sync.h"

#include "core/state.h"

enum {
    NEWCOMER_MS = 15000,  /* at most so long is one new */
    DIFFERS_MS = 1000,    /* until the next comparison while sets differ */
    FRUITLESS_ROUNDS = 3, /* of the same two roots, then it is no use */
};

/* Whether a peer's node has said that it is away for a moment. */
static bool is_away(const struct engine *e, const struct now *now,
                    const struct peer *p)
{
    const struct member *m = index_find(&e->index, &p->id);

    return m && (m->flags & HEAD_AWAY) &&
           instant_since_ms(now->mono, m->heard) < AWAY_MS;
}

static uint64_t interval_ms(struct engine *e)
{
    uint64_t ms = SYNC_FRIEND;

    if (e->sync.newcomer)
        return (uint64_t)SYNC_NEWCOMER * (e->n_peers ? e->n_peers : 1);
    if (e->friends.n * (uint64_t)SYNC_ALL > ms)
        ms = e->friends.n * (uint64_t)SYNC_ALL;
    return ms;
}

static void schedule(struct engine *e, const struct now *now, struct peer *p,
                     uint64_t ms)
{
    p->sync_at = instant_add_ms(now->mono, prng_jitter(&e->prng, ms, 10));
}

/* The next look at a friend when nothing differs. Friends whose turns came
 * together drift apart: there is to be one request a second, not twenty in
 * one second of twenty. */
static void schedule_idle(struct engine *e, const struct now *now,
                          struct peer *p)
{
    uint64_t ms = interval_ms(e);

    if (!e->sync.newcomer) {
        ms = prng_jitter(&e->prng, ms, 50);
        ms = ms < SYNC_FRIEND ? SYNC_FRIEND : ms;
    }
    schedule(e, now, p, ms);
}

void sync_newcomer(struct engine *e)
{
    e->sync.newcomer = true;
    e->sync.newcomer_until = INSTANT_NEVER;
}

void sync_begin(struct engine *e, const struct now *now, struct peer *p)
{
    if (e->sync.newcomer && e->sync.newcomer_until.us == INSTANT_NEVER.us)
        e->sync.newcomer_until = instant_add_ms(now->mono, NEWCOMER_MS);
    p->same_rounds = 0;
    p->sync_at = now->mono;
    p->pushed = e->push.end;
}

/* A newcomer tells everybody whom it meets about itself. */
static void introduce(struct engine *e, const struct now *now, struct peer *p)
{
    const struct member *me = index_find(&e->index, &e->self);
    struct jobs jobs = {.n = 0};

    if (!me || me->life != LIFE_LIVE)
        return;
    jobs_announce(&jobs, me->bundle);
    peer_queue(e, now, p, &jobs);
}

static bool all_friends_proven(const struct engine *e)
{
    struct peer *p, *next;

    HASH_ITER (hh, e->peers, p, next)
        if (p->friend && p->state != PEER_PROVEN)
            return false;
    return e->friends.n > 0;
}

static void same_roots(struct engine *e, const struct now *now, struct peer *p)
{
    p->same_rounds = 0;
    own_synced(e, now);
    if (e->sync.newcomer && all_friends_proven(e))
        e->sync.newcomer = false;
    schedule_idle(e, now, p);
}

/* Whether this pair of roots has led nowhere again and again. */
static bool is_fruitless(const struct engine *e, const struct now *now,
                         struct peer *p, const uint8_t *mine,
                         const uint8_t *theirs)
{
    bool same = memcmp(p->roots[0], mine, TRIE_ROOT_LEN) == 0 &&
                memcmp(p->roots[1], theirs, TRIE_ROOT_LEN) == 0;

    if (!same) {
        memcpy(p->roots[0], mine, TRIE_ROOT_LEN);
        memcpy(p->roots[1], theirs, TRIE_ROOT_LEN);
        p->same_rounds = 0;
        return false;
    }
    if (e->fetch.wants || e->gather.pendings)
        return false; /* something is still on its way */
    if (++p->same_rounds < FRUITLESS_ROUNDS)
        return false;
    if (p->same_rounds == FRUITLESS_ROUNDS)
        p->fruitless_until = instant_add_ms(now->mono, SYNC_FRUITLESS);
    if (instant_reached(now->mono, p->fruitless_until))
        p->same_rounds = 0;
    return p->same_rounds >= FRUITLESS_ROUNDS;
}

static void drop_descriptions(struct jobs *jobs)
{
    size_t kept = 0;

    for (size_t i = 0; i < jobs->n; i++) {
        if (jobs->v[i].type == JOB_DESCRIBE)
            job_clear(&jobs->v[i]);
        else
            jobs->v[kept++] = jobs->v[i];
    }
    jobs->n = kept;
}

static void different_roots(struct engine *e, const struct now *now,
                            struct peer *p, const struct exchange *x,
                            const uint8_t *mine, struct jobs *jobs,
                            struct effects *out)
{
    size_t held = trie_count(&e->index.set);

    if (is_fruitless(e, now, p, mine, x->root)) {
        drop_descriptions(jobs);
        schedule_idle(e, now, p);
        return;
    }
    if (!peer_active(e, p)) {
        if (peer_lost(e, p))
            bulk_ask(e, now, p, out);
        jobs_clear(jobs);
        return;
    }
    if (x->heads > held + BULK_MIN_HEADS && bulk_ask(e, now, p, out) == KITH_OK)
        jobs_clear(jobs);
    schedule(e, now, p, e->sync.newcomer ? interval_ms(e) : DIFFERS_MS);
}

void sync_answer(struct engine *e, const struct now *now, struct peer *p,
                 const struct exchange *x, struct jobs *jobs,
                 struct effects *out)
{
    uint8_t mine[TRIE_ROOT_LEN];

    if (x->has_cookie) {
        memcpy(p->session.cookie, x->cookie, sizeof p->session.cookie);
        p->session.has_cookie = true;
    }
    if (x->has_root) {
        engine_root(e, mine);
        if (memcmp(mine, x->root, TRIE_ROOT_LEN) == 0)
            same_roots(e, now, p);
        else
            different_roots(e, now, p, x, mine, jobs, out);
    }
    peer_queue(e, now, p, jobs);
}

/* B lacks a block that only the bulk exchange may carry. */
void sync_give_large(struct engine *e, const struct now *now,
                     const struct exchange *x, struct object *object,
                     struct effects *out)
{
    const struct member *m = index_find(&e->index, &object->author->id);
    struct peer *p = peer_find(e, x->from);
    struct bulk_gift gift;

    if (!x->answer || !p || !m)
        return;
    gift.bundle = m->bundle;
    gift.since = object->serial - 1;
    bulk_give(e, now, p, &gift, 1, out);
}

static bool can_sync(const struct engine *e, const struct now *now,
                     const struct peer *p)
{
    return (p->state == PEER_OPEN || p->state == PEER_PROVEN) &&
           peer_active(e, p) && peer_usable(p, now) && !is_away(e, now, p);
}

struct instant sync_deadline(const struct engine *e, const struct now *now)
{
    struct instant at = INSTANT_NEVER;
    struct peer *p, *next;

    HASH_ITER (hh, e->peers, p, next)
        if (can_sync(e, now, p))
            at = instant_min(at, p->sync_at);
    if (e->sync.newcomer)
        at = instant_min(at, e->sync.newcomer_until);
    return at;
}

void sync_tick(struct engine *e, const struct now *now, struct effects *out)
{
    struct peer *p, *next;

    (void)out;
    if (e->sync.newcomer && instant_reached(now->mono, e->sync.newcomer_until))
        e->sync.newcomer = false;
    HASH_ITER (hh, e->peers, p, next) {
        struct jobs jobs = {.n = 0};

        if (!instant_reached(now->mono, p->sync_at) || !can_sync(e, now, p))
            continue;
        jobs_root(&jobs);
        e->counters[COUNT_SYNCS]++;
        peer_queue(e, now, p, &jobs);
        if (p->state == PEER_OPEN)
            introduce(e, now, p);
        schedule_idle(e, now, p);
    }
}
