/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "cli/base64.h"

static void assert_bytes(const char *text, const char *expected)
{
    uint8_t *bytes;
    size_t n;

    assert_int_equal(base64_decode(text, &bytes, &n), KITH_OK);
    assert_non_null(bytes);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(bytes, expected, n);
    free(bytes);
}

static void test_decode(void **state)
{
    (void)state;
    /* RFC 4648, section 10 */
    assert_bytes("", "");
    assert_bytes("Zg==", "f");
    assert_bytes("Zm8=", "fo");
    assert_bytes("Zm9v", "foo");
    assert_bytes("Zm9vYg==", "foob");
    assert_bytes("Zm9vYmE=", "fooba");
    assert_bytes("Zm9vYmFy", "foobar");
    assert_bytes("++//", "\xfb\xef\xff");
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"Z",
                                      "Zg",
                                      "Zg=",
                                      "Z===",
                                      "====",
                                      "=",
                                      "Zg==Zg==",
                                      "Zm=v",
                                      "Zm9v\n",
                                      "Zm9v Zm9v",
                                      "Zm 9",
                                      "__--",
                                      "Zh==",
                                      "Zm9=",
                                      "Zm9vYg=",
                                      "Zm9v=",
                                      "\xc3\xa4\xc3\xa4",
                                      "Zm8=====",
                                      "Z=8="};
    uint8_t *bytes;
    size_t n;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (base64_decode(bad[i], &bytes, &n) != KITH_ERR_FORMAT)
            fail_msg("accepted: %s", bad[i]);
        assert_null(bytes);
    }
}

static void assert_pem(const char *text, const char *expected)
{
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);

    assert_non_null(file);
    base64_pem(file, "X", text);
    fclose(file);
    assert_string_equal(out, expected);
    free(out);
}

static void test_pem(void **state)
{
    char text[131];

    (void)state;
    assert_pem("Zm9v", "-----BEGIN X-----\nZm9v\n-----END X-----\n");
    memset(text, 'A', sizeof text);
    text[64] = '\0';
    assert_pem(text, "-----BEGIN X-----\n"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                     "-----END X-----\n");
    text[64] = 'A';
    text[68] = '\0';
    assert_pem(text, "-----BEGIN X-----\n"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                     "AAAA\n-----END X-----\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_pem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
