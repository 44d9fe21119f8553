/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/api_find.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "base/error.h"
#include "base/text.h"
#include "daemon/api_impl.h"
#include "daemon/json_view.h"

enum {
    ID_DIGITS = 2 * NODE_ID_LEN,
};

void api_find_init(struct api_find *f, const char *want)
{
    memset(f, 0, sizeof *f);
    f->want = want;
    f->len = strlen(want);
    f->by_id = f->len >= API_FIND_PREFIX && f->len <= ID_DIGITS;
    for (size_t i = 0; f->by_id && i < f->len; i++)
        f->by_id = isxdigit((unsigned char)want[i]) != 0;
}

static bool fits_id(const struct api_find *f, const struct node_id *id)
{
    char hex[ID_DIGITS + 1];

    if (!f->by_id)
        return false;
    text_hex(hex, sizeof hex, id->b, sizeof id->b);
    return strncasecmp(hex, f->want, f->len) == 0;
}

static bool fits_host(const struct api_find *f, const struct bundle *bundle)
{
    struct fact host;

    /* A whole id never means a host. */
    if (f->by_id && f->len == ID_DIGITS)
        return false;
    return json_view_host(bundle, &host) && host.value_len == f->len &&
           strncasecmp(host.value, f->want, f->len) == 0;
}

void api_find_visit(void *arg, const struct member_view *m)
{
    struct api_find *f = arg;
    const struct api_find_fit fit = {m->id, m->state};
    bool past = m->state == MEMBER_GONE || m->state == MEMBER_LEFT;

    if (fits_id(f, &m->id) || (!past && fits_host(f, m->bundle))) {
        if (f->n_present < API_FIND_CANDIDATES)
            f->present[f->n_present] = fit;
        f->n_present++;
    } else if (past && fits_host(f, m->bundle)) {
        if (f->n_past < API_FIND_CANDIDATES)
            f->past[f->n_past] = fit;
        f->n_past++;
    }
}

size_t api_find_result(const struct api_find *f,
                       const struct api_find_fit **fits)
{
    *fits = f->n_present > 0 ? f->present : f->past;
    return f->n_present > 0 ? f->n_present : f->n_past;
}

/* -- for the routes --------------------------------------------------- */

static json_t *candidates_json(const struct engine *engine,
                               const struct now *now,
                               const struct api_find_fit *fits, size_t n)
{
    json_t *list = json_array();
    int err = list == NULL;

    for (size_t i = 0; i < n && i < API_FIND_CANDIDATES; i++) {
        struct member_view m;
        json_t *o;
        struct fact host;
        int bad = 0;

        if (engine_member(engine, now, &fits[i].id, &m) != KITH_OK)
            continue;
        o = json_object();
        bad |=
            json_object_set_new(o, "id", json_view_hex(m.id.b, sizeof m.id.b));
        bad |=
            json_object_set_new(o, "name",
                                json_view_host(m.bundle, &host)
                                    ? json_view_text(host.value, host.value_len)
                                    : json_null());
        bad |= json_object_set_new(o, "state",
                                   json_string(json_view_state(m.state)));
        err |= json_array_append_new(list, json_view_done(o, bad));
    }
    return json_view_done(list, err);
}

bool api_find_node(struct api_call *call, struct member_view *out)
{
    const struct engine *engine = agent_engine(call->api->agent);
    const struct api_find_fit *fits;
    struct api_find find;
    struct now now;
    size_t n;

    agent_now(call->api->agent, &now);
    api_find_init(&find, call->args[0]);
    engine_members(engine, &now, api_find_visit, &find);
    n = api_find_result(&find, &fits);
    if (n == 1 && engine_member(engine, &now, &fits[0].id, out) == KITH_OK)
        return true;
    if (n > 1)
        api_reply_ambiguous(call, call->args[0],
                            candidates_json(engine, &now, fits, n));
    else
        api_reply_error(call, HTTP_NOTFOUND,
                        "a node is named by its id, at least 4 digits of the "
                        "beginning of it, or its host name",
                        "no node is known by that name: %s", call->args[0]);
    return false;
}
