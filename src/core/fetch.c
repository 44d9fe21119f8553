/* SPDX-License-Identifier: Apache-2.0 */
#include "core/fetch.h"

#include <stdlib.h>

#include "core/gather.h"
#include "core/state.h"

static struct fetch *find(const struct engine *e, const struct node_id *id)
{
    struct fetch *f;

    HASH_FIND(hh, e->fetch.wants, id->b, NODE_ID_LEN, f);
    return f;
}

static void drop(struct engine *e, struct fetch *f)
{
    HASH_DEL(e->fetch.wants, f);
    free(f);
}

void fetch_clear_all(struct engine *e)
{
    struct fetch *f, *next;

    HASH_ITER (hh, e->fetch.wants, f, next)
        drop(e, f);
}

bool fetch_wanted(const struct engine *e, const struct node_id *author)
{
    return find(e, author) != NULL;
}

void fetch_end(struct engine *e, const struct node_id *author)
{
    struct fetch *f = find(e, author);

    if (f)
        drop(e, f);
}

static bool is_ours(const struct engine *e, const struct node_id *id)
{
    const struct peer *p = peer_find(e, id);

    return p && p->session.valid && peer_active(e, p);
}

void fetch_source_add(struct engine *e, struct fetch_sources *s,
                      const struct node_id *id)
{
    size_t at = 0;

    for (size_t i = 0; i < s->n; i++)
        if (node_id_equal(&s->v[i], id))
            return;
    if (s->n < FETCH_SOURCES) {
        s->v[s->n++] = *id;
        return;
    }
    while (at < s->n && is_ours(e, &s->v[at]))
        at++;
    if (at < s->n && is_ours(e, id))
        s->v[at] = *id;
}

struct peer *fetch_source_next(struct engine *e, const struct now *now,
                               struct fetch_sources *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct peer *p;

        s->next = (uint8_t)((s->next + 1) % s->n);
        p = peer_find(e, &s->v[s->next]);
        if (p && p->state == PEER_PROVEN && peer_usable(p, now) &&
            peer_active(e, p))
            return p;
    }
    return NULL;
}

static struct instant turn_end(const struct fetch_turn *t,
                               const struct now *now)
{
    return instant_add_ms(now->mono, (uint64_t)FETCH_AGAIN << t->tries);
}

bool fetch_turn_may_ask(const struct engine *e, const struct fetch_turn *t,
                        const struct now *now, const struct node_id *from)
{
    return t->open || instant_reached(now->mono, t->again) ||
           node_id_equal(&t->asked, from) ||
           (is_ours(e, from) && !is_ours(e, &t->asked));
}

void fetch_turn_ask(struct fetch_turn *t, const struct now *now,
                    const struct node_id *from)
{
    /* Who names it again and again does not get a longer turn by that. */
    if (t->open || instant_reached(now->mono, t->again) ||
        !node_id_equal(&t->asked, from))
        t->again = turn_end(t, now);
    t->asked = *from;
    t->open = false;
}

bool fetch_turn_next(struct fetch_turn *t)
{
    return t->tries++ < FETCH_TRIES;
}

void fetch_turn_wait(struct fetch_turn *t, const struct now *now)
{
    t->open = true;
    t->again = turn_end(t, now);
}

/* Whether a head of that serial is news, going by what is held. */
static bool is_news(struct engine *e, const struct now *now,
                    const struct node_id *id, uint64_t serial, bool conflict,
                    struct effects *out)
{
    struct member *m = index_find(&e->index, id);

    if (node_id_equal(id, &e->self)) {
        if (serial <= e->own.serial)
            own_synced(e, now); /* nobody is ahead of us */
        return serial > e->own.serial;
    }
    if (!m)
        return index_has_room(&e->index);
    if (m->bundle && serial == m->bundle->serial) {
        /* Somebody counts it: then the copy from the store counts, too. */
        if (m->life == LIFE_CACHED)
            index_set_life(e, now, m, LIFE_LIVE, out);
        /* Gone by hearsay only: somebody counts it, and we have not waited
         * for it long enough ourselves. */
        if (m->life == LIFE_GONE && !conflict &&
            instant_since_ms(now->mono, m->heard) <
                (uint64_t)LEASES_TO_GONE * m->lease_s * 1000) {
            m->age_ms = 0;
            index_set_life(e, now, m, LIFE_LIVE, out);
        }
        return conflict && m->life == LIFE_LIVE;
    }
    return serial > m->floor;
}

static void ask(struct engine *e, const struct now *now, struct fetch *f,
                const struct node_id *from, struct jobs *jobs)
{
    const struct member *m = index_find(&e->index, &f->id);
    uint64_t since = 0;

    if (m && m->bundle && m->bundle->serial < f->serial)
        since = m->bundle->serial;
    jobs_want_head(jobs, &f->id, since,
                   !node_id_equal(&f->id, &e->self) && (!m || !m->ident));
    fetch_turn_ask(&f->turn, now, from);
}

/* Whether a want more may be noted because of `from`. Those whom we did not
 * choose ourselves have half of the table at most, and a share each; and they
 * give way to those whom we did. */
static bool make_room(struct engine *e, const struct node_id *from)
{
    struct fetch *f, *next, *foreign = NULL;
    size_t foreigners = 0, same = 0;

    HASH_ITER (hh, e->fetch.wants, f, next) {
        if (is_ours(e, &f->by))
            continue;
        foreign = f;
        foreigners++;
        same += node_id_equal(&f->by, from);
    }
    if (!is_ours(e, from))
        return foreigners < FETCHES_MAX / 2 && same < FETCHES_SOURCE &&
               HASH_COUNT(e->fetch.wants) < FETCHES_MAX;
    if (HASH_COUNT(e->fetch.wants) < FETCHES_MAX)
        return true;
    if (!foreign)
        return false;
    drop(e, foreign);
    return true;
}

bool fetch_learn(struct engine *e, const struct now *now,
                 const struct node_id *id, uint64_t serial, bool conflict,
                 const struct give_context *give, struct jobs *jobs,
                 struct effects *out)
{
    const struct node_id *from = give->from;
    struct pending *pending = gather_pending(e, id);
    struct fetch *f = find(e, id);

    if (!is_news(e, now, id, serial, conflict, out))
        return false;
    if (pending && pending->head->serial >= serial) {
        fetch_source_add(e, &pending->sources, from);
        if (fetch_turn_may_ask(e, &pending->turn, now, from))
            gather_ask(e, now, pending, give, jobs, out);
        return true;
    }
    if (!f) {
        if (!make_room(e, from))
            return true; /* interesting, but later */
        f = calloc(1, sizeof *f);
        if (!f)
            return true;
        f->id = *id;
        f->by = *from;
        f->turn.again = now->mono;
        HASH_ADD(hh, e->fetch.wants, id, NODE_ID_LEN, f);
        if (!table_added(f)) {
            free(f);
            return true;
        }
    }
    if (serial > f->serial)
        f->serial = serial;
    fetch_source_add(e, &f->sources, from);
    if (fetch_turn_may_ask(e, &f->turn, now, from) && jobs->n < JOBS_MAX)
        ask(e, now, f, from, jobs);
    return true;
}

struct instant fetch_deadline(const struct engine *e)
{
    struct instant at = INSTANT_NEVER;
    struct fetch *f, *next;

    HASH_ITER (hh, e->fetch.wants, f, next)
        at = instant_min(at, f->turn.again);
    return at;
}

void fetch_tick(struct engine *e, const struct now *now, struct effects *out)
{
    struct fetch *f, *next;

    (void)out;
    HASH_ITER (hh, e->fetch.wants, f, next) {
        struct peer *p;
        struct jobs jobs = {.n = 0};

        if (!instant_reached(now->mono, f->turn.again))
            continue;
        if (!fetch_turn_next(&f->turn)) {
            drop(e, f); /* whoever has it will name it again */
            continue;
        }
        p = fetch_source_next(e, now, &f->sources);
        if (!p) {
            fetch_turn_wait(&f->turn, now);
            continue;
        }
        ask(e, now, f, &p->id, &jobs);
        peer_queue(e, now, p, &jobs);
    }
}
