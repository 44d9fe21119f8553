/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_JOB_H
#define KITH_CORE_JOB_H

#include "base/cursor.h"
#include "core/pool.h"
#include "core/trie.h"
#include "wire/item.h"
#include "wire/prefix.h"

/*
 * One thing to be said to a peer, as yet without bytes. What an incoming
 * message calls for is a list of jobs: B encodes it into its answer, as far
 * as there is room; A puts it into the peer's outbox, from which it leaves
 * in requests. A request that is tried again is encoded again, since the
 * short hashes in it are salted with its IV.
 */
enum job_type {
    JOB_ROOT,       /* compare our sets */
    JOB_DESCRIBE,   /* our elements under a prefix */
    JOB_ANNOUNCE,   /* this head is new here */
    JOB_WANT_HEAD,  /* send me the newest head of ... */
    JOB_WANT_PIECE, /* send me piece i of block ... */
    JOB_INTRO,      /* SPKI and AGE of a head whose pieces follow */
    JOB_PIECE,      /* piece i of a block */
    JOB_FULL,       /* no room for members that are not known */
};

struct job {
    enum job_type type;
    union {
        struct trie_prefix prefix;
        struct bundle *announce; /* reference */
        struct item_want_head want_head;
        struct item_want_piece want_piece;
        struct {
            struct object *object; /* reference */
            uint16_t index;
        } piece;
        struct {
            struct object *head; /* reference */
            bool spki;           /* the author's SPKI is wanted, too */
            uint32_t age_s;
        } intro;
    };
};

/* A bounded list that owns its jobs' references. All zero: empty. */
enum {
    JOBS_MAX = 96
};
struct jobs {
    struct job v[JOBS_MAX];
    size_t n;
};

/* Each appends a job; what does not fit is left out: the next sync finds it
 * again. References are taken. */
void jobs_root(struct jobs *);
void jobs_full(struct jobs *);
void jobs_describe(struct jobs *, const struct trie_prefix *);
void jobs_announce(struct jobs *, struct bundle *);
void jobs_want_head(struct jobs *, const struct node_id *, uint64_t since,
                    bool spki);
void jobs_want_piece(struct jobs *, const struct hash *, uint16_t index);
void jobs_piece(struct jobs *, struct object *, uint16_t index);
/* A head, and of its blocks that are newer than `since`, in their order, as
 * many as surely fit into the same datagram. Whoever has the head asks for the
 * others: what came before it would be refused. */
void jobs_give(struct jobs *, const struct bundle *, uint64_t since, bool spki,
               uint32_t age_s);
/* Drops the references of one job, or of all. */
void job_clear(struct job *);
void jobs_clear(struct jobs *);

/* Whether the two say the same, so that one of them is enough. */
bool job_same(const struct job *, const struct job *);

/* How many pieces a signed block of that length has. */
uint16_t job_pieces(size_t signed_len);

/* What jobs are encoded from. */
struct job_context {
    const struct trie *set;
    const uint8_t *root; /* TRIE_ROOT_LEN */
    const uint8_t *iv;   /* of the request */
};

/*
 * Encodes the first jobs of v as items, in order, as many as fit; jobs of one
 * array item are joined. Returns how many jobs that took, at least one if n
 * > 0 and the writer has room for any single job; a description that cannot
 * be made to fit is passed over.
 */
size_t jobs_encode(const struct job *v, size_t n, const struct job_context *,
                   struct writer *);

#endif
