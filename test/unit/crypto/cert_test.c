/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "crypto/cert.h"

enum {
    DAY = 86400
};

static const uint64_t now = 1700000000;
static const uint64_t floor_time = 1600000000;
static const char last_date[] = "99991231235959Z";

static struct key *key;
static struct key *other;
static uint8_t der[CERT_SELF_SIGNED_MAX];
static size_t der_len;

static int setup(void **state)
{
    (void)state;
    return key_generate(&key) != KITH_OK || key_generate(&other) != KITH_OK ||
           cert_make_node(key, der, sizeof der, &der_len) != KITH_OK;
}

static int teardown(void **state)
{
    (void)state;
    key_free(key);
    key_free(other);
    return 0;
}

static X509 *parse_node(void)
{
    X509 *cert = NULL;

    assert_int_equal(cert_parse(&cert, der, der_len), KITH_OK);
    return cert;
}

static void assert_name(const X509_NAME *name, const char *want)
{
    char line[100];

    assert_int_equal(X509_NAME_entry_count(name), 1);
    assert_non_null(X509_NAME_oneline(name, line, sizeof line));
    assert_string_equal(line, want);
}

static void assert_date(const ASN1_TIME *got, const char *want)
{
    ASN1_TIME *t = ASN1_TIME_new();

    assert_int_equal(ASN1_TIME_set_string_X509(t, want), 1);
    assert_int_equal(ASN1_TIME_compare(got, t), 0);
    assert_int_equal(ASN1_STRING_type(got), ASN1_STRING_type(t));
    ASN1_TIME_free(t);
}

/* What every certificate of ours is. */
static void assert_form(X509 *cert, int extensions)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);

    assert_int_equal(X509_get_version(cert), X509_VERSION_3);
    assert_int_equal(X509_get_signature_nid(cert), NID_sha256WithRSAEncryption);
    assert_int_equal(ASN1_STRING_length(serial), 8);
    assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER);
    assert_int_equal(ASN1_STRING_get0_data(serial)[0] & 0x80, 0);
    assert_date(X509_get0_notBefore(cert), "20000101000000Z");
    assert_int_equal(X509_get_ext_count(cert), extensions);
    int at = X509_get_ext_by_NID(cert, NID_basic_constraints, -1);
    assert_true(at >= 0);
    assert_true(X509_EXTENSION_get_critical(X509_get_ext(cert, at)));
    assert_int_equal(X509_check_ca(cert), 0);
}

static void node_certificate_is_as_documented(void **state)
{
    X509 *cert = parse_node();
    uint8_t want[SPKI_LEN];
    uint8_t got[SPKI_LEN];
    uint8_t *p = got;

    (void)state;
    assert_true(der_len < CERT_SELF_SIGNED_MAX);
    assert_form(cert, 1);
    assert_name(X509_get_subject_name(cert), "/CN=kith");
    assert_name(X509_get_issuer_name(cert), "/CN=kith");
    assert_date(X509_get0_notAfter(cert), last_date);
    key_spki(key, want);
    assert_int_equal(i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &p), SPKI_LEN);
    assert_memory_equal(got, want, SPKI_LEN);
    assert_int_equal(X509_verify(cert, X509_get0_pubkey(cert)), 1);
    cert_drop(cert);
}

static void node_certificate_fits_or_is_not_written(void **state)
{
    uint8_t b[CERT_SELF_SIGNED_MAX] = {0};
    size_t n = 5;

    (void)state;
    assert_int_equal(cert_make_node(key, b, 0, &n), KITH_ERR_RANGE);
    assert_int_equal(cert_make_node(key, b, der_len - 1, &n), KITH_ERR_RANGE);
    assert_int_equal(b[0], 0);
    assert_int_equal(n, 5);
    assert_int_equal(cert_make_node(key, b, der_len, &n), KITH_OK);
    assert_int_equal(n, der_len);       /* every one is of the same length */
    assert_memory_not_equal(b, der, n); /* the serial number is random */
}

static void leaf_is_as_documented(void **state)
{
    X509 *node = parse_node();
    struct cert_leaf leaf;

    (void)state;
    assert_int_equal(cert_make_leaf(key, der, der_len, now, floor_time, &leaf),
                     KITH_OK);
    assert_form(leaf.cert, 3);
    assert_name(X509_get_subject_name(leaf.cert), "/CN=kith tls");
    assert_name(X509_get_issuer_name(leaf.cert), "/CN=kith");
    assert_int_equal(X509_get_key_usage(leaf.cert), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(leaf.cert),
                     XKU_SSL_SERVER | XKU_SSL_CLIENT);
    assert_int_equal(X509_verify(leaf.cert, X509_get0_pubkey(node)), 1);
    assert_int_equal(X509_check_private_key(leaf.cert, leaf.key), 1);
    char group[20];
    size_t n = 0;
    assert_int_equal(EVP_PKEY_get_group_name(leaf.key, group, sizeof group, &n),
                     1);
    assert_string_equal(group, "prime256v1");
    cert_leaf_free(&leaf);
    assert_null(leaf.cert);
    assert_null(leaf.key);
    cert_leaf_free(&leaf);
    cert_drop(node);
}

static void leaves_are_fresh(void **state)
{
    struct cert_leaf a;
    struct cert_leaf b;

    (void)state;
    assert_int_equal(cert_make_leaf(key, der, der_len, now, 0, &a), KITH_OK);
    assert_int_equal(cert_make_leaf(key, der, der_len, now, 0, &b), KITH_OK);
    assert_int_equal(EVP_PKEY_eq(a.key, b.key), 0);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.cert),
                                          X509_get0_serialNumber(b.cert)),
                         0);
    cert_leaf_free(&a);
    cert_leaf_free(&b);
}

static void leaf_ends_in_a_week_or_never(void **state)
{
    static const struct {
        uint64_t now;
        uint64_t floor;
        const char *end;
    } cases[] = {
        {1700000000, 0, "20231121221320Z"},
        {1700000000, 1700000000, "20231121221320Z"},
        {1700000000, 1700000001, last_date},
        {0, 1600000000, last_date},
        {0, 0, "19700108000000Z"},
        {2524607999 - 7 * DAY, 0, "20491231235959Z"}, /* last UTCTime */
        {2524608000 - 7 * DAY, 0, "20500101000000Z"},
        {253402300799 - 7 * DAY, 0, last_date},
        {253402300800 - 7 * DAY, 0, last_date},
        {UINT64_MAX, 0, last_date},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cert_leaf leaf;
        assert_int_equal(cert_make_leaf(key, der, der_len, cases[i].now,
                                        cases[i].floor, &leaf),
                         KITH_OK);
        assert_date(X509_get0_notAfter(leaf.cert), cases[i].end);
        cert_leaf_free(&leaf);
    }
}

static void leaf_needs_the_right_node_certificate(void **state)
{
    uint8_t longer[CERT_SELF_SIGNED_MAX + 1] = {0};
    struct cert_leaf leaf;

    (void)state;
    memcpy(longer, der, der_len);
    assert_int_equal(cert_make_leaf(other, der, der_len, now, 0, &leaf),
                     KITH_ERR_CERT);
    assert_null(leaf.cert);
    assert_null(leaf.key);
    assert_int_equal(cert_make_leaf(key, der, der_len - 1, now, 0, &leaf),
                     KITH_ERR_CERT);
    assert_int_equal(cert_make_leaf(key, longer, der_len + 1, now, 0, &leaf),
                     KITH_ERR_CERT);
    assert_int_equal(cert_make_leaf(key, der, 0, now, 0, &leaf), KITH_ERR_CERT);
    assert_null(leaf.cert);
    assert_int_equal(ERR_peek_error(), 0);
}

static void parse_takes_exactly_one_certificate(void **state)
{
    uint8_t two[2 * CERT_SELF_SIGNED_MAX];
    X509 *cert = NULL;

    (void)state;
    memcpy(two, der, der_len);
    memcpy(two + der_len, der, der_len);
    for (size_t n = 0; n < der_len; n++) {
        assert_int_equal(cert_parse(&cert, two, n), KITH_ERR_CERT);
        assert_null(cert);
    }
    assert_int_equal(cert_parse(&cert, two, 2 * der_len), KITH_ERR_CERT);
    assert_int_equal(cert_parse(&cert, two, der_len), KITH_OK);
    cert_drop(cert);
    cert_drop(NULL);
    assert_int_equal(ERR_peek_error(), 0);
}

static void node_certificate_is_no_ca(void **state)
{
    X509 *cert = NULL;

    (void)state;
    assert_int_equal(cert_parse_ca(&cert, der, der_len), KITH_ERR_CERT);
    assert_null(cert);
}

static void ca_certificate_is_a_ca(void **state)
{
    X509 *made = parse_node();
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509_EXTENSION *ext =
        X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
    uint8_t *b = NULL;
    X509 *cert = NULL;

    (void)state;
    X509_EXTENSION_free(X509_delete_ext(made, 0));
    assert_int_equal(X509_add_ext(made, ext, -1), 1);
    assert_int_not_equal(X509_sign(made, pkey, EVP_sha256()), 0);
    int n = i2d_X509(made, &b);
    assert_int_equal(cert_parse_ca(&cert, b, (size_t)n), KITH_OK);
    cert_drop(cert);
    OPENSSL_free(b);
    X509_EXTENSION_free(ext);
    EVP_PKEY_free(pkey);
    cert_drop(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_certificate_is_as_documented),
        cmocka_unit_test(node_certificate_fits_or_is_not_written),
        cmocka_unit_test(leaf_is_as_documented),
        cmocka_unit_test(leaves_are_fresh),
        cmocka_unit_test(leaf_ends_in_a_week_or_never),
        cmocka_unit_test(leaf_needs_the_right_node_certificate),
        cmocka_unit_test(parse_takes_exactly_one_certificate),
        cmocka_unit_test(node_certificate_is_no_ca),
        cmocka_unit_test(ca_certificate_is_a_ca),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
