/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "crypto/key_impl.h"
#include "crypto/wipe.h"

enum {
    RSA_BITS = 2048,
    MODULUS_LEN = 256,
    HEAD_LEN = 33,
    TAIL_LEN = 5,
};

_Static_assert(HEAD_LEN + MODULUS_LEN + TAIL_LEN == SPKI_LEN,
               "the three parts are the whole");

static const uint8_t spki_head[HEAD_LEN] = {
    0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
    0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01,
    0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,
};
static const uint8_t spki_tail[TAIL_LEN] = {0x02, 0x03, 0x01, 0x00, 0x01};

int spki_check(const uint8_t *spki, size_t len)
{
    if (len != SPKI_LEN || memcmp(spki, spki_head, HEAD_LEN) != 0 ||
        memcmp(spki + SPKI_LEN - TAIL_LEN, spki_tail, TAIL_LEN) != 0)
        return KITH_ERR_KEY;
    uint8_t first = spki[HEAD_LEN];
    uint8_t last = spki[HEAD_LEN + MODULUS_LEN - 1];
    return (first & 0x80) != 0 && (last & 1) != 0 ? KITH_OK : KITH_ERR_KEY;
}

void spki_id(const uint8_t spki[SPKI_LEN], struct node_id *id)
{
    struct hash digest;
    int err = hash_sha256(&digest, spki, SPKI_LEN);

    /* A wrong id must not get about, whatever it costs. */
    assert(err == KITH_OK);
    (void)err;
    memcpy(id->b, digest.b, sizeof id->b);
}

EVP_PKEY *spki_pkey(const uint8_t spki[SPKI_LEN])
{
    EVP_PKEY *pkey = NULL;
    uint8_t native[MODULUS_LEN];
    unsigned int e = RSA_F4;

    if (spki_check(spki, SPKI_LEN) != KITH_OK)
        return NULL;
    BIGNUM *n = BN_bin2bn(spki + HEAD_LEN, MODULUS_LEN, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    if (n == NULL || ctx == NULL || BN_bn2nativepad(n, native, MODULUS_LEN) < 0)
        goto out;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, native, MODULUS_LEN),
        OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &e),
        OSSL_PARAM_construct_end(),
    };
    if (EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
out:
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    return pkey;
}

/* Writes the SPKI of pkey; KITH_ERR_KEY when it is no key of ours. */
static int read_public(const EVP_PKEY *pkey, uint8_t spki[SPKI_LEN])
{
    int err = KITH_ERR_KEY;
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;

    if (!EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_get_bits(pkey) != RSA_BITS ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
        goto out;
    memcpy(spki, spki_head, HEAD_LEN);
    memcpy(spki + HEAD_LEN + MODULUS_LEN, spki_tail, TAIL_LEN);
    if (BN_is_word(e, RSA_F4) &&
        BN_bn2binpad(n, spki + HEAD_LEN, MODULUS_LEN) == MODULUS_LEN)
        err = spki_check(spki, SPKI_LEN);
out:
    BN_free(n);
    BN_free(e);
    return err;
}

/* Whether the private part of pkey is sound and fits the public one. */
static bool is_pair(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* Makes a key of pkey, which it takes over, also on error. */
static int adopt(EVP_PKEY *pkey, struct key **out)
{
    struct key *key = calloc(1, sizeof *key);
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return KITH_ERR_NOMEM;
    }
    key->pkey = pkey;
    int err = read_public(pkey, key->spki);
    if (err != KITH_OK) {
        key_free(key);
        return err;
    }
    spki_id(key->spki, &key->id);
    *out = key;
    return KITH_OK;
}

int key_generate(struct key **out)
{
    *out = NULL;
    EVP_PKEY *pkey = EVP_RSA_gen(RSA_BITS);
    if (pkey == NULL || adopt(pkey, out) != KITH_OK) {
        ERR_clear_error();
        return KITH_ERR_CRYPTO;
    }
    return KITH_OK;
}

/* Instead of OpenSSL's own, which asks on the terminal. */
static int no_password(char *buf, int size, int rwflag, void *userdata)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)userdata;
    return -1;
}

int key_from_pem(struct key **out, const char *pem, size_t len)
{
    *out = NULL;
    if (len == 0 || len > INT_MAX)
        return KITH_ERR_KEY;
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    if (bio == NULL)
        return KITH_ERR_NOMEM;
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    int err = pkey != NULL ? adopt(pkey, out) : KITH_ERR_KEY;
    if (err == KITH_OK && !is_pair((*out)->pkey)) {
        key_free(*out);
        *out = NULL;
        err = KITH_ERR_KEY;
    }
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

int key_to_pem(const struct key *key, char *buf, size_t cap, size_t *len)
{
    int err = KITH_ERR_CRYPTO;
    char *data = NULL;

    /* Freeing or growing a memory BIO wipes what it held. */
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL,
                                                     0, NULL, NULL) != 1)
        goto out;
    long n = BIO_get_mem_data(bio, &data);
    if (n <= 0)
        goto out;
    err = KITH_ERR_RANGE;
    if ((size_t)n > cap)
        goto out;
    memcpy(buf, data, (size_t)n);
    *len = (size_t)n;
    err = KITH_OK;
out:
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

void key_free(struct key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

void key_spki(const struct key *key, uint8_t out[SPKI_LEN])
{
    memcpy(out, key->spki, SPKI_LEN);
}

void key_id(const struct key *key, struct node_id *id)
{
    *id = key->id;
}
