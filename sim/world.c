/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/error.h"

static void die(const char *why)
{
    fprintf(stderr, "kith-sim: %s\n", why);
    exit(2);
}

void *world_alloc(size_t n)
{
    void *mem = calloc(1, n ? n : 1);

    if (!mem)
        die("out of memory");
    return mem;
}

void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->now = instant_add_ms((struct instant){0}, WORLD_BEGIN_S * 1000ull);
    w->unix_ms = 1767225600000; /* 2026-01-01 */
    prng_seed(&w->prng, seed);
    heap_init(&w->heap);
    w->trace = hasher_new();
    if (!w->trace)
        die("no SHA-256");
    hasher_begin(w->trace);
}

void world_free(struct world *w)
{
    heap_free(&w->heap);
    hasher_free(w->trace);
    w->trace = NULL;
}

void world_plan(struct world *w, struct world_event *e, struct instant at)
{
    assert(e->run && at.us >= w->now.us && "the past is over");
    if (heap_holds(&e->place))
        heap_update(&w->heap, &e->place, at);
    else if (heap_insert(&w->heap, &e->place, at) != KITH_OK)
        die("out of memory");
}

void world_plan_us(struct world *w, struct world_event *e, uint64_t us)
{
    world_plan(w, e, instant_add_us(w->now, us));
}

void world_cancel(struct world *w, struct world_event *e)
{
    heap_remove(&w->heap, &e->place);
}

void world_run(struct world *w, struct instant until)
{
    struct heap_node *first;

    while (!w->stopped && (first = heap_min(&w->heap)) != NULL &&
           first->at.us <= until.us) {
        struct world_event *e = (struct world_event *)first;

        heap_remove(&w->heap, first);
        w->now = first->at;
        e->run(e->arg);
    }
    if (!w->stopped && w->now.us < until.us)
        w->now = until;
}

struct now world_now(const struct world *w)
{
    uint64_t begun_us = (uint64_t)WORLD_BEGIN_S * 1000000;

    return (struct now){
        .mono = w->now,
        .unix_ms = w->unix_ms + (w->now.us - begun_us) / 1000,
    };
}

void world_trace(struct world *w, uint8_t what, uint32_t from, uint32_t to,
                 const void *bytes, size_t n)
{
    uint8_t head[8 + 1 + 4 + 4 + 4];
    struct writer out;

    writer_init(&out, head, sizeof head);
    writer_u64(&out, w->now.us);
    writer_u8(&out, what);
    writer_u32(&out, from);
    writer_u32(&out, to);
    writer_u32(&out, (uint32_t)n);
    hasher_add(w->trace, head, sizeof head);
    hasher_add(w->trace, bytes, n);
    w->traced++;
}

void world_trace_end(struct world *w, struct hash *out)
{
    if (hasher_end(w->trace, out) != KITH_OK)
        die("no SHA-256");
}
