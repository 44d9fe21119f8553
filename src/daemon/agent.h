/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_AGENT_H
#define KITH_DAEMON_AGENT_H

#include <event2/event.h>

#include "base/log.h"
#include "core/engine.h"
#include "daemon/conf.h"

/*
 * One agent: the engine on real sockets, with a store, a clock and an
 * operator. Everything runs in the one thread of its event loop.
 */
struct agent;

/* What came of starting: a line for people is in `message`. */
struct agent_start {
    int err; /* KITH_OK, or why it could not start */
    char message[512];
};

/* Opens state folder, key, store and sockets as the configuration says.
 * conf, base and log are borrowed until agent_free(). NULL on failure. */
struct agent *agent_new(const struct conf *conf, struct event_base *base,
                        const struct log *log, struct agent_start *out);
/* Begins to talk to the world; once, before the loop runs. */
void agent_run(struct agent *);
/* Signs `away`, says so to the friends, and lets the loop end shortly after
 * (at most 300 ms). */
void agent_shutdown(struct agent *);
void agent_free(struct agent *);

/* -- looking ---------------------------------------------------------- */

const struct engine *agent_engine(const struct agent *);
void agent_now(const struct agent *, struct now *);

struct agent_info {
    const char *version, *commit;
    const char *mesh_name;
    bool open_mesh;
    const char *state_dir;
    uint64_t started_unix_ms;
    uint16_t port;
    const struct addr *listening; /* UDP and TCP */
    size_t n_listening;
    bool store_kept;      /* false: disk trouble, running from memory */
    bool udp_heard;       /* anything at all has come in by UDP ... */
    bool tcp_heard;       /* ... or TCP, from another machine's socket */
    size_t links;         /* interfaces in use */
    uint64_t udp_dropped; /* datagrams that the kernel had no room for */
};
void agent_info(const struct agent *, struct agent_info *);

/* -- doing: as the engine's functions, effects carried out on return ------ */

int agent_tag(struct agent *, const char *key, const char *value);
int agent_put(struct agent *, const char *name, const uint8_t *, size_t n);
int agent_remove(struct agent *, const char *name);
int agent_forget(struct agent *, const struct node_id *);
void agent_leave(struct agent *);
void agent_away(struct agent *);

/* -- events ------------------------------------------------------------ */

/* Something that NOTE_* of core/effects.h describes. */
struct agent_event {
    uint64_t seq; /* 1, 2, ... of this run */
    uint64_t unix_ms;
    enum note_type type;
    struct node_id id; /* all zero: nobody's */
    char host[256];    /* that node's host name, or "" */
    char name[33];     /* of a block, or "" */
    char text[96];     /* for people, or "" */
};

/* Calls fn for each event from now on. Returns a handle for
 * agent_unlisten(), or NULL when out of memory. */
struct agent_listener;
struct agent_listener *
agent_listen(struct agent *, void (*fn)(void *arg, const struct agent_event *),
             void *arg);
void agent_unlisten(struct agent *, struct agent_listener *);

#endif
