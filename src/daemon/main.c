/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/text.h"
#include "daemon/agent.h"
#include "daemon/api.h"
#include "daemon/conf.h"
#include "daemon/events.h"
#include "daemon/facts.h"
#include "daemon/keyfile.h"
#include "version.h"

enum {
    EXIT_CANNOT = 1, /* it cannot start */
    EXIT_USAGE = 2,  /* a wrong option or value */
};

static void write_log(void *arg, int level, const char *line)
{
    (void)arg;
    fprintf(stderr, "kithd: %s: %s\n", log_level_name((enum log_level)level),
            line);
}

/* --init: makes the identity, says which, and ends. */
static int init(const struct conf *conf)
{
    static const char *const others[] = {"vault", "kith.db", "kith.db-wal"};
    struct facts_options facts = {.root = ""};
    struct machine_binding machine;
    struct keyfile_options options = {.state_dir = conf->state,
                                      .binding = conf->machine_binding,
                                      .machine = &machine,
                                      .others = others,
                                      .n_others = 3};
    struct keyfile kf;
    struct node_id id;
    char hex[2 * NODE_ID_LEN + 1];

    facts_read_binding(&facts, &machine);
    if (keyfile_load_or_make(&kf, &options) != KITH_OK) {
        fprintf(stderr, "kithd: %s\n", kf.message);
        return EXIT_CANNOT;
    }
    if (kf.message[0] != '\0')
        fprintf(stderr, "kithd: %s\n", kf.message);
    key_id(kf.key, &id);
    text_hex(hex, sizeof hex, id.b, sizeof id.b);
    printf("%s\n", hex);
    keyfile_close(&kf);
    return EXIT_SUCCESS;
}

/* Secrets do not belong into a core file. */
static void forbid_core(void)
{
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    agent_shutdown(arg);
}

/* -- --events FILE -----------------------------------------------------------
 */

static FILE *open_events(const char *name)
{
    FILE *f;

    if (strcmp(name, "-") == 0)
        return stdout;
    f = fopen(name, "ae");
    if (!f)
        fprintf(stderr, "kithd: %s: %s\n", name, strerror(errno));
    return f;
}

static void on_event(void *arg, const struct agent_event *event)
{
    char line[EVENTS_LINE_SIZE];
    size_t len;

    if (events_line(event, line, sizeof line, &len) != KITH_OK)
        return;
    fprintf(arg, "%s\n", line);
    fflush(arg);
}

/* -- running ------------------------------------------------------------------
 */

static int serve(const struct conf *conf, struct event_base *base,
                 const struct log *log, FILE *events)
{
    struct agent_start start;
    struct agent *agent = agent_new(conf, base, log, &start);
    struct event *term = NULL, *interrupt = NULL;
    struct api *api = NULL;
    int status = EXIT_CANNOT;
    char message[512] = "out of memory";

    if (!agent) {
        fprintf(stderr, "kithd: %s\n", start.message);
        return EXIT_CANNOT;
    }
    if (events && !agent_listen(agent, on_event, events))
        goto out;
    api = api_new(agent, base, conf->socket, log, message, sizeof message);
    if (!api)
        goto out;
    snprintf(message, sizeof message, "out of memory");
    term = evsignal_new(base, SIGTERM, on_signal, agent);
    interrupt = evsignal_new(base, SIGINT, on_signal, agent);
    if (!term || !interrupt || event_add(term, NULL) != 0 ||
        event_add(interrupt, NULL) != 0)
        goto out;
    agent_run(agent);
    event_base_dispatch(base);
    status = EXIT_SUCCESS;
out:
    if (status != EXIT_SUCCESS)
        fprintf(stderr, "kithd: %s\n", message);
    if (term)
        event_free(term);
    if (interrupt)
        event_free(interrupt);
    api_free(api);
    agent_free(agent);
    return status;
}

static int run(const struct conf *conf)
{
    struct log log = {.level = conf->log_level, .write = write_log};
    struct event_base *base;
    FILE *events = NULL;
    int status;

    forbid_core();
    signal(SIGPIPE, SIG_IGN);
    if (conf->events[0] != '\0') {
        events = open_events(conf->events);
        if (!events)
            return EXIT_CANNOT;
    }
    base = event_base_new();
    if (!base) {
        fprintf(stderr, "kithd: no event loop\n");
        return EXIT_CANNOT;
    }
    status = serve(conf, base, &log, events);
    event_base_free(base);
    if (events && events != stdout)
        fclose(events);
    return status;
}

int main(int argc, char **argv)
{
    char message[CONF_MESSAGE_SIZE];
    struct conf *conf = malloc(sizeof *conf);
    int status = EXIT_SUCCESS;

    if (!conf) {
        fprintf(stderr, "kithd: out of memory\n");
        return EXIT_CANNOT;
    }
    conf_defaults(conf);
    if (conf_parse(conf, argc, (const char *const *)argv, message,
                   sizeof message) != KITH_OK) {
        fprintf(stderr, "kithd: %s\n", message);
        free(conf);
        return EXIT_USAGE;
    }
    switch (conf->action) {
    case CONF_HELP:
        conf_help(stdout);
        break;
    case CONF_VERSION:
        printf("kithd %s (%s)\n", KITH_VERSION, KITH_COMMIT);
        break;
    case CONF_CHECK:
        conf_print(conf, stdout);
        break;
    case CONF_INIT:
        status = init(conf);
        break;
    case CONF_RUN:
        status = run(conf);
        break;
    }
    free(conf);
    return status;
}
