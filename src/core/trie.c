/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trie.h"

#include <assert.h>

#include "base/error.h"

enum {
    FANOUT = 16,
    DIGEST_TAG = 0x01, /* first byte of what a node's digest hashes */
};

struct trie_node {
    struct intern_link link;  /* first; in the pool's nodes */
    struct bundle *bundle;    /* counted; a leaf's, otherwise NULL */
    const struct node_id *id; /* of the lowest element under it */
    uint32_t refs;
    uint32_t count;  /* elements under it */
    uint16_t bitmap; /* bit 15 - i: there is a child i */
    uint8_t depth;   /* nibbles that they share; of a leaf all */
    bool digested;
    struct hash digest;        /* when digested */
    struct trie_node *child[]; /* counted; ascending */
};

/* The inner nodes on the way from the root to a place. */
struct path {
    struct trie_node *node[PREFIX_DEPTH_MAX];
    size_t len;
};

/* -- nodes ------------------------------------------------------------- */

static uint16_t bit_of(uint8_t nibble)
{
    return (uint16_t)(0x8000u >> nibble);
}

/* How many of 16 bits are set: sums of 1, 2, 4 and 8 side by side. */
static unsigned bits_in(unsigned v)
{
    v = v - (v >> 1 & 0x5555);
    v = (v & 0x3333) + (v >> 2 & 0x3333);
    v = (v + (v >> 4)) & 0x0f0f;
    return (v + (v >> 8)) & 0x1f;
}

static unsigned node_fanout(const struct trie_node *node)
{
    return bits_in(node->bitmap);
}

/* How many children stand before that nibble. */
static unsigned rank_of(uint16_t bitmap, uint8_t nibble)
{
    return bits_in((unsigned)bitmap >> (FANOUT - nibble));
}

static struct trie_node *child_at(const struct trie_node *node, uint8_t nibble)
{
    if ((node->bitmap & bit_of(nibble)) == 0)
        return NULL;
    return node->child[rank_of(node->bitmap, nibble)];
}

static bool is_leaf(const struct trie_node *node)
{
    return node->bundle != NULL;
}

/* The number of nibbles at the start of both ids that are equal. */
static uint8_t common_depth(const struct node_id *a, const struct node_id *b)
{
    uint8_t i = 0;

    while (i < NODE_ID_LEN && a->b[i] == b->b[i])
        i++;
    if (i == NODE_ID_LEN)
        return PREFIX_DEPTH_MAX;
    return (uint8_t)(2 * i + ((a->b[i] ^ b->b[i]) < 0x10 ? 1 : 0));
}

static size_t node_size(unsigned fanout)
{
    return sizeof(struct trie_node) + fanout * sizeof(struct trie_node *);
}

static struct trie_node *node_ref(struct trie_node *node)
{
    assert(node->refs < UINT32_MAX);
    node->refs++;
    return node;
}

/* Recurses as deep as the trie is: 64 at most, as each child lies deeper. */
static void node_unref(struct pool *p, struct trie_node *node)
{
    if (node == NULL)
        return;
    assert(node->refs > 0);
    if (--node->refs > 0)
        return;
    intern_remove(pool_nodes(p), &node->link);
    for (unsigned i = 0; i < node_fanout(node); i++)
        node_unref(p, node->child[i]);
    bundle_unref(node->bundle);
    pool_release(p, node, node_size(node_fanout(node)));
}

static uint64_t mix(uint64_t key, uintptr_t v)
{
    key = (key ^ v) * 0x9e3779b97f4a7c15;
    return key ^ key >> 32;
}

static int leaf_get(struct pool *p, struct bundle *bundle,
                    struct trie_node **out)
{
    uint64_t key = mix(0, (uintptr_t)bundle);
    struct intern_link *l = intern_first(pool_nodes(p), key);
    struct trie_node *leaf;

    for (; l != NULL; l = intern_next(l)) {
        leaf = (struct trie_node *)l;
        if (leaf->bundle == bundle) {
            *out = node_ref(leaf);
            return KITH_OK;
        }
    }
    leaf = pool_alloc(p, node_size(0));
    if (leaf == NULL)
        return KITH_ERR_NOMEM;
    *leaf = (struct trie_node){
        .bundle = bundle_ref(bundle),
        .id = &bundle->author->id,
        .refs = 1,
        .count = 1,
        .depth = PREFIX_DEPTH_MAX,
        .digested = true,
        .digest = bundle->head->hash,
    };
    intern_add(pool_nodes(p), &leaf->link, key);
    *out = leaf;
    return KITH_OK;
}

static bool has_children(const struct trie_node *node, uint16_t bitmap,
                         struct trie_node *const *child)
{
    return node->bitmap == bitmap &&
           memcmp(node->child, child, bits_in(bitmap) * sizeof *child) == 0;
}

/* The node with these children, two or more, which part at that depth. */
static int node_get(struct pool *p, uint8_t depth, uint16_t bitmap,
                    struct trie_node *const *child, unsigned fanout,
                    struct trie_node **out)
{
    uint64_t key = mix(0, bitmap);
    struct intern_link *l;
    struct trie_node *node;

    assert(fanout >= 2 && fanout == bits_in(bitmap));
    for (unsigned i = 0; i < fanout; i++)
        key = mix(key, (uintptr_t)child[i]);
    for (l = intern_first(pool_nodes(p), key); l != NULL; l = intern_next(l)) {
        node = (struct trie_node *)l;
        if (has_children(node, bitmap, child)) {
            assert(node->depth == depth); /* which the children imply */
            *out = node_ref(node);
            return KITH_OK;
        }
    }
    node = pool_alloc(p, node_size(fanout));
    if (node == NULL)
        return KITH_ERR_NOMEM;
    *node = (struct trie_node){
        .id = child[0]->id, .refs = 1, .bitmap = bitmap, .depth = depth};
    for (unsigned i = 0; i < fanout; i++) {
        assert(child[i]->depth > depth);
        node->child[i] = node_ref(child[i]);
        node->count += child[i]->count;
    }
    intern_add(pool_nodes(p), &node->link, key);
    *out = node;
    return KITH_OK;
}

/* The node that parts two which differ. */
static int node_join(struct pool *p, struct trie_node *a, struct trie_node *b,
                     struct trie_node **out)
{
    uint8_t depth = common_depth(a->id, b->id);
    uint8_t na = prefix_id_nibble(a->id, depth);
    uint8_t nb = prefix_id_nibble(b->id, depth);
    struct trie_node *child[2] = {na < nb ? a : b, na < nb ? b : a};

    return node_get(p, depth, bit_of(na) | bit_of(nb), child, 2, out);
}

/* What becomes of an inner node with another child, or none, at a nibble:
 * with one child left it is that child, for the chain has no nodes. */
static int node_with(struct pool *p, const struct trie_node *node,
                     uint8_t nibble, struct trie_node *new_child,
                     struct trie_node **out)
{
    unsigned rank = rank_of(node->bitmap, nibble);
    unsigned skip = (node->bitmap & bit_of(nibble)) != 0 ? 1 : 0;
    uint16_t bitmap = (uint16_t)(node->bitmap & ~bit_of(nibble));
    struct trie_node *child[FANOUT];
    unsigned n = 0;

    for (unsigned i = 0; i < rank; i++)
        child[n++] = node->child[i];
    if (new_child != NULL) {
        child[n++] = new_child;
        bitmap |= bit_of(nibble);
    }
    for (unsigned i = rank + skip; i < node_fanout(node); i++)
        child[n++] = node->child[i];
    if (n == 1) {
        *out = node_ref(child[0]);
        return KITH_OK;
    }
    return node_get(p, node->depth, bitmap, child, n, out);
}

/* D of the elements under a node. Recurses as node_unref() does. */
static const struct hash *node_digest(struct pool *p, struct trie_node *node)
{
    uint8_t start[3] = {DIGEST_TAG, (uint8_t)(node->bitmap >> 8),
                        (uint8_t)node->bitmap};

    if (node->digested)
        return &node->digest;
    for (unsigned i = 0; i < node_fanout(node); i++)
        node_digest(p, node->child[i]);
    hasher_begin(pool_hasher(p));
    hasher_add(pool_hasher(p), start, sizeof start);
    for (unsigned i = 0; i < node_fanout(node); i++)
        hasher_add(pool_hasher(p), node->child[i]->digest.b, HASH_LEN);
    pool_digest(p, &node->digest);
    node->digested = true;
    return &node->digest;
}

static struct bundle *lowest(const struct trie_node *node)
{
    if (node == NULL)
        return NULL;
    while (!is_leaf(node))
        node = node->child[0];
    return node->bundle;
}

/* -- changes ----------------------------------------------------------- */

/* Goes down from the root as far as the nodes share the id's nibbles.
 * Returns what stands there: NULL, the id's leaf, or a node that is in its
 * way. */
static struct trie_node *descend(const struct trie *t, const struct node_id *id,
                                 struct path *path)
{
    struct trie_node *node = t->root;

    path->len = 0;
    while (node != NULL && !is_leaf(node) &&
           common_depth(node->id, id) >= node->depth) {
        assert(path->len < PREFIX_DEPTH_MAX);
        path->node[path->len++] = node;
        node = child_at(node, prefix_id_nibble(id, node->depth));
    }
    return node;
}

/* Puts `top` (counted, taken over; NULL: nothing) at the end of a path, and
 * what follows from that in the place of each node on it. */
static int replace(struct trie *t, const struct node_id *id, struct path *path,
                   struct trie_node *top)
{
    while (path->len > 0) {
        struct trie_node *parent = path->node[--path->len];
        struct trie_node *above;
        int err;

        err = node_with(t->pool, parent, prefix_id_nibble(id, parent->depth),
                        top, &above);
        node_unref(t->pool, top);
        if (err != KITH_OK)
            return err;
        top = above;
    }
    node_unref(t->pool, t->root);
    t->root = top;
    return KITH_OK;
}

void trie_init(struct trie *t, struct pool *pool)
{
    *t = (struct trie){.pool = pool};
}

void trie_clear(struct trie *t)
{
    node_unref(t->pool, t->root);
    t->root = NULL;
}

int trie_put(struct trie *t, struct bundle *bundle)
{
    const struct node_id *id = &bundle->author->id;
    struct trie_node *found, *leaf, *joined;
    struct path path;
    int err;

    assert(bundle->author->pool == t->pool);
    found = descend(t, id, &path);
    if (found != NULL && found->bundle == bundle)
        return KITH_OK;
    if ((err = leaf_get(t->pool, bundle, &leaf)) != KITH_OK)
        return err;
    if (found == NULL || node_id_equal(found->id, id))
        return replace(t, id, &path, leaf);
    err = node_join(t->pool, found, leaf, &joined);
    node_unref(t->pool, leaf);
    if (err != KITH_OK)
        return err;
    return replace(t, id, &path, joined);
}

int trie_remove(struct trie *t, const struct node_id *id)
{
    struct path path;
    struct trie_node *found = descend(t, id, &path);

    if (found == NULL || !node_id_equal(found->id, id))
        return KITH_ERR_NOTFOUND;
    return replace(t, id, &path, NULL);
}

/* -- looking ----------------------------------------------------------- */

struct bundle *trie_find(const struct trie *t, const struct node_id *id)
{
    struct path path;
    struct trie_node *found = descend(t, id, &path);

    if (found == NULL || !node_id_equal(found->id, id))
        return NULL;
    return found->bundle;
}

size_t trie_count(const struct trie *t)
{
    return t->root != NULL ? t->root->count : 0;
}

void trie_digest(const struct trie *t, struct hash *digest)
{
    struct trie_prefix all = prefix_root();

    trie_at(t, &all, digest, NULL);
}

/* The node that holds exactly the elements under a prefix, or NULL. */
static struct trie_node *node_under(const struct trie *t,
                                    const struct trie_prefix *prefix)
{
    struct trie_node *node = t->root;

    while (node != NULL && node->depth < prefix->depth)
        node = child_at(node, prefix_nibble(prefix, node->depth));
    /* The way down passed over nibbles that nodes share; look at them now. */
    if (node == NULL || !prefix_contains(prefix, node->id))
        return NULL;
    return node;
}

void trie_at(const struct trie *t, const struct trie_prefix *prefix,
             struct hash *digest, size_t *count)
{
    struct trie_node *node = node_under(t, prefix);

    if (count != NULL)
        *count = node != NULL ? node->count : 0;
    if (digest == NULL)
        return;
    if (node != NULL)
        *digest = *node_digest(t->pool, node);
    else
        memset(digest, 0, sizeof *digest);
}

/* The first child behind that nibble, or NULL. */
static struct trie_node *child_behind(const struct trie_node *node,
                                      uint8_t nibble)
{
    unsigned rank = rank_of(node->bitmap, (uint8_t)(nibble + 1));

    return rank < node_fanout(node) ? node->child[rank] : NULL;
}

struct bundle *trie_after(const struct trie *t, const struct node_id *after)
{
    struct trie_node *behind = NULL; /* the nearest subtree passed by */
    struct trie_node *node = t->root;

    if (after == NULL)
        return lowest(node);
    while (node != NULL && common_depth(node->id, after) >= node->depth &&
           !is_leaf(node)) {
        uint8_t nibble = prefix_id_nibble(after, node->depth);
        struct trie_node *next = child_behind(node, nibble);

        if (next != NULL)
            behind = next;
        node = child_at(node, nibble);
    }
    /* Either all of node lies above `after`, or none of it. */
    if (node != NULL && memcmp(node->id->b, after->b, NODE_ID_LEN) > 0)
        return lowest(node);
    return lowest(behind);
}

struct bundle *trie_under(const struct trie *t,
                          const struct trie_prefix *prefix,
                          const struct node_id *after)
{
    struct bundle *b;

    /* The unused nibbles are zero: this is the lowest id of the prefix. */
    if (after == NULL || memcmp(after->b, prefix->nibbles, NODE_ID_LEN) < 0)
        return lowest(node_under(t, prefix));
    b = trie_after(t, after);
    return b != NULL && prefix_contains(prefix, &b->author->id) ? b : NULL;
}
