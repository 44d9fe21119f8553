/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/rings.h"
#include "engine_far.h"

/*
 * A crowd of nodes that answer whatever they are asked, except for those that
 * are down. rig_check() asserts after every event that no more than 20 are
 * talked to.
 */
enum {
    CROWD_MAX = 60,
};

struct crowd {
    struct rig *r;
    struct far f[CROWD_MAX];
    bool down[CROWD_MAX];
    bool asked[CROWD_MAX]; /* was sent a request */
    size_t n;
};

static void crowd_init(struct crowd *c, size_t n)
{
    memset(c, 0, sizeof *c);
    c->r = rig_up(1);
    c->n = n;
    for (size_t i = 0; i < n; i++) {
        far_init(&c->f[i], c->r, 2 + i);
        far_join(&c->f[i], c->r, 10);
    }
}

static void crowd_free(struct crowd *c)
{
    for (size_t i = 0; i < c->n; i++)
        far_clear(&c->f[i]);
    rig_free(c->r);
}

static void crowd_calls(struct crowd *c)
{
    size_t i = 0;

    while (i < c->r->n_calls) {
        struct rig_call *call = &c->r->calls[i++];
        size_t k = (size_t)(call->to.ip[3] - 2);

        assert_in_range(k, 0, c->n - 1);
        if (c->down[k])
            rig_call_fails(c->r, call->id, CALL_TCP);
        else
            far_accept(&c->f[k], c->r, call->id);
        i = 0; /* the list has changed */
    }
}

static void crowd_run(struct crowd *c, uint64_t ms)
{
    struct rig *r = c->r;

    for (uint64_t t = 0; t < ms; t += 20) {
        rig_run(r, 20);
        crowd_calls(c);
        for (size_t i = 0; i < r->n_sent; i++)
            if (r->sent[i].data[1] == DGRAM_REQUEST)
                c->asked[r->sent[i].to.ip[3] - 2] = true;
        for (size_t k = 0; k < c->n; k++) {
            size_t from = 0;

            while (!c->down[k] && far_read_from(&c->f[k], r, &from))
                far_agree(&c->f[k], r);
        }
        rig_forget(r);
    }
}

static size_t asked(struct crowd *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++)
        n += c->asked[i];
    memset(c->asked, 0, sizeof c->asked);
    return n;
}

/* -- how many -- */

/* In a mesh of up to 21, all others. */
static void test_everybody(void **state)
{
    static struct crowd c;

    (void)state;
    crowd_init(&c, EVERYBODY_MAX - 1);
    crowd_run(&c, 20000);
    assert_int_equal(c.r->e->friends.n, EVERYBODY_MAX - 1);
    for (size_t i = 0; i < c.n; i++)
        assert_int_equal(rig_peer(c.r, &c.f[i].id)->state, PEER_PROVEN);
    assert_int_equal(asked(&c), EVERYBODY_MAX - 1);
    crowd_free(&c);
}

/* In a larger one 20, whom the rings choose, and only those are ever sent a
 * request. */
static void test_twenty(void **state)
{
    static struct crowd c;
    struct ring_member members[CROWD_MAX];
    struct ring_friend chosen[FRIENDS_MAX];

    (void)state;
    crowd_init(&c, CROWD_MAX);
    crowd_run(&c, 30000);
    assert_int_equal(c.r->e->friends.n, FRIENDS_MAX);
    asked(&c);
    crowd_run(&c, 60000);
    assert_int_equal(asked(&c), FRIENDS_MAX);
    for (size_t i = 0; i < c.n; i++)
        members[i] = (struct ring_member){.ident = c.f[i].ident};
    assert_int_equal(rings_friends(members, c.n, c.r->e->ident, chosen),
                     FRIENDS_MAX);
    for (size_t i = 0; i < FRIENDS_MAX; i++) {
        const struct peer *p = rig_peer(c.r, &chosen[i].ident->id);

        assert_true(p->friend);
        assert_int_equal(p->ring, chosen[i].ring);
        assert_int_equal(p->state, PEER_PROVEN);
    }
    crowd_free(&c);
}

/* -- who stands in -- */

/* Those that fail are replaced, and have their place back when they are there
 * again. */
static void test_stand_ins(void **state)
{
    static struct crowd c;
    size_t down = 0, proven = 0;
    bool was_friend[CROWD_MAX];

    (void)state;
    crowd_init(&c, CROWD_MAX);
    crowd_run(&c, 30000);
    for (size_t i = 0; i < c.n; i++) {
        const struct peer *p = rig_peer(c.r, &c.f[i].id);

        was_friend[i] = p && p->friend;
        c.down[i] = was_friend[i] && down < 7;
        down += c.down[i];
    }
    crowd_run(&c, 60000);
    for (size_t i = 0; i < c.n; i++) {
        const struct peer *p = rig_peer(c.r, &c.f[i].id);

        if (c.down[i])
            assert_false(p->friend);
        proven += p && p->friend && p->state == PEER_PROVEN;
    }
    assert_int_equal(proven, FRIENDS_MAX);
    memset(c.down, 0, sizeof c.down);
    crowd_run(&c, 200000);
    for (size_t i = 0; i < c.n; i++) {
        const struct peer *p = rig_peer(c.r, &c.f[i].id);

        assert_int_equal(p && p->friend, was_friend[i]);
    }
    crowd_free(&c);
}

/* Half of the mesh dies: the other half are the friends. */
static void test_half_dies(void **state)
{
    static struct crowd c;
    size_t proven = 0;

    (void)state;
    crowd_init(&c, 50);
    crowd_run(&c, 30000);
    for (size_t i = 0; i < c.n; i += 2)
        c.down[i] = true;
    crowd_run(&c, 120000);
    for (size_t i = 0; i < c.n; i++) {
        const struct peer *p = rig_peer(c.r, &c.f[i].id);

        proven += p && p->friend && p->state == PEER_PROVEN;
    }
    assert_int_equal(proven, FRIENDS_MAX);
    crowd_free(&c);
}

/* -- when -- */

/* One who has left is no friend; nor one whose away has gone on too long. */
static void test_left_and_away(void **state)
{
    static struct crowd c;
    struct bundle *b;

    (void)state;
    crowd_init(&c, 3);
    crowd_run(&c, 5000);
    assert_int_equal(c.r->e->friends.n, 3);
    b = far_head(&c.f[0], c.r, 20, HEAD_LEAVE, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&c.f[0], c.r, b, 0), KITH_OK);
    bundle_unref(b);
    crowd_run(&c, 3000);
    assert_int_equal(c.r->e->friends.n, 2);
    assert_false(rig_peer(c.r, &c.f[0].id)->friend);

    b = far_head(&c.f[1], c.r, 20, HEAD_AWAY, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&c.f[1], c.r, b, 0), KITH_OK);
    bundle_unref(b);
    c.down[1] = true;
    crowd_run(&c, AWAY_MS - 3000);
    assert_true(rig_peer(c.r, &c.f[1].id)->friend); /* it keeps its place */
    crowd_run(&c, 30000);
    assert_false(rig_peer(c.r, &c.f[1].id)->friend);
    far_join(&c.f[1], c.r, 30);
    c.down[1] = false;
    crowd_run(&c, 30000);
    assert_true(rig_peer(c.r, &c.f[1].id)->friend);
    crowd_free(&c);
}

/* However fast the members change, friends are computed every 2 s at most,
 * once there are 20. */
static void test_recompute(void **state)
{
    static struct crowd c;
    struct instant last;
    size_t changes = 0;

    (void)state;
    crowd_init(&c, 40);
    crowd_run(&c, 30000);
    last = c.r->e->friends.at;
    for (uint64_t i = 0; i < 100; i++) {
        struct far f;

        far_init(&f, c.r, 200 + i);
        far_join(&f, c.r, 10);
        far_clear(&f);
        rig_run(c.r, 100);
        rig_calls_fail(c.r, CALL_TCP);
        if (c.r->e->friends.at.us != last.us) {
            assert_true(instant_since_ms(c.r->e->friends.at, last) >=
                        FRIENDS_RECOMPUTE);
            last = c.r->e->friends.at;
            changes++;
        }
        if (c.r->e->friends.n < FRIENDS_MAX)
            break;
    }
    assert_in_range(changes, 1, 6);
    crowd_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody),     cmocka_unit_test(test_twenty),
        cmocka_unit_test(test_stand_ins),     cmocka_unit_test(test_half_dies),
        cmocka_unit_test(test_left_and_away), cmocka_unit_test(test_recompute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
