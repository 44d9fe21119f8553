/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_INTERN_H
#define KITH_CORE_INTERN_H

#include <stddef.h>
#include <stdint.h>

/*
 * A hash table of things that exist only once. Each carries its place in the
 * table as its first member, so nothing is allocated to put one in:
 *
 *     chains                struct object {
 *     +---+                     struct intern_link link; --.
 *     | 0 |--> link --> link    ...                        |
 *     | 1 |              ^  };                             |
 *     | 2 |--> link      `---------------------------------'
 *     +---+
 *
 * The key is 64 bits of whatever the things are told apart by, well mixed
 * (the first bytes of a digest are); the user compares the rest:
 *
 *     for (l = intern_first(&table, key); l != NULL; l = intern_next(l))
 *         if (hash_equal(&((struct object *)l)->hash, hash))
 *             return (struct object *)l;
 */

struct intern_link {
    struct intern_link *next; /* in its chain */
    uint64_t key;
};

struct intern {
    struct intern_link **chains;
    size_t n;     /* of chains, a power of 2 */
    size_t count; /* of links */
};

/* Makes an empty table. Returns KITH_OK or KITH_ERR_NOMEM. */
int intern_init(struct intern *t);

/* Frees the table, which must be empty. A zeroed one is allowed. */
void intern_free(struct intern *t);

/* Puts in a link that is in no table. It cannot fail: without memory to grow,
 * the chains get longer. */
void intern_add(struct intern *t, struct intern_link *l, uint64_t key);

/* Takes out a link that is in this table. */
void intern_remove(struct intern *t, struct intern_link *l);

/* A link with that key, and then the next with the same; NULL: no more. */
struct intern_link *intern_first(const struct intern *t, uint64_t key);
struct intern_link *intern_next(const struct intern_link *l);

#endif
