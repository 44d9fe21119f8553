/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_INDEX_H
#define KITH_CORE_INDEX_H

#include "base/table.h"
#include "base/budget.h"
#include "core/engine.h"
#include "core/trie.h"

/*
 * What this node knows of every member: the newest complete head, how old it
 * is, and whether it counts. The Merkle set (trie) holds exactly the members
 * that are MEMBER_LIFE_LIVE.
 */

enum member_life {
    LIFE_UNKNOWN, /* no complete head yet */
    LIFE_LIVE,    /* counts: in the set, the rings and the exchange */
    LIFE_CACHED,  /* from the store; counts when a friend names its head */
    LIFE_GONE,    /* its head has not risen for 3 leases: last words */
    LIFE_LEFT,    /* its head carries `leave`: last words */
};

struct member {
    struct node_id id;
    struct ident *ident;   /* reference; NULL while unknown */
    struct bundle *bundle; /* reference; newest complete head, or NULL */
    uint64_t floor;        /* no head up to this serial is accepted again */
    enum member_life life; /* set by index_set_life() only */
    uint32_t lease_s;      /* that its head names */
    uint16_t flags;        /* of its head */
    struct instant heard;  /* when its head came to us ... */
    uint64_t age_ms;       /* ... and how old it was then, at the least */
    struct addr good[GOOD_ADDRS]; /* that a session was made at, newest first */
    struct budget accept;         /* heads accepted */
    UT_hash_handle hh;            /* by id */
};

struct index {
    struct member *members;
    struct trie set;
    uint32_t max;         /* members let in */
    uint32_t live;        /* members that are LIFE_LIVE */
    uint64_t version;     /* rises when the set of live members changes */
    struct instant sweep; /* when the ages are looked at next */
    bool full_told;       /* NOTE_FULL was given */
};

struct engine;

void index_init(struct index *, struct pool *, uint32_t max,
                const struct now *);
void index_clear(struct index *);

/* NULL when unknown. */
struct member *index_find(const struct index *, const struct node_id *);

/* Finds or makes. NULL: out of memory, or no room for one more: then
 * NOTE_FULL is given once. */
struct member *index_member(struct engine *, const struct now *,
                            const struct node_id *, struct effects *);

/* Whether a member that is not known could be let in. */
bool index_has_room(const struct index *);

/* The only place that changes a member's life; keeps set and counts right. */
void index_set_life(struct engine *, const struct now *, struct member *,
                    enum member_life, struct effects *);

/* How old the member's head is, as far as this node knows. */
uint64_t index_age_ms(const struct member *, const struct now *);

/* Somebody named the member's present head and said how old it is. */
void index_hear_age(struct member *, const struct now *, uint64_t age_ms);

/* Whether a head is news, going by what is known of its author: its serial is
 * above all that were accepted, or equal to the newest with a higher hash. The
 * latter wakes no member that is gone. */
bool index_is_newer(const struct member *, uint64_t serial,
                    const struct hash *head);

/*
 * A complete, verified head of a member's: takes it if it is newer than what
 * is held. `from` gave it (NULL: ourselves or the store). Tells the operator
 * and the store, and queues an announcement. Returns KITH_OK, or
 * KITH_ERR_STALE; KITH_ERR_FULL; KITH_ERR_BUDGET; KITH_ERR_NOMEM.
 */
int index_accept(struct engine *, const struct now *, struct bundle *,
                 uint64_t age_ms, const struct node_id *from, struct effects *);

/* What the store has of a member, silently: before the engine starts. */
int index_load(struct engine *, const struct now *, struct bundle *,
               uint64_t age_ms, enum member_life);

/* Looks at the ages now and then: who is gone, whom to forget. */
struct instant index_deadline(const struct index *);
void index_tick(struct engine *, const struct now *, struct effects *);

/* After a sleep longer than their leases, what is known of members is no more
 * than a copy from the store. */
void index_slept(struct engine *, const struct now *, uint64_t slept_ms,
                 struct effects *);

/* Drops everything about a member that is gone. */
void index_forget(struct engine *, struct member *, struct effects *);

/* Whether a live member says that it listens there. */
bool index_has_addr(const struct index *, const struct addr *);

/* Lends the block of that hash if a live member's head lists it; or NULL. */
struct object *index_object(const struct engine *, const struct hash *);

/* The addresses that a member signed. Returns how many. */
size_t index_addrs(const struct member *, struct addr out[FACTS_ADDRS_MAX]);

#endif
