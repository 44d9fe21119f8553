/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_ENGINE_MESH_H
#define KITH_TEST_ENGINE_MESH_H

#include "engine_harness.h"

/*
 * A few rigs on one link, each with a pool of its own, so that whatever one
 * knows of another has come as bytes. Datagrams take 1 ms, beacons too, calls
 * 3 ms; a test may lose what it likes.
 */
enum {
    MESH_MAX = 24,
    MESH_DATAGRAM_MS = 1,
    MESH_CALL_MS = 3,
    MESH_CHUNK = 7000, /* bytes of an answer that come at a time */
};

struct mesh_letter {
    struct mesh_letter *next; /* by time */
    struct instant at;
    size_t from, to; /* rigs */
    bool beacon;
    bool is_call;
    struct rig_call call;
    size_t len;
    uint8_t data[DGRAM_MAX];
};

struct mesh {
    struct rig *r[MESH_MAX]; /* NULL: not running */
    size_t n;
    struct mesh_letter *letters;
    bool cut[MESH_MAX]; /* no datagram to or from it arrives */
    bool off[MESH_MAX]; /* nor call */
    unsigned loss;      /* of 100 datagrams */
    struct prng prng;
    uint64_t lost;
};

/* The rig with that address; m->n when there is none. */
static inline size_t mesh_at(const struct mesh *m, const struct addr *a)
{
    for (size_t i = 0; i < m->n; i++) {
        struct addr mine = rig_addr(m->r[i]->number);

        if (addr_equal(&mine, a))
            return i;
    }
    return m->n;
}

static inline void mesh_post(struct mesh *m, const struct mesh_letter *letter,
                             uint64_t ms)
{
    struct mesh_letter **at = &m->letters, *copy = malloc(sizeof *copy);

    assert(copy);
    *copy = *letter;
    copy->at = instant_add_ms(m->r[letter->from]->now.mono, ms);
    while (*at && (*at)->at.us <= copy->at.us)
        at = &(*at)->next;
    copy->next = *at;
    *at = copy;
}

/* Takes what a rig has sent since the last time. */
static inline void mesh_collect(struct mesh *m, size_t from)
{
    struct rig *r = m->r[from];
    struct mesh_letter letter = {.from = from};

    for (size_t i = 0; i < r->n_sent; i++) {
        letter.to = mesh_at(m, &r->sent[i].to);
        letter.len = r->sent[i].len;
        memcpy(letter.data, r->sent[i].data, letter.len);
        if (letter.to < m->n)
            mesh_post(m, &letter, MESH_DATAGRAM_MS);
    }
    letter.beacon = true;
    letter.len = DGRAM_BEACON_LEN;
    for (; r->beacons > 0; r->beacons--) {
        beacon_encode(&r->beacon, letter.data);
        for (letter.to = 0; letter.to < m->n; letter.to++)
            mesh_post(m, &letter, MESH_DATAGRAM_MS);
    }
    r->n_sent = 0;
}

static inline void mesh_call_ends(struct mesh *m, size_t who,
                                  struct call_result *result)
{
    struct rig *r = m->r[who];

    rig_call_end(r, result->call);
    engine_call_done(r->e, &r->now, result, rig_begin(r));
    rig_end(r);
    mesh_collect(m, who);
}

static inline void mesh_session(struct mesh *m, size_t from, size_t to,
                                struct call_result *result)
{
    struct rig *a = m->r[from], *b = m->r[to];
    struct addr a_addr = rig_addr(a->number);
    struct grant grant;

    a_addr.port = 40000;
    if (engine_grant(b->e, &b->now, &a->e->self, &a_addr, &grant) == KITH_OK) {
        result->outcome = CALL_OK;
        result->grant = &grant;
    } else {
        result->outcome = CALL_STATUS;
    }
    mesh_call_ends(m, from, result);
}

/* The whole exchange at one time: the request, and the answer in parts. */
static inline void mesh_bulk(struct mesh *m, size_t from, size_t to,
                             const struct rig_call *call,
                             struct call_result *result)
{
    static uint8_t buf[BLOCK_SIGNED_MAX + 1024];
    struct rig *a = m->r[from], *b = m->r[to];
    struct bulk_reply *reply;
    int err = engine_bulk_open(b->e, &b->now, &a->e->self, call->body,
                               call->len, &reply, rig_begin(b));
    size_t n;

    rig_end(b);
    mesh_collect(m, to);
    result->outcome = err == KITH_OK ? CALL_OK : CALL_STATUS;
    while (err == KITH_OK &&
           (n = engine_bulk_pull(b->e, &b->now, reply, buf, sizeof buf)) > 0) {
        for (size_t at = 0; at < n && err == KITH_OK; at += MESH_CHUNK) {
            size_t part = n - at < MESH_CHUNK ? n - at : MESH_CHUNK;

            err = engine_call_data(a->e, &a->now, result->call, buf + at, part,
                                   rig_begin(a));
            rig_end(a);
            mesh_collect(m, from);
        }
    }
    engine_bulk_close(b->e, reply);
    mesh_call_ends(m, from, result);
}

static inline bool mesh_call_is_open(const struct rig *r, uint32_t id)
{
    for (size_t i = 0; i < r->n_calls; i++)
        if (r->calls[i].id == id)
            return true;
    return false;
}

static inline void mesh_call(struct mesh *m, const struct mesh_letter *letter)
{
    const struct rig_call *call = &letter->call;
    struct rig *a = m->r[letter->from];
    struct call_result result = {.call = call->id, .outcome = CALL_TCP};

    if (!mesh_call_is_open(a, call->id))
        return; /* cancelled */
    if (letter->to == m->n || m->off[letter->to] || m->off[letter->from]) {
        mesh_call_ends(m, letter->from, &result);
        return;
    }
    result.peer_known = true;
    result.peer = m->r[letter->to]->e->self;
    result.local = rig_addr(a->number);
    memcpy(result.spki, m->r[letter->to]->config.spki, SPKI_LEN);
    if (call->has_expected && !node_id_equal(&call->expected, &result.peer)) {
        result.outcome = CALL_OTHER;
        mesh_call_ends(m, letter->from, &result);
    } else if (call->kind == CALL_SESSION) {
        mesh_session(m, letter->from, letter->to, &result);
    } else {
        mesh_bulk(m, letter->from, letter->to, call, &result);
    }
}

/* Calls that were begun since the last time go out; a body stays the rig's. */
static inline void mesh_dial(struct mesh *m, size_t from, uint32_t *seen)
{
    struct rig *r = m->r[from];
    uint32_t newest = *seen;

    for (size_t i = 0; i < r->n_calls; i++) {
        struct mesh_letter letter = {
            .from = from, .is_call = true, .call = r->calls[i]};

        if (r->calls[i].id <= *seen)
            continue;
        letter.to = mesh_at(m, &r->calls[i].to);
        mesh_post(m, &letter, MESH_CALL_MS);
        newest = r->calls[i].id > newest ? r->calls[i].id : newest;
    }
    *seen = newest;
}

static inline void mesh_datagram(struct mesh *m,
                                 const struct mesh_letter *letter)
{
    struct rig *r = m->r[letter->to];
    struct datagram dg = {
        .data = letter->data,
        .len = letter->len,
        .from = rig_addr(m->r[letter->from]->number),
        .to = rig_addr(r->number),
        .ifindex = RIG_LINK,
        .hops = letter->beacon ? 255 : 64,
        .to_group = letter->beacon,
    };

    if (m->cut[letter->to] || m->cut[letter->from] || m->off[letter->to] ||
        m->off[letter->from] || prng_below(&m->prng, 100) < m->loss) {
        m->lost++;
        return;
    }
    engine_datagram(r->e, &r->now, &dg, rig_begin(r));
    rig_end(r);
    mesh_collect(m, letter->to);
}

/* The next thing that happens, if it is not later than `end`: a letter, or a
 * timer. Returns false when there is none. */
static inline bool mesh_step(struct mesh *m, struct instant end,
                             uint32_t seen[MESH_MAX])
{
    struct instant at = m->letters ? m->letters->at : INSTANT_NEVER;
    struct mesh_letter *letter = m->letters;
    size_t timer = m->n;

    for (size_t i = 0; i < m->n; i++) {
        struct rig *r = m->r[i];
        struct instant t = engine_deadline(r->e, &r->now);

        t.us = t.us < r->now.mono.us ? r->now.mono.us : t.us;
        if (t.us < at.us) {
            at = t;
            timer = i;
        }
    }
    if (at.us > end.us)
        return false;
    for (size_t i = 0; i < m->n; i++)
        rig_pass(m->r[i], at);
    if (timer < m->n) {
        rig_tick(m->r[timer]);
        mesh_collect(m, timer);
    } else {
        m->letters = letter->next;
        if (letter->is_call)
            mesh_call(m, letter);
        else
            mesh_datagram(m, letter);
        free(letter);
    }
    for (size_t i = 0; i < m->n; i++)
        mesh_dial(m, i, &seen[i]);
    return true;
}

static inline void mesh_run(struct mesh *m, uint64_t ms)
{
    struct instant end = instant_add_ms(m->r[0]->now.mono, ms);
    uint32_t seen[MESH_MAX];
    uint64_t steps = 0;

    /* whatever was begun between two runs is a letter already, or new */
    for (size_t i = 0; i < m->n; i++) {
        struct mesh_letter *l;

        seen[i] = 0;
        mesh_collect(m, i);
        for (l = m->letters; l; l = l->next)
            if (l->is_call && l->from == i && l->call.id > seen[i])
                seen[i] = l->call.id;
        mesh_dial(m, i, &seen[i]);
    }
    while (mesh_step(m, end, seen))
        assert(++steps < 10000 + ms * 1000 && "it never comes to rest");
    for (size_t i = 0; i < m->n; i++)
        rig_pass(m->r[i], end);
}

/* n fresh nodes, numbered from 1; none is started. */
static inline void mesh_init(struct mesh *m, size_t n)
{
    memset(m, 0, sizeof *m);
    assert(n <= MESH_MAX);
    m->n = n;
    prng_seed(&m->prng, n);
    for (size_t i = 0; i < n; i++)
        m->r[i] = rig_new(i + 1);
}

static inline void mesh_start(struct mesh *m)
{
    for (size_t i = 0; i < m->n; i++)
        rig_start(m->r[i]);
}

static inline void mesh_free(struct mesh *m)
{
    while (m->letters) {
        struct mesh_letter *next = m->letters->next;

        free(m->letters);
        m->letters = next;
    }
    for (size_t i = 0; i < m->n; i++)
        rig_free(m->r[i]);
}

/* Whether all know the same, and that is n members. */
static inline bool mesh_agrees(const struct mesh *m, size_t n)
{
    uint8_t first[TRIE_ROOT_LEN], root[TRIE_ROOT_LEN];

    engine_root(m->r[0]->e, first);
    for (size_t i = 0; i < m->n; i++) {
        engine_root(m->r[i]->e, root);
        if (memcmp(first, root, sizeof root) != 0 ||
            trie_count(&m->r[i]->e->index.set) != n)
            return false;
    }
    return true;
}

#endif
