/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/error.h"
#include "crypto/hmac.h"
#include "crypto/wipe.h"

enum {
    SHA256_BLOCK = 64,
    IPAD = 0x36,
    OPAD = 0x5c
};

struct hmac {
    EVP_MD *md;
    EVP_MD_CTX *inner; /* has read key ^ ipad */
    EVP_MD_CTX *outer; /* has read key ^ opad */
    EVP_MD_CTX *work;
    bool keyed;
    bool ok; /* begun, and nothing failed since */
};

struct hmac *hmac_new(void)
{
    struct hmac *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    h->inner = EVP_MD_CTX_new();
    h->outer = EVP_MD_CTX_new();
    h->work = EVP_MD_CTX_new();
    if (h->md == NULL || h->inner == NULL || h->outer == NULL ||
        h->work == NULL) {
        hmac_free(h);
        return NULL;
    }
    return h;
}

void hmac_free(struct hmac *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->inner);
    EVP_MD_CTX_free(h->outer);
    EVP_MD_CTX_free(h->work);
    EVP_MD_free(h->md);
    free(h);
}

static bool absorb_key(struct hmac *h, EVP_MD_CTX *ctx,
                       const uint8_t key[HMAC_KEY_LEN], uint8_t pad)
{
    uint8_t block[SHA256_BLOCK];

    memset(block, pad, sizeof block);
    for (size_t i = 0; i < HMAC_KEY_LEN; i++)
        block[i] ^= key[i];
    bool ok = EVP_DigestInit_ex2(ctx, h->md, NULL) == 1 &&
              EVP_DigestUpdate(ctx, block, sizeof block) == 1;
    secret_wipe(block, sizeof block);
    return ok;
}

int hmac_set_key(struct hmac *h, const uint8_t key[HMAC_KEY_LEN])
{
    h->ok = false;
    h->keyed = absorb_key(h, h->inner, key, IPAD) &&
               absorb_key(h, h->outer, key, OPAD);
    return h->keyed ? KITH_OK : KITH_ERR_CRYPTO;
}

void hmac_begin(struct hmac *h)
{
    h->ok = h->keyed && EVP_MD_CTX_copy_ex(h->work, h->inner) == 1;
}

void hmac_add(struct hmac *h, const void *data, size_t n)
{
    if (h->ok && n > 0)
        h->ok = EVP_DigestUpdate(h->work, data, n) == 1;
}

int hmac_end(struct hmac *h, uint8_t out[HMAC_LEN])
{
    bool ok = h->ok && EVP_DigestFinal_ex(h->work, out, NULL) == 1 &&
              EVP_MD_CTX_copy_ex(h->work, h->outer) == 1 &&
              EVP_DigestUpdate(h->work, out, HMAC_LEN) == 1 &&
              EVP_DigestFinal_ex(h->work, out, NULL) == 1;

    h->ok = false;
    if (!ok)
        secret_wipe(out, HMAC_LEN);
    return ok ? KITH_OK : KITH_ERR_CRYPTO;
}
