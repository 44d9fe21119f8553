/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/peer_api.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/wipe.h"

/* -- grants ------------------------------------------------------------------
 */

static int set_hex(json_t *object, const char *name, const uint8_t *bytes,
                   size_t n)
{
    char hex[65];
    int err;

    text_hex(hex, sizeof hex, bytes, n);
    err = json_object_set_new(object, name, json_string(hex));
    secret_wipe(hex, sizeof hex);
    return err;
}

char *peer_api_grant_encode(const struct grant *g)
{
    json_t *o = json_object();
    char you[TEXT_ADDR_SIZE] = "";
    char *text = NULL;
    int err;

    text_addr_format(you, sizeof you, &g->you);
    err = set_hex(o, "key", g->key, sizeof g->key);
    err |= set_hex(o, "epoch", g->epoch, sizeof g->epoch);
    err |= set_hex(o, "ticket", g->ticket, sizeof g->ticket);
    err |= set_hex(o, "reset", g->reset, sizeof g->reset);
    err |= json_object_set_new(o, "you", json_string(you));
    err |=
        json_object_set_new(o, "renew_after", json_integer(g->renew_after_s));
    err |= json_object_set_new(o, "valid_for", json_integer(g->valid_for_s));
    err |= set_hex(o, "root", g->root, sizeof g->root);
    err |= json_object_set_new(o, "members", json_integer(g->members));
    err |= json_object_set_new(
        o, "version", json_pack("[ii]", g->version_min, g->version_max));
    if (err == 0)
        text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return text;
}

static int get_hex(const json_t *object, const char *name, uint8_t *bytes,
                   size_t n)
{
    const json_t *v = json_object_get(object, name);

    if (!json_is_string(v))
        return KITH_ERR_FORMAT;
    return text_unhex(bytes, n, json_string_value(v), json_string_length(v));
}

static int get_u32(const json_t *v, uint32_t *out)
{
    json_int_t i = json_integer_value(v);

    if (!json_is_integer(v) || i < 0 || i > UINT32_MAX)
        return KITH_ERR_FORMAT;
    *out = (uint32_t)i;
    return KITH_OK;
}

static int get_versions(const json_t *o, struct grant *g)
{
    const json_t *v = json_object_get(o, "version");
    uint32_t min, max;

    if (json_array_size(v) != 2 ||
        get_u32(json_array_get(v, 0), &min) != KITH_OK ||
        get_u32(json_array_get(v, 1), &max) != KITH_OK || min > max)
        return KITH_ERR_FORMAT;
    if (min > PROTOCOL_MAJOR || max < PROTOCOL_MAJOR)
        return KITH_ERR_VERSION;
    g->version_min = (uint8_t)min;
    g->version_max = max > UINT8_MAX ? UINT8_MAX : (uint8_t)max;
    return KITH_OK;
}

static int decode(const json_t *o, struct grant *g)
{
    const json_t *you = json_object_get(o, "you");

    if (get_hex(o, "key", g->key, sizeof g->key) != KITH_OK ||
        get_hex(o, "epoch", g->epoch, sizeof g->epoch) != KITH_OK ||
        get_hex(o, "ticket", g->ticket, sizeof g->ticket) != KITH_OK ||
        get_hex(o, "reset", g->reset, sizeof g->reset) != KITH_OK ||
        get_hex(o, "root", g->root, sizeof g->root) != KITH_OK ||
        get_u32(json_object_get(o, "renew_after"), &g->renew_after_s) !=
            KITH_OK ||
        get_u32(json_object_get(o, "valid_for"), &g->valid_for_s) != KITH_OK ||
        get_u32(json_object_get(o, "members"), &g->members) != KITH_OK ||
        !json_is_string(you) ||
        text_addr_parse(&g->you, json_string_value(you), 0) != KITH_OK)
        return KITH_ERR_FORMAT;
    return get_versions(o, g);
}

int peer_api_grant_decode(const uint8_t *bytes, size_t n, struct grant *out)
{
    json_t *o =
        json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
    int err;

    memset(out, 0, sizeof *out);
    err = json_is_object(o) ? decode(o, out) : KITH_ERR_FORMAT;
    json_decref(o);
    if (err != KITH_OK)
        secret_wipe(out, sizeof *out);
    return err;
}

/* -- paths --------------------------------------------------------------------
 */

static void refuse(struct h2_reply *reply, int status, const char *reason,
                   const char *detail)
{
    char text[256];
    int n =
        snprintf(text, sizeof text, "{\"reason\": \"%s\", \"detail\": \"%s\"}",
                 reason, detail);

    reply->status = status;
    if (n <= 0 || (size_t)n >= sizeof text)
        return;
    reply->body = malloc((size_t)n);
    if (!reply->body)
        return;
    memcpy(reply->body, text, (size_t)n);
    reply->body_len = (size_t)n;
}

static void post_session(struct peer_api *api, const struct h2_request *q,
                         struct h2_reply *reply)
{
    struct now now;
    struct grant grant;
    char *text;
    int err;

    api->begin(api->arg, &now);
    err = engine_grant(api->engine, &now, &q->peer->id, &q->from, &grant);
    api->end(api->arg);
    if (err == KITH_ERR_FULL) {
        refuse(reply, 503, "full", "no room for one more member");
        return;
    }
    text = err == KITH_OK ? peer_api_grant_encode(&grant) : NULL;
    secret_wipe(&grant, sizeof grant);
    if (!text) {
        refuse(reply, 503, "busy", "ask again later");
        return;
    }
    reply->status = 200;
    reply->body = (uint8_t *)text;
    reply->body_len = strlen(text);
}

/* A bulk answer on its way out. */
struct pulling {
    struct peer_api *api;
    struct bulk_reply *reply;
    uint8_t *buf;
    size_t len, at;
};

enum {
    PULL_SIZE = 65536
};

static ssize_t pull(void *arg, uint8_t *to, size_t cap)
{
    struct pulling *p = arg;
    struct now now;
    size_t n;

    if (p->at == p->len) {
        p->at = 0;
        p->api->begin(p->api->arg, &now);
        p->len =
            engine_bulk_pull(p->api->engine, &now, p->reply, p->buf, PULL_SIZE);
        p->api->end(p->api->arg);
    }
    n = p->len - p->at < cap ? p->len - p->at : cap;
    memcpy(to, p->buf + p->at, n);
    p->at += n;
    return (ssize_t)n;
}

static void pull_done(void *arg)
{
    struct pulling *p = arg;

    engine_bulk_close(p->api->engine, p->reply);
    free(p->buf);
    free(p);
}

static void post_sync(struct peer_api *api, const struct h2_request *q,
                      struct h2_reply *reply)
{
    struct pulling *p = calloc(1, sizeof *p);
    struct effects *out;
    struct now now;
    int err;

    if (p)
        p->buf = malloc(PULL_SIZE);
    if (!p || !p->buf) {
        free(p);
        refuse(reply, 503, "busy", "ask again later");
        return;
    }
    p->api = api;
    out = api->begin(api->arg, &now);
    err = engine_bulk_open(api->engine, &now, &q->peer->id, q->body,
                           q->body_len, &p->reply, out);
    api->end(api->arg);
    if (err != KITH_OK) {
        free(p->buf);
        free(p);
        if (err == KITH_ERR_BUDGET || err == KITH_ERR_NOMEM)
            refuse(reply, 503, "busy", "ask again later");
        else
            refuse(reply, 400, "malformed", err_str(err));
        return;
    }
    reply->status = 200;
    reply->type = "application/octet-stream";
    reply->pull = (struct h2_pull){pull, pull_done, p};
}

enum {
    BODY_REFUSED = 4096
};

/* One table of what there is. */
static const struct {
    const char *path;
    void (*handle)(struct peer_api *, const struct h2_request *,
                   struct h2_reply *);
    size_t body_max;
} routes[] = {
    {"/v1/session", post_session, 4096},
    {"/v1/sync", post_sync, BULK_BODY_MAX},
};

void peer_api_handle(void *arg, const struct h2_request *q,
                     struct h2_reply *reply)
{
    struct peer_api *api = arg;

    if (!q->mesh || strcmp(q->mesh, api->mesh_hex) != 0) {
        refuse(reply, 409, "mesh", "kith-mesh names another mesh, or none");
        return;
    }
    if (!q->peer->member) {
        refuse(reply, 403,
               q->peer->why == KITH_ERR_CLOCK ? "clock" : "stranger",
               "this certificate makes no member of this mesh");
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(q->path, routes[i].path) != 0)
            continue;
        if (strcmp(q->method, "POST") != 0)
            refuse(reply, 400, "malformed", "this path takes POST");
        else
            routes[i].handle(api, q, reply);
        return;
    }
    refuse(reply, 404, "unknown", "no such path");
}

size_t peer_api_body_limit(void *arg, const char *path,
                           const struct cert_peer *peer)
{
    (void)arg;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (peer->member && strcmp(path, routes[i].path) == 0)
            return routes[i].body_max;
    return BODY_REFUSED; /* it is told why, and not that it says too much */
}
