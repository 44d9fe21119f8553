/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the data structures of src/core cost: the trie at several sizes, what
 * a second engine over the same pool pays for the same set, reconciliation in
 * time, exchanges and bytes, and the choice of friends. Times are the mean of
 * one run; "root after" includes the digests that the change calls for.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../test/fake.h"
#include "../../test/naive_trie.h"
#include "../../test/recon_drive.h"
#include "core/recon.h"
#include "core/rings.h"

enum {
    LOOPS = 2000, /* of what is measured by repeating it */
};

/* Two versions of each of n elements. */
struct sets {
    struct pool *pool;
    struct element **old;
    struct element **new;
    size_t n;
};

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void line(const char *what, size_t n, double ns)
{
    printf("%-44s %7zu %12.0f ns\n", what, n, ns);
}

static struct element **make(struct pool *p, size_t n, uint64_t serial)
{
    struct element **v = calloc(n, sizeof *v);

    assert(v != NULL);
    for (uint64_t i = 0; i < n; i++) {
        struct node_id id;
        struct hash h;

        fake_hash(&h, "id", 2, &i, sizeof i);
        memcpy(id.b, h.b, sizeof id.b);
        fake_hash(&h, h.b, sizeof h.b, &serial, sizeof serial);
        v[i] = element_new(p, &id, serial, &h);
    }
    return v;
}

static void release(struct element **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        element_free(v[i]);
    free(v);
}

static void put(struct trie *t, struct bundle *b)
{
    int err = trie_put(t, b);

    assert(err == KITH_OK);
    (void)err;
}

/* -- the trie ---------------------------------------------------------- */

static void bench_changes(const struct sets *s, struct trie *t)
{
    uint8_t root[TRIE_ROOT_LEN];
    double start = now_ns();

    for (size_t i = 0; i < LOOPS; i++) {
        put(t, (i % 2 == 0 ? s->new : s->old)[i / 2 % s->n]->bundle);
        recon_root(t, NULL, NULL, root);
    }
    line("update, root after each", s->n, (now_ns() - start) / LOOPS);
    start = now_ns();
    for (size_t i = 0; i < LOOPS; i++)
        recon_root(t, NULL, NULL, root);
    line("root, nothing changed", s->n, (now_ns() - start) / LOOPS);
}

static void bench_lookups(const struct sets *s, const struct trie *t)
{
    double start = now_ns();
    size_t found = 0;

    for (size_t i = 0; i < s->n; i++)
        found += trie_find(t, &s->old[i]->ident.id) != NULL;
    line("find", s->n, (now_ns() - start) / (double)s->n);
    assert(found == s->n);
    start = now_ns();
    for (struct bundle *b = trie_after(t, NULL); b != NULL;
         b = trie_after(t, &b->author->id))
        found--;
    line("next, in the order of ids", s->n, (now_ns() - start) / (double)s->n);
    assert(found == 0);
}

static void bench_trie(size_t n)
{
    struct sets s = {.pool = fake_pool(), .n = n};
    double count = (double)n, start;
    struct pool_stats stats;
    struct trie t, again;
    struct hash digest;

    s.old = make(s.pool, n, 1);
    s.new = make(s.pool, n, 2);
    trie_init(&t, s.pool);
    trie_init(&again, s.pool);
    start = now_ns();
    for (size_t i = 0; i < n; i++)
        put(&t, s.old[i]->bundle);
    line("insert", n, (now_ns() - start) / count);
    start = now_ns();
    trie_digest(&t, &digest);
    line("digest of all, per element", n, (now_ns() - start) / count);
    pool_stats(s.pool, &stats);
    printf("%-44s %7zu %12.0f bytes\n", "nodes, per element", n,
           (double)stats.bytes / count);
    start = now_ns();
    for (size_t i = 0; i < n; i++)
        put(&again, s.old[i]->bundle);
    line("insert, second engine of the pool", n, (now_ns() - start) / count);
    assert(again.root == t.root);
    trie_clear(&again);
    bench_changes(&s, &t);
    bench_lookups(&s, &t);
    trie_clear(&t);
    release(s.old, n);
    release(s.new, n);
    pool_free(s.pool);
}

/* -- reconciliation ---------------------------------------------------- */

static void bench_describe(const struct sets *s, const struct trie *t)
{
    struct trie_prefix whole = prefix_root(), differing[256];
    uint8_t buf[DRIVE_ANSWER_MAX], iv[RECON_IV_LEN] = {0};
    struct cursor c;
    struct item item;
    struct writer w;
    double start = now_ns();
    int err = KITH_OK;
    size_t n;

    for (size_t i = 0; i < LOOPS && err == KITH_OK; i++) {
        iv[0] = (uint8_t)i;
        writer_init(&w, buf, sizeof buf);
        err = recon_describe(t, &whole, iv, &w);
    }
    assert(err == KITH_OK);
    line("describe everything", s->n, (now_ns() - start) / LOOPS);
    cursor_init(&c, buf, w.len);
    err = item_next(&c, &item);
    assert(err == KITH_OK && item.type == ITEM_NODES);
    start = now_ns();
    for (size_t i = 0; i < LOOPS && err == KITH_OK; i++) {
        n = 0;
        err = recon_compare_nodes(t, iv, &item.nodes, differing, 256, &n);
    }
    assert(err == KITH_OK && n == 0);
    line("compare that", s->n, (now_ns() - start) / LOOPS);
}

static void bench_difference(const struct sets *s, struct trie *a,
                             struct trie *b, size_t differing)
{
    static struct drive d;
    char what[48];
    bool equal;

    for (size_t i = 0; i < differing; i++)
        put(i % 2 == 0 ? a : b, s->new[i * (s->n / differing)]->bundle);
    equal = drive(&d, a, b, 1, 100000);
    assert(equal && d.moved == differing);
    (void)equal;
    snprintf(what, sizeof what, "reconcile %zu, newer on either side",
             differing);
    printf("%-44s %7zu %5zu exchanges %8zu bytes\n", what, s->n, d.exchanges,
           d.bytes);
    for (size_t i = 0; i < differing; i++) {
        put(a, s->old[i * (s->n / differing)]->bundle);
        put(b, s->old[i * (s->n / differing)]->bundle);
    }
}

static void bench_recon(size_t n)
{
    struct sets s = {.pool = fake_pool(), .n = n};
    struct trie a, b;

    s.old = make(s.pool, n, 1);
    s.new = make(s.pool, n, 2);
    trie_init(&a, s.pool);
    trie_init(&b, s.pool);
    for (size_t i = 0; i < n; i++) {
        put(&a, s.old[i]->bundle);
        put(&b, s.old[i]->bundle);
    }
    bench_describe(&s, &a);
    bench_difference(&s, &a, &b, 1);
    bench_difference(&s, &a, &b, n / 100);
    trie_clear(&a);
    trie_clear(&b);
    release(s.old, n);
    release(s.new, n);
    pool_free(s.pool);
}

/* -- rings ------------------------------------------------------------- */

static void bench_rings(size_t n)
{
    enum {
        ROUNDS = 20
    };
    struct pool *p = fake_pool();
    struct ring_member *members = calloc(n, sizeof *members);
    struct ring_friend friends[FRIENDS_MAX];
    double start;

    assert(members != NULL);
    for (uint64_t i = 0; i < n; i++)
        members[i].ident = fake_ident(p, i);
    rings_watchers(members, n, members[0].ident, NULL, 0); /* all ring keys */
    start = now_ns();
    for (size_t i = 0; i < ROUNDS; i++)
        rings_friends(members, n, members[i].ident, friends);
    line("friends", n, (now_ns() - start) / ROUNDS);
    start = now_ns();
    for (size_t i = 0; i < ROUNDS; i++)
        rings_watchers(members, n, members[i].ident, NULL, 0);
    line("watchers", n, (now_ns() - start) / ROUNDS);
    for (size_t i = 0; i < n; i++)
        ident_unref(members[i].ident);
    free(members);
    pool_free(p);
}

int main(void)
{
    static const size_t sizes[] = {1000, 10000, 100000};

    printf("%-44s %7s %12s\n", "what", "heads", "each");
    for (size_t i = 0; i < 3; i++)
        bench_trie(sizes[i]);
    for (size_t i = 0; i < 3; i++)
        bench_recon(sizes[i]);
    for (size_t i = 0; i < 2; i++)
        bench_rings(sizes[i]);
    return 0;
}
