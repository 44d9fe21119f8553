/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gather.h"

#include <assert.h>
#include <stdlib.h>

#include "core/state.h"

/* -- heads that wait for blocks ------------------------------------------ */

struct pending *gather_pending(const struct engine *e,
                               const struct node_id *author)
{
    struct pending *p;

    HASH_FIND(hh, e->gather.pendings, author->b, NODE_ID_LEN, p);
    return p;
}

static void pending_drop(struct pending *p)
{
    for (size_t i = 0; i < p->n; i++)
        object_unref(p->blocks[i]);
    object_unref(p->head);
    free(p);
}

static void pending_free(struct engine *e, struct pending *p)
{
    HASH_DEL(e->gather.pendings, p);
    pending_drop(p);
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

static void ask_block(struct engine *e, const struct now *now,
                      const struct head_entry *entry, struct jobs *jobs)
{
    struct partial *partial;
    uint16_t pieces = job_pieces(entry->size);

    (void)now;
    HASH_FIND(hh, e->gather.partials, entry->hash.b, HASH_LEN, partial);
    if (entry->size > PIECES_BLOCK_MAX)
        pieces = 1; /* asks for the bulk exchange */
    for (uint16_t i = 0; i < pieces; i++)
        if (!partial || !(partial->got & 1ull << i))
            jobs_want_piece(jobs, &entry->hash, i);
}

void gather_ask(struct engine *e, const struct now *now, struct pending *p,
                const struct node_id *from, struct jobs *jobs)
{
    struct head head;
    struct head_iter it;
    struct head_entry entry;

    object_head(p->head, &head);
    it = head_entries(&head);
    for (size_t i = 0; head_entry_next(&it, &entry); i++)
        if (!p->blocks[i])
            ask_block(e, now, &entry, jobs);
    fetch_turn_ask(&p->turn, now, from);
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

/* Asks who gave the head for what it lacks: a peer of ours by bulk if that
 * is needed, everybody else by pieces. */
static void ask_giver(struct engine *e, const struct now *now,
                      struct pending *p, const struct give_context *give,
                      struct jobs *jobs, struct effects *out)
{
    struct peer *peer = peer_find(e, give->from);
    const struct member *m = index_find(&e->index, &p->author);

    if (give->bulk || !jobs)
        return;
    if (peer && peer_usable(peer, now) && lacks_large(p) &&
        bulk_want(e, now, peer, &p->author,
                  m && m->bundle ? m->bundle->serial : 0, out) == KITH_OK)
        p->turn.again = instant_add_ms(now->mono, 2000);
    else
        gather_ask(e, now, p, give->from, jobs);
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
    intro->head = give->age_of;
    intro->age_s = give->age_s;
    intro->heard = now->mono;
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
        fetch_end(e, author);
        return KITH_ERR_STALE;
    }
    if (old && old->head == head) {
        fetch_source_add(&old->sources, give->from);
        return KITH_OK;
    }
    if (old && head->serial < old->head->serial)
        return KITH_ERR_STALE;
    if (!old && HASH_COUNT(e->gather.pendings) >= PENDINGS_MAX)
        return KITH_ERR_FULL;
    p = calloc(1, sizeof *p);
    if (!p)
        return KITH_ERR_NOMEM;
    p->author = *author;
    p->head = object_ref(head);
    p->heard = now->mono;
    p->age_ms = told_age_ms(e, now, give, &head->hash);
    fetch_source_add(&p->sources, give->from);
    collect(e, p);
    if (old)
        pending_free(e, old);
    HASH_ADD(hh, e->gather.pendings, author, NODE_ID_LEN, p);
    if (!table_added(p)) {
        pending_drop(p);
        return KITH_ERR_NOMEM;
    }
    fetch_end(e, author);
    if (p->missing == 0)
        return complete(e, now, p, give->from, out);
    p->turn.again = instant_add_ms(now->mono, FETCH_AGAIN);
    ask_giver(e, now, p, give, jobs, out);
    return KITH_OK;
}

/* -- whole signed blocks ----------------------------------------------------
 */

/* The pending head that lists this block and lacks it, and where. */
static struct pending *lister(struct engine *e, const struct hash *hash,
                              size_t *at, uint32_t *size)
{
    struct pending *p, *next;

    HASH_ITER (hh, e->gather.pendings, p, next) {
        struct head head;
        struct head_iter it;
        struct head_entry entry;

        object_head(p->head, &head);
        it = head_entries(&head);
        for (size_t i = 0; head_entry_next(&it, &entry); i++)
            if (!p->blocks[i] && hash_equal(&entry.hash, hash)) {
                *at = i;
                *size = entry.size;
                return p;
            }
    }
    return NULL;
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

static int take_block(struct engine *e, const struct now *now,
                      struct give_context *give, const struct hash *hash,
                      const uint8_t *bytes, size_t n, struct jobs *jobs,
                      struct effects *out)
{
    struct object *object = NULL;
    struct ident *ident = NULL;
    struct pending *p;
    struct block block;
    uint32_t size;
    size_t at;
    int err = block_decode(bytes, n, &block);

    if (err != KITH_OK)
        return err;
    err = author_ident(e, give, hash, &block.author, &ident);
    if (err == KITH_OK)
        err = pool_object(e->pool, ident, bytes, n, &object);
    ident_unref(ident);
    if (err != KITH_OK)
        return err;
    e->counters[COUNT_BLOCKS_ACCEPTED]++;
    if (object->type == BLOCK_HEAD) {
        err = take_head(e, now, give, object, jobs, out);
        object_unref(object);
        return err;
    }
    p = lister(e, &object->hash, &at, &size);
    if (!p) {
        object_unref(object);
        return KITH_ERR_UNWANTED;
    }
    p->blocks[at] = object; /* with our reference */
    p->missing--;
    return p->missing == 0 ? complete(e, now, p, give->from, out) : KITH_OK;
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
    uint32_t size;
    size_t at;

    *head = false;
    if (lister(e, &piece->hash, &at, &size))
        return size == piece->total ? KITH_OK : KITH_ERR_RANGE;
    cursor_init(&c, piece->p, piece->n);
    if (piece->index != 0 || cursor_u8(&c, &format) != KITH_OK ||
        cursor_u16(&c, &type) != KITH_OK ||
        cursor_copy(&c, author.b, sizeof author.b) != KITH_OK ||
        type != BLOCK_HEAD || !fetch_wanted(e, &author))
        return KITH_ERR_UNWANTED;
    *head = true;
    return KITH_OK;
}

static void drop_oldest_partial(struct engine *e)
{
    struct partial *p, *next, *oldest = NULL;

    HASH_ITER (hh, e->gather.partials, p, next)
        if (!oldest || p->begun.us < oldest->begun.us)
            oldest = p;
    if (oldest)
        partial_free(e, oldest);
}

static struct partial *partial_new(struct engine *e, const struct now *now,
                                   const struct item_piece *piece, bool head)
{
    struct partial *p;

    if (HASH_COUNT(e->gather.partials) >= PARTIALS_MAX)
        drop_oldest_partial(e);
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->bytes = malloc(piece->total);
    if (!p->bytes) {
        free(p);
        return NULL;
    }
    p->hash = piece->hash;
    p->total = piece->total;
    p->pieces = job_pieces(piece->total);
    p->head = head;
    p->begun = now->mono;
    HASH_ADD(hh, e->gather.partials, hash, HASH_LEN, p);
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
            jobs_want_piece(jobs, &p->hash, i);
}

int gather_piece(struct engine *e, const struct now *now,
                 struct give_context *give, const struct item_piece *piece,
                 struct jobs *jobs, struct effects *out)
{
    struct partial *p;
    bool head = false, first = false;
    int err;

    HASH_FIND(hh, e->gather.partials, piece->hash.b, HASH_LEN, p);
    if (!p) {
        err = check_new(e, piece, &head);
        if (err != KITH_OK)
            return err;
        if (piece->n == piece->total)
            return take_block(e, now, give, &piece->hash, piece->p, piece->n,
                              jobs, out);
        p = partial_new(e, now, piece, head);
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
    err = take_block(e, now, give, &p->hash, p->bytes, p->total, jobs, out);
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
    struct give_context give = {.from = NULL};
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
    ask_giver(e, now, p, &give, &jobs, out);
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
