/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rowsum.h"

#include <assert.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/hash.h"

enum {
    FIELDS_MAX = 512, /* above the largest row: a node with its key */
};

/* The first byte of what is hashed, so that no row passes for one of another
 * table. */
enum row_kind {
    ROW_NODE = 1,
    ROW_BLOCK = 2,
    ROW_ADDR = 3,
    ROW_META = 4,
};

static int finish(const struct writer *w, int64_t *sum)
{
    struct cursor digest;
    struct hash hash;
    uint64_t first;
    int err;

    assert(!w->overflow);
    err = hash_sha256(&hash, w->p, w->len);
    if (err != KITH_OK)
        return err;
    cursor_init(&digest, hash.b, sizeof hash.b);
    (void)cursor_u64(&digest, &first);
    *sum = (int64_t)first;
    return KITH_OK;
}

int rowsum_node(const struct store_node *node, int64_t *sum)
{
    uint8_t fields[FIELDS_MAX];
    struct writer w;

    writer_init(&w, fields, sizeof fields);
    writer_u8(&w, ROW_NODE);
    writer_bytes(&w, node->id.b, sizeof node->id.b);
    writer_bytes(&w, node->spki, sizeof node->spki);
    writer_u64(&w, node->floor_serial);
    writer_u64(&w, node->head_awake_ms);
    writer_u64(&w, node->seen_unix_ms);
    writer_u8(&w, node->state);
    return finish(&w, sum);
}

int rowsum_block(const struct store_block *block, int64_t *sum)
{
    uint8_t fields[FIELDS_MAX];
    struct hash bytes;
    struct writer w;
    int err = hash_sha256(&bytes, block->bytes, block->len);

    if (err != KITH_OK)
        return err;
    writer_init(&w, fields, sizeof fields);
    writer_u8(&w, ROW_BLOCK);
    writer_bytes(&w, block->author.b, sizeof block->author.b);
    writer_u8(&w, (uint8_t)strlen(block->name));
    writer_bytes(&w, block->name, strlen(block->name));
    writer_u64(&w, block->serial);
    writer_u16(&w, block->type);
    writer_bytes(&w, block->hash.b, sizeof block->hash.b);
    writer_bytes(&w, bytes.b, sizeof bytes.b);
    return finish(&w, sum);
}

int rowsum_addr(const struct store_addr *addr, int64_t *sum)
{
    uint8_t fields[FIELDS_MAX];
    struct writer w;

    writer_init(&w, fields, sizeof fields);
    writer_u8(&w, ROW_ADDR);
    writer_bytes(&w, addr->id.b, sizeof addr->id.b);
    writer_u8(&w, addr->addr.family);
    writer_bytes(&w, addr->addr.ip, sizeof addr->addr.ip);
    writer_u16(&w, addr->addr.port);
    writer_u32(&w, addr->addr.ifindex);
    writer_u64(&w, addr->good_unix_ms);
    return finish(&w, sum);
}

int rowsum_meta(const char *key, uint64_t value, int64_t *sum)
{
    uint8_t fields[FIELDS_MAX];
    struct writer w;

    writer_init(&w, fields, sizeof fields);
    writer_u8(&w, ROW_META);
    writer_u8(&w, (uint8_t)strlen(key));
    writer_bytes(&w, key, strlen(key));
    writer_u64(&w, value);
    return finish(&w, sum);
}
