/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/error.h"
#include "crypto/hash.h"

struct hasher {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
    bool ok; /* begun, and nothing failed since */
};

struct hasher *hasher_new(void)
{
    struct hasher *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    h->ctx = EVP_MD_CTX_new();
    if (h->md == NULL || h->ctx == NULL) {
        hasher_free(h);
        return NULL;
    }
    return h;
}

void hasher_free(struct hasher *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->ctx);
    EVP_MD_free(h->md);
    free(h);
}

void hasher_begin(struct hasher *h)
{
    h->ok = EVP_DigestInit_ex2(h->ctx, h->md, NULL) == 1;
}

void hasher_add(struct hasher *h, const void *data, size_t n)
{
    if (h->ok && n > 0)
        h->ok = EVP_DigestUpdate(h->ctx, data, n) == 1;
}

int hasher_end(struct hasher *h, struct hash *out)
{
    bool ok = h->ok && EVP_DigestFinal_ex(h->ctx, out->b, NULL) == 1;

    h->ok = false;
    if (!ok)
        memset(out, 0, sizeof *out);
    return ok ? KITH_OK : KITH_ERR_CRYPTO;
}

int hash_sha256(struct hash *out, const void *data, size_t n)
{
    if (EVP_Digest(data, n, out->b, NULL, EVP_sha256(), NULL) == 1)
        return KITH_OK;
    memset(out, 0, sizeof *out);
    return KITH_ERR_CRYPTO;
}
