/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/error.h"
#include "check.h"
#include "sim.h"
#include "trace.h"

enum {
    SERVE_US = 1000,      /* of processor time, for a handshake */
    PART_MAX = 16384,     /* bytes of an answer at a time ... */
    PART_US = 200,        /* ... and what they take on a fast link */
    PULL_MAX = 64 * 1024, /* bytes pulled from an answer at a time */
    CALLER_PORT = 40000,  /* a connection comes from some other port */
};

struct call_run {
    struct world_event event;
    struct sim *sim;
    struct node *caller;
    struct node *target; /* NULL: nobody has that address */
    uint32_t id;
    enum call_kind kind;
    bool has_expected;
    struct node_id expected;
    uint8_t *body; /* owned */
    size_t len;
    struct instant deadline;

    struct call_result result; /* to be told when the event runs */
    struct grant grant;
    struct bulk_reply *reply; /* the target's */
    uint8_t *part;            /* owned; PULL_MAX bytes */
    size_t part_len, part_at;
    struct call_run *prev, *next;
};

static void close_reply(struct call_run *c)
{
    if (c->reply)
        engine_bulk_close(c->target->engine, c->reply);
    c->reply = NULL;
}

static void call_free(struct call_run *c)
{
    close_reply(c);
    world_cancel(&c->sim->world, &c->event);
    DL_DELETE(c->sim->calls, c);
    free(c->body);
    free(c->part);
    free(c);
}

/* -- the end ------------------------------------------------------------- */

static void tell(void *arg)
{
    struct call_run *c = arg;
    struct node *caller = c->caller;
    struct sight sight = {
        .type = SIGHT_GRANT, .node = caller, .other = c->target};
    struct call_result result = c->result;
    struct grant grant = c->grant;
    struct effects *out;
    struct now now;

    world_trace(&c->sim->world, TRACE_ENDED, caller->index, result.outcome,
                NULL, 0);
    sim_say(c->sim, "%u: call %u has ended: %d %s", caller->index, c->id,
            result.outcome, result.reason);
    if (result.outcome == CALL_OK && c->kind == CALL_SESSION) {
        result.grant = &grant;
        check_see(c->sim, &sight);
    }
    call_free(c);
    out = node_begin(caller, &now);
    engine_call_done(caller->engine, &now, &result, out);
    node_end(caller);
}

static void end_at(struct call_run *c, struct instant at,
                   enum call_outcome outcome, const char *reason)
{
    c->result.call = c->id;
    c->result.outcome = outcome;
    c->result.local = c->caller->port.addr;
    snprintf(c->result.reason, sizeof c->result.reason, "%s", reason);
    c->event.run = tell;
    world_plan(&c->sim->world, &c->event, at);
}

/* So many microseconds from now, but not after the deadline. */
static void end_in(struct call_run *c, uint64_t us, enum call_outcome outcome,
                   const char *reason)
{
    struct instant at = instant_add_us(c->sim->world.now, us);

    if (at.us > c->deadline.us)
        end_at(c, c->deadline, CALL_TCP, "deadline");
    else
        end_at(c, at, outcome, reason);
}

static bool reachable(const struct call_run *c)
{
    return c->target && net_connects(&c->caller->port, &c->target->port) &&
           !(c->target->port.silent && !c->target->engine);
}

/* -- the answer ------------------------------------------------------------ */

/* One way back to the caller. */
static uint64_t back_us(struct call_run *c)
{
    return net_stream_us(&c->sim->net);
}

static void serve_session(struct call_run *c)
{
    struct now now = world_now(&c->sim->world);
    struct addr from = c->caller->port.addr;
    int err;

    from.port = CALLER_PORT;
    err = engine_grant(c->target->engine, &now, &c->caller->identity.id, &from,
                       &c->grant);
    if (err == KITH_OK) {
        c->result.status = 200;
        end_in(c, back_us(c), CALL_OK, "");
    } else {
        c->result.status = 503;
        end_in(c, back_us(c), CALL_STATUS, err_str(err));
    }
}

/* Gives the caller the next part of the answer; the end when there is none. */
static void give_part(void *arg)
{
    struct call_run *c = arg;
    struct node *caller = c->caller;
    struct now now = world_now(&c->sim->world);
    struct effects *out;
    size_t n;
    int err;

    if (!c->target->engine || !reachable(c)) {
        close_reply(c);
        end_at(c, c->deadline, CALL_BROKEN, "cut off");
        return;
    }
    if (c->part_at == c->part_len) {
        c->part_at = 0;
        c->part_len = engine_bulk_pull(c->target->engine, &now, c->reply,
                                       c->part, PULL_MAX);
    }
    if (c->part_len == 0) {
        c->result.status = 200;
        end_in(c, 0, CALL_OK, "");
        return;
    }
    n = c->part_len - c->part_at < PART_MAX ? c->part_len - c->part_at
                                            : PART_MAX;
    c->target->streamed += n;
    world_trace(&c->sim->world, TRACE_PART, c->target->index, caller->index,
                c->part + c->part_at, n);
    out = node_begin(caller, &now);
    err = engine_call_data(caller->engine, &now, c->id, c->part + c->part_at, n,
                           out);
    node_end(caller);
    c->part_at += n;
    if (err != KITH_OK)
        end_in(c, 0, CALL_BROKEN, err_str(err));
    else
        world_plan_us(&c->sim->world, &c->event, PART_US);
}

static void serve_bulk(struct call_run *c)
{
    struct node *target = c->target;
    struct effects *out;
    struct now now;
    int err;

    out = node_begin(target, &now);
    err = engine_bulk_open(target->engine, &now, &c->caller->identity.id,
                           c->body, c->len, &c->reply, out);
    node_end(target);
    if (err != KITH_OK) {
        c->result.status = err == KITH_ERR_BUDGET ? 503 : 400;
        end_in(c, back_us(c), CALL_STATUS, err_str(err));
        return;
    }
    c->part = world_alloc(PULL_MAX);
    c->event.run = give_part;
    world_plan_us(&c->sim->world, &c->event, back_us(c));
}

/* The request has come to whoever has that address. */
static void serve(void *arg)
{
    struct call_run *c = arg;

    if (!reachable(c)) {
        end_at(c, c->deadline, CALL_BROKEN, "cut off");
        return;
    }
    if (!c->target->engine) {
        end_in(c, back_us(c), CALL_BROKEN, "reset");
        return;
    }
    world_trace(&c->sim->world, TRACE_SERVED, c->caller->index,
                c->target->index, c->body, c->len);
    c->result.peer_known = true;
    c->result.peer = c->target->identity.id;
    memcpy(c->result.spki, c->target->identity.spki, SPKI_LEN);
    if (c->has_expected &&
        !node_id_equal(&c->expected, &c->target->identity.id))
        end_in(c, back_us(c), CALL_OTHER, "other node");
    else if (c->kind == CALL_SESSION)
        serve_session(c);
    else
        serve_bulk(c);
}

/* -- the beginning -----------------------------------------------------------
 */

void call_start(struct node *n, const struct effect *effect)
{
    struct sim *sim = n->sim;
    struct call_run *c = world_alloc(sizeof *c);
    struct net_port *port = net_find(&sim->net, &effect->call.to);
    struct sight sight = {.type = SIGHT_DIAL, .node = n};
    uint64_t us = SERVE_US;

    c->sim = sim;
    c->caller = n;
    c->target = port ? &sim->nodes[port->index] : NULL;
    c->id = effect->call.call;
    c->kind = effect->call.kind;
    c->has_expected = effect->call.has_expected;
    c->expected = effect->call.expected;
    c->body = effect->call.body;
    c->len = effect->call.len;
    c->deadline = instant_add_ms(sim->world.now, effect->call.deadline_ms);
    c->event.arg = c;
    DL_APPEND(sim->calls, c);
    world_trace(&sim->world, TRACE_CALL, n->index, c->kind, c->body, c->len);
    sim_say(sim, "%u: call %u of kind %d to %d", n->index, c->id, c->kind,
            port ? (int)port->index : -1);
    if (c->kind == CALL_SESSION) {
        sight.other = c->target;
        check_see(sim, &sight);
    }
    for (unsigned i = 0; i < 5; i++) /* there, back, there, back, there */
        us += net_stream_us(&sim->net);
    if (!reachable(c)) {
        end_at(c, c->deadline, CALL_TCP, "no connection");
    } else if (!c->target->engine) {
        end_in(c, back_us(c) + back_us(c), CALL_REFUSED, "refused");
    } else if (instant_add_us(sim->world.now, us).us > c->deadline.us) {
        end_at(c, c->deadline, CALL_TCP, "deadline");
    } else {
        c->event.run = serve;
        world_plan_us(&sim->world, &c->event, us);
    }
}

void call_cancel(struct node *n, uint32_t id)
{
    struct call_run *c, *next;

    DL_FOREACH_SAFE (n->sim->calls, c, next)
        if (c->caller == n && c->id == id)
            call_free(c);
}

void call_forget(struct node *n)
{
    struct call_run *c, *next;

    DL_FOREACH_SAFE (n->sim->calls, c, next) {
        if (c->caller == n) {
            call_free(c);
        } else if (c->target == n && c->reply) {
            close_reply(c);
            end_in(c, back_us(c), CALL_BROKEN, "reset");
        }
    }
}
