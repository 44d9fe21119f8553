/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_NET_H
#define KITH_SIM_NET_H

#include <uthash.h>

#include "core/engine.h"
#include "world.h"

/*
 * The network between the nodes: LANs that are joined by routers, with
 * multicast inside each. Datagrams are late, lost, doubled, overtake each
 * other, or do not get through at all.
 */

struct net_options {
    uint32_t delay_min_us; /* one way; uniform, so datagrams overtake */
    uint32_t delay_max_us;
    unsigned loss;      /* of 1,000 datagrams, each way */
    unsigned duplicate; /* of 1,000 */
    unsigned reorder;   /* of 1,000: come later by up to ... */
    uint32_t reorder_us;
};

/* A network on a good day: 0.2 to 2 ms, and nothing is lost. */
extern const struct net_options net_calm;

/* Where a node is attached. Its owner fills it in; net_add() knows it from
 * then on, and it may not move. */
struct net_port {
    struct addr addr;
    uint32_t index; /* for the trace */
    unsigned lan;
    unsigned group;   /* of a partition: only equal ones reach each other */
    bool listening;   /* the agent runs */
    bool silent;      /* the whole machine is off, so nobody says "refused" */
    bool udp_blocked; /* datagrams from and to other machines */
    bool tcp_blocked;
    void (*datagram)(void *arg, const struct datagram *);
    void (*refused)(void *arg, const struct addr *); /* ICMP */
    void *arg;
    UT_hash_handle hh; /* by address */
};

struct net_packet; /* under way */

struct net {
    struct world *world;
    struct net_options options;
    struct net_port *ports;
    struct net_packet *packets;
};

void net_init(struct net *net, struct world *world,
              const struct net_options *options);
/* Drops what is under way; the ports stay their owners'. */
void net_free(struct net *net);

void net_add(struct net *net, struct net_port *port);
/* Who has that address; NULL: nobody. */
struct net_port *net_find(const struct net *net, const struct addr *addr);

/* Sends n bytes, at most DGRAM_MAX, which are copied. */
void net_send(struct net *net, struct net_port *from, const struct addr *to,
              const uint8_t *bytes, size_t n);
/* To everybody on the LAN, the sender included. */
void net_multicast(struct net *net, struct net_port *from, const uint8_t *bytes,
                   size_t n);

/* Whether a connection between the two would work. */
bool net_connects(const struct net_port *a, const struct net_port *b);
/* How long something takes one way over a connection, in microseconds: what
 * gets lost there is sent again. */
uint64_t net_stream_us(struct net *net);

#endif
