/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "trace.h"
#include "wire/limits.h"

enum {
    HOPS_UNICAST = 63,
    HOPS_MULTICAST = 255,
    RETRANSMIT_US = 200000, /* TCP's first, then doubled */
    RETRANSMITS_MAX = 5,
    IFINDEX = 1, /* every node has one link */
};

struct net_packet {
    struct world_event event;
    struct net *net;
    struct net_port *from, *to;
    bool refusal; /* no bytes: tells `to` that `from` refused */
    bool to_group;
    size_t len;
    struct net_packet *prev, *next;
    uint8_t bytes[]; /* len of them */
};

const struct net_options net_calm = {.delay_min_us = 200, .delay_max_us = 2000};

void net_init(struct net *net, struct world *world,
              const struct net_options *options)
{
    memset(net, 0, sizeof *net);
    net->world = world;
    net->options = *options;
}

static void packet_free(struct net_packet *p)
{
    DL_DELETE(p->net->packets, p);
    free(p);
}

void net_free(struct net *net)
{
    struct net_packet *p = net->packets;

    net->packets = NULL;
    while (p) {
        struct net_packet *next = p->next;

        world_cancel(net->world, &p->event);
        free(p);
        p = next;
    }
    HASH_CLEAR(hh, net->ports);
}

void net_add(struct net *net, struct net_port *port)
{
    assert(!net_find(net, &port->addr));
    HASH_ADD(hh, net->ports, addr, sizeof port->addr, port);
}

struct net_port *net_find(const struct net *net, const struct addr *addr)
{
    struct net_port *port;

    HASH_FIND(hh, net->ports, addr, sizeof *addr, port);
    return port;
}

static bool chance(struct net *net, unsigned of_1000)
{
    return of_1000 > 0 && prng_below(&net->world->prng, 1000) < of_1000;
}

static uint64_t delay_us(struct net *net)
{
    const struct net_options *o = &net->options;
    uint64_t us = o->delay_min_us;

    assert(o->delay_min_us <= o->delay_max_us);
    us += prng_below(&net->world->prng, o->delay_max_us - o->delay_min_us + 1u);
    if (chance(net, o->reorder))
        us += prng_below(&net->world->prng, o->reorder_us + 1u);
    return us;
}

static struct net_packet *packet_new(struct net *net, struct net_port *from,
                                     struct net_port *to, const uint8_t *bytes,
                                     size_t n);

/* Nobody listens there: the machine says so, if there is one. */
static void refuse(struct net *net, const struct net_packet *p)
{
    struct net_packet *refusal;

    if (p->to->silent || p->to_group || p->refusal)
        return;
    refusal = packet_new(net, p->to, p->from, NULL, 0);
    refusal->refusal = true;
    world_plan_us(net->world, &refusal->event, delay_us(net));
}

static bool passes(const struct net_packet *p)
{
    if (p->from == p->to)
        return true;
    return p->from->group == p->to->group && !p->from->udp_blocked &&
           !p->to->udp_blocked;
}

static void hand_over(struct net *net, const struct net_packet *p)
{
    struct datagram dg = {
        .data = p->bytes,
        .len = p->len,
        .from = p->from->addr,
        .to = p->to->addr,
        .ifindex = IFINDEX,
        .hops = p->to_group ? HOPS_MULTICAST : HOPS_UNICAST,
        .to_group = p->to_group,
    };

    if (p->to_group)
        memset(&dg.to, 0, sizeof dg.to);
    world_trace(net->world, p->refusal ? TRACE_REFUSED : TRACE_DATAGRAM,
                p->from->index, p->to->index, p->bytes, p->len);
    if (p->refusal)
        p->to->refused(p->to->arg, &p->from->addr);
    else
        p->to->datagram(p->to->arg, &dg);
}

static void arrive(void *arg)
{
    struct net_packet *p = arg;
    struct net *net = p->net;

    if (passes(p) && p->to->listening)
        hand_over(net, p);
    else if (passes(p))
        refuse(net, p);
    packet_free(p);
}

static struct net_packet *packet_new(struct net *net, struct net_port *from,
                                     struct net_port *to, const uint8_t *bytes,
                                     size_t n)
{
    struct net_packet *p = world_alloc(sizeof *p + n);

    p->event.run = arrive;
    p->event.arg = p;
    p->net = net;
    p->from = from;
    p->to = to;
    p->len = n;
    if (n > 0)
        memcpy(p->bytes, bytes, n);
    DL_APPEND(net->packets, p);
    return p;
}

static void launch(struct net *net, struct net_port *from, struct net_port *to,
                   bool to_group, const uint8_t *bytes, size_t n)
{
    unsigned copies = 1 + chance(net, net->options.duplicate);

    for (unsigned i = 0; i < copies; i++) {
        struct net_packet *p;

        if (from != to && chance(net, net->options.loss))
            continue;
        p = packet_new(net, from, to, bytes, n);
        p->to_group = to_group;
        world_plan_us(net->world, &p->event, delay_us(net));
    }
}

void net_send(struct net *net, struct net_port *from, const struct addr *to,
              const uint8_t *bytes, size_t n)
{
    struct net_port *port = net_find(net, to);

    assert(n <= DGRAM_MAX && "a larger one would be lost on the way");
    if (port)
        launch(net, from, port, false, bytes, n);
}

void net_multicast(struct net *net, struct net_port *from, const uint8_t *bytes,
                   size_t n)
{
    struct net_port *port, *next;

    HASH_ITER (hh, net->ports, port, next)
        if (port->lan == from->lan)
            launch(net, from, port, true, bytes, n);
}

bool net_connects(const struct net_port *a, const struct net_port *b)
{
    if (a == b)
        return true;
    return a->group == b->group && !a->tcp_blocked && !b->tcp_blocked;
}

uint64_t net_stream_us(struct net *net)
{
    uint64_t us = delay_us(net);

    for (unsigned i = 0; i < RETRANSMITS_MAX; i++) {
        if (!chance(net, net->options.loss))
            break;
        us += (uint64_t)RETRANSMIT_US << i;
    }
    return us;
}
