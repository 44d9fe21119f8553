/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/links.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <event2/event.h>

#include "base/error.h"

enum {
    QUIET_MS = 200,        /* a burst of notifications is over after this */
    POSTPONE_MAX = 10,     /* ... or after so many postponements */
    RETRY_MS = 2000,       /* after a dump that failed */
    DUMP_TRIES = 3,        /* at once, when changes interrupt it */
    DUMP_READS_MAX = 4096, /* per dump; bounds the time in it */
    DUMP_WAIT_MS = 500,    /* for the kernel's next piece */
    RECEIVE_SIZE = 32768,  /* what the kernel makes use of in a dump */
};

struct links {
    struct links_choice choice;
    const struct log *log;
    links_changed changed;
    void *ctx;
    int fd; /* -1: netlink cannot be used */
    uint32_t seq;
    struct event *ev_read, *ev_quiet;
    unsigned postponed; /* since the first notification of the burst */
    bool stale;         /* dump again when the burst is over */
    struct link_table table, fresh;
    struct link now[LINK_COUNT_MAX];
    size_t n_now;
    struct link picked[LINK_COUNT_MAX]; /* scratch */
    uint8_t received[RECEIVE_SIZE];
};

static struct timeval milliseconds(unsigned ms)
{
    return (struct timeval){.tv_sec = ms / 1000,
                            .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static int socket_open(void)
{
    struct sockaddr_nl self = {.nl_family = AF_NETLINK,
                               .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
                                            RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    NETLINK_ROUTE);

    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&self, sizeof self) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* One recv(), parsed into `table`. KITH_ERR_NOTFOUND: nothing to read. */
static int receive(struct links *ls, struct link_table *table, uint32_t seq,
                   unsigned *seen)
{
    struct sockaddr_nl from = {0};
    struct iovec iov = {ls->received, sizeof ls->received};
    struct msghdr msg = {.msg_name = &from,
                         .msg_namelen = sizeof from,
                         .msg_iov = &iov,
                         .msg_iovlen = 1};
    ssize_t len;

    do
        len = recvmsg(ls->fd, &msg, 0);
    while (len < 0 && errno == EINTR);
    if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return KITH_ERR_NOTFOUND;
    if (len < 0 && errno == ENOBUFS) {
        *seen |= LINKS_SEEN_STALE;
        return KITH_OK;
    }
    if (len <= 0)
        return KITH_ERR_IO;
    if (from.nl_pid != 0) /* not from the kernel */
        return KITH_OK;
    if ((msg.msg_flags & MSG_TRUNC) != 0) {
        *seen |= LINKS_SEEN_STALE;
        return KITH_OK;
    }
    return links_parse(table, &ls->choice, seq, ls->received, (size_t)len,
                       seen);
}

/* Asks for all links, or all addresses. */
static int dump_ask(struct links *ls, uint16_t type)
{
    struct {
        struct nlmsghdr head;
        struct rtgenmsg body;
    } ask = {.body = {.rtgen_family = AF_UNSPEC}};

    if (++ls->seq == 0)
        ls->seq = 1;
    ask.head.nlmsg_len = NLMSG_LENGTH(sizeof ask.body);
    ask.head.nlmsg_type = type;
    ask.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    ask.head.nlmsg_seq = ls->seq;
    if (send(ls->fd, &ask, ask.head.nlmsg_len, 0) < 0)
        return KITH_ERR_IO;
    return KITH_OK;
}

/* The kernel has the first piece of a dump ready when send() returns, and
 * the next one whenever a piece was read, so this does not really wait. */
static int dump_one(struct links *ls, uint16_t type, unsigned *seen)
{
    int err = dump_ask(ls, type);

    for (int i = 0; err == KITH_OK && i < DUMP_READS_MAX; i++) {
        struct pollfd p = {.fd = ls->fd, .events = POLLIN};
        if (poll(&p, 1, DUMP_WAIT_MS) == 0)
            return KITH_ERR_NOTFOUND;
        err = receive(ls, &ls->fresh, ls->seq, seen);
        if (err == KITH_ERR_NOTFOUND)
            err = KITH_OK;
        if (err == KITH_OK && (*seen & LINKS_SEEN_DONE) != 0)
            return KITH_OK;
    }
    return err == KITH_OK ? KITH_ERR_BUDGET : err;
}

/* Reads all links and addresses anew. Notifications that arrive meanwhile
 * are in the same queue, in order, and are applied with them. */
static int dump(struct links *ls)
{
    int err = KITH_OK;

    for (int i = 0; i < DUMP_TRIES; i++) {
        unsigned seen = 0;
        memset(&ls->fresh, 0, sizeof ls->fresh);
        err = dump_one(ls, RTM_GETLINK, &seen);
        seen &= ~(unsigned)LINKS_SEEN_DONE;
        if (err == KITH_OK)
            err = dump_one(ls, RTM_GETADDR, &seen);
        if (err != KITH_OK)
            return err;
        ls->table = ls->fresh;
        ls->stale = (seen & LINKS_SEEN_STALE) != 0;
        if (!ls->stale)
            break;
    }
    return KITH_OK;
}

static void quiet_in(struct links *ls, unsigned ms)
{
    struct timeval tv = milliseconds(ms);

    if (evtimer_add(ls->ev_quiet, &tv) != 0)
        log_msg(ls->log, LOG_LEVEL_ERROR, "links: cannot set a timer");
}

/* The burst is over: tell what came of it. */
static void on_quiet(evutil_socket_t fd, short what, void *arg)
{
    struct links *ls = arg;

    (void)fd;
    (void)what;
    ls->postponed = 0;
    if (ls->stale && dump(ls) != KITH_OK)
        ls->stale = true;
    if (ls->stale)
        quiet_in(ls, RETRY_MS);

    size_t n = links_pick(&ls->table, ls->picked);
    if (links_equal(ls->now, ls->n_now, ls->picked, n))
        return;
    memcpy(ls->now, ls->picked, sizeof ls->now);
    ls->n_now = n;
    ls->changed(ls->ctx, ls->now, ls->n_now);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct links *ls = arg;
    unsigned seen = 0;
    int err = receive(ls, &ls->table, 0, &seen);

    (void)fd;
    (void)what;
    if (err == KITH_ERR_NOTFOUND)
        return;
    if (err != KITH_OK || (seen & LINKS_SEEN_STALE) != 0)
        ls->stale = true;
    if (ls->postponed++ < POSTPONE_MAX)
        quiet_in(ls, QUIET_MS);
}

/* Starts to follow the kernel; an error leaves an empty list. */
static int links_start(struct links *ls, struct event_base *base)
{
    ls->fd = socket_open();
    if (ls->fd < 0)
        return KITH_ERR_IO;
    ls->ev_read =
        event_new(base, ls->fd, EV_READ | EV_PERSIST, on_readable, ls);
    if (ls->ev_read == NULL || event_add(ls->ev_read, NULL) != 0)
        return KITH_ERR_NOMEM;
    if (dump(ls) != KITH_OK)
        ls->stale = true;
    if (ls->stale)
        quiet_in(ls, RETRY_MS);
    ls->n_now = links_pick(&ls->table, ls->now);
    return KITH_OK;
}

struct links *links_new(struct event_base *base,
                        const struct links_choice *choice,
                        const struct log *log, links_changed changed, void *ctx)
{
    struct links *ls = calloc(1, sizeof *ls);

    if (ls == NULL)
        return NULL;
    ls->choice = *choice;
    ls->log = log;
    ls->changed = changed;
    ls->ctx = ctx;
    ls->fd = -1;
    ls->ev_quiet = evtimer_new(base, on_quiet, ls);
    if (ls->ev_quiet == NULL)
        goto fail;
    int err = links_start(ls, base);
    if (err == KITH_ERR_NOMEM)
        goto fail;
    if (err != KITH_OK)
        log_msg(log, LOG_LEVEL_WARN,
                "links: cannot follow the interfaces, none is used "
                "errno=\"%s\"",
                strerror(errno));
    return ls;
fail:
    links_free(ls);
    return NULL;
}

void links_free(struct links *ls)
{
    if (ls == NULL)
        return;
    if (ls->ev_read != NULL)
        event_free(ls->ev_read);
    if (ls->ev_quiet != NULL)
        event_free(ls->ev_quiet);
    if (ls->fd >= 0)
        close(ls->fd);
    free(ls);
}

size_t links_now(const struct links *ls, const struct link **list)
{
    *list = ls->now;
    return ls->n_now;
}
