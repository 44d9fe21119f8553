/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

/* How many times f was told of that head since rig_forget(); answers. */
static size_t told(struct far *f, struct rig *r, const struct node_id *id,
                   uint64_t serial)
{
    size_t from = 0, n = 0;

    while (far_read_from(f, r, &from)) {
        struct item item;
        struct item_announce a;

        if (far_item(f, ITEM_ANNOUNCE, &item))
            for (size_t i = 0; i < item.list.n; i++) {
                item_announce_at(&item, i, &a);
                n += node_id_equal(&a.id, id) && a.serial == serial;
            }
        far_agree(f, r);
    }
    return n;
}

/* A friend on the first ring, and no newcomer any more. */
static struct peer *settle(struct far *f, struct rig *r, uint64_t number)
{
    struct peer *p;

    far_init(f, r, number);
    p = far_befriend(f, r);
    for (int i = 0; i < 40; i++) {
        rig_run(r, 500);
        far_nod(f, r);
    }
    assert_false(r->e->sync.newcomer);
    assert_true(p->ring < ANNOUNCE_RINGS);
    p->sync_at = instant_add_ms(r->now.mono, 3600000);
    rig_forget(r);
    return p;
}

/* The first change is told at once; what follows within 50 ms, together. */
static void test_at_once(void **state)
{
    struct rig *r = rig_up(1);
    struct far f, g[3];

    (void)state;
    settle(&f, r, 2);
    for (uint64_t i = 0; i < 3; i++)
        far_init(&g[i], r, 10 + i);
    far_join(&g[0], r, 10);
    assert_int_equal(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 1);
    assert_int_equal(told(&f, r, &g[0].id, 10), 1);
    rig_forget(r);
    far_join(&g[1], r, 10);
    far_join(&g[2], r, 10);
    rig_run(r, ANNOUNCE_BATCH - 1);
    assert_int_equal(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 0);
    rig_run(r, 2);
    assert_int_equal(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 1);
    assert_int_equal(told(&f, r, &g[1].id, 10), 1);
    far_clear(&f);
    for (uint64_t i = 0; i < 3; i++)
        far_clear(&g[i]);
    rig_free(r);
}

/* Our own change, and until it is answered it is told again. */
static void test_own_change(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    settle(&f, r, 2);
    assert_int_equal(engine_tag(r->e, &r->now, "a", "1", rig_begin(r)),
                     KITH_OK);
    rig_end(r);
    assert_int_equal(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 1);
    rig_run(r, 700);
    assert_in_range(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 2, 3);
    assert_true(told(&f, r, &r->e->self, r->head_serial) >= 1);
    rig_forget(r);
    rig_run(r, 3000);
    assert_int_equal(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 0);
    far_clear(&f);
    rig_free(r);
}

/* Who gave a head is not told of it, nor its author. */
static void test_not_back(void **state)
{
    struct rig *r = rig_up(1);
    struct bundle *b;
    struct far f, g;

    (void)state;
    settle(&f, r, 2);
    far_init(&g, r, 10);
    b = far_head(&g, r, 10, 0, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&f, r, b, 0), KITH_OK); /* f gives g's */
    bundle_unref(b);
    b = far_head(&f, r, 20, 0, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&g, r, b, 0), KITH_OK); /* g gives f's */
    bundle_unref(b);
    rig_run(r, 1000);
    assert_int_equal(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 0);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* A farewell is told as well; what is gone is not. */
static void test_farewell(void **state)
{
    struct rig *r = rig_up(1);
    struct bundle *b;
    struct far f, g;

    (void)state;
    settle(&f, r, 2);
    far_init(&g, r, 10);
    far_join(&g, r, 10);
    rig_run(r, 100);
    told(&f, r, &g.id, 10);
    rig_forget(r);
    b = far_head(&g, r, 11, HEAD_LEAVE, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&g, r, b, 0), KITH_OK);
    bundle_unref(b);
    assert_int_equal(told(&f, r, &g.id, 11), 1);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* Only the friends on the first rings hear of changes at once. */
static void test_first_rings(void **state)
{
    struct rig *r = rig_up(1);
    struct peer *p;
    struct far f, g;

    (void)state;
    p = settle(&f, r, 2);
    far_init(&g, r, 10);
    p->ring = ANNOUNCE_RINGS;
    r->e->friends.at = r->now.mono; /* they are not computed anew at once */
    far_join(&g, r, 10);
    assert_int_equal(rig_sent_to(r, DGRAM_REQUEST, &f.addr), 0);
    assert_int_equal(p->pushed, r->e->push.end); /* it will not be told */
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* Who falls behind by more than the log goes on with what there is. */
static void test_log(void **state)
{
    struct rig *r = rig_up(1);
    struct peer *p;
    struct far f, g;
    size_t n = 0;

    (void)state;
    p = settle(&f, r, 2);
    far_init(&g, r, 10);
    far_join(&g, r, 10);
    rig_run(r, 100);
    told(&f, r, &g.id, 10);
    for (uint64_t i = 0; i < 3 * PUSH_LOG; i++)
        push_add(r->e, &r->now, &g.id, NULL);
    assert_int_equal(r->e->push.end - p->pushed, 3 * PUSH_LOG);
    rig_forget(r);
    for (int i = 0; i < 100; i++) {
        rig_run(r, 50);
        n += told(&f, r, &g.id, 10);
        rig_forget(r);
    }
    assert_int_equal(p->pushed, r->e->push.end);
    assert_true(n >= 1); /* said again is said once */
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* Without anybody to tell, nothing waits. */
static void test_nobody(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    push_add(r->e, &r->now, &r->e->self, NULL);
    assert_int_not_equal(push_deadline(r->e).us, INSTANT_NEVER.us);
    rig_run(r, 100);
    assert_int_equal(push_deadline(r->e).us, INSTANT_NEVER.us);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_once),     cmocka_unit_test(test_own_change),
        cmocka_unit_test(test_not_back),    cmocka_unit_test(test_farewell),
        cmocka_unit_test(test_first_rings), cmocka_unit_test(test_log),
        cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
