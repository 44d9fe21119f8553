/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gather.h"

#include <assert.h>
#include <stdlib.h>

#include "core/state.h"

enum {
    GATHER_BULK = 2000, /* ms until another is asked for a large block */
};

/* -- heads that wait for blocks ------------------------------------------ */

struct pending *gather_pending(const struct engine *e,
                               const struct node_id *author)
{
    struct pending *p;

    HASH_FIND(hh, e->gather.pendings, author->b, NODE_ID_LEN, p);
    return p;
}

static void lack_close(struct engine *e, struct lack *lack)
{
    if (lack->open) /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        HASH_DEL(e->gather.lacks, lack);
    lack->open = false;
}

static void pending_drop(struct engine *e, struct pending *p)
{
    for (size_t i = 0; i < p->n_lacks; i++)
        lack_close(e, &p->lacks[i]);
    free(p->lacks);
    for (size_t i = 0; i < p->n; i++)
        object_unref(p->blocks[i]);
    object_unref(p->head);
    free(p);
}

static void pending_free(struct engine *e, struct pending *p)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as in partial_free() */
    HASH_DEL(e->gather.pendings, p);
    pending_drop(e, p);
}

static void partial_free(struct engine *e, struct partial *p)
{
    /* The analyser takes the emptied table for one that is used again. */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    HASH_DEL(e->gather.partials, p);
    free(p->bytes);
    free(p);
}

void gather_clear_all(struct engine *e)
{
    struct partial *p, *next_p;
    struct pending *q, *next_q;

    for (size_t i = 0; i < INTROS_MAX; i++)
        ident_unref(e->gather.intros[i].ident);
    memset(e->gather.intros, 0, sizeof e->gather.intros);
    HASH_ITER (hh, e->gather.partials, p, next_p)
        partial_free(e, p);
    HASH_ITER (hh, e->gather.pendings, q, next_q)
        pending_free(e, q);
}

/* Takes over what the present bundle, or an older pending head, has of the
 * blocks that a head lists. */
static struct object *held_block(struct engine *e, const struct node_id *id,
                                 const struct hash *hash)
{
    const struct member *m = index_find(&e->index, id);
    const struct pending *old = gather_pending(e, id);

    for (size_t i = 0; m && m->bundle && i < m->bundle->n; i++)
        if (hash_equal(&m->bundle->blocks[i]->hash, hash))
            return m->bundle->blocks[i];
    for (size_t i = 0; old && i < old->n; i++)
        if (old->blocks[i] && hash_equal(&old->blocks[i]->hash, hash))
            return old->blocks[i];
    return NULL;
}

static void collect(struct engine *e, struct pending *p)
{
    struct head head;
    struct head_iter it;
    struct head_entry entry;

    object_head(p->head, &head);
    it = head_entries(&head);
    while (head_entry_next(&it, &entry)) {
        struct object *object = held_block(e, &p->author, &entry.hash);

        p->blocks[p->n++] = object ? object_ref(object) : NULL;
        p->missing += object == NULL;
    }
}

/* Puts what a pending head lacks into the table. */
static int open_lacks(struct engine *e, struct pending *p)
{
    struct head head;
    struct head_iter it;
    struct head_entry entry;

    if (p->missing == 0)
        return KITH_OK;
    p->lacks = calloc(p->missing, sizeof *p->lacks);
    if (!p->lacks)
        return KITH_ERR_NOMEM;
    object_head(p->head, &head);
    it = head_entries(&head);
    for (size_t i = 0; head_entry_next(&it, &entry); i++) {
        struct lack *lack = &p->lacks[p->n_lacks];

        if (p->blocks[i])
            continue;
        lack->hash = entry.hash;
        lack->pending = p;
        lack->at = i;
        lack->size = entry.size;
        HASH_ADD(hh, e->gather.lacks, hash, HASH_LEN, lack);
        if (!table_added(lack))
            return KITH_ERR_NOMEM;
        lack->open = true;
        p->n_lacks++;
    }
    return KITH_OK;
}

/* Room for one more: first of authors who are no members, then the oldest. */
static void drop_least_wanted(struct engine *e)
{
    struct pending *p, *next, *worst = NULL;
    bool worst_known = true;

    HASH_ITER (hh, e->gather.pendings, p, next) {
        const struct member *m = index_find(&e->index, &p->author);
        bool known = m && m->bundle;

        if (!worst || (worst_known && !known) ||
            (worst_known == known && p->heard.us < worst->heard.us)) {
            worst = p;
            worst_known = known;
        }
    }
    if (worst)
        pending_free(e, worst);
}

/* All blocks are there. */
static int complete(struct engine *e, const struct now *now, struct pending *p,
                    const struct node_id *from, struct effects *out)
{
    struct bundle *bundle = NULL;
    int err = pool_bundle(e->pool, p->head, p->blocks, p->n, &bundle);

    if (err == KITH_OK)
        err = index_accept(e, now, bundle,
                           p->age_ms + instant_since_ms(now->mono, p->heard),
                           from, out);
    bundle_unref(bundle);
    fetch_end(e, &p->author);
    pending_free(e, p);
    return err;
}

static struct partial *find_partial(const struct engine *e,
                                    const struct hash *hash,
                                    const struct node_id *from)
{
    struct partial_key key = {*hash, *from};
    struct partial *p;

    HASH_FIND(hh, e->gather.partials, &key, sizeof key, p);
    return p;
}

/* A large block is asked for by its first piece, in an answer: then the other
 * side gives it by the bulk exchange. */
static void ask_block(struct engine *e, const struct head_entry *entry,
                      const struct give_context *give, struct jobs *jobs)
{
    struct partial *partial = find_partial(e, &entry->hash, give->from);
    uint16_t pieces = job_pieces(entry->size);

    if (entry->size > PIECES_BLOCK_MAX)
        pieces = give->request ? 0 : 1;
    for (uint16_t i = 0; i < pieces; i++)
        if (!partial || !(partial->got & 1ull << i))
            jobs_want_piece(jobs, &entry->hash, i);
}

static bool lacks_large(const struct pending *p)
{
    struct head head;
    struct head_iter it;
    struct head_entry entry;

    object_head(p->head, &head);
    it = head_entries(&head);
    for (size_t i = 0; head_entry_next(&it, &entry); i++)
        if (!p->blocks[i] && entry.size > PIECES_BLOCK_MAX)
            return true;
    return false;
}

static bool ask_bulk(struct engine *e, const struct now *now,
                     const struct pending *p, const struct node_id *from,
                     struct effects *out)
{
    struct peer *peer = peer_find(e, from);
    const struct member *m = index_find(&e->index, &p->author);

    return peer && peer_usable(peer, now) && lacks_large(p) &&
           bulk_want(e, now, peer, &p->author,
                     m && m->bundle ? m->bundle->serial : 0, out) == KITH_OK;
}

void gather_ask(struct engine *e, const struct now *now, struct pending *p,
                const struct give_context *give, struct jobs *jobs,
                struct effects *out)
{
    struct head head;
    struct head_iter it;
    struct head_entry entry;

    fetch_turn_ask(&p->turn, now, give->from);
    if (ask_bulk(e, now, p, give->from, out)) {
        p->turn.again = instant_add_ms(now->mono, GATHER_BULK);
        return;
    }
    object_head(p->head, &head);
    it = head_entries(&head);
    for (size_t i = 0; head_entry_next(&it, &entry); i++)
        if (!p->blocks[i])
            ask_block(e, &entry, give, jobs);
}

/* -- what was said of a head before it came ----------------------------------
 */

static struct intro *find_intro(struct engine *e, const struct hash *head)
{
    for (size_t i = 0; i < INTROS_MAX; i++)
        if (e->gather.intros[i].heard.us != 0 &&
            hash_equal(&e->gather.intros[i].head, head))
            return &e->gather.intros[i];
    return NULL;
}

void gather_intro(struct engine *e, const struct now *now,
                  const struct give_context *give)
{
    struct intro *intro = find_intro(e, &give->age_of);
    struct node_id id;

    if (!intro) {
        intro = &e->gather.intros[e->gather.next_intro];
        e->gather.next_intro = (e->gather.next_intro + 1) % INTROS_MAX;
        ident_unref(intro->ident);
        intro->ident = NULL;
    }
    if (intro->heard.us == 0 || !hash_equal(&intro->head, &give->age_of) ||
        give->age_s < intro->age_s) {
        intro->head = give->age_of;
        intro->age_s = give->age_s;
        intro->heard = now->mono;
    }
    if (!give->has_spki || intro->ident)
        return;
    spki_id(give->spki, &id);
    if (fetch_wanted(e, &id) &&
        pool_ident(e->pool, give->spki, &intro->ident) != KITH_OK)
        intro->ident = NULL;
}

static uint64_t told_age_ms(struct engine *e, const struct now *now,
                            const struct give_context *give,
                            const struct hash *head)
{
    const struct intro *intro = find_intro(e, head);

    if (give->bulk)
        return give->has_age ? (uint64_t)give->age_s * 1000 : 0;
    if (!intro)
        return 0;
    return (uint64_t)intro->age_s * 1000 +
           instant_since_ms(now->mono, intro->heard);
}

static int take_head(struct engine *e, const struct now *now,
                     struct give_context *give, struct object *head,
                     struct jobs *jobs, struct effects *out)
{
    const struct node_id *author = &head->author->id;
    const struct member *m = index_find(&e->index, author);
    struct pending *old = gather_pending(e, author);
    struct pending *p;

    if (node_id_equal(author, &e->self)) {
        fetch_end(e, author);
        own_foreign(e, now, head, out);
        return KITH_OK;
    }
    if (m && !index_is_newer(m, head->serial, &head->hash)) {
        if (m->bundle && m->bundle->head == head)
            index_hear_age(index_find(&e->index, author), now,
                           told_age_ms(e, now, give, &head->hash));
        fetch_end(e, author);
        return KITH_ERR_STALE;
    }
    if (old && old->head == head) {
        fetch_source_add(e, &old->sources, give->from);
        return KITH_OK;
    }
    if (old && head->serial < old->head->serial)
        return KITH_ERR_STALE;
    p = calloc(1, sizeof *p);
    if (!p)
        return KITH_ERR_NOMEM;
    p->author = *author;
    p->head = object_ref(head);
    p->heard = now->mono;
    p->age_ms = told_age_ms(e, now, give, &head->hash);
    fetch_source_add(e, &p->sources, give->from);
    collect(e, p);
    if (old)
        pending_free(e, old);
    else if (p->missing > 0 && HASH_COUNT(e->gather.pendings) >= PENDINGS_MAX)
        drop_least_wanted(e);
    if (open_lacks(e, p) != KITH_OK) {
        pending_drop(e, p);
        return KITH_ERR_NOMEM;
    }
    HASH_ADD(hh, e->gather.pendings, author, NODE_ID_LEN, p);
    if (!table_added(p)) {
        pending_drop(e, p);
        return KITH_ERR_NOMEM;
    }
    fetch_end(e, author);
    if (p->missing == 0)
        return complete(e, now, p, give->from, out);
    p->turn.again = instant_add_ms(now->mono, FETCH_AGAIN);
    if (!give->bulk)
        gather_ask(e, now, p, give, jobs, out);
    return KITH_OK;
}

/* -- whole signed blocks ----------------------------------------------------
 */

/* Who lacks this block; NULL: nobody. */
static struct lack *find_lack(const struct engine *e, const struct hash *hash)
{
    struct lack *lack;

    HASH_FIND(hh, e->gather.lacks, hash->b, HASH_LEN, lack);
    return lack;
}

/* The ident of a head's author: known, or given along. */
static int author_ident(struct engine *e, const struct give_context *give,
                        const struct hash *hash, const struct node_id *author,
                        struct ident **out)
{
    const struct intro *intro = hash ? find_intro(e, hash) : NULL;
    const struct member *m = index_find(&e->index, author);
    const struct pending *p = gather_pending(e, author);
    struct node_id id;

    if (node_id_equal(author, &e->self)) {
        *out = ident_ref(e->ident);
        return KITH_OK;
    }
    if (p) {
        *out = ident_ref(p->head->author);
        return KITH_OK;
    }
    if (m && m->ident) {
        *out = ident_ref(m->ident);
        return KITH_OK;
    }
    if (intro && intro->ident && node_id_equal(&intro->ident->id, author)) {
        *out = ident_ref(intro->ident);
        return KITH_OK;
    }
    if (!give->has_spki)
        return KITH_ERR_UNWANTED;
    spki_id(give->spki, &id);
    if (!node_id_equal(&id, author))
        return KITH_ERR_UNWANTED;
    return pool_ident(e->pool, give->spki, out);
}

/* A block that some pending head lacks: looked up before its signature is,
 * so that nobody makes us verify what nobody wants. */
static int take_listed(struct engine *e, const struct now *now,
                       const struct give_context *give,
                       const struct hash *named, const struct block *block,
                       const uint8_t *bytes, size_t n, struct effects *out)
{
    struct object *object = NULL;
    struct pending *p;
    struct lack *lack;
    struct hash hash;
    int err = block_hash(e->hasher, &e->mesh, block->canonical,
                         block->canonical_len, &hash);

    if (err != KITH_OK)
        return err;
    if (named && !hash_equal(named, &hash))
        return KITH_ERR_AUTH; /* the pieces are not what they were called */
    lack = find_lack(e, &hash);
    if (!lack)
        return KITH_ERR_UNWANTED;
    p = lack->pending;
    err = pool_object(e->pool, p->head->author, bytes, n, &object);
    if (err != KITH_OK)
        return err;
    e->counters[COUNT_BLOCKS_ACCEPTED]++;
    p->blocks[lack->at] = object; /* with our reference */
    p->missing--;
    lack_close(e, lack);
    return p->missing == 0 ? complete(e, now, p, give->from, out) : KITH_OK;
}

static int take_block(struct engine *e, const struct now *now,
                      struct give_context *give, const struct hash *hash,
                      const uint8_t *bytes, size_t n, struct jobs *jobs,
                      struct effects *out)
{
    struct object *object = NULL;
    struct ident *ident = NULL;
    struct block block;
    int err = block_decode(bytes, n, &block);

    if (err != KITH_OK)
        return err;
    if (block.type != BLOCK_HEAD)
        return take_listed(e, now, give, hash, &block, bytes, n, out);
    err = author_ident(e, give, hash, &block.author, &ident);
    if (err == KITH_OK)
        err = pool_object(e->pool, ident, bytes, n, &object);
    ident_unref(ident);
    if (err != KITH_OK)
        return err;
    e->counters[COUNT_BLOCKS_ACCEPTED]++;
    err = take_head(e, now, give, object, jobs, out);
    object_unref(object);
    return err;
}

int gather_block(struct engine *e, const struct now *now,
                 struct give_context *give, const uint8_t *bytes, size_t n,
                 struct effects *out)
{
    return take_block(e, now, give, NULL, bytes, n, NULL, out);
}

/* -- pieces ------------------------------------------------------------------
 */

/* Whether a piece of a block that is not under way yet is wanted at all. */
static int check_new(struct engine *e, const struct item_piece *piece,
                     bool *head)
{
    struct cursor c;
    struct node_id author;
    uint8_t format;
    uint16_t type;
    const struct lack *lack = find_lack(e, &piece->hash);

    *head = false;
    if (lack)
        return lack->size == piece->total ? KITH_OK : KITH_ERR_RANGE;
    cursor_init(&c, piece->p, piece->n);
    if (piece->index != 0 || cursor_u8(&c, &format) != KITH_OK ||
        cursor_u16(&c, &type) != KITH_OK ||
        cursor_copy(&c, author.b, sizeof author.b) != KITH_OK ||
        type != BLOCK_HEAD || !fetch_wanted(e, &author))
        return KITH_ERR_UNWANTED;
    *head = true;
    return KITH_OK;
}

/* Nobody holds more than his share: then his own oldest one goes; else, when
 * the table is full, the oldest of all. */
static void make_partial_room(struct engine *e, const struct node_id *from)
{
    struct partial *p, *next, *oldest = NULL, *own_oldest = NULL;
    size_t own = 0;

    HASH_ITER (hh, e->gather.partials, p, next) {
        if (!oldest || p->begun.us < oldest->begun.us)
            oldest = p;
        if (!node_id_equal(&p->key.from, from))
            continue;
        own++;
        if (!own_oldest || p->begun.us < own_oldest->begun.us)
            own_oldest = p;
    }
    if (own >= PARTIALS_GIVER)
        partial_free(e, own_oldest);
    else if (oldest && HASH_COUNT(e->gather.partials) >= PARTIALS_MAX)
        partial_free(e, oldest);
}

static struct partial *partial_new(struct engine *e, const struct now *now,
                                   const struct item_piece *piece,
                                   const struct node_id *from, bool head)
{
    struct partial *p;

    make_partial_room(e, from);
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->bytes = malloc(piece->total);
    if (!p->bytes) {
        free(p);
        return NULL;
    }
    p->key.hash = piece->hash;
    p->key.from = *from;
    p->total = piece->total;
    p->pieces = job_pieces(piece->total);
    p->head = head;
    p->begun = now->mono;
    HASH_ADD(hh, e->gather.partials, key, sizeof p->key, p);
    if (!table_added(p)) {
        free(p->bytes);
        free(p);
        return NULL;
    }
    return p;
}

/* All that is asked for a head whose first piece has come. */
static void ask_rest(struct partial *p, struct jobs *jobs)
{
    for (uint16_t i = 0; i < p->pieces; i++)
        if (!(p->got & 1ull << i))
            jobs_want_piece(jobs, &p->key.hash, i);
}

bool gather_lacks(const struct engine *e, const struct node_id *from,
                  const struct hash *hash, uint16_t index)
{
    const struct partial *p = find_partial(e, hash, from);

    return p ? !(p->got & 1ull << index) : find_lack(e, hash) != NULL;
}

int gather_piece(struct engine *e, const struct now *now,
                 struct give_context *give, const struct item_piece *piece,
                 struct jobs *jobs, struct effects *out)
{
    struct partial *p = find_partial(e, &piece->hash, give->from);
    bool head = false, first = false;
    int err;

    if (!p) {
        err = check_new(e, piece, &head);
        if (err != KITH_OK)
            return err;
        if (piece->n == piece->total)
            return take_block(e, now, give, &piece->hash, piece->p, piece->n,
                              jobs, out);
        p = partial_new(e, now, piece, give->from, head);
        if (!p)
            return KITH_ERR_NOMEM;
        first = true;
    }
    if (p->total != piece->total)
        return KITH_ERR_RANGE;
    if (p->got & 1ull << piece->index)
        return KITH_OK;
    memcpy(p->bytes + (size_t)piece->index * PIECE_LEN, piece->p, piece->n);
    p->got |= 1ull << piece->index;
    p->held++;
    if (p->held < p->pieces) {
        if (first && p->head)
            ask_rest(p, jobs);
        return KITH_OK;
    }
    err = take_block(e, now, give, &p->key.hash, p->bytes, p->total, jobs, out);
    partial_free(e, p);
    return err;
}

/* -- time --------------------------------------------------------------------
 */

struct instant gather_deadline(const struct engine *e)
{
    struct instant at = INSTANT_NEVER;
    struct partial *p, *next_p;
    struct pending *q, *next_q;

    HASH_ITER (hh, e->gather.partials, p, next_p)
        at = instant_min(at, instant_add_ms(p->begun, PARTIAL_AGE));
    HASH_ITER (hh, e->gather.pendings, q, next_q)
        at = instant_min(at, q->turn.again);
    return at;
}

static void tick_pending(struct engine *e, const struct now *now,
                         struct pending *p, struct effects *out)
{
    struct give_context give = {.request = true};
    struct jobs jobs = {.n = 0};
    struct peer *peer;

    if (instant_since_ms(now->mono, p->heard) > PENDING_AGE ||
        !fetch_turn_next(&p->turn)) {
        pending_free(e, p); /* whoever has it will name it again */
        return;
    }
    peer = fetch_source_next(e, now, &p->sources);
    if (!peer) {
        fetch_turn_wait(&p->turn, now);
        return;
    }
    give.from = &peer->id;
    gather_ask(e, now, p, &give, &jobs, out);
    peer_queue(e, now, peer, &jobs);
}

void gather_tick(struct engine *e, const struct now *now, struct effects *out)
{
    struct partial *p, *next_p;
    struct pending *q, *next_q;

    HASH_ITER (hh, e->gather.partials, p, next_p)
        if (instant_since_ms(now->mono, p->begun) >= PARTIAL_AGE)
            partial_free(e, p);
    HASH_ITER (hh, e->gather.pendings, q, next_q)
        if (effects_room(out, 8) && instant_reached(now->mono, q->turn.again))
            tick_pending(e, now, q, out);
}
