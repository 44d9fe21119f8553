/* SPDX-License-Identifier: Apache-2.0 */
/* What can be seen of the engine from outside. */
#include <stdlib.h>

#include "core/state.h"

static enum member_state state_of(const struct engine *e, const struct now *now,
                                  const struct member *m, const struct peer *p)
{
    (void)e;
    switch (m->life) {
    case LIFE_CACHED:
        return MEMBER_CACHED;
    case LIFE_GONE:
        return MEMBER_GONE;
    case LIFE_LEFT:
        return MEMBER_LEFT;
    default:
        break;
    }
    if ((m->flags & HEAD_AWAY) &&
        index_age_ms(m, now) < (uint64_t)m->lease_s * 1000)
        return MEMBER_AWAY;
    return p && p->state == PEER_FAILED ? MEMBER_NO_ANSWER : MEMBER_UP;
}

static void view_of(const struct engine *e, const struct now *now,
                    const struct member *m, struct member_view *out)
{
    const struct peer *p = peer_find(e, &m->id);

    memset(out, 0, sizeof *out);
    out->id = m->id;
    out->bundle = m->bundle;
    out->self = node_id_equal(&m->id, &e->self);
    out->state = state_of(e, now, m, p);
    out->age_ms = index_age_ms(m, now);
    out->answer_ms = UINT64_MAX;
    out->reason = "";
    if (!p)
        return;
    out->friend = p->friend;
    out->session = peer_usable(p, now);
    out->proven = p->state == PEER_PROVEN;
    out->srtt_us = p->srtt_us;
    if (p->answered.us > 0)
        out->answer_ms = instant_since_ms(now->mono, p->answered);
    out->addr = p->addr;
    if (p->state == PEER_FAILED && p->reason)
        out->reason = p->reason;
}

static int by_id(const void *a, const void *b)
{
    const struct member *const *x = a, *const *y = b;

    return memcmp((*x)->id.b, (*y)->id.b, NODE_ID_LEN);
}

void engine_members(const struct engine *e, const struct now *now,
                    void (*visit)(void *arg, const struct member_view *),
                    void *arg)
{
    size_t cap = HASH_COUNT(e->index.members), n = 0;
    const struct member **sorted = malloc((cap + 1) * sizeof *sorted);
    const struct member *m;
    struct member_view view;

    if (!sorted)
        return;
    for (m = e->index.members; m; m = m->hh.next)
        if (m->life != LIFE_UNKNOWN)
            sorted[n++] = m;
    qsort(sorted, n, sizeof *sorted, by_id);
    for (size_t i = 0; i < n; i++) {
        view_of(e, now, sorted[i], &view);
        visit(arg, &view);
    }
    free(sorted);
}

int engine_member(const struct engine *e, const struct now *now,
                  const struct node_id *id, struct member_view *out)
{
    const struct member *m = index_find(&e->index, id);

    if (!m || m->life == LIFE_UNKNOWN)
        return KITH_ERR_NOTFOUND;
    view_of(e, now, m, out);
    return KITH_OK;
}

const char *engine_counter_name(enum engine_counter c)
{
    static const char *const names[ENGINE_COUNTERS] = {
        [COUNT_DATAGRAMS_IN] = "datagrams_in",
        [COUNT_DATAGRAMS_OUT] = "datagrams_out",
        [COUNT_BYTES_IN] = "bytes_in",
        [COUNT_BYTES_OUT] = "bytes_out",
        [COUNT_BEACONS_OUT] = "beacons_out",
        [COUNT_BEACONS_IN] = "beacons_in",
        [COUNT_BEACONS_REFUSED] = "beacons_refused",
        [COUNT_HINTS_OUT] = "hints_out",
        [COUNT_HINTS_IN] = "hints_in",
        [COUNT_DIALS] = "dials",
        [COUNT_DIALS_FAILED] = "dials_failed",
        [COUNT_GRANTS] = "grants",
        [COUNT_RESETS_OUT] = "resets_out",
        [COUNT_RESETS_IN] = "resets_in",
        [COUNT_SYNCS] = "syncs",
        [COUNT_ANNOUNCES] = "announces",
        [COUNT_RETRIES] = "retries",
        [COUNT_TIMEOUTS] = "timeouts",
        [COUNT_MALFORMED] = "malformed",
        [COUNT_VERSION] = "version",
        [COUNT_FORGED] = "forged",
        [COUNT_UNKNOWN_EPOCH] = "unknown_epoch",
        [COUNT_UNASKED_ANSWERS] = "unasked_answers",
        [COUNT_OVER_BUDGET] = "over_budget",
        [COUNT_HEADS_ACCEPTED] = "heads_accepted",
        [COUNT_BLOCKS_ACCEPTED] = "blocks_accepted",
        [COUNT_BLOCKS_REFUSED] = "blocks_refused",
        [COUNT_UNWANTED] = "unwanted",
        [COUNT_UNKNOWN_ITEMS] = "unknown_items",
        [COUNT_BULK_OUT] = "bulk_out",
        [COUNT_BULK_IN] = "bulk_in",
        [COUNT_SIGNATURES] = "signatures",
    };

    return c < ENGINE_COUNTERS && names[c] ? names[c] : "unknown";
}

void engine_status(const struct engine *e, const struct now *now,
                   struct engine_status *out)
{
    struct peer *p, *next;

    memset(out, 0, sizeof *out);
    out->id = e->self;
    out->mesh = e->mesh;
    engine_root(e, out->root);
    out->members = (uint32_t)trie_count(&e->index.set);
    out->friends = (uint32_t)e->friends.n;
    HASH_ITER (hh, e->peers, p, next)
        out->sessions += peer_usable(p, now);
    out->searching = e->discovery.searching;
    out->heard = e->heard;
    out->may_sign = e->own.started && !e->own.silent_unless_found &&
                    e->own.serial + 1 < e->secrets.reserved;
    out->clone = e->own.clone;
    out->serial = e->own.serial;
    out->lease_s = e->own.lease_s;
    memcpy(out->counters, e->counters, sizeof out->counters);
}
