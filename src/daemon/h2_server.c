/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* accept4 */
#include "daemon/h2_server.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "base/addr.h"
#include "base/budget.h"
#include "base/error.h"
#include "daemon/h2_common.h"
#include "daemon/h2_stream.h"
#include "daemon/tls.h"

enum {
    LISTENERS_MAX = 16,
    BACKLOG = 128,
    ACCEPTS_MAX = 16,     /* connections accepted before others' turn */
    LINGER_MS = 1000,     /* for a refused peer to read the alert */
    FILES_PAUSE_MS = 100, /* wait when there are no file descriptors left */
};

struct listener {
    struct h2_server *server;
    int fd;
    struct event readable;
    struct event resume;
};

/* One connection that was accepted. */
struct h2_conn {
    struct h2_server *server;
    struct h2_conn *prev;
    struct h2_conn *next;
    struct h2_link link;
    struct h2_streams streams;
    struct event timer;
    struct instant started;
};

struct h2_server {
    struct event_base *base;
    struct tls *tls;
    struct h2_server_opts opts;
    struct h2_counters counters;
    struct h2_streams_env env;
    struct budget accepts;
    size_t bodies;
    size_t n_listeners;
    struct listener listeners[LISTENERS_MAX];
    size_t n_conns;
    struct h2_conn *conns;
};

void h2_server_defaults(struct h2_server_opts *opts)
{
    *opts = (struct h2_server_opts){
        .conns_max = 256,
        .conns_addr_max = 16,
        .accept_burst = 100,
        .accept_per_s = 50,
        .bodies_max = (size_t)32 << 20,
        .request_ms = 10000,
        .idle_ms = 10000,
        .total_ms = 60000,
    };
}

static void conn_free(struct h2_conn *conn)
{
    struct h2_server *server = conn->server;

    assert(server->n_conns > 0);
    server->n_conns--;
    DL_DELETE(server->conns, conn);
    event_del(&conn->timer);
    h2_streams_free(&conn->streams);
    h2_link_close(&conn->link);
    free(conn);
}

static bool on_up(void *arg)
{
    struct h2_conn *conn = arg;
    struct h2_counters *counters = &conn->server->counters;

    counters->handshakes++;
    if (!conn->link.tls.peer.member)
        counters->strangers++;
    conn->streams.peer = &conn->link.tls.peer;
    if (h2_streams_begin(&conn->streams, &conn->link.session) == KITH_OK)
        return true;
    conn_free(conn);
    return false;
}

static void wait_until(struct h2_conn *conn, struct instant now,
                       struct instant at)
{
    uint64_t us = at.us > now.us ? at.us - now.us : 0;
    struct timeval tv = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};

    event_add(&conn->timer, &tv);
}

static void on_end(void *arg, enum h2_end why, const char *reason)
{
    struct h2_conn *conn = arg;
    struct h2_counters *counters = &conn->server->counters;
    struct instant now;

    (void)reason;
    if (conn->link.lingers) {
        conn_free(conn);
        return;
    }
    if (conn->link.session == NULL)
        counters->tls_failed++;
    else if (why == H2_END_FLOOD || conn->streams.flooded)
        counters->floods++;
    else if (why == H2_END_PROTOCOL || why == H2_END_TLS ||
             conn->streams.broken)
        counters->broken++;
    if (why != H2_END_TLS) {
        conn_free(conn);
        return;
    }
    now = h2_now();
    h2_streams_free(&conn->streams);
    h2_link_linger(&conn->link);
    wait_until(conn, now, instant_add_ms(now, LINGER_MS));
}

static struct instant deadline(const struct h2_conn *conn)
{
    const struct h2_server_opts *opts = &conn->server->opts;
    struct instant total = instant_add_ms(conn->started, opts->total_ms);
    struct instant at = instant_add_ms(conn->started, opts->request_ms);

    if (conn->streams.begun)
        at = instant_add_ms(conn->streams.progress, opts->idle_ms);
    return instant_min(at, total);
}

/* The timer does not move with each bit of progress; it looks at the deadline
 * again when that seems to have come. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct h2_conn *conn = arg;
    struct instant now = h2_now(), at = deadline(conn);
    /* one that is idle after its last answer has done nothing wrong */
    bool idle = conn->streams.begun && conn->streams.list == NULL;

    (void)fd;
    (void)what;
    if (!conn->link.lingers && !instant_reached(now, at)) {
        wait_until(conn, now, at);
        return;
    }
    if (!conn->link.lingers && !idle)
        conn->server->counters.late++;
    conn_free(conn);
}

/* Whether two sources count as one: one IPv4 address, one IPv6 /64. */
static bool same_source(const struct addr *a, const struct addr *b)
{
    return addr_in_prefix(a, b, a->family == 4 ? 32 : 64);
}

static bool source_full(const struct h2_server *server, const struct addr *from)
{
    const struct h2_conn *conn;
    uint32_t n = 0;

    if (addr_is_loopback(from) && !server->opts.cap_loopback)
        return false;
    DL_FOREACH (server->conns, conn) {
        if (same_source(&conn->streams.from, from))
            n++;
    }
    return n >= server->opts.conns_addr_max;
}

static bool let_in(struct h2_server *server, const struct addr *from,
                   struct instant now)
{
    if (server->n_conns >= server->opts.conns_max)
        server->counters.over_conns++;
    else if (source_full(server, from))
        server->counters.over_addr++;
    else if (!budget_take(&server->accepts, now, 1))
        server->counters.over_rate++;
    else
        return true;
    return false;
}

static const struct h2_hooks hooks = {.up = on_up, .end = on_end};

/* Takes over fd, or closes it. */
static void take_conn(struct h2_server *server, int fd)
{
    struct instant now = h2_now();
    struct addr from = h2_addr_remote(fd);
    struct h2_conn *conn = NULL;
    int on = 1;

    if (let_in(server, &from, now))
        conn = calloc(1, sizeof *conn);
    if (conn == NULL || h2_link_open(&conn->link, server->base, server->tls,
                                     true, fd, &hooks, conn) != KITH_OK) {
        free(conn);
        close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    server->counters.accepted++;
    conn->server = server;
    conn->started = now;
    conn->streams.env = &server->env;
    conn->streams.from = from;
    conn->streams.to = h2_addr_local(fd);
    event_assign(&conn->timer, server->base, -1, 0, on_timer, conn);
    DL_APPEND(server->conns, conn);
    server->n_conns++;
    wait_until(conn, now, instant_add_ms(now, server->opts.request_ms));
}

static void pause_listener(struct listener *l)
{
    struct timeval tv = {0, FILES_PAUSE_MS * 1000L};

    l->server->counters.over_files++;
    event_del(&l->readable);
    event_add(&l->resume, &tv);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)fd;
    (void)what;
    event_add(&l->readable, NULL);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct listener *l = arg;

    (void)what;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int conn = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (conn >= 0) {
            take_conn(l->server, conn);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
            errno == ENOMEM)
            pause_listener(l);
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

int h2_server_adopt(struct h2_server *server, int fd)
{
    struct listener *l = &server->listeners[server->n_listeners];

    if (server->n_listeners == LISTENERS_MAX)
        return KITH_ERR_FULL;
    if (evutil_make_socket_nonblocking(fd) != 0)
        return KITH_ERR_IO;
    *l = (struct listener){.server = server, .fd = fd};
    event_assign(&l->readable, server->base, fd, EV_READ | EV_PERSIST,
                 on_accept, l);
    event_assign(&l->resume, server->base, -1, 0, on_resume, l);
    if (event_add(&l->readable, NULL) != 0)
        return KITH_ERR_NOMEM;
    server->n_listeners++;
    return KITH_OK;
}

static int open_socket(const struct addr *addr)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = addr_to_sockaddr(addr, &ss);
    int on = 1, saved;
    /* no address gives the family AF_UNSPEC, which this refuses */
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    IPPROTO_TCP);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (ss.ss_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&ss, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int h2_server_listen(struct h2_server *server, const struct addr *addr,
                     struct addr *bound)
{
    int fd = open_socket(addr);
    int rc;

    if (fd < 0)
        return KITH_ERR_IO;
    rc = h2_server_adopt(server, fd);
    if (rc != KITH_OK) {
        close(fd);
        return rc;
    }
    if (bound != NULL)
        *bound = h2_addr_local(fd);
    return KITH_OK;
}

int h2_server_new(struct event_base *base, struct tls *tls,
                  const struct h2_server_opts *opts, struct h2_server **out)
{
    struct h2_server *server = calloc(1, sizeof *server);

    if (server == NULL)
        return KITH_ERR_NOMEM;
    server->base = base;
    server->tls = tls;
    server->opts = *opts;
    server->env.opts = &server->opts;
    server->env.counters = &server->counters;
    server->env.bodies = &server->bodies;
    budget_init(&server->accepts, opts->accept_burst, opts->accept_per_s * 1000,
                h2_now());
    if (h2_streams_env_init(&server->env) != KITH_OK) {
        free(server);
        return KITH_ERR_NOMEM;
    }
    *out = server;
    return KITH_OK;
}

void h2_server_free(struct h2_server *server)
{
    struct h2_conn *conn, *next;

    if (server == NULL)
        return;
    DL_FOREACH_SAFE (server->conns, conn, next)
        conn_free(conn);
    for (size_t i = 0; i < server->n_listeners; i++) {
        event_del(&server->listeners[i].readable);
        event_del(&server->listeners[i].resume);
        close(server->listeners[i].fd);
    }
    h2_streams_env_free(&server->env);
    free(server);
}

const struct h2_counters *h2_server_counters(const struct h2_server *server)
{
    return &server->counters;
}

size_t h2_server_conns(const struct h2_server *server)
{
    return server->n_conns;
}
