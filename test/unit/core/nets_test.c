/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/text.h"
#include "core/nets.h"

enum {
    OWN_PORT = 17000,
};

static struct addr addr(const char *text)
{
    struct addr a;

    assert_int_equal(text_addr_parse(&a, text, 0), KITH_OK);
    return a;
}

static void add_link(struct nets *nets, uint32_t ifindex, const char *a,
                     uint8_t prefix_len)
{
    struct net_link *link = &nets->links[nets->n++];

    link->ifindex = ifindex;
    link->addrs[0].addr = addr(a);
    link->addrs[0].prefix_len = prefix_len;
    link->n = 1;
}

/* eth 2 with IPv4 and IPv6, eth 3 with IPv4. */
static void two_links(struct nets *nets)
{
    memset(nets, 0, sizeof *nets);
    add_link(nets, 2, "192.0.2.10", 24);
    nets->links[0].addrs[1].addr = addr("2001:db8:1::10");
    nets->links[0].addrs[1].prefix_len = 64;
    nets->links[0].n = 2;
    add_link(nets, 3, "198.51.100.10", 28);
}

static bool on_link(const struct nets *nets, const char *text, uint32_t ifindex)
{
    struct addr a = addr(text);

    return nets_on_link(nets, &a, ifindex);
}

static void test_on_link(void **state)
{
    static struct nets nets;
    struct addr none = {.family = 0};

    (void)state;
    assert_false(on_link(&nets, "192.0.2.1:16990", 0));
    two_links(&nets);
    assert_true(on_link(&nets, "192.0.2.1:16990", 2));
    assert_true(on_link(&nets, "192.0.2.1", 0));
    assert_false(on_link(&nets, "192.0.2.1", 3));
    assert_false(on_link(&nets, "192.0.3.1", 2));
    assert_true(on_link(&nets, "2001:db8:1::ffff", 2));
    assert_false(on_link(&nets, "2001:db8:1:1::1", 2));
    assert_true(on_link(&nets, "198.51.100.1", 3));
    assert_false(on_link(&nets, "198.51.100.17", 3));
    assert_false(on_link(&nets, "198.51.100.1", 4));
    assert_false(nets_on_link(&nets, &none, 2));
    /* a link-local address names its link itself */
    assert_true(on_link(&nets, "fe80::1%2", 2));
    assert_false(on_link(&nets, "fe80::1%3", 2));
    assert_false(on_link(&nets, "fe80::1%2", 0));
}

static bool is_own(const struct nets *nets, const char *text)
{
    struct addr a = addr(text);

    return nets_is_own(nets, &a);
}

static void test_is_own(void **state)
{
    static struct nets nets;

    (void)state;
    assert_false(is_own(&nets, "192.0.2.10"));
    two_links(&nets);
    assert_true(is_own(&nets, "192.0.2.10"));
    assert_true(is_own(&nets, "192.0.2.10:80"));
    assert_true(is_own(&nets, "[2001:db8:1::10]:1"));
    assert_true(is_own(&nets, "198.51.100.10"));
    assert_false(is_own(&nets, "192.0.2.11"));
    assert_false(is_own(&nets, "2001:db8:1::11"));
}

static bool may_dial(const struct nets *nets, const char *text)
{
    struct addr a = addr(text);

    return nets_may_dial(nets, &a, OWN_PORT);
}

static void test_may_dial(void **state)
{
    static struct nets nets;
    struct addr none = {.family = 0, .port = 16990};

    (void)state;
    two_links(&nets);
    assert_true(may_dial(&nets, "203.0.113.1:16990"));
    assert_true(may_dial(&nets, "[2001:db8:9::1]:16990"));
    assert_true(may_dial(&nets, "203.0.113.1:17000"));
    assert_true(may_dial(&nets, "203.0.113.1:1024"));
    assert_true(may_dial(&nets, "203.0.113.1:65535"));
    /* nobody's service gets our calls */
    assert_false(may_dial(&nets, "203.0.113.1:1023"));
    assert_false(may_dial(&nets, "203.0.113.1:22"));
    assert_false(may_dial(&nets, "203.0.113.1:0"));
    assert_false(nets_may_dial(&nets, &none, OWN_PORT));
    assert_false(may_dial(&nets, "239.255.107.104:16990"));
    assert_false(may_dial(&nets, "[ff02::6b69:7468]:16990"));
    assert_false(may_dial(&nets, "255.255.255.255:16990"));
    assert_false(may_dial(&nets, "0.0.0.0:16990"));
    assert_false(may_dial(&nets, "[::]:16990"));
    assert_false(may_dial(&nets, "169.254.1.1:16990"));
    assert_false(may_dial(&nets, "[fe80::1%2]:16990"));
    /* ourselves, but not another agent on this machine */
    assert_false(may_dial(&nets, "192.0.2.10:17000"));
    assert_true(may_dial(&nets, "192.0.2.10:16990"));
}

static void test_loopback(void **state)
{
    static struct nets nets;

    (void)state;
    two_links(&nets);
    assert_false(may_dial(&nets, "127.0.0.1:16990"));
    assert_false(may_dial(&nets, "[::1]:16990"));
    add_link(&nets, 1, "127.0.0.1", 8);
    nets.links[2].loopback = true;
    assert_true(may_dial(&nets, "127.0.0.1:16990"));
    assert_true(may_dial(&nets, "[::1]:16990"));
    assert_false(may_dial(&nets, "127.0.0.1:22"));
    assert_false(may_dial(&nets, "127.0.0.1:17000")); /* ourselves */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_link),
        cmocka_unit_test(test_is_own),
        cmocka_unit_test(test_may_dial),
        cmocka_unit_test(test_loopback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
