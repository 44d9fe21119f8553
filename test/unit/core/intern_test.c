/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "core/intern.h"

struct thing {
    struct intern_link link;
    int n;
};

static void test_empty(void **state)
{
    struct intern t;

    (void)state;
    assert_int_equal(intern_init(&t), KITH_OK);
    assert_null(intern_first(&t, 0));
    assert_null(intern_first(&t, UINT64_MAX));
    intern_free(&t);
    assert_null(t.chains);
    intern_free(&t);
}

static void test_equal_keys(void **state)
{
    struct thing a = {.n = 1}, b = {.n = 2}, c = {.n = 3};
    struct intern_link *l;
    struct intern t;
    int sum = 0;

    (void)state;
    assert_int_equal(intern_init(&t), KITH_OK);
    intern_add(&t, &a.link, 7);
    intern_add(&t, &b.link, 7 + t.n); /* the same chain, another key */
    intern_add(&t, &c.link, 7);
    for (l = intern_first(&t, 7); l != NULL; l = intern_next(l))
        sum += ((struct thing *)l)->n;
    assert_int_equal(sum, 1 + 3);
    l = intern_first(&t, 7 + t.n);
    assert_ptr_equal(l, &b.link);
    assert_null(intern_next(l));
    intern_remove(&t, &a.link);
    assert_ptr_equal(intern_first(&t, 7), &c.link);
    assert_null(intern_next(&c.link));
    intern_remove(&t, &c.link);
    assert_null(intern_first(&t, 7));
    intern_remove(&t, &b.link);
    assert_int_equal(t.count, 0);
    intern_free(&t);
}

static void test_growth(void **state)
{
    enum {
        COUNT = 5000
    };
    static struct thing v[COUNT];
    struct intern t;

    (void)state;
    assert_int_equal(intern_init(&t), KITH_OK);
    for (uint64_t i = 0; i < COUNT; i++)
        intern_add(&t, &v[i].link, i * i);
    assert_int_equal(t.count, COUNT);
    assert_true(t.n >= COUNT / 2);
    assert_int_equal(t.n & (t.n - 1), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_ptr_equal(intern_first(&t, i * i), &v[i].link);
    for (uint64_t i = 0; i < COUNT; i += 2)
        intern_remove(&t, &v[i].link);
    for (uint64_t i = 0; i < COUNT; i++)
        assert_true((intern_first(&t, i * i) != NULL) == (i % 2 == 1));
    for (uint64_t i = 1; i < COUNT; i += 2)
        intern_remove(&t, &v[i].link);
    intern_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_equal_keys),
        cmocka_unit_test(test_growth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
