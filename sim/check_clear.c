/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody who listens learns who talks: no 8 bytes of any node's id are found
 * anywhere in a datagram. */
#include <stdlib.h>

#include "check.h"
#include "wire/limits.h"

enum {
    PIECE = 8,
    PIECES = NODE_ID_LEN - PIECE + 1, /* of one id */
};

struct clear {
    uint64_t *table; /* open addressing; 0: free */
    size_t mask;
};

static uint64_t load(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static size_t place(const struct clear *c, uint64_t v)
{
    size_t at = (v * 0x9e3779b97f4a7c15 >> 20) & c->mask;

    while (c->table[at] != 0 && c->table[at] != v)
        at = (at + 1) & c->mask;
    return at;
}

static void learn_ids(struct clear *c, const struct sim *sim)
{
    size_t size = 1024;

    while (size < (size_t)sim->options.nodes * PIECES * 4)
        size *= 2;
    c->table = world_alloc(size * sizeof *c->table);
    c->mask = size - 1;
    for (uint32_t i = 0; i < sim->options.nodes; i++)
        for (size_t k = 0; k < PIECES; k++) {
            uint64_t v = load(sim->nodes[i].identity.id.b + k);

            c->table[place(c, v)] = v;
        }
}

static void clear_see(void *state, struct sim *sim, const struct sight *s)
{
    struct clear *c = state;

    if (s->type != SIGHT_SENT && s->type != SIGHT_BEACON)
        return;
    if (!c->table)
        learn_ids(c, sim);
    for (size_t i = 0; i + PIECE <= s->len; i++) {
        uint64_t v = load(s->bytes + i);

        if (v != 0 && c->table[place(c, v)] == v)
            sim_broken(sim, "clear",
                       "node %u sends 8 bytes of an id at offset %zu of a "
                       "datagram of type %u",
                       s->node->index, i, s->bytes[1]);
    }
}

static void clear_end(void *state)
{
    free(((struct clear *)state)->table);
}

const struct check check_clear = {"clear", sizeof(struct clear), clear_see,
                                  clear_end};
