/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/budget.h"
#include "base/prng.h"

static struct instant ms(uint64_t n)
{
    return (struct instant){n * 1000};
}

static void begins_full_and_ends_empty(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 8, 2000, ms(5));
    for (int i = 0; i < 8; i++)
        assert_true(budget_take(&b, ms(5), 1));
    assert_false(budget_take(&b, ms(5), 1));
    assert_false(budget_has(&b, ms(5), 1));
    assert_true(budget_take(&b, ms(5), 0));
}

static void comes_back_at_its_rate(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 8, 2000, ms(0));
    assert_true(budget_take(&b, ms(0), 8));
    assert_false(budget_has(&b, ms(499), 1));
    assert_true(budget_has(&b, ms(500), 1));
    assert_true(budget_take(&b, ms(500), 1));
    assert_false(budget_has(&b, ms(999), 1));
    assert_true(budget_take(&b, ms(2000), 3));
    assert_false(budget_has(&b, ms(2000), 1));
}

static void never_holds_more_than_its_burst(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 3, 1000, ms(0));
    assert_false(budget_has(&b, ms(1000000), 4));
    assert_true(budget_take(&b, ms(1000000), 3));
    assert_false(budget_take(&b, ms(1000000), 1));
}

static void takes_all_or_nothing(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 5, 0, ms(0));
    assert_false(budget_take(&b, ms(0), 6));
    assert_true(budget_take(&b, ms(0), 2));
    assert_false(budget_take(&b, ms(0), 4));
    assert_true(budget_take(&b, ms(0), 3));
}

static void many_small_steps_are_one_large_step(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 1, 100, ms(0)); /* one in 10 s */
    assert_true(budget_take(&b, ms(0), 1));
    for (uint64_t us = 1; us < 10000; us++)
        assert_false(budget_take(&b, (struct instant){us * 1000 - 1}, 1));
    assert_false(budget_take(&b, (struct instant){9999999}, 1));
    assert_true(budget_take(&b, (struct instant){10000000}, 1));
}

static void time_going_backwards_is_harmless(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 2, 1000, ms(5000));
    assert_true(budget_take(&b, ms(5000), 2));
    for (int i = 0; i < 10; i++) {
        assert_false(budget_take(&b, ms(0), 1));
        assert_false(budget_take(&b, ms(5000), 1));
    }
    assert_true(budget_take(&b, ms(6000), 1));
    assert_false(budget_take(&b, ms(6000), 1));
    /* what is held can be taken at an earlier time too */
    budget_init(&b, 2, 1000, ms(5000));
    assert_true(budget_take(&b, ms(0), 2));
    assert_false(budget_take(&b, ms(5000), 1));
}

static void tells_when_it_will_be_ready(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 8, 3000, ms(1000)); /* one in 333,333.3 us */
    assert_int_equal(budget_ready(&b, ms(1000), 8).us, 1000000);
    assert_true(budget_take(&b, ms(1000), 8));
    assert_int_equal(budget_ready(&b, ms(1000), 0).us, 1000000);
    assert_int_equal(budget_ready(&b, ms(1000), 1).us, 1333334);
    assert_int_equal(budget_ready(&b, ms(1200), 1).us, 1333334);
    assert_int_equal(budget_ready(&b, ms(0), 1).us, 1333334);
    assert_int_equal(budget_ready(&b, ms(1000), 3).us, 2000000);
    assert_int_equal(budget_ready(&b, ms(9000), 3).us, 9000000);
    assert_false(budget_has(&b, (struct instant){1333333}, 1));
    assert_true(budget_has(&b, (struct instant){1333334}, 1));
}

static void tells_when_it_will_never_be_ready(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 8, 2000, ms(0));
    assert_true(budget_ready(&b, ms(0), 9).us == INSTANT_NEVER.us);
    budget_init(&b, 8, 0, ms(0));
    assert_int_equal(budget_ready(&b, ms(3), 8).us, 3000);
    assert_true(budget_take(&b, ms(0), 8));
    assert_true(budget_ready(&b, ms(0), 1).us == INSTANT_NEVER.us);
}

static void without_a_burst_nothing_is_given(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b, 0, UINT32_MAX, ms(0));
    assert_false(budget_take(&b, INSTANT_NEVER, 1));
    assert_true(budget_ready(&b, ms(0), 1).us == INSTANT_NEVER.us);
}

static void nothing_overflows(void **state)
{
    static const uint32_t numbers[] = {0, 1, 1000, UINT32_MAX};
    struct budget b;

    (void)state;
    for (int i = 0; i < 16; i++) {
        uint32_t burst = numbers[i / 4];
        uint32_t rate = numbers[i % 4];

        budget_init(&b, burst, rate, ms(0));
        assert_true(budget_take(&b, ms(0), burst));
        assert_true(burst == 0 || !budget_has(&b, ms(0), burst));
        assert_int_equal(budget_has(&b, INSTANT_NEVER, burst),
                         rate > 0 || burst == 0);
        assert_true(budget_ready(&b, INSTANT_NEVER, burst).us ==
                    INSTANT_NEVER.us);
        budget_init(&b, burst, rate, INSTANT_NEVER);
        assert_true(budget_take(&b, ms(0), burst));
        assert_true(budget_ready(&b, ms(0), UINT32_MAX).us ==
                        INSTANT_NEVER.us ||
                    burst == 0);
    }
}

/* Whatever is asked when, no more is given than burst + rate * time, and
 * ready() never lies. */
static void holds_over_a_random_walk(void **state)
{
    struct prng p;
    struct budget b;
    uint64_t now_us = 0;
    uint64_t given = 0;

    (void)state;
    prng_seed(&p, 6);
    budget_init(&b, 20, 1500, (struct instant){0});
    for (int i = 0; i < 20000; i++) {
        uint32_t n = (uint32_t)prng_below(&p, 6);
        struct instant now = {now_us += prng_below(&p, 2000000)};
        struct instant ready = budget_ready(&b, now, n);

        assert_int_equal(budget_has(&b, now, n), ready.us == now.us);
        assert_true(budget_has(&b, ready, n));
        if (ready.us > now.us)
            assert_false(budget_has(&b, (struct instant){ready.us - 1}, n));
        if (budget_take(&b, now, n))
            given += n;
        assert_true(given * 1000000 <= 20 * 1000000 + now_us / 2 * 3);
    }
    assert_true(given > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_full_and_ends_empty),
        cmocka_unit_test(comes_back_at_its_rate),
        cmocka_unit_test(never_holds_more_than_its_burst),
        cmocka_unit_test(takes_all_or_nothing),
        cmocka_unit_test(many_small_steps_are_one_large_step),
        cmocka_unit_test(time_going_backwards_is_harmless),
        cmocka_unit_test(tells_when_it_will_be_ready),
        cmocka_unit_test(tells_when_it_will_never_be_ready),
        cmocka_unit_test(without_a_burst_nothing_is_given),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(holds_over_a_random_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
