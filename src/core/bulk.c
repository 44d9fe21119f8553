/* SPDX-License-Identifier: Apache-2.0 */
#include "core/bulk.h"

#include <assert.h>
#include <stdlib.h>

#include "core/state.h"
#include "wire/bulk.h"

/* The answer to a bulk request while it is pulled. What it gives is taken
 * from the set as it is at that moment, in the order of ids. */
struct bulk_reply {
    struct node_id to;
    struct bulk_serial *have; /* ascending by id, owned */
    size_t n_have, at_have;
    bool has_have;
    struct bulk_serial *want; /* owned */
    size_t n_want, at_want;
    struct node_id after; /* the last id that was given */
    bool begun;
    enum {
        REPLY_HEADS,
        REPLY_WANTS,
        REPLY_LIST,
        REPLY_END,
        REPLY_DONE
    } step;

    struct bundle *giving; /* reference; being given */
    uint64_t since;
    size_t next; /* block */
};

/* -- what A sends -------------------------------------------------------------
 */

static size_t have_len(const struct engine *e)
{
    size_t n = trie_count(&e->index.set);
    size_t max = BULK_LIST_MAX / BULK_HAVE_LEN;

    return BULK_HEADER_LEN + (n < max ? n : max) * BULK_HAVE_LEN;
}

static int put_have(const struct engine *e, struct writer *w)
{
    size_t n = trie_count(&e->index.set);
    struct bulk_serial *v;
    const struct bundle *b;
    size_t i = 0;

    if (n > BULK_LIST_MAX / BULK_HAVE_LEN)
        n = BULK_LIST_MAX / BULK_HAVE_LEN;
    v = malloc((n + 1) * sizeof *v);
    if (!v)
        return KITH_ERR_NOMEM;
    for (b = trie_after(&e->index.set, NULL); b && i < n;
         b = trie_after(&e->index.set, &b->author->id)) {
        v[i].id = b->author->id;
        v[i++].serial = b->serial;
    }
    bulk_put_list(w, BULK_HAVE, v, i);
    free(v);
    return KITH_OK;
}

/* Begins the call; body is taken over. */
static int start(struct engine *e, const struct now *now, struct peer *p,
                 uint8_t *body, size_t len, struct effects *out)
{
    struct call *call = dial_bulk_call(e, p);
    struct effect *effect;

    if (call)
        call->reader = malloc(sizeof *call->reader);
    if (call && call->reader)
        call->give = calloc(1, sizeof *call->give);
    if (!call || !call->reader || !call->give) {
        if (call)
            dial_end_call(e, call);
        free(body);
        return KITH_ERR_BUDGET;
    }
    bulk_reader_init(call->reader, BULK_LIST_MAX);
    call->give->bulk = true;
    call->heads_before = e->counters[COUNT_HEADS_ACCEPTED];
    p->bulk = true;
    p->bulk_at = instant_add_ms(now->mono, BULK_PAUSE);
    e->counters[COUNT_BULK_OUT]++;
    effect = effects_add(out, EFFECT_CALL);
    effect->call.call = call->id;
    effect->call.kind = CALL_BULK;
    effect->call.to = p->addr;
    effect->call.has_expected = true;
    effect->call.expected = p->id;
    effect->call.deadline_ms = BULK_DEADLINE;
    effect->call.body = body;
    effect->call.len = len;
    return KITH_OK;
}

void bulk_call_free(struct call *call)
{
    if (call->reader)
        bulk_reader_free(call->reader);
    free(call->reader);
    free(call->give);
    call->reader = NULL;
    call->give = NULL;
}

static bool may_start(const struct now *now, const struct peer *p,
                      const struct effects *out)
{
    return !p->bulk && instant_reached(now->mono, p->bulk_at) &&
           effects_room(out, 4);
}

static int finish(struct engine *e, const struct now *now, struct peer *p,
                  struct writer *w, struct effects *out)
{
    size_t len = 0;
    int err;

    bulk_put_end(w);
    err = writer_finish(w, &len);
    if (err != KITH_OK) {
        free(w->p);
        return err;
    }
    return start(e, now, p, w->p, len, out);
}

int bulk_ask(struct engine *e, const struct now *now, struct peer *p,
             struct effects *out)
{
    size_t cap = have_len(e) + BULK_HEADER_LEN;
    struct writer w;
    uint8_t *body;

    if (!may_start(now, p, out))
        return KITH_ERR_BUDGET;
    body = malloc(cap);
    if (!body)
        return KITH_ERR_NOMEM;
    writer_init(&w, body, cap);
    if (put_have(e, &w) != KITH_OK) {
        free(body);
        return KITH_ERR_NOMEM;
    }
    return finish(e, now, p, &w, out);
}

int bulk_want(struct engine *e, const struct now *now, struct peer *p,
              const struct node_id *id, uint64_t since, struct effects *out)
{
    struct bulk_serial want = {.id = *id, .serial = since};
    size_t cap = 2 * BULK_HEADER_LEN + BULK_HAVE_LEN;
    struct writer w;
    uint8_t *body;

    if (!may_start(now, p, out))
        return KITH_ERR_BUDGET;
    body = malloc(cap);
    if (!body)
        return KITH_ERR_NOMEM;
    writer_init(&w, body, cap);
    bulk_put_list(&w, BULK_WANT, &want, 1);
    return finish(e, now, p, &w, out);
}

static uint32_t age_of(const struct engine *e, const struct now *now,
                       const struct bundle *b)
{
    const struct member *m = index_find(&e->index, &b->author->id);
    uint64_t age_s = m ? index_age_ms(m, now) / 1000 : 0;

    return age_s > UINT32_MAX ? UINT32_MAX : (uint32_t)age_s;
}

static size_t gift_len(const struct bulk_gift *gift)
{
    size_t n = 3 * BULK_HEADER_LEN + SPKI_LEN + 4 + gift->bundle->head->len;

    for (size_t i = 0; i < gift->bundle->n; i++)
        if (gift->bundle->blocks[i]->serial > gift->since)
            n += BULK_HEADER_LEN + gift->bundle->blocks[i]->len;
    return n;
}

static void put_gift(const struct engine *e, const struct now *now,
                     const struct bulk_gift *gift, struct writer *w)
{
    const struct bundle *b = gift->bundle;

    bulk_put_spki(w, b->author->spki);
    bulk_put_age(w, age_of(e, now, b));
    bulk_put_block(w, b->head->bytes, b->head->len);
    for (size_t i = 0; i < b->n; i++)
        if (b->blocks[i]->serial > gift->since)
            bulk_put_block(w, b->blocks[i]->bytes, b->blocks[i]->len);
}

int bulk_give(struct engine *e, const struct now *now, struct peer *p,
              const struct bulk_gift *gifts, size_t n, struct effects *out)
{
    size_t cap = BULK_HEADER_LEN;
    struct writer w;
    uint8_t *body;

    if (!may_start(now, p, out))
        return KITH_ERR_BUDGET;
    for (size_t i = 0; i < n; i++)
        cap += gift_len(&gifts[i]);
    if (cap > BULK_BODY_MAX)
        return KITH_ERR_RANGE;
    body = malloc(cap);
    if (!body)
        return KITH_ERR_NOMEM;
    writer_init(&w, body, cap);
    for (size_t i = 0; i < n; i++)
        put_gift(e, now, &gifts[i], &w);
    return finish(e, now, p, &w, out);
}

/* -- what either side takes ----------------------------------------------- */

static void take_record(struct engine *e, const struct now *now,
                        struct give_context *give, const struct bulk_record *r,
                        struct effects *out)
{
    int err;

    switch (r->type) {
    case BULK_SPKI:
        give->has_spki = true;
        memcpy(give->spki, r->spki, SPKI_LEN);
        break;
    case BULK_AGE:
        give->has_age = true;
        give->age_s = r->age_s;
        break;
    case BULK_BLOCK:
        err = gather_block(e, now, give, r->block.p, r->block.len, out);
        if (err == KITH_ERR_STALE || err == KITH_ERR_UNWANTED)
            e->counters[COUNT_UNWANTED]++;
        else if (err != KITH_OK)
            e->counters[COUNT_BLOCKS_REFUSED]++;
        give->refused += err != KITH_OK && err != KITH_ERR_STALE;
        break;
    default:
        break;
    }
}

/* B names what it lacks: we give it by datagrams, like any announcement. */
static void take_want_list(struct engine *e, const struct now *now,
                           const struct call *call, const struct bulk_record *r)
{
    struct peer *p = peer_find(e, &call->peer);
    struct jobs jobs = {.n = 0};

    for (size_t i = 0; p && i < r->list.n && jobs.n < JOBS_MAX; i++) {
        struct bulk_serial want;
        const struct member *m;

        bulk_serial_at(r, i, &want);
        m = index_find(&e->index, &want.id);
        if (m && m->life == LIFE_LIVE)
            jobs_announce(&jobs, m->bundle);
    }
    if (p && peer_active(e, p))
        peer_queue(e, now, p, &jobs);
    jobs_clear(&jobs);
}

int bulk_data(struct engine *e, const struct now *now, struct call *call,
              const uint8_t *data, size_t n, struct effects *out)
{
    struct bulk_record record;
    struct cursor in;
    int err;

    assert(call->reader && call->give);
    call->give->from = &call->peer;
    cursor_init(&in, data, n);
    while ((err = bulk_reader_next(call->reader, &in, &record)) == KITH_OK) {
        if (record.type == BULK_WANT)
            take_want_list(e, now, call, &record);
        else
            take_record(e, now, call->give, &record, out);
        if (call->give->refused > BULK_REFUSED_MAX)
            return KITH_ERR_UNWANTED;
    }
    return err == KITH_ERR_NOTFOUND ? KITH_OK : err;
}

void bulk_done(struct engine *e, const struct now *now, struct call *call,
               const struct call_result *r, struct effects *out)
{
    struct peer *p = peer_find(e, &call->peer);
    bool gained = r->outcome == CALL_OK &&
                  bulk_reader_finish(call->reader) == KITH_OK &&
                  e->counters[COUNT_HEADS_ACCEPTED] > call->heads_before;

    dial_end_call(e, call);
    if (!p)
        return;
    p->bulk = false;
    p->bulk_at = gained ? now->mono : instant_add_ms(now->mono, BULK_PAUSE);
    if (peer_active(e, p))
        p->sync_at = now->mono;
    else if (!gained && peer_lost(e, p) &&
             (p->state == PEER_OPEN || p->state == PEER_PROVEN))
        peer_set_state(e, now, p, PEER_FAILED, "bulk", out); /* once more */
}

/* -- what B answers ------------------------------------------------------- */

static int copy_list(const struct bulk_record *r, struct bulk_serial **v,
                     size_t *n)
{
    struct bulk_serial *bigger =
        realloc(*v, (*n + r->list.n + 1) * sizeof *bigger);

    if (!bigger)
        return KITH_ERR_NOMEM;
    for (size_t i = 0; i < r->list.n; i++)
        bulk_serial_at(r, i, &bigger[*n + i]);
    *v = bigger;
    *n += r->list.n;
    return KITH_OK;
}

static int take_request(struct engine *e, const struct now *now,
                        struct bulk_reply *reply, const struct node_id *a,
                        const uint8_t *body, size_t n, struct effects *out)
{
    struct give_context give = {.from = a, .bulk = true};
    struct bulk_reader reader;
    struct bulk_record record;
    struct cursor in;
    int err;

    bulk_reader_init(&reader, BULK_LIST_MAX);
    cursor_init(&in, body, n);
    while ((err = bulk_reader_next(&reader, &in, &record)) == KITH_OK) {
        if (record.type == BULK_HAVE && !reply->has_have) {
            reply->has_have = true;
            err = copy_list(&record, &reply->have, &reply->n_have);
        } else if (record.type == BULK_WANT) {
            err = copy_list(&record, &reply->want, &reply->n_want);
        } else if (effects_room(out, 32)) {
            /* what does not fit one event comes by the next sync */
            take_record(e, now, &give, &record, out);
        }
        if (err == KITH_OK && give.refused > BULK_REFUSED_MAX)
            err = KITH_ERR_UNWANTED;
        if (err != KITH_OK)
            break;
    }
    if (err == KITH_ERR_NOTFOUND)
        err = bulk_reader_finish(&reader);
    bulk_reader_free(&reader);
    return err;
}

/* One at a time for each node, so that a slow reader is in nobody's way. */
static bool is_served(const struct engine *e, const struct node_id *a)
{
    for (size_t i = 0; i < e->bulk.replies; i++)
        if (node_id_equal(&e->bulk.to[i], a))
            return true;
    return false;
}

int engine_bulk_open(struct engine *e, const struct now *now,
                     const struct node_id *a, const uint8_t *body, size_t n,
                     struct bulk_reply **out_reply, struct effects *out)
{
    struct bulk_reply *reply;
    int err;

    *out_reply = NULL;
    engine_begin(e);
    if (e->bulk.replies >= BULK_REPLIES_MAX || is_served(e, a))
        return KITH_ERR_BUDGET;
    reply = calloc(1, sizeof *reply);
    if (!reply)
        return KITH_ERR_NOMEM;
    e->counters[COUNT_BULK_IN]++;
    reply->to = *a;
    e->bulk.to[e->bulk.replies++] = *a;
    err = take_request(e, now, reply, a, body, n, out);
    engine_finish(e, now, out);
    if (err != KITH_OK) {
        engine_bulk_close(e, reply);
        return err;
    }
    *out_reply = reply;
    return KITH_OK;
}

void engine_bulk_close(struct engine *e, struct bulk_reply *reply)
{
    if (!reply)
        return;
    assert(e->bulk.replies > 0);
    for (size_t i = 0; i < e->bulk.replies; i++)
        if (node_id_equal(&e->bulk.to[i], &reply->to)) {
            e->bulk.to[i] = e->bulk.to[--e->bulk.replies];
            break;
        }
    bundle_unref(reply->giving);
    free(reply->have);
    free(reply->want);
    free(reply);
}

/* The serial that A says it holds; 0: none. Ids ascend on both sides. */
static uint64_t held_by_a(struct bulk_reply *r, const struct node_id *id)
{
    while (r->at_have < r->n_have &&
           memcmp(r->have[r->at_have].id.b, id->b, NODE_ID_LEN) < 0)
        r->at_have++;
    if (r->at_have < r->n_have && node_id_equal(&r->have[r->at_have].id, id))
        return r->have[r->at_have].serial;
    return 0;
}

static void give(struct bulk_reply *r, struct bundle *b, uint64_t since)
{
    r->giving = bundle_ref(b);
    r->since = since;
    r->next = 0;
}

/* Chooses the next head to give. */
static void next_head(struct engine *e, struct bulk_reply *r)
{
    struct bundle *b;

    if (!r->has_have) {
        r->step = REPLY_WANTS;
        return;
    }
    b = trie_after(&e->index.set, r->begun ? &r->after : NULL);
    r->begun = true;
    if (!b) {
        r->step = REPLY_WANTS;
        return;
    }
    r->after = b->author->id;
    if (b->serial > held_by_a(r, &r->after))
        give(r, b, held_by_a(r, &r->after));
}

static void next_want(struct engine *e, struct bulk_reply *r)
{
    const struct bulk_serial *want;
    struct bundle *b;

    if (r->at_want == r->n_want) {
        r->step = r->has_have ? REPLY_LIST : REPLY_END;
        return;
    }
    want = &r->want[r->at_want++];
    b = trie_find(&e->index.set, &want->id);
    if (b)
        give(r, b, want->serial);
}

/* Writes what fits of the bundle being given; false: no more room now. */
static bool put_giving(struct engine *e, const struct now *now,
                       struct bulk_reply *r, struct writer *w)
{
    struct bundle *b = r->giving;

    if (r->next == 0) {
        if (writer_room(w) < 3 * BULK_HEADER_LEN + SPKI_LEN + 4 + b->head->len)
            return false;
        bulk_put_spki(w, b->author->spki);
        bulk_put_age(w, age_of(e, now, b));
        bulk_put_block(w, b->head->bytes, b->head->len);
        r->next = 1;
    }
    for (; r->next <= b->n; r->next++) {
        const struct object *object = b->blocks[r->next - 1];

        if (object->serial <= r->since)
            continue;
        if (writer_room(w) < BULK_HEADER_LEN + object->len)
            return false;
        bulk_put_block(w, object->bytes, object->len);
    }
    r->giving = NULL;
    bundle_unref(b);
    return true;
}

/* The heads of which A holds more than we do. */
static void put_list(const struct engine *e, struct bulk_reply *r,
                     struct writer *w)
{
    size_t max = (writer_room(w) - BULK_HEADER_LEN) / BULK_HAVE_LEN;
    struct bulk_serial *v = malloc((r->n_have + 1) * sizeof *v);
    size_t n = 0;

    for (size_t i = 0; v && i < r->n_have && n < max; i++) {
        const struct member *m = index_find(&e->index, &r->have[i].id);
        uint64_t serial = m && m->bundle ? m->bundle->serial : 0;

        if (r->have[i].serial > serial &&
            (!m || r->have[i].serial > m->floor)) {
            v[n].id = r->have[i].id;
            v[n++].serial = serial;
        }
    }
    bulk_put_list(w, BULK_WANT, v, n);
    free(v);
}

size_t engine_bulk_pull(struct engine *e, const struct now *now,
                        struct bulk_reply *r, uint8_t *buf, size_t cap)
{
    struct writer w;
    size_t len = 0;
    int err;

    assert(cap >= BLOCK_SIGNED_MAX + 1024);
    writer_init(&w, buf, cap);
    while (r->step != REPLY_DONE && writer_room(&w) > 1024) {
        if (r->giving) {
            if (!put_giving(e, now, r, &w))
                break;
        } else if (r->step == REPLY_HEADS) {
            next_head(e, r);
        } else if (r->step == REPLY_WANTS) {
            next_want(e, r);
        } else if (r->step == REPLY_LIST) {
            put_list(e, r, &w);
            r->step = REPLY_END;
        } else {
            bulk_put_end(&w);
            r->step = REPLY_DONE;
        }
    }
    err = writer_finish(&w, &len);
    assert(err == KITH_OK);
    return len;
}
