/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/keyfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/pem.h"
#include "crypto/hash.h"
#include "crypto/wipe.h"

#define KEY_FILE     "node.key"
#define CERT_FILE    "node.crt"
#define BINDING_FILE "node.binding"
#define LOCK_FILE    "lock"

enum {
    FILE_SIZE = 16384, /* the largest of the files, and more */
    NAME_SIZE = 64,
    ASIDE_MAX = 1000, /* copies of one file that are set aside */
    BINDING_VERSION = 1,
    SALT_LEN = 16,
};

/* The way from the options to the keyfile. */
struct job {
    struct keyfile *kf;
    const struct keyfile_options *options;
    int dir;
};

/* node.binding */
struct binding_file {
    uint8_t salt[SALT_LEN];
    struct machine_binding hashed; /* in hex */
};

static_assert(sizeof((struct machine_binding *)NULL)->value[0] > 2ul * HASH_LEN,
              "room for a hash in hex");

static const char *const binding_names[BINDING_KINDS] = {
    [BINDING_MACHINE_ID] = "machine-id",
    [BINDING_PRODUCT_UUID] = "product-uuid",
    [BINDING_MAC] = "mac",
};

/* Leaves a message about a file, or about the directory when name is "". */
__attribute__((format(printf, 4, 5))) static int
tell(struct job *job, int err, const char *name, const char *fmt, ...)
{
    char *out = job->kf->message;
    int saved = errno;
    va_list args;
    int n =
        snprintf(out, KEYFILE_MESSAGE_SIZE, "%s%s%s: ", job->options->state_dir,
                 name[0] == '\0' ? "" : "/", name);

    if (n > 0 && n < KEYFILE_MESSAGE_SIZE) {
        va_start(args, fmt);
        vsnprintf(out + n, (size_t)(KEYFILE_MESSAGE_SIZE - n), fmt, args);
        va_end(args);
    }
    errno = saved;
    return err;
}

static int tell_errno(struct job *job, const char *name, const char *what)
{
    return tell(job, KITH_ERR_IO, name, "%s: %s", what, strerror(errno));
}

/* -- files ------------------------------------------------------------- */

/* Reads a file whole and ends it with zero; whoever calls wipes it. Returns
 * KITH_ERR_NOTFOUND, without a message, when there is none. secret: only we
 * may be able to read it. */
static int file_read(struct job *job, const char *name, bool secret,
                     char buf[FILE_SIZE], size_t *len)
{
    struct stat st;
    int fd = openat(job->dir, name,
                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    int err = KITH_OK;
    ssize_t n = 1;

    *len = 0;
    if (fd < 0 && errno == ENOENT)
        return KITH_ERR_NOTFOUND;
    if (fd < 0)
        return tell_errno(job, name, "cannot be opened");
    if (fstat(fd, &st) != 0)
        err = tell_errno(job, name, "cannot be looked at");
    else if (!S_ISREG(st.st_mode) || st.st_size >= FILE_SIZE)
        err = tell(job, KITH_ERR_CORRUPT, name,
                   "is no regular file of less than %d bytes", FILE_SIZE);
    else if (secret && st.st_uid != geteuid())
        err = tell(job, KITH_ERR_MODE, name,
                   "belongs to user %u, while we run as user %u",
                   (unsigned)st.st_uid, (unsigned)geteuid());
    else if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        err = tell(job, KITH_ERR_MODE, name,
                   "others may read or write it (mode %03o): chmod 600",
                   (unsigned)st.st_mode & 0777);
    while (err == KITH_OK && n != 0 && *len < FILE_SIZE - 1) {
        n = read(fd, buf + *len, FILE_SIZE - 1 - *len);
        if (n > 0)
            *len += (size_t)n;
        else if (n < 0 && errno != EINTR)
            err = tell_errno(job, name, "cannot be read");
    }
    close(fd);
    buf[*len] = '\0';
    return err;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return KITH_ERR_IO;
        data += n;
        len -= (size_t)n;
    }
    return KITH_OK;
}

/* Writes a file of this mode: whole, and on disk, before it has its name. */
static int file_write(struct job *job, const char *name, mode_t mode,
                      const char *data, size_t len)
{
    char temporary[NAME_SIZE];
    int fd;

    snprintf(temporary, sizeof temporary, "%s.new", name);
    /* One that a crash left behind. */
    if (unlinkat(job->dir, temporary, 0) != 0 && errno != ENOENT)
        return tell_errno(job, temporary, "cannot be removed");
    fd = openat(job->dir, temporary,
                O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return tell_errno(job, temporary, "cannot be made");
    /* fchmod: whatever the umask took away. */
    if (fchmod(fd, mode) != 0 || write_all(fd, data, len) != KITH_OK ||
        fsync(fd) != 0)
        goto fail;
    close(fd);
    fd = -1;
    if (renameat(job->dir, temporary, job->dir, name) != 0 ||
        fsync(job->dir) != 0)
        goto fail;
    return KITH_OK;
fail:
    tell_errno(job, name, "cannot be written");
    if (fd >= 0)
        close(fd);
    unlinkat(job->dir, temporary, 0);
    return KITH_ERR_IO;
}

/* -- the directory ----------------------------------------------------- */

static int dir_open(struct job *job)
{
    const char *path = job->options->state_dir;
    struct stat st;

    if (mkdir(path, S_IRWXU) == 0) {
        if (chmod(path, S_IRWXU) != 0) /* whatever the umask took away */
            return tell_errno(job, "", "cannot be set to mode 700");
    } else if (errno != EEXIST) {
        return tell_errno(job, "", "cannot be made");
    }
    job->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->dir < 0)
        return tell_errno(job, "", "cannot be opened");
    if (fstat(job->dir, &st) != 0)
        return tell_errno(job, "", "cannot be looked at");
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return tell(job, KITH_ERR_MODE, "",
                    "belongs to user %u, while we run as user %u",
                    (unsigned)st.st_uid, (unsigned)geteuid());
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return tell(job, KITH_ERR_MODE, "",
                    "others can put files here (mode %03o): chmod 700",
                    (unsigned)st.st_mode & 0777);
    return KITH_OK;
}

static int lock_busy(struct job *job, int fd)
{
    char text[16] = "";
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    uint64_t pid;

    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    errno = EBUSY;
    if (text_u64(text, 1, INT32_MAX, &pid) == KITH_OK)
        return tell(job, KITH_ERR_IO, "", "is in use by kithd, process %u",
                    (unsigned)pid);
    return tell(job, KITH_ERR_IO, "", "is in use by another kithd");
}

/* Two daemons with one key would be taken for clones. */
static int dir_lock(struct job *job)
{
    char pid[16];
    int fd = openat(job->dir, LOCK_FILE,
                    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                    S_IRUSR | S_IWUSR);

    if (fd < 0)
        return tell_errno(job, LOCK_FILE, "cannot be opened");
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int err = errno == EWOULDBLOCK
                      ? lock_busy(job, fd)
                      : tell_errno(job, LOCK_FILE, "cannot be locked");
        int saved = errno;
        close(fd);
        errno = saved;
        return err;
    }
    job->kf->lock = fd;
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0) /* whatever the umask took away */
        return tell_errno(job, LOCK_FILE, "cannot be set to mode 600");
    /* For the message above; not worth a failure. */
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
        return KITH_OK;
    return KITH_OK;
}

/* -- the key ----------------------------------------------------------- */

static int key_load(struct job *job)
{
    char pem[FILE_SIZE];
    size_t len;
    int err = file_read(job, KEY_FILE, true, pem, &len);

    if (err == KITH_OK) {
        err = key_from_pem(&job->kf->key, pem, len);
        if (err != KITH_OK)
            tell(job, err, KEY_FILE,
                 "holds no RSA key of 2,048 bits that can be used: %s",
                 err_str(err));
    }
    secret_wipe(pem, sizeof pem);
    return err;
}

static int key_make(struct job *job)
{
    char pem[FILE_SIZE];
    size_t len;
    int err = key_generate(&job->kf->key);

    if (err != KITH_OK)
        return tell(job, err, KEY_FILE, "no key can be made: %s", err_str(err));
    err = key_to_pem(job->kf->key, pem, sizeof pem, &len);
    if (err == KITH_OK)
        err = file_write(job, KEY_FILE, S_IRUSR | S_IWUSR, pem, len);
    else
        tell(job, err, KEY_FILE, "cannot be encoded: %s", err_str(err));
    secret_wipe(pem, sizeof pem);
    return err;
}

/* Gives a file the first free name of its kind, if it is there. */
static int file_set_aside(struct job *job, const char *name, const char *why)
{
    char to[NAME_SIZE];
    struct stat st;

    if (fstatat(job->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? KITH_OK
                               : tell_errno(job, name, "cannot be looked at");
    for (int i = 1; i <= ASIDE_MAX; i++) {
        snprintf(to, sizeof to, "%s.%s-%d", name, why, i);
        if (fstatat(job->dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (errno != ENOENT || renameat(job->dir, name, job->dir, to) != 0)
            return tell_errno(job, name, "cannot be renamed");
        return KITH_OK;
    }
    return tell(job, KITH_ERR_FULL, name, "was set aside too often");
}

/* The key goes first: should we crash before the last file, what is left has
 * no key any more, and is set aside at the next start. */
static int identity_set_aside(struct job *job, const char *why)
{
    static const char *const names[] = {KEY_FILE, CERT_FILE, BINDING_FILE};
    const struct keyfile_options *o = job->options;
    int err = KITH_OK;

    for (size_t i = 0; err == KITH_OK && i < 3; i++)
        err = file_set_aside(job, names[i], why);
    for (size_t i = 0; err == KITH_OK && i < o->n_others; i++)
        err = file_set_aside(job, o->others[i], why);
    if (err == KITH_OK && fsync(job->dir) != 0)
        err = tell_errno(job, "", "cannot be synced");
    return err;
}

/* -- the certificate --------------------------------------------------- */

/* Whether the chain is well formed, and the first one that of our key. What
 * it is worth, the mesh says. */
static int certs_check(const struct keyfile *kf)
{
    const struct cert_rules rules = {.open_mesh = true};
    uint8_t spki[SPKI_LEN];
    int err = KITH_OK;

    for (size_t i = 0; err == KITH_OK && i < kf->certs.n; i++) {
        X509 *cert = NULL;
        err = cert_parse(&cert, kf->certs.chain[i].p, kf->certs.chain[i].n);
        cert_drop(cert);
    }
    if (err != KITH_OK)
        return err;
    key_spki(kf->key, spki);
    err = cert_check_chain(&rules, spki, kf->certs.chain, kf->certs.n);
    return err == KITH_ERR_STRANGER ? KITH_OK : err;
}

static int certs_load(struct job *job)
{
    char pem[FILE_SIZE];
    size_t len;
    int err = file_read(job, CERT_FILE, false, pem, &len);

    if (err != KITH_OK)
        return err;
    err = pem_read_certs(pem, len, job->kf->der, sizeof job->kf->der,
                         job->kf->certs.chain, CERTS_MAX, &job->kf->certs.n);
    if (err == KITH_OK)
        err = certs_check(job->kf);
    if (err == KITH_ERR_KEY)
        return tell(job, err, CERT_FILE,
                    "is not the certificate of " KEY_FILE
                    "; remove it for a self-signed one");
    if (err != KITH_OK)
        return tell(job, err, CERT_FILE,
                    "holds no chain of 1 to %d certificates that can be used: "
                    "%s; remove it for a self-signed one",
                    (int)CERTS_MAX, err_str(err));
    return KITH_OK;
}

static int cert_make(struct job *job)
{
    uint8_t der[CERT_SELF_SIGNED_MAX];
    char pem[2 * CERT_SELF_SIGNED_MAX];
    size_t len;
    int err = cert_make_node(job->kf->key, der, sizeof der, &len);

    if (err != KITH_OK)
        return tell(job, err, CERT_FILE, "cannot be made: %s", err_str(err));
    err = pem_write_cert(der, len, pem, sizeof pem, &len);
    if (err != KITH_OK)
        return tell(job, err, CERT_FILE, "cannot be encoded: %s", err_str(err));
    return file_write(job, CERT_FILE, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH,
                      pem, len);
}

/* -- the binding ------------------------------------------------------- */

/* The hash of each value that is there, behind the salt, in hex. */
static int binding_hash(const struct machine_binding *plain,
                        const uint8_t salt[SALT_LEN],
                        struct machine_binding *hashed)
{
    memset(hashed, 0, sizeof *hashed);
    for (int i = 0; i < BINDING_KINDS; i++) {
        uint8_t salted[SALT_LEN + sizeof plain->value[0]];
        struct hash hash;
        size_t len = strlen(plain->value[i]);
        if (len == 0)
            continue;
        memcpy(salted, salt, SALT_LEN);
        memcpy(salted + SALT_LEN, plain->value[i], len);
        int err = hash_sha256(&hash, salted, SALT_LEN + len);
        if (err != KITH_OK)
            return err;
        text_hex(hashed->value[i], sizeof hashed->value[i], hash.b,
                 sizeof hash.b);
    }
    return KITH_OK;
}

/* What the lines of node.binding said so far. */
struct binding_lines {
    struct binding_file file;
    uint64_t version; /* 0: not said */
    bool salt;
};

/* An ini_handler; what it refuses makes ini_parse_string() fail. Of another
 * version, only the version is looked at. */
static int on_binding_line(void *arg, const char *section, const char *name,
                           const char *value)
{
    struct binding_lines *l = arg;
    struct hash hash;

    (void)section;
    if (strcmp(name, "version") == 0)
        return text_u64(value, 1, UINT32_MAX, &l->version) == KITH_OK;
    if (l->version != BINDING_VERSION)
        return 1;
    if (strcmp(name, "salt") == 0) {
        l->salt = true;
        return text_unhex(l->file.salt, SALT_LEN, value, strlen(value)) ==
               KITH_OK;
    }
    for (int i = 0; i < BINDING_KINDS; i++) {
        if (strcmp(name, binding_names[i]) != 0)
            continue;
        if (text_unhex(hash.b, HASH_LEN, value, strlen(value)) != KITH_OK)
            return 0;
        text_hex(l->file.hashed.value[i], sizeof l->file.hashed.value[i],
                 hash.b, HASH_LEN);
        return 1;
    }
    return 0;
}

/* KITH_ERR_NOTFOUND: there is none; KITH_ERR_CORRUPT, without a message: it
 * is damaged. */
static int binding_load(struct job *job, struct binding_file *out)
{
    struct binding_lines lines = {.version = 0};
    char text[FILE_SIZE];
    size_t len;
    int err = file_read(job, BINDING_FILE, true, text, &len);

    if (err != KITH_OK)
        return err;
    int bad = ini_parse_string(text, on_binding_line, &lines);
    if (lines.version > BINDING_VERSION)
        return tell(job, KITH_ERR_NEWER, BINDING_FILE,
                    "was written by a newer kithd: use that one");
    if (bad != 0 || strlen(text) != len || lines.version == 0 || !lines.salt)
        return KITH_ERR_CORRUPT;
    *out = lines.file;
    return KITH_OK;
}

static int binding_write(struct job *job, const struct binding_file *b)
{
    char text[1024], salt[2 * SALT_LEN + 1];
    size_t n;

    text_hex(salt, sizeof salt, b->salt, SALT_LEN);
    n = (size_t)snprintf(text, sizeof text,
                         "# The machine that " KEY_FILE " belongs to, as "
                         "salted hashes:\n"
                         "# machine-binding in kith.conf(5).\n"
                         "version = %d\nsalt = %s\n",
                         BINDING_VERSION, salt);
    for (int i = 0; i < BINDING_KINDS; i++)
        if (b->hashed.value[i][0] != '\0')
            n += (size_t)snprintf(text + n, sizeof text - n, "%s = %s\n",
                                  binding_names[i], b->hashed.value[i]);
    assert(n < sizeof text);
    return file_write(job, BINDING_FILE, S_IRUSR | S_IWUSR, text, n);
}

static int binding_record(struct job *job)
{
    struct binding_file b;
    int err;

    if (getrandom(b.salt, sizeof b.salt, 0) != (ssize_t)sizeof b.salt)
        return tell_errno(job, BINDING_FILE, "no random bytes");
    err = binding_hash(job->options->machine, b.salt, &b.hashed);
    if (err != KITH_OK)
        return tell(job, err, BINDING_FILE, "%s", err_str(err));
    return binding_write(job, &b);
}

/* Adds what could not be read when the binding was recorded. Never replaces
 * anything: the record is about the machine that the key was made on. */
static int binding_complete(struct job *job, struct binding_file *b,
                            const struct machine_binding *now)
{
    bool more = false;

    for (int i = 0; i < BINDING_KINDS; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        if (b->hashed.value[i][0] != '\0' && now->value[i][0] != '\0' &&
            strcmp(b->hashed.value[i], now->value[i]) != 0)
            return KITH_OK; /* not surely that machine */
        more |= b->hashed.value[i][0] == '\0' && now->value[i][0] != '\0';
    }
    if (!more)
        return KITH_OK;
    for (int i = 0; i < BINDING_KINDS; i++)
        if (b->hashed.value[i][0] == '\0')
            memcpy(b->hashed.value[i], now->value[i], sizeof now->value[i]);
    return binding_write(job, b);
}

/* Finds out whether the key that was loaded is at home on this machine. */
static int binding_check(struct job *job, bool *copied)
{
    struct binding_file b;
    struct machine_binding now;
    int err = binding_load(job, &b);

    *copied = false;
    if (err == KITH_ERR_CORRUPT)
        tell(job, err, BINDING_FILE, "is damaged, and was written anew");
    if (err == KITH_ERR_NOTFOUND || err == KITH_ERR_CORRUPT)
        return binding_record(job);
    if (err != KITH_OK)
        return err;
    err = binding_hash(job->options->machine, b.salt, &now);
    if (err != KITH_OK)
        return tell(job, err, BINDING_FILE, "%s", err_str(err));
    *copied = binding_compare(&b.hashed, &now) == BINDING_COPIED;
    return *copied ? KITH_OK : binding_complete(job, &b, &now);
}

/* -- all together ------------------------------------------------------ */

static int identity_make(struct job *job)
{
    int err = key_make(job);

    job->kf->fresh = true;
    if (err == KITH_OK && job->options->binding != CONF_BINDING_OFF)
        err = binding_record(job);
    return err;
}

static int identity_replace(struct job *job)
{
    int err;

    if (job->options->binding == CONF_BINDING_STOP)
        return tell(job, KITH_ERR_UNWANTED, KEY_FILE,
                    "belongs to another machine: the disk was copied, and "
                    "machine-binding = stop");
    key_free(job->kf->key);
    job->kf->key = NULL;
    err = identity_set_aside(job, "copied");
    if (err == KITH_OK)
        err = identity_make(job);
    if (err != KITH_OK)
        return err;
    job->kf->copied = true;
    tell(job, KITH_OK, KEY_FILE,
         "belonged to another machine, the disk was copied: a new identity "
         "was made, the old one is kept as " KEY_FILE ".copied-N");
    return KITH_OK;
}

static int identity_load(struct job *job)
{
    bool copied = false;
    int err = key_load(job);

    if (err == KITH_ERR_NOTFOUND) {
        err = identity_set_aside(job, "orphaned");
        return err == KITH_OK ? identity_make(job) : err;
    }
    if (err == KITH_OK && job->options->binding != CONF_BINDING_OFF)
        err = binding_check(job, &copied);
    if (err == KITH_OK && copied)
        err = identity_replace(job);
    return err;
}

int keyfile_load_or_make(struct keyfile *kf,
                         const struct keyfile_options *options)
{
    struct job job = {.kf = kf, .options = options, .dir = -1};

    memset(kf, 0, sizeof *kf);
    kf->lock = -1;
    int err = dir_open(&job);
    if (err == KITH_OK)
        err = dir_lock(&job);
    if (err == KITH_OK)
        err = identity_load(&job);
    if (err == KITH_OK)
        err = certs_load(&job);
    if (err == KITH_ERR_NOTFOUND) {
        err = cert_make(&job);
        if (err == KITH_OK)
            err = certs_load(&job);
    }
    int saved = errno;
    if (job.dir >= 0)
        close(job.dir);
    if (err != KITH_OK)
        keyfile_close(kf);
    errno = saved;
    return err;
}

void keyfile_close(struct keyfile *kf)
{
    key_free(kf->key);
    kf->key = NULL;
    kf->certs.n = 0;
    if (kf->lock >= 0)
        close(kf->lock);
    kf->lock = -1;
}
