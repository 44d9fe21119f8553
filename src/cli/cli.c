/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/show.h"

enum {
    SAID_SIZE = 1024,
};

/* -- saying ----------------------------------------------------------- */

void cli_say(const struct cli *cli, const char *fmt, ...)
{
    char text[SAID_SIZE];
    va_list list;

    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    fputs("kith: ", cli->err);
    show_print(cli->err, text);
    fputc('\n', cli->err);
}

static void print_hint(FILE *err, const json_t *o)
{
    const char *hint = cli_string(o, "hint");

    if (hint[0] == '\0')
        return;
    fputs("      ", err);
    show_print(err, hint);
    fputc('\n', err);
}

/* The nodes that a name may mean. */
static void print_candidates(FILE *err, const json_t *list)
{
    size_t i;
    json_t *o;

    json_array_foreach(list, i, o)
    {
        fputs("      ", err);
        show_print(err, cli_string(o, "id"));
        fputs("  ", err);
        show_print(err, cli_string(o, "state"));
        fputs("  ", err);
        show_print(err, cli_string(o, "name"));
        fputc('\n', err);
    }
}

void cli_explain(const struct cli *cli, const struct client_reply *reply)
{
    json_t *o = NULL;

    if (reply->body != NULL)
        o = json_loadb(reply->body, reply->len, 0, NULL);
    if (cli_string(o, "error")[0] == '\0') {
        cli_say(cli, "kithd refused: HTTP status %d", reply->status);
    } else {
        cli_say(cli, "%s", cli_string(o, "error"));
        print_hint(cli->err, o);
        print_candidates(cli->err, json_object_get(o, "candidates"));
    }
    json_decref(o);
}

int cli_exit_of(int status)
{
    if (status < 300)
        return CLI_OK;
    if (status == 403)
        return CLI_UNREACHABLE;
    return status == 400 || status == 413 ? CLI_USAGE : CLI_NO;
}

/* -- asking ----------------------------------------------------------- */

int cli_ask(const struct cli *cli, const char *method, const char *route,
            const char *a, const char *b, const void *body, size_t n,
            struct client_reply *reply)
{
    char path[CLIENT_PATH_SIZE], message[CLIENT_MESSAGE_SIZE];
    int err = client_path(path, route, a, b);

    memset(reply, 0, sizeof *reply);
    if (err != KITH_OK) {
        cli_say(cli, err == KITH_ERR_FORMAT ? "an empty name means nothing"
                                            : "such a long name means nothing");
        return CLI_USAGE;
    }
    err = client_call(cli->socket, method, path, body, n, reply, message);
    if (err != KITH_OK) {
        cli_say(cli, "%s", message);
        client_reply_free(reply);
        return err == KITH_ERR_NOMEM ? CLI_NO : CLI_UNREACHABLE;
    }
    if (reply->status >= 300) {
        int status = reply->status;
        cli_explain(cli, reply);
        client_reply_free(reply);
        return cli_exit_of(status);
    }
    return CLI_OK;
}

json_t *cli_parse(const struct cli *cli, const char *text, size_t n)
{
    json_t *json =
        text == NULL ? NULL : json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);

    if (json == NULL)
        cli_say(cli, "what answers is not kithd: no JSON");
    return json;
}

int cli_get(const struct cli *cli, const char *route, const char *a,
            const char *b, json_t **out)
{
    struct client_reply reply;
    int code = cli_ask(cli, "GET", route, a, b, NULL, 0, &reply);

    *out = NULL;
    if (code != CLI_OK)
        return code;
    *out = cli_parse(cli, reply.body, reply.len);
    client_reply_free(&reply);
    return *out == NULL ? CLI_UNREACHABLE : CLI_OK;
}

int cli_change(const struct cli *cli, const char *method, const char *route,
               const char *a, const void *body, size_t n, const char *done)
{
    struct client_reply reply;
    int code = cli_ask(cli, method, route, a, NULL, body, n, &reply);

    if (code != CLI_OK)
        return code;
    client_reply_free(&reply);
    if (cli->args->json)
        fputs("{\"ok\": true}\n", cli->out);
    else if (done != NULL)
        fprintf(cli->out, "%s\n", done);
    return CLI_OK;
}

int cli_change_each(const struct cli *cli, const char *method,
                    const char *route)
{
    int code = CLI_OK;

    for (size_t i = 1; i < cli->args->n_words; i++) {
        struct client_reply reply;
        int one = cli_ask(cli, method, route, cli->args->words[i], NULL, NULL,
                          0, &reply);

        client_reply_free(&reply);
        if (one > code)
            code = one;
        if (one == CLI_UNREACHABLE)
            break;
    }
    if (code == CLI_OK && cli->args->json)
        fputs("{\"ok\": true}\n", cli->out);
    return code;
}

void cli_print_json(const struct cli *cli, const json_t *json)
{
    if (json != NULL)
        json_dumpf(json, cli->out, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    fputc('\n', cli->out);
}

const char *cli_string(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text == NULL ? "" : text;
}

double cli_number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

bool cli_true(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

unsigned long long cli_clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned long long)t.tv_sec * 1000 +
           (unsigned long long)t.tv_nsec / 1000000;
}

/* -- running ---------------------------------------------------------- */

static const char *socket_path(const struct args *args)
{
    const char *path = args->socket;

    if (path == NULL)
        path = getenv("KITH_SOCKET");
    return path == NULL || path[0] == '\0' ? CLI_SOCKET_DEFAULT : path;
}

static int run_command(const struct cli *cli)
{
    const struct args *args = cli->args;
    const struct command *command = NULL;
    char message[ARGS_MESSAGE_SIZE];

    if (args->version)
        return cmd_version(cli);
    if (args->n_words > 0) {
        command = command_find(args->words[0]);
        if (command == NULL) {
            cli_say(cli, "no such command: %s; kith help lists them",
                    args->words[0]);
            return CLI_USAGE;
        }
    }
    if (args->help) {
        command_help(command, cli->out);
        return CLI_OK;
    }
    if (command == NULL) {
        command_help(NULL, cli->err);
        return CLI_USAGE;
    }
    if (command_check(command, args, message) != KITH_OK) {
        cli_say(cli, "%s", message);
        return CLI_USAGE;
    }
    return command->run(cli);
}

int cli_run(int argc, const char *const argv[], const char *version,
            const char *commit, FILE *out, FILE *err)
{
    char message[ARGS_MESSAGE_SIZE];
    struct args args;
    struct cli cli = {.args = &args,
                      .version = version,
                      .commit = commit,
                      .out = out,
                      .err = err,
                      .terminal = isatty(fileno(out)) == 1,
                      .colours = show_colours(out)};
    int code;

    if (args_parse(&args, argc, argv, message) != KITH_OK) {
        cli_say(&cli, "%s; kith help lists what there is", message);
        return CLI_USAGE;
    }
    cli.socket = socket_path(&args);
    code = run_command(&cli);
    if (fflush(out) != 0 || ferror(out)) {
        cli_say(&cli, "cannot write the output");
        return code == CLI_OK ? CLI_NO : code;
    }
    return code;
}
