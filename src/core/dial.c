/* SPDX-License-Identifier: Apache-2.0 */
#include "core/dial.h"

#include <assert.h>
#include <stdlib.h>

#include "base/addr.h"
#include "core/state.h"

void dial_init(struct engine *e, const struct now *now)
{
    struct dials *d = &e->dial;

    memset(d, 0, sizeof *d);
    d->next_id = 1;
    d->heal = instant_add_ms(now->mono, HEAL_EVERY);
    budget_init(&d->budget, DIAL_BURST, DIAL_RATE_X1000, now->mono);
}

void dial_forget_failures(struct engine *e, const struct now *now)
{
    struct backoff *b, *next;
    struct peer *p, *next_p;

    HASH_ITER (hh, e->dial.backoffs, b, next) {
        /* The analyser takes the emptied table for one that is used again. */
        HASH_DEL(e->dial.backoffs, b); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(b);
    }
    HASH_ITER (hh, e->peers, p, next_p)
        if (p->state == PEER_FAILED) {
            p->retry_ms = 0;
            p->dial_at = now->mono;
        }
    for (size_t i = 0; i < e->dial.n_peers; i++)
        e->dial.peers[i].at = now->mono;
    e->dial.n_mine = 0; /* addresses may have moved */
}

static void close_call(struct call *call)
{
    bulk_call_free(call);
    memset(call, 0, sizeof *call);
}

void dial_clear(struct engine *e)
{
    struct now now = {.lag_ms = 0};

    for (size_t i = 0; i < e->dial.n; i++)
        close_call(&e->dial.calls[i]);
    e->dial.n = 0;
    dial_forget_failures(e, &now);
}

/* -- back-off per destination ------------------------------------------------
 */

static struct backoff *find_backoff(const struct engine *e,
                                    const struct addr *a)
{
    struct backoff *b;

    HASH_FIND(hh, e->dial.backoffs, a, sizeof *a, b);
    return b;
}

static bool backed_off(const struct engine *e, const struct now *now,
                       const struct addr *a)
{
    const struct backoff *b = find_backoff(e, a);

    return b && !instant_reached(now->mono, b->until);
}

static void back_off(struct engine *e, const struct now *now,
                     const struct addr *a)
{
    struct backoff *b = find_backoff(e, a);

    if (!b) {
        if (HASH_COUNT(e->dial.backoffs) >= DIAL_TABLE_MAX) {
            struct backoff *old = e->dial.backoffs; /* the oldest entry */

            HASH_DEL(e->dial.backoffs, old);
            free(old);
        }
        b = calloc(1, sizeof *b);
        if (!b)
            return;
        b->addr = *a;
        b->ms = DIAL_BACKOFF_MIN / 2;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): see above */
        HASH_ADD(hh, e->dial.backoffs, addr, sizeof b->addr, b);
        if (!table_added(b)) {
            free(b);
            return;
        }
    }
    b->ms = b->ms * 2 > DIAL_BACKOFF_MAX ? DIAL_BACKOFF_MAX : b->ms * 2;
    b->until = instant_add_ms(now->mono, b->ms);
}

void dial_forgive(struct engine *e, const struct addr *a)
{
    struct backoff *b = find_backoff(e, a);

    if (b) {
        HASH_DEL(e->dial.backoffs, b);
        free(b);
    }
}

/* -- calls ---------------------------------------------------------------- */

struct call *dial_call(struct engine *e, uint32_t id)
{
    for (size_t i = 0; i < e->dial.n; i++)
        if (e->dial.calls[i].id == id)
            return &e->dial.calls[i];
    return NULL;
}

static size_t count_calls(const struct engine *e, enum call_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < e->dial.n; i++)
        n += e->dial.calls[i].kind == kind;
    return n;
}

static struct call *new_call(struct engine *e, enum call_kind kind,
                             const struct addr *to)
{
    struct dials *d = &e->dial;
    struct call *call;

    assert(d->n < sizeof d->calls / sizeof d->calls[0]);
    call = &d->calls[d->n++];
    memset(call, 0, sizeof *call);
    call->id = d->next_id++;
    call->kind = kind;
    call->to = *to;
    return call;
}

struct call *dial_bulk_call(struct engine *e, struct peer *p)
{
    struct call *call;

    if (count_calls(e, CALL_BULK) >= BULK_CALLS_MAX)
        return NULL;
    call = new_call(e, CALL_BULK, &p->addr);
    call->has_peer = true;
    call->peer = p->id;
    return call;
}

void dial_end_call(struct engine *e, struct call *call)
{
    struct dials *d = &e->dial;

    close_call(call);
    *call = d->calls[--d->n];
}

void dial_cancel(struct engine *e, struct peer *p, struct effects *out)
{
    size_t i = 0;

    while (i < e->dial.n) {
        struct call *call = &e->dial.calls[i];

        if (!call->has_peer || !node_id_equal(&call->peer, &p->id) ||
            call->kind != CALL_SESSION) {
            i++;
            continue;
        }
        effects_add(out, EFFECT_CANCEL)->cancel = call->id;
        dial_end_call(e, call);
    }
    p->calls = 0;
    p->next_at = INSTANT_NEVER;
}

static void start(struct engine *e, const struct now *now,
                  const struct addr *to, struct peer *p, struct effects *out)
{
    struct call *call = new_call(e, CALL_SESSION, to);
    struct effect *effect = effects_add(out, EFFECT_CALL);

    budget_take(&e->dial.budget, now->mono, 1);
    e->counters[COUNT_DIALS]++;
    effect->call.call = call->id;
    effect->call.kind = CALL_SESSION;
    effect->call.to = *to;
    effect->call.deadline_ms = DIAL_DEADLINE;
    if (p) {
        call->has_peer = true;
        call->peer = p->id;
        effect->call.has_expected = true;
        effect->call.expected = p->id;
        p->calls++;
    }
}

/* -- where a peer may be -------------------------------------------------- */

static bool is_mine(const struct engine *e, const struct addr *a)
{
    for (size_t i = 0; i < e->dial.n_mine; i++)
        if (addr_equal(&e->dial.mine[i], a))
            return true;
    for (size_t i = 0; i < e->own.n_addrs; i++)
        if (addr_equal(&e->own.addrs[i], a))
            return true;
    return false;
}

static void add_candidate(const struct engine *e, const struct now *now,
                          struct peer *p, const struct addr *a)
{
    if (a->family == 0 || is_mine(e, a) || backed_off(e, now, a) ||
        p->n_candidates == sizeof p->candidates / sizeof p->candidates[0])
        return;
    for (size_t i = 0; i < p->n_candidates; i++)
        if (addr_equal(&p->candidates[i], a))
            return;
    p->candidates[p->n_candidates++] = *a;
}

/* Last good first, then those on a link of ours, then the others. */
static void list_candidates(struct engine *e, const struct now *now,
                            struct peer *p)
{
    const struct member *m = index_find(&e->index, &p->id);
    struct addr addrs[FACTS_ADDRS_MAX];
    size_t n;

    p->n_candidates = p->next_candidate = 0;
    add_candidate(e, now, p, &p->addr);
    if (!m)
        return;
    for (size_t i = 0; i < GOOD_ADDRS; i++)
        add_candidate(e, now, p, &m->good[i]);
    n = index_addrs(m, addrs);
    for (size_t i = 0; i < n; i++)
        if (nets_may_dial(&e->nets, &addrs[i], e->config.port) &&
            nets_on_link(&e->nets, &addrs[i], 0))
            add_candidate(e, now, p, &addrs[i]);
    for (size_t i = 0; i < n; i++)
        if (nets_may_dial(&e->nets, &addrs[i], e->config.port))
            add_candidate(e, now, p, &addrs[i]);
}

void dial_peer(struct engine *e, const struct now *now, struct peer *p)
{
    p->dialled = now->mono;
    list_candidates(e, now, p);
    p->next_at = now->mono;
}

/* All addresses were tried. */
static void give_up(struct engine *e, const struct now *now, struct peer *p,
                    const char *reason, struct effects *out)
{
    p->next_at = INSTANT_NEVER;
    if ((p->state == PEER_OPEN || p->state == PEER_PROVEN) &&
        peer_usable(p, now)) {
        /* a renewal: the old session is still good */
        p->session.renew = instant_add_ms(now->mono, DIAL_BACKOFF_MIN);
        return;
    }
    if (p->state == PEER_FAILED) {
        p->dial_at = instant_add_ms(
            now->mono, prng_jitter(&e->prng, DIAL_BACKOFF_MIN, 20));
        return;
    }
    peer_set_state(e, now, p, PEER_FAILED, reason, out);
    discovery_review(e, now, out);
}

/* -- results -------------------------------------------------------------- */

static const char *reason_of(enum call_outcome outcome)
{
    switch (outcome) {
    case CALL_REFUSED:
        return "refused";
    case CALL_TCP:
        return "tcp";
    case CALL_STRANGER:
        return "stranger";
    case CALL_OTHER:
        return "other node";
    default:
        return "tls";
    }
}

static void add_mine(struct engine *e, const struct addr *a)
{
    struct dials *d = &e->dial;

    if (d->n_mine < sizeof d->mine / sizeof d->mine[0] && !is_mine(e, a))
        d->mine[d->n_mine++] = *a;
}

static void note_configured(struct engine *e, const struct now *now,
                            const struct call *call,
                            const struct call_result *r)
{
    for (size_t i = 0; i < e->dial.n_peers; i++) {
        struct configured *c = &e->dial.peers[i];

        if (!addr_equal(&c->addr, &call->to))
            continue;
        c->at = instant_add_ms(now->mono, PEER_RETRY);
        if (r->peer_known && r->outcome == CALL_OK) {
            c->has_id = true;
            c->id = r->peer;
        }
    }
}

/* Returns whether it is a session that we can use. */
static bool session_made(struct engine *e, const struct now *now,
                         const struct call *call, const struct call_result *r,
                         struct effects *out)
{
    struct peer *p;

    if (r->outcome != CALL_OK || !r->grant || !r->peer_known ||
        node_id_equal(&r->peer, &e->self) ||
        (call->has_peer && !node_id_equal(&call->peer, &r->peer)))
        return false;
    p = peer_get(e, now, &r->peer);
    if (!p ||
        peer_take_grant(e, now, p, r->grant, &call->to, &r->local) != KITH_OK)
        return false;
    dial_forgive(e, &call->to);
    e->dial.answered[e->dial.n_answered++ % FOUND_ANSWERED] = call->to;
    e->heard = true;
    own_seen_at(e, now, &p->id, &r->grant->you);
    dial_cancel(e, p, out);
    if (p->state != PEER_PROVEN) {
        if (p->state == PEER_OPEN) /* a session that never worked */
            request_end_peer(e, p);
        else
            peer_set_state(e, now, p, PEER_OPEN, "", out);
    }
    sync_begin(e, now, p);
    if (peer_lost(e, p))
        request_probe(e, now, p, out);
    discovery_review(e, now, out);
    return true;
}

static void session_failed(struct engine *e, const struct now *now,
                           const struct call *call, const struct call_result *r,
                           struct effects *out)
{
    struct peer *p = call->has_peer ? peer_find(e, &call->peer) : NULL;

    e->counters[COUNT_DIALS_FAILED]++;
    back_off(e, now, &call->to);
    if (r->peer_known && node_id_equal(&r->peer, &e->self))
        add_mine(e, &call->to);
    if (!p)
        return;
    assert(p->calls > 0);
    p->calls--;
    if (p->next_candidate < p->n_candidates)
        p->next_at = now->mono;
    else if (p->calls == 0)
        give_up(e, now, p, reason_of(r->outcome), out);
}

void dial_done(struct engine *e, const struct now *now,
               const struct call_result *r, struct effects *out)
{
    struct call *found = dial_call(e, r->call);
    struct call call;

    if (!found)
        return; /* cancelled meanwhile */
    if (found->kind == CALL_BULK) {
        bulk_done(e, now, found, r, out);
        return;
    }
    call = *found;
    dial_end_call(e, found);
    note_configured(e, now, &call, r);
    if (!session_made(e, now, &call, r, out))
        session_failed(e, now, &call, r, out);
}

/* -- what to dial --------------------------------------------------------- */

/* Whether some peer's datagrams go there already. */
static bool is_session(const struct engine *e, const struct now *now,
                       const struct addr *a)
{
    struct peer *p, *next;

    HASH_ITER (hh, e->peers, p, next)
        if (peer_usable(p, now) && addr_equal(&p->addr, a))
            return true;
    return false;
}

static bool is_being_dialled(const struct engine *e, const struct addr *a)
{
    for (size_t i = 0; i < e->dial.n; i++)
        if (addr_equal(&e->dial.calls[i].to, a))
            return true;
    return false;
}

void dial_search(struct engine *e)
{
    e->dial.n_answered = 0;
    e->dial.n_found = 0;
}

/* A node that is heard at several addresses is dialled once at each. */
static bool has_answered(const struct dials *d, const struct addr *a)
{
    size_t n = d->n_answered < FOUND_ANSWERED ? d->n_answered : FOUND_ANSWERED;

    for (size_t i = 0; i < n; i++)
        if (addr_equal(&d->answered[i], a))
            return true;
    return false;
}

void dial_found(struct engine *e, const struct now *now, const struct addr *a)
{
    struct dials *d = &e->dial;

    if (d->n_found == FOUND_QUEUE || is_mine(e, a) || is_session(e, now, a) ||
        is_being_dialled(e, a) || backed_off(e, now, a) || has_answered(d, a))
        return;
    for (size_t i = 0; i < d->n_found; i++)
        if (addr_equal(&d->found[i], a))
            return;
    d->found[d->n_found++] = *a;
}

int dial_configure(struct engine *e, const struct now *now,
                   const struct addr *a)
{
    struct dials *d = &e->dial;

    if (d->n_peers == PEERS_MAX)
        return KITH_ERR_FULL;
    d->peers[d->n_peers].addr = *a;
    d->peers[d->n_peers++].at = now->mono;
    return KITH_OK;
}

/* Whether a peer wants a call now, and moves it to the state for that. */
static bool peer_due(struct engine *e, const struct now *now, struct peer *p,
                     struct effects *out)
{
    if (p->next_at.us != INSTANT_NEVER.us)
        return instant_reached(now->mono, p->next_at);
    if (p->calls > 0)
        return false;
    switch (p->state) {
    case PEER_IDLE:
        if (!p->friend || !instant_reached(now->mono, p->dial_at))
            return false;
        peer_set_state(e, now, p, PEER_DIALING, "", out);
        dial_peer(e, now, p);
        return true;
    case PEER_OPEN:
    case PEER_PROVEN:
        if (!p->friend || !instant_reached(now->mono, p->session.renew))
            return false;
        dial_peer(e, now, p);
        return true;
    default:
        return false;
    }
}

/* Starts the next candidate of a peer. Returns whether a call was begun. */
static bool dial_next(struct engine *e, const struct now *now, struct peer *p,
                      struct effects *out)
{
    const struct addr *to;

    /* some may have failed others since they were listed */
    while (p->next_candidate < p->n_candidates &&
           backed_off(e, now, &p->candidates[p->next_candidate]))
        p->next_candidate++;
    if (p->next_candidate == p->n_candidates) {
        p->next_at = INSTANT_NEVER;
        if (p->calls == 0)
            give_up(e, now, p, p->n_candidates ? "tcp" : "no address", out);
        return false;
    }
    to = &p->candidates[p->next_candidate++];
    p->next_at = p->next_candidate < p->n_candidates
                     ? instant_add_ms(now->mono, DIAL_STAGGER)
                     : INSTANT_NEVER;
    start(e, now, to, p, out);
    return true;
}

static bool dial_some_peer(struct engine *e, const struct now *now,
                           bool suspects, struct effects *out)
{
    struct peer *p, *next;

    HASH_ITER (hh, e->peers, p, next)
        if ((p->state == PEER_SUSPECT) == suspects &&
            peer_due(e, now, p, out) && dial_next(e, now, p, out))
            return true;
    return false;
}

static bool dial_some_found(struct engine *e, const struct now *now,
                            struct effects *out)
{
    struct dials *d = &e->dial;

    if (!e->discovery.searching && !e->config.lookout)
        d->n_found = 0; /* enough were found; the rings decide */
    while (d->n_found > 0) {
        struct addr a = d->found[0];

        memmove(d->found, d->found + 1, --d->n_found * sizeof *d->found);
        if (is_session(e, now, &a) || is_being_dialled(e, &a))
            continue;
        start(e, now, &a, NULL, out);
        return true;
    }
    return false;
}

static bool dial_some_configured(struct engine *e, const struct now *now,
                                 struct effects *out)
{
    for (size_t i = 0; i < e->dial.n_peers; i++) {
        struct configured *c = &e->dial.peers[i];

        if (!instant_reached(now->mono, c->at))
            continue;
        c->at = instant_add_ms(now->mono, PEER_RETRY);
        if (is_mine(e, &c->addr) || is_session(e, now, &c->addr) ||
            is_being_dialled(e, &c->addr))
            continue;
        if (c->has_id && index_find(&e->index, &c->id) &&
            index_find(&e->index, &c->id)->life == LIFE_LIVE)
            continue; /* it is part of the mesh: the rings decide */
        start(e, now, &c->addr, NULL, out);
        return true;
    }
    return false;
}

/* Of the peers that failed and have an address to be tried now the one that
 * was dialled longest ago; those that can be probed come last. */
static struct peer *longest_failed(struct engine *e, const struct now *now)
{
    struct peer *p, *next, *best = NULL;

    HASH_ITER (hh, e->peers, p, next) {
        bool probed = peer_usable(p, now);
        bool best_probed = best && peer_usable(best, now);

        if (p->state != PEER_FAILED || p->calls > 0 ||
            instant_since_ms(now->mono, p->dialled) < HEAL_EVERY)
            continue;
        if (best &&
            (probed > best_probed ||
             (probed == best_probed && p->dialled.us >= best->dialled.us)))
            continue;
        list_candidates(e, now, p);
        if (p->n_candidates > 0)
            best = p;
    }
    return best;
}

/* A member that the rings do not count, left to chance: one that the store
 * knows and nobody has named yet, or one that is gone. Where few are missing
 * among many, each node tries one less often, so that all together do not
 * dial it all the time. */
static struct peer *missing_member(struct engine *e, const struct now *now,
                                   struct effects *out)
{
    struct member *m, *next, *chosen = NULL;
    uint64_t n = 0, others = 0;
    struct peer *p;

    HASH_ITER (hh, e->index.members, m, next) {
        if ((m->life != LIFE_CACHED && m->life != LIFE_GONE) ||
            peer_find(e, &m->id))
            continue;
        if (prng_below(&e->prng, ++n) == 0)
            chosen = m;
    }
    if (e->index.live > 1)
        others = e->index.live - 1;
    if (!chosen || prng_below(&e->prng, n + others) >= n)
        return NULL;
    p = peer_get(e, now, &chosen->id);
    if (p)
        peer_set_state(e, now, p, PEER_DIALING, "", out);
    return p;
}

/* Peers that failed are probed on their old session as it comes cheap; and
 * one of all that are missing is dialled now and then. */
static void heal(struct engine *e, const struct now *now, struct effects *out)
{
    struct peer *p, *next;

    HASH_ITER (hh, e->peers, p, next) {
        if (p->state != PEER_FAILED || !instant_reached(now->mono, p->dial_at))
            continue;
        if (!effects_room(out, 8))
            return;
        peer_back_off(e, now, p);
        if (peer_usable(p, now))
            request_probe(e, now, p, out);
    }
    if (!instant_reached(now->mono, e->dial.heal))
        return;
    e->dial.heal =
        instant_add_ms(now->mono, prng_jitter(&e->prng, HEAL_EVERY, 20));
    p = longest_failed(e, now);
    if (!p)
        p = missing_member(e, now, out);
    if (p)
        dial_peer(e, now, p);
}

struct instant dial_deadline(const struct engine *e, const struct now *now)
{
    struct instant at = INSTANT_NEVER;
    struct instant ready = budget_ready(&e->dial.budget, now->mono, 1);
    struct peer *p, *next;

    for (size_t i = 0; i < e->dial.n_peers; i++)
        at = instant_min(at, e->dial.peers[i].at);
    HASH_ITER (hh, e->peers, p, next) {
        at = instant_min(at, p->next_at);
        if (p->friend && p->calls == 0 && p->state == PEER_IDLE)
            at = instant_min(at, p->dial_at);
        if (p->friend && p->calls == 0 &&
            (p->state == PEER_OPEN || p->state == PEER_PROVEN))
            at = instant_min(at, p->session.renew);
    }
    if (e->dial.n_found > 0)
        at = now->mono;
    if (at.us < ready.us)
        at = ready;
    if (count_calls(e, CALL_SESSION) >= DIALS_MAX)
        at = INSTANT_NEVER; /* the end of a call is an event */
    HASH_ITER (hh, e->peers, p, next)
        if (p->state == PEER_FAILED)
            at = instant_min(at, instant_min(p->dial_at, e->dial.heal));
    return at;
}

void dial_tick(struct engine *e, const struct now *now, struct effects *out)
{
    if (!e->started)
        return;
    heal(e, now, out);
    while (count_calls(e, CALL_SESSION) < DIALS_MAX && effects_room(out, 8) &&
           budget_has(&e->dial.budget, now->mono, 1))
        if (!dial_some_peer(e, now, true, out) &&
            !dial_some_peer(e, now, false, out) &&
            !dial_some_found(e, now, out) && !dial_some_configured(e, now, out))
            break;
}
