/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_ENGINE_FAR_H
#define KITH_TEST_ENGINE_FAR_H

#include "base/text.h"
#include "engine_harness.h"
#include "wire/bulk.h"
#include "wire/item.h"
#include "wire/seal.h"

/*
 * The far side of an engine, played by hand: another node with whatever keys
 * and manners a test needs.
 *
 *     struct far f;
 *
 *     far_init(&f, r, 2);
 *     far_meet(&f, r);            the engine dials it and gets a session
 *     far_read(&f, r);            its next request: f.items, f.n, f.iv
 *     far_answer(&f, r, items, n);
 *
 *     far_ask(&f, r, items, n);   and the other way round: f asks
 *     far_read_answer(&f, r);     the answer: f.items, f.n
 *     far_clear(&f);
 */

struct far {
    uint64_t number;
    struct ident *ident; /* reference */
    struct node_id id;
    struct addr addr;
    struct cipher *cipher;
    struct kdf *kdf;
    uint64_t ivs; /* made so far */

    /* sessions of the engine with us: we are B */
    uint8_t k[KDF_KEY_LEN];
    struct session_keys served;
    uint8_t reset[DGRAM_RESET_TOKEN_LEN];
    struct addr you; /* where we say that we see the engine */
    uint32_t renew_after_s, valid_for_s;

    /* our session with the engine: we are A */
    bool granted;
    struct grant grant;
    struct session_keys keys;
    struct seal_ticket ticket;
    uint8_t asked_iv[DGRAM_IV_LEN]; /* of our last request */
    size_t asked_len;
    bool has_cookie;
    uint8_t cookie[ITEM_COOKIE_LEN];

    /* what was read last */
    uint8_t iv[DGRAM_IV_LEN];
    uint8_t items[DGRAM_MAX];
    size_t n;
    size_t len; /* of the datagram */
};

/* With workspaces that stay the caller's. */
static inline void far_init_with(struct far *f, struct rig *r, uint64_t number,
                                 struct cipher *cipher, struct kdf *kdf)
{
    memset(f, 0, sizeof *f);
    f->number = number;
    f->ident = fake_ident(r->pool, number);
    f->id = f->ident->id;
    f->addr = rig_addr(number);
    f->cipher = cipher;
    f->kdf = kdf;
    assert(f->cipher && f->kdf);
    f->renew_after_s = 86400;
    f->valid_for_s = 2 * 86400;
}

static inline void far_init(struct far *f, struct rig *r, uint64_t number)
{
    far_init_with(f, r, number, cipher_new(), kdf_new());
}

static inline void far_clear(struct far *f)
{
    ident_unref(f->ident);
    cipher_free(f->cipher);
    kdf_free(f->kdf);
}

static inline void far_iv(struct far *f, uint8_t iv[DGRAM_IV_LEN])
{
    uint64_t n[2] = {f->number, ++f->ivs};
    struct hash h;

    fake_hash(&h, "far", 3, n, sizeof n);
    memcpy(iv, h.b, DGRAM_IV_LEN);
}

/* -- the engine asks us -- */

/* A session as we grant it, another one each time. */
static inline void far_grant(struct far *f, struct rig *r, struct grant *g)
{
    struct hash h;
    int err;

    memset(g, 0, sizeof *g);
    f->ivs++;
    fake_hash(&h, "k", 1, &f->ivs, sizeof f->ivs);
    memcpy(f->k, h.b, sizeof f->k);
    memcpy(g->key, h.b, sizeof g->key);
    fake_hash(&h, "reset", 5, &f->ivs, sizeof f->ivs);
    memcpy(f->reset, h.b, sizeof f->reset);
    memcpy(g->reset, h.b, sizeof g->reset);
    memset(g->ticket, 't', sizeof g->ticket);
    memset(g->epoch, 'e', sizeof g->epoch);
    g->you = f->you.family ? f->you : rig_addr(r->number);
    g->renew_after_s = f->renew_after_s;
    g->valid_for_s = f->valid_for_s;
    g->version_min = g->version_max = PROTOCOL_MAJOR;
    err = kdf_session_keys(f->kdf, f->k, &f->id, &r->e->mesh, &f->served);
    assert(err == KITH_OK);
    (void)err;
}

/* The call under way to our address, or for our id; NULL when there is none. */
static inline struct rig_call *far_call(struct far *f, struct rig *r,
                                        enum call_kind kind)
{
    for (size_t i = 0; i < r->n_calls; i++) {
        struct rig_call *call = &r->calls[i];

        if (call->kind == kind && addr_equal(&call->to, &f->addr))
            return call;
    }
    return NULL;
}

/* Ends a call of kind CALL_SESSION with a grant of ours. */
static inline void far_accept(struct far *f, struct rig *r, uint32_t id)
{
    struct call_result result = {
        .call = id,
        .outcome = CALL_OK,
        .status = 200,
        .peer_known = true,
        .peer = f->id,
        .local = rig_addr(r->number),
    };
    struct grant grant;

    far_grant(f, r, &grant);
    result.grant = &grant;
    memcpy(result.spki, f->ident->spki, SPKI_LEN);
    rig_call_end(r, id);
    engine_call_done(r->e, &r->now, &result, rig_begin(r));
    rig_end(r);
}

/* Lets the engine dial us as a configured peer, and grants it a session. Runs
 * the second's tick, in which its first request leaves. */
static inline void far_meet(struct far *f, struct rig *r)
{
    struct rig_call *call;
    int err;

    rig_run(r, 2000); /* the dial budget */
    err = engine_peer(r->e, &r->now, &f->addr);
    assert(err == KITH_OK);
    (void)err;
    rig_tick(r);
    call = far_call(f, r, CALL_SESSION);
    assert(call);
    far_accept(f, r, call->id);
}

/* Opens the next request to us that was sent since `from`, which moves on
 * behind it. Returns false when there is none. */
static inline bool far_read_from(struct far *f, struct rig *r, size_t *from)
{
    for (; *from < r->n_sent; ++*from) {
        const struct rig_sent *sent = &r->sent[*from];
        struct dgram d;

        if (!addr_equal(&sent->to, &f->addr) ||
            dgram_parse(sent->data, sent->len, &d) != KITH_OK ||
            d.type != DGRAM_REQUEST ||
            seal_open_request(f->cipher, &f->served, sent->data, sent->len,
                              f->items, sizeof f->items, &f->n) != KITH_OK)
            continue;
        memcpy(f->iv, d.request.iv, sizeof f->iv);
        f->len = sent->len;
        ++*from;
        return true;
    }
    return false;
}

/* Opens the oldest request to us since rig_forget(). */
static inline bool far_read(struct far *f, struct rig *r)
{
    size_t from = 0;

    return far_read_from(f, r, &from);
}

/* Answers the request with that IV. */
static inline void far_answer_iv(struct far *f, struct rig *r,
                                 const uint8_t request_iv[DGRAM_IV_LEN],
                                 const uint8_t *items, size_t n)
{
    uint8_t iv[DGRAM_IV_LEN], dgram[DGRAM_MAX];
    size_t len = 0;
    int err;

    far_iv(f, iv);
    err = seal_answer(f->cipher, &f->served, request_iv, iv, items, n, dgram,
                      sizeof dgram, &len);
    assert(err == KITH_OK);
    (void)err;
    rig_datagram(r, &f->addr, dgram, len);
}

/* Answers what was read last. */
static inline void far_answer(struct far *f, struct rig *r,
                              const uint8_t *items, size_t n)
{
    far_answer_iv(f, r, f->iv, items, n);
}

/* Answers what was read last as one who knows just the same. */
static inline void far_agree(struct far *f, struct rig *r)
{
    uint8_t items[ITEM_HEADER_LEN + ITEM_ROOT_LEN];
    struct item item;
    struct writer w;
    struct cursor c;

    writer_init(&w, items, sizeof items);
    cursor_init(&c, f->items, f->n);
    while (w.len == 0 && item_next(&c, &item) == KITH_OK)
        if (item.type == ITEM_ROOT)
            item_put_root(&w, item.root.root, item.root.heads);
    far_answer(f, r, items, w.len);
}

/* Answers like that everything that was sent to us since rig_forget(), and
 * what comes of it; forgets it. Returns how many requests. */
static inline size_t far_nod(struct far *f, struct rig *r)
{
    size_t from = 0, n = 0;

    for (; far_read_from(f, r, &from); n++)
        far_agree(f, r);
    rig_forget(r);
    return n;
}

/* The same for so long, every 10 ms. */
static inline void far_nod_for(struct far *f, struct rig *r, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 10) {
        far_nod(f, r);
        rig_run(r, 10);
    }
    far_nod(f, r);
}

/* -- we ask the engine -- */

static inline void far_get_grant(struct far *f, struct rig *r)
{
    int err = engine_grant(r->e, &r->now, &f->id, &f->addr, &f->grant);

    assert(err == KITH_OK);
    err = kdf_session_keys(f->kdf, f->grant.key, &r->e->self, &r->e->mesh,
                           &f->keys);
    assert(err == KITH_OK);
    (void)err;
    memcpy(f->ticket.epoch, f->grant.epoch, sizeof f->ticket.epoch);
    memcpy(f->ticket.ticket, f->grant.ticket, sizeof f->ticket.ticket);
    f->granted = true;
}

/* Seals a request of ours into dgram, DGRAM_MAX bytes; returns its length. */
static inline size_t far_seal(struct far *f, struct rig *r,
                              const uint8_t *items, size_t n, uint8_t *dgram)
{
    size_t len = 0;
    int err;

    if (!f->granted)
        far_get_grant(f, r);
    far_iv(f, f->asked_iv);
    err = seal_request(f->cipher, &f->keys, &f->ticket, f->asked_iv, items, n,
                       dgram, DGRAM_MAX, &len);
    assert(err == KITH_OK);
    (void)err;
    f->asked_len = len;
    return len;
}

static inline void far_ask(struct far *f, struct rig *r, const uint8_t *items,
                           size_t n)
{
    uint8_t dgram[DGRAM_MAX];
    size_t len = far_seal(f, r, items, n, dgram);

    rig_datagram(r, &f->addr, dgram, len);
}

/* Opens the answer to our last request. Returns false when there is none. */
static inline bool far_read_answer(struct far *f, struct rig *r)
{
    for (size_t i = 0; i < r->n_sent; i++) {
        const struct rig_sent *sent = &r->sent[i];

        if (addr_equal(&sent->to, &f->addr) && sent->data[1] == DGRAM_ANSWER &&
            seal_open_answer(f->cipher, &f->keys, f->asked_iv, sent->data,
                             sent->len, f->items, sizeof f->items,
                             &f->n) == KITH_OK) {
            f->len = sent->len;
            return true;
        }
    }
    return false;
}

/* -- items -- */

/* The first item of that type among those read last. */
static inline bool far_item(const struct far *f, enum item_type type,
                            struct item *out)
{
    struct cursor c;

    cursor_init(&c, f->items, f->n);
    while (item_next(&c, out) == KITH_OK)
        if (out->type == type)
            return true;
    return false;
}

static inline bool far_has(const struct far *f, enum item_type type)
{
    struct item item;

    return far_item(f, type, &item);
}

/* Takes the cookie out of what was read last. */
static inline void far_take_cookie(struct far *f)
{
    struct item item;

    if (far_item(f, ITEM_COOKIE, &item)) {
        memcpy(f->cookie, item.cookie, sizeof f->cookie);
        f->has_cookie = true;
    }
}

/* Items under way to a datagram. */
struct far_items {
    uint8_t b[REQUEST_ITEMS_MAX];
    struct writer w;
};

static inline struct writer *far_begin(struct far_items *i)
{
    writer_init(&i->w, i->b, sizeof i->b);
    return &i->w;
}

static inline void far_put_announce(struct writer *w, const struct node_id *id,
                                    uint64_t serial, const struct hash *head)
{
    struct item_array a = item_begin(w, ITEM_ANNOUNCE);
    struct item_announce e = {.id = *id, .serial = serial};

    memcpy(e.hash8, head->b, sizeof e.hash8);
    item_add_announce(&a, &e);
    item_end(&a);
}

static inline void far_put_want_head(struct writer *w, const struct node_id *id,
                                     uint64_t since, uint8_t flags)
{
    struct item_array a = item_begin(w, ITEM_WANT_HEAD);
    struct item_want_head e = {.id = *id, .since = since, .flags = flags};

    item_add_want_head(&a, &e);
    item_end(&a);
}

static inline void far_put_want_piece(struct writer *w, const struct hash *hash,
                                      uint16_t index)
{
    struct item_array a = item_begin(w, ITEM_WANT_PIECE);
    struct item_want_piece e = {.hash = *hash, .index = index};

    item_add_want_piece(&a, &e);
    item_end(&a);
}

static inline void far_put_piece(struct writer *w, const struct object *o,
                                 uint16_t index)
{
    item_put_piece(w, &o->hash, o->bytes, (uint32_t)o->len, index);
}

/* Announces a head to the engine in a request of ours. */
static inline void far_announce(struct far *f, struct rig *r,
                                const struct bundle *b)
{
    struct far_items i;

    far_begin(&i);
    far_put_announce(&i.w, &b->author->id, b->serial, &b->head->hash);
    far_ask(f, r, i.b, i.w.len);
}

/* -- what we sign -- */

/* A bundle of ours; a reference. blocks ascend by name. */
static inline struct bundle *far_sign(struct far *f, struct rig *r,
                                      uint64_t serial,
                                      const struct head_fields *fields,
                                      struct object *const *blocks, size_t n)
{
    struct head_entry entries[HEAD_ENTRIES_MAX];
    uint8_t payload[HEAD_PAYLOAD_MAX];
    struct bundle *bundle = NULL;
    struct object *head;
    struct writer w;
    int err;

    for (size_t i = 0; i < n; i++)
        entries[i] = fake_entry(blocks[i]);
    writer_init(&w, payload, sizeof payload);
    head_build(&w, fields, entries, n, NULL, 0);
    head = fake_object(r->pool, f->ident, BLOCK_HEAD, "head", serial, payload,
                       w.len);
    err = pool_bundle(r->pool, head, blocks, n, &bundle);
    assert(err == KITH_OK);
    (void)err;
    object_unref(head);
    return bundle;
}

static inline struct object *far_data(struct far *f, struct rig *r,
                                      const char *name, uint64_t serial,
                                      size_t len)
{
    static const uint8_t payload[BLOCK_PAYLOAD_MAX];

    return fake_object(r->pool, f->ident, BLOCK_DATA, name, serial, payload,
                       len);
}

/* `facts` with addresses. */
static inline struct object *far_facts(struct far *f, struct rig *r,
                                       uint64_t serial, const struct addr *v,
                                       size_t n)
{
    char text[FACTS_ADDRS_MAX][TEXT_ADDR_SIZE];
    struct fact pairs[FACTS_ADDRS_MAX];
    uint8_t payload[FACTS_LEN_MAX];
    struct writer w;
    int err = KITH_OK;

    for (size_t i = 0; i < n && err == KITH_OK; i++) {
        err = text_addr_format(text[i], sizeof text[i], &v[i]);
        pairs[i] = (struct fact){"addr", 4, text[i], strlen(text[i])};
    }
    writer_init(&w, payload, sizeof payload);
    if (err == KITH_OK)
        err = facts_build(&w, BLOCK_FACTS, pairs, n);
    assert(err == KITH_OK);
    (void)err;
    return fake_object(r->pool, f->ident, BLOCK_FACTS, "facts", serial, payload,
                       w.len);
}

/* A head with those flags and that lease, and our address in `facts`. */
static inline struct bundle *far_head(struct far *f, struct rig *r,
                                      uint64_t serial, uint16_t flags,
                                      uint32_t lease_s)
{
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .flags = flags, .lease_s = lease_s};
    struct object *facts = far_facts(f, r, 1, &f->addr, 1);
    struct bundle *b = far_sign(f, r, serial, &fields, &facts, 1);

    object_unref(facts);
    return b;
}

/* -- the bulk exchange -- */

/* Writes all of a bundle as a bulk body gives it. */
static inline void far_put_bundle(struct writer *w, const struct bundle *b,
                                  uint32_t age_s)
{
    bulk_put_spki(w, b->author->spki);
    bulk_put_age(w, age_s);
    bulk_put_block(w, b->head->bytes, b->head->len);
    for (size_t i = 0; i < b->n; i++)
        bulk_put_block(w, b->blocks[i]->bytes, b->blocks[i]->len);
}

/* Posts a bulk request of ours and throws the reply away. */
static inline int far_post(struct far *f, struct rig *r, const uint8_t *body,
                           size_t n)
{
    struct bulk_reply *reply = NULL;
    int err =
        engine_bulk_open(r->e, &r->now, &f->id, body, n, &reply, rig_begin(r));

    engine_bulk_close(r->e, reply);
    rig_end(r);
    return err;
}

/* Gives the engine a bundle, without being asked. */
static inline int far_give(struct far *f, struct rig *r, const struct bundle *b,
                           uint32_t age_s)
{
    static const size_t cap = 512 * 1024;
    uint8_t *body = malloc(cap);
    struct writer w;
    int err;

    assert(body);
    writer_init(&w, body, cap);
    far_put_bundle(&w, b, age_s);
    bulk_put_end(&w);
    assert(!w.overflow);
    err = far_post(f, r, body, w.len);
    free(body);
    return err;
}

/* Makes us a member as the engine sees it, by a head of that serial. */
static inline void far_join(struct far *f, struct rig *r, uint64_t serial)
{
    struct bundle *b = far_head(f, r, serial, 0, HEAD_LEASE_MIN_S);
    int err = far_give(f, r, b, 0);

    assert(err == KITH_OK && rig_member(r, &f->id)->life == LIFE_LIVE);
    (void)err;
    bundle_unref(b);
}

/* Makes us a friend of the engine's with a session that works. */
static inline struct peer *far_befriend(struct far *f, struct rig *r)
{
    struct rig_call *call;

    far_join(f, r, 10);
    for (int i = 0; i < 100 && !far_call(f, r, CALL_SESSION); i++)
        rig_run(r, 100);
    call = far_call(f, r, CALL_SESSION);
    assert(call);
    rig_forget(r);
    far_accept(f, r, call->id);
    far_nod_for(f, r, 200);
    assert(rig_peer(r, &f->id)->state == PEER_PROVEN);
    assert(rig_peer(r, &f->id)->friend);
    return rig_peer(r, &f->id);
}

#endif
