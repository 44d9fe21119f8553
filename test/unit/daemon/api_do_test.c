/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "api_rig.h"

#include "base/text.h"

/* -- tags ------------------------------------------------------------- */

static void test_put_tag(void **state)
{
    struct rig *r = *state;

    assert_int_equal(rig_ask(r, "PUT", "/v1/tags/role", "web"), 204);
    assert_string_equal(r->body, "");
    assert_string_equal(r->agent.key, "role");
    assert_string_equal(r->agent.value, "web");
    assert_int_equal(rig_ask(r, "PUT", "/v1/tags/empty", ""), 204);
    assert_false(r->agent.value_null);
    assert_string_equal(r->agent.value, "");
    assert_int_equal(rig_ask(r, "DELETE", "/v1/tags/role", ""), 204);
    assert_true(r->agent.value_null);
    assert_string_equal(r->agent.key, "role");
}

static void test_bad_tags(void **state)
{
    struct rig *r = *state;
    char path[128] = "/v1/tags/", value[514];

    rig_ask(r, "PUT", "/v1/tags/Role", "web");
    rig_assert_error(r, 400, "no key of a tag: Role");
    rig_ask(r, "PUT", "/v1/tags/a%20b", "web");
    rig_assert_error(r, 400, "no key");
    memset(path + 9, 'k', 60);
    path[69] = '\0';
    assert_int_equal(rig_ask(r, "PUT", path, "x"), 204);
    path[69] = 'k';
    path[70] = '\0';
    rig_ask(r, "PUT", path, "x");
    rig_assert_error(r, 400, "no key");
    rig_ask(r, "DELETE", path, "");
    rig_assert_error(r, 400, "no key");

    rig_ask(r, "PUT", "/v1/tags/role", "two\nlines");
    rig_assert_error(r, 400, "no value");
    rig_ask_bytes(r, "PUT", "/v1/tags/role", "z\0ro", 4);
    rig_assert_error(r, 400, "no value");
    rig_ask(r, "PUT", "/v1/tags/role", "\xff");
    rig_assert_error(r, 400, "no value");
    memset(value, 'v', sizeof value);
    rig_ask_bytes(r, "PUT", "/v1/tags/role", value, 513);
    rig_assert_error(r, 400, "no value");
    assert_int_equal(r->agent.calls, 1);
    assert_int_equal(rig_ask_bytes(r, "PUT", "/v1/tags/role", value, 512), 204);
    assert_int_equal(strlen(r->agent.value), 512);
}

static void test_agent_says_no(void **state)
{
    struct rig *r = *state;

    r->agent.err = KITH_ERR_FULL;
    rig_ask(r, "PUT", "/v1/tags/role", "web");
    rig_assert_error(r, 507, "no room");
    r->agent.err = KITH_ERR_NOTFOUND;
    rig_ask(r, "DELETE", "/v1/tags/role", "");
    rig_assert_error(r, 404, "no tag role");
    r->agent.err = KITH_ERR_FORMAT;
    rig_ask(r, "PUT", "/v1/tags/role", "web");
    rig_assert_error(r, 400, "role");
    r->agent.err = KITH_ERR_BUDGET;
    rig_ask(r, "PUT", "/v1/tags/role", "web");
    rig_assert_error(r, 503, "role");
    r->agent.err = KITH_ERR_NOMEM;
    rig_ask(r, "PUT", "/v1/tags/role", "web");
    rig_assert_error(r, 500, "out of memory");
}

static void test_post_tags(void **state)
{
    struct rig *r = *state;

    assert_int_equal(
        rig_ask(r, "POST", "/v1/tags", "{\"a\": \"1\", \"b\": \"\\u00fc\"}"),
        204);
    assert_int_equal(r->agent.calls, 2);
    assert_string_equal(r->agent.key, "b");
    assert_string_equal(r->agent.value, "\xc3\xbc");
    assert_int_equal(rig_ask(r, "POST", "/v1/tags", "{\"a\": null}"), 204);
    assert_true(r->agent.value_null);
    assert_int_equal(rig_ask(r, "POST", "/v1/tags", "{}"), 204);
    assert_int_equal(r->agent.calls, 3);

    /* what is not there need not be removed, and may not be for long */
    r->agent.err = KITH_ERR_NOTFOUND;
    assert_int_equal(
        rig_ask(r, "POST", "/v1/tags", "{\"a\": null, \"b\": null}"), 204);
    assert_int_equal(r->agent.calls, 5);
}

static void test_bad_post(void **state)
{
    struct rig *r = *state;
    char *many = malloc(2000);
    size_t len;

    rig_ask(r, "POST", "/v1/tags", "");
    rig_assert_error(r, 400, "no JSON object");
    rig_ask(r, "POST", "/v1/tags", "[\"a\"]");
    rig_assert_error(r, 400, "no JSON object");
    rig_ask(r, "POST", "/v1/tags", "{\"a\": \"1\"");
    rig_assert_error(r, 400, "no JSON object");
    rig_ask(r, "POST", "/v1/tags", "{\"a\": \"1\", \"a\": \"2\"}");
    rig_assert_error(r, 400, "no JSON object");
    rig_ask(r, "POST", "/v1/tags", "{\"a\": \"1\", \"b\": 2}");
    rig_assert_error(r, 400, "the value of b");
    rig_ask(r, "POST", "/v1/tags", "{\"a\": \"1\", \"B\": \"2\"}");
    rig_assert_error(r, 400, "no key of a tag: B");
    rig_ask(r, "POST", "/v1/tags", "{\"a\": \"1\", \"b\": \"\\u0007\"}");
    rig_assert_error(r, 400, "no value");

    len = (size_t)snprintf(many, 2000, "{\"k0\": \"\"");
    for (int i = 1; i < 65; i++)
        len += (size_t)snprintf(many + len, 2000 - len, ", \"k%d\": \"\"", i);
    snprintf(many + len, 2000 - len, "}");
    rig_ask(r, "POST", "/v1/tags", many);
    rig_assert_error(r, 400, "at most 64");
    free(many);
    /* of none of them the first tag was set */
    assert_int_equal(r->agent.calls, 0);
}

static void test_post_runs_out_of_room(void **state)
{
    struct rig *r = *state;

    r->agent.err = KITH_ERR_FULL;
    r->agent.fail_from = 2;
    rig_ask(r, "POST", "/v1/tags",
            "{\"a\": \"1\", \"b\": \"2\", \"c\": \"3\"}");
    rig_assert_error(r, 507, "no room for the tag b");
    assert_int_equal(r->agent.calls, 2);
}

/* -- blocks ----------------------------------------------------------- */

static void test_put_block(void **state)
{
    static char body[BLOCK_PAYLOAD_MAX];
    struct rig *r = *state;

    assert_int_equal(rig_ask(r, "PUT", "/v1/blocks/motd", "hello"), 204);
    assert_string_equal(r->agent.key, "motd");
    assert_int_equal(r->agent.len, 5);
    assert_memory_equal(r->agent.value, "hello", 5);
    assert_int_equal(rig_ask(r, "PUT", "/v1/blocks/empty", ""), 204);
    assert_int_equal(r->agent.len, 0);
    memset(body, '\0', sizeof body);
    assert_int_equal(
        rig_ask_bytes(r, "PUT", "/v1/blocks/big", body, sizeof body), 204);
    assert_int_equal(r->agent.len, sizeof body);
    assert_int_equal(rig_ask(r, "DELETE", "/v1/blocks/motd", ""), 204);
    assert_string_equal(r->agent.key, "motd");
}

static void test_bad_blocks(void **state)
{
    struct rig *r = *state;

    r->agent.err = KITH_ERR_FORMAT;
    rig_ask(r, "PUT", "/v1/blocks/head", "x");
    rig_assert_error(r, 400, "no name for a block: head");
    r->agent.err = KITH_ERR_RANGE;
    rig_ask(r, "PUT", "/v1/blocks/big", "x");
    rig_assert_error(r, 413, "32768");
    r->agent.err = KITH_ERR_FULL;
    rig_ask(r, "PUT", "/v1/blocks/big", "x");
    rig_assert_error(r, 507, "no room");
    r->agent.err = KITH_ERR_NOTFOUND;
    rig_ask(r, "DELETE", "/v1/blocks/none", "");
    rig_assert_error(r, 404, "no block none");
}

/* -- the node --------------------------------------------------------- */

static void test_leave(void **state)
{
    struct rig *r = *state;

    assert_int_equal(rig_ask(r, "POST", "/v1/away", ""), 204);
    assert_true(r->agent.went_away);
    assert_false(r->agent.left);
    assert_int_equal(rig_ask(r, "POST", "/v1/leave", ""), 204);
    assert_true(r->agent.left);
}

static void test_forget(void **state)
{
    struct rig *r = *state;
    struct member_view *m = rig_member(r, 1, "web1");

    assert_int_equal(rig_ask(r, "DELETE", "/v1/nodes/web1", ""), 204);
    assert_memory_equal(r->agent.id.b, m->id.b, NODE_ID_LEN);
    r->agent.err = KITH_ERR_UNWANTED;
    rig_ask(r, "DELETE", "/v1/nodes/web1", "");
    rig_assert_error(r, 409, "not gone");
    rig_ask(r, "DELETE", "/v1/nodes/web2", "");
    rig_assert_error(r, 404, "no node is known");
    assert_int_equal(r->agent.calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_tag, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad_tags, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_agent_says_no, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_post_tags, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad_post, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_post_runs_out_of_room, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_put_block, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad_blocks, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_leave, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_forget, rig_setup, rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
