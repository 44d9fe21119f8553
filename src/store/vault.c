/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE

#include "store/vault.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/wipe.h"

/*
 * The file is two slots of 4,096 bytes. A slot:
 *
 *   offset  size  content
 *        0     8  "kithvlt\n"
 *        8     4  format version, 1
 *       12     8  sequence: 1 for the first write, then one more each time
 *       20     4  length of the payload, at most 3,900
 *       24     n  payload
 *     24+n        zeros
 *     4064    32  SHA-256 of the 4,064 bytes before
 *
 * Integers are big-endian. The first 12 bytes and the digest stay where they
 * are in all versions, so an older program knows a newer slot when it sees
 * one. A slot of nothing but zeros was never written.
 *
 * Each write puts the same into both slots, one after the other, each synced
 * before the next. It begins with the slot that does not hold the newest
 * content: a slot that was read, and acted upon, is never overwritten while
 * the other is older. So whenever the power goes, at least one slot is whole,
 * and what a reader sees never goes back.
 */
enum {
    SLOT_SIZE = 4096,
    SLOTS = 2,
    NO_SLOT = -1,
    SLOT_VERSION = 1,
    OFFSET_PAYLOAD = 24,
    OFFSET_DIGEST = SLOT_SIZE - HASH_LEN,
};

_Static_assert(OFFSET_PAYLOAD + VAULT_MAX <= OFFSET_DIGEST,
               "the payload fits between header and digest");

static const uint8_t magic[8] = "kithvlt\n";

/* What a slot was found to be. */
enum slot_kind {
    SLOT_ZERO,  /* never written */
    SLOT_TORN,  /* written in part, or damaged */
    SLOT_WHOLE, /* its sequence says how new it is */
    SLOT_NEWER, /* whole, of a format that this program does not know */
};

struct slot {
    enum slot_kind kind;
    uint64_t sequence;
    size_t len; /* of the payload */
    uint8_t b[SLOT_SIZE];
};

struct vault {
    int fd;
    const struct vault_io *io;
    int unsure; /* a slot whose last write failed: it may read well and yet
                 * not be on the disk; else NO_SLOT */
    struct slot slots[SLOTS]; /* wiped between the calls */
};

static const struct vault_io system_io = {pwrite, fdatasync};

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t seen = 0;

    for (size_t i = 0; i < n; i++)
        seen |= p[i];
    return seen == 0;
}

/* Judges the bytes of a slot. */
static int slot_judge(struct slot *slot)
{
    struct cursor c;
    struct hash digest;
    uint8_t found[sizeof magic];
    uint32_t version, len;
    int err;

    slot->kind = all_zero(slot->b, SLOT_SIZE) ? SLOT_ZERO : SLOT_TORN;
    slot->sequence = 0;
    slot->len = 0;
    if (slot->kind == SLOT_ZERO)
        return KITH_OK;
    err = hash_sha256(&digest, slot->b, OFFSET_DIGEST);
    if (err != KITH_OK)
        return err;
    if (memcmp(digest.b, slot->b + OFFSET_DIGEST, sizeof digest.b) != 0)
        return KITH_OK;
    cursor_init(&c, slot->b, SLOT_SIZE);
    if (cursor_copy(&c, found, sizeof found) != KITH_OK ||
        memcmp(found, magic, sizeof magic) != 0 ||
        cursor_u32(&c, &version) != KITH_OK || version < SLOT_VERSION)
        return KITH_OK;
    if (version > SLOT_VERSION) {
        slot->kind = SLOT_NEWER;
        return KITH_OK;
    }
    if (cursor_u64(&c, &slot->sequence) != KITH_OK ||
        cursor_u32(&c, &len) != KITH_OK || len > VAULT_MAX)
        return KITH_OK;
    slot->len = len;
    slot->kind = SLOT_WHOLE;
    return KITH_OK;
}

static int slot_fill(struct slot *slot, uint64_t sequence, const uint8_t *bytes,
                     size_t len)
{
    struct writer w;
    struct hash digest;
    int err;

    writer_init(&w, slot->b, SLOT_SIZE);
    writer_bytes(&w, magic, sizeof magic);
    writer_u32(&w, SLOT_VERSION);
    writer_u64(&w, sequence);
    writer_u32(&w, (uint32_t)len);
    writer_bytes(&w, bytes, len);
    writer_zeros(&w, OFFSET_DIGEST - w.len);
    err = hash_sha256(&digest, slot->b, OFFSET_DIGEST);
    writer_bytes(&w, digest.b, sizeof digest.b);
    assert(!w.overflow && w.len == SLOT_SIZE);
    return err;
}

/* A slot that cannot be read is as good as torn: there are two of them. */
static int read_slot(const struct vault *vault, int which, struct slot *slot)
{
    size_t done = 0;

    while (done < SLOT_SIZE) {
        ssize_t n = pread(vault->fd, slot->b + done, SLOT_SIZE - done,
                          (off_t)which * SLOT_SIZE + (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            slot->kind = SLOT_TORN;
            return KITH_OK;
        }
        done += (size_t)n;
    }
    return slot_judge(slot);
}

static int write_slot(struct vault *vault, int which, const uint8_t *b)
{
    size_t done = 0;

    vault->unsure = which;
    while (done < SLOT_SIZE) {
        ssize_t n = vault->io->pwrite(vault->fd, b + done, SLOT_SIZE - done,
                                      (off_t)which * SLOT_SIZE + (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return KITH_ERR_IO;
        done += (size_t)n;
    }
    if (vault->io->fdatasync(vault->fd) != 0)
        return KITH_ERR_IO;
    vault->unsure = NO_SLOT;
    return KITH_OK;
}

static int read_slots(struct vault *vault)
{
    int err = KITH_OK;

    for (int i = 0; i < SLOTS && err == KITH_OK; i++)
        err = read_slot(vault, i, &vault->slots[i]);
    return err;
}

/* The whole slot with the newest content; of two that are equally new the
 * second, as a write is to begin with the first. NULL when none is whole. */
static const struct slot *newest(const struct vault *vault)
{
    const struct slot *a = &vault->slots[0];
    const struct slot *b = &vault->slots[1];

    if (a->kind != SLOT_WHOLE)
        return b->kind == SLOT_WHOLE ? b : NULL;
    if (b->kind != SLOT_WHOLE)
        return a;
    return a->sequence > b->sequence ? a : b;
}

/* Whether nothing was ever written whole: the first write begins with the
 * first slot, and may have been cut there. */
static bool is_fresh(const struct vault *vault)
{
    return vault->slots[1].kind == SLOT_ZERO &&
           vault->slots[0].kind != SLOT_WHOLE;
}

static bool is_newer(const struct vault *vault)
{
    return vault->slots[0].kind == SLOT_NEWER ||
           vault->slots[1].kind == SLOT_NEWER;
}

static void wipe_slots(struct vault *vault)
{
    secret_wipe(vault->slots, sizeof vault->slots);
}

int vault_read(struct vault *vault, uint8_t *buf, size_t cap, size_t *len)
{
    const struct slot *slot;
    int err = read_slots(vault);

    if (err != KITH_OK)
        goto out;
    slot = newest(vault);
    if (is_newer(vault)) {
        err = KITH_ERR_NEWER;
    } else if (slot == NULL) {
        err = is_fresh(vault) ? KITH_ERR_NOTFOUND : KITH_ERR_CORRUPT;
    } else if (slot->len > cap) {
        err = KITH_ERR_RANGE;
    } else {
        memcpy(buf, slot->b + OFFSET_PAYLOAD, slot->len);
        *len = slot->len;
    }

out:
    wipe_slots(vault);
    return err;
}

int vault_write(struct vault *vault, const uint8_t *bytes, size_t len)
{
    const struct slot *last;
    struct slot *slot = &vault->slots[0];
    uint64_t sequence = 1;
    int first = 0;
    int err;

    if (len > VAULT_MAX)
        return KITH_ERR_RANGE;
    err = read_slots(vault);
    if (err == KITH_OK && is_newer(vault))
        err = KITH_ERR_NEWER;
    if (err != KITH_OK)
        goto out;
    last = newest(vault);
    if (last != NULL) {
        sequence = last->sequence + 1;
        first = last == &vault->slots[0] ? 1 : 0;
    }
    if (vault->unsure != NO_SLOT)
        first = vault->unsure;
    err = slot_fill(slot, sequence, bytes, len);
    if (err == KITH_OK)
        err = write_slot(vault, first, slot->b);
    if (err == KITH_OK)
        err = write_slot(vault, 1 - first, slot->b);

out:
    wipe_slots(vault);
    return err;
}

/* Makes the file under another name and renames it: under its own name it is
 * there as a whole or not at all. */
static int create(int dir_fd)
{
    static const uint8_t zeros[SLOTS * SLOT_SIZE];
    int err = KITH_ERR_IO;
    int fd;

    (void)unlinkat(dir_fd, "vault.new", 0);
    fd = openat(dir_fd, "vault.new",
                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return KITH_ERR_IO;
    if (write(fd, zeros, sizeof zeros) == (ssize_t)sizeof zeros &&
        fsync(fd) == 0 && renameat(dir_fd, "vault.new", dir_fd, "vault") == 0 &&
        fsync(dir_fd) == 0)
        err = KITH_OK;
    else
        (void)unlinkat(dir_fd, "vault.new", 0);
    (void)close(fd);
    return err;
}

/* Is this file fit to be a vault? */
static int check_file(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return KITH_ERR_IO;
    if (!S_ISREG(st.st_mode) || st.st_size != (off_t)SLOTS * SLOT_SIZE)
        return KITH_ERR_CORRUPT;
    if ((st.st_mode & 077) != 0)
        return KITH_ERR_MODE;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        errno = errno == EWOULDBLOCK ? EBUSY : errno;
        return KITH_ERR_IO;
    }
    return KITH_OK;
}

static int open_file(int dir_fd)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(dir_fd, "vault", flags);

    if (fd < 0 && errno == ENOENT && create(dir_fd) == KITH_OK)
        fd = openat(dir_fd, "vault", flags);
    return fd;
}

int vault_open_io(struct vault **out, const char *dir,
                  const struct vault_io *io)
{
    struct vault *vault;
    int err = KITH_ERR_IO;
    int dir_fd, saved;

    *out = NULL;
    vault = calloc(1, sizeof *vault);
    if (vault == NULL)
        return KITH_ERR_NOMEM;
    vault->fd = -1;
    vault->unsure = NO_SLOT;
    vault->io = io;
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        goto out;
    vault->fd = open_file(dir_fd);
    if (vault->fd >= 0)
        err = check_file(vault->fd);
    /* What an earlier process wrote and did not live to sync is going to be
     * read, and relied upon. */
    if (err == KITH_OK && vault->io->fdatasync(vault->fd) != 0)
        err = KITH_ERR_IO;

out:
    saved = errno;
    if (dir_fd >= 0)
        (void)close(dir_fd);
    if (err == KITH_OK)
        *out = vault;
    else
        vault_close(vault);
    errno = saved;
    return err;
}

int vault_open(struct vault **out, const char *dir)
{
    return vault_open_io(out, dir, &system_io);
}

void vault_close(struct vault *vault)
{
    if (vault == NULL)
        return;
    if (vault->fd >= 0)
        (void)close(vault->fd);
    secret_wipe(vault, sizeof *vault);
    free(vault);
}
