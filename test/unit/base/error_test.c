/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <string.h>

#include "base/error.h"

static void every_error_has_its_own_text(void **state)
{
    (void)state;
    for (int a = KITH_OK; a > KITH_ERR_MAX; a--) {
        assert_non_null(err_str(a));
        assert_true(strlen(err_str(a)) > 0);
        assert_string_not_equal(err_str(a), "unknown error");
        for (int b = KITH_OK; b > a; b--)
            assert_string_not_equal(err_str(a), err_str(b));
    }
}

static void other_values_are_unknown(void **state)
{
    static const int others[] = {1, INT_MAX, KITH_ERR_MAX, KITH_ERR_MAX - 1,
                                 INT_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_string_equal(err_str(others[i]), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_own_text),
        cmocka_unit_test(other_values_are_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
