/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_AGENT_IMPL_H
#define KITH_DAEMON_AGENT_IMPL_H

#include "base/text.h"
#include "crypto/random.h"
#include "daemon/agent.h"
#include "daemon/h2_client.h"
#include "daemon/h2_server.h"
#include "daemon/keep.h"
#include "daemon/keyfile.h"
#include "daemon/links.h"
#include "daemon/names.h"
#include "daemon/peer_api.h"
#include "daemon/tls.h"
#include "daemon/udp.h"
#include "store/vault.h"

/*
 * An agent's insides, for
 *
 *     agent.c           starting and ending
 *     agent_loop.c      events to the engine, its effects to the world
 *     agent_calls.c     the engine's HTTPS calls
 *     agent_operator.c  what the operator sees and does
 */

struct agent_listener {
    void (*fn)(void *arg, const struct agent_event *);
    void *arg;
    struct agent_listener *next;
};

/* An HTTPS call of the engine's that is under way. */
struct agent_call {
    struct agent *agent;
    struct h2_call *h2;
    struct event *stillborn; /* ends a call that could not begin */
    uint32_t id;
    enum call_kind kind;
    char to[TEXT_ADDR_SIZE];
    struct agent_call *next;
};

struct agent {
    const struct conf *conf;
    struct event_base *base;
    const struct log *log;

    struct keyfile keyfile;
    struct vault *vault;
    struct store *store;
    struct keep keep;
    struct mesh_id mesh;
    char mesh_hex[2 * MESH_ID_LEN + 1];
    struct pool *pool;
    struct engine *engine;
    struct random_pool *random;
    struct tls *tls;
    struct h2_server *server;
    struct h2_client *client;
    struct peer_api peer_api;
    struct udp *udp;
    struct links *links;
    struct names *names;
    bool open_mesh;
    struct addr listening[CONF_LISTEN_MAX];
    size_t n_listening;
    size_t n_links;

    struct event *deadline, *housekeeping, *end;
    struct effects *effects;
    int depth;          /* of agent_begin(): effects are in use */
    struct instant due; /* the engine's deadline */
    struct instant last_seen;
    uint64_t last_boot_us;
    struct instant facts_at, leaf_at;
    struct agent_call *calls;
    struct agent_listener *listeners;
    uint64_t events;
    uint64_t started_unix_ms;
};

/* -- agent_loop.c -- */

/* Every engine call stands between these two: the first tells the time, tops
 * up randomness and gives empty effects; the second carries them out. */
struct effects *agent_begin(struct agent *, struct now *);
void agent_end(struct agent *);

/* The machine's facts, read anew, to the engine. */
void agent_tell_facts(struct agent *);
void agent_clocks(struct agent *); /* begins to watch for sleep */

/* Callbacks of the parts that agent.c makes; arg is the agent. */
void agent_on_deadline(evutil_socket_t, short what, void *arg);
void agent_on_housekeeping(evutil_socket_t, short what, void *arg);
void agent_on_datagram(void *arg, const struct datagram *);
void agent_on_refused(void *arg, const struct addr *);
void agent_on_links(void *arg, const struct link *, size_t n);
void agent_on_peer_name(void *arg, const struct addr *);

/* -- agent_calls.c -- */

void agent_start_call(struct agent *, const struct effect *);
void agent_cancel_call(struct agent *, uint32_t id);
/* Forgets all calls, whose connections are gone already. */
void agent_drop_calls(struct agent *);

/* -- agent_operator.c -- */

/* Tells the listeners what EFFECT_NOTE says. */
void agent_tell(struct agent *, const struct effect *);

#endif
