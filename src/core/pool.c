/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "crypto/sign.h"

struct pool {
    struct mesh_id mesh;
    struct sign_ops ops;
    struct hasher *hasher;
    struct intern idents;  /* by id */
    struct intern objects; /* by block hash */
    struct intern bundles; /* by block hash of the head */
    struct intern nodes;   /* by their children, see trie.c */
    size_t bytes;
    size_t limit;
    uint64_t verifications;
};

static int verify_rsa(void *arg, const uint8_t spki[SPKI_LEN],
                      const struct hash *digest, const uint8_t sig[SIG_LEN])
{
    (void)arg;
    return sign_verify(spki, digest, sig);
}

/* Digests are well mixed: any 8 bytes of one make a key. */
static uint64_t load_u64(const uint8_t b[8])
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | b[i];
    return v;
}

struct pool *pool_new(const struct mesh_id *mesh, const struct sign_ops *ops)
{
    struct pool *p = calloc(1, sizeof *p);
    struct hash scratch;

    if (p == NULL)
        return NULL;
    p->mesh = *mesh;
    p->ops = ops != NULL ? *ops : (struct sign_ops){.verify = verify_rsa};
    p->limit = SIZE_MAX;
    p->hasher = hasher_new();
    if (p->hasher == NULL)
        goto fail;
    /* All that a hasher ever allocates, it does the first time. */
    hasher_begin(p->hasher);
    if (hasher_end(p->hasher, &scratch) != KITH_OK ||
        intern_init(&p->idents) != KITH_OK ||
        intern_init(&p->objects) != KITH_OK ||
        intern_init(&p->bundles) != KITH_OK ||
        intern_init(&p->nodes) != KITH_OK)
        goto fail;
    return p;
fail:
    pool_free(p);
    return NULL;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    intern_free(&p->nodes);
    intern_free(&p->bundles);
    intern_free(&p->objects);
    intern_free(&p->idents);
    assert(p->bytes == 0);
    hasher_free(p->hasher);
    free(p);
}

const struct mesh_id *pool_mesh(const struct pool *p)
{
    return &p->mesh;
}

void pool_limit(struct pool *p, size_t bytes)
{
    p->limit = bytes;
}

void pool_stats(const struct pool *p, struct pool_stats *out)
{
    *out = (struct pool_stats){
        .idents = p->idents.count,
        .objects = p->objects.count,
        .bundles = p->bundles.count,
        .nodes = p->nodes.count,
        .bytes = p->bytes,
        .verifications = p->verifications,
    };
}

void *pool_alloc(struct pool *p, size_t bytes)
{
    void *mem;

    if (p->bytes >= p->limit || bytes > p->limit - p->bytes)
        return NULL;
    mem = malloc(bytes);
    if (mem != NULL)
        p->bytes += bytes;
    return mem;
}

void pool_release(struct pool *p, void *mem, size_t bytes)
{
    assert(p->bytes >= bytes);
    p->bytes -= bytes;
    free(mem);
}

struct intern *pool_nodes(struct pool *p)
{
    return &p->nodes;
}

struct hasher *pool_hasher(struct pool *p)
{
    return p->hasher;
}

void pool_digest(struct pool *p, struct hash *out)
{
    int err = hasher_end(p->hasher, out);

    assert(err == KITH_OK);
    (void)err;
}

/* -- idents ------------------------------------------------------------ */

static void learn_ring(struct ident *ident)
{
    struct hasher *h = ident->pool->hasher;
    struct hash digest;

    hasher_begin(h);
    hasher_add(h, ident->pool->mesh.b, sizeof ident->pool->mesh.b);
    hasher_add(h, &ident->rings, 1);
    hasher_add(h, ident->id.b, sizeof ident->id.b);
    pool_digest(ident->pool, &digest);
    ident->ring[ident->rings++] = load_u64(digest.b);
}

uint64_t ident_ring_key(struct ident *ident, unsigned r)
{
    assert(r < RINGS_MAX);
    while (ident->rings <= r)
        learn_ring(ident);
    return ident->ring[r];
}

struct ident *pool_ident_find(const struct pool *p, const struct node_id *id)
{
    struct intern_link *l = intern_first(&p->idents, load_u64(id->b));

    for (; l != NULL; l = intern_next(l)) {
        struct ident *ident = (struct ident *)l;

        if (node_id_equal(&ident->id, id))
            return ident;
    }
    return NULL;
}

int pool_ident(struct pool *p, const uint8_t spki[SPKI_LEN], struct ident **out)
{
    struct node_id id;
    struct ident *ident;
    int err;

    if ((err = spki_check(spki, SPKI_LEN)) != KITH_OK)
        return err;
    spki_id(spki, &id);
    ident = pool_ident_find(p, &id);
    if (ident != NULL) {
        *out = ident_ref(ident);
        return KITH_OK;
    }
    ident = pool_alloc(p, sizeof *ident);
    if (ident == NULL)
        return KITH_ERR_NOMEM;
    *ident = (struct ident){.pool = p, .refs = 1, .id = id};
    memcpy(ident->spki, spki, SPKI_LEN);
    ident_ring_key(ident, IDENT_RINGS - 1);
    intern_add(&p->idents, &ident->link, load_u64(id.b));
    *out = ident;
    return KITH_OK;
}

struct ident *ident_ref(struct ident *ident)
{
    assert(ident->refs > 0 && ident->refs < UINT32_MAX);
    ident->refs++;
    return ident;
}

void ident_unref(struct ident *ident)
{
    if (ident == NULL)
        return;
    assert(ident->refs > 0);
    if (--ident->refs > 0)
        return;
    intern_remove(&ident->pool->idents, &ident->link);
    pool_release(ident->pool, ident, sizeof *ident);
}

/* -- objects ----------------------------------------------------------- */

struct object *pool_object_find(const struct pool *p, const struct hash *hash)
{
    struct intern_link *l = intern_first(&p->objects, load_u64(hash->b));

    for (; l != NULL; l = intern_next(l)) {
        struct object *object = (struct object *)l;

        if (hash_equal(&object->hash, hash))
            return object;
    }
    return NULL;
}

/* Puts a verified block in. */
static int object_new(struct pool *p, struct ident *author,
                      const struct block *block, const struct hash *hash,
                      struct object **out)
{
    size_t len = block->canonical_len + SIG_LEN;
    struct object *object = pool_alloc(p, sizeof *object + len);

    if (object == NULL)
        return KITH_ERR_NOMEM;
    *object = (struct object){
        .author = ident_ref(author),
        .hash = *hash,
        .serial = block->serial,
        .refs = 1,
        .type = block->type,
        .len = len,
    };
    /* The signature stands right behind the canonical bytes. */
    memcpy(object->bytes, block->canonical, len);
    intern_add(&p->objects, &object->link, load_u64(hash->b));
    *out = object;
    return KITH_OK;
}

int pool_object(struct pool *p, struct ident *author,
                const uint8_t *signed_bytes, size_t len, struct object **out)
{
    struct object *known;
    struct block block;
    struct head head;
    struct hash hash;
    int err;

    assert(author->pool == p);
    if ((err = block_decode(signed_bytes, len, &block)) != KITH_OK)
        return err;
    if (!node_id_equal(&block.author, &author->id))
        return KITH_ERR_AUTH;
    if (block.type == BLOCK_HEAD &&
        (err = head_decode(&block, &head)) != KITH_OK)
        return err;
    err = block_hash(p->hasher, &p->mesh, block.canonical, block.canonical_len,
                     &hash);
    if (err != KITH_OK)
        return err;
    known = pool_object_find(p, &hash);
    if (known != NULL) {
        *out = object_ref(known);
        return KITH_OK;
    }
    p->verifications++;
    err = p->ops.verify(p->ops.arg, author->spki, &hash, block.sig);
    if (err != KITH_OK)
        return err;
    return object_new(p, author, &block, &hash, out);
}

struct object *object_ref(struct object *object)
{
    assert(object->refs > 0 && object->refs < UINT32_MAX);
    object->refs++;
    return object;
}

void object_unref(struct object *object)
{
    struct ident *author;
    struct pool *p;

    if (object == NULL)
        return;
    assert(object->refs > 0);
    if (--object->refs > 0)
        return;
    author = object->author;
    p = author->pool;
    intern_remove(&p->objects, &object->link);
    pool_release(p, object, sizeof *object + object->len);
    ident_unref(author);
}

void object_block(const struct object *object, struct block *out)
{
    int err = block_decode(object->bytes, object->len, out);

    assert(err == KITH_OK);
    (void)err;
}

void object_head(const struct object *object, struct head *out)
{
    struct block block;
    int err;

    object_block(object, &block);
    err = head_decode(&block, out);
    assert(err == KITH_OK);
    (void)err;
}

/* -- bundles ----------------------------------------------------------- */

struct bundle *pool_bundle_find(const struct pool *p, const struct hash *hash)
{
    struct intern_link *l = intern_first(&p->bundles, load_u64(hash->b));

    for (; l != NULL; l = intern_next(l)) {
        struct bundle *bundle = (struct bundle *)l;

        if (hash_equal(&bundle->head->hash, hash))
            return bundle;
    }
    return NULL;
}

/* Whether a block is what its author's head says of it. */
static bool entry_fits(const struct head_entry *entry,
                       const struct object *head, const struct object *object)
{
    struct block block;

    assert(hash_equal(&entry->hash, &object->hash));
    object_block(object, &block);
    return object->author == head->author && entry->type == object->type &&
           entry->serial == object->serial && entry->size == object->len &&
           strcmp(entry->name, block.name) == 0;
}

static bool list_fits(const struct object *head, struct object *const *blocks,
                      size_t n)
{
    struct head_entry entry;
    struct head_iter it;
    struct head list;

    object_head(head, &list);
    assert(list.entry_count == n);
    it = head_entries(&list);
    for (size_t i = 0; head_entry_next(&it, &entry); i++)
        if (!entry_fits(&entry, head, blocks[i]))
            return false;
    return true;
}

static size_t bundle_size(size_t n)
{
    return sizeof(struct bundle) + n * sizeof(struct object *);
}

int pool_bundle(struct pool *p, struct object *head,
                struct object *const *blocks, size_t n, struct bundle **out)
{
    struct bundle *bundle;

    assert(head->author->pool == p);
    bundle = pool_bundle_find(p, &head->hash);
    if (bundle != NULL) {
        *out = bundle_ref(bundle);
        return KITH_OK;
    }
    if (!list_fits(head, blocks, n))
        return KITH_ERR_FORMAT;
    bundle = pool_alloc(p, bundle_size(n));
    if (bundle == NULL)
        return KITH_ERR_NOMEM;
    *bundle = (struct bundle){
        .head = object_ref(head),
        .author = head->author,
        .serial = head->serial,
        .refs = 1,
        .n = n,
    };
    for (size_t i = 0; i < n; i++)
        bundle->blocks[i] = object_ref(blocks[i]);
    intern_add(&p->bundles, &bundle->link, load_u64(head->hash.b));
    *out = bundle;
    return KITH_OK;
}

struct bundle *bundle_ref(struct bundle *bundle)
{
    assert(bundle->refs > 0 && bundle->refs < UINT32_MAX);
    bundle->refs++;
    return bundle;
}

void bundle_unref(struct bundle *bundle)
{
    struct object *head;
    struct pool *p;

    if (bundle == NULL)
        return;
    assert(bundle->refs > 0);
    if (--bundle->refs > 0)
        return;
    head = bundle->head;
    p = bundle->author->pool;
    intern_remove(&p->bundles, &bundle->link);
    for (size_t i = 0; i < bundle->n; i++)
        object_unref(bundle->blocks[i]);
    pool_release(p, bundle, bundle_size(bundle->n));
    object_unref(head);
}

struct object *bundle_block(const struct bundle *bundle, const char *name)
{
    struct block block;

    object_block(bundle->head, &block);
    if (strcmp(block.name, name) == 0)
        return bundle->head;
    for (size_t i = 0; i < bundle->n; i++) {
        object_block(bundle->blocks[i], &block);
        if (strcmp(block.name, name) == 0)
            return bundle->blocks[i];
    }
    return NULL;
}
