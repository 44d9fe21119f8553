/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_CLI_H
#define KITH_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "cli/args.h"
#include "cli/client.h"

/* What all commands share. docs/man/kith.1.scd is the manual. */

#define CLI_SOCKET_DEFAULT "/run/kith/kith.sock"

enum cli_exit {
    CLI_OK = 0,
    CLI_NO = 1,          /* it did not come true, or there is no such thing */
    CLI_USAGE = 2,       /* wrong usage, or a value that will not do */
    CLI_UNREACHABLE = 3, /* the daemon is not there, or may not be asked */
};

struct cli {
    const struct args *args;
    const char *socket;
    const char *version, *commit; /* of this program */
    FILE *out, *err;
    bool terminal; /* out is one ... */
    bool colours;  /* ... and shows colours */
};

/* Runs what the command line says. Returns an enum cli_exit. */
int cli_run(int argc, const char *const argv[], const char *version,
            const char *commit, FILE *out, FILE *err);

/* -- for the commands ------------------------------------------------- */

/* Says what is wrong, after the name of the program. */
__attribute__((format(printf, 2, 3))) void cli_say(const struct cli *cli,
                                                   const char *fmt, ...);

/* Shows what the daemon answered instead of doing it. */
void cli_explain(const struct cli *cli, const struct client_reply *reply);

/* The exit status for an HTTP status. */
int cli_exit_of(int status);

/* Asks the daemon. Returns CLI_OK with *reply (for client_reply_free()), or
 * another exit status after it has said why. The route is client_path()'s. */
int cli_ask(const struct cli *cli, const char *method, const char *route,
            const char *a, const char *b, const void *body, size_t n,
            struct client_reply *reply);

/* The same with GET and an answer in JSON; *out is a new reference. */
int cli_get(const struct cli *cli, const char *route, const char *a,
            const char *b, json_t **out);

/* The same for a change, whose answer is nothing: prints {"ok": true} if JSON
 * is wanted, else done (or nothing, when it is NULL). */
int cli_change(const struct cli *cli, const char *method, const char *route,
               const char *a, const void *body, size_t n, const char *done);

/* One change after the other, for each word after the command. What fails is
 * said, and the others are made all the same. */
int cli_change_each(const struct cli *cli, const char *method,
                    const char *route);

/* Prints JSON, indented. */
void cli_print_json(const struct cli *cli, const json_t *json);

/* Reads JSON that the daemon sent: NULL, said, when it is none. */
json_t *cli_parse(const struct cli *cli, const char *text, size_t n);

/* The member of that name: a string, or "" when it is none; a number, or 0;
 * whether it is true. */
const char *cli_string(const json_t *o, const char *key);
double cli_number(const json_t *o, const char *key);
bool cli_true(const json_t *o, const char *key);

/* Milliseconds of a clock that only goes forward. */
unsigned long long cli_clock_ms(void);

/* -- commands: each returns an exit status ---------------------------- */

int cmd_status(const struct cli *cli);
int cmd_id(const struct cli *cli);
int cmd_nodes(const struct cli *cli);
int cmd_friends(const struct cli *cli);
int cmd_show(const struct cli *cli);
int cmd_set(const struct cli *cli);
int cmd_unset(const struct cli *cli);
int cmd_put(const struct cli *cli);
int cmd_get(const struct cli *cli);
int cmd_rm(const struct cli *cli);
int cmd_watch(const struct cli *cli);
int cmd_wait(const struct cli *cli);
int cmd_leave(const struct cli *cli);
int cmd_away(const struct cli *cli);
int cmd_forget(const struct cli *cli);
int cmd_export(const struct cli *cli);
int cmd_help(const struct cli *cli);
int cmd_version(const struct cli *cli);

#endif
