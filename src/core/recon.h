/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_RECON_H
#define KITH_CORE_RECON_H

#include "base/cursor.h"
#include "core/trie.h"
#include "wire/item.h"
#include "wire/limits.h"

/*
 * Finds out where two sets differ, in a few datagrams: protocol section 8.
 *
 *     A                                         B
 *     ROOT ---------------------------------->    another root than B's:
 *          <---------------------------- ROOT     recon_describe(all)
 *                NODES of 256 grandchildren
 *     recon_compare_nodes():
 *     of those that differ, recon_describe_each()
 *     NODES, LEAVES ------------------------->    recon_compare_*(), and of
 *          <----- NODES, LEAVES, WANT_HEAD         what still differs again
 *     recon_compare_*(), until it knows which      recon_describe_each()
 *     heads it lacks, and which B does
 *
 * Every function here answers from a trie and one message alone. iv is the IV
 * of the request, in requests and answers alike: it salts the short hashes,
 * so two subsets that differ and look equal do so for one exchange only.
 */

enum {
    RECON_IV_LEN = DGRAM_IV_LEN,
    RECON_DIFF_MAX = 32, /* more than WANT_HEAD or ANNOUNCE has room for */
};

/* The root that ROOT carries: H(charter ‖ revoked ‖ D)[:16]. charter and
 * revoked are the hashes of the mesh's own blocks, or NULL without one. */
void recon_root(const struct trie *t, const struct hash *charter,
                const struct hash *revoked, uint8_t root[TRIE_ROOT_LEN]);

/* Appends the finest description of the elements under a prefix that fits:
 * LEAVES, or NODES with 2 levels, or with 1; of one or two elements only
 * LEAVES will do. Returns KITH_OK, or KITH_ERR_FULL: then nothing was
 * written. */
int recon_describe(const struct trie *t, const struct trie_prefix *prefix,
                   const uint8_t iv[RECON_IV_LEN], struct writer *w);

/*
 * Appends descriptions of n prefixes in turn, such that the first do not take
 * the room of the others: each gets its share, or what its shortest
 * description takes. Not all may fit, and of many only as many are described
 * as an answer has room to go on with. Returns how many, from the first on;
 * 0 when there is no room for the first.
 *
 * Measured by test/unit/core/recon_test.c on 10,000 heads, 1 % of which
 * differ: 14 exchanges and 28 kB, against 17 and 31 kB with all the room for
 * the first; and on 2,000, 3 exchanges against 6.
 */
size_t recon_describe_each(const struct trie *t,
                           const struct trie_prefix *prefixes, size_t n,
                           const uint8_t iv[RECON_IV_LEN], struct writer *w);

/*
 * Compares NODES with the own elements: adds to *n places of `differing`, up
 * to cap in all, the prefixes whose elements differ. It begins at a child
 * that iv chooses, so differences about which nothing can be done do not hide
 * the others for ever. Returns KITH_OK, or KITH_ERR_FULL when more differ.
 */
int recon_compare_nodes(const struct trie *t, const uint8_t iv[RECON_IV_LEN],
                        const struct item_nodes *nodes,
                        struct trie_prefix *differing, size_t cap, size_t *n);

/* A head that the other side has and we lack. */
struct recon_lack {
    struct node_id id;
    uint64_t since; /* what we hold; 0: nothing, or the same serial with
                     * another hash, where all blocks may be others */
};

struct recon_diff {
    struct recon_lack lacking[RECON_DIFF_MAX];
    size_t lacking_n;
    struct bundle *giving[RECON_DIFF_MAX]; /* lent; what the other lacks */
    size_t giving_n;
    bool more; /* something did not fit */
};

/*
 * Compares LEAVES with the own elements under their prefix, and adds what one
 * side lacks to a diff, zeroed before the first. Of equal serials with
 * another hash either side may be the one that lacks: such a head goes into
 * both lists.
 */
void recon_compare_leaves(const struct trie *t, const uint8_t iv[RECON_IV_LEN],
                          const struct item *leaves, struct recon_diff *diff);

#endif
