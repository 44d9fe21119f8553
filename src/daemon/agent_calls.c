/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/agent_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "crypto/wipe.h"

/* -- calls ---------------------------------------------------------------- */

static void unlink_call(struct agent_call *call)
{
    struct agent_call **p = &call->agent->calls;

    while (*p != call)
        p = &(*p)->next;
    *p = call->next;
    if (call->stillborn)
        event_free(call->stillborn);
    free(call);
}

static enum call_outcome outcome_of(const struct h2_result *r)
{
    switch (r->outcome) {
    case H2_OK:
        return r->status == 200 ? CALL_OK : CALL_STATUS;
    case H2_REFUSED:
        return CALL_REFUSED;
    case H2_TCP:
        return CALL_TCP;
    case H2_TLS:
        return CALL_TLS;
    case H2_OTHER_ID:
        return CALL_OTHER;
    case H2_STRANGER:
        return CALL_STRANGER;
    default:
        return CALL_BROKEN;
    }
}

static void on_call_done(void *arg, const struct h2_result *r)
{
    struct agent_call *call = arg;
    struct agent *a = call->agent;
    struct call_result result = {.call = call->id,
                                 .outcome = outcome_of(r),
                                 .status = r->status,
                                 .local = r->local,
                                 .peer_known = r->peer_known};
    struct grant grant = {.members = 0};
    struct effects *out;
    struct now now;

    snprintf(result.reason, sizeof result.reason, "%.63s", r->reason);
    if (r->peer_known) {
        result.peer = r->peer.id;
        memcpy(result.spki, r->peer.spki, sizeof result.spki);
    }
    if (call->kind == CALL_SESSION && result.outcome == CALL_OK) {
        if (peer_api_grant_decode(r->body, r->body_len, &grant) == KITH_OK)
            result.grant = &grant;
        else
            result.outcome = CALL_BROKEN;
    }
    log_msg(a->log, LOG_LEVEL_DEBUG,
            "call ended to=%s outcome=%s status=%d reason=\"%s\"", call->to,
            h2_outcome_name(r->outcome), r->status, r->reason);
    unlink_call(call);
    out = agent_begin(a, &now);
    engine_call_done(a->engine, &now, &result, out);
    agent_end(a);
    secret_wipe(&grant, sizeof grant);
}

static int on_call_body(void *arg, const struct cert_peer *peer,
                        const uint8_t *bytes, size_t n)
{
    struct agent_call *call = arg;
    int err = KITH_OK;

    (void)peer;
    for (size_t at = 0; at < n && err == KITH_OK;) {
        size_t part = n - at < 8192 ? n - at : 8192;
        struct effects *out;
        struct now now;

        out = agent_begin(call->agent, &now);
        err = engine_call_data(call->agent->engine, &now, call->id, bytes + at,
                               part, out);
        agent_end(call->agent);
        at += part;
    }
    return err;
}

/* A call that could not even begin ends like any other, from the loop. */
static void on_stillborn(evutil_socket_t fd, short what, void *arg)
{
    struct h2_result result = {.outcome = H2_HTTP, .reason = "out of memory"};

    (void)fd;
    (void)what;
    on_call_done(arg, &result);
}

void agent_start_call(struct agent *a, const struct effect *effect)
{
    struct agent_call *call = calloc(1, sizeof *call);
    bool bulk = effect->call.kind == CALL_BULK;
    struct h2_call_spec spec = {
        .to = effect->call.to,
        .method = "POST",
        .path = bulk ? "/v1/sync" : "/v1/session",
        .mesh = a->mesh_hex,
        .type = bulk ? "application/octet-stream" : NULL,
        .body = effect->call.body,
        .body_len = effect->call.len,
        .expected = effect->call.has_expected ? &effect->call.expected : NULL,
        .deadline_ms = effect->call.deadline_ms,
        .max_body = bulk ? SIZE_MAX : 16384,
        .on_body = bulk ? on_call_body : NULL,
        .on_done = on_call_done,
        .arg = call,
    };

    if (call) {
        call->agent = a;
        call->id = effect->call.call;
        call->kind = effect->call.kind;
        text_addr_format(call->to, sizeof call->to, &effect->call.to);
        call->h2 = h2_call_start(a->client, &spec);
        call->next = a->calls;
        a->calls = call;
    }
    if (!call || !call->h2)
        log_msg(a->log, LOG_LEVEL_ERROR, "out of memory for a call");
    if (call && !call->h2) {
        call->stillborn = evtimer_new(a->base, on_stillborn, call);
        if (call->stillborn)
            event_active(call->stillborn, EV_TIMEOUT, 0);
    }
    free(effect->call.body);
}

void agent_cancel_call(struct agent *a, uint32_t id)
{
    struct agent_call *call = a->calls;

    while (call && call->id != id)
        call = call->next;
    if (!call)
        return;
    if (call->h2)
        h2_call_cancel(call->h2);
    unlink_call(call);
}

void agent_drop_calls(struct agent *a)
{
    /* The analyser does not see that unlinking moves a->calls on. */
    while (a->calls)
        unlink_call(a->calls); /* NOLINT(clang-analyzer-unix.Malloc) */
}
