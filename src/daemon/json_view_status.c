/* SPDX-License-Identifier: Apache-2.0 */
/* The agent itself. */
#include "daemon/events.h"
#include "daemon/json_view.h"

void json_view_count(void *arg, const struct member_view *m)
{
    struct json_view_census *census = arg;

    census->in_state[m->state]++;
}

static json_t *census_json(const struct json_view_census *census)
{
    json_t *o = json_object();
    int err = 0;

    for (int state = MEMBER_UP; state <= MEMBER_LEFT; state++)
        err |= json_object_set_new(o, json_view_state((enum member_state)state),
                                   json_integer(census->in_state[state]));
    return json_view_done(o, err);
}

static json_t *mesh_json(const struct engine_status *s,
                         const struct agent_info *info)
{
    json_t *o = json_object();
    int err = 0;

    err |= json_object_set_new(o, "id",
                               json_view_hex(s->mesh.b, sizeof s->mesh.b));
    err |= json_object_set_new(
        o, "name", json_view_text(info->mesh_name, strlen(info->mesh_name)));
    err |= json_object_set_new(o, "open", json_boolean(info->open_mesh));
    return json_view_done(o, err);
}

static json_t *counters_json(const struct engine_status *s)
{
    json_t *o = json_object();
    int err = 0;

    for (int c = 0; c < ENGINE_COUNTERS; c++)
        err |= json_object_set_new(o, engine_counter_name((unsigned)c),
                                   json_integer((json_int_t)s->counters[c]));
    return json_view_done(o, err);
}

static json_t *addrs_json(const struct addr *addrs, size_t n)
{
    json_t *list = json_array();
    int err = list == NULL;

    for (size_t i = 0; i < n; i++)
        err |= json_array_append_new(list, json_view_addr(&addrs[i]));
    return json_view_done(list, err);
}

json_t *json_view_id(const struct engine_status *s,
                     const struct agent_info *info)
{
    json_t *o = json_object();
    int err = 0;

    err |= json_object_set_new(o, "id", json_view_hex(s->id.b, sizeof s->id.b));
    err |= json_object_set_new(o, "mesh", mesh_json(s, info));
    return json_view_done(o, err);
}

/* How the program runs on this machine. */
static int set_program(json_t *o, const struct agent_info *info,
                       const struct now *now)
{
    char started[EVENTS_TIME_SIZE];
    uint64_t up_ms = now->unix_ms > info->started_unix_ms
                         ? now->unix_ms - info->started_unix_ms
                         : 0;
    int err = 0;

    events_time(started, info->started_unix_ms);
    err |= json_object_set_new(o, "version", json_string(info->version));
    err |= json_object_set_new(o, "commit", json_string(info->commit));
    err |= json_object_set_new(o, "started", json_string(started));
    err |= json_object_set_new(o, "uptime", json_real((double)up_ms / 1000));
    err |= json_object_set_new(o, "port", json_integer(info->port));
    err |= json_object_set_new(o, "listening",
                               addrs_json(info->listening, info->n_listening));
    err |=
        json_object_set_new(o, "links", json_integer((json_int_t)info->links));
    err |= json_object_set_new(
        o, "state_dir",
        json_view_text(info->state_dir, strlen(info->state_dir)));
    err |= json_object_set_new(
        o, "store", json_string(info->store_kept ? "disk" : "memory"));
    err |= json_object_set_new(o, "udp_heard", json_boolean(info->udp_heard));
    err |= json_object_set_new(o, "tcp_heard", json_boolean(info->tcp_heard));
    err |= json_object_set_new(o, "udp_dropped",
                               json_integer((json_int_t)info->udp_dropped));
    return err;
}

json_t *json_view_status(const struct engine_status *s,
                         const struct agent_info *info,
                         const struct json_view_census *census,
                         const struct bundle *own, const struct now *now)
{
    json_t *o = json_view_id(s, info);
    struct fact host;
    int err = 0;

    err |= json_object_set_new(o, "name",
                               json_view_host(own, &host)
                                   ? json_view_text(host.value, host.value_len)
                                   : json_null());
    err |= json_object_set_new(o, "members", json_integer(s->members));
    err |= json_object_set_new(o, "states", census_json(census));
    err |= json_object_set_new(o, "friends", json_integer(s->friends));
    err |= json_object_set_new(o, "sessions", json_integer(s->sessions));
    err |= json_object_set_new(o, "searching", json_boolean(s->searching));
    err |= json_object_set_new(o, "heard", json_boolean(s->heard));
    err |= json_object_set_new(o, "may_sign", json_boolean(s->may_sign));
    err |= json_object_set_new(o, "clone", json_boolean(s->clone));
    err |=
        json_object_set_new(o, "serial", json_integer((json_int_t)s->serial));
    err |= json_object_set_new(o, "lease", json_integer(s->lease_s));
    err |=
        json_object_set_new(o, "root", json_view_hex(s->root, sizeof s->root));
    err |= set_program(o, info, now);
    err |= json_object_set_new(o, "counters", counters_json(s));
    return json_view_done(o, err);
}
