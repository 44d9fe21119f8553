/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

/* A beacon as it comes in, good in every way. */
static struct datagram beacon(struct rig *r, uint8_t k, uint8_t nonce,
                              uint8_t bytes[DGRAM_BEACON_LEN])
{
    struct beacon b = {.k = k, .port = PROTOCOL_PORT};
    struct datagram dg = {
        .data = bytes,
        .len = DGRAM_BEACON_LEN,
        .from = rig_addr(100 + nonce),
        .ifindex = RIG_LINK,
        .hops = 255,
        .to_group = true,
    };

    memcpy(b.tag, r->e->tag, sizeof b.tag);
    memset(b.nonce, nonce, sizeof b.nonce);
    beacon_encode(&b, bytes);
    return dg;
}

static void comes_in(struct rig *r, const struct datagram *dg)
{
    engine_datagram(r->e, &r->now, dg, rig_begin(r));
    rig_end(r);
}

/* A hint for the search under way, from there. */
static void hint(struct rig *r, const struct addr *from, uint16_t port)
{
    struct hint h = {.port = port};
    uint8_t bytes[DGRAM_HINT_LEN];

    memcpy(h.tag, r->e->tag, sizeof h.tag);
    memcpy(h.nonce, r->e->discovery.nonce, sizeof h.nonce);
    hint_encode(&h, bytes);
    rig_datagram(r, from, bytes, sizeof bytes);
}

static void join(struct rig *r, struct far *f, uint64_t number)
{
    far_init(f, r, number);
    far_join(f, r, 10);
}

/* -- searching -- */

/* 0, 1, 2, 4 s, and then at random intervals of up to 30 s. */
static void test_schedule(void **state)
{
    static const uint32_t at_ms[] = {0, 1000, 2000, 4000};
    struct rig *r = rig_new(1);
    uint64_t now_ms = 0, last_ms = 4000;
    uint8_t nonce[DGRAM_NONCE_LEN];

    (void)state;
    rig_start(r);
    assert_int_equal(r->beacons, 1);
    assert_int_equal(rig_noted(r, NOTE_SEARCHING), 1);
    memcpy(nonce, r->beacon.nonce, sizeof nonce);
    for (size_t i = 1; i < 4; i++) {
        rig_run(r, at_ms[i] - now_ms - 1);
        assert_int_equal(r->beacons, i);
        rig_run(r, 1);
        now_ms = at_ms[i];
        assert_int_equal(r->beacons, i + 1);
        assert_int_equal(r->beacon.k, i);
        assert_int_equal(r->beacon.port, PROTOCOL_PORT);
        assert_memory_equal(r->beacon.nonce, nonce, sizeof nonce);
        assert_memory_equal(r->beacon.tag, r->e->tag, sizeof r->e->tag);
    }
    rig_forget(r);
    for (now_ms = 4000; now_ms < 3600000; now_ms += 100) {
        rig_run(r, 100);
        assert_in_range(now_ms - last_ms, 0, BEACON_MAX);
        if (r->beacons == 0)
            continue;
        assert_int_equal(r->beacons, 1);
        last_ms = now_ms;
        rig_forget(r);
    }
    assert_int_equal(r->beacon.k, rig_count(r, COUNT_BEACONS_OUT) - 1);
    rig_free(r);
}

static void test_each_link(void **state)
{
    struct rig *r = rig_new(1);
    struct net_link links[LINKS_MAX + 1];

    (void)state;
    for (size_t i = 0; i < LINKS_MAX + 1; i++) {
        links[i] = r->link;
        links[i].ifindex = (uint32_t)(i + 1);
    }
    rig_start(r);
    rig_links(r, links, LINKS_MAX + 1);
    rig_forget(r);
    rig_run(r, 1000);
    assert_int_equal(r->beacons, LINKS_MAX);
    rig_links(r, NULL, 0);
    rig_forget(r);
    rig_run(r, 100000);
    assert_int_equal(r->beacons, 0);
    rig_free(r);
}

/* Three agents end the search at once; one is enough when the schedule has run
 * out. */
static void test_found(void **state)
{
    struct rig *r = rig_new(1);
    struct far f[3];

    (void)state;
    rig_start(r);
    for (uint64_t i = 0; i < 3; i++) {
        far_init(&f[i], r, 2 + i);
        assert_true(r->e->discovery.searching);
        hint(r, &f[i].addr, PROTOCOL_PORT);
        assert_non_null(far_call(&f[i], r, CALL_SESSION));
        far_accept(&f[i], r, far_call(&f[i], r, CALL_SESSION)->id);
    }
    assert_false(r->e->discovery.searching);
    assert_int_equal(rig_noted(r, NOTE_FOUND), 1);
    for (uint64_t i = 0; i < 3; i++)
        far_clear(&f[i]);
    rig_free(r);
}

static void test_found_one(void **state)
{
    struct rig *r = rig_new(1);
    struct far f;

    (void)state;
    rig_start(r);
    far_init(&f, r, 2);
    hint(r, &f.addr, PROTOCOL_PORT);
    far_accept(&f, r, far_call(&f, r, CALL_SESSION)->id);
    far_join(&f, r, 10);
    for (int i = 0; i < 40; i++) {
        rig_run(r, 100);
        far_nod(&f, r);
        assert_true(r->e->discovery.searching);
    }
    assert_int_equal(rig_count(r, COUNT_BEACONS_OUT), 4);
    for (int i = 0; i < 1000; i++) {
        rig_run(r, 100);
        far_nod(&f, r);
    }
    assert_false(r->e->discovery.searching);
    assert_int_equal(rig_count(r, COUNT_BEACONS_OUT), 4);
    far_clear(&f);
    rig_free(r);
}

/* Everybody is lost: it begins again, with another nonce. */
static void test_lost(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t nonce[DGRAM_NONCE_LEN];
    struct far f;

    (void)state;
    memcpy(nonce, r->e->discovery.nonce, sizeof nonce);
    far_init(&f, r, 2);
    far_befriend(&f, r);
    for (int i = 0; i < 100; i++) {
        rig_run(r, 100);
        far_nod(&f, r);
    }
    assert_false(r->e->discovery.searching);
    rig_forget(r);
    for (int i = 0; i < 200 && !r->e->discovery.searching; i++) {
        rig_run(r, 100);
        rig_calls_fail(r, CALL_TCP);
    }
    assert_int_equal(rig_noted(r, NOTE_SEARCHING), 1);
    assert_memory_not_equal(r->e->discovery.nonce, nonce, sizeof nonce);
    rig_run(r, 10);
    assert_int_equal(r->beacons, 1);
    assert_int_equal(r->beacon.k, 0);
    far_clear(&f);
    rig_free(r);
}

/* -- hints that we get -- */

static void test_hints_refused(void **state)
{
    struct rig *r = rig_new(1);
    struct addr from = rig_addr(50), me = rig_addr(1), elsewhere = from;
    struct hint h = {.port = PROTOCOL_PORT};
    uint8_t bytes[DGRAM_HINT_LEN];

    (void)state;
    rig_start(r);
    memcpy(h.tag, r->e->tag, sizeof h.tag);
    hint_encode(&h, bytes); /* of no search of ours */
    rig_datagram(r, &from, bytes, sizeof bytes);
    memcpy(h.nonce, r->e->discovery.nonce, sizeof h.nonce);
    h.tag[0] ^= 1; /* of another mesh */
    hint_encode(&h, bytes);
    rig_datagram(r, &from, bytes, sizeof bytes);
    hint(r, &me, PROTOCOL_PORT); /* ourselves */
    hint(r, &from, 22);          /* somebody's service */
    hint(r, &from, 1023);
    elsewhere.ip[2] ^= 1; /* whoever saw our beacon is on its link */
    hint(r, &elsewhere, PROTOCOL_PORT);
    rig_run(r, 100);
    assert_int_equal(r->n_calls, 0);
    assert_int_equal(rig_count(r, COUNT_HINTS_IN), 6);
    hint(r, &from, 17000);
    assert_int_equal(r->n_calls, 1);
    assert_int_equal(r->calls[0].to.port, 17000);
    hint(r, &from, 17000); /* is being dialled */
    assert_int_equal(r->n_calls, 1);
    rig_free(r);
}

/* Spoofed hints make us dial no faster than the budget, and the queue is
 * short. */
static void test_hint_flood(void **state)
{
    struct rig *r = rig_new(1);
    uint64_t dials;

    (void)state;
    rig_start(r);
    for (uint64_t s = 0; s < 10; s++) {
        for (uint64_t i = 0; i < 100; i++) {
            struct addr a = rig_addr(100 + i);

            hint(r, &a, (uint16_t)(2000 + s));
        }
        rig_run(r, 1000);
        rig_calls_fail(r, CALL_TCP);
    }
    dials = rig_count(r, COUNT_DIALS);
    assert_in_range(dials, DIAL_BURST, DIAL_BURST + 20);
    rig_free(r);
}

/* -- beacons of others -- */

static void test_beacon_is_answered(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t bytes[DGRAM_BEACON_LEN];
    struct datagram dg = beacon(r, 0, 1, bytes);
    struct dgram d;

    (void)state;
    rig_forget(r);
    comes_in(r, &dg);
    rig_run(r, HINT_DELAY_FIRST);
    assert_int_equal(r->n_sent, 1);
    assert_int_equal(r->sent[0].len, DGRAM_HINT_LEN);
    assert_memory_equal(&r->sent[0].to, &dg.from, sizeof dg.from);
    assert_int_equal(dgram_parse(r->sent[0].data, r->sent[0].len, &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_HINT);
    assert_int_equal(d.hint.port, PROTOCOL_PORT);
    assert_int_equal(d.hint.nonce[0], 1);
    assert_int_equal(r->n_calls, 0); /* nobody is dialled for it */
    rig_free(r);
}

static void test_beacon_refused(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t bytes[DGRAM_BEACON_LEN];
    struct datagram good = beacon(r, 0, 1, bytes), dg;
    struct beacon own = {.port = PROTOCOL_PORT};
    uint64_t refused = rig_count(r, COUNT_BEACONS_REFUSED);

    (void)state;
    rig_run(r, 100000);
    rig_forget(r);
    dg = good;
    dg.hops = 254; /* a router was on its way */
    comes_in(r, &dg);
    dg = good;
    dg.to_group = false;
    comes_in(r, &dg);
    dg = good;
    dg.from.ip[2] = 99; /* not of this link */
    comes_in(r, &dg);
    dg = good;
    dg.ifindex = RIG_LINK + 1;
    comes_in(r, &dg);
    assert_int_equal(rig_count(r, COUNT_BEACONS_REFUSED), refused + 4);
    bytes[4] ^= 1; /* another mesh */
    comes_in(r, &good);
    bytes[4] ^= 1;
    memcpy(own.tag, r->e->tag, sizeof own.tag);
    memcpy(own.nonce, r->e->discovery.nonce, sizeof own.nonce);
    beacon_encode(&own, bytes); /* our own, back to us */
    comes_in(r, &good);
    rig_run(r, 300);
    assert_int_equal(rig_sent_to(r, DGRAM_HINT, NULL), 0);
    rig_free(r);
}

/* The first few by rank answer the first beacon, twice as many the next. */
static void test_rank(void **state)
{
    enum {
        MEMBERS = 47,
        BEACONS = 200
    };
    struct rig *r = rig_up(1);
    static struct far f[MEMBERS];
    size_t answered[4] = {0};

    (void)state;
    for (uint64_t i = 0; i < MEMBERS; i++)
        join(r, &f[i], 10 + i);
    for (uint8_t k = 0; k < 4; k++) {
        for (unsigned i = 0; i < BEACONS; i++) {
            uint8_t bytes[DGRAM_BEACON_LEN];
            struct datagram dg = beacon(r, k, (uint8_t)i, bytes);

            rig_pass(r, instant_add_ms(r->now.mono, 300));
            rig_calls_fail(r, CALL_TCP);
            rig_forget(r);
            comes_in(r, &dg);
            rig_pass(r, instant_add_ms(r->now.mono, HINT_DELAY));
            rig_tick(r);
            answered[k] += rig_sent_to(r, DGRAM_HINT, NULL);
        }
    }
    /* 3, 6, 12 and 24 of 48 */
    assert_in_range(answered[0], BEACONS * 3 / 48 / 2, BEACONS * 3 / 48 * 2);
    assert_in_range(answered[1], BEACONS / 8 - 15, BEACONS / 8 + 15);
    assert_in_range(answered[2], BEACONS / 4 - 25, BEACONS / 4 + 25);
    assert_in_range(answered[3], BEACONS / 2 - 30, BEACONS / 2 + 30);
    for (uint64_t i = 0; i < MEMBERS; i++)
        far_clear(&f[i]);
    rig_free(r);
}

/* Members that are elsewhere do not count, so that somebody answers. */
static void test_rank_on_link(void **state)
{
    struct rig *r = rig_up(1);
    struct addr far_away;
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    static struct far f[40];

    (void)state;
    assert_int_equal(text_addr_parse(&far_away, "203.0.113.1:16990", 0),
                     KITH_OK);
    for (uint64_t i = 0; i < 40; i++) {
        struct object *facts;
        struct bundle *b;

        far_init(&f[i], r, 10 + i);
        facts = far_facts(&f[i], r, 1, &far_away, 1);
        b = far_sign(&f[i], r, 10, &fields, &facts, 1);
        assert_int_equal(far_give(&f[i], r, b, 0), KITH_OK);
        bundle_unref(b);
        object_unref(facts);
    }
    rig_forget(r);
    for (uint8_t i = 0; i < 10; i++) {
        uint8_t bytes[DGRAM_BEACON_LEN];
        struct datagram dg = beacon(r, 0, i, bytes);

        comes_in(r, &dg);
    }
    rig_run(r, HINT_DELAY);
    assert_int_equal(rig_sent_to(r, DGRAM_HINT, NULL), 10);
    for (uint64_t i = 0; i < 40; i++)
        far_clear(&f[i]);
    rig_free(r);
}

/* 20 hints at once, then 20 a second; what waits is bounded. */
static void test_hint_budget(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    rig_run(r, 1000);
    rig_forget(r);
    for (unsigned ms = 0; ms < 3000; ms += 10) {
        for (uint8_t i = 0; i < 4; i++) {
            uint8_t bytes[DGRAM_BEACON_LEN];
            struct datagram dg = beacon(r, 0, (uint8_t)(ms / 10 + i), bytes);

            dg.from = rig_addr(ms / 10);
            dg.from.port = (uint16_t)(1024 + i);
            comes_in(r, &dg);
        }
        rig_run(r, 10);
    }
    assert_in_range(rig_sent_to(r, DGRAM_HINT, NULL), 70, 82);
    assert_true(rig_count(r, COUNT_OVER_BUDGET) > 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_each_link),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_found_one),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_hints_refused),
        cmocka_unit_test(test_hint_flood),
        cmocka_unit_test(test_beacon_is_answered),
        cmocka_unit_test(test_beacon_refused),
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_rank_on_link),
        cmocka_unit_test(test_hint_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
