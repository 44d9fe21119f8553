/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_COMMAND_H
#define KITH_CLI_COMMAND_H

#include "cli/cli.h"

/* The table of commands. */
struct command {
    const char *name;
    const char *operands; /* as the help shows them */
    const char *summary;  /* one line */
    const char *help;     /* more, lines below 80 columns; may be "" */
    size_t min, max;      /* number of operands */
    bool waits;           /* takes --nodes and --timeout */
    int (*run)(const struct cli *cli);
};

/* The i-th command; NULL past the last. */
const struct command *command_at(size_t i);

/* The command of that name; NULL when there is none. */
const struct command *command_find(const char *name);

/* Whether the command can be run with these arguments: KITH_OK, or
 * KITH_ERR_FORMAT with a line for people. */
int command_check(const struct command *command, const struct args *args,
                  char message[ARGS_MESSAGE_SIZE]);

/* Prints the help of one command, or (NULL) of the program. */
void command_help(const struct command *command, FILE *out);

#endif
