/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_PEER_H
#define KITH_CORE_PEER_H

#include "base/budget.h"
#include "base/table.h"
#include "core/engine.h"
#include "core/job.h"
#include "crypto/kdf.h"
#include "wire/seal.h"

/*
 * A's side of what protocol section 6 calls a session: one struct peer for
 * every node that this one talks to, or means to, of its own choice.
 *
 *                 dial              answer
 *      IDLE ─────────────▶ DIALING ────────▶ OPEN ──────▶ PROVEN
 *        ▲                    │                │ 3 requests   │ 3 requests
 *        │ head rose, link up │ all failed     ▼ unanswered   │ unanswered
 *        └───────── FAILED ◀──┴──────────── FAILED      SUSPECT ◀┘
 *                     │  answer to a probe on the old session    │ dial
 *                     └────────▶ PROVEN                          ▼
 *                                                         OPEN or FAILED
 */
enum peer_state {
    PEER_IDLE,    /* no session */
    PEER_DIALING, /* no session; a call is under way */
    PEER_OPEN,    /* session made; no sealed answer on it yet */
    PEER_PROVEN,  /* a sealed answer has come */
    PEER_SUSPECT, /* no answer any more: trying a fresh session */
    PEER_FAILED,  /* not to be had now; tried again later */
};

struct session {
    bool valid;
    struct seal_ticket ticket;
    struct session_keys keys;
    uint8_t reset[DGRAM_RESET_TOKEN_LEN];
    bool reset_usable;
    uint8_t cookie[ITEM_COOKIE_LEN];
    bool has_cookie;
    struct instant renew;   /* make a new one from then on */
    struct instant expires; /* B has forgotten the epoch by then */
};

struct peer {
    struct node_id id;
    enum peer_state state; /* set by peer_set_state() only */
    bool friend;           /* one of the at most 20 */
    uint8_t ring;          /* the lowest ring it is friend on */
    struct session session;
    struct addr addr;  /* where its datagrams go */
    struct addr local; /* our address towards it; port 0 */
    uint32_t srtt_us, rttvar_us;
    struct instant made;     /* the session */
    struct instant answered; /* last answer; us = 0: never */
    struct instant sync_at;  /* next ROOT */
    unsigned inflight;       /* requests outstanding */
    struct budget budget;    /* requests: B cannot make us send more */
    struct job *outbox;      /* waiting jobs, owned */
    size_t outbox_n, outbox_cap;
    struct instant outbox_at;        /* not before */
    uint64_t pushed;                 /* position in the push log */
    uint8_t roots[2][TRIE_ROOT_LEN]; /* ours and theirs, as last compared */
    unsigned same_rounds;            /* comparisons that found the same pair */
    struct instant fruitless_until;  /* nothing can be done about it */

    /* dialling: addresses to try, in order */
    struct addr candidates[OWN_ADDRS_MAX + GOOD_ADDRS + 1];
    size_t n_candidates, next_candidate;
    unsigned calls;          /* under way */
    struct instant next_at;  /* when to start the next candidate */
    struct instant dialled;  /* dial_peer() last */
    struct instant dial_at;  /* IDLE: when to dial, FAILED: to probe again */
    uint32_t retry_ms;       /* FAILED: grows */
    struct instant heard_at; /* FAILED: peer_heard() did something */
    const char *reason;      /* of FAILED */
    bool told;               /* NOTE_NO_ANSWER was given */
    bool bulk;               /* a bulk exchange is under way */
    struct instant bulk_at;  /* no other before */
    UT_hash_handle hh;       /* by id */
};

struct engine;

struct peer *peer_find(const struct engine *, const struct node_id *);
/* Finds or makes; NULL: no room and nobody to give up, or out of memory. */
struct peer *peer_get(struct engine *, const struct now *,
                      const struct node_id *);
/* Forgets the peer, its session wiped; its calls are cancelled. */
void peer_drop(struct engine *, struct peer *, struct effects *);
void peer_clear_all(struct engine *);

/* The only place that changes a peer's state. */
void peer_set_state(struct engine *, const struct now *, struct peer *,
                    enum peer_state, const char *reason, struct effects *);

/* Whether requests can be sent: a session that has not expired. */
bool peer_usable(const struct peer *, const struct now *);

/* Whether it is one of the at most 20 that requests go to: a friend, or while
 * we are new one of those just found. */
bool peer_active(const struct engine *, const struct peer *);

/* Whether it is somebody whom the rings do not know of: gone, or of another
 * island. A probe and one bulk exchange bring the two together. */
bool peer_lost(const struct engine *, const struct peer *);

/* B has granted a session: takes it over. */
int peer_take_grant(struct engine *, const struct now *, struct peer *,
                    const struct grant *, const struct addr *to,
                    const struct addr *local);
/* Forgets the session and wipes it. */
void peer_end_session(struct peer *);

/* Something authentic has come from the peer: it answered after rtt_us (0:
 * unknown). */
void peer_answered(struct engine *, const struct now *, struct peer *,
                   uint64_t rtt_us, struct effects *);

/* All tries of a request to the peer are over: a proven session is suspect,
 * one that never worked has failed. */
void peer_no_answer(struct engine *, const struct now *, struct peer *,
                    struct effects *);

/* A member signed a new head: whoever failed us is worth another try. */
struct member;
void peer_head_rose(struct engine *, const struct now *, const struct member *,
                    struct effects *);

/* The wait for an answer before the n-th further try (0, 1, ...). */
uint32_t peer_timeout_ms(const struct peer *, unsigned n, uint32_t lag_ms);

/* Waits for longer than before until a peer that failed is tried again. */
void peer_back_off(struct engine *, const struct now *, struct peer *);

/* A request came from the node, at an address that it is known to have: if it
 * failed us, it is tried again, at most every 10 s. */
void peer_heard(struct engine *, const struct now *, const struct node_id *,
                const struct addr *from, struct effects *);

/* Takes over jobs (the list is empty afterwards); those that the peer will
 * be told anyway, or that do not fit, are dropped. */
void peer_queue(struct engine *, const struct now *, struct peer *,
                struct jobs *);

#endif
