/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_DISCOVERY_H
#define KITH_CORE_DISCOVERY_H

#include "base/budget.h"
#include "core/engine.h"
#include "wire/datagram.h"

/*
 * Beacons until somebody is found, and hints for those who search (protocol
 * sections 6.5 and 9).
 */
struct hint_due {
    struct instant at;
    struct addr to;
    struct addr from;
    uint32_t ifindex;
    uint8_t nonce[DGRAM_NONCE_LEN];
};

struct discovery {
    bool searching;
    unsigned sent;       /* beacons of this search */
    struct instant next; /* the next beacon */
    uint8_t nonce[DGRAM_NONCE_LEN];
    struct hint_due hints[HINTS_MAX];
    size_t n_hints;
    struct budget hint_budget;
    struct budget beacon_budget; /* beacons that are looked at */
};

struct engine;

void discovery_init(struct engine *, const struct now *);
/* Begins a search, if none is under way. */
void discovery_search(struct engine *, const struct now *, struct effects *);
/* A session was made, or lost: is the search over, or to begin? */
void discovery_review(struct engine *, const struct now *, struct effects *);
void discovery_beacon(struct engine *, const struct now *,
                      const struct datagram *, const struct dgram *);
void discovery_hint(struct engine *, const struct now *,
                    const struct datagram *, const struct dgram *);
struct instant discovery_deadline(const struct engine *);
void discovery_tick(struct engine *, const struct now *, struct effects *);

#endif
