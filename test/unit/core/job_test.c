/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/error.h"
#include "core/job.h"
#include "core/recon.h"
#include "fake.h"

static const uint8_t iv[DGRAM_IV_LEN] = {1, 2, 3};
static const uint8_t root[TRIE_ROOT_LEN] = {4, 5, 6};

static struct node_id id_of(uint8_t byte)
{
    struct node_id id;

    memset(id.b, byte, sizeof id.b);
    return id;
}

static struct hash hash_of(uint8_t byte)
{
    struct hash h;

    memset(h.b, byte, sizeof h.b);
    return h;
}

/* A bundle of node n: a head and one block with a payload of that length. */
static struct bundle *bundle_of(struct pool *p, uint64_t n, uint64_t serial,
                                size_t payload_len)
{
    uint8_t *payload = calloc(1, payload_len + 1);
    struct ident *ident = fake_ident(p, n);
    struct object *block;
    struct bundle *b;

    assert_non_null(payload);
    block = fake_object(p, ident, BLOCK_DATA, "data", serial - 1, payload,
                        payload_len);
    b = fake_bundle(p, ident, serial, 0, &block, 1);
    object_unref(block);
    ident_unref(ident);
    free(payload);
    return b;
}

struct encoded {
    uint8_t b[DGRAM_MAX];
    size_t took;
    struct writer w;
    struct cursor c;
};

static void encode(struct encoded *e, const struct trie *t,
                   const struct jobs *j, size_t room)
{
    struct job_context ctx = {.set = t, .root = root, .iv = iv};

    writer_init(&e->w, e->b, room);
    e->took = jobs_encode(j->v, j->n, &ctx, &e->w);
    assert_false(e->w.overflow);
    cursor_init(&e->c, e->b, e->w.len);
}

static struct item next(struct encoded *e, uint8_t type)
{
    struct item item = {.type = 0xff};

    assert_int_equal(item_next(&e->c, &item), KITH_OK);
    assert_int_equal(item.type, type);
    return item;
}

static void assert_end(struct encoded *e)
{
    struct item item;

    assert_int_equal(item_next(&e->c, &item), KITH_ERR_NOTFOUND);
}

/* -- the list -- */

/* What does not fit is left out, and takes no reference. */
static void test_bounded(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *b = bundle_of(p, 1, 10, 10);
    struct trie_prefix all = prefix_root();
    struct node_id id = id_of(1);
    struct hash h = hash_of(2);
    struct jobs jobs = {.n = 0};
    uint32_t head_refs = b->head->refs, refs = b->refs;

    (void)state;
    for (size_t i = 0; i < JOBS_MAX; i++)
        jobs_announce(&jobs, b);
    assert_int_equal(jobs.n, JOBS_MAX);
    assert_int_equal(b->refs, refs + JOBS_MAX);
    jobs_root(&jobs);
    jobs_full(&jobs);
    jobs_describe(&jobs, &all);
    jobs_announce(&jobs, b);
    jobs_want_head(&jobs, &id, 0, true);
    jobs_want_piece(&jobs, &h, 0);
    jobs_piece(&jobs, b->head, 0);
    jobs_give(&jobs, b, 0, true, 0);
    assert_int_equal(jobs.n, JOBS_MAX);
    assert_int_equal(b->refs, refs + JOBS_MAX);
    assert_int_equal(b->head->refs, head_refs);

    jobs_clear(&jobs);
    assert_int_equal(jobs.n, 0);
    assert_int_equal(b->refs, refs);
    bundle_unref(b);
    pool_free(p);
}

/* Every reference that a job takes is given back by job_clear(). */
static void test_references(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *b = bundle_of(p, 1, 10, 10);
    struct jobs jobs = {.n = 0};
    struct job none = {.type = JOB_ROOT};

    (void)state;
    jobs_announce(&jobs, b);
    jobs_give(&jobs, b, 0, true, 7);
    bundle_unref(b);
    b = NULL;
    while (jobs.n > 0) {
        job_clear(&jobs.v[--jobs.n]);
        assert_memory_equal(&jobs.v[jobs.n], &none, sizeof none);
    }
    pool_free(p); /* asserts that nothing is left */
}

static void test_same(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *a = bundle_of(p, 1, 10, 10), *b = bundle_of(p, 2, 10, 10);
    struct node_id id1 = id_of(1), id2 = id_of(2);
    struct hash h1 = hash_of(1), h2 = hash_of(2);
    struct trie_prefix all = prefix_root(), deep = prefix_of_id(&id1, 3);
    struct jobs jobs = {.n = 0}, again = {.n = 0};

    (void)state;
    for (int twice = 0; twice < 2; twice++) {
        struct jobs *j = twice ? &again : &jobs;

        jobs_root(j);
        jobs_full(j);
        jobs_describe(j, &all);
        jobs_describe(j, &deep);
        jobs_announce(j, a);
        jobs_announce(j, b);
        jobs_want_head(j, &id1, 5, true);
        jobs_want_head(j, &id2, 5, true);
        jobs_want_piece(j, &h1, 0);
        jobs_want_piece(j, &h1, 1);
        jobs_want_piece(j, &h2, 0);
        jobs_piece(j, a->head, 0);
        jobs_piece(j, a->blocks[0], 0);
        jobs_piece(j, b->head, 0);
    }
    for (size_t i = 0; i < jobs.n; i++)
        for (size_t k = 0; k < again.n; k++)
            assert_int_equal(job_same(&jobs.v[i], &again.v[k]), i == k);
    jobs_clear(&jobs);
    jobs_clear(&again);
    bundle_unref(a);
    bundle_unref(b);
    pool_free(p);
}

static void test_pieces(void **state)
{
    (void)state;
    assert_int_equal(job_pieces(BLOCK_SIGNED_MIN), 1);
    assert_int_equal(job_pieces(PIECE_LEN), 1);
    assert_int_equal(job_pieces(PIECE_LEN + 1), 2);
    assert_int_equal(job_pieces(BLOCK_SIGNED_MAX), PIECES_MAX);
}

/* -- encoding -- */

static void test_encode_order(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *a = bundle_of(p, 1, 10, 10), *b = bundle_of(p, 2, 11, 10);
    struct node_id id = id_of(9);
    struct hash h = hash_of(8);
    struct jobs jobs = {.n = 0};
    struct encoded e;
    struct item item;
    struct item_announce announce;
    struct item_want_head want_head;
    struct item_want_piece want_piece;
    struct trie t;

    (void)state;
    trie_init(&t, p);
    assert_int_equal(trie_put(&t, a), KITH_OK);
    jobs_root(&jobs);
    jobs_announce(&jobs, a);
    jobs_announce(&jobs, b);
    jobs_want_head(&jobs, &id, 77, true);
    jobs_want_head(&jobs, &id, 0, false);
    jobs_want_piece(&jobs, &h, 3);
    jobs_full(&jobs);
    encode(&e, &t, &jobs, sizeof e.b);
    assert_int_equal(e.took, jobs.n);

    item = next(&e, ITEM_ROOT);
    assert_memory_equal(item.root.root, root, sizeof root);
    assert_int_equal(item.root.heads, 1);
    item = next(&e, ITEM_ANNOUNCE);
    assert_int_equal(item.list.n, 2);
    item_announce_at(&item, 1, &announce);
    assert_memory_equal(announce.id.b, b->author->id.b, NODE_ID_LEN);
    assert_int_equal(announce.serial, 11);
    assert_memory_equal(announce.hash8, b->head->hash.b, HASH8_LEN);
    item = next(&e, ITEM_WANT_HEAD);
    assert_int_equal(item.list.n, 2);
    item_want_head_at(&item, 0, &want_head);
    assert_int_equal(want_head.since, 77);
    assert_int_equal(want_head.flags, ITEM_WANT_SPKI);
    item_want_head_at(&item, 1, &want_head);
    assert_int_equal(want_head.flags, 0);
    item = next(&e, ITEM_WANT_PIECE);
    assert_int_equal(item.list.n, 1);
    item_want_piece_at(&item, 0, &want_piece);
    assert_int_equal(want_piece.index, 3);
    next(&e, ITEM_FULL);
    assert_end(&e);

    jobs_clear(&jobs);
    trie_clear(&t);
    bundle_unref(a);
    bundle_unref(b);
    pool_free(p);
}

/* A head goes with its age, and the key if that is wanted; then its block. */
static void test_encode_give(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *b = bundle_of(p, 1, 10, 10);
    struct jobs jobs = {.n = 0};
    struct encoded e;
    struct item item;
    struct trie t;

    (void)state;
    trie_init(&t, p);
    jobs_give(&jobs, b, 0, false, 42);
    encode(&e, &t, &jobs, REQUEST_ITEMS_MAX);
    assert_int_equal(e.took, jobs.n);
    item = next(&e, ITEM_AGE);
    assert_memory_equal(item.age.head.b, b->head->hash.b, HASH_LEN);
    assert_int_equal(item.age.seconds, 42);
    item = next(&e, ITEM_PIECE);
    assert_memory_equal(item.piece.hash.b, b->head->hash.b, HASH_LEN);
    assert_int_equal(item.piece.total, b->head->len);
    assert_memory_equal(item.piece.p, b->head->bytes, b->head->len);
    item = next(&e, ITEM_PIECE);
    assert_memory_equal(item.piece.hash.b, b->blocks[0]->hash.b, HASH_LEN);
    assert_end(&e);
    jobs_clear(&jobs);

    /* only what is newer than the asker's */
    jobs_give(&jobs, b, 9, true, 0);
    encode(&e, &t, &jobs, REQUEST_ITEMS_MAX);
    item = next(&e, ITEM_SPKI);
    assert_memory_equal(item.spki, b->author->spki, SPKI_LEN);
    next(&e, ITEM_AGE);
    next(&e, ITEM_PIECE);
    assert_end(&e);
    jobs_clear(&jobs);
    bundle_unref(b);
    pool_free(p);
}

/* A large block never travels in a head's company. */
static void test_give_large(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *b = bundle_of(p, 1, 10, PIECES_BLOCK_MAX);
    struct jobs jobs = {.n = 0};

    (void)state;
    assert_true(b->blocks[0]->len > PIECES_BLOCK_MAX);
    jobs_give(&jobs, b, 0, true, 0);
    for (size_t i = 0; i < jobs.n; i++)
        if (jobs.v[i].type == JOB_PIECE)
            assert_ptr_equal(jobs.v[i].piece.object, b->head);
    jobs_clear(&jobs);
    bundle_unref(b);
    pool_free(p);
}

static void test_encode_pieces_of_a_block(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *b = bundle_of(p, 1, 10, 3000);
    struct object *object = b->blocks[0];
    uint16_t pieces = job_pieces(object->len);
    uint8_t *got = calloc(1, object->len);
    struct trie t;

    (void)state;
    assert_non_null(got);
    assert_int_equal(pieces, 4);
    trie_init(&t, p);
    for (uint16_t i = 0; i < pieces; i++) {
        struct jobs jobs = {.n = 0};
        struct encoded e;
        struct item item;

        jobs_piece(&jobs, object, i);
        encode(&e, &t, &jobs, REQUEST_ITEMS_MAX);
        assert_int_equal(e.took, 1);
        item = next(&e, ITEM_PIECE);
        assert_int_equal(item.piece.index, i);
        memcpy(got + (size_t)i * PIECE_LEN, item.piece.p, item.piece.n);
        jobs_clear(&jobs);
    }
    assert_memory_equal(got, object->bytes, object->len);
    free(got);
    bundle_unref(b);
    pool_free(p);
}

/* Whatever the room: what was taken is there whole, and nothing else. */
static void test_encode_any_room(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *b = bundle_of(p, 1, 10, 400);
    struct trie_prefix all = prefix_root();
    struct hash h = hash_of(8);
    struct jobs jobs = {.n = 0};
    struct encoded e;
    struct item item;
    size_t most = 0;
    struct trie t;

    (void)state;
    trie_init(&t, p);
    assert_int_equal(trie_put(&t, b), KITH_OK);
    jobs_root(&jobs);
    jobs_want_piece(&jobs, &h, 0);
    jobs_want_piece(&jobs, &h, 1);
    jobs_announce(&jobs, b);
    jobs_describe(&jobs, &all);
    jobs_full(&jobs);
    for (size_t room = 0; room <= REQUEST_ITEMS_MAX; room++) {
        encode(&e, &t, &jobs, room);
        assert_true(e.took >= most);
        most = e.took;
        while (item_next(&e.c, &item) == KITH_OK)
            continue;
        assert_int_equal(e.c.left, 0);
    }
    assert_int_equal(most, jobs.n);
    jobs_clear(&jobs);
    trie_clear(&t);
    bundle_unref(b);
    pool_free(p);
}

/* A datagram's worth of announcements, and the rest in the next one. */
static void test_encode_splits_arrays(void **state)
{
    struct pool *p = fake_pool();
    struct bundle *b[40];
    struct jobs jobs = {.n = 0};
    struct job_context ctx = {.root = root, .iv = iv};
    struct encoded e;
    struct trie t;

    (void)state;
    trie_init(&t, p);
    for (size_t i = 0; i < 40; i++) {
        b[i] = bundle_of(p, i, 10, 1);
        jobs_announce(&jobs, b[i]);
    }
    encode(&e, &t, &jobs, REQUEST_ITEMS_MAX);
    assert_int_equal(e.took,
                     (REQUEST_ITEMS_MAX - ITEM_HEADER_LEN) / ITEM_ANNOUNCE_LEN);
    assert_int_equal(next(&e, ITEM_ANNOUNCE).list.n, e.took);
    ctx.set = &t;
    writer_init(&e.w, e.b, REQUEST_ITEMS_MAX);
    assert_int_equal(jobs_encode(jobs.v + e.took, jobs.n - e.took, &ctx, &e.w),
                     jobs.n - e.took);
    jobs_clear(&jobs);
    for (size_t i = 0; i < 40; i++)
        bundle_unref(b[i]);
    pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_encode_order),
        cmocka_unit_test(test_encode_give),
        cmocka_unit_test(test_give_large),
        cmocka_unit_test(test_encode_pieces_of_a_block),
        cmocka_unit_test(test_encode_any_room),
        cmocka_unit_test(test_encode_splits_arrays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
