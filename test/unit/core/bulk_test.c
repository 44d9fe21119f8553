/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

enum {
    PULL_MIN = BLOCK_SIGNED_MAX + 1024, /* the least room for a pull */
    BODY_CAP = 2 << 20,
};

/* A body under way. */
struct body {
    uint8_t *b;
    struct writer w;
};

static void body_begin(struct body *body)
{
    body->b = malloc(BODY_CAP);
    assert_non_null(body->b);
    writer_init(&body->w, body->b, BODY_CAP);
}

static void put_one(struct body *body, enum bulk_type type,
                    const struct node_id *id, uint64_t serial)
{
    struct bulk_serial e = {.id = *id, .serial = serial};

    bulk_put_list(&body->w, type, &e, 1);
}

static int open_reply(struct rig *r, struct far *f, struct body *body,
                      struct bulk_reply **reply)
{
    int err;

    assert_false(body->w.overflow);
    err = engine_bulk_open(r->e, &r->now, &f->id, body->b, body->w.len, reply,
                           rig_begin(r));
    rig_end(r);
    free(body->b);
    return err;
}

/* What a reply said, record by record. */
struct said {
    struct node_id heads[64];
    uint64_t serials[64];
    size_t n, blocks; /* heads, and other blocks */
    uint32_t ages[64];
    struct bulk_serial want[64];
    size_t n_want, wants; /* elements, records */
};

static void hear(struct said *s, const struct bulk_record *r)
{
    struct block block;

    if (r->type == BULK_WANT) {
        s->wants++;
        for (size_t i = 0; i < r->list.n; i++)
            bulk_serial_at(r, i, &s->want[s->n_want++]);
    } else if (r->type == BULK_SPKI) {
        spki_id(r->spki, &s->heads[s->n]);
    } else if (r->type == BULK_AGE) {
        s->ages[s->n] = r->age_s;
    } else if (r->type == BULK_BLOCK) {
        assert_int_equal(block_decode(r->block.p, r->block.len, &block),
                         KITH_OK);
        if (block.type != BLOCK_HEAD) {
            s->blocks++;
            assert_memory_equal(block.author.b, s->heads[s->n - 1].b, 32);
            return;
        }
        assert_memory_equal(block.author.b, s->heads[s->n].b, NODE_ID_LEN);
        s->serials[s->n++] = block.serial;
    }
}

/* Takes the next part of a reply; false at its end. */
static bool pull(struct rig *r, struct bulk_reply *reply, size_t cap,
                 struct bulk_reader *reader, struct said *s)
{
    uint8_t *buf = malloc(cap);
    size_t n = engine_bulk_pull(r->e, &r->now, reply, buf, cap);
    struct bulk_record record;
    struct cursor c;

    assert_true(n <= cap);
    cursor_init(&c, buf, n);
    while (bulk_reader_next(reader, &c, &record) == KITH_OK)
        hear(s, &record);
    assert_int_equal(reader->err, KITH_OK);
    free(buf);
    return n > 0;
}

static void ask(struct rig *r, struct far *f, struct body *body, struct said *s)
{
    struct bulk_reply *reply;
    struct bulk_reader reader;

    memset(s, 0, sizeof *s);
    bulk_put_end(&body->w);
    assert_int_equal(open_reply(r, f, body, &reply), KITH_OK);
    bulk_reader_init(&reader, BULK_LIST_MAX);
    while (pull(r, reply, PULL_MIN, &reader, s))
        continue;
    assert_int_equal(bulk_reader_finish(&reader), KITH_OK);
    assert_false(pull(r, reply, PULL_MIN, &reader, s)); /* it stays ended */
    bulk_reader_free(&reader);
    engine_bulk_close(r->e, reply);
}

/* A bundle of n blocks of that payload length, named from `letter` on. */
static struct bundle *bundle_of(struct rig *r, struct far *f, uint64_t serial,
                                char letter, size_t n, size_t len)
{
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    struct object *v[HEAD_ENTRIES_MAX] = {NULL};
    struct bundle *b;

    for (size_t i = 0; i < n; i++) {
        char name[] = {letter, (char)('0' + i / 10), (char)('0' + i % 10), 0};

        v[i] = far_data(f, r, name, serial - 1, len);
    }
    b = far_sign(f, r, serial, &fields, v, n);
    for (size_t i = 0; i < n; i++)
        object_unref(v[i]);
    return b;
}

static void give(struct rig *r, struct far *f, uint64_t serial, char letter,
                 size_t n, size_t len)
{
    struct bundle *b = bundle_of(r, f, serial, letter, n, len);

    assert_int_equal(far_give(f, r, b, 0), KITH_OK);
    bundle_unref(b);
}

/* -- B answers -- */

static void test_reply_to_have(void **state)
{
    struct rig *r = rig_up(1);
    struct body body;
    struct said s;
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    give(r, &g, 20, 'a', 2, 10);
    rig_run(r, 30000);

    /* who has nothing gets everything */
    body_begin(&body);
    bulk_put_list(&body.w, BULK_HAVE, NULL, 0);
    ask(r, &f, &body, &s);
    assert_int_equal(s.n, 2);
    assert_true(memcmp(s.heads[0].b, s.heads[1].b, NODE_ID_LEN) < 0);
    assert_int_equal(s.blocks, 2 + 2); /* ours: cert and facts */
    assert_int_equal(s.wants, 1);
    assert_int_equal(s.n_want, 0);
    for (size_t i = 0; i < 2; i++)
        if (node_id_equal(&s.heads[i], &g.id))
            assert_int_equal(s.ages[i], 30);

    /* who has the same gets nothing of it */
    body_begin(&body);
    put_one(&body, BULK_HAVE, &g.id, 20);
    ask(r, &f, &body, &s);
    assert_int_equal(s.n, 1);
    assert_memory_equal(s.heads[0].b, r->e->self.b, NODE_ID_LEN);
    assert_int_equal(s.n_want, 0);

    /* of an older one, what is newer; of a newer one, a want */
    body_begin(&body);
    put_one(&body, BULK_HAVE, &g.id, 19);
    ask(r, &f, &body, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.blocks, 2);
    body_begin(&body);
    put_one(&body, BULK_HAVE, &g.id, 21);
    ask(r, &f, &body, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.n_want, 1);
    assert_memory_equal(s.want[0].id.b, g.id.b, NODE_ID_LEN);
    assert_int_equal(s.want[0].serial, 20);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

static void test_reply_to_want(void **state)
{
    struct rig *r = rig_up(1);
    struct node_id nobody = {{1}};
    struct body body;
    struct said s;
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    give(r, &g, 20, 'a', 2, 10);
    body_begin(&body);
    put_one(&body, BULK_WANT, &g.id, 0);
    put_one(&body, BULK_WANT, &nobody, 0);
    put_one(&body, BULK_WANT, &g.id, 19);
    ask(r, &f, &body, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.blocks, 2);
    assert_int_equal(s.wants, 0); /* only in reply to HAVE */
    body_begin(&body);
    ask(r, &f, &body, &s);
    assert_int_equal(s.n + s.blocks + s.wants, 0);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* In the smallest pieces, while heads come and go between them. */
static void test_reply_while_set_changes(void **state)
{
    enum {
        MANY = 12
    };
    struct rig *r = rig_up(1);
    struct far f, g[MANY];
    struct bulk_reply *reply;
    struct bulk_reader reader;
    struct body body;
    struct said s = {.n = 0};
    size_t pulls = 0;

    (void)state;
    far_init(&f, r, 2);
    for (uint64_t i = 0; i < MANY; i++) {
        far_init(&g[i], r, 10 + i);
        if (i % 3 != 0)
            give(r, &g[i], 20, 'a', 4, 20000);
    }
    body_begin(&body);
    bulk_put_list(&body.w, BULK_HAVE, NULL, 0);
    bulk_put_end(&body.w);
    assert_int_equal(open_reply(r, &f, &body, &reply), KITH_OK);
    bulk_reader_init(&reader, BULK_LIST_MAX);
    while (pull(r, reply, PULL_MIN, &reader, &s)) {
        size_t i = pulls++ % MANY;
        struct bundle *b;

        if (i % 3 == 0) {
            give(r, &g[i], 20 + pulls, 'b', 3, 10000);
        } else if (i % 3 == 1) {
            b = far_head(&g[i], r, 20 + pulls, HEAD_LEAVE, HEAD_LEASE_MIN_S);
            assert_int_equal(far_give(&g[i], r, b, 0), KITH_OK);
            bundle_unref(b);
        } else {
            give(r, &g[i], 20 + pulls, 'c', 1, 30000);
        }
        rig_run(r, 1000);
        rig_calls_fail(r, CALL_TCP);
    }
    assert_int_equal(bulk_reader_finish(&reader), KITH_OK);
    assert_true(pulls > 5);
    for (size_t i = 1; i < s.n; i++)
        assert_true(memcmp(s.heads[i - 1].b, s.heads[i].b, NODE_ID_LEN) < 0);
    bulk_reader_free(&reader);
    engine_bulk_close(r->e, reply);
    for (uint64_t i = 0; i < MANY; i++)
        far_clear(&g[i]);
    far_clear(&f);
    rig_free(r);
}

static void test_reply_limits(void **state)
{
    struct rig *r = rig_up(1);
    struct bulk_reply *reply[BULK_REPLIES_MAX], *more;
    struct far f[BULK_REPLIES_MAX + 1];
    struct body body;

    (void)state;
    for (size_t i = 0; i <= BULK_REPLIES_MAX; i++)
        far_init(&f[i], r, 2 + i);
    for (size_t i = 0; i < BULK_REPLIES_MAX; i++) {
        body_begin(&body);
        bulk_put_end(&body.w);
        assert_int_equal(open_reply(r, &f[i], &body, &reply[i]), KITH_OK);
        body_begin(&body); /* no second one for the same node */
        bulk_put_end(&body.w);
        assert_int_equal(open_reply(r, &f[i], &body, &more), KITH_ERR_BUDGET);
        assert_null(more);
    }
    body_begin(&body);
    bulk_put_end(&body.w);
    assert_int_equal(open_reply(r, &f[BULK_REPLIES_MAX], &body, &more),
                     KITH_ERR_BUDGET);
    engine_bulk_close(r->e, reply[0]);
    engine_bulk_close(r->e, NULL);
    body_begin(&body);
    bulk_put_end(&body.w);
    assert_int_equal(open_reply(r, &f[BULK_REPLIES_MAX], &body, &reply[0]),
                     KITH_OK);
    for (size_t i = 0; i < BULK_REPLIES_MAX; i++)
        engine_bulk_close(r->e, reply[i]);
    for (size_t i = 0; i <= BULK_REPLIES_MAX; i++)
        far_clear(&f[i]);
    rig_free(r);
}

/* -- B takes -- */

/* Cut anywhere, it is an error, and nothing of it stays open. */
static void test_request_cut(void **state)
{
    struct rig *r = rig_up(1);
    struct bulk_reply *reply;
    struct body body;
    struct bundle *b;
    struct far f, g;
    size_t len;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    b = bundle_of(r, &g, 20, 'a', 1, 10);
    body_begin(&body);
    put_one(&body, BULK_HAVE, &g.id, 19);
    far_put_bundle(&body.w, b, 0);
    bulk_put_end(&body.w);
    bundle_unref(b);
    len = body.w.len;
    for (size_t n = 0; n < len; n += 1 + n % 7) {
        assert_int_equal(engine_bulk_open(r->e, &r->now, &f.id, body.b, n,
                                          &reply, rig_begin(r)),
                         KITH_ERR_TRUNCATED);
        rig_end(r);
        assert_null(reply);
    }
    body.b[len - 1] = 1; /* END is empty */
    assert_int_equal(open_reply(r, &f, &body, &reply), KITH_ERR_RANGE);
    assert_int_equal(r->e->bulk.replies, 0);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

static void test_request_malformed(void **state)
{
    struct rig *r = rig_up(1);
    struct bulk_reply *reply;
    struct body body;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    body_begin(&body);
    put_one(&body, BULK_HAVE, &f.id, 10);
    put_one(&body, BULK_HAVE, &f.id, 10); /* a second list is passed over */
    writer_u8(&body.w, 77);               /* and so is what nobody knows */
    writer_u32(&body.w, 3);
    writer_zeros(&body.w, 3);
    bulk_put_end(&body.w);
    assert_int_equal(open_reply(r, &f, &body, &reply), KITH_OK);
    engine_bulk_close(r->e, reply);

    body_begin(&body);
    put_one(&body, BULK_HAVE, &f.id, 0); /* no serial */
    bulk_put_end(&body.w);
    assert_int_equal(open_reply(r, &f, &body, &reply), KITH_ERR_RANGE);
    body_begin(&body);
    bulk_put_end(&body.w);
    bulk_put_end(&body.w);
    assert_int_equal(open_reply(r, &f, &body, &reply), KITH_ERR_TRAILING);
    far_clear(&f);
    rig_free(r);
}

/* A block with a false signature does not count; nor does one whose author
 * nobody knows. Too much of that ends it. */
static void test_request_false_blocks(void **state)
{
    struct rig *r = rig_up(1);
    struct bulk_reply *reply;
    uint8_t bytes[BLOCK_SIGNED_MAX];
    struct body body;
    struct far f, g;
    size_t len;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    len = fake_block(r->pool, g.ident, BLOCK_DATA, "x", 9, "x", 1, bytes);
    body_begin(&body);
    for (int i = 0; i < 10; i++)
        bulk_put_block(&body.w, bytes, len); /* that nobody lacks */
    bulk_put_end(&body.w);
    assert_int_equal(open_reply(r, &f, &body, &reply), KITH_OK);
    engine_bulk_close(r->e, reply);
    assert_int_equal(rig_count(r, COUNT_BLOCKS_ACCEPTED), 0);
    body_begin(&body);
    for (int i = 0; i < 1000; i++)
        bulk_put_block(&body.w, bytes, len);
    bulk_put_end(&body.w);
    assert_int_equal(open_reply(r, &f, &body, &reply), KITH_ERR_UNWANTED);
    assert_null(reply);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* However much changes in one request: what must be kept is, and the
 * operator's notes have their bound. */
static void test_request_many_changes(void **state)
{
    enum {
        AUTHORS = 30
    };
    struct rig *r = rig_up(1);
    static struct far g[AUTHORS];
    struct bulk_reply *reply;
    struct body body;
    struct bundle *b;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    for (uint64_t i = 0; i < AUTHORS; i++) {
        far_init(&g[i], r, 100 + i);
        give(r, &g[i], 20, 'a', HEAD_ENTRIES_MAX, 1);
    }
    body_begin(&body);
    for (uint64_t i = 0; i < AUTHORS; i++) {
        b = bundle_of(r, &g[i], 40, 'b', HEAD_ENTRIES_MAX, 1);
        far_put_bundle(&body.w, b, 0);
        bundle_unref(b);
    }
    bulk_put_end(&body.w);
    rig_forget(r);
    assert_int_equal(open_reply(r, &f, &body, &reply), KITH_OK);
    engine_bulk_close(r->e, reply);
    assert_int_equal(r->keeps, AUTHORS);
    for (uint64_t i = 0; i < AUTHORS; i++) {
        assert_int_equal(rig_member(r, &g[i].id)->bundle->serial, 40);
        far_clear(&g[i]);
    }
    far_clear(&f);
    rig_free(r);
}

/* -- A asks -- */

/* A friend f, and a bulk call to it under way. */
static struct rig_call *begin_call(struct rig *r, struct far *f)
{
    struct peer *p;

    far_init(f, r, 2);
    p = far_befriend(f, r);
    rig_begin(r);
    engine_begin(r->e);
    assert_int_equal(bulk_ask(r->e, &r->now, p, &r->out), KITH_OK);
    rig_end(r);
    assert_non_null(far_call(f, r, CALL_BULK));
    return far_call(f, r, CALL_BULK);
}

static int data(struct rig *r, uint32_t id, const uint8_t *p, size_t n)
{
    int err = engine_call_data(r->e, &r->now, id, p, n, rig_begin(r));

    rig_end(r);
    return err;
}

static void test_call_body(void **state)
{
    struct rig *r = rig_up(1);
    struct bulk_reader reader;
    struct bulk_record record;
    struct bulk_serial e;
    struct rig_call *call;
    struct cursor c;
    struct far f;

    (void)state;
    call = begin_call(r, &f);
    assert_true(call->has_expected);
    assert_memory_equal(call->expected.b, f.id.b, NODE_ID_LEN);
    bulk_reader_init(&reader, BULK_LIST_MAX);
    cursor_init(&c, call->body, call->len);
    assert_int_equal(bulk_reader_next(&reader, &c, &record), KITH_OK);
    assert_int_equal(record.type, BULK_HAVE);
    assert_int_equal(record.list.n, 2);
    for (size_t i = 0; i < 2; i++) {
        bulk_serial_at(&record, i, &e);
        assert_int_equal(e.serial,
                         node_id_equal(&e.id, &f.id) ? 10 : r->head_serial);
    }
    assert_int_equal(bulk_reader_next(&reader, &c, &record), KITH_OK);
    assert_int_equal(record.type, BULK_END);
    bulk_reader_free(&reader);
    /* one at a time to a peer */
    assert_int_equal(bulk_ask(r->e, &r->now, rig_peer(r, &f.id), &r->out),
                     KITH_ERR_BUDGET);
    far_clear(&f);
    rig_free(r);
}

/* Byte by byte, and in any other cut. */
static void test_call_data(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 16384; cut *= 11) {
        struct rig *r = rig_up(1);
        struct body body;
        struct bundle *b;
        struct far f, g;
        uint32_t id = begin_call(r, &f)->id;

        far_init(&g, r, 3);
        b = bundle_of(r, &g, 20, 'a', 3, 5000);
        body_begin(&body);
        far_put_bundle(&body.w, b, 7);
        put_one(&body, BULK_WANT, &r->e->self, 0); /* f lacks us */
        bulk_put_end(&body.w);
        bundle_unref(b);
        for (size_t at = 0; at < body.w.len; at += cut) {
            size_t n = body.w.len - at < cut ? body.w.len - at : cut;

            assert_null(rig_member(r, &g.id));
            assert_int_equal(data(r, id, body.b + at, n), KITH_OK);
            if (rig_member(r, &g.id))
                break;
        }
        assert_int_equal(rig_member(r, &g.id)->bundle->serial, 20);
        assert_int_equal(index_age_ms(rig_member(r, &g.id), &r->now), 7000);
        rig_call_fails(r, id, CALL_BROKEN);
        assert_false(rig_peer(r, &f.id)->bulk);
        free(body.b);
        far_clear(&f);
        far_clear(&g);
        rig_free(r);
    }
}

/* What the other side names as lacking is announced to it. */
static void test_call_want(void **state)
{
    struct rig *r = rig_up(1);
    struct body body;
    struct item item;
    struct far f;
    uint32_t id = begin_call(r, &f)->id;

    (void)state;
    rig_forget(r);
    body_begin(&body);
    put_one(&body, BULK_WANT, &r->e->self, 0);
    put_one(&body, BULK_WANT, &f.id, 0);
    bulk_put_end(&body.w);
    assert_int_equal(data(r, id, body.b, body.w.len), KITH_OK);
    assert_true(far_read(&f, r));
    assert_true(far_item(&f, ITEM_ANNOUNCE, &item));
    free(body.b);
    far_clear(&f);
    rig_free(r);
}

static void end_call(struct rig *r, uint32_t id)
{
    struct call_result result = {.call = id, .outcome = CALL_OK, .status = 200};

    rig_call_end(r, id);
    engine_call_done(r->e, &r->now, &result, rig_begin(r));
    rig_end(r);
}

/* One that brought nothing, or was cut, is followed by a pause. */
static void test_call_pause(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct rig *r = rig_up(1);
        struct body body;
        struct bundle *b;
        struct peer *p;
        struct far f, g;
        uint32_t id = begin_call(r, &f)->id;

        far_init(&g, r, 3);
        b = bundle_of(r, &g, 20, 'a', 1, 10);
        body_begin(&body);
        if (kind > 0)
            far_put_bundle(&body.w, b, 0);
        if (kind < 2)
            bulk_put_end(&body.w);
        if (kind > 0 || body.w.len > 0)
            assert_int_equal(data(r, id, body.b, body.w.len), KITH_OK);
        end_call(r, id);
        p = rig_peer(r, &f.id);
        assert_false(p->bulk);
        assert_int_equal(p->bulk_at.us,
                         kind == 1 ? r->now.mono.us
                                   : r->now.mono.us + BULK_PAUSE * 1000);
        bundle_unref(b);
        free(body.b);
        far_clear(&f);
        far_clear(&g);
        rig_free(r);
    }
}

static void test_call_malformed(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t bad[] = {BULK_AGE, 0, 0, 0, 5};
    struct far f;
    uint32_t id = begin_call(r, &f)->id;

    (void)state;
    assert_int_equal(data(r, id, bad, sizeof bad), KITH_ERR_RANGE);
    assert_int_equal(data(r, id, bad, sizeof bad), KITH_ERR_RANGE);
    rig_call_fails(r, id, CALL_BROKEN);
    assert_int_equal(data(r, id, bad, sizeof bad), KITH_ERR_NOTFOUND);
    far_clear(&f);
    rig_free(r);
}

/* A stream of nothing that anybody wants is ended. */
static void test_call_junk(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t bytes[BLOCK_SIGNED_MAX];
    struct body body;
    struct far f;
    uint32_t id = begin_call(r, &f)->id;
    uint64_t accepted = rig_count(r, COUNT_BLOCKS_ACCEPTED);
    int err = KITH_OK;
    size_t len;

    (void)state;
    len = fake_block(r->pool, f.ident, BLOCK_DATA, "x", 9, "x", 1, bytes);
    for (int i = 0; i < 1000 && err == KITH_OK; i++) {
        body_begin(&body);
        bulk_put_block(&body.w, bytes, len);
        err = data(r, id, body.b, body.w.len);
        free(body.b);
    }
    assert_int_equal(err, KITH_ERR_UNWANTED);
    assert_int_equal(rig_count(r, COUNT_BLOCKS_ACCEPTED), accepted);
    far_clear(&f);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply_to_have),
        cmocka_unit_test(test_reply_to_want),
        cmocka_unit_test(test_reply_while_set_changes),
        cmocka_unit_test(test_reply_limits),
        cmocka_unit_test(test_request_cut),
        cmocka_unit_test(test_request_malformed),
        cmocka_unit_test(test_request_false_blocks),
        cmocka_unit_test(test_request_many_changes),
        cmocka_unit_test(test_call_body),
        cmocka_unit_test(test_call_data),
        cmocka_unit_test(test_call_want),
        cmocka_unit_test(test_call_pause),
        cmocka_unit_test(test_call_malformed),
        cmocka_unit_test(test_call_junk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
