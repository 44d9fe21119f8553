/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/links.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/error.h"
#include "core/limits.h"

enum {
    NETLINK_ALIGN = 4
};

static_assert(LINK_NAME_SIZE == IFNAMSIZ, "kernel's length of a name");
static_assert((int)LINK_COUNT_MAX <= LINKS_MAX &&
                  (int)LINK_PUBLISH_MAX <= OWN_ADDRS_MAX,
              "what the engine takes");
static_assert(LINK_ADDRS_MAX == sizeof((struct net_link *)NULL)->addrs /
                                    sizeof(struct net_addr),
              "what the engine takes");

/* Links that lead nowhere where another machine would be, or only to where
 * other links lead too. A container's own eth0 is not among them. */
static const char *const left_out[] = {
    "lo",      "veth*",        "docker*",  "br-*",   "virbr*",     "vnet*",
    "cni*",    "cali*",        "cilium*",  "lxc*",   "flannel*",   "weave*",
    "kube-*",  "nodelocaldns", "podman*",  "lxdbr*", "vmnet*",     "vboxnet*",
    "tun*",    "tap*",         "wg*",      "zt*",    "tailscale*", "vxlan*",
    "geneve*", "gre*",         "erspan*",  "sit*",   "ip6tnl*",    "ip6gre*",
    "tunl*",   "ip_vti*",      "ip6_vti*", "ifb*",   "ovs-system",
};

/* One attribute of a message. Netlink is in host byte order: values are
 * copied into variables of their type. */
struct attr {
    unsigned type;
    struct cursor value;
};

/* Cuts the next n bytes off into *part, and passes over their padding. */
static int cut(struct cursor *c, size_t n, struct cursor *part)
{
    size_t padding = (NETLINK_ALIGN - n % NETLINK_ALIGN) % NETLINK_ALIGN;
    int err = cursor_sub(c, n, part);

    if (err != KITH_OK)
        return err;
    return cursor_skip(c, padding < c->left ? padding : c->left);
}

/* The next attribute; KITH_ERR_NOTFOUND at the end. */
static int attr_next(struct cursor *c, struct attr *a)
{
    struct cursor ahead = *c;
    struct rtattr head;

    if (c->left == 0)
        return KITH_ERR_NOTFOUND;
    if (cursor_copy(&ahead, &head, sizeof head) != KITH_OK ||
        head.rta_len < sizeof head ||
        cut(c, head.rta_len, &a->value) != KITH_OK)
        return KITH_ERR_TRUNCATED;
    a->type = head.rta_type & (unsigned)NLA_TYPE_MASK;
    return cursor_skip(&a->value, sizeof head);
}

bool links_name_chosen(const struct links_choice *choice, const char *name)
{
    for (size_t i = 0; i < choice->n_patterns; i++)
        if (fnmatch(choice->patterns[i], name, 0) == 0)
            return true;
    if (choice->n_patterns > 0)
        return false;
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++)
        if (fnmatch(left_out[i], name, 0) == 0)
            return false;
    return true;
}

/* Where a link of this index is, or belongs. */
static size_t table_place(const struct link_table *table, uint32_t ifindex)
{
    size_t i = 0;

    while (i < table->n && table->links[i].ifindex < ifindex)
        i++;
    return i;
}

static struct link *table_find(struct link_table *table, uint32_t ifindex)
{
    size_t i = table_place(table, ifindex);

    if (i == table->n || table->links[i].ifindex != ifindex)
        return NULL;
    return &table->links[i];
}

/* Does nothing when there is no such link. */
static void table_remove(struct link_table *table, uint32_t ifindex,
                         unsigned *seen)
{
    size_t i = table_place(table, ifindex);

    if (i == table->n || table->links[i].ifindex != ifindex)
        return;
    /* One that had no room before may have it now. */
    if (table->n == LINK_COUNT_MAX)
        *seen |= LINKS_SEEN_STALE;
    table->n--;
    memmove(&table->links[i], &table->links[i + 1],
            (table->n - i) * sizeof table->links[0]);
    memset(&table->links[table->n], 0, sizeof table->links[0]);
}

/* NULL when the table is full. */
static struct link *table_insert(struct link_table *table, uint32_t ifindex)
{
    size_t i = table_place(table, ifindex);

    if (table->n == LINK_COUNT_MAX)
        return NULL;
    memmove(&table->links[i + 1], &table->links[i],
            (table->n - i) * sizeof table->links[0]);
    table->n++;
    memset(&table->links[i], 0, sizeof table->links[0]);
    table->links[i].ifindex = ifindex;
    return &table->links[i];
}

/* A name of 1 to 15 bytes with its final zero. */
static bool name_read(const struct attr *a, char name[LINK_NAME_SIZE])
{
    size_t len = a->value.left;
    const uint8_t *end = len == 0 ? NULL : memchr(a->value.p, 0, len);

    if (end == NULL || end == a->value.p || end - a->value.p >= LINK_NAME_SIZE)
        return false;
    memset(name, 0, LINK_NAME_SIZE);
    memcpy(name, a->value.p, (size_t)(end - a->value.p));
    return true;
}

static int link_put(struct link_table *table, const struct links_choice *choice,
                    bool dumping, const struct ifinfomsg *info,
                    struct cursor attrs, unsigned *seen)
{
    char name[LINK_NAME_SIZE] = "";
    uint32_t ifindex = (uint32_t)info->ifi_index;
    bool loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
    struct attr a;
    int err;

    while ((err = attr_next(&attrs, &a)) == KITH_OK)
        if (a.type == IFLA_IFNAME && !name_read(&a, name))
            return KITH_ERR_FORMAT;
    if (err != KITH_ERR_NOTFOUND)
        return err;
    if (name[0] == '\0')
        return KITH_ERR_FORMAT;
    if (!(loopback && choice->loopback) && !links_name_chosen(choice, name)) {
        table_remove(table, ifindex, seen);
        return KITH_OK;
    }

    struct link *l = table_find(table, ifindex);
    if (l == NULL) {
        l = table_insert(table, ifindex);
        if (l == NULL)
            return KITH_OK;
        /* It may just have got a better name, and its addresses are known
         * to the kernel only. */
        if (!dumping)
            *seen |= LINKS_SEEN_STALE;
    }
    memcpy(l->name, name, sizeof l->name);
    l->up =
        (info->ifi_flags & IFF_UP) != 0 && (info->ifi_flags & IFF_RUNNING) != 0;
    l->loopback = loopback;
    l->multicast = (info->ifi_flags & IFF_MULTICAST) != 0;
    l->pointtopoint = (info->ifi_flags & IFF_POINTOPOINT) != 0;
    return KITH_OK;
}

/* RTM_NEWLINK and RTM_DELLINK. */
static int link_message(struct link_table *table,
                        const struct links_choice *choice, bool dumping,
                        unsigned type, struct cursor body, unsigned *seen)
{
    struct ifinfomsg info;

    if (cursor_copy(&body, &info, sizeof info) != KITH_OK)
        return KITH_ERR_TRUNCATED;
    /* A bridge's news of its ports: "deleted" then means "left the bridge". */
    if (info.ifi_family != AF_UNSPEC)
        return KITH_OK;
    if (info.ifi_index <= 0)
        return KITH_ERR_FORMAT;
    if (type == RTM_NEWLINK)
        return link_put(table, choice, dumping, &info, body, seen);
    table_remove(table, (uint32_t)info.ifi_index, seen);
    return KITH_OK;
}

/* Reads the attributes of an address into `out`, zeroed by the caller. The
 * own address of a point-to-point link is IFA_LOCAL, the other end's is
 * IFA_ADDRESS; elsewhere IPv6 has no IFA_LOCAL. */
static int addr_read(const struct ifaddrmsg *info, struct cursor attrs,
                     struct link_addr *out)
{
    size_t ip_len = info->ifa_family == AF_INET ? 4 : 16;
    uint32_t flags = info->ifa_flags;
    bool local = false;
    struct attr a;
    int err;

    while ((err = attr_next(&attrs, &a)) == KITH_OK) {
        if (a.type == IFA_FLAGS &&
            cursor_copy(&a.value, &flags, sizeof flags) != KITH_OK)
            return KITH_ERR_FORMAT;
        if (a.type != IFA_LOCAL && (a.type != IFA_ADDRESS || local))
            continue;
        if (a.value.left != ip_len)
            return KITH_ERR_FORMAT;
        memcpy(out->addr.ip, a.value.p, ip_len);
        local = a.type == IFA_LOCAL;
    }
    if (err != KITH_ERR_NOTFOUND)
        return err;

    out->addr.family = info->ifa_family == AF_INET ? 4 : 6;
    out->prefix_len = info->ifa_prefixlen;
    out->addr.ifindex = info->ifa_index;
    addr_normalise(&out->addr);
    out->link_local = addr_is_link_local(&out->addr);
    /* The same bit says "secondary" in IPv4. */
    out->temporary =
        info->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY) != 0;
    out->deprecated = (flags & IFA_F_DEPRECATED) != 0;
    out->tentative = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0;
    return KITH_OK;
}

static int addr_order(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->ip, b->ip, sizeof a->ip);
}

static void addr_put(struct link *l, const struct link_addr *a)
{
    size_t i = 0;

    while (i < l->n_addrs && addr_order(&l->addrs[i].addr, &a->addr) < 0)
        i++;
    if (i == l->n_addrs || !addr_equal(&l->addrs[i].addr, &a->addr)) {
        if (l->n_addrs == LINK_ADDRS_MAX)
            return;
        memmove(&l->addrs[i + 1], &l->addrs[i],
                (l->n_addrs - i) * sizeof l->addrs[0]);
        l->n_addrs++;
    }
    l->addrs[i] = *a;
}

static void addr_remove(struct link *l, const struct addr *a)
{
    size_t i = 0;

    while (i < l->n_addrs && !addr_equal(&l->addrs[i].addr, a))
        i++;
    if (i == l->n_addrs)
        return;
    l->n_addrs--;
    memmove(&l->addrs[i], &l->addrs[i + 1],
            (l->n_addrs - i) * sizeof l->addrs[0]);
    memset(&l->addrs[l->n_addrs], 0, sizeof l->addrs[0]);
}

/* RTM_NEWADDR and RTM_DELADDR. */
static int addr_message(struct link_table *table, unsigned type,
                        struct cursor body, unsigned *seen)
{
    struct ifaddrmsg info;
    struct link_addr a;

    if (cursor_copy(&body, &info, sizeof info) != KITH_OK)
        return KITH_ERR_TRUNCATED;
    if (info.ifa_family != AF_INET && info.ifa_family != AF_INET6)
        return KITH_OK;
    struct link *l = table_find(table, info.ifa_index);
    if (l == NULL)
        return KITH_OK;
    memset(&a, 0, sizeof a);
    int err = addr_read(&info, body, &a);
    if (err != KITH_OK)
        return err;
    if (!addr_is_unicast(&a.addr))
        return KITH_OK;
    if (type == RTM_NEWADDR) {
        addr_put(l, &a);
        return KITH_OK;
    }
    /* One that had no room before may have it now. */
    if (l->n_addrs == LINK_ADDRS_MAX)
        *seen |= LINKS_SEEN_STALE;
    addr_remove(l, &a.addr);
    return KITH_OK;
}

static int error_message(struct cursor body, bool dumping)
{
    int32_t code;

    if (cursor_copy(&body, &code, sizeof code) != KITH_OK)
        return KITH_ERR_TRUNCATED;
    if (code == 0 || !dumping)
        return KITH_OK;
    errno = code < 0 && code > -4096 ? -code : EPROTO;
    return KITH_ERR_IO;
}

static int message(struct link_table *table, const struct links_choice *choice,
                   const struct nlmsghdr *head, bool dumping,
                   struct cursor body, unsigned *seen)
{
    if (dumping && (head->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
        *seen |= LINKS_SEEN_STALE;
    switch (head->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return link_message(table, choice, dumping, head->nlmsg_type, body,
                            seen);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return addr_message(table, head->nlmsg_type, body, seen);
    case NLMSG_DONE:
        if (dumping)
            *seen |= LINKS_SEEN_DONE;
        return KITH_OK;
    case NLMSG_ERROR:
        return error_message(body, dumping);
    case NLMSG_OVERRUN:
        *seen |= LINKS_SEEN_STALE;
        return KITH_OK;
    default:
        return KITH_OK;
    }
}

int links_parse(struct link_table *table, const struct links_choice *choice,
                uint32_t dump_seq, const uint8_t *buf, size_t len,
                unsigned *seen)
{
    struct cursor rest, body;
    struct nlmsghdr head;

    cursor_init(&rest, buf, len);
    while (rest.left > 0) {
        struct cursor ahead = rest;
        if (cursor_copy(&ahead, &head, sizeof head) != KITH_OK ||
            head.nlmsg_len < sizeof head ||
            cut(&rest, head.nlmsg_len, &body) != KITH_OK ||
            cursor_skip(&body, sizeof head) != KITH_OK)
            return KITH_ERR_TRUNCATED;

        bool dumping = dump_seq != 0 && head.nlmsg_seq == dump_seq;
        int err = message(table, choice, &head, dumping, body, seen);
        if (err != KITH_OK)
            return err;
    }
    return KITH_OK;
}

bool links_suitable(const struct link *l)
{
    if (!l->up)
        return false;
    for (size_t i = 0; i < l->n_addrs; i++)
        if (!l->addrs[i].tentative)
            return true;
    return false;
}

size_t links_pick(const struct link_table *table, struct link *out)
{
    size_t n = 0;

    memset(out, 0, LINK_COUNT_MAX * sizeof out[0]);
    for (size_t i = 0; i < table->n; i++)
        if (links_suitable(&table->links[i]))
            out[n++] = table->links[i];
    return n;
}

static bool link_addr_equal(const struct link_addr *a,
                            const struct link_addr *b)
{
    return addr_equal(&a->addr, &b->addr) && a->prefix_len == b->prefix_len &&
           a->link_local == b->link_local && a->temporary == b->temporary &&
           a->deprecated == b->deprecated && a->tentative == b->tentative;
}

static bool link_equal(const struct link *a, const struct link *b)
{
    if (a->ifindex != b->ifindex || strcmp(a->name, b->name) != 0 ||
        a->up != b->up || a->loopback != b->loopback ||
        a->multicast != b->multicast || a->pointtopoint != b->pointtopoint ||
        a->n_addrs != b->n_addrs)
        return false;
    for (size_t i = 0; i < a->n_addrs; i++)
        if (!link_addr_equal(&a->addrs[i], &b->addrs[i]))
            return false;
    return true;
}

bool links_equal(const struct link *a, size_t n_a, const struct link *b,
                 size_t n_b)
{
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++)
        if (!link_equal(&a[i], &b[i]))
            return false;
    return true;
}

static bool listened(const struct addr *a, const struct addr *listen,
                     size_t n_listen)
{
    for (size_t i = 0; i < n_listen; i++)
        if (addr_same_ip(&listen[i], a) ||
            (listen[i].family == a->family && addr_is_unspecified(&listen[i])))
            return true;
    return n_listen == 0;
}

static void net_add(struct net_link *net, const struct addr *a,
                    uint8_t prefix_len, bool publish)
{
    if (net->n == LINK_ADDRS_MAX)
        return;
    net->addrs[net->n] = (struct net_addr){*a, prefix_len, publish};
    net->addrs[net->n].addr.port = 0;
    net->n++;
}

/* Adds the addresses of 127.0.0.0/8 that are listened on to lo. */
static void net_add_listened(struct net_link *lo, const struct addr *listen,
                             size_t n_listen, bool publish)
{
    for (size_t i = 0; i < n_listen; i++) {
        bool known = listen[i].family != 4 || !addr_is_loopback(&listen[i]);
        for (size_t j = 0; j < lo->n && !known; j++)
            known = addr_same_ip(&lo->addrs[j].addr, &listen[i]);
        if (!known)
            net_add(lo, &listen[i], 8, publish);
    }
}

/* The addresses that are told, in the order of choice. */
struct published {
    struct net_addr *addrs[LINK_PUBLISH_MAX];
    size_t n;
};

static void published_add(struct published *p, struct net_addr *a)
{
    for (size_t i = 0; i < p->n; i++)
        if (addr_same_ip(&p->addrs[i]->addr, &a->addr))
            return;
    if (p->n < LINK_PUBLISH_MAX)
        p->addrs[p->n++] = a;
}

/* Chooses from those of one link that are marked: the first one of each
 * family, or all. */
static void published_add_net(struct published *p, struct net_link *net,
                              bool first)
{
    bool had[2] = {false, false}; /* IPv4, IPv6 */

    for (size_t i = 0; i < net->n; i++) {
        struct net_addr *a = &net->addrs[i];
        bool *family = &had[a->addr.family == 6];
        if (a->publish && !(first && *family)) {
            published_add(p, a);
            *family = true;
        }
    }
}

/* Unmarks what is too much. */
static void published_limit(struct net_link *nets, size_t n)
{
    struct published p = {0};

    for (size_t i = 0; i < n; i++)
        published_add_net(&p, &nets[i], true);
    for (size_t i = 0; i < n; i++)
        published_add_net(&p, &nets[i], false);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < nets[i].n; j++)
            nets[i].addrs[j].publish = false;
    for (size_t i = 0; i < p.n; i++)
        p.addrs[i]->publish = true;
}

void links_nets(const struct link *links, size_t n, const struct addr *listen,
                size_t n_listen, bool loopback, struct net_link *out)
{
    bool lo_done = false;

    for (size_t i = 0; i < n; i++) {
        const struct link *l = &links[i];
        memset(&out[i], 0, sizeof out[i]);
        out[i].ifindex = l->ifindex;
        out[i].loopback = l->loopback;
        for (size_t j = 0; j < l->n_addrs; j++) {
            const struct link_addr *a = &l->addrs[j];
            bool publish = !a->link_local && !a->temporary && !a->deprecated &&
                           (loopback || !addr_is_loopback(&a->addr)) &&
                           listened(&a->addr, listen, n_listen);
            if (!a->tentative)
                net_add(&out[i], &a->addr, a->prefix_len, publish);
        }
        if (l->loopback && !lo_done) {
            net_add_listened(&out[i], listen, n_listen, loopback);
            lo_done = true;
        }
    }
    published_limit(out, n);
}
