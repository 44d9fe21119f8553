/* SPDX-License-Identifier: Apache-2.0 */
#include "core/intern.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"

enum {
    CHAINS_MIN = 64,
};

static struct intern_link **chain_of(const struct intern *t, uint64_t key)
{
    return &t->chains[key & (t->n - 1)];
}

int intern_init(struct intern *t)
{
    *t = (struct intern){.n = CHAINS_MIN};
    t->chains = calloc(t->n, sizeof *t->chains);
    return t->chains != NULL ? KITH_OK : KITH_ERR_NOMEM;
}

void intern_free(struct intern *t)
{
    assert(t->count == 0);
    free(t->chains);
    *t = (struct intern){.n = 0};
}

static void push(struct intern *t, struct intern_link *l)
{
    struct intern_link **chain = chain_of(t, l->key);

    l->next = *chain;
    *chain = l;
}

static void grow(struct intern *t)
{
    struct intern bigger = {.n = t->n * 2, .count = t->count};

    bigger.chains = calloc(bigger.n, sizeof *bigger.chains);
    if (bigger.chains == NULL)
        return;
    for (size_t i = 0; i < t->n; i++) {
        struct intern_link *l = t->chains[i];

        while (l != NULL) {
            struct intern_link *next = l->next;

            push(&bigger, l);
            l = next;
        }
    }
    free(t->chains);
    *t = bigger;
}

void intern_add(struct intern *t, struct intern_link *l, uint64_t key)
{
    if (t->count >= t->n)
        grow(t);
    l->key = key;
    push(t, l);
    t->count++;
}

void intern_remove(struct intern *t, struct intern_link *l)
{
    struct intern_link **at = chain_of(t, l->key);

    while (*at != l) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = l->next;
    l->next = NULL;
    t->count--;
}

static struct intern_link *with_key(struct intern_link *l, uint64_t key)
{
    while (l != NULL && l->key != key)
        l = l->next;
    return l;
}

struct intern_link *intern_first(const struct intern *t, uint64_t key)
{
    return with_key(*chain_of(t, key), key);
}

struct intern_link *intern_next(const struct intern_link *l)
{
    return with_key(l->next, l->key);
}
