/* SPDX-License-Identifier: Apache-2.0 */
#include "core/engine.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/recon.h"
#include "core/state.h"
#include "crypto/wipe.h"

/* -- life ----------------------------------------------------------------- */

static int make_tag(struct engine *e)
{
    static const char label[] = "kith1 tag";
    struct hash h;
    int err;

    hasher_begin(e->hasher);
    hasher_add(e->hasher, label, sizeof label - 1);
    hasher_add(e->hasher, e->mesh.b, sizeof e->mesh.b);
    err = hasher_end(e->hasher, &h);
    memcpy(e->tag, h.b, sizeof e->tag);
    return err;
}

struct engine *engine_new(const struct engine_config *config,
                          const struct now *now)
{
    struct engine *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->config = *config;
    e->config.cert = NULL;
    if (e->config.members_max == 0)
        e->config.members_max = MEMBERS_DEFAULT;
    if (e->config.forget_after_s == 0)
        e->config.forget_after_s = FORGET_AFTER_S;
    e->pool = config->pool;
    e->log = config->log;
    e->mesh = *pool_mesh(config->pool);
    index_init(&e->index, e->pool, e->config.members_max, now);
    e->cipher = cipher_new();
    e->kdf = kdf_new();
    e->hasher = hasher_new();
    if (!e->cipher || !e->kdf || !e->hasher || make_tag(e) != KITH_OK ||
        pool_ident(e->pool, config->spki, &e->ident) != KITH_OK) {
        engine_free(e);
        return NULL;
    }
    e->self = e->ident->id;
    prng_seed(&e->prng, config->seed);
    own_init(e, now);
    push_init(&e->push);
    dial_init(e, now);
    discovery_init(e, now);
    responder_init(e, now);
    sync_newcomer(e);
    if (own_builtin(e, now, BLOCK_CERT, "cert", config->cert,
                    config->cert_len) != KITH_OK) {
        engine_free(e);
        return NULL;
    }
    return e;
}

static void drop_retired(struct engine *e)
{
    while (e->n_retired > 0)
        bundle_unref(e->retired[--e->n_retired]);
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    dial_clear(e);
    peer_clear_all(e);
    request_clear_all(e);
    gather_clear_all(e);
    fetch_clear_all(e);
    own_clear(&e->own);
    index_clear(&e->index);
    drop_retired(e);
    ident_unref(e->ident);
    cipher_free(e->cipher);
    kdf_free(e->kdf);
    hasher_free(e->hasher);
    secret_wipe(e, sizeof *e);
    free(e);
}

size_t engine_entropy_wanted(const struct engine *e)
{
    return entropy_wanted(&e->entropy);
}

void engine_entropy_add(struct engine *e, const uint8_t *bytes, size_t n)
{
    entropy_add(&e->entropy, bytes, n);
}

int engine_load_vault(struct engine *e, const struct now *now,
                      const uint8_t *bytes, size_t n)
{
    assert(!e->started);
    return secrets_decode(&e->secrets, now, bytes, n);
}

void engine_start(struct engine *e, const struct now *now, struct effects *out)
{
    assert(!e->started);
    if (!e->secrets.current.valid) {
        secrets_make(&e->secrets, now, &e->entropy);
        e->secrets_changed = true;
    }
    if (cipher_set_ticket_key(e->cipher, e->secrets.ticket_key) != KITH_OK)
        log_msg(e->log, LOG_LEVEL_ERROR, "no cipher for tickets");
    e->started = true;
    own_start(e, now);
    discovery_search(e, now, out);
    engine_finish(e, now, out);
}

/* -- for the parts ----------------------------------------------------------
 */

void engine_begin(struct engine *e)
{
    drop_retired(e);
}

void engine_retire(struct engine *e, struct bundle *b)
{
    assert(e->n_retired < EFFECTS_MAX && "at most one per effect");
    e->retired[e->n_retired++] = b;
}

void engine_root(const struct engine *e, uint8_t out[TRIE_ROOT_LEN])
{
    recon_root(&e->index.set, NULL, NULL, out);
}

void engine_note(struct effects *out, enum note_type type,
                 const struct node_id *id, const char *name, const char *text)
{
    struct effect *effect;

    if (EFFECTS_MAX - out->n <= EFFECTS_NO_NOTES)
        return;
    effect = effects_add(out, EFFECT_NOTE);
    effect->note.type = type;
    if (id)
        effect->note.id = *id;
    snprintf(effect->note.name, sizeof effect->note.name, "%s",
             name ? name : "");
    snprintf(effect->note.text, sizeof effect->note.text, "%s",
             text ? text : "");
}

void engine_send(struct engine *e, struct effects *out, const struct addr *to,
                 const struct addr *from, uint32_t ifindex, const uint8_t *data,
                 size_t len)
{
    uint8_t *copy = effects_bytes(out, len);
    struct effect *effect = effects_add(out, EFFECT_DATAGRAM);

    memcpy(copy, data, len);
    effect->datagram.to = *to;
    if (from)
        effect->datagram.from = *from;
    effect->datagram.ifindex = ifindex;
    effect->datagram.data = copy;
    effect->datagram.len = len;
    e->counters[COUNT_DATAGRAMS_OUT]++;
    e->counters[COUNT_BYTES_OUT] += len;
}

/* -- time ---------------------------------------------------------------------
 */

struct instant engine_deadline(const struct engine *e, const struct now *now)
{
    struct instant at = index_deadline(&e->index);

    if (!e->started)
        return INSTANT_NEVER;
    at = instant_min(at, own_deadline(e, now));
    at = instant_min(at, friends_deadline(e));
    at = instant_min(at, dial_deadline(e, now));
    at = instant_min(at, discovery_deadline(e));
    at = instant_min(at, push_deadline(e));
    at = instant_min(at, sync_deadline(e, now));
    at = instant_min(at, fetch_deadline(e));
    at = instant_min(at, gather_deadline(e));
    return instant_min(at, request_deadline(e, now));
}

/* Runs whatever is due, in the order in which one part feeds the next. */
void engine_finish(struct engine *e, const struct now *now, struct effects *out)
{
    if (!e->started)
        return;
    index_tick(e, now, out);
    own_tick(e, now, out);
    friends_tick(e, now, out);
    dial_tick(e, now, out);
    discovery_tick(e, now, out);
    gather_tick(e, now, out);
    fetch_tick(e, now, out);
    push_tick(e, now, out);
    sync_tick(e, now, out);
    request_tick(e, now, out);
}

void engine_tick(struct engine *e, const struct now *now, struct effects *out)
{
    engine_begin(e);
    engine_finish(e, now, out);
}

/* -- datagrams ------------------------------------------------------------ */

static void take_answer(struct engine *e, const struct now *now,
                        const struct datagram *dg, const struct dgram *d,
                        struct effects *out)
{
    unsigned try = 0;
    struct request *r = request_find(e, d->answer.request_id, &try);
    struct peer *p = r ? peer_find(e, &r->peer) : NULL;
    uint8_t items[DGRAM_MAX], iv[DGRAM_IV_LEN];
    struct jobs jobs = {.n = 0};
    struct exchange x = {.iv = iv, .answer = true};
    uint64_t rtt_us;
    size_t n = 0;

    if (!p || !p->session.valid) {
        e->counters[COUNT_UNASKED_ANSWERS]++;
        return;
    }
    memcpy(iv, r->ivs[try], sizeof iv);
    if (seal_open_answer(e->cipher, &p->session.keys, iv, dg->data, dg->len,
                         items, sizeof items, &n) != KITH_OK) {
        e->counters[COUNT_FORGED]++;
        return;
    }
    rtt_us = now->mono.us - r->sent[try].us;
    x.from = &p->id;
    for (size_t i = 0; i < r->n; i++)
        x.wanted_head = x.wanted_head || r->jobs[i].type == JOB_WANT_HEAD;
    request_end(e, r);
    peer_answered(e, now, p, rtt_us, out);
    if (exchange_take(e, now, &x, items, n, &jobs, out) == KITH_OK)
        sync_answer(e, now, p, &x, &jobs, out);
    else
        e->counters[COUNT_MALFORMED]++;
    jobs_clear(&jobs);
    secret_wipe(items, sizeof items);
}

static void take_reset(struct engine *e, const struct now *now,
                       const struct dgram *d, struct effects *out)
{
    unsigned try = 0;
    struct request *r = request_find(e, d->reset.request_id, &try);
    struct peer *p = r ? peer_find(e, &r->peer) : NULL;

    e->counters[COUNT_RESETS_IN]++;
    if (!p || !p->session.reset_usable ||
        !secret_equal(p->session.reset, d->reset.token, DGRAM_RESET_TOKEN_LEN))
        return;
    request_end_peer(e, p);
    peer_end_session(p);
    dial_cancel(e, p, out);
    peer_set_state(e, now, p, PEER_IDLE, "", out);
}

void engine_datagram(struct engine *e, const struct now *now,
                     const struct datagram *dg, struct effects *out)
{
    struct dgram d;
    int err = dgram_parse(dg->data, dg->len, &d);

    engine_begin(e);
    e->counters[COUNT_DATAGRAMS_IN]++;
    e->counters[COUNT_BYTES_IN] += dg->len;
    if (err != KITH_OK || !e->started) {
        e->counters[err == KITH_ERR_VERSION ? COUNT_VERSION
                                            : COUNT_MALFORMED]++;
        return;
    }
    switch (d.type) {
    case DGRAM_BEACON:
        discovery_beacon(e, now, dg, &d);
        break;
    case DGRAM_HINT:
        discovery_hint(e, now, dg, &d);
        break;
    case DGRAM_REQUEST:
        responder_request(e, now, dg, &d, out);
        break;
    case DGRAM_ANSWER:
        take_answer(e, now, dg, &d, out);
        break;
    case DGRAM_RESET:
        take_reset(e, now, &d, out);
        break;
    }
    engine_finish(e, now, out);
}

void engine_refused(struct engine *e, const struct now *now,
                    const struct addr *a, struct effects *out)
{
    struct peer *p, *next;

    engine_begin(e);
    HASH_ITER (hh, e->peers, p, next)
        if (addr_equal(&p->addr, a) && p->inflight > 0) {
            request_end_peer(e, p);
            peer_no_answer(e, now, p, out);
        }
    engine_finish(e, now, out);
}

/* -- calls ---------------------------------------------------------------- */

void engine_call_done(struct engine *e, const struct now *now,
                      const struct call_result *r, struct effects *out)
{
    engine_begin(e);
    dial_done(e, now, r, out);
    engine_finish(e, now, out);
}

int engine_call_data(struct engine *e, const struct now *now, uint32_t id,
                     const uint8_t *data, size_t n, struct effects *out)
{
    struct call *call = dial_call(e, id);
    int err;

    engine_begin(e);
    if (!call || call->kind != CALL_BULK)
        return KITH_ERR_NOTFOUND;
    err = bulk_data(e, now, call, data, n, out);
    engine_finish(e, now, out);
    return err;
}

int engine_grant(struct engine *e, const struct now *now,
                 const struct node_id *a, const struct addr *from,
                 struct grant *out)
{
    int err;

    assert(e->started);
    if (!index_find(&e->index, a) && !index_has_room(&e->index))
        return KITH_ERR_FULL;
    memset(out, 0, sizeof *out);
    err = secrets_grant(&e->secrets, now, e->kdf, e->cipher, a, out);
    if (err != KITH_OK)
        return err;
    out->you = *from;
    engine_root(e, out->root);
    out->members = (uint32_t)trie_count(&e->index.set);
    out->version_min = PROTOCOL_MAJOR;
    out->version_max = PROTOCOL_MAJOR;
    e->counters[COUNT_GRANTS]++;
    e->heard = true;
    return KITH_OK;
}

/* -- the machine ---------------------------------------------------------- */

void engine_links(struct engine *e, const struct now *now,
                  const struct net_link *links, size_t n, struct effects *out)
{
    engine_begin(e);
    e->nets.n = n < LINKS_MAX ? n : LINKS_MAX;
    if (e->nets.n > 0)
        memcpy(e->nets.links, links, e->nets.n * sizeof *links);
    own_addresses(e, now);
    if (!e->started)
        return;
    dial_forget_failures(e, now);
    discovery_review(e, now, out);
    engine_finish(e, now, out);
}

void engine_woke(struct engine *e, const struct now *now, uint64_t slept_ms,
                 struct effects *out)
{
    struct peer *p, *next;

    engine_begin(e);
    index_slept(e, now, slept_ms, out);
    own_flags(e, now, 0, HEAD_AWAY, out); /* we are back */
    request_clear_all(e);
    HASH_ITER (hh, e->peers, p, next)
        if (p->state == PEER_SUSPECT) {
            dial_cancel(e, p, out);
            peer_set_state(e, now, p, PEER_OPEN, "", out);
        }
    dial_forget_failures(e, now);
    discovery_review(e, now, out);
    engine_finish(e, now, out);
}

void engine_vault_done(struct engine *e, const struct now *now, bool ok,
                       struct effects *out)
{
    engine_begin(e);
    own_vault_done(e, now, ok, out);
    engine_finish(e, now, out);
}
