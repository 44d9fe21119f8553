/* SPDX-License-Identifier: Apache-2.0 */
#include "base/budget.h"

/* With this unit a rate of 1/1000 token per second is 1 unit per
 * microsecond, and 2^32 - 1 tokens fit into 64 bits. */
#define UNITS_PER_TOKEN 1000000000ULL

void budget_init(struct budget *b, uint32_t burst, uint32_t rate_per_s_x1000,
                 struct instant now)
{
    b->at = now;
    b->full = burst * UNITS_PER_TOKEN;
    b->level = b->full;
    b->rate = rate_per_s_x1000;
}

/* The level at `now`, or at b->at if that is later. */
static uint64_t level_at(const struct budget *b, struct instant now)
{
    uint64_t lacking = b->full - b->level;
    uint64_t elapsed = now.us > b->at.us ? now.us - b->at.us : 0;

    if (b->rate == 0)
        return b->level;
    if (elapsed > lacking / b->rate)
        return b->full;
    return b->level + elapsed * b->rate;
}

bool budget_has(const struct budget *b, struct instant now, uint32_t n)
{
    return level_at(b, now) >= n * UNITS_PER_TOKEN;
}

bool budget_take(struct budget *b, struct instant now, uint32_t n)
{
    if (!budget_has(b, now, n))
        return false;
    b->level = level_at(b, now) - n * UNITS_PER_TOKEN;
    if (now.us > b->at.us)
        b->at = now;
    return true;
}

struct instant budget_ready(const struct budget *b, struct instant now,
                            uint32_t n)
{
    uint64_t wanted = n * UNITS_PER_TOKEN;
    uint64_t level = level_at(b, now);
    uint64_t wait_us;

    if (level >= wanted)
        return now;
    if (wanted > b->full || b->rate == 0)
        return INSTANT_NEVER;
    wait_us = (wanted - level + b->rate - 1) / b->rate;
    return instant_add_us(now.us > b->at.us ? now : b->at, wait_us);
}
