/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "cli/args.h"

enum {
    WORDS_MAX = 16,
};

/* Parses a command line whose words are given up to a NULL. */
static int parse(struct args *args, char message[ARGS_MESSAGE_SIZE],
                 const char *const *words)
{
    const char *argv[WORDS_MAX + 1] = {"kith"};
    int argc = 1;

    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = words[argc - 1];
    return args_parse(args, argc, argv, message);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_wrong(const char *const *words, const char *says)
{
    char message[ARGS_MESSAGE_SIZE];
    struct args args;

    assert_int_equal(parse(&args, message, words), KITH_ERR_FORMAT);
    if (strstr(message, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", message, says);
}

static void test_words(void **state)
{
    char message[ARGS_MESSAGE_SIZE];
    struct args args;
    const char *none[] = {NULL};

    (void)state;
    assert_int_equal(parse(&args, message, none), KITH_OK);
    assert_int_equal(args.n_words, 0);
    assert_null(args.socket);
    assert_int_equal(parse(&args, message, WORDS("put", "motd", "-")), KITH_OK);
    assert_int_equal(args.n_words, 3);
    assert_string_equal(args.words[0], "put");
    assert_string_equal(args.words[2], "-");
    assert_int_equal(parse(&args, message, WORDS("show", "")), KITH_OK);
    assert_int_equal(args.n_words, 2);
}

static void test_options(void **state)
{
    char message[ARGS_MESSAGE_SIZE];
    struct args args;

    (void)state;
    assert_int_equal(parse(&args, message,
                           WORDS("--socket", "/a", "wait", "--json", "--nodes",
                                 "3", "web1", "--timeout=0")),
                     KITH_OK);
    assert_string_equal(args.socket, "/a");
    assert_true(args.json);
    assert_true(args.has_nodes);
    assert_int_equal(args.nodes, 3);
    assert_true(args.has_timeout);
    assert_int_equal(args.timeout_s, 0);
    assert_int_equal(args.n_words, 2);
    assert_string_equal(args.words[1], "web1");

    assert_int_equal(parse(&args, message, WORDS("--socket=/x=y", "-h")),
                     KITH_OK);
    assert_string_equal(args.socket, "/x=y");
    assert_true(args.help);
    assert_false(args.has_nodes);
    assert_int_equal(parse(&args, message, WORDS("--version", "--help")),
                     KITH_OK);
    assert_true(args.version);
    /* the last one counts */
    assert_int_equal(
        parse(&args, message, WORDS("--socket", "/a", "--socket", "/b")),
        KITH_OK);
    assert_string_equal(args.socket, "/b");
}

static void test_end_of_options(void **state)
{
    char message[ARGS_MESSAGE_SIZE];
    struct args args;

    (void)state;
    assert_int_equal(
        parse(&args, message, WORDS("set", "--", "--json", "--", "-x")),
        KITH_OK);
    assert_false(args.json);
    assert_int_equal(args.n_words, 4);
    assert_string_equal(args.words[1], "--json");
    assert_string_equal(args.words[2], "--");
}

static void test_wrong(void **state)
{
    (void)state;
    assert_wrong(WORDS("--sockets", "x"), "no such option: --sockets");
    assert_wrong(WORDS("-j"), "no such option: -j");
    assert_wrong(WORDS("--json=yes"), "no such option: --json=yes");
    assert_wrong(WORDS("--"
                       "\x1b[2J"),
                 "\\x1b[2J");
    assert_wrong(WORDS("--socket"), "needs a value");
    assert_wrong(WORDS("--socket="), "takes the path");
    assert_wrong(WORDS("wait", "--nodes"), "needs a value");
    assert_wrong(WORDS("--nodes", "0"), "1 to 1000000");
    assert_wrong(WORDS("--nodes", "1000001"), "1 to 1000000");
    assert_wrong(WORDS("--nodes", "three"), "not \"three\"");
    assert_wrong(WORDS("--nodes", "-1"), "not \"-1\"");
    assert_wrong(WORDS("--timeout", "1.5"), "not \"1.5\"");
    assert_wrong(WORDS("--timeout", ""), "not \"\"");
    assert_wrong(WORDS("--timeout=99999999999999999999"), "0 to 31622400");
}

static void test_long_word(void **state)
{
    char word[1000];

    (void)state;
    memset(word, '\x01', sizeof word);
    memcpy(word, "--", 2);
    word[sizeof word - 1] = '\0';
    assert_wrong(WORDS(word), "--\\x01");
}

static void test_many_words(void **state)
{
    const char *argv[ARGS_WORDS_MAX + 2];
    char message[ARGS_MESSAGE_SIZE];
    struct args args;

    (void)state;
    for (size_t i = 0; i < sizeof argv / sizeof argv[0]; i++)
        argv[i] = "x";
    assert_int_equal(args_parse(&args, ARGS_WORDS_MAX + 1, argv, message),
                     KITH_OK);
    assert_int_equal(args.n_words, ARGS_WORDS_MAX);
    assert_int_equal(args_parse(&args, ARGS_WORDS_MAX + 2, argv, message),
                     KITH_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_end_of_options),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_long_word),
        cmocka_unit_test(test_many_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
