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
#include "core/rings.h"
#include "fake.h"
#include "vectors_reader.h"

struct mesh {
    struct pool *pool;
    struct ring_member *members;
    size_t n;
};

/* n members, of whom each is down with that chance. */
static void mesh_init(struct mesh *m, size_t n, unsigned percent_down,
                      uint64_t seed)
{
    struct prng r;

    prng_seed(&r, seed);
    m->pool = fake_pool();
    m->members = calloc(n + 1, sizeof *m->members);
    assert_non_null(m->members);
    m->n = n;
    for (size_t i = 0; i < n; i++) {
        m->members[i].ident = fake_ident(m->pool, seed * 100000 + i);
        m->members[i].down = prng_below(&r, 100) < percent_down;
    }
}

static void mesh_free(struct mesh *m)
{
    for (size_t i = 0; i < m->n; i++)
        ident_unref(m->members[i].ident);
    free(m->members);
    pool_free(m->pool);
}

/* -- the rule, written down as simply as can be ------------------------- */

struct place {
    uint64_t key;
    struct ident *ident;
};

static int place_order(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return x->key < y->key ? -1 : x->key > y->key;
}

/* The others that are not down, in the order in which they follow self on a
 * ring. up, or NULL, is not down. Returns how many. */
static size_t naive_ring(const struct mesh *m, struct ident *self,
                         const struct ident *up, unsigned ring,
                         struct place *out)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        struct ident *who = m->members[i].ident;

        if (who == self || (m->members[i].down && who != up))
            continue;
        out[n++] = (struct place){
            ident_ring_key(who, ring) - ident_ring_key(self, ring), who};
    }
    qsort(out, n, sizeof *out, place_order);
    return n;
}

static size_t naive_add(struct ring_friend *out, size_t n, struct ident *ident,
                        unsigned ring)
{
    for (size_t i = 0; i < n; i++)
        if (out[i].ident == ident)
            return n;
    if (n < FRIENDS_MAX)
        out[n++] = (struct ring_friend){ident, (uint8_t)ring};
    return n;
}

static size_t naive_friends(const struct mesh *m, struct ident *self,
                            const struct ident *up,
                            struct ring_friend out[FRIENDS_MAX])
{
    struct place *places = calloc(m->n + 1, sizeof *places);
    size_t n = 0, others;

    assert_non_null(places);
    for (unsigned r = 0; r < RINGS_MAX; r++)
        if (naive_ring(m, self, up, r, places) > 0)
            n = naive_add(out, n, places[0].ident, r);
    others = naive_ring(m, self, up, 0, places);
    for (size_t i = 0; i < others; i++)
        n = naive_add(out, n, places[i].ident, RINGS_MAX);
    free(places);
    return n;
}

static bool naive_watches(const struct mesh *m, struct ident *who,
                          const struct ident *of)
{
    struct ring_friend friends[FRIENDS_MAX];
    size_t n = naive_friends(m, who, of, friends);

    for (size_t i = 0; i < n; i++)
        if (friends[i].ident == of)
            return true;
    return false;
}

/* -- friends ----------------------------------------------------------- */

static void assert_friends(const struct mesh *m, struct ident *self)
{
    struct ring_friend want[FRIENDS_MAX], got[FRIENDS_MAX];
    size_t n_want = naive_friends(m, self, NULL, want);
    size_t n = rings_friends(m->members, m->n, self, got);

    assert_int_equal(n, n_want);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(got[i].ident, want[i].ident);
        assert_int_equal(got[i].ring, want[i].ring);
    }
}

static void test_friends(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 120; n += n < 30 ? 1 : 15) {
        for (unsigned down = 0; down <= 100; down += 25) {
            struct mesh m;
            struct ident *outsider;

            mesh_init(&m, n, down, n + 1);
            for (size_t i = 0; i < n; i++)
                assert_friends(&m, m.members[i].ident);
            outsider = fake_ident(m.pool, 7);
            assert_friends(&m, outsider);
            ident_unref(outsider);
            mesh_free(&m);
        }
    }
}

/* In any mesh, min(20, those who are up). */
static void test_friend_count(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 40; n++) {
        struct mesh m;

        mesh_init(&m, n, 0, n);
        for (size_t i = 0; i < n; i++) {
            struct ring_friend friends[FRIENDS_MAX];
            size_t want = n - 1 < FRIENDS_MAX ? n - 1 : FRIENDS_MAX;

            assert_int_equal(
                rings_friends(m.members, n, m.members[i].ident, friends), want);
        }
        mesh_free(&m);
    }
}

/* Neither the order of the members nor self's own entry matters. */
static void test_order(void **state)
{
    enum {
        COUNT = 60
    };
    struct ring_friend first[FRIENDS_MAX], again[FRIENDS_MAX];
    struct ring_member shuffled[COUNT];
    struct ident *self;
    struct prng r;
    struct mesh m;

    (void)state;
    prng_seed(&r, 3);
    mesh_init(&m, COUNT, 10, 5);
    self = m.members[COUNT - 1].ident;
    m.members[COUNT - 1].down = true;
    assert_int_equal(rings_friends(m.members, COUNT, self, first), FRIENDS_MAX);
    for (int round = 0; round < 20; round++) {
        size_t n = round % 2 == 0 ? COUNT : COUNT - 1; /* without self */

        memcpy(shuffled, m.members, n * sizeof *shuffled);
        for (size_t i = n; i > 1; i--) {
            size_t k = prng_below(&r, i);
            struct ring_member swap = shuffled[k];

            shuffled[k] = shuffled[i - 1];
            shuffled[i - 1] = swap;
        }
        assert_int_equal(rings_friends(shuffled, n, self, again), FRIENDS_MAX);
        for (size_t i = 0; i < FRIENDS_MAX; i++) {
            assert_ptr_equal(again[i].ident, first[i].ident);
            assert_int_equal(again[i].ring, first[i].ring);
        }
    }
    mesh_free(&m);
}

/* -- watchers ---------------------------------------------------------- */

static void assert_watchers(const struct mesh *m, struct ident *of)
{
    static struct ident *got[1000];
    size_t n = rings_watchers(m->members, m->n, of, got, 1000);
    size_t want = 0;

    for (size_t i = 0; i < m->n; i++) {
        struct ident *who = m->members[i].ident;
        bool found = false;

        for (size_t k = 0; k < n; k++)
            found = found || got[k] == who;
        if (who == of || m->members[i].down) {
            assert_false(found);
            continue;
        }
        assert_true(found == naive_watches(m, who, of));
        want += found ? 1 : 0;
    }
    assert_int_equal(n, want);
}

static void test_watchers(void **state)
{
    static const size_t sizes[] = {1, 2, 21, 22, 30, 64, 65, 66, 67, 80, 150};

    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        for (unsigned down = 0; down <= 60; down += 30) {
            struct mesh m;

            mesh_init(&m, sizes[k], down, k + 1);
            for (size_t i = 0; i < 4 && i < m.n; i++)
                assert_watchers(&m, m.members[i].ident);
            mesh_free(&m);
        }
    }
}

static void test_watchers_cap(void **state)
{
    struct ident *out[3] = {NULL};
    struct mesh m;

    (void)state;
    mesh_init(&m, 100, 0, 1);
    assert_true(rings_watchers(m.members, m.n, m.members[0].ident, out, 2) >
                10);
    assert_non_null(out[1]);
    assert_null(out[2]);
    assert_true(rings_watchers(m.members, m.n, m.members[0].ident, NULL, 0) >
                10);
    mesh_free(&m);
}

/* Law 4: the graph is balanced. */
static void test_balance(void **state)
{
    enum {
        COUNT = 1000,
        SAMPLE = 20
    };
    size_t watchers[COUNT] = {0};
    size_t min = SIZE_MAX, max = 0;
    struct mesh m;

    (void)state;
    mesh_init(&m, COUNT, 0, 9);
    for (size_t i = 0; i < COUNT; i++) {
        struct ring_friend friends[FRIENDS_MAX];
        size_t n = rings_friends(m.members, m.n, m.members[i].ident, friends);

        assert_int_equal(n, FRIENDS_MAX);
        for (size_t k = 0; k < COUNT; k++)
            for (size_t j = 0; j < n; j++)
                watchers[k] += friends[j].ident == m.members[k].ident;
    }
    for (size_t i = 0; i < COUNT; i++) {
        min = watchers[i] < min ? watchers[i] : min;
        max = watchers[i] > max ? watchers[i] : max;
    }
    print_message("1,000 members: %zu to %zu watchers\n", min, max);
    assert_true(min >= 15 && max <= 25);
    for (size_t i = 0; i < SAMPLE; i++)
        assert_int_equal(
            rings_watchers(m.members, m.n, m.members[i].ident, NULL, 0),
            watchers[i]);
    mesh_free(&m);
}

/* One newcomer changes about 20 friendships of 6,000. */
static void test_newcomer(void **state)
{
    enum {
        COUNT = 300
    };
    size_t changed = 0;
    struct mesh m;

    (void)state;
    mesh_init(&m, COUNT, 0, 4);
    for (size_t i = 0; i + 1 < COUNT; i++) {
        struct ring_friend before[FRIENDS_MAX], after[FRIENDS_MAX];
        struct ident *self = m.members[i].ident;

        rings_friends(m.members, COUNT - 1, self, before);
        rings_friends(m.members, COUNT, self, after);
        for (size_t k = 0; k < FRIENDS_MAX; k++) {
            bool kept = false;

            for (size_t j = 0; j < FRIENDS_MAX; j++)
                kept = kept || after[j].ident == before[k].ident;
            changed += kept ? 0 : 1;
        }
    }
    assert_true(changed >= 10 && changed <= 30);
    mesh_free(&m);
}

/* -- vectors ----------------------------------------------------------- */

/* Idents with the ids of the vectors, which no key has. */
static struct ident *ident_of(struct pool *p, uint32_t i)
{
    uint8_t be[4] = {0, 0, (uint8_t)(i >> 8), (uint8_t)i};
    struct ident *ident = calloc(1, sizeof *ident);
    struct hash h;

    assert_non_null(ident);
    fake_hash(&h, "id", 2, be, sizeof be);
    ident->pool = p;
    memcpy(ident->id.b, h.b, sizeof h.b);
    ident_ring_key(ident, IDENT_RINGS - 1);
    return ident;
}

static struct pool *pool_of(const struct vectors *all)
{
    struct mesh_id mesh;

    memcpy(mesh.b, vectors_bytes(all, "keys", "mesh", sizeof mesh.b),
           sizeof mesh.b);
    return pool_new(&mesh, NULL);
}

static void test_vector_keys(void **state)
{
    static const unsigned rings[] = {0, 1, 19, 20, 63};
    struct vectors *all = vectors_open("ring");
    struct pool *p = pool_of(all);
    struct ident *ident = ident_of(p, 0);

    (void)state;
    assert_memory_equal(ident->id.b,
                        vectors_bytes(all, "keys", "id", NODE_ID_LEN),
                        NODE_ID_LEN);
    for (size_t k = 0; k < sizeof rings / sizeof rings[0]; k++) {
        const uint8_t *want;
        uint64_t key = 0;
        char name[16];

        snprintf(name, sizeof name, "key.%u", rings[k]);
        want = vectors_bytes(all, "keys", name, HASH_LEN);
        for (int i = 0; i < 8; i++)
            key = key << 8 | want[i];
        assert_true(ident_ring_key(ident, rings[k]) == key);
    }
    free(ident);
    pool_free(p);
    vectors_close(all);
}

/* Every friend that the vector names, with its ring where it names that. */
static void assert_vector(const struct vectors *all, const char *section,
                          const struct ring_member *members, size_t n, size_t i)
{
    struct ring_friend friends[FRIENDS_MAX];
    size_t count = rings_friends(members, n, members[i].ident, friends);
    const struct vector *want;
    char name[24];
    size_t found = 0;

    snprintf(name, sizeof name, "friends.%zu", i);
    want = vectors_find(all, section, name);
    if (want == NULL)
        return; /* of one that is down */
    assert_int_equal(want->len % 2, 0);
    for (size_t k = 0; k < want->len; k += 2) {
        const struct ident *one =
            members[want->bytes[k] << 8 | want->bytes[k + 1]].ident;

        for (size_t j = 0; j < count; j++)
            found += friends[j].ident == one ? 1 : 0;
    }
    assert_int_equal(found, want->len / 2);
    /* Whom the vector does not name came by rule 3, last. */
    for (size_t j = found; j < count; j++)
        assert_int_equal(friends[j].ring, RINGS_MAX);
    for (size_t j = 0; i == 0 && j < count; j++) {
        const struct vector *at;

        snprintf(name, sizeof name, "ring.%u", friends[j].ring);
        at = vectors_find(all, section, name);
        if (at != NULL)
            assert_ptr_equal(friends[j].ident, members[at->number].ident);
    }
}

static void test_vector_friends(void **state)
{
    struct vectors *all = vectors_open("ring");
    struct pool *p = pool_of(all);
    const char *section = NULL;

    (void)state;
    while ((section = vectors_next_section(all, section)) != NULL) {
        struct ring_member members[256] = {{NULL, false}};
        size_t n, down = 0;

        if (strncmp(section, "mesh.", 5) != 0)
            continue;
        n = vectors_number(all, section, "n");
        assert_true(n <= 256);
        if (vectors_find(all, section, "down") != NULL)
            down = vectors_number(all, section, "down");
        for (size_t i = 0; i < n; i++) {
            members[i].ident = ident_of(p, (uint32_t)i);
            members[i].down = i >= n - down;
        }
        for (size_t i = 0; i < n; i++)
            assert_vector(all, section, members, n, i);
        for (size_t i = 0; i < n; i++)
            free(members[i].ident);
    }
    pool_free(p);
    vectors_close(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_friends),
        cmocka_unit_test(test_friend_count),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_watchers),
        cmocka_unit_test(test_watchers_cap),
        cmocka_unit_test(test_balance),
        cmocka_unit_test(test_newcomer),
        cmocka_unit_test(test_vector_keys),
        cmocka_unit_test(test_vector_friends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
