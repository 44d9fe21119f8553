/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

static size_t wants(const struct rig *r)
{
    return HASH_COUNT(r->e->fetch.wants);
}

/* f announces (id, serial); whether the answer asks f for it. */
static bool is_asked(struct far *f, struct rig *r, const struct node_id *id,
                     uint64_t serial, struct item_want_head *want)
{
    struct far_items i;
    struct hash h;
    struct item item;

    memset(h.b, (int)serial, sizeof h.b);
    far_put_announce(far_begin(&i), id, serial, &h);
    rig_forget(r);
    far_ask(f, r, i.b, i.w.len);
    assert_true(far_read_answer(f, r));
    if (!far_item(f, ITEM_WANT_HEAD, &item))
        return false;
    assert_int_equal(item.list.n, 1);
    item_want_head_at(&item, 0, want);
    assert_memory_equal(want->id.b, id->b, NODE_ID_LEN);
    return true;
}

/* -- what is asked for -- */

static void test_news(void **state)
{
    struct rig *r = rig_up(1);
    struct item_want_head want;
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    /* nobody knows g: its key is wanted, too */
    assert_true(is_asked(&f, r, &g.id, 10, &want));
    assert_int_equal(want.flags, ITEM_WANT_SPKI);
    assert_int_equal(want.since, 0);
    assert_int_equal(wants(r), 1);
    far_join(&g, r, 10);
    assert_int_equal(wants(r), 0); /* it has come another way */

    assert_false(is_asked(&f, r, &g.id, 9, &want));
    assert_true(is_asked(&f, r, &g.id, 11, &want));
    assert_int_equal(want.flags, 0);
    assert_int_equal(want.since, 10);
    far_join(&g, r, 11);
    /* the same serial, another hash */
    assert_true(is_asked(&f, r, &g.id, 11, &want));
    assert_int_equal(want.since, 0);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

static void test_same_is_no_news(void **state)
{
    struct rig *r = rig_up(1);
    struct far f, g;
    struct bundle *b;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    b = far_head(&g, r, 10, 0, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&f, r, b, 0), KITH_OK);
    rig_forget(r);
    far_announce(&f, r, b);
    assert_true(far_read_answer(&f, r));
    assert_false(far_has(&f, ITEM_WANT_HEAD));
    assert_int_equal(wants(r), 0);
    bundle_unref(b);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* The dead are not asked for, unless they have signed anew. */
static void test_gone(void **state)
{
    struct rig *r = rig_up(1);
    struct item_want_head want;
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    far_join(&g, r, 10);
    rig_run(r, 3 * HEAD_LEASE_MIN_S * 1000 + 10000);
    rig_calls_fail(r, CALL_TCP);
    assert_int_equal(rig_member(r, &g.id)->life, LIFE_GONE);
    assert_false(is_asked(&f, r, &g.id, 10, &want));
    assert_false(is_asked(&f, r, &g.id, 9, &want));
    assert_int_equal(rig_member(r, &g.id)->life, LIFE_GONE);
    assert_true(is_asked(&f, r, &g.id, 11, &want));
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* A head of ours above our last one: somebody has our key, or knows more of
 * us than we do. */
static void test_own(void **state)
{
    struct rig *r = rig_up(1);
    struct item_want_head want;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    assert_false(is_asked(&f, r, &r->e->self, r->head_serial, &want));
    assert_true(is_asked(&f, r, &r->e->self, r->head_serial + 1000, &want));
    assert_int_equal(want.flags, 0); /* that key is known */
    far_clear(&f);
    rig_free(r);
}

/* -- whom, and when -- */

/* One source is asked at a time; another when 300 ms have passed. */
static void test_one_source_at_a_time(void **state)
{
    struct rig *r = rig_up(1);
    struct item_want_head want;
    struct far f[3], g;

    (void)state;
    far_init(&g, r, 9);
    for (uint64_t i = 0; i < 3; i++)
        far_init(&f[i], r, 2 + i);
    assert_true(is_asked(&f[0], r, &g.id, 10, &want));
    rig_run(r, FETCH_AGAIN - 10);
    assert_false(is_asked(&f[1], r, &g.id, 10, &want));
    assert_true(is_asked(&f[0], r, &g.id, 10, &want)); /* it was lost? */
    rig_run(r, 20);
    assert_true(is_asked(&f[2], r, &g.id, 10, &want));
    assert_int_equal(wants(r), 1);
    for (uint64_t i = 0; i < 3; i++)
        far_clear(&f[i]);
    far_clear(&g);
    rig_free(r);
}

/* A peer of ours that named it is asked in a request, a few times; then the
 * want ends, until somebody names it again. */
static void test_tries(void **state)
{
    struct rig *r = rig_up(1);
    struct item_want_head want;
    struct item item;
    size_t asked = 0;
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 9);
    far_befriend(&f, r);
    assert_true(is_asked(&f, r, &g.id, 10, &want));
    rig_forget(r);
    for (int i = 0; i < 6000; i++) {
        size_t from = 0;

        rig_run(r, 10);
        for (; far_read_from(&f, r, &from); far_agree(&f, r))
            asked += far_item(&f, ITEM_WANT_HEAD, &item);
        rig_forget(r);
    }
    assert_in_range(asked, 3, FETCH_TRIES);
    assert_int_equal(wants(r), 0);
    assert_true(is_asked(&f, r, &g.id, 10, &want));
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* Who is no peer of ours cannot be asked later: what he names ends soon. */
static void test_stranger_is_not_asked(void **state)
{
    struct rig *r = rig_up(1);
    struct item_want_head want;
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 9);
    assert_true(is_asked(&f, r, &g.id, 10, &want));
    rig_forget(r);
    rig_run(r, 60000);
    assert_int_equal(rig_sent_to(r, DGRAM_REQUEST, NULL), 0);
    assert_int_equal(wants(r), 0);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* -- bounds -- */

/* Names `n` nodes that do not exist, from number `first` on. */
static void invent(struct far *f, struct rig *r, uint32_t first, uint32_t n)
{
    struct far_items i;
    struct item_array a;

    for (uint32_t k = 0; k < n; k += 20) {
        a = item_begin(far_begin(&i), ITEM_ANNOUNCE);
        for (uint32_t m = k; m < k + 20 && m < n; m++) {
            struct item_announce e = {.serial = 10};
            uint32_t number = first + m;

            memset(e.id.b, 0x5a, sizeof e.id.b);
            memcpy(e.id.b, &number, sizeof number);
            item_add_announce(&a, &e);
        }
        item_end(&a);
        rig_forget(r);
        far_ask(f, r, i.b, i.w.len);
    }
}

/* Those whom we did not choose have a share each, and half of it all. */
static void test_bounds(void **state)
{
    struct rig *r = rig_up(1);
    struct item_want_head want;
    struct far f, s[6], g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    far_befriend(&f, r);
    for (uint32_t i = 0; i < 6; i++) {
        far_init(&s[i], r, 10 + i);
        invent(&s[i], r, 1000 * i, 100);
        assert_int_equal(wants(r),
                         i < 4 ? (i + 1) * FETCHES_SOURCE : FETCHES_MAX / 2);
    }
    invent(&f, r, 10000, 100);
    assert_int_equal(wants(r), FETCHES_MAX / 2 + 100);
    rig_pass(r, instant_add_ms(r->now.mono, 200)); /* f's budget */
    invent(&f, r, 20000, 1000);
    assert_int_equal(wants(r), FETCHES_MAX);
    /* nobody is refused for it who really is news and known to a friend */
    rig_run(r, 60000);
    assert_int_equal(wants(r), 0);
    assert_true(is_asked(&s[0], r, &g.id, 10, &want));
    for (uint32_t i = 0; i < 6; i++)
        far_clear(&s[i]);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

static void test_sources(void **state)
{
    struct rig *r = rig_up(1);
    struct fetch_sources s = {.n = 0};
    struct node_id id = {{0}};
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    assert_null(fetch_source_next(r->e, &r->now, &s));
    for (uint8_t i = 0; i < 10; i++) {
        id.b[0] = (uint8_t)(i / 2);
        fetch_source_add(r->e, &s, &id);
    }
    assert_int_equal(s.n, FETCH_SOURCES);
    for (uint8_t i = 0; i < FETCH_SOURCES; i++)
        assert_int_equal(s.v[i].b[0], i);
    assert_null(fetch_source_next(r->e, &r->now, &s));

    /* a peer of ours takes the place of one whom we could not ask */
    far_befriend(&f, r);
    fetch_source_add(r->e, &s, &f.id);
    assert_int_equal(s.n, FETCH_SOURCES);
    for (int i = 0; i < 5; i++)
        assert_ptr_equal(fetch_source_next(r->e, &r->now, &s),
                         rig_peer(r, &f.id));
    far_clear(&f);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_news),
        cmocka_unit_test(test_same_is_no_news),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_one_source_at_a_time),
        cmocka_unit_test(test_tries),
        cmocka_unit_test(test_stranger_is_not_asked),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
