/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "cli/cli.h"

/*
 * Waits on the stream of events: whenever something has happened, and now and
 * then besides (not every change is an event), it looks again.
 */

enum {
    LOOK_EVERY_MS = 2000,
    SETTLE_MS = 20, /* events that come close together are looked at once */
    SETTLE_MAX = 256,
    START_MS = 100, /* between tries to reach a kithd that is starting */
};

struct wait {
    const struct cli *cli;
    unsigned long long end_ms; /* of the patience */
    int code;                  /* of LOOK_FAILED */
    uint64_t up;               /* nodes, at the last look */
    const char *missing;       /* a node that was named and is not up */
};

static bool in_time(const struct wait *w)
{
    return cli_clock_ms() < w->end_ms;
}

/* The time left, at most most_ms. */
static int left_ms(const struct wait *w, int most_ms)
{
    unsigned long long now = cli_clock_ms();

    if (now >= w->end_ms)
        return 0;
    return w->end_ms - now < (unsigned long long)most_ms
               ? (int)(w->end_ms - now)
               : most_ms;
}

/* -- looking ---------------------------------------------------------- */

/* What a look came to. */
enum look {
    LOOK_REACHED,
    LOOK_NOT_YET,
    LOOK_NO_DAEMON, /* it has ended meanwhile, or is only starting */
    LOOK_FAILED,    /* said already */
};

/* Asks without a word; *out is a new reference when it is LOOK_REACHED. */
static enum look quiet_get(struct wait *w, const char *route, const char *a,
                           json_t **out)
{
    char path[CLIENT_PATH_SIZE], message[CLIENT_MESSAGE_SIZE];
    struct client_reply reply;
    enum look look = LOOK_FAILED;

    if (client_path(path, route, a, NULL) != KITH_OK) {
        cli_say(w->cli, "such a name means nothing");
        w->code = CLI_USAGE;
        return LOOK_FAILED;
    }
    if (client_call(w->cli->socket, "GET", path, NULL, 0, &reply, message) !=
        KITH_OK) {
        client_reply_free(&reply);
        return LOOK_NO_DAEMON;
    }
    if (reply.status == 200) {
        *out = cli_parse(w->cli, reply.body, reply.len);
        look = *out == NULL ? LOOK_FAILED : LOOK_REACHED;
    } else if (reply.status == 404) {
        look = LOOK_NOT_YET;
    } else {
        cli_explain(w->cli, &reply);
        w->code = cli_exit_of(reply.status);
    }
    client_reply_free(&reply);
    return look;
}

static enum look look_at_count(struct wait *w)
{
    json_t *o;
    enum look look = quiet_get(w, "/v1/status", NULL, &o);

    if (look != LOOK_REACHED)
        return look;
    w->up = (uint64_t)cli_number(json_object_get(o, "states"), "up");
    json_decref(o);
    return w->up >= w->cli->args->nodes ? LOOK_REACHED : LOOK_NOT_YET;
}

static enum look look_at_node(struct wait *w, const char *node)
{
    json_t *o;
    enum look look = quiet_get(w, "/v1/nodes/*", node, &o);

    if (look == LOOK_REACHED) {
        if (strcmp(cli_string(o, "state"), "up") != 0)
            look = LOOK_NOT_YET;
        json_decref(o);
    }
    if (look == LOOK_NOT_YET)
        w->missing = node;
    return look;
}

static enum look look_at_all(struct wait *w)
{
    enum look look = LOOK_REACHED;

    w->missing = NULL;
    if (w->cli->args->has_nodes)
        look = look_at_count(w);
    for (size_t i = 1; look == LOOK_REACHED && i < w->cli->args->n_words; i++)
        look = look_at_node(w, w->cli->args->words[i]);
    return look;
}

/* -- waiting ---------------------------------------------------------- */

/* Until something happens, or it is time to look anyway. */
static enum look until_event(struct wait *w, struct client_stream *stream)
{
    char message[CLIENT_MESSAGE_SIZE];
    const char *event;
    int err =
        client_stream_next(stream, left_ms(w, LOOK_EVERY_MS), &event, message);

    for (int i = 0; err == KITH_OK && i < SETTLE_MAX; i++)
        err = client_stream_next(stream, SETTLE_MS, &event, message);
    return err == KITH_OK || err == KITH_ERR_NOTFOUND ? LOOK_NOT_YET
                                                      : LOOK_NO_DAEMON;
}

static enum look wait_on(struct wait *w, struct client_stream *stream)
{
    enum look look = look_at_all(w);

    while (look == LOOK_NOT_YET && in_time(w)) {
        look = until_event(w, stream);
        if (look == LOOK_NOT_YET)
            look = look_at_all(w);
    }
    return look;
}

static int timed_out(const struct wait *w)
{
    const struct args *args = w->cli->args;

    if (w->missing != NULL)
        cli_say(w->cli, "after %" PRIu64 " s this node is not up: %s",
                args->timeout_s, w->missing);
    else
        cli_say(w->cli,
                "after %" PRIu64 " s only %" PRIu64 " of %" PRIu64
                " nodes are up",
                args->timeout_s, w->up, args->nodes);
    return CLI_NO;
}

static void pause_ms(int ms)
{
    const struct timespec t = {.tv_sec = ms / 1000,
                               .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&t, NULL);
}

/* Listens and looks, once; tells in message why it could not. */
static enum look try_once(struct wait *w, char message[CLIENT_MESSAGE_SIZE])
{
    struct client_stream *stream;
    enum look look = LOOK_NO_DAEMON;
    int err = client_stream_open(w->cli->socket, &stream, message);

    if (err == KITH_OK)
        look = wait_on(w, stream);
    client_stream_close(stream);
    if (err != KITH_ERR_AUTH)
        return look;
    cli_say(w->cli, "%s", message);
    w->code = CLI_UNREACHABLE;
    return LOOK_FAILED;
}

int cmd_wait(const struct cli *cli)
{
    char message[CLIENT_MESSAGE_SIZE] = "";
    struct wait w = {.cli = cli, .end_ms = ~0ULL, .code = CLI_UNREACHABLE};
    enum look look;

    if (cli->args->has_timeout)
        w.end_ms = cli_clock_ms() + cli->args->timeout_s * 1000;
    look = try_once(&w, message);
    while (look == LOOK_NO_DAEMON && cli->args->has_timeout && in_time(&w)) {
        pause_ms(left_ms(&w, START_MS));
        look = try_once(&w, message);
    }
    switch (look) {
    case LOOK_REACHED:
        if (cli->args->json)
            fputs("{\"ok\": true}\n", cli->out);
        return CLI_OK;
    case LOOK_NOT_YET:
        return timed_out(&w);
    case LOOK_NO_DAEMON:
        cli_say(cli, "%s", message[0] == '\0' ? "kithd has ended" : message);
        return CLI_UNREACHABLE;
    case LOOK_FAILED:
        break;
    }
    return w.code;
}
