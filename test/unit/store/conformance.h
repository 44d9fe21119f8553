/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_STORE_CONFORMANCE_H
#define KITH_TEST_STORE_CONFORMANCE_H

#include "unit/store/model.h"

/*
 * What every store does, whatever is behind it. A test program brings a
 * fixture, and runs CONFORMANCE(setup, teardown) among its own tests.
 */

struct fixture {
    struct store *store;

    /* The process ends without a word, and the next one opens the store. */
    void (*reopen)(struct fixture *f);
    /* From now on the disk is full, or no longer. */
    void (*set_full)(struct fixture *f, bool full);

    int lines; /* in the log */
    char last_line[1024];
    char dir[64]; /* for those that have one */
};

static inline void fixture_log(void *arg, int level, const char *line)
{
    struct fixture *f = arg;

    (void)level;
    f->lines++;
    (void)snprintf(f->last_line, sizeof f->last_line, "%s", line);
}

static inline void conform_fresh(void **state)
{
    struct fixture *f = *state;
    struct model empty = {0};
    uint64_t value = 7;

    assert_int_equal(store_state(f->store), STORE_OK);
    assert_false(store_stale(f->store));
    assert_int_equal(store_skipped(f->store), 0);
    assert_holds(f->store, &empty);
    assert_int_equal(store_meta_get(f->store, "floor", &value),
                     KITH_ERR_NOTFOUND);
    assert_int_equal(value, 7);
    assert_int_equal(store_commit(f->store), KITH_OK);
    assert_int_equal(f->lines, 0);
}

/* The largest and smallest of everything comes back as it was. */
static inline void conform_bounds(void **state)
{
    struct fixture *f = *state;
    static struct model want;
    const uint8_t byte = 0;
    struct store_node node = {
        .id = model_id(1),
        .floor_serial = UINT64_MAX,
        .head_awake_ms = INT64_MAX,
        .seen_unix_ms = INT64_MAX,
        .state = STORE_NODE_LEFT,
    };
    struct store_block block = {
        .author = model_id(9), /* no node */
        .name = "12345678901234567890123456789012",
        .serial = UINT64_MAX,
        .type = UINT16_MAX,
        .bytes = &byte,
        .len = 1,
    };
    struct store_addr addr = {
        .id = model_id(1),
        .addr = {.family = 6,
                 .port = UINT16_MAX,
                 .ifindex = UINT32_MAX,
                 .ip = {0xfe, 0x80, [15] = 255}},
        .good_unix_ms = INT64_MAX,
    };

    memset(&want, 0, sizeof want);
    memset(node.spki, 255, sizeof node.spki);
    model_put_node(&want, &node);
    model_put_block(&want, &block);
    model_put_addr(&want, &addr);
    node = (struct store_node){0};
    block.serial = 0;
    block.type = 0;
    (void)snprintf(block.name, sizeof block.name, "a");
    addr = (struct store_addr){.addr.family = 4};
    model_put_node(&want, &node);
    model_put_block(&want, &block);
    model_put_addr(&want, &addr);

    assert_int_equal(model_put_all(&want, f->store), KITH_OK);
    assert_int_equal(store_meta_put(f->store, "a", UINT64_MAX), KITH_OK);
    assert_int_equal(
        store_meta_put(f->store, "12345678901234567890123456789012", 0),
        KITH_OK);
    assert_holds(f->store, &want);
    assert_int_equal(store_commit(f->store), KITH_OK);
    f->reopen(f);
    assert_holds(f->store, &want);
}

static inline int check_large(void *arg, const struct store_block *block)
{
    size_t *seen = arg;

    assert_int_equal(block->len, STORE_BLOCK_MAX);
    for (size_t i = 0; i < block->len; i++)
        assert_int_equal(block->bytes[i], (uint8_t)(i * 7));
    (*seen)++;
    return KITH_OK;
}

static inline void conform_large_block(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[STORE_BLOCK_MAX];
    size_t seen = 0;
    struct store_block block = {
        .name = "large", .bytes = bytes, .len = sizeof bytes};
    const struct store_visitor visitor = {.block = check_large, .arg = &seen};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_int_equal(store_put_block(f->store, &block), KITH_OK);
    memset(bytes, 0, sizeof bytes); /* the store has its own */
    assert_int_equal(store_commit(f->store), KITH_OK);
    f->reopen(f);
    assert_int_equal(store_load(f->store, &visitor), KITH_OK);
    assert_int_equal(seen, 1);
}

static inline void conform_refusals(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[STORE_BLOCK_MAX + 1];
    struct model empty = {0};
    struct store_node node = {.state = 3};
    struct store_block block = {.name = "", .bytes = bytes, .len = 1};
    struct store_addr addr = {.addr.family = 5};
    struct node_id id = model_id(1);
    uint64_t value;

    assert_int_equal(store_put_node(f->store, &node), KITH_ERR_RANGE);
    node = (struct store_node){.head_awake_ms = (uint64_t)INT64_MAX + 1};
    assert_int_equal(store_put_node(f->store, &node), KITH_ERR_RANGE);
    node = (struct store_node){.seen_unix_ms = (uint64_t)INT64_MAX + 1};
    assert_int_equal(store_put_node(f->store, &node), KITH_ERR_RANGE);

    assert_int_equal(store_put_block(f->store, &block), KITH_ERR_RANGE);
    memset(block.name, 'a', sizeof block.name); /* no NUL */
    assert_int_equal(store_put_block(f->store, &block), KITH_ERR_RANGE);
    assert_int_equal(store_drop_block(f->store, &id, ""), KITH_ERR_RANGE);
    assert_int_equal(
        store_drop_block(f->store, &id, "123456789012345678901234567890123"),
        KITH_ERR_RANGE);
    (void)snprintf(block.name, sizeof block.name, "a");
    block.len = 0;
    assert_int_equal(store_put_block(f->store, &block), KITH_ERR_RANGE);
    block.len = STORE_BLOCK_MAX + 1;
    assert_int_equal(store_put_block(f->store, &block), KITH_ERR_RANGE);
    block.len = 1;
    block.bytes = NULL;
    assert_int_equal(store_put_block(f->store, &block), KITH_ERR_RANGE);

    assert_int_equal(store_put_addr(f->store, &addr), KITH_ERR_RANGE);
    addr.addr = (struct addr){.family = 4, .ip = {1, 2, 3, 4, 5}};
    assert_int_equal(store_put_addr(f->store, &addr), KITH_ERR_RANGE);
    addr.addr = (struct addr){.family = 4, .ifindex = 1};
    assert_int_equal(store_put_addr(f->store, &addr), KITH_ERR_RANGE);
    addr.addr = (struct addr){.family = 4, .zero = 1};
    assert_int_equal(store_put_addr(f->store, &addr), KITH_ERR_RANGE);
    addr.addr = (struct addr){.family = 4};
    addr.good_unix_ms = UINT64_MAX;
    assert_int_equal(store_put_addr(f->store, &addr), KITH_ERR_RANGE);

    assert_int_equal(store_meta_put(f->store, "", 1), KITH_ERR_RANGE);
    assert_int_equal(
        store_meta_put(f->store, "123456789012345678901234567890123", 1),
        KITH_ERR_RANGE);
    assert_int_equal(store_meta_get(f->store, "", &value), KITH_ERR_RANGE);

    assert_holds(f->store, &empty);
    assert_int_equal(store_state(f->store), STORE_OK);
}

static inline void conform_meta(void **state)
{
    struct fixture *f = *state;
    uint64_t value = 0;

    assert_int_equal(store_meta_put(f->store, "floor", 5), KITH_OK);
    assert_int_equal(store_meta_get(f->store, "floor", &value), KITH_OK);
    assert_int_equal(value, 5);
    assert_int_equal(store_meta_put(f->store, "floor", UINT64_MAX), KITH_OK);
    assert_int_equal(store_meta_put(f->store, "flo", 1), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    assert_int_equal(store_meta_put(f->store, "floor", 6), KITH_OK);
    f->reopen(f);
    assert_int_equal(store_meta_get(f->store, "floor", &value), KITH_OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(store_meta_get(f->store, "flo", &value), KITH_OK);
    assert_int_equal(value, 1);
    assert_int_equal(store_meta_get(f->store, "loo", &value),
                     KITH_ERR_NOTFOUND);
}

/* The address that was good longest ago makes room, but not the newcomer. */
static inline void conform_addrs(void **state)
{
    struct fixture *f = *state;
    static struct model want;
    struct store_addr addr = {.id = model_id(1), .addr = {.family = 4}};

    memset(&want, 0, sizeof want);
    for (unsigned i = 0; i < 3 * STORE_ADDRS_MAX; i++) {
        addr.addr.ip[0] = (uint8_t)(i + 1);
        addr.good_unix_ms = (i * 7) % 5 + 100;
        if (i == 2 * STORE_ADDRS_MAX)
            addr.good_unix_ms = 1; /* older than all others */
        if (i == 1)
            addr.id = model_id(2); /* has its own eight */
        assert_int_equal(store_put_addr(f->store, &addr), KITH_OK);
        addr.good_unix_ms += 1000 * i; /* said again, better */
        assert_int_equal(store_put_addr(f->store, &addr), KITH_OK);
        model_put_addr(&want, &addr);
    }
    assert_int_equal(want.n_addrs, 1 + STORE_ADDRS_MAX);
    assert_holds(f->store, &want);
    assert_int_equal(store_commit(f->store), KITH_OK);
    f->reopen(f);
    assert_holds(f->store, &want);
}

static inline void conform_oldest_newcomer(void **state)
{
    struct fixture *f = *state;
    struct model got;
    struct store_addr addr = {.id = model_id(1), .addr = {.family = 4}};

    for (unsigned i = 0; i < STORE_ADDRS_MAX; i++) {
        addr.addr.ip[0] = (uint8_t)(i + 1);
        addr.good_unix_ms = 100 + i;
        assert_int_equal(store_put_addr(f->store, &addr), KITH_OK);
    }
    addr.addr.ip[0] = 99;
    addr.good_unix_ms = 1;
    assert_int_equal(store_put_addr(f->store, &addr), KITH_OK);
    assert_int_equal(model_load(&got, f->store), KITH_OK);
    assert_int_equal(got.n_addrs, STORE_ADDRS_MAX);
    assert_true(model_has_addr(&got, &addr));
}

static inline int stop_at_third(void *arg, const struct store_node *node)
{
    int *seen = arg;

    (void)node;
    (*seen)++;
    return *seen == 3 ? KITH_ERR_FULL : KITH_OK;
}

static inline int not_called(void *arg, const struct store_block *block)
{
    (void)arg;
    (void)block;
    fail();
    return KITH_OK;
}

static inline void conform_visitor(void **state)
{
    struct fixture *f = *state;
    int seen = 0;
    struct store_visitor visitor = {
        .node = stop_at_third, .block = not_called, .arg = &seen};
    const struct store_visitor nothing = {0};
    struct store_block block = {.name = "a", .len = 1};
    const uint8_t byte = 1;

    block.bytes = &byte;
    assert_int_equal(store_put_block(f->store, &block), KITH_OK);
    for (unsigned i = 0; i < 5; i++) {
        struct store_node node = {.id = model_id(i)};

        assert_int_equal(store_put_node(f->store, &node), KITH_OK);
    }
    assert_int_equal(store_load(f->store, &visitor), KITH_ERR_FULL);
    assert_int_equal(seen, 3);
    assert_int_equal(store_load(f->store, &nothing), KITH_OK);
    assert_int_equal(store_state(f->store), STORE_OK);
    /* an error of the caller's is no trouble, even one that looks like it */
    assert_int_equal(store_commit(f->store), KITH_OK);
}

/* Many changes at random, commits, and ends of the process. */
static inline void conform_random(void **state)
{
    struct fixture *f = *state;
    static struct model now, kept;
    struct prng p;

    for (uint64_t seed = 1; seed <= 5; seed++) {
        prng_seed(&p, seed);
        assert_int_equal(store_refill(f->store), KITH_OK);
        assert_int_equal(store_commit(f->store), KITH_OK);
        memset(&now, 0, sizeof now);
        kept = now;
        for (int step = 0; step < 600; step++) {
            uint64_t dice = prng_below(&p, 40);

            assert_int_equal(some_change(&p, f->store, &now), KITH_OK);
            if (dice == 0) {
                f->reopen(f);
                now = kept;
                assert_holds(f->store, &now);
            } else if (dice < 6) {
                assert_int_equal(store_commit(f->store), KITH_OK);
                kept = now;
            } else if (dice == 6) {
                assert_holds(f->store, &now);
            }
        }
        assert_holds(f->store, &now);
    }
}

static inline void conform_refill(void **state)
{
    struct fixture *f = *state;
    static struct model old, new;
    uint64_t value = 0;
    struct prng p;

    memset(&old, 0, sizeof old);
    memset(&new, 0, sizeof new);
    prng_seed(&p, 3);
    for (int i = 0; i < 50; i++)
        assert_int_equal(some_change(&p, f->store, &old), KITH_OK);
    assert_int_equal(store_meta_put(f->store, "floor", 5), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);

    assert_int_equal(store_refill(f->store), KITH_OK);
    assert_holds(f->store, &new); /* empty as yet */
    f->reopen(f);
    assert_holds(f->store, &old); /* nothing was committed */

    assert_int_equal(store_refill(f->store), KITH_OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(some_change(&p, f->store, &new), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    f->reopen(f);
    assert_holds(f->store, &new);
    assert_int_equal(store_meta_get(f->store, "floor", &value), KITH_OK);
    assert_int_equal(value, 5);
}

/* Full disk: errors, no end; then everything again. */
static inline void conform_full_disk(void **state)
{
    struct fixture *f = *state;
    static struct model kept, held, got;
    struct instant now = {1000 * 1000 * 1000};
    uint64_t value;
    struct prng p;
    int err;

    memset(&kept, 0, sizeof kept);
    prng_seed(&p, 4);
    for (int i = 0; i < 50; i++)
        assert_int_equal(some_change(&p, f->store, &kept), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    assert_int_equal(store_retry(f->store, now), KITH_OK);
    held = kept;

    f->set_full(f, true);
    err = some_change(&p, f->store, &held);
    if (err == KITH_OK)
        err = store_commit(f->store);
    assert_int_equal(err, KITH_ERR_IO);
    assert_int_equal(store_state(f->store), STORE_MEMORY);
    assert_true(store_stale(f->store));
    assert_int_equal(f->lines, 1);
    assert_non_null(strstr(f->last_line, "nothing is kept"));

    assert_int_equal(some_change(&p, f->store, &held), KITH_ERR_IO);
    assert_int_equal(store_commit(f->store), KITH_ERR_IO);
    assert_int_equal(store_refill(f->store), KITH_ERR_IO);
    assert_int_equal(model_load(&got, f->store), KITH_ERR_IO);
    assert_int_equal(store_meta_put(f->store, "a", 1), KITH_ERR_IO);
    assert_int_equal(store_meta_get(f->store, "a", &value), KITH_ERR_IO);
    assert_int_equal(store_put_node(f->store, &(struct store_node){.state = 3}),
                     KITH_ERR_RANGE);

    f->set_full(f, false);
    now = instant_add_ms(now, STORE_RETRY_S * 1000 - 1);
    assert_int_equal(store_retry(f->store, now), KITH_ERR_IO);
    now = instant_add_ms(now, 1);
    assert_int_equal(store_retry(f->store, now), KITH_OK);
    assert_int_equal(store_state(f->store), STORE_OK);
    assert_int_equal(f->lines, 2);
    assert_true(store_stale(f->store));
    assert_holds(f->store, &kept);

    assert_int_equal(store_commit(f->store), KITH_OK); /* is no refill */
    assert_true(store_stale(f->store));
    assert_int_equal(store_refill(f->store), KITH_OK);
    assert_int_equal(model_put_all(&held, f->store), KITH_OK);
    assert_true(store_stale(f->store));
    assert_int_equal(store_commit(f->store), KITH_OK);
    assert_false(store_stale(f->store));
    f->reopen(f);
    assert_holds(f->store, &held);
}

/* A node that starts on a full disk still reads what it has. */
static inline void conform_full_at_start(void **state)
{
    struct fixture *f = *state;
    static struct model kept;
    struct prng p;

    memset(&kept, 0, sizeof kept);
    prng_seed(&p, 5);
    for (int i = 0; i < 50; i++)
        assert_int_equal(some_change(&p, f->store, &kept), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    f->set_full(f, true);
    f->reopen(f);
    assert_int_equal(store_state(f->store), STORE_OK);
    assert_holds(f->store, &kept);
    f->set_full(f, false);
}

#define CONFORMS(name, setup, teardown)                                        \
    cmocka_unit_test_setup_teardown(conform_##name, setup, teardown)

#define CONFORMANCE(setup, teardown)                                           \
    CONFORMS(fresh, setup, teardown), CONFORMS(bounds, setup, teardown),       \
        CONFORMS(large_block, setup, teardown),                                \
        CONFORMS(refusals, setup, teardown), CONFORMS(meta, setup, teardown),  \
        CONFORMS(addrs, setup, teardown),                                      \
        CONFORMS(oldest_newcomer, setup, teardown),                            \
        CONFORMS(visitor, setup, teardown), CONFORMS(random, setup, teardown), \
        CONFORMS(refill, setup, teardown),                                     \
        CONFORMS(full_disk, setup, teardown),                                  \
        CONFORMS(full_at_start, setup, teardown)

#endif
