/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_HTTP_H
#define KITH_CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads one HTTP/1.1 response (RFC 9112), in any cut, and nothing that the
 * daemon does not send: a body has a Content-Length or is chunked, without
 * extensions and trailers; no interim responses, no folded lines. Whatever is
 * not just so is refused, for then it is not the daemon that answers.
 */

enum {
    HTTP_LINE_MAX = 1024, /* bytes of a line, without its end */
    HTTP_HEAD_MAX = 8192, /* bytes before the body */
    HTTP_CHUNK_DIGITS = 8,
};

enum http_state {
    HTTP_STATUS_LINE,
    HTTP_HEADER,
    HTTP_BODY,       /* `left` bytes more */
    HTTP_CHUNK_SIZE, /* its line */
    HTTP_CHUNK,      /* `left` bytes more */
    HTTP_CHUNK_END,  /* the line feed behind it */
    HTTP_LAST_LINE,  /* behind the last chunk */
    HTTP_DONE,
    HTTP_REFUSED,
};

struct http_reader {
    enum http_state state;
    int status; /* 200 to 599; known when http_in_body() or http_done() */
    bool has_length, chunked;
    uint64_t left;
    size_t head_len; /* bytes of the head so far */
    size_t line_len;
    char line[HTTP_LINE_MAX + 1];

    /* Gets the body, piece by piece, none of them empty. Anything but
     * KITH_OK ends the reading with that error. */
    int (*body)(void *arg, const uint8_t *bytes, size_t n);
    void *arg;
};

/* Begins a response. body may be NULL: then it is read and dropped. */
void http_init(struct http_reader *r,
               int (*body)(void *arg, const uint8_t *bytes, size_t n),
               void *arg);

/*
 * Takes the next n bytes. Returns KITH_OK; KITH_ERR_FORMAT: not such a
 * response; KITH_ERR_RANGE: a line, the head or a number is too long;
 * KITH_ERR_TRAILING: bytes behind the end; or what body() returned. After an
 * error there is only the same again.
 */
int http_feed(struct http_reader *r, const void *bytes, size_t n);

/* The head was read, so status is known. */
bool http_in_body(const struct http_reader *r);

/* All of it was read. */
bool http_done(const struct http_reader *r);

#endif
