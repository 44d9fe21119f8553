/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_GATHER_H
#define KITH_CORE_GATHER_H

#include "base/table.h"
#include "core/fetch.h"

/* Pieces to blocks, and blocks to bundles: see fetch.h. */

/* Pieces of one signed block, from one giver: so nobody can spoil with false
 * pieces what another gives. */
struct partial_key {
    struct hash hash;
    struct node_id from;
};

struct partial {
    struct partial_key key;
    uint8_t *bytes; /* owned */
    uint32_t total;
    uint16_t pieces, held;
    uint64_t got; /* bit i: piece i */
    bool head;
    struct instant begun;
    UT_hash_handle hh; /* by key */
};
_Static_assert(PIECES_MAX <= 64, "a bit for each piece");

struct pending;

/* A block that a pending head lists, and that is not there yet. */
struct lack {
    struct hash hash;
    struct pending *pending;
    size_t at; /* in its list */
    uint32_t size;
    bool open;         /* in the table */
    UT_hash_handle hh; /* by hash */
};

struct pending { /* a verified head with blocks missing */
    struct node_id author;
    struct object *head;                     /* reference */
    struct object *blocks[HEAD_ENTRIES_MAX]; /* references, or NULL */
    size_t n, missing;
    struct lack *lacks; /* owned */
    size_t n_lacks;
    struct instant heard; /* when the head came ... */
    uint64_t age_ms;      /* ... and how old it was */
    struct fetch_sources sources;
    struct fetch_turn turn;
    UT_hash_handle hh; /* by author */
};

/* What was said of a head before its pieces come, perhaps in a later
 * datagram. */
struct intro {
    struct hash head;
    struct ident *ident; /* reference; NULL: the SPKI was not given */
    uint32_t age_s;
    struct instant heard;
};

struct gather {
    struct intro intros[INTROS_MAX]; /* the newest ones, in a circle */
    size_t next_intro;
    struct partial *partials;
    struct pending *pendings;
    struct lack *lacks;
};

/* What a message says before it gives something. */
struct give_context {
    const struct node_id *from; /* who gives */
    bool has_spki;
    uint8_t spki[SPKI_LEN]; /* the last SPKI */
    bool has_age;
    struct hash age_of; /* the last AGE; not in a stream */
    uint32_t age_s;
    bool bulk;    /* whole blocks in a stream: what is missing will follow */
    bool request; /* what we ask for goes in requests, not in an answer */
    unsigned refused; /* blocks in a stream that nobody wanted, or false */
};

struct engine;

void gather_clear_all(struct engine *);

/* SPKI and AGE came, of a head whose pieces follow, or are to be asked
 * for. */
void gather_intro(struct engine *, const struct now *,
                  const struct give_context *);

/*
 * A piece came in a datagram. What it completes is taken on; what then is
 * missing is added to *jobs. Returns KITH_OK, or why it was refused:
 * KITH_ERR_UNWANTED, KITH_ERR_STALE, KITH_ERR_AUTH, ...
 */
int gather_piece(struct engine *, const struct now *, struct give_context *,
                 const struct item_piece *, struct jobs *, struct effects *);

/* A whole signed block came by the bulk exchange. Returns likewise. */
int gather_block(struct engine *, const struct now *, struct give_context *,
                 const uint8_t *, size_t n, struct effects *);

/* Whether a piece that was to be asked of a giver is lacking still. */
bool gather_lacks(const struct engine *, const struct node_id *from,
                  const struct hash *, uint16_t index);

/* The head of that author's which waits for blocks, or NULL. */
struct pending *gather_pending(const struct engine *, const struct node_id *);

/* Asks whoever gave or named a pending head for what it lacks: a peer of ours
 * by the bulk exchange if that is needed, everybody else by pieces. */
void gather_ask(struct engine *, const struct now *, struct pending *,
                const struct give_context *, struct jobs *, struct effects *);

struct instant gather_deadline(const struct engine *);
void gather_tick(struct engine *, const struct now *, struct effects *);

#endif
