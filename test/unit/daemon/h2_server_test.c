/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "unit/daemon/h2_raw.h"
#include "unit/daemon/h2_rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>
#include <openssl/err.h>

#include "base/addr.h"
#include "daemon/h2_common.h"
#include "daemon/h2_stream.h"

/* The server against clients of bad manners, which speak in raw frames. */

static const struct h2_counters *counters(const struct rig *rig)
{
    return h2_server_counters(rig->server);
}

static void wait_all_closed(struct rig *rig)
{
    RIG_WAIT(rig, h2_server_conns(rig->server) == 0);
}

static void short_deadlines(struct rig *rig, uint32_t request_ms,
                            uint32_t idle_ms, uint32_t total_ms)
{
    struct h2_server_opts opts = rig_opts(rig);

    opts.request_ms = request_ms;
    opts.idle_ms = idle_ms;
    opts.total_ms = total_ms;
    rig_serve(rig, rig->b.tls, &opts);
}

/* Has the server listen on a socket made here, whose connections have little
 * room for what waits to be sent. */
static void adopt_socket(struct rig *rig, int sndbuf)
{
    struct addr any;
    struct sockaddr_storage ss;
    socklen_t len;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof sndbuf), 0);
    assert_int_equal(text_addr_parse(&any, "127.0.0.1:0", 0), KITH_OK);
    len = addr_to_sockaddr(&any, &ss);
    assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    rig->addr = h2_addr_local(fd);
    assert_int_equal(h2_server_adopt(rig->server, fd), KITH_OK);
}

static void raw_client_works(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    raw_http(rig, &raw, 0, 0);
    raw_request(rig, &raw, 1, WHOLE, "/echo", NULL, NULL);
    WAIT_FRAME(rig, &raw, NGHTTP2_HEADERS, 1);
    assert_int_equal(rig->seen.calls, 1);
    raw_close(&raw);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->broken, 0);
    assert_int_equal(counters(rig)->late, 0);
}

static void silent_clients_are_cut(void **state)
{
    struct rig *rig = *state;
    struct raw tcp, tls;

    short_deadlines(rig, 1500, 20000, 20000);
    raw_connect(rig, &tcp, NULL);
    raw_tls(rig, &tls);
    assert_int_equal(h2_server_conns(rig->server), 2);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->late, 2);
    raw_close(&tcp);
    raw_close(&tls);
}

/* Bytes alone do not move the deadline. */
static void slow_clients_are_cut(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    short_deadlines(rig, 1500, 20000, 20000);
    raw_http(rig, &raw, 0, 0);
    raw_request(rig, &raw, 1, OPEN, "/echo", NULL, NULL);
    for (int i = 0; i < 8000 && h2_server_conns(rig->server) > 0; i++) {
        raw_frame(rig, &raw, NGHTTP2_DATA, 0, 1, "x", 1);
        rig_turn(rig);
    }
    assert_int_equal(h2_server_conns(rig->server), 0);
    assert_int_equal(counters(rig)->late, 1);
    assert_int_equal(rig->seen.calls, 0);
    raw_close(&raw);
}

static void large_requests_may_take_longer(void **state)
{
    struct rig *rig = *state;
    struct raw raw;
    struct instant end;

    short_deadlines(rig, 1500, 20000, 20000);
    raw_http(rig, &raw, 0, 0);
    raw_request(rig, &raw, 1, OPEN, "/bulk", NULL, NULL);
    end = instant_add_ms(h2_now(), 1800);
    RIG_WAIT(rig, instant_reached(h2_now(), end));
    raw_frame(rig, &raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "x", 1);
    WAIT_FRAME(rig, &raw, NGHTTP2_HEADERS, 1);
    assert_int_equal(rig->seen.calls, 1);
    raw_close(&raw);
}

static void large_requests_may_not_stall(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    short_deadlines(rig, 1500, 200, 20000);
    raw_http(rig, &raw, 0, 0);
    raw_request(rig, &raw, 1, OPEN, "/bulk", NULL, NULL);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->late, 1);
    raw_close(&raw);
}

/* Who keeps the window shut ends by the deadline, however lively he is. */
static void stalled_readers_are_cut(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    short_deadlines(rig, 1500, 200, 20000);
    raw_http(rig, &raw, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    raw_request(rig, &raw, 1, WHOLE, "/stream", NULL, NULL);
    for (int i = 0; i < 8000 && h2_server_conns(rig->server) > 0; i++) {
        raw_frame(rig, &raw, NGHTTP2_PING, 0, 0, "12345678", 8);
        rig_turn(rig);
        raw_read(&raw);
    }
    assert_int_equal(h2_server_conns(rig->server), 0);
    assert_int_equal(counters(rig)->late, 1);
    assert_int_equal(rig->pull_done, 1);
    raw_close(&raw);
}

static void idle_connections_are_closed(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    short_deadlines(rig, 1500, 100, 20000);
    raw_http(rig, &raw, 0, 0);
    raw_request(rig, &raw, 1, WHOLE, "/echo", NULL, NULL);
    wait_all_closed(rig);
    assert_int_equal(rig->seen.calls, 1);
    assert_int_equal(counters(rig)->late, 0);
    raw_close(&raw);
}

static void nobody_stays_for_ever(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    short_deadlines(rig, 1500, 20000, 1700);
    raw_http(rig, &raw, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    raw_request(rig, &raw, 1, WHOLE, "/stream", NULL, NULL);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->late, 1);
    raw_close(&raw);
}

static void connections_have_a_cap(void **state)
{
    struct rig *rig = *state;
    struct h2_server_opts opts = rig_opts(rig);
    struct raw raw[3];

    opts.conns_max = 2;
    rig_serve(rig, rig->b.tls, &opts);
    for (size_t i = 0; i < 3; i++)
        raw_connect(rig, &raw[i], NULL);
    RIG_WAIT(rig, raw_is_closed(&raw[2]));
    assert_false(raw_is_closed(&raw[0]) || raw_is_closed(&raw[1]));
    assert_int_equal(counters(rig)->accepted, 2);
    assert_int_equal(counters(rig)->over_conns, 1);
    for (size_t i = 0; i < 3; i++)
        raw_close(&raw[i]);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->tls_failed, 2);
}

static void sources_have_a_cap(void **state)
{
    struct rig *rig = *state;
    struct h2_server_opts opts = rig_opts(rig);
    struct raw raw[4];

    opts.conns_addr_max = 2;
    opts.cap_loopback = true;
    rig_serve(rig, rig->b.tls, &opts);
    for (size_t i = 0; i < 3; i++)
        raw_connect(rig, &raw[i], "127.0.0.8:0");
    raw_connect(rig, &raw[3], "127.0.0.9:0");
    RIG_WAIT(rig, raw_is_closed(&raw[2]));
    assert_false(raw_is_closed(&raw[3]));
    assert_int_equal(counters(rig)->accepted, 3);
    assert_int_equal(counters(rig)->over_addr, 1);
    for (size_t i = 0; i < 4; i++)
        raw_close(&raw[i]);
}

static void loopback_has_no_cap(void **state)
{
    struct rig *rig = *state;
    struct h2_server_opts opts = rig_opts(rig);
    struct raw raw[3];

    opts.conns_addr_max = 1;
    rig_serve(rig, rig->b.tls, &opts);
    for (size_t i = 0; i < 3; i++)
        raw_connect(rig, &raw[i], NULL);
    RIG_WAIT(rig, counters(rig)->accepted == 3);
    assert_int_equal(counters(rig)->over_addr, 0);
    for (size_t i = 0; i < 3; i++)
        raw_close(&raw[i]);
}

static void accepting_has_a_rate(void **state)
{
    struct rig *rig = *state;
    struct h2_server_opts opts = rig_opts(rig);
    struct raw raw[2];

    opts.accept_burst = 1;
    opts.accept_per_s = 0;
    rig_serve(rig, rig->b.tls, &opts);
    for (size_t i = 0; i < 2; i++)
        raw_connect(rig, &raw[i], NULL);
    RIG_WAIT(rig, counters(rig)->over_rate == 1);
    assert_int_equal(counters(rig)->accepted, 1);
    for (size_t i = 0; i < 2; i++)
        raw_close(&raw[i]);
}

static void not_tls(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: there\r\n\r\n";
    struct rig *rig = *state;
    struct raw raw;

    raw_connect(rig, &raw, NULL);
    assert_true(write(raw.fd, text, sizeof text) > 0);
    RIG_WAIT(rig, counters(rig)->tls_failed == 1);
    raw_close(&raw);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->late, 0);
}

/* TLS 1.3: to the client all seems well, it goes on to write; only reading
 * tells. The alert must outlive what it wrote. */
static void refused_client_reads_the_alert(void **state)
{
    struct rig *rig = *state;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl;
    struct raw raw;
    char byte;
    int rc = 0;

    assert_non_null(ctx);
    assert_int_equal(SSL_CTX_set_alpn_protos(ctx, (const uint8_t *)"\x02h2", 3),
                     0);
    ssl = SSL_new(ctx);
    assert_non_null(ssl);
    raw_connect(rig, &raw, NULL);
    assert_true(SSL_set_fd(ssl, raw.fd));
    for (int i = 0; rc != 1; i++) {
        assert_true(i < RIG_LOOP_MS);
        rc = SSL_connect(ssl);
        if (rc != 1) {
            assert_int_equal(SSL_get_error(ssl, rc), SSL_ERROR_WANT_READ);
            rig_turn(rig);
        }
    }
    RIG_WAIT(rig, counters(rig)->tls_failed == 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_write(ssl, "a request", 9), 9);
        rig_turn(rig);
    }
    assert_true(SSL_read(ssl, &byte, 1) <= 0);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()),
                     SSL_AD_REASON_OFFSET + SSL_AD_CERTIFICATE_REQUIRED);
    ERR_clear_error();
    assert_int_equal(rig->seen.calls, 0);
    /* it does not wait for ever for us to close */
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->late, 0);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    raw_close(&raw);
}

static void not_http2(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: there\r\n\r\n";
    struct rig *rig = *state;
    struct raw raw;

    raw_tls(rig, &raw);
    raw_write(rig, &raw, text, sizeof text);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->broken, 1);
    raw_close(&raw);
}

/* A frame that only servers send. */
static void forbidden_frame(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    raw_http(rig, &raw, 0, 0);
    raw_frame(rig, &raw, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1,
              "\0\0\0\2\x82", 5);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->broken, 1);
    raw_read(&raw);
    assert_non_null(find_frame(&raw, NGHTTP2_GOAWAY, 0));
    raw_close(&raw);
}

static void rapid_reset(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    raw_http(rig, &raw, 0, 0);
    for (uint32_t i = 0; i <= H2_RESETS_MAX; i++) {
        raw_request(rig, &raw, 2 * i + 1, OPEN, "/echo", NULL, NULL);
        raw_frame(rig, &raw, NGHTTP2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\x8", 4);
    }
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->floods, 1);
    assert_int_equal(rig->seen.calls, 0);
    raw_close(&raw);
}

static void continuation_flood(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    raw_http(rig, &raw, 0, 0);
    raw_request(rig, &raw, 1, 0, "/echo", NULL, NULL);
    for (int i = 0; i <= H2_CONTINUATIONS_MAX; i++)
        raw_frame(rig, &raw, NGHTTP2_CONTINUATION, 0, 1, "", 0);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->floods + counters(rig)->broken, 1);
    raw_close(&raw);
}

static void frame_flood(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    short_deadlines(rig, 60000, 60000, 60000);
    raw_http(rig, &raw, 0, 0);
    for (int i = 0; i <= H2_FRAMES_MAX && !raw.mute; i++) {
        raw_frame(rig, &raw, NGHTTP2_PING, 0, 0, "12345678", 8);
        if (i % 64 == 0)
            event_base_loop(rig->base, EVLOOP_NONBLOCK);
    }
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->floods, 1);
    raw_close(&raw);
}

/* Each of these is answered with RST_STREAM, which the peer does not read. */
static void refused_stream_flood(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    short_deadlines(rig, 60000, 60000, 60000);
    adopt_socket(rig, 4096);
    raw_http(rig, &raw, 0, 0);
    for (uint32_t i = 0; i < H2_FRAMES_MAX / 2 && !raw.mute; i++)
        raw_request(rig, &raw, 2 * i + 1, OPEN, "/echo", NULL, NULL);
    wait_all_closed(rig);
    assert_int_equal(counters(rig)->floods, 1);
    assert_int_equal(rig->seen.calls, 0);
    raw_close(&raw);
}

static void streams_have_a_cap(void **state)
{
    static const uint8_t refused[] = {0, 0, 0, NGHTTP2_REFUSED_STREAM};
    struct rig *rig = *state;
    struct raw raw;
    uint32_t last = 2 * H2_STREAMS_MAX + 1;

    raw_http(rig, &raw, 0, 0);
    for (uint32_t id = 1; id <= last; id += 2)
        raw_request(rig, &raw, id, OPEN, "/echo", NULL, NULL);
    WAIT_FRAME(rig, &raw, NGHTTP2_RST_STREAM, last);
    assert_memory_equal(find_frame(&raw, NGHTTP2_RST_STREAM, last), refused,
                        sizeof refused);
    assert_int_equal(h2_server_conns(rig->server), 1);
    raw_close(&raw);
}

static void requests_have_a_cap(void **state)
{
    struct rig *rig = *state;
    struct raw raw;

    raw_http(rig, &raw, 0, 0);
    for (uint32_t i = 0; i < H2_REQUESTS_MAX + 1; i++) {
        raw_request(rig, &raw, 2 * i + 1, WHOLE, "/204", NULL, NULL);
        rig_turn(rig);
        raw_read(&raw);
    }
    WAIT_FRAME(rig, &raw, NGHTTP2_GOAWAY, 0);
    wait_all_closed(rig);
    assert_int_equal(rig->seen.calls, H2_REQUESTS_MAX);
    assert_int_equal(counters(rig)->broken, 0);
    raw_close(&raw);
}

/* The answer comes at once, with a word that the rest is not wanted. */
static void early_answer(void **state)
{
    static const uint8_t no_error[4];
    static const uint8_t part[H2_BODY_DEFAULT / 2];
    struct rig *rig = *state;
    struct raw raw;

    raw_http(rig, &raw, 0, 0);
    raw_request(rig, &raw, 1, OPEN, "/echo", NULL, NULL);
    for (int i = 0; i < 3; i++)
        raw_frame(rig, &raw, NGHTTP2_DATA, 0, 1, part, sizeof part);
    WAIT_FRAME(rig, &raw, NGHTTP2_RST_STREAM, 1);
    assert_non_null(find_frame(&raw, NGHTTP2_HEADERS, 1));
    assert_memory_equal(find_frame(&raw, NGHTTP2_RST_STREAM, 1), no_error,
                        sizeof no_error);
    assert_int_equal(counters(rig)->body_large, 1);
    assert_int_equal(rig->seen.calls, 0);
    /* the connection is still good */
    raw_request(rig, &raw, 3, WHOLE, "/echo", NULL, NULL);
    WAIT_FRAME(rig, &raw, NGHTTP2_HEADERS, 3);
    raw_close(&raw);
}

static void trailers_are_passed_over(void **state)
{
    struct rig *rig = *state;
    struct raw raw;
    uint8_t block[64];
    size_t n = field(block, "kith-mesh", "of a trailer");

    raw_http(rig, &raw, 0, 0);
    raw_request(rig, &raw, 1, OPEN, "/echo", NULL, NULL);
    raw_frame(rig, &raw, NGHTTP2_DATA, 0, 1, "abc", 3);
    raw_frame(rig, &raw, NGHTTP2_HEADERS, WHOLE, 1, block, n);
    WAIT_FRAME(rig, &raw, NGHTTP2_HEADERS, 1);
    assert_int_equal(rig->seen.calls, 1);
    assert_int_equal(rig->seen.body_len, 3);
    assert_false(rig->seen.has_mesh);
    raw_close(&raw);
}

static void fields_twice_are_malformed(void **state)
{
    struct rig *rig = *state;
    struct raw raw;
    uint8_t block[256];
    size_t n = field(block, ":method", "POST");

    n += field(block + n, ":scheme", "https");
    n += field(block + n, ":authority", "there");
    n += field(block + n, ":path", "/echo");
    n += field(block + n, "kith-mesh", "00ff");
    n += field(block + n, "kith-mesh", "00ff");
    raw_http(rig, &raw, 0, 0);
    raw_frame(rig, &raw, NGHTTP2_HEADERS, WHOLE, 1, block, n);
    WAIT_FRAME(rig, &raw, NGHTTP2_HEADERS, 1);
    assert_int_equal(counters(rig)->malformed, 1);
    assert_int_equal(rig->seen.calls, 0);
    raw_close(&raw);
}

/* A field of the given length; the whole answer must name the reason. */
static void long_field(struct rig *rig, bool in_path, size_t len, int status)
{
    struct rig_call call = {0};
    struct h2_call_spec spec = rig_spec(rig, "/echo");
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, 'a', len);
    text[0] = '/';
    text[len] = '\0';
    if (in_path)
        spec.path = text;
    else
        spec.mesh = text;
    rig_run(rig, &call, spec);
    free(text);
    assert_int_equal(call.result.outcome, H2_OK);
    assert_int_equal(call.result.status, status);
    if (status == 400)
        assert_non_null(strstr((char *)call.body, "\"malformed\""));
}

static void long_fields_are_malformed(void **state)
{
    struct rig *rig = *state;

    long_field(rig, true, 255, 200);
    long_field(rig, true, 256, 400);
    long_field(rig, false, 64, 200);
    long_field(rig, false, 65, 400);
    assert_int_equal(counters(rig)->malformed, 2);
    long_field(rig, false, H2_HEADERS_MAX, 400);
    assert_int_equal(counters(rig)->headers_large, 1);
    assert_int_equal(rig->seen.calls, 2);
}

static void listens_in_several_places(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};
    struct addr any, taken = rig->addr;

    assert_int_equal(text_addr_parse(&any, "127.0.0.1:0", 0), KITH_OK);
    assert_int_equal(h2_server_listen(rig->server, &any, &rig->addr), KITH_OK);
    assert_false(addr_equal(&taken, &rig->addr));
    rig_run(rig, &call, rig_spec(rig, "/echo"));
    assert_int_equal(call.result.outcome, H2_OK);
    assert_int_equal(h2_server_listen(rig->server, &taken, NULL), KITH_ERR_IO);
    assert_int_equal(errno, EADDRINUSE);
    any = (struct addr){0};
    assert_int_equal(h2_server_listen(rig->server, &any, NULL), KITH_ERR_IO);
}

static void listens_on_a_given_socket(void **state)
{
    struct rig *rig = *state;
    struct rig_call call = {0};

    adopt_socket(rig, 65536);
    rig_run(rig, &call, rig_spec(rig, "/echo"));
    assert_int_equal(call.result.outcome, H2_OK);
}

/* The sanitizers watch that all of it goes. */
static void freed_with_connections_open(void **state)
{
    struct rig *rig = *state;
    struct raw raw[4];

    raw_connect(rig, &raw[0], NULL);
    raw_tls(rig, &raw[1]);
    raw_http(rig, &raw[2], NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
    raw_request(rig, &raw[2], 1, WHOLE, "/stream", NULL, NULL);
    raw_http(rig, &raw[3], 0, 0);
    raw_request(rig, &raw[3], 1, OPEN, "/bulk", NULL, NULL);
    raw_frame(rig, &raw[3], NGHTTP2_DATA, 0, 1, "abc", 3);
    RIG_WAIT(rig, rig->seen.calls == 1);
    rig_turn(rig);
    assert_int_equal(h2_server_conns(rig->server), 4);
    h2_server_free(rig->server);
    rig->server = NULL;
    assert_int_equal(rig->pull_done, 1);
    for (size_t i = 0; i < 4; i++)
        raw_close(&raw[i]);
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(raw_client_works),
        RIG_TEST(silent_clients_are_cut),
        RIG_TEST(slow_clients_are_cut),
        RIG_TEST(large_requests_may_take_longer),
        RIG_TEST(large_requests_may_not_stall),
        RIG_TEST(stalled_readers_are_cut),
        RIG_TEST(idle_connections_are_closed),
        RIG_TEST(nobody_stays_for_ever),
        RIG_TEST(connections_have_a_cap),
        RIG_TEST(sources_have_a_cap),
        RIG_TEST(loopback_has_no_cap),
        RIG_TEST(accepting_has_a_rate),
        RIG_TEST(not_tls),
        RIG_TEST(refused_client_reads_the_alert),
        RIG_TEST(not_http2),
        RIG_TEST(forbidden_frame),
        RIG_TEST(rapid_reset),
        RIG_TEST(continuation_flood),
        RIG_TEST(frame_flood),
        RIG_TEST(refused_stream_flood),
        RIG_TEST(streams_have_a_cap),
        RIG_TEST(requests_have_a_cap),
        RIG_TEST(early_answer),
        RIG_TEST(trailers_are_passed_over),
        RIG_TEST(fields_twice_are_malformed),
        RIG_TEST(long_fields_are_malformed),
        RIG_TEST(listens_in_several_places),
        RIG_TEST(listens_on_a_given_socket),
        RIG_TEST(freed_with_connections_open),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, rig_group_setup, rig_group_teardown);
}
