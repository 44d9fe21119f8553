/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

/* Runs for so long; f answers as one who knows the same. Returns how often it
 * was asked to compare. */
static size_t looks(struct far *f, struct rig *r, uint64_t ms)
{
    size_t n = 0;

    for (uint64_t t = 0; t < ms; t += 10) {
        size_t from = 0;

        rig_run(r, 10);
        for (; far_read_from(f, r, &from); far_agree(f, r))
            n += far_has(f, ITEM_ROOT);
        rig_forget(r);
    }
    return n;
}

static struct peer *settle(struct far *f, struct rig *r, uint64_t number)
{
    struct peer *p;

    far_init(f, r, number);
    p = far_befriend(f, r);
    for (int i = 0; i < 2000; i++) {
        rig_run(r, 10);
        far_nod(f, r);
    }
    assert_false(r->e->sync.newcomer);
    return p;
}

/* -- how often -- */

/* When nothing differs, a friend is looked at every 5 s or less often. */
static void test_idle(void **state)
{
    struct rig *r = rig_up(1);
    struct instant last = {0};
    struct far f;

    (void)state;
    settle(&f, r, 2);
    for (int i = 0; i < 40; i++) {
        size_t n = 0;

        while (n == 0)
            n = looks(&f, r, 10);
        assert_int_equal(n, 1);
        if (last.us != 0)
            assert_in_range(instant_since_ms(r->now.mono, last), 4400, 8300);
        last = r->now.mono;
    }
    far_clear(&f);
    rig_free(r);
}

/* With 20 friends one look a second in all. */
static void test_idle_twenty(void **state)
{
    enum {
        FRIENDS = 20
    };
    struct rig *r = rig_up(1);
    static struct far f[FRIENDS];
    size_t n = 0;

    (void)state;
    for (uint64_t i = 0; i < FRIENDS; i++) {
        far_init(&f[i], r, 2 + i);
        far_join(&f[i], r, 10);
    }
    for (int t = 0; t < 8000; t++) {
        rig_run(r, 10);
        for (uint64_t i = 0; i < FRIENDS; i++) {
            struct rig_call *call = far_call(&f[i], r, CALL_SESSION);
            size_t from = 0;

            if (call)
                far_accept(&f[i], r, call->id);
            for (; far_read_from(&f[i], r, &from); far_agree(&f[i], r))
                n += t >= 2000 && far_has(&f[i], ITEM_ROOT);
        }
        rig_forget(r);
    }
    assert_int_equal(r->e->friends.n, FRIENDS);
    assert_in_range(n, 45, 80); /* in 60 s */
    for (uint64_t i = 0; i < FRIENDS; i++)
        far_clear(&f[i]);
    rig_free(r);
}

/* One that is new looks more often, but not for long. */
static void test_newcomer(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;
    size_t from = 0, n = 0;
    uint8_t root[TRIE_ROOT_LEN] = {1};

    (void)state;
    far_init(&f, r, 2);
    far_meet(&f, r);
    assert_true(r->e->sync.newcomer);
    for (int t = 0; t < 500; t++) { /* it never agrees */
        struct far_items i;

        rig_run(r, 10);
        for (from = 0; far_read_from(&f, r, &from); n++) {
            item_put_root(far_begin(&i), root, 1);
            far_answer(&f, r, i.b, i.w.len);
        }
        rig_forget(r);
    }
    assert_in_range(n, 15, 60);
    rig_run(r, 15000);
    assert_false(r->e->sync.newcomer);
    far_clear(&f);
    rig_free(r);
}

/* A newcomer announces itself to everybody whom it meets. */
static void test_introduces(void **state)
{
    struct rig *r = rig_up(1);
    struct item_announce a;
    struct item item;
    bool seen = false;
    size_t from = 0;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    far_meet(&f, r);
    rig_run(r, 10);
    while (far_read_from(&f, r, &from)) {
        if (!far_item(&f, ITEM_ANNOUNCE, &item))
            continue;
        item_announce_at(&item, 0, &a);
        seen = seen || (node_id_equal(&a.id, &r->e->self) &&
                        a.serial == r->head_serial);
    }
    assert_true(seen);
    far_clear(&f);
    rig_free(r);
}

/* Who says that he is away for a moment is not asked for 30 s. */
static void test_away(void **state)
{
    struct rig *r = rig_up(1);
    struct bundle *b;
    struct far f;
    size_t n;

    (void)state;
    settle(&f, r, 2);
    b = far_head(&f, r, 20, HEAD_AWAY, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&f, r, b, 0), KITH_OK);
    bundle_unref(b);
    n = looks(&f, r, 1000); /* one that was on its way */
    assert_in_range(n, 0, 1);
    assert_int_equal(looks(&f, r, AWAY_MS - 2000), 0);
    far_join(&f, r, 30);
    assert_true(looks(&f, r, 9000) >= 1);
    far_clear(&f);
    rig_free(r);
}

/* -- differences that lead to nothing -- */

/* A peer of another root, of which nothing useful ever comes, is compared
 * with a few times; then it is left alone for ten minutes, unless something
 * changes. */
static void test_fruitless(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t root[TRIE_ROOT_LEN] = {1};
    struct trie_prefix all = prefix_root();
    struct item_leaf mine;
    size_t described = 0, n = 0;
    struct far f;

    (void)state;
    settle(&f, r, 2);
    for (uint64_t t = 0; t < 500000; t += 50) {
        size_t from = 0;

        rig_run(r, 50);
        while (far_read_from(&f, r, &from)) {
            struct far_items i;
            struct item_array a;
            struct item item;

            if (!far_item(&f, ITEM_ROOT, &item)) {
                described +=
                    far_has(&f, ITEM_LEAVES) || far_has(&f, ITEM_NODES);
                far_agree(&f, r);
                continue;
            }
            n++;
            item_put_root(far_begin(&i), root, 2);
            a = item_begin_leaves(&i.w, &all);
            memset(&mine, 0, sizeof mine);
            mine.id = f.id; /* an old head of its own */
            mine.serial = 5;
            item_add_leaf(&a, &mine);
            item_end(&a);
            far_answer(&f, r, i.b, i.w.len);
        }
        rig_forget(r);
        if (t == 60000) {
            assert_in_range(n, 8, 16);
            n = 0;
        }
    }
    assert_in_range(n, 55, 90); /* no more than when nothing differs */
    assert_in_range(described, 0, 10);
    far_join(&f, r, 20); /* now our root is another one */
    assert_true(looks(&f, r, 10000) >= 1);
    assert_int_equal(rig_peer(r, &f.id)->same_rounds, 0);
    far_clear(&f);
    rig_free(r);
}

/* -- much that differs -- */

/* Who lacks many heads fetches them in one stream. */
static void test_bulk(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t root[TRIE_ROOT_LEN] = {1};
    struct far_items i;
    struct far f;

    (void)state;
    settle(&f, r, 2)->sync_at = r->now.mono;
    rig_tick(r);
    assert_true(far_read(&f, r));
    item_put_root(far_begin(&i), root, 2 + BULK_MIN_HEADS);
    far_answer(&f, r, i.b, i.w.len);
    assert_null(far_call(&f, r, CALL_BULK));
    rig_forget(r);
    rig_peer(r, &f.id)->sync_at = r->now.mono;
    rig_tick(r);
    assert_true(far_read(&f, r));
    root[0]++;
    item_put_root(far_begin(&i), root, 3 + BULK_MIN_HEADS);
    far_answer(&f, r, i.b, i.w.len);
    assert_non_null(far_call(&f, r, CALL_BULK));
    far_clear(&f);
    rig_free(r);
}

/* The cookie of an answer goes into the next request; before there is one, a
 * request is as long as its answer may be. */
static void test_cookie(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t cookie[ITEM_COOKIE_LEN];
    struct far_items i;
    struct item item;
    struct peer *p;
    struct far f;

    (void)state;
    p = settle(&f, r, 2);
    assert_false(p->session.has_cookie);
    p->sync_at = r->now.mono;
    rig_tick(r);
    assert_true(far_read(&f, r));
    assert_true(f.len > DGRAM_MAX - 16);
    memset(cookie, 'c', sizeof cookie);
    item_put_cookie(far_begin(&i), cookie);
    far_answer(&f, r, i.b, i.w.len);
    rig_forget(r);
    p->sync_at = r->now.mono;
    rig_tick(r);
    assert_true(far_read(&f, r));
    assert_true(far_item(&f, ITEM_COOKIE, &item));
    assert_memory_equal(item.cookie, cookie, sizeof cookie);
    assert_true(f.len < 200); /* quiet, when nothing differs */
    far_clear(&f);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle),     cmocka_unit_test(test_idle_twenty),
        cmocka_unit_test(test_newcomer), cmocka_unit_test(test_introduces),
        cmocka_unit_test(test_away),     cmocka_unit_test(test_fruitless),
        cmocka_unit_test(test_bulk),     cmocka_unit_test(test_cookie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
