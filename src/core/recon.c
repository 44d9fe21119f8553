/* SPDX-License-Identifier: Apache-2.0 */
#include "core/recon.h"

#include <assert.h>

#include "base/error.h"

enum {
    BITMAP_MAX = 32,
    CHILDREN_MAX = 8 * BITMAP_MAX, /* of two levels */
    /* So few elements are always told as LEAVES: NODES are shorter, but only
     * lead to LEAVES one exchange later. */
    FEW = 2,
    /* Places described in one message at most: the other side has room to
     * answer about so many, and would have to leave out the rest. */
    PLACES_MAX = 24,
};

_Static_assert(REQUEST_ITEMS_MAX / ITEM_WANT_HEAD_LEN <= RECON_DIFF_MAX &&
                   REQUEST_ITEMS_MAX / ITEM_ANNOUNCE_LEN <= RECON_DIFF_MAX,
               "a diff fills a datagram");

void recon_root(const struct trie *t, const struct hash *charter,
                const struct hash *revoked, uint8_t root[TRIE_ROOT_LEN])
{
    static const struct hash none;
    struct hasher *h = pool_hasher(t->pool);
    struct hash set, digest;

    trie_digest(t, &set);
    hasher_begin(h);
    hasher_add(h, charter != NULL ? charter->b : none.b, HASH_LEN);
    hasher_add(h, revoked != NULL ? revoked->b : none.b, HASH_LEN);
    hasher_add(h, set.b, HASH_LEN);
    pool_digest(t->pool, &digest);
    memcpy(root, digest.b, TRIE_ROOT_LEN);
}

static void shorten(const struct trie *t, const uint8_t iv[RECON_IV_LEN],
                    const struct hash *digest, uint8_t out[SHORT_HASH_LEN])
{
    struct hasher *h = pool_hasher(t->pool);
    struct hash salted;

    hasher_begin(h);
    hasher_add(h, iv, RECON_IV_LEN);
    hasher_add(h, digest->b, HASH_LEN);
    pool_digest(t->pool, &salted);
    memcpy(out, salted.b, SHORT_HASH_LEN);
}

/* -- describing -------------------------------------------------------- */

static size_t children_of(uint8_t levels)
{
    return 8 * item_bitmap_len(levels);
}

static struct trie_prefix child_of(const struct trie_prefix *prefix,
                                   uint8_t levels, size_t i)
{
    struct trie_prefix p = *prefix;

    if (levels == 2)
        p = prefix_child(&p, (uint8_t)(i / 16));
    return prefix_child(&p, (uint8_t)(i % 16));
}

/* Finds the children that have elements. Returns how many. */
static size_t mark_children(const struct trie *t,
                            const struct trie_prefix *prefix, uint8_t levels,
                            uint8_t bitmap[BITMAP_MAX])
{
    size_t n = 0;

    memset(bitmap, 0, BITMAP_MAX);
    for (size_t i = 0; i < children_of(levels); i++) {
        struct trie_prefix child = child_of(prefix, levels, i);
        size_t count;

        trie_at(t, &child, NULL, &count);
        if (count == 0)
            continue;
        bitmap[i / 8] |= (uint8_t)(0x80u >> i % 8);
        n++;
    }
    return n;
}

static void put_nodes(const struct trie *t, const struct trie_prefix *prefix,
                      uint8_t levels, const uint8_t bitmap[BITMAP_MAX],
                      const uint8_t iv[RECON_IV_LEN], struct writer *w)
{
    uint8_t hashes[CHILDREN_MAX * SHORT_HASH_LEN];
    struct item_nodes nodes = {.prefix = *prefix,
                               .levels = levels,
                               .bitmap = bitmap,
                               .hashes = hashes};

    for (size_t i = 0; i < children_of(levels); i++) {
        struct trie_prefix child = child_of(prefix, levels, i);
        struct hash digest;

        if ((bitmap[i / 8] & 0x80u >> i % 8) == 0)
            continue;
        trie_at(t, &child, &digest, NULL);
        shorten(t, iv, &digest, &hashes[nodes.n++ * SHORT_HASH_LEN]);
    }
    item_put_nodes(w, &nodes);
}

static void put_leaves(const struct trie *t, const struct trie_prefix *prefix,
                       const uint8_t iv[RECON_IV_LEN], struct writer *w)
{
    struct item_array array = item_begin_leaves(w, prefix);
    const struct bundle *b = trie_under(t, prefix, NULL);

    while (b != NULL) {
        struct item_leaf leaf = {.id = b->author->id, .serial = b->serial};
        bool added;

        shorten(t, iv, &b->head->hash, leaf.short_hash);
        added = item_add_leaf(&array, &leaf);
        assert(added);
        (void)added;
        b = trie_under(t, prefix, &leaf.id);
    }
    item_end(&array);
}

/* The finest description that takes at most `room` of the writer's bytes. */
static int describe_within(const struct trie *t,
                           const struct trie_prefix *prefix,
                           const uint8_t iv[RECON_IV_LEN], size_t room,
                           struct writer *w)
{
    uint8_t bitmap[BITMAP_MAX];
    size_t count;

    assert(room <= writer_room(w));
    trie_at(t, prefix, NULL, &count);
    if (item_leaves_len(prefix->depth, count) <= room) {
        put_leaves(t, prefix, iv, w);
        return KITH_OK;
    }
    for (uint8_t levels = 2; levels >= 1 && count > FEW; levels--) {
        size_t n;

        if (prefix->depth + levels > PREFIX_DEPTH_MAX ||
            item_nodes_len(prefix->depth, levels, 1) > room)
            continue;
        n = mark_children(t, prefix, levels, bitmap);
        if (item_nodes_len(prefix->depth, levels, n) <= room) {
            put_nodes(t, prefix, levels, bitmap, iv, w);
            return KITH_OK;
        }
    }
    return KITH_ERR_FULL;
}

int recon_describe(const struct trie *t, const struct trie_prefix *prefix,
                   const uint8_t iv[RECON_IV_LEN], struct writer *w)
{
    return describe_within(t, prefix, iv, writer_room(w), w);
}

/* The length of the shortest description. */
static size_t shortest(const struct trie *t, const struct trie_prefix *prefix)
{
    uint8_t bitmap[BITMAP_MAX];
    size_t count, leaves, nodes, n;

    trie_at(t, prefix, NULL, &count);
    leaves = item_leaves_len(prefix->depth, count);
    if (prefix->depth == PREFIX_DEPTH_MAX || count <= FEW)
        return leaves;
    n = mark_children(t, prefix, 1, bitmap);
    nodes = item_nodes_len(prefix->depth, 1, n);
    return leaves < nodes ? leaves : nodes;
}

size_t recon_describe_each(const struct trie *t,
                           const struct trie_prefix *prefixes, size_t n,
                           const uint8_t iv[RECON_IV_LEN], struct writer *w)
{
    if (n > PLACES_MAX)
        n = PLACES_MAX;
    for (size_t i = 0; i < n; i++) {
        size_t share = writer_room(w) / (n - i);
        size_t least = shortest(t, &prefixes[i]);

        if (share < least)
            share = least;
        if (share > writer_room(w))
            return i;
        if (describe_within(t, &prefixes[i], iv, share, w) != KITH_OK)
            return i;
    }
    return n;
}

/* -- comparing --------------------------------------------------------- */

/* Whether the own elements under a prefix look other than theirs, of whom
 * short_hash is told, or NULL where they have none. */
static bool differs(const struct trie *t, const uint8_t iv[RECON_IV_LEN],
                    const struct trie_prefix *prefix, const uint8_t *short_hash)
{
    uint8_t own[SHORT_HASH_LEN];
    struct hash digest;
    size_t count;

    trie_at(t, prefix, NULL, &count);
    if (count == 0 || short_hash == NULL)
        return count != 0 || short_hash != NULL;
    trie_at(t, prefix, &digest, NULL);
    shorten(t, iv, &digest, own);
    return memcmp(own, short_hash, SHORT_HASH_LEN) != 0;
}

/* Those of the children from..to - 1. */
static int compare_range(const struct trie *t, const uint8_t iv[RECON_IV_LEN],
                         const struct item_nodes *nodes, size_t from, size_t to,
                         struct trie_prefix *differing, size_t cap, size_t *n)
{
    struct item_nodes_iter it = item_nodes_walk(nodes);
    const uint8_t *short_hash;
    struct trie_prefix child;

    for (size_t i = 0; i < to && item_nodes_next(&it, &child, &short_hash);
         i++) {
        if (i < from || !differs(t, iv, &child, short_hash))
            continue;
        if (*n == cap)
            return KITH_ERR_FULL;
        differing[(*n)++] = child;
    }
    return KITH_OK;
}

int recon_compare_nodes(const struct trie *t, const uint8_t iv[RECON_IV_LEN],
                        const struct item_nodes *nodes,
                        struct trie_prefix *differing, size_t cap, size_t *n)
{
    size_t children = children_of(nodes->levels);
    size_t start = iv[0] % children;
    int err;

    err = compare_range(t, iv, nodes, start, children, differing, cap, n);
    if (err != KITH_OK)
        return err;
    return compare_range(t, iv, nodes, 0, start, differing, cap, n);
}

static void lack(struct recon_diff *diff, const struct node_id *id,
                 uint64_t since)
{
    if (diff->lacking_n == RECON_DIFF_MAX) {
        diff->more = true;
        return;
    }
    diff->lacking[diff->lacking_n++] = (struct recon_lack){*id, since};
}

/* Returns false when it does not fit. */
static bool give(struct recon_diff *diff, struct bundle *bundle)
{
    if (diff->giving_n == RECON_DIFF_MAX) {
        diff->more = true;
        return false;
    }
    diff->giving[diff->giving_n++] = bundle;
    return true;
}

/* Both sides have a head of that author. */
static void compare_leaf(const struct trie *t, const uint8_t iv[RECON_IV_LEN],
                         const struct item_leaf *theirs, struct bundle *own,
                         struct recon_diff *diff)
{
    uint8_t short_hash[SHORT_HASH_LEN];

    if (theirs->serial > own->serial) {
        lack(diff, &theirs->id, own->serial);
        return;
    }
    if (theirs->serial < own->serial) {
        give(diff, own);
        return;
    }
    shorten(t, iv, &own->head->hash, short_hash);
    if (memcmp(short_hash, theirs->short_hash, SHORT_HASH_LEN) == 0)
        return;
    lack(diff, &theirs->id, 0);
    give(diff, own);
}

/* Whether LEAVES name an id. Ids are asked for in ascending order, as they
 * stand there, and *i moves on with them. */
static bool names(const struct item *leaves, size_t *i,
                  const struct node_id *id)
{
    for (; *i < leaves->leaves.n; (*i)++) {
        struct item_leaf theirs;
        int order;

        item_leaf_at(leaves, *i, &theirs);
        order = memcmp(theirs.id.b, id->b, NODE_ID_LEN);
        if (order >= 0)
            return order == 0;
    }
    return false;
}

/* What they did not name, until no more fits: that may be nearly all. */
static void give_rest(const struct trie *t, const struct item *leaves,
                      struct recon_diff *diff)
{
    const struct trie_prefix *prefix = &leaves->leaves.prefix;
    struct bundle *own = trie_under(t, prefix, NULL);
    size_t i = 0;

    while (own != NULL) {
        if (!names(leaves, &i, &own->author->id) && !give(diff, own))
            return;
        own = trie_under(t, prefix, &own->author->id);
    }
}

void recon_compare_leaves(const struct trie *t, const uint8_t iv[RECON_IV_LEN],
                          const struct item *leaves, struct recon_diff *diff)
{
    for (size_t i = 0; i < leaves->leaves.n; i++) {
        struct item_leaf theirs;
        struct bundle *own;

        item_leaf_at(leaves, i, &theirs);
        own = trie_find(t, &theirs.id);
        if (own == NULL)
            lack(diff, &theirs.id, 0);
        else
            compare_leaf(t, iv, &theirs, own, diff);
    }
    give_rest(t, leaves, diff);
}
