/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_STORE_MODEL_H
#define KITH_TEST_STORE_MODEL_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/prng.h"
#include "store/store.h"

/*
 * What a store ought to hold, kept in the plainest way: short arrays without
 * order. Every test of a store compares it with one of these.
 */

enum {
    MODEL_NODES = 16,
    MODEL_BLOCKS = 64,
    MODEL_ADDRS = MODEL_NODES * STORE_ADDRS_MAX,
    MODEL_BYTES = 300, /* of a block here */
};

struct model_block {
    struct store_block block; /* its bytes point nowhere */
    uint8_t bytes[MODEL_BYTES];
};

struct model {
    struct store_node nodes[MODEL_NODES];
    struct model_block blocks[MODEL_BLOCKS];
    struct store_addr addrs[MODEL_ADDRS];
    size_t n_nodes, n_blocks, n_addrs;
};

static inline struct node_id model_id(unsigned n)
{
    struct node_id id;

    memset(id.b, (int)(n * 37 + 1), sizeof id.b);
    id.b[0] = (uint8_t)n;
    return id;
}

static inline void model_put_node(struct model *m,
                                  const struct store_node *node)
{
    size_t i = 0;

    while (i < m->n_nodes && !node_id_equal(&m->nodes[i].id, &node->id))
        i++;
    assert_true(i < MODEL_NODES);
    m->nodes[i] = *node;
    if (i == m->n_nodes)
        m->n_nodes++;
}

static inline struct model_block *model_find_block(struct model *m,
                                                   const struct node_id *author,
                                                   const char *name)
{
    for (size_t i = 0; i < m->n_blocks; i++) {
        struct store_block *b = &m->blocks[i].block;

        if (node_id_equal(&b->author, author) && strcmp(b->name, name) == 0)
            return &m->blocks[i];
    }
    return NULL;
}

static inline void model_put_block(struct model *m,
                                   const struct store_block *block)
{
    struct model_block *b = model_find_block(m, &block->author, block->name);

    if (b == NULL) {
        assert_true(m->n_blocks < MODEL_BLOCKS);
        b = &m->blocks[m->n_blocks++];
    }
    assert_true(block->len <= MODEL_BYTES);
    memset(b->bytes, 0, sizeof b->bytes);
    memcpy(b->bytes, block->bytes, block->len);
    b->block = *block;
    b->block.bytes = NULL;
}

static inline void model_drop_block(struct model *m,
                                    const struct node_id *author,
                                    const char *name)
{
    struct model_block *b = model_find_block(m, author, name);

    if (b != NULL)
        *b = m->blocks[--m->n_blocks];
}

static inline void model_put_addr(struct model *m,
                                  const struct store_addr *addr)
{
    size_t same = m->n_addrs, oldest = m->n_addrs, count = 0;

    for (size_t i = 0; i < m->n_addrs; i++) {
        const struct store_addr *a = &m->addrs[i];

        if (!node_id_equal(&a->id, &addr->id))
            continue;
        count++;
        if (addr_equal(&a->addr, &addr->addr))
            same = i;
        if (oldest == m->n_addrs ||
            a->good_unix_ms < m->addrs[oldest].good_unix_ms)
            oldest = i;
    }
    if (same == m->n_addrs && count == STORE_ADDRS_MAX)
        same = oldest;
    else if (same == m->n_addrs)
        m->n_addrs++;
    assert_true(same < MODEL_ADDRS);
    m->addrs[same] = *addr;
}

static inline void model_drop_node(struct model *m, const struct node_id *id)
{
    for (size_t i = m->n_nodes; i-- > 0;) {
        if (node_id_equal(&m->nodes[i].id, id))
            m->nodes[i] = m->nodes[--m->n_nodes];
    }
    for (size_t i = m->n_blocks; i-- > 0;) {
        if (node_id_equal(&m->blocks[i].block.author, id))
            m->blocks[i] = m->blocks[--m->n_blocks];
    }
    for (size_t i = m->n_addrs; i-- > 0;) {
        if (node_id_equal(&m->addrs[i].id, id))
            m->addrs[i] = m->addrs[--m->n_addrs];
    }
}

static inline bool model_has_node(const struct model *m,
                                  const struct store_node *node)
{
    for (size_t i = 0; i < m->n_nodes; i++) {
        const struct store_node *n = &m->nodes[i];

        if (node_id_equal(&n->id, &node->id))
            return memcmp(n->spki, node->spki, sizeof n->spki) == 0 &&
                   n->floor_serial == node->floor_serial &&
                   n->head_awake_ms == node->head_awake_ms &&
                   n->seen_unix_ms == node->seen_unix_ms &&
                   n->state == node->state;
    }
    return false;
}

static inline bool model_has_block(struct model *m,
                                   const struct store_block *block,
                                   const uint8_t *bytes)
{
    const struct model_block *b =
        model_find_block(m, &block->author, block->name);

    return b != NULL && b->block.serial == block->serial &&
           b->block.type == block->type &&
           hash_equal(&b->block.hash, &block->hash) &&
           b->block.len == block->len &&
           memcmp(b->bytes, bytes, block->len) == 0;
}

static inline bool model_has_addr(const struct model *m,
                                  const struct store_addr *addr)
{
    for (size_t i = 0; i < m->n_addrs; i++) {
        const struct store_addr *a = &m->addrs[i];

        if (node_id_equal(&a->id, &addr->id) &&
            addr_equal(&a->addr, &addr->addr))
            return a->good_unix_ms == addr->good_unix_ms;
    }
    return false;
}

/* Whether all that is in part is in whole as well. */
static inline bool model_within(const struct model *part, struct model *whole)
{
    for (size_t i = 0; i < part->n_nodes; i++) {
        if (!model_has_node(whole, &part->nodes[i]))
            return false;
    }
    for (size_t i = 0; i < part->n_blocks; i++) {
        const struct model_block *b = &part->blocks[i];

        if (!model_has_block(whole, &b->block, b->bytes))
            return false;
    }
    for (size_t i = 0; i < part->n_addrs; i++) {
        if (!model_has_addr(whole, &part->addrs[i]))
            return false;
    }
    return true;
}

static inline bool model_equal(const struct model *a, struct model *b)
{
    return a->n_nodes == b->n_nodes && a->n_blocks == b->n_blocks &&
           a->n_addrs == b->n_addrs && model_within(a, b);
}

static inline int model_visit_node(void *arg, const struct store_node *node)
{
    struct model *m = arg;

    assert_int_equal(m->n_blocks + m->n_addrs, 0); /* nodes come first */
    model_put_node(m, node);
    return KITH_OK;
}

static inline int model_visit_block(void *arg, const struct store_block *block)
{
    struct model *m = arg;

    assert_int_equal(m->n_addrs, 0);
    model_put_block(m, block);
    return KITH_OK;
}

static inline int model_visit_addr(void *arg, const struct store_addr *addr)
{
    model_put_addr(arg, addr);
    return KITH_OK;
}

/* Reads a store. */
static inline int model_load(struct model *m, struct store *store)
{
    const struct store_visitor visitor = {
        model_visit_node,
        model_visit_block,
        model_visit_addr,
        m,
    };

    memset(m, 0, sizeof *m);
    return store_load(store, &visitor);
}

/* Puts everything to a store. Returns the first error. */
static inline int model_put_all(const struct model *m, struct store *store)
{
    int err = KITH_OK;

    for (size_t i = 0; i < m->n_nodes && err == KITH_OK; i++)
        err = store_put_node(store, &m->nodes[i]);
    for (size_t i = 0; i < m->n_blocks && err == KITH_OK; i++) {
        struct store_block block = m->blocks[i].block;

        block.bytes = m->blocks[i].bytes;
        err = store_put_block(store, &block);
    }
    for (size_t i = 0; i < m->n_addrs && err == KITH_OK; i++)
        err = store_put_addr(store, &m->addrs[i]);
    return err;
}

/* The store holds just this. */
static inline void assert_holds(struct store *store, struct model *want)
{
    static struct model got;

    assert_int_equal(model_load(&got, store), KITH_OK);
    assert_true(model_equal(&got, want));
}

static inline struct store_node some_node(struct prng *p)
{
    struct store_node node = {
        .id = model_id((unsigned)prng_below(p, 8)),
        .floor_serial = prng_u64(p),
        .head_awake_ms = prng_below(p, INT64_MAX),
        .seen_unix_ms = prng_below(p, INT64_MAX),
        .state = (uint8_t)prng_below(p, 3),
    };

    memset(node.spki, (int)prng_below(p, 256), sizeof node.spki);
    return node;
}

/* bytes has room for MODEL_BYTES. */
static inline struct store_block some_block(struct prng *p, uint8_t *bytes)
{
    struct store_block block = {
        .author = model_id((unsigned)prng_below(p, 8)),
        .serial = prng_u64(p),
        .type = (uint16_t)prng_u64(p),
        .bytes = bytes,
        .len = 1 + prng_below(p, MODEL_BYTES),
    };

    memset(block.hash.b, (int)prng_below(p, 256), sizeof block.hash.b);
    memset(bytes, (int)prng_below(p, 256), block.len);
    (void)snprintf(block.name, sizeof block.name, "name%u",
                   (unsigned)prng_below(p, 8));
    return block;
}

static inline struct store_addr some_addr(struct prng *p)
{
    struct store_addr addr = {
        .id = model_id((unsigned)prng_below(p, 8)),
        .addr = {.family = 4, .port = (uint16_t)(1 + prng_below(p, 3))},
        .good_unix_ms = prng_below(p, INT64_MAX),
    };

    if (prng_below(p, 2) == 0) {
        addr.addr.family = 6;
        addr.addr.ip[15] = 1;
    }
    addr.addr.ip[0] = (uint8_t)(32 + prng_below(p, 4));
    return addr;
}

/* One change at random, to the store and, if it takes it, to the model. */
static inline int some_change(struct prng *p, struct store *store,
                              struct model *m)
{
    uint8_t bytes[MODEL_BYTES];
    struct store_node node = some_node(p);
    struct store_block block = some_block(p, bytes);
    struct store_addr addr = some_addr(p);
    int err;

    switch (prng_below(p, 10)) {
    case 0:
    case 1:
    case 2:
        err = store_put_node(store, &node);
        if (err == KITH_OK)
            model_put_node(m, &node);
        return err;
    case 3:
    case 4:
    case 5:
        err = store_put_block(store, &block);
        if (err == KITH_OK)
            model_put_block(m, &block);
        return err;
    case 6:
    case 7:
        err = store_put_addr(store, &addr);
        if (err == KITH_OK)
            model_put_addr(m, &addr);
        return err;
    case 8:
        err = store_drop_block(store, &block.author, block.name);
        if (err == KITH_OK)
            model_drop_block(m, &block.author, block.name);
        return err;
    default:
        err = store_drop_node(store, &node.id);
        if (err == KITH_OK)
            model_drop_node(m, &node.id);
        return err;
    }
}

#endif
