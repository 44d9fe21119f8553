/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/api_socket.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

enum {
    BACKLOG = 64,
    SOCKET_MODE = 0660,
    DIRECTORY_MODE = 0755,
    GROUPS_AT_ONCE = 64,
};

_Static_assert(CONF_SOCKET_SIZE == sizeof((struct sockaddr_un *)0)->sun_path,
               "what fits the option fits the address");

/* Where messages go. */
struct message {
    char *text;
    size_t cap;
};

__attribute__((format(printf, 3, 4))) static int
fail(const struct message *m, int err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(m->text, m->cap, fmt, args);
    va_end(args);
    return err;
}

/* The last call failed for what errno says. */
static int fail_io(const struct message *m, const char *what, const char *path)
{
    return fail(m, KITH_ERR_IO, "%s %s: %s", what, path, strerror(errno));
}

/* -- opening ---------------------------------------------------------- */

static int directory_make(const char *path, const struct message *m)
{
    char dir[CONF_SOCKET_SIZE];
    const char *slash = strrchr(path, '/');

    if (slash == NULL || slash == path)
        return KITH_OK;
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = '\0';
    mode_t before = umask(0777 & ~DIRECTORY_MODE);
    int bad = mkdir(dir, DIRECTORY_MODE);
    int error = errno;
    umask(before);
    if (bad == 0 || error == EEXIST)
        return KITH_OK;
    errno = error;
    return fail_io(m, "cannot make the directory", dir);
}

/* Removes what a dead daemon left at the path. */
static int stale_remove(const struct sockaddr_un *at, const struct message *m)
{
    const char *path = at->sun_path;
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? KITH_OK : fail_io(m, "cannot look at", path);
    if (!S_ISSOCK(st.st_mode))
        return fail(m, KITH_ERR_UNWANTED, "%s is there, and no socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail_io(m, "cannot make a socket for", path);
    int bad = connect(fd, (const struct sockaddr *)at, sizeof *at);
    int error = errno;
    close(fd);
    /* EAGAIN: somebody listens, and has much to do. */
    if (bad == 0 || error == EAGAIN)
        return fail(m, KITH_ERR_UNWANTED,
                    "another daemon answers on %s: stop it, or choose another "
                    "--socket",
                    path);
    errno = error;
    if (error == ENOENT)
        return KITH_OK;
    if (error != ECONNREFUSED)
        return fail_io(m, "cannot tell whether a daemon answers on", path);
    if (unlink(path) != 0 && errno != ENOENT)
        return fail_io(m, "cannot remove the socket of a dead daemon", path);
    return KITH_OK;
}

/* For nobody but us until the mode is set. */
static int bind_private(int fd, const struct sockaddr_un *at)
{
    mode_t before = umask(0177);
    int bad = bind(fd, (const struct sockaddr *)at, sizeof *at);
    int error = errno;

    umask(before);
    errno = error;
    return bad;
}

static int listen_at(const struct sockaddr_un *at, struct api_socket *s,
                     const struct message *m)
{
    const char *path = at->sun_path;
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return fail_io(m, "cannot make a socket for", path);
    if (bind_private(fd, at) != 0) {
        fail_io(m, "cannot make the socket", path);
        close(fd);
        return KITH_ERR_IO;
    }
    if (lstat(path, &st) != 0 || chmod(path, SOCKET_MODE) != 0 ||
        listen(fd, BACKLOG) != 0) {
        fail_io(m, "cannot listen on", path);
        unlink(path);
        close(fd);
        return KITH_ERR_IO;
    }
    s->fd = fd;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return KITH_OK;
}

int api_socket_open(const char *path, struct api_socket *out, char *err,
                    size_t cap)
{
    const struct message m = {err, cap};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int result;

    memset(out, 0, sizeof *out);
    out->fd = -1;
    if (len == 0 || len >= sizeof out->path)
        return fail(&m, KITH_ERR_RANGE,
                    "the path of the socket has 1 to %zu bytes",
                    sizeof out->path - 1);
    memcpy(out->path, path, len + 1);
    memcpy(at.sun_path, path, len + 1);
    result = directory_make(path, &m);
    if (result == KITH_OK)
        result = stale_remove(&at, &m);
    if (result == KITH_OK)
        result = listen_at(&at, out, &m);
    return result;
}

void api_socket_close(struct api_socket *s)
{
    struct stat st;

    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (s->ino != 0 && lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        unlink(s->path);
    s->ino = 0;
}

/* -- who is there ----------------------------------------------------- */

bool api_socket_allows(const struct api_socket_peer *peer, uid_t own,
                       mode_t mode, gid_t group)
{
    if (peer->uid == 0 || peer->uid == own)
        return true;
    if ((mode & S_IWGRP) == 0)
        return false;
    if (peer->gid == group)
        return true;
    for (size_t i = 0; i < peer->n_groups; i++)
        if (peer->groups[i] == group)
            return true;
    return false;
}

/* The groups of a peer besides its first: in `few` if they fit, else
 * malloc'ed. A kernel that does not tell them leaves it at the first. */
static int groups_read(int fd, gid_t few[GROUPS_AT_ONCE], gid_t **out,
                       size_t *n)
{
    socklen_t len = GROUPS_AT_ONCE * sizeof *few;
    gid_t *many;

    *out = few;
    *n = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &len) == 0) {
        *n = len / sizeof *few;
        return KITH_OK;
    }
    if (errno != ERANGE)
        return KITH_OK;
    many = malloc(len);
    if (many == NULL)
        return KITH_ERR_NOMEM;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many, &len) == 0)
        *n = len / sizeof *many;
    *out = many;
    return KITH_OK;
}

int api_socket_check(const struct api_socket *s, int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    gid_t few[GROUPS_AT_ONCE];
    gid_t *groups;
    size_t n;
    struct stat st = {0};
    int err;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
        return KITH_ERR_IO;
    /* Without a file there is no group either. */
    if (lstat(s->path, &st) != 0)
        st.st_mode = 0;
    err = groups_read(fd, few, &groups, &n);
    if (err != KITH_OK)
        return err;
    const struct api_socket_peer peer = {who.uid, who.gid, groups, n};
    bool allowed = api_socket_allows(&peer, geteuid(), st.st_mode, st.st_gid);
    if (groups != few)
        free(groups);
    return allowed ? KITH_OK : KITH_ERR_AUTH;
}
