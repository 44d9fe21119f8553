/* SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"

enum {
    FIRST_CAP = 16,
};

void heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void heap_free(struct heap *h)
{
    for (size_t i = 0; i < h->len; i++)
        h->v[i]->pos = 0;
    free(h->v);
    heap_init(h);
}

static struct heap_node *at_pos(const struct heap *h, size_t pos)
{
    assert(pos >= 1 && pos <= h->len);
    return h->v[pos - 1];
}

static void place(struct heap *h, struct heap_node *n, size_t pos)
{
    assert(pos >= 1 && pos <= h->len);
    h->v[pos - 1] = n;
    n->pos = pos;
}

/* Finds n its place on the way from `pos`, which is free, to the top. */
static void sift_up(struct heap *h, struct heap_node *n, size_t pos)
{
    while (pos > 1) {
        struct heap_node *parent = at_pos(h, pos / 2);

        if (parent->at.us <= n->at.us)
            break;
        place(h, parent, pos);
        pos /= 2;
    }
    place(h, n, pos);
}

/* Finds n its place on the way from `pos`, which is free, to the bottom. */
static void sift_down(struct heap *h, struct heap_node *n, size_t pos)
{
    while (pos <= h->len / 2) {
        size_t child = 2 * pos;

        if (child < h->len &&
            at_pos(h, child + 1)->at.us < at_pos(h, child)->at.us)
            child++;
        if (n->at.us <= at_pos(h, child)->at.us)
            break;
        place(h, at_pos(h, child), pos);
        pos = child;
    }
    place(h, n, pos);
}

static void sift(struct heap *h, struct heap_node *n, size_t pos)
{
    if (pos > 1 && n->at.us < at_pos(h, pos / 2)->at.us)
        sift_up(h, n, pos);
    else
        sift_down(h, n, pos);
}

static int grow(struct heap *h)
{
    size_t cap = h->cap == 0 ? FIRST_CAP : 2 * h->cap;
    struct heap_node **v;

    if (cap > SIZE_MAX / sizeof(struct heap_node *))
        return KITH_ERR_NOMEM;
    v = realloc(h->v, cap * sizeof(struct heap_node *));
    if (v == NULL)
        return KITH_ERR_NOMEM;
    h->v = v;
    h->cap = cap;
    return KITH_OK;
}

int heap_insert(struct heap *h, struct heap_node *n, struct instant at)
{
    int err;

    assert(!heap_holds(n));
    if (h->len == h->cap) {
        err = grow(h);
        if (err != KITH_OK)
            return err;
    }
    n->at = at;
    h->len++;
    sift_up(h, n, h->len);
    return KITH_OK;
}

void heap_update(struct heap *h, struct heap_node *n, struct instant at)
{
    assert(at_pos(h, n->pos) == n);
    n->at = at;
    sift(h, n, n->pos);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    struct heap_node *last;
    size_t pos = n->pos;

    if (!heap_holds(n))
        return;
    assert(at_pos(h, pos) == n);
    last = at_pos(h, h->len);
    h->len--;
    n->pos = 0;
    if (last != n)
        sift(h, last, pos);
}

struct heap_node *heap_min(const struct heap *h)
{
    return h->len == 0 ? NULL : h->v[0];
}
