/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_API_IMPL_H
#define KITH_DAEMON_API_IMPL_H

#include <event2/event.h>
#include <event2/http.h>
#include <jansson.h>

#include "daemon/agent.h"
#include "daemon/api_path.h"
#include "daemon/api_socket.h"
#include "wire/limits.h"

/* What the files of the API share, and nobody else. */

enum {
    API_BODY_MAX = BLOCK_PAYLOAD_MAX + 1024, /* of a request, bytes */
    API_DISCARD_MAX = 4 * API_BODY_MAX, /* beyond, evhttp reads without us */
    API_HEADERS_MAX = 8192,             /* of a request, bytes */
    API_TIMEOUT_S = 30,                 /* without progress */
    API_STREAMS_MAX = 32,               /* at a time */
    API_STREAM_BUFFER = 1 << 20, /* unread bytes; then it is disconnected. An
                                  * event of the engine's makes at most
                                  * EFFECTS_MAX lines at once. */
    API_KEEPALIVE_S = 15,
    API_TAGS_MAX = 64, /* in one request */
};

struct api_stream;

struct api {
    struct agent *agent;
    const struct log *log;
    struct evhttp *http;
    struct api_socket socket;
    struct agent_listener *listener;
    struct event *keepalive;
    struct api_stream *streams;
    size_t n_streams;
};

/* A request at hand. */
struct api_call {
    struct api *api;
    struct evhttp_request *req;
    const char *args[API_ARGS_MAX]; /* what stands for the * of the route */
    const uint8_t *body;            /* NULL when it is empty */
    size_t body_len;
};

/* -- api_reply.c: each answers the call, once ------------------------- */

/* Status 200 with that JSON, of which it takes the reference; 500 when json
 * is NULL. */
void api_reply_json(struct api_call *call, json_t *json);

/* Status 204. */
void api_reply_done(struct api_call *call);

/* Status 200 with n bytes of any kind, copied. */
void api_reply_bytes(struct api_call *call, const char *type,
                     const uint8_t *bytes, size_t n);

/* Status 200 with the content of buf, which is drained. */
void api_reply_buffer(struct api_call *call, const char *type,
                      struct evbuffer *buf);

/* Appends the text of json. Returns KITH_OK or KITH_ERR_NOMEM. */
int api_reply_dump(struct evbuffer *buf, const json_t *json);

/* An error for people: what is wrong, and what to do about it (or NULL). */
__attribute__((format(printf, 4, 5))) void
api_reply_error(struct api_call *call, int status, const char *hint,
                const char *fmt, ...);

/* The same for an error of the agent's about `what`. */
void api_reply_err(struct api_call *call, int err, const char *what);

/* 409 with the candidates, an array that it takes the reference of. */
void api_reply_ambiguous(struct api_call *call, const char *want,
                         json_t *candidates);

/* -- api_find.c ------------------------------------------------------- */

/* The node that args[0] names; when there is not just one, answers the call
 * and returns false. */
bool api_find_node(struct api_call *call, struct member_view *out);

/* -- api_stream.c ----------------------------------------------------- */

/* Begins to listen to the agent; KITH_OK or KITH_ERR_NOMEM. */
int api_stream_start(struct api *api, struct event_base *base);

/* Ends it; after evhttp_free(). */
void api_stream_stop(struct api *api);

/* -- handlers --------------------------------------------------------- */

void api_get_status(struct api_call *call);
void api_get_id(struct api_call *call);
void api_get_nodes(struct api_call *call);
void api_get_friends(struct api_call *call);
void api_get_node(struct api_call *call);
void api_get_block(struct api_call *call);
void api_get_export(struct api_call *call);
void api_get_metrics(struct api_call *call);
void api_do_put_tag(struct api_call *call);
void api_do_post_tags(struct api_call *call);
void api_do_delete_tag(struct api_call *call);
void api_do_put_block(struct api_call *call);
void api_do_delete_block(struct api_call *call);
void api_do_leave(struct api_call *call);
void api_do_away(struct api_call *call);
void api_do_forget(struct api_call *call);
void api_stream_open(struct api_call *call);

#endif
