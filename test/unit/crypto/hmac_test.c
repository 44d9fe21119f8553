/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <openssl/evp.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/hmac.h"

static void assert_hex(const uint8_t *got, const char *want)
{
    char hex[2 * HMAC_LEN + 1];

    text_hex(hex, sizeof hex, got, HMAC_LEN);
    assert_string_equal(hex, want);
}

/* RFC 4231, test case 2, whose key is shorter than ours: padded with zeros it
 * is the same key. */
static const uint8_t jefe[HMAC_KEY_LEN] = "Jefe";
static const char text[] = "what do ya want for nothing?";
static const char jefe_code[] =
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

static void agrees_with_the_standard(void **state)
{
    struct hmac *h = hmac_new();
    uint8_t out[HMAC_LEN];

    (void)state;
    assert_non_null(h);
    assert_int_equal(hmac_set_key(h, jefe), KITH_OK);
    for (size_t cut = 0; cut < sizeof text; cut++) {
        hmac_begin(h);
        hmac_add(h, text, cut);
        hmac_add(h, text + cut, sizeof text - 1 - cut);
        assert_int_equal(hmac_end(h, out), KITH_OK);
        assert_hex(out, jefe_code);
    }
    hmac_free(h);
}

/* Every length up to three blocks of SHA-256, against OpenSSL's own. */
static void agrees_with_openssl(void **state)
{
    struct hmac *h = hmac_new();
    uint8_t key[HMAC_KEY_LEN];
    uint8_t data[200];
    uint8_t ours[HMAC_LEN];
    uint8_t theirs[HMAC_LEN];

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i);
    for (size_t n = 0; n <= sizeof data; n++) {
        size_t len = 0;
        memset(key, (int)n, sizeof key);
        assert_int_equal(hmac_set_key(h, key), KITH_OK);
        hmac_begin(h);
        hmac_add(h, data, n);
        assert_int_equal(hmac_end(h, ours), KITH_OK);
        assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key,
                                  sizeof key, data, n, theirs, sizeof theirs,
                                  &len));
        assert_memory_equal(ours, theirs, HMAC_LEN);
    }
    hmac_free(h);
}

static void keeps_its_key_and_forgets_messages(void **state)
{
    struct hmac *h = hmac_new();
    uint8_t out[HMAC_LEN];

    (void)state;
    assert_non_null(h);
    assert_int_equal(hmac_set_key(h, jefe), KITH_OK);
    for (int i = 0; i < 3; i++) {
        hmac_begin(h);
        hmac_add(h, "left behind", 11);
        hmac_begin(h);
        hmac_add(h, text, sizeof text - 1);
        assert_int_equal(hmac_end(h, out), KITH_OK);
        assert_hex(out, jefe_code);
    }
    hmac_free(h);
}

static void refuses_without_key_or_begin(void **state)
{
    static const uint8_t zero[HMAC_LEN];
    struct hmac *h = hmac_new();
    uint8_t out[HMAC_LEN];

    (void)state;
    assert_non_null(h);
    memset(out, 1, sizeof out);
    hmac_begin(h);
    hmac_add(h, text, sizeof text - 1);
    assert_int_equal(hmac_end(h, out), KITH_ERR_CRYPTO);
    assert_memory_equal(out, zero, sizeof out);

    assert_int_equal(hmac_set_key(h, jefe), KITH_OK);
    memset(out, 1, sizeof out);
    assert_int_equal(hmac_end(h, out), KITH_ERR_CRYPTO);
    assert_memory_equal(out, zero, sizeof out);

    /* a new key ends the message of the old one */
    hmac_begin(h);
    assert_int_equal(hmac_set_key(h, jefe), KITH_OK);
    assert_int_equal(hmac_end(h, out), KITH_ERR_CRYPTO);
    hmac_free(h);
    hmac_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_standard),
        cmocka_unit_test(agrees_with_openssl),
        cmocka_unit_test(keeps_its_key_and_forgets_messages),
        cmocka_unit_test(refuses_without_key_or_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
