/* SPDX-License-Identifier: Apache-2.0 */
/* Beacons stop when somebody is found. However many start at once for the
 * first time, nobody begins more than 40 handshakes in the 30 s after it; nor
 * ever more than the budget that all of them come from. */
#include <stdlib.h>

#include "check.h"

enum {
    WINDOW_MS = 30000,
    DIALS_AFTER_START = 40,
    LOSS_MAX = 100, /* of 1,000 datagrams; with more, many are begun again */
    DIALS_EVER = DIAL_BURST + DIAL_RATE_X1000 / 1000 * (WINDOW_MS / 1000),
};

struct dialled {
    struct instant at[DIALS_EVER]; /* the last ones, in a ring */
    unsigned next;
    unsigned after_start; /* in the node's first 30 s */
};

struct beacons {
    struct dialled *nodes;
    bool quiet; /* since SIGHT_SETTLED */
};

static bool is_alone(const struct sim *sim, const struct node *n)
{
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        const struct node *other = &sim->nodes[i];

        if (other != n && other->engine && net_connects(&n->port, &other->port))
            return false;
    }
    return true;
}

static void dial(struct beacons *c, struct sim *sim, const struct node *n)
{
    struct dialled *d;
    struct instant oldest;

    if (!c->nodes)
        c->nodes = world_alloc(sim->options.nodes * sizeof *c->nodes);
    d = &c->nodes[n->index];
    if (n->run == 1 && sim->net.options.loss <= LOSS_MAX &&
        instant_since_ms(sim->world.now, n->up) < WINDOW_MS &&
        ++d->after_start > DIALS_AFTER_START)
        sim_broken(sim, "beacons", "node %u begins %u handshakes at its start",
                   n->index, d->after_start);
    oldest = d->at[d->next];
    if (oldest.us > 0 && instant_since_ms(sim->world.now, oldest) < WINDOW_MS)
        sim_broken(sim, "beacons", "node %u begins %u handshakes in 30 s",
                   n->index, DIALS_EVER + 1);
    d->at[d->next] = sim->world.now;
    d->next = (d->next + 1) % DIALS_EVER;
}

static void beacons_see(void *state, struct sim *sim, const struct sight *s)
{
    struct beacons *c = state;

    if (s->type == SIGHT_DIAL)
        dial(c, sim, s->node);
    else if (s->type == SIGHT_BEACON && c->quiet && !is_alone(sim, s->node))
        sim_broken(sim, "beacons", "node %u still searches", s->node->index);
    else if (s->type == SIGHT_SETTLED)
        c->quiet = true;
    else if (s->type == SIGHT_END)
        c->quiet = false;
}

static void beacons_end(void *state)
{
    free(((struct beacons *)state)->nodes);
}

const struct check check_beacons = {"beacons", sizeof(struct beacons),
                                    beacons_see, beacons_end};
