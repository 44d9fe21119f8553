/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sse.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void sse_free(struct sse_reader *r)
{
    free(r->buf);
    memset(r, 0, sizeof *r);
}

/* Moves what was not looked at to the front. */
static void compact(struct sse_reader *r)
{
    if (r->at > 0)
        memmove(r->buf, r->buf + r->at, r->len - r->at);
    r->len -= r->at;
    r->at = 0;
}

int sse_feed(struct sse_reader *r, const void *bytes, size_t n)
{
    compact(r);
    if (n > SSE_BUFFER_MAX - r->len)
        return KITH_ERR_RANGE;
    if (n > r->cap - r->len) {
        size_t cap =
            r->len + n < SSE_BUFFER_MAX / 2 ? 2 * (r->len + n) : SSE_BUFFER_MAX;
        char *buf = realloc(r->buf, cap);

        if (buf == NULL)
            return KITH_ERR_NOMEM;
        r->buf = buf;
        r->cap = cap;
    }
    if (n > 0)
        memcpy(r->buf + r->len, bytes, n);
    r->len += n;
    return KITH_OK;
}

/* Takes the next line and ends it with NUL; NULL when it is not whole. */
static char *next_line(struct sse_reader *r)
{
    char *line = r->buf + r->at;
    char *end = r->at == r->len ? NULL : memchr(line, '\n', r->len - r->at);

    if (end == NULL)
        return NULL;
    *end = '\0';
    r->at += (size_t)(end - line) + 1;
    return line;
}

/* Where the event that begins at r->at ends, or 0 when it is not all there:
 * behind its empty line. */
static size_t event_end(const struct sse_reader *r)
{
    for (size_t i = r->at; i < r->len; i++)
        if (r->buf[i] == '\n' && (i == r->at || r->buf[i - 1] == '\n'))
            return i + 1;
    return 0;
}

const char *sse_next(struct sse_reader *r)
{
    size_t end;

    while ((end = event_end(r)) != 0) {
        const char *data = NULL;

        while (r->at < end) {
            char *line = next_line(r);

            if (data == NULL && strncmp(line, "data:", 5) == 0)
                data = line + 5 + (line[5] == ' ');
        }
        if (data != NULL)
            return data;
    }
    return NULL;
}
