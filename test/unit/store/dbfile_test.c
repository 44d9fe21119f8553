/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "unit/store/scratch.h"

#include <errno.h>
#include <stdbool.h>

#include "base/error.h"
#include "store/dbfile.h"
#include "store/schema.h"

/* What dbfile.c does apart from dbfile_open(), which sqlite_test.c tries. */

static const struct mesh_id mesh = {{7}};

static const char *const steps[] = {
    "CREATE TABLE mesh (id BLOB NOT NULL) STRICT; CREATE TABLE t (a INTEGER)",
    "ALTER TABLE t ADD COLUMN b INTEGER; INSERT INTO t VALUES (1, 2)",
    "UPDATE t SET b = b * 10",
};

struct fixture {
    struct store store;
    sqlite3 *db;
    char dir[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[SCRATCH_PATH];

    assert_non_null(f);
    scratch_make(f->dir);
    (void)snprintf(path, sizeof path, "%s/kith.db", f->dir);
    assert_int_equal(sqlite3_open(path, &f->db), SQLITE_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    (void)sqlite3_close(f->db);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static int number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    int n;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    n = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return n;
}

static void test_migrate_fresh(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(dbfile_migrate(f->db, steps, 3, &mesh), SQLITE_OK);
    assert_int_equal(number(f->db, "PRAGMA user_version"), 3);
    assert_int_equal(number(f->db, "PRAGMA application_id"), 0x6b697468);
    assert_int_equal(number(f->db, "SELECT b FROM t"), 20);
    assert_int_equal(number(f->db, "SELECT count(*) FROM mesh"), 1);
    assert_int_equal(
        number(f->db, "SELECT hex(id) = '07' || hex(zeroblob(31)) FROM mesh"),
        1);
}

/* From each version to each later one: every step once, in order. */
static void test_migrate_from_each(void **state)
{
    struct fixture *f = *state;

    for (int from = 1; from <= 3; from++) {
        for (int to = from; to <= 3; to++) {
            assert_int_equal(
                sqlite3_exec(f->db,
                             "DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS "
                             "mesh; PRAGMA user_version = 0",
                             NULL, NULL, NULL),
                SQLITE_OK);
            assert_int_equal(dbfile_migrate(f->db, steps, from, &mesh),
                             SQLITE_OK);
            assert_int_equal(dbfile_migrate(f->db, steps, to, &mesh),
                             SQLITE_OK);
            assert_int_equal(number(f->db, "PRAGMA user_version"), to);
            assert_int_equal(number(f->db, "SELECT count(*) FROM t"),
                             to > 1 ? 1 : 0);
            assert_int_equal(number(f->db, "SELECT count(*) FROM mesh"), 1);
        }
    }
    assert_int_equal(number(f->db, "SELECT b FROM t"), 20);
}

/* A step that fails leaves the file as it was before the first one. */
static void test_migrate_fails(void **state)
{
    struct fixture *f = *state;
    const char *const bad[] = {
        steps[0],
        steps[1],
        "UPDATE t SET b = 5; UPDATE nothing SET b = 6",
    };

    assert_int_equal(dbfile_migrate(f->db, steps, 1, &mesh), SQLITE_OK);
    assert_int_equal(dbfile_migrate(f->db, bad, 3, &mesh) & 0xff, SQLITE_ERROR);
    assert_int_equal(number(f->db, "PRAGMA user_version"), 1);
    assert_int_equal(number(f->db, "SELECT count(*) FROM t"), 0);
    assert_int_equal(number(f->db, "SELECT count(*) FROM"
                                   " pragma_table_info('t')"),
                     1);
    assert_int_equal(dbfile_migrate(f->db, steps, 3, &mesh), SQLITE_OK);
    assert_int_equal(number(f->db, "SELECT b FROM t"), 20);
}

/* The steps that are shipped make a database, however many they are. */
static void test_shipped_steps(void **state)
{
    struct fixture *f = *state;

    for (int n = 1; n <= SCHEMA_VERSION; n++)
        assert_int_equal(dbfile_migrate(f->db, schema_steps, n, &mesh),
                         SQLITE_OK);
    assert_int_equal(number(f->db, "SELECT count(*) FROM sqlite_schema"
                                   " WHERE type = 'table'"),
                     5);
}

static void test_set_aside(void **state)
{
    struct fixture *f = *state;
    char name[64], byte[2] = "";

    (void)sqlite3_close(f->db);
    f->db = NULL;
    for (int i = 1; i <= 5; i++) {
        int n = i < 3 ? i : 3; /* the last place is used again */

        byte[0] = (char)('a' + i);
        scratch_write(f->dir, "kith.db", byte, 1);
        if (i != 4)
            scratch_write(f->dir, "kith.db-wal", byte, 1);
        assert_int_equal(dbfile_set_aside(&f->store, f->dir, "damaged"),
                         KITH_OK);
        (void)snprintf(name, sizeof name, "kith.db.damaged-%d", n);
        assert_int_equal(scratch_read(f->dir, name, byte, 1), 1);
        assert_int_equal(byte[0], 'a' + i);
        (void)snprintf(name, sizeof name, "kith.db.damaged-%d-wal", n);
        assert_int_equal(scratch_mode(f->dir, name) >= 0, i != 4);
        assert_int_equal(scratch_mode(f->dir, "kith.db"), -1);
        assert_int_equal(scratch_mode(f->dir, "kith.db-wal"), -1);
    }
    assert_int_equal(dbfile_set_aside(&f->store, "/nonexistent/x", "damaged"),
                     KITH_OK); /* nothing there: nothing to do */
}

static void test_room(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(dbfile_room(&f->store, f->dir), KITH_OK);
    assert_int_equal(dbfile_room(&f->store, "/proc/self"), KITH_OK);
    assert_int_equal(dbfile_room(&f->store, "/nonexistent/x"), KITH_ERR_IO);
    assert_true(strlen(f->store.reason) > 0);
}

static void test_errors(void **state)
{
    static const struct {
        int rc, err;
    } cases[] = {
        {SQLITE_CORRUPT, KITH_ERR_CORRUPT},
        {SQLITE_CORRUPT_INDEX, KITH_ERR_CORRUPT},
        {SQLITE_NOTADB, KITH_ERR_CORRUPT},
        {SQLITE_ERROR, KITH_ERR_CORRUPT},
        {SQLITE_IOERR_READ, KITH_ERR_CORRUPT},
        {SQLITE_IOERR_SHORT_READ, KITH_ERR_CORRUPT},
        {SQLITE_IOERR_WRITE, KITH_ERR_IO},
        {SQLITE_IOERR_NOMEM, KITH_ERR_NOMEM},
        {SQLITE_NOMEM, KITH_ERR_NOMEM},
        {SQLITE_FULL, KITH_ERR_IO},
        {SQLITE_READONLY, KITH_ERR_IO},
        {SQLITE_READONLY_DBMOVED, KITH_ERR_IO},
        {SQLITE_CANTOPEN, KITH_ERR_IO},
        {SQLITE_MISUSE, KITH_ERR_IO},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->store.reason[0] = '\0';
        assert_int_equal(dbfile_error(&f->store, NULL, cases[i].rc),
                         cases[i].err);
        assert_true(strlen(f->store.reason) > 0);
        assert_int_not_equal(errno, EBUSY);
    }
    assert_int_equal(dbfile_error(&f->store, NULL, SQLITE_BUSY), KITH_ERR_IO);
    assert_int_equal(errno, EBUSY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_migrate_fresh), TEST(test_migrate_from_each),
        TEST(test_migrate_fails), TEST(test_shipped_steps),
        TEST(test_set_aside),     TEST(test_room),
        TEST(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
