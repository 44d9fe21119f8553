/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_POOL_H
#define KITH_CORE_POOL_H

#include "base/types.h"
#include "core/intern.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "wire/block.h"
#include "wire/head.h"

/*
 * Immutable things that follow from bytes alone, each held once and counted
 * by reference:
 *
 *     bundle                 a head with all blocks that it lists
 *       |    \
 *     head   blocks          objects: one signed block each, verified
 *        \    |
 *         ident              a public key, its id, its places on the rings
 *
 * An engine is given a pool; a simulation gives one to all its engines, so
 * what is shared lives here and an engine's own state stays small. Nothing
 * gets in before its signature held. One pool serves one mesh and one thread.
 *
 * Functions that make something give the caller a reference, to be returned
 * by the _unref of that kind. Those that find something lend it: whoever
 * keeps it takes a reference by the _ref.
 */

struct pool;

/* What tells whether a signature holds. */
struct sign_ops {
    /* Returns KITH_OK, KITH_ERR_AUTH or KITH_ERR_CRYPTO, as sign_verify(). */
    int (*verify)(void *arg, const uint8_t spki[SPKI_LEN],
                  const struct hash *digest, const uint8_t sig[SIG_LEN]);
    void *arg;
};

/* An empty pool for a mesh; ops (NULL: RSA) is copied, its arg stays the
 * caller's. NULL when out of memory. */
struct pool *pool_new(const struct mesh_id *mesh, const struct sign_ops *ops);

/* Frees the pool. All references must have been returned; NULL is allowed. */
void pool_free(struct pool *p);

const struct mesh_id *pool_mesh(const struct pool *p);

/* From now on, whatever would take more than that many bytes in all fails
 * with KITH_ERR_NOMEM. At first there is no limit. */
void pool_limit(struct pool *p, size_t bytes);

struct pool_stats {
    size_t idents;
    size_t objects;
    size_t bundles;
    size_t nodes;           /* of tries */
    size_t bytes;           /* that all of these take, hash tables aside */
    uint64_t verifications; /* of signatures, since the pool was made */
};
void pool_stats(const struct pool *p, struct pool_stats *out);

/* -- idents ------------------------------------------------------------ */

enum {
    IDENT_RINGS = FRIENDS_MAX, /* ring keys that are computed at once */
};

struct ident {
    struct intern_link link; /* first; the pool's own */
    struct pool *pool;
    uint32_t refs;
    uint8_t rings; /* how many of ring[] are known */
    struct node_id id;
    uint8_t spki[SPKI_LEN];
    uint64_t ring[RINGS_MAX]; /* known from 0; see ident_ring_key() */
};

/* The ident of a public key, made when it is new. Returns KITH_OK with a
 * reference in *out; KITH_ERR_KEY: no key that we accept; KITH_ERR_NOMEM. */
int pool_ident(struct pool *p, const uint8_t spki[SPKI_LEN],
               struct ident **out);

/* Lends the ident of that id; NULL when the pool has none. */
struct ident *pool_ident_find(const struct pool *p, const struct node_id *id);

struct ident *ident_ref(struct ident *ident); /* returns its argument */
void ident_unref(struct ident *ident);        /* NULL is allowed */

/* The place of a node on ring r (below RINGS_MAX): the first 8 bytes of
 * H(mesh id ‖ r ‖ id), as a number. The keys above IDENT_RINGS are computed
 * when first asked for. */
uint64_t ident_ring_key(struct ident *ident, unsigned r);

/* -- objects ----------------------------------------------------------- */

/* One signed block whose signature held; a head is also valid by the rules
 * of protocol section 7.2. */
struct object {
    struct intern_link link; /* first; the pool's own */
    struct ident *author;    /* counted */
    struct hash hash;        /* the block hash */
    uint64_t serial;
    uint32_t refs;
    uint16_t type;
    size_t len;
    uint8_t bytes[]; /* len of them: the signed block */
};

/*
 * The object of a signed block, by an author who must be the one that it
 * names. When the pool has a block of the same hash, that is returned without
 * another look at the signature: the hash covers all that was signed.
 * Returns KITH_OK with a reference in *out; what block_decode() or
 * head_decode() say against the bytes; KITH_ERR_AUTH: another author, or the
 * signature does not hold; KITH_ERR_NOMEM; KITH_ERR_CRYPTO.
 */
int pool_object(struct pool *p, struct ident *author,
                const uint8_t *signed_bytes, size_t len, struct object **out);

/* Lends the object of that block hash; NULL when the pool has none. */
struct object *pool_object_find(const struct pool *p, const struct hash *hash);

struct object *object_ref(struct object *object);
void object_unref(struct object *object); /* NULL is allowed */

/* Decodes it; the pointers in *out live as long as the object. */
void object_block(const struct object *object, struct block *out);

/* Decodes an object of type BLOCK_HEAD; *out lives as long as the object. */
void object_head(const struct object *object, struct head *out);

/* -- bundles ----------------------------------------------------------- */

/* A complete head: with every block that it lists, in its order. */
struct bundle {
    struct intern_link link; /* first; the pool's own */
    struct object *head;     /* counted */
    struct ident *author;    /* the head's */
    uint64_t serial;         /* the head's */
    uint32_t refs;
    size_t n;
    struct object *blocks[]; /* n of them, counted */
};

/*
 * The bundle of a head and the n blocks that it lists, in the order of its
 * list. That the blocks are those whose hashes it lists is the caller's to
 * know (asserted). Takes references of its own to all of them. Returns
 * KITH_OK with a reference in *out; KITH_ERR_FORMAT: the list contradicts a
 * block's author, name, type, serial or size, so this head can never be
 * complete; KITH_ERR_NOMEM.
 */
int pool_bundle(struct pool *p, struct object *head,
                struct object *const *blocks, size_t n, struct bundle **out);

/* Lends the bundle whose head has that hash; NULL when the pool has none. */
struct bundle *pool_bundle_find(const struct pool *p, const struct hash *hash);

struct bundle *bundle_ref(struct bundle *bundle);
void bundle_unref(struct bundle *bundle); /* NULL is allowed */

/* Lends the block of that name, "head" included; NULL when there is none. */
struct object *bundle_block(const struct bundle *bundle, const char *name);

/* -- for trie.c and recon.c -------------------------------------------- */

/* Memory that counts as the pool's. NULL: out of memory, or of the limit. */
void *pool_alloc(struct pool *p, size_t bytes);
void pool_release(struct pool *p, void *mem, size_t bytes);

/* The nodes of the tries over this pool. */
struct intern *pool_nodes(struct pool *p);

/* A hasher for whoever works on the pool, and the end of a digest that was
 * begun with it, which cannot fail: a hasher that has worked once needs no
 * more memory. */
struct hasher *pool_hasher(struct pool *p);
void pool_digest(struct pool *p, struct hash *out);

#endif
