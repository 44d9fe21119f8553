/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_HEAP_H
#define KITH_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/types.h"

/*
 * Timers in the order in which they fall due: a binary heap of pointers to
 * nodes that live inside the user's own structs.
 *
 *                1          place 1 falls due first; no node of the heap
 *              /   \        is due before its parent, which for place i
 *             2     3       stands at i / 2
 *            / \   /
 *           4   5 6
 *
 * A node that is in a heap may be neither moved nor freed. Which of several
 * nodes with the same instant comes first depends on nothing but the calls
 * made so far.
 */

/* Embed it; all zero means: in no heap. */
struct heap_node {
    struct instant at; /* read it; change it with heap_update() only */
    size_t pos;        /* place in the heap from 1, 0: in none */
};

/* All zero is an empty heap. */
struct heap {
    struct heap_node **v; /* places 1.. are v[0].. */
    size_t len;
    size_t cap;
};

/* Makes an empty heap, without storage yet. */
void heap_init(struct heap *h);

/* Frees the storage; the nodes, in no heap any more, stay their owners'. */
void heap_free(struct heap *h);

/* Puts in a node that is in no heap, due at `at`. Returns KITH_OK, or
 * KITH_ERR_NOMEM when the storage cannot grow: then nothing has changed. */
int heap_insert(struct heap *h, struct heap_node *n, struct instant at);

/* Changes when a node of this heap falls due; cannot fail. */
void heap_update(struct heap *h, struct heap_node *n, struct instant at);

/* Takes a node out; one that is in no heap stays so. */
void heap_remove(struct heap *h, struct heap_node *n);

/* The node that falls due first, still in the heap; NULL when empty. */
struct heap_node *heap_min(const struct heap *h);

static inline bool heap_holds(const struct heap_node *n)
{
    return n->pos != 0;
}

#endif
