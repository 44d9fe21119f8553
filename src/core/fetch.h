/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_FETCH_H
#define KITH_CORE_FETCH_H

#include "base/table.h"
#include "core/engine.h"
#include "core/job.h"

/*
 * From "somebody has a newer head" to a complete bundle:
 *
 *   learn   a peer names (id, serial): a want, asked of one source at a time
 *           (fetch.c)
 *   piece   pieces of the head come: a partial until all are there
 *   head    the head is verified: pending until every block that it lists
 *           is there, from the older bundle or in pieces
 *   bundle  handed to index_accept() (gather.h)
 *
 * Nothing is kept before its signature holds, except pieces under way:
 * bounded in number, size and age, and checked against a hash that a verified
 * head names (blocks), or asked for by author (heads).
 */

/* Who is known to have it, the first to tell first. */
struct fetch_sources {
    struct node_id v[FETCH_SOURCES];
    uint8_t n, next;
};

/*
 * Whose turn it is to give something. One source at a time is asked, a peer
 * of ours or whoever names it: those who are none of our peers can be asked
 * only in the answer in which they hear from us.
 */
struct fetch_turn {
    struct node_id asked; /* last; what it names again it was not asked well */
    struct instant again; /* when another may be asked */
    bool open;            /* none of our peers has it: ask whoever names it */
    uint8_t tries;        /* of ours */
};

struct fetch { /* a want */
    struct node_id id;
    struct node_id by; /* who named it first */
    uint64_t serial;   /* the highest that somebody named */
    struct fetch_sources sources;
    struct fetch_turn turn;
    UT_hash_handle hh; /* by id */
};

struct fetches {
    struct fetch *wants;
};

struct engine;

void fetch_clear_all(struct engine *);

/*
 * Who gives (struct give_context) holds (id, serial) complete. Adds to *jobs
 * what to ask it for, if that is wanted and no other was asked just now.
 * `conflict`: the serials are equal, but not the hashes. Returns whether it is
 * of interest at all.
 */
struct give_context;
bool fetch_learn(struct engine *, const struct now *, const struct node_id *id,
                 uint64_t serial, bool conflict, const struct give_context *,
                 struct jobs *, struct effects *);

/* Whether a head of that author's is wanted, and the want's end. */
bool fetch_wanted(const struct engine *, const struct node_id *author);
void fetch_end(struct engine *, const struct node_id *author);

struct instant fetch_deadline(const struct engine *);
void fetch_tick(struct engine *, const struct now *, struct effects *);

/* Whether `from`, who names it, is to be asked now. */
bool fetch_turn_may_ask(const struct engine *, const struct fetch_turn *,
                        const struct now *, const struct node_id *from);
/* It is. */
void fetch_turn_ask(struct fetch_turn *, const struct now *,
                    const struct node_id *from);
/* It is time for another. Returns false when there were enough tries. */
bool fetch_turn_next(struct fetch_turn *);
/* There is nobody whom we could ask. */
void fetch_turn_wait(struct fetch_turn *, const struct now *);

/* Adds a source; one that is there already stays where it is. When they are
 * full a peer of ours takes the place of somebody whom we could not ask. */
void fetch_source_add(struct engine *, struct fetch_sources *,
                      const struct node_id *);
/* The next source that we have a working session with, or NULL. */
struct peer *fetch_source_next(struct engine *, const struct now *,
                               struct fetch_sources *);

#endif
