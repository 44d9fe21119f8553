/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "crypto/pem.h"

/* A certificate of a fresh key, as DER and as PEM. */
struct sample {
    uint8_t der[CERT_SELF_SIGNED_MAX];
    size_t n;
    char text[2048];
    size_t len;
};

static void make(struct sample *s)
{
    struct key *key = NULL;

    assert_int_equal(key_generate(&key), KITH_OK);
    assert_int_equal(cert_make_node(key, s->der, sizeof s->der, &s->n),
                     KITH_OK);
    key_free(key);
    assert_int_equal(
        pem_write_cert(s->der, s->n, s->text, sizeof s->text, &s->len),
        KITH_OK);
    assert_int_equal(strlen(s->text), s->len);
}

static void test_certificates(void **state)
{
    struct sample s;
    struct cert_der chain[3];
    uint8_t der[4096];
    char two[4096];
    size_t n = 0, len;

    (void)state;
    make(&s);
    assert_int_equal(
        pem_read_certs(s.text, s.len, der, sizeof der, chain, 3, &n), KITH_OK);
    assert_int_equal(n, 1);
    assert_int_equal(chain[0].n, s.n);
    assert_memory_equal(chain[0].p, s.der, s.n);

    memcpy(two, s.text, s.len);
    memcpy(two + s.len, s.text, s.len);
    len = 2 * s.len;
    assert_int_equal(pem_read_certs(two, len, der, sizeof der, chain, 3, &n),
                     KITH_OK);
    assert_int_equal(n, 2);
    assert_int_equal(pem_read_certs(two, len, der, sizeof der, chain, 1, &n),
                     KITH_ERR_CERT);
    assert_int_equal(pem_read_certs(two, len, der, 2 * s.n - 1, chain, 3, &n),
                     KITH_ERR_CERT);
}

static void test_refusals(void **state)
{
    struct sample s;
    struct cert_der chain[3];
    uint8_t der[4096];
    char small[64];
    size_t n = 0, len;

    (void)state;
    make(&s);
    assert_int_equal(pem_read_certs("", 0, der, sizeof der, chain, 3, &n),
                     KITH_ERR_CERT);
    assert_int_equal(
        pem_read_certs(s.text, s.len / 2, der, sizeof der, chain, 3, &n),
        KITH_ERR_CERT);
    s.text[s.len / 2] = '*';
    assert_int_equal(
        pem_read_certs(s.text, s.len, der, sizeof der, chain, 3, &n),
        KITH_ERR_CERT);
    assert_int_equal(pem_write_cert(s.der, s.n, small, sizeof small, &len),
                     KITH_ERR_FULL);
}

static void test_base64(void **state)
{
    static const char *const bad[] = {"",     "Z",    "Zg=", "Zg==\n",
                                      "Z*==", " Zg=", "===="};
    uint8_t out[16];
    char text[16];

    (void)state;
    assert_int_equal(pem_base64_decode("Zm9v", 4, out), 3);
    assert_memory_equal(out, "foo", 3);
    assert_int_equal(pem_base64_decode("Zm9vYg==", 8, out), 4);
    assert_memory_equal(out, "foob", 4);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pem_base64_decode(bad[i], strlen(bad[i]), out), 0);
    pem_base64_encode((const uint8_t *)"fooba", 5, text);
    assert_string_equal(text, "Zm9vYmE=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_base64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
