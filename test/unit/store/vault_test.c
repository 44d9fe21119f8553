/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "unit/store/scratch.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/prng.h"
#include "crypto/hash.h"
#include "store/vault.h"

enum {
    SLOT = 4096,
    FILE_SIZE = 2 * SLOT,
    SECTOR = 512,
};

/*
 * The disk below the vault. What was written stands in the file, as in the
 * system's cache; what was synced stands in durable. All operations fail once
 * `countdown` of them are done; a write that fails leaves a part behind.
 */
static struct {
    char dir[64];
    uint8_t durable[FILE_SIZE];
    long countdown; /* negative: never */
    bool once;      /* the disk recovers after one failure */
    size_t leaves;  /* bytes that a failing write leaves, at most */
    size_t most;    /* bytes that one pwrite() takes; 0: all */
    bool interrupt; /* every other call ends in EINTR first */
} disk;

static bool disk_fails(void)
{
    if (disk.countdown < 0)
        return false;
    if (disk.countdown > 0) {
        disk.countdown--;
        return false;
    }
    if (disk.once)
        disk.countdown = -1;
    return true;
}

static ssize_t disk_pwrite(int fd, const void *buf, size_t n, off_t at)
{
    static bool odd;

    odd = !odd;
    if (disk.interrupt && odd) {
        errno = EINTR;
        return -1;
    }
    if (disk_fails()) {
        size_t part = n < disk.leaves ? n : disk.leaves;

        assert_int_equal(pwrite(fd, buf, part, at), part);
        errno = EIO;
        return -1;
    }
    if (disk.most != 0 && n > disk.most)
        n = disk.most;
    return pwrite(fd, buf, n, at);
}

static int disk_fdatasync(int fd)
{
    if (disk_fails()) {
        errno = EIO;
        return -1;
    }
    assert_int_equal(pread(fd, disk.durable, FILE_SIZE, 0), FILE_SIZE);
    return 0;
}

static const struct vault_io disk_io = {disk_pwrite, disk_fdatasync};

/* The power goes: of what was not synced, some sectors made it. */
static void disk_power_cut(struct prng *p)
{
    uint8_t cache[FILE_SIZE];

    assert_int_equal(scratch_read(disk.dir, "vault", cache, sizeof cache),
                     FILE_SIZE);
    for (size_t at = 0; at < FILE_SIZE; at += SECTOR) {
        if (prng_below(p, 2) == 0)
            memcpy(disk.durable + at, cache + at, SECTOR);
    }
    scratch_patch(disk.dir, "vault", 0, disk.durable, FILE_SIZE);
}

static void disk_maybe_power_cut(struct prng *p)
{
    if (prng_below(p, 2) == 0)
        disk_power_cut(p);
}

static int setup(void **state)
{
    (void)state;
    memset(&disk, 0, sizeof disk);
    disk.countdown = -1;
    scratch_make(disk.dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(disk.dir);
    return 0;
}

static struct vault *open_vault(void)
{
    struct vault *vault;

    disk.countdown = -1;
    assert_int_equal(vault_open_io(&vault, disk.dir, &disk_io), KITH_OK);
    return vault;
}

/* Content that is all one value, so that one byte tells which it is. */
static int put(struct vault *vault, uint8_t value, size_t len)
{
    uint8_t bytes[VAULT_MAX];

    memset(bytes, value, sizeof bytes);
    return vault_write(vault, bytes, len);
}

/* Reads it back. Returns the value, or an error. */
static int get(struct vault *vault, size_t *len)
{
    uint8_t bytes[VAULT_MAX];
    int err = vault_read(vault, bytes, sizeof bytes, len);

    if (err != KITH_OK)
        return err;
    for (size_t i = 1; i < *len; i++)
        assert_int_equal(bytes[i], bytes[0]);
    return *len > 0 ? bytes[0] : 0;
}

static void test_fresh(void **state)
{
    uint8_t file[FILE_SIZE + 1], zeros[FILE_SIZE] = {0}, byte = 9;
    struct vault *vault;
    size_t len = 5;
    mode_t mask = umask(0);

    (void)state;
    assert_int_equal(vault_open(&vault, disk.dir), KITH_OK);
    (void)umask(mask);
    assert_int_equal(scratch_mode(disk.dir, "vault"), 0600);
    assert_int_equal(scratch_read(disk.dir, "vault", file, sizeof file),
                     FILE_SIZE);
    assert_memory_equal(file, zeros, FILE_SIZE);
    assert_int_equal(scratch_mode(disk.dir, "vault.new"), -1);
    assert_int_equal(vault_read(vault, &byte, 1, &len), KITH_ERR_NOTFOUND);
    assert_int_equal(byte, 9);
    assert_int_equal(len, 5);
    vault_close(vault);
    vault_close(NULL);
}

static void test_round_trip(void **state)
{
    static const size_t lens[] = {1, VAULT_MAX, 0, 2, VAULT_MAX - 1};
    uint8_t small[10], bytes[VAULT_MAX + 1] = {0};
    struct vault *vault;
    size_t len = 77;

    (void)state;
    assert_int_equal(vault_open(&vault, disk.dir), KITH_OK);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        uint8_t value = lens[i] > 0 ? (uint8_t)(i + 1) : 0;

        assert_int_equal(put(vault, value, lens[i]), KITH_OK);
        assert_int_equal(get(vault, &len), value);
        assert_int_equal(len, lens[i]);
        vault_close(vault);
        assert_int_equal(vault_open(&vault, disk.dir), KITH_OK);
        assert_int_equal(get(vault, &len), value);
        assert_int_equal(len, lens[i]);
    }
    assert_int_equal(vault_write(vault, bytes, VAULT_MAX + 1), KITH_ERR_RANGE);
    len = 77;
    assert_int_equal(vault_read(vault, small, sizeof small, &len),
                     KITH_ERR_RANGE);
    assert_int_equal(len, 77);
    assert_int_equal(get(vault, &len), 5);
    vault_close(vault);
}

/* After a write both slots are whole, and nothing old is in the file. */
static void test_overwrites(void **state)
{
    uint8_t file[FILE_SIZE], junk = 0;
    struct vault *vault = open_vault();
    size_t len, old = 0;

    (void)state;
    assert_int_equal(put(vault, 0xa1, VAULT_MAX), KITH_OK);
    assert_int_equal(put(vault, 0xa2, 100), KITH_OK);
    assert_int_equal(scratch_read(disk.dir, "vault", file, sizeof file),
                     FILE_SIZE);
    for (size_t i = 1; i < FILE_SIZE; i++)
        old += file[i] == 0xa1 && file[i - 1] == 0xa1;
    assert_int_equal(old, 0);
    assert_memory_equal(file, file + SLOT, SLOT);
    for (int slot = 0; slot < 2; slot++) {
        off_t at = slot * SLOT + 50;

        scratch_patch(disk.dir, "vault", at, &junk, 1);
        assert_int_equal(get(vault, &len), 0xa2);
        assert_int_equal(put(vault, 0xa2, 100), KITH_OK); /* mends it */
    }
    vault_close(vault);
}

static void test_modes(void **state)
{
    static const mode_t bad[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};
    struct vault *vault = open_vault();
    char path[SCRATCH_PATH];

    (void)state;
    vault_close(vault);
    (void)snprintf(path, sizeof path, "%s/vault", disk.dir);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_int_equal(vault_open(&vault, disk.dir), KITH_ERR_MODE);
        assert_null(vault);
    }
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(vault_open(&vault, disk.dir), KITH_OK);
    vault_close(vault);
}

static void test_not_a_vault(void **state)
{
    static const uint8_t bytes[FILE_SIZE + 1];
    static const size_t sizes[] = {0, 1, FILE_SIZE - 1, FILE_SIZE + 1};
    struct vault *vault = open_vault();
    char path[SCRATCH_PATH];

    (void)state;
    vault_close(vault);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        scratch_write(disk.dir, "vault", bytes, sizes[i]);
        assert_int_equal(vault_open(&vault, disk.dir), KITH_ERR_CORRUPT);
        assert_null(vault);
    }
    (void)snprintf(path, sizeof path, "%s/vault", disk.dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(vault_open(&vault, disk.dir), KITH_ERR_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_int_equal(vault_open(&vault, disk.dir), KITH_ERR_IO);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(vault_open(&vault, "/nonexistent"), KITH_ERR_IO);
    assert_int_equal(errno, ENOENT);
}

static void test_locked(void **state)
{
    struct vault *first = open_vault(), *second;

    (void)state;
    assert_int_equal(vault_open(&second, disk.dir), KITH_ERR_IO);
    assert_int_equal(errno, EBUSY);
    vault_close(first);
    assert_int_equal(vault_open(&second, disk.dir), KITH_OK);
    vault_close(second);
}

/* Cut off while the file was being made: it is made anew. */
static void test_making_it(void **state)
{
    const struct rlimit tight = {SLOT, RLIM_INFINITY};
    const struct rlimit wide = {RLIM_INFINITY, RLIM_INFINITY};
    struct vault *vault;
    size_t len;

    (void)state;
    scratch_write(disk.dir, "vault.new", "junk", 4);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    assert_int_equal(vault_open(&vault, disk.dir), KITH_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &wide), 0);
    assert_int_equal(scratch_mode(disk.dir, "vault"), -1);
    assert_int_equal(scratch_mode(disk.dir, "vault.new"), -1);
    scratch_write(disk.dir, "vault.new", "junk", 4);
    vault = open_vault();
    assert_int_equal(scratch_mode(disk.dir, "vault.new"), -1);
    assert_int_equal(get(vault, &len), KITH_ERR_NOTFOUND);
    vault_close(vault);
}

/* Builds a slot: magic, version, sequence 1, a length, zeros, digest. */
static void make_slot(uint8_t *slot, const char *magic, uint32_t version,
                      uint32_t len)
{
    struct hash digest;
    struct writer w;

    writer_init(&w, slot, SLOT);
    writer_bytes(&w, magic, 8);
    writer_u32(&w, version);
    writer_u64(&w, 1);
    writer_u32(&w, len);
    writer_zeros(&w, SLOT - HASH_LEN - w.len);
    assert_int_equal(hash_sha256(&digest, slot, w.len), KITH_OK);
    writer_bytes(&w, digest.b, sizeof digest.b);
    assert_int_equal(w.len, SLOT);
}

/* The format, as the head of vault.c has it. */
static void test_format(void **state)
{
    uint8_t file[FILE_SIZE], expected[SLOT];
    struct vault *vault = open_vault();

    (void)state;
    assert_int_equal(put(vault, 0, 33), KITH_OK);
    vault_close(vault);
    make_slot(expected, "kithvlt\n", 1, 33);
    (void)scratch_read(disk.dir, "vault", file, sizeof file);
    assert_memory_equal(file, expected, SLOT);
    assert_memory_equal(file + SLOT, expected, SLOT);
}

static void test_newer(void **state)
{
    uint8_t newer[SLOT], file[FILE_SIZE];
    struct vault *vault = open_vault();
    size_t len;

    (void)state;
    make_slot(newer, "kithvlt\n", 2, UINT32_MAX);
    for (int slot = 0; slot < 2; slot++) {
        assert_int_equal(put(vault, 1, 10), KITH_OK);
        scratch_patch(disk.dir, "vault", slot * SLOT, newer, SLOT);
        assert_int_equal(get(vault, &len), KITH_ERR_NEWER);
        assert_int_equal(put(vault, 2, 10), KITH_ERR_NEWER);
        (void)scratch_read(disk.dir, "vault", file, sizeof file);
        assert_memory_equal(file + slot * SLOT, newer, SLOT);
        newer[50] ^= 1; /* now it is a torn slot and nothing more */
        scratch_patch(disk.dir, "vault", slot * SLOT, newer, SLOT);
        assert_int_equal(get(vault, &len), 1);
        newer[50] ^= 1;
    }
    vault_close(vault);
}

/* Whole by their digest, and yet not to be believed. */
static void test_bad_slots(void **state)
{
    uint8_t slot[SLOT];
    struct vault *vault = open_vault();
    size_t len;

    (void)state;
    for (int i = 0; i < 4; i++) {
        make_slot(slot, i == 0 ? "kithvlt " : "kithvlt\n", i == 1 ? 0 : 1,
                  i == 2   ? VAULT_MAX + 1
                  : i == 3 ? UINT32_MAX
                           : 1);
        scratch_patch(disk.dir, "vault", 0, slot, SLOT);
        scratch_patch(disk.dir, "vault", SLOT, slot, SLOT);
        assert_int_equal(get(vault, &len), KITH_ERR_CORRUPT);
        assert_int_equal(put(vault, 3, 10), KITH_OK);
        assert_int_equal(get(vault, &len), 3);
    }
    vault_close(vault);
}

/* Every byte counts: with both slots hurt there is no content, with one there
 * is. */
static void test_each_byte(void **state)
{
    uint8_t file[FILE_SIZE], hurt;
    struct vault *vault = open_vault();
    size_t len;

    (void)state;
    assert_int_equal(put(vault, 7, VAULT_MAX), KITH_OK);
    (void)scratch_read(disk.dir, "vault", file, sizeof file);
    for (off_t at = 0; at < SLOT; at += at < 64 || at > SLOT - 64 ? 1 : 13) {
        hurt = file[at] ^ 0x10;
        scratch_patch(disk.dir, "vault", at, &hurt, 1);
        assert_int_equal(get(vault, &len), 7);
        scratch_patch(disk.dir, "vault", SLOT + at, &hurt, 1);
        assert_int_equal(get(vault, &len), KITH_ERR_CORRUPT);
        scratch_patch(disk.dir, "vault", at, &file[at], 1);
        assert_int_equal(get(vault, &len), 7);
        scratch_patch(disk.dir, "vault", SLOT + at, &file[at], 1);
    }
    vault_close(vault);
}

/* A write that ends after any number of bytes, in either slot. */
static void test_torn_at_each_byte(void **state)
{
    uint8_t before[FILE_SIZE];
    struct vault *vault = open_vault();
    size_t len;

    (void)state;
    assert_int_equal(put(vault, 1, VAULT_MAX), KITH_OK);
    vault_close(vault);
    (void)scratch_read(disk.dir, "vault", before, sizeof before);
    for (size_t n = 0; n <= 2 * SLOT; n++) {
        int value;

        scratch_patch(disk.dir, "vault", 0, before, FILE_SIZE);
        vault = open_vault();
        disk.countdown = n < SLOT ? 0 : 2; /* the first write, or the second */
        disk.leaves = n % SLOT;
        if (n == 2 * SLOT)
            disk.countdown = 3; /* the second sync */
        assert_int_equal(put(vault, 2, VAULT_MAX), KITH_ERR_IO);
        vault_close(vault);
        vault = open_vault();
        value = get(vault, &len);
        assert_int_equal(value, n < SLOT ? 1 : 2);
        assert_int_equal(put(vault, 3, 1), KITH_OK);
        assert_int_equal(get(vault, &len), 3);
        vault_close(vault);
    }
}

/* The very first write, cut off: as if there had been none, or it whole. */
static void test_first_write_torn(void **state)
{
    static const uint8_t zeros[FILE_SIZE];
    struct vault *vault = open_vault();
    size_t len;

    (void)state;
    vault_close(vault);
    for (size_t n = 0; n < 2 * SLOT; n += 31) {
        scratch_patch(disk.dir, "vault", 0, zeros, FILE_SIZE);
        vault = open_vault();
        disk.countdown = n < SLOT ? 0 : 2;
        disk.leaves = n % SLOT;
        assert_int_equal(put(vault, 2, VAULT_MAX), KITH_ERR_IO);
        vault_close(vault);
        vault = open_vault();
        assert_int_equal(get(vault, &len), n < SLOT ? KITH_ERR_NOTFOUND : 2);
        vault_close(vault);
    }
}

static void test_short_writes(void **state)
{
    struct vault *vault = open_vault();
    size_t len;

    (void)state;
    disk.most = 100;
    disk.interrupt = true;
    assert_int_equal(put(vault, 4, VAULT_MAX), KITH_OK);
    assert_int_equal(get(vault, &len), 4);
    vault_close(vault);
}

/*
 * Years of bad luck: writes of rising values, with failures at random that
 * the process survives, that end it, and that are a power cut. What is read
 * is never older than what was acknowledged, or read at an earlier start.
 */
static void test_never_goes_back(void **state)
{
    struct vault *vault = open_vault();
    uint8_t safe, tried;
    size_t len;
    struct prng p;

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        prng_seed(&p, seed);
        safe = tried = 1;
        disk.countdown = -1;
        assert_int_equal(put(vault, 1, 10), KITH_OK);
        while (tried < 250) {
            int err, value;

            disk.once = prng_below(&p, 2) == 0;
            disk.countdown =
                prng_below(&p, 2) == 0 ? (long)prng_below(&p, 5) : -1;
            disk.leaves = prng_below(&p, SLOT + 1);
            err = put(vault, ++tried, 1 + prng_below(&p, VAULT_MAX));
            if (err == KITH_OK)
                safe = tried;
            if (prng_below(&p, 3) == 0) {
                vault_close(vault);
                disk_maybe_power_cut(&p);
                vault = open_vault();
                value = get(vault, &len);
                assert_in_range(value, safe, tried);
                safe = (uint8_t)value;
            }
            value = get(vault, &len);
            assert_in_range(value, safe, tried);
        }
    }
    vault_close(vault);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fresh),
        TEST(test_round_trip),
        TEST(test_overwrites),
        TEST(test_modes),
        TEST(test_not_a_vault),
        TEST(test_locked),
        TEST(test_making_it),
        TEST(test_format),
        TEST(test_newer),
        TEST(test_bad_slots),
        TEST(test_each_byte),
        TEST(test_torn_at_each_byte),
        TEST(test_first_write_torn),
        TEST(test_short_writes),
        TEST(test_never_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
