/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/text.h"

static struct addr parse(const char *s)
{
    struct addr a;

    if (text_addr_parse(&a, s, 1) != KITH_OK)
        fail_msg("not an address: %s", s);
    return a;
}

/* ::ffff:0:0/96 as it may come in, which parse() never makes. */
static struct addr mapped(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    struct addr m = {.family = 6, .port = 9};

    m.ip[10] = 0xff;
    m.ip[11] = 0xff;
    m.ip[12] = a;
    m.ip[13] = b;
    m.ip[14] = c;
    m.ip[15] = d;
    return m;
}

/* What each address is: u unicast, o loopback, l link-local, m multicast,
 * z unspecified. */
static const struct {
    const char *addr;
    const char *is;
} kinds[] = {
    {"0.0.0.0", "z"},      {"0.0.0.1", ""},
    {"0.255.255.255", ""}, {"1.0.0.0", "u"},
    {"10.1.2.3", "u"},     {"126.255.255.255", "u"},
    {"127.0.0.1", "uo"},   {"127.255.255.255", "uo"},
    {"128.0.0.0", "u"},    {"169.253.255.255", "u"},
    {"169.254.0.0", "ul"}, {"169.254.255.255", "ul"},
    {"169.255.0.0", "u"},  {"223.255.255.255", "u"},
    {"224.0.0.0", "m"},    {"239.255.255.255", "m"},
    {"240.0.0.0", ""},     {"255.255.255.255", ""},
    {"::", "z"},           {"::1", "uo"},
    {"::2", "u"},          {"2001:db8::1", "u"},
    {"fe7f::1", "u"},      {"fe80::1", "ul"},
    {"fe80::1%3", "ul"},   {"febf:ffff::1", "ul"},
    {"fec0::1", "u"},      {"fd00::1", "u"},
    {"ff00::", "m"},       {"ff02::1", "m"},
    {"feff::1", "u"},      {"100::1", "u"},
};

static void check_kinds(const struct addr *a, const char *is)
{
    assert_int_equal(addr_is_unicast(a), strchr(is, 'u') != NULL);
    assert_int_equal(addr_is_loopback(a), strchr(is, 'o') != NULL);
    assert_int_equal(addr_is_link_local(a), strchr(is, 'l') != NULL);
    assert_int_equal(addr_is_multicast(a), strchr(is, 'm') != NULL);
    assert_int_equal(addr_is_unspecified(a), strchr(is, 'z') != NULL);
}

static void kinds_of_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct addr a = parse(kinds[i].addr);
        struct addr m = mapped(a.ip[0], a.ip[1], a.ip[2], a.ip[3]);

        check_kinds(&a, kinds[i].is);
        if (a.family == 4)
            check_kinds(&m, kinds[i].is);
    }
}

static void no_address_is_nothing(void **state)
{
    struct addr none = {0};
    struct addr odd = {.family = 5, .ip = {10, 0, 0, 1}};

    (void)state;
    check_kinds(&none, "");
    check_kinds(&odd, "");
    assert_false(addr_same_ip(&none, &none));
    assert_false(addr_in_prefix(&none, &none, 0));
    assert_false(addr_in_prefix(&odd, &odd, 0));
}

static void same_ip_ignores_the_port(void **state)
{
    struct addr a = parse("192.0.2.1:1");
    struct addr b = parse("192.0.2.1:2");
    struct addr c = parse("192.0.2.2:1");
    struct addr m = mapped(192, 0, 2, 1);
    struct addr l3 = parse("fe80::1%3");
    struct addr l4 = parse("fe80::1%4");

    (void)state;
    assert_true(addr_same_ip(&a, &b));
    assert_false(addr_equal(&a, &b));
    assert_false(addr_same_ip(&a, &c));
    assert_true(addr_same_ip(&a, &m));
    assert_true(addr_same_ip(&m, &a));
    assert_false(addr_same_ip(&l3, &l4));
    assert_true(addr_same_ip(&l3, &l3));
}

static void prefixes(void **state)
{
    static const struct {
        const char *addr;
        const char *net;
        unsigned len;
        bool in;
    } cases[] = {
        {"192.0.2.1", "192.0.2.0", 24, true},
        {"192.0.3.1", "192.0.2.0", 24, false},
        {"192.0.3.1", "192.0.2.0", 23, true},
        {"192.0.2.1", "192.0.2.1", 32, true},
        {"192.0.2.1", "192.0.2.0", 32, false},
        {"192.0.2.1", "192.0.2.0", 31, true},
        {"192.0.2.1", "192.0.2.1", 33, false},
        {"192.0.2.1", "0.0.0.0", 0, true},
        {"128.0.0.0", "0.0.0.0", 1, false},
        {"192.0.2.1", "::", 0, false},
        {"2001:db8::1", "::", 0, true},
        {"2001:db8::1", "2001:db8::", 32, true},
        {"2001:db9::1", "2001:db8::", 32, false},
        {"2001:db9::1", "2001:db8::", 31, true},
        {"2001:db8::1", "2001:db8::1", 128, true},
        {"2001:db8::1", "2001:db8::", 128, false},
        {"2001:db8::1", "2001:db8::", 127, true},
        {"2001:db8::1", "2001:db8::1", 129, false},
        {"2001:db8::1", "2001:db8::1", 4294967295U, false},
        {"fe80::1%3", "fe80::%4", 10, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct addr a = parse(cases[i].addr);
        struct addr net = parse(cases[i].net);

        assert_int_equal(addr_in_prefix(&a, &net, cases[i].len), cases[i].in);
    }
}

static void a_mapped_address_is_in_its_ipv4_prefix(void **state)
{
    struct addr m = mapped(10, 1, 2, 3);
    struct addr net = parse("10.0.0.0");
    struct addr all6 = parse("::");

    (void)state;
    assert_true(addr_in_prefix(&m, &net, 8));
    assert_false(addr_in_prefix(&m, &all6, 0));
}

static void normalising_leaves_one_form(void **state)
{
    struct addr m = mapped(192, 0, 2, 1);
    struct addr v4 = parse("192.0.2.1:9");
    struct addr messy = v4;
    struct addr global = parse("2001:db8::1");
    struct addr scoped = global;
    struct addr odd = {.family = 7, .port = 3};
    struct addr none = {0};

    (void)state;
    m.ifindex = 5;
    addr_normalise(&m);
    assert_true(addr_equal(&m, &v4));
    messy.ip[4] = 1;
    messy.ip[15] = 1;
    messy.zero = 1;
    messy.ifindex = 2;
    addr_normalise(&messy);
    assert_true(addr_equal(&messy, &v4));
    scoped.ifindex = 2;
    addr_normalise(&scoped);
    assert_true(addr_equal(&scoped, &global));
    scoped = parse("fe80::1%2");
    addr_normalise(&scoped);
    assert_int_equal(scoped.ifindex, 2);
    addr_normalise(&odd);
    assert_true(addr_equal(&odd, &none));
}

static void socket_addresses_and_back(void **state)
{
    static const char *const texts[] = {"192.0.2.1:16990",
                                        "[2001:db8::1]:16990",
                                        "[fe80::1%3]:65535", "0.0.0.0:0"};
    struct sockaddr_storage ss;
    struct addr back;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct addr a = parse(texts[i]);
        socklen_t len = addr_to_sockaddr(&a, &ss);

        assert_int_equal(len, a.family == 4 ? sizeof(struct sockaddr_in)
                                            : sizeof(struct sockaddr_in6));
        assert_int_equal(addr_from_sockaddr(&back, (struct sockaddr *)&ss),
                         KITH_OK);
        assert_true(addr_equal(&a, &back));
    }
}

static void the_port_is_in_network_order(void **state)
{
    struct addr a = parse("192.0.2.1:16990");
    struct sockaddr_storage ss;
    struct sockaddr_in in4;

    (void)state;
    addr_to_sockaddr(&a, &ss);
    memcpy(&in4, &ss, sizeof in4);
    assert_int_equal(in4.sin_family, AF_INET);
    assert_int_equal(ntohs(in4.sin_port), 16990);
    assert_int_equal(ntohl(in4.sin_addr.s_addr), 0xc0000201);
}

static void other_socket_addresses_are_refused(void **state)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNIX};
    struct addr none = {0};
    struct addr a = parse("192.0.2.1");
    const struct addr before = a;

    (void)state;
    assert_int_equal(addr_from_sockaddr(&a, (struct sockaddr *)&ss),
                     KITH_ERR_TYPE);
    assert_true(addr_equal(&a, &before));
    assert_int_equal(addr_to_sockaddr(&none, &ss), 0);
}

static void a_mapped_socket_address_becomes_ipv4(void **state)
{
    struct addr m = mapped(192, 0, 2, 1);
    struct addr v4 = parse("192.0.2.1:9");
    struct sockaddr_storage ss;
    struct addr back;

    (void)state;
    assert_int_equal(addr_to_sockaddr(&m, &ss), sizeof(struct sockaddr_in6));
    assert_int_equal(addr_from_sockaddr(&back, (struct sockaddr *)&ss),
                     KITH_OK);
    assert_true(addr_equal(&back, &v4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_of_addresses),
        cmocka_unit_test(no_address_is_nothing),
        cmocka_unit_test(same_ip_ignores_the_port),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(a_mapped_address_is_in_its_ipv4_prefix),
        cmocka_unit_test(normalising_leaves_one_form),
        cmocka_unit_test(socket_addresses_and_back),
        cmocka_unit_test(the_port_is_in_network_order),
        cmocka_unit_test(other_socket_addresses_are_refused),
        cmocka_unit_test(a_mapped_socket_address_becomes_ipv4),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
