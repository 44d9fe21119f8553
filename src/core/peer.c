/* SPDX-License-Identifier: Apache-2.0 */
#include "core/peer.h"

#include <assert.h>
#include <stdlib.h>

#include "core/state.h"
#include "crypto/wipe.h"

enum {
    OUTBOX_MAX = 512,  /* jobs that wait for one peer */
    RETRY_MIN = 2000,  /* ms until a peer that failed is probed again */
    RETRY_MAX = 30000, /* ... at most, doubling: a heal takes no longer */
};

struct peer *peer_find(const struct engine *e, const struct node_id *id)
{
    struct peer *p;

    HASH_FIND(hh, e->peers, id->b, NODE_ID_LEN, p);
    return p;
}

static void clear_outbox(struct peer *p)
{
    for (size_t i = 0; i < p->outbox_n; i++)
        job_clear(&p->outbox[i]);
    p->outbox_n = 0;
}

static void release(struct engine *e, struct peer *p)
{
    request_end_peer(e, p);
    clear_outbox(p);
    free(p->outbox);
    HASH_DEL(e->peers, p);
    e->n_peers--;
    secret_wipe(p, sizeof *p);
    free(p);
}

void peer_drop(struct engine *e, struct peer *p, struct effects *out)
{
    dial_cancel(e, p, out);
    release(e, p);
}

void peer_clear_all(struct engine *e)
{
    struct peer *p, *next;

    HASH_ITER (hh, e->peers, p, next)
        release(e, p);
}

/* Whom to give up for a new one: no friend, not being dialled, heard of
 * longest ago. */
static struct peer *least_wanted(struct engine *e)
{
    struct peer *p, *next, *worst = NULL;

    HASH_ITER (hh, e->peers, p, next) {
        if (p->friend || p->calls > 0 || p->bulk)
            continue;
        if (!worst || p->answered.us < worst->answered.us)
            worst = p;
    }
    return worst;
}

struct peer *peer_get(struct engine *e, const struct now *now,
                      const struct node_id *id)
{
    struct peer *p = peer_find(e, id);

    if (p)
        return p;
    assert(!node_id_equal(id, &e->self));
    if (e->n_peers >= SESSIONS_MAX) {
        p = least_wanted(e);
        if (!p)
            return NULL;
        release(e, p);
    }
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->id = *id;
    budget_init(&p->budget, ANSWER_BURST, ANSWER_RATE_X1000, now->mono);
    p->state = PEER_IDLE;
    p->dial_at = now->mono;
    p->sync_at = INSTANT_NEVER;
    p->next_at = INSTANT_NEVER;
    p->pushed = e->push.end;
    HASH_ADD(hh, e->peers, id, NODE_ID_LEN, p);
    if (!table_added(p)) {
        free(p);
        return NULL;
    }
    e->n_peers++;
    return p;
}

static void tell_no_answer(struct engine *e, struct peer *p,
                           struct effects *out)
{
    const struct member *m = index_find(&e->index, &p->id);

    if (p->told || !m || m->life != LIFE_LIVE)
        return;
    p->told = true;
    engine_note(out, NOTE_NO_ANSWER, &p->id, NULL, p->reason);
}

void peer_back_off(struct engine *e, const struct now *now, struct peer *p)
{
    p->retry_ms = p->retry_ms == 0 ? RETRY_MIN : p->retry_ms * 2;
    if (p->retry_ms > RETRY_MAX)
        p->retry_ms = RETRY_MAX;
    p->dial_at =
        instant_add_ms(now->mono, prng_jitter(&e->prng, p->retry_ms, 20));
}

void peer_set_state(struct engine *e, const struct now *now, struct peer *p,
                    enum peer_state state, const char *reason,
                    struct effects *out)
{
    enum peer_state before = p->state;

    if (state == before)
        return;
    p->state = state;
    switch (state) {
    case PEER_IDLE:
        assert(!p->session.valid || before != PEER_PROVEN);
        p->dial_at = now->mono;
        break;
    case PEER_DIALING:
        assert(before == PEER_IDLE || before == PEER_FAILED);
        break;
    case PEER_OPEN:
    case PEER_SUSPECT:
        assert(p->session.valid);
        break;
    case PEER_PROVEN:
        assert(p->session.valid);
        p->retry_ms = 0;
        p->reason = "";
        if (p->told)
            engine_note(out, NOTE_BACK, &p->id, NULL, NULL);
        p->told = false;
        break;
    case PEER_FAILED:
        request_end_peer(e, p);
        clear_outbox(p);
        p->reason = reason;
        peer_back_off(e, now, p);
        tell_no_answer(e, p, out);
        break;
    }
    if ((state == PEER_FAILED) != (before == PEER_FAILED))
        e->friends.stale = true;
}

bool peer_usable(const struct peer *p, const struct now *now)
{
    return p->session.valid && !instant_reached(now->mono, p->session.expires);
}

/* How many requests may go to, if they all are active. */
static size_t count_talking(const struct engine *e)
{
    const struct peer *p;
    size_t n = 0;

    for (p = e->peers; p; p = p->hh.next)
        n += p->state == PEER_OPEN || p->state == PEER_PROVEN ||
             p->state == PEER_SUSPECT;
    return n;
}

bool peer_active(const struct engine *e, const struct peer *p)
{
    return p->friend || (e->sync.newcomer && count_talking(e) <= FRIENDS_MAX);
}

bool peer_lost(const struct engine *e, const struct peer *p)
{
    const struct member *m = index_find(&e->index, &p->id);

    return !peer_active(e, p) && (!m || m->life != LIFE_LIVE);
}

int peer_take_grant(struct engine *e, const struct now *now, struct peer *p,
                    const struct grant *g, const struct addr *to,
                    const struct addr *local)
{
    struct session *s = &p->session;
    struct session_keys keys;
    uint64_t spread;
    int err;

    if (g->valid_for_s == 0 || g->renew_after_s > g->valid_for_s)
        return KITH_ERR_RANGE;
    err = kdf_session_keys(e->kdf, g->key, &p->id, &e->mesh, &keys);
    if (err != KITH_OK)
        return err;
    secret_wipe(s, sizeof *s);
    s->keys = keys;
    secret_wipe(&keys, sizeof keys);
    memcpy(s->ticket.epoch, g->epoch, sizeof s->ticket.epoch);
    memcpy(s->ticket.ticket, g->ticket, sizeof s->ticket.ticket);
    memcpy(s->reset, g->reset, sizeof s->reset);
    s->reset_usable = true;
    spread =
        prng_below(&e->prng, (uint64_t)g->valid_for_s - g->renew_after_s + 1);
    s->renew = instant_add_ms(now->mono, (g->renew_after_s + spread) * 1000);
    s->expires = instant_add_ms(now->mono, (uint64_t)g->valid_for_s * 1000);
    s->valid = true;
    p->addr = *to;
    p->local = *local;
    p->local.port = 0;
    p->made = now->mono;
    return KITH_OK;
}

void peer_end_session(struct peer *p)
{
    secret_wipe(&p->session, sizeof p->session);
}

/* The address at which a node was had moves to the front. */
static void remember_good(struct engine *e, const struct peer *p)
{
    struct member *m = index_find(&e->index, &p->id);

    if (!m || addr_equal(&m->good[0], &p->addr))
        return;
    memmove(m->good + 1, m->good, sizeof m->good - sizeof m->good[0]);
    m->good[0] = p->addr;
}

void peer_answered(struct engine *e, const struct now *now, struct peer *p,
                   uint64_t rtt_us, struct effects *out)
{
    p->answered = now->mono;
    e->heard = true;
    if (rtt_us > 0 && rtt_us < UINT32_MAX / 4) {
        uint32_t rtt = (uint32_t)rtt_us;

        if (p->srtt_us == 0) { /* RFC 6298 */
            p->srtt_us = rtt;
            p->rttvar_us = rtt / 2;
        } else {
            uint32_t d = rtt > p->srtt_us ? rtt - p->srtt_us : p->srtt_us - rtt;

            p->rttvar_us = (3 * p->rttvar_us + d) / 4;
            p->srtt_us = (7 * p->srtt_us + rtt) / 8;
        }
    }
    if (p->state != PEER_PROVEN) {
        dial_cancel(e, p, out);
        peer_set_state(e, now, p, PEER_PROVEN, "", out);
        remember_good(e, p);
        discovery_review(e, now, out);
    }
}

uint32_t peer_timeout_ms(const struct peer *p, unsigned n, uint32_t lag_ms)
{
    uint64_t ms = REQUEST_RTO_FIRST;

    if (p->srtt_us > 0)
        ms = (p->srtt_us + 4ull * p->rttvar_us) / 1000;
    if (ms < REQUEST_RTO_MIN)
        ms = REQUEST_RTO_MIN;
    ms <<= n;
    if (ms > REQUEST_RTO_MAX)
        ms = REQUEST_RTO_MAX;
    return (uint32_t)ms + lag_ms;
}

static bool already_said(const struct engine *e, const struct peer *p,
                         const struct job *job)
{
    for (size_t i = 0; i < p->outbox_n; i++)
        if (job_same(&p->outbox[i], job))
            return true;
    for (const struct request *r = e->requests.list; r; r = r->next) {
        if (!node_id_equal(&r->peer, &p->id))
            continue;
        for (size_t i = 0; i < r->n; i++)
            if (job_same(&r->jobs[i], job))
                return true;
    }
    return false;
}

static bool make_room(struct peer *p)
{
    size_t cap = p->outbox_cap ? p->outbox_cap * 2 : 16;
    struct job *bigger;

    if (p->outbox_n < p->outbox_cap)
        return true;
    if (cap > OUTBOX_MAX)
        return false;
    bigger = realloc(p->outbox, cap * sizeof *bigger);
    if (!bigger)
        return false;
    p->outbox = bigger;
    p->outbox_cap = cap;
    return true;
}

void peer_queue(struct engine *e, const struct now *now, struct peer *p,
                struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++) {
        struct job *job = &jobs->v[i];

        if (already_said(e, p, job) || !make_room(p)) {
            job_clear(job);
            continue;
        }
        p->outbox[p->outbox_n++] = *job; /* with its reference */
    }
    jobs->n = 0;
    if (p->outbox_n > 0)
        p->outbox_at = now->mono;
}

void peer_no_answer(struct engine *e, const struct now *now, struct peer *p,
                    struct effects *out)
{
    if (p->state == PEER_PROVEN) {
        request_end_peer(e, p);
        peer_set_state(e, now, p, PEER_SUSPECT, "", out);
        dial_peer(e, now, p);
    } else if (p->state == PEER_OPEN) {
        peer_set_state(e, now, p, PEER_FAILED, "udp", out);
        discovery_review(e, now, out);
    }
}

void peer_head_rose(struct engine *e, const struct now *now,
                    const struct member *m, struct effects *out)
{
    struct peer *p = peer_find(e, &m->id);

    if (!p || p->state != PEER_FAILED || (m->flags & HEAD_AWAY))
        return;
    p->retry_ms = 0;
    if (peer_usable(p, now)) {
        peer_set_state(e, now, p, PEER_OPEN, "", out);
        sync_begin(e, now, p);
    } else {
        peer_set_state(e, now, p, PEER_IDLE, "", out);
    }
}

void peer_heard(struct engine *e, const struct now *now,
                const struct node_id *id, const struct addr *from,
                struct effects *out)
{
    struct peer *p = peer_find(e, id);

    if (!p || p->state != PEER_FAILED || p->calls > 0 ||
        !instant_reached(now->mono,
                         instant_add_ms(p->heard_at, DIAL_BACKOFF_MIN)))
        return;
    p->heard_at = now->mono;
    if (peer_usable(p, now)) {
        request_probe(e, now, p, out);
    } else {
        dial_forgive(e, from);
        peer_set_state(e, now, p, PEER_IDLE, "", out);
    }
}
