/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_REQUEST_H
#define KITH_CORE_REQUEST_H

#include "base/table.h"
#include "core/job.h"
#include "core/peer.h"

/*
 * Requests that wait for their answer. Each try has an IV of its own, and an
 * answer to any of them will do; it is taken once.
 */
enum {
    REQUEST_JOBS_MAX = 32
};

struct request {
    struct node_id peer;
    struct job *jobs; /* owned */
    size_t n;
    unsigned tries;
    bool probe; /* on the old session of a peer that failed: one try */
    uint8_t ivs[REQUEST_TRIES][DGRAM_IV_LEN];
    struct instant sent[REQUEST_TRIES];
    struct instant due; /* the next try, or the end */
    struct request *next, *prev;
};

struct requests {
    struct request *list;
    size_t n;
};

struct engine;

/* Sends what the peer's outbox holds, as far as the limits allow. */
void request_flush(struct engine *, const struct now *, struct peer *,
                   struct effects *);

/* Sends one request with only ROOT in it, and only one try. */
void request_probe(struct engine *, const struct now *, struct peer *,
                   struct effects *);

/* Finds the request that an answer or reset belongs to; *try tells which
 * IV. NULL: nobody asked. */
struct request *request_find(const struct engine *,
                             const uint8_t id[DGRAM_REQUEST_ID_LEN],
                             unsigned *try);
/* Ends one, its jobs dropped. */
void request_end(struct engine *, struct request *);
/* Ends all of a peer's. */
void request_end_peer(struct engine *, struct peer *);
void request_clear_all(struct engine *);

struct instant request_deadline(const struct engine *, const struct now *);
void request_tick(struct engine *, const struct now *, struct effects *);

#endif
