/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* Whether a code point may be shown; the list of text.h, said again. */
static bool is_allowed(uint32_t c)
{
    static const uint32_t refused[][2] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},
        {0x2028, 0x202e}, {0x2066, 0x2069}, {0xd800, 0xdfff},
    };

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (c >= refused[i][0] && c <= refused[i][1])
            return false;
    return true;
}

static size_t encode(char *s, uint32_t c)
{
    if (c < 0x80) {
        s[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        s[0] = (char)(0xc0 | c >> 6);
        s[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        s[0] = (char)(0xe0 | c >> 12);
        s[1] = (char)(0x80 | (c >> 6 & 0x3f));
        s[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    s[0] = (char)(0xf0 | c >> 18);
    s[1] = (char)(0x80 | (c >> 12 & 0x3f));
    s[2] = (char)(0x80 | (c >> 6 & 0x3f));
    s[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static void every_code_point(void **state)
{
    char s[4];

    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        size_t len = encode(s, c);

        assert_int_equal(text_char(s, len), is_allowed(c) ? len : 0);
        for (size_t n = 0; n < len; n++)
            assert_int_equal(text_char(s, n), 0);
    }
}

/* Together with every_code_point(): as many sequences are accepted as there
 * are code points to accept, so nothing else is. */
static void every_sequence_of_up_to_three_bytes(void **state)
{
    unsigned accepted[5] = {0};
    unsigned allowed[5] = {0};
    char s[4];

    (void)state;
    for (uint32_t c = 0; c < 0x10000; c++)
        if (is_allowed(c))
            allowed[encode(s, c)]++;
    for (uint32_t v = 0; v < 0x1000000; v++) {
        s[0] = (char)(v >> 16);
        s[1] = (char)(v >> 8);
        s[2] = (char)v;
        accepted[text_char(s, 3)]++;
    }
    assert_int_equal(accepted[1], allowed[1] << 16);
    assert_int_equal(accepted[2], allowed[2] << 8);
    assert_int_equal(accepted[3], allowed[3]);
    assert_int_equal(accepted[4], 0);
}

static void whole_strings(void **state)
{
    static const struct {
        const char *s;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ~ text", true},
        {"K\xc3\xb6ln \xe2\x82\xac \xf0\x9f\x98\x80", true},
        {"line\n", false},
        {"tab\t", false},
        {"\x1b[2J", false},
        {"ok then \xff", false},
        {"cut off \xe2\x82", false},
        {"overlong \xc0\xaf", false},
        {"overlong \xe0\x80\xaf", false},
        {"overlong \xf0\x80\x80\xaf", false},
        {"surrogate \xed\xa0\x80", false},
        {"beyond \xf4\x90\x80\x80", false},
        {"beyond \xf5\x80\x80\x80", false},
        {"stray \x80", false},
        {"C1 \xc2\x85", false},
        {"separator \xe2\x80\xa8", false},
        {"override \xe2\x80\xae", false},
        {"isolate \xe2\x81\xa6", false},
        {"mark \xe2\x80\x8f", false},
        {"letter mark \xd8\x9c", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(text_valid_utf8(cases[i].s, strlen(cases[i].s)),
                         cases[i].valid);
    assert_false(text_valid_utf8("a\0b", 3));
    assert_true(text_valid_utf8(NULL, 0));
}

static void hex_there_and_back(void **state)
{
    uint8_t bytes[256];
    uint8_t back[256];
    char hex[2 * 256 + 1];

    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(text_hex(hex, sizeof hex, bytes, 256), 512);
    assert_int_equal(strlen(hex), 512);
    assert_int_equal(strncmp(hex, "000102", 6), 0);
    assert_string_equal(hex + 506, "fdfeff");
    assert_int_equal(text_unhex(back, 256, hex, 512), KITH_OK);
    assert_memory_equal(bytes, back, 256);
    assert_int_equal(text_unhex(back, 3, "aBcDeF", 6), KITH_OK);
    assert_memory_equal(back, "\xab\xcd\xef", 3);
}

static void hex_that_does_not_fit(void **state)
{
    static const uint8_t bytes[] = {0xab, 0xcd};
    char hex[8];

    (void)state;
    for (size_t cap = 0; cap <= 6; cap++) {
        size_t whole = cap >= 5 ? 4 : cap >= 3 ? 2 : 0;

        memset(hex, '#', sizeof hex);
        assert_int_equal(text_hex(hex, cap, bytes, 2), whole);
        if (cap > 0)
            assert_int_equal(strlen(hex), whole);
        assert_int_equal(hex[cap], '#');
    }
}

static void what_is_not_hex(void **state)
{
    static const char *const bad[] = {"",       "a",    "ab",   "abc",  "abcde",
                                      "abcdef", "abcg", "abc ", "0xab", "+abc",
                                      "ab:d",   "ab/@", "`abc", "abG0"};
    uint8_t dst[2] = {0x55, 0x55};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(text_unhex(dst, 2, bad[i], strlen(bad[i])),
                         KITH_ERR_FORMAT);
    assert_int_equal(text_unhex(dst, SIZE_MAX / 2 + 2, "ab", 2),
                     KITH_ERR_FORMAT);
    assert_memory_equal(dst, "\x55\x55", 2);
    assert_int_equal(text_unhex(NULL, 0, "", 0), KITH_OK);
}

static void numbers(void **state)
{
    static const struct {
        const char *s;
        uint64_t min, max;
        int err;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0, KITH_OK, 0},
        {"7", 0, 10, KITH_OK, 7},
        {"10", 0, 10, KITH_OK, 10},
        {"11", 0, 10, KITH_ERR_RANGE, 0},
        {"0", 1, 10, KITH_ERR_RANGE, 0},
        {"18446744073709551615", 0, UINT64_MAX, KITH_OK, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, KITH_ERR_RANGE, 0},
        {"18446744073709551620", 0, UINT64_MAX, KITH_ERR_RANGE, 0},
        {"99999999999999999999999", 0, UINT64_MAX, KITH_ERR_RANGE, 0},
        {"99999999999999999999999x", 0, UINT64_MAX, KITH_ERR_FORMAT, 0},
        {"", 0, 10, KITH_ERR_FORMAT, 0},
        {"00", 0, 10, KITH_ERR_FORMAT, 0},
        {"07", 0, 10, KITH_ERR_FORMAT, 0},
        {"+7", 0, 10, KITH_ERR_FORMAT, 0},
        {"-7", 0, 10, KITH_ERR_FORMAT, 0},
        {" 7", 0, 10, KITH_ERR_FORMAT, 0},
        {"7 ", 0, 10, KITH_ERR_FORMAT, 0},
        {"0x7", 0, 10, KITH_ERR_FORMAT, 0},
        {"7.0", 0, 10, KITH_ERR_FORMAT, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t v = 0;

        assert_int_equal(text_u64(cases[i].s, cases[i].min, cases[i].max, &v),
                         cases[i].err);
        assert_true(v == cases[i].value);
    }
}

static void addresses(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1:16990"},
        {"192.0.2.1:1", "192.0.2.1:1"},
        {"192.0.2.1:65535", "192.0.2.1:65535"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"255.255.255.255", "255.255.255.255:16990"},
        {"2001:db8::1", "[2001:db8::1]:16990"},
        {"2001:DB8:0:0:0:0:0:1", "[2001:db8::1]:16990"},
        {"[2001:db8::1]", "[2001:db8::1]:16990"},
        {"[2001:db8::1]:7", "[2001:db8::1]:7"},
        {"2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:16990"},
        {"::", "[::]:16990"},
        {"[::1]:80", "[::1]:80"},
        {"fe80::1", "[fe80::1]:16990"},
        {"fe80::1%3", "[fe80::1%3]:16990"},
        {"[fe80::1%3]:7", "[fe80::1%3]:7"},
        {"::ffff:192.0.2.1", "192.0.2.1:16990"},
        {"[::ffff:192.0.2.1]:7", "192.0.2.1:7"},
        {"[febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535",
         "[febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535"},
    };
    char out[TEXT_ADDR_SIZE];
    struct addr a;
    struct addr again;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(text_addr_parse(&a, cases[i].in, 16990), KITH_OK);
        assert_int_equal(text_addr_format(out, sizeof out, &a), KITH_OK);
        assert_string_equal(out, cases[i].out);
        assert_int_equal(text_addr_parse(&again, out, 0), KITH_OK);
        assert_true(addr_equal(&a, &again));
    }
}

static void what_is_no_address(void **state)
{
    static const char *const bad[] = {
        "",
        ":",
        "::1::",
        "localhost",
        "example.org:80",
        "192.0.2",
        "1",
        "192.0.2.1.1",
        "192.0.2.256",
        "192.0.2.01",
        "0x7f.0.0.1",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:+1",
        "192.0.2.1:080",
        "192.0.2.1: 80",
        "192.0.2.1:80 ",
        " 192.0.2.1",
        "192.0.2.1 ",
        "192.0.2.1%3",
        "192.0.2.1:80:80",
        ":80",
        "[]",
        "[]:80",
        "[192.0.2.1]:80",
        "[192.0.2.1]",
        "[2001:db8::1",
        "2001:db8::1]",
        "[2001:db8::1]80",
        "[2001:db8::1]:",
        "[2001:db8::1]:65536",
        "[2001:db8::1]:80x",
        "[[::1]]:80",
        "2001:db8::g",
        "1:2:3:4:5:6:7:8:9",
        "2001:db8::1%3",
        "::1%1",
        "fe80::1%",
        "fe80::1%eth0",
        "fe80::1%0",
        "fe80::1%03",
        "fe80::1%4294967296",
        "fe80::1%3%3",
        "%3",
        "[%3]:80",
        "[fe80::1%3:80]",
        "[fe80::1%]:80",
        "::ffff:192.0.2.1%3",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222",
        "192.0.2.1:111111111111111111111111",
    };
    const struct addr before = {.family = 4, .port = 7};
    struct addr a = before;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (text_addr_parse(&a, bad[i], 16990) != KITH_ERR_FORMAT)
            fail_msg("accepted: %s", bad[i]);
        assert_true(addr_equal(&a, &before));
    }
}

static void an_address_that_does_not_fit(void **state)
{
    static const char longest[] =
        "[febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535";
    char out[TEXT_ADDR_SIZE];
    struct addr none = {0};
    struct addr a;

    (void)state;
    assert_int_equal(text_addr_parse(&a, longest, 0), KITH_OK);
    for (size_t cap = 0; cap < sizeof longest; cap++) {
        memset(out, '#', sizeof out);
        assert_int_equal(text_addr_format(out, cap, &a), KITH_ERR_FULL);
        assert_int_equal(out[0], cap > 0 ? '\0' : '#');
        assert_int_equal(out[cap], '#');
    }
    assert_int_equal(text_addr_format(out, sizeof longest, &a), KITH_OK);
    assert_string_equal(out, longest);
    assert_int_equal(text_addr_format(out, sizeof out, &none), KITH_ERR_FORMAT);
    assert_string_equal(out, "");
}

static void escaping(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"", ""},
        {"plain text ~", "plain text ~"},
        {"K\xc3\xb6ln", "K\xc3\xb6ln"},
        {"\x1b[31m\r\n\t\x7f", "\\x1b[31m\\x0d\\x0a\\x09\\x7f"},
        {"say \"a\\b\"", "say \\x22a\\x5cb\\x22"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc3\xb6\xc3", "\xc3\xb6\\xc3"},
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"\xc2\x9b", "\\xc2\\x9b"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            text_escape(out, sizeof out, cases[i].in, strlen(cases[i].in)),
            strlen(cases[i].out));
        assert_string_equal(out, cases[i].out);
    }
    assert_int_equal(text_escape(out, sizeof out, "a\0b", 3), 6);
    assert_string_equal(out, "a\\x00b");
}

static void escaping_cuts_between_characters(void **state)
{
    static const char in[] = "a\xc3\xb6\n\xe2\x82\xac";
    static const char all[] = "a\xc3\xb6\\x0a\xe2\x82\xac";
    /* the length of what fits into as many bytes */
    static const size_t fits[] = {0, 0, 1, 1, 3, 3, 3, 3, 7, 7, 7, 10};
    char out[16];

    (void)state;
    for (size_t cap = 0; cap < sizeof fits / sizeof fits[0]; cap++) {
        memset(out, '#', sizeof out);
        assert_int_equal(text_escape(out, cap, in, sizeof in - 1), fits[cap]);
        assert_int_equal(memcmp(out, all, fits[cap]), 0);
        if (cap > 0)
            assert_int_equal(out[fits[cap]], '\0');
        assert_int_equal(out[cap], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(every_sequence_of_up_to_three_bytes),
        cmocka_unit_test(whole_strings),
        cmocka_unit_test(hex_there_and_back),
        cmocka_unit_test(hex_that_does_not_fit),
        cmocka_unit_test(what_is_not_hex),
        cmocka_unit_test(numbers),
        cmocka_unit_test(addresses),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(an_address_that_does_not_fit),
        cmocka_unit_test(escaping),
        cmocka_unit_test(escaping_cuts_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
