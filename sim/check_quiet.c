/* SPDX-License-Identifier: Apache-2.0 */
/* A mesh in which nothing changes is quiet: about one small request a second
 * and node, and no handshakes but those that look, one in 10 s and node, for
 * whoever could not be reached before. */
#include <stdlib.h>

#include "check.h"

enum {
    QUIET_BYTES = 350, /* sent by a node in a second, on the mean */
    HEAD_BYTES = 1500, /* ... more for each head that was signed meanwhile */
    LOOK_EVERY_S = 10, /* between handshakes of one node */
};

struct quiet {
    uint64_t sent_bytes, dials, signatures; /* of all, when it began */
    struct instant begun;
};

static uint64_t sum(const struct sim *sim, enum engine_counter c)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < sim->options.nodes; i++)
        n += node_count(&sim->nodes[i], c);
    return n;
}

static uint64_t sum_bytes(const struct sim *sim)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < sim->options.nodes; i++)
        n += sim->nodes[i].sent_bytes;
    return n;
}

static void quiet_see(void *state, struct sim *sim, const struct sight *s)
{
    struct quiet *c = state;
    uint64_t allowed, bytes, dials, seconds;

    if (s->type == SIGHT_SETTLED) {
        c->sent_bytes = sum_bytes(sim);
        c->dials = sum(sim, COUNT_DIALS);
        c->signatures = sum(sim, COUNT_SIGNATURES);
        c->begun = sim->world.now;
    }
    if (s->type != SIGHT_END)
        return;
    seconds = instant_since_ms(sim->world.now, c->begun) / 1000 + 1;
    bytes = (sum_bytes(sim) - c->sent_bytes) / sim_running(sim);
    allowed = seconds * QUIET_BYTES +
              (sum(sim, COUNT_SIGNATURES) - c->signatures) * HEAD_BYTES;
    if (bytes > allowed)
        sim_broken(sim, "quiet", "%llu bytes/s sent per node",
                   (unsigned long long)(bytes / seconds));
    dials = sum(sim, COUNT_DIALS) - c->dials;
    if (dials > (seconds / LOOK_EVERY_S + 1) * sim_running(sim))
        sim_broken(sim, "quiet", "%llu handshakes while nothing changes",
                   (unsigned long long)dials);
}

const struct check check_quiet = {"quiet", sizeof(struct quiet), quiet_see,
                                  NULL};
