/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_MEMBER_RIG_H
#define KITH_TEST_MEMBER_RIG_H

#include <stdlib.h>

#include "core/engine.h"
#include "fake.h"

/* Members to look at, made of fake blocks, and dropped at the end. */

#define FACT(k, v)                                                             \
    {                                                                          \
        .key = (k), .key_len = sizeof(k) - 1, .value = (v),                    \
        .value_len = sizeof(v) - 1                                             \
    }

enum {
    MEMBER_RIG_MAX = 128, /* of each kind */
};

struct member_rig {
    struct pool *pool;
    struct ident *idents[MEMBER_RIG_MAX];
    struct object *objects[MEMBER_RIG_MAX];
    struct bundle *bundles[MEMBER_RIG_MAX];
    size_t n_idents, n_objects, n_bundles;
};

static inline struct member_rig *member_rig_new(void)
{
    struct member_rig *r = calloc(1, sizeof *r);

    assert(r != NULL);
    r->pool = fake_pool();
    return r;
}

static inline void member_rig_free(struct member_rig *r)
{
    while (r->n_bundles > 0)
        bundle_unref(r->bundles[--r->n_bundles]);
    while (r->n_objects > 0)
        object_unref(r->objects[--r->n_objects]);
    while (r->n_idents > 0)
        ident_unref(r->idents[--r->n_idents]);
    pool_free(r->pool);
    free(r);
}

static inline int member_rig_setup(void **state)
{
    *state = member_rig_new();
    return 0;
}

static inline int member_rig_teardown(void **state)
{
    member_rig_free(*state);
    return 0;
}

/* The key of node n. */
static inline struct ident *member_rig_author(struct member_rig *r, uint64_t n)
{
    assert(r->n_idents < MEMBER_RIG_MAX);
    return r->idents[r->n_idents++] = fake_ident(r->pool, n);
}

/* Keeps a bundle and n of its objects until the end; the view of its
 * author. */
static inline struct member_view member_rig_hold(struct member_rig *r,
                                                 struct bundle *bundle,
                                                 struct object *const *objects,
                                                 size_t n)
{
    struct member_view m = {.id = bundle->author->id,
                            .bundle = bundle,
                            .state = MEMBER_UP,
                            .answer_ms = UINT64_MAX,
                            .reason = ""};

    assert(r->n_bundles < MEMBER_RIG_MAX);
    r->bundles[r->n_bundles++] = bundle;
    for (size_t i = 0; i < n; i++) {
        assert(r->n_objects < MEMBER_RIG_MAX);
        r->objects[r->n_objects++] = objects[i];
    }
    return m;
}

/* A member with these blocks, ascending by name, of which it takes the
 * references. */
static inline struct member_view member_rig_bundle(struct member_rig *r,
                                                   struct ident *author,
                                                   struct object *const *blocks,
                                                   size_t n)
{
    struct bundle *b = fake_bundle(r->pool, author, 100, 0, blocks, n);

    return member_rig_hold(r, b, blocks, n);
}

/* A block of facts, ascending; a reference. */
static inline struct object *member_rig_facts(struct member_rig *r,
                                              struct ident *author,
                                              const struct fact *facts,
                                              size_t n)
{
    struct fact sorted[32];
    uint8_t payload[FACTS_LEN_MAX];
    struct writer w;
    int err;

    assert(n <= 32);
    memcpy(sorted, facts, n * sizeof *facts);
    writer_init(&w, payload, sizeof payload);
    err = facts_build(&w, BLOCK_FACTS, sorted, n);
    assert(err == KITH_OK);
    (void)err;
    return fake_object(r->pool, author, BLOCK_FACTS, "facts", 5, payload,
                       w.len);
}

/* A member that says this of itself. */
static inline struct member_view member_rig_view(struct member_rig *r,
                                                 uint64_t node,
                                                 const struct fact *facts,
                                                 size_t n)
{
    struct ident *author = member_rig_author(r, node);
    struct object *block = member_rig_facts(r, author, facts, n);

    return member_rig_bundle(r, author, &block, 1);
}

#endif
