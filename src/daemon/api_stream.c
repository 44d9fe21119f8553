/* SPDX-License-Identifier: Apache-2.0 */
/* Events as they happen: server-sent events (WHATWG HTML, section 9.2). */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>

#include "base/error.h"
#include "daemon/api_impl.h"
#include "daemon/events.h"

enum {
    FRAME_SIZE = EVENTS_LINE_SIZE + 64, /* an event with its "id:" */
    INPUT_MAX = 4096, /* bytes that a listener may say to us, unread */
};

/* One client that listens. The request belongs to its connection until that
 * is closed by the client; then it is ours to free. */
struct api_stream {
    struct api *api;
    struct evhttp_request *req;
    struct evhttp_connection *connection;
    struct api_stream *prev, *next;
};

/* -- the list of streams ---------------------------------------------- */

static void stream_add(struct api *api, struct api_stream *s)
{
    s->next = api->streams;
    if (s->next != NULL)
        s->next->prev = s;
    api->streams = s;
    api->n_streams++;
}

/* An evhttp close callback: however a connection ends, it ends here. */
static void stream_closed(struct evhttp_connection *connection, void *arg)
{
    struct api_stream *s = arg;

    (void)connection;
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        s->api->streams = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    s->api->n_streams--;
    /* evhttp has let go of the request when the client hung up. */
    if (evhttp_request_get_connection(s->req) == NULL)
        evhttp_request_free(s->req);
    free(s);
}

/* -- writing ---------------------------------------------------------- */

static size_t unread(const struct api_stream *s)
{
    struct bufferevent *bev = evhttp_connection_get_bufferevent(s->connection);

    return evbuffer_get_length(bufferevent_get_output(bev));
}

/* Sends n bytes to a client, or ends a connection that nobody reads. */
static void stream_write(struct api_stream *s, const char *text, size_t n)
{
    struct evbuffer *buf = evbuffer_new();

    if (buf != NULL && unread(s) + n <= API_STREAM_BUFFER &&
        evbuffer_add(buf, text, n) == 0) {
        evhttp_send_reply_chunk(s->req, buf);
    } else {
        log_msg(s->api->log, LOG_LEVEL_WARN,
                "a listener to events does not read them: disconnected");
        evhttp_connection_free(s->connection); /* frees s */
    }
    if (buf != NULL)
        evbuffer_free(buf);
}

static void write_all(struct api *api, const char *text, size_t n)
{
    struct api_stream *next;

    for (struct api_stream *s = api->streams; s != NULL; s = next) {
        next = s->next;
        stream_write(s, text, n);
    }
}

/* For agent_listen(). */
static void on_event(void *arg, const struct agent_event *event)
{
    struct api *api = arg;
    char frame[FRAME_SIZE];
    int start;
    size_t len;

    if (api->streams == NULL)
        return;
    start = snprintf(frame, sizeof frame,
                     "id: %llu\ndata: ", (unsigned long long)event->seq);
    if (events_line(event, frame + start, EVENTS_LINE_SIZE, &len) != KITH_OK)
        return;
    len += (size_t)start;
    frame[len++] = '\n';
    frame[len++] = '\n';
    write_all(api, frame, len);
}

static void on_keepalive(evutil_socket_t fd, short what, void *arg)
{
    static const char comment[] = ":\n\n";

    (void)fd;
    (void)what;
    write_all(arg, comment, sizeof comment - 1);
}

/* -- a client --------------------------------------------------------- */

/* From now on it listens: silence is no reason to end the connection, but
 * bytes that it does not take are. */
static void stream_tune(struct evhttp_connection *connection)
{
    const struct timeval write_timeout = {.tv_sec = API_TIMEOUT_S};
    struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);

    bufferevent_set_timeouts(bev, NULL, &write_timeout);
    bufferevent_setwatermark(bev, EV_READ, 0, INPUT_MAX);
}

void api_stream_open(struct api_call *call)
{
    static const char hello[] = ": events\n\n";
    struct api *api = call->api;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(call->req);
    struct api_stream *s;

    if (api->n_streams == API_STREAMS_MAX) {
        api_reply_error(call, 503, NULL, "%d clients listen already",
                        API_STREAMS_MAX);
        return;
    }
    s = calloc(1, sizeof *s);
    if (s == NULL) {
        api_reply_error(call, HTTP_INTERNAL, NULL, "out of memory");
        return;
    }
    s->api = api;
    s->req = call->req;
    s->connection = evhttp_request_get_connection(call->req);
    stream_add(api, s);
    evhttp_connection_set_closecb(s->connection, stream_closed, s);
    stream_tune(s->connection);
    evhttp_add_header(headers, "Content-Type", "text/event-stream");
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply_start(s->req, HTTP_OK, "OK");
    stream_write(s, hello, sizeof hello - 1);
}

/* -- life ------------------------------------------------------------- */

int api_stream_start(struct api *api, struct event_base *base)
{
    const struct timeval period = {.tv_sec = API_KEEPALIVE_S};

    api->keepalive = event_new(base, -1, EV_PERSIST, on_keepalive, api);
    if (api->keepalive == NULL || event_add(api->keepalive, &period) != 0)
        return KITH_ERR_NOMEM;
    api->listener = agent_listen(api->agent, on_event, api);
    return api->listener == NULL ? KITH_ERR_NOMEM : KITH_OK;
}

void api_stream_stop(struct api *api)
{
    if (api->listener != NULL)
        agent_unlisten(api->agent, api->listener);
    if (api->keepalive != NULL)
        event_free(api->keepalive);
}
