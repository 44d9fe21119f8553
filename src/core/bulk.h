/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_BULK_H
#define KITH_CORE_BULK_H

#include "core/dial.h"
#include "core/engine.h"
#include "core/peer.h"

/* The bulk exchange (protocol section 5.2), both sides. */

struct bulk {
    struct node_id to[BULK_REPLIES_MAX]; /* replies being served: to whom */
    size_t replies;
};

struct engine;

/* Asks a peer for everything that differs. KITH_ERR_BUDGET: not now. */
int bulk_ask(struct engine *, const struct now *, struct peer *,
             struct effects *);

/* Gives a peer these heads, each with the blocks newer than `since`. */
struct bulk_gift {
    struct bundle *bundle;
    uint64_t since;
};
int bulk_give(struct engine *, const struct now *, struct peer *,
              const struct bulk_gift *, size_t n, struct effects *);

/* Asks a peer for one head with its blocks newer than `since`. */
int bulk_want(struct engine *, const struct now *, struct peer *,
              const struct node_id *, uint64_t since, struct effects *);

/* Frees what a call holds for its answer. */
void bulk_call_free(struct call *);

int bulk_data(struct engine *, const struct now *, struct call *,
              const uint8_t *, size_t n, struct effects *);
void bulk_done(struct engine *, const struct now *, struct call *,
               const struct call_result *, struct effects *);

#endif
