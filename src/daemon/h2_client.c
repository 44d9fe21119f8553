/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* SOCK_NONBLOCK, IP_BIND_ADDRESS_NO_PORT */
#include "daemon/h2_client.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/text.h"
#include "daemon/h2_common.h"
#include "daemon/tls.h"

enum {
    WINDOW = 1 << 20, /* flow control: answers are used as they come */
};

/* How far a call has come. */
enum phase {
    PHASE_FAILED,  /* before it began; on_done() is due */
    PHASE_CONNECT, /* waits for TCP */
    PHASE_LINK,    /* TLS and HTTP/2 */
};

struct h2_call {
    struct h2_client *client;
    struct h2_call *prev;
    struct h2_call *next;
    enum phase phase;
    int fd; /* while connecting, otherwise -1 */
    struct event connected;
    struct event timer; /* the deadline, or on_done() due at once */
    struct h2_link link;
    struct h2_guard guard;
    struct h2_call_spec spec; /* its pointers lead into block */
    struct node_id expected;
    uint8_t *block; /* the strings and the body of the request */
    size_t body_sent;
    size_t header_bytes;
    size_t received; /* body bytes in all */
    struct h2_buf body;
    bool working;        /* inside the link: not the time to free anything */
    bool cancelled;      /* to be freed once that is over */
    bool complete;       /* the answer is there */
    const char *trouble; /* why it never will be */
    struct h2_result result;
};

struct h2_client {
    struct event_base *base;
    struct tls *tls;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    size_t n_calls;
    struct h2_call *calls;
};

const char *h2_outcome_name(enum h2_outcome outcome)
{
    static const char *const names[] = {
        [H2_OK] = "ok",
        [H2_REFUSED] = "refused",
        [H2_TCP] = "tcp",
        [H2_TLS] = "tls",
        [H2_HTTP] = "http",
        [H2_OTHER_ID] = "other-id",
        [H2_STRANGER] = "stranger",
    };

    assert((size_t)outcome < sizeof names / sizeof *names);
    return names[outcome];
}

/* Frees a call and all that it has; nobody is told. */
static void call_free(struct h2_call *call)
{
    struct h2_client *client = call->client;

    assert(client->n_calls > 0);
    client->n_calls--;
    DL_DELETE(client->calls, call);
    event_del(&call->timer);
    if (call->phase == PHASE_CONNECT)
        event_del(&call->connected);
    if (call->phase == PHASE_LINK)
        h2_link_close(&call->link);
    if (call->fd >= 0)
        close(call->fd);
    h2_buf_free(&call->body);
    free(call->block);
    free(call);
}

static void set_result(struct h2_call *call, enum h2_outcome outcome,
                       const char *reason)
{
    call->result.outcome = outcome;
    snprintf(call->result.reason, sizeof call->result.reason, "%s", reason);
}

/* The only way to on_done(). */
static void conclude(struct h2_call *call)
{
    call->result.body = call->body.data;
    call->result.body_len = call->body.len;
    call->spec.on_done(call->spec.arg, &call->result);
    call_free(call);
}

static void finish(struct h2_call *call, enum h2_outcome outcome,
                   const char *reason)
{
    set_result(call, outcome, reason);
    conclude(call);
}

/* An nghttp2_data_source_read_callback. */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf,
                         size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct h2_call *call = arg;
    size_t left = call->spec.body_len - call->body_sent;

    (void)session;
    (void)id;
    (void)source;
    if (cap > left)
        cap = left;
    memcpy(buf, call->spec.body + call->body_sent, cap);
    call->body_sent += cap;
    if (cap == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)cap;
}

static int submit_request(struct h2_call *call, nghttp2_session *session)
{
    const struct h2_call_spec *spec = &call->spec;
    nghttp2_data_provider provider = {{0}, read_body};
    struct addr to = spec->to;
    char authority[TEXT_ADDR_SIZE], length[24];
    nghttp2_nv nva[7];
    size_t n = 0;

    to.ifindex = 0; /* has no place in a URI */
    (void)text_addr_format(authority, sizeof authority, &to);
    snprintf(length, sizeof length, "%zu", spec->body_len);
    nva[n++] = h2_field(":method", spec->method);
    nva[n++] = h2_field(":scheme", "https");
    nva[n++] = h2_field(":authority", authority);
    nva[n++] = h2_field(":path", spec->path);
    if (spec->mesh != NULL)
        nva[n++] = h2_field("kith-mesh", spec->mesh);
    if (spec->body_len > 0) {
        nva[n++] = h2_field("content-type", spec->type);
        nva[n++] = h2_field("content-length", length);
    }
    return nghttp2_submit_request(session, NULL, nva, n,
                                  spec->body_len > 0 ? &provider : NULL, NULL);
}

static int begin_session(struct h2_call *call)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEADERS_MAX},
    };
    nghttp2_session *session;

    if (nghttp2_session_client_new2(&session, call->client->callbacks, call,
                                    call->client->option) != 0)
        return KITH_ERR_NOMEM;
    call->link.session = session; /* so it is freed in any case */
    if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof *settings) != 0 ||
        nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                              WINDOW) != 0 ||
        submit_request(call, session) < 0)
        return KITH_ERR_NOMEM;
    return KITH_OK;
}

/* Now it is known who is there: the place to turn back. */
static bool on_up(void *arg)
{
    struct h2_call *call = arg;
    struct h2_result *result = &call->result;

    result->peer = call->link.tls.peer;
    result->peer_known = true;
    if (call->spec.expected != NULL &&
        !node_id_equal(&call->expected, &result->peer.id))
        finish(call, H2_OTHER_ID, "another node answers there");
    else if (!result->peer.member && !call->spec.stranger_ok)
        finish(call, H2_STRANGER, err_str(result->peer.why));
    else if (begin_session(call) != KITH_OK)
        finish(call, H2_HTTP, err_str(KITH_ERR_NOMEM));
    else
        return true;
    return false;
}

static bool on_turn(void *arg)
{
    struct h2_call *call = arg;

    if (call->complete)
        finish(call, H2_OK, "");
    else if (call->trouble != NULL)
        finish(call, H2_HTTP, call->trouble);
    else
        return true;
    return false;
}

/* Which stage of the way a link had reached when it ended. */
static enum h2_outcome outcome_of_end(const struct h2_link *link,
                                      enum h2_end why)
{
    if (link->heard)
        return H2_HTTP;
    if (why == H2_END_LOST && BIO_number_read(SSL_get_rbio(link->tls.ssl)) == 0)
        return H2_REFUSED;
    return H2_TLS;
}

static void on_end(void *arg, enum h2_end why, const char *reason)
{
    struct h2_call *call = arg;
    const struct tls_conn *tls = &call->link.tls;

    if (call->cancelled) {
        call_free(call);
        return;
    }
    /* what counts was settled before the end */
    if (call->complete || call->trouble != NULL) {
        (void)on_turn(call);
        return;
    }
    call->result.err = tls->refused;
    call->result.peer_known = tls->identified;
    if (tls->identified)
        call->result.peer = tls->peer;
    finish(call, outcome_of_end(&call->link, why), reason);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd,
                          void *arg)
{
    struct h2_call *call = arg;

    (void)session;
    if (h2_guard_frame(&call->guard, hd))
        return 0;
    call->trouble = "too many frames";
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len, uint8_t flags, void *arg)
{
    static const char status[] = ":status";
    struct h2_call *call = arg;
    uint64_t number;

    (void)session;
    (void)frame;
    (void)flags;
    call->header_bytes += name_len + value_len + H2_HEADER_OVERHEAD;
    if (call->header_bytes > H2_HEADERS_MAX) {
        call->trouble = "header list too large";
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (name_len == sizeof status - 1 && memcmp(name, status, name_len) == 0 &&
        text_u64((const char *)value, 100, 599, &number) == KITH_OK)
        call->result.status = (int)number;
    return 0;
}

/* Hands on a piece of the answer. Returns KITH_OK, or something negative when
 * it is not wanted. */
static int take_body(struct h2_call *call, const uint8_t *data, size_t len)
{
    const struct h2_call_spec *spec = &call->spec;
    size_t max = spec->max_body;
    int rc;

    if (len > max - call->received)
        return KITH_ERR_FULL;
    call->received += len;
    if (spec->on_body == NULL || call->result.status != 200) {
        if (spec->on_body != NULL && max > H2_ERROR_BODY_MAX)
            max = H2_ERROR_BODY_MAX;
        return h2_buf_add(&call->body, data, len, max);
    }
    call->working = true;
    rc = spec->on_body(spec->arg, &call->result.peer, data, len);
    call->working = false;
    return call->cancelled ? KITH_ERR_UNWANTED : rc;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                   const uint8_t *data, size_t len, void *arg)
{
    struct h2_call *call = arg;
    int rc = take_body(call, data, len);

    (void)session;
    (void)flags;
    (void)id;
    if (rc == KITH_OK)
        return 0;
    call->trouble = rc == KITH_ERR_FULL ? "answer too large" : err_str(rc);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* The end of the answer is the end of the call, even when the other side did
 * not want to read all of the request. */
static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame,
                         void *arg)
{
    struct h2_call *call = arg;

    (void)session;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        call->complete = true;
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code,
                           void *arg)
{
    struct h2_call *call = arg;

    (void)session;
    (void)id;
    if (!call->complete && call->trouble == NULL)
        call->trouble = nghttp2_http2_strerror(code);
    return 0;
}

static const struct h2_hooks hooks = {on_up, on_turn, on_end};

static enum h2_outcome outcome_of_errno(int err)
{
    return err == ECONNREFUSED || err == ECONNRESET ? H2_REFUSED : H2_TCP;
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct h2_call *call = arg;
    int err = 0, on = 1;
    socklen_t len = sizeof err;

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
        err = errno;
    if (err != 0) {
        finish(call, outcome_of_errno(err), strerror(err));
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    call->result.local = h2_addr_local(fd);
    if (h2_link_open(&call->link, call->client->base, call->client->tls, false,
                     fd, &hooks, call) != KITH_OK) {
        finish(call, H2_TLS, err_str(KITH_ERR_NOMEM));
        return;
    }
    call->fd = -1;
    call->phase = PHASE_LINK;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct h2_call *call = arg;

    (void)fd;
    (void)what;
    if (call->phase == PHASE_FAILED)
        conclude(call);
    else if (call->phase == PHASE_CONNECT)
        finish(call, H2_TCP, "no connection in time");
    else if (!call->link.heard)
        finish(call, H2_TLS, "no handshake in time");
    else
        finish(call, H2_HTTP, "no complete answer in time");
}

/* Opens and connects the socket. Returns 0, or an errno. */
static int begin_connect(struct h2_call *call)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = addr_to_sockaddr(&call->spec.to, &ss);
    int on = 1;

    call->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                      IPPROTO_TCP);
    if (call->fd < 0)
        return errno;
    if (call->spec.bind_to != NULL) {
        struct sockaddr_storage own = {0};
        socklen_t own_len = addr_to_sockaddr(call->spec.bind_to, &own);
        (void)setsockopt(call->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
                         sizeof on);
        if (bind(call->fd, (struct sockaddr *)&own, own_len) != 0)
            return errno;
    }
    if (connect(call->fd, (struct sockaddr *)&ss, len) != 0 &&
        errno != EINPROGRESS)
        return errno;
    return 0;
}

/* Moves a string to the block; NULL stays NULL. */
static const char *keep_text(char **at, const char *text)
{
    char *dst = *at;
    size_t size;

    if (text == NULL)
        return NULL;
    size = strlen(text) + 1;
    memcpy(dst, text, size);
    *at += size;
    return dst;
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Makes the call's own copy of what the spec points to. */
static int keep_spec(struct h2_call *call, const struct h2_call_spec *spec)
{
    const char *type = spec->type ? spec->type : "application/json";
    struct h2_call_spec *own = &call->spec;
    char *at;

    call->block =
        malloc(text_size(spec->method) + text_size(spec->path) +
               text_size(spec->mesh) + text_size(type) + spec->body_len);
    if (call->block == NULL)
        return KITH_ERR_NOMEM;
    at = (char *)call->block;
    *own = *spec;
    own->method = keep_text(&at, spec->method);
    own->path = keep_text(&at, spec->path);
    own->mesh = keep_text(&at, spec->mesh);
    own->type = keep_text(&at, type);
    own->body = (uint8_t *)at;
    if (spec->body_len > 0)
        memcpy(at, spec->body, spec->body_len);
    if (spec->expected != NULL) {
        call->expected = *spec->expected;
        own->expected = &call->expected;
    }
    return KITH_OK;
}

struct h2_call *h2_call_start(struct h2_client *client,
                              const struct h2_call_spec *spec)
{
    struct h2_call *call = calloc(1, sizeof *call);
    struct timeval soon = {0, 0};
    struct timeval deadline = {
        .tv_sec = (time_t)(spec->deadline_ms / 1000),
        .tv_usec = (suseconds_t)(spec->deadline_ms % 1000 * 1000),
    };
    int err;

    assert(spec->deadline_ms > 0 && spec->on_done != NULL);
    if (call == NULL || keep_spec(call, spec) != KITH_OK) {
        free(call);
        return NULL;
    }
    call->client = client;
    call->fd = -1;
    DL_APPEND(client->calls, call);
    client->n_calls++;
    event_assign(&call->timer, client->base, -1, 0, on_timer, call);
    err = begin_connect(call);
    call->spec.bind_to = NULL; /* the caller's, and not needed again */
    if (err != 0) {
        set_result(call, outcome_of_errno(err), strerror(err));
        event_add(&call->timer, &soon);
        return call;
    }
    call->phase = PHASE_CONNECT;
    event_assign(&call->connected, client->base, call->fd, EV_WRITE,
                 on_connected, call);
    event_add(&call->connected, NULL);
    event_add(&call->timer, &deadline);
    return call;
}

void h2_call_cancel(struct h2_call *call)
{
    if (call->working)
        call->cancelled = true;
    else
        call_free(call);
}

int h2_client_new(struct event_base *base, struct tls *tls,
                  struct h2_client **out)
{
    struct h2_client *client = calloc(1, sizeof *client);
    nghttp2_session_callbacks *cb;

    if (client == NULL)
        return KITH_ERR_NOMEM;
    client->base = base;
    client->tls = tls;
    if (h2_options_new(&client->option) != KITH_OK ||
        nghttp2_session_callbacks_new(&client->callbacks) != 0) {
        h2_client_free(client);
        return KITH_ERR_NOMEM;
    }
    cb = client->callbacks;
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    *out = client;
    return KITH_OK;
}

void h2_client_free(struct h2_client *client)
{
    struct h2_call *call, *next;

    if (client == NULL)
        return;
    DL_FOREACH_SAFE (client->calls, call, next)
        call_free(call);
    nghttp2_session_callbacks_del(client->callbacks);
    nghttp2_option_del(client->option);
    free(client);
}

size_t h2_client_calls(const struct h2_client *client)
{
    return client->n_calls;
}
