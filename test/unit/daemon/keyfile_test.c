/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "daemon/keyfile.h"

/* A state directory below a fresh one, and a machine to bind to. */
struct fixture {
    char parent[64], dir[80], path[160];
    struct machine_binding machine;
    struct keyfile_options options;
    struct keyfile kf;
    struct node_id id; /* of the key made first */
};

static const char *const others[] = {"vault"};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->parent, sizeof f->parent, "/tmp/kith-keyfile-XXXXXX");
    assert_non_null(mkdtemp(f->parent));
    snprintf(f->dir, sizeof f->dir, "%s/state", f->parent);
    snprintf(f->machine.value[BINDING_MACHINE_ID], 72, "machine one");
    snprintf(f->machine.value[BINDING_MAC], 72, "52:54:00:00:00:01");
    f->options = (struct keyfile_options){.state_dir = f->dir,
                                          .binding = CONF_BINDING_ON,
                                          .machine = &f->machine,
                                          .others = others,
                                          .n_others = 1};
    f->kf.lock = -1;
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    keyfile_close(&f->kf);
    chmod(f->dir, 0700);
    nftw(f->parent, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static const char *path(struct fixture *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->dir, name);
    return f->path;
}

static bool exists(struct fixture *f, const char *name)
{
    struct stat st;

    return lstat(path(f, name), &st) == 0;
}

static unsigned mode(const char *name)
{
    struct stat st;

    assert_int_equal(stat(name, &st), 0);
    return st.st_mode & 07777;
}

static void put(struct fixture *f, const char *name, const char *text)
{
    FILE *file = fopen(path(f, name), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path(f, name), 0600), 0);
}

static size_t get(struct fixture *f, const char *name, char *buf, size_t cap)
{
    FILE *file = fopen(path(f, name), "r");

    assert_non_null(file);
    size_t n = fread(buf, 1, cap - 1, file);
    fclose(file);
    buf[n] = '\0';
    return n;
}

/* Starts once more, and gives the node id if that works. */
static int again(struct fixture *f, struct node_id *id)
{
    keyfile_close(&f->kf);
    int err = keyfile_load_or_make(&f->kf, &f->options);
    if (err == KITH_OK)
        key_id(f->kf.key, id);
    return err;
}

static void first_start(struct fixture *f)
{
    assert_int_equal(again(f, &f->id), KITH_OK);
    assert_true(f->kf.fresh);
    assert_false(f->kf.copied);
    assert_string_equal(f->kf.message, "");
}

static void expect_same(struct fixture *f)
{
    struct node_id id;

    assert_int_equal(again(f, &id), KITH_OK);
    assert_true(node_id_equal(&id, &f->id));
    assert_false(f->kf.fresh || f->kf.copied);
}

static void expect_refused(struct fixture *f, int err, const char *words)
{
    struct node_id id;

    assert_int_equal(again(f, &id), err);
    assert_null(f->kf.key);
    assert_int_equal(f->kf.lock, -1);
    assert_memory_equal(f->kf.message, f->dir, strlen(f->dir));
    if (strstr(f->kf.message, words) == NULL)
        print_error("%s\n", f->kf.message);
    assert_non_null(strstr(f->kf.message, words));
}

static void test_first_start(void **state)
{
    struct fixture *f = *state;
    mode_t old = umask(0777); /* must not matter */

    int err = again(f, &f->id);
    umask(old);
    assert_int_equal(err, KITH_OK);
    assert_int_equal(mode(f->dir), 0700);
    assert_int_equal(mode(path(f, "node.key")), 0600);
    assert_int_equal(mode(path(f, "node.crt")), 0644);
    assert_int_equal(mode(path(f, "node.binding")), 0600);
    assert_int_equal(f->kf.certs.n, 1);
    assert_false(exists(f, "node.key.new"));
    assert_false(exists(f, "node.key.orphaned-1"));
    expect_same(f);
    assert_string_equal(f->kf.message, "");
}

static void test_umask_of_nothing(void **state)
{
    struct fixture *f = *state;
    mode_t old = umask(0);

    first_start(f);
    umask(old);
    assert_int_equal(mode(f->dir), 0700);
    assert_int_equal(mode(path(f, "node.key")), 0600);
    assert_int_equal(mode(path(f, "lock")), 0600);
}

static void test_binding_tells_nothing(void **state)
{
    struct fixture *f = *state;
    char text[4096];

    first_start(f);
    get(f, "node.binding", text, sizeof text);
    assert_null(strstr(text, "machine one"));
    assert_null(strstr(text, "52:54"));
    assert_non_null(strstr(text, "\nmachine-id = "));
    assert_non_null(strstr(text, "\nmac = "));
    assert_null(strstr(text, "product-uuid"));
}

static void test_two_daemons(void **state)
{
    struct fixture *f = *state;
    struct keyfile *second = calloc(1, sizeof *second);
    char expected[64];

    assert_non_null(second);
    first_start(f);
    assert_int_equal(keyfile_load_or_make(second, &f->options), KITH_ERR_IO);
    assert_int_equal(errno, EBUSY);
    snprintf(expected, sizeof expected, "is in use by kithd, process %ld",
             (long)getpid());
    assert_non_null(strstr(second->message, expected));
    keyfile_close(&f->kf);
    assert_int_equal(keyfile_load_or_make(second, &f->options), KITH_OK);
    keyfile_close(second);
    free(second);
}

static void test_modes_are_refused(void **state)
{
    static const mode_t bad[] = {0640, 0620, 0604, 0602, 0610, 0666};
    struct fixture *f = *state;

    first_start(f);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(chmod(path(f, "node.key"), bad[i]), 0);
        expect_refused(f, KITH_ERR_MODE, "chmod 600");
    }
    assert_int_equal(chmod(path(f, "node.key"), 0400), 0);
    expect_same(f);

    assert_int_equal(chmod(path(f, "node.binding"), 0644), 0);
    expect_refused(f, KITH_ERR_MODE, "node.binding: others may");
    assert_int_equal(chmod(path(f, "node.binding"), 0600), 0);

    assert_int_equal(chmod(f->dir, 0770), 0);
    expect_refused(f, KITH_ERR_MODE, "chmod 700");
    assert_int_equal(chmod(f->dir, 0755), 0); /* to look at is no harm */
    expect_same(f);
}

static void test_of_another_user(void **state)
{
    struct fixture *f = *state;

    first_start(f);
    if (chown(path(f, "node.key"), 12345, (gid_t)-1) != 0)
        skip(); /* only root can give it away */
    expect_refused(f, KITH_ERR_MODE, "belongs to user 12345");
    assert_int_equal(chown(path(f, "node.key"), 0, (gid_t)-1), 0);
    assert_int_equal(chown(f->dir, 12345, (gid_t)-1), 0);
    expect_refused(f, KITH_ERR_MODE, "belongs to user 12345");
}

static void test_no_key_in_it(void **state)
{
    struct fixture *f = *state;

    first_start(f);
    put(f, "node.key", "");
    expect_refused(f, KITH_ERR_KEY, "holds no RSA key");
    put(f, "node.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n");
    expect_refused(f, KITH_ERR_KEY, "holds no RSA key");
    assert_int_equal(truncate(path(f, "node.key"), 1 << 20), 0);
    expect_refused(f, KITH_ERR_CORRUPT, "no regular file");
    unlink(path(f, "node.key"));
    assert_int_equal(mkfifo(path(f, "node.key"), 0600), 0);
    expect_refused(f, KITH_ERR_CORRUPT, "no regular file");
    unlink(path(f, "node.key"));
    assert_int_equal(symlink("/dev/zero", path(f, "node.key")), 0);
    expect_refused(f, KITH_ERR_IO, "node.key: cannot be opened");
}

static void test_directories(void **state)
{
    struct fixture *f = *state;
    char deep[128];

    snprintf(deep, sizeof deep, "%s/a/b", f->parent);
    f->options.state_dir = deep;
    assert_int_equal(keyfile_load_or_make(&f->kf, &f->options), KITH_ERR_IO);
    assert_non_null(strstr(f->kf.message, "cannot be made: No such file"));
    snprintf(deep, sizeof deep, "%s/file", f->parent);
    int fd = open(deep, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(keyfile_load_or_make(&f->kf, &f->options), KITH_ERR_IO);
    assert_non_null(strstr(f->kf.message, "Not a directory"));
}

static void test_leftovers_of_a_crash(void **state)
{
    struct fixture *f = *state;

    first_start(f);
    unlink(path(f, "node.crt"));
    unlink(path(f, "node.binding"));
    put(f, "node.crt.new", "half a certif");
    put(f, "node.binding.new", "half");
    expect_same(f);
    assert_int_equal(f->kf.certs.n, 1);
    assert_true(exists(f, "node.binding"));
    assert_false(exists(f, "node.crt.new"));
    assert_false(exists(f, "node.binding.new"));
}

static void test_lost_key(void **state)
{
    struct fixture *f = *state;
    struct node_id id;

    first_start(f);
    put(f, "vault", "secrets");
    unlink(path(f, "node.key"));
    assert_int_equal(again(f, &id), KITH_OK);
    assert_false(node_id_equal(&id, &f->id));
    assert_true(f->kf.fresh);
    assert_false(f->kf.copied);
    assert_true(exists(f, "node.crt.orphaned-1"));
    assert_true(exists(f, "node.binding.orphaned-1"));
    assert_true(exists(f, "vault.orphaned-1"));
    assert_false(exists(f, "vault"));
}

static void test_certificate_is_kept(void **state)
{
    struct fixture *f = *state;
    char before[4096], after[4096];

    first_start(f);
    get(f, "node.crt", before, sizeof before);
    expect_same(f);
    get(f, "node.crt", after, sizeof after);
    assert_string_equal(before, after);
}

static void test_wrong_certificates(void **state)
{
    struct fixture *f = *state;
    char own[4096], many[16384];

    first_start(f);
    get(f, "node.crt", own, sizeof own);
    put(f, "node.crt", "");
    expect_refused(f, KITH_ERR_CERT, "no chain of 1 to 3");
    put(f, "node.crt", "not PEM at all\n");
    expect_refused(f, KITH_ERR_CERT, "no chain of 1 to 3");
    put(f, "node.crt",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect_refused(f, KITH_ERR_CERT, "no chain of 1 to 3");
    snprintf(many, sizeof many, "%s%s%s%s", own, own, own, own);
    put(f, "node.crt", many);
    expect_refused(f, KITH_ERR_CERT, "no chain of 1 to 3");
    snprintf(many, sizeof many, "%s-----BEGIN CERTIFICATE-----\n!\n", own);
    put(f, "node.crt", many);
    expect_refused(f, KITH_ERR_CERT, "no chain of 1 to 3");

    snprintf(many, sizeof many, "Text before it.\n%s%s%s", own, own, own);
    put(f, "node.crt", many);
    expect_same(f);
    assert_int_equal(f->kf.certs.n, 3);

    /* the certificate of another key */
    keyfile_close(&f->kf);
    unlink(path(f, "node.key"));
    unlink(path(f, "node.crt"));
    first_start(f);
    put(f, "node.crt", own);
    expect_refused(f, KITH_ERR_KEY, "is not the certificate of node.key");
}

static void move_disk(struct fixture *f)
{
    snprintf(f->machine.value[BINDING_MACHINE_ID], 72, "machine two");
    snprintf(f->machine.value[BINDING_MAC], 72, "52:54:00:00:00:02");
}

static void test_copied_disk(void **state)
{
    struct fixture *f = *state;
    struct node_id second, third;
    char before[4096], after[4096];

    first_start(f);
    put(f, "vault", "secrets");
    get(f, "node.key", before, sizeof before);
    move_disk(f);
    assert_int_equal(again(f, &second), KITH_OK);
    assert_true(f->kf.fresh && f->kf.copied);
    assert_false(node_id_equal(&second, &f->id));
    assert_non_null(strstr(f->kf.message, "the disk was copied"));
    get(f, "node.key.copied-1", after, sizeof after);
    assert_string_equal(before, after);
    assert_true(exists(f, "node.crt.copied-1"));
    assert_true(exists(f, "node.binding.copied-1"));
    assert_true(exists(f, "vault.copied-1"));
    assert_false(exists(f, "vault"));
    f->id = second;
    expect_same(f);

    snprintf(f->machine.value[BINDING_MACHINE_ID], 72, "machine three");
    snprintf(f->machine.value[BINDING_MAC], 72, "52:54:00:00:00:03");
    assert_int_equal(again(f, &third), KITH_OK);
    assert_true(exists(f, "node.key.copied-2"));
    assert_false(exists(f, "vault.copied-2"));
}

static void test_copied_disk_stops(void **state)
{
    struct fixture *f = *state;

    first_start(f);
    move_disk(f);
    f->options.binding = CONF_BINDING_STOP;
    expect_refused(f, KITH_ERR_UNWANTED, "machine-binding = stop");
    f->options.binding = CONF_BINDING_OFF;
    expect_same(f);
}

static void test_binding_off(void **state)
{
    struct fixture *f = *state;

    f->options.binding = CONF_BINDING_OFF;
    first_start(f);
    assert_false(exists(f, "node.binding"));
    move_disk(f);
    expect_same(f);
    f->options.binding = CONF_BINDING_ON; /* binds to where it is now */
    expect_same(f);
    assert_true(exists(f, "node.binding"));
}

static void test_repaired_machine(void **state)
{
    struct fixture *f = *state;

    first_start(f);
    snprintf(f->machine.value[BINDING_MAC], 72, "52:54:00:00:00:09");
    expect_same(f);
    /* The new card was not recorded: it says nothing about the old machine. */
    snprintf(f->machine.value[BINDING_MACHINE_ID], 72, "machine two");
    f->options.binding = CONF_BINDING_STOP;
    expect_refused(f, KITH_ERR_UNWANTED, "the disk was copied");
}

static void test_binding_grows(void **state)
{
    struct fixture *f = *state;

    f->machine.value[BINDING_MAC][0] = '\0'; /* no driver yet */
    first_start(f);
    snprintf(f->machine.value[BINDING_MAC], 72, "52:54:00:00:00:01");
    expect_same(f);
    move_disk(f);
    f->options.binding = CONF_BINDING_STOP;
    expect_refused(f, KITH_ERR_UNWANTED, "the disk was copied");
}

static void test_one_value_is_too_little(void **state)
{
    struct fixture *f = *state;

    f->machine.value[BINDING_MAC][0] = '\0';
    first_start(f);
    move_disk(f);
    expect_same(f);
}

static void test_damaged_binding(void **state)
{
    static const char *const damaged[] = {
        "",
        "version = 1\n",
        "salt = 00112233445566778899aabbccddeeff\n",
        "version = 1\nsalt = 0011\n",
        "version = 1\nsalt = 00112233445566778899aabbccddeeff\nmac = 12\n",
        "version = 1\nsalt = 00112233445566778899aabbccddeeff\nwhat = 1\n",
        "version = 0\n",
        "version = x\n",
        "garbage\n"};
    struct fixture *f = *state;

    first_start(f);
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        put(f, "node.binding", damaged[i]);
        expect_same(f);
        assert_non_null(strstr(f->kf.message, "node.binding: is damaged"));
        expect_same(f);
        assert_string_equal(f->kf.message, "");
    }
    put(f, "node.binding", "version = 2\nfuture = yes\n");
    expect_refused(f, KITH_ERR_NEWER, "newer kithd");
}

static void test_disk_cannot_be_written(void **state)
{
    struct fixture *f = *state;

    first_start(f);
    keyfile_close(&f->kf);
    /* what is in the way of the temporary file cannot be removed */
    unlink(path(f, "node.crt"));
    assert_int_equal(mkdir(path(f, "node.crt.new"), 0700), 0);
    expect_refused(f, KITH_ERR_IO, "node.crt.new: cannot be removed");
    assert_int_equal(rmdir(path(f, "node.crt.new")), 0);
    expect_same(f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_start),           TEST(test_umask_of_nothing),
        TEST(test_binding_tells_nothing), TEST(test_two_daemons),
        TEST(test_modes_are_refused),     TEST(test_of_another_user),
        TEST(test_no_key_in_it),          TEST(test_directories),
        TEST(test_leftovers_of_a_crash),  TEST(test_lost_key),
        TEST(test_certificate_is_kept),   TEST(test_wrong_certificates),
        TEST(test_copied_disk),           TEST(test_copied_disk_stops),
        TEST(test_binding_off),           TEST(test_repaired_machine),
        TEST(test_binding_grows),         TEST(test_one_value_is_too_little),
        TEST(test_damaged_binding),       TEST(test_disk_cannot_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
