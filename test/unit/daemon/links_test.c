/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <net/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/error.h"
#include "base/text.h"
#include "daemon/links.h"

enum {
    SEQ = 7,
    ETH_FLAGS = IFF_UP | IFF_RUNNING | IFF_MULTICAST | IFF_BROADCAST,
    LO_FLAGS = IFF_UP | IFF_RUNNING | IFF_LOOPBACK,
};

/* A table, and the messages that are put together for it. */
struct fixture {
    struct link_table table;
    struct links_choice choice;
    struct link picked[LINK_COUNT_MAX];
    uint8_t buf[65536];
    size_t len;
    size_t start; /* of the message that is being written */
    unsigned seen;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void bytes(struct fixture *f, const void *data, size_t len)
{
    assert_true(len <= sizeof f->buf - f->len);
    memcpy(f->buf + f->len, data, len);
    f->len += len;
}

static void pad(struct fixture *f)
{
    while (f->len % 4 != 0)
        bytes(f, "", 1);
}

static void begin(struct fixture *f, uint16_t type, uint32_t seq)
{
    struct nlmsghdr head = {.nlmsg_type = type, .nlmsg_seq = seq};

    f->start = f->len;
    bytes(f, &head, sizeof head);
}

static void end(struct fixture *f)
{
    uint32_t len = (uint32_t)(f->len - f->start);

    memcpy(f->buf + f->start, &len, sizeof len);
    pad(f);
}

static void attr(struct fixture *f, uint16_t type, const void *data, size_t len)
{
    struct rtattr head = {.rta_type = type,
                          .rta_len = (uint16_t)(sizeof head + len)};

    pad(f);
    bytes(f, &head, sizeof head);
    bytes(f, data, len);
}

static void link_msg(struct fixture *f, uint16_t type, uint32_t seq, int index,
                     const char *name, unsigned flags)
{
    struct ifinfomsg info = {.ifi_index = index, .ifi_flags = flags};
    uint32_t mtu = 1500;

    begin(f, type, seq);
    bytes(f, &info, sizeof info);
    attr(f, IFLA_MTU, &mtu, sizeof mtu);
    if (name != NULL)
        attr(f, IFLA_IFNAME, name, strlen(name) + 1);
    end(f);
}

/* flags above 8 bits go into their attribute only, as the kernel does it. */
static void addr_msg(struct fixture *f, uint16_t type, uint32_t index,
                     const char *ip, uint32_t flags)
{
    struct addr a;

    assert_int_equal(text_addr_parse(&a, ip, 0), KITH_OK);
    struct ifaddrmsg info = {.ifa_family = a.family == 4 ? AF_INET : AF_INET6,
                             .ifa_prefixlen = a.family == 4 ? 24 : 64,
                             .ifa_flags = (uint8_t)flags,
                             .ifa_index = index};
    begin(f, type, 0);
    bytes(f, &info, sizeof info);
    attr(f, IFA_ADDRESS, a.ip, a.family == 4 ? 4 : 16);
    if (a.family == 4)
        attr(f, IFA_LOCAL, a.ip, 4);
    attr(f, IFA_FLAGS, &flags, sizeof flags);
    end(f);
}

/* Parses what was put together, and starts anew. */
static int parse(struct fixture *f, uint32_t seq)
{
    f->seen = 0;
    int err = links_parse(&f->table, &f->choice, seq, f->buf, f->len, &f->seen);
    f->len = 0;
    return err;
}

static void eth0(struct fixture *f)
{
    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    addr_msg(f, RTM_NEWADDR, 2, "192.0.2.7", IFA_F_PERMANENT);
    assert_int_equal(parse(f, SEQ), KITH_OK);
}

static void test_link_and_addresses(void **state)
{
    struct fixture *f = *state;

    link_msg(f, RTM_NEWLINK, SEQ, 3, "eth1", IFF_UP | IFF_POINTOPOINT);
    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::7", IFA_F_PERMANENT);
    addr_msg(f, RTM_NEWADDR, 2, "192.0.2.7", IFA_F_PERMANENT);
    addr_msg(f, RTM_NEWADDR, 2, "fe80::7%2", IFA_F_PERMANENT);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->seen, 0);

    assert_int_equal(f->table.n, 2);
    const struct link *l = &f->table.links[0];
    assert_int_equal(l->ifindex, 2);
    assert_string_equal(l->name, "eth0");
    assert_true(l->up && l->multicast && !l->loopback && !l->pointtopoint);
    assert_int_equal(l->n_addrs, 3);
    assert_int_equal(l->addrs[0].addr.family, 4);
    assert_int_equal(l->addrs[0].prefix_len, 24);
    assert_false(l->addrs[0].link_local);
    assert_int_equal(l->addrs[1].addr.family, 6);
    assert_int_equal(l->addrs[1].addr.ifindex, 0);
    assert_true(l->addrs[2].link_local);
    assert_int_equal(l->addrs[2].addr.ifindex, 2);
    assert_true(links_suitable(l));

    l = &f->table.links[1];
    assert_true(l->pointtopoint && !l->up); /* no carrier */
    assert_false(links_suitable(l));
}

static void test_address_flags(void **state)
{
    struct fixture *f = *state;

    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    addr_msg(f, RTM_NEWADDR, 2, "192.0.2.7", IFA_F_SECONDARY);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::1", IFA_F_TEMPORARY);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::2", IFA_F_DEPRECATED);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::3", IFA_F_TENTATIVE);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::4", IFA_F_DADFAILED);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::5", IFA_F_STABLE_PRIVACY);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    const struct link_addr *a = f->table.links[0].addrs;
    assert_false(a[0].temporary); /* in IPv4 the bit means "secondary" */
    assert_true(a[1].temporary);
    assert_true(a[2].deprecated && !a[2].temporary);
    assert_true(a[3].tentative);
    assert_true(a[4].tentative);
    assert_false(a[5].temporary || a[5].deprecated || a[5].tentative);

    /* duplicate detection is over: the same address, told again */
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::3", IFA_F_PERMANENT);
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->table.links[0].n_addrs, 6);
    assert_false(a[3].tentative);
}

static void test_tentative_alone_is_not_suitable(void **state)
{
    struct fixture *f = *state;

    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    addr_msg(f, RTM_NEWADDR, 2, "fe80::1%2", IFA_F_TENTATIVE);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_false(links_suitable(&f->table.links[0]));
    addr_msg(f, RTM_NEWADDR, 2, "fe80::1%2", 0);
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_true(links_suitable(&f->table.links[0]));
}

static void test_point_to_point_local(void **state)
{
    struct fixture *f = *state;
    struct ifaddrmsg info = {.ifa_family = AF_INET, .ifa_index = 2};

    link_msg(f, RTM_NEWLINK, SEQ, 2, "ppp0", ETH_FLAGS);
    begin(f, RTM_NEWADDR, SEQ);
    bytes(f, &info, sizeof info);
    attr(f, IFA_LOCAL, "\x0a\x00\x00\x01", 4);
    attr(f, IFA_ADDRESS, "\x0a\x00\x00\x02", 4); /* the other end */
    end(f);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.links[0].n_addrs, 1);
    assert_memory_equal(f->table.links[0].addrs[0].addr.ip, "\x0a\0\0\1", 4);
}

static void test_removal(void **state)
{
    struct fixture *f = *state;

    eth0(f);
    addr_msg(f, RTM_DELADDR, 2, "192.0.2.9", 0); /* not there */
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->table.links[0].n_addrs, 1);
    addr_msg(f, RTM_DELADDR, 2, "192.0.2.7", 0);
    addr_msg(f, RTM_DELADDR, 9, "192.0.2.7", 0); /* no such link */
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->table.links[0].n_addrs, 0);
    link_msg(f, RTM_DELLINK, 0, 2, "eth0", 0);
    link_msg(f, RTM_DELLINK, 0, 2, "eth0", 0);
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->table.n, 0);
}

static void test_leaving_a_bridge_is_no_removal(void **state)
{
    struct fixture *f = *state;
    struct ifinfomsg info = {.ifi_family = AF_BRIDGE, .ifi_index = 2};

    eth0(f);
    begin(f, RTM_DELLINK, 0);
    bytes(f, &info, sizeof info);
    attr(f, IFLA_IFNAME, "eth0", 5);
    end(f);
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->table.n, 1);
}

static void test_rename(void **state)
{
    struct fixture *f = *state;

    eth0(f);
    link_msg(f, RTM_NEWLINK, 0, 2, "veth0", ETH_FLAGS);
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->table.n, 0);
    assert_int_equal(f->seen, 0);
    /* back again: its addresses are not known any more */
    link_msg(f, RTM_NEWLINK, 0, 2, "lan", ETH_FLAGS);
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->table.n, 1);
    assert_int_equal(f->seen, LINKS_SEEN_STALE);
}

static void test_names(void **state)
{
    static const char *const in[] = {"eth0",    "enp3s0", "wlan0", "bond0",
                                     "ppp0",    "br0",    "end0",  "eth0.100",
                                     "bridge0", "vlan7",  "usb0",  "wwan0"};
    static const char *const out[] = {
        "lo",   "veth12ab",  "docker0",    "br-12ab", "virbr0",
        "cni0", "flannel.1", "cali12",     "tun0",    "tap3",
        "wg0",  "ztabc",     "tailscale0", "vnet5"};
    struct links_choice choice = {0};

    (void)state;
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
        assert_true(links_name_chosen(&choice, in[i]));
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
        assert_false(links_name_chosen(&choice, out[i]));

    choice.n_patterns = 2;
    snprintf(choice.patterns[0], LINK_PATTERN_SIZE, "wg[0-3]");
    snprintf(choice.patterns[1], LINK_PATTERN_SIZE, "eth*");
    assert_true(links_name_chosen(&choice, "wg3"));
    assert_false(links_name_chosen(&choice, "wg4"));
    assert_true(links_name_chosen(&choice, "eth7"));
    assert_false(links_name_chosen(&choice, "enp3s0"));
}

static void test_loopback_choice(void **state)
{
    struct fixture *f = *state;

    link_msg(f, RTM_NEWLINK, SEQ, 1, "lo", LO_FLAGS);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.n, 0);

    f->choice.loopback = true;
    link_msg(f, RTM_NEWLINK, SEQ, 1, "lo", LO_FLAGS);
    addr_msg(f, RTM_NEWADDR, 1, "127.0.0.1", IFA_F_PERMANENT);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.n, 1);
    assert_true(f->table.links[0].loopback);
    assert_true(links_suitable(&f->table.links[0]));
    assert_int_equal(f->table.links[0].addrs[0].addr.ifindex, 0);

    /* beside a list of patterns as well, and by a pattern alone */
    memset(&f->table, 0, sizeof f->table);
    f->choice.n_patterns = 1;
    snprintf(f->choice.patterns[0], LINK_PATTERN_SIZE, "eth0");
    link_msg(f, RTM_NEWLINK, SEQ, 1, "lo", LO_FLAGS);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.n, 1);
    f->choice.loopback = false;
    snprintf(f->choice.patterns[0], LINK_PATTERN_SIZE, "lo");
    link_msg(f, RTM_NEWLINK, SEQ, 1, "lo", LO_FLAGS);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.n, 1);
}

static void test_not_unicast(void **state)
{
    struct fixture *f = *state;

    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    addr_msg(f, RTM_NEWADDR, 2, "0.0.0.0", 0);
    addr_msg(f, RTM_NEWADDR, 2, "224.0.0.1", 0);
    addr_msg(f, RTM_NEWADDR, 2, "ff02::1", 0);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.links[0].n_addrs, 0);
}

static void test_dump_marks(void **state)
{
    struct fixture *f = *state;
    int32_t zero = 0, refused = -1;
    struct nlmsghdr interrupted = {.nlmsg_len = sizeof interrupted,
                                   .nlmsg_type = NLMSG_NOOP,
                                   .nlmsg_flags = NLM_F_DUMP_INTR,
                                   .nlmsg_seq = SEQ};

    begin(f, NLMSG_DONE, SEQ);
    bytes(f, &zero, sizeof zero);
    end(f);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->seen, LINKS_SEEN_DONE);

    begin(f, NLMSG_DONE, SEQ + 1); /* of somebody else's dump */
    end(f);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->seen, 0);

    begin(f, NLMSG_OVERRUN, 0);
    end(f);
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->seen, LINKS_SEEN_STALE);

    bytes(f, &interrupted, sizeof interrupted);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->seen, LINKS_SEEN_STALE);

    begin(f, NLMSG_ERROR, SEQ); /* an acknowledgement */
    bytes(f, &zero, sizeof zero);
    end(f);
    assert_int_equal(parse(f, SEQ), KITH_OK);

    begin(f, NLMSG_ERROR, SEQ);
    bytes(f, &refused, sizeof refused);
    end(f);
    assert_int_equal(parse(f, SEQ), KITH_ERR_IO);
}

static void test_truncated(void **state)
{
    struct fixture *f = *state;
    struct link_table table;
    unsigned seen = 0;

    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    size_t padded = f->len;
    uint32_t first; /* its end, the padding aside */
    memcpy(&first, f->buf, sizeof first);
    addr_msg(f, RTM_NEWADDR, 2, "192.0.2.7", 0);
    for (size_t len = 1; len < f->len; len++) {
        memset(&table, 0, sizeof table);
        uint8_t *exact = malloc(len); /* so that a sanitizer sees its end */
        assert_non_null(exact);
        memcpy(exact, f->buf, len);
        int err = links_parse(&table, &f->choice, SEQ, exact, len, &seen);
        free(exact);
        bool whole = len >= first && len <= padded;
        assert_int_equal(err, whole ? KITH_OK : KITH_ERR_TRUNCATED);
    }
}

static void test_malformed(void **state)
{
    struct fixture *f = *state;
    struct ifinfomsg info = {.ifi_index = 2};
    struct ifaddrmsg ipv4 = {.ifa_family = AF_INET, .ifa_index = 2};
    uint16_t too_short = 3, too_long = 60000;
    uint32_t zero = 0;

    eth0(f);
    link_msg(f, RTM_NEWLINK, SEQ, 0, "eth0", 0); /* index 0 */
    assert_int_equal(parse(f, SEQ), KITH_ERR_FORMAT);
    link_msg(f, RTM_NEWLINK, SEQ, -5, "eth0", 0);
    assert_int_equal(parse(f, SEQ), KITH_ERR_FORMAT);
    link_msg(f, RTM_NEWLINK, SEQ, 2, NULL, 0); /* no name */
    assert_int_equal(parse(f, SEQ), KITH_ERR_FORMAT);
    link_msg(f, RTM_NEWLINK, SEQ, 2, "", 0);
    assert_int_equal(parse(f, SEQ), KITH_ERR_FORMAT);
    link_msg(f, RTM_NEWLINK, SEQ, 2, "sixteen-bytes-xx", 0);
    assert_int_equal(parse(f, SEQ), KITH_ERR_FORMAT);

    begin(f, RTM_NEWLINK, SEQ); /* a name without its zero */
    bytes(f, &info, sizeof info);
    attr(f, IFLA_IFNAME, "eth9", 4);
    end(f);
    assert_int_equal(parse(f, SEQ), KITH_ERR_FORMAT);

    for (int i = 0; i < 2; i++) { /* an attribute that lies about its length */
        begin(f, RTM_NEWLINK, SEQ);
        bytes(f, &info, sizeof info);
        size_t at = f->len;
        attr(f, IFLA_IFNAME, "eth9", 5);
        memcpy(f->buf + at, i == 0 ? &too_short : &too_long, 2);
        end(f);
        assert_int_equal(parse(f, SEQ), KITH_ERR_TRUNCATED);
    }

    begin(f, RTM_NEWADDR, SEQ); /* IPv4 of 16 bytes */
    bytes(f, &ipv4, sizeof ipv4);
    attr(f, IFA_LOCAL, "0123456789abcdef", 16);
    end(f);
    assert_int_equal(parse(f, SEQ), KITH_ERR_FORMAT);

    begin(f, RTM_NEWADDR, SEQ); /* half of the flags */
    bytes(f, &ipv4, sizeof ipv4);
    attr(f, IFA_FLAGS, "01", 2);
    end(f);
    assert_int_equal(parse(f, SEQ), KITH_ERR_FORMAT);

    begin(f, RTM_NEWADDR, SEQ); /* a message of no length */
    memcpy(f->buf, &zero, sizeof zero);
    assert_int_equal(parse(f, SEQ), KITH_ERR_TRUNCATED);

    assert_int_equal(f->table.n, 1);
    assert_string_equal(f->table.links[0].name, "eth0");
    assert_int_equal(f->table.links[0].n_addrs, 1);
}

static void test_unknown_messages_are_skipped(void **state)
{
    struct fixture *f = *state;

    begin(f, RTM_NEWROUTE, 0);
    bytes(f, "xyz", 3); /* padding follows */
    end(f);
    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.n, 1);
}

static void test_full_tables(void **state)
{
    struct fixture *f = *state;
    char name[16], ip[32];

    for (int i = 1; i <= LINK_COUNT_MAX + 5; i++) {
        snprintf(name, sizeof name, "veth%d", i); /* take no room */
        link_msg(f, RTM_NEWLINK, SEQ, 1000 + i, name, ETH_FLAGS);
        snprintf(name, sizeof name, "eth%d", i);
        link_msg(f, RTM_NEWLINK, SEQ, i, name, ETH_FLAGS);
    }
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.n, LINK_COUNT_MAX);
    assert_string_equal(f->table.links[LINK_COUNT_MAX - 1].name, "eth64");
    link_msg(f, RTM_DELLINK, 0, 64, "eth64", 0); /* room for eth65 */
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->seen, LINKS_SEEN_STALE);

    for (int i = 1; i <= LINK_ADDRS_MAX + 5; i++) {
        snprintf(ip, sizeof ip, "192.0.2.%d", i);
        addr_msg(f, RTM_NEWADDR, 1, ip, 0);
    }
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(f->table.links[0].n_addrs, LINK_ADDRS_MAX);
    /* one goes, and another one that had no room may take its place */
    addr_msg(f, RTM_DELADDR, 1, "192.0.2.3", 0);
    assert_int_equal(parse(f, 0), KITH_OK);
    assert_int_equal(f->seen, LINKS_SEEN_STALE);
}

static void test_pick_and_equal(void **state)
{
    struct fixture *f = *state;
    struct link *before = calloc(LINK_COUNT_MAX, sizeof *before);

    assert_non_null(before);
    eth0(f);
    link_msg(f, RTM_NEWLINK, SEQ, 3, "eth1", ETH_FLAGS); /* no address */
    assert_int_equal(parse(f, SEQ), KITH_OK);
    assert_int_equal(links_pick(&f->table, before), 1);
    assert_string_equal(before[0].name, "eth0");
    assert_int_equal(links_pick(&f->table, f->picked), 1);
    assert_true(links_equal(before, 1, f->picked, 1));
    assert_false(links_equal(before, 1, f->picked, 0));

    /* told again, with another MTU or lifetime: nothing changed */
    eth0(f);
    assert_int_equal(links_pick(&f->table, f->picked), 1);
    assert_true(links_equal(before, 1, f->picked, 1));

    addr_msg(f, RTM_NEWADDR, 2, "192.0.2.7", IFA_F_DEPRECATED);
    assert_int_equal(parse(f, 0), KITH_OK);
    links_pick(&f->table, f->picked);
    assert_false(links_equal(before, 1, f->picked, 1));

    eth0(f);
    addr_msg(f, RTM_NEWADDR, 2, "192.0.2.8", 0);
    assert_int_equal(parse(f, 0), KITH_OK);
    links_pick(&f->table, f->picked);
    assert_false(links_equal(before, 1, f->picked, 1));
    free(before);
}

/* Checks what is told of the own addresses against a list of texts. */
static void expect_published(struct fixture *f, const char *listen,
                             bool loopback, const char *const *expected,
                             size_t n_expected)
{
    static struct net_link nets[LINK_COUNT_MAX];
    struct addr on;
    char text[TEXT_ADDR_SIZE];
    size_t n = links_pick(&f->table, f->picked), found = 0;

    if (listen != NULL)
        assert_int_equal(text_addr_parse(&on, listen, 0), KITH_OK);
    links_nets(f->picked, n, &on, listen == NULL ? 0 : 1, loopback, nets);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(nets[i].ifindex, f->picked[i].ifindex);
        assert_int_equal(nets[i].loopback, f->picked[i].loopback);
        for (size_t j = 0; j < nets[i].n; j++) {
            const struct net_addr *a = &nets[i].addrs[j];
            assert_int_equal(a->addr.port, 0);
            if (!a->publish)
                continue;
            assert_int_equal(text_addr_format(text, sizeof text, &a->addr),
                             KITH_OK);
            assert_true(found < n_expected);
            assert_string_equal(text, expected[found++]);
        }
    }
    assert_int_equal(found, n_expected);
}

static void own_links(struct fixture *f)
{
    f->choice.loopback = true;
    link_msg(f, RTM_NEWLINK, SEQ, 1, "lo", LO_FLAGS);
    addr_msg(f, RTM_NEWADDR, 1, "127.0.0.1", 0);
    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    addr_msg(f, RTM_NEWADDR, 2, "192.0.2.7", 0);
    addr_msg(f, RTM_NEWADDR, 2, "192.0.2.8", IFA_F_SECONDARY);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::1", IFA_F_TEMPORARY);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::2", IFA_F_DEPRECATED);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::3", IFA_F_TENTATIVE);
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::7", 0);
    addr_msg(f, RTM_NEWADDR, 2, "fe80::7%2", 0);
    link_msg(f, RTM_NEWLINK, SEQ, 3, "eth1", ETH_FLAGS);
    addr_msg(f, RTM_NEWADDR, 3, "169.254.3.4", 0);
    addr_msg(f, RTM_NEWADDR, 3, "192.0.2.7", 0); /* as eth0 has it */
    addr_msg(f, RTM_NEWADDR, 3, "198.51.100.1", 0);
    assert_int_equal(parse(f, SEQ), KITH_OK);
}

static void test_published(void **state)
{
    static const char *const all[] = {"192.0.2.7:0", "192.0.2.8:0",
                                      "[2001:db8::7]:0", "198.51.100.1:0"};
    static const char *const ipv4[] = {"192.0.2.7:0", "192.0.2.8:0",
                                       "198.51.100.1:0"};
    static const char *const ipv4_lo[] = {"127.0.0.1:0", "192.0.2.7:0",
                                          "192.0.2.8:0", "198.51.100.1:0"};
    static const char *const one[] = {"192.0.2.8:0"};
    static const char *const lo[] = {"127.0.0.5:0"};
    struct fixture *f = *state;

    own_links(f);
    expect_published(f, NULL, false, all, 4);
    expect_published(f, "0.0.0.0:5", false, ipv4, 3);
    expect_published(f, "0.0.0.0:5", true, ipv4_lo, 4);
    expect_published(f, "192.0.2.8:17000", false, one, 1);
    expect_published(f, "127.0.0.5:17001", true, lo, 1);
    expect_published(f, "127.0.0.5:17001", false, NULL, 0);
    expect_published(f, "[fe80::7%2]:5", false, NULL, 0);
}

/* The engine is to know all that is in use, told or not. */
static void test_nets_hold_all_in_use(void **state)
{
    static struct net_link nets[LINK_COUNT_MAX];
    struct fixture *f = *state;

    own_links(f);
    links_nets(f->picked, links_pick(&f->table, f->picked), NULL, 0, false,
               nets);
    assert_int_equal(nets[0].n, 1);
    assert_int_equal(nets[1].n, 6); /* all but the tentative one */
    assert_int_equal(nets[1].addrs[0].prefix_len, 24);
    assert_int_equal(nets[1].addrs[5].addr.ifindex, 2);
}

static void test_published_has_both_families(void **state)
{
    static const char *const all[] = {
        "192.0.2.1:0", "192.0.2.2:0", "192.0.2.3:0", "192.0.2.4:0",
        "192.0.2.5:0", "192.0.2.6:0", "192.0.2.7:0", "[2001:db8::7]:0"};
    struct fixture *f = *state;
    char ip[32];

    link_msg(f, RTM_NEWLINK, SEQ, 2, "eth0", ETH_FLAGS);
    for (int i = 1; i <= 12; i++) {
        snprintf(ip, sizeof ip, "192.0.2.%d", i);
        addr_msg(f, RTM_NEWADDR, 2, ip, 0);
    }
    addr_msg(f, RTM_NEWADDR, 2, "2001:db8::7", 0);
    assert_int_equal(parse(f, SEQ), KITH_OK);
    expect_published(f, NULL, false, all, LINK_PUBLISH_MAX);
}

/* What the callback was told last. */
struct told {
    struct event_base *base;
    int calls;
    size_t n;
};

static void on_change(void *ctx, const struct link *list, size_t n)
{
    struct told *t = ctx;

    (void)list;
    t->calls++;
    t->n = n;
    event_base_loopbreak(t->base);
}

static void loop_for_ms(struct event_base *base, int ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    event_base_loopexit(base, &tv);
    event_base_dispatch(base);
}

static void lo_switch(bool up)
{
    struct ifreq r = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &r), 0);
    r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &r), 0);
    close(fd);
}

static void test_follows_the_kernel(void **state)
{
    struct told told = {0};
    const struct links_choice choice = {.loopback = true};
    const struct link *list;

    (void)state;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        skip();
    told.base = event_base_new();
    assert_non_null(told.base);
    struct links *ls = links_new(told.base, &choice, NULL, on_change, &told);
    assert_non_null(ls);
    assert_int_equal(links_now(ls, &list), 0);

    lo_switch(true);
    loop_for_ms(told.base, 20000);
    assert_int_equal(told.calls, 1);
    assert_int_equal(links_now(ls, &list), 1);
    assert_string_equal(list[0].name, "lo");
    assert_true(list[0].n_addrs >= 1);
    assert_memory_equal(list[0].addrs[0].addr.ip, "\x7f\0\0\1", 4);

    lo_switch(false); /* and back, within the quiet time: no change */
    lo_switch(true);
    loop_for_ms(told.base, 600);
    assert_int_equal(told.calls, 1);

    lo_switch(false);
    loop_for_ms(told.base, 20000);
    assert_int_equal(told.calls, 2);
    assert_int_equal(told.n, 0);

    links_free(ls);
    event_base_free(told.base);
}

static void test_without_netlink(void **state)
{
    const struct links_choice choice = {.loopback = true};
    const struct link *list;
    struct event_base *base = event_base_new();
    struct rlimit old, none;

    (void)state;
    assert_non_null(base);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0; /* so that there is no socket to be had */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct links *ls = links_new(base, &choice, NULL, on_change, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_non_null(ls);
    assert_int_equal(links_now(ls, &list), 0);
    links_free(ls);
    links_free(NULL);
    event_base_free(base);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_link_and_addresses),
        TEST(test_address_flags),
        TEST(test_tentative_alone_is_not_suitable),
        TEST(test_point_to_point_local),
        TEST(test_removal),
        TEST(test_leaving_a_bridge_is_no_removal),
        TEST(test_rename),
        TEST(test_names),
        TEST(test_loopback_choice),
        TEST(test_not_unicast),
        TEST(test_dump_marks),
        TEST(test_truncated),
        TEST(test_malformed),
        TEST(test_unknown_messages_are_skipped),
        TEST(test_full_tables),
        TEST(test_pick_and_equal),
        TEST(test_published),
        TEST(test_nets_hold_all_in_use),
        TEST(test_published_has_both_families),
        TEST(test_without_netlink),
        TEST(test_follows_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
