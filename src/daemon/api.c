/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/api.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"
#include "daemon/api_impl.h"

struct route {
    enum evhttp_cmd_type method;
    const char *path;
    void (*handle)(struct api_call *call);
};

/* clang-format off */
static const struct route routes[] = {
    {EVHTTP_REQ_GET,    "/v1/status",           api_get_status},
    {EVHTTP_REQ_GET,    "/v1/id",               api_get_id},
    {EVHTTP_REQ_GET,    "/v1/nodes",            api_get_nodes},
    {EVHTTP_REQ_GET,    "/v1/nodes/*",          api_get_node},
    {EVHTTP_REQ_DELETE, "/v1/nodes/*",          api_do_forget},
    {EVHTTP_REQ_GET,    "/v1/nodes/*/blocks/*", api_get_block},
    {EVHTTP_REQ_GET,    "/v1/nodes/*/export/*", api_get_export},
    {EVHTTP_REQ_GET,    "/v1/friends",          api_get_friends},
    {EVHTTP_REQ_POST,   "/v1/tags",             api_do_post_tags},
    {EVHTTP_REQ_PUT,    "/v1/tags/*",           api_do_put_tag},
    {EVHTTP_REQ_DELETE, "/v1/tags/*",           api_do_delete_tag},
    {EVHTTP_REQ_PUT,    "/v1/blocks/*",         api_do_put_block},
    {EVHTTP_REQ_DELETE, "/v1/blocks/*",         api_do_delete_block},
    {EVHTTP_REQ_POST,   "/v1/leave",            api_do_leave},
    {EVHTTP_REQ_POST,   "/v1/away",             api_do_away},
    {EVHTTP_REQ_GET,    "/v1/events",           api_stream_open},
    {EVHTTP_REQ_GET,    "/v1/metrics",          api_get_metrics},
};
/* clang-format on */

enum {
    N_ROUTES = sizeof routes / sizeof routes[0],
    /* So that we answer with 405 and not evhttp with 501. */
    ALL_METHODS = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                  EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
                  EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH,
};

/* -- a request -------------------------------------------------------- */

static const char *method_name(enum evhttp_cmd_type method)
{
    switch (method) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_PUT:
        return "PUT";
    default:
        return "DELETE";
    }
}

/* The path is there, but not for this method; or not at all. */
static void no_route(struct api_call *call, const struct api_path *path)
{
    char allow[64] = "";
    size_t len = 0;

    for (size_t i = 0; i < N_ROUTES; i++)
        if (api_path_match(path, routes[i].path, call->args))
            len += (size_t)snprintf(allow + len, sizeof allow - len, "%s%s",
                                    len == 0 ? "" : ", ",
                                    method_name(routes[i].method));
    if (len == 0) {
        api_reply_error(call, HTTP_NOTFOUND, "docs/api.md lists what there is",
                        "there is no such path");
        return;
    }
    evhttp_add_header(evhttp_request_get_output_headers(call->req), "Allow",
                      allow);
    api_reply_error(call, HTTP_BADMETHOD, NULL, "this path takes %s", allow);
}

static void dispatch(struct api_call *call)
{
    enum evhttp_cmd_type method = evhttp_request_get_command(call->req);
    struct api_path path;

    if (api_path_parse(evhttp_request_get_uri(call->req), &path) != KITH_OK)
        path.n = 0;
    for (size_t i = 0; i < N_ROUTES; i++)
        if (routes[i].method == method &&
            api_path_match(&path, routes[i].path, call->args)) {
            routes[i].handle(call);
            return;
        }
    no_route(call, &path);
}

/* Whether whoever asks may; otherwise answers the call. */
static bool admit(struct api_call *call)
{
    struct evhttp_connection *connection =
        evhttp_request_get_connection(call->req);
    struct bufferevent *bev = evhttp_connection_get_bufferevent(connection);

    if (api_socket_check(&call->api->socket, bufferevent_getfd(bev)) == KITH_OK)
        return true;
    api_reply_error(call, 403,
                    "ask as root, as the user that kithd runs as, or as a "
                    "member of the socket's group",
                    "you may not ask this daemon");
    return false;
}

/* An evhttp callback: every request comes by here. */
static void on_request(struct evhttp_request *req, void *arg)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(req);
    struct api_call call = {
        .api = arg, .req = req, .body_len = evbuffer_get_length(body)};

    if (!admit(&call))
        return;
    if (call.body_len > API_BODY_MAX) {
        api_reply_error(&call, HTTP_ENTITYTOOLARGE, NULL,
                        "a body has at most %d bytes", API_BODY_MAX);
        return;
    }
    call.body = evbuffer_pullup(body, -1);
    if (call.body_len > 0 && call.body == NULL)
        api_reply_error(&call, HTTP_INTERNAL, NULL, "out of memory");
    else
        dispatch(&call);
}

/* -- life ------------------------------------------------------------- */

static int serve(struct api *api, struct event_base *base)
{
    api->http = evhttp_new(base);
    if (api->http == NULL)
        return KITH_ERR_NOMEM;
    evhttp_set_allowed_methods(api->http, ALL_METHODS);
    evhttp_set_max_headers_size(api->http, API_HEADERS_MAX);
    evhttp_set_max_body_size(api->http, API_DISCARD_MAX);
    evhttp_set_flags(api->http, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_timeout(api->http, API_TIMEOUT_S);
    evhttp_set_gencb(api->http, on_request, api);
    if (evhttp_accept_socket(api->http, api->socket.fd) != 0)
        return KITH_ERR_NOMEM;
    api->socket.fd = -1; /* evhttp's from now on */
    return api_stream_start(api, base);
}

struct api *api_new(struct agent *agent, struct event_base *base,
                    const char *socket_path, const struct log *log, char *err,
                    size_t cap)
{
    struct api *api = calloc(1, sizeof *api);

    if (api == NULL) {
        snprintf(err, cap, "out of memory");
        return NULL;
    }
    api->agent = agent;
    api->log = log;
    if (api_socket_open(socket_path, &api->socket, err, cap) != KITH_OK) {
        free(api);
        return NULL;
    }
    if (serve(api, base) != KITH_OK) {
        snprintf(err, cap, "out of memory");
        api_free(api);
        return NULL;
    }
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    if (api->http != NULL)
        evhttp_free(api->http);
    api_stream_stop(api);
    api_socket_close(&api->socket);
    free(api);
}
