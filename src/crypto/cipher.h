/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_CIPHER_H
#define KITH_CRYPTO_CIPHER_H

#include "base/types.h"

/*
 * The symmetric cryptography of datagrams: AES-256-CBC with the padding of
 * PKCS #7 (RFC 5652, section 6.3), HMAC-SHA-256-128 (RFC 4868), and tickets.
 *
 * One workspace per engine: it holds OpenSSL contexts, which are made once
 * and used again for every datagram, and the keys that were set in them last.
 * It belongs to one thread. To seal, encrypt and then mac; to open, check the
 * mac and only then decrypt.
 *
 * Unless said otherwise a function returns KITH_OK, or KITH_ERR_CRYPTO when
 * OpenSSL fails or the key that it needs was never set; what was to be
 * written is then all zeros.
 */
enum {
    CIPHER_KEY_LEN = 32,
    CIPHER_BLOCK_LEN = 16,
    CIPHER_IV_LEN = 16,
    CIPHER_TAG_LEN = 16,
    CIPHER_TICKET_LEN = 32,
    CIPHER_DATA_MAX = 1 << 20, /* bytes in one call, far above a datagram */
};

struct cipher;

/* A new workspace without keys, or NULL when out of memory or when OpenSSL
 * lacks an algorithm. */
struct cipher *cipher_new(void);

/* Frees the workspace and wipes its keys; NULL is allowed. */
void cipher_free(struct cipher *c);

/* Set the key for cipher_encrypt, cipher_decrypt, and cipher_mac with
 * cipher_mac_check. The four keys of a workspace do not touch each other. */
int cipher_set_encrypt(struct cipher *c, const uint8_t key[CIPHER_KEY_LEN]);
int cipher_set_decrypt(struct cipher *c, const uint8_t key[CIPHER_KEY_LEN]);
int cipher_set_mac(struct cipher *c, const uint8_t key[CIPHER_KEY_LEN]);

/* How long n bytes are when encrypted: the next multiple of 16 above n. */
static inline size_t cipher_padded_len(size_t n)
{
    return n - n % CIPHER_BLOCK_LEN + CIPHER_BLOCK_LEN;
}

/* Encrypts n bytes of in, 0 to CIPHER_DATA_MAX, under the initialisation
 * vector iv, which must be fresh and random, and writes
 * cipher_padded_len(n) bytes to out and that number to *out_len. out has room
 * for cap bytes; it is in itself, or does not overlap it. KITH_ERR_RANGE when
 * n is too large or cap too small: nothing is written. */
int cipher_encrypt(struct cipher *c, const uint8_t iv[CIPHER_IV_LEN],
                   const uint8_t *in, size_t n, uint8_t *out, size_t cap,
                   size_t *out_len);

/* Decrypts n bytes of in, whose code the caller has checked, and writes the
 * plaintext to out and its length, n - 16 to n - 1, to *out_len. out has room
 * for cap bytes, at least n; it is in itself, or does not overlap it.
 * KITH_ERR_RANGE when n is no positive multiple of 16, is above
 * CIPHER_DATA_MAX + 16 or above cap: nothing is written. KITH_ERR_AUTH when
 * the padding is wrong: out is zeros. */
int cipher_decrypt(struct cipher *c, const uint8_t iv[CIPHER_IV_LEN],
                   const uint8_t *in, size_t n, uint8_t *out, size_t cap,
                   size_t *out_len);

/* The first 16 bytes of HMAC-SHA-256 over n bytes of data. */
int cipher_mac(struct cipher *c, const uint8_t *data, size_t n,
               uint8_t tag[CIPHER_TAG_LEN]);

/* Compares tag with the code of n bytes of data, in constant time. Returns
 * KITH_OK, KITH_ERR_AUTH when they differ, or KITH_ERR_CRYPTO. */
int cipher_mac_check(struct cipher *c, const uint8_t *data, size_t n,
                     const uint8_t tag[CIPHER_TAG_LEN]);

/*
 * Tickets: a node id as two blocks of AES-256-CBC without padding, with the
 * epoch (4 bytes, big-endian) and 12 zero bytes as initialisation vector. A
 * ticket has no code of its own: opening never says that one is forged, it
 * gives a wrong id, so a wrong session key, so a wrong code of the datagram.
 */
int cipher_set_ticket_key(struct cipher *c, const uint8_t key[CIPHER_KEY_LEN]);
int cipher_ticket_seal(struct cipher *c, uint32_t epoch,
                       const struct node_id *id,
                       uint8_t ticket[CIPHER_TICKET_LEN]);
int cipher_ticket_open(struct cipher *c, uint32_t epoch,
                       const uint8_t ticket[CIPHER_TICKET_LEN],
                       struct node_id *id);

#endif
