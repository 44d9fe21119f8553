/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "daemon/json_view.h"
#include "fake.h"
#include "member_rig.h"
#include "wire/certs.h"

/* -- values ----------------------------------------------------------- */

static void assert_text(json_t *json, const char *expected)
{
    assert_non_null(json);
    assert_string_equal(json_string_value(json), expected);
    json_decref(json);
}

static void test_text(void **state)
{
    (void)state;
    assert_text(json_view_text(NULL, 0), "");
    assert_text(json_view_text("web1", 4), "web1");
    assert_text(json_view_text("m\xc3\xbcnchen", 8), "m\xc3\xbcnchen");
    assert_text(json_view_text("quote\"back\\", 11), "quote\"back\\");
    assert_text(json_view_text("a\nb", 3), "a\\x0ab");
    assert_text(json_view_text("\xff", 1), "\\xff");
    assert_text(json_view_text("\0", 1), "\\x00");
}

static void test_base64(void **state)
{
    (void)state;
    /* RFC 4648, section 10 */
    assert_text(json_view_base64("", 0), "");
    assert_text(json_view_base64("f", 1), "Zg==");
    assert_text(json_view_base64("fo", 2), "Zm8=");
    assert_text(json_view_base64("foo", 3), "Zm9v");
    assert_text(json_view_base64("foob", 4), "Zm9vYg==");
    assert_text(json_view_base64("fooba", 5), "Zm9vYmE=");
    assert_text(json_view_base64("foobar", 6), "Zm9vYmFy");
    assert_text(json_view_base64("\xfb\xef\xff", 3), "++//");
    assert_text(json_view_hex("\x00\xff", 2), "00ff");
}

static void test_addr(void **state)
{
    struct addr a = {.family = 4, .port = 16990, .ip = {192, 0, 2, 1}};
    struct addr none = {0};
    json_t *json = json_view_addr(&none);

    (void)state;
    assert_true(json_is_null(json));
    assert_text(json_view_addr(&a), "192.0.2.1:16990");
}

/* -- members ---------------------------------------------------------- */

static const char *get(const json_t *o, const char *key)
{
    json_t *value = json_object_get(o, key);

    assert_non_null(value);
    return json_string_value(value);
}

static void assert_null_key(const json_t *o, const char *key)
{
    assert_true(json_is_null(json_object_get(o, key)));
}

static const struct fact web_facts[] = {
    FACT("addr", "192.0.2.7:16990"), FACT("addr", "[2001:db8::7]:16990"),
    FACT("agent", "0.1.0"),          FACT("host", "web1"),
    FACT("os", "Debian 12"),         FACT("tag.note", "a \"b\" c"),
    FACT("tag.role", "db"),          FACT("tag.role", "web"),
};

static void test_member(void **state)
{
    struct member_rig *r = *state;
    struct member_view m = member_rig_view(r, 1, web_facts, 8);
    json_t *o, *tags;

    m.age_ms = 12345;
    m.answer_ms = 100;
    m.srtt_us = 1500;
    m.friend = true;
    o = json_view_member(&m);
    assert_non_null(o);
    assert_int_equal(strlen(get(o, "id")), 64);
    assert_string_equal(get(o, "name"), "web1");
    assert_string_equal(get(o, "state"), "up");
    assert_true(json_is_false(json_object_get(o, "self")));
    assert_true(json_is_true(json_object_get(o, "friend")));
    assert_int_equal(json_array_size(json_object_get(o, "addresses")), 2);
    assert_string_equal(get(o, "os"), "Debian 12");
    assert_string_equal(get(o, "agent"), "0.1.0");
    assert_int_equal(json_integer_value(json_object_get(o, "serial")),
                     m.bundle->serial);
    tags = json_object_get(o, "tags");
    assert_int_equal(json_object_size(tags), 2);
    assert_string_equal(get(tags, "role"), "db");
    assert_string_equal(get(tags, "note"), "a \"b\" c");
    json_decref(o);
}

/* Numbers come out as a reader expects them. */
static void test_numbers(void **state)
{
    struct member_rig *r = *state;
    struct member_view m = member_rig_view(r, 1, web_facts, 8);
    json_t *o;
    char *text;

    m.age_ms = 2592000123;
    m.answer_ms = 1100;
    m.srtt_us = 301;
    o = json_view_member(&m);
    text = json_dumps(o, JSON_VIEW_FLAGS);
    assert_non_null(strstr(text, "\"age\":2592000.123,"));
    assert_non_null(strstr(text, "\"last_answer\":1.1,"));
    assert_non_null(strstr(text, "\"rtt_ms\":0.301,"));
    free(text);
    json_decref(o);
}

static void test_nothing_known(void **state)
{
    struct member_view m = {
        .state = MEMBER_CACHED, .answer_ms = UINT64_MAX, .reason = ""};
    json_t *o = json_view_node(&m);

    (void)state;
    assert_non_null(o);
    assert_string_equal(get(o, "state"), "cached");
    assert_null_key(o, "name");
    assert_null_key(o, "os");
    assert_null_key(o, "agent");
    assert_null_key(o, "last_answer");
    assert_null_key(o, "rtt_ms");
    assert_null_key(o, "serial");
    assert_null_key(o, "facts");
    assert_null_key(o, "facts_more");
    assert_null_key(o, "health");
    assert_null_key(o, "head");
    assert_null_key(o, "address");
    assert_null_key(o, "reason");
    assert_int_equal(json_array_size(json_object_get(o, "addresses")), 0);
    assert_int_equal(json_object_size(json_object_get(o, "tags")), 0);
    assert_int_equal(json_array_size(json_object_get(o, "blocks")), 0);
    json_decref(o);
}

/* A block of facts that does not parse is a valid block: it has no facts. */
static void test_malformed_facts(void **state)
{
    struct member_rig *r = *state;
    struct ident *author = member_rig_author(r, 2);
    struct object *facts =
        fake_object(r->pool, author, BLOCK_FACTS, "facts", 5, "\x04hos", 4);
    struct member_view m = member_rig_bundle(r, author, &facts, 1);
    struct fact host;
    json_t *o = json_view_node(&m);

    assert_non_null(o);
    assert_null_key(o, "name");
    assert_null_key(o, "facts");
    assert_int_equal(json_object_size(json_object_get(o, "tags")), 0);
    assert_int_equal(json_array_size(json_object_get(o, "blocks")), 1);
    assert_false(json_view_host(m.bundle, &host));
    json_decref(o);
}

static void test_states(void **state)
{
    static const char *const names[] = {"up",     "no answer", "away",
                                        "cached", "gone",      "left"};
    struct json_view_census census = {0};
    struct member_view m = {.state = MEMBER_GONE};

    (void)state;
    for (unsigned i = MEMBER_UP; i <= MEMBER_LEFT; i++)
        assert_string_equal(json_view_state(i), names[i]);
    json_view_count(&census, &m);
    json_view_count(&census, &m);
    assert_int_equal(census.in_state[MEMBER_GONE], 2);
    assert_int_equal(census.in_state[MEMBER_UP], 0);
}

static void test_node(void **state)
{
    struct member_rig *r = *state;
    struct ident *author = member_rig_author(r, 3);
    struct object *blocks[] = {
        member_rig_facts(r, author, web_facts, 8),
        fake_object(r->pool, author, BLOCK_DATA, "motd", 4, "hello", 5),
        fake_object(r->pool, author, 99, "new-thing", 6, NULL, 0),
    };
    struct member_view m = member_rig_bundle(r, author, blocks, 3);
    json_t *o, *facts, *list, *head;

    m.reason = "tcp";
    m.state = MEMBER_NO_ANSWER;
    o = json_view_node(&m);
    assert_non_null(o);
    assert_string_equal(get(o, "state"), "no answer");
    assert_string_equal(get(o, "reason"), "tcp");
    facts = json_object_get(o, "facts");
    list = json_object_get(facts, "tag.role");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 1)), "web");
    assert_int_equal(json_array_size(json_object_get(facts, "host")), 1);
    assert_null_key(o, "health");
    list = json_object_get(o, "blocks");
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(get(json_array_get(list, 0), "type"), "facts");
    assert_string_equal(get(json_array_get(list, 1), "name"), "motd");
    assert_string_equal(get(json_array_get(list, 1), "type"), "data");
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(list, 1), "size")),
        5);
    assert_string_equal(get(json_array_get(list, 2), "type"), "99");
    head = json_object_get(o, "head");
    assert_int_equal(json_integer_value(json_object_get(head, "lease")), 600);
    assert_string_equal(get(head, "features"), "0000000000000000");
    assert_int_equal(json_array_size(json_object_get(head, "flags")), 0);
    json_decref(o);
}

/* A head that says all that a head can say. */
static void test_head(void **state)
{
    struct member_rig *r = *state;
    struct ident *author = member_rig_author(r, 4);
    struct head_fields fields = {.major_min = 1,
                                 .major_max = 2,
                                 .flags = 0x8000 | HEAD_LEAVE | HEAD_AWAY |
                                          HEAD_DIAL_OUT | HEAD_CLONE,
                                 .features = UINT64_MAX,
                                 .lease_s = HEAD_LEASE_MAX_S};
    struct head_miss misses[] = {
        {.id = {{1}}, .reason = MISS_TLS},
    };
    uint8_t payload[HEAD_PAYLOAD_MAX];
    struct bundle *bundle;
    struct object *head;
    struct writer w;
    struct member_view m;
    json_t *o, *h, *miss;
    char *flags;

    writer_init(&w, payload, sizeof payload);
    head_build(&w, &fields, NULL, 0, misses, 1);
    head = fake_object(r->pool, author, BLOCK_HEAD, "head", 9, payload, w.len);
    assert_int_equal(pool_bundle(r->pool, head, NULL, 0, &bundle), KITH_OK);
    m = member_rig_hold(r, bundle, &head, 1);
    o = json_view_node(&m);
    h = json_object_get(o, "head");
    flags = json_dumps(json_object_get(h, "flags"), JSON_COMPACT);
    assert_string_equal(flags, "[\"leave\",\"away\",\"dial-out\",\"clone\"]");
    free(flags);
    assert_string_equal(get(h, "features"), "ffffffffffffffff");
    assert_int_equal(json_integer_value(json_object_get(h, "major_max")), 2);
    miss = json_array_get(json_object_get(h, "misses"), 0);
    assert_string_equal(get(miss, "reason"), "tls");
    assert_int_equal(strncmp(get(miss, "id"), "0100", 4), 0);
    json_decref(o);
}

/* -- export ----------------------------------------------------------- */

static size_t unbase64(const char *text, uint8_t *out, size_t cap)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n = 0;

    for (size_t i = 0; text[i] != '\0' && text[i] != '='; i++) {
        const char *digit = strchr(digits, text[i]);
        assert_non_null(digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        if (i % 4 > 0) {
            assert_true(n < cap);
            out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
        }
    }
    return n;
}

/* Whoever holds the export can check the signature with nothing else. */
static void test_export(void **state)
{
    struct member_rig *r = *state;
    struct ident *author = member_rig_author(r, 5);
    static const uint8_t der[] = {0x30, 0x03, 1, 2, 3};
    struct certs certs = {.n = 1, .chain = {{der, sizeof der}}};
    uint8_t payload[64], bytes[256], *big = malloc(40000);
    struct object *blocks[2];
    struct hash digest;
    struct member_view m;
    struct node_id id;
    struct writer w;
    size_t n;
    json_t *o;

    writer_init(&w, payload, sizeof payload);
    assert_int_equal(certs_encode(&certs, &w), KITH_OK);
    blocks[0] =
        fake_object(r->pool, author, BLOCK_CERT, "cert", 3, payload, w.len);
    blocks[1] = fake_object(r->pool, author, BLOCK_DATA, "motd", 4, "hello", 5);
    m = member_rig_bundle(r, author, blocks, 2);
    o = json_view_export(m.bundle, bundle_block(m.bundle, "motd"));
    assert_non_null(o);

    n = unbase64(get(o, "signed"), big, 40000);
    assert_memory_equal(big, "kith-block-v1", 14);
    assert_int_equal(hash_sha256(&digest, big, n), KITH_OK);
    assert_memory_equal(digest.b, blocks[1]->hash.b, HASH_LEN);
    n = unbase64(get(o, "signature"), big, 40000);
    assert_int_equal(n, SIG_LEN);
    assert_int_equal(fake_verify(NULL, author->spki, &digest, big), KITH_OK);
    n = unbase64(get(o, "spki"), big, 40000);
    assert_int_equal(n, SPKI_LEN);
    assert_int_equal(hash_sha256(&digest, big, n), KITH_OK);
    assert_int_equal(text_unhex(id.b, sizeof id.b, get(o, "node"), 64),
                     KITH_OK);
    assert_memory_equal(digest.b, id.b, sizeof id.b);
    n = unbase64(get(o, "certificate"), bytes, sizeof bytes);
    assert_int_equal(n, sizeof der);
    assert_memory_equal(bytes, der, n);
    n = unbase64(get(o, "payload"), bytes, sizeof bytes);
    assert_int_equal(n, 5);
    assert_memory_equal(bytes, "hello", 5);
    json_decref(o);
    free(big);
}

static void test_export_without_certificate(void **state)
{
    struct member_rig *r = *state;
    struct ident *author = member_rig_author(r, 6);
    struct object *blocks[] = {
        fake_object(r->pool, author, BLOCK_CERT, "cert", 3, "\x09", 1),
        fake_object(r->pool, author, BLOCK_DATA, "motd", 4, NULL, 0)};
    struct member_view m = member_rig_bundle(r, author, blocks, 2);
    json_t *o = json_view_export(m.bundle, bundle_block(m.bundle, "head"));

    assert_null_key(o, "certificate");
    assert_string_equal(get(o, "type"), "head");
    json_decref(o);
    o = json_view_export(m.bundle, bundle_block(m.bundle, "motd"));
    assert_string_equal(get(o, "payload"), "");
    json_decref(o);
}

/* -- the agent -------------------------------------------------------- */

static void test_status(void **state)
{
    struct member_rig *r = *state;
    struct member_view self = member_rig_view(r, 1, web_facts, 8);
    struct addr listening = {.family = 4, .port = 16990};
    struct engine_status s = {.members = 3,
                              .friends = 2,
                              .sessions = 1,
                              .searching = true,
                              .serial = 1767225599123,
                              .lease_s = 600,
                              .counters = {[COUNT_BYTES_IN] = 42}};
    struct agent_info info = {.version = "0.1.0",
                              .commit = "abc",
                              .mesh_name = "open",
                              .open_mesh = true,
                              .state_dir = "/var/lib/kith",
                              .started_unix_ms = 1000,
                              .port = 16990,
                              .listening = &listening,
                              .n_listening = 1,
                              .store_kept = true};
    struct json_view_census census = {.in_state = {[MEMBER_UP] = 3}};
    struct now now = {.unix_ms = 3500};
    json_t *o = json_view_status(&s, &info, &census, self.bundle, &now);

    assert_non_null(o);
    assert_string_equal(get(o, "name"), "web1");
    assert_string_equal(get(o, "started"), "1970-01-01T00:00:01.000Z");
    assert_string_equal(get(o, "store"), "disk");
    assert_string_equal(get(json_object_get(o, "mesh"), "name"), "open");
    assert_true(json_real_value(json_object_get(o, "uptime")) == 2.5);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(o, "states"), "up")),
        3);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(o, "counters"), "bytes_in")),
                     42);
    json_decref(o);

    /* a clock that was set back, and a node that has said nothing yet */
    now.unix_ms = 10;
    info.store_kept = false;
    o = json_view_status(&s, &info, &census, NULL, &now);
    assert_null_key(o, "name");
    assert_string_equal(get(o, "store"), "memory");
    assert_true(json_real_value(json_object_get(o, "uptime")) == 0);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_addr),
        cmocka_unit_test(test_member),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_nothing_known),
        cmocka_unit_test(test_malformed_facts),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_node),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_export_without_certificate),
        cmocka_unit_test(test_status),
    };

    return cmocka_run_group_tests(tests, member_rig_setup, member_rig_teardown);
}
