/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

enum {
    POLL_US = 10000,   /* between two looks at all roots, ... */
    POLL_NODES = 100,  /* ... longer in a mesh of more nodes */
    SETTLE_MS = 60000, /* within which all must be well again */
    QUIET_MS = 60000,  /* then watched for so long */
    GROUPS = 2,        /* that a partition may have */
};

static void on_poll(void *arg)
{
    struct sim *sim = arg;
    struct sim_phase *p = &sim->phase;
    uint32_t n = sim->options.nodes;
    bool equal = sim_equal(sim);

    if (equal && !p->equal)
        p->equal_at = sim->world.now;
    p->equal = equal;
    world_plan_us(&sim->world, &sim->poll,
                  n > POLL_NODES ? (uint64_t)POLL_US * n / POLL_NODES
                                 : POLL_US);
}

void sim_init(struct sim *sim, const struct sim_options *options)
{
    struct mesh_id mesh;

    memset(sim, 0, sizeof *sim);
    sim->options = *options;
    memset(mesh.b, 'k', sizeof mesh.b);
    world_init(&sim->world, options->seed);
    net_init(&sim->net, &sim->world, &net_calm);
    sim->pool = pool_new(&mesh, identity_ops(options->rsa));
    assert(sim->pool && "out of memory");
    sim->effects = world_alloc(sizeof *sim->effects);
    sim->nodes = world_alloc(options->nodes * sizeof *sim->nodes);
    check_begin(sim);
    for (uint32_t i = 0; i < options->nodes; i++)
        node_init(sim, &sim->nodes[i], i);
    sim->poll.run = on_poll;
    sim->poll.arg = sim;
    world_plan_us(&sim->world, &sim->poll, 0);
}

void sim_free(struct sim *sim)
{
    world_cancel(&sim->world, &sim->poll);
    for (uint32_t i = 0; i < sim->options.nodes; i++)
        node_free(&sim->nodes[i]);
    net_free(&sim->net);
    check_end(sim);
    free(sim->nodes);
    free(sim->effects);
    pool_free(sim->pool);
    world_free(&sim->world);
}

void sim_run_ms(struct sim *sim, uint64_t ms)
{
    world_run(&sim->world, instant_add_ms(sim->world.now, ms));
}

/* -- looking -------------------------------------------------------------- */

bool sim_equal(const struct sim *sim)
{
    struct now now = world_now(&sim->world);
    uint8_t roots[GROUPS][TRIE_ROOT_LEN];
    bool known[GROUPS] = {false};

    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        const struct node *n = &sim->nodes[i];
        unsigned group = n->port.group;
        struct engine_status status;

        if (!n->engine)
            continue;
        assert(group < GROUPS);
        engine_status(n->engine, &now, &status);
        if (status.counters[COUNT_SIGNATURES] == 0)
            return false;
        if (known[group] &&
            memcmp(roots[group], status.root, TRIE_ROOT_LEN) != 0)
            return false;
        memcpy(roots[group], status.root, TRIE_ROOT_LEN);
        known[group] = true;
    }
    return true;
}

uint32_t sim_running(const struct sim *sim)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < sim->options.nodes; i++)
        n += sim->nodes[i].engine != NULL;
    return n;
}

void sim_settle(struct sim *sim)
{
    struct sight sight = {.type = SIGHT_SETTLED};

    sim_run_ms(sim, SETTLE_MS);
    if (sim->world.stopped)
        return;
    check_see(sim, &sight);
    if (sim->world.stopped)
        return;
    sim_phase(sim, "quiet");
    sim_run_ms(sim, QUIET_MS);
    if (sim->world.stopped)
        return;
    sight.type = SIGHT_END;
    check_see(sim, &sight);
    sim_phase_end(sim);
}

/* -- the report -------------------------------------------------------------
 */

/* What all nodes have done so far. */
static void count(const struct sim *sim, struct sim_phase *p)
{
    p->sent = p->sent_bytes = p->streamed = p->dials_max = 0;
    memset(p->counters, 0, sizeof p->counters);
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        const struct node *n = &sim->nodes[i];
        uint64_t dials = node_count(n, COUNT_DIALS) - n->dials_before;

        p->sent += n->sent;
        p->sent_bytes += n->sent_bytes;
        p->streamed += n->streamed;
        for (enum engine_counter c = 0; c < ENGINE_COUNTERS; c++)
            p->counters[c] += node_count(n, c);
        if (dials > p->dials_max)
            p->dials_max = dials;
    }
}

void sim_phase_heading(void)
{
    printf("%-16s %8s %8s %9s %9s %7s %7s %5s %7s %8s %6s\n", "phase", "time",
           "equal", "dgrams", "bytes", "B/s", "calls", "max", "signed",
           "retries", "bulk");
}

void sim_phase_end(struct sim *sim)
{
    struct sim_phase *p = &sim->phase;
    struct sim_phase now = *p;
    double n = sim->options.nodes;
    double s = (double)(sim->world.now.us - p->begun.us) / 1e6;
    char equal[16] = "no";

    if (p->name[0] == '\0')
        return;
    count(sim, &now);
    if (sim_equal(sim))
        snprintf(equal, sizeof equal, "%.2f",
                 p->equal && p->equal_at.us > p->begun.us
                     ? (double)(p->equal_at.us - p->begun.us) / 1e6
                     : 0.0);
    printf("%-16s %8.1f %8s %9.1f %9.0f %7.0f %7.1f %5" PRIu64 " %7" PRIu64
           " %8" PRIu64 " %6" PRIu64 "\n",
           p->name, s, equal, (double)(now.sent - p->sent) / n,
           (double)(now.sent_bytes - p->sent_bytes) / n,
           s > 0 ? (double)(now.sent_bytes - p->sent_bytes) / n / s : 0.0,
           (double)(now.counters[COUNT_DIALS] - p->counters[COUNT_DIALS]) / n,
           now.dials_max,
           now.counters[COUNT_SIGNATURES] - p->counters[COUNT_SIGNATURES],
           now.counters[COUNT_RETRIES] - p->counters[COUNT_RETRIES],
           now.counters[COUNT_BULK_OUT] - p->counters[COUNT_BULK_OUT]);
    p->name[0] = '\0';
}

void sim_phase(struct sim *sim, const char *name)
{
    struct sim_phase *p = &sim->phase;

    sim_phase_end(sim);
    snprintf(p->name, sizeof p->name, "%s", name);
    p->begun = sim->world.now;
    p->equal = false;
    p->equal_at = (struct instant){0};
    for (uint32_t i = 0; i < sim->options.nodes; i++)
        sim->nodes[i].dials_before = node_count(&sim->nodes[i], COUNT_DIALS);
    count(sim, p);
    sim_say(sim, "---- %s", name);
}

void sim_say(const struct sim *sim, const char *fmt, ...)
{
    va_list ap;

    if (!sim->options.trace)
        return;
    printf("%.6f ", (double)sim->world.now.us / 1e6);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

void sim_broken(struct sim *sim, const char *promise, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (sim->broken)
        return;
    sim->broken = true;
    sim->world.stopped = true;
    n = snprintf(sim->why, sizeof sim->why, "%s at %.3f s: ", promise,
                 (double)sim->world.now.us / 1e6);
    va_start(ap, fmt);
    vsnprintf(sim->why + n, sizeof sim->why - (size_t)n, fmt, ap);
    va_end(ap);
}
