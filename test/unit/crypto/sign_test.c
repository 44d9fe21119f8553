/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

static const char message[] = "the bytes that are signed";

static struct key *key;
static struct key *other;
static uint8_t spki[SPKI_LEN];
static uint8_t other_spki[SPKI_LEN];
static struct hash digest;
static uint8_t sig[SIG_LEN];
static struct verify_key *vk;

static int setup(void **state)
{
    (void)state;
    if (key_generate(&key) != KITH_OK || key_generate(&other) != KITH_OK ||
        hash_sha256(&digest, message, sizeof message) != KITH_OK ||
        sign_digest(key, &digest, sig) != KITH_OK)
        return -1;
    key_spki(key, spki);
    key_spki(other, other_spki);
    vk = verify_key_new(spki);
    return vk == NULL;
}

static int teardown(void **state)
{
    (void)state;
    verify_key_free(vk);
    verify_key_free(NULL);
    key_free(key);
    key_free(other);
    return 0;
}

/* What both ways of checking say, which must be the same. */
static int verify(const struct hash *d, const uint8_t *s)
{
    int err = sign_verify(spki, d, s);

    assert_int_equal(verify_key_check(vk, d, s), err);
    assert_int_equal(ERR_peek_error(), 0);
    return err;
}

static void own_signature_holds(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(verify(&digest, sig), KITH_OK);
}

static void signing_is_deterministic(void **state)
{
    uint8_t again[SIG_LEN];

    (void)state;
    assert_int_equal(sign_digest(key, &digest, again), KITH_OK);
    assert_memory_equal(sig, again, SIG_LEN);
    assert_int_equal(sign_digest(other, &digest, again), KITH_OK);
    assert_memory_not_equal(sig, again, SIG_LEN);
}

/* As an ordinary sha256WithRSAEncryption verifier would, over the message. */
static void signature_is_an_ordinary_one(void **state)
{
    const uint8_t *p = spki;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, SPKI_LEN);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    (void)state;
    assert_non_null(pkey);
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey),
                     1);
    assert_int_equal(EVP_DigestVerify(ctx, sig, SIG_LEN,
                                      (const uint8_t *)message, sizeof message),
                     1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
}

static void changed_digest_or_signature_fails(void **state)
{
    struct hash d = digest;
    uint8_t s[SIG_LEN];

    (void)state;
    memcpy(s, sig, sizeof s);
    for (size_t i = 0; i < sizeof d.b; i++) {
        d.b[i] ^= 0x10;
        assert_int_equal(verify(&d, sig), KITH_ERR_AUTH);
        d.b[i] ^= 0x10;
    }
    for (size_t i = 0; i < sizeof s; i++) {
        s[i] ^= 0x01;
        assert_int_equal(verify(&digest, s), KITH_ERR_AUTH);
        s[i] ^= 0x01;
    }
    assert_int_equal(verify(&digest, s), KITH_OK);
}

/* As numbers: 0, 1, the modulus itself, the most that fits. */
static void strange_signatures_fail(void **state)
{
    uint8_t s[SIG_LEN] = {0};

    (void)state;
    assert_int_equal(verify(&digest, s), KITH_ERR_AUTH);
    s[SIG_LEN - 1] = 1;
    assert_int_equal(verify(&digest, s), KITH_ERR_AUTH);
    memcpy(s, spki + 33, SIG_LEN);
    assert_int_equal(verify(&digest, s), KITH_ERR_AUTH);
    memset(s, 0xff, sizeof s);
    assert_int_equal(verify(&digest, s), KITH_ERR_AUTH);
}

/* PSS, and PKCS #1 v1.5 without or with another name of the digest. */
static void other_paddings_fail(void **state)
{
    static const struct {
        int padding;
        const char *md;
    } kinds[] = {{RSA_PKCS1_PSS_PADDING, "SHA256"},
                 {RSA_PKCS1_PADDING, NULL},
                 {RSA_PKCS1_PADDING, "SHA3-256"}};
    char pem[4096];
    size_t n = 0;

    (void)state;
    assert_int_equal(key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    BIO *bio = BIO_new_mem_buf(pem, (int)n);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_non_null(pkey);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint8_t s[SIG_LEN];
        size_t len = sizeof s;
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
        EVP_MD *md = kinds[i].md ? EVP_MD_fetch(NULL, kinds[i].md, NULL) : NULL;
        assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, kinds[i].padding),
                         1);
        if (md != NULL)
            assert_int_equal(EVP_PKEY_CTX_set_signature_md(ctx, md), 1);
        assert_int_equal(EVP_PKEY_sign(ctx, s, &len, digest.b, sizeof digest.b),
                         1);
        assert_int_equal(verify(&digest, s), KITH_ERR_AUTH);
        EVP_MD_free(md);
        EVP_PKEY_CTX_free(ctx);
    }
    EVP_PKEY_free(pkey);
    BIO_free(bio);
}

static void other_key_fails(void **state)
{
    struct verify_key *ovk = verify_key_new(other_spki);

    (void)state;
    assert_non_null(ovk);
    assert_int_equal(sign_verify(other_spki, &digest, sig), KITH_ERR_AUTH);
    assert_int_equal(verify_key_check(ovk, &digest, sig), KITH_ERR_AUTH);
    verify_key_free(ovk);
}

static void other_forms_of_key_are_refused(void **state)
{
    uint8_t bad[SPKI_LEN];
    static const size_t at[] = {0, 16, 33, 288, 293};

    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        memcpy(bad, spki, sizeof bad);
        bad[at[i]] ^= at[i] == 33 ? 0x80 : 0x01;
        assert_int_equal(sign_verify(bad, &digest, sig), KITH_ERR_AUTH);
        assert_null(verify_key_new(bad));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_signature_holds),
        cmocka_unit_test(signing_is_deterministic),
        cmocka_unit_test(signature_is_an_ordinary_one),
        cmocka_unit_test(changed_digest_or_signature_fails),
        cmocka_unit_test(strange_signatures_fail),
        cmocka_unit_test(other_paddings_fail),
        cmocka_unit_test(other_key_fails),
        cmocka_unit_test(other_forms_of_key_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
