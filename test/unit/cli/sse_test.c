/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "cli/sse.h"

/* All events of a text, each followed by "|", however it is cut. */
static void assert_events(const char *text, const char *expected)
{
    static const size_t steps[] = {1, 2, 5, 100000};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct sse_reader r = {0};
        char seen[512] = "";
        size_t len = strlen(text), at = 0;
        const char *event;

        for (size_t k = 0; k < len; k += steps[i]) {
            size_t n = len - k < steps[i] ? len - k : steps[i];

            assert_int_equal(sse_feed(&r, text + k, n), KITH_OK);
            while ((event = sse_next(&r)) != NULL)
                at +=
                    (size_t)snprintf(seen + at, sizeof seen - at, "%s|", event);
        }
        assert_string_equal(seen, expected);
        sse_free(&r);
    }
}

static void test_events(void **state)
{
    (void)state;
    assert_events("", "");
    assert_events("data: one\n\n", "one|");
    assert_events("id: 1\ndata: one\n\nid: 2\ndata: two\n\n", "one|two|");
    assert_events("data:one\n\n", "one|");
    assert_events("data:  one\n\n", " one|");
    assert_events("data:\n\n", "|");
    assert_events("data: first\ndata: second\n\n", "first|");
}

static void test_passed_over(void **state)
{
    (void)state;
    assert_events(": events\n\n:\n\n:\n\n", "");
    assert_events("\n\n\n", "");
    assert_events("id: 1\n\ndata: one\n\n", "one|");
    assert_events("retry: 5\nevent: x\nother\ndata: one\n\n", "one|");
    assert_events("datax: one\n\n", "");
    assert_events(":\n\ndata: one\n\n:\n\ndata: two\n\n:\n\n", "one|two|");
}

static void test_unfinished(void **state)
{
    (void)state;
    assert_events("data: one", "");
    assert_events("data: one\n", "");
    assert_events("data: one\nid: 7", "");
    assert_events("data: one\n\ndata: two\n", "one|");
}

static void test_empty_reader(void **state)
{
    struct sse_reader r = {0};

    (void)state;
    assert_null(sse_next(&r));
    assert_int_equal(sse_feed(&r, NULL, 0), KITH_OK);
    assert_null(sse_next(&r));
    sse_free(&r);
    sse_free(&r);
}

static void test_bound(void **state)
{
    struct sse_reader r = {0};
    char *big = malloc(SSE_BUFFER_MAX);

    (void)state;
    assert_non_null(big);
    memset(big, 'x', SSE_BUFFER_MAX);
    memcpy(big, "data: ", 6);
    assert_int_equal(sse_feed(&r, big, SSE_BUFFER_MAX - 2), KITH_OK);
    assert_null(sse_next(&r));
    assert_int_equal(sse_feed(&r, "xyz", 3), KITH_ERR_RANGE);
    assert_int_equal(sse_feed(&r, "\n\n", 2), KITH_OK);
    const char *event = sse_next(&r);
    assert_non_null(event);
    assert_int_equal(strlen(event), SSE_BUFFER_MAX - 8);
    /* what was taken makes room */
    assert_int_equal(sse_feed(&r, big, SSE_BUFFER_MAX), KITH_OK);
    sse_free(&r);
    free(big);
}

/* For ever is no more than a buffer. */
static void test_long_stream(void **state)
{
    struct sse_reader r = {0};
    char text[64];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(text, sizeof text, ":\n\nid: %d\ndata: %d\n\n", i, i);

        assert_int_equal(sse_feed(&r, text, (size_t)n), KITH_OK);
        assert_int_equal(strtol(sse_next(&r), NULL, 10), i);
        assert_null(sse_next(&r));
    }
    assert_true(r.cap < 1024);
    sse_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),     cmocka_unit_test(test_passed_over),
        cmocka_unit_test(test_unfinished), cmocka_unit_test(test_empty_reader),
        cmocka_unit_test(test_bound),      cmocka_unit_test(test_long_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
