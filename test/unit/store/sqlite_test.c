/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "unit/store/conformance.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "unit/store/fault_vfs.h"
#include "unit/store/scratch.h"

static const struct mesh_id mesh = {{7}};

static void open_store(struct fixture *f)
{
    assert_int_equal(store_open(&f->store, f->dir, &mesh, fixture_log, f),
                     KITH_OK);
}

static void close_store(struct fixture *f)
{
    store_close(f->store);
    f->store = NULL;
}

static void reopen(struct fixture *f)
{
    close_store(f);
    open_store(f);
}

static void set_full(struct fixture *f, bool full)
{
    (void)f;
    fault.countdown = full ? 0 : -1;
    fault.rc = SQLITE_FULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    f->reopen = reopen;
    f->set_full = set_full;
    scratch_make(f->dir);
    fault_install();
    open_store(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fault.countdown = -1;
    close_store(f);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

/* Changes, committed. */
static void fill(struct fixture *f, struct model *m, uint64_t seed, int changes)
{
    struct prng p;

    prng_seed(&p, seed);
    for (int i = 0; i < changes; i++)
        assert_int_equal(some_change(&p, f->store, m), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
}

/* Runs SQL on the closed database. */
static void run_sql(const struct fixture *f, const char *sql)
{
    char path[SCRATCH_PATH];
    sqlite3 *db;

    (void)snprintf(path, sizeof path, "%s/kith.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_modes(void **state)
{
    struct fixture *f = *state;
    static struct model m;
    char path[SCRATCH_PATH];
    mode_t mask = umask(0);

    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 30);
    assert_int_equal(scratch_mode(f->dir, "kith.db"), 0600);
    assert_int_equal(scratch_mode(f->dir, "kith.db-wal"), 0600);
    assert_int_equal(scratch_mode(f->dir, "kith.db-shm"), -1);
    close_store(f);

    /* one that was copied here by hand */
    (void)snprintf(path, sizeof path, "%s/kith.db", f->dir);
    assert_int_equal(chmod(path, 0644), 0);
    open_store(f);
    assert_holds(f->store, &m);
    fill(f, &m, 2, 1);
    assert_int_equal(scratch_mode(f->dir, "kith.db"), 0600);
    assert_int_equal(scratch_mode(f->dir, "kith.db-wal"), 0600);
    (void)umask(mask);
}

static void test_one_process(void **state)
{
    struct fixture *f = *state;
    struct store *second = f->store;

    errno = 0;
    assert_int_equal(store_open(&second, f->dir, &mesh, fixture_log, f),
                     KITH_ERR_IO);
    assert_int_equal(errno, EBUSY);
    assert_null(second);
    assert_int_equal(scratch_count(f->dir, "kith.db."), 0);
}

/* Opens the store, says so, and stays until it is killed. */
static void child_holds(const char *dir, int report)
{
    struct store *store;

    if (store_open(&store, dir, &mesh, NULL, NULL) != KITH_OK ||
        write(report, "o", 1) != 1)
        _exit(1);
    for (;;)
        (void)pause();
}

static void test_other_process(void **state)
{
    struct fixture *f = *state;
    int ends[2], status;
    pid_t child;
    char c;

    close_store(f);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_holds(f->dir, ends[1]);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    (void)close(ends[0]);
    assert_int_equal(store_open(&f->store, f->dir, &mesh, fixture_log, f),
                     KITH_ERR_IO);
    assert_int_equal(errno, EBUSY);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    open_store(f);
    assert_int_equal(store_state(f->store), STORE_OK);
}

static void test_newer(void **state)
{
    struct fixture *f = *state;
    static uint8_t before[1 << 20], after[sizeof before];
    static struct model m;
    size_t n;

    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 30);
    close_store(f);
    run_sql(f, "PRAGMA user_version = 99");
    n = scratch_read(f->dir, "kith.db", before, sizeof before);
    f->lines = 0;
    assert_int_equal(store_open(&f->store, f->dir, &mesh, fixture_log, f),
                     KITH_ERR_NEWER);
    assert_null(f->store);
    assert_int_equal(f->lines, 1);
    assert_non_null(strstr(f->last_line, "format 99"));
    assert_int_equal(scratch_read(f->dir, "kith.db", after, sizeof after), n);
    assert_memory_equal(before, after, n);
    assert_int_equal(scratch_count(f->dir, "kith.db."), 0);
}

static void test_other_mesh(void **state)
{
    struct fixture *f = *state;
    const struct mesh_id other = {{8}};
    static struct model m, empty;
    char from[SCRATCH_PATH], to[SCRATCH_PATH];

    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 30);
    close_store(f);
    assert_int_equal(store_open(&f->store, f->dir, &other, fixture_log, f),
                     KITH_OK);
    assert_int_equal(f->lines, 1);
    assert_non_null(strstr(f->last_line, "another mesh"));
    assert_int_equal(store_state(f->store), STORE_OK);
    assert_holds(f->store, &empty);
    close_store(f);

    (void)snprintf(from, sizeof from, "%s/kith.db.other-mesh-1", f->dir);
    (void)snprintf(to, sizeof to, "%s/kith.db", f->dir);
    assert_int_equal(rename(from, to), 0);
    open_store(f);
    assert_holds(f->store, &m);
}

/* The next store_open() sets the file aside and begins a fresh one. */
static void assert_set_aside(struct fixture *f)
{
    struct model empty = {0};

    f->lines = 0;
    open_store(f);
    assert_int_equal(store_state(f->store), STORE_OK);
    assert_int_equal(f->lines, 1);
    assert_non_null(strstr(f->last_line, "renamed=kith.db.damaged-"));
    assert_holds(f->store, &empty);
}

/* A database that is sound, but not what it ought to be. */
static void test_not_ours(void **state)
{
    static const char *const sql[] = {
        "PRAGMA application_id = 1",
        "PRAGMA user_version = -1",
        "PRAGMA user_version = 0",
        "DELETE FROM mesh",
        "UPDATE mesh SET id = x'00'",
        "DROP TABLE mesh",
        "DROP TABLE addr",
        "ALTER TABLE node RENAME COLUMN spki TO key",
        "DROP TABLE meta",
        "DROP TABLE block",
    };
    struct fixture *f = *state;
    static struct model m;

    for (size_t i = 0; i < sizeof sql / sizeof sql[0]; i++) {
        memset(&m, 0, sizeof m);
        fill(f, &m, 1, 30);
        close_store(f);
        run_sql(f, sql[i]);
        assert_set_aside(f);
    }
    /* ten of them; the last ones shared a name */
    assert_true(scratch_mode(f->dir, "kith.db.damaged-3") >= 0);
    assert_int_equal(scratch_mode(f->dir, "kith.db.damaged-4"), -1);
}

static void test_no_database(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[8192];
    static struct model m;

    memset(bytes, 'x', sizeof bytes);
    close_store(f);
    scratch_write(f->dir, "kith.db", bytes, 600);
    assert_set_aside(f);
    close_store(f);
    scratch_write(f->dir, "kith.db", bytes, sizeof bytes);
    assert_set_aside(f);
    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 300);
    close_store(f);
    scratch_patch(f->dir, "kith.db", 0, bytes, sizeof bytes);
    assert_set_aside(f);

    /* companions of another file do no harm */
    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 30);
    close_store(f);
    scratch_write(f->dir, "kith.db-journal", bytes, sizeof bytes);
    scratch_write(f->dir, "kith.db-wal", bytes, sizeof bytes);
    open_store(f);
    assert_holds(f->store, &m);
}

/* Damaged, and no way to set it aside: the node runs, and says so once. */
static void test_stuck(void **state)
{
    struct fixture *f = *state;
    struct instant now = {1000 * 1000 * 1000};
    char path[SCRATCH_PATH];
    uint8_t bytes[4096];

    memset(bytes, 'x', sizeof bytes);
    close_store(f);
    scratch_write(f->dir, "kith.db", bytes, sizeof bytes);
    for (int i = 1; i <= 3; i++) {
        (void)snprintf(path, sizeof path, "%s/kith.db.damaged-%d", f->dir, i);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    open_store(f);
    assert_int_equal(store_state(f->store), STORE_MEMORY);
    for (int i = 0; i < 5; i++) {
        now = instant_add_ms(now, STORE_RETRY_S * 1000);
        assert_int_equal(store_retry(f->store, now), KITH_ERR_IO);
    }
    assert_int_equal(f->lines, 1);
    assert_non_null(strstr(f->last_line, "nor can it be renamed"));
    assert_int_equal(rmdir(path), 0);
    now = instant_add_ms(now, STORE_RETRY_S * 1000);
    assert_int_equal(store_retry(f->store, now), KITH_OK);
}

static void test_empty_file(void **state)
{
    struct fixture *f = *state;
    struct model empty = {0};

    close_store(f);
    scratch_write(f->dir, "kith.db", "", 0);
    open_store(f);
    assert_holds(f->store, &empty);
    assert_int_equal(f->lines, 0);
}

/* Some flipped bytes anywhere in the file: whatever is still visited was put
 * just so, and the store goes on. */
static void test_damaged_anywhere(void **state)
{
    struct fixture *f = *state;
    static uint8_t sound[1 << 20], bytes[64];
    static struct model m, got;
    size_t size, reset = 0, skipped = 0;
    struct prng p;

    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 300);
    close_store(f);
    size = scratch_read(f->dir, "kith.db", sound, sizeof sound);
    assert_true(size > 20000 && size < sizeof sound);
    prng_seed(&p, 1);
    for (int round = 0; round < 150; round++) {
        size_t n = 1 + prng_below(&p, sizeof bytes);
        size_t at = prng_below(&p, size - n);

        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)prng_u64(&p);
        scratch_write(f->dir, "kith.db", sound, size);
        if (round % 10 == 9)
            scratch_write(f->dir, "kith.db", sound, at); /* cut there */
        else
            scratch_patch(f->dir, "kith.db", (off_t)at, bytes, n);
        if (store_open(&f->store, f->dir, &mesh, NULL, NULL) != KITH_OK) {
            assert_true(at < 64 && at + n > 60); /* "newer" */
            continue;
        }
        if (model_load(&got, f->store) != KITH_OK)
            assert_int_equal(store_retry(f->store, (struct instant){1}),
                             KITH_OK);
        assert_true(model_within(&got, &m));
        reset += got.n_blocks == 0;
        skipped += store_skipped(f->store) > 0;
        assert_true(model_equal(&got, &m) || got.n_blocks == 0 ||
                    store_stale(f->store));
        if (store_refill(f->store) != KITH_OK) {
            assert_int_equal(store_retry(f->store, (struct instant){1}),
                             KITH_OK);
            assert_int_equal(store_refill(f->store), KITH_OK);
        }
        assert_int_equal(model_put_all(&m, f->store), KITH_OK);
        assert_int_equal(store_commit(f->store), KITH_OK);
        assert_holds(f->store, &m);
        close_store(f);
    }
    assert_true(reset > 5 && skipped > 5); /* both ways were tried */
    open_store(f);
}

/* Damage that shows only while the store is in use. */
static void test_damaged_in_use(void **state)
{
    struct fixture *f = *state;
    static uint8_t junk[1 << 16];
    static struct model m, got, empty;
    struct instant now = {1};

    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 300);
    reopen(f);
    assert_holds(f->store, &m); /* and leaves nothing in SQLite's cache */
    memset(junk, 0x5a, sizeof junk);
    scratch_patch(f->dir, "kith.db", 4096, junk, sizeof junk);
    f->lines = 0;
    assert_int_equal(model_load(&got, f->store), KITH_ERR_CORRUPT);
    assert_true(model_within(&got, &m));
    assert_int_equal(store_state(f->store), STORE_MEMORY);
    assert_int_equal(f->lines, 1);
    assert_non_null(strstr(f->last_line, "renamed=kith.db.damaged-1"));
    assert_int_equal(store_commit(f->store), KITH_ERR_IO);

    assert_int_equal(store_retry(f->store, now), KITH_OK);
    assert_true(store_stale(f->store));
    assert_holds(f->store, &empty);
    assert_int_equal(store_refill(f->store), KITH_OK);
    assert_int_equal(model_put_all(&m, f->store), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    assert_false(store_stale(f->store));
    reopen(f);
    assert_holds(f->store, &m);
    assert_true(scratch_size(f->dir, "kith.db.damaged-1") > 20000);
}

/* The disk fails in one way or another at each operation in turn. */
static void fail_everywhere(struct fixture *f, int rc)
{
    static struct model kept, now, got;
    struct instant later = {0};
    long n;

    for (n = 0; n < 10000; n++) {
        struct prng p;
        bool committing = false;
        int err = KITH_OK;

        assert_int_equal(store_refill(f->store), KITH_OK);
        assert_int_equal(store_commit(f->store), KITH_OK);
        memset(&now, 0, sizeof now);
        kept = now;
        prng_seed(&p, (uint64_t)n);
        fault = (struct fault){.countdown = n, .rc = rc};
        for (int i = 0; i < 150 && err == KITH_OK; i++) {
            err = some_change(&p, f->store, &now);
            if (err != KITH_OK || i % 10 != 0)
                continue;
            err = store_commit(f->store);
            committing = err != KITH_OK;
            if (err == KITH_OK)
                kept = now;
        }
        fault.countdown = -1;
        if (err == KITH_OK)
            break;
        assert_int_equal(err, KITH_ERR_IO);
        assert_int_equal(store_state(f->store), STORE_MEMORY);
        later = instant_add_ms(later, 2 * STORE_RETRY_S * 1000);
        assert_int_equal(store_retry(f->store, later), KITH_OK);
        assert_int_equal(model_load(&got, f->store), KITH_OK);
        assert_int_equal(store_skipped(f->store), 0);
        /* a commit may be on the disk and yet end in an error */
        assert_true(model_equal(&got, &kept) ||
                    (committing && model_equal(&got, &now)));
        assert_int_equal(store_refill(f->store), KITH_OK);
        assert_int_equal(model_put_all(&now, f->store), KITH_OK);
        assert_int_equal(store_commit(f->store), KITH_OK);
        assert_false(store_stale(f->store));
        assert_holds(f->store, &now);
    }
    assert_true(n > 50);
    assert_int_equal(scratch_count(f->dir, "kith.db."), 0);
}

static void test_full_everywhere(void **state)
{
    fail_everywhere(*state, SQLITE_FULL);
}

static void test_ioerr_everywhere(void **state)
{
    fail_everywhere(*state, SQLITE_IOERR);
}

static void test_readonly_everywhere(void **state)
{
    fail_everywhere(*state, SQLITE_READONLY);
}

enum {
    CHILD_COMMITS = 4,
    CHILD_CHANGES = 15,
};

/* Commits of a child of ours, of which it reports each; the n-th operation
 * on the disk kills it. */
static void child_commits(const char *dir, int report, long n)
{
    static struct model m;
    struct store *store;
    struct prng p;

    fault = (struct fault){.countdown = n, .rc = 0};
    prng_seed(&p, 1);
    if (store_open(&store, dir, &mesh, NULL, NULL) != KITH_OK)
        _exit(1);
    for (int commit = 0; commit < CHILD_COMMITS; commit++) {
        for (int i = 0; i < CHILD_CHANGES; i++) {
            if (some_change(&p, store, &m) != KITH_OK)
                _exit(2);
        }
        if (store_commit(store) != KITH_OK || write(report, "c", 1) != 1)
            _exit(3);
    }
    store_close(store);
    _exit(0);
}

/* What the child's model was after so many commits. */
static void model_after(struct model *m, int commits)
{
    struct store *store;
    struct prng p;
    char dir[64];

    memset(m, 0, sizeof *m);
    scratch_make(dir);
    assert_int_equal(store_open(&store, dir, &mesh, NULL, NULL), KITH_OK);
    prng_seed(&p, 1);
    for (int i = 0; i < CHILD_CHANGES * commits; i++)
        assert_int_equal(some_change(&p, store, m), KITH_OK);
    store_close(store);
    scratch_remove(dir);
}

/* Runs the child. Returns how many commits it reported; *killed: whether it
 * died of the fault. */
static int run_child(const char *dir, long n, bool *killed)
{
    char buf[16];
    int ends[2], status, commits = 0;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        child_commits(dir, ends[1], n);
    (void)close(ends[1]);
    while ((got = read(ends[0], buf, sizeof buf)) > 0)
        commits += (int)got;
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    *killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!*killed)
        assert_int_equal(WEXITSTATUS(status), 0);
    return commits;
}

/* kill -9 at every operation, in the midst of writes too: what is there
 * afterwards is what some commit left, and none that was reported is lost. */
static void test_kill_everywhere(void **state)
{
    struct fixture *f = *state;
    static struct model after[CHILD_COMMITS + 1], got;
    bool killed = true;
    long n;

    for (int i = 0; i <= CHILD_COMMITS; i++)
        model_after(&after[i], i);
    close_store(f);
    for (n = 0; killed; n++) {
        int commits;

        scratch_remove(f->dir);
        assert_int_equal(mkdir(f->dir, 0700), 0);
        commits = run_child(f->dir, n, &killed);
        f->lines = 0;
        open_store(f);
        assert_int_equal(f->lines, 0); /* nothing was set aside */
        assert_int_equal(model_load(&got, f->store), KITH_OK);
        assert_true(model_equal(&got, &after[commits]) ||
                    (commits < CHILD_COMMITS &&
                     model_equal(&got, &after[commits + 1])));
        close_store(f);
    }
    assert_true(n > 30);
    open_store(f);
}

/* A limit that the kernel knows: the file may not grow. */
static void test_file_size_limit(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[STORE_BLOCK_MAX];
    const struct rlimit tight = {200000, RLIM_INFINITY};
    const struct rlimit wide = {RLIM_INFINITY, RLIM_INFINITY};
    static struct model m;
    struct store_block block = {.name = "a", .bytes = bytes};
    int err = KITH_OK;

    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 100);
    block.len = sizeof bytes;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    for (unsigned i = 0; i < 100 && err == KITH_OK; i++) {
        block.author = model_id(100 + i);
        err = store_put_block(f->store, &block);
        if (err == KITH_OK)
            err = store_commit(f->store);
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &wide), 0);
    assert_int_equal(err, KITH_ERR_IO);
    assert_int_equal(store_state(f->store), STORE_MEMORY);
    assert_int_equal(store_retry(f->store, (struct instant){UINT32_MAX}),
                     KITH_OK);
    assert_int_equal(store_refill(f->store), KITH_OK);
    assert_int_equal(model_put_all(&m, f->store), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    reopen(f);
    assert_holds(f->store, &m);
}

/* No directory at first: the node runs, and the store follows. */
static void test_no_directory(void **state)
{
    struct fixture *f = *state;
    static struct model m;
    struct instant now = {1000 * 1000 * 1000};

    memset(&m, 0, sizeof m);
    close_store(f);
    scratch_remove(f->dir);
    open_store(f);
    assert_int_equal(store_state(f->store), STORE_MEMORY);
    assert_int_equal(f->lines, 1);
    assert_int_equal(store_retry(f->store, now), KITH_ERR_IO);
    assert_int_equal(mkdir(f->dir, 0700), 0);
    assert_int_equal(store_retry(f->store, now), KITH_ERR_IO);
    now = instant_add_ms(now, STORE_RETRY_S * 1000);
    assert_int_equal(store_retry(f->store, now), KITH_OK);
    fill(f, &m, 1, 30);
    reopen(f);
    assert_holds(f->store, &m);
}

static void test_long_name(void **state)
{
    struct fixture *f = *state;
    char name[5000];
    struct store *store;

    memset(name, 'a', sizeof name - 1);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    assert_int_equal(store_open(&store, name, &mesh, fixture_log, f),
                     KITH_ERR_RANGE);
    assert_null(store);
}

/* Rows that somebody else wrote: each is skipped, the good ones are not. */
static void test_bad_rows(void **state)
{
    static const char *const bad =
        "INSERT INTO node VALUES (zeroblob(31), zeroblob(294), 1, 1, 1, 0, 0),"
        " (zeroblob(32), zeroblob(293), 1, 1, 1, 0, 0),"
        " (zeroblob(33), zeroblob(294), 1, 1, 1, 0, 0),"
        " (randomblob(32), zeroblob(294), 1, 1, 1, 3, 0),"
        " (randomblob(32), zeroblob(294), 1, -1, 1, 0, 0),"
        " (randomblob(32), zeroblob(294), 1, 1, -1, 0, 0),"
        " (randomblob(32), zeroblob(294), 1, 1, 1, 0, 0);" /* sum only */
        "INSERT INTO block VALUES"
        " (zeroblob(32), '', 1, 1, zeroblob(32), x'00', 0),"
        " (zeroblob(32), '123456789012345678901234567890123', 1, 1,"
        "  zeroblob(32), x'00', 0),"
        " (zeroblob(32), 'a' || char(0), 1, 1, zeroblob(32), x'00', 0),"
        " (zeroblob(31), 'a', 1, 1, zeroblob(32), x'00', 0),"
        " (zeroblob(32), 'b', 1, 65536, zeroblob(32), x'00', 0),"
        " (zeroblob(32), 'c', 1, -1, zeroblob(32), x'00', 0),"
        " (zeroblob(32), 'd', 1, 1, zeroblob(31), x'00', 0),"
        " (zeroblob(32), 'e', 1, 1, zeroblob(32), x'', 0),"
        " (zeroblob(32), 'f', 1, 1, zeroblob(32), zeroblob(33105), 0),"
        " (zeroblob(32), 'g', 1, 1, zeroblob(32), x'00', 0);"
        "INSERT INTO addr VALUES"
        " (zeroblob(31), zeroblob(4), 1, 0, 1, 0),"
        " (zeroblob(32), zeroblob(5), 1, 0, 1, 0),"
        " (zeroblob(32), x'', 1, 0, 1, 0),"
        " (zeroblob(32), zeroblob(4), 65536, 0, 1, 0),"
        " (zeroblob(32), zeroblob(4), 1, 4294967296, 1, 0),"
        " (zeroblob(32), zeroblob(4), 1, 1, 1, 0),"
        " (zeroblob(32), zeroblob(4), 1, 0, -1, 0),"
        " (zeroblob(32), zeroblob(4), 2, 0, 1, 0);"
        "INSERT INTO meta VALUES ('bad', 1, 0)";
    struct fixture *f = *state;
    static struct model m;
    uint64_t value;

    memset(&m, 0, sizeof m);
    fill(f, &m, 1, 60);
    close_store(f);
    run_sql(f, bad);
    f->lines = 0;
    open_store(f);
    assert_false(store_stale(f->store));
    assert_holds(f->store, &m);
    assert_int_equal(store_skipped(f->store), 25);
    assert_true(store_stale(f->store));
    assert_int_equal(f->lines, 1);
    assert_non_null(strstr(f->last_line, "count=25"));
    assert_int_equal(store_meta_get(f->store, "bad", &value),
                     KITH_ERR_NOTFOUND);
    assert_int_equal(store_skipped(f->store), 26);

    assert_int_equal(store_refill(f->store), KITH_OK);
    assert_int_equal(model_put_all(&m, f->store), KITH_OK);
    assert_int_equal(store_commit(f->store), KITH_OK);
    assert_holds(f->store, &m);
    assert_int_equal(store_skipped(f->store), 26);
}

/* The log of changes does not grow for ever, nor stays large. */
static void test_log_size(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[STORE_BLOCK_MAX];
    struct store_block block = {.name = "a", .bytes = bytes};

    block.len = sizeof bytes;
    for (unsigned i = 0; i < 200; i++) { /* 6 MB in one transaction */
        block.author = model_id(i);
        assert_int_equal(store_put_block(f->store, &block), KITH_OK);
    }
    assert_int_equal(store_commit(f->store), KITH_OK);
    block.len = 1000;
    for (unsigned i = 0; i < 500; i++) {
        block.serial = i;
        assert_int_equal(store_put_block(f->store, &block), KITH_OK);
        assert_int_equal(store_commit(f->store), KITH_OK);
    }
    assert_true(scratch_size(f->dir, "kith.db-wal") < 2 * 1024 * 1024);
    close_store(f);
    assert_int_equal(scratch_size(f->dir, "kith.db-wal"), -1);
    open_store(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFORMANCE(setup, teardown),
        TEST(test_modes),
        TEST(test_one_process),
        TEST(test_other_process),
        TEST(test_newer),
        TEST(test_other_mesh),
        TEST(test_not_ours),
        TEST(test_no_database),
        TEST(test_stuck),
        TEST(test_empty_file),
        TEST(test_damaged_anywhere),
        TEST(test_damaged_in_use),
        TEST(test_full_everywhere),
        TEST(test_ioerr_everywhere),
        TEST(test_readonly_everywhere),
        TEST(test_kill_everywhere),
        TEST(test_file_size_limit),
        TEST(test_no_directory),
        TEST(test_long_name),
        TEST(test_bad_rows),
        TEST(test_log_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
