/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/kdf.h"

static struct kdf *kdf;

static int setup(void **state)
{
    (void)state;
    kdf = kdf_new();
    return kdf == NULL;
}

static int teardown(void **state)
{
    (void)state;
    kdf_free(kdf);
    kdf_free(NULL);
    return 0;
}

static void unhex(void *dst, size_t n, const char *hex)
{
    assert_int_equal(text_unhex(dst, n, hex, strlen(hex)), KITH_OK);
}

static void assert_hex(const void *got, size_t n, const char *want)
{
    char hex[512];

    assert_true(2 * n < sizeof hex);
    text_hex(hex, sizeof hex, got, n);
    assert_string_equal(hex, want);
}

static void count_up(uint8_t *b, size_t n, uint8_t first)
{
    for (size_t i = 0; i < n; i++)
        b[i] = (uint8_t)(first + i);
}

/* RFC 4231, test cases 1 to 4: those whose keys are at most 32 bytes. HMAC
 * pads keys with zeros, so ours are the same keys. */
static void hmac_agrees_with_rfc_4231(void **state)
{
    uint8_t key[KDF_KEY_LEN] = {0};
    uint8_t data[50];
    uint8_t out[KDF_KEY_LEN];

    (void)state;
    memset(key, 0x0b, 20);
    assert_int_equal(kdf_hmac(kdf, key, "Hi There", 8, NULL, 0, out), KITH_OK);
    assert_hex(
        out, 32,
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");

    memset(key, 0, sizeof key);
    memcpy(key, "Jefe", 4);
    assert_int_equal(
        kdf_hmac(kdf, key, "what do ya want ", 16, "for nothing?", 12, out),
        KITH_OK);
    assert_hex(
        out, 32,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    memset(key, 0, sizeof key);
    memset(key, 0xaa, 20);
    memset(data, 0xdd, sizeof data);
    assert_int_equal(kdf_hmac(kdf, key, NULL, 0, data, 50, out), KITH_OK);
    assert_hex(
        out, 32,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");

    memset(key, 0, sizeof key);
    count_up(key, 25, 0x01);
    memset(data, 0xcd, sizeof data);
    assert_int_equal(kdf_hmac(kdf, key, data, 1, data + 1, 49, out), KITH_OK);
    assert_hex(
        out, 32,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

/* RFC 5869, appendix A. Extract is HMAC under the salt; that of test case 2
 * is too long for our keys. */
static void extract_agrees_with_rfc_5869(void **state)
{
    uint8_t salt[KDF_KEY_LEN] = {0};
    uint8_t ikm[22];
    uint8_t prk[KDF_KEY_LEN];

    (void)state;
    memset(ikm, 0x0b, sizeof ikm);
    assert_int_equal(kdf_hmac(kdf, salt, ikm, sizeof ikm, NULL, 0, prk),
                     KITH_OK);
    assert_hex(
        prk, 32,
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
    count_up(salt, 13, 0x00);
    assert_int_equal(kdf_hmac(kdf, salt, ikm, sizeof ikm, NULL, 0, prk),
                     KITH_OK);
    assert_hex(
        prk, 32,
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
}

static void expand_agrees_with_rfc_5869(void **state)
{
    uint8_t prk[KDF_KEY_LEN];
    uint8_t info[80];
    uint8_t out[82];

    (void)state;
    unhex(prk, sizeof prk,
          "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
    count_up(info, 10, 0xf0);
    assert_int_equal(kdf_expand(kdf, prk, info, 10, out, 42), KITH_OK);
    assert_hex(out, 42,
               "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5"
               "bf34007208d5b887185865");

    unhex(prk, sizeof prk,
          "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244");
    count_up(info, 80, 0xb0);
    assert_int_equal(kdf_expand(kdf, prk, info, 80, out, 82), KITH_OK);
    assert_hex(out, 82,
               "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa9"
               "7c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3"
               "db71cc30c58179ec3e87c14c01d5c1f3434f1d87");

    unhex(prk, sizeof prk,
          "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
    assert_int_equal(kdf_expand(kdf, prk, NULL, 0, out, 42), KITH_OK);
    assert_hex(out, 42,
               "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d"
               "2d9d201395faa4b61a96c8");
}

/* A shorter output is the beginning of a longer one, and the longest that
 * the RFC allows works. */
static void expand_gives_any_length(void **state)
{
    static uint8_t longest[KDF_EXPAND_MAX + 1];
    uint8_t prk[KDF_KEY_LEN] = {1};
    uint8_t some[130];

    (void)state;
    assert_int_equal(kdf_expand(kdf, prk, "label", 5, longest, KDF_EXPAND_MAX),
                     KITH_OK);
    for (size_t n = 0; n < sizeof some; n++) {
        memset(some, 0xee, sizeof some);
        assert_int_equal(kdf_expand(kdf, prk, "label", 5, some, n), KITH_OK);
        assert_memory_equal(some, longest, n);
        assert_int_equal(some[n], 0xee);
    }
    assert_int_equal(
        kdf_expand(kdf, prk, "label", 5, longest, KDF_EXPAND_MAX + 1),
        KITH_ERR_RANGE);
}

/*
 * Computed with Python 3's hmac and hashlib:
 *
 *   from hmac import digest as h
 *   up = lambda first: bytes(range(first, first + 32))
 *   k = h(up(0x00), b"kith1 session" + up(0x40), "sha256")
 *   info, t, keys = b"kith1 keys" + up(0x80) + up(0xc0), b"", b""
 *   for i in range(1, 5):
 *       t = h(k, t + info + bytes([i]), "sha256")
 *       keys += t
 */
static void session_agrees_with_python(void **state)
{
    uint8_t secret[KDF_KEY_LEN];
    struct node_id a;
    struct node_id b;
    struct mesh_id mesh;
    uint8_t k[KDF_KEY_LEN];
    struct session_keys keys;

    (void)state;
    count_up(secret, sizeof secret, 0x00);
    count_up(a.b, sizeof a.b, 0x40);
    count_up(b.b, sizeof b.b, 0x80);
    count_up(mesh.b, sizeof mesh.b, 0xc0);
    assert_int_equal(kdf_session_key(kdf, secret, &a, k), KITH_OK);
    assert_hex(
        k, sizeof k,
        "0ef086af38cf4b4aa5a065609fa962267b2e260b4ba617893ea22549b25fe4a0");
    assert_int_equal(kdf_session_keys(kdf, k, &b, &mesh, &keys), KITH_OK);
    assert_hex(
        keys.a2b_enc, 32,
        "fc3b62c95a033228f597173dcb0edbaacdfc5c3982de5b3cff53659478602d6d");
    assert_hex(
        keys.a2b_mac, 32,
        "0b5970eb2eb6b3a82bf6ed3bb7861235472ea3bdd17b894b8ccc0f28e022290f");
    assert_hex(
        keys.b2a_enc, 32,
        "a32b28488ebc761b185cc0ce3fb7a2f183b5b7c40ded7f731e8607d9351bb876");
    assert_hex(
        keys.b2a_mac, 32,
        "2f6483007d6084c3361a3cb7aecbbb96d3dda2d23ec3f743972191c9bf9b4238");
}

/* Whatever goes into the keys changes all of them. */
static void every_input_counts(void **state)
{
    uint8_t secret[KDF_KEY_LEN] = {1};
    struct node_id a = {{2}};
    struct node_id b = {{3}};
    struct mesh_id mesh = {{4}};
    uint8_t *inputs[] = {secret, a.b, b.b, mesh.b};
    uint8_t k[KDF_KEY_LEN];
    struct session_keys was;
    struct session_keys is;

    (void)state;
    assert_int_equal(kdf_session_key(kdf, secret, &a, k), KITH_OK);
    assert_int_equal(kdf_session_keys(kdf, k, &b, &mesh, &was), KITH_OK);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        inputs[i][31] ^= 1;
        assert_int_equal(kdf_session_key(kdf, secret, &a, k), KITH_OK);
        assert_int_equal(kdf_session_keys(kdf, k, &b, &mesh, &is), KITH_OK);
        inputs[i][31] ^= 1;
        assert_memory_not_equal(was.a2b_enc, is.a2b_enc, KDF_KEY_LEN);
        assert_memory_not_equal(was.a2b_mac, is.a2b_mac, KDF_KEY_LEN);
        assert_memory_not_equal(was.b2a_enc, is.b2a_enc, KDF_KEY_LEN);
        assert_memory_not_equal(was.b2a_mac, is.b2a_mac, KDF_KEY_LEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_agrees_with_rfc_4231),
        cmocka_unit_test(extract_agrees_with_rfc_5869),
        cmocka_unit_test(expand_agrees_with_rfc_5869),
        cmocka_unit_test(expand_gives_any_length),
        cmocka_unit_test(session_agrees_with_python),
        cmocka_unit_test(every_input_counts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
