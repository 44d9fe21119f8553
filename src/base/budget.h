/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_BUDGET_H
#define KITH_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/types.h"

/*
 * A token bucket. It holds at most `burst` tokens, begins full, and gains
 * tokens at a steady rate. It has no clock: every call says what time it is.
 * No instant makes it overflow, and an earlier one than before neither gives
 * nor takes anything. The arithmetic is exact, so many small steps of time
 * gain what one large step does.
 */
struct budget {
    struct instant at; /* when `level` was right */
    uint64_t level;    /* tokens held, in thousand-millionths */
    uint64_t full;     /* the most it may hold, likewise */
    uint64_t rate;     /* gain per microsecond, likewise */
};

/* burst: the most tokens at once. rate_per_s_x1000: thousandths of a token
 * per second (2 a second is 2000; one in ten seconds is 100); with 0 nothing
 * comes back. */
void budget_init(struct budget *b, uint32_t burst, uint32_t rate_per_s_x1000,
                 struct instant now);

/* Takes n tokens if there are n, otherwise none; tells whether it did. */
bool budget_take(struct budget *b, struct instant now, uint32_t n);

/* Whether budget_take() would succeed. */
bool budget_has(const struct budget *b, struct instant now, uint32_t n);

/* The first instant, not before now, at which n tokens will be there if
 * nobody takes any; INSTANT_NEVER when that cannot be. */
struct instant budget_ready(const struct budget *b, struct instant now,
                            uint32_t n);

#endif
