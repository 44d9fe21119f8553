/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_RANDOM_H
#define KITH_CRYPTO_RANDOM_H

#include "base/types.h"

/*
 * Cryptographic random bytes out of a pool. A call of RAND_bytes for 16 bytes
 * costs about 2 microseconds whatever its size; drawn 4 KiB at a time they
 * cost next to nothing. Each byte is given out once and wiped from the pool
 * as it goes. A pool belongs to one thread, and must not be used on both
 * sides of a fork.
 */
struct random_pool;

/* A new, empty pool: the first request fills it. NULL when out of memory. */
struct random_pool *random_pool_new(void);

/* Wipes and frees the pool; NULL is allowed. */
void random_pool_free(struct random_pool *pool);

/* Writes n random bytes to out. Returns KITH_OK, or KITH_ERR_CRYPTO when the
 * system gives no randomness: out is then all zeros and must not be used. */
int random_bytes(struct random_pool *pool, void *out, size_t n);

#endif
