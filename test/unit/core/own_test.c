/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "core/own_impl.h"
#include "engine_far.h"

static int put(struct rig *r, const char *name, const void *payload, size_t n)
{
    int err = engine_put(r->e, &r->now, name, payload, n, rig_begin(r));

    rig_end(r);
    return err;
}

static int take_away(struct rig *r, const char *name)
{
    int err = engine_remove(r->e, &r->now, name, rig_begin(r));

    rig_end(r);
    return err;
}

static int tag(struct rig *r, const char *key, const char *value)
{
    int err = engine_tag(r->e, &r->now, key, value, rig_begin(r));

    rig_end(r);
    return err;
}

static struct head_fields head_fields(const struct rig *r)
{
    struct head head;

    object_head(rig_member(r, &r->e->self)->bundle->head, &head);
    return head.fields;
}

static void numbered(char name[16], unsigned i)
{
    snprintf(name, 16, "b%03u", i);
}

/* -- the start -- */

/* Nothing is signed before the serials for it are on disk. rig_keep() asserts
 * the same of every head in every test. */
static void test_vault_first(void **state)
{
    struct rig *r = rig_new(1);

    (void)state;
    r->vault_mode = RIG_VAULT_WAITS;
    rig_start(r);
    rig_run(r, 30000);
    assert_int_equal(r->vaults, 1);
    assert_int_equal(r->signatures, 0);
    rig_vault_done(r, true);
    assert_int_equal(r->heads, 1);
    assert_int_equal(r->signatures, 3); /* cert, facts, head */
    assert_non_null(rig_block(r, "cert"));
    assert_non_null(rig_block(r, "facts"));
    assert_true(r->head_serial >= RIG_UNIX_MS);
    rig_free(r);
}

static void test_vault_fails(void **state)
{
    struct rig *r = rig_new(1);

    (void)state;
    r->vault_mode = RIG_VAULT_FAILS;
    rig_start(r);
    rig_run(r, 100000);
    assert_int_equal(r->signatures, 0);
    assert_in_range(r->vaults, 9, 12); /* tried every 10 s */
    r->vault_mode = RIG_VAULT_WRITES;
    rig_run(r, 11000);
    assert_int_equal(r->heads, 1);
    rig_free(r);
}

/* A full disk later on: what is reserved is used up, and no more. */
static void test_vault_fails_later(void **state)
{
    struct rig *r = rig_up(1);
    uint64_t reserved = rig_reserved(r);

    (void)state;
    r->vault_mode = RIG_VAULT_FAILS;
    for (unsigned i = 0; i < 30; i++) {
        char value[16];

        numbered(value, i);
        assert_int_equal(tag(r, "key", value), KITH_OK);
        rig_run(r, 60000);
    }
    assert_int_equal(rig_reserved(r), reserved);
    assert_true(r->head_serial < reserved);
    assert_in_range(r->heads, 8, 12); /* ten minutes' worth */
    r->vault_mode = RIG_VAULT_WRITES;
    rig_forget(r);
    rig_run(r, 11000);
    assert_int_equal(r->heads, 1);
    rig_free(r);
}

/* After a restart others may hold heads that we do not know of. */
static void test_silence(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    rig_restart(r, false);
    rig_forget(r);
    rig_run(r, START_SILENCE - 1);
    assert_int_equal(r->heads, 0);
    rig_run(r, 2);
    assert_int_equal(r->heads, 1);

    rig_restart(r, true);
    rig_forget(r);
    rig_run(r, START_SILENCE - 1);
    assert_int_equal(r->heads, 0);
    rig_run(r, 2);
    assert_int_equal(r->heads, 1);
    rig_free(r);
}

/* The first sync with anybody shows what is known of us. */
static void test_sync_ends_silence(void **state)
{
    struct rig *r = rig_up(1);
    struct far_items i;
    struct item item;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    rig_restart(r, false);
    rig_run(r, 100);
    rig_forget(r);
    far_meet(&f, r);
    assert_true(far_read(&f, r));
    assert_true(far_item(&f, ITEM_ROOT, &item));
    assert_int_equal(r->heads, 0);
    item_put_root(far_begin(&i), item.root.root, 0);
    far_answer(&f, r, i.b, i.w.len);
    assert_int_equal(r->heads, 1);
    far_clear(&f);
    rig_free(r);
}

/* -- serials -- */

/* rig_keep() asserts that each is above the one before. */
static void test_serials_rise(void **state)
{
    struct rig *r = rig_up(1);
    uint64_t last;

    (void)state;
    last = r->head_serial;
    /* the wall clock steps back by ten years, and further */
    r->now.unix_ms -= 10ull * 365 * 86400 * 1000;
    assert_int_equal(tag(r, "a", "1"), KITH_OK);
    assert_int_equal(r->heads, 2);
    assert_in_range(r->head_serial, last + 1, last + 2);
    r->now.unix_ms = 0;
    assert_int_equal(tag(r, "a", "2"), KITH_OK);
    assert_int_equal(r->heads, 3);
    rig_restart(r, true);
    rig_run(r, START_SILENCE + 1);
    assert_int_equal(r->heads, 4);
    rig_restart(r, false);
    rig_run(r, START_SILENCE + 1);
    assert_int_equal(r->heads, 5);

    /* and forward */
    r->now.unix_ms = 10 * RIG_UNIX_MS;
    assert_int_equal(tag(r, "a", "3"), KITH_OK);
    assert_int_equal(r->heads, 6);
    assert_in_range(r->head_serial, 10 * RIG_UNIX_MS, 10 * RIG_UNIX_MS + 2);
    r->now.unix_ms = RIG_UNIX_MS;
    rig_restart(r, false);
    rig_run(r, START_SILENCE + 1);
    assert_int_equal(r->heads, 7);
    rig_free(r);
}

/* A crash while the vault is written: the old one is still there. */
static void test_serials_over_crash(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    r->vault_mode = RIG_VAULT_WAITS;
    for (unsigned i = 0; i < 11 && !r->vault_waits; i++) {
        rig_run(r, 60000);
        assert_int_equal(tag(r, "a", i % 2 ? "1" : "2"), KITH_OK);
    }
    assert_true(r->vault_waits);
    r->vault_mode = RIG_VAULT_WRITES;
    rig_restart(r, false);
    rig_forget(r);
    rig_run(r, START_SILENCE + 1);
    assert_int_equal(r->heads, 1);
    rig_free(r);
}

/* A vault restored from a backup, but a store that knows better. */
static void test_serials_from_store(void **state)
{
    struct rig *r = rig_up(1);
    uint8_t backup[VAULT_LEN];

    (void)state;
    memcpy(backup, r->vault, sizeof backup);
    r->now.unix_ms += 3600000;
    assert_int_equal(tag(r, "a", "1"), KITH_OK);
    memcpy(r->vault, backup, sizeof backup);
    r->now.unix_ms -= 3600000;
    rig_restart(r, true);
    rig_run(r, START_SILENCE + 1);
    assert_int_equal(r->heads, 3);
    rig_free(r);
}

/* -- restarts -- */

static void test_blocks_over_restart(void **state)
{
    static const uint8_t renewed[] = "another certificate";
    struct rig *r = rig_up(1);
    struct block block;

    (void)state;
    assert_int_equal(put(r, "note", "hello", 5), KITH_OK);
    assert_int_equal(tag(r, "role", "db"), KITH_OK);
    rig_restart(r, true);
    rig_run(r, START_SILENCE + 1);
    object_block(rig_block(r, "note"), &block);
    assert_int_equal(block.payload_len, 5);
    assert_memory_equal(block.payload, "hello", 5);
    assert_int_equal(r->e->own.n_tags, 1);
    assert_int_equal(r->signatures, 3 + 2 + 2 + 1); /* only the head */

    /* a certificate renewed meanwhile takes the place of the old one */
    r->config.cert = renewed;
    r->config.cert_len = sizeof renewed;
    rig_restart(r, true);
    rig_run(r, START_SILENCE + 1);
    object_block(rig_block(r, "cert"), &block);
    assert_int_equal(block.payload_len, sizeof renewed);
    assert_memory_equal(block.payload, renewed, sizeof renewed);
    assert_non_null(rig_block(r, "note"));
    rig_free(r);
}

static void test_flags(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    engine_away(r->e, &r->now, rig_begin(r));
    rig_end(r);
    assert_int_equal(r->heads, 2);
    assert_int_equal(head_fields(r).flags, HEAD_AWAY);
    assert_int_equal(rig_member(r, &r->e->self)->life, LIFE_LIVE);
    engine_away(r->e, &r->now, rig_begin(r));
    rig_end(r);
    assert_int_equal(r->heads, 2); /* that was said */
    engine_leave(r->e, &r->now, rig_begin(r));
    rig_end(r);
    assert_int_equal(r->heads, 3);
    assert_int_equal(head_fields(r).flags, HEAD_LEAVE);
    assert_int_equal(rig_member(r, &r->e->self)->life, LIFE_LEFT);
    rig_run(r, 1000000);
    assert_int_equal(rig_member(r, &r->e->self)->life, LIFE_LEFT);

    rig_restart(r, true);
    rig_run(r, START_SILENCE + 1);
    assert_int_equal(head_fields(r).flags, 0);
    assert_int_equal(rig_member(r, &r->e->self)->life, LIFE_LIVE);
    rig_free(r);
}

/* -- the operator: at once, within a budget -- */

static void test_operator_budget(void **state)
{
    struct rig *r = rig_up(1);
    char name[16];

    (void)state;
    rig_run(r, 10000); /* the start took one of the budget */
    rig_forget(r);
    for (unsigned i = 0; i < 40; i++) {
        numbered(name, i);
        assert_int_equal(put(r, name, name, 4), KITH_OK);
        assert_int_equal(r->heads, i < SIGN_BURST ? i + 1 : SIGN_BURST);
    }
    /* what waits is joined into one head */
    rig_run(r, 1000);
    assert_int_equal(r->heads, SIGN_BURST + 1);
    for (unsigned i = 0; i < 40; i++) {
        numbered(name, i);
        assert_non_null(rig_block(r, name));
    }
    /* then one a second */
    for (unsigned i = 0; i < 100; i++) {
        numbered(name, i);
        assert_int_equal(put(r, "counter", name, 4), KITH_OK);
        rig_run(r, 100);
    }
    assert_in_range(r->heads, SIGN_BURST + 10, SIGN_BURST + 12);
    rig_free(r);
}

/* Puts and removals that wait together come out as if each had been signed. */
static void test_joined(void **state)
{
    struct rig *r = rig_up(1);
    char name[16];

    (void)state;
    assert_int_equal(put(r, "old", "1", 1), KITH_OK);
    for (unsigned i = 0; i < SIGN_BURST; i++) {
        numbered(name, i);
        assert_int_equal(put(r, "busy", name, 4), KITH_OK);
    }
    rig_forget(r);
    assert_int_equal(put(r, "new", "1", 1), KITH_OK);
    assert_int_equal(put(r, "new", "2", 1), KITH_OK);
    assert_int_equal(take_away(r, "old"), KITH_OK);
    assert_int_equal(take_away(r, "old"), KITH_ERR_NOTFOUND);
    assert_int_equal(put(r, "brief", "1", 1), KITH_OK);
    assert_int_equal(take_away(r, "brief"), KITH_OK);
    assert_int_equal(put(r, "back", "1", 1), KITH_OK);
    assert_int_equal(take_away(r, "back"), KITH_OK);
    assert_int_equal(put(r, "back", "2", 1), KITH_OK);
    assert_int_equal(r->heads, 0);
    rig_run(r, 1000);
    assert_int_equal(r->heads, 1);
    assert_null(rig_block(r, "old"));
    assert_null(rig_block(r, "brief"));
    assert_true(own_says(&r->e->own, "new", (const uint8_t *)"2", 1));
    assert_true(own_says(&r->e->own, "back", (const uint8_t *)"2", 1));
    rig_free(r);
}

/* What is said again is not signed again. */
static void test_no_change(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    assert_int_equal(put(r, "a", "1", 1), KITH_OK);
    assert_int_equal(tag(r, "k", "v"), KITH_OK);
    rig_forget(r);
    assert_int_equal(put(r, "a", "1", 1), KITH_OK);
    assert_int_equal(tag(r, "k", "v"), KITH_OK);
    rig_run(r, 5000);
    assert_int_equal(r->heads, 0);
    rig_free(r);
}

static void test_names(void **state)
{
    static const char *const bad[] = {
        "",        "head",       "cert",
        "facts",   "facts.more", "health",
        "charter", "revoked",    "A",
        "-a",      ".a",         "a b",
        "a/b",     "\xc3\xa4",   "a123456789012345678901234567890123",
    };
    struct rig *r = rig_up(1);

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(put(r, bad[i], "x", 1), KITH_ERR_FORMAT);
        assert_int_equal(take_away(r, bad[i]), KITH_ERR_FORMAT);
    }
    assert_int_equal(put(r, "a.b_c-9", "x", 1), KITH_OK);
    assert_int_equal(put(r, "a1234567890123456789012345678901", "", 0),
                     KITH_OK);
    assert_int_equal(put(r, "empty", NULL, 0), KITH_OK);
    assert_int_equal(take_away(r, "unknown"), KITH_ERR_NOTFOUND);
    rig_free(r);
}

/* -- limits -- */

static void test_block_size(void **state)
{
    static const uint8_t payload[BLOCK_PAYLOAD_MAX + 1];
    struct rig *r = rig_up(1);

    (void)state;
    assert_int_equal(put(r, "big", payload, BLOCK_PAYLOAD_MAX + 1),
                     KITH_ERR_RANGE);
    assert_int_equal(put(r, "big", payload, BLOCK_PAYLOAD_MAX), KITH_OK);
    assert_non_null(rig_block(r, "big"));
    rig_free(r);
}

static void test_block_count(void **state)
{
    struct rig *r = rig_new(1);
    char name[16];
    unsigned i = 0;

    (void)state;
    /* before the first head, so that no `facts` is there yet */
    while (i < 100) {
        numbered(name, i);
        if (put(r, name, "x", 1) != KITH_OK)
            break;
        i++;
    }
    assert_int_equal(i, HEAD_ENTRIES_MAX - 2); /* and cert, and facts */
    assert_int_equal(put(r, "z", "x", 1), KITH_ERR_FULL);
    rig_start(r);
    rig_run(r, 1000);
    assert_int_equal(r->heads, 1);
    assert_int_equal(r->e->own.n, HEAD_ENTRIES_MAX);
    assert_int_equal(put(r, "z", "x", 1), KITH_ERR_FULL);
    assert_int_equal(put(r, "b000", "y", 1), KITH_OK); /* in its place */
    assert_int_equal(take_away(r, "b001"), KITH_OK);
    assert_int_equal(put(r, "z", "x", 1), KITH_OK);
    assert_int_equal(put(r, "zz", "x", 1), KITH_ERR_FULL);
    rig_free(r);
}

static void test_total_size(void **state)
{
    static const uint8_t payload[BLOCK_PAYLOAD_MAX];
    struct rig *r = rig_up(1);
    char name[16], value[400];
    unsigned i = 0;
    size_t n = BLOCK_PAYLOAD_MAX;

    (void)state;
    /* as much as there is room for, to the byte */
    for (; n > 0; i++) {
        numbered(name, i);
        while (n > 0 && put(r, name, payload, n) == KITH_ERR_FULL)
            n--;
    }
    assert_in_range(i, 8, 10);
    rig_run(r, 20000);

    /* and still the facts can grow to their full length */
    memset(value, 'v', sizeof value);
    value[300] = '\0';
    assert_int_equal(tag(r, "a", value), KITH_OK);
    assert_int_equal(tag(r, "b", value), KITH_OK);
    rig_forget(r);
    assert_int_equal(tag(r, "c", "v"), KITH_OK);
    rig_run(r, 3000);
    assert_true(r->heads >= 1);
    assert_true(rig_block(r, "facts")->len > 600 + SIG_LEN);
    rig_run(r, 800000);
    assert_true(r->heads >= 2); /* the lease */
    rig_free(r);
}

/* -- what the agent observes -- */

static void set_host(struct rig *r, const char *host)
{
    struct fact fact = {"host", 4, host, strlen(host)};

    assert_int_equal(
        engine_facts(r->e, &r->now, &fact, 1, NULL, 0, rig_begin(r)), KITH_OK);
    rig_end(r);
}

/* After 5 s of quiet, and at most once a minute. */
static void test_observed(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    rig_run(r, 100000);
    rig_forget(r);
    set_host(r, "a");
    rig_run(r, SIGN_QUIET - 1000);
    set_host(r, "b");
    rig_run(r, SIGN_QUIET - 1);
    assert_int_equal(r->heads, 0);
    rig_run(r, 2);
    assert_int_equal(r->heads, 1);

    set_host(r, "c");
    rig_run(r, SIGN_OBSERVED - 10);
    assert_int_equal(r->heads, 1);
    rig_run(r, 20);
    assert_int_equal(r->heads, 2);

    /* there and back again: nothing to say */
    rig_run(r, 100000);
    set_host(r, "d");
    set_host(r, "c");
    rig_run(r, 100000);
    assert_int_equal(r->heads, 2);

    /* what the operator does takes it along */
    set_host(r, "e");
    assert_int_equal(tag(r, "k", "v"), KITH_OK);
    assert_int_equal(r->heads, 3);
    rig_run(r, 100000);
    assert_int_equal(r->heads, 3);
    rig_free(r);
}

/* -- the lease -- */

static void test_lease(void **state)
{
    struct rig *r = rig_up(1);
    uint32_t lease;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        rig_forget(r);
        lease = head_fields(r).lease_s;
        assert_in_range(lease, HEAD_LEASE_MIN_S, HEAD_LEASE_MIN_S * 6 / 5);
        rig_pass(r, instant_add_ms(r->e->own.signed_at, lease * 1000ull - 1));
        rig_tick(r);
        assert_int_equal(r->heads, 0);
        rig_run(r, 2);
        assert_int_equal(r->heads, 1);
    }
    rig_free(r);
}

/* 3.6 s for each member, 20 % more or less. */
static void test_lease_of_many(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    for (uint64_t i = 0; i < 499; i++) {
        struct ident *ident = fake_ident(r->pool, 100 + i);
        struct bundle *b = fake_bundle(r->pool, ident, 5, 0, NULL, 0);
        struct effects *out = rig_begin(r);

        engine_begin(r->e);
        assert_int_equal(index_accept(r->e, &r->now, b, 0, &ident->id, out),
                         KITH_OK);
        rig_end(r);
        bundle_unref(b);
        ident_unref(ident);
    }
    assert_int_equal(r->e->index.live, 500);
    for (unsigned i = 0; i < SIGN_BURST; i++) {
        assert_int_equal(tag(r, "a", i % 2 ? "1" : "2"), KITH_OK);
        assert_in_range(head_fields(r).lease_s, 1440, 2160);
    }
    r->e->index.live = 1000000; /* no lease is longer than this */
    rig_run(r, 0);
    rig_pass(r, instant_add_ms(r->now.mono, 2000));
    assert_int_equal(engine_tag(r->e, &r->now, "a", "3", rig_begin(r)),
                     KITH_OK);
    r->e->index.live = 500;
    rig_end(r);
    assert_int_equal(head_fields(r).lease_s, HEAD_LEASE_MAX_S);
    rig_free(r);
}

/* -- somebody else signs with our key -- */

/* A head of ours as another agent with our key would sign it. */
static void give_foreign(struct rig *r, struct far *f, uint64_t serial)
{
    struct far me;
    struct bundle *b;

    far_init(&me, r, r->number);
    b = far_head(&me, r, serial, 0, HEAD_LEASE_MIN_S);
    assert_int_equal(far_give(f, r, b, 0), KITH_OK);
    bundle_unref(b);
    far_clear(&me);
}

static void test_foreign_once(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    rig_run(r, 20000);
    rig_forget(r);
    give_foreign(r, &f, r->head_serial - 1); /* an old one of ours */
    assert_int_equal(r->heads, 0);
    give_foreign(r, &f, r->now.unix_ms + 100000);
    assert_int_equal(r->heads, 1);
    assert_int_equal(r->head_serial, r->now.unix_ms + 100001);
    assert_int_equal(rig_noted(r, NOTE_CLONE), 0);

    /* more than an hour later it is once again */
    rig_run(r, CLONE_WINDOW);
    rig_forget(r);
    give_foreign(r, &f, r->now.unix_ms + 200000);
    assert_int_equal(r->heads, 1);
    assert_int_equal(rig_noted(r, NOTE_CLONE), 0);
    far_clear(&f);
    rig_free(r);
}

static void test_clone(void **state)
{
    struct rig *r = rig_up(1);
    struct engine_status status;
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    give_foreign(r, &f, r->now.unix_ms + 100000);
    rig_run(r, CLONE_WINDOW - 10000);
    rig_forget(r);
    give_foreign(r, &f, r->now.unix_ms + 200000);
    assert_int_equal(rig_noted(r, NOTE_CLONE), 1);
    engine_status(r->e, &r->now, &status);
    assert_true(status.clone);

    /* it backs off, whatever the operator wants */
    assert_int_equal(put(r, "a", "1", 1), KITH_OK);
    rig_run(r, CLONE_BACKOFF - 100);
    assert_int_equal(r->heads, 0);
    rig_run(r, 200);
    assert_int_equal(r->heads, 1);
    assert_non_null(rig_block(r, "a"));
    engine_status(r->e, &r->now, &status);
    assert_false(status.clone);
    far_clear(&f);
    rig_free(r);
}

/* What an earlier run of ours signed is no clone's. */
static void test_foreign_at_start(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    rig_restart(r, false);
    rig_forget(r);
    for (uint64_t i = 0; i < 3; i++)
        give_foreign(r, &f, r->now.unix_ms + 700000 + i);
    rig_run(r, START_SILENCE + 1);
    assert_int_equal(rig_noted(r, NOTE_CLONE), 0);
    assert_int_equal(r->heads, 1);
    far_clear(&f);
    rig_free(r);
}

/* Above the last serial there is none: nothing is signed any more, and
 * nothing else breaks. rig_run() asserts that it does not tick for ever. */
static void test_foreign_last_serial(void **state)
{
    struct rig *r = rig_up(1);
    struct far f;

    (void)state;
    far_init(&f, r, 2);
    rig_run(r, 20000);
    rig_forget(r);
    give_foreign(r, &f, BLOCK_SERIAL_MAX);
    rig_run(r, 2000000);
    assert_int_equal(put(r, "a", "1", 1), KITH_OK);
    rig_run(r, 2000000);
    assert_int_equal(r->heads, 0);
    assert_true(rig_reserved(r) <= BLOCK_SERIAL_MAX);
    far_clear(&f);
    rig_free(r);
}

/* -- trouble -- */

static unsigned signs_left;

static int sign_few(void *arg, const struct hash *digest, uint8_t sig[SIG_LEN])
{
    if (signs_left == 0)
        return KITH_ERR_CRYPTO;
    signs_left--;
    return rig_sign(arg, digest, sig);
}

/* A key that fails now and then loses nothing that was promised: whichever
 * signature it is that fails. */
static void test_signer_fails(void **state)
{
    (void)state;
    for (unsigned good = 0; good < 4; good++) {
        struct rig *r = rig_up(1);

        rig_run(r, 10000);
        rig_forget(r);
        signs_left = good;
        r->e->config.signer.sign = sign_few;
        assert_int_equal(put(r, "a", "1", 1), KITH_OK);
        assert_int_equal(put(r, "b", "1", 1), KITH_OK);
        rig_run(r, 5000);
        assert_int_equal(r->heads, good / 2);
        r->e->config.signer.sign = rig_sign;
        rig_run(r, 2000);
        assert_non_null(rig_block(r, "a"));
        assert_non_null(rig_block(r, "b"));
        assert_in_range(r->heads, 1, 2);
        rig_free(r);
    }
}

/* -- epochs -- */

static void test_rotation(void **state)
{
    struct rig *r = rig_up(1);
    struct secrets s = {.reserved = 0};
    struct epoch first = r->e->secrets.current;

    (void)state;
    rig_run(r, EPOCH_LIFE_S * 1000ull - 20000);
    assert_memory_equal(r->e->secrets.current.name, first.name, 4);
    r->e->secrets_changed = true; /* serials for the next ten minutes */
    rig_tick(r);
    r->vault_mode = RIG_VAULT_FAILS;
    rig_run(r, 30000);
    assert_memory_equal(r->e->secrets.previous.name, first.name, 4);
    assert_memory_not_equal(r->e->secrets.current.name, first.name, 4);

    /* a vault that could not be written is written later */
    r->vault_mode = RIG_VAULT_WRITES;
    rig_run(r, 20000);
    assert_int_equal(secrets_decode(&s, &r->now, r->vault, VAULT_LEN), KITH_OK);
    assert_memory_equal(&s.current.name, &r->e->secrets.current.name, 4);
    assert_memory_equal(&s.previous.secret, first.secret, 32);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vault_first),
        cmocka_unit_test(test_vault_fails),
        cmocka_unit_test(test_vault_fails_later),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_sync_ends_silence),
        cmocka_unit_test(test_serials_rise),
        cmocka_unit_test(test_serials_over_crash),
        cmocka_unit_test(test_serials_from_store),
        cmocka_unit_test(test_blocks_over_restart),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_operator_budget),
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_no_change),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_block_size),
        cmocka_unit_test(test_block_count),
        cmocka_unit_test(test_total_size),
        cmocka_unit_test(test_observed),
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_lease_of_many),
        cmocka_unit_test(test_foreign_once),
        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_foreign_at_start),
        cmocka_unit_test(test_foreign_last_serial),
        cmocka_unit_test(test_signer_fails),
        cmocka_unit_test(test_rotation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
