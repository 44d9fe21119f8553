/* SPDX-License-Identifier: Apache-2.0 */
#include "core/nets.h"

#include "base/addr.h"

bool nets_on_link(const struct nets *nets, const struct addr *a,
                  uint32_t ifindex)
{
    for (size_t i = 0; i < nets->n; i++) {
        const struct net_link *link = &nets->links[i];

        if (ifindex != 0 && link->ifindex != ifindex)
            continue;
        for (size_t j = 0; j < link->n; j++)
            if (addr_in_prefix(a, &link->addrs[j].addr,
                               link->addrs[j].prefix_len))
                return true;
    }
    /* A link-local address names its link itself. */
    return a->family == 6 && addr_is_link_local(a) && ifindex != 0 &&
           a->ifindex == ifindex;
}

bool nets_is_own(const struct nets *nets, const struct addr *a)
{
    for (size_t i = 0; i < nets->n; i++)
        for (size_t j = 0; j < nets->links[i].n; j++)
            if (addr_same_ip(a, &nets->links[i].addrs[j].addr))
                return true;
    return false;
}

static bool nets_use_loopback(const struct nets *nets)
{
    for (size_t i = 0; i < nets->n; i++)
        if (nets->links[i].loopback)
            return true;
    return false;
}

bool nets_may_dial(const struct nets *nets, const struct addr *a, uint16_t port)
{
    if (!addr_is_unicast(a) || a->port == 0)
        return false;
    if (a->port != PROTOCOL_PORT && a->port != port && a->port < 1024)
        return false;
    if (addr_is_link_local(a))
        return false;
    if (addr_is_loopback(a) && !nets_use_loopback(nets))
        return false;
    return !nets_is_own(nets, a) || a->port != port;
}
