/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_HMAC_H
#define KITH_CRYPTO_HMAC_H

#include "base/types.h"

/*
 * HMAC-SHA-256 (RFC 2104, RFC 4231) for the other files of this layer.
 *
 * A key becomes two digest states, one that has read key ^ ipad and one that
 * has read key ^ opad; each message starts from a copy of them. EVP_MAC does
 * the same, but copies and initialises more: on OpenSSL 3.0 a message of 32
 * bytes takes 0.18 microseconds with it and 0.15 with this, under a new key
 * 0.35 and 0.30. One hmac belongs to one thread.
 */
enum {
    HMAC_LEN = 32,
    HMAC_KEY_LEN = 32
};

struct hmac;

/* A new hmac without a key, or NULL when out of memory or without SHA-256. */
struct hmac *hmac_new(void);

/* Frees the hmac and wipes its key; NULL is allowed. */
void hmac_free(struct hmac *h);

/* Sets the key of the messages to come. HMAC pads a shorter key with zeros,
 * so a shorter one padded to 32 bytes gives the same results. Returns
 * KITH_OK, or KITH_ERR_CRYPTO, and then there is no key. */
int hmac_set_key(struct hmac *h, const uint8_t key[HMAC_KEY_LEN]);

/* Starts a message; one that was not ended is forgotten. */
void hmac_begin(struct hmac *h);

/* Adds n bytes to the message; data may be NULL when n is 0. */
void hmac_add(struct hmac *h, const void *data, size_t n);

/* Ends the message and writes its code to out, which may be what was added.
 * Returns KITH_OK, or KITH_ERR_CRYPTO when this or an earlier step since
 * hmac_begin failed, or there was no key: out is then all zeros. */
int hmac_end(struct hmac *h, uint8_t out[HMAC_LEN]);

#endif
