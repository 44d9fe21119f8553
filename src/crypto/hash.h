/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_HASH_H
#define KITH_CRYPTO_HASH_H

#include "base/types.h"

/*
 * SHA-256 (FIPS 180-4). A hasher holds a prefetched algorithm and a context
 * that is used again and again; it belongs to one thread.
 */
struct hasher;

/* A new hasher, or NULL when out of memory or without SHA-256. */
struct hasher *hasher_new(void);

/* Frees the hasher and wipes its state; NULL is allowed. */
void hasher_free(struct hasher *h);

/* Starts a new digest; what was added since the last hasher_end is
 * forgotten. */
void hasher_begin(struct hasher *h);

/* Adds n bytes; data may be NULL when n is 0. Only between hasher_begin and
 * hasher_end. */
void hasher_add(struct hasher *h, const void *data, size_t n);

/* Ends the digest and writes it to out. Returns KITH_OK, or KITH_ERR_CRYPTO
 * when this or an earlier step since hasher_begin failed, or there was no
 * hasher_begin: out is then all zeros. */
int hasher_end(struct hasher *h, struct hash *out);

/* The digest of n bytes in one call, for where no hasher is at hand: of few
 * bytes it takes about three times as long. data may be NULL when n is 0.
 * Returns KITH_OK, or KITH_ERR_CRYPTO with out all zeros. */
int hash_sha256(struct hash *out, const void *data, size_t n);

#endif
