/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/heap.h"
#include "base/prng.h"

enum {
    NODES = 200,
};

struct timer {
    int name;
    struct heap_node node;
};

static void check_order(const struct heap *h)
{
    for (size_t i = 0; i < h->len; i++) {
        assert_int_equal(h->v[i]->pos, i + 1);
        if (i > 0)
            assert_true(h->v[(i - 1) / 2]->at.us <= h->v[i]->at.us);
    }
}

static void an_empty_heap_has_no_minimum(void **state)
{
    struct heap h;
    struct heap_node n = {0};

    (void)state;
    heap_init(&h);
    assert_null(heap_min(&h));
    assert_false(heap_holds(&n));
    heap_remove(&h, &n);
    assert_null(heap_min(&h));
    heap_free(&h);
    heap_free(&h);
}

static void gives_timers_in_order(void **state)
{
    static const uint64_t at[] = {5, 3, 8, 1, 9, UINT64_MAX, 0, 3, 7, 3};
    enum {
        N = sizeof at / sizeof at[0]
    };
    struct timer timers[N] = {0};
    struct heap h;
    uint64_t last = 0;

    (void)state;
    heap_init(&h);
    for (int i = 0; i < N; i++)
        assert_int_equal(
            heap_insert(&h, &timers[i].node, (struct instant){at[i]}), KITH_OK);
    check_order(&h);
    for (int i = 0; i < N; i++) {
        struct heap_node *n = heap_min(&h);

        assert_true(n->at.us >= last);
        last = n->at.us;
        heap_remove(&h, n);
        assert_false(heap_holds(n));
        check_order(&h);
    }
    assert_true(last == UINT64_MAX);
    assert_null(heap_min(&h));
    heap_free(&h);
}

static void an_update_moves_both_ways(void **state)
{
    struct timer t[5] = {0};
    struct heap h;

    (void)state;
    heap_init(&h);
    for (uint64_t i = 0; i < 5; i++)
        heap_insert(&h, &t[i].node, (struct instant){10 + i});
    heap_update(&h, &t[4].node, (struct instant){1});
    assert_ptr_equal(heap_min(&h), &t[4].node);
    heap_update(&h, &t[4].node, (struct instant){100});
    assert_ptr_equal(heap_min(&h), &t[0].node);
    heap_update(&h, &t[0].node, (struct instant){10});
    assert_ptr_equal(heap_min(&h), &t[0].node);
    check_order(&h);
    heap_free(&h);
}

static void freeing_lets_the_nodes_go(void **state)
{
    struct timer t[3] = {0};
    struct heap h;

    (void)state;
    heap_init(&h);
    for (uint64_t i = 0; i < 3; i++)
        heap_insert(&h, &t[i].node, (struct instant){i});
    heap_free(&h);
    for (int i = 0; i < 3; i++)
        assert_false(heap_holds(&t[i].node));
    assert_int_equal(heap_insert(&h, &t[0].node, (struct instant){1}), KITH_OK);
    heap_free(&h);
}

static void a_heap_that_cannot_grow_says_so(void **state)
{
    const size_t most = SIZE_MAX / sizeof(struct heap_node *);
    struct heap h = {.v = NULL, .len = most, .cap = most};
    struct heap_node n = {.at = {7}};

    (void)state;
    assert_int_equal(heap_insert(&h, &n, (struct instant){1}), KITH_ERR_NOMEM);
    assert_int_equal(h.len, most);
    assert_int_equal(h.cap, most);
    assert_false(heap_holds(&n));
    assert_int_equal(n.at.us, 7);
}

static uint64_t naive_min(const struct timer *timers)
{
    uint64_t min = UINT64_MAX;

    for (int i = 0; i < NODES; i++)
        if (heap_holds(&timers[i].node) && timers[i].node.at.us < min)
            min = timers[i].node.at.us;
    return min;
}

static void agrees_with_a_naive_search(void **state)
{
    struct timer timers[NODES] = {0};
    struct prng p;
    struct heap h;
    size_t held = 0;

    (void)state;
    prng_seed(&p, 7);
    heap_init(&h);
    for (int i = 0; i < 20000; i++) {
        struct heap_node *n = &timers[prng_below(&p, NODES)].node;
        struct instant at = {prng_below(&p, 1000)};

        if (!heap_holds(n)) {
            assert_int_equal(heap_insert(&h, n, at), KITH_OK);
            held++;
        } else if (prng_below(&p, 3) == 0) {
            heap_remove(&h, n);
            held--;
        } else {
            heap_update(&h, n, at);
        }
        assert_int_equal(h.len, held);
        check_order(&h);
        if (held > 0)
            assert_int_equal(heap_min(&h)->at.us, naive_min(timers));
    }
    heap_free(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_has_no_minimum),
        cmocka_unit_test(gives_timers_in_order),
        cmocka_unit_test(an_update_moves_both_ways),
        cmocka_unit_test(freeing_lets_the_nodes_go),
        cmocka_unit_test(a_heap_that_cannot_grow_says_so),
        cmocka_unit_test(agrees_with_a_naive_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
