/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_TRIE_H
#define KITH_CORE_TRIE_H

#include "base/types.h"
#include "core/pool.h"
#include "wire/prefix.h"

/*
 * The set of complete heads, as the Merkle trie of protocol section 8: at
 * most one bundle per author, kept under the author's id. Of the ids 3a1...,
 * 3a7..., 3c0... and 9... it is
 *
 *              depth 0  { 3 9 }              D = H(01 ‖ bitmap ‖ D3 ‖ D9)
 *                        /   \
 *          depth 1  { a c }   leaf 9...      D = hash of its head
 *                    /   \
 *      depth 2  { 1 7 }   leaf 3c0...
 *                /   \
 *       leaf 3a1...   leaf 3a7...
 *
 * A node has two children or more: where all elements share a nibble there
 * is no node, so a chain of them costs nothing, and by the protocol hashes to
 * nothing. Below depth 64 there are only leaves.
 *
 * Nodes never change. A change makes new ones from the leaf up to the root,
 * four or five among thousands, and shares the rest with the trie as it was:
 *
 *         old root     new root
 *          /    \       /    \
 *         A      B     /      B'        B' = B with another leaf
 *         ^------------'
 *
 * And they live in the pool, told apart by their children, so tries with
 * equal parts share those too: a thousand engines that know the same keep it
 * once. A node's digest is computed when somebody first asks for it, and then
 * kept, whoever asks next.
 */

struct trie_node; /* counted by reference */

struct trie {
    struct pool *pool;      /* borrowed */
    struct trie_node *root; /* counted; NULL: empty */
};

/* An empty trie over a pool, which must outlive it. */
void trie_init(struct trie *t, struct pool *pool);

/* Removes everything. */
void trie_clear(struct trie *t);

/* Puts a bundle of the same pool in the place of its author's former one, and
 * takes a reference of its own. Returns KITH_OK, also when it is there
 * already; KITH_ERR_NOMEM with the trie unchanged. */
int trie_put(struct trie *t, struct bundle *bundle);

/* Removes an author's bundle. Returns KITH_OK; KITH_ERR_NOTFOUND;
 * KITH_ERR_NOMEM with the trie unchanged. */
int trie_remove(struct trie *t, const struct node_id *id);

/* Lends an author's bundle; NULL when there is none. */
struct bundle *trie_find(const struct trie *t, const struct node_id *id);

/* The number of bundles. */
size_t trie_count(const struct trie *t);

/* D of the whole set. */
void trie_digest(const struct trie *t, struct hash *digest);

/* D and the number of the elements whose ids begin with a prefix; either
 * pointer may be NULL. */
void trie_at(const struct trie *t, const struct trie_prefix *prefix,
             struct hash *digest, size_t *count);

/*
 * Lends the bundle with the lowest id above `after` (which need not be in the
 * set; NULL: the lowest of all), or NULL at the end. So one pages through a
 * set that changes in between:
 *
 *     for (b = trie_after(t, NULL); b != NULL;
 *          b = trie_after(t, &b->author->id))
 */
struct bundle *trie_after(const struct trie *t, const struct node_id *after);

/* The same among the ids that begin with a prefix. */
struct bundle *trie_under(const struct trie *t,
                          const struct trie_prefix *prefix,
                          const struct node_id *after);

#endif
