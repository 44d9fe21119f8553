/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "unit/daemon/h2_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

static void answers(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/echo");

    spec.body = (const uint8_t *)"hello";
    spec.body_len = 5;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_OK);
    assert_string_equal(call.result.reason, "");
    assert_int_equal(call.result.status, 200);
    assert_int_equal(call.result.body_len, 5);
    assert_memory_equal(call.body, "hello", 5);
    assert_int_equal(rig->seen.calls, 1);
    assert_string_equal(rig->seen.method, "POST");
    assert_string_equal(rig->seen.path, "/echo");
    assert_string_equal(rig->seen.mesh, "00ff");
    assert_int_equal(h2_client_calls(rig->client), 0);
    assert_int_equal(h2_server_counters(rig->server)->requests, 1);
}

static void identifies_both_sides(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/echo");

    spec.expected = &rig->b.id;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_OK);
    assert_true(call.result.peer_known);
    assert_true(call.result.peer.member);
    assert_true(node_id_equal(&call.result.peer.id, &rig->b.id));
    assert_true(node_id_equal(&rig->seen.peer, &rig->a.id));
    assert_true(rig->seen.member);
}

static void tells_addresses(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct addr own;

    assert_int_equal(text_addr_parse(&own, "127.0.0.9:0", 0), KITH_OK);
    spec.bind_to = &own;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_OK);
    assert_true(addr_same_ip(&call.result.local, &own));
    assert_true(addr_equal(&call.result.local, &rig->seen.from));
    assert_true(addr_equal(&rig->addr, &rig->seen.to));
}

static void answers_without_body(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/204");

    spec.mesh = NULL;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_OK);
    assert_int_equal(call.result.status, 204);
    assert_int_equal(call.result.body_len, 0);
    assert_false(rig->seen.has_mesh);
}

static void unset_status_is_500(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};

    rig_run(rig, &call, rig_spec(rig, "/nothing"));
    assert_int_equal(call.result.outcome, H2_OK);
    assert_int_equal(call.result.status, 500);
}

static void ipv6_works(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct addr any;

    assert_int_equal(text_addr_parse(&any, "[::1]:0", 0), KITH_OK);
    if (h2_server_listen(rig->server, &any, &rig->addr) != KITH_OK)
        skip();
    rig_run(rig, &call, rig_spec(rig, "/echo"));
    assert_int_equal(call.result.outcome, H2_OK);
    assert_int_equal(rig->seen.from.family, 6);
}

static void streams_an_answer(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/stream");

    spec.max_body = RIG_STREAM_LEN;
    spec.on_body = rig_on_body;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_OK);
    assert_int_equal(call.streamed, RIG_STREAM_LEN);
    assert_int_equal(call.wrong, 0);
    assert_int_equal(call.result.body_len, 0);
    assert_true(node_id_equal(&call.from, &rig->b.id));
    assert_int_equal(rig->pull_done, 1);
}

static void collects_an_answer(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/stream");

    spec.max_body = RIG_STREAM_LEN;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_OK);
    assert_int_equal(call.result.body_len, RIG_STREAM_LEN);
    for (size_t i = 0; i < sizeof call.body; i++)
        assert_int_equal(call.body[i], rig_byte(i));
}

static void answer_over_limit_ends_call(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/stream");

    spec.max_body = RIG_STREAM_LEN - 1;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_HTTP);
    assert_string_equal(call.result.reason, "answer too large");
    RIG_WAIT(rig, rig->pull_done == 1);
}

static void answer_broken_off(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/half");

    spec.max_body = RIG_STREAM_LEN;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_HTTP);
    assert_int_equal(rig->pull_done, 1);
}

static void answer_refused_by_caller(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {.refuse_at = 100000};
    struct h2_call_spec spec = rig_spec(rig, "/stream");

    spec.max_body = RIG_STREAM_LEN;
    spec.on_body = rig_on_body;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_HTTP);
    RIG_WAIT(rig, rig->pull_done == 1);
}

/* A body one byte over the limit of its path, and one right at it. */
static void body_limits(void **state)
{
    static const struct {
        const char *path;
        size_t len;
        int status;
    } cases[] = {
        {"/echo", H2_BODY_DEFAULT, 200},  {"/echo", H2_BODY_DEFAULT + 1, 413},
        {"/echo", 4 * 1024 * 1024, 413},  {"/bulk", RIG_BULK_MAX, 200},
        {"/bulk", RIG_BULK_MAX + 1, 413},
    };
    struct rig *rig = *state;
    uint8_t *body = calloc(1, 4 * 1024 * 1024);

    assert_non_null(body);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig_call call = {0};
        struct h2_call_spec spec = rig_spec(rig, cases[i].path);

        spec.body = body;
        spec.body_len = cases[i].len;
        spec.max_body = RIG_BULK_MAX;
        rig_run(rig, &call, spec);
        assert_int_equal(call.result.outcome, H2_OK);
        assert_int_equal(call.result.status, cases[i].status);
        if (cases[i].status == 413)
            assert_non_null(strstr((char *)call.body, "\"size\""));
    }
    assert_int_equal(rig->seen.calls, 2);
    assert_int_equal(h2_server_counters(rig->server)->body_large, 3);
    free(body);
}

static void bodies_have_a_limit_together(void **state)
{
    struct rig *rig = *state;
    struct h2_server_opts opts = rig_opts(rig);
    struct rig_call call = {0};
    struct h2_call_spec spec;
    static const uint8_t body[1000];

    opts.bodies_max = sizeof body - 1;
    rig_serve(rig, rig->b.tls, &opts);
    spec = rig_spec(rig, "/echo");
    spec.body = body;
    spec.body_len = sizeof body;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.status, 503);
    spec.body_len--;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.status, 200);
    assert_int_equal(h2_server_counters(rig->server)->busy, 1);
}

static void strangers_reach_the_handler(void **state)
{
    struct rig *rig = *state;
    struct h2_server_opts opts = rig_opts(rig);
    struct tls *closed = rig_tls(&rig->b, false);
    struct rig_call call = {0};

    rig_serve(rig, closed, &opts);
    rig_run(rig, &call, rig_spec(rig, "/echo"));
    assert_int_equal(call.result.outcome, H2_OK);
    assert_int_equal(rig->seen.calls, 1);
    assert_false(rig->seen.member);
    assert_true(node_id_equal(&rig->seen.peer, &rig->a.id));
    assert_int_equal(h2_server_counters(rig->server)->strangers, 1);
    h2_server_free(rig->server);
    rig->server = NULL;
    tls_free(closed);
}

static void strangers_are_asked_nothing(void **state)
{
    struct rig *rig = *state;
    const struct cert_rules closed = {0}, open = {.open_mesh = true};
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};

    assert_int_equal(tls_set_rules(rig->a.tls, &closed), KITH_OK);
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_STRANGER);
    assert_true(call.result.peer_known);
    assert_false(call.result.peer.member);
    assert_true(node_id_equal(&call.result.peer.id, &rig->b.id));
    assert_int_equal(rig->seen.calls, 0);

    spec.stranger_ok = true;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_OK);
    assert_false(call.result.peer.member);
    assert_int_equal(tls_set_rules(rig->a.tls, &open), KITH_OK);
}

static void other_id_is_asked_nothing(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};

    spec.expected = &rig->a.id;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_OTHER_ID);
    assert_true(call.result.peer_known);
    assert_true(node_id_equal(&call.result.peer.id, &rig->b.id));
    assert_int_equal(rig->seen.calls, 0);
}

static void closed_port(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};

    h2_server_free(rig->server);
    rig->server = NULL;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_REFUSED);
    assert_false(call.result.peer_known);
}

/* All of these must come out of the loop, not of h2_call_start(). */
static void no_way_there(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};
    struct addr foreign;

    assert_int_equal(text_addr_parse(&foreign, "203.0.113.1:0", 0), KITH_OK);
    spec.bind_to = &foreign;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_TCP);
    assert_int_equal(call.result.err, 0);

    spec.bind_to = NULL;
    spec.to = (struct addr){0};
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_TCP);
}

/* A TCP listener that is none of ours. */
static int plain_listener(struct rig *rig, struct addr *at)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)rig;
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    assert_int_equal(addr_from_sockaddr(at, (struct sockaddr *)&sin), KITH_OK);
    return fd;
}

static void mute_server(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};
    int fd = plain_listener(rig, &spec.to);

    spec.deadline_ms = 50;
    rig_run(rig, &call, spec);
    assert_int_equal(call.result.outcome, H2_TLS);
    assert_int_equal(call.result.local.family, 4);
    close(fd);
}

static void server_hangs_up(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};
    int fd = plain_listener(rig, &spec.to);
    int conn;

    rig_start(rig, &call, spec);
    conn = accept(fd, NULL, NULL);
    assert_true(conn >= 0);
    close(conn);
    RIG_WAIT(rig, call.done);
    assert_int_equal(call.result.outcome, H2_REFUSED);
    close(fd);
}

static void server_speaks_no_tls(void **state)
{
    static const char greeting[] = "SSH-2.0-none of your business\r\n";
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};
    int fd = plain_listener(rig, &spec.to);
    int conn;

    rig_start(rig, &call, spec);
    conn = accept(fd, NULL, NULL);
    assert_true(conn >= 0);
    assert_true(write(conn, greeting, sizeof greeting) > 0);
    RIG_WAIT(rig, call.done);
    assert_int_equal(call.result.outcome, H2_TLS);
    assert_int_equal(call.result.err, 0);
    close(conn);
    close(fd);
}

static int refuse_all(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

static int take_alpn(SSL *ssl, const uint8_t **out, uint8_t *len,
                     const uint8_t *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)in_len;
    (void)arg;
    *out = in + 1;
    *len = in[0];
    return SSL_TLSEXT_ERR_OK;
}

/* A plain server that presents b's chain and likes nobody's certificate. */
static SSL_CTX *unfriendly_ctx(struct rig *rig)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct cert_leaf leaf;
    X509 *node;

    assert_non_null(ctx);
    assert_int_equal(
        cert_make_leaf(rig->b.key, rig->b.der, rig->b.der_len, 0, 1, &leaf),
        KITH_OK);
    assert_int_equal(cert_parse(&node, rig->b.der, rig->b.der_len), KITH_OK);
    assert_true(SSL_CTX_use_certificate(ctx, leaf.cert));
    assert_true(SSL_CTX_use_PrivateKey(ctx, leaf.key));
    assert_true(SSL_CTX_add1_chain_cert(ctx, node));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, refuse_all, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, take_alpn, NULL);
    cert_leaf_free(&leaf);
    cert_drop(node);
    return ctx;
}

/* The client's handshake succeeds, its first read does not. */
static void server_refuses_our_certificate(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};
    int fd = plain_listener(rig, &spec.to);
    SSL_CTX *ctx = unfriendly_ctx(rig);
    SSL *ssl = SSL_new(ctx);
    int conn;

    assert_non_null(ssl);
    rig_start(rig, &call, spec);
    conn = accept(fd, NULL, NULL);
    assert_true(conn >= 0);
    assert_int_equal(fcntl(conn, F_SETFL, O_NONBLOCK), 0);
    assert_true(SSL_set_fd(ssl, conn));
    RIG_WAIT(rig, (SSL_accept(ssl), call.done));
    assert_int_equal(call.result.outcome, H2_TLS);
    assert_int_equal(call.result.err, 0);
    assert_true(call.result.peer_known);
    assert_non_null(strstr(call.result.reason, "bad certificate"));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(conn);
    close(fd);
}

/* The server drops the connection while it answers. */
static void server_dies_amid_answer(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/stream");
    struct rig_call call = {0};

    spec.max_body = RIG_STREAM_LEN;
    spec.on_body = rig_on_body;
    rig_start(rig, &call, spec);
    while (call.streamed == 0)
        event_base_loop(rig->base, EVLOOP_ONCE);
    h2_server_free(rig->server);
    rig->server = NULL;
    RIG_WAIT(rig, call.done);
    assert_int_equal(call.result.outcome, H2_HTTP);
    assert_true(call.streamed < RIG_STREAM_LEN);
    assert_int_equal(rig->pull_done, 1);
}

static void cancel_while_connecting(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};

    rig_start(rig, &call, rig_spec(rig, "/echo"));
    h2_call_cancel(call.call);
    assert_int_equal(h2_client_calls(rig->client), 0);
    for (int i = 0; i < 5; i++)
        rig_turn(rig);
    assert_int_equal(call.done, 0);
    assert_int_equal(rig->seen.calls, 0);
}

static void cancel_what_failed_at_once(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};

    spec.to = (struct addr){0};
    rig_start(rig, &call, spec);
    h2_call_cancel(call.call);
    rig_turn(rig);
    assert_int_equal(call.done, 0);
}

static void cancel_amid_handshake(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    struct rig_call call = {0};
    int fd = plain_listener(rig, &spec.to);
    int conn;
    char byte;

    rig_start(rig, &call, spec);
    conn = accept(fd, NULL, NULL);
    assert_true(conn >= 0);
    /* until the client's first bytes are here */
    RIG_WAIT(rig, recv(conn, &byte, 1, MSG_DONTWAIT) == 1);
    h2_call_cancel(call.call);
    rig_turn(rig);
    assert_int_equal(call.done, 0);
    close(conn);
    close(fd);
}

static void cancel_amid_answer(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/stream");
    struct rig_call call = {0};

    spec.max_body = RIG_STREAM_LEN;
    spec.on_body = rig_on_body;
    rig_start(rig, &call, spec);
    while (call.streamed == 0)
        event_base_loop(rig->base, EVLOOP_ONCE);
    h2_call_cancel(call.call);
    RIG_WAIT(rig, h2_server_conns(rig->server) == 0);
    assert_int_equal(call.done, 0);
    assert_int_equal(rig->pull_done, 1);
}

static void cancel_from_on_body(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/stream");
    struct rig_call call = {.cancel_at = 100000};

    spec.max_body = RIG_STREAM_LEN;
    spec.on_body = rig_on_body;
    rig_start(rig, &call, spec);
    RIG_WAIT(rig, call.streamed > 0 && h2_server_conns(rig->server) == 0);
    assert_int_equal(call.done, 0);
    assert_int_equal(h2_client_calls(rig->client), 0);
}

static void many_at_once(void **state)
{
    enum {
        N = 20
    };
    struct rig *rig = *state;
    struct rig_call calls[N];

    memset(calls, 0, sizeof calls);
    for (size_t i = 0; i < N; i++)
        rig_start(rig, &calls[i], rig_spec(rig, "/echo"));
    for (size_t i = 0; i < N; i++)
        RIG_WAIT(rig, calls[i].done);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(calls[i].result.outcome, H2_OK);
    assert_int_equal(rig->seen.calls, N);
}

/* Whatever is open goes with its owner; the sanitizers watch. */
static void freed_with_calls_open(void **state)
{
    struct rig *rig = *state;
    struct h2_call_spec spec = rig_spec(rig, "/stream");
    struct rig_call calls[3];

    memset(calls, 0, sizeof calls);
    spec.max_body = RIG_STREAM_LEN;
    spec.on_body = rig_on_body;
    rig_start(rig, &calls[0], spec);
    while (calls[0].streamed == 0)
        event_base_loop(rig->base, EVLOOP_ONCE);
    rig_start(rig, &calls[1], spec);
    event_base_loop(rig->base, EVLOOP_ONCE);
    rig_start(rig, &calls[2], spec);
    /* the fixture frees the client, then the server */
}

static void outcomes_have_names(void **state)
{
    (void)state;
    assert_string_equal(h2_outcome_name(H2_OK), "ok");
    assert_string_equal(h2_outcome_name(H2_STRANGER), "stranger");
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(answers),
        RIG_TEST(identifies_both_sides),
        RIG_TEST(tells_addresses),
        RIG_TEST(answers_without_body),
        RIG_TEST(unset_status_is_500),
        RIG_TEST(ipv6_works),
        RIG_TEST(streams_an_answer),
        RIG_TEST(collects_an_answer),
        RIG_TEST(answer_over_limit_ends_call),
        RIG_TEST(answer_broken_off),
        RIG_TEST(answer_refused_by_caller),
        RIG_TEST(body_limits),
        RIG_TEST(bodies_have_a_limit_together),
        RIG_TEST(strangers_reach_the_handler),
        RIG_TEST(strangers_are_asked_nothing),
        RIG_TEST(other_id_is_asked_nothing),
        RIG_TEST(closed_port),
        RIG_TEST(no_way_there),
        RIG_TEST(mute_server),
        RIG_TEST(server_hangs_up),
        RIG_TEST(server_speaks_no_tls),
        RIG_TEST(server_refuses_our_certificate),
        RIG_TEST(server_dies_amid_answer),
        RIG_TEST(cancel_while_connecting),
        RIG_TEST(cancel_what_failed_at_once),
        RIG_TEST(cancel_amid_handshake),
        RIG_TEST(cancel_amid_answer),
        RIG_TEST(cancel_from_on_body),
        RIG_TEST(many_at_once),
        RIG_TEST(freed_with_calls_open),
        cmocka_unit_test(outcomes_have_names),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, rig_group_setup, rig_group_teardown);
}
