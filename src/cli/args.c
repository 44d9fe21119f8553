/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli/args.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

enum {
    SHOWN_BYTES = 40, /* of what somebody typed, in a message */
    SHOWN_SIZE = TEXT_SHOW_SIZE * SHOWN_BYTES + 1,
};

__attribute__((format(printf, 2, 3))) static int wrong(char *message,
                                                       const char *fmt, ...)
{
    va_list list;

    va_start(list, fmt);
    vsnprintf(message, ARGS_MESSAGE_SIZE, fmt, list);
    va_end(list);
    return KITH_ERR_FORMAT;
}

static const char *show(char shown[SHOWN_SIZE], const char *text)
{
    text_escape(shown, SHOWN_SIZE, text, strnlen(text, SHOWN_BYTES));
    return shown;
}

static int number(const char *name, const char *value, uint64_t min,
                  uint64_t max, uint64_t *out, char *message)
{
    char shown[SHOWN_SIZE];

    if (text_u64(value, min, max, out) == KITH_OK)
        return KITH_OK;
    return wrong(message,
                 "%s takes a number of %" PRIu64 " to %" PRIu64 ", not \"%s\"",
                 name, min, max, show(shown, value));
}

/* The value of an option that takes one. */
static int option_value(struct args *args, const char *name, const char *value,
                        char *message)
{
    if (strcmp(name, "--nodes") == 0) {
        args->has_nodes = true;
        return number(name, value, 1, ARGS_NODES_MAX, &args->nodes, message);
    }
    if (strcmp(name, "--timeout") == 0) {
        args->has_timeout = true;
        return number(name, value, 0, ARGS_TIMEOUT_MAX_S, &args->timeout_s,
                      message);
    }
    if (value[0] == '\0')
        return wrong(message, "--socket takes the path of a socket");
    args->socket = value;
    return KITH_OK;
}

/* A switch; NULL when there is none of that name. */
static bool *find_switch(struct args *args, const char *name)
{
    if (strcmp(name, "--json") == 0)
        return &args->json;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return &args->help;
    if (strcmp(name, "--version") == 0)
        return &args->version;
    return NULL;
}

/* The option with a value whose name are the first len bytes of arg; NULL when
 * there is none. */
static const char *find_valued(const char *arg, size_t len)
{
    static const char *const names[] = {"--socket", "--nodes", "--timeout"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == len && memcmp(names[i], arg, len) == 0)
            return names[i];
    return NULL;
}

/* One option at argv[*i]; *i moves on when its value stands behind it. */
static int option(struct args *args, int argc, const char *const argv[], int *i,
                  char *message)
{
    char shown[SHOWN_SIZE];
    const char *arg = argv[*i];
    size_t len = strcspn(arg, "=");
    const char *name = find_valued(arg, len);
    bool *flag = find_switch(args, arg);

    if (flag != NULL) {
        *flag = true;
        return KITH_OK;
    }
    if (name == NULL)
        return wrong(message, "no such option: %s", show(shown, arg));
    if (arg[len] == '=')
        return option_value(args, name, arg + len + 1, message);
    if (*i + 1 == argc)
        return wrong(message, "%s needs a value", name);
    return option_value(args, name, argv[++*i], message);
}

int args_parse(struct args *args, int argc, const char *const argv[],
               char message[ARGS_MESSAGE_SIZE])
{
    bool words_only = false;

    memset(args, 0, sizeof *args);
    message[0] = '\0';
    for (int i = 1; i < argc; i++) {
        if (!words_only && strcmp(argv[i], "--") == 0) {
            words_only = true;
        } else if (!words_only && argv[i][0] == '-' && argv[i][1] != '\0') {
            int err = option(args, argc, argv, &i, message);
            if (err != KITH_OK)
                return err;
        } else if (args->n_words == ARGS_WORDS_MAX) {
            return wrong(message, "more than %d words", ARGS_WORDS_MAX);
        } else {
            args->words[args->n_words++] = argv[i];
        }
    }
    return KITH_OK;
}
