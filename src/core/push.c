/* SPDX-License-Identifier: Apache-2.0 */
#include "core/push.h"

#include "core/state.h"

_Static_assert((PUSH_LOG & (PUSH_LOG - 1)) == 0, "a place is found by masking");

void push_init(struct push *push)
{
    memset(push, 0, sizeof *push);
    push->due = INSTANT_NEVER;
}

void push_add(struct engine *e, const struct now *now, const struct node_id *id,
              const struct node_id *from)
{
    struct push *push = &e->push;
    struct push_entry *entry = &push->log[push->end++ & (PUSH_LOG - 1)];

    entry->id = *id;
    entry->from = from ? *from : e->self;
    if (push->due.us == INSTANT_NEVER.us) {
        struct instant next = instant_add_ms(push->last, ANNOUNCE_BATCH);

        push->due = push->last.us == 0 || instant_reached(now->mono, next)
                        ? now->mono
                        : next;
    }
}

struct instant push_deadline(const struct engine *e)
{
    return e->push.due;
}

/* Who hears of changes at once: the friends on the first rings; while we are
 * new, everybody whom we talk to. */
static bool is_target(const struct engine *e, const struct now *now,
                      const struct peer *p)
{
    if ((p->state != PEER_OPEN && p->state != PEER_PROVEN) ||
        !peer_usable(p, now) || !peer_active(e, p))
        return false;
    return e->sync.newcomer || p->ring < ANNOUNCE_RINGS;
}

static void announce_to(struct engine *e, const struct now *now, struct peer *p)
{
    const struct push *push = &e->push;
    struct jobs jobs = {.n = 0};
    uint64_t oldest = push->end > PUSH_LOG ? push->end - PUSH_LOG : 0;

    if (p->pushed < oldest)
        p->pushed = oldest;
    for (; p->pushed < push->end && jobs.n < JOBS_MAX; p->pushed++) {
        const struct push_entry *entry = &push->log[p->pushed & (PUSH_LOG - 1)];
        const struct member *m = index_find(&e->index, &entry->id);

        if (!m || !m->bundle || node_id_equal(&entry->from, &p->id) ||
            node_id_equal(&entry->id, &p->id))
            continue;
        if (m->life == LIFE_LIVE || m->life == LIFE_LEFT)
            jobs_announce(&jobs, m->bundle);
    }
    e->counters[COUNT_ANNOUNCES] += jobs.n;
    peer_queue(e, now, p, &jobs);
}

void push_tick(struct engine *e, const struct now *now, struct effects *out)
{
    struct peer *p, *next;
    bool behind = false;

    (void)out;
    if (!instant_reached(now->mono, e->push.due))
        return;
    HASH_ITER (hh, e->peers, p, next) {
        if (!is_target(e, now, p)) {
            p->pushed = e->push.end;
            continue;
        }
        announce_to(e, now, p);
        behind = behind || p->pushed < e->push.end;
    }
    e->push.last = now->mono;
    e->push.due =
        behind ? instant_add_ms(now->mono, ANNOUNCE_BATCH) : INSTANT_NEVER;
}
