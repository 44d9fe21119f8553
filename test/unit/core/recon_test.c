/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/error.h"
#include "core/recon.h"
#include "fake.h"
#include "naive_trie.h"
#include "recon_drive.h"
#include "vectors_reader.h"

/* H(label ‖ n as 4 bytes), as in test/vectors. */
static struct hash labelled(const char *label, uint32_t n)
{
    uint8_t be[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                     (uint8_t)n};
    struct hash h;

    fake_hash(&h, label, strlen(label), be, sizeof be);
    return h;
}

static struct element *make(struct pool *p, uint32_t n, uint64_t serial,
                            const char *label)
{
    struct hash h = labelled("id", n);
    struct node_id id;

    memcpy(id.b, h.b, sizeof id.b);
    h = labelled(label, n);
    return element_new(p, &id, serial, &h);
}

/* The elements 0 .. n - 1, ascending by id, with serials from `serial`. */
static struct element **make_all(struct pool *p, size_t n, uint64_t serial)
{
    struct element **v = calloc(n, sizeof *v);

    assert_non_null(v);
    for (size_t i = 0; i < n; i++)
        v[i] = make(p, (uint32_t)i, 0, "head");
    qsort(v, n, sizeof *v, element_order);
    for (size_t i = 0; i < n; i++)
        v[i]->bundle->serial = serial + i;
    return v;
}

static void free_all(struct element **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        element_free(v[i]);
    free(v);
}

static void put_all(struct trie *t, struct element *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(trie_put(t, v[i]->bundle), KITH_OK);
}

static struct trie_prefix prefix_at(const struct element *e, uint8_t depth)
{
    return prefix_of_id(&e->ident.id, depth);
}

/* -- vectors ----------------------------------------------------------- */

static void test_vector_sets(void **state)
{
    struct vectors *all = vectors_open("trie");
    const char *section = NULL;
    struct pool *p = fake_pool();
    size_t sets = 0;

    (void)state;
    while ((section = vectors_next_section(all, section)) != NULL) {
        uint8_t root[TRIE_ROOT_LEN];
        struct element **v;
        struct hash digest;
        struct trie t;
        size_t n;

        if (vectors_find(all, section, "n") == NULL)
            continue;
        n = vectors_number(all, section, "n");
        v = make_all(p, n, 1);
        trie_init(&t, p);
        put_all(&t, v, n);
        trie_digest(&t, &digest);
        recon_root(&t, NULL, NULL, root);
        assert_memory_equal(digest.b,
                            vectors_bytes(all, section, "digest", HASH_LEN),
                            HASH_LEN);
        assert_memory_equal(root,
                            vectors_bytes(all, section, "root", TRIE_ROOT_LEN),
                            TRIE_ROOT_LEN);
        trie_clear(&t);
        free_all(v, n);
        sets++;
    }
    assert_true(sets >= 6);
    vectors_close(all);
    pool_free(p);
}

static void test_vector_twins(void **state)
{
    struct vectors *all = vectors_open("trie");
    struct pool *p = fake_pool();
    struct element *e[2];
    struct hash digest;
    struct trie t;

    (void)state;
    trie_init(&t, p);
    for (int i = 0; i < 2; i++) {
        const char *id_name = i == 0 ? "id.0" : "id.1";
        const char *head_name = i == 0 ? "head.0" : "head.1";
        struct node_id id;
        struct hash h;

        memcpy(id.b, vectors_bytes(all, "set.twins", id_name, 32), 32);
        memcpy(h.b, vectors_bytes(all, "set.twins", head_name, 32), 32);
        e[i] = element_new(p, &id, 1, &h);
        assert_int_equal(trie_put(&t, e[i]->bundle), KITH_OK);
    }
    trie_digest(&t, &digest);
    assert_memory_equal(digest.b,
                        vectors_bytes(all, "set.twins", "digest", HASH_LEN),
                        HASH_LEN);
    trie_clear(&t);
    element_free(e[0]);
    element_free(e[1]);
    vectors_close(all);
    pool_free(p);
}

/* Describes within as many bytes as the vector has, and compares. */
static void assert_described(const struct vectors *all, const char *name,
                             const struct trie *t,
                             const struct trie_prefix *prefix,
                             const uint8_t *iv)
{
    const struct vector *want = vectors_get(all, "exchange", name);
    uint8_t buf[REQUEST_ITEMS_MAX];
    struct writer w;

    writer_init(&w, buf, want->len);
    assert_int_equal(recon_describe(t, prefix, iv, &w), KITH_OK);
    assert_int_equal(w.len, want->len);
    assert_memory_equal(buf, want->bytes, want->len);
}

static void test_vector_exchange(void **state)
{
    enum {
        COUNT = 100
    };
    struct vectors *all = vectors_open("trie");
    const uint8_t *iv = vectors_bytes(all, "short", "iv", RECON_IV_LEN);
    struct pool *p = fake_pool();
    struct trie_prefix whole = prefix_root();
    struct trie_prefix zero = prefix_child(&whole, 0);
    struct trie_prefix eight = prefix_child(&zero, 8);
    struct element **v;
    struct trie t;

    (void)state;
    v = make_all(p, COUNT, vectors_number(all, "exchange", "serial"));
    trie_init(&t, p);
    put_all(&t, v, COUNT);
    assert_described(all, "nodes_1", &t, &whole, iv);
    assert_described(all, "nodes_2", &t, &whole, iv);
    assert_described(all, "nodes_1_depth_1", &t, &zero, iv);
    assert_described(all, "nodes_2_depth_1", &t, &zero, iv);
    assert_described(all, "leaves_depth_1", &t, &zero, iv);
    assert_described(all, "leaves_depth_2", &t, &eight, iv);
    trie_clear(&t);
    free_all(v, COUNT);
    vectors_close(all);
    pool_free(p);
}

static void test_root(void **state)
{
    struct pool *p = fake_pool();
    struct hash charter = labelled("charter", 0), revoked = {{0}};
    uint8_t none[TRIE_ROOT_LEN], one[TRIE_ROOT_LEN], two[TRIE_ROOT_LEN];
    struct trie t;

    (void)state;
    trie_init(&t, p);
    recon_root(&t, NULL, NULL, none);
    recon_root(&t, &charter, NULL, one);
    recon_root(&t, &charter, &revoked, two);
    assert_memory_not_equal(none, one, sizeof one);
    assert_memory_equal(one, two, sizeof one);
    recon_root(&t, NULL, &charter, two);
    assert_memory_not_equal(one, two, sizeof one);
    pool_free(p);
}

/* -- describing -------------------------------------------------------- */

/* The item that recon_describe() writes into that room, or type 0xff. */
static uint8_t type_within(const struct trie *t,
                           const struct trie_prefix *prefix, size_t room,
                           struct item *item)
{
    static uint8_t buf[REQUEST_ITEMS_MAX];
    const uint8_t iv[RECON_IV_LEN] = {1};
    struct cursor c;
    struct writer w;
    int err;

    assert_true(room <= sizeof buf);
    writer_init(&w, buf, room);
    err = recon_describe(t, prefix, iv, &w);
    assert_true(err == KITH_OK || err == KITH_ERR_FULL);
    assert_true((err == KITH_OK) == (w.len > 0));
    assert_false(w.overflow);
    if (err != KITH_OK)
        return 0xff;
    cursor_init(&c, buf, w.len);
    assert_int_equal(item_next(&c, item), KITH_OK);
    assert_int_equal(c.left, 0);
    return item->type;
}

static void test_describe(void **state)
{
    enum {
        COUNT = 100
    };
    struct pool *p = fake_pool();
    struct trie_prefix whole = prefix_root();
    struct element **v = make_all(p, COUNT, 1);
    struct item item;
    struct trie t;
    size_t room;

    (void)state;
    trie_init(&t, p);
    /* Nothing at all is told as LEAVES without elements. */
    room = item_leaves_len(0, 0);
    assert_int_equal(type_within(&t, &whole, room, &item), ITEM_LEAVES);
    assert_int_equal(item.leaves.n, 0);
    assert_int_equal(type_within(&t, &whole, room - 1, &item), 0xff);

    /* One or two never as NODES. */
    put_all(&t, v, 2);
    room = item_leaves_len(0, 2);
    assert_int_equal(type_within(&t, &whole, room, &item), ITEM_LEAVES);
    assert_int_equal(type_within(&t, &whole, room - 1, &item), 0xff);

    put_all(&t, v, 10);
    room = item_leaves_len(0, 10);
    assert_int_equal(type_within(&t, &whole, room, &item), ITEM_LEAVES);
    assert_int_equal(item.leaves.n, 10);
    assert_int_equal(type_within(&t, &whole, room - 1, &item), ITEM_NODES);
    assert_int_equal(item.nodes.levels, 2);

    put_all(&t, v, COUNT);
    assert_int_equal(type_within(&t, &whole, 1093, &item), ITEM_NODES);
    assert_int_equal(item.nodes.levels, 2);
    room = item_nodes_len(0, 2, item.nodes.n);
    assert_int_equal(type_within(&t, &whole, room - 1, &item), ITEM_NODES);
    assert_int_equal(item.nodes.levels, 1);
    room = item_nodes_len(0, 1, item.nodes.n);
    assert_int_equal(type_within(&t, &whole, room, &item), ITEM_NODES);
    assert_int_equal(type_within(&t, &whole, room - 1, &item), 0xff);
    trie_clear(&t);
    free_all(v, COUNT);
    pool_free(p);
}

/* Ids that part at the last nibble: there is no second level below. */
static void test_describe_deep(void **state)
{
    enum {
        COUNT = 16
    };
    struct pool *p = fake_pool();
    struct element *e[COUNT];
    struct trie_prefix prefix;
    struct item item;
    struct trie t;

    (void)state;
    trie_init(&t, p);
    for (uint8_t i = 0; i < COUNT; i++) {
        struct node_id id = {{[31] = i}};
        struct hash h = labelled("head", i);

        e[i] = element_new(p, &id, 1, &h);
        assert_int_equal(trie_put(&t, e[i]->bundle), KITH_OK);
    }
    for (uint8_t depth = 60; depth <= 63; depth++) {
        size_t nodes = depth == 63 ? COUNT : 1;

        prefix = prefix_at(e[0], depth);
        assert_int_equal(
            type_within(&t, &prefix, item_nodes_len(depth, 1, nodes), &item),
            ITEM_NODES);
        assert_int_equal(item.nodes.n, nodes);
    }
    prefix = prefix_at(e[5], 64);
    assert_int_equal(type_within(&t, &prefix, item_leaves_len(64, 1), &item),
                     ITEM_LEAVES);
    for (size_t room = 0; room < item_leaves_len(64, 1); room++)
        assert_int_equal(type_within(&t, &prefix, room, &item), 0xff);
    trie_clear(&t);
    for (int i = 0; i < COUNT; i++)
        element_free(e[i]);
    pool_free(p);
}

static void test_describe_each(void **state)
{
    enum {
        COUNT = 1000
    };
    struct pool *p = fake_pool();
    struct element **v = make_all(p, COUNT, 1);
    const uint8_t iv[RECON_IV_LEN] = {1};
    struct trie_prefix whole = prefix_root(), prefixes[16];
    uint8_t buf[REQUEST_ITEMS_MAX], one[REQUEST_ITEMS_MAX];
    struct writer w, alone;
    struct trie t;
    size_t done;

    (void)state;
    trie_init(&t, p);
    put_all(&t, v, COUNT);
    for (uint8_t i = 0; i < 16; i++)
        prefixes[i] = prefix_child(&whole, i);

    writer_init(&w, buf, 0);
    assert_int_equal(recon_describe_each(&t, prefixes, 16, iv, &w), 0);
    assert_int_equal(recon_describe_each(&t, prefixes, 0, iv, &w), 0);
    assert_false(w.overflow);

    /* One alone gets what recon_describe() would give it. */
    writer_init(&w, buf, sizeof buf);
    writer_init(&alone, one, sizeof one);
    assert_int_equal(recon_describe_each(&t, prefixes, 1, iv, &w), 1);
    assert_int_equal(recon_describe(&t, prefixes, iv, &alone), KITH_OK);
    assert_int_equal(w.len, alone.len);
    assert_memory_equal(buf, one, alone.len);

    /* Many: none takes much more than its share. */
    writer_init(&w, buf, sizeof buf);
    done = recon_describe_each(&t, prefixes, 16, iv, &w);
    assert_true(done >= 14);
    assert_true(w.len <= sizeof buf && !w.overflow);
    trie_clear(&t);
    free_all(v, COUNT);
    pool_free(p);
}

/* -- comparing --------------------------------------------------------- */

/* B's description of `prefix` with levels, or LEAVES when that fits. */
static void describe(const struct trie *t, const struct trie_prefix *prefix,
                     const uint8_t *iv, uint8_t *buf, size_t room,
                     struct item *item)
{
    struct writer w;
    struct cursor c;

    writer_init(&w, buf, room);
    assert_int_equal(recon_describe(t, prefix, iv, &w), KITH_OK);
    cursor_init(&c, buf, w.len);
    assert_int_equal(item_next(&c, item), KITH_OK);
}

static void test_compare_nodes(void **state)
{
    enum {
        COUNT = 1000
    };
    struct pool *p = fake_pool();
    struct element **v = make_all(p, COUNT, 1);
    struct trie_prefix whole = prefix_root(), differing[300], want;
    uint8_t iv[RECON_IV_LEN] = {0}, buf[REQUEST_ITEMS_MAX];
    struct item item;
    struct trie a, b;
    size_t n = 0;

    (void)state;
    trie_init(&a, p);
    trie_init(&b, p);
    put_all(&a, v, COUNT);
    put_all(&b, v, COUNT);
    describe(&b, &whole, iv, buf, 1093, &item);
    assert_int_equal(item.nodes.levels, 2);
    assert_int_equal(
        recon_compare_nodes(&a, iv, &item.nodes, differing, 300, &n), KITH_OK);
    assert_int_equal(n, 0);

    /* One that A lacks; one that B lacks. */
    assert_int_equal(trie_remove(&a, &v[500]->ident.id), KITH_OK);
    assert_int_equal(trie_remove(&b, &v[20]->ident.id), KITH_OK);
    describe(&b, &whole, iv, buf, 1093, &item);
    assert_int_equal(
        recon_compare_nodes(&a, iv, &item.nodes, differing, 300, &n), KITH_OK);
    assert_int_equal(n, 2);
    want = prefix_at(v[20], 2);
    assert_true(prefix_equal(&differing[0], &want));
    want = prefix_at(v[500], 2);
    assert_true(prefix_equal(&differing[1], &want));

    /* Another IV, another beginning. */
    iv[0] = v[500]->ident.id.b[0];
    describe(&b, &whole, iv, buf, 1093, &item);
    n = 1;
    assert_int_equal(recon_compare_nodes(&a, iv, &item.nodes, differing, 2, &n),
                     KITH_ERR_FULL);
    assert_int_equal(n, 2);
    assert_true(prefix_equal(&differing[1], &want));

    /* With nothing on one side everything differs. */
    trie_clear(&a);
    n = 0;
    assert_int_equal(
        recon_compare_nodes(&a, iv, &item.nodes, differing, 300, &n), KITH_OK);
    assert_int_equal(n, item.nodes.n);
    trie_clear(&b);
    free_all(v, COUNT);
    pool_free(p);
}

static void test_compare_leaves(void **state)
{
    struct pool *p = fake_pool();
    /* By index: in A only, in B only, the same, newer in A, newer in B, of
     * one serial with two hashes; then one outside the prefix. */
    struct element *a[7] = {NULL}, *b[7] = {NULL};
    struct recon_diff diff = {.lacking_n = 0};
    struct trie_prefix prefix = {.depth = 2, .nibbles = {0x40}};
    uint8_t iv[RECON_IV_LEN] = {7}, buf[REQUEST_ITEMS_MAX];
    struct item item;
    struct trie ta, tb;

    (void)state;
    trie_init(&ta, p);
    trie_init(&tb, p);
    for (uint8_t i = 0; i < 7; i++) {
        struct node_id id = {{i == 6 ? 0x41 : 0x40, i}};
        struct hash ha = labelled("a", i), hb = labelled("b", i);

        a[i] = element_new(p, &id, i == 3 ? 31 : 30, &ha);
        b[i] = element_new(p, &id, i == 4 ? 31 : 30, i == 2 ? &ha : &hb);
        if (i != 1)
            assert_int_equal(trie_put(&ta, a[i]->bundle), KITH_OK);
        if (i != 0)
            assert_int_equal(trie_put(&tb, b[i]->bundle), KITH_OK);
    }
    describe(&tb, &prefix, iv, buf, sizeof buf, &item);
    assert_int_equal(item.type, ITEM_LEAVES);
    assert_int_equal(item.leaves.n, 5);
    recon_compare_leaves(&ta, iv, &item, &diff);
    assert_false(diff.more);
    assert_int_equal(diff.lacking_n, 3);
    assert_true(node_id_equal(&diff.lacking[0].id, &b[1]->ident.id));
    assert_int_equal(diff.lacking[0].since, 0);
    assert_true(node_id_equal(&diff.lacking[1].id, &b[4]->ident.id));
    assert_int_equal(diff.lacking[1].since, 30);
    assert_true(node_id_equal(&diff.lacking[2].id, &b[5]->ident.id));
    assert_int_equal(diff.lacking[2].since, 0);
    assert_int_equal(diff.giving_n, 3);
    assert_ptr_equal(diff.giving[0], a[3]->bundle);
    assert_ptr_equal(diff.giving[1], a[5]->bundle);
    assert_ptr_equal(diff.giving[2], a[0]->bundle);

    /* The short hash depends on the IV of this exchange. */
    iv[15] ^= 1;
    recon_compare_leaves(&ta, iv, &item, &diff);
    assert_int_equal(diff.lacking_n, 3 + 4);
    assert_int_equal(diff.giving_n, 3 + 4);

    trie_clear(&ta);
    trie_clear(&tb);
    for (int i = 0; i < 7; i++) {
        element_free(a[i]);
        element_free(b[i]);
    }
    pool_free(p);
}

static void test_compare_leaves_bounded(void **state)
{
    enum {
        COUNT = 200
    };
    struct pool *p = fake_pool();
    struct element **v = make_all(p, COUNT, 1);
    struct recon_diff diff = {.lacking_n = 0};
    struct trie_prefix whole = prefix_root();
    const uint8_t iv[RECON_IV_LEN] = {7};
    uint8_t buf[4 * REQUEST_ITEMS_MAX];
    struct item item;
    struct trie a, b;

    (void)state;
    trie_init(&a, p);
    trie_init(&b, p);
    put_all(&a, v, COUNT);
    describe(&b, &whole, iv, buf, sizeof buf, &item);
    recon_compare_leaves(&a, iv, &item, &diff);
    assert_true(diff.more);
    assert_int_equal(diff.giving_n, RECON_DIFF_MAX);
    assert_int_equal(diff.lacking_n, 0);

    diff = (struct recon_diff){.lacking_n = 0};
    put_all(&b, v, RECON_DIFF_MAX + 1);
    describe(&b, &whole, iv, buf, sizeof buf, &item);
    assert_int_equal(item.type, ITEM_LEAVES);
    trie_clear(&a);
    recon_compare_leaves(&a, iv, &item, &diff);
    assert_true(diff.more);
    assert_int_equal(diff.giving_n, 0);
    assert_int_equal(diff.lacking_n, RECON_DIFF_MAX);
    trie_clear(&b);
    free_all(v, COUNT);
    pool_free(p);
}

/* -- whole exchanges --------------------------------------------------- */

/* How two sets of n elements may differ, each element with some chance. */
enum difference {
    IN_A,
    IN_B,
    NEWER_IN_A,
    NEWER_IN_B,
    TWO_HASHES,
    DIFFERENCES
};

struct sides {
    struct pool *pool;
    struct trie a, b;
    struct element **v;
    struct element **other; /* what replaces v[i] on one side */
    size_t n;
};

static void sides_init(struct sides *s, size_t n)
{
    s->pool = fake_pool();
    s->n = n;
    s->v = calloc(n, sizeof *s->v);
    s->other = calloc(n, sizeof *s->other);
    assert_non_null(s->v);
    assert_non_null(s->other);
    trie_init(&s->a, s->pool);
    trie_init(&s->b, s->pool);
    for (size_t i = 0; i < n; i++) {
        s->v[i] = make(s->pool, (uint32_t)i, 1000, "head");
        s->other[i] = make(s->pool, (uint32_t)i, 1000, "other");
    }
    put_all(&s->a, s->v, n);
    put_all(&s->b, s->v, n);
}

static void sides_differ(struct sides *s, size_t i, enum difference how)
{
    struct trie *t = how == IN_A || how == NEWER_IN_B ? &s->b : &s->a;

    if (how == IN_A || how == IN_B) {
        assert_int_equal(trie_remove(t, &s->v[i]->ident.id), KITH_OK);
        return;
    }
    s->other[i]->bundle->serial = how == TWO_HASHES ? 1000 : 1001;
    assert_int_equal(trie_put(t, s->other[i]->bundle), KITH_OK);
}

static void sides_free(struct sides *s)
{
    trie_clear(&s->a);
    trie_clear(&s->b);
    free_all(s->v, s->n);
    free_all(s->other, s->n);
    pool_free(s->pool);
}

/* In at most max exchanges. */
static void converge(struct sides *s, const char *what, size_t max,
                     struct drive *d)
{
    struct hash da, db;

    assert_true(drive(d, &s->a, &s->b, 42, max));
    trie_digest(&s->a, &da);
    trie_digest(&s->b, &db);
    assert_true(hash_equal(&da, &db));
    print_message("%-28s %5zu heads moved, %5zu exchanges, %7zu bytes\n", what,
                  d->moved, d->exchanges, d->bytes);
}

static void test_one_in_10000(void **state)
{
    static const char *const names[DIFFERENCES] = {"in A", "in B", "newer in A",
                                                   "newer in B", "two hashes"};
    struct sides s;

    (void)state;
    sides_init(&s, 10000);
    for (enum difference how = 0; how < DIFFERENCES; how++) {
        static struct drive d;
        char what[64];

        sides_differ(&s, 77 + (size_t)how, how);
        snprintf(what, sizeof what, "1 of 10,000, %s", names[how]);
        /* The last one is the ROOT that finds both equal. */
        converge(&s, what, 3, &d);
        assert_int_equal(d.moved, 1);
        assert_true(d.first_known <= 2);
        assert_true(d.bytes <= 3000);
    }
    sides_free(&s);
}

static void test_many(void **state)
{
    static const struct {
        const char *name;
        size_t n;
        unsigned percent;
        size_t max; /* exchanges */
    } cases[] = {
        {"1 % of 2,000", 2000, 1, 4},    {"1 % of 10,000", 10000, 1, 16},
        {"50 % of 1,000", 1000, 50, 50}, {"all of 1,000", 1000, 100, 80},
        {"all of 20", 20, 100, 4},
    };

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        static struct drive d;
        struct prng r;
        struct sides s;

        prng_seed(&r, k);
        sides_init(&s, cases[k].n);
        for (size_t i = 0; i < s.n; i++)
            if (prng_below(&r, 100) < cases[k].percent)
                sides_differ(&s, i,
                             (enum difference)prng_below(&r, DIFFERENCES));
        converge(&s, cases[k].name, cases[k].max, &d);
        assert_int_equal(trie_count(&s.a), s.n);
        sides_free(&s);
    }
}

/* Every element differs in the same way. */
static void test_uniform(void **state)
{
    static const char *const names[DIFFERENCES] = {
        "B has none of 500", "A has none of 500", "500 newer in A",
        "500 newer in B", "500 with two hashes"};

    (void)state;
    for (enum difference how = 0; how < DIFFERENCES; how++) {
        static struct drive d;
        struct sides s;

        sides_init(&s, 500);
        for (size_t i = 0; i < s.n; i++)
            sides_differ(&s, i, how);
        converge(&s, names[how], 80, &d);
        assert_int_equal(trie_count(&s.a), s.n);
        assert_int_equal(d.moved, s.n);
        sides_free(&s);
    }
}

static void test_disjoint(void **state)
{
    static struct drive d;
    struct sides s;

    (void)state;
    sides_init(&s, 1000);
    for (size_t i = 0; i < s.n; i++)
        sides_differ(&s, i, i % 2 == 0 ? IN_A : IN_B);
    converge(&s, "disjoint, 500 and 500", 80, &d);
    assert_int_equal(trie_count(&s.a), s.n);
    assert_int_equal(d.moved, s.n);
    sides_free(&s);
}

static void test_equal(void **state)
{
    static struct drive d;
    struct sides s;

    (void)state;
    sides_init(&s, 100);
    converge(&s, "equal", 1, &d);
    assert_int_equal(d.moved, 0);
    sides_free(&s);
    sides_init(&s, 0);
    converge(&s, "both empty", 1, &d);
    sides_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_sets),
        cmocka_unit_test(test_vector_twins),
        cmocka_unit_test(test_vector_exchange),
        cmocka_unit_test(test_root),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_describe_deep),
        cmocka_unit_test(test_describe_each),
        cmocka_unit_test(test_compare_nodes),
        cmocka_unit_test(test_compare_leaves),
        cmocka_unit_test(test_compare_leaves_bounded),
        cmocka_unit_test(test_one_in_10000),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_disjoint),
        cmocka_unit_test(test_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
