/* SPDX-License-Identifier: Apache-2.0 */
#include "core/discovery.h"

#include <assert.h>

#include "base/addr.h"
#include "core/state.h"

void discovery_init(struct engine *e, const struct now *now)
{
    struct discovery *d = &e->discovery;

    memset(d, 0, sizeof *d);
    d->next = INSTANT_NEVER;
    budget_init(&d->hint_budget, HINT_BURST, HINT_RATE_X1000, now->mono);
    budget_init(&d->beacon_budget, BEACON_BURST, BEACON_RATE_X1000, now->mono);
}

void discovery_search(struct engine *e, const struct now *now,
                      struct effects *out)
{
    struct discovery *d = &e->discovery;

    if (d->searching || !e->started)
        return;
    dial_search(e);
    sync_newcomer(e);
    d->searching = true;
    d->sent = 0;
    d->next = now->mono;
    entropy_take(&e->entropy, d->nonce, sizeof d->nonce);
    engine_note(out, NOTE_SEARCHING, NULL, NULL, NULL);
}

/* The next beacon when nobody is searched for: one a minute, if at all. */
static struct instant next_lookout(struct engine *e, const struct now *now)
{
    if (!e->config.lookout)
        return INSTANT_NEVER;
    return instant_add_ms(now->mono, prng_jitter(&e->prng, LOOKOUT, 20));
}

static size_t count_sessions(const struct engine *e, const struct now *now)
{
    struct peer *p, *next;
    size_t n = 0;

    HASH_ITER (hh, e->peers, p, next)
        n += (p->state == PEER_OPEN || p->state == PEER_PROVEN) &&
             peer_usable(p, now);
    return n;
}

void discovery_review(struct engine *e, const struct now *now,
                      struct effects *out)
{
    struct discovery *d = &e->discovery;
    size_t sessions = count_sessions(e, now);

    if (!d->searching) {
        if (sessions == 0)
            discovery_search(e, now, out);
        return;
    }
    if (sessions >= FOUND_SESSIONS ||
        (sessions > 0 && d->sent >= BEACON_SCHEDULE)) {
        d->searching = false;
        d->next = next_lookout(e, now);
        engine_note(out, NOTE_FOUND, NULL, NULL, NULL);
    }
}

/* -- a beacon of somebody's ----------------------------------------------- */

/* rank of H(nonce ‖ id): 8 bytes are enough to order by. */
static uint64_t rank_key(struct engine *e, const uint8_t nonce[DGRAM_NONCE_LEN],
                         const struct node_id *id)
{
    struct hash h;
    struct cursor c;
    uint64_t key = 0;

    hasher_begin(e->hasher);
    hasher_add(e->hasher, nonce, DGRAM_NONCE_LEN);
    hasher_add(e->hasher, id->b, sizeof id->b);
    if (hasher_end(e->hasher, &h) != KITH_OK)
        return UINT64_MAX;
    cursor_init(&c, h.b, sizeof h.b);
    if (cursor_u64(&c, &key) != KITH_OK)
        return UINT64_MAX;
    return key;
}

static bool is_on_link(const struct engine *e, const struct member *m,
                       uint32_t ifindex)
{
    struct addr addrs[FACTS_ADDRS_MAX];
    size_t n = index_addrs(m, addrs);

    for (size_t i = 0; i < n; i++)
        if (nets_on_link(&e->nets, &addrs[i], ifindex))
            return true;
    return false;
}

/* How many members on that link come before us, up to `enough`. */
static size_t rank(struct engine *e, const uint8_t nonce[DGRAM_NONCE_LEN],
                   uint32_t ifindex, size_t enough)
{
    uint64_t own = rank_key(e, nonce, &e->self);
    struct member *m, *next;
    size_t n = 0;

    HASH_ITER (hh, e->index.members, m, next) {
        if (m->life != LIFE_LIVE || node_id_equal(&m->id, &e->self) ||
            rank_key(e, nonce, &m->id) >= own || !is_on_link(e, m, ifindex))
            continue;
        if (++n >= enough)
            break;
    }
    return n;
}

static size_t hints_allowed(uint8_t k)
{
    return (size_t)HINT_RANK << (k < HINT_RANK_SHIFT ? k : HINT_RANK_SHIFT);
}

void discovery_beacon(struct engine *e, const struct now *now,
                      const struct datagram *dg, const struct dgram *g)
{
    struct discovery *d = &e->discovery;
    const struct beacon *b = &g->beacon;
    struct hint_due *h;
    size_t allowed;

    e->counters[COUNT_BEACONS_IN]++;
    if (memcmp(b->tag, e->tag, sizeof e->tag) != 0)
        return;
    if (!dg->to_group || dg->hops != 255 ||
        !nets_on_link(&e->nets, &dg->from, dg->ifindex)) {
        e->counters[COUNT_BEACONS_REFUSED]++;
        return;
    }
    /* Our own beacon comes back to us. */
    if (memcmp(b->nonce, d->nonce, sizeof d->nonce) == 0)
        return;
    if (d->n_hints == HINTS_MAX ||
        !budget_take(&d->beacon_budget, now->mono, 1)) {
        e->counters[COUNT_OVER_BUDGET]++;
        return;
    }
    for (size_t i = 0; i < d->n_hints; i++)
        if (memcmp(d->hints[i].nonce, b->nonce, DGRAM_NONCE_LEN) == 0 &&
            addr_equal(&d->hints[i].to, &dg->from))
            return;
    allowed = hints_allowed(b->k);
    if (rank(e, b->nonce, dg->ifindex, allowed) >= allowed)
        return;
    h = &d->hints[d->n_hints++];
    h->to = dg->from;
    h->ifindex = dg->ifindex;
    memcpy(h->nonce, b->nonce, sizeof h->nonce);
    h->at = instant_add_ms(
        now->mono,
        prng_below(&e->prng, b->k == 0 ? HINT_DELAY_FIRST : HINT_DELAY));
}

void discovery_hint(struct engine *e, const struct now *now,
                    const struct datagram *dg, const struct dgram *g)
{
    struct discovery *d = &e->discovery;
    const struct hint *h = &g->hint;
    struct addr to = dg->from;

    e->counters[COUNT_HINTS_IN]++;
    if ((!d->searching && !e->config.lookout) ||
        memcmp(h->nonce, d->nonce, sizeof d->nonce) != 0 ||
        memcmp(h->tag, e->tag, sizeof e->tag) != 0)
        return;
    to.port = h->port;
    /* Anybody on the link has seen the nonce: nobody may aim us elsewhere. */
    if (!nets_on_link(&e->nets, &dg->from, dg->ifindex) ||
        !(nets_may_dial(&e->nets, &to, e->config.port) ||
          addr_is_link_local(&to)))
        return;
    /* A lookout is for those who are not known yet. */
    if (!d->searching && index_has_addr(&e->index, &to))
        return;
    dial_found(e, now, &to);
}

/* -- time ----------------------------------------------------------------- */

struct instant discovery_deadline(const struct engine *e)
{
    const struct discovery *d = &e->discovery;
    struct instant at = d->next;

    for (size_t i = 0; i < d->n_hints; i++)
        at = instant_min(at, d->hints[i].at);
    return at;
}

static void send_beacons(struct engine *e, unsigned k, struct effects *out)
{
    const struct discovery *d = &e->discovery;
    struct beacon beacon = {.port = e->config.port};
    uint8_t *bytes = effects_bytes(out, DGRAM_BEACON_LEN);

    beacon.k = k > 255 ? 255 : (uint8_t)k;
    memcpy(beacon.tag, e->tag, sizeof beacon.tag);
    memcpy(beacon.nonce, d->nonce, sizeof beacon.nonce);
    beacon_encode(&beacon, bytes);
    for (size_t i = 0; i < e->nets.n && effects_room(out, 1); i++) {
        struct effect *effect = effects_add(out, EFFECT_BEACON);

        effect->beacon.ifindex = e->nets.links[i].ifindex;
        effect->beacon.data = bytes;
        effect->beacon.len = DGRAM_BEACON_LEN;
        e->counters[COUNT_BEACONS_OUT]++;
    }
}

static void search_on(struct engine *e, const struct now *now,
                      struct effects *out)
{
    static const uint16_t gaps_ms[BEACON_SCHEDULE] = {1000, 1000, 2000, 4000};
    struct discovery *d = &e->discovery;
    uint64_t gap_ms;

    send_beacons(e, d->sent, out);
    if (d->sent < BEACON_SCHEDULE) {
        gap_ms = gaps_ms[d->sent];
    } else {
        gap_ms = 4000ull << (d->sent - BEACON_SCHEDULE < 3
                                 ? d->sent - BEACON_SCHEDULE
                                 : 3);
        if (gap_ms > BEACON_MAX)
            gap_ms = BEACON_MAX;
        gap_ms = gap_ms / 2 + prng_below(&e->prng, gap_ms / 2 + 1);
    }
    d->sent++;
    d->next = instant_add_ms(now->mono, gap_ms);
}

static void look_out(struct engine *e, const struct now *now,
                     struct effects *out)
{
    struct discovery *d = &e->discovery;

    entropy_take(&e->entropy, d->nonce, sizeof d->nonce);
    send_beacons(e, 0, out);
    d->next = next_lookout(e, now);
}

static void send_hint(struct engine *e, const struct now *now,
                      const struct hint_due *due, struct effects *out)
{
    struct hint hint = {.port = e->config.port};
    uint8_t bytes[DGRAM_HINT_LEN];

    if (!budget_take(&e->discovery.hint_budget, now->mono, 1))
        return;
    memcpy(hint.tag, e->tag, sizeof hint.tag);
    memcpy(hint.nonce, due->nonce, sizeof hint.nonce);
    hint_encode(&hint, bytes);
    e->counters[COUNT_HINTS_OUT]++;
    engine_send(e, out, &due->to, NULL, due->ifindex, bytes, sizeof bytes);
}

void discovery_tick(struct engine *e, const struct now *now,
                    struct effects *out)
{
    struct discovery *d = &e->discovery;
    size_t i = 0;

    while (i < d->n_hints && effects_room(out, 8)) {
        struct hint_due due = d->hints[i];

        if (!instant_reached(now->mono, due.at)) {
            i++;
            continue;
        }
        d->hints[i] = d->hints[--d->n_hints];
        send_hint(e, now, &due, out);
    }
    if (instant_reached(now->mono, d->next) && effects_room(out, 8)) {
        bool searching = d->searching;

        if (searching)
            discovery_review(e, now, out); /* the schedule may have run out */
        if (d->searching)
            search_on(e, now, out);
        else if (!searching)
            look_out(e, now, out);
    }
}
