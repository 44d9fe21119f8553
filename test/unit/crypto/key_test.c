/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "crypto/key.h"

enum {
    PEM_MAX = 8192
};

/* Offsets in a SubjectPublicKeyInfo. */
enum {
    MODULUS = 33,
    MODULUS_END = 289
};

static struct key *key;

static int setup(void **state)
{
    (void)state;
    return key_generate(&key);
}

static int teardown(void **state)
{
    (void)state;
    key_free(key);
    key_free(NULL);
    return 0;
}

static EVP_PKEY *make_rsa(const char *type, size_t bits, unsigned int e)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &bits),
        OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &e),
        OSSL_PARAM_construct_end(),
    };

    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &pkey), 1);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* Reads pkey, which it frees, as PEM; encrypted if a password is given. */
static int read_as_pem(EVP_PKEY *pkey, const char *password, struct key **out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;

    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(
                         bio, pkey, password != NULL ? EVP_aes_128_cbc() : NULL,
                         password, password != NULL ? (int)strlen(password) : 0,
                         NULL, NULL),
                     1);
    long n = BIO_get_mem_data(bio, &pem);
    int err = key_from_pem(out, pem, (size_t)n);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return err;
}

static void assert_refused(EVP_PKEY *pkey, const char *password)
{
    struct key *out = key;

    assert_int_equal(read_as_pem(pkey, password, &out), KITH_ERR_KEY);
    assert_null(out);
    assert_int_equal(ERR_peek_error(), 0);
}

static void generated_key_has_canonical_spki(void **state)
{
    uint8_t spki[SPKI_LEN];
    uint8_t again[SPKI_LEN];
    uint8_t *p = again;
    const uint8_t *q = spki;

    (void)state;
    key_spki(key, spki);
    assert_int_equal(spki_check(spki, sizeof spki), KITH_OK);
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &q, SPKI_LEN);
    assert_non_null(pkey);
    assert_int_equal(EVP_PKEY_get_bits(pkey), 2048);
    assert_int_equal(i2d_PUBKEY(pkey, &p), SPKI_LEN);
    assert_memory_equal(spki, again, SPKI_LEN);
    EVP_PKEY_free(pkey);
}

static void id_is_the_hash_of_the_spki(void **state)
{
    uint8_t spki[SPKI_LEN];
    uint8_t want[SHA256_DIGEST_LENGTH];
    struct node_id id;
    struct node_id of_spki;

    (void)state;
    key_spki(key, spki);
    key_id(key, &id);
    spki_id(spki, &of_spki);
    assert_non_null(SHA256(spki, sizeof spki, want));
    assert_memory_equal(id.b, want, sizeof want);
    assert_true(node_id_equal(&id, &of_spki));
}

static void pem_round_trips(void **state)
{
    char pem[PEM_MAX];
    char again[PEM_MAX];
    uint8_t a[SPKI_LEN];
    uint8_t b[SPKI_LEN];
    size_t n = 0;
    size_t m = 0;
    struct key *back = NULL;

    (void)state;
    assert_int_equal(key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    assert_memory_equal(pem, "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_int_equal(key_from_pem(&back, pem, n), KITH_OK);
    key_spki(key, a);
    key_spki(back, b);
    assert_memory_equal(a, b, SPKI_LEN);
    assert_int_equal(key_to_pem(back, again, n, &m), KITH_OK);
    assert_int_equal(m, n);
    assert_memory_equal(again, pem, n);
    assert_int_equal(key_to_pem(back, again, n - 1, &m), KITH_ERR_RANGE);
    assert_int_equal(key_to_pem(back, again, 0, &m), KITH_ERR_RANGE);
    key_free(back);
}

static void pem_after_other_lines_is_read(void **state)
{
    char pem[PEM_MAX] = "machine-id: 1\n# and more\n";
    size_t at = strlen(pem);
    size_t n = 0;
    struct key *back = NULL;

    (void)state;
    assert_int_equal(key_to_pem(key, pem + at, sizeof pem - at, &n), KITH_OK);
    assert_int_equal(key_from_pem(&back, pem, at + n), KITH_OK);
    key_free(back);
}

static void pkcs1_is_read(void **state)
{
    struct key *back = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = make_rsa("RSA", 2048, 65537);
    char *pem = NULL;

    (void)state;
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL,
                                                          0, NULL, NULL),
                     1);
    long n = BIO_get_mem_data(bio, &pem);
    assert_int_equal(key_from_pem(&back, pem, (size_t)n), KITH_OK);
    key_free(back);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static void damaged_pem_is_refused(void **state)
{
    char pem[PEM_MAX];
    size_t n = 0;
    struct key *out = key;

    (void)state;
    assert_int_equal(key_to_pem(key, pem, sizeof pem, &n), KITH_OK);
    assert_int_equal(key_from_pem(&out, pem, 0), KITH_ERR_KEY);
    assert_null(out);
    assert_int_equal(key_from_pem(&out, NULL, 0), KITH_ERR_KEY);
    assert_int_equal(key_from_pem(&out, "garbage", 7), KITH_ERR_KEY);
    assert_int_equal(key_from_pem(&out, pem, SIZE_MAX), KITH_ERR_KEY);
    for (size_t cut = 0; cut < n - 26; cut += 97)
        assert_int_equal(key_from_pem(&out, pem, cut), KITH_ERR_KEY);
    for (size_t at = 30; at < n - 30; at += 211) {
        char was = pem[at];
        pem[at] = was == 'A' ? 'B' : 'A';
        assert_int_equal(key_from_pem(&out, pem, n), KITH_ERR_KEY);
        pem[at] = was;
    }
    assert_null(out);
    assert_int_equal(ERR_peek_error(), 0);
}

static void other_kinds_are_refused(void **state)
{
    (void)state;
    assert_refused(make_rsa("RSA", 1024, 65537), NULL);
    assert_refused(make_rsa("RSA", 2047, 65537), NULL);
    assert_refused(make_rsa("RSA", 2056, 65537), NULL);
    assert_refused(make_rsa("RSA", 2048, 3), NULL);
    assert_refused(make_rsa("RSA", 2048, 65539), NULL);
    assert_refused(make_rsa("RSA-PSS", 2048, 65537), NULL);
    assert_refused(EVP_EC_gen("P-256"), NULL);
    assert_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
}

/* No password is asked for: the test would wait for ever. */
static void encrypted_is_refused(void **state)
{
    (void)state;
    assert_refused(make_rsa("RSA", 2048, 65537), "secret");
}

/* n of one key with d, p and q of another. */
static void parts_that_do_not_fit_are_refused(void **state)
{
    static const char *const names[] = {
        OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    enum {
        PARTS = sizeof names / sizeof *names
    };
    EVP_PKEY *a = make_rsa("RSA", 2048, 65537);
    EVP_PKEY *b = make_rsa("RSA", 2048, 65537);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *part[PARTS] = {NULL};
    EVP_PKEY *mixed = NULL;

    (void)state;
    for (size_t i = 0; i < PARTS; i++) {
        assert_int_equal(
            EVP_PKEY_get_bn_param(i == 0 ? a : b, names[i], &part[i]), 1);
        assert_int_equal(OSSL_PARAM_BLD_push_BN(build, names[i], part[i]), 1);
    }
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &mixed, EVP_PKEY_KEYPAIR, params),
                     1);
    assert_refused(mixed, NULL);
    for (size_t i = 0; i < PARTS; i++)
        BN_free(part[i]);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
}

static void spki_of_other_lengths_is_refused(void **state)
{
    uint8_t spki[SPKI_LEN + 1] = {0};

    (void)state;
    key_spki(key, spki);
    for (size_t n = 0; n < SPKI_LEN; n++)
        assert_int_equal(spki_check(spki, n), KITH_ERR_KEY);
    assert_int_equal(spki_check(spki, SPKI_LEN + 1), KITH_ERR_KEY);
    assert_int_equal(spki_check(NULL, 0), KITH_ERR_KEY);
}

/* Every bit outside the modulus counts; in it, the first and the last. */
static void spki_with_other_bits_is_refused(void **state)
{
    uint8_t spki[SPKI_LEN];

    (void)state;
    key_spki(key, spki);
    for (size_t bit = 0; bit < 8 * SPKI_LEN; bit++) {
        size_t at = bit / 8;
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);
        bool free_bit = bit > 8 * MODULUS && bit < 8 * MODULUS_END - 1;
        spki[at] ^= mask;
        assert_int_equal(spki_check(spki, sizeof spki),
                         free_bit ? KITH_OK : KITH_ERR_KEY);
        spki[at] ^= mask;
    }
    assert_int_equal(spki_check(spki, sizeof spki), KITH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_key_has_canonical_spki),
        cmocka_unit_test(id_is_the_hash_of_the_spki),
        cmocka_unit_test(pem_round_trips),
        cmocka_unit_test(pem_after_other_lines_is_read),
        cmocka_unit_test(pkcs1_is_read),
        cmocka_unit_test(damaged_pem_is_refused),
        cmocka_unit_test(other_kinds_are_refused),
        cmocka_unit_test(encrypted_is_refused),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
        cmocka_unit_test(spki_of_other_lengths_is_refused),
        cmocka_unit_test(spki_with_other_bits_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
