/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli/client.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/http.h"
#include "cli/sse.h"

enum {
    READ_SIZE = 16384,
};

/* -- connecting ------------------------------------------------------- */

/* A socket that we may not use: whose is it? */
static void explain_denied(const char *path, char message[CLIENT_MESSAGE_SIZE])
{
    struct stat st;

    if (stat(path, &st) != 0) {
        snprintf(message, CLIENT_MESSAGE_SIZE,
                 "permission denied: you may not even look at %s", path);
        return;
    }
    const struct passwd *user = getpwuid(st.st_uid);
    const struct group *group = getgrgid(st.st_gid);
    char uid[16], gid[16];
    snprintf(uid, sizeof uid, "%u", (unsigned)st.st_uid);
    snprintf(gid, sizeof gid, "%u", (unsigned)st.st_gid);
    snprintf(message, CLIENT_MESSAGE_SIZE,
             "permission denied on %s: it is for root, the user %s and members "
             "of the group %s",
             path, user == NULL ? uid : user->pw_name,
             group == NULL ? gid : group->gr_name);
}

static int explain_connect(const char *path, int error,
                           char message[CLIENT_MESSAGE_SIZE])
{
    if (error == EACCES || error == EPERM) {
        explain_denied(path, message);
        return KITH_ERR_AUTH;
    }
    if (error == ENOENT)
        snprintf(message, CLIENT_MESSAGE_SIZE,
                 "there is no socket %s: kithd is not running, or has another "
                 "--socket",
                 path);
    else if (error == ECONNREFUSED)
        snprintf(message, CLIENT_MESSAGE_SIZE,
                 "nobody answers on %s: kithd is not running any more", path);
    else
        snprintf(message, CLIENT_MESSAGE_SIZE, "cannot reach kithd on %s: %s",
                 path, strerror(error));
    return KITH_ERR_IO;
}

static int client_connect(const char *path, int *out,
                          char message[CLIENT_MESSAGE_SIZE])
{
    const struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int fd;

    if (len == 0 || len >= sizeof at.sun_path)
        return explain_connect(path, ENAMETOOLONG, message);
    memcpy(at.sun_path, path, len + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return explain_connect(path, errno, message);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
        int error = errno;
        close(fd);
        return explain_connect(path, error, message);
    }
    *out = fd;
    return KITH_OK;
}

/* -- sending ---------------------------------------------------------- */

/* Sends it all, unless the other side does not want all of it: then its
 * answer says why. */
static int send_all(int fd, const char *p, size_t n,
                    char message[CLIENT_MESSAGE_SIZE])
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return KITH_OK;
        if (sent < 0) {
            snprintf(message, CLIENT_MESSAGE_SIZE,
                     "kithd does not take the request: %s", strerror(errno));
            return KITH_ERR_IO;
        }
        p += sent;
        n -= (size_t)sent;
    }
    return KITH_OK;
}

static int send_request(int fd, const char *method, const char *path,
                        const void *body, size_t n,
                        char message[CLIENT_MESSAGE_SIZE])
{
    char head[CLIENT_PATH_SIZE + 256];
    int len = snprintf(head, sizeof head,
                       "%s %s HTTP/1.1\r\nHost: kith\r\nConnection: close\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       method, path, n);
    int err;

    if (len < 0 || (size_t)len >= sizeof head) {
        snprintf(message, CLIENT_MESSAGE_SIZE, "the request is too long");
        return KITH_ERR_RANGE;
    }
    err = send_all(fd, head, (size_t)len, message);
    return err == KITH_OK ? send_all(fd, body, n, message) : err;
}

/* -- receiving -------------------------------------------------------- */

/* Says what is wrong with an answer, for all but KITH_ERR_IO. */
static int explain_answer(int err, char message[CLIENT_MESSAGE_SIZE])
{
    if (err != KITH_OK)
        snprintf(message, CLIENT_MESSAGE_SIZE,
                 "what answers is not kithd, or it broke off: %s",
                 err_str(err));
    return err;
}

/* Receives once and feeds the reader; KITH_ERR_TRUNCATED at the end. */
static int receive(int fd, struct http_reader *reader,
                   char message[CLIENT_MESSAGE_SIZE])
{
    char buf[READ_SIZE];
    ssize_t n;

    do
        n = recv(fd, buf, sizeof buf, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return explain_answer(KITH_ERR_TRUNCATED, message);
    if (n < 0) {
        snprintf(message, CLIENT_MESSAGE_SIZE, "kithd does not answer: %s",
                 errno == EAGAIN ? "it takes too long" : strerror(errno));
        return KITH_ERR_IO;
    }
    return explain_answer(http_feed(reader, buf, (size_t)n), message);
}

/* The body of an answer as it grows. */
struct growing {
    struct client_reply *reply;
    size_t cap;
};

static int grow(void *arg, const uint8_t *bytes, size_t n)
{
    struct growing *g = arg;
    struct client_reply *r = g->reply;

    if (n > CLIENT_REPLY_MAX - r->len)
        return KITH_ERR_RANGE;
    if (r->len + n + 1 > g->cap) {
        size_t cap = 2 * (r->len + n) + 1;
        char *body = realloc(r->body, cap);

        if (body == NULL)
            return KITH_ERR_NOMEM;
        r->body = body;
        g->cap = cap;
    }
    memcpy(r->body + r->len, bytes, n);
    r->len += n;
    r->body[r->len] = '\0';
    return KITH_OK;
}

/* -- a request -------------------------------------------------------- */

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

int client_path(char out[CLIENT_PATH_SIZE], const char *route, const char *a,
                const char *b)
{
    size_t len = 0;

    for (; *route != '\0'; route++) {
        const char one[] = {*route, '\0'};
        const char *part = one;

        if (*route == '*') {
            part = a;
            a = b;
            if (part == NULL || part[0] == '\0')
                return KITH_ERR_FORMAT;
        }
        for (; *part != '\0'; part++) {
            bool plain = part == one || unreserved(*part);

            if (CLIENT_PATH_SIZE - len < 4)
                return KITH_ERR_RANGE;
            len +=
                (size_t)snprintf(out + len, CLIENT_PATH_SIZE - len,
                                 plain ? "%c" : "%%%02X", (unsigned char)*part);
        }
    }
    out[len] = '\0';
    return KITH_OK;
}

int client_call(const char *socket_path, const char *method, const char *path,
                const void *body, size_t n, struct client_reply *out,
                char message[CLIENT_MESSAGE_SIZE])
{
    struct growing growing = {.reply = out};
    struct http_reader reader;
    int fd, err;

    memset(out, 0, sizeof *out);
    message[0] = '\0';
    err = client_connect(socket_path, &fd, message);
    if (err != KITH_OK)
        return err;
    http_init(&reader, grow, &growing);
    err = send_request(fd, method, path, body, n, message);
    while (err == KITH_OK && !http_done(&reader))
        err = receive(fd, &reader, message);
    close(fd);
    out->status = reader.status;
    return err;
}

void client_reply_free(struct client_reply *reply)
{
    free(reply->body);
    memset(reply, 0, sizeof *reply);
}

/* -- events ----------------------------------------------------------- */

struct client_stream {
    int fd;
    struct http_reader http;
    struct sse_reader sse;
};

static int feed_events(void *arg, const uint8_t *bytes, size_t n)
{
    struct client_stream *s = arg;

    /* the body of an error is not looked at */
    return s->http.status == 200 ? sse_feed(&s->sse, bytes, n) : KITH_OK;
}

int client_stream_open(const char *socket_path, struct client_stream **out,
                       char message[CLIENT_MESSAGE_SIZE])
{
    struct client_stream *s = calloc(1, sizeof *s);
    int err;

    *out = NULL;
    message[0] = '\0';
    if (s == NULL)
        return explain_answer(KITH_ERR_NOMEM, message);
    err = client_connect(socket_path, &s->fd, message);
    if (err != KITH_OK) {
        free(s);
        return err;
    }
    http_init(&s->http, feed_events, s);
    err = send_request(s->fd, "GET", "/v1/events", NULL, 0, message);
    /* The first bytes of the body say that the daemon has begun. */
    while (err == KITH_OK && !http_done(&s->http) && s->sse.len == 0)
        err = receive(s->fd, &s->http, message);
    if (err == KITH_OK && s->http.status != 200) {
        snprintf(message, CLIENT_MESSAGE_SIZE, "%s: HTTP status %d",
                 s->http.status == 403 ? "you may not ask this daemon"
                                       : "kithd does not tell its events",
                 s->http.status);
        err = s->http.status == 403 ? KITH_ERR_AUTH : KITH_ERR_IO;
    }
    if (err != KITH_OK)
        client_stream_close(s);
    else
        *out = s;
    return err;
}

void client_stream_close(struct client_stream *s)
{
    if (s == NULL)
        return;
    close(s->fd);
    sse_free(&s->sse);
    free(s);
}

int client_stream_next(struct client_stream *s, int timeout_ms,
                       const char **json, char message[CLIENT_MESSAGE_SIZE])
{
    struct pollfd poller = {.fd = s->fd, .events = POLLIN};

    for (;;) {
        int ready, err;

        *json = sse_next(&s->sse);
        if (*json != NULL)
            return KITH_OK;
        if (http_done(&s->http))
            return explain_answer(KITH_ERR_TRUNCATED, message);
        ready = poll(&poller, 1, timeout_ms);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            return KITH_ERR_NOTFOUND;
        err = receive(s->fd, &s->http, message);
        if (err != KITH_OK)
            return err;
    }
}
