/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_PUSH_H
#define KITH_CORE_PUSH_H

#include "core/engine.h"
#include "core/limits.h"

/*
 * Announcing what has just changed here: a log of the last PUSH_LOG changes,
 * in which each peer that announcements go to has its own position. Who falls
 * behind by more than the log gets the rest by sync.
 */
struct push_entry {
    struct node_id id;   /* whose head is new */
    struct node_id from; /* who gave it to us: not told again */
};

struct push {
    struct push_entry log[PUSH_LOG];
    uint64_t end;       /* entries ever written */
    struct instant due; /* when the next batch leaves; NEVER */
    struct instant last;
};

struct engine;

void push_init(struct push *);
/* A head is new here. from: NULL when it is our own. */
void push_add(struct engine *, const struct now *, const struct node_id *id,
              const struct node_id *from);
struct instant push_deadline(const struct engine *);
void push_tick(struct engine *, const struct now *, struct effects *);

#endif
