/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"

/* The first numbers of the authors' own C programs: splitmix64 from state 0
 * gives the state, xoshiro256** gives the output. */
static void the_reference_state_follows_from_the_seed(void **state)
{
    struct prng p;

    (void)state;
    prng_seed(&p, 0);
    assert_true(p.s[0] == 0xe220a8397b1dcdaf);
    assert_true(p.s[1] == 0x6e789e6aa1b965f4);
    assert_true(p.s[2] == 0x06c45d188009454f);
    assert_true(p.s[3] == 0xf88bb8a8724c81ec);
}

static void the_reference_sequence_follows_from_the_state(void **state)
{
    static const uint64_t expected[] = {
        11520,
        0,
        1509978240,
        1215971899390074240,
        1216172134540287360,
        607988272756665600,
    };
    struct prng p = {{1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_true(prng_u64(&p) == expected[i]);
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
    struct prng a;
    struct prng b;
    struct prng other;
    unsigned same = 0;

    (void)state;
    prng_seed(&a, 16990);
    prng_seed(&b, 16990);
    prng_seed(&other, 16991);
    for (int i = 0; i < 1000; i++) {
        uint64_t v = prng_u64(&a);

        assert_true(v == prng_u64(&b));
        same += v == prng_u64(&other);
    }
    assert_int_equal(same, 0);
}

static void below_stays_below(void **state)
{
    static const uint64_t bounds[] = {
        1,          2, 3, 7, 1000, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1,
        UINT64_MAX,
    };
    struct prng p;

    (void)state;
    prng_seed(&p, 1);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        for (int k = 0; k < 1000; k++)
            assert_true(prng_below(&p, bounds[i]) < bounds[i]);
}

static void below_is_even(void **state)
{
    unsigned seen[6] = {0};
    struct prng p;

    (void)state;
    prng_seed(&p, 2);
    for (int i = 0; i < 60000; i++)
        seen[prng_below(&p, 6)]++;
    /* 10,000 each, standard deviation 91: five of them to either side */
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 10000 - 456, 10000 + 456);
}

/* n = 3 * 2^62: taking a 64-bit number modulo n would give the first third
 * twice as often as the others. */
static void below_has_no_bias_for_large_bounds(void **state)
{
    const uint64_t third = UINT64_C(1) << 62;
    unsigned seen[3] = {0};
    struct prng p;

    (void)state;
    prng_seed(&p, 3);
    for (int i = 0; i < 30000; i++)
        seen[prng_below(&p, 3 * third) / third]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(seen[i], 10000 - 408, 10000 + 408);
}

static void jitter_reaches_both_ends(void **state)
{
    unsigned seen[41] = {0};
    struct prng p;

    (void)state;
    prng_seed(&p, 4);
    for (int i = 0; i < 10000; i++) {
        uint64_t v = prng_jitter(&p, 100, 20);

        assert_in_range(v, 80, 120);
        seen[v - 80]++;
    }
    for (int i = 0; i < 41; i++)
        assert_true(seen[i] > 0);
}

static void jitter_at_the_bounds(void **state)
{
    struct prng p;

    (void)state;
    prng_seed(&p, 5);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(prng_jitter(&p, 0, 100), 0);
        assert_int_equal(prng_jitter(&p, 1, 99), 1);
        assert_int_equal(prng_jitter(&p, 12345, 0), 12345);
        assert_true(prng_jitter(&p, 1, 100) <= 2);
        assert_true(prng_jitter(&p, UINT64_MAX, 1) >= UINT64_MAX / 100 * 99);
        prng_jitter(&p, UINT64_MAX, 100);
        prng_jitter(&p, UINT64_MAX / 2 + 1, 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_state_follows_from_the_seed),
        cmocka_unit_test(the_reference_sequence_follows_from_the_state),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(below_stays_below),
        cmocka_unit_test(below_is_even),
        cmocka_unit_test(below_has_no_bias_for_large_bounds),
        cmocka_unit_test(jitter_reaches_both_ends),
        cmocka_unit_test(jitter_at_the_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
