/* SPDX-License-Identifier: Apache-2.0 */
/* A node sends sealed requests to at most 20 others at a time: there are no
 * more of whom it still expects an answer; and while all is quiet no more in a
 * whole minute, save for those that it has reached again meanwhile. And 60 s
 * after the last change it has min(20, n - 1) friends. */
#include <stdlib.h>

#include "check.h"
#include "wire/datagram.h"

enum {
    EXPECTED_MS = 1000, /* an answer is, for so long */
};

struct target {
    struct instant asked; /* the last request */
    bool answered;
};

struct friends {
    struct target *targets; /* by node and other */
    unsigned *reached;      /* by node: others, in the quiet minute */
    struct instant quiet;   /* since then; us = 0: it is not */
};

static struct target *target(struct friends *c, const struct sim *sim,
                             const struct node *n, uint32_t other)
{
    return &c->targets[(size_t)n->index * sim->options.nodes + other];
}

static void limit(struct friends *c, struct sim *sim, const struct node *n)
{
    unsigned expected = 0, quiet = 0;

    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        const struct target *t = target(c, sim, n, i);

        if (t->asked.us == 0)
            continue;
        expected += !t->answered &&
                    instant_since_ms(sim->world.now, t->asked) < EXPECTED_MS;
        quiet += c->quiet.us > 0 && t->asked.us > c->quiet.us;
    }
    if (expected > FRIENDS_MAX || quiet > FRIENDS_MAX + c->reached[n->index])
        sim_broken(sim, "friends", "node %u talks to %u others", n->index,
                   expected > quiet ? expected : quiet);
}

static void sent(struct friends *c, struct sim *sim, const struct sight *s)
{
    struct target *t = target(c, sim, s->node, s->other->index);

    t->asked = sim->world.now;
    t->answered = false;
    limit(c, sim, s->node);
}

static void count(struct sim *sim)
{
    struct now now = world_now(&sim->world);
    uint32_t running = sim_running(sim);
    uint32_t wanted = running - 1 < FRIENDS_MAX ? running - 1 : FRIENDS_MAX;

    for (uint32_t i = 0; i < sim->options.nodes; i++) {
        const struct node *n = &sim->nodes[i];
        struct engine_status status;

        if (!n->engine)
            continue;
        engine_status(n->engine, &now, &status);
        if (status.friends != wanted)
            sim_broken(sim, "friends", "node %u has %u friends, not %u",
                       n->index, status.friends, wanted);
    }
}

static void friends_see(void *state, struct sim *sim, const struct sight *s)
{
    size_t n = sim->options.nodes;
    struct friends *c = state;

    if (!c->targets) {
        c->targets = world_alloc(n * n * sizeof *c->targets);
        c->reached = world_alloc(n * sizeof *c->reached);
    }
    if (s->type == SIGHT_SENT && s->bytes[1] == DGRAM_REQUEST && s->other)
        sent(c, sim, s);
    else if (s->type == SIGHT_CAME && s->bytes[1] == DGRAM_ANSWER)
        target(c, sim, s->node, s->other->index)->answered = true;
    else if (s->type == SIGHT_DIAL ||
             (s->type == SIGHT_NOTE && s->note == NOTE_BACK))
        c->reached[s->node->index]++;
    if (s->type == SIGHT_SETTLED || s->type == SIGHT_END)
        count(sim);
    if (s->type == SIGHT_SETTLED) {
        c->quiet = sim->world.now;
        memset(c->reached, 0, n * sizeof *c->reached);
    } else if (s->type == SIGHT_END) {
        c->quiet.us = 0;
    }
}

static void friends_end(void *state)
{
    struct friends *c = state;

    free(c->targets);
    free(c->reached);
}

const struct check check_friends = {"friends", sizeof(struct friends),
                                    friends_see, friends_end};
