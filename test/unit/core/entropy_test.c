/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/entropy.h"
#include "core/limits.h"

static void fill(uint8_t *p, size_t n, uint8_t from)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(from + i);
}

static void test_add_and_take(void **state)
{
    static struct entropy e;
    uint8_t given[64], taken[64];
    bool seen[256] = {false};

    (void)state;
    assert_int_equal(entropy_wanted(&e), ENTROPY_SIZE);
    fill(given, sizeof given, 1);
    entropy_add(&e, given, sizeof given);
    assert_int_equal(entropy_wanted(&e), ENTROPY_SIZE - sizeof given);

    /* each byte comes once, and not again */
    entropy_take(&e, taken, 0);
    entropy_take(&e, taken, 16);
    entropy_take(&e, taken + 16, 48);
    for (size_t i = 0; i < sizeof taken; i++) {
        assert_in_range(taken[i], 1, 64);
        assert_false(seen[taken[i]]);
        seen[taken[i]] = true;
    }
    assert_int_equal(entropy_wanted(&e), ENTROPY_SIZE);
    for (size_t i = 0; i < sizeof e.b; i++)
        assert_int_equal(e.b[i], 0);
}

static void test_no_more_than_wanted(void **state)
{
    static struct entropy e;
    static uint8_t given[ENTROPY_SIZE + 100];
    uint8_t taken[8];

    (void)state;
    fill(given, sizeof given, 0);
    entropy_add(&e, given, sizeof given);
    assert_int_equal(entropy_wanted(&e), 0);
    entropy_add(&e, given, sizeof given);
    assert_int_equal(entropy_wanted(&e), 0);
    entropy_take(&e, taken, sizeof taken);
    assert_int_equal(entropy_wanted(&e), sizeof taken);
    memset(given, 0xee, sizeof given);
    entropy_add(&e, given, 3);
    assert_int_equal(entropy_wanted(&e), sizeof taken - 3);
    entropy_take(&e, taken, 3);
    assert_int_equal(taken[0] & taken[1] & taken[2], 0xee);
}

/* An event draws an IV for each datagram, a nonce and an epoch with its keys:
 * a full store is enough for as many effects as there can be. */
static void test_enough_for_any_event(void **state)
{
    (void)state;
    assert_true(ENTROPY_SIZE >= EFFECTS_MAX * DGRAM_IV_LEN + DGRAM_NONCE_LEN +
                                    DGRAM_EPOCH_LEN + 4 * 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_take),
        cmocka_unit_test(test_no_more_than_wanted),
        cmocka_unit_test(test_enough_for_any_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
