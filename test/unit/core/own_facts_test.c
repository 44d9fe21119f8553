/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "engine_far.h"

static int tag(struct rig *r, const char *key, const char *value)
{
    int err = engine_tag(r->e, &r->now, key, value, rig_begin(r));

    rig_end(r);
    return err;
}

static struct fact pair(const char *key, const char *value)
{
    return (struct fact){key, strlen(key), value, strlen(value)};
}

/* Copies the value of a key in our facts to text; false: there is none. */
static bool fact_of(const struct rig *r, const char *block_name,
                    const char *key, char text[FACTS_VALUE_MAX + 1])
{
    struct object *object = rig_block(r, block_name);
    struct block block;
    struct facts facts;
    struct fact f;

    assert_non_null(object);
    object_block(object, &block);
    assert_int_equal(
        facts_decode(object->type, block.payload, block.payload_len, &facts),
        KITH_OK);
    if (!facts_find(&facts, key, &f))
        return false;
    memcpy(text, f.value, f.value_len);
    text[f.value_len] = '\0';
    return true;
}

static void assert_fact(const struct rig *r, const char *key, const char *value)
{
    char text[FACTS_VALUE_MAX + 1];

    if (!value) {
        assert_false(fact_of(r, "facts", key, text));
        return;
    }
    assert_true(fact_of(r, "facts", key, text));
    assert_string_equal(text, value);
}

/* -- tags -- */

static void test_tags(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    assert_int_equal(tag(r, "role", "db"), KITH_OK);
    assert_int_equal(tag(r, "empty", ""), KITH_OK);
    assert_fact(r, "tag.role", "db");
    assert_fact(r, "tag.empty", "");
    assert_int_equal(tag(r, "role", "web"), KITH_OK);
    assert_fact(r, "tag.role", "web");
    assert_int_equal(tag(r, "role", NULL), KITH_OK);
    assert_fact(r, "tag.role", NULL);
    assert_fact(r, "tag.empty", "");
    assert_int_equal(tag(r, "role", NULL), KITH_ERR_NOTFOUND);
    rig_free(r);
}

static void test_tags_refused(void **state)
{
    static const char *const keys[] = {"",    "A",        "a b",
                                       "a=b", "\xc3\xa4", "a\n"};
    static const char *const values[] = {"\n", "\xff", "a\x7f", "\xe2\x80\xae"};
    struct rig *r = rig_up(1);
    char text[FACTS_VALUE_MAX + 2];
    size_t signatures;

    (void)state;
    assert_int_equal(tag(r, "role", "db"), KITH_OK);
    signatures = r->signatures;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(tag(r, keys[i], "v"), KITH_ERR_FORMAT);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_int_equal(tag(r, "new", values[i]), KITH_ERR_FORMAT);
        assert_int_equal(tag(r, "role", values[i]), KITH_ERR_FORMAT);
    }
    memset(text, 'k', sizeof text);
    text[FACTS_KEY_MAX - 3] = '\0'; /* one too long with its "tag." */
    assert_int_equal(tag(r, text, "v"), KITH_ERR_FORMAT);
    text[FACTS_KEY_MAX - 3] = 'k';
    text[FACTS_VALUE_MAX + 1] = '\0';
    assert_int_equal(tag(r, "new", text), KITH_ERR_FORMAT);

    /* nothing of that left a trace */
    rig_run(r, 10000);
    assert_int_equal(r->signatures, signatures);
    assert_fact(r, "tag.role", "db");
    text[FACTS_VALUE_MAX] = '\0';
    assert_int_equal(tag(r, "new", text), KITH_OK);
    assert_fact(r, "tag.new", text);
    text[FACTS_KEY_MAX - 4] = '\0';
    assert_int_equal(tag(r, text, "v"), KITH_OK);
    rig_free(r);
}

static void test_tags_limits(void **state)
{
    struct rig *r = rig_up(1);
    char key[16], text[FACTS_VALUE_MAX + 1];

    (void)state;
    for (unsigned i = 0; i < OWN_TAGS_MAX; i++) {
        snprintf(key, sizeof key, "k%u", i);
        assert_int_equal(tag(r, key, "v"), KITH_OK);
    }
    assert_int_equal(tag(r, "one-more", "v"), KITH_ERR_FULL);
    assert_int_equal(tag(r, "k3", "w"), KITH_OK);
    assert_int_equal(tag(r, "k4", NULL), KITH_OK);
    assert_int_equal(tag(r, "one-more", "v"), KITH_OK);

    /* the block holds 900 bytes */
    memset(text, 'v', sizeof text);
    text[FACTS_VALUE_MAX] = '\0';
    assert_int_equal(tag(r, "k5", text), KITH_OK);
    assert_int_equal(tag(r, "k6", text), KITH_ERR_FULL);
    rig_run(r, 30000);
    assert_fact(r, "tag.k5", text);
    assert_fact(r, "tag.k6", "v");
    rig_free(r);
}

static void test_tags_over_restart(void **state)
{
    struct rig *r = rig_up(1);

    (void)state;
    assert_int_equal(tag(r, "role", "db"), KITH_OK);
    assert_int_equal(tag(r, "site", "north"), KITH_OK);
    rig_restart(r, true);
    rig_run(r, START_SILENCE + 1);
    assert_fact(r, "tag.role", "db");
    assert_int_equal(tag(r, "site", NULL), KITH_OK);
    assert_fact(r, "tag.role", "db");
    assert_fact(r, "tag.site", NULL);
    rig_free(r);
}

/* -- facts -- */

static int set(struct rig *r, const struct fact *facts, size_t n,
               struct fact *more, size_t n_more)
{
    int err = engine_facts(r->e, &r->now, facts, n, more, n_more, rig_begin(r));

    rig_end(r);
    return err;
}

static void test_facts(void **state)
{
    struct rig *r = rig_new(1);
    struct fact facts[] = {pair("os", "Debian 12"), pair("host", "anna")};
    struct fact more[] = {pair("memory", "1"), pair("cpu", "some")};
    char text[FACTS_VALUE_MAX + 1];

    (void)state;
    assert_int_equal(set(r, facts, 2, more, 2), KITH_OK);
    rig_start(r);
    rig_run(r, 10);
    assert_int_equal(r->heads, 1); /* all in the first one */
    assert_fact(r, "host", "anna");
    assert_fact(r, "os", "Debian 12");
    assert_fact(r, "addr", "192.0.2.1:16990");
    assert_true(fact_of(r, "facts.more", "cpu", text));
    assert_string_equal(text, "some");
    rig_free(r);
}

/* What cannot be signed is refused, and what was said before stays. */
static void test_facts_refused(void **state)
{
    struct rig *r = rig_up(1);
    char text[FACTS_VALUE_MAX + 2];
    struct fact many[OWN_MACHINE_MAX + 1];
    struct fact good = pair("host", "anna"), bad;

    (void)state;
    assert_int_equal(set(r, &good, 1, NULL, 0), KITH_OK);
    rig_run(r, 100000);
    bad = pair("Host", "x");
    assert_int_equal(set(r, &bad, 1, NULL, 0), KITH_ERR_FORMAT);
    bad = pair("host", "\x1b[31m");
    assert_int_equal(set(r, &bad, 1, NULL, 0), KITH_ERR_FORMAT);
    memset(text, 'x', sizeof text);
    bad = (struct fact){"host", 4, text, sizeof text};
    assert_int_equal(set(r, &bad, 1, NULL, 0), KITH_ERR_RANGE);
    for (size_t i = 0; i < OWN_MACHINE_MAX + 1; i++)
        many[i] = (struct fact){"key", 3, text, i};
    assert_int_equal(set(r, many, OWN_MACHINE_MAX + 1, NULL, 0), KITH_ERR_FULL);
    for (size_t i = 0; i < 3; i++)
        many[i] = (struct fact){"key", 3, text, 400 + i};
    assert_int_equal(set(r, many, 3, NULL, 0), KITH_ERR_FULL);
    bad = pair("x", "\n");
    assert_int_equal(set(r, &good, 1, &bad, 1), KITH_ERR_FORMAT);
    rig_run(r, 100000);
    assert_fact(r, "host", "anna");
    assert_null(rig_block(r, "facts.more"));
    rig_free(r);
}

/* -- our addresses -- */

static void test_addresses(void **state)
{
    struct rig *r = rig_up(1);
    struct net_link links[2] = {r->link, r->link};

    (void)state;
    assert_int_equal(r->e->own.n_addrs, 1);
    /* the same address twice, one that is not to be published, and more
     * than there is room for */
    links[1].ifindex = RIG_LINK + 1;
    links[1].n = 16;
    for (uint8_t i = 0; i < 16; i++) {
        links[1].addrs[i].addr = rig_addr(1u + i);
        links[1].addrs[i].addr.port = 0;
        links[1].addrs[i].prefix_len = 24;
        links[1].addrs[i].publish = i != 1;
    }
    rig_links(r, links, 2);
    assert_int_equal(r->e->own.n_addrs, OWN_ADDRS_MAX);
    for (size_t i = 0; i < OWN_ADDRS_MAX; i++) {
        struct addr want = rig_addr(i == 0 ? 1 : i + 2);

        assert_memory_equal(&r->e->own.addrs[i], &want, sizeof want);
    }
    rig_run(r, 100000);
    assert_fact(r, "addr", "192.0.2.1:16990");

    rig_links(r, NULL, 0);
    rig_run(r, 100000);
    assert_fact(r, "addr", NULL);
    rig_free(r);
}

/* A session with f, who says at which address it sees us. */
static void meet_seen_at(struct rig *r, struct far *f, const char *you)
{
    assert_int_equal(text_addr_parse(&f->you, you, 40000), KITH_OK);
    far_meet(f, r);
}

/* What one node says may be a lie, or its own muddle. */
static void test_seen_by_two(void **state)
{
    struct rig *r = rig_up(1);
    struct addr seen;
    struct far f[3];

    (void)state;
    assert_int_equal(text_addr_parse(&seen, "203.0.113.5:16990", 0), KITH_OK);
    for (uint64_t i = 0; i < 3; i++)
        far_init(&f[i], r, 2 + i);
    meet_seen_at(r, &f[0], "203.0.113.5");
    assert_int_equal(r->e->own.n_addrs, 1);
    meet_seen_at(r, &f[1], "203.0.113.6");
    assert_int_equal(r->e->own.n_addrs, 1);
    meet_seen_at(r, &f[2], "203.0.113.5:55555"); /* the port is ours */
    assert_int_equal(r->e->own.n_addrs, 2);
    assert_memory_equal(&r->e->own.addrs[1], &seen, sizeof seen);
    for (size_t i = 0; i < 3; i++)
        far_clear(&f[i]);
    rig_free(r);
}

static void test_seen_twice_by_one(void **state)
{
    struct rig *r = rig_up(1);
    struct addr a;
    struct node_id b = {{2}};

    (void)state;
    assert_int_equal(text_addr_parse(&a, "203.0.113.5:1", 0), KITH_OK);
    own_seen_at(r->e, &r->now, &b, &a);
    own_seen_at(r->e, &r->now, &b, &a);
    assert_int_equal(r->e->own.n_addrs, 1);
    rig_free(r);
}

static void test_seen_refused(void **state)
{
    static const char *const bad[] = {
        "127.0.0.1:1", "[::1]:1",     "169.254.1.1:1", "[fe80::1%7]:1",
        "224.0.0.1:1", "[ff02::1]:1", "0.0.0.0:1",     "[::]:1",
        "192.0.2.1:1", /* on a link of ours: known anyway */
    };
    struct rig *r = rig_up(1);
    struct node_id b = {{2}}, c = {{3}};
    struct addr a;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(text_addr_parse(&a, bad[i], 0), KITH_OK);
        own_seen_at(r->e, &r->now, &b, &a);
        own_seen_at(r->e, &r->now, &c, &a);
        assert_int_equal(r->e->own.n_addrs, 1);
    }
    rig_free(r);
}

/* The address that others saw comes onto a link: it is said once. */
static void test_seen_becomes_own(void **state)
{
    struct rig *r = rig_up(1);
    struct node_id b = {{2}}, c = {{3}};
    struct addr a = rig_addr(77);

    (void)state;
    own_seen_at(r->e, &r->now, &b, &a);
    own_seen_at(r->e, &r->now, &c, &a);
    assert_int_equal(r->e->own.n_addrs, 2);
    r->link.addrs[0].addr.ip[3] = 77;
    rig_links(r, &r->link, 1);
    assert_int_equal(r->e->own.n_addrs, 1);
    rig_run(r, 100000);
    assert_fact(r, "addr", "192.0.2.77:16990");
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_tags_refused),
        cmocka_unit_test(test_tags_limits),
        cmocka_unit_test(test_tags_over_restart),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_facts_refused),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_seen_by_two),
        cmocka_unit_test(test_seen_twice_by_one),
        cmocka_unit_test(test_seen_refused),
        cmocka_unit_test(test_seen_becomes_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
