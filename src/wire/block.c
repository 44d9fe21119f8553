/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/block.h"

#include "base/error.h"

enum {
    BLOCK_FORMAT = 1,
};

/* With its NUL, which is part of it. */
static const char sign_domain[] = "kith-block-v1";

struct reserved {
    uint16_t type;
    const char *name;
};

static const struct reserved reserved_names[] = {
    {BLOCK_HEAD, "head"},       {BLOCK_CERT, "cert"},
    {BLOCK_FACTS, "facts"},     {BLOCK_FACTS_MORE, "facts.more"},
    {BLOCK_HEALTH, "health"},   {BLOCK_CHARTER, "charter"},
    {BLOCK_REVOKED, "revoked"},
};

enum {
    RESERVED_COUNT = sizeof reserved_names / sizeof reserved_names[0],
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool block_name_ok(const char *name, size_t n)
{
    if (n < 1 || n > BLOCK_NAME_MAX || !is_alnum(name[0]))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!is_alnum(name[i]) && name[i] != '.' && name[i] != '_' &&
            name[i] != '-')
            return false;
    return true;
}

static bool is_name(const struct reserved *r, const char *name, size_t n)
{
    return strlen(r->name) == n && memcmp(r->name, name, n) == 0;
}

bool block_name_reserved(const char *name, size_t n)
{
    for (size_t i = 0; i < RESERVED_COUNT; i++)
        if (is_name(&reserved_names[i], name, n))
            return true;
    return false;
}

bool block_name_fits(uint16_t type, const char *name, size_t n)
{
    for (size_t i = 0; i < RESERVED_COUNT; i++) {
        const struct reserved *r = &reserved_names[i];

        if (r->type == type || is_name(r, name, n))
            return r->type == type && is_name(r, name, n);
    }
    return true;
}

/* The rules that reading and writing share. */
static int check(const struct block *b, size_t name_len)
{
    if (!block_serial_ok(b->serial))
        return KITH_ERR_RANGE;
    if (b->payload_len > BLOCK_PAYLOAD_MAX)
        return KITH_ERR_RANGE;
    if (!block_name_ok(b->name, name_len))
        return KITH_ERR_FORMAT;
    if (!block_name_fits(b->type, b->name, name_len))
        return KITH_ERR_TYPE;
    return KITH_OK;
}

static int read_name(struct cursor *c, struct block *b, size_t *len)
{
    uint8_t n;
    int err;

    if ((err = cursor_u8(c, &n)) != KITH_OK)
        return err;
    if (n < 1 || n > BLOCK_NAME_MAX)
        return KITH_ERR_RANGE;
    *len = n;
    return cursor_copy(c, b->name, n);
}

static int read_payload(struct cursor *c, struct block *b)
{
    uint32_t n;
    int err;

    if ((err = cursor_u32(c, &n)) != KITH_OK)
        return err;
    if (n > BLOCK_PAYLOAD_MAX)
        return KITH_ERR_RANGE;
    b->payload_len = n;
    return cursor_bytes(c, &b->payload, n);
}

/* Reads canonical bytes, and leaves c after them. */
static int read_canonical(struct cursor *c, struct block *out)
{
    struct block b = {.canonical = c->p};
    size_t name_len;
    uint8_t format;
    int err;

    if ((err = cursor_u8(c, &format)) != KITH_OK)
        return err;
    if (format != BLOCK_FORMAT)
        return KITH_ERR_VERSION;
    if ((err = cursor_u16(c, &b.type)) != KITH_OK ||
        (err = cursor_copy(c, b.author.b, sizeof b.author.b)) != KITH_OK ||
        (err = cursor_u64(c, &b.serial)) != KITH_OK ||
        (err = read_name(c, &b, &name_len)) != KITH_OK ||
        (err = read_payload(c, &b)) != KITH_OK)
        return err;
    b.canonical_len = (size_t)(c->p - b.canonical);
    if ((err = check(&b, name_len)) != KITH_OK)
        return err;
    *out = b;
    return KITH_OK;
}

int block_decode(const uint8_t *signed_bytes, size_t len, struct block *out)
{
    struct cursor c;
    struct block b;
    int err;

    cursor_init(&c, signed_bytes, len);
    if ((err = read_canonical(&c, &b)) != KITH_OK ||
        (err = cursor_bytes(&c, &b.sig, SIG_LEN)) != KITH_OK ||
        (err = cursor_end(&c)) != KITH_OK)
        return err;
    *out = b;
    return KITH_OK;
}

int block_decode_canonical(const uint8_t *canonical, size_t len,
                           struct block *out)
{
    struct cursor c;
    struct block b;
    int err;

    cursor_init(&c, canonical, len);
    if ((err = read_canonical(&c, &b)) != KITH_OK ||
        (err = cursor_end(&c)) != KITH_OK)
        return err;
    *out = b;
    return KITH_OK;
}

int block_encode(const struct block *block, struct writer *w)
{
    const char *nul = memchr(block->name, '\0', sizeof block->name);
    size_t name_len = nul != NULL ? (size_t)(nul - block->name) : SIZE_MAX;
    size_t len;
    int err;

    if ((err = check(block, name_len)) != KITH_OK)
        return err;
    writer_u8(w, BLOCK_FORMAT);
    writer_u16(w, block->type);
    writer_bytes(w, block->author.b, sizeof block->author.b);
    writer_u64(w, block->serial);
    writer_u8(w, (uint8_t)name_len);
    writer_bytes(w, block->name, name_len);
    writer_u32(w, (uint32_t)block->payload_len);
    writer_bytes(w, block->payload, block->payload_len);
    return writer_finish(w, &len);
}

size_t block_signed_len(size_t name_len, size_t payload_len)
{
    return BLOCK_FIXED_LEN + name_len + payload_len + SIG_LEN;
}

int block_hash(struct hasher *h, const struct mesh_id *mesh,
               const uint8_t *canonical, size_t len, struct hash *out)
{
    hasher_begin(h);
    hasher_add(h, sign_domain, sizeof sign_domain);
    hasher_add(h, mesh->b, sizeof mesh->b);
    hasher_add(h, canonical, len);
    return hasher_end(h, out);
}

bool block_beats(uint64_t a_serial, const struct hash *a_hash,
                 uint64_t b_serial, const struct hash *b_hash)
{
    if (a_serial != b_serial)
        return a_serial > b_serial;
    return memcmp(a_hash->b, b_hash->b, sizeof a_hash->b) > 0;
}
