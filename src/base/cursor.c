/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"

/* A pointer may be NULL when there is nothing to point at, and C allows
 * neither NULL + 0 nor memcpy(NULL, NULL, 0): hence the tests for n > 0. */

void cursor_init(struct cursor *c, const void *data, size_t len)
{
    assert(data != NULL || len == 0);
    c->p = data;
    c->left = len;
}

int cursor_bytes(struct cursor *c, const uint8_t **out, size_t n)
{
    if (n > c->left)
        return KITH_ERR_TRUNCATED;
    *out = c->p;
    if (n > 0) {
        c->p += n;
        c->left -= n;
    }
    return KITH_OK;
}

/* Reads a big-endian number of n <= 8 bytes. */
static int number(struct cursor *c, uint64_t *out, size_t n)
{
    const uint8_t *p;
    int err = cursor_bytes(c, &p, n);

    if (err != KITH_OK)
        return err;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out = *out << 8 | p[i];
    return KITH_OK;
}

int cursor_u8(struct cursor *c, uint8_t *out)
{
    uint64_t v;
    int err = number(c, &v, sizeof *out);

    if (err == KITH_OK)
        *out = (uint8_t)v;
    return err;
}

int cursor_u16(struct cursor *c, uint16_t *out)
{
    uint64_t v;
    int err = number(c, &v, sizeof *out);

    if (err == KITH_OK)
        *out = (uint16_t)v;
    return err;
}

int cursor_u32(struct cursor *c, uint32_t *out)
{
    uint64_t v;
    int err = number(c, &v, sizeof *out);

    if (err == KITH_OK)
        *out = (uint32_t)v;
    return err;
}

int cursor_u64(struct cursor *c, uint64_t *out)
{
    return number(c, out, sizeof *out);
}

int cursor_copy(struct cursor *c, void *dst, size_t n)
{
    const uint8_t *p;
    int err = cursor_bytes(c, &p, n);

    if (err == KITH_OK && n > 0)
        memcpy(dst, p, n);
    return err;
}

int cursor_sub(struct cursor *c, size_t n, struct cursor *sub)
{
    const uint8_t *p;
    int err;

    assert(sub != c);
    err = cursor_bytes(c, &p, n);
    if (err == KITH_OK)
        cursor_init(sub, p, n);
    return err;
}

int cursor_skip(struct cursor *c, size_t n)
{
    const uint8_t *p;

    return cursor_bytes(c, &p, n);
}

int cursor_end(const struct cursor *c)
{
    return c->left == 0 ? KITH_OK : KITH_ERR_TRAILING;
}

void writer_init(struct writer *w, void *buf, size_t cap)
{
    assert(buf != NULL || cap == 0);
    *w = (struct writer){.p = buf, .cap = cap};
}

/* Makes room for n > 0 bytes; NULL when there is none. */
static uint8_t *extend(struct writer *w, size_t n)
{
    uint8_t *at;

    assert(w->len <= w->cap);
    if (n > writer_room(w)) {
        w->overflow = true;
        return NULL;
    }
    at = w->p + w->len;
    w->len += n;
    return at;
}

static void store(uint8_t *at, uint64_t v, size_t n)
{
    for (size_t i = n; i > 0; i--) {
        at[i - 1] = (uint8_t)v;
        v >>= 8;
    }
}

static void append(struct writer *w, uint64_t v, size_t n)
{
    uint8_t *at = extend(w, n);

    if (at != NULL)
        store(at, v, n);
}

void writer_u8(struct writer *w, uint8_t v)
{
    append(w, v, sizeof v);
}

void writer_u16(struct writer *w, uint16_t v)
{
    append(w, v, sizeof v);
}

void writer_u32(struct writer *w, uint32_t v)
{
    append(w, v, sizeof v);
}

void writer_u64(struct writer *w, uint64_t v)
{
    append(w, v, sizeof v);
}

void writer_bytes(struct writer *w, const void *src, size_t n)
{
    uint8_t *at;

    if (n == 0)
        return;
    at = extend(w, n);
    if (at != NULL)
        memcpy(at, src, n);
}

void writer_zeros(struct writer *w, size_t n)
{
    uint8_t *at;

    if (n == 0)
        return;
    at = extend(w, n);
    if (at != NULL)
        memset(at, 0, n);
}

static void patch(struct writer *w, size_t at, size_t value, size_t n)
{
    if (w->overflow)
        return;
    assert(at <= w->len && n <= w->len - at);
    if ((uint64_t)value >> (8 * n) != 0) {
        w->overflow = true;
        return;
    }
    store(w->p + at, value, n);
}

size_t writer_reserve_u16(struct writer *w)
{
    size_t at = w->len;

    writer_u16(w, 0);
    return at;
}

void writer_patch_u16(struct writer *w, size_t at, size_t value)
{
    patch(w, at, value, sizeof(uint16_t));
}

size_t writer_reserve_u32(struct writer *w)
{
    size_t at = w->len;

    writer_u32(w, 0);
    return at;
}

void writer_patch_u32(struct writer *w, size_t at, size_t value)
{
    patch(w, at, value, sizeof(uint32_t));
}

size_t writer_room(const struct writer *w)
{
    return w->overflow ? 0 : w->cap - w->len;
}

int writer_finish(const struct writer *w, size_t *len)
{
    if (w->overflow)
        return KITH_ERR_FULL;
    *len = w->len;
    return KITH_OK;
}
