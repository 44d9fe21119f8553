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

#include "base/error.h"
#include "cli/table.h"

static const char *const titles[] = {"ID", "NAME", "TAGS"};

static void assert_table(const struct table *t, bool colours,
                         const char *expected)
{
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);

    assert_non_null(file);
    assert_int_equal(table_print(t, file, colours), KITH_OK);
    fclose(file);
    assert_string_equal(out, expected);
    free(out);
}

static void row(struct table *t, const char *a, const char *b, const char *c)
{
    table_cell(t, a, SHOW_PLAIN);
    table_cell(t, b, SHOW_PLAIN);
    table_cell(t, c, SHOW_PLAIN);
}

static void test_empty(void **state)
{
    struct table *t = table_new(titles, 3);

    (void)state;
    assert_non_null(t);
    assert_table(t, false, "ID  NAME  TAGS\n");
    table_free(t);
    table_free(NULL);
}

static void test_columns(void **state)
{
    struct table *t = table_new(titles, 3);

    (void)state;
    row(t, "1a2b", "web1", "role=web");
    row(t, "3c4d5e", "m\xc3\xbcnchen-7", "");
    row(t, "", "\xe6\x9d\xb1\xe4\xba\xac", "x");
    assert_table(t, false,
                 "ID      NAME       TAGS\n"
                 "1a2b    web1       role=web\n"
                 "3c4d5e  m\xc3\xbcnchen-7\n"
                 "        \xe6\x9d\xb1\xe4\xba\xac       x\n");
    table_free(t);
}

/* A row that is not complete is not printed. */
static void test_incomplete(void **state)
{
    struct table *t = table_new(titles, 3);

    (void)state;
    row(t, "a", "b", "c");
    table_cell(t, "d", SHOW_PLAIN);
    assert_table(t, false, "ID  NAME  TAGS\na   b     c\n");
    table_free(t);
}

static void test_hostile(void **state)
{
    struct table *t = table_new(titles, 3);

    (void)state;
    row(t, "a", "\x1b[31m", "b\nc");
    assert_table(t, false,
                 "ID  NAME      TAGS\n"
                 "a   \\x1b[31m  b\\x0ac\n");
    table_free(t);
}

/* Colours take no columns. */
static void test_colours(void **state)
{
    struct table *t = table_new(titles, 3);

    (void)state;
    table_cell(t, "a", SHOW_GREEN);
    table_cell(t, "b", SHOW_PLAIN);
    table_cell(t, "c", SHOW_DIM);
    assert_table(t, false, "ID  NAME  TAGS\na   b     c\n");
    assert_table(t, true,
                 "ID  NAME  TAGS\n\x1b[32ma\x1b[0m   b     "
                 "\x1b[2mc\x1b[0m\n");
    table_free(t);
}

static void test_many(void **state)
{
    struct table *t = table_new(titles, 1);
    char *out = NULL, text[16];
    size_t size, lines = 0;
    FILE *file = open_memstream(&out, &size);

    (void)state;
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "%d", i);
        table_cell(t, text, SHOW_PLAIN);
    }
    assert_int_equal(table_print(t, file, false), KITH_OK);
    fclose(file);
    for (size_t i = 0; i < size; i++)
        lines += out[i] == '\n';
    assert_int_equal(lines, 10001);
    free(out);
    table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_columns),
        cmocka_unit_test(test_incomplete), cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_colours),    cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
