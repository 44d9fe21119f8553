/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_SHELF_H
#define KITH_SIM_SHELF_H

#include <uthash.h>

#include "core/engine.h"

/*
 * What a simulated node keeps when it stops: the signed blocks of every node
 * that it knows, as EFFECT_KEEP and its like tell. The bytes themselves are
 * the pool's, which never changes them, so that ten thousand shelves with the
 * same blocks hold them once; an engine that starts from a shelf gets bytes
 * and nothing else.
 */
struct shelf_node {
    struct node_id id;
    struct bundle *bundle; /* reference: the bytes */
    uint64_t floor;
    uint64_t age_s;         /* of the head ... */
    struct instant kept_at; /* ... at that time */
    bool gone;
    struct addr good[GOOD_ADDRS];
    UT_hash_handle hh; /* by id */
};

struct shelf { /* all zero: empty */
    struct shelf_node *nodes;
};

void shelf_clear(struct shelf *shelf);

/* Carries out EFFECT_KEEP, EFFECT_KEEP_NODE or EFFECT_DROP_NODE. */
void shelf_effect(struct shelf *shelf, const struct now *now,
                  const struct effect *effect);

/* Hands all nodes to an engine that has not started; off_s: for how long the
 * node was off. Returns how many it took. */
size_t shelf_load(const struct shelf *shelf, struct engine *engine,
                  const struct now *now, uint64_t off_s);

#endif
