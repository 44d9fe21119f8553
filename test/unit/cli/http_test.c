/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "cli/http.h"

enum {
    BODY_SIZE = 4096,
};

struct seen {
    char body[BODY_SIZE];
    size_t len;
    int err; /* to return */
};

static int on_body(void *arg, const uint8_t *bytes, size_t n)
{
    struct seen *s = arg;

    assert_true(n > 0);
    assert_true(s->len + n < sizeof s->body);
    memcpy(s->body + s->len, bytes, n);
    s->len += n;
    s->body[s->len] = '\0';
    return s->err;
}

/* Feeds the text in pieces of `step` bytes, each in memory of its own. */
static int feed(struct http_reader *r, struct seen *s, const char *text,
                size_t step)
{
    size_t len = strlen(text);
    int err = KITH_OK;

    memset(s, 0, sizeof *s);
    http_init(r, on_body, s);
    for (size_t i = 0; i < len && err == KITH_OK; i += step) {
        size_t n = len - i < step ? len - i : step;
        char *piece = malloc(n);

        assert_non_null(piece);
        memcpy(piece, text + i, n);
        err = http_feed(r, piece, n);
        free(piece);
    }
    return err;
}

/* Whole, byte by byte, and in other pieces, it is always the same. */
static void assert_response(const char *text, int status, const char *body)
{
    static const size_t steps[] = {1, 2, 3, 7, 100000};
    struct http_reader r;
    struct seen s;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(feed(&r, &s, text, steps[i]), KITH_OK);
        assert_true(http_done(&r));
        assert_true(http_in_body(&r));
        assert_int_equal(r.status, status);
        assert_string_equal(s.body, body);
    }
}

static void assert_refused(const char *text, int expected)
{
    static const size_t steps[] = {1, 5, 100000};
    struct http_reader r;
    struct seen s;

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int err = feed(&r, &s, text, steps[i]);

        if (err != expected)
            fail_msg("%d instead of %d for: %s", err, expected, text);
        assert_false(http_done(&r));
        assert_false(http_in_body(&r));
        assert_int_not_equal(http_feed(&r, "x", 1), KITH_OK);
    }
}

static void assert_unfinished(const char *text)
{
    struct http_reader r;
    struct seen s;

    assert_int_equal(feed(&r, &s, text, 1), KITH_OK);
    assert_false(http_done(&r));
}

/* -- what is read ----------------------------------------------------- */

static void test_length(void **state)
{
    (void)state;
    assert_response("HTTP/1.1 200 OK\r\n"
                    "Content-Type: application/json\r\n"
                    "Content-Length: 5\r\n\r\nhello",
                    200, "hello");
    assert_response("HTTP/1.1 404 \r\ncontent-LENGTH:  1 \t\r\n\r\nx", 404,
                    "x");
    assert_response("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "");
    assert_response("HTTP/1.1 200 OK\r\nEmpty:\r\nContent-Length: 3\r\n\r\n"
                    "\r\n\r",
                    200, "\r\n\r");
}

static void test_no_content(void **state)
{
    (void)state;
    assert_response("HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n", 204, "");
    assert_response("HTTP/1.1 304 Not Modified\r\n\r\n", 304, "");
}

static void test_chunked(void **state)
{
    (void)state;
    assert_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "5\r\nhello\r\n1\r\n \r\n00000005\r\nworld\r\n0\r\n\r\n",
                    200, "hello world");
    assert_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
                    "A\r\n0123456789\r\n0\r\n\r\n",
                    200, "0123456789");
    assert_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "0\r\n\r\n",
                    200, "");
}

static void test_unfinished(void **state)
{
    static const char whole[] =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n0\r\n\r\n";
    char text[sizeof whole];

    (void)state;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        memcpy(text, whole, n);
        text[n] = '\0';
        assert_unfinished(text);
    }
    assert_unfinished("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell");
}

static void test_without_body_function(void **state)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    struct http_reader r;

    (void)state;
    http_init(&r, NULL, NULL);
    assert_int_equal(http_feed(&r, text, strlen(text)), KITH_OK);
    assert_true(http_done(&r));
}

static void test_body_says_no(void **state)
{
    static const char text[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    struct seen s = {.err = KITH_ERR_NOMEM};
    struct http_reader r;

    (void)state;
    http_init(&r, on_body, &s);
    assert_int_equal(http_feed(&r, text, strlen(text)), KITH_ERR_NOMEM);
    assert_false(http_done(&r));
}

/* -- what is not ------------------------------------------------------ */

static void test_bad_status(void **state)
{
    (void)state;
    assert_refused("HTTP/1.0 200 OK\r\n", KITH_ERR_FORMAT);
    assert_refused("HTTP/2 200 OK\r\n", KITH_ERR_FORMAT);
    assert_refused("http/1.1 200 OK\r\n", KITH_ERR_FORMAT);
    assert_refused("HTTP/1.1 200\r\n", KITH_ERR_FORMAT);
    assert_refused("HTTP/1.1  200 OK\r\n", KITH_ERR_FORMAT);
    assert_refused("HTTP/1.1 20 OK\r\n", KITH_ERR_FORMAT);
    assert_refused("HTTP/1.1 2000 OK\r\n", KITH_ERR_FORMAT);
    assert_refused("HTTP/1.1 199 x\r\n", KITH_ERR_FORMAT);
    assert_refused("HTTP/1.1 100 Continue\r\n", KITH_ERR_FORMAT);
    assert_refused("HTTP/1.1 600 x\r\n", KITH_ERR_FORMAT);
    assert_refused("SSH-2.0-OpenSSH\r\n", KITH_ERR_FORMAT);
    assert_refused("\r\n", KITH_ERR_FORMAT);
}

#define OK_ "HTTP/1.1 200 OK\r\n"

static void test_bad_headers(void **state)
{
    (void)state;
    assert_refused(OK_ "no colon\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ ": no name\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Blank : x\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ " folded: x\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "A: b\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "A: b\rc\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "A: \x01\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Content-Length: 1\r\nContent-Length: 1\r\n",
                   KITH_ERR_FORMAT);
    assert_refused(OK_ "Content-Length: -1\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Content-Length: 1, 1\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Content-Length: 0x1\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Content-Length: 01\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Content-Length:\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Content-Length: 4294967296\r\n", KITH_ERR_RANGE);
    assert_refused(OK_ "Content-Length: 99999999999999999999999\r\n",
                   KITH_ERR_RANGE);
    assert_refused(OK_ "Transfer-Encoding: gzip\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Transfer-Encoding: gzip, chunked\r\n", KITH_ERR_FORMAT);
    assert_refused(OK_ "Transfer-Encoding: chunked\r\n"
                       "Transfer-Encoding: chunked\r\n",
                   KITH_ERR_FORMAT);
    assert_refused(OK_ "Transfer-Encoding: chunked\r\n"
                       "Content-Length: 1\r\n\r\n",
                   KITH_ERR_FORMAT);
    /* a body that only the end of the connection ends */
    assert_refused(OK_ "\r\n", KITH_ERR_FORMAT);
}

static void test_bad_chunks(void **state)
{
#define CHUNKED_ OK_ "Transfer-Encoding: chunked\r\n\r\n"
    (void)state;
    assert_refused(CHUNKED_ "\r\n", KITH_ERR_FORMAT);
    assert_refused(CHUNKED_ "g\r\n", KITH_ERR_FORMAT);
    assert_refused(CHUNKED_ "-1\r\n", KITH_ERR_FORMAT);
    assert_refused(CHUNKED_ " 1\r\n", KITH_ERR_FORMAT);
    assert_refused(CHUNKED_ "1;a=b\r\n", KITH_ERR_FORMAT);
    assert_refused(CHUNKED_ "1\n", KITH_ERR_FORMAT);
    assert_refused(CHUNKED_ "000000001\r\n", KITH_ERR_RANGE);
    assert_refused(CHUNKED_ "1\r\nxy", KITH_ERR_FORMAT);
    assert_refused(CHUNKED_ "1\r\nx\n", KITH_ERR_FORMAT);
    assert_refused(CHUNKED_ "0\r\nTrailer: x\r\n", KITH_ERR_FORMAT);
}

static void test_trailing(void **state)
{
    struct http_reader r;
    struct seen s;

    (void)state;
    assert_int_equal(feed(&r, &s, OK_ "Content-Length: 1\r\n\r\nxy", 100000),
                     KITH_ERR_TRAILING);
    assert_int_equal(feed(&r, &s, CHUNKED_ "0\r\n\r\n\r\n", 1),
                     KITH_ERR_TRAILING);
}

/* Feeds a line of n characters after `before`. */
static int long_line(const char *before, size_t n, int lines)
{
    struct http_reader r;
    char *line = malloc(n + 1);
    int err;

    assert_non_null(line);
    memset(line, 'a', n);
    http_init(&r, NULL, NULL);
    err = http_feed(&r, before, strlen(before));
    while (err == KITH_OK && lines-- > 0) {
        err = http_feed(&r, "A:", 2);
        if (err == KITH_OK)
            err = http_feed(&r, line, n);
        if (err == KITH_OK)
            err = http_feed(&r, "\r\n", 2);
    }
    free(line);
    return err;
}

static void test_long(void **state)
{
    (void)state;
    /* the CR counts */
    assert_int_equal(long_line(OK_, HTTP_LINE_MAX - 3, 1), KITH_OK);
    assert_int_equal(long_line(OK_, HTTP_LINE_MAX - 2, 1), KITH_ERR_RANGE);
    assert_int_equal(long_line(OK_, 996, 8), KITH_OK);
    assert_int_equal(long_line(OK_, 996, 9), KITH_ERR_RANGE);
    assert_int_equal(long_line("", 1100, 1), KITH_ERR_RANGE);
    /* the chunks are not the head: there may be any number of them */
    struct http_reader r;
    http_init(&r, NULL, NULL);
    assert_int_equal(http_feed(&r, CHUNKED_, strlen(CHUNKED_)), KITH_OK);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(http_feed(&r, "1\r\nx\r\n", 6), KITH_OK);
    assert_int_equal(http_feed(&r, "0\r\n\r\n", 5), KITH_OK);
    assert_true(http_done(&r));
}

static void test_zero_byte(void **state)
{
    struct http_reader r;

    (void)state;
    http_init(&r, NULL, NULL);
    assert_int_equal(http_feed(&r, "HTTP/1.1 200 OK\0\r\n", 18),
                     KITH_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_no_content),
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_without_body_function),
        cmocka_unit_test(test_body_says_no),
        cmocka_unit_test(test_bad_status),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_bad_chunks),
        cmocka_unit_test(test_trailing),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_zero_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
