/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

static void configure(struct rig *r, const struct addr *a, int want)
{
    assert_int_equal(engine_peer(r->e, &r->now, a), want);
}

static size_t calls_to(const struct rig *r, const struct addr *a)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_calls; i++)
        n += addr_equal(&r->calls[i].to, a);
    return n;
}

/* Ends a call by telling that it was another node. */
static void found_other(struct rig *r, uint32_t id, const struct node_id *who)
{
    struct call_result result = {
        .call = id, .outcome = CALL_OTHER, .peer_known = true, .peer = *who};

    rig_call_end(r, id);
    engine_call_done(r->e, &r->now, &result, rig_begin(r));
    rig_end(r);
}

/* A member with those addresses in its facts. */
static void join_at(struct rig *r, struct far *f, uint64_t serial,
                    const struct addr *v, size_t n)
{
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    struct object *facts = far_facts(f, r, serial - 1, v, n);
    struct bundle *b = far_sign(f, r, serial, &fields, &facts, 1);

    assert_int_equal(far_give(f, r, b, 0), KITH_OK);
    bundle_unref(b);
    object_unref(facts);
}

/* Until a call is under way. */
static void await_call(struct rig *r)
{
    for (int i = 0; i < 3000 && r->n_calls == 0; i++)
        rig_run(r, 1);
    assert_true(r->n_calls > 0);
}

/* -- the budget -- */

/* 3 at a time, 8 at once, then 2 a second. */
static void test_budget(void **state)
{
    struct rig *r = rig_up(1);
    uint64_t before;

    (void)state;
    rig_run(r, 5000);
    before = rig_count(r, COUNT_DIALS);
    for (uint64_t i = 0; i < PEERS_MAX; i++) {
        struct addr a = rig_addr(100 + i);

        configure(r, &a, KITH_OK);
    }
    configure(r, &r->link.addrs[0].addr, KITH_ERR_FULL);
    rig_run(r, 0);
    assert_int_equal(r->n_calls, DIALS_MAX);
    assert_int_equal(rig_count(r, COUNT_DIALS) - before, DIALS_MAX);
    rig_calls_fail(r, CALL_TCP);
    assert_int_equal(rig_count(r, COUNT_DIALS) - before, DIAL_BURST);
    for (int i = 0; i < 40; i++) {
        rig_run(r, 100);
        rig_calls_fail(r, CALL_TCP);
    }
    assert_in_range(rig_count(r, COUNT_DIALS) - before, DIAL_BURST + 7,
                    DIAL_BURST + 9);
    rig_free(r);
}

/* A configured peer is tried every 30 s until it is one of us. */
static void test_configured(void **state)
{
    struct rig *r = rig_up(1);
    struct addr a = rig_addr(9);
    size_t calls = 0;
    struct far f;

    (void)state;
    far_init(&f, r, 9);
    configure(r, &a, KITH_OK);
    for (int i = 0; i < 300; i++) {
        rig_run(r, 1000);
        calls += calls_to(r, &a);
        rig_calls_fail(r, CALL_REFUSED);
    }
    assert_in_range(calls, 9, 11);
    for (int i = 0; i < 32 && r->n_calls == 0; i++)
        rig_run(r, 1000);
    assert_int_equal(calls_to(r, &a), 1);
    assert_false(r->calls[0].has_expected);
    far_accept(&f, r, r->calls[0].id);
    assert_int_equal(rig_peer(r, &f.id)->state, PEER_OPEN);

    /* while it is a session nobody dials it */
    for (int i = 0; i < 100; i++) {
        rig_run(r, 1000);
        far_nod(&f, r);
        assert_int_equal(calls_to(r, &a), 0);
    }
    far_clear(&f);
    rig_free(r);
}

/* -- destinations -- */

/* However many say that they are there: an address that does not answer is
 * left alone for 10 s, then 20, 40, ... up to 10 minutes. */
static void test_back_off(void **state)
{
    struct rig *r = rig_up(1);
    struct addr victim = rig_addr(200);
    uint64_t last_ms = 0, gap_ms = DIAL_BACKOFF_MIN;
    size_t calls = 0;
    struct far f[10];

    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        far_init(&f[i], r, 10 + i);
        join_at(r, &f[i], 10, &victim, 1);
    }
    for (uint64_t s = 0; s < 6 * 3600; s++) {
        if (s % 600 == 0)
            for (uint64_t i = 0; i < 10; i++)
                join_at(r, &f[i], 20 + s, &victim, 1);
        rig_run(r, 1000);
        if (r->n_calls == 0)
            continue;
        calls += r->n_calls;
        if (calls > DIALS_MAX) { /* the first were begun together */
            uint64_t ms = r->now.mono.us / 1000;

            assert_int_equal(r->n_calls, 1);
            assert_true(ms - last_ms + 1000 >= gap_ms);
            gap_ms =
                gap_ms * 2 > DIAL_BACKOFF_MAX ? DIAL_BACKOFF_MAX : gap_ms * 2;
        }
        last_ms = r->now.mono.us / 1000;
        rig_calls_fail(r, CALL_TCP);
    }
    assert_in_range(calls, 20, 45);
    for (uint64_t i = 0; i < 10; i++)
        far_clear(&f[i]);
    rig_free(r);
}

/* An address that turned out to be ours is never dialled again, whoever says
 * that it is there. */
static void test_own_address(void **state)
{
    struct rig *r = rig_up(1);
    struct addr a = rig_addr(200);
    struct far f, me;

    (void)state;
    far_init(&f, r, 2);
    far_init(&me, r, 1);
    configure(r, &a, KITH_OK);
    rig_run(r, 0);
    assert_int_equal(calls_to(r, &a), 1);
    far_accept(&me, r, r->calls[0].id);
    assert_int_equal(r->e->n_peers, 0);
    join_at(r, &f, 10, &a, 1);
    for (int i = 0; i < 3600; i++) {
        rig_run(r, 1000);
        assert_int_equal(r->n_calls, 0);
    }
    far_clear(&f);
    far_clear(&me);
    rig_free(r);
}

static void test_own_address_other(void **state)
{
    struct rig *r = rig_up(1);
    struct addr a = rig_addr(200);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    join_at(r, &f, 10, &a, 1);
    rig_run(r, 200);
    assert_int_equal(calls_to(r, &a), 1);
    found_other(r, r->calls[0].id, &r->e->self);
    for (int i = 0; i < 1500; i++) {
        rig_run(r, 1000);
        assert_int_equal(r->n_calls, 0);
    }
    far_clear(&f);
    rig_free(r);
}

/* What others sign cannot aim us at services that are none of the mesh's. */
static void test_refused_addresses(void **state)
{
    static const char *const bad[] = {
        "198.51.100.1:22", "127.0.0.1:16990", "169.254.0.1:16990",
        "224.0.0.1:16990", "[ff02::1]:16990", "255.255.255.255:16990",
        "[fe80::1]:16990",
    };
    struct addr v[FACTS_ADDRS_MAX];
    struct rig *r = rig_up(1);
    size_t n = sizeof bad / sizeof *bad;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(text_addr_parse(&v[i], bad[i], 0), KITH_OK);
    v[n] = rig_addr(1); /* ourselves */
    join_at(r, &f, 10, v, n + 1);
    for (int i = 0; i < 200; i++) {
        rig_run(r, 1000);
        assert_int_equal(r->n_calls, 0);
    }
    assert_string_equal(rig_peer(r, &f.id)->reason, "no address");
    far_clear(&f);
    rig_free(r);
}

/* -- a node's addresses -- */

/* Last good, then on a link of ours, then the others, 250 ms apart. */
static void test_order(void **state)
{
    struct rig *r = rig_up(1);
    struct addr v[4], good = rig_addr(33);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    assert_int_equal(text_addr_parse(&v[0], "10.0.0.1:16990", 0), KITH_OK);
    v[1] = rig_addr(50);
    assert_int_equal(text_addr_parse(&v[2], "203.0.113.1:16990", 0), KITH_OK);
    join_at(r, &f, 10, v, 3);
    await_call(r);
    for (int i = 0; i < 50; i++) {
        rig_calls_fail(r, CALL_TCP);
        rig_run(r, 100);
    }

    index_find(&r->e->index, &f.id)->good[0] = good;
    dial_forget_failures(r->e, &r->now);
    rig_forget(r);
    join_at(r, &f, 20, v, 3);
    await_call(r);
    assert_int_equal(r->n_calls, 1);
    assert_memory_equal(&r->calls[0].to, &good, sizeof good);
    assert_true(r->calls[0].has_expected);
    assert_memory_equal(r->calls[0].expected.b, f.id.b, NODE_ID_LEN);
    rig_run(r, DIAL_STAGGER - 1);
    assert_int_equal(r->n_calls, 1);
    rig_run(r, 2);
    assert_int_equal(r->n_calls, 2);
    assert_memory_equal(&r->calls[1].to, &v[1], sizeof v[1]);
    rig_run(r, DIAL_STAGGER);
    assert_int_equal(r->n_calls, 3);
    assert_memory_equal(&r->calls[2].to, &v[0], sizeof v[0]);
    rig_run(r, DIAL_STAGGER);
    assert_int_equal(r->n_calls, DIALS_MAX);

    /* one of them works: the others are ended */
    f.addr = v[1];
    far_accept(&f, r, r->calls[1].id);
    assert_int_equal(r->n_calls, 0);
    assert_int_equal(r->cancels, 2);
    assert_memory_equal(&rig_peer(r, &f.id)->addr, &v[1], sizeof v[1]);
    far_clear(&f);
    rig_free(r);
}

/* A failure leads to the next address at once; another node at one of them is
 * no failure of the node, until all of them were tried. */
static void test_next_at_once(void **state)
{
    struct rig *r = rig_up(1);
    struct addr v[2] = {rig_addr(50), rig_addr(51)};
    struct far f, g;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    join_at(r, &f, 10, v, 2);
    await_call(r);
    p = rig_peer(r, &f.id);
    assert_int_equal(r->n_calls, 1);
    found_other(r, r->calls[0].id, &g.id);
    assert_int_equal(r->n_calls, 1);
    assert_int_equal(p->state, PEER_DIALING);
    assert_memory_equal(&r->calls[0].to, &v[1], sizeof v[1]);
    found_other(r, r->calls[0].id, &g.id);
    assert_int_equal(p->state, PEER_FAILED);
    assert_string_equal(p->reason, "other node");
    assert_null(rig_peer(r, &g.id)); /* not a session with g */
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* -- results -- */

static void test_reasons(void **state)
{
    static const struct {
        enum call_outcome outcome;
        const char *reason;
    } v[] = {
        {CALL_REFUSED, "refused"},   {CALL_TCP, "tcp"},    {CALL_TLS, "tls"},
        {CALL_STRANGER, "stranger"}, {CALL_STATUS, "tls"}, {CALL_BROKEN, "tls"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        struct rig *r = rig_up(1);
        struct far f;

        far_init(&f, r, 2);
        far_join(&f, r, 10);
        await_call(r);
        assert_int_equal(r->n_calls, 1);
        rig_forget(r);
        rig_calls_fail(r, v[i].outcome);
        assert_string_equal(rig_peer(r, &f.id)->reason, v[i].reason);
        assert_int_equal(rig_noted(r, NOTE_NO_ANSWER), 1);
        assert_int_equal(rig_count(r, COUNT_DIALS_FAILED), 1);
        far_clear(&f);
        rig_free(r);
    }
}

/* "OK", and yet no session: nonsense in the grant, no grant, nobody's name,
 * or somebody else's. It is a failure like any other. */
static void test_worthless_ok(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct rig *r = rig_up(1);
        struct call_result result = {.outcome = CALL_OK, .peer_known = true};
        struct grant grant;
        struct far f, g;

        far_init(&f, r, 2);
        far_init(&g, r, 3);
        far_join(&f, r, 10);
        await_call(r);
        far_grant(&f, r, &grant);
        result.call = r->calls[0].id;
        result.peer = f.id;
        result.grant = &grant;
        if (i == 0)
            grant.valid_for_s = 0;
        else if (i == 1)
            grant.renew_after_s = grant.valid_for_s + 1;
        else if (i == 2)
            result.grant = NULL;
        else if (i == 3)
            result.peer_known = false;
        else
            result.peer = g.id;
        rig_call_end(r, result.call);
        engine_call_done(r->e, &r->now, &result, rig_begin(r));
        rig_end(r);
        assert_int_equal(rig_peer(r, &f.id)->state, PEER_FAILED);
        assert_null(rig_peer(r, &g.id));
        assert_int_equal(rig_count(r, COUNT_DIALS_FAILED), 1);
        far_clear(&f);
        far_clear(&g);
        rig_free(r);
    }
}

/* A call that is over, or never was, changes nothing. */
static void test_unknown_call(void **state)
{
    struct rig *r = rig_up(1);
    struct call_result result = {.outcome = CALL_OK, .peer_known = true};
    struct grant grant;
    struct far f;
    struct peer *p, before;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    before = *p;
    far_grant(&f, r, &grant);
    result.peer = f.id;
    result.grant = &grant;
    for (uint32_t id = 0; id < 10; id++) {
        result.call = id;
        engine_call_done(r->e, &r->now, &result, rig_begin(r));
        rig_end(r);
        assert_int_equal(
            engine_call_data(r->e, &r->now, id, grant.key, 32, rig_begin(r)),
            KITH_ERR_NOTFOUND);
        rig_end(r);
    }
    assert_memory_equal(p, &before, sizeof before);
    far_clear(&f);
    rig_free(r);
}

/* -- renewal -- */

/* A session is made anew before it runs out, and the old one is good until
 * then, even if that takes several tries. */
static void test_renewal(void **state)
{
    struct rig *r = rig_up(1);
    struct session_keys old;
    uint64_t t = 0;
    size_t failed = 0, requests = 0;
    struct far f;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    f.renew_after_s = 600;
    f.valid_for_s = 1200;
    p = far_befriend(&f, r);
    p->session.renew = instant_add_ms(r->now.mono, 600000);
    old = f.served;
    while (failed < 3 && t < 1200) {
        rig_run(r, 1000);
        far_nod(&f, r);
        if (t++ % 500 == 0)
            far_join(&f, r, 100 + t);
        if (r->n_calls > 0) {
            assert_true(t >= 550);
            rig_calls_fail(r, CALL_TCP);
            failed++;
        }
        assert_int_equal(p->state, PEER_PROVEN);
    }
    assert_int_equal(failed, 3);
    for (int i = 0; i < 90 && r->n_calls == 0; i++) {
        rig_run(r, 1000);
        far_nod(&f, r);
    }
    assert_int_equal(r->n_calls, 1);
    far_accept(&f, r, r->calls[0].id);
    assert_memory_not_equal(&f.served, &old, sizeof old);
    assert_int_equal(p->state, PEER_PROVEN);
    rig_forget(r);
    for (t = 0; t < 600; t++) {
        rig_run(r, 10);
        requests += far_nod(&f, r);
    }
    assert_true(requests > 0); /* on the new one */
    assert_int_equal(p->state, PEER_PROVEN);
    far_clear(&f);
    rig_free(r);
}

/* -- those who are missing -- */

/* Runs for so long; every call fails. Returns how many went to that address. */
static size_t dialled(struct rig *r, const struct addr *a, uint64_t s)
{
    size_t n = 0;

    for (uint64_t i = 0; i < s; i++) {
        rig_run(r, 1000);
        n += calls_to(r, a);
        rig_calls_fail(r, CALL_TCP);
    }
    return n;
}

/* A member of which we know from the store only, and which nobody can name to
 * us, is tried where it was had last: where there is no multicast that is the
 * only way back. */
static void test_cached(void **state)
{
    struct rig *r = rig_new(1);
    struct stored_node node = {.age_s = 100, .off_s = HEAD_LEASE_MIN_S + 1};
    struct bundle *b;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    b = fake_bundle(r->pool, f.ident, 10, 0, NULL, 0);
    node.good[0] = f.addr;
    assert_int_equal(rig_load(r, b, &node), KITH_OK);
    bundle_unref(b);
    rig_start(r);
    assert_in_range(dialled(r, &f.addr, 600), 4, 10);
    assert_int_equal(rig_noted(r, NOTE_NO_ANSWER), 0);
    for (int i = 0; i < 1200 && !far_call(&f, r, CALL_SESSION); i++)
        rig_run(r, 1000);
    far_accept(&f, r, far_call(&f, r, CALL_SESSION)->id);
    assert_int_equal(rig_peer(r, &f.id)->state, PEER_OPEN);
    far_clear(&f);
    rig_free(r);
}

/* One who is gone is tried as well; by each of many only now and then. */
static void test_gone(void **state)
{
    struct rig *r = rig_new(1);
    struct stored_node node = {.gone = true};
    struct bundle *b;
    struct far f;
    size_t alone, among_many;

    (void)state;
    far_init(&f, r, 2);
    b = fake_bundle(r->pool, f.ident, 10, 0, NULL, 0);
    node.good[0] = f.addr;
    assert_int_equal(rig_load(r, b, &node), KITH_OK);
    rig_start(r);
    alone = dialled(r, &f.addr, 100);
    assert_in_range(alone, 2, 5);
    rig_stop(r);
    rig_make_engine(r);
    assert_int_equal(rig_load(r, b, &node), KITH_OK);
    bundle_unref(b);
    node = (struct stored_node){.off_s = 1};
    for (uint64_t i = 0; i < 1000; i++) {
        struct ident *ident = fake_ident(r->pool, 100 + i);

        b = fake_bundle(r->pool, ident, 10, 0, NULL, 0);
        assert_int_equal(rig_load(r, b, &node), KITH_OK);
        bundle_unref(b);
        ident_unref(ident);
    }
    r->head_serial = 0;
    rig_start(r);
    among_many = dialled(r, &f.addr, 500);
    assert_in_range(among_many, 0, 2);
    far_clear(&f);
    rig_free(r);
}

/* -- the links -- */

/* A link comes up: everything is tried anew, and the engine comes to rest. */
static void test_links_forgive(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    far_befriend(&f, r);
    rig_run(r, 8000);
    for (int i = 0; i < 100; i++) {
        rig_run(r, 1000);
        rig_calls_fail(r, CALL_TCP);
    }
    assert_int_equal(rig_peer(r, &f.id)->state, PEER_FAILED);
    rig_run(r, 15000);
    rig_calls_fail(r, CALL_TCP);
    rig_forget(r);
    rig_links(r, &r->link, 1);
    rig_run(r, 1500);
    assert_in_range(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 1, 2);
    rig_run(r, 10000);
    assert_in_range(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 2, 8);
    far_clear(&f);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_configured),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_own_address),
        cmocka_unit_test(test_own_address_other),
        cmocka_unit_test(test_refused_addresses),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_next_at_once),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_worthless_ok),
        cmocka_unit_test(test_unknown_call),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_cached),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_links_forgive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
