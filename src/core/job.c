/* SPDX-License-Identifier: Apache-2.0 */
#include "core/job.h"

#include <assert.h>

#include "core/recon.h"

/* A place for one more job, zeroed; NULL when the list is full. */
static struct job *add(struct jobs *jobs, enum job_type type)
{
    struct job *job;

    if (jobs->n == JOBS_MAX)
        return NULL;
    job = &jobs->v[jobs->n++];
    memset(job, 0, sizeof *job);
    job->type = type;
    return job;
}

void jobs_root(struct jobs *jobs)
{
    add(jobs, JOB_ROOT);
}

void jobs_full(struct jobs *jobs)
{
    add(jobs, JOB_FULL);
}

void jobs_describe(struct jobs *jobs, const struct trie_prefix *prefix)
{
    struct job *job = add(jobs, JOB_DESCRIBE);

    if (job)
        job->prefix = *prefix;
}

void jobs_announce(struct jobs *jobs, struct bundle *bundle)
{
    struct job *job = add(jobs, JOB_ANNOUNCE);

    if (job)
        job->announce = bundle_ref(bundle);
}

void jobs_want_head(struct jobs *jobs, const struct node_id *id, uint64_t since,
                    bool spki)
{
    struct job *job = add(jobs, JOB_WANT_HEAD);

    if (!job)
        return;
    job->want_head.id = *id;
    job->want_head.since = since;
    job->want_head.flags = spki ? ITEM_WANT_SPKI : 0;
}

void jobs_want_piece(struct jobs *jobs, const struct hash *hash, uint16_t index)
{
    struct job *job = add(jobs, JOB_WANT_PIECE);

    if (!job)
        return;
    job->want_piece.hash = *hash;
    job->want_piece.index = index;
}

void jobs_piece(struct jobs *jobs, struct object *object, uint16_t index)
{
    struct job *job = add(jobs, JOB_PIECE);

    if (!job)
        return;
    job->piece.object = object_ref(object);
    job->piece.index = index;
}

uint16_t job_pieces(size_t signed_len)
{
    return (uint16_t)item_piece_count((uint32_t)signed_len);
}

static size_t intro_len(bool spki)
{
    return ITEM_HEADER_LEN + ITEM_AGE_LEN +
           (spki ? ITEM_HEADER_LEN + SPKI_LEN : 0);
}

static size_t piece_len(const struct object *object, uint16_t index)
{
    return ITEM_HEADER_LEN + ITEM_PIECE_FIXED_LEN +
           item_piece_len((uint32_t)object->len, index);
}

void jobs_give(struct jobs *jobs, const struct bundle *b, uint64_t since,
               bool spki, uint32_t age_s)
{
    size_t used = ITEM_HEADER_LEN + ITEM_COOKIE_LEN + intro_len(spki);
    uint16_t pieces = job_pieces(b->head->len);
    struct job *intro = add(jobs, JOB_INTRO);

    if (!intro)
        return;
    intro->intro.head = object_ref(b->head);
    intro->intro.spki = spki;
    intro->intro.age_s = age_s;
    for (uint16_t i = 0; i < pieces; i++) {
        jobs_piece(jobs, b->head, i);
        used += piece_len(b->head, i);
    }
    for (size_t k = 0; k < b->n; k++) {
        struct object *object = b->blocks[k];

        if (object->serial <= since || object->len > PIECES_BLOCK_MAX)
            continue;
        used += piece_len(object, 0);
        if (job_pieces(object->len) > 1 || used > REQUEST_ITEMS_MAX)
            return;
        jobs_piece(jobs, object, 0);
    }
}

void job_clear(struct job *job)
{
    if (job->type == JOB_ANNOUNCE)
        bundle_unref(job->announce);
    else if (job->type == JOB_PIECE)
        object_unref(job->piece.object);
    else if (job->type == JOB_INTRO)
        object_unref(job->intro.head);
    memset(job, 0, sizeof *job);
}

void jobs_clear(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++)
        job_clear(&jobs->v[i]);
    jobs->n = 0;
}

bool job_same(const struct job *a, const struct job *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case JOB_ROOT:
    case JOB_FULL:
        return true;
    case JOB_DESCRIBE:
        return prefix_equal(&a->prefix, &b->prefix);
    case JOB_ANNOUNCE:
        return a->announce == b->announce;
    case JOB_WANT_HEAD:
        return node_id_equal(&a->want_head.id, &b->want_head.id);
    case JOB_WANT_PIECE:
        return hash_equal(&a->want_piece.hash, &b->want_piece.hash) &&
               a->want_piece.index == b->want_piece.index;
    case JOB_INTRO:
        return a->intro.head == b->intro.head && a->intro.spki == b->intro.spki;
    case JOB_PIECE:
        return a->piece.object == b->piece.object &&
               a->piece.index == b->piece.index;
    }
    return false;
}

/* -- encoding ------------------------------------------------------------ */

static bool add_announce(struct item_array *a, const struct job *job)
{
    const struct bundle *b = job->announce;
    struct item_announce e = {.id = b->author->id, .serial = b->serial};

    memcpy(e.hash8, b->head->hash.b, sizeof e.hash8);
    return item_add_announce(a, &e);
}

static bool add_element(struct item_array *a, const struct job *job)
{
    switch (job->type) {
    case JOB_ANNOUNCE:
        return add_announce(a, job);
    case JOB_WANT_HEAD:
        return item_add_want_head(a, &job->want_head);
    case JOB_WANT_PIECE:
        return item_add_want_piece(a, &job->want_piece);
    default:
        assert(0 && "no array item");
        return false;
    }
}

/* Joins the leading jobs of one type; returns how many. */
static size_t put_array(const struct job *v, size_t n, enum item_type type,
                        struct writer *w)
{
    struct item_array a = item_begin(w, type);
    size_t i = 0;

    while (i < n && v[i].type == v[0].type && add_element(&a, &v[i]))
        i++;
    item_end(&a);
    return i;
}

static bool put_intro(const struct job *job, struct writer *w)
{
    const struct object *head = job->intro.head;

    if (intro_len(job->intro.spki) > writer_room(w))
        return false;
    if (job->intro.spki)
        item_put_spki(w, head->author->spki);
    item_put_age(w, &head->hash, job->intro.age_s);
    return true;
}

static bool put_piece(const struct job *job, struct writer *w)
{
    const struct object *object = job->piece.object;

    if (piece_len(object, job->piece.index) > writer_room(w))
        return false;
    item_put_piece(w, &object->hash, object->bytes, (uint32_t)object->len,
                   job->piece.index);
    return true;
}

/* Describes the leading prefixes, each with its share of the room. */
static size_t put_descriptions(const struct job *v, size_t n,
                               const struct job_context *ctx, struct writer *w)
{
    struct trie_prefix prefixes[JOBS_MAX];
    size_t i = 0;

    while (i < n && i < JOBS_MAX && v[i].type == JOB_DESCRIBE) {
        prefixes[i] = v[i].prefix;
        i++;
    }
    return recon_describe_each(ctx->set, prefixes, i, ctx->iv, w);
}

static bool put_single(const struct job *job, const struct job_context *ctx,
                       struct writer *w)
{
    switch (job->type) {
    case JOB_ROOT:
        if (writer_room(w) < ITEM_HEADER_LEN + ITEM_ROOT_LEN)
            return false;
        item_put_root(w, ctx->root, (uint32_t)trie_count(ctx->set));
        return true;
    case JOB_FULL:
        if (writer_room(w) < ITEM_HEADER_LEN)
            return false;
        item_put_full(w);
        return true;
    case JOB_INTRO:
        return put_intro(job, w);
    case JOB_PIECE:
        return put_piece(job, w);
    default:
        return false;
    }
}

size_t jobs_encode(const struct job *v, size_t n, const struct job_context *ctx,
                   struct writer *w)
{
    size_t i = 0;

    while (i < n) {
        size_t took = 0;

        if (v[i].type == JOB_ANNOUNCE)
            took = put_array(v + i, n - i, ITEM_ANNOUNCE, w);
        else if (v[i].type == JOB_WANT_HEAD)
            took = put_array(v + i, n - i, ITEM_WANT_HEAD, w);
        else if (v[i].type == JOB_WANT_PIECE)
            took = put_array(v + i, n - i, ITEM_WANT_PIECE, w);
        else if (v[i].type == JOB_DESCRIBE)
            took = put_descriptions(v + i, n - i, ctx, w);
        else
            took = put_single(&v[i], ctx, w);
        if (took == 0)
            break;
        i += took;
    }
    return i;
}
