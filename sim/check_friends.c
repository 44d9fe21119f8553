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
    uint32_t other;
    struct instant asked; /* the last request */
    bool answered;
};

/* Whom one node has asked lately. */
struct row {
    struct target *v; /* owned */
    size_t n, cap;
    unsigned reached; /* others, in the quiet minute */
};

struct friends {
    struct row *rows;     /* by node */
    size_t n;             /* of them */
    struct instant quiet; /* since then; us = 0: it is not */
};

static bool is_recent(const struct friends *c, const struct sim *sim,
                      const struct target *t)
{
    return instant_since_ms(sim->world.now, t->asked) < EXPECTED_MS ||
           (c->quiet.us > 0 && t->asked.us > c->quiet.us);
}

static void grow(struct row *row)
{
    size_t cap = 2 * row->cap + 32;
    struct target *bigger = world_alloc(cap * sizeof *bigger);

    if (row->n > 0)
        memcpy(bigger, row->v, row->n * sizeof *bigger);
    free(row->v);
    row->v = bigger;
    row->cap = cap;
}

/* The other's place in a row, a new one if there is none; whoever was not
 * asked lately makes room. */
static struct target *place(const struct friends *c, const struct sim *sim,
                            struct row *row, uint32_t other)
{
    size_t kept = 0;

    for (size_t i = 0; i < row->n; i++)
        if (row->v[i].other != other && is_recent(c, sim, &row->v[i]))
            row->v[kept++] = row->v[i];
    row->n = kept;
    if (row->n == row->cap)
        grow(row);
    row->v[row->n].other = other;
    return &row->v[row->n++];
}

static void sent(struct friends *c, struct sim *sim, const struct sight *s)
{
    struct row *row = &c->rows[s->node->index];
    struct target *t = place(c, sim, row, s->other->index);
    unsigned expected = 0, quiet = 0;

    t->asked = sim->world.now;
    t->answered = false;
    for (size_t i = 0; i < row->n; i++) {
        t = &row->v[i];
        expected += !t->answered &&
                    instant_since_ms(sim->world.now, t->asked) < EXPECTED_MS;
        quiet += c->quiet.us > 0 && t->asked.us > c->quiet.us;
    }
    if (expected > FRIENDS_MAX || quiet > FRIENDS_MAX + row->reached)
        sim_broken(sim, "friends", "node %u talks to %u others", s->node->index,
                   expected > quiet ? expected : quiet);
}

static void answered(struct row *row, uint32_t other)
{
    for (size_t i = 0; i < row->n; i++)
        if (row->v[i].other == other)
            row->v[i].answered = true;
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
    struct friends *c = state;

    if (!c->rows) {
        c->n = sim->options.nodes;
        c->rows = world_alloc(c->n * sizeof *c->rows);
    }
    if (s->type == SIGHT_SENT && s->bytes[1] == DGRAM_REQUEST && s->other)
        sent(c, sim, s);
    else if (s->type == SIGHT_CAME && s->bytes[1] == DGRAM_ANSWER)
        answered(&c->rows[s->node->index], s->other->index);
    else if (s->type == SIGHT_DIAL ||
             (s->type == SIGHT_NOTE && s->note == NOTE_BACK))
        c->rows[s->node->index].reached++;
    if (s->type == SIGHT_SETTLED || s->type == SIGHT_END)
        count(sim);
    if (s->type == SIGHT_SETTLED) {
        c->quiet = sim->world.now;
        for (size_t i = 0; i < c->n; i++)
            c->rows[i].reached = 0;
    } else if (s->type == SIGHT_END) {
        c->quiet.us = 0;
    }
}

static void friends_end(void *state)
{
    struct friends *c = state;

    for (size_t i = 0; i < c->n; i++)
        free(c->rows[i].v);
    free(c->rows);
}

const struct check check_friends = {"friends", sizeof(struct friends),
                                    friends_see, friends_end};
