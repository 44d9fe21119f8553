/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/error.h"
#include "core/pool.h"
#include "crypto/sign.h"
#include "fake.h"

static void assert_stats(const struct pool *p, size_t idents, size_t objects,
                         size_t bundles)
{
    struct pool_stats s;

    pool_stats(p, &s);
    assert_int_equal(s.idents, idents);
    assert_int_equal(s.objects, objects);
    assert_int_equal(s.bundles, bundles);
    assert_int_equal(s.nodes, 0);
    assert_true((s.bytes == 0) == (idents + objects + bundles == 0));
}

static uint64_t verifications(const struct pool *p)
{
    struct pool_stats s;

    pool_stats(p, &s);
    return s.verifications;
}

/* -- idents ------------------------------------------------------------ */

static void test_ident(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a, *again, *b;
    uint8_t spki[SPKI_LEN];
    struct node_id id;

    (void)state;
    a = fake_ident(p, 1);
    b = fake_ident(p, 2);
    fake_spki(1, spki);
    spki_id(spki, &id);
    assert_memory_equal(a->id.b, id.b, sizeof id.b);
    assert_memory_equal(a->spki, spki, sizeof spki);
    assert_ptr_not_equal(a, b);
    assert_int_equal(pool_ident(p, spki, &again), KITH_OK);
    assert_ptr_equal(again, a);
    assert_ptr_equal(pool_ident_find(p, &id), a);
    assert_stats(p, 2, 0, 0);
    ident_unref(again);
    assert_ptr_equal(pool_ident_find(p, &id), a);
    ident_unref(a);
    assert_null(pool_ident_find(p, &id));
    ident_unref(b);
    ident_unref(NULL);
    assert_stats(p, 0, 0, 0);
    pool_free(p);
}

static void test_ident_refused(void **state)
{
    struct pool *p = fake_pool();
    struct ident *ident = NULL;
    uint8_t spki[SPKI_LEN];

    (void)state;
    fake_spki(1, spki);
    spki[FAKE_MODULUS_AT + FAKE_MODULUS_LEN - 1] ^= 1;
    assert_int_equal(pool_ident(p, spki, &ident), KITH_ERR_KEY);
    fake_spki(1, spki);
    spki[0] ^= 1;
    assert_int_equal(pool_ident(p, spki, &ident), KITH_ERR_KEY);
    assert_null(ident);
    pool_limit(p, sizeof(struct ident) - 1);
    fake_spki(1, spki);
    assert_int_equal(pool_ident(p, spki, &ident), KITH_ERR_NOMEM);
    assert_null(ident);
    assert_stats(p, 0, 0, 0);
    pool_limit(p, sizeof(struct ident));
    assert_int_equal(pool_ident(p, spki, &ident), KITH_OK);
    ident_unref(ident);
    pool_free(p);
}

/* The first 8 bytes of H(mesh id ‖ r ‖ id). */
static uint64_t ring_key(struct pool *p, const struct ident *ident, uint8_t r)
{
    uint8_t input[MESH_ID_LEN + 1 + NODE_ID_LEN];
    struct hash h;
    uint64_t key = 0;

    memcpy(input, pool_mesh(p)->b, MESH_ID_LEN);
    input[MESH_ID_LEN] = r;
    memcpy(input + MESH_ID_LEN + 1, ident->id.b, NODE_ID_LEN);
    assert_int_equal(hash_sha256(&h, input, sizeof input), KITH_OK);
    for (int i = 0; i < 8; i++)
        key = key * 256 + h.b[i];
    return key;
}

static void test_ring_keys(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a = fake_ident(p, 1);

    (void)state;
    assert_int_equal(a->rings, IDENT_RINGS);
    assert_true(ident_ring_key(a, 19) == ring_key(p, a, 19));
    assert_int_equal(a->rings, IDENT_RINGS);
    assert_true(ident_ring_key(a, RINGS_MAX - 1) ==
                ring_key(p, a, RINGS_MAX - 1));
    for (uint8_t r = 0; r < RINGS_MAX; r++)
        assert_true(ident_ring_key(a, r) == ring_key(p, a, r));
    ident_unref(a);
    pool_free(p);
}

/* -- objects ----------------------------------------------------------- */

static void test_object(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a = fake_ident(p, 1);
    uint8_t buf[BLOCK_SIGNED_MAX];
    struct object *o, *again;
    struct block block;
    struct hash hash;
    size_t len;

    (void)state;
    len = fake_block(p, a, BLOCK_DATA, "motd", 77, "hello", 5, buf);
    assert_int_equal(pool_object(p, a, buf, len, &o), KITH_OK);
    ident_unref(a); /* the object has its own reference */
    assert_stats(p, 1, 1, 0);
    assert_int_equal(o->type, BLOCK_DATA);
    assert_int_equal(o->serial, 77);
    assert_int_equal(o->len, len);
    assert_memory_equal(o->bytes, buf, len);
    assert_ptr_equal(o->author, a);
    block_hash(pool_hasher(p), pool_mesh(p), buf, len - SIG_LEN, &hash);
    assert_memory_equal(o->hash.b, hash.b, sizeof hash.b);
    object_block(o, &block);
    assert_string_equal(block.name, "motd");
    assert_int_equal(block.payload_len, 5);

    assert_int_equal(verifications(p), 1);
    assert_int_equal(pool_object(p, a, buf, len, &again), KITH_OK);
    assert_ptr_equal(again, o);
    assert_int_equal(verifications(p), 1);
    assert_ptr_equal(pool_object_find(p, &hash), o);
    object_unref(again);
    object_unref(o);
    assert_null(pool_object_find(p, &hash));
    object_unref(NULL);
    assert_stats(p, 0, 0, 0);
    pool_free(p);
}

static void test_object_refused(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a = fake_ident(p, 1);
    struct ident *b = fake_ident(p, 2);
    struct object *o = NULL, *again;
    uint8_t buf[BLOCK_SIGNED_MAX];
    size_t len;

    (void)state;
    len = fake_block(p, a, BLOCK_DATA, "motd", 77, "hello", 5, buf);
    for (size_t i = 0; i < len; i++)
        assert_int_not_equal(pool_object(p, a, buf, i, &o), KITH_OK);
    assert_int_equal(pool_object(p, a, buf, len + 1, &o), KITH_ERR_TRAILING);
    assert_int_equal(pool_object(p, b, buf, len, &o), KITH_ERR_AUTH);
    assert_int_equal(verifications(p), 0);
    for (size_t i = 0; i < len; i++) {
        buf[i] ^= 0x10;
        assert_int_not_equal(pool_object(p, a, buf, len, &o), KITH_OK);
        buf[i] ^= 0x10;
    }
    assert_null(o);
    assert_stats(p, 2, 0, 0);

    /* Once it is known, its hash is enough. */
    assert_int_equal(pool_object(p, a, buf, len, &o), KITH_OK);
    buf[len - 1] ^= 0x10;
    assert_int_equal(pool_object(p, a, buf, len, &again), KITH_OK);
    assert_ptr_equal(again, o);
    assert_memory_not_equal(o->bytes, buf, len);
    object_unref(again);
    object_unref(o);
    ident_unref(a);
    ident_unref(b);
    pool_free(p);
}

static void test_head_refused(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a = fake_ident(p, 1);
    uint8_t buf[BLOCK_SIGNED_MAX];
    struct object *o = NULL;
    struct head_entry entry = {
        .name = "motd",
        .type = BLOCK_DATA,
        .serial = 9,
        .size = BLOCK_SIGNED_MIN,
    };
    size_t len;

    (void)state;
    len = fake_block(p, a, BLOCK_HEAD, "head", 9, "no head", 7, buf);
    assert_int_not_equal(pool_object(p, a, buf, len, &o), KITH_OK);
    assert_int_equal(verifications(p), 0);
    assert_null(o);

    /* What it lists must be older than itself. */
    o = fake_head(p, a, 10, 0, &entry, 1);
    memcpy(buf, o->bytes, o->len);
    buf[1 + 2 + NODE_ID_LEN + 7] = 9;
    assert_int_not_equal(pool_object(p, a, buf, o->len, &o), KITH_OK);
    assert_int_equal(verifications(p), 1);
    object_unref(o);
    ident_unref(a);
    pool_free(p);
}

static void test_object_limit(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a = fake_ident(p, 1);
    uint8_t buf[BLOCK_SIGNED_MAX];
    struct object *o = NULL;
    struct pool_stats s;
    size_t len;

    (void)state;
    pool_stats(p, &s);
    len = fake_block(p, a, BLOCK_DATA, "motd", 77, "hello", 5, buf);
    pool_limit(p, s.bytes + sizeof *o + len - 1);
    assert_int_equal(pool_object(p, a, buf, len, &o), KITH_ERR_NOMEM);
    assert_null(o);
    assert_stats(p, 1, 0, 0);
    pool_limit(p, s.bytes + sizeof *o + len);
    assert_int_equal(pool_object(p, a, buf, len, &o), KITH_OK);
    object_unref(o);
    ident_unref(a);
    pool_free(p);
}

/* -- bundles ----------------------------------------------------------- */

static void test_bundle(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a = fake_ident(p, 1);
    struct object *blocks[2], *head;
    struct bundle *bundle, *again;
    struct head_entry entries[2];
    struct head decoded;

    (void)state;
    blocks[0] = fake_object(p, a, BLOCK_FACTS, "facts", 5, NULL, 0);
    blocks[1] = fake_object(p, a, BLOCK_DATA, "motd", 6, "hello", 5);
    entries[0] = fake_entry(blocks[0]);
    entries[1] = fake_entry(blocks[1]);
    head = fake_head(p, a, 7, 0, entries, 2);
    assert_null(pool_bundle_find(p, &head->hash));
    assert_int_equal(pool_bundle(p, head, blocks, 2, &bundle), KITH_OK);
    assert_int_equal(pool_bundle(p, head, blocks, 2, &again), KITH_OK);
    assert_ptr_equal(bundle, again);
    assert_ptr_equal(pool_bundle_find(p, &head->hash), bundle);
    assert_int_equal(bundle->serial, 7);
    assert_int_equal(bundle->n, 2);
    assert_ptr_equal(bundle->author, a);
    object_head(bundle->head, &decoded);
    assert_int_equal(decoded.entry_count, 2);

    assert_ptr_equal(bundle_block(bundle, "facts"), blocks[0]);
    assert_ptr_equal(bundle_block(bundle, "motd"), blocks[1]);
    assert_ptr_equal(bundle_block(bundle, "head"), head);
    assert_null(bundle_block(bundle, "fact"));
    assert_null(bundle_block(bundle, ""));

    ident_unref(a);
    object_unref(head);
    object_unref(blocks[0]);
    object_unref(blocks[1]);
    bundle_unref(again);
    assert_stats(p, 1, 3, 1);
    bundle_unref(bundle);
    bundle_unref(NULL);
    assert_stats(p, 0, 0, 0);
    pool_free(p);
}

static void test_bundle_without_blocks(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a = fake_ident(p, 1);
    struct object *head = fake_head(p, a, 7, 0, NULL, 0);
    struct bundle *bundle = NULL;
    struct pool_stats s;

    (void)state;
    pool_stats(p, &s);
    pool_limit(p, s.bytes + sizeof *bundle - 1);
    assert_int_equal(pool_bundle(p, head, NULL, 0, &bundle), KITH_ERR_NOMEM);
    assert_null(bundle);
    assert_stats(p, 1, 1, 0);
    pool_limit(p, s.bytes + sizeof *bundle);
    assert_int_equal(pool_bundle(p, head, NULL, 0, &bundle), KITH_OK);
    assert_int_equal(bundle->n, 0);
    assert_null(bundle_block(bundle, "facts"));
    object_unref(head);
    ident_unref(a);
    bundle_unref(bundle);
    pool_free(p);
}

/* A head of author n that lists `block`, but says `entry` of it. */
static int try_entry(struct pool *p, uint64_t n, struct object *block,
                     const struct head_entry *entry)
{
    struct ident *author = fake_ident(p, n);
    struct object *head = fake_head(p, author, 100, 0, entry, 1);
    struct bundle *bundle = NULL;
    int err = pool_bundle(p, head, &block, 1, &bundle);

    assert_true((err == KITH_OK) == (bundle != NULL));
    bundle_unref(bundle);
    object_unref(head);
    ident_unref(author);
    return err;
}

static void test_bundle_contradicted(void **state)
{
    struct pool *p = fake_pool();
    struct ident *a = fake_ident(p, 1);
    struct object *block = fake_object(p, a, BLOCK_DATA, "motd", 6, "hi", 2);
    const struct head_entry right = fake_entry(block);
    struct head_entry e;

    (void)state;
    assert_int_equal(try_entry(p, 1, block, &right), KITH_OK);
    assert_int_equal(try_entry(p, 2, block, &right), KITH_ERR_FORMAT);
    e = right;
    e.type = 4000;
    assert_int_equal(try_entry(p, 1, block, &e), KITH_ERR_FORMAT);
    e = right;
    e.serial++;
    assert_int_equal(try_entry(p, 1, block, &e), KITH_ERR_FORMAT);
    e = right;
    e.size++;
    assert_int_equal(try_entry(p, 1, block, &e), KITH_ERR_FORMAT);
    e = right;
    snprintf(e.name, sizeof e.name, "motd2");
    assert_int_equal(try_entry(p, 1, block, &e), KITH_ERR_FORMAT);
    object_unref(block);
    ident_unref(a);
    assert_stats(p, 0, 0, 0);
    pool_free(p);
}

/* -- the real thing ---------------------------------------------------- */

static void test_rsa(void **state)
{
    struct mesh_id mesh = {{1}}, other = {{2}};
    struct pool *p = pool_new(&mesh, NULL);
    struct pool *q = pool_new(&other, NULL);
    uint8_t spki[SPKI_LEN], buf[BLOCK_SIGNED_MAX];
    struct object *o = NULL;
    struct ident *a, *b;
    struct hash hash;
    struct key *key;
    size_t len;

    (void)state;
    assert_int_equal(key_generate(&key), KITH_OK);
    key_spki(key, spki);
    assert_int_equal(pool_ident(p, spki, &a), KITH_OK);
    assert_int_equal(pool_ident(q, spki, &b), KITH_OK);
    len = fake_block(p, a, BLOCK_DATA, "motd", 77, "hello", 5, buf);
    assert_int_equal(pool_object(p, a, buf, len, &o), KITH_ERR_AUTH);
    block_hash(pool_hasher(p), &mesh, buf, len - SIG_LEN, &hash);
    assert_int_equal(sign_digest(key, &hash, buf + len - SIG_LEN), KITH_OK);
    assert_int_equal(pool_object(p, a, buf, len, &o), KITH_OK);
    object_unref(o);
    /* A block of one mesh is none of another. */
    assert_int_equal(pool_object(q, b, buf, len, &o), KITH_ERR_AUTH);
    assert_int_equal(verifications(p), 2);
    ident_unref(a);
    ident_unref(b);
    key_free(key);
    pool_free(p);
    pool_free(q);
    pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ident),
        cmocka_unit_test(test_ident_refused),
        cmocka_unit_test(test_ring_keys),
        cmocka_unit_test(test_object),
        cmocka_unit_test(test_object_refused),
        cmocka_unit_test(test_head_refused),
        cmocka_unit_test(test_object_limit),
        cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_bundle_without_blocks),
        cmocka_unit_test(test_bundle_contradicted),
        cmocka_unit_test(test_rsa),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
