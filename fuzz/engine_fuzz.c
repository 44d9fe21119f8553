/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: core */

/*
 * One engine, and whatever the world may do to it: the input is a sequence of
 * events. Some are random bytes; most are well-formed as far as they go, so
 * that something deeper is reached: datagrams sealed with the right keys,
 * blocks with the right signatures. Six other nodes play the world, the first
 * of which has the engine's own key.
 *
 * Nothing may reach an assertion, the engine's or that of rig_check(), which
 * looks at its insides after every event.
 */
#include "../test/engine_far.h"

enum {
    FARS = 6, /* the first is the engine itself */
    SHELF = 12,
    REPLIES = BULK_REPLIES_MAX,
    EVENTS_MAX = 200,
    BODY_MAX = 100000,
};

/* Something that was signed, as bytes. */
struct article {
    uint8_t *bytes; /* owned; NULL: an empty place */
    uint32_t len;
    struct hash hash;
    size_t author;
    bool head;
    uint64_t serial;
};

struct world {
    struct rig *r;
    struct far far[FARS];
    struct article shelf[SHELF];
    size_t next; /* place on the shelf */
    struct bulk_reply *replies[REPLIES];
    const uint8_t *in; /* input that is left */
    size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* -- the input; at its end all is 0 -- */

static uint8_t u8(struct world *w)
{
    if (w->left == 0)
        return 0;
    w->left--;
    return *w->in++;
}

static uint32_t u16(struct world *w)
{
    uint32_t high = u8(w);

    return high << 8 | u8(w);
}

/* A number below n, n > 0 and at most 256. */
static size_t below(struct world *w, size_t n)
{
    return u8(w) % n;
}

static const uint8_t *bytes(struct world *w, size_t n, size_t *got)
{
    const uint8_t *p = w->in;

    *got = n < w->left ? n : w->left;
    w->in += *got;
    w->left -= *got;
    return p;
}

static uint64_t serial_of(struct world *w)
{
    uint8_t b = u8(w);

    switch (b >> 5) {
    case 6:
        return BLOCK_SERIAL_MAX - (b & 31);
    case 7:
        return w->r->now.unix_ms + (uint64_t)(b & 31) * 100000;
    default:
        return 2u + b;
    }
}

static struct far *any_far(struct world *w)
{
    return &w->far[below(w, FARS)];
}

static struct far *far_at(struct world *w, const struct addr *a)
{
    for (size_t i = 1; i < FARS; i++)
        if (addr_equal(&w->far[i].addr, a))
            return &w->far[i];
    return NULL;
}

static struct addr any_addr(struct world *w)
{
    struct addr a = rig_addr(u8(w));

    switch (below(w, 8)) {
    case 0:
        a.port = (uint16_t)u16(w);
        break;
    case 1:
        a.ip[0] = u8(w);
        break;
    case 2:
        a = (struct addr){
            .family = 6, .port = PROTOCOL_PORT, .ip = {0xfe, 0x80}};
        a.ip[15] = 1;
        a.ifindex = RIG_LINK;
        break;
    default:
        break;
    }
    return a;
}

static const struct node_id *any_id(struct world *w)
{
    return &any_far(w)->id;
}

static const struct article *any_article(struct world *w)
{
    const struct article *a = &w->shelf[below(w, SHELF)];

    return a->bytes ? a : NULL;
}

/* -- signing -- */

static void shelve(struct world *w, const struct object *o, size_t author)
{
    struct article *a = &w->shelf[w->next];

    w->next = (w->next + 1) % SHELF;
    free(a->bytes);
    a->bytes = malloc(o->len);
    assert(a->bytes);
    memcpy(a->bytes, o->bytes, o->len);
    a->len = (uint32_t)o->len;
    a->hash = o->hash;
    a->author = author;
    a->head = o->type == BLOCK_HEAD;
    a->serial = o->serial;
}

/* A head of somebody's with up to three blocks, put on the shelf; sometimes
 * its list is not quite true. */
static void sign(struct world *w)
{
    static const size_t lens[] = {0, 10, 900, 2000, 7000, 20000};
    static const uint8_t zeros[20000];
    size_t author = below(w, FARS), n = below(w, 4);
    struct far *f = &w->far[author];
    uint64_t serial = serial_of(w);
    struct head_fields fields = {.major_min = 1,
                                 .major_max = 1,
                                 .flags = (uint16_t)below(w, 16),
                                 .lease_s = HEAD_LEASE_MIN_S};
    struct head_entry entries[3];
    uint8_t payload[HEAD_PAYLOAD_MAX];
    struct object *object;
    struct writer head;

    for (size_t i = 0; i < n; i++) {
        char name[] = {(char)('a' + i), '\0'};

        object = i == 0 && below(w, 4) == 0
                     ? far_facts(f, w->r, serial - 1, &f->addr, 1)
                     : fake_object(w->r->pool, f->ident, BLOCK_DATA, name,
                                   serial - 1, zeros, lens[below(w, 6)]);
        entries[i] = fake_entry(object);
        if (i > 0 && strcmp(entries[i - 1].name, entries[i].name) >= 0)
            n = i; /* "facts" is above the others */
        else
            shelve(w, object, author);
        object_unref(object);
    }
    if (n > 0 && below(w, 16) == 0)
        entries[0].serial--;
    if (n > 1 && below(w, 16) == 0)
        entries[1].hash = entries[0].hash;
    if (n > 0 && entries[0].serial == 0)
        n = 0;
    writer_init(&head, payload, sizeof payload);
    head_build(&head, &fields, entries, n, NULL, 0);
    object = fake_object(w->r->pool, f->ident, BLOCK_HEAD, "head", serial,
                         payload, head.len);
    shelve(w, object, author);
    object_unref(object);
}

/* -- items -- */

static void put_bytes(struct world *w, struct writer *out)
{
    size_t n;
    const uint8_t *p = bytes(w, below(w, 64), &n);

    writer_bytes(out, p, n);
}

static void put_leaves(struct world *w, struct writer *out)
{
    const struct node_id *id = any_id(w);
    struct trie_prefix prefix = prefix_of_id(id, (uint8_t)below(w, 4));
    struct item_array a = item_begin_leaves(out, &prefix);
    struct item_leaf leaf = {.id = *id, .serial = serial_of(w)};

    if (below(w, 4) > 0)
        item_add_leaf(&a, &leaf);
    item_end(&a);
}

static void put_nodes(struct world *w, struct writer *out)
{
    uint8_t bitmap[2], hashes[16 * SHORT_HASH_LEN] = {0};
    struct item_nodes nodes = {
        .prefix = prefix_of_id(any_id(w), (uint8_t)below(w, 3)),
        .levels = 1,
        .bitmap = bitmap,
        .hashes = hashes,
    };

    bitmap[0] = u8(w);
    bitmap[1] = u8(w);
    for (int i = 0; i < 16; i++)
        nodes.n += (size_t)(bitmap[i / 8] >> (7 - i % 8) & 1);
    item_put_nodes(out, &nodes);
}

static void put_announce(struct world *w, struct writer *out)
{
    const struct article *a = any_article(w);
    struct item_array list = item_begin(out, ITEM_ANNOUNCE);
    struct item_announce e = {.id = *any_id(w)};

    if (a && a->head) {
        e.id = w->far[a->author].id;
        e.serial = a->serial;
        memcpy(e.hash8, a->hash.b, HASH8_LEN);
        item_add_announce(&list, &e);
    }
    e.serial = serial_of(w);
    e.id.b[0] ^= (uint8_t)below(w, 2);
    item_add_announce(&list, &e);
    item_end(&list);
}

static void put_piece(struct world *w, struct writer *out)
{
    const struct article *a = any_article(w);
    uint8_t how = u8(w);
    uint16_t index = how & 7;
    size_t start = out->len;

    if (!a || item_piece_len(a->len, index) == 0)
        return;
    item_put_piece(out, &a->hash, a->bytes, a->len, index);
    if (!out->overflow && how >= 0xf0 && out->len > start + 60)
        out->p[out->len - 1 - (how & 15)] ^= 1; /* poisoned */
}

static void put_root(struct world *w, struct writer *out)
{
    uint8_t root[TRIE_ROOT_LEN];
    uint8_t how = u8(w);

    engine_root(w->r->e, root);
    root[0] ^= how & 3;
    item_put_root(out, root, how >= 0xf0 ? UINT32_MAX : how);
}

static void put_item(struct world *w, struct writer *out)
{
    const struct article *a;

    switch (below(w, 14)) {
    case 0:
        put_root(w, out);
        break;
    case 1:
        put_nodes(w, out);
        break;
    case 2:
        put_leaves(w, out);
        break;
    case 3:
        put_announce(w, out);
        break;
    case 4:
        far_put_want_head(out, any_id(w), u8(w), u8(w));
        break;
    case 5:
        a = any_article(w);
        if (a)
            far_put_want_piece(out, &a->hash, (uint16_t)below(w, 9));
        break;
    case 6:
        item_put_spki(out, any_far(w)->ident->spki);
        break;
    case 7:
        a = any_article(w);
        if (a)
            item_put_age(out, &a->hash, u16(w) << below(w, 17));
        break;
    case 8:
        item_put_full(out);
        break;
    case 9:
        put_bytes(w, out);
        break;
    case 10:
        item_put_cookie(out, w->shelf[0].hash.b);
        break;
    default:
        put_piece(w, out);
    }
}

static void put_items(struct world *w, struct far_items *items)
{
    size_t n = below(w, 6);

    far_begin(items);
    for (size_t i = 0; i < n; i++) {
        size_t before = items->w.len;

        put_item(w, &items->w);
        if (items->w.overflow) {
            items->w.overflow = false;
            items->w.len = before;
        }
    }
}

/* -- datagrams -- */

static void raw(struct world *w)
{
    uint8_t how = u8(w);
    struct datagram dg = {
        .from = any_addr(w),
        .to = rig_addr(1),
        .ifindex = how & 1 ? RIG_LINK : u8(w),
        .hops = how & 2 ? 255 : 64,
        .to_group = how & 4,
    };

    dg.data = bytes(w, u8(w), &dg.len);
    engine_datagram(w->r->e, &w->r->now, &dg, rig_begin(w->r));
    rig_end(w->r);
}

/* A beacon, or a hint for our own search. */
static void discovery(struct world *w)
{
    struct rig *r = w->r;
    uint8_t how = u8(w), nonce = u8(w), data[DGRAM_BEACON_LEN];
    struct beacon b = {.k = how >> 3, .port = PROTOCOL_PORT};
    struct hint h = {.port = (uint16_t)(u16(w) | 1)};
    struct datagram dg = {.data = data,
                          .from = any_addr(w),
                          .ifindex = RIG_LINK,
                          .hops = 255,
                          .to_group = how & 1};

    memcpy(b.tag, r->e->tag, sizeof b.tag);
    memcpy(h.tag, r->e->tag, sizeof h.tag);
    memset(b.nonce, nonce, sizeof b.nonce);
    memcpy(h.nonce, r->e->discovery.nonce, sizeof h.nonce);
    dg.len = how & 2 ? DGRAM_HINT_LEN : DGRAM_BEACON_LEN;
    if (how & 2)
        hint_encode(&h, data);
    else
        beacon_encode(&b, data);
    engine_datagram(r->e, &r->now, &dg, rig_begin(r));
    rig_end(r);
}

/* A far node asks; it never gets more back than it gave, unless it has shown
 * that it is where it says. */
static void request(struct world *w)
{
    struct far *f = any_far(w);
    struct far_items items;
    uint8_t how = u8(w), dgram[DGRAM_MAX];
    struct addr from = f->addr;
    size_t len, sent = w->r->n_sent;

    put_items(w, &items);
    if (how & 1 && f->has_cookie &&
        writer_room(&items.w) >= ITEM_HEADER_LEN + ITEM_COOKIE_LEN)
        item_put_cookie(&items.w, f->cookie);
    if (how & 2 && writer_room(&items.w) >= ITEM_HEADER_LEN)
        item_put_pad(&items.w, writer_room(&items.w));
    if (how >= 0xf0)
        from.port++;
    len = far_seal(f, w->r, items.b, items.w.len, dgram);
    rig_datagram(w->r, &from, dgram, len);
    if (w->r->n_sent > sent && far_read_answer(f, w->r)) {
        assert(f->len <= len || (f->has_cookie && how & 1));
        far_take_cookie(f);
    }
}

/* A far node answers a request, or resets it. */
static void answer(struct world *w)
{
    struct far *f = any_far(w);
    const struct request *req;
    struct far_items items;
    uint8_t how = u8(w), dgram[DGRAM_RESET_LEN];
    size_t n = 0, pick = how & 15;

    if (how < 0x20)
        put_root(w, far_begin(&items));
    else
        put_items(w, &items);
    DL_FOREACH (w->r->e->requests.list, req) {
        if (!node_id_equal(&req->peer, &f->id) || n++ != pick)
            continue;
        if (how >= 0xe0) {
            reset_encode(req->ivs[0], f->reset, dgram);
            rig_datagram(w->r, &f->addr, dgram, sizeof dgram);
        } else {
            far_answer_iv(f, w->r, req->ivs[(how >> 4) % req->tries], items.b,
                          items.w.len);
        }
        return;
    }
}

/* -- calls -- */

static void put_body(struct world *w, struct writer *out)
{
    size_t n = below(w, 8);

    for (size_t i = 0; i < n; i++) {
        const struct article *a = any_article(w);
        struct bulk_serial e = {.id = *any_id(w), .serial = serial_of(w)};

        switch (below(w, 8)) {
        case 0:
            bulk_put_list(out, BULK_HAVE, &e, below(w, 2));
            break;
        case 1:
            bulk_put_list(out, BULK_WANT, &e, 1);
            break;
        case 2:
            bulk_put_spki(out, any_far(w)->ident->spki);
            break;
        case 3:
            bulk_put_age(out, u16(w) << below(w, 17));
            break;
        case 4:
            put_bytes(w, out);
            break;
        default:
            if (!a)
                break;
            bulk_put_spki(out, w->far[a->author].ident->spki);
            bulk_put_block(out, a->bytes, a->len);
        }
    }
    if (below(w, 4) > 0)
        bulk_put_end(out);
}

static void call_data(struct world *w, const struct rig_call *call)
{
    uint8_t *body = malloc(BODY_MAX);
    uint32_t id = call->id;
    size_t step = 1 + 64 * below(w, 256);
    struct writer out;
    int err = KITH_OK;

    assert(body);
    writer_init(&out, body, BODY_MAX);
    put_body(w, &out);
    for (size_t at = 0; at < out.len && err == KITH_OK; at += step) {
        size_t n = out.len - at < step ? out.len - at : step;

        err = engine_call_data(w->r->e, &w->r->now, id, body + at, n,
                               rig_begin(w->r));
        rig_end(w->r);
    }
    free(body);
    if (err != KITH_OK && err != KITH_ERR_NOTFOUND)
        rig_call_fails(w->r, id, CALL_BROKEN);
}

/* Something happens to a call that is under way: most often what should. */
static void call(struct world *w)
{
    static const uint32_t seconds[] = {0, 1, 60, 86400, UINT32_MAX};
    struct call_result result = {.outcome = CALL_OK, .local = rig_addr(1)};
    uint8_t how = u8(w);
    struct rig *r = w->r;
    struct grant grant;
    const struct rig_call *c;
    struct far *f;

    if (r->n_calls == 0)
        return;
    c = &r->calls[(how & 7) % r->n_calls];
    result.call = c->id;
    if (c->kind == CALL_BULK && how >> 6 > 0) {
        call_data(w, c);
        return;
    }
    f = far_at(w, &c->to);
    if (!f || how >= 0xe0)
        f = any_far(w);
    if (how >> 6 == 2)
        result.outcome = (enum call_outcome)below(w, 8);
    far_grant(f, r, &grant);
    if (how >> 6 == 1) {
        grant.renew_after_s = seconds[below(w, 5)];
        grant.valid_for_s = seconds[below(w, 5)];
        grant.you = any_addr(w);
    }
    result.peer = f->id;
    result.peer_known = (how & 8) == 0;
    if (result.outcome == CALL_OK && (how & 16) == 0)
        result.grant = &grant;
    rig_call_end(r, result.call);
    engine_call_done(r->e, &r->now, &result, rig_begin(r));
    rig_end(r);
}

/* A far node's bulk request; its reply is pulled now and then. */
static void bulk(struct world *w)
{
    uint8_t *buf = malloc(BODY_MAX);
    size_t at = below(w, REPLIES);
    struct far *f = any_far(w);
    struct writer out;

    assert(buf);
    if (w->replies[at] && below(w, 3) > 0) {
        engine_bulk_pull(w->r->e, &w->r->now, w->replies[at], buf, BODY_MAX);
    } else {
        engine_bulk_close(w->r->e, w->replies[at]);
        w->replies[at] = NULL;
        writer_init(&out, buf, BODY_MAX);
        put_body(w, &out);
        engine_bulk_open(w->r->e, &w->r->now, &f->id, buf, out.len,
                         &w->replies[at], rig_begin(w->r));
        rig_end(w->r);
    }
    free(buf);
}

/* -- the operator, and the machine -- */

static void operator(struct world *w)
{
    static const char *const names[] = {"a", "b", "note", "facts", "", "A"};
    static const uint8_t zeros[BLOCK_PAYLOAD_MAX + 1];
    struct engine *e = w->r->e;
    const struct now *now = &w->r->now;
    const char *name = names[below(w, 6)];
    struct fact fact = {"host", 4, "\xc3\xa4", below(w, 3)};
    struct addr a = any_addr(w);
    struct effects *out = rig_begin(w->r);

    switch (below(w, 8)) {
    case 0:
        engine_tag(e, now, name, below(w, 3) ? names[below(w, 6)] : NULL, out);
        break;
    case 1:
        engine_put(e, now, name, zeros,
                   u8(w) >= 0xfe ? sizeof zeros : u16(w) % BLOCK_PAYLOAD_MAX,
                   out);
        break;
    case 2:
        engine_remove(e, now, name, out);
        break;
    case 3:
        engine_facts(e, now, &fact, 1, &fact, below(w, 2), out);
        break;
    case 4:
        engine_peer(e, now, &a);
        break;
    case 5:
        engine_forget(e, now, any_id(w), out);
        break;
    case 6:
        engine_away(e, now, out);
        break;
    default:
        if (below(w, 8) == 0)
            engine_leave(e, now, out);
    }
    rig_end(w->r);
}

static void machine(struct world *w)
{
    struct rig *r = w->r;
    struct net_link links[3] = {r->link, r->link, r->link};
    struct addr a = any_addr(w);

    switch (below(w, 8)) {
    case 0:
        links[1].ifindex++;
        links[1].addrs[0].addr.ip[3] = u8(w);
        links[1].addrs[0].prefix_len = u8(w);
        links[2].n = 0;
        rig_links(r, links, below(w, 4));
        break;
    case 1:
        engine_refused(r->e, &r->now, &a, rig_begin(r));
        rig_end(r);
        break;
    case 2:
        engine_woke(r->e, &r->now, (uint64_t)u16(w) * 1000, rig_begin(r));
        rig_end(r);
        break;
    case 3:
        r->vault_mode = (enum rig_vault)below(w, 3);
        break;
    case 4:
        if (r->vault_waits)
            rig_vault_done(r, below(w, 4) > 0);
        break;
    case 5:
        r->sign_err = below(w, 2) ? KITH_ERR_CRYPTO : KITH_OK;
        break;
    case 6:
        r->now.unix_ms = below(w, 2) ? RIG_UNIX_MS : (uint64_t)u16(w) << 34;
        break;
    default:
        r->now.lag_ms = below(w, 4) ? 0 : u16(w);
    }
}

static void pass(struct world *w)
{
    uint8_t how = u8(w);
    uint64_t n = 1u + (how & 31);

    switch (how >> 5) {
    case 0:
        rig_pass(w->r, instant_add_us(w->r->now.mono, n));
        rig_tick(w->r);
        break;
    case 1: /* until it wants something of somebody */
        for (int i = 0; i < 1000 && w->r->n_sent + w->r->n_calls == 0; i++)
            rig_run(w->r, 10);
        break;
    case 5:
        rig_pass(w->r, instant_add_ms(w->r->now.mono, n * 60000));
        rig_tick(w->r);
        break;
    case 6:
        rig_pass(w->r, instant_add_ms(w->r->now.mono, n * 3600000));
        rig_tick(w->r);
        break;
    case 7:
        rig_run(w->r, n * 1000);
        break;
    default:
        rig_run(w->r, n * 10);
    }
}

static void look(void *arg, const struct member_view *view)
{
    struct world *w = arg;

    rig_touch(w->r, view->reason, strlen(view->reason));
    rig_touch_bundle(w->r, view->bundle);
}

static void restart(struct world *w)
{
    if (below(w, 4) > 0) {
        struct engine_status status;

        engine_members(w->r->e, &w->r->now, look, w);
        engine_status(w->r->e, &w->r->now, &status);
        return;
    }
    for (size_t i = 0; i < REPLIES; i++) {
        engine_bulk_close(w->r->e, w->replies[i]);
        w->replies[i] = NULL;
    }
    for (size_t i = 0; i < FARS; i++)
        w->far[i].granted = w->far[i].has_cookie = false;
    if (w->r->vault_written)
        rig_restart(w->r, below(w, 2) > 0);
}

/* -- all together -- */

/* Some inputs begin with that many friends whose sessions work. */
static void befriend(struct world *w, size_t n)
{
    for (size_t i = 1; i <= n; i++)
        far_join(&w->far[i], w->r, 10);
    for (int i = 0; n > 0 && i < 30; i++) {
        rig_run(w->r, 50);
        for (size_t k = w->r->n_calls; k > 0; k--) {
            struct far *f = far_at(w, &w->r->calls[0].to);

            if (f)
                far_accept(f, w->r, w->r->calls[0].id);
        }
        for (size_t k = 1; k <= n; k++)
            for (size_t from = 0; far_read_from(&w->far[k], w->r, &from);)
                far_agree(&w->far[k], w->r);
        rig_forget(w->r);
    }
}

static void event(struct world *w)
{
    rig_forget(w->r);
    switch (below(w, 16)) {
    case 0:
        raw(w);
        break;
    case 1:
        discovery(w);
        break;
    case 2:
    case 3:
    case 4:
        request(w);
        break;
    case 5:
    case 6:
        answer(w);
        break;
    case 7:
    case 8:
        call(w);
        break;
    case 9:
        bulk(w);
        break;
    case 10:
        operator(w);
        break;
    case 11:
        machine(w);
        break;
    case 12:
        sign(w);
        break;
    case 13:
        restart(w);
        break;
    default:
        pass(w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* These carry nothing over from one input to the next, but take time to
     * make. */
    static struct rig rig;
    static struct cipher *cipher;
    static struct kdf *kdf;
    struct world w = {.r = &rig, .in = data, .left = size};

    rig_init(&rig, 1);
    cipher = cipher ? cipher : cipher_new();
    kdf = kdf ? kdf : kdf_new();
    for (size_t i = 0; i < FARS; i++)
        far_init_with(&w.far[i], w.r, i + 1, cipher, kdf);
    rig_start(w.r);
    befriend(&w, below(&w, FARS));
    for (int i = 0; i < EVENTS_MAX && w.left > 0; i++)
        event(&w);
    for (size_t i = 0; i < REPLIES; i++)
        engine_bulk_close(w.r->e, w.replies[i]);
    for (size_t i = 0; i < FARS; i++)
        ident_unref(w.far[i].ident);
    for (size_t i = 0; i < SHELF; i++)
        free(w.shelf[i].bytes);
    rig_clear(w.r);
    return 0;
}
