/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_KEY_IMPL_H
#define KITH_CRYPTO_KEY_IMPL_H

#include <openssl/evp.h>

#include "crypto/key.h"

/* What the other files of this layer need of key.c; nobody else includes
 * this. */

struct key {
    EVP_PKEY *pkey;
    uint8_t spki[SPKI_LEN];
    struct node_id id;
};

/* The public key of a canonical SubjectPublicKeyInfo; the caller frees it.
 * NULL when spki_check refuses it, or out of memory. */
EVP_PKEY *spki_pkey(const uint8_t spki[SPKI_LEN]);

#endif
