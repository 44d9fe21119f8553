/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_WORLD_H
#define KITH_SIM_WORLD_H

#include "base/heap.h"
#include "base/prng.h"
#include "base/types.h"
#include "core/engine.h"
#include "crypto/hash.h"

/*
 * A clock that stands still until something is due, what is due and when, and
 * all the chance of a simulation. Nothing here or above it looks at the real
 * time, at addresses of memory or at real randomness, so the same seed gives
 * the same run, which the trace proves: a digest over everything that
 * happened.
 */

/* Something that will happen. Embed it; all zero: not planned. While it is
 * planned it may be neither moved nor freed. */
struct world_event {
    struct heap_node place; /* first: the heap gives it back */
    void (*run)(void *arg); /* may plan the same event again, or free it */
    void *arg;
};

struct world {
    struct instant now;
    uint64_t unix_ms; /* the wall clock when `now` was WORLD_BEGIN_S */
    struct prng prng;
    struct heap heap;
    struct hasher *trace;
    uint64_t traced; /* things that happened */
    bool stopped;    /* nothing more is to happen */
};

enum {
    WORLD_BEGIN_S = 1000, /* so that nothing is older than the clock */
};

/* Begins at WORLD_BEGIN_S, with nothing planned. */
void world_init(struct world *w, uint64_t seed);

/* Forgets all that is planned. */
void world_free(struct world *w);

/* Plans an event, or moves one that is planned. */
void world_plan(struct world *w, struct world_event *e, struct instant at);
/* The same, so many microseconds from now. */
void world_plan_us(struct world *w, struct world_event *e, uint64_t us);
void world_cancel(struct world *w, struct world_event *e);

/* Runs what is due up to `until`, and moves the clock there; ends early when
 * the world is stopped. */
void world_run(struct world *w, struct instant until);

/* The time as an engine is told it. */
struct now world_now(const struct world *w);

/* Adds something that happened to the trace: what, to whom (and from whom),
 * and n bytes, which may be NULL when n is 0. */
void world_trace(struct world *w, uint8_t what, uint32_t from, uint32_t to,
                 const void *bytes, size_t n);

/* Ends the trace; the world is of no use afterwards. */
void world_trace_end(struct world *w, struct hash *out);

/* Zeroed memory; ends the program when there is none. */
void *world_alloc(size_t n);

#endif
