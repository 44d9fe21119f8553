/* SPDX-License-Identifier: Apache-2.0 */
/* Where everybody is honest nobody is refused for what he says: no message
 * is malformed or forged, no block fails its check. And nobody's timer spins.
 */
#include <stdlib.h>

#include "check.h"

enum {
    TICKS_MAX = 400, /* of one node in one second */
};

struct ticks {
    uint64_t second;
    unsigned n;
};

struct sound {
    struct ticks *ticks; /* by node */
};

static void tick(struct sound *c, struct sim *sim, const struct node *n)
{
    uint64_t second = sim->world.now.us / 1000000;
    struct ticks *t;

    if (!c->ticks)
        c->ticks = world_alloc(sim->options.nodes * sizeof *c->ticks);
    t = &c->ticks[n->index];
    if (t->second != second)
        *t = (struct ticks){.second = second};
    if (++t->n > TICKS_MAX)
        sim_broken(sim, "sound", "node %u has %u ticks in a second", n->index,
                   t->n);
}

static void none(struct sim *sim, const struct node *n, enum engine_counter c)
{
    uint64_t count = node_count(n, c);

    if (count > 0)
        sim_broken(sim, "sound", "node %u counts %llu %s", n->index,
                   (unsigned long long)count, engine_counter_name(c));
}

static void sound_see(void *state, struct sim *sim, const struct sight *s)
{
    if (s->type == SIGHT_TICK)
        tick(state, sim, s->node);
    if (s->type != SIGHT_SETTLED && s->type != SIGHT_END)
        return;
    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        none(sim, &sim->nodes[i], COUNT_MALFORMED);
        none(sim, &sim->nodes[i], COUNT_VERSION);
        none(sim, &sim->nodes[i], COUNT_UNKNOWN_ITEMS);
        none(sim, &sim->nodes[i], COUNT_BLOCKS_REFUSED);
    }
}

static void sound_end(void *state)
{
    free(((struct sound *)state)->ticks);
}

const struct check check_sound = {"sound", sizeof(struct sound), sound_see,
                                  sound_end};
