/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

struct sink {
    unsigned lines;
    int level;
    char last[LOG_LINE_SIZE];
};

static void keep(void *arg, int level, const char *line)
{
    struct sink *sink = arg;

    assert_true(strlen(line) < sizeof sink->last);
    assert_true(text_valid_utf8(line, strlen(line)));
    snprintf(sink->last, sizeof sink->last, "%s", line);
    sink->level = level;
    sink->lines++;
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_string_equal(log_level_name(LOG_LEVEL_ERROR), "error");
    assert_string_equal(log_level_name(LOG_LEVEL_WARN), "warn");
    assert_string_equal(log_level_name(LOG_LEVEL_INFO), "info");
    assert_string_equal(log_level_name(LOG_LEVEL_DEBUG), "debug");
    assert_string_equal(log_level_name((enum log_level)99), "unknown");
}

static void writes_up_to_its_level(void **state)
{
    struct sink sink = {0};
    struct log log = {LOG_LEVEL_INFO, keep, &sink};

    (void)state;
    log_msg(&log, LOG_LEVEL_INFO, "peer up node=%d", 7);
    assert_string_equal(sink.last, "peer up node=7");
    assert_int_equal(sink.level, LOG_LEVEL_INFO);
    log_msg(&log, LOG_LEVEL_DEBUG, "too much");
    assert_int_equal(sink.lines, 1);
    log_msg(&log, LOG_LEVEL_ERROR, "broken");
    assert_int_equal(sink.lines, 2);
    assert_true(log_enabled(&log, LOG_LEVEL_INFO));
    assert_false(log_enabled(&log, LOG_LEVEL_DEBUG));
}

static void without_a_sink_nothing_is_written(void **state)
{
    struct log log = {LOG_LEVEL_DEBUG, NULL, NULL};
    struct log_limit limit;

    (void)state;
    log_limit_init(&limit, 1, 0, (struct instant){0});
    log_msg(NULL, LOG_LEVEL_ERROR, "x");
    log_msg(&log, LOG_LEVEL_ERROR, "x");
    log_limited(NULL, &limit, (struct instant){0}, LOG_LEVEL_ERROR, "x");
    assert_false(log_enabled(NULL, LOG_LEVEL_ERROR));
    assert_true(budget_has(&limit.budget, (struct instant){0}, 1));
}

static void a_line_stays_one_harmless_line(void **state)
{
    struct sink sink = {0};
    struct log log = {LOG_LEVEL_INFO, keep, &sink};

    (void)state;
    log_msg(&log, LOG_LEVEL_INFO, "name=%s", "a\nlevel=error\x1b[2J\r\xff");
    assert_string_equal(sink.last, "name=a\\x0alevel=error\\x1b[2J\\x0d\\xff");
    log_msg(&log, LOG_LEVEL_INFO, "name=\"%s\" path=C:\\", "K\xc3\xb6ln");
    assert_string_equal(sink.last, "name=\"K\xc3\xb6ln\" path=C:\\");
    assert_int_equal(sink.lines, 2);
}

static void an_empty_line_is_a_line(void **state)
{
    struct sink sink = {0};
    struct log log = {LOG_LEVEL_INFO, keep, &sink};

    (void)state;
    log_msg(&log, LOG_LEVEL_INFO, "%s", "");
    assert_int_equal(sink.lines, 1);
    assert_string_equal(sink.last, "");
}

/* Lines of every length around the bound, made of `unit`. */
static void check_cut(const char *unit, size_t shown_len)
{
    struct sink sink = {0};
    struct log log = {LOG_LEVEL_INFO, keep, &sink};
    char text[3 * LOG_LINE_SIZE] = "";
    size_t unit_len = strlen(unit);

    for (size_t n = 1; n * unit_len < sizeof text; n++) {
        bool fits = n * shown_len < LOG_LINE_SIZE;

        memcpy(text + (n - 1) * unit_len, unit, unit_len + 1);
        log_msg(&log, LOG_LEVEL_INFO, "%s", text);
        if (fits) {
            assert_int_equal(strlen(sink.last), n * shown_len);
        } else {
            size_t len = strlen(sink.last);

            assert_in_range(len, LOG_LINE_SIZE - 4, LOG_LINE_SIZE - 1);
            assert_string_equal(sink.last + len - 3, "...");
            assert_int_equal((len - 3) % shown_len, 0);
        }
    }
}

static void a_long_line_is_cut_between_characters(void **state)
{
    (void)state;
    check_cut("x", 1);
    check_cut("\xc3\xb6", 2);
    check_cut("\xe2\x82\xac", 3);
    check_cut("\xf0\x9f\x98\x80", 4);
    check_cut("\n", 4);
}

static void left_out_lines_are_counted(void **state)
{
    struct sink sink = {0};
    struct log log = {LOG_LEVEL_INFO, keep, &sink};
    struct log_limit limit;
    struct instant now = {1000};

    (void)state;
    log_limit_init(&limit, 2, 1000, now);
    for (int i = 0; i < 10; i++)
        log_limited(&log, &limit, now, LOG_LEVEL_WARN, "bad n=%d", i);
    assert_int_equal(sink.lines, 2);
    assert_string_equal(sink.last, "bad n=1");
    now = instant_add_ms(now, 1000);
    log_limited(&log, &limit, now, LOG_LEVEL_WARN, "bad n=%d", 10);
    assert_string_equal(sink.last, "bad n=10 left_out=8");
    now = instant_add_ms(now, 1000);
    log_limited(&log, &limit, now, LOG_LEVEL_WARN, "bad n=%d", 11);
    assert_string_equal(sink.last, "bad n=11");
    assert_int_equal(sink.lines, 4);
}

static void what_the_level_hides_counts_for_nothing(void **state)
{
    struct sink sink = {0};
    struct log log = {LOG_LEVEL_WARN, keep, &sink};
    struct log_limit limit;
    struct instant now = {0};

    (void)state;
    log_limit_init(&limit, 1, 0, now);
    for (int i = 0; i < 10; i++)
        log_limited(&log, &limit, now, LOG_LEVEL_DEBUG, "hidden");
    log_limited(&log, &limit, now, LOG_LEVEL_WARN, "shown");
    assert_int_equal(sink.lines, 1);
    assert_string_equal(sink.last, "shown");
}

static void the_count_survives_a_long_line(void **state)
{
    struct sink sink = {0};
    struct log log = {LOG_LEVEL_INFO, keep, &sink};
    struct log_limit limit;
    char text[2 * LOG_LINE_SIZE];

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    log_limit_init(&limit, 1, 1000, (struct instant){0});
    limit.left_out = UINT64_MAX;
    log_limited(&log, &limit, (struct instant){0}, LOG_LEVEL_WARN, "%s", text);
    assert_int_equal(strlen(sink.last), LOG_LINE_SIZE - 1);
    assert_non_null(strstr(sink.last, "x... left_out=18446744073709551615"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(writes_up_to_its_level),
        cmocka_unit_test(without_a_sink_nothing_is_written),
        cmocka_unit_test(a_line_stays_one_harmless_line),
        cmocka_unit_test(an_empty_line_is_a_line),
        cmocka_unit_test(a_long_line_is_cut_between_characters),
        cmocka_unit_test(left_out_lines_are_counted),
        cmocka_unit_test(what_the_level_hides_counts_for_nothing),
        cmocka_unit_test(the_count_survives_a_long_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
