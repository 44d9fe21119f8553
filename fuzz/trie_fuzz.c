/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: core */

/*
 * Random changes of a trie beside a sorted array: after each, everything that
 * the trie says is compared with what its definition says of the array. Some
 * changes run out of memory on the way, and must then have changed nothing.
 * Each takes STEP_LEN bytes of input:
 *
 *     0  what to do, and how much memory there is
 *     1  where the id parts from the others (6 bits), and how (2 bits)
 *     2  last byte of the id
 *     3  serial and hash; depth of the prefix that is looked at
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "../test/fake.h"
#include "../test/naive_trie.h"
#include "base/error.h"
#include "core/trie.h"

enum {
    STEP_LEN = 4,
    STEPS_MAX = 48,
};

struct model {
    struct element *v[STEPS_MAX]; /* ascending by id */
    size_t n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Long common beginnings, which ids that are hashes hardly ever have. */
static struct node_id id_of(uint8_t where, uint8_t last)
{
    size_t depth = where & 0x3f;
    unsigned nibble = where >> 6;
    struct node_id id;

    memset(id.b, 0x77, sizeof id.b);
    id.b[NODE_ID_LEN - 1] = last;
    if (depth % 2 == 0)
        id.b[depth / 2] = (uint8_t)(nibble << 4 | 7);
    else
        id.b[depth / 2] = (uint8_t)((id.b[depth / 2] & 0xf0) | nibble);
    return id;
}

/* Where that id is in the array, or n. */
static size_t place_of(const struct model *m, const struct node_id *id)
{
    size_t at = 0;

    while (at < m->n && !node_id_equal(&m->v[at]->ident.id, id))
        at++;
    return at;
}

static void put(struct trie *t, struct model *m, const struct node_id *id,
                uint8_t variant)
{
    struct element *e;
    struct hash h;
    size_t at = place_of(m, id);

    fake_hash(&h, id->b, sizeof id->b, &variant, 1);
    e = element_new(t->pool, id, variant, &h);
    if (trie_put(t, e->bundle) != KITH_OK) {
        element_free(e);
        return;
    }
    if (at < m->n)
        element_free(m->v[at]);
    else
        m->n++;
    m->v[at] = e;
    qsort(m->v, m->n, sizeof *m->v, element_order);
}

static void take(struct trie *t, struct model *m, const struct node_id *id)
{
    size_t at = place_of(m, id);
    int err = trie_remove(t, id);

    assert((err == KITH_ERR_NOTFOUND) == (at == m->n));
    if (err != KITH_OK)
        return;
    element_free(m->v[at]);
    memmove(&m->v[at], &m->v[at + 1], (m->n - at - 1) * sizeof *m->v);
    m->n--;
}

static void compare(const struct trie *t, const struct model *m,
                    const struct node_id *id, uint8_t depth)
{
    struct trie_prefix prefix = prefix_of_id(id, depth);
    size_t at = place_of(m, id), behind = 0, count, want_count;
    struct hash digest, want;

    assert(trie_count(t) == m->n);
    naive_digest(pool_hasher(t->pool), m->v, m->n, 0, &want);
    trie_digest(t, &digest);
    assert(hash_equal(&digest, &want));
    naive_at(pool_hasher(t->pool), m->v, m->n, &prefix, &want, &want_count);
    trie_at(t, &prefix, &digest, &count);
    assert(count == want_count && hash_equal(&digest, &want));
    assert(trie_find(t, id) == (at < m->n ? m->v[at]->bundle : NULL));
    while (behind < m->n &&
           memcmp(m->v[behind]->ident.id.b, id->b, NODE_ID_LEN) <= 0)
        behind++;
    assert(trie_after(t, id) == (behind < m->n ? m->v[behind]->bundle : NULL));
}

static void step(struct trie *t, struct model *m, const uint8_t *in)
{
    struct node_id id = id_of(in[1], in[2]);
    struct pool_stats s;

    if (in[0] >= 0xc0) {
        pool_stats(t->pool, &s);
        pool_limit(t->pool, s.bytes + (in[0] & 0x3fu) * 32);
    }
    if (in[0] % 3 == 0)
        take(t, m, &id);
    else
        put(t, m, &id, in[3]);
    pool_limit(t->pool, SIZE_MAX);
    compare(t, m, &id, in[3] % (PREFIX_DEPTH_MAX + 1));
}

/* The same set, however it came about, is the same trie. */
static void rebuild(const struct trie *t, const struct model *m)
{
    struct trie again;

    trie_init(&again, t->pool);
    for (size_t i = 0; i < m->n; i++) {
        int err = trie_put(&again, m->v[i]->bundle);

        assert(err == KITH_OK);
        (void)err;
    }
    assert(again.root == t->root);
    trie_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool *p = fake_pool();
    struct model m = {.n = 0};
    struct trie t;

    trie_init(&t, p);
    for (size_t i = 0; i < STEPS_MAX && size >= STEP_LEN; i++) {
        step(&t, &m, data);
        data += STEP_LEN;
        size -= STEP_LEN;
    }
    rebuild(&t, &m);
    trie_clear(&t);
    for (size_t i = 0; i < m.n; i++)
        element_free(m.v[i]);
    pool_free(p); /* asserts that nothing is left */
    return 0;
}
