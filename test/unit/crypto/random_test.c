/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "crypto/random.h"

static void fills_all_and_nothing_more(void **state)
{
    static const size_t sizes[] = {0, 1, 16, 4095, 4096, 4097, 10000};
    struct random_pool *pool = random_pool_new();

    (void)state;
    assert_non_null(pool);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        uint8_t *b = calloc(1, n + 1);
        assert_non_null(b);
        assert_int_equal(random_bytes(pool, b, n), KITH_OK);
        assert_int_equal(b[n], 0);
        /* 16 zero bytes in a row do not happen by chance */
        for (size_t at = 0; at + 16 <= n; at += 16)
            assert_memory_not_equal(b + at, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                                    16);
        free(b);
    }
    random_pool_free(pool);
}

/* Across refills, no piece is given out a second time. */
static void repeats_nothing(void **state)
{
    enum {
        PIECES = 1000,
        LEN = 12
    };
    static uint8_t seen[PIECES][LEN];
    struct random_pool *pool = random_pool_new();

    (void)state;
    assert_non_null(pool);
    for (size_t i = 0; i < PIECES; i++) {
        assert_int_equal(random_bytes(pool, seen[i], LEN), KITH_OK);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], LEN);
    }
    random_pool_free(pool);
}

static void pools_differ(void **state)
{
    struct random_pool *a = random_pool_new();
    struct random_pool *b = random_pool_new();
    uint8_t x[32];
    uint8_t y[32];

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(random_bytes(a, x, sizeof x), KITH_OK);
    assert_int_equal(random_bytes(b, y, sizeof y), KITH_OK);
    assert_memory_not_equal(x, y, sizeof x);
    random_pool_free(a);
    random_pool_free(b);
    random_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_all_and_nothing_more),
        cmocka_unit_test(repeats_nothing),
        cmocka_unit_test(pools_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
