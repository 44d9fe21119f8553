/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "core/state.h"
#include "crypto/wipe.h"

/* The items of one try: our cookie, the jobs, and while we have no cookie
 * padding, so that B's answer has room. Returns how many jobs fitted. */
static size_t encode(struct engine *e, const struct peer *p,
                     const struct job *jobs, size_t n, const uint8_t *iv,
                     struct writer *w)
{
    uint8_t root[TRIE_ROOT_LEN];
    struct job_context ctx = {.set = &e->index.set, .root = root, .iv = iv};
    size_t took;

    engine_root(e, root);
    if (p->session.has_cookie)
        item_put_cookie(w, p->session.cookie);
    took = jobs_encode(jobs, n, &ctx, w);
    if (!p->session.has_cookie && writer_room(w) >= ITEM_HEADER_LEN)
        item_put_pad(w, writer_room(w));
    return took;
}

/* Seals and sends one try. Returns how many jobs it carries. */
static size_t send_try(struct engine *e, const struct now *now, struct peer *p,
                       struct request *r, struct effects *out)
{
    uint8_t items[REQUEST_ITEMS_MAX];
    uint8_t dgram[DGRAM_MAX];
    uint8_t *iv = r->ivs[r->tries];
    struct writer w;
    size_t took, n = 0, len = 0;
    int err;

    assert(r->tries < REQUEST_TRIES);
    entropy_take(&e->entropy, iv, DGRAM_IV_LEN);
    writer_init(&w, items, sizeof items);
    took = encode(e, p, r->jobs, r->n, iv, &w);
    err = writer_finish(&w, &n);
    assert(err == KITH_OK);
    err = seal_request(e->cipher, &p->session.keys, &p->session.ticket, iv,
                       items, n, dgram, sizeof dgram, &len);
    secret_wipe(items, sizeof items);
    r->sent[r->tries] = now->mono;
    r->due =
        instant_add_ms(now->mono, peer_timeout_ms(p, r->tries, now->lag_ms));
    r->tries++;
    if (err == KITH_OK)
        engine_send(e, out, &p->addr, &p->local, p->addr.ifindex, dgram, len);
    return took;
}

static bool is_want(const struct job *job)
{
    return job->type == JOB_WANT_HEAD || job->type == JOB_WANT_PIECE;
}

/* How many of the first jobs belong into one request: its answer is a single
 * datagram, so only one job may call for much of it. Announcements call for
 * wants, which would leave a want of ours no room. */
static size_t group(const struct job *v, size_t n)
{
    size_t i, heavy = 0, wants = 0, announces = 0;

    for (i = 0; i < n && i < REQUEST_JOBS_MAX; i++) {
        bool same =
            v[i].type == JOB_DESCRIBE && i > 0 && v[i - 1].type == JOB_DESCRIBE;

        wants += is_want(&v[i]);
        announces += v[i].type == JOB_ANNOUNCE;
        heavy += (is_want(&v[i]) || v[i].type == JOB_ROOT ||
                  v[i].type == JOB_DESCRIBE) &&
                 !same;
        if (heavy > 1 || (wants > 0 && announces > 0))
            break;
    }
    return i;
}

static struct request *new_request(struct engine *e, struct peer *p,
                                   const struct job *jobs, size_t n)
{
    struct request *r = calloc(1, sizeof *r);

    assert(n > 0);
    if (!r)
        return NULL;
    r->jobs = malloc(n * sizeof *r->jobs);
    if (!r->jobs) {
        free(r);
        return NULL;
    }
    memcpy(r->jobs, jobs, n * sizeof *jobs);
    r->n = n;
    r->peer = p->id;
    DL_APPEND(e->requests.list, r);
    e->requests.n++;
    p->inflight++;
    return r;
}

/* Takes the first jobs out of the outbox into a request. */
static bool flush_one(struct engine *e, const struct now *now, struct peer *p,
                      struct effects *out)
{
    size_t n = group(p->outbox, p->outbox_n);
    struct request *r = new_request(e, p, p->outbox, n);
    size_t took;

    if (!r)
        return false;
    took = send_try(e, now, p, r, out);
    if (took == 0)
        took = 1; /* cannot be said at all: the job ends with the request */
    r->n = took;
    memmove(p->outbox, p->outbox + took,
            (p->outbox_n - took) * sizeof *p->outbox);
    p->outbox_n -= took;
    return true;
}

/* Whether the peer's outbox holds something that may leave. */
static bool can_flush(const struct engine *e, const struct now *now,
                      const struct peer *p)
{
    return p->outbox_n > 0 && p->inflight < REQUESTS_PER_PEER &&
           e->requests.n < REQUESTS_MAX && peer_usable(p, now) &&
           (p->state == PEER_OPEN || p->state == PEER_PROVEN) &&
           peer_active(e, p);
}

void request_flush(struct engine *e, const struct now *now, struct peer *p,
                   struct effects *out)
{
    while (can_flush(e, now, p) && effects_room(out, 8) &&
           budget_take(&p->budget, now->mono, 1))
        if (!flush_one(e, now, p, out))
            break;
}

void request_probe(struct engine *e, const struct now *now, struct peer *p,
                   struct effects *out)
{
    struct job job = {.type = JOB_ROOT};
    struct request *r;

    if (!peer_usable(p, now) || e->requests.n >= REQUESTS_MAX)
        return;
    r = new_request(e, p, &job, 1);
    if (!r)
        return;
    r->probe = true;
    send_try(e, now, p, r, out);
}

struct request *request_find(const struct engine *e,
                             const uint8_t id[DGRAM_REQUEST_ID_LEN],
                             unsigned *try)
{
    struct request *r;

    DL_FOREACH (e->requests.list, r)
        for (unsigned i = 0; i < r->tries; i++)
            if (memcmp(r->ivs[i], id, DGRAM_REQUEST_ID_LEN) == 0) {
                *try = i;
                return r;
            }
    return NULL;
}

void request_end(struct engine *e, struct request *r)
{
    struct peer *p = peer_find(e, &r->peer);

    if (p) {
        assert(p->inflight > 0);
        p->inflight--;
    }
    for (size_t i = 0; i < r->n; i++)
        job_clear(&r->jobs[i]);
    DL_DELETE(e->requests.list, r);
    e->requests.n--;
    free(r->jobs);
    free(r);
}

void request_end_peer(struct engine *e, struct peer *p)
{
    struct request *r, *next;

    DL_FOREACH_SAFE (e->requests.list, r, next)
        if (node_id_equal(&r->peer, &p->id))
            request_end(e, r);
}

void request_clear_all(struct engine *e)
{
    while (e->requests.list)
        request_end(e, e->requests.list);
}

struct instant request_deadline(const struct engine *e, const struct now *now)
{
    struct instant at = INSTANT_NEVER;
    struct request *r;
    struct peer *p, *next;

    DL_FOREACH (e->requests.list, r)
        at = instant_min(at, r->due);
    HASH_ITER (hh, e->peers, p, next)
        if (can_flush(e, now, p))
            at = instant_min(at, budget_ready(&p->budget, p->outbox_at, 1));
    return at;
}

static void time_out(struct engine *e, const struct now *now, struct request *r,
                     struct effects *out)
{
    struct peer *p = peer_find(e, &r->peer);
    bool probe = r->probe;

    if (!p || !peer_usable(p, now) || probe || r->tries == REQUEST_TRIES) {
        e->counters[COUNT_TIMEOUTS]++;
        request_end(e, r);
        if (p && (!probe || peer_lost(e, p)))
            peer_no_answer(e, now, p, out);
        return;
    }
    e->counters[COUNT_RETRIES]++;
    send_try(e, now, p, r, out);
}

/* The first request that is due; ending one may end others, so no list is
 * walked meanwhile. */
static struct request *first_due(const struct engine *e, const struct now *now)
{
    struct request *r;

    DL_FOREACH (e->requests.list, r)
        if (instant_reached(now->mono, r->due))
            return r;
    return NULL;
}

void request_tick(struct engine *e, const struct now *now, struct effects *out)
{
    struct request *r;
    struct peer *p, *next;

    while (effects_room(out, 8) && (r = first_due(e, now)) != NULL)
        time_out(e, now, r, out);
    HASH_ITER (hh, e->peers, p, next)
        request_flush(e, now, p, out);
}
