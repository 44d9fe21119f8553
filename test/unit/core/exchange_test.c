/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/recon.h"
#include "engine_far.h"

/* The cookie of f, so that answers have all the room there is. */
static void get_cookie(struct far *f, struct rig *r)
{
    struct far_items i;

    item_put_pad(far_begin(&i), 100);
    far_ask(f, r, i.b, i.w.len);
    assert_true(far_read_answer(f, r));
    far_take_cookie(f);
    assert_true(f->has_cookie);
    rig_forget(r);
}

static struct rig *rig_with(struct far *f)
{
    struct rig *r = rig_up(1);

    far_init(f, r, 2);
    get_cookie(f, r);
    return r;
}

static struct writer *begin(struct far *f, struct far_items *i)
{
    item_put_cookie(far_begin(i), f->cookie);
    return &i->w;
}

/* Asks, and reads the answer. */
static void ask(struct far *f, struct rig *r, struct far_items *i)
{
    assert_false(i->w.overflow);
    rig_forget(r);
    far_ask(f, r, i->b, i->w.len);
    assert_true(far_read_answer(f, r));
}

static void end(struct rig *r, struct far *f)
{
    far_clear(f);
    rig_free(r);
}

static size_t count(const struct far *f, enum item_type type)
{
    struct cursor c;
    struct item item;
    size_t n = 0;

    cursor_init(&c, f->items, f->n);
    while (item_next(&c, &item) == KITH_OK)
        n += item.type == type;
    return n;
}

/* -- comparing -- */

/* A few members are listed one by one, many by their hashes. */
static void test_describes(void **state)
{
    struct far f, g;
    struct rig *r = rig_with(&f);
    struct far_items i;
    uint8_t root[TRIE_ROOT_LEN] = {1};
    struct item item;

    (void)state;
    far_init(&g, r, 3);
    far_join(&g, r, 10);
    item_put_root(begin(&f, &i), root, 9);
    ask(&f, r, &i);
    assert_true(far_item(&f, ITEM_LEAVES, &item));
    assert_int_equal(item.leaves.n, 2);
    assert_int_equal(item.leaves.prefix.depth, 0);
    for (uint64_t n = 100; n < 200; n++) {
        struct ident *ident = fake_ident(r->pool, n);
        struct bundle *b = fake_bundle(r->pool, ident, 5, 0, NULL, 0);

        assert_int_equal(far_give(&f, r, b, 0), KITH_OK);
        bundle_unref(b);
        ident_unref(ident);
    }
    item_put_root(begin(&f, &i), root, 9);
    ask(&f, r, &i);
    assert_true(far_item(&f, ITEM_NODES, &item));
    assert_int_equal(item.nodes.prefix.depth, 0);
    far_clear(&g);
    end(r, &f);
}

static void put_leaf(struct writer *w, const struct node_id *id,
                     uint64_t serial)
{
    struct trie_prefix all = prefix_root();
    struct item_array a = item_begin_leaves(w, &all);
    struct item_leaf leaf = {.id = *id, .serial = serial};

    item_add_leaf(&a, &leaf);
    item_end(&a);
}

/* LEAVES say what we lack, which is asked for, and what the other side lacks,
 * which it is told in the same way. */
static void test_leaves(void **state)
{
    struct far f, g;
    struct rig *r = rig_with(&f);
    struct far_items i;
    struct item item;
    struct item_want_head want;
    struct item_leaf leaf;

    (void)state;
    far_init(&g, r, 3);
    put_leaf(begin(&f, &i), &g.id, 10);
    ask(&f, r, &i);
    assert_true(far_item(&f, ITEM_WANT_HEAD, &item));
    item_want_head_at(&item, 0, &want);
    assert_memory_equal(want.id.b, g.id.b, NODE_ID_LEN);
    assert_int_equal(want.flags, ITEM_WANT_SPKI);
    assert_true(far_item(&f, ITEM_LEAVES, &item));
    assert_int_equal(item.leaves.n, 1);
    item_leaf_at(&item, 0, &leaf);
    assert_memory_equal(leaf.id.b, r->e->self.b, NODE_ID_LEN);
    assert_int_equal(leaf.serial, r->head_serial);

    /* an older one of a member's is not wanted */
    far_join(&g, r, 10);
    put_leaf(begin(&f, &i), &g.id, 9);
    ask(&f, r, &i);
    assert_false(far_has(&f, ITEM_WANT_HEAD));
    assert_true(far_item(&f, ITEM_LEAVES, &item));
    assert_int_equal(item.leaves.n, 2);
    far_clear(&g);
    end(r, &f);
}

/* NODES with a hash that we do not have are answered with what we do have
 * there; those that agree, with nothing. */
static void test_nodes(void **state)
{
    struct far f;
    struct rig *r = rig_with(&f);
    struct far_items i;
    struct item_nodes nodes = {.levels = 1, .n = 1};
    uint8_t bitmap[2] = {0}, hash[SHORT_HASH_LEN] = {1, 2, 3, 4};
    uint8_t nibble = prefix_id_nibble(&r->e->self, 0);
    struct item item;

    (void)state;
    nodes.prefix = prefix_root();
    nodes.bitmap = bitmap;
    nodes.hashes = hash;
    bitmap[nibble / 8] = (uint8_t)(0x80 >> nibble % 8);
    item_put_nodes(begin(&f, &i), &nodes);
    ask(&f, r, &i);
    assert_true(far_item(&f, ITEM_LEAVES, &item));
    assert_int_equal(item.leaves.prefix.depth, 1);
    assert_int_equal(item.leaves.n, 1);

    /* a child of which we have nothing */
    memset(bitmap, 0, sizeof bitmap);
    nibble ^= 1;
    bitmap[nibble / 8] = (uint8_t)(0x80 >> nibble % 8);
    item_put_nodes(begin(&f, &i), &nodes);
    ask(&f, r, &i);
    assert_int_equal(count(&f, ITEM_LEAVES), 2); /* it, and our own */
    end(r, &f);
}

/* -- giving -- */

static void want_head(struct far *f, struct rig *r, const struct node_id *id,
                      uint64_t since, uint8_t flags)
{
    struct far_items i;

    far_put_want_head(begin(f, &i), id, since, flags);
    ask(f, r, &i);
}

static void test_gives_head(void **state)
{
    struct far f, g;
    struct rig *r = rig_with(&f);
    struct node_id nobody = {{7}};
    struct bundle *b;
    struct item item;

    (void)state;
    far_init(&g, r, 3);
    b = far_head(&g, r, 10, 0, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&g, r, b, 5), KITH_OK);
    rig_run(r, 20000);
    want_head(&f, r, &g.id, 0, ITEM_WANT_SPKI);
    assert_true(far_item(&f, ITEM_SPKI, &item));
    assert_memory_equal(item.spki, g.ident->spki, SPKI_LEN);
    assert_true(far_item(&f, ITEM_AGE, &item));
    assert_memory_equal(item.age.head.b, b->head->hash.b, HASH_LEN);
    assert_int_equal(item.age.seconds, 25); /* what we were told, and since */
    assert_true(far_item(&f, ITEM_PIECE, &item));
    assert_memory_equal(item.piece.p, b->head->bytes, b->head->len);

    want_head(&f, r, &g.id, 0, 0);
    assert_false(far_has(&f, ITEM_SPKI));
    want_head(&f, r, &nobody, 0, ITEM_WANT_SPKI);
    assert_int_equal(f.n, 0);
    bundle_unref(b);
    far_clear(&g);
    end(r, &f);
}

/* A farewell is given to whoever asks; the dead are not. */
static void test_gives_last_words(void **state)
{
    struct far f, g, h;
    struct rig *r = rig_with(&f);
    struct bundle *b;

    (void)state;
    far_init(&g, r, 3);
    far_init(&h, r, 4);
    far_join(&g, r, 10);
    far_join(&h, r, 10);
    b = far_head(&g, r, 11, HEAD_LEAVE, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(&g, r, b, 0), KITH_OK);
    bundle_unref(b);
    want_head(&f, r, &g.id, 0, 0);
    assert_true(far_has(&f, ITEM_PIECE));
    rig_run(r, 3 * HEAD_LEASE_MIN_S * 1000 + 10000);
    rig_calls_fail(r, CALL_TCP);
    assert_int_equal(rig_member(r, &h.id)->life, LIFE_GONE);
    want_head(&f, r, &h.id, 0, 0);
    assert_false(far_has(&f, ITEM_PIECE));
    far_clear(&g);
    far_clear(&h);
    end(r, &f);
}

static void test_gives_pieces(void **state)
{
    struct far f, g;
    struct rig *r = rig_with(&f);
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    struct object *blocks[2];
    struct hash unknown = {{1}};
    struct far_items i;
    struct item item;
    struct bundle *b;

    (void)state;
    far_init(&g, r, 3);
    blocks[0] = far_data(&g, r, "a", 1, 3000);
    blocks[1] = far_data(&g, r, "b", 2, 20000);
    b = far_sign(&g, r, 10, &fields, blocks, 2);
    assert_int_equal(far_give(&g, r, b, 0), KITH_OK);
    for (uint16_t k = 0; k < 4; k++) {
        far_put_want_piece(begin(&f, &i), &blocks[0]->hash, k);
        ask(&f, r, &i);
        assert_true(far_item(&f, ITEM_PIECE, &item));
        assert_int_equal(item.piece.index, k);
        assert_int_equal(item.piece.total, blocks[0]->len);
        assert_memory_equal(item.piece.p,
                            blocks[0]->bytes + (size_t)k * PIECE_LEN,
                            item.piece.n);
    }
    far_put_want_piece(begin(&f, &i), &blocks[0]->hash, 4); /* none such */
    far_put_want_piece(&i.w, &unknown, 0);
    far_put_want_piece(&i.w, &blocks[1]->hash, 0); /* only in a stream */
    ask(&f, r, &i);
    assert_int_equal(f.n, 0);
    assert_int_equal(r->n_calls, 0);
    bundle_unref(b);
    object_unref(blocks[0]);
    object_unref(blocks[1]);
    far_clear(&g);
    end(r, &f);
}

/* -- what only a request may say -- */

/* Announcements in an answer are nothing: nobody is asked for them. */
static void test_announce_in_answer(void **state)
{
    struct rig *r = rig_up(1);
    struct far_items i;
    struct hash h = {{1}};
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    far_befriend(&f, r)->sync_at = r->now.mono;
    rig_tick(r);
    assert_true(far_read(&f, r));
    far_put_announce(far_begin(&i), &g.id, 10, &h);
    item_put_echo(&i.w, f.iv);
    item_put_full(&i.w);
    far_answer(&f, r, i.b, i.w.len);
    assert_null(r->e->fetch.wants);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* -- the end of a look -- */

/* An answer that lacks what we hold makes us announce it; one that holds what
 * we lack makes us ask for it. */
static void test_answer_leaves(void **state)
{
    struct rig *r = rig_up(1);
    struct far_items i;
    uint8_t root[TRIE_ROOT_LEN] = {1};
    struct far f, g, h;
    bool announced = false, wanted = false;
    size_t from = 0;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    far_init(&h, r, 4);
    far_join(&g, r, 10);
    rig_run(r, 100);
    rig_calls_fail(r, CALL_TCP);
    far_befriend(&f, r)->sync_at = r->now.mono;
    rig_forget(r);
    rig_tick(r);
    assert_true(far_read(&f, r));
    item_put_root(far_begin(&i), root, 1);
    put_leaf(&i.w, &h.id, 10);
    rig_forget(r);
    far_answer(&f, r, i.b, i.w.len);
    rig_run(r, 10);
    while (far_read_from(&f, r, &from)) {
        announced = announced || far_has(&f, ITEM_ANNOUNCE);
        wanted = wanted || far_has(&f, ITEM_WANT_HEAD);
    }
    assert_true(announced);
    assert_true(wanted);
    far_clear(&f);
    far_clear(&g);
    far_clear(&h);
    rig_free(r);
}

/* A block that is too large for pieces is given by the bulk exchange, to a
 * peer that asks for it in an answer. */
static void test_large_by_bulk(void **state)
{
    static const uint8_t payload[20000];
    struct rig *r = rig_up(1);
    struct far_items i;
    struct bulk_reader reader;
    struct bulk_record record;
    struct cursor c;
    bool seen = false;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    assert_int_equal(engine_put(r->e, &r->now, "large", payload, sizeof payload,
                                rig_begin(r)),
                     KITH_OK);
    rig_end(r);
    far_befriend(&f, r)->sync_at = r->now.mono;
    rig_forget(r);
    rig_tick(r);
    assert_true(far_read(&f, r));
    far_put_want_piece(far_begin(&i), &rig_block(r, "large")->hash, 0);
    far_answer(&f, r, i.b, i.w.len);
    assert_non_null(far_call(&f, r, CALL_BULK));
    bulk_reader_init(&reader, BULK_LIST_MAX);
    cursor_init(&c, far_call(&f, r, CALL_BULK)->body,
                far_call(&f, r, CALL_BULK)->len);
    while (bulk_reader_next(&reader, &c, &record) == KITH_OK)
        seen = seen || (record.type == BULK_BLOCK &&
                        record.block.len == rig_block(r, "large")->len);
    assert_true(seen);
    assert_int_equal(bulk_reader_finish(&reader), KITH_OK);
    bulk_reader_free(&reader);
    far_clear(&f);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_describes),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_gives_head),
        cmocka_unit_test(test_gives_last_words),
        cmocka_unit_test(test_gives_pieces),
        cmocka_unit_test(test_announce_in_answer),
        cmocka_unit_test(test_answer_leaves),
        cmocka_unit_test(test_large_by_bulk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
