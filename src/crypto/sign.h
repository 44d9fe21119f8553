/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_SIGN_H
#define KITH_CRYPTO_SIGN_H

#include "crypto/key.h"

/*
 * Signatures: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2) over a
 * digest that the caller has computed. They are deterministic, and the same
 * as those of "openssl dgst -sha256 -sign" over the bytes digested.
 */

/* Signs digest and writes the signature to sig. Returns KITH_OK, or
 * KITH_ERR_CRYPTO with sig all zeros. */
int sign_digest(const struct key *key, const struct hash *digest,
                uint8_t sig[SIG_LEN]);

/* Checks one signature by the key of spki. Returns KITH_OK; KITH_ERR_AUTH when
 * it does not hold, or spki is not canonical; KITH_ERR_CRYPTO when out of
 * memory. */
int sign_verify(const uint8_t spki[SPKI_LEN], const struct hash *digest,
                const uint8_t sig[SIG_LEN]);

/* A public key made ready for many checks, each takes half the time of
 * sign_verify; it takes about 2,300 bytes. Immutable: threads may share it. */
struct verify_key;

/* Makes the key of spki ready. NULL when spki_check refuses it, or out of
 * memory. */
struct verify_key *verify_key_new(const uint8_t spki[SPKI_LEN]);

/* Frees the key; NULL is allowed. */
void verify_key_free(struct verify_key *vk);

/* As sign_verify, by a key that is ready. */
int verify_key_check(const struct verify_key *vk, const struct hash *digest,
                     const uint8_t sig[SIG_LEN]);

#endif
