/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_NODE_H
#define KITH_SIM_NODE_H

#include "core/engine.h"
#include "identity.h"
#include "net.h"
#include "shelf.h"
#include "world.h"

/*
 * One machine with one agent: the engine, what it keeps on disk, and its
 * place in the network. It does what the daemon does: hands events to the
 * engine, and carries out the effects.
 */
struct sim;

enum {
    NODE_VAULT_MAX = 512,
};

/* A file that is written a moment after it was ordered to be. */
struct node_vault {
    uint8_t bytes[NODE_VAULT_MAX];
    size_t len; /* 0: there is none */
    uint8_t coming[NODE_VAULT_MAX];
    size_t coming_len; /* 0: nothing is under way */
    struct world_event written;
};

struct node {
    struct sim *sim;
    uint32_t index;
    struct identity identity;
    struct net_port port;
    struct prng prng; /* its own, so that one node's doings do not change
                       * what another draws */
    uint8_t boot_id[16];

    /* outlives a crash */
    struct shelf shelf;
    struct node_vault vault;
    bool used; /* it has run before */

    struct engine *engine; /* NULL: the agent does not run */
    uint32_t run;          /* counts the starts */
    struct world_event tick;
    struct world_event later; /* node_start_at() */
    struct instant up, down;  /* when it started, stopped last */

    /* since the beginning, over all runs */
    uint64_t sent, sent_bytes;          /* datagrams, beacons included */
    uint64_t streamed;                  /* bytes of answers to bulk calls */
    uint64_t counters[ENGINE_COUNTERS]; /* of the runs that are over */
    uint64_t dials_before;              /* when the phase of the report began */
};

/* Makes node `index`: identity, address, and nothing running. */
void node_init(struct sim *sim, struct node *n, uint32_t index);
void node_free(struct node *n);

/* Starts the agent, now or at some time. One that runs stays as it is. */
void node_start(struct node *n);
void node_start_at(struct node *n, struct instant at);

/* Ends the agent without a word. silent: the whole machine with it, so that
 * nobody is told "refused". */
void node_crash(struct node *n, bool silent);

/* Loses what a stopped node kept of others and of its blocks, not its
 * identity and vault. */
void node_lose_shelf(struct node *n);

/* What an operator does; on a node that is down, nothing. Return what the
 * engine does. */
int node_tag(struct node *n, const char *key, const char *value);
int node_put(struct node *n, const char *name, size_t len);
int node_remove(struct node *n, const char *name);

/* A counter over all runs. */
uint64_t node_count(const struct node *n, enum engine_counter c);

/* Around every call of the engine: gives it randomness and empty effects, and
 * carries them out. */
struct effects *node_begin(struct node *n, struct now *now);
void node_end(struct node *n);

#endif
