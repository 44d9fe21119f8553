/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/bulk.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "wire/block.h"

enum {
    BULK_CAP_FIRST = 4096, /* of a reader's memory; it then doubles */
};

/* -- Values. -- */

static bool known(uint8_t type)
{
    return type >= BULK_HAVE && type <= BULK_END;
}

/* Whether a record of a known type may be that long. */
static bool len_ok(uint8_t type, uint32_t len)
{
    switch (type) {
    case BULK_HAVE:
    case BULK_WANT:
        return len <= BULK_LIST_MAX && len % BULK_HAVE_LEN == 0;
    case BULK_SPKI:
        return len == SPKI_LEN;
    case BULK_AGE:
        return len == sizeof(uint32_t);
    case BULK_BLOCK:
        return len >= BLOCK_SIGNED_MIN && len <= BLOCK_SIGNED_MAX;
    case BULK_END:
        return len == 0;
    default:
        return false;
    }
}

void bulk_serial_at(const struct bulk_record *record, size_t i,
                    struct bulk_serial *out)
{
    struct cursor c;
    int err;

    assert(record->type == BULK_HAVE || record->type == BULK_WANT);
    assert(i < record->list.n);
    cursor_init(&c, record->list.elements + i * BULK_HAVE_LEN, BULK_HAVE_LEN);
    err = cursor_copy(&c, out->id.b, sizeof out->id.b);
    assert(err == KITH_OK);
    err = cursor_u64(&c, &out->serial);
    assert(err == KITH_OK && c.left == 0);
}

static int check_have(const struct bulk_record *record)
{
    struct bulk_serial before, e;

    for (size_t i = 0; i < record->list.n; i++) {
        bulk_serial_at(record, i, &e);
        if (!block_serial_ok(e.serial))
            return KITH_ERR_RANGE;
        if (i > 0 && memcmp(before.id.b, e.id.b, sizeof e.id.b) >= 0)
            return KITH_ERR_FORMAT;
        before = e;
    }
    return KITH_OK;
}

/* Reads a whole value, of a length that its type may have. */
static int read_value(uint8_t type, const uint8_t *value, size_t len,
                      struct bulk_record *out)
{
    struct cursor c;

    out->type = type;
    switch (type) {
    case BULK_HAVE:
    case BULK_WANT:
        out->list.n = len / BULK_HAVE_LEN;
        out->list.elements = value;
        return type == BULK_HAVE ? check_have(out) : KITH_OK;
    case BULK_SPKI:
        out->spki = value;
        return spki_check(value, len);
    case BULK_AGE:
        cursor_init(&c, value, len);
        return cursor_u32(&c, &out->age_s);
    case BULK_BLOCK:
        out->block.p = value;
        out->block.len = len;
        return KITH_OK;
    default: /* END */
        return KITH_OK;
    }
}

/* -- The reader. -- */

void bulk_reader_init(struct bulk_reader *r, size_t max)
{
    *r = (struct bulk_reader){.max = max};
}

void bulk_reader_free(struct bulk_reader *r)
{
    free(r->value);
    *r = (struct bulk_reader){.max = 0};
}

/* The smaller of what is left in c and what is wanted. */
static size_t available(const struct cursor *c, size_t wanted)
{
    return c->left < wanted ? c->left : wanted;
}

/* Makes room for a value of `need` bytes, which is within max. */
static int grow(struct bulk_reader *r, size_t need)
{
    size_t cap = r->cap > 0 ? r->cap : BULK_CAP_FIRST;
    uint8_t *value;

    if (need <= r->cap)
        return KITH_OK;
    while (cap < need)
        cap *= 2;
    if (cap > r->max)
        cap = r->max;
    value = realloc(r->value, cap);
    if (value == NULL)
        return KITH_ERR_NOMEM;
    r->value = value;
    r->cap = cap;
    return KITH_OK;
}

/* Checks a header that is whole, before anything of its value is kept. */
static int begin_value(struct bulk_reader *r)
{
    struct cursor c;
    uint8_t type;
    int err;

    cursor_init(&c, r->header, sizeof r->header);
    if ((err = cursor_u8(&c, &type)) != KITH_OK ||
        (err = cursor_u32(&c, &r->len)) != KITH_OK)
        return err;
    r->got = 0;
    if (known(type) && (!len_ok(type, r->len) || r->len > r->max))
        return KITH_ERR_RANGE;
    return KITH_OK;
}

static int read_header(struct bulk_reader *r, struct cursor *in)
{
    size_t n = available(in, sizeof r->header - r->header_len);
    int err = cursor_copy(in, r->header + r->header_len, n);

    if (err != KITH_OK)
        return err;
    r->header_len += n;
    return r->header_len == sizeof r->header ? begin_value(r)
                                             : KITH_ERR_NOTFOUND;
}

/* Takes what has come of the value: keeps it, or passes over it. */
static int take_value(struct bulk_reader *r, struct cursor *in)
{
    size_t n = available(in, r->len - r->got);
    int err;

    if (!known(r->header[0])) {
        err = cursor_skip(in, n);
    } else {
        err = grow(r, r->got + n);
        if (err == KITH_OK && n > 0)
            err = cursor_copy(in, r->value + r->got, n);
    }
    if (err != KITH_OK)
        return err;
    r->got += n;
    return r->got == r->len ? KITH_OK : KITH_ERR_NOTFOUND;
}

/* Reads one record, known or not. */
static int read_record(struct bulk_reader *r, struct cursor *in,
                       struct bulk_record *out)
{
    int err;

    if (r->ended)
        return in->left > 0 ? KITH_ERR_TRAILING : KITH_ERR_NOTFOUND;
    if (r->header_len < sizeof r->header &&
        (err = read_header(r, in)) != KITH_OK)
        return err;
    if ((err = take_value(r, in)) != KITH_OK)
        return err;
    r->header_len = 0;
    r->ended = r->header[0] == BULK_END;
    if (known(r->header[0]))
        return read_value(r->header[0], r->value, r->len, out);
    r->unknown++;
    return KITH_OK;
}

int bulk_reader_next(struct bulk_reader *r, struct cursor *in,
                     struct bulk_record *out)
{
    struct bulk_record record = {.type = 0};
    int err = r->err;

    while (err == KITH_OK && record.type == 0)
        err = read_record(r, in, &record);
    if (err == KITH_OK)
        *out = record;
    else if (err != KITH_ERR_NOTFOUND)
        r->err = err;
    return err;
}

int bulk_reader_finish(const struct bulk_reader *r)
{
    if (r->err != KITH_OK)
        return r->err;
    return r->ended ? KITH_OK : KITH_ERR_TRUNCATED;
}

/* -- Writing. -- */

static void put_header(struct writer *w, enum bulk_type type, size_t len)
{
    assert(len <= UINT32_MAX && len_ok((uint8_t)type, (uint32_t)len));
    writer_u8(w, (uint8_t)type);
    writer_u32(w, (uint32_t)len);
}

void bulk_put_list(struct writer *w, enum bulk_type type,
                   const struct bulk_serial *elements, size_t n)
{
    assert(type == BULK_HAVE || type == BULK_WANT);
    assert(n <= BULK_LIST_MAX / BULK_HAVE_LEN);
    put_header(w, type, n * BULK_HAVE_LEN);
    for (size_t i = 0; i < n; i++) {
        writer_bytes(w, elements[i].id.b, sizeof elements[i].id.b);
        writer_u64(w, elements[i].serial);
    }
}

void bulk_put_spki(struct writer *w, const uint8_t spki[SPKI_LEN])
{
    put_header(w, BULK_SPKI, SPKI_LEN);
    writer_bytes(w, spki, SPKI_LEN);
}

void bulk_put_age(struct writer *w, uint32_t seconds)
{
    put_header(w, BULK_AGE, sizeof seconds);
    writer_u32(w, seconds);
}

void bulk_put_block(struct writer *w, const uint8_t *signed_block, size_t len)
{
    put_header(w, BULK_BLOCK, len);
    writer_bytes(w, signed_block, len);
}

void bulk_put_end(struct writer *w)
{
    put_header(w, BULK_END, 0);
}
