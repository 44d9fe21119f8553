/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_FAKE_H
#define KITH_TEST_FAKE_H

#include <assert.h>
#include <stdio.h>

#include "base/cursor.h"
#include "base/error.h"
#include "core/pool.h"

/*
 * Nodes and blocks by the thousand, without RSA: node n has a public key made
 * of H(n), which is canonical and nobody's, and "signs" a digest by
 * H(SPKI ‖ digest), eight times over to fill the place.
 */

enum {
    FAKE_MODULUS_AT = 33,
    FAKE_MODULUS_LEN = 256,
};

static inline void fake_hash(struct hash *out, const void *a, size_t a_len,
                             const void *b, size_t b_len)
{
    uint8_t both[SPKI_LEN + HASH_LEN];
    int err;

    assert(a_len + b_len <= sizeof both);
    memcpy(both, a, a_len);
    memcpy(both + a_len, b, b_len);
    err = hash_sha256(out, both, a_len + b_len);
    assert(err == KITH_OK);
    (void)err;
}

static inline void fake_sign(const uint8_t spki[SPKI_LEN],
                             const struct hash *digest, uint8_t sig[SIG_LEN])
{
    struct hash h;

    fake_hash(&h, spki, SPKI_LEN, digest->b, HASH_LEN);
    for (size_t i = 0; i < SIG_LEN; i += HASH_LEN)
        memcpy(sig + i, h.b, HASH_LEN);
}

static inline int fake_verify(void *arg, const uint8_t spki[SPKI_LEN],
                              const struct hash *digest,
                              const uint8_t sig[SIG_LEN])
{
    uint8_t right[SIG_LEN];

    (void)arg;
    fake_sign(spki, digest, right);
    return memcmp(sig, right, SIG_LEN) == 0 ? KITH_OK : KITH_ERR_AUTH;
}

/* The public key of node n. */
static inline void fake_spki(uint64_t n, uint8_t spki[SPKI_LEN])
{
    static const uint8_t head[FAKE_MODULUS_AT] = {
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
        0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01,
        0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,
    };
    static const uint8_t tail[] = {0x02, 0x03, 0x01, 0x00, 0x01};
    uint8_t *modulus = spki + FAKE_MODULUS_AT;
    struct hash h;

    fake_hash(&h, "node", 4, &n, sizeof n);
    memcpy(spki, head, sizeof head);
    for (size_t i = 0; i < FAKE_MODULUS_LEN; i += HASH_LEN)
        memcpy(modulus + i, h.b, HASH_LEN);
    modulus[0] |= 0x80;
    modulus[FAKE_MODULUS_LEN - 1] |= 0x01;
    memcpy(modulus + FAKE_MODULUS_LEN, tail, sizeof tail);
}

/* A pool that takes such signatures, of the mesh whose id is all 'm'. */
static inline struct pool *fake_pool(void)
{
    struct sign_ops ops = {.verify = fake_verify};
    struct mesh_id mesh;
    struct pool *p;

    memset(mesh.b, 'm', sizeof mesh.b);
    p = pool_new(&mesh, &ops);
    assert(p != NULL);
    return p;
}

/* The ident of node n; a reference. */
static inline struct ident *fake_ident(struct pool *p, uint64_t n)
{
    uint8_t spki[SPKI_LEN];
    struct ident *ident = NULL;
    int err;

    fake_spki(n, spki);
    err = pool_ident(p, spki, &ident);
    assert(err == KITH_OK);
    (void)err;
    return ident;
}

/* Writes a signed block to buf, of BLOCK_SIGNED_MAX bytes. Returns its
 * length. */
static inline size_t fake_block(struct pool *p, const struct ident *author,
                                uint16_t type, const char *name,
                                uint64_t serial, const void *payload,
                                size_t payload_len, uint8_t *buf)
{
    struct block b = {
        .type = type,
        .author = author->id,
        .serial = serial,
        .payload = payload,
        .payload_len = payload_len,
    };
    struct hash hash;
    struct writer w;
    int err;

    snprintf(b.name, sizeof b.name, "%s", name);
    writer_init(&w, buf, BLOCK_SIGNED_MAX - SIG_LEN);
    err = block_encode(&b, &w);
    assert(err == KITH_OK);
    err = block_hash(pool_hasher(p), pool_mesh(p), buf, w.len, &hash);
    assert(err == KITH_OK);
    (void)err;
    fake_sign(author->spki, &hash, buf + w.len);
    return w.len + SIG_LEN;
}

/* The same as an object; a reference. */
static inline struct object *fake_object(struct pool *p, struct ident *author,
                                         uint16_t type, const char *name,
                                         uint64_t serial, const void *payload,
                                         size_t payload_len)
{
    uint8_t buf[BLOCK_SIGNED_MAX];
    struct object *object = NULL;
    size_t len =
        fake_block(p, author, type, name, serial, payload, payload_len, buf);
    int err = pool_object(p, author, buf, len, &object);

    assert(err == KITH_OK);
    (void)err;
    return object;
}

/* What a head says of a block. */
static inline struct head_entry fake_entry(const struct object *object)
{
    struct head_entry e = {
        .type = object->type,
        .serial = object->serial,
        .size = (uint32_t)object->len,
        .hash = object->hash,
    };
    struct block b;

    object_block(object, &b);
    memcpy(e.name, b.name, sizeof e.name);
    return e;
}

/* A head with n entries, ascending by name; a reference. Heads of one serial
 * differ by their variant. */
static inline struct object *fake_head(struct pool *p, struct ident *author,
                                       uint64_t serial, uint8_t variant,
                                       const struct head_entry *entries,
                                       size_t n)
{
    struct head_fields fields = {
        .major_min = 1,
        .major_max = 1,
        .run_id = {variant},
        .lease_s = HEAD_LEASE_MIN_S,
    };
    uint8_t payload[HEAD_PAYLOAD_MAX];
    struct writer w;

    writer_init(&w, payload, sizeof payload);
    head_build(&w, &fields, entries, n, NULL, 0);
    return fake_object(p, author, BLOCK_HEAD, "head", serial, payload, w.len);
}

/* A bundle of n blocks, ascending by name; a reference. */
static inline struct bundle *fake_bundle(struct pool *p, struct ident *author,
                                         uint64_t serial, uint8_t variant,
                                         struct object *const *blocks, size_t n)
{
    struct head_entry entries[HEAD_ENTRIES_MAX];
    struct bundle *bundle = NULL;
    struct object *head;
    int err;

    for (size_t i = 0; i < n; i++)
        entries[i] = fake_entry(blocks[i]);
    head = fake_head(p, author, serial, variant, entries, n);
    err = pool_bundle(p, head, blocks, n, &bundle);
    assert(err == KITH_OK);
    (void)err;
    object_unref(head);
    return bundle;
}

#endif
