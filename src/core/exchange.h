/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_EXCHANGE_H
#define KITH_CORE_EXCHANGE_H

#include "core/gather.h"
#include "core/job.h"

/*
 * The items of one authentic message, from A's request or B's answer alike:
 * takes what they give, and lists what they call for.
 */
struct exchange {
    const struct node_id *from;
    const uint8_t *iv; /* of the request */
    bool answer;       /* the items are those of an answer ... */
    bool wanted_head;  /* ... to a request that asked for a head */

    /* What was found: */
    bool has_root;
    uint8_t root[TRIE_ROOT_LEN];
    uint32_t heads;
    bool has_cookie;
    uint8_t cookie[ITEM_COOKIE_LEN];
    bool has_echo;
    bool full;      /* the other side has no room for somebody */
    unsigned given; /* pieces taken */
    bool described; /* NODES or LEAVES were among them */
};

struct engine;

/* Returns KITH_OK, or what item_next() says of a malformed item: then nothing
 * was taken. */
int exchange_take(struct engine *, const struct now *, struct exchange *,
                  const uint8_t *items, size_t n, struct jobs *,
                  struct effects *);

#endif
