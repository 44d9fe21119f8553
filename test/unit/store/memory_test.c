/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/store/conformance.h"

#include <stdlib.h>

#include "store/memory.h"

static void reopen(struct fixture *f)
{
    assert_int_equal(memory_crash(f->store, 0), 0);
}

static void set_full(struct fixture *f, bool full)
{
    memory_fail_after(f->store, full ? 0 : MEMORY_NEVER);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->reopen = reopen;
    f->set_full = set_full;
    assert_int_equal(store_open_memory(&f->store, fixture_log, f), KITH_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    store_close(f->store);
    free(f);
    return 0;
}

/* A power cut takes whole commits, the newest first. */
static void test_power_cut(void **state)
{
    struct fixture *f = *state;
    static struct model at[MEMORY_HISTORY + 4], empty;
    const size_t last = sizeof at / sizeof at[0] - 1;
    struct prng p;

    prng_seed(&p, 1);
    memset(at, 0, sizeof at);
    assert_int_equal(memory_crash(f->store, 3), 0);
    assert_holds(f->store, &empty);
    for (size_t i = 1; i <= last; i++) {
        at[i] = at[i - 1];
        for (int j = 0; j < 10; j++)
            assert_int_equal(some_change(&p, f->store, &at[i]), KITH_OK);
        assert_int_equal(store_commit(f->store), KITH_OK);
    }
    assert_int_equal(store_drop_node(f->store, &(struct node_id){{0}}),
                     KITH_OK);
    assert_int_equal(memory_crash(f->store, 1), 1);
    assert_holds(f->store, &at[last - 1]);
    assert_int_equal(memory_crash(f->store, 0), 0);
    assert_holds(f->store, &at[last - 1]);
    assert_int_equal(memory_crash(f->store, 100), MEMORY_HISTORY - 1);
    assert_holds(f->store, &at[last - MEMORY_HISTORY]);
    assert_int_equal(memory_crash(f->store, 1), 0);
}

/* Whatever write the disk fills at, what was committed stays. */
static void test_fails_at_each_write(void **state)
{
    struct fixture *f = *state;
    static struct model kept, now;

    for (uint64_t n = 0; n < 100; n++) {
        struct instant later = {(n + 1) * 3600 * 1000 * 1000};
        struct prng p;
        int err = KITH_OK;

        memset(&kept, 0, sizeof kept);
        now = kept;
        assert_int_equal(store_refill(f->store), KITH_OK);
        assert_int_equal(store_commit(f->store), KITH_OK);
        memory_fail_after(f->store, n);
        prng_seed(&p, n);
        for (int i = 0; i < 200 && err == KITH_OK; i++) {
            err = some_change(&p, f->store, &now);
            if (err != KITH_OK || i % 7 != 0)
                continue;
            err = store_commit(f->store);
            if (err == KITH_OK)
                kept = now;
        }
        assert_int_equal(err, KITH_ERR_IO);
        assert_int_equal(store_state(f->store), STORE_MEMORY);
        assert_int_equal(store_retry(f->store, later), KITH_ERR_IO);
        memory_fail_after(f->store, MEMORY_NEVER);
        later = instant_add_ms(later, STORE_RETRY_S * 1000);
        assert_int_equal(store_retry(f->store, later), KITH_OK);
        assert_holds(f->store, &kept);
    }
}

static void test_damage(void **state)
{
    struct fixture *f = *state;
    static struct model kept, empty;
    struct instant now = {5};
    uint64_t value;
    struct prng p;

    memset(&kept, 0, sizeof kept);
    prng_seed(&p, 2);
    for (int i = 0; i < 30; i++)
        assert_int_equal(some_change(&p, f->store, &kept), KITH_OK);
    assert_int_equal(store_meta_put(f->store, "a", 1), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    memory_damage(f->store);
    assert_int_equal(store_meta_put(f->store, "a", 2), KITH_ERR_CORRUPT);
    assert_int_equal(store_state(f->store), STORE_MEMORY);
    assert_int_equal(store_retry(f->store, now), KITH_OK); /* at once */
    assert_true(store_stale(f->store));
    assert_holds(f->store, &empty);
    assert_int_equal(store_meta_get(f->store, "a", &value), KITH_ERR_NOTFOUND);

    /* again: not at once */
    memory_damage(f->store);
    assert_int_equal(model_load(&empty, f->store), KITH_ERR_CORRUPT);
    now = instant_add_ms(now, STORE_RETRY_S * 1000 - 1);
    assert_int_equal(store_retry(f->store, now), KITH_ERR_IO);
    now = instant_add_ms(now, 1);
    assert_int_equal(store_retry(f->store, now), KITH_OK);
    assert_int_equal(store_refill(f->store), KITH_OK);
    assert_int_equal(model_put_all(&kept, f->store), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    assert_false(store_stale(f->store));
    assert_holds(f->store, &kept);
}

/* A backup holds what was committed, and can be put back, here or there. */
static void test_snapshot(void **state)
{
    struct fixture *f = *state;
    static struct model old, now;
    struct memory_snapshot *backup;
    struct store *other;
    struct prng p;

    memset(&old, 0, sizeof old);
    prng_seed(&p, 3);
    for (int i = 0; i < 60; i++)
        assert_int_equal(some_change(&p, f->store, &old), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    now = old;
    for (int i = 0; i < 60; i++)
        assert_int_equal(some_change(&p, f->store, &now), KITH_OK);
    backup = memory_snapshot(f->store);
    assert_non_null(backup);
    assert_holds(f->store, &now);
    assert_int_equal(store_commit(f->store), KITH_OK);

    assert_int_equal(memory_restore(f->store, backup), KITH_OK);
    assert_holds(f->store, &old);
    assert_int_equal(memory_crash(f->store, 5), 0);
    now = old;
    for (int i = 0; i < 60; i++)
        assert_int_equal(some_change(&p, f->store, &now), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    assert_holds(f->store, &now);
    assert_int_equal(memory_crash(f->store, 1), 1);
    assert_holds(f->store, &old);

    assert_int_equal(store_open_memory(&other, NULL, NULL), KITH_OK);
    assert_int_equal(memory_restore(other, backup), KITH_OK);
    memory_snapshot_free(backup);
    assert_holds(other, &old);
    store_close(other);
    memory_snapshot_free(NULL);
}

struct order {
    uint8_t last[1 + 32 + 33];
    int rows;
};

static void in_order(struct order *o, uint8_t kind, const struct node_id *id,
                     const char *name)
{
    uint8_t key[sizeof o->last] = {kind};

    memcpy(key + 1, id->b, sizeof id->b);
    memcpy(key + 33, name, strlen(name));
    assert_true(memcmp(o->last, key, sizeof key) < 0);
    memcpy(o->last, key, sizeof key);
    o->rows++;
}

static int node_in_order(void *arg, const struct store_node *node)
{
    in_order(arg, 1, &node->id, "");
    return KITH_OK;
}

static int block_in_order(void *arg, const struct store_block *block)
{
    in_order(arg, 2, &block->author, block->name);
    return KITH_OK;
}

/* The simulator needs the same order each time. */
static void test_order(void **state)
{
    struct fixture *f = *state;
    struct order o = {0};
    const struct store_visitor visitor = {node_in_order, block_in_order, NULL,
                                          &o};
    static struct model m;
    struct prng p;

    memset(&m, 0, sizeof m);
    prng_seed(&p, 6);
    for (int i = 0; i < 300; i++)
        assert_int_equal(some_change(&p, f->store, &m), KITH_OK);
    assert_int_equal(store_load(f->store, &visitor), KITH_OK);
    assert_int_equal(o.rows, m.n_nodes + m.n_blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE(setup, teardown),
        cmocka_unit_test_setup_teardown(test_power_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fails_at_each_write, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
