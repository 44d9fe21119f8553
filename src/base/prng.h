/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_PRNG_H
#define KITH_BASE_PRNG_H

#include <stdint.h>

/*
 * Numbers that look random and come again with the same seed: for jitter and
 * for simulations. Whoever sees a few of them can compute the rest, so never
 * for a key, an IV, a nonce or anything else that must not be guessed.
 *
 * xoshiro256** 1.0 by David Blackman and Sebastiano Vigna (public domain,
 * https://prng.di.unimi.it/), seeded with splitmix64 as they recommend.
 */
struct prng {
    uint64_t s[4];
};

/* Starts the sequence that belongs to a seed; any seed will do. */
void prng_seed(struct prng *p, uint64_t seed);

/* The next number, uniform in 0..2^64-1. */
uint64_t prng_u64(struct prng *p);

/* A number uniform in 0..n-1, without bias; n > 0. */
uint64_t prng_below(struct prng *p, uint64_t n);

/* A number uniform in v - percent %..v + percent %, both included, cut at
 * UINT64_MAX; percent <= 100. */
uint64_t prng_jitter(struct prng *p, uint64_t v, unsigned percent);

#endif
