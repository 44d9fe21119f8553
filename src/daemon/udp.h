/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_UDP_H
#define KITH_DAEMON_UDP_H

#include "base/log.h"
#include "core/engine.h"

/*
 * The UDP port: one socket for each address that is listened on, and one for
 * each of the two multicast groups (protocol section 3). Datagrams leave with
 * "don't fragment", from the address that the engine says, in batches.
 */

struct event_base;
struct udp;

struct udp_handler {
    /* A datagram came; it is valid during the call. */
    void (*datagram)(void *arg, const struct datagram *);
    /* The system says that nobody listens at that address (ICMP). */
    void (*refused)(void *arg, const struct addr *);
    void *arg;
};

enum {
    UDP_SOCKETS_MAX = 16
};

/* Makes an instance without sockets. NULL when out of memory. */
struct udp *udp_new(struct event_base *base, const struct log *log,
                    const struct udp_handler *handler);
/* Closes everything. NULL is allowed. */
void udp_free(struct udp *);

/* Listens on an address with its port. Returns KITH_OK; KITH_ERR_IO, errno
 * tells; KITH_ERR_FULL. */
int udp_listen(struct udp *, const struct addr *);

/* Opens the sockets of the groups; what is not to be had is left out and
 * logged. */
void udp_join(struct udp *);

/* The links on which to be a member of the groups, in place of those from
 * before. */
void udp_links(struct udp *, const struct net_link *, size_t n);

/* Queues a datagram; udp_flush() sends it. from: family 0 for any. */
void udp_send(struct udp *, const struct addr *to, const struct addr *from,
              uint32_t ifindex, const uint8_t *, size_t len);
/* Sends to both groups on a link with hop limit 255, from our own port. */
void udp_beacon(struct udp *, uint32_t ifindex, const uint8_t *, size_t len);
/* Hands what is queued to the kernel. What it does not take is lost, as on
 * any network, and counted. */
void udp_flush(struct udp *);

struct udp_counters {
    uint64_t received, sent;
    uint64_t dropped; /* by the kernel: our buffer was full */
    uint64_t unsent;  /* the kernel did not take them */
    uint64_t syscalls_in, syscalls_out;
    bool heard; /* anything came from an address not our own */
};
void udp_counters(const struct udp *, struct udp_counters *);

#endif
