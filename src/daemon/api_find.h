/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_API_FIND_H
#define KITH_DAEMON_API_FIND_H

#include "core/engine.h"

/*
 * Which node a person means: by its id or the first digits of it (at least
 * API_FIND_PREFIX, either case), or by its host name (ASCII case aside). A
 * name may belong to several nodes, for each says itself what it is called.
 * So nothing is guessed, but for one thing: nodes that are gone or have left
 * do not share a host name with one that is still there.
 */

enum {
    API_FIND_PREFIX = 4,      /* hexadecimal digits */
    API_FIND_CANDIDATES = 16, /* remembered, to be listed */
};

/* A node that fits. */
struct api_find_fit {
    struct node_id id;
    enum member_state state;
};

struct api_find {
    const char *want; /* borrowed */
    size_t len;
    bool by_id;       /* it can be the beginning of an id */
    size_t n_present; /* nodes that fit */
    size_t n_past;    /* and those that fit by host name, but are gone */
    struct api_find_fit present[API_FIND_CANDIDATES]; /* the first of them */
    struct api_find_fit past[API_FIND_CANDIDATES];
};

/* Begins to look for what a person typed. */
void api_find_init(struct api_find *f, const char *want);

/* Looks at one member; for engine_members(), arg being the struct api_find. */
void api_find_visit(void *arg, const struct member_view *m);

/* The nodes that fit: their number, and the first API_FIND_CANDIDATES of them
 * in *fits. Just one means found. */
size_t api_find_result(const struct api_find *f,
                       const struct api_find_fit **fits);

#endif
