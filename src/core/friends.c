/* SPDX-License-Identifier: Apache-2.0 */
#include "core/friends.h"

#include <stdlib.h>

#include "core/rings.h"
#include "core/state.h"

struct instant friends_deadline(const struct engine *e)
{
    const struct friends *f = &e->friends;

    if (f->version == e->index.version && !f->stale)
        return INSTANT_NEVER;
    if (f->at.us == 0)
        return f->at;
    return instant_add_ms(f->at, f->n < FRIENDS_MAX ? FRIENDS_RECOMPUTE_FEW
                                                    : FRIENDS_RECOMPUTE);
}

static bool counts_as_down(const struct engine *e, const struct now *now,
                           const struct member *m)
{
    const struct peer *p = peer_find(e, &m->id);

    if ((m->flags & HEAD_AWAY) &&
        instant_since_ms(now->mono, m->heard) >= AWAY_MS)
        return true;
    return p && p->state == PEER_FAILED;
}

static size_t collect(const struct engine *e, const struct now *now,
                      struct ring_member *v)
{
    struct member *m, *next;
    size_t n = 0;

    HASH_ITER (hh, e->index.members, m, next)
        if (m->life == LIFE_LIVE && m->ident) {
            v[n].ident = m->ident;
            v[n++].down = counts_as_down(e, now, m);
        }
    return n;
}

static void befriend(struct engine *e, const struct now *now,
                     const struct ring_friend *v, size_t n)
{
    struct peer *p, *next;

    HASH_ITER (hh, e->peers, p, next)
        p->friend = false;
    /* First those that are there: making others may push some out. */
    for (size_t i = 0; i < n; i++) {
        p = peer_find(e, &v[i].ident->id);
        if (p)
            p->friend = true;
    }
    e->friends.n = 0;
    for (size_t i = 0; i < n; i++) {
        p = peer_get(e, now, &v[i].ident->id);
        if (!p)
            continue;
        e->friends.n++;
        p->friend = true;
        p->ring = v[i].ring;
        if (p->sync_at.us == INSTANT_NEVER.us && peer_usable(p, now))
            sync_begin(e, now, p);
    }
}

void friends_tick(struct engine *e, const struct now *now, struct effects *out)
{
    struct friends *f = &e->friends;
    struct ring_friend chosen[FRIENDS_MAX];
    struct ring_member *members;
    size_t n;

    (void)out;
    if (!e->started || !instant_reached(now->mono, friends_deadline(e)))
        return;
    members = malloc((e->index.live + 1) * sizeof *members);
    if (!members)
        return; /* out of memory: the next change tries again */
    n = rings_friends(members, collect(e, now, members), e->ident, chosen);
    free(members);
    befriend(e, now, chosen, n);
    f->version = e->index.version;
    f->stale = false;
    f->at = now->mono;
}
