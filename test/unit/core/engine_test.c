/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"
#include "engine_mesh.h"

static int put(struct rig *r, const char *name, const void *p, size_t n)
{
    int err = engine_put(r->e, &r->now, name, p, n, rig_begin(r));

    rig_end(r);
    return err;
}

static int tag(struct rig *r, const char *key, const char *value)
{
    int err = engine_tag(r->e, &r->now, key, value, rig_begin(r));

    rig_end(r);
    return err;
}

/* -- two engines -- */

/* From nothing: a beacon, a hint, a session, a sync, and both know both. */
static void test_two_from_nothing(void **state)
{
    static struct mesh m;

    (void)state;
    mesh_init(&m, 2);
    mesh_start(&m);
    mesh_run(&m, 10000);
    assert_true(mesh_agrees(&m, 2));
    for (size_t i = 0; i < 2; i++) {
        const struct rig *r = m.r[i];

        assert_int_equal(rig_peer(r, &m.r[1 - i]->e->self)->state, PEER_PROVEN);
        assert_false(r->e->discovery.searching);
        assert_int_equal(rig_noted(r, NOTE_FOUND), 1);
        assert_int_equal(rig_noted(r, NOTE_JOINED), 1);
        assert_int_equal(rig_count(r, COUNT_FORGED), 0);
        assert_int_equal(rig_count(r, COUNT_MALFORMED), 0);
        assert_int_equal(rig_count(r, COUNT_BLOCKS_REFUSED), 0);
    }
    mesh_free(&m);
}

/* Changes of every size reach the other side at once. */
static void test_two_change(void **state)
{
    static const size_t lens[] = {
        0, 100, 1000, 5000, 8000, 20000, BLOCK_PAYLOAD_MAX};
    static uint8_t payload[BLOCK_PAYLOAD_MAX];
    static struct mesh m;

    (void)state;
    memset(payload, 0xab, sizeof payload);
    mesh_init(&m, 2);
    mesh_start(&m);
    mesh_run(&m, 10000);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        char name[] = {'a', (char)('0' + i), '\0'};
        const struct bundle *b;
        struct object *object;
        struct block block;

        assert_int_equal(put(m.r[0], name, payload, lens[i]), KITH_OK);
        assert_false(mesh_agrees(&m, 2));
        mesh_run(&m, lens[i] > 8000 ? 15000 : 500);
        assert_true(mesh_agrees(&m, 2));
        b = rig_member(m.r[1], &m.r[0]->e->self)->bundle;
        object = bundle_block(b, name);
        assert_non_null(object);
        object_block(object, &block);
        assert_int_equal(block.payload_len, lens[i]);
        assert_true(lens[i] == 0 ||
                    memcmp(block.payload, payload, lens[i]) == 0);
    }
    mesh_free(&m);
}

/* One datagram in five is lost: it takes longer, and that is all. */
static void test_two_lossy(void **state)
{
    static struct mesh m;

    (void)state;
    mesh_init(&m, 2);
    m.loss = 20;
    mesh_start(&m);
    mesh_run(&m, 30000);
    assert_true(mesh_agrees(&m, 2));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tag(m.r[i % 2], "n", i % 3 ? "1" : "2"), KITH_OK);
        mesh_run(&m, 15000);
        assert_true(mesh_agrees(&m, 2));
    }
    assert_true(m.lost > 10);
    mesh_free(&m);
}

/* One says good-bye: the other knows at once, and its last words stay. */
static void test_two_leave(void **state)
{
    static struct mesh m;
    struct member_view view;

    (void)state;
    mesh_init(&m, 2);
    mesh_start(&m);
    mesh_run(&m, 10000);
    engine_leave(m.r[0]->e, &m.r[0]->now, rig_begin(m.r[0]));
    rig_end(m.r[0]);
    mesh_run(&m, 100);
    assert_int_equal(
        engine_member(m.r[1]->e, &m.r[1]->now, &m.r[0]->e->self, &view),
        KITH_OK);
    assert_int_equal(view.state, MEMBER_LEFT);
    assert_non_null(view.bundle);
    mesh_free(&m);
}

/* A short cut of the datagrams, and of everything: afterwards both know all
 * that has changed meanwhile. */
static void test_two_cut(void **state)
{
    static struct mesh m;
    uint64_t seconds[] = {3, 30, 300};

    (void)state;
    mesh_init(&m, 2);
    mesh_start(&m);
    mesh_run(&m, 20000);
    for (size_t i = 0; i < 3; i++) {
        m.cut[0] = true;
        m.off[0] = i > 0;
        assert_int_equal(tag(m.r[0], "a", i % 2 ? "1" : "2"), KITH_OK);
        assert_int_equal(tag(m.r[1], "b", i % 2 ? "1" : "2"), KITH_OK);
        mesh_run(&m, seconds[i] * 1000);
        m.cut[0] = m.off[0] = false;
        mesh_run(&m, 70000);
        assert_true(mesh_agrees(&m, 2));
    }
    mesh_free(&m);
}

/* -- several -- */

static void test_many(void **state)
{
    static struct mesh m;

    (void)state;
    mesh_init(&m, MESH_MAX);
    mesh_start(&m);
    mesh_run(&m, 40000);
    assert_true(mesh_agrees(&m, MESH_MAX));
    for (size_t i = 0; i < MESH_MAX; i++)
        assert_int_equal(m.r[i]->e->friends.n, FRIENDS_MAX);
    assert_int_equal(put(m.r[3], "note", "hello", 5), KITH_OK);
    mesh_run(&m, 5000);
    assert_true(mesh_agrees(&m, MESH_MAX));
    mesh_free(&m);
}

/* -- restarts -- */

/* All stop, and start again from what they have stored: nobody needs a new
 * handshake of the other's making, and all agree again. */
static void test_restart(void **state)
{
    static struct mesh m;
    struct bundle *known;
    struct stored_node node = {.off_s = 10};
    struct rig *r;

    (void)state;
    mesh_init(&m, 2);
    mesh_start(&m);
    mesh_run(&m, 20000);
    r = m.r[0];
    known = bundle_ref(rig_member(r, &m.r[1]->e->self)->bundle);
    node.good[0] = rig_addr(2);
    rig_stop(r);
    r->config.fresh = false;
    rig_make_engine(r);
    assert_int_equal(engine_load_vault(r->e, &r->now, r->vault, VAULT_LEN),
                     KITH_OK);
    assert_int_equal(rig_load(r, known, &node), KITH_OK);
    bundle_unref(known);
    rig_start(r);
    mesh_run(&m, 30000);
    assert_true(mesh_agrees(&m, 2));
    /* r's side of the other's session is as it was: no reset was needed */
    assert_int_equal(rig_count(r, COUNT_RESETS_OUT), 0);
    mesh_free(&m);
}

/* A vault that is lost makes sessions unknown: resets, and new ones. */
static void test_lost_vault(void **state)
{
    static struct mesh m;
    struct rig *r;

    (void)state;
    mesh_init(&m, 2);
    mesh_start(&m);
    mesh_run(&m, 20000);
    r = m.r[0];
    r->vault_written = false;
    r->head_serial = 0; /* it may begin anew */
    rig_restart(r, false);
    mesh_run(&m, 60000);
    assert_true(mesh_agrees(&m, 2));
    assert_in_range(rig_count(r, COUNT_RESETS_OUT), 1, REQUESTS_PER_PEER);
    mesh_free(&m);
}

static void test_load_vault(void **state)
{
    struct rig *r = rig_new(1);
    uint8_t bad[VAULT_LEN] = {9};

    (void)state;
    assert_int_equal(engine_load_vault(r->e, &r->now, bad, sizeof bad),
                     KITH_ERR_NEWER);
    assert_int_equal(engine_load_vault(r->e, &r->now, bad, 0), KITH_ERR_FORMAT);
    rig_start(r); /* with new secrets */
    rig_run(r, 10);
    assert_int_equal(r->heads, 1);
    rig_free(r);
}

/* -- sleep -- */

/* After a sleep all tries are discarded: nobody is accused of it. */
static void test_woke(void **state)
{
    struct rig *r = rig_up(1);
    struct peer *p;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    p->sync_at = r->now.mono;
    rig_tick(r);
    assert_true(p->inflight > 0);
    rig_pass(r, instant_add_ms(r->now.mono, 60000));
    engine_woke(r->e, &r->now, 60000, rig_begin(r));
    rig_end(r);
    assert_true(p->state == PEER_PROVEN || p->state == PEER_OPEN);
    assert_int_equal(rig_noted(r, NOTE_NO_ANSWER), 0);
    assert_int_equal(rig_member(r, &f.id)->life, LIFE_LIVE);

    /* longer than its lease: it counts when somebody names it */
    engine_woke(r->e, &r->now, 3600000, rig_begin(r));
    rig_end(r);
    assert_int_equal(rig_member(r, &f.id)->life, LIFE_CACHED);
    assert_int_equal(rig_member(r, &r->e->self)->life, LIFE_LIVE);
    far_announce(&f, r, rig_member(r, &f.id)->bundle);
    assert_int_equal(rig_member(r, &f.id)->life, LIFE_LIVE);
    far_clear(&f);
    rig_free(r);
}

static void test_woke_suspect(void **state)
{
    struct rig *r = rig_up(1);
    struct peer *p;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    rig_run(r, 8000);
    assert_int_equal(p->state, PEER_SUSPECT);
    engine_woke(r->e, &r->now, 5000, rig_begin(r));
    rig_end(r);
    assert_int_equal(p->state, PEER_OPEN);
    assert_int_equal(r->n_calls, 0);
    rig_run(r, 100);
    far_clear(&f);
    rig_free(r);
}

/* -- before the start, and what comes at the wrong time -- */

static void test_not_started(void **state)
{
    struct rig *r = rig_new(1);
    struct beacon b = {.port = PROTOCOL_PORT};
    uint8_t bytes[DGRAM_BEACON_LEN];
    struct call_result result = {.call = 1, .outcome = CALL_OK};
    struct addr a = rig_addr(2);

    (void)state;
    beacon_encode(&b, bytes);
    rig_datagram(r, &a, bytes, sizeof bytes);
    rig_links(r, &r->link, 1);
    engine_refused(r->e, &r->now, &a, rig_begin(r));
    rig_end(r);
    engine_call_done(r->e, &r->now, &result, rig_begin(r));
    rig_end(r);
    engine_woke(r->e, &r->now, 1000000, rig_begin(r));
    rig_end(r);
    engine_vault_done(r->e, &r->now, true, rig_begin(r));
    rig_end(r);
    assert_int_equal(put(r, "early", "x", 1), KITH_OK);
    assert_int_equal(engine_peer(r->e, &r->now, &a), KITH_OK);
    engine_away(r->e, &r->now, rig_begin(r));
    rig_end(r);
    rig_tick(r);
    assert_int_equal(r->n_sent + r->n_calls + r->beacons + r->vaults, 0);
    assert_int_equal(engine_deadline(r->e, &r->now).us, INSTANT_NEVER.us);
    rig_free(r);
}

static void test_versions(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t bytes[DGRAM_BEACON_LEN] = {2, DGRAM_BEACON};
    struct addr a = rig_addr(2);

    (void)state;
    rig_datagram(r, &a, bytes, sizeof bytes);
    assert_int_equal(rig_count(r, COUNT_VERSION), 1);
    bytes[0] = 1;
    bytes[1] = 77;
    rig_datagram(r, &a, bytes, sizeof bytes);
    rig_datagram(r, &a, NULL, 0);
    assert_int_equal(rig_count(r, COUNT_MALFORMED), 2);
    assert_int_equal(rig_count(r, COUNT_DATAGRAMS_IN), 3);
    rig_free(r);
}

/* -- looking -- */

struct seen {
    struct node_id id[8];
    enum member_state state[8];
    size_t n;
};

static void see(void *arg, const struct member_view *view)
{
    struct seen *s = arg;

    s->id[s->n] = view->id;
    s->state[s->n++] = view->state;
}

static void test_view(void **state)
{
    struct rig *r = rig_up(1);
    struct seen s = {.n = 0};
    struct member_view view;
    struct engine_status status;
    struct node_id nobody = {{1}};
    struct bundle *b;
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    far_befriend(&f, r);
    b = far_head(&g, r, 10, HEAD_AWAY, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&g, r, b, 0), KITH_OK);
    bundle_unref(b);
    engine_members(r->e, &r->now, see, &s);
    assert_int_equal(s.n, 3);
    for (size_t i = 0; i < 3; i++) {
        if (i > 0)
            assert_true(memcmp(s.id[i - 1].b, s.id[i].b, NODE_ID_LEN) < 0);
        assert_int_equal(s.state[i], node_id_equal(&s.id[i], &g.id)
                                         ? MEMBER_AWAY
                                         : MEMBER_UP);
    }
    assert_int_equal(engine_member(r->e, &r->now, &f.id, &view), KITH_OK);
    assert_true(view.friend && view.session && view.proven && !view.self);
    assert_memory_equal(&view.addr, &f.addr, sizeof f.addr);
    assert_string_equal(view.reason, "");
    assert_int_equal(engine_member(r->e, &r->now, &r->e->self, &view), KITH_OK);
    assert_true(view.self);
    assert_int_equal(view.answer_ms, UINT64_MAX);
    assert_int_equal(engine_member(r->e, &r->now, &nobody, &view),
                     KITH_ERR_NOTFOUND);
    engine_status(r->e, &r->now, &status);
    assert_int_equal(status.members, 3);
    assert_int_equal(status.serial, r->head_serial);
    assert_true(status.may_sign && status.heard);

    rig_run(r, 10000);
    rig_calls_fail(r, CALL_REFUSED);
    assert_int_equal(engine_member(r->e, &r->now, &f.id, &view), KITH_OK);
    assert_int_equal(view.state, MEMBER_NO_ANSWER);
    assert_string_equal(view.reason, "refused");
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

static void test_counter_names(void **state)
{
    (void)state;
    for (int i = 0; i < ENGINE_COUNTERS; i++) {
        assert_string_not_equal(engine_counter_name((enum engine_counter)i),
                                "unknown");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(
                engine_counter_name((enum engine_counter)i),
                engine_counter_name((enum engine_counter)j));
    }
    assert_string_equal(engine_counter_name(ENGINE_COUNTERS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_from_nothing),
        cmocka_unit_test(test_two_change),
        cmocka_unit_test(test_two_lossy),
        cmocka_unit_test(test_two_leave),
        cmocka_unit_test(test_two_cut),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_lost_vault),
        cmocka_unit_test(test_load_vault),
        cmocka_unit_test(test_woke),
        cmocka_unit_test(test_woke_suspect),
        cmocka_unit_test(test_not_started),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_counter_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
