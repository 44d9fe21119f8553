/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/facts.h"

#include <stdio.h>

#include "unit/wire/samples.h"
#include "wire/block.h"

static struct fact fact(const char *key, const char *value)
{
    return (struct fact){key, strlen(key), value, strlen(value)};
}

static int decode(const uint8_t *p, size_t n)
{
    struct facts facts;

    return facts_decode(BLOCK_FACTS_MORE, p, n, &facts);
}

/* Writes the pairs in the order given, without the checks of facts_build(),
 * and reads them. */
static int decode_pairs(const struct fact *pairs, size_t n)
{
    static uint8_t buf[BLOCK_PAYLOAD_MAX];
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    for (size_t i = 0; i < n; i++) {
        writer_u8(&w, (uint8_t)pairs[i].key_len);
        writer_bytes(&w, pairs[i].key, pairs[i].key_len);
        writer_u16(&w, (uint16_t)pairs[i].value_len);
        writer_bytes(&w, pairs[i].value, pairs[i].value_len);
    }
    return decode(buf, written(&w));
}

static int decode_pair(struct fact f)
{
    return decode_pairs(&f, 1);
}

static struct facts build(struct fact *pairs, size_t n, uint8_t *buf,
                          size_t cap)
{
    struct facts facts;
    struct writer w;

    writer_init(&w, buf, cap);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, pairs, n), KITH_OK);
    assert_int_equal(facts_decode(BLOCK_FACTS, buf, written(&w), &facts),
                     KITH_OK);
    return facts;
}

static void building_sorts(void **state)
{
    struct fact in[] = {fact("os", "debian"), fact("addr", "b"), fact("o", "x"),
                        fact("addr", "a"), fact("addr", "")};
    static const char *want[][2] = {{"addr", ""},
                                    {"addr", "a"},
                                    {"addr", "b"},
                                    {"o", "x"},
                                    {"os", "debian"}};
    uint8_t buf[256];
    struct facts facts = build(in, 5, buf, sizeof buf);
    struct facts_iter it = facts_walk(&facts);
    struct fact f;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_true(facts_next(&it, &f));
        assert_int_equal(f.key_len, strlen(want[i][0]));
        assert_memory_equal(f.key, want[i][0], f.key_len);
        assert_int_equal(f.value_len, strlen(want[i][1]));
        assert_memory_equal(f.value, want[i][1], f.value_len);
    }
    assert_false(facts_next(&it, &f));
}

static void writing_again_gives_the_same_bytes(void **state)
{
    struct fact in[] = {fact("tag.b", "\xc3\xa9"), fact("tag.a", ""),
                        fact("cpu", "x")};
    uint8_t buf[256], again[256];
    struct facts facts = build(in, 3, buf, sizeof buf);
    struct facts_iter it = facts_walk(&facts);
    struct fact out[3];
    struct writer w;
    size_t n = 0;

    (void)state;
    while (n < 3 && facts_next(&it, &out[n]))
        n++;
    writer_init(&w, again, sizeof again);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, out, n), KITH_OK);
    assert_int_equal(w.len, facts.pairs.left);
    assert_memory_equal(again, buf, w.len);
}

static void no_facts_at_all_are_facts(void **state)
{
    struct facts facts;
    struct facts_iter it;
    struct fact f;

    (void)state;
    assert_int_equal(facts_decode(BLOCK_FACTS, NULL, 0, &facts), KITH_OK);
    it = facts_walk(&facts);
    assert_false(facts_next(&it, &f));
}

/* A payload cut between two pairs is well-formed; everywhere else a cut
 * shows. */
static void refuses_cuts_inside_a_pair(void **state)
{
    struct fact in = fact("tag.long", "a value");
    uint8_t buf[256];
    struct facts facts = build(&in, 1, buf, sizeof buf);
    size_t len = facts.pairs.left;

    (void)state;
    for (size_t n = 1; n < len; n++) {
        uint8_t *cut = malloc(n);

        assert_non_null(cut);
        memcpy(cut, buf, n);
        assert_int_equal(decode(cut, n), KITH_ERR_TRUNCATED);
        free(cut);
    }
    assert_int_equal(decode(buf, len + 1), KITH_ERR_TRUNCATED);
}

static void pairs_strictly_ascend(void **state)
{
    struct fact good[] = {fact("a", "1"), fact("a", "2"), fact("a.", ""),
                          fact("b", "")};
    struct fact twice[] = {fact("a", "1"), fact("a", "1")};
    struct fact values[] = {fact("a", "2"), fact("a", "1")};
    struct fact keys[] = {fact("ab", ""), fact("a", "")};

    (void)state;
    assert_int_equal(decode_pairs(good, 4), KITH_OK);
    assert_int_equal(decode_pairs(twice, 2), KITH_ERR_FORMAT);
    assert_int_equal(decode_pairs(values, 2), KITH_ERR_FORMAT);
    assert_int_equal(decode_pairs(keys, 2), KITH_ERR_FORMAT);
}

static void keys_and_values_have_bounds(void **state)
{
    char key[FACTS_KEY_MAX + 2] = {0}, value[FACTS_VALUE_MAX + 2] = {0};

    (void)state;
    memset(key, 'k', FACTS_KEY_MAX);
    memset(value, 'v', FACTS_VALUE_MAX);
    assert_int_equal(decode_pair(fact(key, value)), KITH_OK);
    key[FACTS_KEY_MAX] = 'k';
    assert_int_equal(decode_pair(fact(key, "")), KITH_ERR_RANGE);
    value[FACTS_VALUE_MAX] = 'v';
    assert_int_equal(decode_pair(fact("k", value)), KITH_ERR_RANGE);
    assert_int_equal(decode_pair(fact("", "v")), KITH_ERR_RANGE);
}

static void refuses_what_may_not_be_shown(void **state)
{
    static const char *keys[] = {"A", "a b", "a/b", "\xc3\xa9", "a\x7f"};
    static const char *values[] = {"\x80",         "\xc3",     "a\nb",
                                   "\x1b[31m",     "\x7f",     "\xc2\x80",
                                   "\xed\xa0\x80", "\xc0\xaf", "\xe2\x80\xae"};

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_int_equal(decode_pair(fact(keys[i], "v")), KITH_ERR_FORMAT);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_int_equal(decode_pair(fact("k", values[i])), KITH_ERR_FORMAT);
    assert_int_equal(decode_pair((struct fact){"k", 1, "a\0b", 3}),
                     KITH_ERR_FORMAT);
}

static void building_refuses_what_reading_would(void **state)
{
    struct fact twice[] = {fact("b", ""), fact("a", "1"), fact("b", "")};
    struct fact empty = fact("", "v"), upper = fact("A", "v");
    struct fact control = fact("k", "\n");
    uint8_t buf[256];
    struct writer w;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, twice, 3), KITH_ERR_FORMAT);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, &empty, 1), KITH_ERR_RANGE);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, &upper, 1), KITH_ERR_FORMAT);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, &control, 1),
                     KITH_ERR_FORMAT);
    assert_int_equal(facts_build(&w, BLOCK_DATA, twice, 1), KITH_ERR_TYPE);
    writer_init(&w, buf, 4);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, twice, 2), KITH_ERR_FULL);
}

static void the_block_facts_holds_900_bytes(void **state)
{
    static char value[FACTS_VALUE_MAX + 1];
    /* 4 + 512 and 4 + 380 are 900 */
    struct fact in[2];
    struct facts facts;
    uint8_t buf[1024];
    struct writer w;

    (void)state;
    memset(value, 'v', FACTS_VALUE_MAX);
    in[0] = (struct fact){"a", 1, value, 512};
    in[1] = (struct fact){"b", 1, value, 381};
    writer_init(&w, buf, sizeof buf);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, in, 2), KITH_ERR_FULL);
    assert_int_equal(facts_decode(BLOCK_FACTS, buf, 901, &facts),
                     KITH_ERR_RANGE);
    assert_int_equal(facts_decode(BLOCK_FACTS_MORE, buf, 901, &facts), KITH_OK);
    assert_int_equal(facts_decode(BLOCK_HEALTH, buf, 901, &facts), KITH_OK);
    in[1].value_len = 380;
    writer_init(&w, buf, sizeof buf);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, in, 2), KITH_OK);
    assert_int_equal(facts_decode(BLOCK_FACTS, buf, written(&w), &facts),
                     KITH_OK);
}

static void other_types_hold_no_facts(void **state)
{
    struct facts facts;

    (void)state;
    assert_int_equal(facts_decode(BLOCK_HEAD, NULL, 0, &facts), KITH_ERR_TYPE);
    assert_int_equal(facts_decode(BLOCK_DATA, NULL, 0, &facts), KITH_ERR_TYPE);
    assert_int_equal(facts_decode(4000, NULL, 0, &facts), KITH_ERR_TYPE);
}

static void a_pair_is_found_by_its_whole_key(void **state)
{
    struct fact in[] = {fact("host", "quince"), fact("host.x", "no"),
                        fact("os", "debian")};
    uint8_t buf[256];
    struct facts facts = build(in, 3, buf, sizeof buf);
    struct fact f;

    (void)state;
    assert_true(facts_find(&facts, "host", &f));
    assert_int_equal(f.value_len, 6);
    assert_memory_equal(f.value, "quince", 6);
    assert_false(facts_find(&facts, "hos", &f));
    assert_false(facts_find(&facts, "kernel", &f));
}

static void addresses_are_numeric_and_have_a_port(void **state)
{
    struct fact in[] = {fact("addr", "192.0.2.7:16990"),
                        fact("addr", "[2001:db8::7]:16990"),
                        fact("addr", "192.0.2.8"),
                        fact("addr", "192.0.2.9:0"),
                        fact("addr", "[fe80::1%3]:16990"),
                        fact("addr", "example.org:16990"),
                        fact("addr", ""),
                        fact("addrs", "192.0.2.10:16990")};
    struct addr out[FACTS_ADDRS_MAX];
    uint8_t buf[512];
    struct facts facts = build(in, 8, buf, sizeof buf);

    (void)state;
    assert_int_equal(facts_addrs(&facts, out), 2);
    assert_int_equal(out[0].family, 4);
    assert_memory_equal(out[0].ip, ((uint8_t[]){192, 0, 2, 7}), 4);
    assert_int_equal(out[0].port, 16990);
    assert_int_equal(out[1].family, 6);
}

static void at_most_8_addresses_are_taken(void **state)
{
    static char text[9][32];
    struct addr out[FACTS_ADDRS_MAX];
    struct fact in[9];
    struct facts facts;
    uint8_t buf[512];

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        snprintf(text[i], sizeof text[i], "192.0.2.%zu:16990", i + 1);
        in[i] = fact("addr", text[i]);
    }
    facts = build(in, 9, buf, sizeof buf);
    assert_int_equal(facts_addrs(&facts, out), FACTS_ADDRS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(building_sorts),
        cmocka_unit_test(writing_again_gives_the_same_bytes),
        cmocka_unit_test(no_facts_at_all_are_facts),
        cmocka_unit_test(refuses_cuts_inside_a_pair),
        cmocka_unit_test(pairs_strictly_ascend),
        cmocka_unit_test(keys_and_values_have_bounds),
        cmocka_unit_test(refuses_what_may_not_be_shown),
        cmocka_unit_test(building_refuses_what_reading_would),
        cmocka_unit_test(the_block_facts_holds_900_bytes),
        cmocka_unit_test(other_types_hold_no_facts),
        cmocka_unit_test(a_pair_is_found_by_its_whole_key),
        cmocka_unit_test(addresses_are_numeric_and_have_a_port),
        cmocka_unit_test(at_most_8_addresses_are_taken),
    };

    return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
