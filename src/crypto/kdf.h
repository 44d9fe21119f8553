/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_KDF_H
#define KITH_CRYPTO_KDF_H

#include "base/types.h"

/*
 * Key derivation (docs/protocol.md, "Session"): one reusable workspace, which
 * belongs to one thread. Every function returns KITH_OK, or KITH_ERR_CRYPTO
 * when OpenSSL fails; what was to be written is then all zeros.
 */
enum {
    KDF_KEY_LEN = 32,
    KDF_EXPAND_MAX = 255 * 32
};

struct kdf;

/* The four keys of a session A->B. */
struct session_keys {
    uint8_t a2b_enc[KDF_KEY_LEN]; /* AES-256-CBC, datagrams from A */
    uint8_t a2b_mac[KDF_KEY_LEN]; /* HMAC-SHA-256, datagrams from A */
    uint8_t b2a_enc[KDF_KEY_LEN];
    uint8_t b2a_mac[KDF_KEY_LEN];
};

/* A new workspace, or NULL when out of memory or without SHA-256. */
struct kdf *kdf_new(void);

/* Frees the workspace and wipes what is in it; NULL is allowed. */
void kdf_free(struct kdf *kdf);

/* HMAC-SHA-256 (RFC 2104) under key over data1 followed by data2; either may
 * be NULL when its length is 0. */
int kdf_hmac(struct kdf *kdf, const uint8_t key[KDF_KEY_LEN], const void *data1,
             size_t n1, const void *data2, size_t n2, uint8_t out[KDF_KEY_LEN]);

/* HKDF-Expand with SHA-256 (RFC 5869, section 2.3): n bytes for the label
 * info, which may be NULL when info_len is 0. n is at most KDF_EXPAND_MAX,
 * else KITH_ERR_RANGE. */
int kdf_expand(struct kdf *kdf, const uint8_t prk[KDF_KEY_LEN],
               const void *info, size_t info_len, uint8_t *out, size_t n);

/* The session key that B gives to A: HMAC-SHA-256 under secret, B's secret of
 * the epoch, over "kith1 session" and a, A's id. B keeps nothing of it. */
int kdf_session_key(struct kdf *kdf, const uint8_t secret[KDF_KEY_LEN],
                    const struct node_id *a, uint8_t k[KDF_KEY_LEN]);

/* The keys of both directions: HKDF-Expand of the session key k, labelled
 * "kith1 keys", b (B's id) and the mesh, cut in the order of the struct. */
int kdf_session_keys(struct kdf *kdf, const uint8_t k[KDF_KEY_LEN],
                     const struct node_id *b, const struct mesh_id *mesh,
                     struct session_keys *out);

#endif
