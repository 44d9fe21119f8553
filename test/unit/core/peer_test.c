/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

static const struct rig_note *note_of(const struct rig *r, enum note_type type)
{
    for (size_t i = 0; i < r->n_notes; i++)
        if (r->notes[i].type == type)
            return &r->notes[i];
    return NULL;
}

/* Fails every call, until the peer has failed. */
static void fail_peer(struct rig *r, struct peer *p, enum call_outcome outcome)
{
    for (int i = 0; i < 100 && p->state != PEER_FAILED; i++) {
        rig_run(r, 100);
        rig_calls_fail(r, outcome);
    }
    assert_int_equal(p->state, PEER_FAILED);
}

/* -- grants -- */

static void test_take_grant(void **state)
{
    static const uint32_t bad[][2] = {{0, 0}, {1, 0}, {11, 10}};
    static const uint32_t good[][2] = {
        {0, 1}, {10, 10}, {0, UINT32_MAX}, {UINT32_MAX, UINT32_MAX}};
    struct rig *r = rig_up(1);
    struct far f;
    struct peer *p;
    struct grant g;
    struct session before;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    before = p->session;
    far_grant(&f, r, &g);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        g.renew_after_s = bad[i][0];
        g.valid_for_s = bad[i][1];
        assert_int_equal(
            peer_take_grant(r->e, &r->now, p, &g, &f.addr, &f.addr),
            KITH_ERR_RANGE);
        assert_memory_equal(&p->session, &before, sizeof before);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t us = 1000000;

        g.renew_after_s = good[i][0];
        g.valid_for_s = good[i][1];
        assert_int_equal(
            peer_take_grant(r->e, &r->now, p, &g, &f.addr, &f.addr), KITH_OK);
        assert_in_range(p->session.renew.us, r->now.mono.us + good[i][0] * us,
                        r->now.mono.us + good[i][1] * us);
        assert_int_equal(p->session.expires.us,
                         r->now.mono.us + good[i][1] * us);
        assert_false(p->session.has_cookie);
        assert_true(p->session.reset_usable);
    }
    far_clear(&f);
    rig_free(r);
}

static void test_end_session(void **state)
{
    struct rig *r = rig_up(1);
    struct session none = {.valid = false};
    struct far f;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    assert_true(peer_usable(p, &r->now));
    request_end_peer(r->e, p);
    peer_set_state(r->e, &r->now, p, PEER_FAILED, "test", rig_begin(r));
    peer_end_session(p);
    assert_memory_equal(&p->session, &none, sizeof none);
    assert_false(peer_usable(p, &r->now));
    rig_end(r);
    far_clear(&f);
    rig_free(r);
}

/* -- room -- */

/* When the table is full, who was heard of longest ago makes room; a friend
 * never does, nor one that is being dialled. */
static void test_room(void **state)
{
    struct rig *r = rig_up(1);
    struct node_id id = {{0}};
    struct far f;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    far_befriend(&f, r)->answered.us = 0;
    for (uint8_t i = 1; i < SESSIONS_MAX; i++) {
        id.b[0] = i;
        p = peer_get(r->e, &r->now, &id);
        assert_non_null(p);
        p->answered.us = i;
        assert_ptr_equal(peer_get(r->e, &r->now, &id), p);
    }
    assert_int_equal(r->e->n_peers, SESSIONS_MAX);
    id.b[0] = 1;
    peer_find(r->e, &id)->calls = 1;
    id.b[0] = 2;
    peer_find(r->e, &id)->bulk = true;
    id.b[0] = 200;
    assert_non_null(peer_get(r->e, &r->now, &id));
    assert_int_equal(r->e->n_peers, SESSIONS_MAX);
    id.b[0] = 3;
    assert_null(peer_find(r->e, &id));
    for (uint8_t i = 1; i <= 2; i++) {
        id.b[0] = i;
        p = peer_find(r->e, &id);
        assert_non_null(p);
        p->calls = 0;
        p->bulk = false;
    }
    assert_non_null(rig_peer(r, &f.id));

    /* nobody can be spared */
    for (p = r->e->peers; p; p = p->hh.next)
        p->friend = true;
    id.b[0] = 201;
    assert_null(peer_get(r->e, &r->now, &id));
    for (p = r->e->peers; p; p = p->hh.next)
        p->friend = node_id_equal(&p->id, &f.id);
    rig_tick(r);
    far_clear(&f);
    rig_free(r);
}

/* -- failing, and coming back -- */

/* A proven session goes dead: every address is dialled, then it has failed.
 * The operator hears of it once, and again when it is back. */
static void test_suspect_failed_back(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    rig_forget(r);
    rig_run(r, 8000); /* a sync stays unanswered */
    assert_int_equal(p->state, PEER_SUSPECT);
    assert_int_equal(rig_noted(r, NOTE_NO_ANSWER), 0);
    assert_non_null(far_call(&f, r, CALL_SESSION));
    rig_calls_fail(r, CALL_REFUSED);
    assert_int_equal(p->state, PEER_FAILED);
    assert_int_equal(rig_noted(r, NOTE_NO_ANSWER), 1);
    assert_string_equal(note_of(r, NOTE_NO_ANSWER)->text, "refused");
    assert_memory_equal(note_of(r, NOTE_NO_ANSWER)->id.b, f.id.b, NODE_ID_LEN);

    /* it stays a member, and is tried again, on the old session too */
    rig_forget(r);
    for (int i = 0; i < 300; i++) {
        rig_run(r, 1000);
        rig_calls_fail(r, CALL_TCP);
    }
    assert_int_equal(rig_noted(r, NOTE_NO_ANSWER), 0);
    assert_int_equal(rig_member(r, &f.id)->life, LIFE_LIVE);
    assert_in_range(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 5, 20);
    rig_forget(r);
    for (int i = 0; i < 700 && !far_read(&f, r); i++) {
        rig_run(r, 100);
        rig_calls_fail(r, CALL_TCP);
    }
    far_agree(&f, r);
    assert_int_equal(p->state, PEER_PROVEN);
    assert_int_equal(rig_noted(r, NOTE_BACK), 1);
    far_clear(&f);
    rig_free(r);
}

static void test_suspect_new_session(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    rig_run(r, 8000);
    assert_int_equal(p->state, PEER_SUSPECT);
    rig_forget(r);
    far_accept(&f, r, far_call(&f, r, CALL_SESSION)->id);
    assert_int_equal(p->state, PEER_OPEN);
    rig_run(r, 100);
    assert_true(far_nod(&f, r) > 0);
    assert_int_equal(p->state, PEER_PROVEN);
    assert_int_equal(rig_noted(r, NOTE_NO_ANSWER), 0);
    assert_int_equal(rig_noted(r, NOTE_BACK), 0);
    far_clear(&f);
    rig_free(r);
}

/* A session, but no answer ever: its datagrams do not pass. */
static void test_open_fails(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    far_join(&f, r, 10);
    rig_run(r, 100);
    far_accept(&f, r, far_call(&f, r, CALL_SESSION)->id);
    p = rig_peer(r, &f.id);
    assert_int_equal(p->state, PEER_OPEN);
    rig_forget(r);
    rig_run(r, 3000);
    assert_int_equal(p->state, PEER_FAILED);
    assert_string_equal(p->reason, "udp");
    assert_string_equal(note_of(r, NOTE_NO_ANSWER)->text, "udp");
    far_clear(&f);
    rig_free(r);
}

/* Who is no member of ours is dropped without a word. */
static void test_stranger_fails_silently(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    far_meet(&f, r);
    rig_forget(r);
    fail_peer(r, rig_peer(r, &f.id), CALL_TCP);
    assert_int_equal(rig_noted(r, NOTE_NO_ANSWER), 0);
    far_clear(&f);
    rig_free(r);
}

/* -- a new head of somebody who failed -- */

static void test_head_rose(void **state)
{
    struct rig *r = rig_up(1);
    struct far f, g;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    p = far_befriend(&f, r);
    rig_run(r, 8000);
    fail_peer(r, p, CALL_TCP);
    far_join(&f, r, 20); /* somebody has heard it */
    assert_int_equal(p->state, PEER_OPEN);
    rig_forget(r);
    rig_run(r, 100);
    assert_true(far_read(&f, r)); /* asked at once */

    /* without a session it is dialled */
    fail_peer(r, p, CALL_TCP);
    peer_end_session(p);
    rig_run(r, 10000);
    dial_forget_failures(r->e, &r->now);
    far_join(&f, r, 30);
    assert_true(p->state == PEER_IDLE || p->state == PEER_DIALING);
    rig_run(r, 2000);
    assert_int_equal(p->state, PEER_DIALING);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* One that says that it is away is left alone. */
static void test_head_rose_away(void **state)
{
    struct rig *r = rig_up(1);
    struct bundle *b;
    struct far f;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    rig_run(r, 8000);
    fail_peer(r, p, CALL_TCP);
    b = far_head(&f, r, 20, HEAD_AWAY, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&f, r, b, 0), KITH_OK);
    assert_int_equal(p->state, PEER_FAILED);
    bundle_unref(b);
    far_clear(&f);
    rig_free(r);
}

/* -- good addresses -- */

/* Where a node was had last comes first; two are remembered. */
static void test_good_addresses(void **state)
{
    struct rig *r = rig_up(1);
    const struct member *m;
    struct addr a;
    struct far f;
    struct peer *p;

    (void)state;
    far_init(&f, r, 2);
    p = far_befriend(&f, r);
    m = rig_member(r, &f.id);
    assert_memory_equal(&m->good[0], &f.addr, sizeof f.addr);
    assert_int_equal(m->good[1].family, 0);
    for (uint64_t i = 10; i < 13; i++) {
        a = f.addr;
        p->addr = f.addr = rig_addr(i);
        peer_set_state(r->e, &r->now, p, PEER_OPEN, "", rig_begin(r));
        peer_answered(r->e, &r->now, p, 1000, &r->out);
        rig_end(r);
        assert_memory_equal(&m->good[0], &f.addr, sizeof a);
        assert_memory_equal(&m->good[1], &a, sizeof a);
    }
    far_clear(&f);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_grant),
        cmocka_unit_test(test_end_session),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_suspect_failed_back),
        cmocka_unit_test(test_suspect_new_session),
        cmocka_unit_test(test_open_fails),
        cmocka_unit_test(test_stranger_fails_silently),
        cmocka_unit_test(test_head_rose),
        cmocka_unit_test(test_head_rose_away),
        cmocka_unit_test(test_good_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
