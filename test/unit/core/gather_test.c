/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

/*
 * f and f2 give what g has signed, by pieces in requests of theirs. The signed
 * blocks are copied and their objects let go, so that the engine has them from
 * nowhere but these pieces.
 */
enum {
    BLOCKS_MAX = 4,
};

struct signed_copy {
    uint8_t bytes[BLOCK_SIGNED_MAX];
    uint32_t len;
    struct hash hash;
};

struct scene {
    struct rig *r;
    struct far f, f2, g;
    uint64_t serial;
    struct signed_copy head, blocks[BLOCKS_MAX];
    size_t n;
};

static void copy_of(struct signed_copy *c, const struct object *o)
{
    memcpy(c->bytes, o->bytes, o->len);
    c->len = (uint32_t)o->len;
    c->hash = o->hash;
}

/* g signs a head with n data blocks of those payload lengths. */
static void sign(struct scene *s, uint64_t serial, const size_t *lens, size_t n)
{
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    struct object *blocks[BLOCKS_MAX] = {NULL};
    struct bundle *b;

    for (size_t i = 0; i < n; i++) {
        char name[] = {(char)('a' + i), '\0'};

        blocks[i] = far_data(&s->g, s->r, name, serial - 1, lens[i]);
        copy_of(&s->blocks[i], blocks[i]);
    }
    b = far_sign(&s->g, s->r, serial, &fields, blocks, n);
    copy_of(&s->head, b->head);
    bundle_unref(b);
    for (size_t i = 0; i < n; i++)
        object_unref(blocks[i]);
    s->serial = serial;
    s->n = n;
    assert_null(pool_object_find(s->r->pool, &s->head.hash));
}

static void begin(struct scene *s, const size_t *lens, size_t n)
{
    s->r = rig_up(1);
    far_init(&s->f, s->r, 2);
    far_init(&s->f2, s->r, 3);
    far_init(&s->g, s->r, 4);
    sign(s, 10, lens, n);
    rig_forget(s->r);
}

static void end(struct scene *s)
{
    far_clear(&s->f);
    far_clear(&s->f2);
    far_clear(&s->g);
    rig_free(s->r);
}

static void announce(struct scene *s, struct far *f)
{
    struct far_items i;

    far_put_announce(far_begin(&i), &s->g.id, s->serial, &s->head.hash);
    rig_forget(s->r);
    far_ask(f, s->r, i.b, i.w.len);
    assert_true(far_read_answer(f, s->r));
}

static void put_piece(struct writer *w, const struct signed_copy *c,
                      uint16_t index)
{
    item_put_piece(w, &c->hash, c->bytes, c->len, index);
}

static void give(struct scene *s, struct far *f, const struct signed_copy *c,
                 uint16_t index)
{
    struct far_items i;

    put_piece(far_begin(&i), c, index);
    rig_forget(s->r);
    far_ask(f, s->r, i.b, i.w.len);
}

/* The head with all that goes with it, in as many requests as it takes. */
static void give_head(struct scene *s, struct far *f, uint32_t age_s)
{
    struct far_items i;

    item_put_spki(far_begin(&i), s->g.ident->spki);
    item_put_age(&i.w, &s->head.hash, age_s);
    rig_forget(s->r);
    if (s->head.len <= 700)
        put_piece(&i.w, &s->head, 0);
    far_ask(f, s->r, i.b, i.w.len);
    for (uint16_t k = 0; s->head.len > 700 && k * PIECE_LEN < s->head.len; k++)
        give(s, f, &s->head, k);
}

static size_t pieces(const struct signed_copy *c)
{
    return item_piece_count(c->len);
}

static void give_block(struct scene *s, struct far *f, size_t which)
{
    for (uint16_t k = 0; k < pieces(&s->blocks[which]); k++)
        give(s, f, &s->blocks[which], k);
}

static bool is_live(const struct scene *s)
{
    const struct member *m = rig_member(s->r, &s->g.id);

    return m && m->life == LIFE_LIVE && m->bundle->serial == s->serial;
}

static size_t partials(const struct scene *s)
{
    return HASH_COUNT(s->r->e->gather.partials);
}

static size_t pendings(const struct scene *s)
{
    return HASH_COUNT(s->r->e->gather.pendings);
}

/* How often a piece is asked for in what f read last. */
static size_t asked(const struct far *f, const struct hash *hash,
                    uint16_t index)
{
    struct cursor c;
    struct item item;
    size_t n = 0;

    cursor_init(&c, f->items, f->n);
    while (item_next(&c, &item) == KITH_OK) {
        for (size_t i = 0; item.type == ITEM_WANT_PIECE && i < item.list.n;
             i++) {
            struct item_want_piece want;

            item_want_piece_at(&item, i, &want);
            n += hash_equal(&want.hash, hash) && want.index == index;
        }
    }
    return n;
}

/* -- from pieces to a member -- */

static void test_small(void **state)
{
    static const size_t lens[] = {10, 100};
    struct scene s;
    struct far_items i;

    (void)state;
    begin(&s, lens, 2);
    announce(&s, &s.f);
    item_put_spki(far_begin(&i), s.g.ident->spki);
    item_put_age(&i.w, &s.head.hash, 60);
    put_piece(&i.w, &s.head, 0);
    rig_forget(s.r);
    far_ask(&s.f, s.r, i.b, i.w.len);
    assert_false(is_live(&s));
    assert_int_equal(pendings(&s), 1);
    assert_true(far_read_answer(&s.f, s.r));
    assert_int_equal(asked(&s.f, &s.blocks[0].hash, 0), 1);
    assert_int_equal(asked(&s.f, &s.blocks[1].hash, 0), 1);

    put_piece(far_begin(&i), &s.blocks[1], 0);
    put_piece(&i.w, &s.blocks[0], 0);
    rig_forget(s.r);
    far_ask(&s.f, s.r, i.b, i.w.len);
    assert_true(is_live(&s));
    assert_int_equal(rig_noted(s.r, NOTE_JOINED), 1);
    assert_int_equal(index_age_ms(rig_member(s.r, &s.g.id), &s.r->now), 60000);
    assert_int_equal(pendings(&s) + partials(&s), 0);
    assert_int_equal(rig_count(s.r, COUNT_BLOCKS_ACCEPTED), 3);
    end(&s);
}

/* What comes with the head in one datagram is not asked for. */
static void test_all_in_one(void **state)
{
    static const size_t lens[] = {10};
    struct scene s;
    struct far_items i;

    (void)state;
    begin(&s, lens, 1);
    far_join(&s.g, s.r, 5);
    announce(&s, &s.f);
    item_put_age(far_begin(&i), &s.head.hash, 0);
    put_piece(&i.w, &s.head, 0);
    put_piece(&i.w, &s.blocks[0], 0);
    assert_false(i.w.overflow);
    rig_forget(s.r);
    far_ask(&s.f, s.r, i.b, i.w.len);
    assert_true(is_live(&s));
    assert_true(far_read_answer(&s.f, s.r));
    assert_false(far_has(&s.f, ITEM_WANT_PIECE));
    end(&s);
}

static void test_any_order(void **state)
{
    static const size_t lens[] = {3000, 8000 - 400};
    static const uint16_t order[] = {3, 1, 1, 0, 3, 2};
    struct scene s;

    (void)state;
    begin(&s, lens, 2);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    assert_int_equal(pieces(&s.blocks[0]), 4);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        give(&s, &s.f, &s.blocks[0], order[i]);
        assert_false(is_live(&s));
    }
    for (size_t i = pieces(&s.blocks[1]); i > 0; i--) {
        assert_false(is_live(&s));
        give(&s, &s.f, &s.blocks[1], (uint16_t)(i - 1));
    }
    assert_true(is_live(&s));
    assert_int_equal(partials(&s), 0);
    end(&s);
}

/* A head so long that it comes in pieces itself. */
static void test_long_head(void **state)
{
    struct rig *r = rig_up(1);
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    static uint8_t extension[HEAD_EXTENSION_MAX];
    struct scene s = {.r = r, .serial = 10};
    struct bundle *b;

    (void)state;
    far_init(&s.f, r, 2);
    far_init(&s.f2, r, 3);
    far_init(&s.g, r, 4);
    fields.extension = extension;
    fields.extension_len = sizeof extension;
    b = far_sign(&s.g, r, 10, &fields, NULL, 0);
    copy_of(&s.head, b->head);
    bundle_unref(b);
    assert_int_equal(pieces(&s.head), 2);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    assert_true(is_live(&s));
    end(&s);
}

/* The first piece of a head makes us ask for the others. */
static void test_long_head_asks(void **state)
{
    struct rig *r = rig_up(1);
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    static uint8_t extension[HEAD_EXTENSION_MAX];
    struct scene s = {.r = r, .serial = 10};
    struct bundle *b;

    (void)state;
    far_init(&s.f, r, 2);
    far_init(&s.f2, r, 3);
    far_init(&s.g, r, 4);
    fields.extension = extension;
    fields.extension_len = sizeof extension;
    b = far_sign(&s.g, r, 10, &fields, NULL, 0);
    copy_of(&s.head, b->head);
    bundle_unref(b);
    announce(&s, &s.f);
    give(&s, &s.f, &s.head, 1); /* a piece that names no author */
    assert_int_equal(partials(&s), 0);
    give(&s, &s.f, &s.head, 0);
    assert_int_equal(partials(&s), 1);
    assert_true(far_read_answer(&s.f, r));
    assert_int_equal(asked(&s.f, &s.head.hash, 0), 0);
    assert_int_equal(asked(&s.f, &s.head.hash, 1), 1);
    end(&s);
}

/* -- what is refused -- */

static void test_unwanted(void **state)
{
    static const size_t lens[] = {10};
    struct scene s;
    uint64_t unwanted;

    (void)state;
    begin(&s, lens, 1);
    give_head(&s, &s.f, 0); /* nobody asked for it */
    give_block(&s, &s.f, 0);
    unwanted = rig_count(s.r, COUNT_UNWANTED);
    assert_int_equal(unwanted, 2);
    assert_null(rig_member(s.r, &s.g.id));
    assert_int_equal(partials(&s) + pendings(&s), 0);
    assert_null(pool_object_find(s.r->pool, &s.head.hash));

    /* the head is wanted: a block before it is not */
    announce(&s, &s.f);
    give_block(&s, &s.f, 0);
    assert_int_equal(rig_count(s.r, COUNT_UNWANTED), unwanted + 1);
    give_head(&s, &s.f, 0);
    give_block(&s, &s.f, 0);
    assert_true(is_live(&s));
    give_head(&s, &s.f, 0); /* and again: stale */
    assert_true(rig_count(s.r, COUNT_UNWANTED) > unwanted + 1);
    end(&s);
}

/* Without the author's key nothing can be verified, so nothing is kept. */
static void test_no_key(void **state)
{
    struct scene s;
    struct far_items i;

    (void)state;
    begin(&s, NULL, 0);
    announce(&s, &s.f);
    give(&s, &s.f, &s.head, 0);
    assert_null(rig_member(s.r, &s.g.id));
    item_put_spki(far_begin(&i), s.f.ident->spki); /* not the author's */
    put_piece(&i.w, &s.head, 0);
    far_ask(&s.f, s.r, i.b, i.w.len);
    assert_null(rig_member(s.r, &s.g.id));
    assert_int_equal(partials(&s) + pendings(&s), 0);
    give_head(&s, &s.f, 0);
    assert_true(is_live(&s));
    end(&s);
}

static void test_wrong_total(void **state)
{
    static const size_t lens[] = {3000};
    struct scene s;
    struct signed_copy bad;

    (void)state;
    begin(&s, lens, 1);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    bad = s.blocks[0];
    bad.len += 10;
    give(&s, &s.f, &bad, 0);
    assert_int_equal(rig_count(s.r, COUNT_BLOCKS_REFUSED), 1);
    assert_int_equal(partials(&s), 0);
    give(&s, &s.f, &s.blocks[0], 0);
    give(&s, &s.f, &bad, 1);
    give(&s, &s.f, &bad, 3);
    assert_int_equal(rig_count(s.r, COUNT_BLOCKS_REFUSED), 3);
    for (uint16_t i = 1; i < 4; i++)
        give(&s, &s.f, &s.blocks[0], i);
    assert_true(is_live(&s));
    end(&s);
}

/* The hash does not cover the signature: a block with the right hash and a
 * false signature is dropped, and can be had from elsewhere. */
static void test_poisoned_signature(void **state)
{
    static const size_t lens[] = {3000, 10};
    struct scene s;
    struct signed_copy good, small;

    (void)state;
    begin(&s, lens, 2);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    good = s.blocks[0];
    small = s.blocks[1];
    s.blocks[0].bytes[good.len - 1] ^= 1;
    s.blocks[1].bytes[small.len - 1] ^= 1;
    give_block(&s, &s.f, 0);
    give_block(&s, &s.f, 1);
    assert_int_equal(rig_count(s.r, COUNT_BLOCKS_REFUSED), 2);
    assert_int_equal(partials(&s), 0);
    assert_int_equal(pendings(&s), 1);
    assert_null(pool_object_find(s.r->pool, &good.hash));
    s.blocks[0] = good;
    s.blocks[1] = small;
    give_block(&s, &s.f2, 0);
    give_block(&s, &s.f2, 1);
    assert_true(is_live(&s));
    end(&s);
}

static void test_poisoned_head(void **state)
{
    struct scene s;
    struct signed_copy good;

    (void)state;
    begin(&s, NULL, 0);
    good = s.head;
    announce(&s, &s.f);
    s.head.bytes[good.len - 1] ^= 1;
    give_head(&s, &s.f, 0);
    assert_null(rig_member(s.r, &s.g.id));
    assert_int_equal(pendings(&s) + partials(&s), 0);
    s.head = good;
    rig_run(s.r, FETCH_AGAIN + 10);
    announce(&s, &s.f2);
    assert_true(far_has(&s.f2, ITEM_WANT_HEAD));
    give_head(&s, &s.f2, 0);
    assert_true(is_live(&s));
    end(&s);
}

/* False bytes from one giver do not spoil the block that another gives. */
static void test_false_piece(void **state)
{
    static const size_t lens[] = {3000};
    struct scene s;
    struct signed_copy bad;

    (void)state;
    begin(&s, lens, 1);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    bad = s.blocks[0];
    bad.bytes[2000] ^= 1;
    give(&s, &s.f2, &bad, 1);
    for (uint16_t i = 0; i < 3; i++)
        give(&s, &s.f, &s.blocks[0], i);
    give(&s, &s.f2, &bad, 0);
    give(&s, &s.f2, &bad, 2);
    give(&s, &s.f2, &bad, 3);
    assert_false(is_live(&s));
    give(&s, &s.f, &s.blocks[0], 3);
    assert_true(is_live(&s));
    end(&s);
}

/* Blocks that are not what the head says of them make it worthless: it never
 * counts, and nothing breaks. */
static void test_contradiction(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct scene s;
        static const size_t lens[] = {10, 10};
        struct object *blocks[2];
        struct head_entry entries[2];
        struct head_fields fields = {
            .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
        uint8_t payload[HEAD_PAYLOAD_MAX];
        struct object *head;
        struct writer w;

        begin(&s, lens, 2);
        for (size_t i = 0; i < 2; i++) {
            blocks[i] = far_data(&s.g, s.r, i ? "b" : "a", 9, 10);
            entries[i] = fake_entry(blocks[i]);
        }
        if (kind == 0)
            entries[0].serial--;
        else if (kind == 1)
            entries[0].type = 99;
        else if (kind == 2)
            entries[1].hash = entries[0].hash; /* one block, two names */
        else
            entries[1].size++;
        writer_init(&w, payload, sizeof payload);
        head_build(&w, &fields, entries, 2, NULL, 0);
        head = fake_object(s.r->pool, s.g.ident, BLOCK_HEAD, "head", 10,
                           payload, w.len);
        copy_of(&s.head, head);
        object_unref(head);
        object_unref(blocks[0]);
        object_unref(blocks[1]);
        announce(&s, &s.f);
        give_head(&s, &s.f, 0);
        for (int twice = 0; twice < 2; twice++) {
            give_block(&s, &s.f, 0);
            give_block(&s, &s.f, 1);
        }
        rig_run(s.r, PENDING_AGE + 10000);
        assert_int_equal(pendings(&s), 0);
        assert_false(is_live(&s));
        end(&s);
    }
}

/* -- a head whose blocks are missing -- */

static void test_incomplete(void **state)
{
    static const size_t one[] = {10}, two[] = {10, 20};
    uint8_t before[TRIE_ROOT_LEN], after[TRIE_ROOT_LEN];
    struct scene s;

    (void)state;
    begin(&s, one, 1);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    give_block(&s, &s.f, 0);
    assert_true(is_live(&s));
    engine_root(s.r->e, before);

    sign(&s, 20, two, 2);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    give_block(&s, &s.f, 1);
    assert_int_equal(pendings(&s), 1);
    engine_root(s.r->e, after);
    assert_memory_equal(before, after, sizeof after);
    assert_int_equal(rig_member(s.r, &s.g.id)->bundle->serial, 10);
    assert_int_equal(rig_member(s.r, &s.g.id)->life, LIFE_LIVE);
    /* nor is it given to anybody */
    assert_null(index_object(s.r->e, &s.head.hash));

    rig_run(s.r, PENDING_AGE + 10000);
    assert_int_equal(pendings(&s), 0);
    assert_null(pool_object_find(s.r->pool, &s.head.hash));
    assert_int_equal(rig_member(s.r, &s.g.id)->bundle->serial, 10);

    /* later it comes all the same */
    announce(&s, &s.f2);
    give_head(&s, &s.f2, 0);
    give_block(&s, &s.f2, 0);
    give_block(&s, &s.f2, 1);
    assert_true(is_live(&s));
    end(&s);
}

/* A newer head takes the place of one that waits, with what that has got. */
static void test_newer_while_waiting(void **state)
{
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    static const size_t lens[] = {10, 20};
    struct object *blocks[2];
    struct scene s;
    struct bundle *b;

    (void)state;
    begin(&s, lens, 2);
    blocks[0] = far_data(&s.g, s.r, "a", 9, 10);
    blocks[1] = far_data(&s.g, s.r, "b", 9, 20);
    b = far_sign(&s.g, s.r, 20, &fields, blocks, 2);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    give_block(&s, &s.f, 0);
    copy_of(&s.head, b->head);
    bundle_unref(b);
    object_unref(blocks[0]);
    object_unref(blocks[1]);
    s.serial = 20;
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    assert_int_equal(pendings(&s), 1);
    assert_int_equal(gather_pending(s.r->e, &s.g.id)->missing, 1);
    give_block(&s, &s.f, 1);
    assert_true(is_live(&s));
    end(&s);
}

/* -- bounds -- */

/* Pieces that stay alone are let go after 10 s; one giver has a share. */
static void test_partials(void **state)
{
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    struct rig *r = rig_up(1);
    struct object *blocks[HEAD_ENTRIES_MAX];
    struct scene s = {.r = r, .serial = 10};
    struct signed_copy *copies = calloc(HEAD_ENTRIES_MAX, sizeof *copies);
    struct far givers[8];
    struct bundle *b;

    (void)state;
    assert_non_null(copies);
    far_init(&s.f, r, 2);
    far_init(&s.f2, r, 3);
    far_init(&s.g, r, 4);
    for (size_t i = 0; i < HEAD_ENTRIES_MAX; i++) {
        char name[] = {'b', (char)('0' + i / 10), (char)('0' + i % 10), '\0'};

        blocks[i] = far_data(&s.g, r, name, 9, 3000);
        copy_of(&copies[i], blocks[i]);
    }
    b = far_sign(&s.g, r, 10, &fields, blocks, HEAD_ENTRIES_MAX);
    copy_of(&s.head, b->head);
    bundle_unref(b);
    for (size_t i = 0; i < HEAD_ENTRIES_MAX; i++)
        object_unref(blocks[i]);
    announce(&s, &s.f);
    give_head(&s, &s.f, 0);
    assert_int_equal(pendings(&s), 1);

    for (uint64_t k = 0; k < 8; k++) {
        far_init(&givers[k], r, 20 + k);
        for (size_t i = 0; i < HEAD_ENTRIES_MAX; i++)
            give(&s, &givers[k], &copies[i], 0);
        assert_int_equal(partials(&s), (k + 1) * PARTIALS_GIVER < PARTIALS_MAX
                                           ? (k + 1) * PARTIALS_GIVER
                                           : PARTIALS_MAX);
    }
    rig_run(r, PARTIAL_AGE - 100);
    assert_int_equal(partials(&s), PARTIALS_MAX);
    rig_run(r, 200);
    assert_int_equal(partials(&s), 0);
    for (uint64_t k = 0; k < 8; k++)
        far_clear(&givers[k]);
    free(copies);
    end(&s);
}

/* Posts a head without its blocks, as node `number`'s, who is made for it. */
static void post_head(struct scene *s, struct far *author, uint64_t serial)
{
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    struct object *block = far_data(author, s->r, "x", serial - 1, 10);
    struct bundle *b = far_sign(author, s->r, serial, &fields, &block, 1);
    uint8_t body[4096];
    struct writer w;

    writer_init(&w, body, sizeof body);
    bulk_put_spki(&w, author->ident->spki);
    bulk_put_age(&w, 0);
    bulk_put_block(&w, b->head->bytes, b->head->len);
    bulk_put_end(&w);
    assert_int_equal(far_post(&s->f, s->r, body, w.len), KITH_OK);
    bundle_unref(b);
    object_unref(block);
}

/* Heads whose blocks nobody has: the table is full at some time, and then
 * those of members are kept rather than those of inventions. */
static void test_pendings(void **state)
{
    struct scene s;
    struct far author;

    (void)state;
    begin(&s, NULL, 0);
    far_join(&s.g, s.r, 10);
    post_head(&s, &s.g, 20);
    for (uint64_t i = 0; i < PENDINGS_MAX + 50; i++) {
        far_init(&author, s.r, 1000 + i);
        post_head(&s, &author, 10);
        far_clear(&author);
        assert_true(pendings(&s) <= PENDINGS_MAX);
    }
    assert_int_equal(pendings(&s), PENDINGS_MAX);
    assert_non_null(gather_pending(s.r->e, &s.g.id));
    rig_run(s.r, PENDING_AGE + 10000);
    assert_int_equal(pendings(&s), 0);
    assert_int_equal(rig_member(s.r, &s.g.id)->bundle->serial, 10);
    end(&s);
}

/* -- heads of ours -- */

static void test_own_head(void **state)
{
    struct scene s;
    struct far me;

    (void)state;
    begin(&s, NULL, 0);
    rig_run(s.r, 20000);
    far_init(&me, s.r, 1);
    far_clear(&s.g);
    s.g = me;
    sign(&s, s.r->head_serial + 1000000, NULL, 0);
    rig_forget(s.r);
    announce(&s, &s.f);
    give(&s, &s.f, &s.head, 0);
    assert_int_equal(s.r->heads, 1);
    assert_int_equal(s.r->head_serial, s.serial + 1);
    assert_int_equal(pendings(&s) + partials(&s), 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_all_in_one),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_long_head),
        cmocka_unit_test(test_long_head_asks),
        cmocka_unit_test(test_unwanted),
        cmocka_unit_test(test_no_key),
        cmocka_unit_test(test_wrong_total),
        cmocka_unit_test(test_poisoned_signature),
        cmocka_unit_test(test_poisoned_head),
        cmocka_unit_test(test_false_piece),
        cmocka_unit_test(test_contradiction),
        cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_newer_while_waiting),
        cmocka_unit_test(test_partials),
        cmocka_unit_test(test_pendings),
        cmocka_unit_test(test_own_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
