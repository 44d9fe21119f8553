/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_KEY_H
#define KITH_CRYPTO_KEY_H

#include "base/types.h"

/*
 * Node keys: RSA, exactly 2,048 bits, e = 65537, and nothing else.
 *
 * With those fixed, the canonical DER SubjectPublicKeyInfo (RFC 5280, RFC
 * 3279, section 2.3.1) of every key has the same form, and the node id hashes
 * it:
 *
 *   offset  size
 *        0    33  the same in all: SEQUENCE { SEQUENCE { rsaEncryption, NULL },
 *                 BIT STRING { SEQUENCE { INTEGER, with its leading 0 byte
 *       33   256  modulus, big-endian, its top bit and its lowest bit set
 *      289     5  02 03 01 00 01: INTEGER 65537 } } }
 */
enum {
    SPKI_LEN = 294,
    SIG_LEN = 256
};

/* A private key with what is derived from it. Immutable once made: threads may
 * share it. */
struct key;

/* Makes a new key, which takes up to half a second. *out belongs to the
 * caller. Returns KITH_OK, or KITH_ERR_CRYPTO with *out NULL. */
int key_generate(struct key **out);

/* Reads the first private key of len bytes of PEM, PKCS #8 or PKCS #1, never
 * asking for a password. *out belongs to the caller. Returns KITH_OK;
 * KITH_ERR_KEY when there is no key, it is encrypted, of another kind or
 * size, or its private part does not fit its public part; KITH_ERR_NOMEM. On
 * error *out is NULL. */
int key_from_pem(struct key **out, const char *pem, size_t len);

/* Writes the private key to buf as PEM, unencrypted PKCS #8, without a final
 * zero byte, and its length to *len; about 1,700 bytes. KITH_ERR_RANGE when
 * cap is too small, KITH_ERR_CRYPTO; nothing is then written. */
int key_to_pem(const struct key *key, char *buf, size_t cap, size_t *len);

/* Wipes and frees the key; NULL is allowed. */
void key_free(struct key *key);

/* The canonical SubjectPublicKeyInfo of the key. */
void key_spki(const struct key *key, uint8_t out[SPKI_LEN]);

/* The node id: spki_id of the above. */
void key_id(const struct key *key, struct node_id *id);

/* Whether len bytes are the canonical SubjectPublicKeyInfo of a key that is
 * accepted: KITH_OK or KITH_ERR_KEY. */
int spki_check(const uint8_t *spki, size_t len);

/* The node id of a public key, its SHA-256. Aborts when out of memory. */
void spki_id(const uint8_t spki[SPKI_LEN], struct node_id *id);

#endif
