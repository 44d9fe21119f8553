/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <netinet/in.h>

#include "base/error.h"

static size_t ip_len(uint8_t family)
{
    switch (family) {
    case 4:
        return 4;
    case 6:
        return 16;
    default:
        return 0;
    }
}

static bool is_fe80(const struct addr *a)
{
    return a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

void addr_normalise(struct addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    size_t len;

    if (a->family == 6 && memcmp(a->ip, mapped, sizeof mapped) == 0) {
        a->family = 4;
        memcpy(a->ip, a->ip + sizeof mapped, 4);
    }
    len = ip_len(a->family);
    if (len == 0)
        *a = (struct addr){0};
    memset(a->ip + len, 0, sizeof a->ip - len);
    if (!is_fe80(a))
        a->ifindex = 0;
    a->zero = 0;
}

static struct addr normal(const struct addr *a)
{
    struct addr n = *a;

    addr_normalise(&n);
    return n;
}

bool addr_is_unicast(const struct addr *a)
{
    struct addr n = normal(a);

    if (n.family == 4)
        return n.ip[0] >= 1 && n.ip[0] <= 223;
    return n.family == 6 && n.ip[0] != 0xff && !addr_is_unspecified(&n);
}

bool addr_is_loopback(const struct addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    struct addr n = normal(a);

    if (n.family == 4)
        return n.ip[0] == 127;
    return n.family == 6 && memcmp(n.ip, one, sizeof one) == 0;
}

bool addr_is_link_local(const struct addr *a)
{
    struct addr n = normal(a);

    if (n.family == 4)
        return n.ip[0] == 169 && n.ip[1] == 254;
    return is_fe80(&n);
}

bool addr_is_multicast(const struct addr *a)
{
    struct addr n = normal(a);

    if (n.family == 4)
        return (n.ip[0] & 0xf0) == 0xe0;
    return n.family == 6 && n.ip[0] == 0xff;
}

bool addr_is_unspecified(const struct addr *a)
{
    static const uint8_t zeros[16];
    struct addr n = normal(a);

    return n.family != 0 && memcmp(n.ip, zeros, sizeof zeros) == 0;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
    struct addr na = normal(a);
    struct addr nb = normal(b);

    na.port = 0;
    nb.port = 0;
    return na.family != 0 && addr_equal(&na, &nb);
}

bool addr_in_prefix(const struct addr *a, const struct addr *net,
                    unsigned prefix_len)
{
    struct addr n = normal(a);
    size_t whole = prefix_len / 8;
    uint8_t mask = (uint8_t)(0xff00U >> prefix_len % 8);

    if (n.family == 0 || n.family != net->family)
        return false;
    if (prefix_len > ip_len(n.family) * 8)
        return false;
    if (memcmp(n.ip, net->ip, whole) != 0)
        return false;
    return mask == 0 || ((n.ip[whole] ^ net->ip[whole]) & mask) == 0;
}

int addr_from_sockaddr(struct addr *out, const struct sockaddr *sa)
{
    struct addr a = {0};
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;

    switch (sa->sa_family) {
    case AF_INET:
        memcpy(&in4, sa, sizeof in4);
        a.family = 4;
        a.port = ntohs(in4.sin_port);
        memcpy(a.ip, &in4.sin_addr, 4);
        break;
    case AF_INET6:
        memcpy(&in6, sa, sizeof in6);
        a.family = 6;
        a.port = ntohs(in6.sin6_port);
        a.ifindex = in6.sin6_scope_id;
        memcpy(a.ip, &in6.sin6_addr, 16);
        break;
    default:
        return KITH_ERR_TYPE;
    }
    addr_normalise(&a);
    *out = a;
    return KITH_OK;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    memset(out, 0, sizeof *out);
    switch (a->family) {
    case 4:
        in4.sin_port = htons(a->port);
        memcpy(&in4.sin_addr, a->ip, 4);
        memcpy(out, &in4, sizeof in4);
        return sizeof in4;
    case 6:
        in6.sin6_port = htons(a->port);
        in6.sin6_scope_id = a->ifindex;
        memcpy(&in6.sin6_addr, a->ip, 16);
        memcpy(out, &in6, sizeof in6);
        return sizeof in6;
    default:
        return 0;
    }
}
