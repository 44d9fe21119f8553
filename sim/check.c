/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdlib.h>

static const struct check *const all[] = {
    &check_amplify,  &check_beacons, &check_clear,
    &check_converge, &check_friends, &check_iv,
    &check_quiet,    &check_serials, &check_sound,
};

enum {
    CHECKS = sizeof all / sizeof all[0]
};

struct checks {
    void *states[CHECKS];
};

void check_begin(struct sim *sim)
{
    sim->checks = world_alloc(sizeof *sim->checks);
    for (size_t i = 0; i < CHECKS; i++)
        sim->checks->states[i] = world_alloc(all[i]->size);
}

void check_see(struct sim *sim, const struct sight *sight)
{
    for (size_t i = 0; i < CHECKS; i++)
        all[i]->see(sim->checks->states[i], sim, sight);
}

void check_end(struct sim *sim)
{
    for (size_t i = 0; i < CHECKS; i++) {
        if (all[i]->end)
            all[i]->end(sim->checks->states[i]);
        free(sim->checks->states[i]);
    }
    free(sim->checks);
    sim->checks = NULL;
}
