/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/error.h"
#include "daemon/events.h"

static void assert_time(uint64_t unix_ms, const char *expected)
{
    char out[EVENTS_TIME_SIZE];

    events_time(out, unix_ms);
    assert_string_equal(out, expected);
}

static void test_time(void **state)
{
    (void)state;
    assert_time(0, "1970-01-01T00:00:00.000Z");
    assert_time(999, "1970-01-01T00:00:00.999Z");
    assert_time(951782400000, "2000-02-29T00:00:00.000Z");
    assert_time(1767225599999, "2025-12-31T23:59:59.999Z");
    assert_time(4102444800007, "2100-01-01T00:00:00.007Z");
    assert_time(253402300799999, "9999-12-31T23:59:59.999Z");
    assert_time(253402300800000, "9999-12-31T23:59:59.999Z");
    assert_time(UINT64_MAX, "9999-12-31T23:59:59.999Z");
}

static void assert_line(const struct agent_event *e, const char *expected)
{
    char line[EVENTS_LINE_SIZE];
    size_t len = 0;

    assert_int_equal(events_line(e, line, sizeof line, &len), KITH_OK);
    assert_string_equal(line, expected);
    assert_int_equal(len, strlen(expected));
}

static void test_line(void **state)
{
    struct agent_event e = {.seq = 7,
                            .unix_ms = 1767225599123,
                            .type = NOTE_CHANGED,
                            .host = "web1",
                            .name = "motd",
                            .text = "serial 12"};

    (void)state;
    memset(e.id.b, 0xab, sizeof e.id.b);
    assert_line(&e, "{\"seq\":7,\"time\":\"2025-12-31T23:59:59.123Z\","
                    "\"event\":\"changed\",\"node\":"
                    "\"abababababababababababababababab"
                    "abababababababababababababababab\","
                    "\"name\":\"web1\",\"block\":\"motd\","
                    "\"text\":\"serial 12\"}");
}

static void test_line_of_nobody(void **state)
{
    struct agent_event e = {.seq = 1, .type = NOTE_SEARCHING};

    (void)state;
    assert_line(&e, "{\"seq\":1,\"time\":\"1970-01-01T00:00:00.000Z\","
                    "\"event\":\"searching\",\"name\":null,\"block\":null,"
                    "\"text\":null}");
}

static void assert_event(enum note_type type, const char *expected)
{
    struct agent_event e = {.seq = 1, .type = type};
    char line[EVENTS_LINE_SIZE];
    json_t *json;
    size_t len;

    assert_int_equal(events_line(&e, line, sizeof line, &len), KITH_OK);
    json = json_loadb(line, len, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "event")),
                        expected);
    json_decref(json);
}

/* The names are part of the API. */
static void test_names(void **state)
{
    static const char *const names[NOTE_TYPES] = {
        "joined", "changed",   "removed", "no-answer",    "back",
        "away",   "left",      "gone",    "equivocation", "clone",
        "full",   "searching", "found"};

    (void)state;
    for (unsigned type = 0; type < NOTE_TYPES; type++)
        assert_event(type, names[type]);
}

/* Whatever is in an event, its line is one line of JSON. */
static void test_hostile(void **state)
{
    char line[EVENTS_LINE_SIZE];
    struct agent_event e = {.seq = UINT64_MAX >> 1,
                            .unix_ms = UINT64_MAX,
                            .type = NOTE_EQUIVOCATION};
    json_t *json;
    size_t len;

    (void)state;
    memset(e.id.b, 1, sizeof e.id.b);
    for (int c = 1; c < 256; c++) {
        memset(e.host, c, sizeof e.host - 1);
        memset(e.name, c, sizeof e.name - 1);
        memset(e.text, c, sizeof e.text - 1);
        assert_int_equal(events_line(&e, line, sizeof line, &len), KITH_OK);
        assert_int_equal(strlen(line), len);
        assert_null(strpbrk(line, "\r\n\x1b"));
        json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(json);
        assert_true(json_is_string(json_object_get(json, "name")));
        json_decref(json);
    }
}

/* As snprintf() leaves a text that was too long. */
static void test_cut_character(void **state)
{
    struct agent_event e = {.seq = 1, .text = "caf\xc3"};
    char line[EVENTS_LINE_SIZE];
    size_t len;

    (void)state;
    assert_int_equal(events_line(&e, line, sizeof line, &len), KITH_OK);
    assert_non_null(strstr(line, "\"text\":\"caf\\\\xc3\"}"));
}

static void test_room(void **state)
{
    struct agent_event e = {.seq = 1};
    char line[EVENTS_LINE_SIZE];
    char tight[EVENTS_LINE_SIZE];
    size_t len = 0, none = 77;

    (void)state;
    assert_int_equal(events_line(&e, line, sizeof line, &len), KITH_OK);
    assert_int_equal(events_line(&e, tight, len, &none), KITH_ERR_FULL);
    assert_int_equal(none, 77);
    assert_int_equal(events_line(&e, tight, len + 1, &none), KITH_OK);
    assert_int_equal(none, len);
    assert_string_equal(tight, line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_line_of_nobody),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_cut_character),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
