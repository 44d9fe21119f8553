/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/error.h"
#include "call.h"
#include "check.h"
#include "sim.h"
#include "trace.h"

enum {
    TICK_MIN_US = 200, /* a daemon looks at its sockets in between */
    VAULT_MIN_US = 1000,
    VAULT_SPREAD_US = 9000,
    LAN_HOSTS = 250, /* hosts that differ in the last byte */
    CERT_LEN = 800,  /* about what a node certificate has */
};

/* -- events ------------------------------------------------------------- */

static void random_bytes(struct prng *prng, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = prng_u64(prng);

        for (size_t k = 0; k < 8 && i + k < n; k++)
            out[i + k] = (uint8_t)(v >> 8 * k);
    }
}

static void give_entropy(struct node *n)
{
    uint8_t bytes[ENTROPY_SIZE];
    size_t wanted = engine_entropy_wanted(n->engine);

    assert(wanted <= sizeof bytes);
    random_bytes(&n->prng, bytes, wanted);
    engine_entropy_add(n->engine, bytes, wanted);
}

struct effects *node_begin(struct node *n, struct now *now)
{
    struct sim *sim = n->sim;

    assert(!sim->busy && "no event handler calls back");
    sim->busy = true;
    *now = world_now(&sim->world);
    effects_clear(sim->effects);
    give_entropy(n);
    return sim->effects;
}

static void see(struct node *n, enum sight_type type, const struct node *other,
                const uint8_t *bytes, size_t len)
{
    struct sight sight = {
        .type = type, .node = n, .other = other, .bytes = bytes, .len = len};

    check_see(n->sim, &sight);
}

static void send_datagram(struct node *n, const struct effect *effect)
{
    struct sim *sim = n->sim;
    const struct net_port *to = net_find(&sim->net, &effect->datagram.to);

    n->sent++;
    n->sent_bytes += effect->datagram.len;
    see(n, SIGHT_SENT, to ? &sim->nodes[to->index] : NULL,
        effect->datagram.data, effect->datagram.len);
    net_send(&sim->net, &n->port, &effect->datagram.to, effect->datagram.data,
             effect->datagram.len);
}

static void send_beacon(struct node *n, const struct effect *effect)
{
    n->sent++;
    n->sent_bytes += effect->beacon.len;
    see(n, SIGHT_BEACON, NULL, effect->beacon.data, effect->beacon.len);
    net_multicast(&n->sim->net, &n->port, effect->beacon.data,
                  effect->beacon.len);
}

static void write_vault(struct node *n, const struct effect *effect)
{
    struct node_vault *v = &n->vault;

    assert(effect->vault.len <= sizeof v->coming && v->coming_len == 0);
    memcpy(v->coming, effect->vault.data, effect->vault.len);
    v->coming_len = effect->vault.len;
    world_plan_us(&n->sim->world, &v->written,
                  VAULT_MIN_US + prng_below(&n->prng, VAULT_SPREAD_US));
}

static void keep(struct node *n, const struct effect *effect)
{
    struct now now = world_now(&n->sim->world);
    struct sight sight = {.type = SIGHT_KEPT, .node = n};

    if (effect->type == EFFECT_KEEP) {
        sight.bundle = effect->keep.now;
        check_see(n->sim, &sight);
    }
    shelf_effect(&n->shelf, &now, effect);
}

static void note(struct node *n, const struct effect *effect)
{
    struct sight sight = {
        .type = SIGHT_NOTE, .node = n, .note = effect->note.type};

    sim_say(n->sim, "%u: %s %02x%02x %s %s", n->index,
            note_type_name(effect->note.type), effect->note.id.b[0],
            effect->note.id.b[1], effect->note.name, effect->note.text);
    check_see(n->sim, &sight);
}

static void carry_out(struct node *n, const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_DATAGRAM:
        send_datagram(n, effect);
        break;
    case EFFECT_BEACON:
        send_beacon(n, effect);
        break;
    case EFFECT_CALL:
        call_start(n, effect);
        break;
    case EFFECT_CANCEL:
        call_cancel(n, effect->cancel);
        break;
    case EFFECT_VAULT:
        write_vault(n, effect);
        break;
    case EFFECT_KEEP:
    case EFFECT_KEEP_NODE:
    case EFFECT_DROP_NODE:
        keep(n, effect);
        break;
    case EFFECT_NOTE:
        note(n, effect);
        break;
    }
}

static void arm(struct node *n)
{
    struct world *w = &n->sim->world;
    struct now now = world_now(w);
    struct instant at = engine_deadline(n->engine, &now);
    struct instant soonest = instant_add_us(w->now, TICK_MIN_US);

    if (at.us == INSTANT_NEVER.us)
        world_cancel(w, &n->tick);
    else
        world_plan(w, &n->tick, at.us > soonest.us ? at : soonest);
}

void node_end(struct node *n)
{
    struct effects *out = n->sim->effects;

    for (size_t i = 0; i < out->n; i++)
        carry_out(n, &out->v[i]);
    n->sim->busy = false;
    arm(n);
}

static void on_tick(void *arg)
{
    struct node *n = arg;
    struct effects *out;
    struct now now;

    world_trace(&n->sim->world, TRACE_TICK, n->index, n->index, NULL, 0);
    see(n, SIGHT_TICK, NULL, NULL, 0);
    out = node_begin(n, &now);
    engine_tick(n->engine, &now, out);
    node_end(n);
}

static void on_datagram(void *arg, const struct datagram *dg)
{
    struct node *n = arg;
    const struct net_port *from = net_find(&n->sim->net, &dg->from);
    struct effects *out;
    struct now now;

    sim_say(n->sim, "%u: type %u of %zu bytes from %u", n->index, dg->data[1],
            dg->len, from->index);
    see(n, SIGHT_CAME, &n->sim->nodes[from->index], dg->data, dg->len);
    out = node_begin(n, &now);
    engine_datagram(n->engine, &now, dg, out);
    node_end(n);
}

static void on_refused(void *arg, const struct addr *to)
{
    struct node *n = arg;
    struct effects *out;
    struct now now;

    out = node_begin(n, &now);
    engine_refused(n->engine, &now, to, out);
    node_end(n);
}

static void vault_lands(struct node_vault *v)
{
    memcpy(v->bytes, v->coming, v->coming_len);
    v->len = v->coming_len;
    v->coming_len = 0;
}

static void on_vault(void *arg)
{
    struct node *n = arg;
    struct effects *out;
    struct now now;

    world_trace(&n->sim->world, TRACE_VAULT, n->index, n->index,
                n->vault.coming, n->vault.coming_len);
    vault_lands(&n->vault);
    out = node_begin(n, &now);
    engine_vault_done(n->engine, &now, true, out);
    node_end(n);
}

/* -- life --------------------------------------------------------------- */

static void on_start(void *arg)
{
    node_start(arg);
}

static struct addr address(const struct sim *sim, uint32_t index)
{
    uint32_t host = index / sim->options.lans;

    return (struct addr){
        .family = 4,
        .port = PROTOCOL_PORT,
        .ip = {10, (uint8_t)(index % sim->options.lans),
               (uint8_t)(host / LAN_HOSTS), (uint8_t)(host % LAN_HOSTS + 1)},
    };
}

void node_init(struct sim *sim, struct node *n, uint32_t index)
{
    memset(n, 0, sizeof *n);
    n->sim = sim;
    n->index = index;
    prng_seed(&n->prng, prng_u64(&sim->world.prng));
    identity_make(&n->identity, sim->options.seed, index, sim->options.rsa);
    random_bytes(&n->prng, n->boot_id, sizeof n->boot_id);
    n->port.addr = address(sim, index);
    n->port.index = index;
    n->port.lan = index % sim->options.lans;
    n->port.datagram = on_datagram;
    n->port.refused = on_refused;
    n->port.arg = n;
    n->tick.run = on_tick;
    n->later.run = on_start;
    n->vault.written.run = on_vault;
    n->tick.arg = n->later.arg = n->vault.written.arg = n;
    net_add(&sim->net, &n->port);
}

static void add_counters(struct node *n)
{
    struct now now = world_now(&n->sim->world);
    struct engine_status status;

    engine_status(n->engine, &now, &status);
    for (size_t i = 0; i < ENGINE_COUNTERS; i++)
        n->counters[i] += status.counters[i];
}

static void stop(struct node *n)
{
    struct world *w = &n->sim->world;

    call_forget(n);
    world_cancel(w, &n->tick);
    world_cancel(w, &n->vault.written);
    add_counters(n);
    engine_free(n->engine);
    n->engine = NULL;
    n->port.listening = false;
    n->down = w->now;
}

void node_free(struct node *n)
{
    if (n->engine)
        stop(n);
    world_cancel(&n->sim->world, &n->later);
    shelf_clear(&n->shelf);
    identity_clear(&n->identity);
}

void node_crash(struct node *n, bool silent)
{
    if (!n->engine)
        return;
    world_trace(&n->sim->world, TRACE_STOP, n->index, silent, NULL, 0);
    sim_say(n->sim, "%u: crashes", n->index);
    stop(n);
    n->port.silent = silent;
    /* What was on its way to the disk has got there, or not. */
    if (n->vault.coming_len > 0 && prng_below(&n->prng, 2) == 0)
        vault_lands(&n->vault);
    n->vault.coming_len = 0;
}

void node_lose_shelf(struct node *n)
{
    assert(!n->engine);
    shelf_clear(&n->shelf);
}

static struct engine *make_engine(struct node *n, const struct now *now)
{
    struct engine_config config = {
        .pool = n->sim->pool,
        .signer = {identity_sign, &n->identity},
        .port = PROTOCOL_PORT,
        .seed = prng_u64(&n->prng),
        .fresh = !n->used,
    };
    uint8_t cert[3 + CERT_LEN] = {1, CERT_LEN >> 8, CERT_LEN & 0xff};
    struct prng bytes;
    struct engine *engine;

    /* No engine looks into it; it stays the same over restarts. */
    prng_seed(&bytes, n->sim->options.seed + n->index);
    random_bytes(&bytes, cert + 3, CERT_LEN);
    config.cert = cert;
    config.cert_len = sizeof cert;
    memcpy(config.spki, n->identity.spki, sizeof config.spki);
    memcpy(config.boot_id, n->boot_id, sizeof config.boot_id);
    random_bytes(&n->prng, config.run_id, sizeof config.run_id);
    engine = engine_new(&config, now);
    assert(engine && "out of memory");
    return engine;
}

static void load(struct node *n, const struct now *now)
{
    uint64_t off_s = instant_since_ms(now->mono, n->down) / 1000;
    int err = KITH_OK;

    if (n->vault.len > 0)
        err = engine_load_vault(n->engine, now, n->vault.bytes, n->vault.len);
    assert(err == KITH_OK && "it was written by an engine");
    shelf_load(&n->shelf, n->engine, now, off_s);
}

static struct fact fact(const char *key, const char *value)
{
    return (struct fact){key, strlen(key), value, strlen(value)};
}

/* What the daemon tells before the engine starts. */
static void describe(struct node *n)
{
    struct net_link link = {.ifindex = 1, .n = 1};
    char host[16];
    struct fact facts[5];
    struct effects *out;
    struct now now;

    link.addrs[0].addr = n->port.addr;
    link.addrs[0].addr.port = 0;
    link.addrs[0].prefix_len = 16;
    link.addrs[0].publish = true;
    snprintf(host, sizeof host, "node-%05u", n->index);
    facts[0] = fact("host", host);
    facts[1] = fact("os", "Debian GNU/Linux 12 (bookworm)");
    facts[2] = fact("kernel", "6.1.0-18-amd64");
    facts[3] = fact("arch", "x86_64");
    facts[4] = fact("agent", "kith 0.1.0");
    out = node_begin(n, &now);
    engine_links(n->engine, &now, &link, 1, out);
    node_end(n);
    out = node_begin(n, &now);
    engine_facts(n->engine, &now, facts, 5, NULL, 0, out);
    node_end(n);
}

void node_start(struct node *n)
{
    struct sim *sim = n->sim;
    struct effects *out;
    struct now now = world_now(&sim->world);

    if (n->engine)
        return;
    world_cancel(&sim->world, &n->later);
    world_trace(&sim->world, TRACE_START, n->index, n->index, NULL, 0);
    sim_say(sim, "%u: starts", n->index);
    n->engine = make_engine(n, &now);
    n->run++;
    n->up = now.mono;
    load(n, &now);
    n->used = true;
    n->port.listening = true;
    n->port.silent = false;
    describe(n);
    /* Multicast ends at the router: the others have a --peer. */
    if (n->port.lan > 0)
        engine_peer(n->engine, &now, &sim->nodes[0].port.addr);
    out = node_begin(n, &now);
    engine_start(n->engine, &now, out);
    node_end(n);
}

void node_start_at(struct node *n, struct instant at)
{
    world_plan(&n->sim->world, &n->later, at);
}

/* -- the operator --------------------------------------------------------- */

int node_tag(struct node *n, const char *key, const char *value)
{
    struct effects *out;
    struct now now;
    int err;

    if (!n->engine)
        return KITH_ERR_NOTFOUND;
    world_trace(&n->sim->world, TRACE_OPERATOR, n->index, 0, value,
                strlen(value));
    out = node_begin(n, &now);
    err = engine_tag(n->engine, &now, key, value, out);
    node_end(n);
    return err;
}

int node_put(struct node *n, const char *name, size_t len)
{
    uint8_t *bytes = world_alloc(len);
    struct effects *out;
    struct now now;
    int err = KITH_ERR_NOTFOUND;

    random_bytes(&n->prng, bytes, len);
    if (n->engine) {
        world_trace(&n->sim->world, TRACE_OPERATOR, n->index, 1, bytes, len);
        out = node_begin(n, &now);
        err = engine_put(n->engine, &now, name, bytes, len, out);
        node_end(n);
    }
    free(bytes);
    return err;
}

int node_remove(struct node *n, const char *name)
{
    struct effects *out;
    struct now now;
    int err;

    if (!n->engine)
        return KITH_ERR_NOTFOUND;
    world_trace(&n->sim->world, TRACE_OPERATOR, n->index, 2, name,
                strlen(name));
    out = node_begin(n, &now);
    err = engine_remove(n->engine, &now, name, out);
    node_end(n);
    return err;
}

uint64_t node_count(const struct node *n, enum engine_counter c)
{
    struct now now = world_now(&n->sim->world);
    struct engine_status status;

    if (!n->engine)
        return n->counters[c];
    engine_status(n->engine, &now, &status);
    return n->counters[c] + status.counters[c];
}
