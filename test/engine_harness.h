/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_ENGINE_HARNESS_H
#define KITH_TEST_ENGINE_HARNESS_H

#include <stdlib.h>
#include <utlist.h>

#include "base/prng.h"
#include "core/state.h"
#include "fake.h"

/*
 * A rig: one engine, and the least that an owner does for it. It is given the
 * time by hand, random bytes from a seed and a signer without RSA. What it
 * wants done is noted for the test to look at; only the vault is written by
 * itself, at once, unless the test takes that over. After every event all
 * that must always hold of the engine's insides is checked (rig_check).
 *
 *     struct rig *r = rig_up(1);          a fresh node, with its first head
 *     rig_run(r, 5000);                   5 s pass, every timer runs
 *     assert(rig_noted(r, NOTE_SEARCHING) == 1);
 *     rig_free(r);
 *
 * Node n has the address 192.0.2.n, on the link RIG_LINK.
 */

enum {
    RIG_LINK = 7,
    RIG_CALLS = DIALS_MAX + BULK_CALLS_MAX,
    RIG_STUCK = 200, /* ticks without time passing: it will never end */
};

#define RIG_UNIX_MS 1700000000000ull /* when a rig is made */

enum rig_vault {
    RIG_VAULT_WRITES, /* and says so at once */
    RIG_VAULT_FAILS,
    RIG_VAULT_WAITS, /* until rig_vault_done() */
};

struct rig_note {
    enum note_type type;
    struct node_id id;
    char name[33];
    char text[96];
};

struct rig_sent {
    struct addr to;
    size_t len;
    uint8_t data[DGRAM_MAX];
};

struct rig_call {
    uint32_t id;
    enum call_kind kind;
    struct addr to;
    bool has_expected;
    struct node_id expected;
    uint8_t *body; /* owned */
    size_t len;
};

struct rig {
    uint64_t number;
    struct pool *pool;
    struct engine *e;
    struct engine_config config;
    struct now now;
    struct prng random;
    struct net_link link;

    int sign_err; /* what the signer returns */
    unsigned signatures;

    enum rig_vault vault_mode;
    bool vault_waits;
    uint8_t vault[VAULT_LEN];  /* as on disk */
    uint8_t coming[VAULT_LEN]; /* as asked for last */
    size_t vaults;             /* asked for */
    bool vault_written;        /* ever */

    /* Everything since rig_forget(). */
    struct rig_note *notes; /* owned */
    size_t n_notes, cap_notes;
    struct rig_sent *sent; /* owned */
    size_t n_sent, cap_sent;
    size_t beacons, keeps, keep_nodes, drops, cancels;
    struct beacon beacon; /* the last one */
    uint64_t head_serial; /* of our own last head */
    size_t heads;         /* of our own */
    uint64_t checksum;    /* of all that effects pointed at */

    struct rig_call calls[RIG_CALLS]; /* under way */
    size_t n_calls;

    struct effects out; /* of the last event; the last member */
};

/* -- addresses -- */

static inline struct addr rig_addr(uint64_t number)
{
    struct addr a = {.family = 4, .port = PROTOCOL_PORT};

    a.ip[0] = 192;
    a.ip[2] = 2;
    a.ip[3] = (uint8_t)number;
    return a;
}

/* -- what must always hold -- */

static inline void rig_check_members(const struct engine *e)
{
    const struct member *m;
    size_t live = 0;

    for (m = e->index.members; m; m = m->hh.next) {
        assert(m->life == LIFE_UNKNOWN || (m->bundle && m->ident));
        assert(!m->bundle || m->floor >= m->bundle->serial);
        if (m->life == LIFE_LIVE)
            assert(trie_find(&e->index.set, &m->id) == m->bundle);
        else
            assert(trie_find(&e->index.set, &m->id) == NULL);
        live += m->life == LIFE_LIVE;
    }
    assert(live == e->index.live);
    assert(live == trie_count(&e->index.set));
    assert(HASH_COUNT(e->index.members) <= e->index.max + 1);
}

static inline size_t rig_inflight(const struct engine *e, const struct peer *p)
{
    const struct request *r;
    size_t n = 0;

    DL_FOREACH (e->requests.list, r)
        n += node_id_equal(&r->peer, &p->id);
    return n;
}

static inline size_t rig_calls_to(const struct engine *e, const struct peer *p,
                                  enum call_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < e->dial.n; i++)
        n += e->dial.calls[i].kind == kind && e->dial.calls[i].has_peer &&
             node_id_equal(&e->dial.calls[i].peer, &p->id);
    return n;
}

static inline void rig_check_peer(const struct engine *e, const struct peer *p)
{
    assert(!node_id_equal(&p->id, &e->self));
    assert(p->inflight == rig_inflight(e, p));
    assert(p->inflight <= REQUESTS_PER_PEER + 1u); /* and one probe */
    assert(p->outbox_n <= p->outbox_cap && p->outbox_cap <= 512);
    assert(p->calls == rig_calls_to(e, p, CALL_SESSION));
    assert(p->calls <= DIALS_MAX);
    assert(p->bulk == (rig_calls_to(e, p, CALL_BULK) > 0));
    assert(p->next_candidate <= p->n_candidates);
    if (p->state == PEER_OPEN || p->state == PEER_PROVEN ||
        p->state == PEER_SUSPECT)
        assert(p->session.valid);
    if (p->state == PEER_SUSPECT || p->state == PEER_DIALING)
        assert(p->calls > 0 || p->next_at.us != INSTANT_NEVER.us);
}

static inline void rig_check_peers(const struct engine *e)
{
    const struct request *r;
    const struct peer *p;
    size_t friends = 0, active = 0, requests = 0, peers = 0;

    for (p = e->peers; p; p = p->hh.next) {
        rig_check_peer(e, p);
        friends += p->friend;
        active += peer_active(e, p) &&
                  (p->state == PEER_OPEN || p->state == PEER_PROVEN ||
                   p->state == PEER_SUSPECT);
        peers++;
    }
    assert(friends == e->friends.n && friends <= FRIENDS_MAX);
    assert(active <= FRIENDS_MAX);
    assert(peers == e->n_peers && peers <= SESSIONS_MAX);
    DL_FOREACH (e->requests.list, r) {
        assert(peer_find(e, &r->peer));
        assert(r->tries >= 1 && r->tries <= REQUEST_TRIES);
        requests++;
    }
    assert(requests == e->requests.n && requests <= REQUESTS_MAX);
}

static inline void rig_check_gather(const struct engine *e)
{
    const struct partial *p;
    const struct pending *q;

    assert(HASH_COUNT(e->fetch.wants) <= FETCHES_MAX);
    assert(HASH_COUNT(e->gather.partials) <= PARTIALS_MAX);
    assert(HASH_COUNT(e->gather.pendings) <= PENDINGS_MAX);
    for (p = e->gather.partials; p; p = p->hh.next)
        assert(p->held < p->pieces && p->pieces <= PIECES_MAX);
    for (q = e->gather.pendings; q; q = q->hh.next) {
        size_t missing = 0;

        for (size_t i = 0; i < q->n; i++)
            missing += q->blocks[i] == NULL;
        assert(missing == q->missing && missing > 0);
        assert(!node_id_equal(&q->author, &e->self));
    }
}

static inline void rig_check_own(const struct engine *e)
{
    const struct own *own = &e->own;
    size_t total = 0;

    assert(own->n <= HEAD_ENTRIES_MAX && own->n_staged <= HEAD_ENTRIES_MAX);
    assert(own->n_addrs <= OWN_ADDRS_MAX && own->n_tags <= OWN_TAGS_MAX);
    for (size_t i = 0; i < own->n; i++)
        total += own->blocks[i]->len;
    assert(total <= HEAD_TOTAL_MAX);
}

static inline void rig_check(const struct rig *r)
{
    const struct engine *e = r->e;

    rig_check_members(e);
    rig_check_peers(e);
    rig_check_gather(e);
    rig_check_own(e);
    assert(e->dial.n <= RIG_CALLS && e->dial.n == r->n_calls);
    assert(HASH_COUNT(e->dial.backoffs) <= DIAL_TABLE_MAX);
    assert(e->dial.n_found <= FOUND_QUEUE && e->discovery.n_hints <= HINTS_MAX);
    assert(e->bulk.replies <= BULK_REPLIES_MAX);
    assert(r->out.n <= EFFECTS_MAX && r->out.used <= EFFECTS_BYTES);
}

/* -- effects -- */

/* Reads all of it, so that a sanitizer sees what is not there any more. */
static inline void rig_touch(struct rig *r, const void *p, size_t n)
{
    const uint8_t *bytes = p;

    for (size_t i = 0; i < n; i++)
        r->checksum = r->checksum * 31 + bytes[i];
}

static inline void rig_touch_bundle(struct rig *r, const struct bundle *b)
{
    if (!b)
        return;
    rig_touch(r, b->head->bytes, b->head->len);
    for (size_t i = 0; i < b->n; i++)
        rig_touch(r, b->blocks[i]->bytes, b->blocks[i]->len);
}

static inline uint64_t rig_reserved(const struct rig *r)
{
    struct secrets s = {.reserved = 0};

    if (!r->vault_written ||
        secrets_decode(&s, &r->now, r->vault, VAULT_LEN) != KITH_OK)
        return 0;
    return s.reserved;
}

static inline void rig_keep(struct rig *r, const struct effect *effect)
{
    const struct bundle *b = effect->keep.now;

    rig_touch_bundle(r, b);
    rig_touch_bundle(r, effect->keep.before);
    r->keeps++;
    if (!node_id_equal(&b->author->id, &r->e->self))
        return;
    assert(b->serial > r->head_serial && "own serials strictly rise");
    assert(b->serial < rig_reserved(r) && "not before the vault is written");
    r->head_serial = b->serial;
    r->heads++;
}

static inline void rig_call_end(struct rig *r, uint32_t id)
{
    for (size_t i = 0; i < r->n_calls; i++)
        if (r->calls[i].id == id) {
            free(r->calls[i].body);
            r->calls[i] = r->calls[--r->n_calls];
            return;
        }
    assert(0 && "no such call");
}

static inline void rig_call(struct rig *r, const struct effect *effect)
{
    struct rig_call *call = &r->calls[r->n_calls++];

    assert(r->n_calls <= RIG_CALLS);
    *call = (struct rig_call){
        .id = effect->call.call,
        .kind = effect->call.kind,
        .to = effect->call.to,
        .has_expected = effect->call.has_expected,
        .expected = effect->call.expected,
        .body = effect->call.body,
        .len = effect->call.len,
    };
    assert(call->to.family != 0 && effect->call.deadline_ms > 0);
    rig_touch(r, call->body, call->len);
}

/* Room for one more of n things of that size. */
static inline void *rig_grow(void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    *cap = *cap ? 2 * *cap : 8;
    v = realloc(v, *cap * size);
    assert(v);
    return v;
}

static inline void rig_send(struct rig *r, const struct effect *effect)
{
    struct rig_sent *sent;

    r->sent = rig_grow(r->sent, r->n_sent, &r->cap_sent, sizeof *r->sent);
    sent = &r->sent[r->n_sent++];
    assert(effect->datagram.len <= DGRAM_MAX);
    sent->to = effect->datagram.to;
    sent->len = effect->datagram.len;
    memcpy(sent->data, effect->datagram.data, sent->len);
}

static inline void rig_note(struct rig *r, const struct effect *effect)
{
    struct rig_note *note;

    r->notes = rig_grow(r->notes, r->n_notes, &r->cap_notes, sizeof *r->notes);
    note = &r->notes[r->n_notes++];
    note->type = effect->note.type;
    note->id = effect->note.id;
    memcpy(note->name, effect->note.name, sizeof note->name);
    memcpy(note->text, effect->note.text, sizeof note->text);
}

static inline void rig_beacon(struct rig *r, const struct effect *effect)
{
    struct dgram d;
    int err = dgram_parse(effect->beacon.data, effect->beacon.len, &d);

    assert(err == KITH_OK && d.type == DGRAM_BEACON);
    (void)err;
    r->beacon = d.beacon;
    r->beacons++;
}

static inline void rig_carry_out(struct rig *r, const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_DATAGRAM:
        rig_send(r, effect);
        break;
    case EFFECT_BEACON:
        rig_beacon(r, effect);
        break;
    case EFFECT_CALL:
        rig_call(r, effect);
        break;
    case EFFECT_CANCEL:
        rig_call_end(r, effect->cancel);
        r->cancels++;
        break;
    case EFFECT_VAULT:
        assert(effect->vault.len == VAULT_LEN && !r->vault_waits);
        memcpy(r->coming, effect->vault.data, VAULT_LEN);
        r->vault_waits = true;
        r->vaults++;
        break;
    case EFFECT_KEEP:
        rig_keep(r, effect);
        break;
    case EFFECT_KEEP_NODE:
        rig_touch(r, effect->keep_node.ident->spki, SPKI_LEN);
        r->keep_nodes++;
        break;
    case EFFECT_DROP_NODE:
        r->drops++;
        break;
    case EFFECT_NOTE:
        rig_note(r, effect);
        break;
    }
}

/* -- events: around each call of the engine -- */

static inline struct effects *rig_begin(struct rig *r)
{
    uint8_t bytes[ENTROPY_SIZE];
    size_t n = engine_entropy_wanted(r->e);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)prng_u64(&r->random);
    engine_entropy_add(r->e, bytes, n);
    effects_clear(&r->out);
    return &r->out;
}

static inline void rig_end(struct rig *r);

/* The vault is on disk, or is not. */
static inline void rig_vault_done(struct rig *r, bool ok)
{
    struct effects *out = rig_begin(r);

    assert(r->vault_waits);
    r->vault_waits = false;
    if (ok) {
        memcpy(r->vault, r->coming, VAULT_LEN);
        r->vault_written = true;
    }
    engine_vault_done(r->e, &r->now, ok, out);
    rig_end(r);
}

static inline void rig_end(struct rig *r)
{
    for (size_t i = 0; i < r->out.n; i++)
        rig_carry_out(r, &r->out.v[i]);
    rig_check(r);
    if (r->vault_waits && r->vault_mode != RIG_VAULT_WAITS)
        rig_vault_done(r, r->vault_mode == RIG_VAULT_WRITES);
}

static inline void rig_tick(struct rig *r)
{
    engine_tick(r->e, &r->now, rig_begin(r));
    rig_end(r);
}

/* Time passes, and nothing is done about it. */
static inline void rig_pass(struct rig *r, struct instant to)
{
    uint64_t us = to.us - r->now.mono.us;

    assert(to.us >= r->now.mono.us);
    r->now.unix_ms += (r->now.mono.us % 1000 + us) / 1000;
    r->now.mono = to;
}

/* Time passes, and every timer runs when it is due. */
static inline void rig_run(struct rig *r, uint64_t ms)
{
    struct instant end = instant_add_ms(r->now.mono, ms);
    unsigned stuck = 0;

    for (;;) {
        struct instant at = engine_deadline(r->e, &r->now);

        if (at.us > end.us)
            break;
        stuck = at.us > r->now.mono.us ? 0 : stuck + 1;
        assert(stuck < RIG_STUCK && "it ticks without end");
        if (at.us > r->now.mono.us)
            rig_pass(r, at);
        rig_tick(r);
    }
    rig_pass(r, end);
}

static inline void rig_datagram(struct rig *r, const struct addr *from,
                                const uint8_t *data, size_t len)
{
    struct datagram dg = {
        .data = data,
        .len = len,
        .from = *from,
        .to = rig_addr(r->number),
        .ifindex = RIG_LINK,
        .hops = 64,
    };

    engine_datagram(r->e, &r->now, &dg, rig_begin(r));
    rig_end(r);
}

/* The end of a call that gave no session and no bytes. */
static inline void rig_call_fails(struct rig *r, uint32_t id,
                                  enum call_outcome outcome)
{
    struct call_result result = {.call = id, .outcome = outcome};

    rig_call_end(r, id);
    engine_call_done(r->e, &r->now, &result, rig_begin(r));
    rig_end(r);
}

/* All calls fail like that, those that come of it too. */
static inline void rig_calls_fail(struct rig *r, enum call_outcome outcome)
{
    while (r->n_calls > 0)
        rig_call_fails(r, r->calls[0].id, outcome);
}

static inline void rig_links(struct rig *r, const struct net_link *links,
                             size_t n)
{
    engine_links(r->e, &r->now, links, n, rig_begin(r));
    rig_end(r);
}

/* -- looking back -- */

static inline void rig_forget(struct rig *r)
{
    r->n_notes = r->n_sent = 0;
    r->beacons = r->keeps = r->keep_nodes = r->drops = r->cancels = 0;
    r->heads = 0;
}

/* How many notes of that type. */
static inline size_t rig_noted(const struct rig *r, enum note_type type)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_notes; i++)
        n += r->notes[i].type == type;
    return n;
}

/* How many datagrams of that type went to that address (NULL: anywhere). */
static inline size_t rig_sent_to(const struct rig *r, enum dgram_type type,
                                 const struct addr *to)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_sent; i++)
        n += r->sent[i].data[1] == type &&
             (!to || addr_equal(&r->sent[i].to, to));
    return n;
}

static inline struct peer *rig_peer(const struct rig *r,
                                    const struct node_id *id)
{
    return peer_find(r->e, id);
}

static inline const struct member *rig_member(const struct rig *r,
                                              const struct node_id *id)
{
    return index_find(&r->e->index, id);
}

/* The block of ours with that name, or NULL. */
static inline struct object *rig_block(const struct rig *r, const char *name)
{
    const struct member *m = rig_member(r, &r->e->self);

    return m && m->bundle ? bundle_block(m->bundle, name) : NULL;
}

static inline uint64_t rig_count(const struct rig *r, enum engine_counter c)
{
    return r->e->counters[c];
}

/* -- life -- */

static inline int rig_sign(void *arg, const struct hash *digest,
                           uint8_t sig[SIG_LEN])
{
    struct rig *r = arg;

    if (r->sign_err != KITH_OK)
        return r->sign_err;
    r->signatures++;
    fake_sign(r->config.spki, digest, sig);
    return KITH_OK;
}

static inline void rig_make_engine(struct rig *r)
{
    static const uint8_t cert[] = "certificate";

    if (!r->config.cert) {
        r->config.cert = cert;
        r->config.cert_len = sizeof cert;
    }
    r->config.run_id[0]++;
    r->e = engine_new(&r->config, &r->now);
    assert(r->e);
}

/* Node `number`, not started. */
static inline void rig_init(struct rig *r, uint64_t number)
{
    memset(r, 0, offsetof(struct rig, out));
    effects_clear(&r->out);
    r->number = number;
    r->pool = fake_pool();
    r->now.mono.us = 1000000;
    r->now.unix_ms = RIG_UNIX_MS;
    prng_seed(&r->random, number);
    fake_spki(number, r->config.spki);
    r->config.pool = r->pool;
    r->config.signer = (struct signer){.sign = rig_sign, .arg = r};
    r->config.port = PROTOCOL_PORT;
    r->config.boot_id[0] = (uint8_t)number;
    r->config.seed = number;
    r->config.fresh = true;
    r->link.ifindex = RIG_LINK;
    r->link.n = 1;
    r->link.addrs[0].addr = rig_addr(number);
    r->link.addrs[0].addr.port = 0;
    r->link.addrs[0].prefix_len = 24;
    r->link.addrs[0].publish = true;
    rig_make_engine(r);
}

static inline struct rig *rig_new(uint64_t number)
{
    struct rig *r = malloc(sizeof *r);

    assert(r);
    rig_init(r, number);
    return r;
}

static inline void rig_start(struct rig *r)
{
    rig_links(r, &r->link, 1);
    engine_start(r->e, &r->now, rig_begin(r));
    rig_end(r);
}

/* A fresh node, started, with its first head signed. */
static inline struct rig *rig_up(uint64_t number)
{
    struct rig *r = rig_new(number);

    rig_start(r);
    rig_run(r, 10);
    assert(r->heads == 1);
    return r;
}

static inline void rig_stop(struct rig *r)
{
    engine_free(r->e);
    r->e = NULL;
    while (r->n_calls > 0)
        rig_call_end(r, r->calls[0].id);
    r->vault_waits = false;
}

/* Hands a bundle to an engine that is not started, as the store would: *node
 * says the rest. */
static inline int rig_load(struct rig *r, const struct bundle *b,
                           struct stored_node *node)
{
    const uint8_t *blocks[HEAD_ENTRIES_MAX + 1] = {b->head->bytes};
    size_t lens[HEAD_ENTRIES_MAX + 1] = {b->head->len};

    for (size_t i = 0; i < b->n; i++) {
        blocks[i + 1] = b->blocks[i]->bytes;
        lens[i + 1] = b->blocks[i]->len;
    }
    memcpy(node->spki, b->author->spki, SPKI_LEN);
    node->blocks = blocks;
    node->lens = lens;
    node->n = b->n + 1;
    return engine_load_node(r->e, &r->now, node);
}

/* Ends the agent and starts it again, on the vault as it was written last, and
 * with our own blocks as the store has them if it does. */
static inline void rig_restart(struct rig *r, bool store)
{
    const struct member *me = rig_member(r, &r->e->self);
    struct bundle *b = me && store ? bundle_ref(me->bundle) : NULL;
    struct stored_node node = {.off_s = 1};
    int err = KITH_OK;

    rig_stop(r);
    r->config.fresh = false;
    rig_make_engine(r);
    if (r->vault_written)
        err = engine_load_vault(r->e, &r->now, r->vault, VAULT_LEN);
    if (err == KITH_OK && b)
        err = rig_load(r, b, &node);
    assert(err == KITH_OK);
    (void)err;
    bundle_unref(b);
    rig_start(r);
}

/* Asserts that nothing is left. */
static inline void rig_clear(struct rig *r)
{
    rig_stop(r);
    pool_free(r->pool);
    free(r->notes);
    free(r->sent);
}

static inline void rig_free(struct rig *r)
{
    rig_clear(r);
    free(r);
}

#endif
