/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

enum {
    LEASE_MS = HEAD_LEASE_MIN_S * 1000,
};

static int accept_from(struct rig *r, struct bundle *b, uint64_t age_ms,
                       const struct node_id *from)
{
    struct effects *out = rig_begin(r);
    int err;

    engine_begin(r->e);
    err = index_accept(r->e, &r->now, b, age_ms, from, out);
    rig_end(r);
    return err;
}

static int accept(struct rig *r, struct bundle *b)
{
    return accept_from(r, b, 0, &b->author->id);
}

/* Accepts a new head of f's, and lets go of it. */
static int accept_new(struct rig *r, struct far *f, uint64_t serial,
                      uint16_t flags)
{
    struct bundle *b = far_head(f, r, serial, flags, HEAD_LEASE_MIN_S);
    int err = accept(r, b);

    bundle_unref(b);
    return err;
}

static enum member_life life(const struct rig *r, const struct far *f)
{
    return rig_member(r, &f->id)->life;
}

/* -- which head wins -- */

static void test_newer_wins(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    rig_forget(r);
    assert_int_equal(accept_new(r, &f, 10, 0), KITH_OK);
    assert_int_equal(life(r, &f), LIFE_LIVE);
    assert_int_equal(rig_noted(r, NOTE_JOINED), 1);
    assert_int_equal(r->keeps, 1);
    assert_int_equal(r->keep_nodes, 1);
    assert_int_equal(trie_count(&r->e->index.set), 2); /* we are one */

    rig_forget(r);
    assert_int_equal(accept_new(r, &f, 9, 0), KITH_ERR_STALE);
    assert_int_equal(accept_new(r, &f, 10, 0), KITH_ERR_STALE);
    assert_int_equal(r->keeps + r->keep_nodes + r->n_notes, 0);
    assert_int_equal(accept_new(r, &f, 11, 0), KITH_OK);
    assert_int_equal(rig_member(r, &f.id)->bundle->serial, 11);
    assert_int_equal(rig_member(r, &f.id)->floor, 11);
    assert_int_equal(rig_noted(r, NOTE_JOINED), 0);
    assert_int_equal(r->keeps, 1);
    assert_int_equal(rig_count(r, COUNT_HEADS_ACCEPTED), 3); /* and ours */
    far_clear(&f);
    rig_free(r);
}

/* Of equal serials the higher hash wins everywhere; the operator hears of
 * it. */
static void test_equivocation(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;
    struct bundle *low, *high, *swap;

    (void)state;
    far_init(&f, r, 2);
    low = fake_bundle(r->pool, f.ident, 10, 1, NULL, 0);
    high = fake_bundle(r->pool, f.ident, 10, 2, NULL, 0);
    if (memcmp(low->head->hash.b, high->head->hash.b, HASH_LEN) > 0) {
        swap = low;
        low = high;
        high = swap;
    }
    rig_forget(r);
    assert_int_equal(accept(r, low), KITH_OK);
    assert_int_equal(rig_noted(r, NOTE_EQUIVOCATION), 0);
    assert_int_equal(accept(r, high), KITH_OK);
    assert_ptr_equal(rig_member(r, &f.id)->bundle, high);
    assert_int_equal(rig_noted(r, NOTE_EQUIVOCATION), 1);
    assert_int_equal(accept(r, low), KITH_ERR_STALE);
    assert_ptr_equal(rig_member(r, &f.id)->bundle, high);
    assert_ptr_equal(trie_find(&r->e->index.set, &f.id), high);

    /* the same one again is no news */
    rig_forget(r);
    assert_int_equal(accept(r, high), KITH_ERR_STALE);
    assert_int_equal(rig_noted(r, NOTE_EQUIVOCATION), 0);
    bundle_unref(low);
    bundle_unref(high);
    far_clear(&f);
    rig_free(r);
}

static void test_notes_of_blocks(void **state)
{
    struct rig *r = rig_up(1);
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    struct object *v[3], *w[3];
    struct bundle *b;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    v[0] = far_data(&f, r, "a", 1, 10);
    v[1] = far_data(&f, r, "b", 2, 10);
    v[2] = far_data(&f, r, "c", 3, 10);
    b = far_sign(&f, r, 10, &fields, v, 3);
    assert_int_equal(accept(r, b), KITH_OK);
    bundle_unref(b);

    /* a goes, b is another, c stays, d comes */
    w[0] = far_data(&f, r, "b", 11, 20);
    w[1] = v[2];
    w[2] = far_data(&f, r, "d", 12, 10);
    b = far_sign(&f, r, 13, &fields, w, 3);
    rig_forget(r);
    assert_int_equal(accept(r, b), KITH_OK);
    bundle_unref(b);
    assert_int_equal(rig_noted(r, NOTE_REMOVED), 1);
    assert_int_equal(rig_noted(r, NOTE_CHANGED), 2);
    assert_string_equal(r->notes[0].name, "a");
    assert_string_equal(r->notes[1].name, "b");
    assert_string_equal(r->notes[2].name, "d");
    object_unref(w[0]);
    object_unref(w[2]);
    for (size_t i = 0; i < 3; i++)
        object_unref(v[i]);
    far_clear(&f);
    rig_free(r);
}

/* One author's heads: 20 at once, then one a second. */
static void test_accept_budget(void **state)
{
    struct rig *r = rig_up(1);
    struct far f, g;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    for (uint64_t i = 0; i < ACCEPT_BURST; i++)
        assert_int_equal(accept_new(r, &f, 10 + i, 0), KITH_OK);
    assert_int_equal(accept_new(r, &f, 40, 0), KITH_ERR_BUDGET);
    assert_int_equal(rig_count(r, COUNT_OVER_BUDGET), 1);
    assert_int_equal(rig_member(r, &f.id)->bundle->serial, 29);
    assert_int_equal(accept_new(r, &g, 40, 0), KITH_OK);
    rig_pass(r, instant_add_ms(r->now.mono, 1000));
    assert_int_equal(accept_new(r, &f, 40, 0), KITH_OK);
    assert_int_equal(accept_new(r, &f, 41, 0), KITH_ERR_BUDGET);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* -- gone, and back -- */

static void test_gone_after_three_leases(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    assert_int_equal(accept_new(r, &f, 10, 0), KITH_OK);
    rig_forget(r);
    rig_run(r, 3 * LEASE_MS - 10000);
    rig_calls_fail(r, CALL_TCP);
    assert_int_equal(life(r, &f), LIFE_LIVE);
    assert_int_equal(rig_noted(r, NOTE_GONE), 0);
    rig_run(r, 20000);
    assert_int_equal(life(r, &f), LIFE_GONE);
    assert_int_equal(rig_noted(r, NOTE_GONE), 1);
    assert_null(trie_find(&r->e->index.set, &f.id));
    /* its last words can still be read */
    assert_non_null(bundle_block(rig_member(r, &f.id)->bundle, "facts"));

    /* nothing up to its serial brings it back */
    assert_int_equal(accept_new(r, &f, 9, 0), KITH_ERR_STALE);
    assert_int_equal(accept_new(r, &f, 10, 0), KITH_ERR_STALE);
    assert_int_equal(life(r, &f), LIFE_GONE);
    rig_forget(r);
    assert_int_equal(accept_new(r, &f, 11, 0), KITH_OK);
    assert_int_equal(life(r, &f), LIFE_LIVE);
    assert_int_equal(rig_noted(r, NOTE_JOINED), 1);
    far_clear(&f);
    rig_free(r);
}

/* Not even a head of the same serial with a higher hash. */
static void test_no_second_head_wakes_the_dead(void **state)
{
    struct rig *r = rig_up(1);
    struct bundle *v[8];
    struct far f;
    size_t low = 0;

    (void)state;
    far_init(&f, r, 2);
    for (uint8_t i = 0; i < 8; i++) {
        v[i] = fake_bundle(r->pool, f.ident, 10, i, NULL, 0);
        if (memcmp(v[i]->head->hash.b, v[low]->head->hash.b, HASH_LEN) < 0)
            low = i;
    }
    assert_int_equal(accept(r, v[low]), KITH_OK);
    rig_run(r, 3 * LEASE_MS + 10000);
    assert_int_equal(life(r, &f), LIFE_GONE);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(accept(r, v[i]), KITH_ERR_STALE);
        assert_int_equal(far_give(&f, r, v[i], 0), KITH_OK);
        assert_int_equal(life(r, &f), LIFE_GONE);
        bundle_unref(v[i]);
    }
    far_clear(&f);
    rig_free(r);
}

/* The age that somebody tells counts as well. */
static void test_told_age(void **state)
{
    struct rig *r = rig_up(1);
    struct bundle *b;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    b = far_head(&f, r, 10, 0, HEAD_LEASE_MIN_S);
    assert_int_equal(accept_from(r, b, 2 * LEASE_MS, &f.id), KITH_OK);
    assert_int_equal(life(r, &f), LIFE_LIVE);
    assert_int_equal(index_age_ms(rig_member(r, &f.id), &r->now), 2 * LEASE_MS);
    rig_run(r, LEASE_MS + 10000);
    assert_int_equal(life(r, &f), LIFE_GONE);
    bundle_unref(b);
    far_clear(&f);
    rig_free(r);
}

static void test_leave(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    assert_int_equal(accept_new(r, &f, 10, 0), KITH_OK);
    rig_forget(r);
    assert_int_equal(accept_new(r, &f, 11, HEAD_LEAVE), KITH_OK);
    assert_int_equal(life(r, &f), LIFE_LEFT);
    assert_int_equal(rig_noted(r, NOTE_LEFT), 1);
    assert_null(trie_find(&r->e->index.set, &f.id));
    assert_int_equal(accept_new(r, &f, 11, 0), KITH_ERR_STALE);
    assert_int_equal(accept_new(r, &f, 12, 0), KITH_OK);
    assert_int_equal(life(r, &f), LIFE_LIVE);
    rig_forget(r);
    assert_int_equal(accept_new(r, &f, 13, HEAD_AWAY), KITH_OK);
    assert_int_equal(life(r, &f), LIFE_LIVE);
    assert_int_equal(rig_noted(r, NOTE_AWAY), 1);
    assert_int_equal(accept_new(r, &f, 14, HEAD_AWAY), KITH_OK);
    assert_int_equal(rig_noted(r, NOTE_AWAY), 1); /* that is known */
    far_clear(&f);
    rig_free(r);
}

static void test_forgotten_after_a_time(void **state)
{
    struct rig *r = rig_new(1);
    struct far f;

    (void)state;
    rig_stop(r);
    r->config.forget_after_s = 1000;
    rig_make_engine(r);
    rig_start(r);
    far_init(&f, r, 2);
    assert_int_equal(accept_new(r, &f, 10, 0), KITH_OK);
    rig_run(r, 3 * LEASE_MS + 990000);
    assert_int_equal(life(r, &f), LIFE_GONE);
    rig_forget(r);
    rig_run(r, 20000);
    assert_null(rig_member(r, &f.id));
    assert_int_equal(r->drops, 1);
    far_clear(&f);
    rig_free(r);
}

/* A head can come that is so old that it is forgotten in the same event; what
 * the effects of that event point at lives on until the next. */
static void test_forgotten_at_once(void **state)
{
    struct rig *r = rig_new(1);
    struct bundle *b;
    struct far f;

    (void)state;
    rig_stop(r);
    r->config.forget_after_s = 1;
    rig_make_engine(r);
    rig_start(r);
    far_init(&f, r, 2);
    b = far_head(&f, r, 10, HEAD_LEAVE, HEAD_LEASE_MIN_S);
    rig_run(r, 100000);
    rig_pass(r, r->e->index.sweep);
    rig_forget(r);
    assert_int_equal(far_give(&f, r, b, UINT32_MAX), KITH_OK);
    bundle_unref(b);
    assert_int_equal(r->keeps, 1);
    assert_int_equal(r->drops, 1);
    assert_null(rig_member(r, &f.id));
    far_clear(&f);
    rig_free(r);
}

static void test_forget(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;
    struct node_id nobody = {{1}};

    (void)state;
    far_init(&f, r, 2);
    assert_int_equal(accept_new(r, &f, 10, 0), KITH_OK);
    assert_int_equal(engine_forget(r->e, &r->now, &nobody, rig_begin(r)),
                     KITH_ERR_NOTFOUND);
    assert_int_equal(engine_forget(r->e, &r->now, &f.id, rig_begin(r)),
                     KITH_ERR_UNWANTED);
    assert_int_equal(engine_forget(r->e, &r->now, &r->e->self, rig_begin(r)),
                     KITH_ERR_UNWANTED);
    assert_int_equal(accept_new(r, &f, 11, HEAD_LEAVE), KITH_OK);
    rig_forget(r);
    assert_int_equal(engine_forget(r->e, &r->now, &f.id, rig_begin(r)),
                     KITH_OK);
    rig_end(r);
    assert_int_equal(r->drops, 1);
    assert_null(rig_member(r, &f.id));
    far_clear(&f);
    rig_free(r);
}

/* -- the store -- */

static void test_load(void **state)
{
    struct rig *r = rig_new(1);
    struct stored_node node = {.age_s = 100, .off_s = HEAD_LEASE_MIN_S};
    struct far f[4];
    struct bundle *b[4];

    (void)state;
    for (uint64_t i = 0; i < 4; i++) {
        far_init(&f[i], r, 2 + i);
        b[i] = far_head(&f[i], r, 10, 0, HEAD_LEASE_MIN_S);
    }
    node.good[0] = f[0].addr;
    assert_int_equal(rig_load(r, b[0], &node), KITH_OK);
    assert_int_equal(life(r, &f[0]), LIFE_LIVE);
    assert_memory_equal(&rig_member(r, &f[0].id)->good[0], &f[0].addr,
                        sizeof f[0].addr);
    assert_int_equal(index_age_ms(rig_member(r, &f[0].id), &r->now), 100000);
    assert_int_equal(rig_load(r, b[0], &node), KITH_ERR_STALE); /* twice */

    node.off_s = HEAD_LEASE_MIN_S + 1;
    assert_int_equal(rig_load(r, b[1], &node), KITH_OK);
    assert_int_equal(life(r, &f[1]), LIFE_CACHED);
    node.age_s = 3 * HEAD_LEASE_MIN_S;
    assert_int_equal(rig_load(r, b[2], &node), KITH_OK);
    assert_int_equal(life(r, &f[2]), LIFE_GONE);
    node = (struct stored_node){.gone = true, .floor = 99};
    assert_int_equal(rig_load(r, b[3], &node), KITH_OK);
    assert_int_equal(life(r, &f[3]), LIFE_GONE);
    assert_int_equal(rig_member(r, &f[3].id)->floor, 99);
    rig_start(r);
    rig_run(r, 100);
    assert_int_equal(accept_new(r, &f[3], 99, 0), KITH_ERR_STALE);
    assert_int_equal(accept_new(r, &f[3], 100, 0), KITH_OK);
    for (uint64_t i = 0; i < 4; i++) {
        bundle_unref(b[i]);
        far_clear(&f[i]);
    }
    rig_free(r);
}

/* What the store has is verified like anything else. */
static void test_load_refused(void **state)
{
    struct rig *r = rig_new(1);
    uint8_t block[BLOCK_SIGNED_MAX];
    const uint8_t *blocks[] = {block};
    struct stored_node node = {.blocks = blocks, .n = 1};
    struct ident *ident = fake_ident(r->pool, 2);
    size_t len = fake_block(r->pool, ident, BLOCK_DATA, "x", 1, "x", 1, block);

    (void)state;
    node.lens = &len;
    memcpy(node.spki, ident->spki, SPKI_LEN);
    assert_int_equal(engine_load_node(r->e, &r->now, &node), KITH_ERR_NOTFOUND);
    block[len - 1] ^= 1;
    assert_int_equal(engine_load_node(r->e, &r->now, &node), KITH_ERR_NOTFOUND);
    assert_int_equal(rig_count(r, COUNT_BLOCKS_REFUSED), 1);
    node.spki[0] ^= 1;
    assert_int_equal(engine_load_node(r->e, &r->now, &node), KITH_ERR_KEY);
    assert_null(rig_member(r, &ident->id));
    ident_unref(ident);
    rig_free(r);
}

/* A copy from the store counts once a peer names that head, not before. */
static void test_cached_is_confirmed(void **state)
{
    struct rig *r = rig_new(1);
    struct stored_node node = {.off_s = HEAD_LEASE_MIN_S + 1};
    struct far f, g;
    struct bundle *b, *other;

    (void)state;
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    b = far_head(&f, r, 10, 0, HEAD_LEASE_MIN_S);
    other = far_head(&f, r, 9, 0, HEAD_LEASE_MIN_S);
    assert_int_equal(rig_load(r, b, &node), KITH_OK);
    rig_start(r);
    rig_run(r, 11000);
    assert_int_equal(life(r, &f), LIFE_CACHED);
    far_announce(&g, r, other); /* an older one says nothing */
    assert_int_equal(life(r, &f), LIFE_CACHED);
    rig_forget(r);
    far_announce(&g, r, b);
    assert_int_equal(life(r, &f), LIFE_LIVE);
    assert_int_equal(rig_noted(r, NOTE_JOINED), 1);
    assert_int_equal(rig_count(r, COUNT_HEADS_ACCEPTED), 1); /* ours */
    bundle_unref(b);
    bundle_unref(other);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* And if none does, it is gone when its time is over. */
static void test_cached_goes(void **state)
{
    struct rig *r = rig_new(1);
    struct stored_node node = {.age_s = HEAD_LEASE_MIN_S,
                               .off_s = HEAD_LEASE_MIN_S + 1};
    struct far f;
    struct bundle *b;

    (void)state;
    far_init(&f, r, 2);
    b = far_head(&f, r, 10, 0, HEAD_LEASE_MIN_S);
    assert_int_equal(rig_load(r, b, &node), KITH_OK);
    rig_start(r);
    rig_run(r, 2 * LEASE_MS + 10000);
    assert_int_equal(life(r, &f), LIFE_GONE);
    bundle_unref(b);
    far_clear(&f);
    rig_free(r);
}

/* However many they are: after a long sleep nobody counts. */
static void test_slept(void **state)
{
    enum {
        MANY = 1200
    };
    struct rig *r = rig_up(1);
    size_t live = 0;

    (void)state;
    for (uint64_t i = 0; i < MANY; i++) {
        struct ident *ident = fake_ident(r->pool, 100 + i);
        struct bundle *b = fake_bundle(r->pool, ident, 5, 0, NULL, 0);

        assert_int_equal(accept(r, b), KITH_OK);
        bundle_unref(b);
        ident_unref(ident);
    }
    engine_woke(r->e, &r->now, LEASE_MS, rig_begin(r));
    rig_end(r);
    assert_int_equal(r->e->index.live, MANY + 1);
    engine_woke(r->e, &r->now, LEASE_MS + 1000, rig_begin(r));
    rig_end(r);
    for (struct member *m = r->e->index.members; m; m = m->hh.next)
        live += m->life == LIFE_LIVE;
    assert_int_equal(live, 1); /* ourselves */
    rig_free(r);
}

/* -- the door -- */

static void test_full(void **state)
{
    struct rig *r = rig_new(1);
    struct far f[4];
    struct grant grant;

    (void)state;
    rig_stop(r);
    r->config.members_max = 3;
    rig_make_engine(r);
    rig_start(r);
    rig_run(r, 10);
    rig_forget(r);
    for (uint64_t i = 0; i < 4; i++)
        far_init(&f[i], r, 2 + i);
    assert_int_equal(accept_new(r, &f[0], 2, 0), KITH_OK);
    assert_int_equal(accept_new(r, &f[1], 2, 0), KITH_OK);
    assert_int_equal(accept_new(r, &f[2], 2, 0), KITH_ERR_FULL);
    assert_int_equal(accept_new(r, &f[3], 2, 0), KITH_ERR_FULL);
    assert_int_equal(rig_noted(r, NOTE_FULL), 1); /* once */
    assert_null(rig_member(r, &f[2].id));
    /* who is in stays in */
    assert_int_equal(accept_new(r, &f[0], 3, 0), KITH_OK);
    assert_int_equal(engine_grant(r->e, &r->now, &f[0].id, &f[0].addr, &grant),
                     KITH_OK);
    assert_int_equal(engine_grant(r->e, &r->now, &f[2].id, &f[2].addr, &grant),
                     KITH_ERR_FULL);

    /* room is made */
    assert_int_equal(accept_new(r, &f[0], 4, HEAD_LEAVE), KITH_OK);
    assert_int_equal(engine_forget(r->e, &r->now, &f[0].id, rig_begin(r)),
                     KITH_OK);
    rig_end(r);
    assert_int_equal(accept_new(r, &f[2], 2, 0), KITH_OK);
    assert_int_equal(accept_new(r, &f[3], 2, 0), KITH_ERR_FULL);
    assert_int_equal(rig_noted(r, NOTE_FULL), 2); /* it is full again */
    for (uint64_t i = 0; i < 4; i++)
        far_clear(&f[i]);
    rig_free(r);
}

/* One who is full says so to whoever names a node that it does not know. */
static void test_full_in_answers(void **state)
{
    struct rig *r = rig_new(1);
    struct far f, g;
    struct bundle *b;

    (void)state;
    rig_stop(r);
    r->config.members_max = 2;
    rig_make_engine(r);
    rig_start(r);
    rig_run(r, 10);
    far_init(&f, r, 2);
    far_init(&g, r, 3);
    assert_int_equal(accept_new(r, &f, 2, 0), KITH_OK);
    b = far_head(&g, r, 10, 0, HEAD_LEASE_MIN_S);
    rig_forget(r);
    far_announce(&f, r, b);
    assert_true(far_read_answer(&f, r));
    assert_true(far_has(&f, ITEM_FULL));
    assert_false(far_has(&f, ITEM_WANT_HEAD));
    assert_null(rig_member(r, &g.id));
    bundle_unref(b);
    far_clear(&f);
    far_clear(&g);
    rig_free(r);
}

/* -- what is lent -- */

static void test_objects(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;
    struct bundle *b;

    (void)state;
    far_init(&f, r, 2);
    b = far_head(&f, r, 10, 0, HEAD_LEASE_MIN_S);
    assert_null(index_object(r->e, &b->head->hash)); /* only in the pool */
    assert_int_equal(accept(r, b), KITH_OK);
    assert_ptr_equal(index_object(r->e, &b->head->hash), b->head);
    assert_ptr_equal(index_object(r->e, &b->blocks[0]->hash), b->blocks[0]);
    /* a block that the newest head does not list is there no more */
    assert_int_equal(accept_new(r, &f, 11, 0), KITH_OK);
    assert_null(index_object(r->e, &b->head->hash));
    assert_ptr_equal(index_object(r->e, &b->blocks[0]->hash), b->blocks[0]);
    rig_run(r, 3 * LEASE_MS + 10000);
    assert_null(index_object(r->e, &b->blocks[0]->hash));
    bundle_unref(b);
    far_clear(&f);
    rig_free(r);
}

static void test_addrs(void **state)
{
    struct rig *r = rig_up(1);
    struct addr v[FACTS_ADDRS_MAX], got[FACTS_ADDRS_MAX];
    struct head_fields fields = {
        .major_min = 1, .major_max = 1, .lease_s = HEAD_LEASE_MIN_S};
    struct object *facts;
    struct bundle *b;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    b = fake_bundle(r->pool, f.ident, 9, 0, NULL, 0);
    assert_int_equal(accept(r, b), KITH_OK);
    bundle_unref(b);
    assert_int_equal(index_addrs(rig_member(r, &f.id), got), 0);
    for (size_t i = 0; i < FACTS_ADDRS_MAX; i++)
        v[i] = rig_addr(10 + i);
    facts = far_facts(&f, r, 1, v, FACTS_ADDRS_MAX);
    b = far_sign(&f, r, 10, &fields, &facts, 1);
    assert_int_equal(accept(r, b), KITH_OK);
    assert_int_equal(index_addrs(rig_member(r, &f.id), got), FACTS_ADDRS_MAX);
    assert_memory_equal(got, v, sizeof got);
    bundle_unref(b);
    object_unref(facts);
    far_clear(&f);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newer_wins),
        cmocka_unit_test(test_equivocation),
        cmocka_unit_test(test_notes_of_blocks),
        cmocka_unit_test(test_accept_budget),
        cmocka_unit_test(test_gone_after_three_leases),
        cmocka_unit_test(test_no_second_head_wakes_the_dead),
        cmocka_unit_test(test_told_age),
        cmocka_unit_test(test_leave),
        cmocka_unit_test(test_forgotten_after_a_time),
        cmocka_unit_test(test_forgotten_at_once),
        cmocka_unit_test(test_forget),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_load_refused),
        cmocka_unit_test(test_cached_is_confirmed),
        cmocka_unit_test(test_cached_goes),
        cmocka_unit_test(test_slept),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_full_in_answers),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_addrs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
