/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "crypto/sign.h"
#include "unit/wire/samples.h"
#include "vectors_reader.h"
#include "wire/block.h"
#include "wire/certs.h"
#include "wire/datagram.h"
#include "wire/facts.h"
#include "wire/head.h"
#include "wire/seal.h"
#include "wire_again.h"

/* The values of test/vectors/, which an independent implementation made, must
 * be those of this one. A section that no test knows is a failure, so that
 * none is forgotten. */

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static struct mesh_id open_mesh(void)
{
    struct vectors *v = vectors_open("mesh");
    struct mesh_id id;

    memcpy(id.b, vectors_bytes(v, "mesh.0", "id", MESH_ID_LEN), MESH_ID_LEN);
    vectors_close(v);
    return id;
}

/* Gives each value of a section of refusals to decode. */
static void refuses(const struct vectors *v, const char *section,
                    int (*decode)(const uint8_t *, size_t))
{
    for (size_t i = 0; i < v->n; i++)
        if (v->v[i].section == section && v->v[i].bytes != NULL &&
            decode(v->v[i].bytes, v->v[i].len) == KITH_OK)
            fail_msg("%s: %s is accepted", section, v->v[i].name);
}

/* -- item.txt -- */

static const struct {
    const char *section; /* begins with this */
    enum item_type type;
} item_sections[] = {
    {"pad", ITEM_PAD},
    {"cookie", ITEM_COOKIE},
    {"root", ITEM_ROOT},
    {"nodes", ITEM_NODES},
    {"leaves", ITEM_LEAVES},
    {"announce", ITEM_ANNOUNCE},
    {"want_head", ITEM_WANT_HEAD},
    {"want_piece", ITEM_WANT_PIECE},
    {"spki", ITEM_SPKI},
    {"age", ITEM_AGE},
    {"piece", ITEM_PIECE},
    {"echo", ITEM_ECHO},
    {"full", ITEM_FULL},
    {"unknown", (enum item_type)0xf0},
};

static int decode_items(const uint8_t *p, size_t n)
{
    struct cursor c;
    struct item item;
    int err;

    cursor_init(&c, p, n);
    while ((err = item_next(&c, &item)) == KITH_OK)
        ;
    return err == KITH_ERR_NOTFOUND ? KITH_OK : err;
}

/* Reads items, the first of which has that type, and writes them again. */
static void check_items(const struct vector *v, uint8_t type)
{
    uint8_t again[2048];
    bool first = true;
    struct writer w;
    struct cursor c;
    struct item item;
    int err;

    writer_init(&w, again, sizeof again);
    cursor_init(&c, v->bytes, v->len);
    while ((err = item_next(&c, &item)) == KITH_OK) {
        assert_true(!first || item.type == type);
        first = false;
        again_item(&w, &item);
    }
    if (err != KITH_ERR_NOTFOUND || first)
        fail_msg("%s: %s is refused", v->section, v->name);
    assert_int_equal(written(&w), v->len);
    assert_memory_equal(again, v->bytes, v->len);
}

static void items(void **state)
{
    struct vectors *v = vectors_open("item");
    const size_t kinds = sizeof item_sections / sizeof item_sections[0];
    const char *s = NULL;

    (void)state;
    while ((s = vectors_next_section(v, s)) != NULL) {
        size_t i = 0;

        if (vectors_refused(s)) {
            refuses(v, s, decode_items);
            continue;
        }
        while (i < kinds && !begins(s, item_sections[i].section))
            i++;
        if (i == kinds)
            fail_msg("unknown section %s", s);
        check_items(vectors_get(v, s, "bytes"), (uint8_t)item_sections[i].type);
    }
    vectors_close(v);
}

/* The items of an exchange about a set, which trie.txt has. */
static void items_of_an_exchange(void **state)
{
    struct vectors *v = vectors_open("trie");

    (void)state;
    for (size_t i = 0; i < v->n; i++) {
        if (!is(v->v[i].section, "exchange"))
            continue;
        if (begins(v->v[i].name, "nodes"))
            check_items(&v->v[i], ITEM_NODES);
        else if (begins(v->v[i].name, "leaves"))
            check_items(&v->v[i], ITEM_LEAVES);
    }
    vectors_close(v);
}

/* -- block.txt -- */

static struct key *node_key(const char *name)
{
    static char pem[8192];
    char path[4096];
    struct key *key;
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "%s/test/vectors/keys/%s.pem", KITH_SOURCE_DIR,
             name);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(pem, 1, sizeof pem, f);
    fclose(f);
    assert_int_equal(key_from_pem(&key, pem, n), KITH_OK);
    return key;
}

static int decode_canonical(const uint8_t *p, size_t n)
{
    struct block b;

    return block_decode_canonical(p, n, &b);
}

static int decode_certs(const uint8_t *p, size_t n)
{
    struct certs certs;

    return certs_decode(p, n, &certs);
}

/* The block that the fields of a section describe. */
static struct block described(const struct vectors *v, const char *s)
{
    static uint8_t longest[BLOCK_PAYLOAD_MAX];
    const struct vector *name = vectors_get(v, s, "name");
    const struct vector *payload = vectors_find(v, s, "payload");
    struct block b = {
        .type = (uint16_t)vectors_number(v, s, "type"),
        .serial = vectors_number(v, s, "serial"),
        .payload = longest,
        .payload_len = sizeof longest,
    };

    memcpy(b.author.b, vectors_bytes(v, s, "author", NODE_ID_LEN), NODE_ID_LEN);
    assert_true(name->len <= BLOCK_NAME_MAX);
    memcpy(b.name, name->bytes, name->len);
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = (uint8_t)(i % 251);
    if (payload != NULL) {
        b.payload = payload->bytes;
        b.payload_len = payload->len;
    }
    return b;
}

/* A section has the signed block itself, or its SHA-256 when it is long. */
static void check_signed(const struct vectors *v, const char *s,
                         const uint8_t *p, size_t len)
{
    const struct vector *canonical = vectors_find(v, s, "canonical");
    struct hash hash;

    if (canonical != NULL) {
        assert_int_equal(len, canonical->len + SIG_LEN);
        assert_memory_equal(p, canonical->bytes, canonical->len);
        assert_memory_equal(p + canonical->len,
                            vectors_bytes(v, s, "signature", SIG_LEN), SIG_LEN);
        return;
    }
    assert_int_equal(hash_sha256(&hash, p, len), KITH_OK);
    assert_memory_equal(hash.b, vectors_bytes(v, s, "signed_sha256", HASH_LEN),
                        HASH_LEN);
}

static void check_block(const struct vectors *v, const char *s,
                        struct hasher *h, const struct key *key)
{
    static uint8_t buf[BLOCK_SIGNED_MAX];
    struct mesh_id mesh = open_mesh();
    struct block want = described(v, s), got;
    uint8_t spki[SPKI_LEN];
    struct hash hash;
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    assert_int_equal(block_encode(&want, &w), KITH_OK);
    assert_int_equal(block_hash(h, &mesh, buf, w.len, &hash), KITH_OK);
    assert_memory_equal(hash.b, vectors_bytes(v, s, "hash", HASH_LEN),
                        HASH_LEN);
    assert_int_equal(sign_digest(key, &hash, buf + w.len), KITH_OK);
    w.len += SIG_LEN;
    assert_int_equal(w.len, vectors_number(v, s, "size"));
    check_signed(v, s, buf, w.len);

    assert_int_equal(block_decode(buf, w.len, &got), KITH_OK);
    assert_int_equal(got.type, want.type);
    assert_int_equal(got.serial, want.serial);
    assert_true(node_id_equal(&got.author, &want.author));
    assert_string_equal(got.name, want.name);
    assert_int_equal(got.payload_len, want.payload_len);
    assert_memory_equal(got.payload, want.payload, want.payload_len);
    key_spki(key, spki);
    assert_int_equal(sign_verify(spki, &hash, got.sig), KITH_OK);
}

static void check_cert(const struct vectors *v)
{
    const struct vector *payload = vectors_get(v, "block.cert", "payload");
    struct certs certs;
    uint8_t again[4096];
    struct writer w;

    assert_int_equal(certs_decode(payload->bytes, payload->len, &certs),
                     KITH_OK);
    writer_init(&w, again, sizeof again);
    assert_int_equal(certs_encode(&certs, &w), KITH_OK);
    assert_int_equal(w.len, payload->len);
    assert_memory_equal(again, payload->bytes, payload->len);
}

static void blocks(void **state)
{
    struct vectors *v = vectors_open("block");
    struct hasher *h = hasher_new();
    struct key *key = node_key("node-a");
    const char *s = NULL;

    (void)state;
    assert_non_null(h);
    while ((s = vectors_next_section(v, s)) != NULL) {
        if (is(s, "canonical.refused"))
            refuses(v, s, decode_canonical);
        else if (is(s, "cert.refused"))
            refuses(v, s, decode_certs);
        else if (begins(s, "block."))
            check_block(v, s, h, key);
        else
            fail_msg("unknown section %s", s);
    }
    check_cert(v);
    key_free(key);
    hasher_free(h);
    vectors_close(v);
}

/* -- head.txt -- */

static int decode_head(const uint8_t *p, size_t n, uint64_t serial,
                       struct head *out)
{
    struct block b = {
        .type = BLOCK_HEAD, .serial = serial, .payload = p, .payload_len = n};

    return head_decode(&b, out);
}

static void check_fields(const struct vectors *v, const char *s,
                         const struct head *h)
{
    const struct head_fields *f = &h->fields;
    uint64_t features = 0;

    for (size_t i = 0; i < 8; i++)
        features = features << 8 | vectors_bytes(v, s, "features", 8)[i];
    assert_int_equal(f->major_min, vectors_number(v, s, "lowest"));
    assert_int_equal(f->major_max, vectors_number(v, s, "highest"));
    assert_int_equal(f->flags, vectors_number(v, s, "flags"));
    assert_int_equal(f->features, features);
    assert_memory_equal(f->boot_id, vectors_bytes(v, s, "boot", BOOT_ID_LEN),
                        BOOT_ID_LEN);
    assert_memory_equal(f->run_id, vectors_bytes(v, s, "run", RUN_ID_LEN),
                        RUN_ID_LEN);
    assert_int_equal(f->lease_s, vectors_number(v, s, "lease"));
    assert_int_equal(h->entry_count, vectors_number(v, s, "entries"));
    assert_int_equal(h->miss_count, vectors_number(v, s, "misses"));
    assert_int_equal(f->extension_len, vectors_number(v, s, "extension"));
}

static void check_again(const struct vector *payload, const struct head *h)
{
    static struct head_entry entries[HEAD_ENTRIES_MAX];
    static struct head_miss misses[HEAD_MISSES_MAX];
    static uint8_t again[HEAD_PAYLOAD_MAX];
    struct head_iter it = head_entries(h);
    struct writer w;

    for (size_t i = 0; i < h->entry_count; i++)
        assert_true(head_entry_next(&it, &entries[i]));
    it = head_misses(h);
    for (size_t i = 0; i < h->miss_count; i++)
        assert_true(head_miss_next(&it, &misses[i]));
    writer_init(&w, again, sizeof again);
    head_build(&w, &h->fields, entries, h->entry_count, misses, h->miss_count);
    assert_int_equal(written(&w), payload->len);
    assert_memory_equal(again, payload->bytes, payload->len);
}

static void check_head(const struct vectors *v, const char *s)
{
    const struct vector *payload = vectors_get(v, s, "payload");
    struct head h;

    assert_int_equal(decode_head(payload->bytes, payload->len,
                                 vectors_number(v, s, "serial"), &h),
                     KITH_OK);
    check_fields(v, s, &h);
    check_again(payload, &h);
}

static void check_signed_head(const struct vectors *v)
{
    const struct vector *canonical = vectors_get(v, "signed", "canonical");
    struct hasher *h = hasher_new();
    struct mesh_id mesh = open_mesh();
    struct key *key = node_key("node-a");
    uint8_t sig[SIG_LEN];
    struct block b;
    struct head head;
    struct hash hash;

    assert_non_null(h);
    assert_int_equal(
        block_decode_canonical(canonical->bytes, canonical->len, &b), KITH_OK);
    assert_int_equal(head_decode(&b, &head), KITH_OK);
    assert_int_equal(
        block_hash(h, &mesh, canonical->bytes, canonical->len, &hash), KITH_OK);
    assert_memory_equal(hash.b, vectors_bytes(v, "signed", "hash", HASH_LEN),
                        HASH_LEN);
    assert_int_equal(sign_digest(key, &hash, sig), KITH_OK);
    assert_memory_equal(sig, vectors_bytes(v, "signed", "signature", SIG_LEN),
                        SIG_LEN);
    key_free(key);
    hasher_free(h);
}

static void refuses_heads(const struct vectors *v, const char *s)
{
    uint64_t serial = vectors_number(v, s, "serial");
    struct head h;

    for (size_t i = 0; i < v->n; i++)
        if (v->v[i].section == s && v->v[i].bytes != NULL &&
            decode_head(v->v[i].bytes, v->v[i].len, serial, &h) == KITH_OK)
            fail_msg("%s: %s is accepted", s, v->v[i].name);
}

static void heads(void **state)
{
    struct vectors *v = vectors_open("head");
    const char *s = NULL;

    (void)state;
    while ((s = vectors_next_section(v, s)) != NULL) {
        if (vectors_refused(s))
            refuses_heads(v, s);
        else if (begins(s, "head"))
            check_head(v, s);
        else if (is(s, "signed"))
            check_signed_head(v);
        else
            fail_msg("unknown section %s", s);
    }
    vectors_close(v);
}

/* -- facts.txt -- */

static int decode_facts(const uint8_t *p, size_t n)
{
    struct facts facts;

    return facts_decode(BLOCK_FACTS, p, n, &facts);
}

static void check_facts(const struct vectors *v, const char *s)
{
    const struct vector *payload = vectors_get(v, s, "payload");
    struct fact pairs[64];
    struct facts_iter it;
    struct facts facts;
    uint8_t again[1024];
    struct writer w;
    size_t n = 0;

    assert_int_equal(
        facts_decode(BLOCK_FACTS, payload->bytes, payload->len, &facts),
        KITH_OK);
    it = facts_walk(&facts);
    for (; n < 64 && facts_next(&it, &pairs[n]); n++) {
        const struct vector *value;
        char name[32];

        snprintf(name, sizeof name, "key.%zu", n);
        assert_memory_equal(pairs[n].key,
                            vectors_bytes(v, s, name, pairs[n].key_len),
                            pairs[n].key_len);
        snprintf(name, sizeof name, "value.%zu", n);
        value = vectors_get(v, s, name);
        assert_int_equal(pairs[n].value_len, value->len);
        assert_memory_equal(pairs[n].value, value->bytes, value->len);
    }
    writer_init(&w, again, sizeof again);
    assert_int_equal(facts_build(&w, BLOCK_FACTS, pairs, n), KITH_OK);
    assert_int_equal(w.len, payload->len);
    assert_memory_equal(again, payload->bytes, payload->len);
}

static void facts(void **state)
{
    struct vectors *v = vectors_open("facts");
    const char *s = NULL;

    (void)state;
    while ((s = vectors_next_section(v, s)) != NULL) {
        if (vectors_refused(s))
            refuses(v, s, decode_facts);
        else if (begins(s, "facts"))
            check_facts(v, s);
        else
            fail_msg("unknown section %s", s);
    }
    vectors_close(v);
}

/* -- bulk.txt -- */

/* Reads a body in parts of 7 bytes, and writes the records again. */
static int read_body(const uint8_t *p, size_t n, struct writer *again)
{
    struct bulk_record record;
    struct bulk_reader r;
    struct cursor all, in;
    int err = KITH_ERR_NOTFOUND;

    cursor_init(&all, p, n);
    bulk_reader_init(&r, BULK_LIST_MAX);
    while (all.left > 0 && err == KITH_ERR_NOTFOUND) {
        cursor_sub(&all, all.left < 7 ? all.left : 7, &in);
        while ((err = bulk_reader_next(&r, &in, &record)) == KITH_OK)
            again_record(again, &record);
    }
    err = bulk_reader_finish(&r);
    bulk_reader_free(&r);
    return err;
}

static int decode_body(const uint8_t *p, size_t n)
{
    static uint8_t again[8192];
    struct writer w;

    writer_init(&w, again, sizeof again);
    return read_body(p, n, &w);
}

static void check_body(const struct vectors *v, const char *s)
{
    static uint8_t again[8192];
    const struct vector *body = vectors_get(v, s, "body");
    struct writer w;

    writer_init(&w, again, sizeof again);
    assert_int_equal(read_body(body->bytes, body->len, &w), KITH_OK);
    if (is(s, "unknown")) /* is not written again */
        return;
    assert_int_equal(written(&w), body->len);
    assert_memory_equal(again, body->bytes, body->len);
}

static void bulk(void **state)
{
    struct vectors *v = vectors_open("bulk");
    const char *s = NULL;

    (void)state;
    while ((s = vectors_next_section(v, s)) != NULL) {
        if (vectors_refused(s))
            refuses(v, s, decode_body);
        else if (begins(s, "request") || begins(s, "answer") ||
                 is(s, "unknown"))
            check_body(v, s);
        else
            fail_msg("unknown section %s", s);
    }
    vectors_close(v);
}

/* -- datagram.txt -- */

struct session {
    struct cipher *cipher;
    struct session_keys keys;
    struct seal_ticket ticket;
    const uint8_t *request_iv; /* of [request] */
};

static struct session open_session(void)
{
    struct vectors *v = vectors_open("session");
    struct session s = {.cipher = cipher_new()};

    assert_non_null(s.cipher);
    memcpy(s.keys.a2b_enc, vectors_bytes(v, "session", "a2b_enc", 32), 32);
    memcpy(s.keys.a2b_mac, vectors_bytes(v, "session", "a2b_mac", 32), 32);
    memcpy(s.keys.b2a_enc, vectors_bytes(v, "session", "b2a_enc", 32), 32);
    memcpy(s.keys.b2a_mac, vectors_bytes(v, "session", "b2a_mac", 32), 32);
    memcpy(s.ticket.epoch, vectors_bytes(v, "session", "epoch", 4), 4);
    memcpy(s.ticket.ticket, vectors_bytes(v, "session", "ticket", 32), 32);
    vectors_close(v);
    return s;
}

static void check_request(struct session *ses, const struct vectors *v,
                          const char *s)
{
    const struct vector *items = vectors_get(v, s, "items");
    const struct vector *want = vectors_get(v, s, "bytes");
    uint8_t dgram[DGRAM_MAX], plain[DGRAM_MAX];
    size_t len = 0, n = 0;

    assert_int_equal(seal_request(ses->cipher, &ses->keys, &ses->ticket,
                                  vectors_bytes(v, s, "iv", DGRAM_IV_LEN),
                                  items->bytes, items->len, dgram, sizeof dgram,
                                  &len),
                     KITH_OK);
    assert_int_equal(len, want->len);
    assert_memory_equal(dgram, want->bytes, len);
    assert_int_equal(seal_open_request(ses->cipher, &ses->keys, want->bytes,
                                       want->len, plain, sizeof plain, &n),
                     KITH_OK);
    assert_int_equal(n, items->len);
    assert_memory_equal(plain, items->bytes, n);
}

/* [request.full] has PAD as long as fits, and only the hash of it all. */
static void check_full_request(struct session *ses, const struct vectors *v,
                               const char *s)
{
    uint8_t items[REQUEST_ITEMS_MAX], dgram[DGRAM_MAX];
    struct writer w;
    struct hash hash;
    size_t len = 0;

    writer_init(&w, items, sizeof items);
    item_put_pad(&w, sizeof items);
    assert_int_equal(seal_request(ses->cipher, &ses->keys, &ses->ticket,
                                  vectors_bytes(v, s, "iv", DGRAM_IV_LEN),
                                  items, written(&w), dgram, sizeof dgram,
                                  &len),
                     KITH_OK);
    assert_int_equal(len, vectors_number(v, s, "size"));
    assert_int_equal(hash_sha256(&hash, dgram, len), KITH_OK);
    assert_memory_equal(hash.b, vectors_bytes(v, s, "hash", HASH_LEN),
                        HASH_LEN);
}

static void check_answer(struct session *ses, const struct vectors *v,
                         const char *s)
{
    const uint8_t *iv = vectors_bytes(v, s, "request_iv", DGRAM_IV_LEN);
    const struct vector *items = vectors_get(v, s, "items");
    const struct vector *want = vectors_get(v, s, "bytes");
    uint8_t dgram[DGRAM_MAX], plain[DGRAM_MAX];
    size_t len = 0, n = 0;

    assert_int_equal(seal_answer(ses->cipher, &ses->keys, iv,
                                 vectors_bytes(v, s, "iv", DGRAM_IV_LEN),
                                 items->bytes, items->len, dgram, sizeof dgram,
                                 &len),
                     KITH_OK);
    assert_int_equal(len, want->len);
    assert_memory_equal(dgram, want->bytes, len);
    assert_int_equal(seal_open_answer(ses->cipher, &ses->keys, iv, want->bytes,
                                      want->len, plain, sizeof plain, &n),
                     KITH_OK);
    assert_int_equal(n, items->len);
    assert_memory_equal(plain, items->bytes, n);
}

static void refuses_datagrams(struct session *ses, const struct vectors *v,
                              const char *s)
{
    uint8_t plain[DGRAM_MAX];
    size_t n;

    for (size_t i = 0; i < v->n; i++) {
        const struct vector *x = &v->v[i];
        bool answer = begins(s, "answer");
        int err;

        if (x->section != s)
            continue;
        if (answer)
            err = seal_open_answer(ses->cipher, &ses->keys, ses->request_iv,
                                   x->bytes, x->len, plain, sizeof plain, &n);
        else
            err = seal_open_request(ses->cipher, &ses->keys, x->bytes, x->len,
                                    plain, sizeof plain, &n);
        if (err == KITH_OK)
            fail_msg("%s: %s is accepted", s, x->name);
    }
}

static void check_reset(const struct vectors *v, const char *s)
{
    uint8_t buf[DGRAM_RESET_LEN];
    struct dgram d;

    reset_encode(vectors_bytes(v, s, "request_iv", DGRAM_IV_LEN),
                 vectors_bytes(v, s, "token", DGRAM_RESET_TOKEN_LEN), buf);
    assert_memory_equal(buf, vectors_bytes(v, s, "bytes", sizeof buf),
                        sizeof buf);
    assert_int_equal(dgram_parse(buf, sizeof buf, &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_RESET);
}

static void check_beacon(const struct vectors *v, const char *s)
{
    struct beacon b = {.k = (uint8_t)vectors_number(v, s, "k"),
                       .port = (uint16_t)vectors_number(v, s, "port")};
    uint8_t buf[DGRAM_BEACON_LEN];
    struct dgram d;

    memcpy(b.tag, vectors_bytes(v, s, "tag", MESH_TAG_LEN), MESH_TAG_LEN);
    memcpy(b.nonce, vectors_bytes(v, s, "nonce", sizeof b.nonce),
           sizeof b.nonce);
    beacon_encode(&b, buf);
    assert_memory_equal(buf, vectors_bytes(v, s, "bytes", sizeof buf),
                        sizeof buf);
    assert_int_equal(dgram_parse(buf, sizeof buf, &d), KITH_OK);
    beacon_encode(&d.beacon, buf);
    assert_memory_equal(buf, vectors_bytes(v, s, "bytes", sizeof buf),
                        sizeof buf);
}

static void check_hint(const struct vectors *v, const char *s)
{
    struct hint h = {.port = (uint16_t)vectors_number(v, s, "port")};
    uint8_t buf[DGRAM_HINT_LEN];
    struct dgram d;

    memcpy(h.tag, vectors_bytes(v, s, "tag", MESH_TAG_LEN), MESH_TAG_LEN);
    memcpy(h.nonce, vectors_bytes(v, s, "nonce", sizeof h.nonce),
           sizeof h.nonce);
    hint_encode(&h, buf);
    assert_memory_equal(buf, vectors_bytes(v, s, "bytes", sizeof buf),
                        sizeof buf);
    assert_int_equal(dgram_parse(buf, sizeof buf, &d), KITH_OK);
    hint_encode(&d.hint, buf);
    assert_memory_equal(buf, vectors_bytes(v, s, "bytes", sizeof buf),
                        sizeof buf);
}

static void check_datagram(struct session *ses, const struct vectors *v,
                           const char *s)
{
    if (vectors_refused(s))
        refuses_datagrams(ses, v, s);
    else if (is(s, "request.full"))
        check_full_request(ses, v, s);
    else if (begins(s, "request"))
        check_request(ses, v, s);
    else if (begins(s, "answer"))
        check_answer(ses, v, s);
    else if (begins(s, "reset"))
        check_reset(v, s);
    else if (begins(s, "beacon"))
        check_beacon(v, s);
    else if (begins(s, "hint"))
        check_hint(v, s);
    else
        fail_msg("unknown section %s", s);
}

static void datagrams(void **state)
{
    struct vectors *v = vectors_open("datagram");
    struct session ses = open_session();
    const char *s = NULL;

    (void)state;
    ses.request_iv = vectors_bytes(v, "request", "iv", DGRAM_IV_LEN);
    while ((s = vectors_next_section(v, s)) != NULL)
        check_datagram(&ses, v, s);
    cipher_free(ses.cipher);
    vectors_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items),     cmocka_unit_test(items_of_an_exchange),
        cmocka_unit_test(blocks),    cmocka_unit_test(heads),
        cmocka_unit_test(facts),     cmocka_unit_test(bulk),
        cmocka_unit_test(datagrams),
    };

    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
