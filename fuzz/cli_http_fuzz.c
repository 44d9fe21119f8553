/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: cli */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/http.h"
#include "cli/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came of a response: its body, and the events in it. */
struct outcome {
    int err, status;
    bool in_body, done;
    size_t body_len, events_len;
    uint8_t *body; /* room for the whole input */
    char *events;  /* likewise, each followed by a NUL */
    struct sse_reader sse;
};

static int on_body(void *arg, const uint8_t *bytes, size_t n)
{
    struct outcome *o = arg;
    const char *event;
    int err;

    assert(n > 0);
    memcpy(o->body + o->body_len, bytes, n);
    o->body_len += n;
    err = sse_feed(&o->sse, bytes, n);
    while (err == KITH_OK && (event = sse_next(&o->sse)) != NULL) {
        size_t len = strlen(event) + 1;

        memcpy(o->events + o->events_len, event, len);
        o->events_len += len;
    }
    return err;
}

/* Reads the input in pieces of `step` bytes. */
static struct outcome read_in_steps(const uint8_t *data, size_t size,
                                    size_t step)
{
    struct outcome o = {.body = malloc(size + 1), .events = malloc(size + 1)};
    struct http_reader r;

    assert(o.body != NULL && o.events != NULL);
    http_init(&r, on_body, &o);
    for (size_t i = 0; i < size && o.err == KITH_OK; i += step)
        o.err = http_feed(&r, data + i, size - i < step ? size - i : step);
    o.status = r.status;
    o.in_body = http_in_body(&r);
    o.done = http_done(&r);
    assert(o.err == KITH_OK || (!o.in_body && !o.done));
    assert(!o.in_body || (o.status >= 200 && o.status <= 599));
    sse_free(&o.sse);
    return o;
}

static void drop(struct outcome *o)
{
    free(o->body);
    free(o->events);
}

/* However a response is cut into pieces, the same comes of it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t step = size == 0 ? 1 : 1 + data[size / 2] % 64;

    if (size > SSE_BUFFER_MAX) /* it is the pieces that have to fit */
        return 0;
    struct outcome a = read_in_steps(data, size, 1);
    struct outcome b = read_in_steps(data, size, step);
    struct outcome c = read_in_steps(data, size, size + 1);

    assert(a.err == b.err && b.err == c.err);
    assert(a.in_body == b.in_body && b.in_body == c.in_body);
    assert(a.done == b.done && b.done == c.done);
    if (a.err == KITH_OK) {
        assert(a.body_len == b.body_len && b.body_len == c.body_len);
        assert(memcmp(a.body, b.body, a.body_len) == 0);
        assert(memcmp(a.body, c.body, a.body_len) == 0);
        assert(a.events_len == b.events_len && b.events_len == c.events_len);
        assert(memcmp(a.events, b.events, a.events_len) == 0);
        assert(memcmp(a.events, c.events, a.events_len) == 0);
    }
    drop(&a);
    drop(&b);
    drop(&c);
    return 0;
}
