/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_STORE_SCRATCH_H
#define KITH_TEST_STORE_SCRATCH_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories and files for one test. Whoever includes this defines
 * _GNU_SOURCE first. */

enum {
    SCRATCH_PATH = 512,
};

/* dir has room for 64 bytes. */
static inline void scratch_make(char *dir)
{
    (void)snprintf(dir, 64, "/tmp/kith-store-XXXXXX");
    assert_non_null(mkdtemp(dir));
}

static inline void scratch_remove(const char *dir)
{
    char path[SCRATCH_PATH];
    struct dirent *entry;
    DIR *d = opendir(dir);

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (unlink(path) != 0)
            (void)rmdir(path);
    }
    (void)closedir(d);
    assert_int_equal(rmdir(dir), 0);
}

/* How many files have a name that begins like this. */
static inline int scratch_count(const char *dir, const char *prefix)
{
    struct dirent *entry;
    DIR *d = opendir(dir);
    int n = 0;

    assert_non_null(d);
    while ((entry = readdir(d)) != NULL)
        n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    (void)closedir(d);
    return n;
}

static inline int scratch_open(const char *dir, const char *name, int flags)
{
    char path[SCRATCH_PATH];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return open(path, flags | O_CLOEXEC, 0644);
}

/* The permission bits; -1 when it is not there. */
static inline int scratch_mode(const char *dir, const char *name)
{
    char path[SCRATCH_PATH];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

/* The size; -1 when it is not there. */
static inline off_t scratch_size(const char *dir, const char *name)
{
    char path[SCRATCH_PATH];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 ? st.st_size : -1;
}

/* Replaces the content of a file. */
static inline void scratch_write(const char *dir, const char *name,
                                 const void *bytes, size_t n)
{
    int fd = scratch_open(dir, name, O_WRONLY | O_CREAT | O_TRUNC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    (void)close(fd);
}

/* Overwrites a part of a file. */
static inline void scratch_patch(const char *dir, const char *name, off_t at,
                                 const void *bytes, size_t n)
{
    int fd = scratch_open(dir, name, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    (void)close(fd);
}

/* Reads a file of up to cap bytes. Returns its size. */
static inline size_t scratch_read(const char *dir, const char *name, void *buf,
                                  size_t cap)
{
    int fd = scratch_open(dir, name, O_RDONLY);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, buf, cap);
    assert_true(n >= 0);
    (void)close(fd);
    return (size_t)n;
}

#endif
