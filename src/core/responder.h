/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_RESPONDER_H
#define KITH_CORE_RESPONDER_H

#include "base/budget.h"
#include "core/engine.h"
#include "wire/datagram.h"

/*
 * B's side of a datagram: everything about A comes out of the datagram
 * itself and B's few secrets. The budgets are the only memory, and they are
 * shared by all who hash alike.
 */
struct responder {
    struct budget tickets[ANSWER_BUCKETS];
    struct budget resets;
};

struct engine;

void responder_init(struct engine *, const struct now *);
void responder_request(struct engine *, const struct now *,
                       const struct datagram *, const struct dgram *,
                       struct effects *);

#endif
