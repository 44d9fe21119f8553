/* SPDX-License-Identifier: Apache-2.0 */
/* 60 s after the last fault all know the same, and all of it. */
#include "check.h"

struct converge {
    char unused;
};

static void members(struct sim *sim)
{
    struct now now = world_now(&sim->world);
    struct engine_status status;

    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        const struct node *n = &sim->nodes[i];

        if (!n->engine)
            continue;
        engine_status(n->engine, &now, &status);
        if (status.members < sim_running(sim))
            sim_broken(sim, "converge", "node %u knows %u of %u members",
                       n->index, status.members, sim_running(sim));
    }
}

static void converge_see(void *state, struct sim *sim, const struct sight *s)
{
    (void)state;
    if (s->type != SIGHT_SETTLED && s->type != SIGHT_END)
        return;
    if (!sim_equal(sim))
        sim_broken(sim, "converge", "roots differ");
    members(sim);
}

const struct check check_converge = {"converge", sizeof(struct converge),
                                     converge_see, NULL};
