/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/crypto/cert_recipe.h"

/* A P-256 key that is encoded in another way. */
static EVP_PKEY *make_p256(const char *param, const char *value)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");

    assert_int_equal(EVP_PKEY_set_utf8_string_param(pkey, param, value), 1);
    return pkey;
}

/* In an open mesh, of a leaf and a node certificate. */
static int identify_pair(struct recipe leaf, struct recipe node)
{
    struct cert_peer peer;
    X509 *others[] = {make(node)};
    int err = identify(open_rules(), make(leaf), others, 1, &peer);

    if (err == KITH_OK)
        assert_is_node(&peer, node.pkey);
    return err;
}

static int identify_leaf(struct recipe leaf)
{
    return identify_pair(leaf, node_recipe());
}

static void own_certificates_make_a_member(void **state)
{
    uint8_t der[CERT_SELF_SIGNED_MAX];
    struct cert_rules rules = open_rules();
    struct cert_leaf leaf;
    struct cert_peer peer;
    struct key *key = NULL;
    struct node_id id;
    X509 *node = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(key_generate(&key), KITH_OK);
    assert_int_equal(cert_make_node(key, der, sizeof der, &n), KITH_OK);
    assert_int_equal(cert_make_leaf(key, der, n, now, 0, &leaf), KITH_OK);
    assert_int_equal(cert_parse(&node, der, n), KITH_OK);
    assert_int_equal(cert_identify(&rules, leaf.cert, &node, 1, &peer),
                     KITH_OK);
    key_id(key, &id);
    assert_true(peer.member);
    assert_int_equal(peer.why, KITH_OK);
    assert_true(node_id_equal(&peer.id, &id));
    assert_int_equal(peer.node_len, n);
    assert_memory_equal(peer.node_der, der, n);
    cert_drop(node);
    cert_leaf_free(&leaf);
    key_free(key);
}

static void recipes_make_a_member(void **state)
{
    struct cert_peer peer;
    X509 *others[] = {make(node_recipe())};

    (void)state;
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), others, 1, &peer), KITH_OK);
    assert_true(peer.member);
    assert_is_node(&peer, node_key);
}

static void place_in_the_chain_does_not_matter(void **state)
{
    X509 *leaf = make(leaf_recipe());
    X509 *node = make(node_recipe());
    X509 *ca = make(ca_recipe("ca", ca_key, "ca", ca_key));
    X509 *sub = make(ca_recipe("sub", sub_key, "ca", ca_key));
    X509 *all[] = {leaf, node, ca, sub};
    struct cert_peer peer;

    (void)state;
    for (size_t first = 0; first < 4; first++) {
        X509 *others[4];
        for (size_t i = 0; i < 4; i++)
            others[i] = keep(all[(first + i) % 4]);
        assert_int_equal(identify(open_rules(), keep(leaf), others, 4, &peer),
                         KITH_OK);
        assert_true(peer.member);
        assert_is_node(&peer, node_key);
    }
    for (size_t i = 0; i < 4; i++)
        X509_free(all[i]);
}

/* Another node's certificates beside one's own, of the same subject. */
static void others_with_the_same_name_do_not_matter(void **state)
{
    struct recipe stranger = node_recipe();
    struct recipe small = node_recipe();
    struct cert_peer peer;

    (void)state;
    stranger.pkey = other_key;
    stranger.signer = other_key;
    small.pkey = sub_key;
    X509 *others[] = {make(stranger), make(small), make(node_recipe())};
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), others, 3, &peer), KITH_OK);
    assert_is_node(&peer, node_key);
}

static void four_others_are_the_most(void **state)
{
    struct cert_peer peer;
    X509 *leaf = make(leaf_recipe());
    X509 *others[7];

    (void)state;
    for (size_t extra = 0; extra <= 4; extra++) {
        size_t n = 0;
        others[n++] = keep(leaf);
        for (size_t i = 0; i < extra; i++)
            others[n++] = make(ca_recipe("ca", ca_key, "ca", ca_key));
        others[n++] = make(node_recipe());
        others[n++] = reparse(X509_dup(leaf));
        assert_int_equal(identify(open_rules(), keep(leaf), others, n, &peer),
                         extra < 4 ? KITH_OK : KITH_ERR_CERT);
    }
    X509_free(leaf);
}

static void missing_node_certificate_is_refused(void **state)
{
    struct cert_peer peer;
    X509 *only_leaf[] = {make(leaf_recipe())};

    (void)state;
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), NULL, 0, &peer),
        KITH_ERR_CERT);
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), only_leaf, 1, &peer),
        KITH_ERR_CERT);
}

/* A leaf that is its own issuer is not its own node. */
static void leaf_cannot_vouch_for_itself(void **state)
{
    struct recipe r = leaf_recipe();
    struct cert_peer peer;

    (void)state;
    r.subject = "node";
    r.pkey = node_key;
    X509 *leaf = make(r);
    X509 *others[] = {keep(leaf)};
    assert_int_equal(identify(open_rules(), leaf, others, 1, &peer),
                     KITH_ERR_CERT);
}

/* Two certificates of one key: which of them would be passed on? */
static void two_node_certificates_are_refused(void **state)
{
    struct cert_peer peer;
    X509 *others[] = {make(node_recipe()), make(node_recipe())};
    X509 *node = make(node_recipe());
    X509 *twice[] = {node, keep(node)};

    (void)state;
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), others, 2, &peer),
        KITH_ERR_CERT);
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), twice, 2, &peer),
        KITH_ERR_CERT);
}

/* --- hostile leaves --- */

static void leaf_of_another_signer_is_refused(void **state)
{
    struct recipe r = leaf_recipe();

    (void)state;
    r.signer = other_key;
    assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
    r = leaf_recipe();
    r.issuer = "somebody";
    assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
}

static void leaf_with_another_signature_is_refused(void **state)
{
    static const char *const mds[] = {"SHA1", "SHA224", "SHA384", "SHA512",
                                      "PSS"};
    struct recipe r = leaf_recipe();

    (void)state;
    for (size_t i = 0; i < sizeof mds / sizeof *mds; i++) {
        r.md = mds[i];
        assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
    }
}

static void leaf_with_another_key_is_refused(void **state)
{
    EVP_PKEY *keys[] = {
        EVP_RSA_gen(2048),
        EVP_EC_gen("P-384"),
        EVP_EC_gen("secp256k1"),
        EVP_EC_gen("SM2"), /* as long as P-256 when encoded */
        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
        make_p256(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "compressed"),
        make_p256(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "hybrid"),
        make_p256(OSSL_PKEY_PARAM_EC_ENCODING, "explicit"),
    };
    struct recipe r = leaf_recipe();

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_non_null(keys[i]);
        r.pkey = keys[i];
        assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
        EVP_PKEY_free(keys[i]);
    }
}

static void leaf_that_is_a_ca_is_refused(void **state)
{
    struct recipe r = leaf_recipe();

    (void)state;
    r.constraints = "critical,CA:TRUE";
    assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
    r.usage = "critical,digitalSignature,keyCertSign";
    assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
    r = leaf_recipe();
    r.constraints = NULL;
    assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
}

static void leaf_for_other_uses_is_refused(void **state)
{
    static const char *const wrong[] = {NULL, "serverAuth", "clientAuth",
                                        "serverAuth,codeSigning",
                                        "anyExtendedKeyUsage"};
    struct recipe r = leaf_recipe();

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        r.extended = wrong[i];
        assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
    }
    r.extended = "critical,clientAuth,serverAuth";
    assert_int_equal(identify_leaf(r), KITH_OK);
    r.usage = "critical,keyAgreement";
    assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
    r.usage = NULL;
    assert_int_equal(identify_leaf(r), KITH_OK);
}

static void malformed_leaf_is_refused(void **state)
{
    struct recipe r = leaf_recipe();

    (void)state;
    r.unknown_critical = true;
    assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
    r = leaf_recipe();
    r.v1 = true; /* so without extensions */
    r.constraints = NULL;
    r.usage = NULL;
    r.extended = NULL;
    assert_int_equal(identify_leaf(r), KITH_ERR_CERT);
}

static void changed_leaf_is_refused(void **state)
{
    X509 *leaf = make(leaf_recipe());
    uint8_t *der = NULL;
    int n = i2d_X509(leaf, &der);
    struct cert_peer peer;

    (void)state;
    X509_free(leaf);
    assert_true(n > 0);
    for (int at = 0; at < n; at += 7) {
        X509 *others[] = {make(node_recipe())};
        der[at] ^= 0x04;
        if (cert_parse(&leaf, der, (size_t)n) == KITH_OK)
            assert_int_not_equal(identify(open_rules(), leaf, others, 1, &peer),
                                 KITH_OK);
        else
            X509_free(others[0]);
        der[at] ^= 0x04;
    }
    OPENSSL_free(der);
}

static void dates_of_leaf(void **state)
{
    static const struct {
        uint64_t now;
        uint64_t floor;
        int want;
    } cases[] = {
        {1700000000, 0, KITH_OK},
        {1700000000 + 48 * HOUR, 0, KITH_OK},
        {1700000001 + 48 * HOUR, 0, KITH_ERR_CLOCK},
        {1700000001 + 48 * HOUR, 1700000001 + 48 * HOUR, KITH_ERR_CLOCK},
        {1700000001 + 48 * HOUR, 1700000002 + 48 * HOUR, KITH_OK},
        {4102444800, 0, KITH_ERR_CLOCK},
        {0, 0, KITH_OK},
        {0, 1700000000, KITH_OK},
    };
    struct recipe r = leaf_recipe();

    (void)state;
    r.end = "20231114221320Z"; /* 1700000000 */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cert_rules rules = open_rules();
        struct cert_peer peer;
        X509 *others[] = {make(node_recipe())};
        rules.now_unix_s = cases[i].now;
        rules.floor_unix_s = cases[i].floor;
        assert_int_equal(identify(rules, make(r), others, 1, &peer),
                         cases[i].want);
        /* refused for dates alone: who it is stands */
        assert_true(peer.member);
        assert_is_node(&peer, node_key);
    }
}

/* --- hostile node certificates --- */

static void node_with_another_key_is_refused(void **state)
{
    EVP_PKEY *keys[] = {
        make_rsa("RSA", 1024, 65537), make_rsa("RSA", 3072, 65537),
        make_rsa("RSA", 2048, 3),     make_rsa("RSA", 2040, 65537),
        EVP_EC_gen("P-256"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct recipe node = node_recipe();
        struct recipe leaf = leaf_recipe();
        node.pkey = keys[i];
        node.signer = keys[i];
        /* an EC key cannot sign with sha256WithRSAEncryption */
        leaf.signer = EVP_PKEY_is_a(keys[i], "RSA") ? keys[i] : node_key;
        assert_int_equal(identify_pair(leaf, node), KITH_ERR_KEY);
        EVP_PKEY_free(keys[i]);
    }
}

/* The very same modulus, but marked for RSASSA-PSS. */
static void node_with_pss_key_is_refused(void **state)
{
    EVP_PKEY *pss = make_rsa("RSA-PSS", 2048, 65537);
    struct recipe node = node_recipe();
    struct recipe leaf = leaf_recipe();

    (void)state;
    node.pkey = pss;
    node.signer = pss;
    node.md = "PSS";
    assert_int_equal(identify_pair(leaf, node), KITH_ERR_KEY);
    leaf.signer = pss;
    leaf.md = "PSS";
    assert_int_equal(identify_pair(leaf, node), KITH_ERR_CERT);
    EVP_PKEY_free(pss);
}

static void node_that_is_a_ca_is_refused(void **state)
{
    struct recipe r = node_recipe();

    (void)state;
    r.constraints = "critical,CA:TRUE";
    assert_int_equal(identify_pair(leaf_recipe(), r), KITH_ERR_CERT);
    r.constraints = NULL;
    assert_int_equal(identify_pair(leaf_recipe(), r), KITH_OK);
    r.usage = "critical,keyCertSign";
    assert_int_equal(identify_pair(leaf_recipe(), r), KITH_ERR_CERT);
    r = node_recipe();
    r.v1 = true;
    r.constraints = NULL;
    assert_int_equal(identify_pair(leaf_recipe(), r), KITH_ERR_CERT);
    r = node_recipe();
    r.unknown_critical = true;
    assert_int_equal(identify_pair(leaf_recipe(), r), KITH_ERR_CERT);
}

static void node_certificate_has_a_largest_size(void **state)
{
    static char comment[CERT_NODE_MAX + 1];
    struct recipe r = node_recipe();
    struct cert_peer peer;

    (void)state;
    memset(comment, 'x', 1000);
    r.comment = comment;
    X509 *cert = make(r);
    int n = i2d_X509(cert, NULL);
    X509_free(cert);
    memset(comment, 'x', (size_t)(1000 + CERT_NODE_MAX - n));
    X509 *others[] = {make(r)};
    assert_int_equal(i2d_X509(others[0], NULL), CERT_NODE_MAX);
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), others, 1, &peer), KITH_OK);
    assert_int_equal(peer.node_len, CERT_NODE_MAX);
    comment[strlen(comment)] = 'x';
    assert_int_equal(identify_pair(leaf_recipe(), r), KITH_ERR_CERT);
}

/* Bytes of DER under construction. */
struct der {
    uint8_t b[4096];
    size_t n;
};

static void der_put(struct der *d, const void *b, size_t n)
{
    assert_true(d->n + n <= sizeof d->b);
    memcpy(d->b + d->n, b, n);
    d->n += n;
}

/* An element of 256 to 65535 bytes. */
static void der_wrap(struct der *d, uint8_t tag, const struct der *body)
{
    uint8_t head[] = {tag, 0x82, (uint8_t)(body->n >> 8), (uint8_t)body->n};

    assert_true(body->n >= 256);
    der_put(d, head, sizeof head);
    der_put(d, body->b, body->n);
}

/* A certificate after r in which from, found in the signed part, stands as to,
 * signed anew. */
static X509 *make_patched(struct recipe r, const void *from, size_t n_from,
                          const void *to, size_t n_to)
{
    static const uint8_t algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a,
                                        0x86, 0x48, 0x86, 0xf7, 0x0d,
                                        0x01, 0x01, 0x0b, 0x05, 0x00};
    struct der body = {0};
    struct der whole = {0};
    struct der tbs = {0};
    struct der sig = {.b = {0}, .n = 1};
    struct der cert = {0};
    X509 *plain = make(r);
    uint8_t *der = NULL;
    X509 *out = NULL;

    int n = i2d_re_X509_tbs(plain, &der);
    assert_true(n > 260 && der[1] == 0x82);
    size_t at = 4;
    while (memcmp(der + at, from, n_from) != 0)
        assert_true(++at + n_from <= (size_t)n);
    der_put(&body, der + 4, at - 4);
    der_put(&body, to, n_to);
    der_put(&body, der + at + n_from, (size_t)n - at - n_from);
    der_wrap(&tbs, 0x30, &body);

    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = SIG_LEN;
    assert_int_equal(
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, r.signer), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig.b + 1, &len, tbs.b, tbs.n), 1);
    sig.n = 1 + len;

    der_put(&whole, tbs.b, tbs.n);
    der_put(&whole, algorithm, sizeof algorithm);
    der_wrap(&whole, 0x03, &sig);
    der_wrap(&cert, 0x30, &whole);
    assert_int_equal(cert_parse(&out, cert.b, cert.n), KITH_OK);
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);
    X509_free(plain);
    return out;
}

#define RSA_OID "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define SPKI_HEAD                                                              \
    "\x30\x82\x01\x22\x30\x0d" RSA_OID "\x05\x00\x03\x82\x01\x0f\x00"          \
    "\x30\x82\x01\x0a\x02\x82\x01\x01\x00"

/* The same key with another encoding would have another id. Each but the first
 * is well signed, and OpenSSL reads most of them as the same key. */
static void other_encodings_of_the_key_are_refused(void **state)
{
    static const struct {
        const char *head;
        size_t n;
        int want;
    } cases[] = {
        {SPKI_HEAD, 33, KITH_OK},
        /* no NULL behind the algorithm */
        {"\x30\x82\x01\x20\x30\x0b" RSA_OID "\x03\x82\x01\x0f\x00"
         "\x30\x82\x01\x0a\x02\x82\x01\x01\x00",
         31, KITH_ERR_KEY},
        /* lengths in more bytes than needed: the whole, the algorithm, the
         * BIT STRING, the key */
        {"\x30\x83\x00\x01\x22\x30\x0d" RSA_OID "\x05\x00\x03\x82\x01\x0f\x00"
         "\x30\x82\x01\x0a\x02\x82\x01\x01\x00",
         34, KITH_ERR_KEY},
        {"\x30\x82\x01\x23\x30\x81\x0d" RSA_OID
         "\x05\x00\x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00",
         34, KITH_ERR_KEY},
        {"\x30\x82\x01\x23\x30\x0d" RSA_OID "\x05\x00\x03\x83\x00\x01\x0f\x00"
         "\x30\x82\x01\x0a\x02\x82\x01\x01\x00",
         34, KITH_ERR_KEY},
        {"\x30\x82\x01\x23\x30\x0d" RSA_OID "\x05\x00\x03\x82\x01\x10\x00"
         "\x30\x83\x00\x01\x0a\x02\x82\x01\x01\x00",
         34, KITH_ERR_KEY},
        /* one more zero before the modulus */
        {"\x30\x82\x01\x23\x30\x0d" RSA_OID "\x05\x00\x03\x82\x01\x10\x00"
         "\x30\x82\x01\x0b\x02\x82\x01\x02\x00\x00",
         34, KITH_ERR_KEY},
        /* rsaOAEP, RSASSA-PSS without parameters */
        {"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07"
         "\x05\x00\x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00",
         33, KITH_ERR_KEY},
        {"\x30\x82\x01\x20\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
         "\x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00",
         31, KITH_ERR_KEY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cert_peer peer;
        X509 *others[] = {make_patched(node_recipe(), SPKI_HEAD, 33,
                                       cases[i].head, cases[i].n)};
        assert_int_equal(
            identify(open_rules(), make(leaf_recipe()), others, 1, &peer),
            cases[i].want);
    }
}

/* With the extensions of version 3 all the same. */
static void other_versions_are_refused(void **state)
{
    static const char v3[] = "\xa0\x03\x02\x01\x02";
    static const char *const versions[] = {"", "\xa0\x03\x02\x01\x01",
                                           "\xa0\x03\x02\x01\x03"};
    struct recipe leaf = leaf_recipe();

    (void)state;
    leaf.comment = "long enough for the form of the lengths in the patched DER,"
                   " so that it takes two bytes each";
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct cert_peer peer;
        const char *v = versions[i];
        X509 *node[] = {make_patched(node_recipe(), v3, 5, v, strlen(v))};
        X509 *good[] = {make(node_recipe())};
        assert_int_equal(
            identify(open_rules(), make(leaf_recipe()), node, 1, &peer),
            KITH_ERR_CERT);
        assert_int_equal(identify(open_rules(),
                                  make_patched(leaf, v3, 5, v, strlen(v)), good,
                                  1, &peer),
                         KITH_ERR_CERT);
    }
}

/* BER that is no DER, in front of the key. */
static void indefinite_lengths_are_refused(void **state)
{
    static const char der[] = "\x30\x20\x17\x0d"
                              "000101000000Z"
                              "\x18\x0f"
                              "99991231235959Z";
    static const char ber[] = "\x30\x80\x17\x0d"
                              "000101000000Z"
                              "\x18\x0f"
                              "99991231235959Z\0";
    struct cert_peer peer;
    X509 *same[] = {
        make_patched(node_recipe(), der, sizeof der - 1, der, sizeof der - 1)};
    X509 *others[] = {
        make_patched(node_recipe(), der, sizeof der - 1, ber, sizeof ber)};

    (void)state;
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), same, 1, &peer), KITH_OK);
    assert_int_equal(
        identify(open_rules(), make(leaf_recipe()), others, 1, &peer),
        KITH_ERR_CERT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_certificates_make_a_member),
        cmocka_unit_test(recipes_make_a_member),
        cmocka_unit_test(place_in_the_chain_does_not_matter),
        cmocka_unit_test(others_with_the_same_name_do_not_matter),
        cmocka_unit_test(four_others_are_the_most),
        cmocka_unit_test(missing_node_certificate_is_refused),
        cmocka_unit_test(leaf_cannot_vouch_for_itself),
        cmocka_unit_test(two_node_certificates_are_refused),
        cmocka_unit_test(leaf_of_another_signer_is_refused),
        cmocka_unit_test(leaf_with_another_signature_is_refused),
        cmocka_unit_test(leaf_with_another_key_is_refused),
        cmocka_unit_test(leaf_that_is_a_ca_is_refused),
        cmocka_unit_test(leaf_for_other_uses_is_refused),
        cmocka_unit_test(malformed_leaf_is_refused),
        cmocka_unit_test(changed_leaf_is_refused),
        cmocka_unit_test(dates_of_leaf),
        cmocka_unit_test(node_with_another_key_is_refused),
        cmocka_unit_test(node_with_pss_key_is_refused),
        cmocka_unit_test(node_that_is_a_ca_is_refused),
        cmocka_unit_test(node_certificate_has_a_largest_size),
        cmocka_unit_test(other_encodings_of_the_key_are_refused),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(indefinite_lengths_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
