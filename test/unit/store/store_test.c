/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/store/conformance.h"

#include "store/memory.h"

/* What store.c adds to a backend; all that it does for each call is in
 * conformance.h. */

static struct instant at_s(uint64_t s)
{
    return (struct instant){s * 1000 * 1000};
}

static void open_fixture(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(store_open_memory(&f->store, fixture_log, f), KITH_OK);
}

static int put_one(struct store *store)
{
    return store_meta_put(store, "a", 1);
}

/* One try every 60 s, counted from the last one or from the failure. */
static void test_retry_times(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    assert_int_equal(store_retry(f.store, at_s(1000)), KITH_OK);
    memory_fail_after(f.store, 0);
    assert_int_equal(put_one(f.store), KITH_ERR_IO);
    assert_int_equal(store_retry(f.store, at_s(1059)), KITH_ERR_IO);
    assert_int_equal(store_retry(f.store, at_s(1060)), KITH_ERR_IO);
    memory_fail_after(f.store, MEMORY_NEVER);
    assert_int_equal(store_retry(f.store, at_s(1119)), KITH_ERR_IO);
    assert_int_equal(store_retry(f.store, at_s(1120)), KITH_OK);
    assert_int_equal(store_state(f.store), STORE_OK);
    store_close(f.store);
}

/* A disk that comes and goes: two lines in ten minutes, not two a minute. */
static void test_log_limit(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    for (uint64_t s = 1000; s < 1000 + 1800; s += 60) {
        assert_int_equal(store_retry(f.store, at_s(s)), KITH_OK);
        memory_fail_after(f.store, 0);
        assert_int_equal(put_one(f.store), KITH_ERR_IO);
        memory_fail_after(f.store, MEMORY_NEVER);
    }
    assert_int_equal(f.lines, 6);
    store_close(f.store);
}

/* A disk that stays full says so once. */
static void test_log_once(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    memory_fail_after(f.store, 0);
    assert_int_equal(put_one(f.store), KITH_ERR_IO);
    for (uint64_t s = 1000; s < 1000 + 36000; s += 5)
        assert_int_equal(store_retry(f.store, at_s(s)), KITH_ERR_IO);
    assert_int_equal(f.lines, 1);
    assert_non_null(strstr(f.last_line, "disk full, as told"));
    store_close(f.store);
}

/* A refill that fails is none. */
static void test_refill_fails(void **state)
{
    struct fixture f;

    (void)state;
    open_fixture(&f);
    memory_fail_after(f.store, 0);
    assert_int_equal(put_one(f.store), KITH_ERR_IO);
    memory_fail_after(f.store, MEMORY_NEVER);
    assert_int_equal(store_retry(f.store, at_s(1000)), KITH_OK);
    memory_fail_after(f.store, 2);
    assert_int_equal(store_refill(f.store), KITH_OK);
    assert_int_equal(put_one(f.store), KITH_OK);
    assert_int_equal(store_commit(f.store), KITH_ERR_IO);
    memory_fail_after(f.store, MEMORY_NEVER);
    assert_int_equal(store_retry(f.store, at_s(2000)), KITH_OK);
    assert_int_equal(put_one(f.store), KITH_OK);
    assert_int_equal(store_commit(f.store), KITH_OK);
    assert_true(store_stale(f.store));
    assert_int_equal(store_refill(f.store), KITH_OK);
    assert_int_equal(store_commit(f.store), KITH_OK);
    assert_false(store_stale(f.store));
    store_close(f.store);
}

static void test_no_log(void **state)
{
    struct store *store;

    (void)state;
    assert_int_equal(store_open_memory(&store, NULL, NULL), KITH_OK);
    memory_fail_after(store, 0);
    assert_int_equal(put_one(store), KITH_ERR_IO);
    store_close(store);
    store_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry_times), cmocka_unit_test(test_log_limit),
        cmocka_unit_test(test_log_once),    cmocka_unit_test(test_refill_fails),
        cmocka_unit_test(test_no_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
