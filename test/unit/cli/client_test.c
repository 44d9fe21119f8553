/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli_rig.h"

#include "base/error.h"
#include "cli/client.h"

static void assert_path(const char *route, const char *a, const char *b,
                        const char *expected)
{
    char path[CLIENT_PATH_SIZE];

    assert_int_equal(client_path(path, route, a, b), KITH_OK);
    assert_string_equal(path, expected);
}

static void test_path(void **state)
{
    char path[CLIENT_PATH_SIZE], name[CLIENT_PATH_SIZE];

    (void)state;
    assert_path("/v1/id", NULL, NULL, "/v1/id");
    assert_path("/v1/nodes/*", "web1", NULL, "/v1/nodes/web1");
    assert_path("/v1/nodes/*/blocks/*", "a/b", "c d",
                "/v1/nodes/a%2Fb/blocks/c%20d");
    assert_path("/v1/tags/*", "..", NULL, "/v1/tags/..");
    assert_path("/v1/tags/*", "A-z.0_9~", NULL, "/v1/tags/A-z.0_9~");
    assert_path("/v1/tags/*", "\xc3\xbc?#%*\r\n", NULL,
                "/v1/tags/%C3%BC%3F%23%25%2A%0D%0A");
    assert_int_equal(client_path(path, "/v1/tags/*", "", NULL),
                     KITH_ERR_FORMAT);
    assert_int_equal(client_path(path, "/v1/tags/*", NULL, NULL),
                     KITH_ERR_FORMAT);
    assert_int_equal(client_path(path, "/*/*", "a", NULL), KITH_ERR_FORMAT);
    memset(name, ' ', sizeof name);
    name[1360] = '\0';
    assert_int_equal(client_path(path, "/*", name, NULL), KITH_OK);
    assert_int_equal(strlen(path), 1 + 3 * 1360);
    name[1360] = ' ';
    name[1365] = '\0';
    assert_int_equal(client_path(path, "/*", name, NULL), KITH_ERR_RANGE);
}

/* -- a call ----------------------------------------------------------- */

static char message[CLIENT_MESSAGE_SIZE];

static int call(struct rig *r, struct client_reply *reply)
{
    return client_call(r->path, "PUT", "/v1/blocks/motd", "hello", 5, reply,
                       message);
}

static void test_call(void **state)
{
    struct rig *r = *state;
    struct client_reply reply;

    RIG_ANSWER(r, {.ask = "PUT /v1/blocks/motd HTTP/1.1\r\n",
                   .status = "404 Not Found",
                   .body = "{}\n\n"});
    assert_int_equal(call(r, &reply), KITH_OK);
    assert_int_equal(reply.status, 404);
    assert_string_equal(reply.body, "{}\n\n");
    assert_int_equal(reply.len, 4);
    client_reply_free(&reply);
    assert_non_null(strstr(r->asked->last, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(r->asked->last, "\r\nContent-Length: 5\r\n"));
    assert_string_equal(strstr(r->asked->last, "\r\n\r\n") + 4, "hello");
}

static void test_no_body(void **state)
{
    struct rig *r = *state;
    struct client_reply reply;

    RIG_ANSWER(r, {.ask = "PUT ", .status = RIG_DONE});
    assert_int_equal(call(r, &reply), KITH_OK);
    assert_int_equal(reply.status, 204);
    assert_null(reply.body);
    client_reply_free(&reply);
}

static void test_bad_answers(void **state)
{
    static const struct {
        const char *answer;
        int err;
    } bad[] = {
        {NULL, KITH_ERR_TRUNCATED},
        {"", KITH_ERR_TRUNCATED},
        {"HTTP/1.1 200 OK\r\n", KITH_ERR_TRUNCATED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
         KITH_ERR_TRUNCATED},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!",
         KITH_ERR_TRAILING},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
         "5\r\nhello\r\n",
         KITH_ERR_TRUNCATED},
        {"SSH-2.0-OpenSSH_9.2\r\n", KITH_ERR_FORMAT},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct client_reply reply;

        RIG_ANSWER(r, {.ask = "PUT ", .raw = bad[i].answer});
        assert_int_equal(call(r, &reply), bad[i].err);
        assert_non_null(strstr(message, "not kithd, or it broke off"));
        client_reply_free(&reply);
        rig_stop(r);
    }
}

static void test_unreachable(void **state)
{
    struct rig *r = *state;
    struct client_reply reply;
    char path[200];

    close(r->listening);
    r->listening = -1;
    assert_int_equal(call(r, &reply), KITH_ERR_IO);
    assert_non_null(strstr(message, "nobody answers on /tmp/kith-cli-"));
    unlink(r->path);
    assert_int_equal(call(r, &reply), KITH_ERR_IO);
    assert_non_null(strstr(message, "there is no socket /tmp/kith-cli-"));
    assert_non_null(strstr(message, "kithd is not running"));
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_int_equal(client_call(path, "GET", "/", NULL, 0, &reply, message),
                     KITH_ERR_IO);
    assert_non_null(strstr(message, "too long"));
    assert_int_equal(client_call("", "GET", "/", NULL, 0, &reply, message),
                     KITH_ERR_IO);
}

/* Runs only where the tests are not run as root, who may do everything. */
static void test_denied(void **state)
{
    struct rig *r = *state;
    struct client_reply reply;

    if (geteuid() == 0)
        skip();
    assert_int_equal(unlink(r->path), 0);
    close(r->listening);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    memcpy(at.sun_path, r->path, strlen(r->path) + 1);
    r->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    mode_t before = umask(0777);
    assert_int_equal(bind(r->listening, (struct sockaddr *)&at, sizeof at), 0);
    umask(before);
    assert_int_equal(listen(r->listening, 1), 0);
    assert_int_equal(call(r, &reply), KITH_ERR_AUTH);
    assert_non_null(strstr(message, "permission denied"));
    assert_non_null(strstr(message, "group"));
}

static void test_large(void **state)
{
    struct rig *r = *state;
    struct client_reply reply;
    size_t size = 3 << 20;
    char *body = malloc(size + 1);

    assert_non_null(body);
    memset(body, 'x', size);
    body[size] = '\0';
    RIG_ANSWER(r, {.ask = "PUT ", .status = "200 OK", .body = body});
    assert_int_equal(call(r, &reply), KITH_OK);
    assert_int_equal(reply.len, size);
    assert_int_equal(reply.body[size], '\0');
    client_reply_free(&reply);
    free(body);
}

/* -- events ----------------------------------------------------------- */

static const char one[] = "id: 1\ndata: {\"seq\": 1}\n\n";

static void test_stream(void **state)
{
    struct rig *r = *state;
    struct client_stream *s;
    const char *event;

    RIG_ANSWER(r, {.ask = "GET /v1/events ", .events = one, .stay = true});
    assert_int_equal(client_stream_open(r->path, &s, message), KITH_OK);
    assert_int_equal(client_stream_next(s, 5000, &event, message), KITH_OK);
    assert_string_equal(event, "{\"seq\": 1}");
    assert_int_equal(client_stream_next(s, 1, &event, message),
                     KITH_ERR_NOTFOUND);
    client_stream_close(s);
}

static void test_stream_ends(void **state)
{
    struct rig *r = *state;
    struct client_stream *s;
    const char *event;

    RIG_ANSWER(r, {.ask = "GET /v1/events ", .events = one});
    assert_int_equal(client_stream_open(r->path, &s, message), KITH_OK);
    assert_int_equal(client_stream_next(s, 5000, &event, message), KITH_OK);
    assert_int_equal(client_stream_next(s, 5000, &event, message),
                     KITH_ERR_TRUNCATED);
    client_stream_close(s);
    client_stream_close(NULL);
}

static void test_no_stream(void **state)
{
    struct rig *r = *state;
    struct client_stream *s;

    RIG_ANSWER(
        r,
        {.ask = "GET ", .status = "503 Service Unavailable", .body = "{}\n"});
    assert_int_equal(client_stream_open(r->path, &s, message), KITH_ERR_IO);
    assert_non_null(strstr(message, "503"));
    assert_null(s);
    rig_stop(r);
    RIG_ANSWER(r, {.ask = "GET ", .raw = "HTTP/1.1 200 OK\r\n"});
    assert_int_equal(client_stream_open(r->path, &s, message),
                     KITH_ERR_TRUNCATED);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test_setup_teardown(test_call, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_body, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bad_answers, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_unreachable, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_denied, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_large, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_stream, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_stream_ends, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_stream, rig_setup,
                                        rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
