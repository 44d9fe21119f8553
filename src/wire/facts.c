/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/facts.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"
#include "wire/block.h"

/* The most that a block of that type holds; 0: it holds no facts. */
static size_t payload_max(uint16_t type)
{
    switch (type) {
    case BLOCK_FACTS:
        return FACTS_LEN_MAX;
    case BLOCK_FACTS_MORE:
    case BLOCK_HEALTH:
        return BLOCK_PAYLOAD_MAX;
    default:
        return 0;
    }
}

static bool key_ok(const char *key, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(key[i] >= 'a' && key[i] <= 'z') &&
            !(key[i] >= '0' && key[i] <= '9') && key[i] != '.' &&
            key[i] != '_' && key[i] != '-')
            return false;
    return true;
}

/* The rules for one pair, shared by reading and building. */
static int check(const struct fact *f)
{
    if (f->key_len < 1 || f->key_len > FACTS_KEY_MAX ||
        f->value_len > FACTS_VALUE_MAX)
        return KITH_ERR_RANGE;
    if (!key_ok(f->key, f->key_len) || !text_valid_utf8(f->value, f->value_len))
        return KITH_ERR_FORMAT;
    return KITH_OK;
}

/* Bytewise, a prefix before what it begins. */
static int compare_text(const char *a, size_t a_len, const char *b,
                        size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;
    int order = n > 0 ? memcmp(a, b, n) : 0;

    if (order != 0)
        return order;
    return (a_len > b_len) - (a_len < b_len);
}

static int compare(const void *left, const void *right)
{
    const struct fact *a = left;
    const struct fact *b = right;
    int order = compare_text(a->key, a->key_len, b->key, b->key_len);

    if (order != 0)
        return order;
    return compare_text(a->value, a->value_len, b->value, b->value_len);
}

static int read_pair(struct cursor *c, struct fact *out)
{
    const uint8_t *key, *value;
    uint8_t key_len;
    uint16_t value_len;
    struct fact f;
    int err;

    if ((err = cursor_u8(c, &key_len)) != KITH_OK ||
        (err = cursor_bytes(c, &key, key_len)) != KITH_OK ||
        (err = cursor_u16(c, &value_len)) != KITH_OK ||
        (err = cursor_bytes(c, &value, value_len)) != KITH_OK)
        return err;
    f = (struct fact){(const char *)key, key_len, (const char *)value,
                      value_len};
    if ((err = check(&f)) != KITH_OK)
        return err;
    *out = f;
    return KITH_OK;
}

int facts_decode(uint16_t type, const uint8_t *payload, size_t len,
                 struct facts *out)
{
    struct fact before = {.key_len = 0}, f;
    struct cursor c;
    int err;

    if (payload_max(type) == 0)
        return KITH_ERR_TYPE;
    if (len > payload_max(type))
        return KITH_ERR_RANGE;
    cursor_init(&c, payload, len);
    while (c.left > 0) {
        if ((err = read_pair(&c, &f)) != KITH_OK)
            return err;
        /* The empty key before the first pair is below every key. */
        if (compare(&before, &f) >= 0)
            return KITH_ERR_FORMAT;
        before = f;
    }
    cursor_init(&out->pairs, payload, len);
    return KITH_OK;
}

struct facts_iter facts_walk(const struct facts *facts)
{
    return (struct facts_iter){facts->pairs};
}

bool facts_next(struct facts_iter *it, struct fact *out)
{
    int err;

    if (it->left.left == 0)
        return false;
    err = read_pair(&it->left, out);
    assert(err == KITH_OK); /* facts_decode() has read it before */
    return true;
}

static bool has_key(const struct fact *f, const char *key)
{
    return compare_text(f->key, f->key_len, key, strlen(key)) == 0;
}

bool facts_find(const struct facts *facts, const char *key, struct fact *out)
{
    struct facts_iter it = facts_walk(facts);
    struct fact f;

    while (facts_next(&it, &f)) {
        if (has_key(&f, key)) {
            *out = f;
            return true;
        }
    }
    return false;
}

static bool read_addr(const struct fact *f, struct addr *out)
{
    char text[TEXT_ADDR_SIZE] = {0};

    if (f->value_len < 1 || f->value_len >= sizeof text)
        return false;
    memcpy(text, f->value, f->value_len);
    return text_addr_parse(out, text, 0) == KITH_OK && out->port != 0 &&
           out->ifindex == 0;
}

size_t facts_addrs(const struct facts *facts, struct addr out[FACTS_ADDRS_MAX])
{
    struct facts_iter it = facts_walk(facts);
    struct addr addr;
    struct fact f;
    size_t n = 0;

    while (n < FACTS_ADDRS_MAX && facts_next(&it, &f))
        if (has_key(&f, "addr") && read_addr(&f, &addr))
            out[n++] = addr;
    return n;
}

int facts_build(struct writer *w, uint16_t type, struct fact *pairs, size_t n)
{
    size_t start = w->len;
    size_t len;
    int err;

    if (payload_max(type) == 0)
        return KITH_ERR_TYPE;
    for (size_t i = 0; i < n; i++)
        if ((err = check(&pairs[i])) != KITH_OK)
            return err;
    if (n > 0)
        qsort(pairs, n, sizeof *pairs, compare);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && compare(&pairs[i - 1], &pairs[i]) == 0)
            return KITH_ERR_FORMAT;
        writer_u8(w, (uint8_t)pairs[i].key_len);
        writer_bytes(w, pairs[i].key, pairs[i].key_len);
        writer_u16(w, (uint16_t)pairs[i].value_len);
        writer_bytes(w, pairs[i].value, pairs[i].value_len);
    }
    if ((err = writer_finish(w, &len)) != KITH_OK)
        return err;
    return len - start <= payload_max(type) ? KITH_OK : KITH_ERR_FULL;
}
