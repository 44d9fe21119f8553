/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_H2_RIG_H
#define KITH_TEST_H2_RIG_H

/*
 * For the tests of the peer port: two nodes, and in one event loop a server
 * of the one and a client of the other, on 127.0.0.1.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "daemon/h2_client.h"
#include "daemon/h2_server.h"
#include "daemon/tls.h"

enum {
    RIG_LOOP_MS = 20000, /* no test waits longer than this */
    RIG_STREAM_LEN = 5 * 1024 * 1024 + 123,
    RIG_BULK_MAX = 300000,
};

struct rig_node {
    struct key *key;
    struct node_id id;
    uint8_t der[CERT_NODE_MAX];
    size_t der_len;
    struct tls *tls;
};

/* What the handler saw last. */
struct rig_seen {
    unsigned calls;
    char method[16];
    char path[64];
    char mesh[80];
    bool has_mesh;
    struct node_id peer;
    bool member;
    struct addr from;
    struct addr to;
    size_t body_len;
};

struct rig {
    struct rig_node a; /* dials */
    struct rig_node b; /* listens */
    struct event_base *base;
    struct h2_server *server;
    struct h2_client *client;
    struct addr addr; /* of the server */
    struct rig_seen seen;
    size_t pulled;      /* of a streamed answer */
    unsigned pull_done; /* calls of its done() */
};

/* A byte of the streamed answer. */
static inline uint8_t rig_byte(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 10));
}

static inline ssize_t rig_pull(void *arg, uint8_t *buf, size_t cap)
{
    struct rig *rig = arg;
    size_t n = RIG_STREAM_LEN - rig->pulled;

    if (n > cap)
        n = cap;
    for (size_t i = 0; i < n; i++)
        buf[i] = rig_byte(rig->pulled + i);
    rig->pulled += n;
    return (ssize_t)n;
}

/* Breaks off after the first half. */
static inline ssize_t rig_pull_half(void *arg, uint8_t *buf, size_t cap)
{
    struct rig *rig = arg;

    return rig->pulled > RIG_STREAM_LEN / 2 ? -1 : rig_pull(arg, buf, cap);
}

static inline void rig_pull_done(void *arg)
{
    struct rig *rig = arg;

    rig->pull_done++;
}

/* "/echo" gives the body back; "/stream" and "/half" stream; "/nothing" sets
 * nothing; "/204" has no body. */
static inline void rig_handler(void *arg, const struct h2_request *request,
                               struct h2_reply *reply)
{
    struct rig *rig = arg;
    struct rig_seen *seen = &rig->seen;

    seen->calls++;
    snprintf(seen->method, sizeof seen->method, "%s", request->method);
    snprintf(seen->path, sizeof seen->path, "%s", request->path);
    seen->has_mesh = request->mesh != NULL;
    snprintf(seen->mesh, sizeof seen->mesh, "%s",
             request->mesh ? request->mesh : "");
    seen->peer = request->peer->id;
    seen->member = request->peer->member;
    seen->from = request->from;
    seen->to = request->to;
    seen->body_len = request->body_len;

    if (strcmp(request->path, "/nothing") == 0)
        return;
    reply->status = strcmp(request->path, "/204") == 0 ? 204 : 200;
    if (strcmp(request->path, "/stream") == 0 ||
        strcmp(request->path, "/half") == 0) {
        rig->pulled = 0;
        reply->type = "application/octet-stream";
        reply->pull.pull = request->path[1] == 's' ? rig_pull : rig_pull_half;
        reply->pull.done = rig_pull_done;
        reply->pull.arg = rig;
    } else if (request->body_len > 0) {
        reply->body = malloc(request->body_len);
        assert_non_null(reply->body);
        memcpy(reply->body, request->body, request->body_len);
        reply->body_len = request->body_len;
    }
}

static inline size_t rig_limit(void *arg, const char *path,
                               const struct cert_peer *peer)
{
    (void)arg;
    assert_non_null(peer);
    return strcmp(path, "/bulk") == 0 ? RIG_BULK_MAX : H2_BODY_DEFAULT;
}

static inline struct tls *rig_tls(const struct rig_node *node, bool open_mesh)
{
    const struct cert_rules rules = {.open_mesh = open_mesh};
    const struct cert_der chain = {node->der, node->der_len};
    struct tls *tls = NULL;

    assert_int_equal(tls_new(node->key, &chain, 1, &rules, &tls), KITH_OK);
    return tls;
}

static inline void rig_node_make(struct rig_node *node)
{
    assert_int_equal(key_generate(&node->key), KITH_OK);
    key_id(node->key, &node->id);
    assert_int_equal(
        cert_make_node(node->key, node->der, sizeof node->der, &node->der_len),
        KITH_OK);
    node->tls = rig_tls(node, true);
}

static inline void rig_node_free(struct rig_node *node)
{
    tls_free(node->tls);
    key_free(node->key);
}

/* Options that suit the tests; a test may change them. */
static inline struct h2_server_opts rig_opts(struct rig *rig)
{
    struct h2_server_opts opts;

    h2_server_defaults(&opts);
    opts.handler = rig_handler;
    opts.body_limit = rig_limit;
    opts.arg = rig;
    return opts;
}

/* Makes the server (again), with other options or another context. */
static inline void rig_serve(struct rig *rig, struct tls *tls,
                             const struct h2_server_opts *opts)
{
    struct addr any;

    assert_int_equal(text_addr_parse(&any, "127.0.0.1:0", 0), KITH_OK);
    h2_server_free(rig->server);
    assert_int_equal(h2_server_new(rig->base, tls, opts, &rig->server),
                     KITH_OK);
    assert_int_equal(h2_server_listen(rig->server, &any, &rig->addr), KITH_OK);
    assert_int_not_equal(rig->addr.port, 0);
}

/* cmocka fixtures. The keys are made once, the rest for each test. */

static inline int rig_group_setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    rig_node_make(&rig->a);
    rig_node_make(&rig->b);
    *state = rig;
    return 0;
}

static inline int rig_group_teardown(void **state)
{
    struct rig *rig = *state;

    rig_node_free(&rig->a);
    rig_node_free(&rig->b);
    free(rig);
    return 0;
}

static inline int rig_setup(void **state)
{
    struct rig *rig = *state;
    struct h2_server_opts opts = rig_opts(rig);

    rig->base = event_base_new();
    assert_non_null(rig->base);
    memset(&rig->seen, 0, sizeof rig->seen);
    rig->pulled = 0;
    rig->pull_done = 0;
    rig_serve(rig, rig->b.tls, &opts);
    assert_int_equal(h2_client_new(rig->base, rig->a.tls, &rig->client),
                     KITH_OK);
    return 0;
}

static inline int rig_teardown(void **state)
{
    struct rig *rig = *state;

    h2_client_free(rig->client);
    h2_server_free(rig->server);
    event_base_free(rig->base);
    rig->client = NULL;
    rig->server = NULL;
    return 0;
}

/* Runs the loop for a bit of time. */
static inline void rig_turn(struct rig *rig)
{
    const struct timeval bit = {0, 2000};

    event_base_loopexit(rig->base, &bit);
    event_base_dispatch(rig->base);
}

/* Runs the loop until the condition holds; fails when it never does. */
#define RIG_WAIT(rig, condition)                                               \
    do {                                                                       \
        for (int turns_ = 0; !(condition); turns_++) {                         \
            assert_true(turns_ < RIG_LOOP_MS / 2);                             \
            rig_turn(rig);                                                     \
        }                                                                      \
    } while (0)

/* A call and what became of it. */
struct rig_call {
    struct h2_call *call;
    unsigned done;
    struct h2_result result; /* body does not point anywhere any more */
    uint8_t body[1024];      /* the beginning of it */
    size_t streamed;         /* bytes given to rig_on_body */
    size_t wrong;            /* of these, other bytes than those sent */
    size_t refuse_at;        /* on_body refuses from here; 0: never */
    size_t cancel_at;        /* on_body cancels from here; 0: never */
    struct node_id from;     /* peer given to rig_on_body */
};

static inline void rig_on_done(void *arg, const struct h2_result *result)
{
    struct rig_call *call = arg;
    size_t n = result->body_len;

    call->done++;
    call->result = *result;
    call->result.body = NULL;
    if (n > sizeof call->body)
        n = sizeof call->body;
    if (n > 0)
        memcpy(call->body, result->body, n);
}

static inline int rig_on_body(void *arg, const struct cert_peer *peer,
                              const uint8_t *bytes, size_t n)
{
    struct rig_call *call = arg;

    call->from = peer->id;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != rig_byte(call->streamed + i))
            call->wrong++;
    }
    call->streamed += n;
    if (call->cancel_at > 0 && call->streamed >= call->cancel_at)
        h2_call_cancel(call->call);
    if (call->refuse_at > 0 && call->streamed >= call->refuse_at)
        return KITH_ERR_FORMAT;
    return KITH_OK;
}

static inline struct h2_call_spec rig_spec(const struct rig *rig,
                                           const char *path)
{
    return (struct h2_call_spec){
        .to = rig->addr,
        .method = "POST",
        .path = path,
        .mesh = "00ff",
        .deadline_ms = 15000,
        .max_body = 65536,
    };
}

static inline void rig_start(struct rig *rig, struct rig_call *call,
                             struct h2_call_spec spec)
{
    spec.on_done = rig_on_done;
    spec.arg = call;
    call->done = 0;
    call->call = h2_call_start(rig->client, &spec);
    assert_non_null(call->call);
    assert_int_equal(call->done, 0);
}

static inline void rig_run(struct rig *rig, struct rig_call *call,
                           struct h2_call_spec spec)
{
    rig_start(rig, call, spec);
    RIG_WAIT(rig, call->done > 0);
    assert_int_equal(call->done, 1);
}

#endif
