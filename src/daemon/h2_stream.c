/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* strdup */
#include "daemon/h2_stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/wipe.h"

enum {
    METHOD_SIZE = 16,
    PATH_SIZE = 256,
    MESH_SIZE = 2 * MESH_ID_LEN + 1,
};

/* Reasons to answer without asking the handler. */
enum refusal {
    REFUSE_NOT,
    REFUSE_MALFORMED,
    REFUSE_HEADERS,
    REFUSE_SIZE,
    REFUSE_BUSY,
};

struct h2_stream {
    struct h2_streams *owner;
    struct h2_stream *prev;
    struct h2_stream *next;
    int32_t id;
    enum refusal refusal;
    char method[METHOD_SIZE];
    char path[PATH_SIZE];
    char mesh[MESH_SIZE];
    bool has_mesh;
    size_t header_bytes;
    uint64_t announced; /* content-length, 0 without */
    size_t limit;       /* of the body */
    struct h2_buf body;
    bool whole;    /* the request has arrived */
    bool answered; /* reply is valid, and nothing else will be said */
    struct h2_reply reply;
    size_t sent; /* of reply.body */
};

static void drop_body(struct h2_stream *s)
{
    assert(*s->owner->env->bodies >= s->body.len);
    *s->owner->env->bodies -= s->body.len;
    h2_buf_free(&s->body);
}

static void drop_reply(struct h2_reply *reply)
{
    if (reply->pull.pull != NULL && reply->pull.done != NULL)
        reply->pull.done(reply->pull.arg);
    if (reply->body) /* it may be a session's key */
        secret_wipe(reply->body, reply->body_len);
    free(reply->body);
    *reply = (struct h2_reply){0};
}

static void stream_free(struct h2_stream *s)
{
    drop_body(s);
    drop_reply(&s->reply);
    DL_DELETE(s->owner->list, s);
    free(s);
}

/* An nghttp2_data_source_read_callback. */
static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *buf,
                          size_t cap, uint32_t *flags,
                          nghttp2_data_source *source, void *arg)
{
    struct h2_stream *s = source->ptr;
    struct h2_reply *reply = &s->reply;
    ssize_t n;

    (void)session;
    (void)id;
    (void)arg;
    s->owner->progress = h2_now();
    if (reply->pull.pull != NULL) {
        n = reply->pull.pull(reply->pull.arg, buf, cap);
        if (n < 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        assert((size_t)n <= cap);
        if (n == 0)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        return n;
    }
    if (cap > reply->body_len - s->sent)
        cap = reply->body_len - s->sent;
    memcpy(buf, reply->body + s->sent, cap);
    s->sent += cap;
    if (s->sent == reply->body_len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)cap;
}

static int send_reply(struct h2_stream *s)
{
    struct h2_reply *reply = &s->reply;
    nghttp2_data_provider provider = {{.ptr = s}, read_reply};
    bool pulled = reply->pull.pull != NULL;
    bool empty = !pulled && reply->body_len == 0;
    char status[16], length[24];
    nghttp2_nv nva[3];
    size_t n = 0;

    assert(!s->answered);
    if (reply->status < 200 || reply->status > 599)
        reply->status = 500;
    s->answered = true;
    snprintf(status, sizeof status, "%d", reply->status);
    snprintf(length, sizeof length, "%zu", reply->body_len);
    nva[n++] = h2_field(":status", status);
    if (!empty)
        nva[n++] = h2_field("content-type",
                            reply->type ? reply->type : "application/json");
    if (!pulled)
        nva[n++] = h2_field("content-length", length);
    return nghttp2_submit_response(s->owner->session, s->id, nva, n,
                                   empty ? NULL : &provider);
}

static void count_refusal(struct h2_counters *counters, enum refusal why)
{
    switch (why) {
    case REFUSE_HEADERS:
        counters->headers_large++;
        break;
    case REFUSE_SIZE:
        counters->body_large++;
        break;
    case REFUSE_BUSY:
        counters->busy++;
        break;
    default:
        counters->malformed++;
        break;
    }
}

/* The answers that docs/protocol.md section 5 has for each enum refusal. */
static int refuse(struct h2_stream *s, enum refusal why)
{
    static const struct {
        int status;
        const char *body;
    } answers[] = {
        [REFUSE_MALFORMED] = {400, "{\"reason\": \"malformed\", "
                                   "\"detail\": \"bad header field\"}"},
        [REFUSE_HEADERS] = {400, "{\"reason\": \"malformed\", "
                                 "\"detail\": \"header list too large\"}"},
        [REFUSE_SIZE] = {413, "{\"reason\": \"size\", "
                              "\"detail\": \"body too large\"}"},
        [REFUSE_BUSY] = {503, "{\"reason\": \"busy\", "
                              "\"detail\": \"too much to read at once\"}"},
    };
    const char *body = answers[why].body;

    count_refusal(s->owner->env->counters, why);
    drop_body(s);
    s->reply.status = answers[why].status;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    s->reply.body = (uint8_t *)strdup(body);
    s->reply.body_len = s->reply.body ? strlen(body) : 0;
    return send_reply(s);
}

static int ask_handler(struct h2_stream *s)
{
    struct h2_streams *o = s->owner;
    const struct h2_server_opts *opts = o->env->opts;
    struct h2_request request = {
        .method = s->method,
        .path = s->path,
        .mesh = s->has_mesh ? s->mesh : NULL,
        .peer = o->peer,
        .from = o->from,
        .to = o->to,
        .body = s->body.data,
        .body_len = s->body.len,
    };

    o->env->counters->requests++;
    opts->handler(opts->arg, &request, &s->reply);
    drop_body(s);
    return send_reply(s);
}

/* The last byte of a request is there. */
static int finish_request(struct h2_stream *s)
{
    s->whole = true;
    s->owner->begun = true;
    s->owner->progress = h2_now();
    if (s->answered)
        return 0;
    return s->refusal ? refuse(s, s->refusal) : ask_handler(s);
}

/* The headers are complete, before any body. */
static int finish_headers(struct h2_stream *s)
{
    struct h2_streams *o = s->owner;
    const struct h2_server_opts *opts = o->env->opts;

    if (s->method[0] == '\0' || s->path[0] == '\0')
        s->refusal = s->refusal ? s->refusal : REFUSE_MALFORMED;
    if (s->refusal)
        return refuse(s, s->refusal);
    s->limit = opts->body_limit ? opts->body_limit(opts->arg, s->path, o->peer)
                                : H2_BODY_DEFAULT;
    if (s->announced > s->limit)
        return refuse(s, REFUSE_SIZE);
    if (s->limit > H2_BODY_DEFAULT) {
        o->begun = true;
        o->progress = h2_now();
    }
    return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd,
                          void *arg)
{
    struct h2_streams *o = arg;

    (void)session;
    o->flooded = !h2_guard_frame(&o->guard, hd);
    return o->flooded ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_begin_headers(nghttp2_session *session,
                            const nghttp2_frame *frame, void *arg)
{
    struct h2_streams *o = arg;
    struct h2_stream *s;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    s->owner = o;
    s->id = frame->hd.stream_id;
    DL_APPEND(o->list, s);
    nghttp2_session_set_stream_user_data(session, s->id, s);
    if (++o->requests == H2_REQUESTS_MAX)
        return nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, s->id,
                                     NGHTTP2_NO_ERROR, NULL, 0);
    return 0;
}

/* Keeps a field's value; one that is too long, or there already, makes the
 * request malformed. */
static void keep_field(struct h2_stream *s, char *dst, size_t size,
                       const uint8_t *value, size_t len)
{
    if (len == 0 || len >= size || dst[0] != '\0') {
        s->refusal = REFUSE_MALFORMED;
        return;
    }
    memcpy(dst, value, len);
    dst[len] = '\0';
}

static bool is_field(const char *want, const uint8_t *name, size_t len)
{
    return strlen(want) == len && memcmp(want, name, len) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_len, const uint8_t *value,
                     size_t value_len, uint8_t flags, void *arg)
{
    struct h2_stream *s =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags;
    (void)arg;
    if (s == NULL || s->refusal)
        return 0;
    s->header_bytes += name_len + value_len + H2_HEADER_OVERHEAD;
    if (s->header_bytes > H2_HEADERS_MAX)
        s->refusal = REFUSE_HEADERS;
    else if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* trailers */
    else if (is_field(":method", name, name_len))
        keep_field(s, s->method, sizeof s->method, value, value_len);
    else if (is_field(":path", name, name_len))
        keep_field(s, s->path, sizeof s->path, value, value_len);
    else if (is_field("kith-mesh", name, name_len)) {
        keep_field(s, s->mesh, sizeof s->mesh, value, value_len);
        s->has_mesh = true;
    } else if (is_field("content-length", name, name_len))
        /* nghttp2 ends every value with a NUL, and has checked this one; one
         * that does not fit into 64 bits is for the body itself to fail */
        (void)text_u64((const char *)value, 0, UINT64_MAX, &s->announced);
    return 0;
}

/* nghttp2 knows no other fatal error of a callback than this one. */
static int fatal(int rc)
{
    return rc ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame,
                         void *arg)
{
    struct h2_stream *s;
    int rc = 0;

    (void)arg;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (s == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS &&
        frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        rc = finish_headers(s);
    if (rc == 0 && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        rc = finish_request(s);
    return fatal(rc);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                   const uint8_t *data, size_t len, void *arg)
{
    struct h2_streams *o = arg;
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    size_t *bodies = o->env->bodies;
    size_t before;
    int rc;

    (void)flags;
    if (s == NULL || s->answered)
        return 0;
    if (len > o->env->opts->bodies_max - *bodies)
        return fatal(refuse(s, REFUSE_BUSY));
    before = s->body.len;
    rc = h2_buf_add(&s->body, data, len, s->limit);
    if (rc != KITH_OK)
        return fatal(
            refuse(s, rc == KITH_ERR_FULL ? REFUSE_SIZE : REFUSE_BUSY));
    *bodies += len;
    if (before / H2_BODY_DEFAULT != s->body.len / H2_BODY_DEFAULT)
        o->progress = h2_now();
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame,
                         void *arg)
{
    struct h2_streams *o = arg;
    struct h2_stream *s;

    if (frame->hd.type == NGHTTP2_GOAWAY)
        o->broken = frame->goaway.error_code != NGHTTP2_NO_ERROR;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (s == NULL || s->whole)
        return 0;
    /* who was answered before his request was whole need not send the rest */
    return fatal(nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id,
                                           NGHTTP2_NO_ERROR));
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code,
                           void *arg)
{
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);

    (void)code;
    (void)arg;
    if (s != NULL)
        stream_free(s);
    return 0;
}

int h2_streams_env_init(struct h2_streams_env *env)
{
    nghttp2_session_callbacks *cb;

    if (h2_options_new(&env->option) != KITH_OK)
        return KITH_ERR_NOMEM;
    if (nghttp2_session_callbacks_new(&cb) != 0) {
        nghttp2_option_del(env->option);
        return KITH_ERR_NOMEM;
    }
    nghttp2_session_callbacks_set_on_begin_frame_callback(cb, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    env->callbacks = cb;
    return KITH_OK;
}

void h2_streams_env_free(struct h2_streams_env *env)
{
    nghttp2_session_callbacks_del(env->callbacks);
    nghttp2_option_del(env->option);
}

int h2_streams_begin(struct h2_streams *streams, nghttp2_session **out)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEADERS_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    if (nghttp2_session_server_new2(&streams->session, streams->env->callbacks,
                                    streams, streams->env->option) != 0)
        return KITH_ERR_NOMEM;
    if (nghttp2_submit_settings(streams->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof *settings) != 0) {
        nghttp2_session_del(streams->session);
        streams->session = NULL;
        return KITH_ERR_NOMEM;
    }
    *out = streams->session;
    return KITH_OK;
}

void h2_streams_free(struct h2_streams *streams)
{
    struct h2_stream *s, *next;

    DL_FOREACH_SAFE (streams->list, s, next)
        stream_free(s);
}
