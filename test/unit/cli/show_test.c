/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/show.h"

static void assert_owned(char *text, const char *expected)
{
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void test_text(void **state)
{
    (void)state;
    assert_owned(show_text(""), "");
    assert_owned(show_text("web1 \"x\""), "web1 \"x\"");
    assert_owned(show_text("m\xc3\xbcnchen"), "m\xc3\xbcnchen");
    assert_owned(show_text("\x1b[2J\n\x7f\xff"), "\\x1b[2J\\x0a\\x7f\\xff");
    /* right-to-left override */
    assert_owned(show_text("a\xe2\x80\xae"
                           "b"),
                 "a\\xe2\\x80\\xae"
                 "b");
}

static void test_pair(void **state)
{
    (void)state;
    assert_owned(show_pair("role", "web"), "role=web");
    assert_owned(show_pair("role", ""), "role=");
    assert_owned(show_pair("path", "/a/b-c_d.e:f@g,h+i"),
                 "path=/a/b-c_d.e:f@g,h+i");
    assert_owned(show_pair("a", "x role=db"), "a=\"x role=db\"");
    assert_owned(show_pair("a", "x\"y\\"), "a=\"x\\x22y\\x5c\"");
    assert_owned(show_pair("a", "b=c"), "a=\"b=c\"");
    assert_owned(show_pair("a", "\xc3\xbc"), "a=\"\xc3\xbc\"");
    assert_owned(show_pair("a", "\x1b"), "a=\"\\x1b\"");
}

typedef void print_fn(FILE *out, const char *text);

static char *printed(print_fn *print, const char *text)
{
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);

    assert_non_null(file);
    print(file, text);
    fclose(file);
    return out;
}

static void print_bytes(FILE *out, const char *text)
{
    show_bytes(out, text, strlen(text));
}

static void test_print(void **state)
{
    (void)state;
    assert_owned(printed(show_print, "a\tb\x1b"), "a\\x09b\\x1b");
    assert_owned(printed(print_bytes, "a\tb\n\r\x1b\xff"),
                 "a\tb\n\\x0d\\x1b\\xff");
}

static void test_word(void **state)
{
    (void)state;
    assert_owned(printed(show_word, "out/motd.sig"), "out/motd.sig");
    assert_owned(printed(show_word, ""), "''");
    assert_owned(printed(show_word, "my files/x"), "'my files/x'");
    assert_owned(printed(show_word, "$(rm x)"), "'$(rm x)'");
    assert_owned(printed(show_word, "it's"), "'it'\\''s'");
}

static void assert_age(double seconds, const char *expected)
{
    char age[SHOW_AGE_SIZE];

    show_age(age, seconds);
    assert_string_equal(age, expected);
}

static void test_age(void **state)
{
    volatile double zero = 0;

    (void)state;
    assert_age(0, "now");
    assert_age(0.999, "now");
    assert_age(1, "1 s");
    assert_age(59.9, "59 s");
    assert_age(60, "1 min");
    assert_age(125, "2 min");
    assert_age(3599, "59 min");
    assert_age(3600, "1 h");
    assert_age(3600 + 60, "1 h 1 min");
    assert_age(3600 + 59, "1 h");
    assert_age(10 * 3600 + 60 * 5, "10 h");
    assert_age(86400 * 2.5, "2 d 12 h");
    assert_age(86400 * 400, "400 d");
    assert_age(-1, "now");
    assert_age(1e300, "now");
    assert_age(zero / zero, "now");
    assert_age(1 / zero, "now");
    assert_age(9e14, "10416666666 d");
}

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(show_width(""), 0);
    assert_int_equal(show_width("web1"), 4);
    assert_int_equal(show_width("m\xc3\xbcnchen"), 7);
    assert_int_equal(show_width("e\xcc\x81"), 1);                /* e, acute */
    assert_int_equal(show_width("\xe6\x9d\xb1\xe4\xba\xac"), 4); /* Tokyo */
    assert_int_equal(show_width("\xef\xbd\xb1"), 1); /* halfwidth katakana */
    assert_int_equal(show_width("\xf0\x9f\x98\x80"), 2); /* a face */
    assert_int_equal(show_width("\xff"), 1);
}

static void test_id_digits(void **state)
{
    const char *none[] = {NULL};
    const char *far[] = {"b0000000ff", "a0000000ff"};
    const char *near[] = {"aaaaaaaabb00", "bbbbbbbbcc00", "aaaaaaaabc00"};
    const char *same[] = {"aaaaaaaaaa", "aaaaaaaaaa"};
    const char *odd[] = {"", "", "a"};

    (void)state;
    assert_int_equal(show_id_digits(none, 0), 8);
    assert_int_equal(show_id_digits(far, 2), 8);
    assert_int_equal(show_id_digits(near, 3), 10);
    assert_int_equal(show_id_digits(same, 2), 11);
    assert_int_equal(show_id_digits(odd, 3), 8);
}

static void test_colours(void **state)
{
    FILE *file = tmpfile();

    (void)state;
    assert_non_null(file);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    assert_false(show_colours(file)); /* no terminal */
    fclose(file);
    assert_string_equal(show_colour_on(SHOW_PLAIN), "");
    assert_string_equal(show_colour_off(SHOW_PLAIN), "");
    assert_int_equal(show_colour_on(SHOW_RED)[0], '\x1b');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),      cmocka_unit_test(test_pair),
        cmocka_unit_test(test_print),     cmocka_unit_test(test_word),
        cmocka_unit_test(test_age),       cmocka_unit_test(test_width),
        cmocka_unit_test(test_id_digits), cmocka_unit_test(test_colours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
