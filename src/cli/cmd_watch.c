/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/show.h"

static enum show_colour event_colour(const char *event)
{
    static const struct {
        const char *event;
        enum show_colour colour;
    } colours[] = {
        {"joined", SHOW_GREEN},     {"back", SHOW_GREEN},
        {"found", SHOW_GREEN},      {"no-answer", SHOW_RED},
        {"equivocation", SHOW_RED}, {"clone", SHOW_RED},
        {"full", SHOW_RED},         {"gone", SHOW_YELLOW},
        {"left", SHOW_YELLOW},      {"away", SHOW_YELLOW},
        {"searching", SHOW_YELLOW},
    };

    for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++)
        if (strcmp(colours[i].event, event) == 0)
            return colours[i].colour;
    return SHOW_PLAIN;
}

/* A word and two blanks before it; nothing for no word. */
static void print_word(const struct cli *cli, const char *word)
{
    if (word[0] == '\0')
        return;
    fputs("  ", cli->out);
    show_print(cli->out, word);
}

/* "2026-01-31T23:59:59.999Z  joined        1a2b3c4d  web1" */
static void print_event(const struct cli *cli, const json_t *o)
{
    const char *event = cli_string(o, "event");
    enum show_colour colour = cli->colours ? event_colour(event) : SHOW_PLAIN;
    char id[SHOW_ID_DIGITS + 1];

    show_print(cli->out, cli_string(o, "time"));
    fprintf(cli->out, "  %s", show_colour_on(colour));
    show_print(cli->out, event);
    fprintf(cli->out, "%s%*s", show_colour_off(colour),
            strlen(event) < 12 ? (int)(12 - strlen(event)) : 0, "");
    snprintf(id, sizeof id, "%s", cli_string(o, "node"));
    print_word(cli, id);
    print_word(cli, cli_string(o, "name"));
    print_word(cli, cli_string(o, "block"));
    print_word(cli, cli_string(o, "text"));
    fputc('\n', cli->out);
}

static int print_one(const struct cli *cli, const char *text)
{
    json_t *o = cli_parse(cli, text, strlen(text));

    if (o == NULL)
        return CLI_UNREACHABLE;
    if (cli->args->json) {
        json_dumpf(o, cli->out, JSON_COMPACT);
        fputc('\n', cli->out);
    } else {
        print_event(cli, o);
    }
    json_decref(o);
    return fflush(cli->out) == 0 ? CLI_OK : CLI_NO;
}

int cmd_watch(const struct cli *cli)
{
    char message[CLIENT_MESSAGE_SIZE];
    struct client_stream *stream;
    const char *event;
    int err = client_stream_open(cli->socket, &stream, message);
    int code = CLI_OK;

    while (err == KITH_OK && code == CLI_OK) {
        err = client_stream_next(stream, -1, &event, message);
        if (err == KITH_OK)
            code = print_one(cli, event);
        else if (err == KITH_ERR_NOTFOUND) /* a signal came */
            err = KITH_OK;
    }
    client_stream_close(stream);
    if (err == KITH_ERR_TRUNCATED)
        cli_say(cli, "kithd has ended");
    else if (err != KITH_OK)
        cli_say(cli, "%s", message);
    return err == KITH_OK ? code : CLI_UNREACHABLE;
}
