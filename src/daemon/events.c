/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/events.h"

#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include "base/error.h"
#include "daemon/json_view.h"

/* The last second of the year 9999. */
#define LAST_UNIX_S UINT64_C(253402300799)

void events_time(char out[EVENTS_TIME_SIZE], uint64_t unix_ms)
{
    uint64_t unix_s = unix_ms / 1000;
    unsigned ms = (unsigned)(unix_ms % 1000);
    struct tm tm = {0};
    time_t t;

    if (unix_s > LAST_UNIX_S) {
        unix_s = LAST_UNIX_S;
        ms = 999;
    }
    t = (time_t)unix_s;
    gmtime_r(&t, &tm);
    size_t n = strftime(out, EVENTS_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, EVENTS_TIME_SIZE - n, ".%03uZ", ms);
}

static bool is_zero(const struct node_id *id)
{
    static const struct node_id zero;

    return node_id_equal(id, &zero);
}

static json_t *text_or_null(const char *s)
{
    return s[0] == '\0' ? json_null() : json_view_text(s, strlen(s));
}

static json_t *event_json(const struct agent_event *e)
{
    char at[EVENTS_TIME_SIZE];
    json_t *o = json_object();
    int err = 0;

    events_time(at, e->unix_ms);
    err |= json_object_set_new(o, "seq", json_integer((json_int_t)e->seq));
    err |= json_object_set_new(o, "time", json_string(at));
    err |=
        json_object_set_new(o, "event", json_string(note_type_name(e->type)));
    if (!is_zero(&e->id))
        err |= json_object_set_new(o, "node",
                                   json_view_hex(e->id.b, sizeof e->id.b));
    err |= json_object_set_new(o, "name", text_or_null(e->host));
    err |= json_object_set_new(o, "block", text_or_null(e->name));
    err |= json_object_set_new(o, "text", text_or_null(e->text));
    return json_view_done(o, err);
}

int events_line(const struct agent_event *event, char *out, size_t cap,
                size_t *len)
{
    json_t *o = event_json(event);
    size_t n;

    if (o == NULL)
        return KITH_ERR_NOMEM;
    n = json_dumpb(o, out, cap, JSON_COMPACT);
    json_decref(o);
    if (n == 0)
        return KITH_ERR_NOMEM;
    if (n >= cap)
        return KITH_ERR_FULL;
    out[n] = '\0';
    *len = n;
    return KITH_OK;
}
