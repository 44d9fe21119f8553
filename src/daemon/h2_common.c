/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* clock_gettime */
#include "daemon/h2_common.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/error.h"
#include "crypto/wipe.h"

enum {
    RECORD_MAX = 16384, /* plaintext of a TLS record, RFC 8446 section 5.1 */
    OUT_MAX = 65536,    /* far above a record and the frame that overflows it */
    ROUNDS_MAX = 8,     /* records read, and written, before others' turn */
    DRAIN_MAX = 65536,  /* bytes thrown away at the end */
};

struct instant h2_now(void)
{
    struct timespec ts = {0};

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (struct instant){(uint64_t)ts.tv_sec * 1000000 +
                            (uint64_t)ts.tv_nsec / 1000};
}

int h2_buf_add(struct h2_buf *buf, const uint8_t *data, size_t n, size_t max)
{
    size_t cap = buf->cap ? buf->cap : 512;
    uint8_t *grown;

    if (buf->len > max || n > max - buf->len)
        return KITH_ERR_FULL;
    if (n == 0)
        return KITH_OK;
    if (n > buf->cap - buf->len) {
        while (cap - buf->len < n)
            cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
        if (cap > max)
            cap = max;
        grown = realloc(buf->data, cap);
        if (grown == NULL)
            return KITH_ERR_NOMEM;
        buf->data = grown;
        buf->cap = cap;
    }
    memcpy(buf->data + buf->len, data, n);
    buf->len += n;
    return KITH_OK;
}

void h2_buf_free(struct h2_buf *buf)
{
    if (buf->data) /* it may hold a session's key */
        secret_wipe(buf->data, buf->cap);
    free(buf->data);
    *buf = (struct h2_buf){0};
}

static struct addr name_of(int fd,
                           int (*get)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof ss;
    struct addr addr = {0};

    if (get(fd, (struct sockaddr *)&ss, &len) == 0)
        (void)addr_from_sockaddr(&addr, (struct sockaddr *)&ss);
    return addr;
}

struct addr h2_addr_local(int fd)
{
    return name_of(fd, getsockname);
}

struct addr h2_addr_remote(int fd)
{
    return name_of(fd, getpeername);
}

nghttp2_nv h2_field(const char *name, const char *value)
{
    /* nghttp2 wants these writable, and copies them at once */
    union {
        const char *in;
        uint8_t *out;
    } n = {name}, v = {value};

    return (nghttp2_nv){n.out, v.out, strlen(name), strlen(value),
                        NGHTTP2_NV_FLAG_NONE};
}

int h2_options_new(nghttp2_option **out)
{
    if (nghttp2_option_new(out) != 0)
        return KITH_ERR_NOMEM;
    nghttp2_option_set_max_outbound_ack(*out, H2_OUTBOUND_ACKS_MAX);
    nghttp2_option_set_no_closed_streams(*out, 1);
    return KITH_OK;
}

bool h2_guard_frame(struct h2_guard *guard, const nghttp2_frame_hd *hd)
{
    guard->frames++;
    if (hd->type == NGHTTP2_RST_STREAM)
        guard->resets++;
    if (hd->type == NGHTTP2_CONTINUATION)
        guard->continuations++;
    else
        guard->continuations = 0;
    return guard->frames <= H2_FRAMES_MAX && guard->resets <= H2_RESETS_MAX &&
           guard->continuations <= H2_CONTINUATIONS_MAX;
}

/* Ends the link by what an operation came to; returns false, for callers to
 * pass on: the link may not exist any more. */
static bool end_by_tls(struct h2_link *link, enum tls_io io)
{
    enum h2_end why = H2_END_TLS;

    if (io == TLS_CLOSED)
        why = link->tls.up ? H2_END_CLEAN : H2_END_LOST;
    else if (io == TLS_LOST)
        why = H2_END_LOST;
    link->hooks->end(link->arg, why,
                     io == TLS_CLOSED ? "closed by the peer"
                                      : link->tls.reason);
    return false;
}

static bool end_by_nghttp2(struct h2_link *link, int rc)
{
    enum h2_end why = H2_END_PROTOCOL;

    if (rc == NGHTTP2_ERR_NOMEM)
        why = H2_END_MEMORY;
    else if (rc == NGHTTP2_ERR_FLOODED)
        why = H2_END_FLOOD;
    link->hooks->end(link->arg, why, nghttp2_strerror(rc));
    return false;
}

/* Each of the following returns false when the link has ended. */

static bool shake_hands(struct h2_link *link)
{
    enum tls_io io = tls_conn_handshake(&link->tls);

    switch (io) {
    case TLS_DONE:
        return link->hooks->up(link->arg);
    case TLS_WANT_READ:
        return true;
    case TLS_WANT_WRITE:
        event_add(&link->writable, NULL);
        return true;
    default:
        return end_by_tls(link, io);
    }
}

static bool read_some(struct h2_link *link)
{
    uint8_t buf[RECORD_MAX];
    size_t n = 0;

    for (int i = 0; i < ROUNDS_MAX; i++) {
        enum tls_io io = tls_conn_read(&link->tls, buf, sizeof buf, &n);
        ssize_t rc;

        if (io == TLS_WANT_WRITE)
            event_add(&link->writable, NULL);
        if (io == TLS_WANT_READ || io == TLS_WANT_WRITE)
            return true;
        if (io != TLS_DONE)
            return end_by_tls(link, io);
        link->heard = true;
        rc = nghttp2_session_mem_recv(link->session, buf, n);
        if (rc < 0)
            return end_by_nghttp2(link, (int)rc);
    }
    /* what OpenSSL holds already, the socket will not report */
    if (SSL_has_pending(link->tls.ssl))
        event_active(&link->readable, EV_READ, 0);
    return true;
}

/* Gathers frames until there is enough for one TLS record. */
static int fill_out(struct h2_link *link)
{
    const uint8_t *data;

    while (link->out.len < RECORD_MAX) {
        ssize_t n = nghttp2_session_mem_send(link->session, &data);
        if (n <= 0)
            return (int)n;
        if (h2_buf_add(&link->out, data, (size_t)n, OUT_MAX) != KITH_OK)
            return NGHTTP2_ERR_NOMEM;
    }
    return 0;
}

static void drop_out(struct h2_buf *out, size_t n)
{
    assert(n <= out->len);
    out->len -= n;
    memmove(out->data, out->data + n, out->len);
}

/* The other side does not read. If it makes us queue frame after frame all
 * the same, it means no good. */
static bool wait_for_room(struct h2_link *link)
{
    if (nghttp2_session_get_outbound_queue_size(link->session) >
        H2_OUTBOUND_MAX)
        return end_by_nghttp2(link, NGHTTP2_ERR_FLOODED);
    event_add(&link->writable, NULL);
    return true;
}

static bool write_some(struct h2_link *link)
{
    size_t n = 0;

    for (int i = 0; i < ROUNDS_MAX; i++) {
        enum tls_io io;
        int rc = fill_out(link);

        if (rc != 0)
            return end_by_nghttp2(link, rc);
        if (link->out.len == 0) {
            h2_buf_free(&link->out);
            return true;
        }
        io = tls_conn_write(&link->tls, link->out.data, link->out.len, &n);
        if (io == TLS_WANT_READ)
            return true;
        if (io == TLS_WANT_WRITE)
            return wait_for_room(link);
        /* an alert that says why may wait to be read */
        if (io == TLS_LOST && !read_some(link))
            return false;
        if (io != TLS_DONE)
            return end_by_tls(link, io);
        drop_out(&link->out, n);
    }
    event_add(&link->writable, NULL);
    return true;
}

static void run(struct h2_link *link)
{
    if (!link->tls.up && !shake_hands(link))
        return;
    if (!link->tls.up)
        return;
    if (!read_some(link) || !write_some(link))
        return;
    if (link->hooks->turn != NULL && !link->hooks->turn(link->arg))
        return;
    if (link->out.len == 0 && !nghttp2_session_want_read(link->session) &&
        !nghttp2_session_want_write(link->session))
        link->hooks->end(link->arg, H2_END_CLEAN, "session over");
}

/* Throws away what can be read now. Closing a socket that has bytes unread
 * makes the kernel send a reset, which may take away from the peer what it
 * has not read yet. Returns whether the other side has closed. */
static bool drain(int fd)
{
    uint8_t buf[4096];
    size_t total = 0;
    ssize_t n;

    do {
        n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        total += n > 0 ? (size_t)n : 0;
    } while (n > 0 && total < DRAIN_MAX);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct h2_link *link = arg;

    (void)fd;
    (void)what;
    if (!link->lingers)
        run(link);
    else if (drain(link->fd))
        link->hooks->end(link->arg, H2_END_CLEAN, "closed by the peer");
}

int h2_link_open(struct h2_link *link, struct event_base *base, struct tls *tls,
                 bool server, int fd, const struct h2_hooks *hooks, void *arg)
{
    *link = (struct h2_link){.fd = fd, .hooks = hooks, .arg = arg};
    event_assign(&link->readable, base, fd, EV_READ | EV_PERSIST, on_event,
                 link);
    event_assign(&link->writable, base, fd, EV_WRITE, on_event, link);
    if (tls_conn_open(&link->tls, tls, server) != KITH_OK)
        return KITH_ERR_NOMEM;
    if (!SSL_set_fd(link->tls.ssl, fd) || event_add(&link->readable, NULL)) {
        tls_conn_close(&link->tls);
        return KITH_ERR_NOMEM;
    }
    /* a client speaks first */
    if (!server)
        event_active(&link->writable, EV_WRITE, 0);
    return KITH_OK;
}

void h2_link_linger(struct h2_link *link)
{
    event_del(&link->writable);
    tls_conn_close(&link->tls);
    nghttp2_session_del(link->session);
    link->session = NULL;
    h2_buf_free(&link->out);
    shutdown(link->fd, SHUT_WR);
    link->lingers = true;
}

void h2_link_close(struct h2_link *link)
{
    event_del(&link->readable);
    event_del(&link->writable);
    tls_conn_close(&link->tls);
    nghttp2_session_del(link->session);
    h2_buf_free(&link->out);
    shutdown(link->fd, SHUT_WR);
    (void)drain(link->fd);
    close(link->fd);
    *link = (struct h2_link){.fd = -1};
}
