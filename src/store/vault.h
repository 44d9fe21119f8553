/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_STORE_VAULT_H
#define KITH_STORE_VAULT_H

#include <sys/types.h>

#include "base/types.h"

/*
 * The vault keeps the few bytes that a node must never lose and nobody else
 * may see: its secrets, and how far its serials are used up. What they mean
 * is the caller's business.
 *
 * It is one file, DIR/vault, of 8 KiB that are allocated once: a write needs
 * no space, so it works on a full disk, and goes over what was there, so what
 * was there is gone (as far as the file system and the drive write in place).
 * A crash in the midst of a write leaves the bytes before it or the new ones.
 * A vault belongs to one thread at a time, and to one process.
 */

enum {
    VAULT_MAX = 3900, /* bytes that it holds */
};

struct vault;

/*
 * Opens DIR/vault, which is made (mode 0600, empty) when it is not there, and
 * locks it against other processes. dir is a directory that exists.
 *
 * Returns KITH_OK; KITH_ERR_MODE when others may read or write the file;
 * KITH_ERR_CORRUPT when it has not the size of a vault or is no regular file;
 * KITH_ERR_NOMEM; KITH_ERR_IO, with errno = EBUSY when another process has it
 * open. Then *out is NULL. Nothing is said yet about the content:
 * vault_read() does.
 */
int vault_open(struct vault **out, const char *dir);

/* Closes it and wipes what was in memory. NULL is fine. */
void vault_close(struct vault *vault);

/*
 * Copies what the last vault_write() put to buf, which has room for cap
 * bytes, and their number to *len.
 *
 * Returns KITH_OK; KITH_ERR_NOTFOUND before the first write; KITH_ERR_CORRUPT
 * when neither of the two copies is whole; KITH_ERR_NEWER when a newer
 * program wrote it; KITH_ERR_RANGE when cap is too small; KITH_ERR_CRYPTO.
 * On an error buf and *len are unchanged.
 */
int vault_read(struct vault *vault, uint8_t *buf, size_t cap, size_t *len);

/*
 * Puts len bytes, up to VAULT_MAX, in the place of what was there. When this
 * returns KITH_OK they are on the disk, twice, and nothing else is. A vault
 * that is damaged is whole afterwards.
 *
 * Returns KITH_OK; KITH_ERR_RANGE when len is too large; KITH_ERR_NEWER, as
 * above, with nothing written; KITH_ERR_IO or KITH_ERR_CRYPTO: then the
 * vault holds the old bytes or the new ones, and the caller tries again before
 * it relies on either.
 */
int vault_write(struct vault *vault, const uint8_t *bytes, size_t len);

/* What a vault writes with, for tests that pull the plug: as pwrite(2) and
 * fdatasync(2). */
struct vault_io {
    ssize_t (*pwrite)(int fd, const void *buf, size_t n, off_t at);
    int (*fdatasync)(int fd);
};

/* vault_open() with other functions than the system's for vault_write(); io
 * stays as long as the vault. */
int vault_open_io(struct vault **out, const char *dir,
                  const struct vault_io *io);

#endif
