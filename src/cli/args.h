/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_ARGS_H
#define KITH_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The command line: options anywhere, words in their order.
 *
 *     --name VALUE   --name=VALUE   --switch   -h   WORD   -
 *
 * After "--" everything is a word.
 */

enum {
    ARGS_WORDS_MAX = 256,
    ARGS_TIMEOUT_MAX_S = 366 * 86400,
    ARGS_NODES_MAX = 1000000,
    ARGS_MESSAGE_SIZE = 256,
};

struct args {
    const char *socket; /* NULL: not given */
    bool json, help, version;
    bool has_nodes, has_timeout; /* of `kith wait` */
    uint64_t nodes;              /* 1 .. ARGS_NODES_MAX */
    uint64_t timeout_s;          /* 0 .. ARGS_TIMEOUT_MAX_S */
    size_t n_words;              /* the command, then what it works on */
    const char *words[ARGS_WORDS_MAX];
};

/* Reads the command line, of which argv[0] is skipped and the rest borrowed.
 * Returns KITH_OK; or KITH_ERR_FORMAT with a line for people in message, of
 * ARGS_MESSAGE_SIZE bytes. */
int args_parse(struct args *args, int argc, const char *const argv[],
               char message[ARGS_MESSAGE_SIZE]);

#endif
