/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_STORE_FAULT_VFS_H
#define KITH_TEST_STORE_FAULT_VFS_H

#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * A SQLite VFS that passes everything on to the usual one, until it is told
 * to fail, or to kill the process, at the n-th operation that changes the
 * disk (write, truncate, sync, delete, making of a file). It has no shared
 * memory, so it also shows that the store needs none.
 */

struct fault {
    long countdown; /* operations before the fault; negative: never */
    int rc;         /* what they return from then on; 0: SIGKILL instead */
    long count;     /* operations seen */
};

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static struct fault fault;
static sqlite3_vfs fault_vfs;
static sqlite3_vfs *fault_real_vfs;

/* Counts one operation. Returns SQLITE_OK when it is to be done. */
static inline int fault_due(int kind)
{
    fault.count++;
    if (fault.countdown < 0)
        return SQLITE_OK;
    if (fault.countdown > 0) {
        fault.countdown--;
        return SQLITE_OK;
    }
    if (fault.rc == 0)
        (void)raise(SIGKILL);
    return fault.rc == SQLITE_IOERR ? kind : fault.rc;
}

static inline sqlite3_file *fault_of(sqlite3_file *file)
{
    return ((struct fault_file *)(void *)file)->real;
}

static inline int fault_close(sqlite3_file *file)
{
    sqlite3_file *real = fault_of(file);
    int rc = real->pMethods != NULL ? real->pMethods->xClose(real) : SQLITE_OK;

    free(real);
    return rc;
}

static inline int fault_read(sqlite3_file *file, void *buf, int n,
                             sqlite3_int64 at)
{
    sqlite3_file *real = fault_of(file);

    return real->pMethods->xRead(real, buf, n, at);
}

/* A write that is cut off leaves its first half. */
static inline int fault_write(sqlite3_file *file, const void *buf, int n,
                              sqlite3_int64 at)
{
    sqlite3_file *real = fault_of(file);
    int rc;

    if (fault.countdown == 0)
        (void)real->pMethods->xWrite(real, buf, n / 2, at);
    rc = fault_due(SQLITE_IOERR_WRITE);
    return rc == SQLITE_OK ? real->pMethods->xWrite(real, buf, n, at) : rc;
}

static inline int fault_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    sqlite3_file *real = fault_of(file);
    int rc = fault_due(SQLITE_IOERR_TRUNCATE);

    return rc == SQLITE_OK ? real->pMethods->xTruncate(real, size) : rc;
}

/* No power is cut here, so what was written may stay in the system's cache. */
static inline int fault_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return fault_due(SQLITE_IOERR_FSYNC);
}

static inline int fault_size(sqlite3_file *file, sqlite3_int64 *size)
{
    sqlite3_file *real = fault_of(file);

    return real->pMethods->xFileSize(real, size);
}

static inline int fault_lock(sqlite3_file *file, int level)
{
    sqlite3_file *real = fault_of(file);

    return real->pMethods->xLock(real, level);
}

static inline int fault_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *real = fault_of(file);

    return real->pMethods->xUnlock(real, level);
}

static inline int fault_reserved(sqlite3_file *file, int *out)
{
    sqlite3_file *real = fault_of(file);

    return real->pMethods->xCheckReservedLock(real, out);
}

static inline int fault_control(sqlite3_file *file, int op, void *arg)
{
    sqlite3_file *real = fault_of(file);

    return real->pMethods->xFileControl(real, op, arg);
}

static inline int fault_sector(sqlite3_file *file)
{
    sqlite3_file *real = fault_of(file);

    return real->pMethods->xSectorSize(real);
}

static inline int fault_device(sqlite3_file *file)
{
    sqlite3_file *real = fault_of(file);

    return real->pMethods->xDeviceCharacteristics(real);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 1,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_reserved,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_device,
};

static inline int fault_open(sqlite3_vfs *vfs, const char *name,
                             sqlite3_file *file, int flags, int *out_flags)
{
    struct fault_file *f = (struct fault_file *)(void *)file;
    sqlite3_file *real = calloc(1, (size_t)fault_real_vfs->szOsFile);
    int there = 0, rc = SQLITE_OK;

    (void)vfs;
    f->base.pMethods = NULL;
    if (real == NULL)
        return SQLITE_NOMEM;
    if (name != NULL)
        (void)fault_real_vfs->xAccess(fault_real_vfs, name,
                                      SQLITE_ACCESS_EXISTS, &there);
    if (!there)
        rc = fault_due(SQLITE_CANTOPEN);
    if (rc == SQLITE_OK)
        rc =
            fault_real_vfs->xOpen(fault_real_vfs, name, real, flags, out_flags);
    if (rc != SQLITE_OK) {
        free(real);
        return rc;
    }
    f->real = real;
    f->base.pMethods = &fault_methods;
    return SQLITE_OK;
}

static inline int fault_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    int rc = fault_due(SQLITE_IOERR_DELETE);

    (void)vfs;
    return rc == SQLITE_OK ? fault_real_vfs->xDelete(fault_real_vfs, name, sync)
                           : rc;
}

/* Makes it the VFS of this process. */
static inline void fault_install(void)
{
    fault = (struct fault){.countdown = -1};
    if (fault_real_vfs != NULL)
        return;
    fault_real_vfs = sqlite3_vfs_find(NULL);
    fault_vfs = *fault_real_vfs;
    fault_vfs.zName = "fault";
    fault_vfs.pNext = NULL;
    fault_vfs.szOsFile = sizeof(struct fault_file);
    fault_vfs.xOpen = fault_open;
    fault_vfs.xDelete = fault_delete;
    (void)sqlite3_vfs_register(&fault_vfs, 1);
}

#endif
