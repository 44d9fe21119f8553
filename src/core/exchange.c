/* SPDX-License-Identifier: Apache-2.0 */
#include "core/exchange.h"

#include "core/recon.h"
#include "core/state.h"

/* What goes on while the items of one message are taken. */
struct taking {
    struct engine *e;
    const struct now *now;
    struct exchange *x;
    struct give_context give;
    bool has_piece; /* at least one was there */
    struct jobs *jobs;
    struct effects *out;
};

static void take_root(struct taking *t, const struct item *item)
{
    uint8_t mine[TRIE_ROOT_LEN];
    struct trie_prefix all = prefix_root();

    t->x->has_root = true;
    memcpy(t->x->root, item->root.root, TRIE_ROOT_LEN);
    t->x->heads = item->root.heads;
    if (t->x->answer)
        return; /* sync_answer() compares */
    engine_root(t->e, mine);
    jobs_root(t->jobs);
    if (memcmp(mine, item->root.root, TRIE_ROOT_LEN) != 0)
        jobs_describe(t->jobs, &all);
}

static void take_nodes(struct taking *t, const struct item *item)
{
    struct trie_prefix differing[RECON_DIFF_MAX];
    size_t n = 0;

    t->x->described = true;
    recon_compare_nodes(&t->e->index.set, t->x->iv, &item->nodes, differing,
                        RECON_DIFF_MAX, &n);
    for (size_t i = 0; i < n; i++)
        jobs_describe(t->jobs, &differing[i]);
}

/* The other side still counts a member that has said good-bye. */
static void tell_farewell(struct taking *t, const struct item_leaf *leaf)
{
    const struct member *m = index_find(&t->e->index, &leaf->id);

    if (t->x->answer && m && m->life == LIFE_LEFT &&
        m->bundle->serial > leaf->serial)
        jobs_announce(t->jobs, m->bundle);
}

/* LEAVES tell both what we lack and what the other side lacks. A announces
 * what B lacks; B says what A lacks by LEAVES of its own. */
static void take_leaves(struct taking *t, const struct item *item)
{
    struct recon_diff diff = {.lacking_n = 0};

    t->x->described = true;
    recon_compare_leaves(&t->e->index.set, t->x->iv, item, &diff);
    for (size_t i = 0; i < diff.lacking_n; i++) {
        const struct recon_lack *lack = &diff.lacking[i];
        struct item_leaf leaf = {.serial = 0};

        for (size_t k = 0; k < item->leaves.n; k++) {
            item_leaf_at(item, k, &leaf);
            if (node_id_equal(&leaf.id, &lack->id))
                break;
        }
        if (!fetch_learn(t->e, t->now, &lack->id, leaf.serial, lack->since == 0,
                         &t->give, t->jobs, t->out))
            tell_farewell(t, &leaf);
    }
    if (diff.giving_n > 0 && !t->x->answer)
        jobs_describe(t->jobs, &item->leaves.prefix);
    for (size_t i = 0; i < diff.giving_n && t->x->answer; i++)
        jobs_announce(t->jobs, diff.giving[i]);
}

static void take_announce(struct taking *t, const struct item *item)
{
    bool full = false;

    for (size_t i = 0; i < item->list.n; i++) {
        const struct member *m;
        struct item_announce a;
        bool conflict;

        item_announce_at(item, i, &a);
        m = index_find(&t->e->index, &a.id);
        conflict = m && m->bundle && m->bundle->serial == a.serial &&
                   memcmp(m->bundle->head->hash.b, a.hash8, HASH8_LEN) != 0;
        if (!m && !index_has_room(&t->e->index))
            full = true;
        fetch_learn(t->e, t->now, &a.id, a.serial, conflict, &t->give, t->jobs,
                    t->out);
    }
    if (full)
        jobs_full(t->jobs);
}

static void give_head(struct taking *t, const struct item_want_head *want)
{
    struct engine *e = t->e;
    const struct member *m = index_find(&e->index, &want->id);
    uint64_t age_s;

    if (!m || (m->life != LIFE_LIVE && m->life != LIFE_LEFT))
        return;
    age_s = index_age_ms(m, t->now) / 1000;
    jobs_give(t->jobs, m->bundle, want->since,
              (want->flags & ITEM_WANT_SPKI) != 0,
              age_s > UINT32_MAX ? UINT32_MAX : (uint32_t)age_s);
}

static void give_piece(struct taking *t, const struct item_want_piece *want)
{
    struct object *object = index_object(t->e, &want->hash);

    if (!object || want->index >= job_pieces(object->len))
        return;
    if (object->len <= PIECES_BLOCK_MAX || object->type == BLOCK_HEAD)
        jobs_piece(t->jobs, object, want->index);
    else
        sync_give_large(t->e, t->now, t->x, object, t->out);
}

static void take_wants(struct taking *t, const struct item *item)
{
    for (size_t i = 0; i < item->list.n; i++) {
        if (item->type == ITEM_WANT_HEAD) {
            struct item_want_head want;

            item_want_head_at(item, i, &want);
            give_head(t, &want);
        } else {
            struct item_want_piece want;

            item_want_piece_at(item, i, &want);
            give_piece(t, &want);
        }
    }
}

static void take_piece(struct taking *t, const struct item *item)
{
    int err =
        gather_piece(t->e, t->now, &t->give, &item->piece, t->jobs, t->out);

    t->has_piece = true;
    if (err == KITH_OK)
        t->x->given++;
    else if (err == KITH_ERR_UNWANTED || err == KITH_ERR_STALE)
        t->e->counters[COUNT_UNWANTED]++;
    else
        t->e->counters[COUNT_BLOCKS_REFUSED]++;
}

static void take_item(struct taking *t, const struct item *item)
{
    switch (item->type) {
    case ITEM_PAD:
        break;
    case ITEM_COOKIE:
        t->x->has_cookie = true;
        memcpy(t->x->cookie, item->cookie, sizeof t->x->cookie);
        break;
    case ITEM_ROOT:
        take_root(t, item);
        break;
    case ITEM_NODES:
        take_nodes(t, item);
        break;
    case ITEM_LEAVES:
        take_leaves(t, item);
        break;
    case ITEM_ANNOUNCE:
        if (!t->x->answer)
            take_announce(t, item);
        break;
    case ITEM_WANT_HEAD:
    case ITEM_WANT_PIECE:
        take_wants(t, item);
        break;
    case ITEM_SPKI:
        t->give.has_spki = true;
        memcpy(t->give.spki, item->spki, SPKI_LEN);
        break;
    case ITEM_AGE:
        t->give.has_age = true;
        t->give.age_of = item->age.head;
        t->give.age_s = item->age.seconds;
        gather_intro(t->e, t->now, &t->give);
        break;
    case ITEM_PIECE:
        take_piece(t, item);
        break;
    case ITEM_ECHO:
        t->x->has_echo = true;
        break;
    case ITEM_FULL:
        t->x->full = true;
        break;
    default:
        t->e->counters[COUNT_UNKNOWN_ITEMS]++;
        break;
    }
}

/* What we asked for may have come later in the same message. */
static void drop_fulfilled(struct taking *t)
{
    struct jobs *jobs = t->jobs;
    size_t kept = 0;

    for (size_t i = 0; i < jobs->n; i++) {
        const struct job *job = &jobs->v[i];

        if (job->type != JOB_WANT_PIECE ||
            gather_lacks(t->e, t->x->from, &job->want_piece.hash,
                         job->want_piece.index))
            jobs->v[kept++] = *job;
    }
    jobs->n = kept; /* a want holds no reference */
}

int exchange_take(struct engine *e, const struct now *now, struct exchange *x,
                  const uint8_t *items, size_t n, struct jobs *jobs,
                  struct effects *out)
{
    struct taking t = {.e = e,
                       .now = now,
                       .x = x,
                       .give = {.from = x->from, .request = x->answer},
                       .jobs = jobs,
                       .out = out};
    struct cursor c;
    struct item item;
    int err;

    /* A malformed message is refused as a whole, before it changes anything. */
    cursor_init(&c, items, n);
    while ((err = item_next(&c, &item)) == KITH_OK)
        continue;
    if (err != KITH_ERR_NOTFOUND)
        return err;
    cursor_init(&c, items, n);
    while (item_next(&c, &item) == KITH_OK)
        take_item(&t, &item);
    drop_fulfilled(&t);
    /* A head that did not fit beside its SPKI and AGE: ask for it by hash. */
    if (x->wanted_head && t.give.has_age && !t.has_piece)
        jobs_want_piece(jobs, &t.give.age_of, 0);
    return KITH_OK;
}
