/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "daemon/api_impl.h"
#include "daemon/json_view.h"

enum {
    ERROR_SIZE = 1024, /* of a message */
    UNAVAILABLE = 503,
    STORAGE_FULL = 507,
};

static const char *phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } known[] = {
        {HTTP_OK, "OK"},
        {HTTP_NOCONTENT, "No Content"},
        {HTTP_BADREQUEST, "Bad Request"},
        {403, "Forbidden"},
        {HTTP_NOTFOUND, "Not Found"},
        {HTTP_BADMETHOD, "Method Not Allowed"},
        {409, "Conflict"},
        {HTTP_ENTITYTOOLARGE, "Content Too Large"},
        {HTTP_INTERNAL, "Internal Server Error"},
        {UNAVAILABLE, "Service Unavailable"},
        {STORAGE_FULL, "Insufficient Storage"},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].status == status)
            return known[i].phrase;
    return "Unknown";
}

static void header(struct api_call *call, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(call->req), name,
                      value);
}

static void reply(struct api_call *call, int status, const char *type,
                  struct evbuffer *buf)
{
    if (type != NULL)
        header(call, "Content-Type", type);
    header(call, "Cache-Control", "no-store");
    /* evhttp would send a body to HEAD as well. */
    if (evhttp_request_get_command(call->req) == EVHTTP_REQ_HEAD)
        buf = NULL;
    evhttp_send_reply(call->req, status, phrase(status), buf);
}

/* -- JSON ------------------------------------------------------------- */

/* A json_dump_callback_t. */
static int dump(const char *text, size_t n, void *arg)
{
    return evbuffer_add(arg, text, n);
}

int api_reply_dump(struct evbuffer *buf, const json_t *json)
{
    if (json == NULL || json_dump_callback(json, dump, buf, JSON_VIEW_FLAGS))
        return KITH_ERR_NOMEM;
    return KITH_OK;
}

/* Takes the reference; false when there was no memory for an answer. */
static bool send_json(struct api_call *call, int status, json_t *json)
{
    struct evbuffer *buf = evbuffer_new();
    bool ok = buf != NULL && api_reply_dump(buf, json) == KITH_OK &&
              evbuffer_add(buf, "\n", 1) == 0;

    if (ok)
        reply(call, status, "application/json", buf);
    if (buf != NULL)
        evbuffer_free(buf);
    json_decref(json);
    return ok;
}

void api_reply_json(struct api_call *call, json_t *json)
{
    if (!send_json(call, HTTP_OK, json))
        api_reply_error(call, HTTP_INTERNAL, NULL, "out of memory");
}

void api_reply_done(struct api_call *call)
{
    reply(call, HTTP_NOCONTENT, NULL, NULL);
}

/* -- other bytes ------------------------------------------------------ */

void api_reply_buffer(struct api_call *call, const char *type,
                      struct evbuffer *buf)
{
    reply(call, HTTP_OK, type, buf);
}

void api_reply_bytes(struct api_call *call, const char *type,
                     const uint8_t *bytes, size_t n)
{
    struct evbuffer *buf = evbuffer_new();

    if (buf != NULL && (n == 0 || evbuffer_add(buf, bytes, n) == 0))
        reply(call, HTTP_OK, type, buf);
    else
        api_reply_error(call, HTTP_INTERNAL, NULL, "out of memory");
    if (buf != NULL)
        evbuffer_free(buf);
}

/* -- errors ----------------------------------------------------------- */

static json_t *error_json(const char *text, const char *hint)
{
    json_t *o = json_object();
    int err = 0;

    err |= json_object_set_new(o, "error", json_view_text(text, strlen(text)));
    err |= json_object_set_new(
        o, "hint",
        hint == NULL ? json_null() : json_view_text(hint, strlen(hint)));
    return json_view_done(o, err);
}

void api_reply_error(struct api_call *call, int status, const char *hint,
                     const char *fmt, ...)
{
    char text[ERROR_SIZE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!send_json(call, status, error_json(text, hint)))
        reply(call, status, NULL, NULL);
}

void api_reply_ambiguous(struct api_call *call, const char *want,
                         json_t *candidates)
{
    char text[ERROR_SIZE];
    json_t *o;

    snprintf(text, sizeof text, "several nodes go by that name: %s", want);
    o = error_json(text, "name it by more digits of its id");
    o = json_view_done(o, json_object_set_new(o, "candidates", candidates));
    if (!send_json(call, 409, o))
        reply(call, 409, NULL, NULL);
}

void api_reply_err(struct api_call *call, int err, const char *what)
{
    int status = HTTP_INTERNAL;

    switch (err) {
    case KITH_OK:
        api_reply_done(call);
        return;
    case KITH_ERR_NOTFOUND:
        status = HTTP_NOTFOUND;
        break;
    case KITH_ERR_FORMAT:
        status = HTTP_BADREQUEST;
        break;
    case KITH_ERR_RANGE:
        status = HTTP_ENTITYTOOLARGE;
        break;
    case KITH_ERR_UNWANTED:
        status = 409;
        break;
    case KITH_ERR_FULL:
        status = STORAGE_FULL;
        break;
    case KITH_ERR_BUDGET:
        status = UNAVAILABLE;
        break;
    default:
        break;
    }
    api_reply_error(call, status, NULL, "%s: %s", what, err_str(err));
}
