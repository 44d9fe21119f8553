/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/agent_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "version.h"

/* -- events --------------------------------------------------------------- */

struct agent_listener *
agent_listen(struct agent *a, void (*fn)(void *, const struct agent_event *),
             void *arg)
{
    struct agent_listener *l = calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->fn = fn;
    l->arg = arg;
    l->next = a->listeners;
    a->listeners = l;
    return l;
}

void agent_unlisten(struct agent *a, struct agent_listener *l)
{
    struct agent_listener **p = &a->listeners;

    while (*p && *p != l)
        p = &(*p)->next;
    if (*p) {
        *p = l->next;
        free(l);
    }
}

static void host_of(const struct agent *a, const struct now *now,
                    const struct node_id *id, char *host, size_t cap)
{
    struct member_view view;
    const struct object *object;
    struct block block;
    struct facts facts;
    struct fact fact;

    host[0] = '\0';
    if (engine_member(a->engine, now, id, &view) != KITH_OK || !view.bundle)
        return;
    object = bundle_block(view.bundle, "facts");
    if (!object)
        return;
    object_block(object, &block);
    if (facts_decode(BLOCK_FACTS, block.payload, block.payload_len, &facts) ==
            KITH_OK &&
        facts_find(&facts, "host", &fact))
        snprintf(host, cap, "%.*s", (int)fact.value_len, fact.value);
}

void agent_tell(struct agent *a, const struct effect *effect)
{
    static const struct node_id nobody;
    struct agent_event event = {
        .seq = ++a->events, .type = effect->note.type, .id = effect->note.id};
    struct agent_listener *l, *next;
    struct now now;

    agent_now(a, &now);
    event.unix_ms = now.unix_ms;
    if (!node_id_equal(&event.id, &nobody))
        host_of(a, &now, &event.id, event.host, sizeof event.host);
    snprintf(event.name, sizeof event.name, "%s", effect->note.name);
    snprintf(event.text, sizeof event.text, "%s", effect->note.text);
    for (l = a->listeners; l; l = next) {
        next = l->next;
        l->fn(l->arg, &event);
    }
}

/* -- looking and doing ---------------------------------------------------- */

const struct engine *agent_engine(const struct agent *a)
{
    return a->engine;
}

void agent_info(const struct agent *a, struct agent_info *out)
{
    const struct h2_counters *h2 = h2_server_counters(a->server);
    struct udp_counters udp;

    memset(out, 0, sizeof *out);
    udp_counters(a->udp, &udp);
    out->version = KITH_VERSION;
    out->commit = KITH_COMMIT;
    out->mesh_name = a->conf->mesh;
    out->open_mesh = a->open_mesh;
    out->state_dir = a->conf->state;
    out->started_unix_ms = a->started_unix_ms;
    out->port = (uint16_t)a->conf->port;
    out->listening = a->listening;
    out->n_listening = a->n_listening;
    out->store_kept = store_state(a->store) == STORE_OK;
    out->udp_heard = udp.heard;
    out->tcp_heard = h2->accepted > 0;
    out->links = a->n_links;
    out->udp_dropped = udp.dropped;
}

int agent_tag(struct agent *a, const char *key, const char *value)
{
    struct now now;
    struct effects *out = agent_begin(a, &now);
    int err = engine_tag(a->engine, &now, key, value, out);

    agent_end(a);
    return err;
}

int agent_put(struct agent *a, const char *name, const uint8_t *bytes, size_t n)
{
    struct now now;
    struct effects *out = agent_begin(a, &now);
    int err = engine_put(a->engine, &now, name, bytes, n, out);

    agent_end(a);
    return err;
}

int agent_remove(struct agent *a, const char *name)
{
    struct now now;
    struct effects *out = agent_begin(a, &now);
    int err = engine_remove(a->engine, &now, name, out);

    agent_end(a);
    return err;
}

int agent_forget(struct agent *a, const struct node_id *id)
{
    struct now now;
    struct effects *out = agent_begin(a, &now);
    int err = engine_forget(a->engine, &now, id, out);

    agent_end(a);
    return err;
}

void agent_leave(struct agent *a)
{
    struct now now;
    struct effects *out = agent_begin(a, &now);

    engine_leave(a->engine, &now, out);
    agent_end(a);
}

void agent_away(struct agent *a)
{
    struct now now;
    struct effects *out = agent_begin(a, &now);

    engine_away(a->engine, &now, out);
    agent_end(a);
}
