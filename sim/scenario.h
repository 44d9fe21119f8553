/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_SCENARIO_H
#define KITH_SIM_SCENARIO_H

#include "sim.h"

/*
 * What is done to a mesh: some acts of faults and changes, after each of
 * which everything heals, and all must be well again within a minute.
 */
struct scenario {
    const char *name;
    void (*run)(struct sim *sim);
};

/* All of them, the last with name NULL. */
extern const struct scenario scenarios[];

/* NULL when there is none of that name. */
const struct scenario *scenario_find(const char *name);

#endif
