/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "daemon/api_path.h"

static void assert_path(const char *uri, const char *joined)
{
    struct api_path path;
    char text[API_SEGMENTS_MAX * (API_SEGMENT_SIZE + 1)] = "";
    size_t len = 0;

    assert_int_equal(api_path_parse(uri, &path), KITH_OK);
    for (size_t i = 0; i < path.n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s|",
                                path.segment[i]);
    assert_string_equal(text, joined);
}

static void assert_refused(const char *uri, int err)
{
    struct api_path path;

    assert_int_equal(api_path_parse(uri, &path), err);
}

static void test_parse(void **state)
{
    (void)state;
    assert_path("/v1", "v1|");
    assert_path("/v1/nodes/a", "v1|nodes|a|");
    assert_path("/v1/nodes?x=/y", "v1|nodes|");
    assert_path("/v1#x/y", "v1|");
    assert_path("/a%2Fb/%41", "a/b|A|");
    assert_path("/%25%32%35", "%25|");
    assert_path("/m%c3%bcnchen", "m\xc3\xbcnchen|");
    assert_path("/../.", "..|.|");
    assert_path("/a/b/c/d/e/f", "a|b|c|d|e|f|");
}

static void test_refused(void **state)
{
    (void)state;
    assert_refused("", KITH_ERR_FORMAT);
    assert_refused("*", KITH_ERR_FORMAT);
    assert_refused("http://kith/v1", KITH_ERR_FORMAT);
    assert_refused("/", KITH_ERR_FORMAT);
    assert_refused("/v1/", KITH_ERR_FORMAT);
    assert_refused("//v1", KITH_ERR_FORMAT);
    assert_refused("/v1//a", KITH_ERR_FORMAT);
    assert_refused("/a%", KITH_ERR_FORMAT);
    assert_refused("/a%4", KITH_ERR_FORMAT);
    assert_refused("/a%4/b", KITH_ERR_FORMAT);
    assert_refused("/a%4g", KITH_ERR_FORMAT);
    assert_refused("/a%00", KITH_ERR_FORMAT);
    assert_refused("/a/b/c/d/e/f/g", KITH_ERR_RANGE);
}

static void test_long(void **state)
{
    char uri[API_SEGMENT_SIZE + 2] = "/";
    struct api_path path;

    (void)state;
    memset(uri + 1, 'a', API_SEGMENT_SIZE - 1);
    assert_int_equal(api_path_parse(uri, &path), KITH_OK);
    assert_int_equal(strlen(path.segment[0]), API_SEGMENT_SIZE - 1);
    uri[API_SEGMENT_SIZE] = 'a';
    assert_int_equal(api_path_parse(uri, &path), KITH_ERR_RANGE);
}

static bool match(const char *uri, const char *route,
                  const char *args[API_ARGS_MAX])
{
    static struct api_path path;

    assert_int_equal(api_path_parse(uri, &path), KITH_OK);
    return api_path_match(&path, route, args);
}

static void test_match(void **state)
{
    const char *args[API_ARGS_MAX] = {NULL, NULL};

    (void)state;
    assert_true(match("/v1/id", "/v1/id", args));
    assert_null(args[0]);
    assert_true(match("/v1/nodes/web1", "/v1/nodes/*", args));
    assert_string_equal(args[0], "web1");
    assert_true(match("/v1/nodes/x/blocks/y", "/v1/nodes/*/blocks/*", args));
    assert_string_equal(args[0], "x");
    assert_string_equal(args[1], "y");
    assert_true(match("/v1/nodes/%2a", "/v1/nodes/*", args));
    assert_string_equal(args[0], "*");

    assert_false(match("/v1", "/v1/id", args));
    assert_false(match("/v1/id/x", "/v1/id", args));
    assert_false(match("/v1/i", "/v1/id", args));
    assert_false(match("/v1/idx", "/v1/id", args));
    assert_false(match("/v1%2fid", "/v1/id", args));
    assert_false(match("/v1/nodes", "/v1/nodes/*", args));
    assert_false(match("/v1/nodes/a/b", "/v1/nodes/*", args));
    assert_false(match("/v1/nodes/a/block/b", "/v1/nodes/*/blocks/*", args));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
