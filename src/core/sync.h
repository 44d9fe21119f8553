/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_SYNC_H
#define KITH_CORE_SYNC_H

#include "core/exchange.h"
#include "core/peer.h"

/*
 * When to compare our set with which peer's, and what to do with the answers
 * to our requests: section 8's exchange as A leads it.
 */
struct sync {
    struct instant newcomer_until; /* until then we sync often */
    bool newcomer;
};

struct engine;

/* We know nobody (any more): syncs often with whomever we meet. */
void sync_newcomer(struct engine *);

/* Begins to sync with a peer whose session was just made. */
void sync_begin(struct engine *, const struct now *, struct peer *);

/* The items of an authentic answer to jobs of ours. */
void sync_answer(struct engine *, const struct now *, struct peer *,
                 const struct exchange *, struct jobs *, struct effects *);

/* B lacks a block that only the bulk exchange may carry: gives it. */
void sync_give_large(struct engine *, const struct now *,
                     const struct exchange *, struct object *,
                     struct effects *);

struct instant sync_deadline(const struct engine *, const struct now *);
void sync_tick(struct engine *, const struct now *, struct effects *);

#endif
