/* SPDX-License-Identifier: Apache-2.0 */
#include "base/prng.h"

#include <assert.h>

static uint64_t rotate(uint64_t v, unsigned bits)
{
    return v << bits | v >> (64 - bits);
}

/* https://prng.di.unimi.it/splitmix64.c */
static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void prng_seed(struct prng *p, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        p->s[i] = splitmix64(&seed);
}

/* https://prng.di.unimi.it/xoshiro256starstar.c */
uint64_t prng_u64(struct prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t n)
{
    uint64_t least;
    uint64_t v;

    assert(n > 0);
    least = (0 - n) % n; /* 2^64 mod n: from there on whole multiples of n */
    do
        v = prng_u64(p);
    while (v < least);
    return v % n;
}

uint64_t prng_jitter(struct prng *p, uint64_t v, unsigned percent)
{
    uint64_t span;
    uint64_t low;
    uint64_t high;

    assert(percent <= 100);
    span = v / 100 * percent + v % 100 * percent / 100;
    low = v - span;
    high = span > UINT64_MAX - v ? UINT64_MAX : v + span;
    if (high - low == UINT64_MAX)
        return prng_u64(p);
    return low + prng_below(p, high - low + 1);
}
