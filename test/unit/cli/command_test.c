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
#include "cli/command.h"

enum {
    COLUMNS = 80,
};

static char *help_of(const struct command *command)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    assert_non_null(file);
    command_help(command, file);
    fclose(file);
    return text;
}

static void assert_narrow(const char *text)
{
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (; *text != '\0'; text += strcspn(text, "\n") + 1)
        if (strcspn(text, "\n") >= COLUMNS)
            fail_msg("too wide: %s", text);
}

static void test_table(void **state)
{
    const struct command *c;
    char *all = help_of(NULL);

    (void)state;
    assert_narrow(all);
    for (size_t i = 0; (c = command_at(i)) != NULL; i++) {
        char *help = help_of(c);

        assert_ptr_equal(command_find(c->name), c);
        assert_non_null(c->run);
        assert_true(c->min <= c->max && c->max <= ARGS_WORDS_MAX);
        assert_true((c->operands[0] == '\0') == (c->max == 0));
        assert_non_null(strstr(all, c->summary));
        assert_narrow(help);
        free(help);
    }
    assert_null(command_at(1000));
    free(all);
}

static void test_find(void **state)
{
    (void)state;
    assert_null(command_find(""));
    assert_null(command_find("node"));
    assert_null(command_find("nodess"));
    assert_non_null(command_find("nodes"));
}

static int check(const char *name, size_t operands, bool nodes, bool timeout)
{
    struct args args = {
        .n_words = 1 + operands, .has_nodes = nodes, .has_timeout = timeout};
    char message[ARGS_MESSAGE_SIZE];
    int err = command_check(command_find(name), &args, message);

    assert_true((message[0] == '\0') == (err == KITH_OK));
    return err;
}

static void test_check(void **state)
{
    (void)state;
    assert_int_equal(check("nodes", 0, false, false), KITH_OK);
    assert_int_equal(check("nodes", 1, false, false), KITH_ERR_FORMAT);
    assert_int_equal(check("nodes", 0, true, false), KITH_ERR_FORMAT);
    assert_int_equal(check("nodes", 0, false, true), KITH_ERR_FORMAT);
    assert_int_equal(check("get", 1, false, false), KITH_ERR_FORMAT);
    assert_int_equal(check("get", 2, false, false), KITH_OK);
    assert_int_equal(check("get", 3, false, false), KITH_ERR_FORMAT);
    assert_int_equal(check("show", 0, false, false), KITH_OK);
    assert_int_equal(check("set", 0, false, false), KITH_ERR_FORMAT);
    assert_int_equal(check("set", 200, false, false), KITH_OK);
    assert_int_equal(check("wait", 0, false, true), KITH_ERR_FORMAT);
    assert_int_equal(check("wait", 0, true, false), KITH_OK);
    assert_int_equal(check("wait", 2, false, true), KITH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
