/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_API_RIG_H
#define KITH_TEST_API_RIG_H

/*
 * For the tests of the local API: the API over a real socket, and behind it
 * an agent and an engine that are nothing but a table of members. They stand
 * here under the names of the real ones, which are therefore not linked.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "base/error.h"
#include "daemon/api.h"
#include "member_rig.h"

enum {
    RIG_MEMBERS_MAX = 32,
    RIG_ANSWER_MAX = 4 << 20,
    RIG_TURNS = 20000, /* of the loop, before an answer is given up */
};

/* What was asked of the agent last, and what it is to say. */
struct agent {
    struct member_rig *members;
    struct member_view views[RIG_MEMBERS_MAX];
    size_t n_views;
    int err;            /* of the next calls */
    unsigned fail_from; /* ... from this one on; 0: all */
    unsigned calls;
    char key[128]; /* arguments of the last */
    char value[1024];
    bool value_null;
    size_t len;
    struct node_id id;
    bool left, went_away;
    void (*listener)(void *, const struct agent_event *);
    void *listener_arg;
    uint64_t seq;
};

struct rig {
    struct agent agent;
    struct event_base *base;
    struct api *api;
    char dir[64];
    char path[96];
    char *answer; /* the last, ended with NUL */
    size_t answer_len;
    int status;
    const char *body;
};

/* -- the engine ------------------------------------------------------- */

/* The engine's pointer is the agent's. */
static inline const struct agent *rig_agent(const struct engine *e)
{
    return (const struct agent *)(const void *)e;
}

const struct engine *agent_engine(const struct agent *a)
{
    return (const struct engine *)(const void *)a;
}

void agent_now(const struct agent *a, struct now *now)
{
    (void)a;
    memset(now, 0, sizeof *now);
    now->unix_ms = 1767225600000;
}

void engine_members(const struct engine *e, const struct now *now,
                    void (*visit)(void *arg, const struct member_view *),
                    void *arg)
{
    const struct agent *a = rig_agent(e);

    (void)now;
    for (size_t i = 0; i < a->n_views; i++)
        visit(arg, &a->views[i]);
}

int engine_member(const struct engine *e, const struct now *now,
                  const struct node_id *id, struct member_view *out)
{
    const struct agent *a = rig_agent(e);

    (void)now;
    for (size_t i = 0; i < a->n_views; i++)
        if (node_id_equal(&a->views[i].id, id)) {
            *out = a->views[i];
            return KITH_OK;
        }
    return KITH_ERR_NOTFOUND;
}

const char *engine_counter_name(enum engine_counter c)
{
    static const char *const names[] = {"counter_even", "counter_odd"};

    return names[c % 2];
}

void engine_status(const struct engine *e, const struct now *now,
                   struct engine_status *out)
{
    const struct agent *a = rig_agent(e);

    (void)now;
    memset(out, 0, sizeof *out);
    if (a->n_views > 0)
        out->id = a->views[0].id;
    out->members = (uint32_t)a->n_views;
    out->counters[COUNT_DATAGRAMS_IN] = 12;
}

/* -- the agent -------------------------------------------------------- */

void agent_info(const struct agent *a, struct agent_info *out)
{
    (void)a;
    memset(out, 0, sizeof *out);
    out->version = "0.1.0";
    out->commit = "abc";
    out->mesh_name = "open";
    out->open_mesh = true;
    out->state_dir = "/var/lib/kith";
    out->port = 16990;
    out->store_kept = true;
    out->links = 2;
}

/* Remembers a call and says how it ends. */
static inline int rig_called(struct agent *a, const char *key)
{
    a->calls++;
    snprintf(a->key, sizeof a->key, "%s", key);
    return a->calls >= a->fail_from ? a->err : KITH_OK;
}

int agent_tag(struct agent *a, const char *key, const char *value)
{
    a->value_null = value == NULL;
    snprintf(a->value, sizeof a->value, "%s", value == NULL ? "" : value);
    return rig_called(a, key);
}

int agent_put(struct agent *a, const char *name, const uint8_t *bytes, size_t n)
{
    a->len = n;
    memcpy(a->value, bytes, n < sizeof a->value ? n : sizeof a->value);
    return rig_called(a, name);
}

int agent_remove(struct agent *a, const char *name)
{
    return rig_called(a, name);
}

int agent_forget(struct agent *a, const struct node_id *id)
{
    a->id = *id;
    return rig_called(a, "");
}

void agent_leave(struct agent *a)
{
    a->left = true;
}

void agent_away(struct agent *a)
{
    a->went_away = true;
}

struct agent_listener *
agent_listen(struct agent *a, void (*fn)(void *, const struct agent_event *),
             void *arg)
{
    a->listener = fn;
    a->listener_arg = arg;
    return (struct agent_listener *)(void *)a;
}

void agent_unlisten(struct agent *a, struct agent_listener *l)
{
    (void)l;
    a->listener = NULL;
}

/* -- life ------------------------------------------------------------- */

static inline int rig_setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    char message[512] = "";

    assert_non_null(r);
    signal(SIGPIPE, SIG_IGN); /* as kithd does */
    r->agent.members = member_rig_new();
    snprintf(r->dir, sizeof r->dir, "/tmp/kith-api-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->path, sizeof r->path, "%s/kith.sock", r->dir);
    r->base = event_base_new();
    r->api =
        api_new(&r->agent, r->base, r->path, NULL, message, sizeof message);
    assert_string_equal(message, "");
    assert_non_null(r->api);
    r->answer = malloc(RIG_ANSWER_MAX);
    assert_non_null(r->answer);
    *state = r;
    return 0;
}

static inline int rig_teardown(void **state)
{
    struct rig *r = *state;

    api_free(r->api);
    assert_null(r->agent.listener);
    assert_int_equal(access(r->path, F_OK), -1);
    event_base_free(r->base);
    member_rig_free(r->agent.members);
    rmdir(r->dir);
    free(r->answer);
    free(r);
    return 0;
}

/* Adds a member that says of itself that its host is called so; node is any
 * number. */
static inline struct member_view *rig_member(struct rig *r, uint64_t node,
                                             const char *host)
{
    struct fact fact = {"host", 4, host, strlen(host)};
    struct member_view *m = &r->agent.views[r->agent.n_views++];

    assert_true(r->agent.n_views <= RIG_MEMBERS_MAX);
    *m = member_rig_view(r->agent.members, node, &fact, 1);
    return m;
}

/* -- asking ----------------------------------------------------------- */

static inline int rig_connect(struct rig *r)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", r->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Sends all of it, and lets the API work meanwhile. */
static inline void rig_send(struct rig *r, int fd, const char *text, size_t n)
{
    for (int turn = 0; n > 0 && turn < RIG_TURNS; turn++) {
        ssize_t sent = send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            text += sent;
            n -= (size_t)sent;
        }
        event_base_loop(r->base, EVLOOP_NONBLOCK);
    }
}

/* Reads into r->answer until there is `until` in it, or (NULL) the end.
 * Returns whether it came to that. */
static inline bool rig_read(struct rig *r, int fd, const char *until)
{
    for (int turn = 0; turn < RIG_TURNS; turn++) {
        size_t room = RIG_ANSWER_MAX - 1 - r->answer_len;
        ssize_t n;

        event_base_loop(r->base, EVLOOP_NONBLOCK);
        n = recv(fd, r->answer + r->answer_len, room, MSG_DONTWAIT);
        if (n > 0)
            r->answer_len += (size_t)n;
        r->answer[r->answer_len] = '\0';
        if (until != NULL && strstr(r->answer, until) != NULL)
            return true;
        if (n == 0)
            return until == NULL;
    }
    return false;
}

/* Asks, and takes the answer apart. */
static inline int rig_ask_bytes(struct rig *r, const char *method,
                                const char *path, const void *body, size_t n)
{
    char head[2048];
    int fd = rig_connect(r);
    const char *end;

    snprintf(head, sizeof head,
             "%s %s HTTP/1.1\r\nHost: kith\r\nConnection: close\r\n"
             "Content-Length: %zu\r\n\r\n",
             method, path, n);
    rig_send(r, fd, head, strlen(head));
    rig_send(r, fd, body, n);
    r->answer_len = 0;
    assert_true(rig_read(r, fd, NULL));
    close(fd);
    assert_int_equal(strncmp(r->answer, "HTTP/1.1 ", 9), 0);
    r->status = (int)strtol(r->answer + 9, NULL, 10);
    end = strstr(r->answer, "\r\n\r\n");
    assert_non_null(end);
    r->body = end + 4;
    return r->status;
}

static inline int rig_ask(struct rig *r, const char *method, const char *path,
                          const char *body)
{
    return rig_ask_bytes(r, method, path, body, strlen(body));
}

static inline int rig_get(struct rig *r, const char *path)
{
    return rig_ask(r, "GET", path, "");
}

/* The body as JSON; a new reference. */
static inline json_t *rig_json(struct rig *r)
{
    json_t *json;

    assert_non_null(strstr(r->answer, "Content-Type: application/json\r\n"));
    json = json_loads(r->body, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    return json;
}

/* The last answer was an error that says so. */
static inline void rig_assert_error(struct rig *r, int status, const char *says)
{
    json_t *json = rig_json(r);
    const char *text = json_string_value(json_object_get(json, "error"));

    assert_int_equal(r->status, status);
    assert_non_null(text);
    if (strstr(text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, says);
    assert_non_null(json_object_get(json, "hint"));
    json_decref(json);
}

#endif
