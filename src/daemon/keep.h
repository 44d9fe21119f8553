/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_KEEP_H
#define KITH_DAEMON_KEEP_H

#include "core/engine.h"
#include "store/store.h"

/*
 * Between the engine and the store: what EFFECT_KEEP and its kin mean in
 * rows, and how an engine gets them back at the start.
 */
struct keep {
    struct store *store; /* borrowed */
    struct node_id self;
    bool urgent;           /* something of our own waits for a commit */
    bool dirty;            /* something waits for a commit */
    struct instant commit; /* when to commit */
};

/* self: the own node. What others said, others hold; what this node said may
 * be held nowhere else, so it is committed at once. */
void keep_init(struct keep *, struct store *, const struct node_id *self);

/* Takes one effect of a kind that is to be kept; others are ignored. */
void keep_effect(struct keep *, const struct now *, const struct effect *);

/* Commits what is urgent: after the effects of an event. */
void keep_flush(struct keep *, const struct now *);

/* Commits when it is time, tries a disk in trouble again, and then puts
 * everything that the engine holds. To be called every second or so. */
void keep_tick(struct keep *, const struct now *, const struct engine *);

/* When the store was committed last, in this run or an earlier one; 0:
 * never. No clock that says less is right. */
uint64_t keep_alive_unix_ms(const struct keep *);

/* Commits now: at the end. */
void keep_close(struct keep *, const struct now *);

/* Loads everything into an engine that has not started. Returns what
 * store_load() does; *count gets the number of nodes. */
int keep_load(struct keep *, const struct now *, struct engine *,
              size_t *count);

#endif
