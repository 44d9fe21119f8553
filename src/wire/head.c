/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/head.h"

#include <assert.h>

#include "base/error.h"

enum {
    HEAD_FORMAT = 1,
};

/* -- The rules, shared by reading and building. -- */

static bool fields_ok(const struct head_fields *f)
{
    return f->major_min >= 1 && f->major_min <= f->major_max &&
           f->lease_s >= HEAD_LEASE_MIN_S && f->lease_s <= HEAD_LEASE_MAX_S &&
           f->extension_len <= HEAD_EXTENSION_MAX;
}

static int entry_check(const struct head_entry *e, size_t name_len)
{
    if (!block_serial_ok(e->serial))
        return KITH_ERR_RANGE;
    if (e->size < BLOCK_SIGNED_MIN || e->size > BLOCK_SIGNED_MAX)
        return KITH_ERR_RANGE;
    if (!block_name_ok(e->name, name_len))
        return KITH_ERR_FORMAT;
    if (e->type == BLOCK_HEAD || e->type == BLOCK_CHARTER ||
        e->type == BLOCK_REVOKED ||
        !block_name_fits(e->type, e->name, name_len))
        return KITH_ERR_TYPE;
    return KITH_OK;
}

static bool miss_ok(const struct head_miss *m)
{
    return m->reason >= MISS_REFUSED && m->reason <= MISS_UDP;
}

/* Names are NUL-terminated, and NUL is below every character of a name: so
 * strcmp puts a prefix before what it begins. */
static bool entry_before(const struct head_entry *a, const struct head_entry *b)
{
    return strcmp(a->name, b->name) < 0;
}

static bool miss_before(const struct head_miss *a, const struct head_miss *b)
{
    return memcmp(a->id.b, b->id.b, sizeof a->id.b) < 0;
}

/* -- Reading. -- */

static int read_fields(struct cursor *c, struct head_fields *f)
{
    uint8_t format;
    int err;

    if ((err = cursor_u8(c, &format)) != KITH_OK)
        return err;
    if (format != HEAD_FORMAT)
        return KITH_ERR_VERSION;
    if ((err = cursor_u8(c, &f->major_min)) != KITH_OK ||
        (err = cursor_u8(c, &f->major_max)) != KITH_OK ||
        (err = cursor_u16(c, &f->flags)) != KITH_OK ||
        (err = cursor_u64(c, &f->features)) != KITH_OK ||
        (err = cursor_copy(c, f->boot_id, sizeof f->boot_id)) != KITH_OK ||
        (err = cursor_copy(c, f->run_id, sizeof f->run_id)) != KITH_OK ||
        (err = cursor_u32(c, &f->lease_s)) != KITH_OK)
        return err;
    return KITH_OK;
}

static int read_extension(struct cursor *c, struct head_fields *f)
{
    uint16_t n;
    int err;

    if ((err = cursor_u16(c, &n)) != KITH_OK)
        return err;
    if (n > HEAD_EXTENSION_MAX)
        return KITH_ERR_RANGE;
    f->extension_len = n;
    return cursor_bytes(c, &f->extension, n);
}

static int read_entry(struct cursor *c, struct head_entry *out)
{
    struct head_entry e = {.type = 0};
    uint8_t name_len;
    int err;

    if ((err = cursor_u8(c, &name_len)) != KITH_OK)
        return err;
    if (name_len < 1 || name_len > BLOCK_NAME_MAX)
        return KITH_ERR_RANGE;
    if ((err = cursor_copy(c, e.name, name_len)) != KITH_OK ||
        (err = cursor_u16(c, &e.type)) != KITH_OK ||
        (err = cursor_u64(c, &e.serial)) != KITH_OK ||
        (err = cursor_u32(c, &e.size)) != KITH_OK ||
        (err = cursor_copy(c, e.hash.b, sizeof e.hash.b)) != KITH_OK ||
        (err = entry_check(&e, name_len)) != KITH_OK)
        return err;
    *out = e;
    return KITH_OK;
}

static int read_miss(struct cursor *c, struct head_miss *out)
{
    struct head_miss m;
    int err;

    if ((err = cursor_copy(c, m.id.b, sizeof m.id.b)) != KITH_OK ||
        (err = cursor_copy(c, m.hash8, sizeof m.hash8)) != KITH_OK ||
        (err = cursor_u8(c, &m.reason)) != KITH_OK)
        return err;
    if (!miss_ok(&m))
        return KITH_ERR_RANGE;
    *out = m;
    return KITH_OK;
}

/* Narrows *list, which began at what c is now past the end of. */
static void close_list(struct cursor *list, const struct cursor *c)
{
    list->left -= c->left;
}

static int read_entries(struct cursor *c, uint64_t serial, struct head *h)
{
    struct head_entry before, e = {.type = 0};
    uint8_t n;
    int err;

    if ((err = cursor_u8(c, &n)) != KITH_OK)
        return err;
    if (n > HEAD_ENTRIES_MAX)
        return KITH_ERR_RANGE;
    h->entry_count = n;
    h->entries = *c;
    for (size_t i = 0; i < n; i++) {
        before = e;
        if ((err = read_entry(c, &e)) != KITH_OK)
            return err;
        if (e.serial >= serial)
            return KITH_ERR_RANGE;
        /* The empty name before the first entry is below every name. */
        if (!entry_before(&before, &e))
            return KITH_ERR_FORMAT;
        h->total += e.size;
    }
    if (h->total > HEAD_TOTAL_MAX)
        return KITH_ERR_RANGE;
    close_list(&h->entries, c);
    return KITH_OK;
}

static int read_misses(struct cursor *c, struct head *h)
{
    struct head_miss before, m = {.reason = 0};
    uint16_t n;
    int err;

    if ((err = cursor_u16(c, &n)) != KITH_OK)
        return err;
    if (n > HEAD_MISSES_MAX)
        return KITH_ERR_RANGE;
    h->miss_count = n;
    h->misses = *c;
    for (size_t i = 0; i < n; i++) {
        before = m;
        if ((err = read_miss(c, &m)) != KITH_OK)
            return err;
        if (i > 0 && !miss_before(&before, &m))
            return KITH_ERR_FORMAT;
    }
    close_list(&h->misses, c);
    return KITH_OK;
}

int head_decode(const struct block *block, struct head *out)
{
    struct head h = {.total = 0};
    struct cursor c;
    int err;

    if (block->type != BLOCK_HEAD)
        return KITH_ERR_TYPE;
    cursor_init(&c, block->payload, block->payload_len);
    if ((err = read_fields(&c, &h.fields)) != KITH_OK ||
        (err = read_entries(&c, block->serial, &h)) != KITH_OK ||
        (err = read_misses(&c, &h)) != KITH_OK ||
        (err = read_extension(&c, &h.fields)) != KITH_OK ||
        (err = cursor_end(&c)) != KITH_OK)
        return err;
    if (!fields_ok(&h.fields))
        return KITH_ERR_RANGE;
    *out = h;
    return KITH_OK;
}

struct head_iter head_entries(const struct head *head)
{
    return (struct head_iter){head->entries};
}

struct head_iter head_misses(const struct head *head)
{
    return (struct head_iter){head->misses};
}

bool head_entry_next(struct head_iter *it, struct head_entry *out)
{
    int err;

    if (it->left.left == 0)
        return false;
    err = read_entry(&it->left, out);
    assert(err == KITH_OK); /* head_decode() has read it before */
    return true;
}

bool head_miss_next(struct head_iter *it, struct head_miss *out)
{
    int err;

    if (it->left.left == 0)
        return false;
    err = read_miss(&it->left, out);
    assert(err == KITH_OK);
    return true;
}

bool head_entry_find(const struct head *head, const char *name,
                     struct head_entry *out)
{
    struct head_iter it = head_entries(head);
    struct head_entry e;

    while (head_entry_next(&it, &e)) {
        if (strcmp(e.name, name) == 0) {
            *out = e;
            return true;
        }
    }
    return false;
}

/* -- Building. -- */

static void write_entry(struct writer *w, const struct head_entry *e)
{
    size_t name_len = strlen(e->name);

    assert(entry_check(e, name_len) == KITH_OK);
    writer_u8(w, (uint8_t)name_len);
    writer_bytes(w, e->name, name_len);
    writer_u16(w, e->type);
    writer_u64(w, e->serial);
    writer_u32(w, e->size);
    writer_bytes(w, e->hash.b, sizeof e->hash.b);
}

static void write_entries(struct writer *w, const struct head_entry *entries,
                          size_t n)
{
    size_t total = 0;

    assert(n <= HEAD_ENTRIES_MAX);
    writer_u8(w, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        assert(i == 0 || entry_before(&entries[i - 1], &entries[i]));
        write_entry(w, &entries[i]);
        total += entries[i].size;
    }
    assert(total <= HEAD_TOTAL_MAX);
}

static void write_misses(struct writer *w, const struct head_miss *misses,
                         size_t m)
{
    assert(m <= HEAD_MISSES_MAX);
    writer_u16(w, (uint16_t)m);
    for (size_t i = 0; i < m; i++) {
        assert(miss_ok(&misses[i]));
        assert(i == 0 || miss_before(&misses[i - 1], &misses[i]));
        writer_bytes(w, misses[i].id.b, sizeof misses[i].id.b);
        writer_bytes(w, misses[i].hash8, sizeof misses[i].hash8);
        writer_u8(w, misses[i].reason);
    }
}

void head_build(struct writer *w, const struct head_fields *fields,
                const struct head_entry *entries, size_t n,
                const struct head_miss *misses, size_t m)
{
    assert(fields_ok(fields));
    writer_u8(w, HEAD_FORMAT);
    writer_u8(w, fields->major_min);
    writer_u8(w, fields->major_max);
    writer_u16(w, fields->flags);
    writer_u64(w, fields->features);
    writer_bytes(w, fields->boot_id, sizeof fields->boot_id);
    writer_bytes(w, fields->run_id, sizeof fields->run_id);
    writer_u32(w, fields->lease_s);
    write_entries(w, entries, n);
    write_misses(w, misses, m);
    writer_u16(w, (uint16_t)fields->extension_len);
    writer_bytes(w, fields->extension, fields->extension_len);
}
