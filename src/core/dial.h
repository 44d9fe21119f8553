/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_DIAL_H
#define KITH_CORE_DIAL_H

#include "base/table.h"
#include "base/budget.h"
#include "core/engine.h"
#include "core/peer.h"

/*
 * Making sessions: which node or address is dialled next, at which address,
 * and never more often than the budgets allow. Failures are remembered per
 * destination address, so that addresses that somebody signed cannot aim the
 * mesh at a victim.
 */
struct call { /* an HTTPS call under way */
    uint32_t id;
    enum call_kind kind;
    struct addr to;
    bool has_peer;
    struct node_id peer;
    struct bulk_reader *reader; /* bulk: of the answer */
    struct give_context *give;  /* bulk */
    uint64_t heads_before;      /* bulk: heads accepted until it began */
};

struct backoff { /* of one destination */
    struct addr addr;
    struct instant until;
    uint32_t ms;
    UT_hash_handle hh;
};

struct configured { /* --peer */
    struct addr addr;
    struct instant at;
    bool has_id; /* who answered there */
    struct node_id id;
};

struct dials {
    struct call calls[DIALS_MAX + BULK_CALLS_MAX];
    size_t n;
    uint32_t next_id;
    struct budget budget;
    struct backoff *backoffs;
    struct addr found[FOUND_QUEUE]; /* from hints */
    size_t n_found;
    struct addr answered[FOUND_ANSWERED]; /* in this search, in a circle */
    size_t n_answered;
    struct configured peers[PEERS_MAX];
    size_t n_peers;
    struct addr mine[16]; /* that turned out to be ourselves */
    size_t n_mine;
    struct instant heal;
};

struct engine;

void dial_init(struct engine *, const struct now *);
void dial_clear(struct engine *);

/* A hint came from there: dial it unless a session was made there in this
 * search already. */
void dial_found(struct engine *, const struct now *, const struct addr *);
/* A search begins. */
void dial_search(struct engine *);
int dial_configure(struct engine *, const struct now *, const struct addr *);

/* The links changed, or we slept: try everything anew, without back-off. */
void dial_forget_failures(struct engine *, const struct now *);

/* A node is known to be there: forgets that dialling it failed. */
void dial_forgive(struct engine *, const struct addr *);

/* Begins to dial a peer at all its addresses. */
void dial_peer(struct engine *, const struct now *, struct peer *);
/* Ends the calls to a peer. */
void dial_cancel(struct engine *, struct peer *, struct effects *);

/* A free slot for a bulk call to a peer; NULL: none. */
struct call *dial_bulk_call(struct engine *, struct peer *);
struct call *dial_call(struct engine *, uint32_t id);
void dial_end_call(struct engine *, struct call *);

void dial_done(struct engine *, const struct now *, const struct call_result *,
               struct effects *);
struct instant dial_deadline(const struct engine *, const struct now *);
void dial_tick(struct engine *, const struct now *, struct effects *);

#endif
