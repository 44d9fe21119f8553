/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "api_rig.h"

#include "base/text.h"

/* The first n digits of a member's id. */
static const char *digits(const struct member_view *m, size_t n)
{
    static char hex[2 * NODE_ID_LEN + 1];

    text_hex(hex, sizeof hex, m->id.b, sizeof m->id.b);
    hex[n] = '\0';
    return hex;
}

static int get_node(struct rig *r, const char *node)
{
    char path[1024];

    snprintf(path, sizeof path, "/v1/nodes/%s", node);
    return rig_get(r, path);
}

/* -- routes ----------------------------------------------------------- */

static void test_no_route(void **state)
{
    static const char *const paths[] = {
        "/",       "/v1",          "/v1/",         "/v1/nodes/",
        "/v2/id",  "/v1/id/",      "/v1/id/x",     "/v1/nodes/a/blocks",
        "/v1//id", "/v1/nodes/%0", "/v1/%00/x",    "/v1/nodes/a/blocks/b/c",
        "*",       "/V1/id",       "/v1/nodes/%zz"};
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        rig_get(r, paths[i]);
        rig_assert_error(r, 404, "no such path");
    }
}

static void test_wrong_method(void **state)
{
    struct rig *r = *state;

    rig_ask(r, "POST", "/v1/nodes/abcd", "");
    rig_assert_error(r, 405, "GET, DELETE");
    assert_non_null(strstr(r->answer, "Allow: GET, DELETE\r\n"));
    rig_ask(r, "PATCH", "/v1/tags/a", "x");
    rig_assert_error(r, 405, "PUT, DELETE");
    rig_ask(r, "OPTIONS", "/v1/id", "");
    rig_assert_error(r, 405, "GET");
    assert_int_equal(r->agent.calls, 0);
}

static void test_head_has_no_body(void **state)
{
    struct rig *r = *state;

    assert_int_equal(rig_ask(r, "HEAD", "/v1/id", ""), 405);
    assert_string_equal(r->body, "");
}

static void test_query_is_ignored(void **state)
{
    struct rig *r = *state;

    assert_int_equal(rig_get(r, "/v1/id?x=/y"), 200);
}

/* Several requests on one connection. */
static void test_keep_alive(void **state)
{
    static const char ask[] = "GET /v1/id HTTP/1.1\r\nHost: kith\r\n\r\n";
    struct rig *r = *state;
    int fd = rig_connect(r);

    for (int i = 0; i < 3; i++) {
        rig_send(r, fd, ask, strlen(ask));
        r->answer_len = 0;
        assert_true(rig_read(r, fd, "}\n"));
    }
    close(fd);
}

static void test_too_large(void **state)
{
    struct rig *r = *state;
    static char body[300000];

    memset(body, 'x', sizeof body);
    rig_ask_bytes(r, "PUT", "/v1/blocks/motd", body, 33793);
    rig_assert_error(r, 413, "33792");
    assert_int_equal(
        rig_ask_bytes(r, "PUT", "/v1/blocks/motd", body, sizeof body), 413);
    assert_int_equal(r->agent.calls, 0);
}

static void test_not_http(void **state)
{
    struct rig *r = *state;
    int fd = rig_connect(r);

    rig_send(r, fd, "nonsense\r\n\r\n", 12);
    r->answer_len = 0;
    assert_true(rig_read(r, fd, NULL));
    assert_non_null(strstr(r->answer, " 400 "));
    close(fd);
}

/* -- looking ---------------------------------------------------------- */

static void test_status(void **state)
{
    struct rig *r = *state;
    struct member_view *self = rig_member(r, 1, "web1");
    json_t *o;

    self->self = true;
    assert_int_equal(rig_get(r, "/v1/status"), 200);
    o = rig_json(r);
    assert_string_equal(json_string_value(json_object_get(o, "name")), "web1");
    assert_string_equal(json_string_value(json_object_get(o, "id")),
                        digits(self, 64));
    json_decref(o);
    assert_int_equal(rig_get(r, "/v1/id"), 200);
    o = rig_json(r);
    assert_string_equal(json_string_value(json_object_get(o, "id")),
                        digits(self, 64));
    json_decref(o);
}

static void test_status_without_members(void **state)
{
    struct rig *r = *state;
    json_t *o;

    assert_int_equal(rig_get(r, "/v1/status"), 200);
    o = rig_json(r);
    assert_true(json_is_null(json_object_get(o, "name")));
    json_decref(o);
}

static void test_nodes(void **state)
{
    struct rig *r = *state;
    json_t *list;

    assert_int_equal(rig_get(r, "/v1/nodes"), 200);
    list = rig_json(r);
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);

    rig_member(r, 1, "web1");
    rig_member(r, 2, "web2")->friend = true;
    rig_member(r, 3, "web3");
    assert_int_equal(rig_get(r, "/v1/nodes"), 200);
    list = rig_json(r);
    assert_int_equal(json_array_size(list), 3);
    json_decref(list);
    assert_int_equal(rig_get(r, "/v1/friends"), 200);
    list = rig_json(r);
    assert_int_equal(json_array_size(list), 1);
    assert_non_null(json_object_get(json_array_get(list, 0), "reason"));
    json_decref(list);
}

static void test_node(void **state)
{
    struct rig *r = *state;
    struct member_view *m = rig_member(r, 1, "web1");
    char path[256];
    json_t *o;

    assert_int_equal(get_node(r, "web1"), 200);
    o = rig_json(r);
    assert_non_null(json_object_get(o, "facts"));
    assert_non_null(json_object_get(o, "blocks"));
    json_decref(o);

    snprintf(path, sizeof path, "/v1/nodes/%s/blocks/facts", digits(m, 8));
    assert_int_equal(rig_get(r, path), 200);
    assert_non_null(
        strstr(r->answer, "Content-Type: application/octet-stream\r\n"));
    assert_memory_equal(r->body, "\x04host\x00\x04web1", 11);
    rig_get(r, "/v1/nodes/web1/blocks/none");
    rig_assert_error(r, 404, "no block none");

    assert_int_equal(rig_get(r, "/v1/nodes/web1/export/head"), 200);
    o = rig_json(r);
    assert_non_null(json_object_get(o, "signature"));
    json_decref(o);
    rig_get(r, "/v1/nodes/web1/export/none");
    rig_assert_error(r, 404, "no block none");

    m->bundle = NULL;
    snprintf(path, sizeof path, "/v1/nodes/%s/blocks/head", digits(m, 8));
    rig_get(r, path);
    rig_assert_error(r, 404, "no block head");
}

static void test_metrics(void **state)
{
    struct rig *r = *state;

    rig_member(r, 1, "web1");
    assert_int_equal(rig_get(r, "/v1/metrics"), 200);
    assert_non_null(strstr(r->answer, "Content-Type: text/plain; version="));
    assert_non_null(strstr(r->body, "# TYPE kith_members gauge\n"
                                    "kith_members 1\n"));
    assert_non_null(strstr(r->body, "# TYPE kith_counter_even_total counter\n"
                                    "kith_counter_even_total 12\n"));
}

/* -- which node ------------------------------------------------------- */

static void test_by_id(void **state)
{
    struct rig *r = *state;
    struct member_view *m = rig_member(r, 1, "web1");
    char upper[65];

    rig_member(r, 2, "web2");
    assert_int_equal(get_node(r, digits(m, 64)), 200);
    assert_int_equal(get_node(r, digits(m, 4)), 200);
    for (size_t i = 0; i < 65; i++)
        upper[i] = digits(m, 64)[i] >= 'a' ? (char)(digits(m, 64)[i] - 32)
                                           : digits(m, 64)[i];
    assert_int_equal(get_node(r, upper), 200);
    get_node(r, digits(m, 3));
    rig_assert_error(r, 404, "no node is known");
    upper[63] = upper[63] == '0' ? '1' : '0';
    get_node(r, upper);
    rig_assert_error(r, 404, "no node is known");
}

static void test_by_host(void **state)
{
    struct rig *r = *state;

    rig_member(r, 1, "web1");
    rig_member(r, 2, "a/b c%");
    assert_int_equal(get_node(r, "WEB1"), 200);
    assert_int_equal(get_node(r, "a%2fb%20c%25"), 200);
    get_node(r, "web");
    rig_assert_error(r, 404, "no node is known by that name: web");
    get_node(r, "%1b[2J");
    rig_assert_error(r, 404, "\\x1b[2J");
}

static void assert_candidates(struct rig *r, size_t n)
{
    json_t *o, *list;

    rig_assert_error(r, 409, "several nodes");
    o = rig_json(r);
    list = json_object_get(o, "candidates");
    assert_int_equal(json_array_size(list), n);
    assert_non_null(json_object_get(json_array_get(list, 0), "id"));
    assert_non_null(json_object_get(json_array_get(list, 0), "name"));
    assert_non_null(json_object_get(json_array_get(list, 0), "state"));
    json_decref(o);
}

static void test_ambiguous(void **state)
{
    struct rig *r = *state;
    struct member_view *a = rig_member(r, 1, "web1");
    struct member_view *b = rig_member(r, 2, "web1");

    get_node(r, "web1");
    assert_candidates(r, 2);
    /* ids that begin alike */
    memcpy(b->id.b, a->id.b, 4);
    get_node(r, digits(a, 8));
    assert_candidates(r, 2);
    assert_int_equal(get_node(r, digits(a, 64)), 200);
    /* no more than a screen of them */
    for (uint64_t i = 3; i < 24; i++)
        rig_member(r, i, "web1");
    get_node(r, "web1");
    assert_candidates(r, 16);
}

/* A host name that looks like another node's id does not hide it. */
static void test_host_like_an_id(void **state)
{
    struct rig *r = *state;
    struct member_view *a = rig_member(r, 1, "web1");

    rig_member(r, 2, digits(a, 6));
    get_node(r, digits(a, 6));
    assert_candidates(r, 2);
    rig_member(r, 3, digits(a, 64));
    assert_int_equal(get_node(r, digits(a, 64)), 200);
}

/* A machine was installed anew: its name means the node that is there. */
static void test_past_nodes(void **state)
{
    struct rig *r = *state;
    struct member_view *gone = rig_member(r, 1, "web1");
    struct member_view *left = rig_member(r, 2, "web1");
    struct member_view *up = rig_member(r, 3, "web1");
    json_t *o;

    gone->state = MEMBER_GONE;
    left->state = MEMBER_LEFT;
    assert_int_equal(get_node(r, "web1"), 200);
    o = rig_json(r);
    assert_string_equal(json_string_value(json_object_get(o, "id")),
                        digits(up, 64));
    json_decref(o);
    assert_int_equal(get_node(r, digits(gone, 12)), 200);
    up->state = MEMBER_GONE;
    get_node(r, "web1");
    assert_candidates(r, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_route, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_wrong_method, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_head_has_no_body, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_query_is_ignored, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_keep_alive, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_too_large, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_not_http, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_status, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_status_without_members, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_nodes, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_node, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_metrics, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_by_id, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_by_host, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_ambiguous, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_host_like_an_id, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_past_nodes, rig_setup,
                                        rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
