/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_CERT_RECIPE_H
#define KITH_TEST_CERT_RECIPE_H

/* Makes certificates, good and bad ones, and has them identified; for
 * cert_check_test.c and cert_member_test.c. Include it after cmocka.h. */

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "crypto/cert.h"
#include "crypto/hash.h"

enum {
    HOUR = 3600,
    DAY = 24 * HOUR
};

static const uint64_t now = 1700000000; /* 2023-11-14 22:13:20 */

/* What a certificate is made of; NULL leaves a thing out. */
struct recipe {
    const char *subject;
    const char *issuer;
    EVP_PKEY *pkey;
    EVP_PKEY *signer;
    const char *md; /* "PSS": SHA-256 with RSASSA-PSS */
    const char *constraints;
    const char *usage;
    const char *extended;
    const char *comment; /* an extension of any length */
    const char *end;
    bool v1;
    bool unknown_critical; /* an extension that nobody knows */
};

/* Keys by what they are for; the first three are fit to be node keys. */
static EVP_PKEY *node_key;
static EVP_PKEY *other_key;
static EVP_PKEY *ca_key;
static EVP_PKEY *sub_key; /* of intermediates, P-256 */
static EVP_PKEY *leaf_key;

static inline int setup(void **state)
{
    (void)state;
    node_key = EVP_RSA_gen(2048);
    other_key = EVP_RSA_gen(2048);
    ca_key = EVP_RSA_gen(2048);
    sub_key = EVP_EC_gen("P-256");
    leaf_key = EVP_EC_gen("P-256");
    return node_key == NULL || other_key == NULL || ca_key == NULL ||
           sub_key == NULL || leaf_key == NULL;
}

static inline int teardown(void **state)
{
    (void)state;
    EVP_PKEY_free(node_key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(sub_key);
    EVP_PKEY_free(leaf_key);
    return 0;
}

/* --- making certificates --- */

static inline struct recipe leaf_recipe(void)
{
    return (struct recipe){.subject = "leaf",
                           .issuer = "node",
                           .pkey = leaf_key,
                           .signer = node_key,
                           .md = "SHA256",
                           .constraints = "critical,CA:FALSE",
                           .usage = "critical,digitalSignature",
                           .extended = "serverAuth,clientAuth",
                           .end = "20231120000000Z"};
}

static inline struct recipe node_recipe(void)
{
    return (struct recipe){.subject = "node",
                           .issuer = "node",
                           .pkey = node_key,
                           .signer = node_key,
                           .md = "SHA256",
                           .constraints = "critical,CA:FALSE",
                           .end = "99991231235959Z"};
}

static inline struct recipe ca_recipe(const char *subject, EVP_PKEY *pkey,
                                      const char *issuer, EVP_PKEY *signer)
{
    return (struct recipe){.subject = subject,
                           .issuer = issuer,
                           .pkey = pkey,
                           .signer = signer,
                           .md = "SHA256",
                           .constraints = "critical,CA:TRUE",
                           .usage = "critical,keyCertSign,cRLSign",
                           .end = "20100101000000Z"};
}

static inline void add(X509 *cert, int nid, const char *value)
{
    if (value == NULL)
        return;
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static inline void add_unknown_critical(X509 *cert)
{
    ASN1_OBJECT *oid = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_EXTENSION *ext = NULL;

    assert_int_equal(ASN1_OCTET_STRING_set(value, (const uint8_t *)"x", 1), 1);
    ext = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(oid);
}

static inline void sign(X509 *cert, EVP_PKEY *signer, const char *md)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL;
    bool pss = strcmp(md, "PSS") == 0;

    assert_int_equal(EVP_DigestSignInit_ex(ctx, &pctx, pss ? "SHA256" : md,
                                           NULL, NULL, signer, NULL),
                     1);
    if (pss)
        assert_int_equal(
            EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
    assert_true(X509_sign_ctx(cert, ctx) > 0);
    EVP_MD_CTX_free(ctx);
}

/* As a peer's arrives: parsed from its DER. */
static inline X509 *reparse(X509 *cert)
{
    uint8_t *der = NULL;
    X509 *out = NULL;
    int n = i2d_X509(cert, &der);

    assert_true(n > 0);
    assert_int_equal(cert_parse(&out, der, (size_t)n), KITH_OK);
    OPENSSL_free(der);
    X509_free(cert);
    return out;
}

static inline void set_cn(X509_NAME *name, const char *cn)
{
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                                (const uint8_t *)cn, -1, -1, 0),
                     1);
}

static inline X509 *make(struct recipe r)
{
    static int64_t serial = 1;
    X509 *cert = X509_new();

    assert_non_null(cert);
    X509_set_version(cert, r.v1 ? X509_VERSION_1 : X509_VERSION_3);
    ASN1_INTEGER_set_int64(X509_get_serialNumber(cert), serial++);
    set_cn(X509_get_subject_name(cert), r.subject);
    set_cn(X509_get_issuer_name(cert), r.issuer);
    ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), "20000101000000Z");
    ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), r.end);
    assert_int_equal(X509_set_pubkey(cert, r.pkey), 1);
    add(cert, NID_basic_constraints, r.constraints);
    add(cert, NID_key_usage, r.usage);
    add(cert, NID_ext_key_usage, r.extended);
    add(cert, NID_netscape_comment, r.comment);
    if (r.unknown_critical)
        add_unknown_critical(cert);
    sign(cert, r.signer, r.md);
    return reparse(cert);
}

static inline EVP_PKEY *make_rsa(const char *type, size_t bits, unsigned int e)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_PKEY_PARAM_RSA_BITS, &bits),
        OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &e),
        OSSL_PARAM_construct_end(),
    };

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_params(ctx, params), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &pkey), 1);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* --- identifying --- */

/* An open mesh, at the time now. */
static inline struct cert_rules open_rules(void)
{
    return (struct cert_rules){.open_mesh = true, .now_unix_s = now};
}

static inline struct cert_rules private_rules(X509 **cas, size_t n)
{
    return (struct cert_rules){.cas = cas, .n_cas = n, .now_unix_s = now};
}

static inline void id_of(EVP_PKEY *pkey, struct node_id *id)
{
    uint8_t *der = NULL;
    struct hash h;
    int n = i2d_PUBKEY(pkey, &der);

    assert_int_equal(n, SPKI_LEN);
    assert_int_equal(hash_sha256(&h, der, SPKI_LEN), KITH_OK);
    memcpy(id->b, h.b, sizeof id->b);
    OPENSSL_free(der);
}

static inline void assert_is_node(const struct cert_peer *peer, EVP_PKEY *pkey)
{
    struct node_id want;
    struct node_id of_spki;

    id_of(pkey, &want);
    assert_true(node_id_equal(&peer->id, &want));
    spki_id(peer->spki, &of_spki);
    assert_true(node_id_equal(&of_spki, &want));
}

/* Nothing that could be mistaken for somebody. */
static inline void assert_is_nobody(const struct cert_peer *peer, int why)
{
    static const struct cert_peer nobody;
    struct cert_peer p = *peer;

    assert_int_equal(p.why, why);
    p.why = 0;
    assert_memory_equal(&p, &nobody, sizeof p);
}

/* Identifies, and checks that *peer fits the result. The certificates are
 * freed. */
static inline int identify(struct cert_rules rules, X509 *leaf, X509 **others,
                           size_t n, struct cert_peer *peer)
{
    memset(peer, 0x55, sizeof *peer);
    int err = cert_identify(&rules, leaf, others, n, peer);
    if (err != KITH_OK && err != KITH_ERR_CLOCK)
        assert_is_nobody(peer, err);
    else
        assert_int_equal(peer->why, peer->member ? KITH_OK : KITH_ERR_STRANGER);
    assert_int_equal(ERR_peek_error(), 0);
    X509_free(leaf);
    for (size_t i = 0; i < n; i++)
        X509_free(others[i]);
    return err;
}

static inline X509 *keep(X509 *cert)
{
    assert_int_equal(X509_up_ref(cert), 1);
    return cert;
}

#endif
