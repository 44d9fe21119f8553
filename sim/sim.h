/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_SIM_H
#define KITH_SIM_SIM_H

#include "net.h"
#include "node.h"
#include "world.h"

/*
 * A mesh of many nodes in one process: the engines of src/core as they are, a
 * virtual clock, a virtual network, and checks that watch. See
 * docs/simulator.md.
 */
struct call_run;
struct checks;

struct sim_options {
    uint64_t seed;
    uint32_t nodes;
    uint32_t minutes; /* that an act of faults lasts */
    uint32_t lans;
    unsigned loss; /* percent of all datagrams, in the act of faults */
    bool rsa;      /* real keys and signatures */
    bool trace;    /* say what happens */
};

/* A part of a run, which becomes a line of the report. */
struct sim_phase {
    char name[24];
    struct instant begun;
    struct instant equal_at; /* when all roots became equal last ... */
    bool equal;              /* ... if they are */
    uint64_t sent, sent_bytes, streamed; /* counts when it began */
    uint64_t counters[ENGINE_COUNTERS];
    uint64_t dials_max; /* the most that one node has begun in it */
};

struct sim {
    struct sim_options options;
    struct world world;
    struct net net;
    struct pool *pool;
    struct node *nodes;      /* options.nodes of them */
    struct effects *effects; /* of the event under way */
    bool busy;               /* there is one */
    struct call_run *calls;
    struct checks *checks;
    struct sim_phase phase;
    struct world_event poll; /* looks at all roots now and then */
    bool broken;             /* a promise */
    char why[256];           /* which, when, and what happened */
};

void sim_init(struct sim *sim, const struct sim_options *options);
void sim_free(struct sim *sim);

/* Lets virtual time pass. */
void sim_run_ms(struct sim *sim, uint64_t ms);

/* Ends a part of the run and prints its line; begins the next. */
void sim_phase(struct sim *sim, const char *name);
void sim_phase_end(struct sim *sim);
/* The report's head line. */
void sim_phase_heading(void);

/* Whether the roots of all nodes that run, group by group, are equal, and
 * each has signed. */
bool sim_equal(const struct sim *sim);

/* The nodes that run. */
uint32_t sim_running(const struct sim *sim);

/* The last fault and the last change are over: waits 60 s, has the checks
 * look at what must be so by then; then watches 60 quiet seconds more. */
void sim_settle(struct sim *sim);

/* Notes that a promise is broken, if none was before, and stops the world. */
__attribute__((format(printf, 3, 4))) void
sim_broken(struct sim *sim, const char *promise, const char *fmt, ...);

/* Says what happens, with the time, if that is wanted. */
__attribute__((format(printf, 2, 3))) void sim_say(const struct sim *sim,
                                                   const char *fmt, ...);

#endif
