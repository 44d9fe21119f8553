/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/prng.h"
#include "core/trie.h"
#include "fake.h"
#include "naive_trie.h"

enum {
    ELEMENTS = 400, /* in the tests with random changes */
    CHANGES = 3000,
};

static struct hash hash_of(uint64_t n)
{
    struct hash h;

    fake_hash(&h, "head", 4, &n, sizeof n);
    return h;
}

/* An id that begins with these nibbles, in hex; the rest is zero. */
static struct node_id id_of(const char *hex)
{
    struct node_id id = {{0}};

    for (size_t i = 0; hex[i] != '\0'; i++) {
        const char digit[2] = {hex[i], '\0'};
        unsigned nibble = (unsigned)strtoul(digit, NULL, 16);

        id.b[i / 2] |= (uint8_t)(i % 2 == 0 ? nibble << 4 : nibble);
    }
    return id;
}

static struct trie_prefix prefix_of(const char *hex)
{
    struct node_id id = id_of(hex);

    return prefix_of_id(&id, (uint8_t)strlen(hex));
}

static size_t nodes_in(const struct pool *p)
{
    struct pool_stats s;

    pool_stats(p, &s);
    return s.nodes;
}

static size_t bytes_in(const struct pool *p)
{
    struct pool_stats s;

    pool_stats(p, &s);
    return s.bytes;
}

/* -- small ones -------------------------------------------------------- */

static void test_empty(void **state)
{
    struct pool *p = fake_pool();
    struct trie_prefix prefix = prefix_of("3a");
    struct hash zero = {{0}}, digest;
    struct node_id id = id_of("3a");
    struct trie t;
    size_t count;

    (void)state;
    trie_init(&t, p);
    assert_int_equal(trie_count(&t), 0);
    assert_null(trie_find(&t, &id));
    assert_null(trie_after(&t, NULL));
    assert_null(trie_after(&t, &id));
    assert_null(trie_under(&t, &prefix, NULL));
    assert_int_equal(trie_remove(&t, &id), KITH_ERR_NOTFOUND);
    trie_digest(&t, &digest);
    assert_true(hash_equal(&digest, &zero));
    trie_at(&t, &prefix, &digest, &count);
    assert_true(hash_equal(&digest, &zero));
    assert_int_equal(count, 0);
    trie_clear(&t);
    pool_free(p);
}

static void test_one(void **state)
{
    struct pool *p = fake_pool();
    struct node_id id = id_of("3a1"), other = id_of("3a2");
    struct hash first = hash_of(1), second = hash_of(2), digest;
    struct element *e = element_new(p, &id, 5, &first);
    struct element *newer = element_new(p, &id, 6, &second);
    struct trie t;

    (void)state;
    trie_init(&t, p);
    assert_int_equal(trie_put(&t, e->bundle), KITH_OK);
    assert_int_equal(trie_put(&t, e->bundle), KITH_OK);
    assert_int_equal(trie_count(&t), 1);
    assert_int_equal(e->bundle->refs, 2);
    trie_digest(&t, &digest);
    assert_true(hash_equal(&digest, &first));
    assert_ptr_equal(trie_find(&t, &id), e->bundle);
    assert_null(trie_find(&t, &other));
    assert_int_equal(trie_remove(&t, &other), KITH_ERR_NOTFOUND);
    assert_ptr_equal(trie_after(&t, NULL), e->bundle);
    assert_null(trie_after(&t, &id));

    assert_int_equal(trie_put(&t, newer->bundle), KITH_OK);
    assert_int_equal(trie_count(&t), 1);
    assert_int_equal(e->bundle->refs, 1);
    assert_ptr_equal(trie_find(&t, &id), newer->bundle);
    trie_digest(&t, &digest);
    assert_true(hash_equal(&digest, &second));

    assert_int_equal(trie_remove(&t, &id), KITH_OK);
    assert_int_equal(trie_count(&t), 0);
    assert_int_equal(nodes_in(p), 0);
    element_free(e);
    element_free(newer);
    trie_clear(&t);
    pool_free(p);
}

/* H(01 ‖ bitmap ‖ a ‖ b) */
static struct hash branch(unsigned bitmap, const struct hash *a,
                          const struct hash *b)
{
    uint8_t input[3 + 2 * HASH_LEN] = {0x01, (uint8_t)(bitmap >> 8),
                                       (uint8_t)bitmap};
    struct hash h;

    memcpy(input + 3, a->b, HASH_LEN);
    memcpy(input + 3 + HASH_LEN, b->b, HASH_LEN);
    assert_int_equal(hash_sha256(&h, input, sizeof input), KITH_OK);
    return h;
}

static void assert_at(const struct trie *t, const char *hex, size_t count,
                      const struct hash *digest)
{
    struct trie_prefix prefix = prefix_of(hex);
    struct hash got, zero = {{0}};
    size_t n;

    trie_at(t, &prefix, &got, &n);
    assert_int_equal(n, count);
    assert_true(hash_equal(&got, digest != NULL ? digest : &zero));
}

/* The picture in trie.h. */
static void test_picture(void **state)
{
    static const char *const ids[4] = {"3c0", "9", "3a7", "3a1"};
    struct pool *p = fake_pool();
    struct element *e[4];
    struct hash h[4], d2, d1, d0;
    struct trie t;

    (void)state;
    trie_init(&t, p);
    for (size_t i = 0; i < 4; i++) {
        struct node_id id = id_of(ids[i]);

        h[i] = hash_of(i);
        e[i] = element_new(p, &id, 1, &h[i]);
        assert_int_equal(trie_put(&t, e[i]->bundle), KITH_OK);
    }
    d2 = branch(0x8000 >> 1 | 0x8000 >> 7, &h[3], &h[2]);
    d1 = branch(0x8000 >> 0xa | 0x8000 >> 0xc, &d2, &h[0]);
    d0 = branch(0x8000 >> 3 | 0x8000 >> 9, &d1, &h[1]);
    assert_int_equal(trie_count(&t), 4);
    assert_int_equal(nodes_in(p), 4 + 3);
    assert_at(&t, "", 4, &d0);
    assert_at(&t, "3", 3, &d1);
    assert_at(&t, "3a", 2, &d2);
    assert_at(&t, "3a1", 1, &h[3]);
    assert_at(&t, "3a10000", 1, &h[3]);
    assert_at(&t, "3a7", 1, &h[2]);
    assert_at(&t, "3c", 1, &h[0]);
    assert_at(&t, "9", 1, &h[1]);
    assert_at(&t, "90", 1, &h[1]);
    assert_at(&t, "91", 0, NULL);
    assert_at(&t, "3a2", 0, NULL);
    assert_at(&t, "3a11", 0, NULL);
    assert_at(&t, "3b", 0, NULL);
    assert_at(&t, "4", 0, NULL);

    /* Without its twin, 3c0 stands right under the root. */
    assert_int_equal(trie_remove(&t, &e[2]->ident.id), KITH_OK);
    assert_int_equal(trie_remove(&t, &e[3]->ident.id), KITH_OK);
    assert_at(&t, "3", 1, &h[0]);
    assert_int_equal(nodes_in(p), 2 + 1);
    trie_clear(&t);
    for (size_t i = 0; i < 4; i++)
        element_free(e[i]);
    pool_free(p);
}

/* -- against the definition -------------------------------------------- */

struct model {
    struct element *v[ELEMENTS]; /* in the set, ascending by id */
    size_t n;
};

/* In the place of another with its id, or at the end. */
static void model_put(struct model *m, size_t at, struct element *e)
{
    m->v[at] = e;
    if (at == m->n)
        m->n++;
    qsort(m->v, m->n, sizeof *m->v, element_order);
}

static void model_remove(struct model *m, size_t at)
{
    memmove(&m->v[at], &m->v[at + 1], (m->n - at - 1) * sizeof *m->v);
    m->n--;
}

/* Ids that share beginnings of any length. */
static struct node_id random_id(struct prng *r)
{
    struct node_id id;
    size_t shared = prng_below(r, 2 * NODE_ID_LEN);

    for (size_t i = 0; i < NODE_ID_LEN; i++)
        id.b[i] = 2 * i < shared ? 0x55 : (uint8_t)(prng_u64(r) & 0x33);
    return id;
}

static void assert_model(const struct trie *t, const struct model *m,
                         struct prng *r)
{
    struct trie_prefix prefix = {.depth = 0};
    struct hash want, got;
    struct node_id id;
    size_t count, want_count, i;

    assert_int_equal(trie_count(t), m->n);
    naive_digest(pool_hasher(t->pool), m->v, m->n, 0, &want);
    trie_digest(t, &got);
    assert_true(hash_equal(&got, &want));

    id = random_id(r);
    if (m->n > 0 && prng_below(r, 2) == 0)
        id = m->v[prng_below(r, m->n)]->ident.id;
    prefix = prefix_of_id(&id, (uint8_t)prng_below(r, PREFIX_DEPTH_MAX + 1));
    naive_at(pool_hasher(t->pool), m->v, m->n, &prefix, &want, &want_count);
    trie_at(t, &prefix, &got, &count);
    assert_int_equal(count, want_count);
    assert_true(hash_equal(&got, &want));

    for (i = 0; i < m->n; i++)
        if (memcmp(m->v[i]->ident.id.b, id.b, NODE_ID_LEN) > 0)
            break;
    assert_ptr_equal(trie_after(t, &id), i < m->n ? m->v[i]->bundle : NULL);
}

static void assert_order(const struct trie *t, const struct model *m)
{
    struct bundle *b = trie_after(t, NULL);

    for (size_t i = 0; i < m->n; i++) {
        assert_ptr_equal(b, m->v[i]->bundle);
        b = trie_after(t, &b->author->id);
    }
    assert_null(b);
}

static void test_random(void **state)
{
    struct pool *p = fake_pool();
    static struct element *all[ELEMENTS];
    static struct model m;
    struct prng r;
    struct trie t;

    (void)state;
    prng_seed(&r, 1);
    trie_init(&t, p);
    for (uint64_t i = 0; i < ELEMENTS; i++) {
        struct node_id id = random_id(&r);
        struct hash h = hash_of(i);

        all[i] = element_new(p, &id, i + 1, &h);
    }
    for (size_t i = 0; i < CHANGES; i++) {
        size_t k = prng_below(&r, ELEMENTS);
        const struct node_id *id = &all[k]->ident.id;
        size_t at = 0;

        while (at < m.n && !node_id_equal(&m.v[at]->ident.id, id))
            at++;
        if (prng_below(&r, 3) > 0) {
            assert_int_equal(trie_put(&t, all[k]->bundle), KITH_OK);
            model_put(&m, at, all[k]);
        } else if (at < m.n) {
            assert_int_equal(trie_remove(&t, id), KITH_OK);
            model_remove(&m, at);
        } else {
            assert_int_equal(trie_remove(&t, id), KITH_ERR_NOTFOUND);
        }
        assert_model(&t, &m, &r);
    }
    assert_order(&t, &m);
    trie_clear(&t);
    for (size_t i = 0; i < ELEMENTS; i++)
        element_free(all[i]);
    pool_free(p);
}

/* A trie as deep as can be: at each depth one element parts from the rest. */
static void test_deepest(void **state)
{
    enum {
        COUNT = PREFIX_DEPTH_MAX + 1
    };
    struct pool *p = fake_pool();
    struct model m = {.n = 0};
    struct prng r;
    struct trie t;

    (void)state;
    prng_seed(&r, 2);
    trie_init(&t, p);
    for (size_t i = 0; i < COUNT; i++) {
        struct node_id id;
        struct hash h = hash_of(i);

        memset(id.b, 0x77, sizeof id.b);
        if (i < PREFIX_DEPTH_MAX)
            id.b[i / 2] ^= (uint8_t)(i % 2 == 0 ? 0x30 : 0x08);
        model_put(&m, m.n, element_new(p, &id, 1, &h));
    }
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(trie_put(&t, m.v[i]->bundle), KITH_OK);
    assert_int_equal(nodes_in(p), COUNT + PREFIX_DEPTH_MAX);
    for (size_t i = 0; i < 200; i++)
        assert_model(&t, &m, &r);
    assert_order(&t, &m);
    while (m.n > 0) {
        size_t at = prng_below(&r, m.n);

        assert_int_equal(trie_remove(&t, &m.v[at]->ident.id), KITH_OK);
        element_free(m.v[at]);
        model_remove(&m, at);
        assert_model(&t, &m, &r);
    }
    assert_int_equal(nodes_in(p), 0);
    pool_free(p);
}

/* -- sharing ----------------------------------------------------------- */

/* Some elements with ids that are hashes, as real ones are. */
static void make_elements(struct pool *p, struct element **v, size_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        struct node_id id;
        struct hash h;

        fake_hash(&h, "id", 2, &i, sizeof i);
        memcpy(id.b, h.b, sizeof id.b);
        h = hash_of(i);
        v[i] = element_new(p, &id, i + 1, &h);
    }
}

static void test_sharing(void **state)
{
    enum {
        COUNT = 500
    };
    struct pool *p = fake_pool();
    struct element *v[COUNT];
    struct hash da, db;
    struct trie a, b;
    size_t nodes;

    (void)state;
    make_elements(p, v, COUNT);
    trie_init(&a, p);
    trie_init(&b, p);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(trie_put(&a, v[i]->bundle), KITH_OK);
    nodes = nodes_in(p);
    for (size_t i = COUNT; i-- > 0;)
        assert_int_equal(trie_put(&b, v[i]->bundle), KITH_OK);
    assert_int_equal(nodes_in(p), nodes);
    assert_ptr_equal(a.root, b.root);

    assert_int_equal(trie_remove(&b, &v[7]->ident.id), KITH_OK);
    assert_true(nodes_in(p) <= nodes + 4);
    trie_digest(&a, &da);
    trie_digest(&b, &db);
    assert_false(hash_equal(&da, &db));
    assert_ptr_equal(trie_find(&a, &v[7]->ident.id), v[7]->bundle);
    assert_int_equal(trie_count(&a), COUNT);
    assert_int_equal(trie_count(&b), COUNT - 1);
    assert_int_equal(trie_remove(&a, &v[7]->ident.id), KITH_OK);
    assert_ptr_equal(a.root, b.root);

    trie_clear(&a);
    assert_int_equal(trie_count(&b), COUNT - 1);
    trie_clear(&b);
    assert_int_equal(nodes_in(p), 0);
    for (size_t i = 0; i < COUNT; i++)
        element_free(v[i]);
    pool_free(p);
}

/* -- out of memory ----------------------------------------------------- */

/* Puts or removes e with less and less want of memory, until it works; each
 * failure must leave everything as it was. */
static void starve(struct trie *t, struct element *e, bool put)
{
    size_t bytes = bytes_in(t->pool);
    size_t count = trie_count(t);
    struct trie_node *root = t->root;
    struct hash before, after;
    int err = KITH_ERR_NOMEM;

    trie_digest(t, &before);
    for (size_t more = 0; err == KITH_ERR_NOMEM; more += 16) {
        pool_limit(t->pool, bytes + more);
        err = put ? trie_put(t, e->bundle) : trie_remove(t, &e->ident.id);
        if (err == KITH_OK)
            break;
        assert_int_equal(err, KITH_ERR_NOMEM);
        assert_ptr_equal(t->root, root);
        assert_int_equal(trie_count(t), count);
        assert_int_equal(bytes_in(t->pool), bytes);
        trie_digest(t, &after);
        assert_true(hash_equal(&before, &after));
    }
    pool_limit(t->pool, SIZE_MAX);
    assert_int_equal(trie_count(t), put ? count + 1 : count - 1);
}

static void test_nomem(void **state)
{
    enum {
        COUNT = 200
    };
    struct pool *p = fake_pool();
    struct element *v[COUNT];
    struct trie t;

    (void)state;
    make_elements(p, v, COUNT);
    trie_init(&t, p);
    for (size_t i = 0; i < COUNT; i++)
        starve(&t, v[i], true);
    for (size_t i = 0; i < COUNT; i++)
        starve(&t, v[i], false);
    assert_int_equal(nodes_in(p), 0);
    for (size_t i = 0; i < COUNT; i++)
        element_free(v[i]);
    pool_free(p);
}

/* -- walking ----------------------------------------------------------- */

static void test_under(void **state)
{
    static const char *const ids[] = {"3a1", "3a10f", "3a7", "3c0", "9", "2"};
    enum {
        COUNT = sizeof ids / sizeof ids[0]
    };
    struct pool *p = fake_pool();
    struct trie_prefix prefix = prefix_of("3a");
    struct trie_prefix deep = prefix_of("3a10f000");
    struct element *e[COUNT];
    struct node_id id;
    struct trie t;

    (void)state;
    trie_init(&t, p);
    for (size_t i = 0; i < COUNT; i++) {
        struct hash h = hash_of(i);

        id = id_of(ids[i]);
        e[i] = element_new(p, &id, 1, &h);
        assert_int_equal(trie_put(&t, e[i]->bundle), KITH_OK);
    }
    assert_ptr_equal(trie_under(&t, &prefix, NULL), e[0]->bundle);
    assert_ptr_equal(trie_under(&t, &prefix, &e[0]->ident.id), e[1]->bundle);
    assert_ptr_equal(trie_under(&t, &prefix, &e[1]->ident.id), e[2]->bundle);
    assert_null(trie_under(&t, &prefix, &e[2]->ident.id));
    assert_ptr_equal(trie_under(&t, &deep, NULL), e[1]->bundle);
    assert_null(trie_under(&t, &deep, &e[1]->ident.id));

    /* What is asked about need not be there. */
    id = id_of("3a2");
    assert_ptr_equal(trie_under(&t, &prefix, &id), e[2]->bundle);
    id = id_of("1");
    assert_ptr_equal(trie_under(&t, &prefix, &id), e[0]->bundle);
    assert_ptr_equal(trie_after(&t, &id), e[5]->bundle);
    id = id_of("3b");
    assert_null(trie_under(&t, &prefix, &id));
    assert_ptr_equal(trie_after(&t, &id), e[3]->bundle);
    id = id_of("8");
    assert_ptr_equal(trie_after(&t, &id), e[4]->bundle);
    id = id_of("a");
    assert_null(trie_after(&t, &id));
    trie_clear(&t);
    for (size_t i = 0; i < COUNT; i++)
        element_free(e[i]);
    pool_free(p);
}

/* Bundles of the pool, and not only their look-alikes. */
static void test_bundles(void **state)
{
    enum {
        COUNT = 50
    };
    struct pool *p = fake_pool();
    struct trie t;
    struct hash d;

    (void)state;
    trie_init(&t, p);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct ident *author = fake_ident(p, i);
        struct bundle *b = fake_bundle(p, author, i + 1, 0, NULL, 0);

        assert_int_equal(trie_put(&t, b), KITH_OK);
        bundle_unref(b);
        ident_unref(author);
    }
    assert_int_equal(trie_count(&t), COUNT);
    trie_digest(&t, &d);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct ident *author = fake_ident(p, i);

        assert_ptr_equal(trie_find(&t, &author->id)->author, author);
        ident_unref(author);
    }
    trie_clear(&t);
    assert_int_equal(bytes_in(p), 0);
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),   cmocka_unit_test(test_one),
        cmocka_unit_test(test_picture), cmocka_unit_test(test_random),
        cmocka_unit_test(test_deepest), cmocka_unit_test(test_sharing),
        cmocka_unit_test(test_nomem),   cmocka_unit_test(test_under),
        cmocka_unit_test(test_bundles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
