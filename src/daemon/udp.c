/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/udp.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/text.h"
#include "core/limits.h"
#include "wire/limits.h"

enum {
    BATCH = 16,    /* datagrams per system call */
    ROUNDS = 8,    /* batches per wake-up, then others have their turn */
    BUFFER = 1500, /* more than a datagram of ours: larger ones are seen
                      to be too large */
    CONTROL = 256, /* ancillary data of one datagram */
    RECEIVE_SIZE = 1 << 20, /* of a socket's receive buffer */
    HOPS = 255,
};

static const char *const group4 = "239.255.107.104";
static const char *const group6 = "ff02::6b69:7468";

struct udp_socket {
    struct udp *udp;
    int fd; /* -1: closed; another one may take its place */
    bool v6;
    bool group;
    struct addr bound;
    struct event *event;
    uint32_t dropped; /* the kernel's counter */
};

struct outgoing {
    struct udp_socket *socket;
    struct addr to;
    struct addr from;
    uint32_t ifindex;
    size_t len;
    uint8_t data[DGRAM_MAX];
};

struct udp {
    struct event_base *base;
    const struct log *log;
    struct udp_handler handler;
    /* For each address, for the IPv4 group, and one for each link for the
     * IPv6 group: such an address can be bound on one link only. */
    struct udp_socket sockets[UDP_SOCKETS_MAX + 1 + LINKS_MAX];
    size_t n;
    bool group6_wanted;
    uint32_t joined[LINKS_MAX]; /* links on which the IPv4 group was joined */
    struct addr source4[LINKS_MAX]; /* their first IPv4 addresses */
    size_t n_joined;
    struct outgoing out[BATCH];
    size_t n_out;
    struct udp_counters counters;
};

struct udp *udp_new(struct event_base *base, const struct log *log,
                    const struct udp_handler *handler)
{
    struct udp *u = calloc(1, sizeof *u);

    if (!u)
        return NULL;
    u->base = base;
    u->log = log;
    u->handler = *handler;
    return u;
}

static void close_socket(struct udp_socket *s)
{
    if (s->fd < 0)
        return;
    event_free(s->event);
    close(s->fd);
    s->fd = -1;
}

void udp_free(struct udp *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < u->n; i++)
        close_socket(&u->sockets[i]);
    free(u);
}

/* -- receiving ------------------------------------------------------------- */

/* What recvmmsg() needs for one batch. */
struct batch {
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_storage from[BATCH];
    uint8_t data[BATCH][BUFFER];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL];
};

static void batch_prepare(struct batch *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        struct msghdr *h = &b->msgs[i].msg_hdr;

        b->iov[i].iov_base = b->data[i];
        b->iov[i].iov_len = BUFFER;
        h->msg_name = &b->from[i];
        h->msg_namelen = sizeof b->from[i];
        h->msg_iov = &b->iov[i];
        h->msg_iovlen = 1;
        h->msg_control = b->control[i];
        h->msg_controllen = CONTROL;
        h->msg_flags = 0;
    }
}

static void read_control4(const struct cmsghdr *c, struct datagram *dg)
{
    if (c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        dg->to.family = 4;
        memcpy(dg->to.ip, &info.ipi_addr, 4);
        dg->ifindex = (uint32_t)info.ipi_ifindex;
    } else if (c->cmsg_type == IP_TTL) {
        int ttl;

        memcpy(&ttl, CMSG_DATA(c), sizeof ttl);
        dg->hops = (uint8_t)ttl;
    }
}

static void read_control6(const struct cmsghdr *c, struct datagram *dg)
{
    if (c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        dg->to.family = 6;
        memcpy(dg->to.ip, &info.ipi6_addr, 16);
        dg->ifindex = info.ipi6_ifindex;
        if (addr_is_link_local(&dg->to))
            dg->to.ifindex = dg->ifindex;
    } else if (c->cmsg_type == IPV6_HOPLIMIT) {
        int hops;

        memcpy(&hops, CMSG_DATA(c), sizeof hops);
        dg->hops = (uint8_t)hops;
    }
}

static void read_control(struct udp_socket *s, struct msghdr *h,
                         struct datagram *dg)
{
    struct cmsghdr *c;

    for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_IP) {
            read_control4(c, dg);
        } else if (c->cmsg_level == IPPROTO_IPV6) {
            read_control6(c, dg);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t dropped;

            memcpy(&dropped, CMSG_DATA(c), sizeof dropped);
            s->udp->counters.dropped += dropped - s->dropped;
            s->dropped = dropped;
        }
    }
}

static void deliver(struct udp_socket *s, struct mmsghdr *m,
                    const struct sockaddr_storage *from, const uint8_t *data)
{
    struct datagram dg = {.data = data, .len = m->msg_len};

    if (addr_from_sockaddr(&dg.from, (const struct sockaddr *)from) != KITH_OK)
        return;
    read_control(s, &m->msg_hdr, &dg);
    dg.to_group = s->group;
    dg.to.port = s->bound.port;
    s->udp->counters.received++;
    if (!dg.to_group || !addr_same_ip(&dg.from, &s->bound))
        s->udp->counters.heard = true;
    s->udp->handler.datagram(s->udp->handler.arg, &dg);
}

static bool is_error(const struct cmsghdr *c)
{
    return (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
           (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
}

/* The error queue tells whom an ICMP error is about. */
static void read_errors(struct udp_socket *s)
{
    _Alignas(struct cmsghdr) uint8_t control[CONTROL];
    struct sockaddr_storage to;
    uint8_t data[64];

    for (int i = 0; i < BATCH; i++) {
        struct iovec iov = {data, sizeof data};
        struct msghdr h = {.msg_name = &to,
                           .msg_namelen = sizeof to,
                           .msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof control};
        struct cmsghdr *c;
        struct addr a;

        if (recvmsg(s->fd, &h, MSG_ERRQUEUE) < 0)
            return;
        /* Others stand before it, as the options ask for them. */
        c = CMSG_FIRSTHDR(&h);
        while (c && !is_error(c))
            c = CMSG_NXTHDR(&h, c);
        if (c &&
            addr_from_sockaddr(&a, (const struct sockaddr *)&to) == KITH_OK) {
            struct sock_extended_err err;

            memcpy(&err, CMSG_DATA(c), sizeof err);
            if (err.ee_errno == ECONNREFUSED)
                s->udp->handler.refused(s->udp->handler.arg, &a);
        }
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct udp_socket *s = arg;
    struct batch *b = malloc(sizeof *b);
    int n = BATCH;

    (void)what;
    if (!b)
        return;
    for (int round = 0; round < ROUNDS && n == BATCH; round++) {
        batch_prepare(b);
        n = recvmmsg(fd, b->msgs, BATCH, MSG_DONTWAIT, NULL);
        s->udp->counters.syscalls_in++;
        if (n < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                read_errors(s);
            break;
        }
        for (int i = 0; i < n; i++)
            deliver(s, &b->msgs[i], &b->from[i], b->data[i]);
    }
    free(b);
    read_errors(s);
    udp_flush(s->udp);
}

/* -- sockets -------------------------------------------------------------- */

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

/* What all sockets of a family have in common. */
static int set_options(int fd, bool v6)
{
    int err = 0;

    if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_SIZE) != 0)
        set_int(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_SIZE);
    set_int(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (v6) {
        err |= set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        err |= set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        err |= set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
        err |= set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HOPS);
        set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
        set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
        set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    } else {
        err |= set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
        err |= set_int(fd, IPPROTO_IP, IP_RECVTTL, 1);
        err |= set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, HOPS);
        set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
        set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
        set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    }
    return err == 0 ? KITH_OK : KITH_ERR_IO;
}

/* A place for a socket; NULL when there is none. */
static struct udp_socket *free_place(struct udp *u)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->sockets[i].fd < 0)
            return &u->sockets[i];
    if (u->n == sizeof u->sockets / sizeof u->sockets[0])
        return NULL;
    u->sockets[u->n].fd = -1;
    return &u->sockets[u->n++];
}

static int add_socket(struct udp *u, const struct addr *a, bool group)
{
    struct udp_socket *s = free_place(u);
    struct sockaddr_storage sa;
    socklen_t len = addr_to_sockaddr(a, &sa);
    bool shared = group || addr_is_unspecified(a);
    int fd, saved;

    if (!s)
        return KITH_ERR_FULL;
    fd = socket(a->family == 6 ? AF_INET6 : AF_INET,
                SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return KITH_ERR_IO;
    /* The groups' port is the wildcard's, so those two must share it; that
     * nobody else has it is for the TCP socket to find out. */
    if ((shared && set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0) ||
        set_options(fd, a->family == 6) != KITH_OK ||
        bind(fd, (struct sockaddr *)&sa, len) != 0)
        goto fail;
    *s = (struct udp_socket){
        .udp = u, .fd = -1, .v6 = a->family == 6, .group = group, .bound = *a};
    s->event = event_new(u->base, fd, EV_READ | EV_PERSIST, on_readable, s);
    if (!s->event || event_add(s->event, NULL) != 0)
        goto fail;
    s->fd = fd;
    return KITH_OK;
fail:
    saved = errno;
    close(fd);
    errno = saved;
    return KITH_ERR_IO;
}

int udp_listen(struct udp *u, const struct addr *a)
{
    return u->n < UDP_SOCKETS_MAX ? add_socket(u, a, false) : KITH_ERR_FULL;
}

static bool has_family(const struct udp *u, bool v6)
{
    for (size_t i = 0; i < u->n; i++)
        if (!u->sockets[i].group && u->sockets[i].v6 == v6)
            return true;
    return false;
}

static void tell_no_group(const struct udp *u, int family)
{
    log_msg(u->log, LOG_LEVEL_WARN, "no multicast over IPv%d: error=\"%s\"",
            family, strerror(errno));
}

void udp_join(struct udp *u)
{
    struct addr a;

    u->group6_wanted = has_family(u, true); /* udp_links() opens them */
    if (has_family(u, false) &&
        text_addr_parse(&a, group4, PROTOCOL_PORT) == KITH_OK &&
        add_socket(u, &a, true) != KITH_OK)
        tell_no_group(u, 4);
}

static void membership4(struct udp *u, uint32_t ifindex, bool join)
{
    for (size_t i = 0; i < u->n; i++) {
        const struct udp_socket *s = &u->sockets[i];
        struct ip_mreqn mreq = {.imr_ifindex = (int)ifindex};

        if (s->fd < 0 || !s->group || s->v6)
            continue;
        memcpy(&mreq.imr_multiaddr, s->bound.ip, 4);
        setsockopt(s->fd, IPPROTO_IP,
                   join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &mreq,
                   sizeof mreq);
    }
}

/* The socket of the IPv6 group on a link, or NULL. */
static struct udp_socket *find_group6(struct udp *u, uint32_t ifindex)
{
    for (size_t i = 0; i < u->n; i++) {
        struct udp_socket *s = &u->sockets[i];

        if (s->fd >= 0 && s->group && s->v6 && s->bound.ifindex == ifindex)
            return s;
    }
    return NULL;
}

static void join6(struct udp *u, uint32_t ifindex)
{
    struct ipv6_mreq mreq = {.ipv6mr_interface = ifindex};
    struct udp_socket *s;
    struct addr a;

    if (!u->group6_wanted || find_group6(u, ifindex) ||
        text_addr_parse(&a, group6, PROTOCOL_PORT) != KITH_OK)
        return;
    a.ifindex = ifindex;
    if (add_socket(u, &a, true) != KITH_OK) {
        tell_no_group(u, 6);
        return;
    }
    s = find_group6(u, ifindex);
    memcpy(&mreq.ipv6mr_multiaddr, a.ip, 16);
    /* A link without IPv6 refuses this; it gets another try when its
     * addresses change. */
    if (setsockopt(s->fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &mreq,
                   sizeof mreq) != 0)
        close_socket(s);
}

static bool is_listed(const struct net_link *links, size_t n, uint32_t ifindex)
{
    for (size_t i = 0; i < n; i++)
        if (links[i].ifindex == ifindex)
            return true;
    return false;
}

static struct addr first4(const struct net_link *link)
{
    static const struct addr none = {.family = 0};

    for (size_t i = 0; i < link->n; i++)
        if (link->addrs[i].addr.family == 4)
            return link->addrs[i].addr;
    return none;
}

void udp_links(struct udp *u, const struct net_link *links, size_t n)
{
    /* Leaving a link that is gone fails, joining one twice does too: neither
     * matters. */
    for (size_t i = 0; i < u->n_joined; i++)
        membership4(u, u->joined[i], false);
    for (size_t i = 0; i < u->n; i++) {
        struct udp_socket *s = &u->sockets[i];

        if (s->group && s->v6 && !is_listed(links, n, s->bound.ifindex))
            close_socket(s);
    }
    u->n_joined = 0;
    for (size_t i = 0; i < n && u->n_joined < LINKS_MAX; i++) {
        membership4(u, links[i].ifindex, true);
        join6(u, links[i].ifindex);
        u->source4[u->n_joined] = first4(&links[i]);
        u->joined[u->n_joined++] = links[i].ifindex;
    }
}

/* -- sending -------------------------------------------------------------- */

/* The socket that is bound to the address to send from, or to all. */
static struct udp_socket *choose(struct udp *u, const struct addr *to,
                                 const struct addr *from)
{
    struct udp_socket *any = NULL;

    for (size_t i = 0; i < u->n; i++) {
        struct udp_socket *s = &u->sockets[i];

        if (s->group || s->v6 != (to->family == 6))
            continue;
        if (from->family != 0 && addr_same_ip(&s->bound, from))
            return s;
        if (!any || addr_is_unspecified(&s->bound))
            any = s;
    }
    return any;
}

static void queue(struct udp *u, struct udp_socket *s, const struct addr *to,
                  const struct addr *from, uint32_t ifindex,
                  const uint8_t *data, size_t len)
{
    struct outgoing *o;

    if (u->n_out == BATCH)
        udp_flush(u);
    o = &u->out[u->n_out++];
    o->socket = s;
    o->to = *to;
    /* Ancillary data would override the address that a socket is bound to. */
    o->from = addr_is_unspecified(&s->bound) ? *from : s->bound;
    o->ifindex = ifindex;
    o->len = len;
    memcpy(o->data, data, len);
}

void udp_send(struct udp *u, const struct addr *to, const struct addr *from,
              uint32_t ifindex, const uint8_t *data, size_t len)
{
    struct udp_socket *s = choose(u, to, from);
    struct addr source = *from;

    if (!s || len > DGRAM_MAX) {
        u->counters.unsent++;
        return;
    }
    if (addr_is_multicast(from))
        memset(&source, 0, sizeof source);
    queue(u, s, to, &source, addr_is_link_local(to) ? ifindex : 0, data, len);
}

void udp_beacon(struct udp *u, uint32_t ifindex, const uint8_t *data,
                size_t len)
{
    static const struct addr none = {.family = 0};
    struct addr source4 = none;

    /* Left alone, the kernel may take an address of another link's. */
    for (size_t i = 0; i < u->n_joined; i++)
        if (u->joined[i] == ifindex)
            source4 = u->source4[i];
    for (size_t i = 0; i < u->n; i++) {
        struct udp_socket *s = &u->sockets[i];
        struct addr to;

        if (s->group || text_addr_parse(&to, s->v6 ? group6 : group4,
                                        PROTOCOL_PORT) != KITH_OK)
            continue;
        queue(u, s, &to, s->v6 ? &none : &source4, ifindex, data, len);
    }
}

static size_t put_control(const struct outgoing *o, uint8_t *control)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;

    if (o->from.family == 0 && o->ifindex == 0)
        return 0;
    memset(control, 0, CONTROL);
    if (o->socket->v6) {
        struct in6_pktinfo info = {.ipi6_ifindex = o->ifindex};

        memcpy(&info.ipi6_addr, o->from.ip, 16);
        c->cmsg_level = IPPROTO_IPV6;
        c->cmsg_type = IPV6_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(c), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    struct in_pktinfo info = {.ipi_ifindex = (int)o->ifindex};

    memcpy(&info.ipi_spec_dst, o->from.ip, 4);
    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = IP_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(c), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

/* Sends o[0..n), all on one socket. A datagram that the kernel refuses is
 * passed over. */
static void send_batch(struct udp *u, struct outgoing *o, size_t n)
{
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    struct sockaddr_storage to[BATCH];
    _Alignas(struct cmsghdr) uint8_t control[BATCH][CONTROL];
    size_t done = 0;
    int retries = 0;

    memset(msgs, 0, sizeof msgs);
    for (size_t i = 0; i < n; i++) {
        struct msghdr *h = &msgs[i].msg_hdr;

        iov[i].iov_base = o[i].data;
        iov[i].iov_len = o[i].len;
        h->msg_name = &to[i];
        h->msg_namelen = addr_to_sockaddr(&o[i].to, &to[i]);
        h->msg_iov = &iov[i];
        h->msg_iovlen = 1;
        h->msg_controllen = put_control(&o[i], control[i]);
        h->msg_control = h->msg_controllen ? control[i] : NULL;
    }
    while (done < n) {
        int sent =
            sendmmsg(o->socket->fd, msgs + done, (unsigned)(n - done), 0);

        u->counters.syscalls_out++;
        if (sent <= 0) {
            /* An ICMP error about an earlier datagram ends a call, too; the
             * error queue keeps it for on_readable(). */
            if (sent < 0 && errno == ECONNREFUSED && retries++ < BATCH)
                continue;
            u->counters.unsent++;
            done++;
            continue;
        }
        u->counters.sent += (uint64_t)sent;
        done += (size_t)sent;
    }
}

void udp_flush(struct udp *u)
{
    size_t i = 0, n = u->n_out;

    u->n_out = 0;
    while (i < n) {
        size_t k = i + 1;

        while (k < n && u->out[k].socket == u->out[i].socket)
            k++;
        send_batch(u, u->out + i, k - i);
        i = k;
    }
}

void udp_counters(const struct udp *u, struct udp_counters *out)
{
    *out = u->counters;
}
