/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

/* One want of a piece, which no other request is like. */
static void want(struct rig *r, struct peer *p, uint8_t what)
{
    struct jobs jobs = {.n = 0};
    struct hash h;

    memset(h.b, what, sizeof h.b);
    jobs_want_piece(&jobs, &h, 0);
    peer_queue(r->e, &r->now, p, &jobs);
    assert_int_equal(jobs.n, 0);
}

/* It is asked nothing for the next hour but what the test wants. */
static void quiet(struct rig *r, struct peer *p)
{
    p->sync_at = p->session.renew = instant_add_ms(r->now.mono, 3600000);
}

static size_t sent(struct rig *r, struct far *f)
{
    return rig_sent_to(r, DGRAM_REQUEST, &f->addr);
}

/* An engine whose friend f is quiet. */
static struct rig *rig_with(struct far *f)
{
    struct rig *r = rig_up(1);

    far_init(f, r, 2);
    quiet(r, far_befriend(f, r));
    rig_forget(r);
    return r;
}

static void end(struct rig *r, struct far *f)
{
    far_clear(f);
    rig_free(r);
}

/* -- tries -- */

static void test_three_tries(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    uint8_t iv[REQUEST_TRIES][DGRAM_IV_LEN];
    uint8_t first[DGRAM_MAX];
    size_t from = 0, n = 0;

    (void)state;
    p->srtt_us = 50000;
    p->rttvar_us = 25000; /* 50 + 4 x 25: waits 150 ms */
    want(r, p, 1);
    rig_tick(r);
    assert_int_equal(sent(r, &f), 1);
    rig_run(r, 149);
    assert_int_equal(sent(r, &f), 1);
    rig_run(r, 2);
    assert_int_equal(sent(r, &f), 2);
    rig_run(r, 297);
    assert_int_equal(sent(r, &f), 2);
    rig_run(r, 3);
    assert_int_equal(sent(r, &f), 3);
    assert_int_equal(p->state, PEER_PROVEN);
    rig_run(r, 597);
    assert_int_equal(p->state, PEER_PROVEN);
    rig_run(r, 10);
    assert_int_equal(p->state, PEER_SUSPECT);
    assert_int_equal(sent(r, &f), 3);
    assert_int_equal(rig_count(r, COUNT_TIMEOUTS), 1);

    /* each has an IV of its own, and says the same */
    for (size_t i = 0; i < REQUEST_TRIES; i++) {
        assert_true(far_read_from(&f, r, &from));
        memcpy(iv[i], f.iv, sizeof iv[i]);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(iv[i], iv[k], DGRAM_REQUEST_ID_LEN);
        assert_true(far_has(&f, ITEM_WANT_PIECE));
        if (i == 0)
            memcpy(first, f.items, n = f.n);
        assert_int_equal(f.n, n);
        assert_memory_equal(f.items, first, n);
    }
    end(r, &f);
}

static void test_timeout_bounds(void **state)
{
    struct peer p = {.srtt_us = 0};

    (void)state;
    assert_int_equal(peer_timeout_ms(&p, 0, 0), REQUEST_RTO_FIRST);
    assert_int_equal(peer_timeout_ms(&p, 1, 0), 2 * REQUEST_RTO_FIRST);
    assert_int_equal(peer_timeout_ms(&p, 2, 0), 4 * REQUEST_RTO_FIRST);
    p.srtt_us = 1;
    assert_int_equal(peer_timeout_ms(&p, 0, 0), REQUEST_RTO_MIN);
    assert_int_equal(peer_timeout_ms(&p, 2, 7), 4 * REQUEST_RTO_MIN + 7);
    p.srtt_us = 700000;
    p.rttvar_us = 100000;
    assert_int_equal(peer_timeout_ms(&p, 0, 0), 1100);
    assert_int_equal(peer_timeout_ms(&p, 1, 0), REQUEST_RTO_MAX);
    p.srtt_us = UINT32_MAX;
    p.rttvar_us = UINT32_MAX;
    assert_int_equal(peer_timeout_ms(&p, 2, 30), REQUEST_RTO_MAX + 30);
}

/* While we were slow ourselves, it is nobody's fault. */
static void test_lag_is_added(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);

    (void)state;
    p->srtt_us = 1;
    want(r, p, 1);
    r->now.lag_ms = 500;
    rig_tick(r);
    r->now.lag_ms = 0;
    rig_run(r, 599);
    assert_int_equal(sent(r, &f), 1);
    rig_run(r, 2);
    assert_int_equal(sent(r, &f), 2);
    end(r, &f);
}

static void test_round_trip_time(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);

    (void)state;
    p->srtt_us = p->rttvar_us = 0;
    want(r, p, 1);
    rig_tick(r);
    rig_run(r, 40);
    assert_true(far_read(&f, r));
    far_answer(&f, r, NULL, 0);
    assert_int_equal(p->srtt_us, 40000);
    assert_int_equal(p->rttvar_us, 20000);
    assert_int_equal(p->answered.us, r->now.mono.us);
    assert_int_equal(peer_timeout_ms(p, 0, 0), 120);

    rig_forget(r);
    want(r, p, 2);
    rig_tick(r);
    rig_run(r, 80);
    assert_true(far_read(&f, r));
    far_answer(&f, r, NULL, 0);
    assert_int_equal(p->srtt_us, 45000);
    assert_int_equal(p->rttvar_us, 25000);
    end(r, &f);
}

/* -- answers -- */

/* What of the engine an answer could change. */
struct snapshot {
    size_t requests;
    struct peer peer;
    uint8_t root[TRIE_ROOT_LEN];
};

static struct snapshot look(struct rig *r, struct far *f)
{
    struct snapshot s = {.requests = r->e->requests.n,
                         .peer = *rig_peer(r, &f->id)};

    engine_root(r->e, s.root);
    return s;
}

static void assert_unchanged(struct rig *r, struct far *f,
                             const struct snapshot *before)
{
    struct snapshot after = look(r, f);

    assert_memory_equal(&after, before, sizeof after);
}

static void test_taken_once(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    uint8_t iv[DGRAM_IV_LEN] = {9}, dgram[DGRAM_MAX];
    struct snapshot before;
    size_t len = 0;

    (void)state;
    want(r, p, 1);
    rig_tick(r);
    assert_true(far_read(&f, r));
    assert_int_equal(seal_answer(f.cipher, &f.served, f.iv, iv, NULL, 0, dgram,
                                 sizeof dgram, &len),
                     KITH_OK);
    rig_datagram(r, &f.addr, dgram, len);
    assert_int_equal(p->inflight, 0);
    before = look(r, &f);
    rig_run(r, 5);
    rig_forget(r);
    rig_datagram(r, &f.addr, dgram, len);
    assert_unchanged(r, &f, &before);
    assert_int_equal(rig_count(r, COUNT_UNASKED_ANSWERS), 1);
    assert_int_equal(r->n_sent, 0);
    end(r, &f);
}

/* Of several tries any may be answered, but only one. */
static void test_late_answer(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    uint8_t second[DGRAM_IV_LEN];
    struct snapshot before;
    size_t from = 0;

    (void)state;
    p->srtt_us = 1000;
    want(r, p, 1);
    rig_tick(r);
    rig_run(r, 150);
    assert_int_equal(sent(r, &f), 2);
    assert_true(far_read_from(&f, r, &from));
    assert_true(far_read_from(&f, r, &from));
    memcpy(second, f.iv, sizeof second);
    from = 0;
    assert_true(far_read_from(&f, r, &from));
    far_answer(&f, r, NULL, 0); /* the first try's */
    assert_int_equal(p->inflight, 0);
    before = look(r, &f);
    far_answer_iv(&f, r, second, NULL, 0);
    assert_unchanged(r, &f, &before);
    end(r, &f);
}

/* Sealed with other keys, cut, changed, or for another request: as if nothing
 * had come. */
static void test_forged(void **state)
{
    struct far f, g;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    uint8_t iv[DGRAM_IV_LEN] = {9}, other[DGRAM_IV_LEN], dgram[DGRAM_MAX];
    struct snapshot before;
    size_t len = 0;

    (void)state;
    far_init(&g, r, 3);
    far_meet(&g, r);
    rig_run(r, 20);
    far_nod(&g, r);
    quiet(r, rig_peer(r, &g.id));
    want(r, p, 1);
    rig_tick(r);
    assert_true(far_read(&f, r));
    before = look(r, &f);

    assert_int_equal(seal_answer(g.cipher, &g.served, f.iv, iv, NULL, 0, dgram,
                                 sizeof dgram, &len),
                     KITH_OK);
    rig_datagram(r, &f.addr, dgram, len);
    assert_unchanged(r, &f, &before);
    memcpy(other, f.iv, sizeof other);
    other[15] ^= 1; /* the same id, but not the same IV */
    assert_int_equal(seal_answer(f.cipher, &f.served, other, iv, NULL, 0, dgram,
                                 sizeof dgram, &len),
                     KITH_OK);
    rig_datagram(r, &f.addr, dgram, len);
    assert_unchanged(r, &f, &before);
    assert_int_equal(seal_answer(f.cipher, &f.served, f.iv, iv, NULL, 0, dgram,
                                 sizeof dgram, &len),
                     KITH_OK);
    for (size_t i = 0; i < len; i++) {
        dgram[i] ^= 0x04;
        rig_datagram(r, &f.addr, dgram, len);
        /* two bytes and four must be zero and are ignored, but sealed */
        assert_unchanged(r, &f, &before);
        dgram[i] ^= 0x04;
        rig_datagram(r, &f.addr, dgram, i);
        assert_unchanged(r, &f, &before);
    }
    assert_true(rig_count(r, COUNT_FORGED) > 16);

    /* the true one is still taken, wherever it comes from */
    rig_datagram(r, &g.addr, dgram, len);
    assert_int_equal(p->inflight, 0);
    far_clear(&g);
    end(r, &f);
}

/* Authentic, but not well-formed: it shows that the peer is there, and that is
 * all that is taken from it. */
static void test_malformed_answer(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    uint64_t before = rig_count(r, COUNT_MALFORMED);
    struct far_items i;

    (void)state;
    p->session.has_cookie = false;
    want(r, p, 1);
    rig_tick(r);
    assert_true(far_read(&f, r));
    item_put_cookie(far_begin(&i), f.iv);
    item_put_full(&i.w);
    i.b[i.w.len - 1] = 1; /* longer than there is */
    far_answer(&f, r, i.b, i.w.len);
    assert_int_equal(rig_count(r, COUNT_MALFORMED), before + 1);
    assert_int_equal(p->inflight, 0);
    assert_false(p->session.has_cookie);
    end(r, &f);
}

/* -- refusals -- */

static void refused(struct rig *r, const struct addr *a)
{
    engine_refused(r->e, &r->now, a, rig_begin(r));
    rig_end(r);
}

static void test_refused_ends_tries(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    struct addr other = rig_addr(99);

    (void)state;
    refused(r, &f.addr); /* nothing is under way */
    assert_int_equal(p->state, PEER_PROVEN);
    want(r, p, 1);
    want(r, p, 2);
    rig_tick(r);
    assert_int_equal(p->inflight, 2);
    refused(r, &other);
    assert_int_equal(p->inflight, 2);
    refused(r, &f.addr);
    assert_int_equal(p->inflight, 0);
    assert_int_equal(p->state, PEER_SUSPECT);
    assert_non_null(far_call(&f, r, CALL_SESSION)); /* at once */
    end(r, &f);
}

/* -- limits -- */

static void test_inflight(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    size_t from = 0;

    (void)state;
    for (uint8_t i = 0; i < 3 * REQUESTS_PER_PEER; i++)
        want(r, p, i);
    rig_tick(r);
    assert_int_equal(sent(r, &f), REQUESTS_PER_PEER);
    assert_int_equal(p->inflight, REQUESTS_PER_PEER);
    for (unsigned i = 1; i <= REQUESTS_PER_PEER; i++) {
        assert_true(far_read_from(&f, r, &from));
        far_answer(&f, r, NULL, 0);
        assert_int_equal(p->inflight, REQUESTS_PER_PEER);
        assert_int_equal(sent(r, &f), REQUESTS_PER_PEER + i);
    }
    end(r, &f);
}

static void test_outbox(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    struct node_id id = {{0}};

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        struct jobs jobs = {.n = 0};

        id.b[0] = (uint8_t)i;
        id.b[1] = (uint8_t)(i >> 8);
        jobs_want_head(&jobs, &id, 0, false);
        peer_queue(r->e, &r->now, p, &jobs);
    }
    assert_int_equal(p->outbox_n, 512);
    end(r, &f);
}

/* What a peer is going to be told anyway is not said twice. */
static void test_dedupe(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    struct jobs jobs = {.n = 0};

    (void)state;
    want(r, p, 1);
    want(r, p, 1);
    assert_int_equal(p->outbox_n, 1);
    rig_tick(r);
    assert_int_equal(p->outbox_n, 0);
    want(r, p, 1); /* under way */
    assert_int_equal(p->outbox_n, 0);
    jobs_root(&jobs);
    jobs_root(&jobs);
    peer_queue(r->e, &r->now, p, &jobs);
    assert_int_equal(p->outbox_n, 1);
    rig_tick(r);
    assert_true(far_read(&f, r));
    far_answer(&f, r, NULL, 0);
    want(r, p, 1); /* was answered: may be asked again */
    assert_int_equal(p->outbox_n, 1);
    end(r, &f);
}

/* An expired session sends nothing, and nothing ticks for ever. */
static void test_expired(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);

    (void)state;
    for (uint8_t i = 0; i < 3 * REQUESTS_PER_PEER; i++)
        want(r, p, i);
    rig_tick(r);
    rig_forget(r);
    p->session.expires = r->now.mono;
    rig_run(r, 100);
    assert_int_equal(sent(r, &f), 0);
    rig_run(r, 3000);
    assert_int_equal(sent(r, &f), 0);
    assert_int_equal(r->e->requests.n, 0);
    end(r, &f);
}

/* -- resets -- */

static void reset(struct rig *r, struct far *f, const uint8_t *id,
                  const uint8_t *token)
{
    uint8_t dgram[DGRAM_RESET_LEN];

    reset_encode(id, token, dgram);
    rig_datagram(r, &f->addr, dgram, sizeof dgram);
}

static void test_reset(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    uint8_t token[DGRAM_RESET_TOKEN_LEN], old[DGRAM_RESET_TOKEN_LEN];
    uint8_t id[DGRAM_REQUEST_ID_LEN];
    struct snapshot before;

    (void)state;
    rig_run(r, 5000); /* the dial budget */
    memcpy(old, f.reset, sizeof old);
    want(r, p, 1);
    rig_tick(r);
    assert_true(far_read(&f, r));
    memcpy(id, f.iv, sizeof id);
    before = look(r, &f);
    for (size_t i = 0; i < sizeof token; i++) {
        memcpy(token, f.reset, sizeof token);
        token[i] ^= 0x80;
        reset(r, &f, id, token);
        assert_unchanged(r, &f, &before);
    }
    id[0] ^= 1; /* nobody asked that */
    reset(r, &f, id, f.reset);
    assert_unchanged(r, &f, &before);
    id[0] ^= 1;

    rig_forget(r);
    reset(r, &f, id, f.reset);
    assert_false(p->session.valid);
    assert_int_equal(p->inflight, 0);
    assert_int_equal(p->state, PEER_DIALING); /* at once */
    assert_int_equal(r->n_sent, 0);           /* never answered */
    before = look(r, &f);
    reset(r, &f, id, old);
    assert_unchanged(r, &f, &before);

    /* the token is worth nothing to the next session */
    far_accept(&f, r, far_call(&f, r, CALL_SESSION)->id);
    assert_int_equal(p->state, PEER_OPEN);
    rig_run(r, 10);
    assert_true(far_read(&f, r));
    reset(r, &f, f.iv, old);
    assert_int_equal(p->state, PEER_OPEN);
    assert_true(p->session.valid);
    end(r, &f);
}

/* Not for a request that is over. */
static void test_reset_too_late(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct peer *p = rig_peer(r, &f.id);
    struct snapshot before;

    (void)state;
    want(r, p, 1);
    rig_tick(r);
    assert_true(far_read(&f, r));
    far_answer(&f, r, NULL, 0);
    before = look(r, &f);
    reset(r, &f, f.iv, f.reset);
    assert_unchanged(r, &f, &before);
    end(r, &f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_tries),
        cmocka_unit_test(test_timeout_bounds),
        cmocka_unit_test(test_lag_is_added),
        cmocka_unit_test(test_round_trip_time),
        cmocka_unit_test(test_taken_once),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_malformed_answer),
        cmocka_unit_test(test_refused_ends_tries),
        cmocka_unit_test(test_inflight),
        cmocka_unit_test(test_outbox),
        cmocka_unit_test(test_dedupe),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_too_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
