/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_NAIVE_TRIE_H
#define KITH_TEST_NAIVE_TRIE_H

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "core/pool.h"
#include "wire/prefix.h"

/*
 * What a trie is measured by: its definition (protocol section 8) over a
 * sorted array; and elements whose ids and hashes can be chosen, which those
 * of real bundles cannot.
 */

/* A bundle in its own memory. It holds a reference to each of its parts that
 * is never returned, so the pool frees none of them. */
struct element {
    struct ident ident;
    struct object *head;
    struct bundle *bundle;
};

static inline struct element *element_new(struct pool *p,
                                          const struct node_id *id,
                                          uint64_t serial,
                                          const struct hash *hash)
{
    struct element *e = calloc(1, sizeof *e);

    assert(e != NULL);
    e->head = calloc(1, sizeof *e->head);
    e->bundle = calloc(1, sizeof *e->bundle);
    assert(e->head != NULL && e->bundle != NULL);
    e->ident.pool = p;
    e->ident.refs = 1;
    e->ident.id = *id;
    e->head->author = &e->ident;
    e->head->refs = 1;
    e->head->serial = serial;
    e->head->hash = *hash;
    e->bundle->head = e->head;
    e->bundle->author = &e->ident;
    e->bundle->refs = 1;
    e->bundle->serial = serial;
    return e;
}

static inline void element_free(struct element *e)
{
    assert(e->bundle->refs == 1); /* no trie has it any more */
    free(e->bundle);
    free(e->head);
    free(e);
}

static inline int element_order(const void *a, const void *b)
{
    const struct element *const *x = a;
    const struct element *const *y = b;

    return memcmp((*x)->ident.id.b, (*y)->ident.id.b, NODE_ID_LEN);
}

/* D of n elements, ascending by id, that share the first depth nibbles. */
static inline void naive_digest(struct hasher *h, struct element *const *v,
                                size_t n, size_t depth, struct hash *out)
{
    uint8_t input[3 + 16 * HASH_LEN] = {0x01};
    unsigned bitmap = 0;
    size_t len = 3;
    int err;

    memset(out, 0, sizeof *out);
    if (n == 1)
        *out = v[0]->head->hash;
    if (n <= 1)
        return;
    /* What the first and the last share, all do. */
    while (prefix_id_nibble(&v[0]->ident.id, depth) ==
           prefix_id_nibble(&v[n - 1]->ident.id, depth))
        depth++;
    for (size_t from = 0, to; from < n; from = to) {
        uint8_t nibble = prefix_id_nibble(&v[from]->ident.id, depth);
        struct hash child;

        for (to = from + 1; to < n; to++)
            if (prefix_id_nibble(&v[to]->ident.id, depth) != nibble)
                break;
        naive_digest(h, v + from, to - from, depth + 1, &child);
        memcpy(input + len, child.b, HASH_LEN);
        len += HASH_LEN;
        bitmap |= 0x8000u >> nibble;
    }
    input[1] = (uint8_t)(bitmap >> 8);
    input[2] = (uint8_t)bitmap;
    hasher_begin(h);
    hasher_add(h, input, len);
    err = hasher_end(h, out);
    assert(err == KITH_OK);
    (void)err;
}

/* D and number of those elements that begin with a prefix. */
static inline void naive_at(struct hasher *h, struct element *const *v,
                            size_t n, const struct trie_prefix *prefix,
                            struct hash *digest, size_t *count)
{
    size_t from = 0, to;

    while (from < n && !prefix_contains(prefix, &v[from]->ident.id))
        from++;
    for (to = from; to < n && prefix_contains(prefix, &v[to]->ident.id);)
        to++;
    *count = to - from;
    naive_digest(h, v + from, to - from, prefix->depth, digest);
}

#endif
