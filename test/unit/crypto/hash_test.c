/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/hash.h"

static void assert_hash(const struct hash *got, const char *want)
{
    char hex[2 * HASH_LEN + 1];

    text_hex(hex, sizeof hex, got->b, sizeof got->b);
    assert_string_equal(hex, want);
}

/* FIPS 180-2, appendix B, and the empty string. */
static const struct {
    const char *text;
    const char *digest;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void agrees_with_the_standard(void **state)
{
    struct hasher *h = hasher_new();
    struct hash got;

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        size_t n = strlen(vectors[i].text);
        assert_int_equal(hash_sha256(&got, vectors[i].text, n), KITH_OK);
        assert_hash(&got, vectors[i].digest);
        hasher_begin(h);
        hasher_add(h, vectors[i].text, n);
        assert_int_equal(hasher_end(h, &got), KITH_OK);
        assert_hash(&got, vectors[i].digest);
    }
    hasher_free(h);
}

static void hashes_a_million_bytes_in_pieces(void **state)
{
    struct hasher *h = hasher_new();
    uint8_t piece[1000];
    struct hash got;

    (void)state;
    assert_non_null(h);
    memset(piece, 'a', sizeof piece);
    hasher_begin(h);
    for (int i = 0; i < 1000; i++)
        hasher_add(h, piece, sizeof piece);
    assert_int_equal(hasher_end(h, &got), KITH_OK);
    assert_hash(
        &got,
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    hasher_free(h);
}

/* However a message is cut in two, its digest is the same. */
static void cuts_make_no_difference(void **state)
{
    struct hasher *h = hasher_new();
    uint8_t data[150];
    struct hash whole;
    struct hash cut;

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(7 * i);
    assert_int_equal(hash_sha256(&whole, data, sizeof data), KITH_OK);
    for (size_t i = 0; i <= sizeof data; i++) {
        hasher_begin(h);
        hasher_add(h, data, i);
        hasher_add(h, NULL, 0);
        hasher_add(h, data + i, sizeof data - i);
        assert_int_equal(hasher_end(h, &cut), KITH_OK);
        assert_true(hash_equal(&whole, &cut));
    }
    hasher_free(h);
}

static void begin_forgets(void **state)
{
    struct hasher *h = hasher_new();
    struct hash got;

    (void)state;
    assert_non_null(h);
    hasher_begin(h);
    hasher_add(h, "left behind", 11);
    hasher_begin(h);
    hasher_add(h, "abc", 3);
    assert_int_equal(hasher_end(h, &got), KITH_OK);
    assert_hash(&got, vectors[1].digest);
    hasher_free(h);
}

static void refuses_to_end_what_was_not_begun(void **state)
{
    static const struct hash zero;
    struct hasher *h = hasher_new();
    struct hash got;

    (void)state;
    assert_non_null(h);
    memset(&got, 1, sizeof got);
    hasher_add(h, "abc", 3);
    assert_int_equal(hasher_end(h, &got), KITH_ERR_CRYPTO);
    assert_true(hash_equal(&got, &zero));
    hasher_begin(h);
    assert_int_equal(hasher_end(h, &got), KITH_OK);
    assert_int_equal(hasher_end(h, &got), KITH_ERR_CRYPTO);
    assert_true(hash_equal(&got, &zero));
    hasher_free(h);
    hasher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_standard),
        cmocka_unit_test(hashes_a_million_bytes_in_pieces),
        cmocka_unit_test(cuts_make_no_difference),
        cmocka_unit_test(begin_forgets),
        cmocka_unit_test(refuses_to_end_what_was_not_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
