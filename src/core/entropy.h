/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_ENTROPY_H
#define KITH_CORE_ENTROPY_H

#include "core/limits.h"

/* Random bytes that the engine's owner has given, each used once. */
struct entropy {
    uint8_t b[ENTROPY_SIZE];
    size_t left; /* b[0..left) are unused */
};

/* How many bytes it could take. */
size_t entropy_wanted(const struct entropy *);

/* Takes up to entropy_wanted() of the n bytes at src. */
void entropy_add(struct entropy *, const uint8_t *src, size_t n);

/* Gives n bytes and wipes them here. Asserts that there are as many: the
 * owner tops up before each event, and an event uses less than the size. */
void entropy_take(struct entropy *, void *dst, size_t n);

#endif
