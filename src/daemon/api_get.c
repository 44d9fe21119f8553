/* SPDX-License-Identifier: Apache-2.0 */
/* Routes that look. */
#include <event2/buffer.h>
#include <inttypes.h>

#include "base/error.h"
#include "base/text.h"
#include "daemon/api_impl.h"
#include "daemon/json_view.h"

/* All that is asked of the engine and the agent for one answer. */
struct look {
    const struct engine *engine;
    struct now now;
    struct engine_status status;
    struct agent_info info;
};

static void look(struct api_call *call, struct look *out)
{
    out->engine = agent_engine(call->api->agent);
    agent_now(call->api->agent, &out->now);
    engine_status(out->engine, &out->now, &out->status);
    agent_info(call->api->agent, &out->info);
}

void api_get_status(struct api_call *call)
{
    struct json_view_census census = {0};
    struct look l;
    struct member_view self = {0};

    look(call, &l);
    engine_members(l.engine, &l.now, json_view_count, &census);
    if (engine_member(l.engine, &l.now, &l.status.id, &self) != KITH_OK)
        self.bundle = NULL;
    api_reply_json(call, json_view_status(&l.status, &l.info, &census,
                                          self.bundle, &l.now));
}

void api_get_id(struct api_call *call)
{
    struct look l;

    look(call, &l);
    api_reply_json(call, json_view_id(&l.status, &l.info));
}

/* -- lists of members ------------------------------------------------- */

/* An array that is written member by member: of ten thousand there is never
 * more than one as JSON in memory. */
struct list {
    struct evbuffer *buf;
    bool friends_only;
    size_t n;
    int err;
};

static void list_visit(void *arg, const struct member_view *m)
{
    struct list *list = arg;
    json_t *json;

    if (list->err != KITH_OK || (list->friends_only && !m->friend))
        return;
    json = list->friends_only ? json_view_friend(m) : json_view_member(m);
    if (list->n++ > 0 && evbuffer_add(list->buf, ",\n", 2) != 0)
        list->err = KITH_ERR_NOMEM;
    if (list->err == KITH_OK)
        list->err = api_reply_dump(list->buf, json);
    json_decref(json);
}

static void list_members(struct api_call *call, bool friends_only)
{
    struct list list = {.buf = evbuffer_new(), .friends_only = friends_only};
    struct now now;

    if (list.buf == NULL || evbuffer_add(list.buf, "[", 1) != 0)
        list.err = KITH_ERR_NOMEM;
    agent_now(call->api->agent, &now);
    engine_members(agent_engine(call->api->agent), &now, list_visit, &list);
    if (list.err == KITH_OK && evbuffer_add(list.buf, "]\n", 2) != 0)
        list.err = KITH_ERR_NOMEM;
    if (list.err == KITH_OK)
        api_reply_buffer(call, "application/json", list.buf);
    else
        api_reply_error(call, HTTP_INTERNAL, NULL, "out of memory");
    if (list.buf != NULL)
        evbuffer_free(list.buf);
}

void api_get_nodes(struct api_call *call)
{
    list_members(call, false);
}

void api_get_friends(struct api_call *call)
{
    list_members(call, true);
}

/* -- one member, and its blocks --------------------------------------- */

void api_get_node(struct api_call *call)
{
    struct member_view m;

    if (api_find_node(call, &m))
        api_reply_json(call, json_view_node(&m));
}

/* The block args[1] of a member; when there is none, answers the call and
 * returns NULL. */
static const struct object *find_block(struct api_call *call,
                                       const struct member_view *m)
{
    const struct object *object =
        m->bundle == NULL ? NULL : bundle_block(m->bundle, call->args[1]);

    if (object == NULL)
        api_reply_error(call, HTTP_NOTFOUND,
                        "GET /v1/nodes/{node} lists its blocks",
                        "that node has no block %s", call->args[1]);
    return object;
}

void api_get_block(struct api_call *call)
{
    const struct object *object;
    struct member_view m;
    struct block block;

    if (!api_find_node(call, &m))
        return;
    object = find_block(call, &m);
    if (object == NULL)
        return;
    object_block(object, &block);
    api_reply_bytes(call, "application/octet-stream", block.payload,
                    block.payload_len);
}

void api_get_export(struct api_call *call)
{
    const struct object *object;
    struct member_view m;

    if (!api_find_node(call, &m))
        return;
    object = find_block(call, &m);
    if (object != NULL)
        api_reply_json(call, json_view_export(m.bundle, object));
}

/* -- metrics ---------------------------------------------------------- */

/* One number, in the text format of Prometheus 0.0.4. */
static int metric(struct evbuffer *buf, const char *type, const char *name,
                  const char *suffix, uint64_t value)
{
    return evbuffer_add_printf(buf,
                               "# TYPE kith_%s%s %s\nkith_%s%s %" PRIu64 "\n",
                               name, suffix, type, name, suffix, value);
}

static int metrics(struct evbuffer *buf, const struct look *l,
                   const struct json_view_census *census)
{
    const struct engine_status *s = &l->status;
    int bad = 0;

    bad |= metric(buf, "gauge", "members", "", s->members) < 0;
    bad |=
        metric(buf, "gauge", "members_up", "", census->in_state[MEMBER_UP]) < 0;
    bad |= metric(buf, "gauge", "friends", "", s->friends) < 0;
    bad |= metric(buf, "gauge", "sessions", "", s->sessions) < 0;
    bad |= metric(buf, "gauge", "links", "", l->info.links) < 0;
    bad |= metric(buf, "gauge", "searching", "", s->searching) < 0;
    bad |= metric(buf, "gauge", "clone", "", s->clone) < 0;
    bad |= metric(buf, "gauge", "store_kept", "", l->info.store_kept) < 0;
    bad |= metric(buf, "counter", "udp_dropped", "_total",
                  l->info.udp_dropped) < 0;
    for (int c = 0; c < ENGINE_COUNTERS; c++)
        bad |= metric(buf, "counter", engine_counter_name((unsigned)c),
                      "_total", s->counters[c]) < 0;
    return bad;
}

void api_get_metrics(struct api_call *call)
{
    struct evbuffer *buf = evbuffer_new();
    struct json_view_census census = {0};
    struct look l;

    look(call, &l);
    engine_members(l.engine, &l.now, json_view_count, &census);
    if (buf != NULL && metrics(buf, &l, &census) == 0)
        api_reply_buffer(call, "text/plain; version=0.0.4; charset=utf-8", buf);
    else
        api_reply_error(call, HTTP_INTERNAL, NULL, "out of memory");
    if (buf != NULL)
        evbuffer_free(buf);
}
