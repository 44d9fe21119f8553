/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

static struct rig *rig_with(struct far *f)
{
    struct rig *r = rig_up(1);

    far_init(f, r, 2);
    rig_run(r, 1000);
    rig_forget(r);
    return r;
}

static void end(struct rig *r, struct far *f)
{
    far_clear(f);
    rig_free(r);
}

/* Whatever the engine holds of others, as far as a request could change it. */
struct snapshot {
    uint8_t root[TRIE_ROOT_LEN];
    size_t members, peers, requests, wants, partials, pendings, sent, calls;
    bool heard;
};

static struct snapshot look(const struct rig *r)
{
    const struct engine *e = r->e;
    struct snapshot s;

    memset(&s, 0, sizeof s);
    engine_root(e, s.root);
    s.members = HASH_COUNT(e->index.members);
    s.peers = e->n_peers;
    s.requests = e->requests.n;
    s.wants = HASH_COUNT(e->fetch.wants);
    s.partials = HASH_COUNT(e->gather.partials);
    s.pendings = HASH_COUNT(e->gather.pendings);
    s.sent = r->n_sent;
    s.calls = r->n_calls;
    s.heard = e->heard;
    return s;
}

static void assert_unchanged(const struct rig *r, const struct snapshot *s)
{
    struct snapshot now = look(r);

    assert_memory_equal(&now, s, sizeof now);
}

/* -- a request and its answer -- */

/* B keeps nothing: no peer, no member, no session comes of it. */
static void test_answer(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct far_items i;
    uint8_t root[TRIE_ROOT_LEN] = {1}, mine[TRIE_ROOT_LEN];
    struct item item;

    (void)state;
    item_put_root(far_begin(&i), root, 7);
    item_put_pad(&i.w, 300);
    far_ask(&f, r, i.b, i.w.len);
    assert_true(far_read_answer(&f, r));
    assert_true(far_item(&f, ITEM_ROOT, &item));
    engine_root(r->e, mine);
    assert_memory_equal(item.root.root, mine, sizeof mine);
    assert_int_equal(item.root.heads, 1);
    assert_true(far_has(&f, ITEM_LEAVES));
    assert_true(far_has(&f, ITEM_COOKIE));
    assert_int_equal(r->n_sent, 1);
    assert_int_equal(r->e->n_peers, 0);
    assert_null(rig_member(r, &f.id));
    assert_true(r->e->heard);
    end(r, &f);
}

/* The same root: nothing to describe. */
static void test_same_root(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct far_items i;
    uint8_t mine[TRIE_ROOT_LEN];

    (void)state;
    engine_root(r->e, mine);
    item_put_root(far_begin(&i), mine, 1);
    item_put_pad(&i.w, 300);
    far_ask(&f, r, i.b, i.w.len);
    assert_true(far_read_answer(&f, r));
    assert_true(far_has(&f, ITEM_ROOT));
    assert_false(far_has(&f, ITEM_LEAVES));
    assert_false(far_has(&f, ITEM_NODES));
    end(r, &f);
}

static void test_empty_request(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);

    (void)state;
    far_ask(&f, r, NULL, 0);
    assert_true(far_read_answer(&f, r));
    assert_true(f.len <= f.asked_len);
    end(r, &f);
}

/* With the previous epoch's ticket, but not with one older. */
static void test_epochs(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    const struct rig_sent *sent;
    struct dgram d;

    (void)state;
    far_get_grant(&f, r);
    rig_run(r, EPOCH_LIFE_S * 1000ull);
    rig_forget(r);
    far_ask(&f, r, NULL, 0);
    assert_true(far_read_answer(&f, r));
    rig_run(r, EPOCH_LIFE_S * 1000ull);
    rig_forget(r);
    far_ask(&f, r, NULL, 0);
    assert_int_equal(r->n_sent, 1);
    sent = &r->sent[0];
    assert_int_equal(dgram_parse(sent->data, sent->len, &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_RESET);
    assert_memory_equal(d.reset.request_id, f.asked_iv, DGRAM_REQUEST_ID_LEN);
    assert_memory_equal(d.reset.token, f.grant.reset, DGRAM_RESET_TOKEN_LEN);
    assert_true(sent->len < f.asked_len);
    assert_int_equal(rig_count(r, COUNT_RESETS_OUT), 1);
    end(r, &f);
}

static void test_reset_budget(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);

    (void)state;
    far_get_grant(&f, r);
    f.ticket.epoch[0] ^= 1;
    for (int i = 0; i < 1000; i++)
        far_ask(&f, r, NULL, 0);
    assert_int_equal(rig_sent_to(r, DGRAM_RESET, NULL), RESET_BURST);
    assert_int_equal(rig_count(r, COUNT_UNKNOWN_EPOCH), 1000);
    rig_pass(r, instant_add_ms(r->now.mono, 1000));
    for (int i = 0; i < 100; i++)
        far_ask(&f, r, NULL, 0);
    assert_int_equal(rig_sent_to(r, DGRAM_RESET, NULL), 2 * RESET_BURST);
    end(r, &f);
}

/* -- forgeries -- */

static void test_forged(void **state)
{
    struct far f, g;
    struct rig *r = rig_with(&f);
    uint8_t dgram[DGRAM_MAX];
    struct snapshot before;
    uint64_t forged = 0;
    size_t len;

    (void)state;
    far_init(&g, r, 3);
    far_get_grant(&g, r);
    len = far_seal(&f, r, NULL, 0, dgram);
    r->e->heard = false;
    before = look(r);
    for (size_t i = 8; i < len; i++) { /* behind the epoch */
        dgram[i] ^= 0x40;
        rig_datagram(r, &f.addr, dgram, len);
        assert_int_equal(rig_count(r, COUNT_FORGED), ++forged);
        assert_unchanged(r, &before);
        dgram[i] ^= 0x40;
    }
    /* f's session with g's ticket */
    memcpy(dgram + 8, g.ticket.ticket, DGRAM_TICKET_LEN);
    rig_datagram(r, &f.addr, dgram, len);
    assert_int_equal(rig_count(r, COUNT_FORGED), forged + 1);
    assert_unchanged(r, &before);
    far_clear(&g);
    end(r, &f);
}

static void test_cut(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    uint8_t dgram[DGRAM_MAX + 1];
    size_t len = far_seal(&f, r, NULL, 0, dgram);
    struct snapshot before;

    (void)state;
    r->e->heard = false;
    before = look(r);
    for (size_t n = 0; n < len; n++) {
        rig_datagram(r, &f.addr, dgram, n);
        assert_unchanged(r, &before);
    }
    memset(dgram + len, 0, sizeof dgram - len);
    for (size_t n = len + 1; n <= sizeof dgram; n++) {
        rig_datagram(r, &f.addr, dgram, n);
        assert_unchanged(r, &before);
    }
    end(r, &f);
}

/* A flood of forgeries takes nothing from those who are honest. */
static void test_forged_takes_no_budget(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    uint8_t dgram[DGRAM_MAX];
    size_t len = far_seal(&f, r, NULL, 0, dgram);

    (void)state;
    dgram[len - 1] ^= 1;
    for (int i = 0; i < 1000; i++)
        rig_datagram(r, &f.addr, dgram, len);
    assert_int_equal(r->n_sent, 0);
    dgram[len - 1] ^= 1;
    rig_datagram(r, &f.addr, dgram, len);
    assert_int_equal(r->n_sent, 1);
    end(r, &f);
}

/* 200 requests at once, then 100 a second. */
static void test_budget(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);

    (void)state;
    for (int i = 0; i < 400; i++)
        far_ask(&f, r, NULL, 0);
    assert_int_equal(r->n_sent, ANSWER_BURST);
    assert_int_equal(rig_count(r, COUNT_OVER_BUDGET), 400 - ANSWER_BURST);
    rig_pass(r, instant_add_ms(r->now.mono, 500));
    rig_forget(r);
    for (int i = 0; i < 100; i++)
        far_ask(&f, r, NULL, 0);
    assert_int_equal(rig_sent_to(r, DGRAM_ANSWER, &f.addr), 50);
    end(r, &f);
}

/* The same request over and over is answered each time, and that is all. */
static void test_replay(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct far_items i;
    uint8_t root[TRIE_ROOT_LEN] = {1}, dgram[DGRAM_MAX];
    struct snapshot before;
    size_t len;

    (void)state;
    item_put_root(far_begin(&i), root, 7);
    item_put_pad(&i.w, 300);
    len = far_seal(&f, r, i.b, i.w.len, dgram);
    rig_datagram(r, &f.addr, dgram, len);
    before = look(r);
    for (size_t n = 2; n < 50; n++) {
        rig_datagram(r, &f.addr, dgram, len);
        before.sent = n;
        assert_unchanged(r, &before);
    }
    end(r, &f);
}

/* -- amplification -- */

/* With any length of request: the answer is not longer, until the cookie has
 * come back from the same address. */
static void test_no_amplification(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct far_items i;
    uint8_t root[TRIE_ROOT_LEN] = {1};
    size_t longest = 0;

    (void)state;
    for (size_t pad = 0; pad < 1000; pad += 7) {
        item_put_root(far_begin(&i), root, 7);
        far_put_want_head(&i.w, &r->e->self, 0, ITEM_WANT_SPKI);
        if (pad >= ITEM_HEADER_LEN)
            item_put_pad(&i.w, pad);
        rig_forget(r);
        far_ask(&f, r, i.b, i.w.len);
        assert_true(far_read_answer(&f, r));
        assert_true(f.len <= f.asked_len);
        longest = f.len > longest ? f.len : longest;
        far_take_cookie(&f);
        rig_pass(r, instant_add_ms(r->now.mono, 20));
    }
    assert_true(longest > 900);

    assert_true(f.has_cookie);
    item_put_cookie(far_begin(&i), f.cookie);
    item_put_root(&i.w, root, 7);
    far_put_want_head(&i.w, &r->e->self, 0, ITEM_WANT_SPKI);
    rig_forget(r);
    far_ask(&f, r, i.b, i.w.len);
    assert_true(far_read_answer(&f, r));
    assert_true(f.len > 2 * f.asked_len);
    assert_false(far_has(&f, ITEM_COOKIE));
    end(r, &f);
}

/* A cookie is good for one node at one address. */
static void test_cookie_bound(void **state)
{
    struct far f, g;
    struct rig *r = rig_with(&f);
    struct far_items i;
    struct addr from[3];
    uint8_t dgram[DGRAM_MAX];
    size_t len;

    (void)state;
    far_init(&g, r, 3);
    item_put_pad(far_begin(&i), 100);
    far_ask(&f, r, i.b, i.w.len);
    assert_true(far_read_answer(&f, r));
    far_take_cookie(&f);
    for (size_t k = 0; k < 3; k++)
        from[k] = f.addr;
    from[0].port++;
    from[1].ip[3]++;
    from[2].family = 6;
    item_put_cookie(far_begin(&i), f.cookie);
    far_put_want_head(&i.w, &r->e->self, 0, ITEM_WANT_SPKI);
    for (size_t k = 0; k < 3; k++) {
        rig_forget(r);
        len = far_seal(&f, r, i.b, i.w.len, dgram);
        rig_datagram(r, &from[k], dgram, len);
        assert_int_equal(r->n_sent, 1);
        assert_true(r->sent[0].len <= len);
        assert_memory_equal(&r->sent[0].to, &from[k], sizeof from[k]);
    }
    g.addr = f.addr; /* another node at the same address */
    rig_forget(r);
    far_ask(&g, r, i.b, i.w.len);
    assert_true(far_read_answer(&g, r));
    assert_true(g.len <= g.asked_len);
    far_clear(&g);
    end(r, &f);
}

/* -- malformed items -- */

/* Whatever stands before the malformed item is not taken either. */
static void test_malformed(void **state)
{
    static const uint8_t bad[][6] = {
        {ITEM_COOKIE, 0, 2, 0, 0},
        {ITEM_ROOT, 0, 1, 0},
        {ITEM_NODES, 0, 0},
        {ITEM_LEAVES, 0, 1, 65},
        {ITEM_ANNOUNCE, 0, 0},
        {ITEM_WANT_HEAD, 0, 1, 0},
        {ITEM_WANT_PIECE, 0, 0},
        {ITEM_SPKI, 0, 3, 1, 2, 3},
        {ITEM_AGE, 0, 1, 0},
        {ITEM_PIECE, 0, 3, 1, 2, 3},
        {ITEM_ECHO, 0, 1, 0},
        {ITEM_FULL, 0, 1, 0},
        {ITEM_PAD, 0xff, 0xff, 0, 0, 0},
        {0x77, 0, 200, 0, 0, 0},
        {ITEM_PAD, 0},
    };
    static const size_t lens[] = {5, 4, 3, 4, 3, 4, 3, 6, 4, 6, 4, 4, 6, 6, 2};
    struct far f, g;
    struct rig *r = rig_with(&f);
    struct far_items i;
    struct bundle *b;
    struct snapshot before;
    uint64_t malformed = 0;

    (void)state;
    far_init(&g, r, 3);
    b = far_head(&g, r, 10, 0, HEAD_LEASE_MIN_S);
    far_get_grant(&f, r);
    r->e->heard = true; /* it is authentic all the same */
    before = look(r);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        far_put_announce(far_begin(&i), &g.id, 10, &b->head->hash);
        writer_bytes(&i.w, bad[k], lens[k]);
        far_ask(&f, r, i.b, i.w.len);
        assert_unchanged(r, &before);
        assert_int_equal(rig_count(r, COUNT_MALFORMED), ++malformed);
    }
    bundle_unref(b);
    far_clear(&g);
    end(r, &f);
}

/* Items of a later version are passed over. */
static void test_unknown_items(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct far_items i;
    uint8_t root[TRIE_ROOT_LEN] = {1};

    (void)state;
    writer_u8(far_begin(&i), 0x77);
    writer_u16(&i.w, 5);
    writer_zeros(&i.w, 5);
    item_put_root(&i.w, root, 1);
    item_put_pad(&i.w, 100);
    far_ask(&f, r, i.b, i.w.len);
    assert_true(far_read_answer(&f, r));
    assert_true(far_has(&f, ITEM_ROOT));
    assert_int_equal(rig_count(r, COUNT_UNKNOWN_ITEMS), 1);
    end(r, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_same_root),
        cmocka_unit_test(test_empty_request),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_reset_budget),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_forged_takes_no_budget),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_no_amplification),
        cmocka_unit_test(test_cookie_bound),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_unknown_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
