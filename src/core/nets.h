/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_NETS_H
#define KITH_CORE_NETS_H

#include "core/engine.h"
#include "core/limits.h"

/* The links of this machine, as its owner last told them. */
struct nets {
    struct net_link links[LINKS_MAX];
    size_t n;
};

/* Whether an address is on that link (ifindex), or on any (0). */
bool nets_on_link(const struct nets *, const struct addr *, uint32_t ifindex);

/* Whether it is one of our own addresses. */
bool nets_is_own(const struct nets *, const struct addr *);

/*
 * Whether an address that another node signed may be dialled: unicast, not
 * our own, port 16990 or `port` or at least 1024, loopback only if we use
 * the loopback link, link-local never.
 */
bool nets_may_dial(const struct nets *, const struct addr *, uint16_t port);

#endif
