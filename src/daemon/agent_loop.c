/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/agent_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "crypto/wipe.h"
#include "daemon/machine.h"

enum {
    SLEPT_MS = 10000,   /* more than the clocks may differ by otherwise */
    FACTS_EVERY_S = 60, /* the machine is looked at */
    LEAF_EVERY_S = 86400,
};

/* -- time and effects ----------------------------------------------------- */

static uint64_t clock_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void agent_now(const struct agent *a, struct now *now)
{
    (void)a;
    now->mono.us = clock_us(CLOCK_MONOTONIC);
    now->unix_ms = clock_us(CLOCK_REALTIME) / 1000;
    now->lag_ms = 0;
}

static void carry_out(struct agent *a);

/* More than any event uses is always there: it seals at most as many
 * datagrams as its effects hold. */
static void top_up(struct agent *a)
{
    uint8_t bytes[ENTROPY_SIZE];
    size_t n = engine_entropy_wanted(a->engine);

    if (n < sizeof bytes / 4)
        return;
    if (random_bytes(a->random, bytes, n) != KITH_OK)
        abort(); /* nothing can be sealed without randomness */
    engine_entropy_add(a->engine, bytes, n);
    secret_wipe(bytes, n);
}

struct effects *agent_begin(struct agent *a, struct now *now)
{
    assert(a->depth == 0 && "no event handler calls back");
    a->depth++;
    agent_now(a, now);
    effects_clear(a->effects);
    top_up(a);
    return a->effects;
}

static void arm(struct agent *a)
{
    struct now now;
    struct instant at;
    uint64_t us = 0;
    struct timeval tv;

    agent_now(a, &now);
    at = engine_deadline(a->engine, &now);
    a->due = at;
    if (at.us == INSTANT_NEVER.us)
        return;
    if (at.us > now.mono.us)
        us = at.us - now.mono.us;
    if (us < 200)
        us = 200; /* what is due at once still lets sockets have their turn */
    tv.tv_sec = (time_t)(us / 1000000);
    tv.tv_usec = (suseconds_t)(us % 1000000);
    event_add(a->deadline, &tv);
}

void agent_end(struct agent *a)
{
    carry_out(a);
    a->depth--;
    udp_flush(a->udp);
    arm(a);
}

/* -- carrying out --------------------------------------------------------- */

static void write_vault(struct agent *a, const struct effect *effect)
{
    bool ok =
        vault_write(a->vault, effect->vault.data, effect->vault.len) == KITH_OK;
    struct effects *after = calloc(1, sizeof *after);
    struct effects *before = a->effects;
    struct now now;

    if (!after) {
        log_msg(a->log, LOG_LEVEL_ERROR, "out of memory");
        return;
    }
    agent_now(a, &now);
    top_up(a);
    engine_vault_done(a->engine, &now, ok, after);
    a->effects = after;
    carry_out(a);
    a->effects = before;
    free(after);
}

static void carry_out_one(struct agent *a, const struct now *now,
                          const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_DATAGRAM:
        udp_send(a->udp, &effect->datagram.to, &effect->datagram.from,
                 effect->datagram.ifindex, effect->datagram.data,
                 effect->datagram.len);
        break;
    case EFFECT_BEACON:
        udp_beacon(a->udp, effect->beacon.ifindex, effect->beacon.data,
                   effect->beacon.len);
        break;
    case EFFECT_CALL:
        agent_start_call(a, effect);
        break;
    case EFFECT_CANCEL:
        agent_cancel_call(a, effect->cancel);
        break;
    case EFFECT_KEEP:
    case EFFECT_KEEP_NODE:
    case EFFECT_DROP_NODE:
        keep_effect(&a->keep, now, effect);
        break;
    case EFFECT_NOTE:
        agent_tell(a, effect);
        break;
    case EFFECT_VAULT:
        break;
    }
}

static void carry_out(struct agent *a)
{
    struct effects *effects = a->effects;
    const struct effect *vault = NULL;
    struct now now;

    agent_now(a, &now);
    for (size_t i = 0; i < effects->n; i++) {
        carry_out_one(a, &now, &effects->v[i]);
        if (effects->v[i].type == EFFECT_VAULT)
            vault = &effects->v[i];
    }
    keep_flush(&a->keep, &now);
    /* Last: its result is an event, which ends what the others borrow. */
    if (vault)
        write_vault(a, vault);
    secret_wipe(effects->bytes, effects->used);
}

/* -- what comes in -------------------------------------------------------- */

void agent_on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct agent *a = arg;
    struct effects *out;
    struct now now;

    (void)fd;
    (void)what;
    out = agent_begin(a, &now);
    now.lag_ms = (uint32_t)instant_since_ms(now.mono, a->due);
    engine_tick(a->engine, &now, out);
    agent_end(a);
}

void agent_on_datagram(void *arg, const struct datagram *dg)
{
    struct agent *a = arg;
    struct effects *out;
    struct now now;

    out = agent_begin(a, &now);
    engine_datagram(a->engine, &now, dg, out);
    agent_end(a);
}

void agent_on_refused(void *arg, const struct addr *to)
{
    struct agent *a = arg;
    struct effects *out;
    struct now now;

    out = agent_begin(a, &now);
    engine_refused(a->engine, &now, to, out);
    agent_end(a);
}

void agent_on_links(void *arg, const struct link *list, size_t n)
{
    struct agent *a = arg;
    struct net_link *nets = calloc(LINKS_MAX, sizeof *nets);
    struct effects *out;
    struct now now;

    if (!nets)
        return;
    if (n > LINKS_MAX)
        n = LINKS_MAX;
    a->n_links = n;
    links_nets(list, n, a->conf->listen, a->conf->n_listen,
               a->conf->links.loopback, nets);
    udp_links(a->udp, nets, n);
    out = agent_begin(a, &now);
    engine_links(a->engine, &now, nets, n, out);
    agent_end(a);
    free(nets);
}

void agent_on_peer_name(void *arg, const struct addr *addr)
{
    struct agent *a = arg;
    struct effects *out;
    struct now now;

    out = agent_begin(a, &now);
    (void)out;
    engine_peer(a->engine, &now, addr);
    agent_end(a);
}

/* -- housekeeping --------------------------------------------------------- */

void agent_tell_facts(struct agent *a)
{
    struct machine m;
    struct effects *out;
    struct now now;
    int err;

    machine_read(&m, a->open_mesh);
    out = agent_begin(a, &now);
    err = engine_facts(a->engine, &now, m.facts, m.n_facts, m.more, m.n_more,
                       out);
    agent_end(a);
    if (err != KITH_OK)
        log_msg(a->log, LOG_LEVEL_WARN, "facts of this machine: %s",
                err_str(err));
}

/* How long we slept since the last look: the clock that counts sleep has
 * moved on further than the one that does not. A process that stood still
 * counts likewise. */
static uint64_t slept_ms(struct agent *a, const struct now *now)
{
    uint64_t boot_us = clock_us(CLOCK_BOOTTIME);
    uint64_t wall_ms = (boot_us - a->last_boot_us) / 1000;
    uint64_t stood_ms = instant_since_ms(now->mono, a->last_seen);

    a->last_boot_us = boot_us;
    a->last_seen = now->mono;
    if (wall_ms > stood_ms + SLEPT_MS)
        return wall_ms - stood_ms;
    return stood_ms > SLEPT_MS ? 1 : 0;
}

void agent_on_housekeeping(evutil_socket_t fd, short what, void *arg)
{
    struct agent *a = arg;
    uint64_t slept;
    struct now now;

    (void)fd;
    (void)what;
    agent_now(a, &now);
    slept = slept_ms(a, &now);
    if (slept > 0) {
        struct effects *out = agent_begin(a, &now);

        engine_woke(a->engine, &now, slept, out);
        agent_end(a);
    }
    keep_tick(&a->keep, &now, a->engine);
    if (instant_reached(now.mono, a->facts_at)) {
        a->facts_at = instant_add_ms(now.mono, FACTS_EVERY_S * 1000ull);
        agent_tell_facts(a);
    }
    if (instant_reached(now.mono, a->leaf_at)) {
        a->leaf_at = instant_add_ms(now.mono, LEAF_EVERY_S * 1000ull);
        if (tls_renew_leaf(a->tls) != KITH_OK)
            log_msg(a->log, LOG_LEVEL_ERROR, "no new TLS certificate");
    }
}

void agent_clocks(struct agent *a)
{
    struct now now;

    agent_now(a, &now);
    a->last_seen = now.mono;
    a->last_boot_us = clock_us(CLOCK_BOOTTIME);
    a->facts_at = instant_add_ms(now.mono, FACTS_EVERY_S * 1000ull);
    a->leaf_at = instant_add_ms(now.mono, LEAF_EVERY_S * 1000ull);
}
