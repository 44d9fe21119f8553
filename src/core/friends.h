/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_FRIENDS_H
#define KITH_CORE_FRIENDS_H

#include "core/engine.h"

/* Which of the members are our friends (protocol section 9, Rings), and who
 * stands in for those that fail us. */
struct friends {
    uint64_t version;  /* of the index that they were computed from */
    struct instant at; /* computed last */
    bool stale;        /* a peer failed or came back since */
    size_t n;          /* friends now */
};

struct engine;

struct instant friends_deadline(const struct engine *);
void friends_tick(struct engine *, const struct now *, struct effects *);

#endif
