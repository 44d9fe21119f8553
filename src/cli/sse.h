/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_SSE_H
#define KITH_CLI_SSE_H

#include <stddef.h>

/*
 * Reads server-sent events (WHATWG HTML, section 9.2) as the daemon writes
 * them: lines end in LF, an event has one line "data:" with JSON in it and
 * ends with an empty line. Comments and other fields are passed over.
 */

enum {
    SSE_BUFFER_MAX = 256 * 1024, /* bytes that were fed and not yet taken */
};

/* All zero is an empty reader. */
struct sse_reader {
    char *buf;
    size_t len, cap;
    size_t at; /* of the first byte not yet looked at */
};

/* Frees what it holds. */
void sse_free(struct sse_reader *r);

/* Takes the next n bytes. Returns KITH_OK, KITH_ERR_NOMEM, or KITH_ERR_RANGE
 * when that would be too many at a time. */
int sse_feed(struct sse_reader *r, const void *bytes, size_t n);

/* The data of the next event, ended with NUL and valid until the next call
 * of any of these; NULL when no whole event is there. */
const char *sse_next(struct sse_reader *r);

#endif
