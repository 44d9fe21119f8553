/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "crypto/wipe.h"

static void wipes_exactly_what_it_is_told(void **state)
{
    uint8_t b[32];

    (void)state;
    memset(b, 0xaa, sizeof b);
    secret_wipe(b + 1, sizeof b - 2);
    assert_int_equal(b[0], 0xaa);
    assert_int_equal(b[sizeof b - 1], 0xaa);
    for (size_t i = 1; i < sizeof b - 1; i++)
        assert_int_equal(b[i], 0);
}

static void wipes_nothing(void **state)
{
    uint8_t b = 0xaa;

    (void)state;
    secret_wipe(&b, 0);
    assert_int_equal(b, 0xaa);
    secret_wipe(NULL, 0);
}

static void sees_every_bit(void **state)
{
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};

    (void)state;
    assert_true(secret_equal(a, b, sizeof a));
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(secret_equal(a, b, sizeof a));
        assert_true(secret_equal(a, b, bit / 8));
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(secret_equal(a, b, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wipes_exactly_what_it_is_told),
        cmocka_unit_test(wipes_nothing),
        cmocka_unit_test(sees_every_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
