/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_RINGS_H
#define KITH_CORE_RINGS_H

#include "core/pool.h"
#include "wire/limits.h"

/*
 * Who is whose friend: protocol section 9. On ring r, of 0 .. RINGS_MAX - 1,
 * all members stand in the order of ident_ring_key(r), in a circle. A node's
 * friend on it is the next one above that is not down:
 *
 *            a                 ring 0: a's friend is b, d's is a. When b is
 *         d     b   (down)     down, a's is c, until b is up again.
 *            c
 *
 * A node's friends are, until there are FRIENDS_MAX,
 *
 *   1. the distinct ones of rings 0 .. FRIENDS_MAX - 1,
 *   2. those of rings FRIENDS_MAX, FRIENDS_MAX + 1, ... in turn,
 *   3. the next ones on ring 0, which only a mesh of a few dozen needs.
 *
 * So everybody has min(FRIENDS_MAX, members that are not down and not itself)
 * friends, each is the friend of about as many, and anybody can compute it
 * all. These functions look at each member: friends of 10,000 take 0.2 ms,
 * watchers 10 ms, as for the exact answer one has to compute the friends of
 * those who might be watchers.
 *
 * Members come in any order, each once, as their idents of one pool; those
 * who are gone are not among them. Whether a node stands in its own list, and
 * as what, makes no difference.
 */

struct ring_member {
    struct ident *ident;
    bool down;
};

struct ring_friend {
    struct ident *ident;
    uint8_t ring; /* the lowest on which it is the friend, or RINGS_MAX when
                   * it came by rule 3 */
};

/* The friends of self, ascending by ring. Returns how many. */
size_t rings_friends(const struct ring_member *members, size_t n,
                     struct ident *self, struct ring_friend out[FRIENDS_MAX]);

/*
 * The watchers of a node: the members that are not down and have it as a
 * friend, or would have if it was not down. At most cap of them are written
 * to out, in no particular order; returns how many there are.
 */
size_t rings_watchers(const struct ring_member *members, size_t n,
                      struct ident *of, struct ident **out, size_t cap);

#endif
