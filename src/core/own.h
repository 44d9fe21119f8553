/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_OWN_H
#define KITH_CORE_OWN_H

#include "base/budget.h"
#include "core/engine.h"
#include "wire/facts.h"
#include "wire/head.h"

/*
 * What this node says of itself: its own blocks and the head that lists
 * them. What the agent observes is signed after some quiet and at a low
 * rate, what the operator does at once, both within budgets; serials come
 * from a reservation that the vault holds, so that none is used twice.
 */

struct own_pair {
    char key[FACTS_KEY_MAX + 1];
    char value[FACTS_VALUE_MAX + 1];
};

/* A block that waits to be signed, or to be removed. */
struct own_staged {
    char name[BLOCK_NAME_MAX + 1];
    uint16_t type;
    bool remove;
    uint8_t *payload; /* owned */
    size_t n;
};

enum {
    OWN_SEEN = 4,
    OWN_MACHINE_MAX = 16, /* pairs of `facts` that the daemon reads */
    OWN_MORE_MAX = 4096,  /* bytes of `facts.more` */
    OWN_TAGS_MAX = 32,
    OWN_SIGNED_MAX = HEAD_ENTRIES_MAX + 2, /* at a time: facts, and the head */
};

struct own {
    struct object *blocks[HEAD_ENTRIES_MAX]; /* references, by name */
    size_t n;
    struct own_staged staged[HEAD_ENTRIES_MAX];
    size_t n_staged;
    uint64_t serial;          /* the last one used or seen */
    uint16_t flags;           /* of the head */
    uint32_t lease_s;         /* of the newest head */
    struct instant signed_at; /* when the newest head was signed here */
    struct instant resign;    /* when its lease makes us sign again */
    struct instant due;       /* when a change makes us sign; NEVER */
    struct instant changed;   /* of what is observed, unsigned so far */
    bool facts_dirty;         /* `facts` must be built anew before */
    bool head_dirty;          /* it says something else than the last one */
    bool first;               /* no head was signed in this run yet */
    struct budget budget;

    bool started;             /* the silence of the start is over */
    bool silent_unless_found; /* another run signed: first sync or 10 s */
    struct instant silence;   /* ... ends then */
    bool vault_asked;         /* EFFECT_VAULT is under way */
    uint64_t vault_reserve;   /* ... with this reservation */
    struct instant vault_retry;

    struct instant foreign; /* the last foreign head of ours was seen */
    bool foreign_seen;
    bool clone;
    struct instant clone_until;

    struct own_pair machine[OWN_MACHINE_MAX];
    size_t n_machine;
    struct own_pair tags[OWN_TAGS_MAX];
    size_t n_tags;
    struct addr addrs[OWN_ADDRS_MAX]; /* that we listen on */
    size_t n_addrs;
    struct addr seen[OWN_SEEN];       /* that peers see us at ... */
    struct node_id seen_by[OWN_SEEN]; /* ... and who says so */
};

struct engine;

void own_init(struct engine *, const struct now *);
void own_clear(struct own *);

/* Our head as the store had it: its blocks become ours again. */
void own_load(struct engine *, const struct now *, struct bundle *);

/* Starts: signs at once when nobody can know a head of ours. */
void own_start(struct engine *, const struct now *);

/* The first sync with anybody is over: signing is safe. */
void own_synced(struct engine *, const struct now *);

struct instant own_deadline(const struct engine *, const struct now *);
void own_tick(struct engine *, const struct now *, struct effects *);
void own_vault_done(struct engine *, const struct now *, bool ok,
                    struct effects *);

/* A verified head of ours that another run or machine signed. */
void own_foreign(struct engine *, const struct now *, struct object *head,
                 struct effects *);

/* The pairs of `facts` and `facts.more` that the daemon reads. */
int own_facts(struct engine *, const struct now *, const struct fact *,
              size_t n, struct fact *more, size_t n_more);
/* A block with a reserved name, such as `cert`. */
int own_builtin(struct engine *, const struct now *, uint16_t type,
                const char *name, const uint8_t *, size_t n);
int own_tag(struct engine *, const struct now *, const char *key,
            const char *value);
int own_put(struct engine *, const struct now *, const char *name,
            const uint8_t *, size_t n);
int own_remove(struct engine *, const struct now *, const char *name);
/* Sets or clears flags of the head and signs at once. */
void own_flags(struct engine *, const struct now *, uint16_t set,
               uint16_t clear, struct effects *);
/* The links have changed: our addresses. */
void own_addresses(struct engine *, const struct now *);
/* B sees us at this address (of a connection that we made). */
void own_seen_at(struct engine *, const struct now *, const struct node_id *b,
                 const struct addr *);

#endif
