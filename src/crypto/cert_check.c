/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "crypto/cert.h"
#include "crypto/key_impl.h"

enum {
    INTERMEDIATES_MAX = 2,
    AUTH_LEVEL = 2, /* 112 bits; see X509_VERIFY_PARAM_set_auth_level(3) */
    P256_SPKI_LEN = 91,
    P256_HEAD_LEN = 27,
    /* what stands before the SubjectPublicKeyInfo in a v3 certificate:
     * version, serial number, algorithm, issuer, validity, subject */
    TBS_BEFORE_SPKI = 6,
};

/* SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { and the
 * mark of an uncompressed point (RFC 5480, section 2). */
static const uint8_t p256_head[P256_HEAD_LEN] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};

/* Reads the head of the element at *p, moves *p to its content, and gives the
 * length of that in *n. False when it does not end before end. */
static bool der_head(const uint8_t **p, const uint8_t *end, long *n)
{
    int tag = 0;
    int class = 0;
    int flags = ASN1_get_object(p, n, &tag, &class, end - *p);

    return (flags & 0x81) == 0; /* neither an error nor without a length */
}

static bool der_skip(const uint8_t **p, const uint8_t *end)
{
    long n = 0;

    if (!der_head(p, end, &n))
        return false;
    *p += n;
    return true;
}

/* Finds the SubjectPublicKeyInfo in a v3 certificate as it was encoded.
 * OpenSSL's structures would encode it anew, and so mend what spki_check is
 * there to refuse. NULL when the certificate is malformed. */
static const uint8_t *find_spki(const uint8_t *der, size_t der_len, size_t *len)
{
    const uint8_t *p = der;
    const uint8_t *end = der + der_len;
    long n = 0;

    if (!der_head(&p, end, &n) || !der_head(&p, p + n, &n))
        return NULL;
    end = p + n;
    for (int i = 0; i < TBS_BEFORE_SPKI; i++) {
        if (!der_skip(&p, end))
            return NULL;
    }
    const uint8_t *spki = p;
    if (!der_skip(&p, end))
        return NULL;
    *len = (size_t)(p - spki);
    return spki;
}

/* Version 3, extensions that OpenSSL could read, and none that it does not
 * know but must. */
static bool well_formed(X509 *cert)
{
    const uint32_t bad =
        EXFLAG_INVALID | EXFLAG_CRITICAL | EXFLAG_NO_FINGERPRINT;

    return X509_get_version(cert) == X509_VERSION_3 &&
           (X509_get_extension_flags(cert) & bad) == 0;
}

static bool is_p256(X509 *cert)
{
    uint8_t buf[P256_SPKI_LEN];
    uint8_t *p = buf;
    X509_PUBKEY *pubkey = X509_get_X509_PUBKEY(cert);

    return i2d_X509_PUBKEY(pubkey, NULL) == P256_SPKI_LEN &&
           i2d_X509_PUBKEY(pubkey, &p) == P256_SPKI_LEN &&
           memcmp(buf, p256_head, P256_HEAD_LEN) == 0 &&
           X509_get0_pubkey(cert) != NULL; /* the point is on the curve */
}

/* Says that it is a CA, or would be taken for one. The two differ: CA:TRUE
 * with a key usage that leaves out signing certificates is none to OpenSSL. */
static bool is_ca(X509 *cert)
{
    return (X509_get_extension_flags(cert) & EXFLAG_CA) != 0 ||
           X509_check_ca(cert) != 0;
}

static int check_leaf(X509 *leaf)
{
    const uint32_t uses = XKU_SSL_SERVER | XKU_SSL_CLIENT;

    if (!well_formed(leaf) ||
        X509_get_signature_nid(leaf) != NID_sha256WithRSAEncryption ||
        !is_p256(leaf))
        return KITH_ERR_CERT;
    if ((X509_get_extension_flags(leaf) & EXFLAG_BCONS) == 0 || is_ca(leaf))
        return KITH_ERR_CERT;
    /* Without the extension all bits are set: right for the usage, wrong for
     * the extended one. */
    uint32_t extended = X509_get_extended_key_usage(leaf);
    if ((X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) == 0 ||
        extended == UINT32_MAX || (extended & uses) != uses)
        return KITH_ERR_CERT;
    return KITH_OK;
}

static int check_node(X509 *node)
{
    return well_formed(node) && !is_ca(node) ? KITH_OK : KITH_ERR_CERT;
}

static int check_dates(const struct cert_rules *rules, X509 *leaf)
{
    uint64_t now = rules->now_unix_s;
    uint64_t past = now > CERT_CLOCK_SLACK_S ? now - CERT_CLOCK_SLACK_S : 0;
    int order = ASN1_TIME_cmp_time_t(X509_get0_notAfter(leaf), (time_t)past);

    if (order == -2)
        return KITH_ERR_CERT;
    return order < 0 && now >= rules->floor_unix_s ? KITH_ERR_CLOCK : KITH_OK;
}

/* Keeps cert and its public key in peer, if it is one of ours. */
static int read_node(X509 *cert, struct cert_peer *peer)
{
    uint8_t *p = peer->node_der;
    size_t len = 0;

    if (X509_get_version(cert) != X509_VERSION_3)
        return KITH_ERR_CERT;
    int n = i2d_X509(cert, NULL);
    if (n <= 0 || n > CERT_NODE_MAX || i2d_X509(cert, &p) != n)
        return KITH_ERR_CERT;
    peer->node_len = (size_t)n;
    const uint8_t *spki = find_spki(peer->node_der, peer->node_len, &len);
    if (spki == NULL)
        return KITH_ERR_CERT;
    if (spki_check(spki, len) != KITH_OK)
        return KITH_ERR_KEY;
    memcpy(peer->spki, spki, SPKI_LEN);
    return KITH_OK;
}

/* Whether the key of spki made the signature on cert. */
static int check_signature(X509 *cert, const uint8_t spki[SPKI_LEN])
{
    EVP_PKEY *pkey = spki_pkey(spki);
    if (pkey == NULL)
        return KITH_ERR_CRYPTO;
    bool holds = X509_get_signature_nid(cert) == NID_sha256WithRSAEncryption &&
                 X509_verify(cert, pkey) == 1;
    EVP_PKEY_free(pkey);
    return holds ? KITH_OK : KITH_ERR_CERT;
}

/* Finds the one node certificate of leaf among others, and sets node_der,
 * node_len, spki and id of *out. */
static int find_node(X509 *leaf, X509 *const *others, size_t n_others,
                     X509 **node, struct cert_peer *out)
{
    struct cert_peer candidate = {0};
    int err = KITH_ERR_CERT;

    *node = NULL;
    for (size_t i = 0; i < n_others; i++) {
        X509 *cert = others[i];
        if (X509_NAME_cmp(X509_get_subject_name(cert),
                          X509_get_issuer_name(leaf)) != 0)
            continue;
        int e = read_node(cert, &candidate);
        if (e == KITH_OK)
            e = check_signature(leaf, candidate.spki);
        if (e == KITH_OK && *node != NULL)
            return KITH_ERR_CERT; /* which of the two? */
        if (e == KITH_OK) {
            *node = cert;
            *out = candidate;
        } else if (e != KITH_ERR_CERT) {
            err = e;
        }
    }
    if (*node == NULL)
        return err;
    spki_id(out->spki, &out->id);
    return KITH_OK;
}

/* Whether a path was found in which all above the node are CAs. */
static bool path_holds(X509_STORE_CTX *ctx)
{
    if (X509_verify_cert(ctx) != 1)
        return false;
    STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);
    for (int i = 1; i < sk_X509_num(path); i++) {
        if (X509_check_ca(sk_X509_value(path, i)) != 1)
            return false;
    }
    return sk_X509_num(path) >= 2;
}

/* Path validation of node against the CAs of rules. */
static int check_path(const struct cert_rules *rules, X509 *node,
                      X509 *const *others, size_t n_others)
{
    int err = KITH_ERR_CRYPTO;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *untrusted = sk_X509_new_null();

    if (store == NULL || ctx == NULL || untrusted == NULL)
        goto out;
    for (size_t i = 0; i < rules->n_cas; i++) {
        if (X509_STORE_add_cert(store, rules->cas[i]) != 1)
            goto out;
    }
    for (size_t i = 0; i < n_others; i++) {
        if (others[i] != node && sk_X509_push(untrusted, others[i]) <= 0)
            goto out;
    }
    if (X509_STORE_CTX_init(ctx, store, node, untrusted) != 1)
        goto out;
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME |
                                           X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_depth(param, INTERMEDIATES_MAX);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    err = path_holds(ctx) ? KITH_OK : KITH_ERR_STRANGER;
    if (X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM)
        err = KITH_ERR_CRYPTO;
out:
    sk_X509_free(untrusted);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return err;
}

static int check_member(const struct cert_rules *rules,
                        const uint8_t spki[SPKI_LEN], X509 *node,
                        X509 *const *others, size_t n_others)
{
    if (!rules->open_mesh)
        return check_path(rules, node, others, n_others);
    if (X509_NAME_cmp(X509_get_subject_name(node),
                      X509_get_issuer_name(node)) != 0)
        return KITH_ERR_STRANGER;
    int err = check_signature(node, spki);
    return err == KITH_ERR_CERT ? KITH_ERR_STRANGER : err;
}

/* Copies others without the leaf to rest. */
static int drop_leaf(X509 *leaf, X509 *const *others, size_t n_others,
                     X509 *rest[CERT_OTHERS_MAX], size_t *n_rest)
{
    *n_rest = 0;
    for (size_t i = 0; i < n_others; i++) {
        if (X509_cmp(others[i], leaf) == 0)
            continue;
        if (*n_rest == CERT_OTHERS_MAX)
            return KITH_ERR_CERT;
        rest[(*n_rest)++] = others[i];
    }
    return KITH_OK;
}

static int identify(const struct cert_rules *rules, X509 *leaf,
                    X509 *const *others, size_t n_others, struct cert_peer *out)
{
    X509 *rest[CERT_OTHERS_MAX];
    size_t n_rest = 0;
    X509 *node = NULL;

    int err = drop_leaf(leaf, others, n_others, rest, &n_rest);
    if (err == KITH_OK)
        err = check_leaf(leaf);
    if (err == KITH_OK)
        err = find_node(leaf, rest, n_rest, &node, out);
    if (err == KITH_OK)
        err = check_node(node);
    if (err != KITH_OK)
        return err;
    int why = check_member(rules, out->spki, node, rest, n_rest);
    if (why != KITH_OK && why != KITH_ERR_STRANGER)
        return why;
    out->member = why == KITH_OK;
    out->why = why;
    return check_dates(rules, leaf);
}

int cert_identify(const struct cert_rules *rules, X509 *leaf,
                  X509 *const *others, size_t n_others, struct cert_peer *out)
{
    memset(out, 0, sizeof *out);
    int err = identify(rules, leaf, others, n_others, out);
    if (err != KITH_OK && err != KITH_ERR_CLOCK) {
        memset(out, 0, sizeof *out);
        out->why = err;
    }
    ERR_clear_error();
    return err;
}

int cert_check_chain(const struct cert_rules *rules,
                     const uint8_t spki[SPKI_LEN], const struct cert_der *chain,
                     size_t n)
{
    X509 *certs[CERT_BLOCK_MAX] = {NULL};
    struct cert_peer peer;
    int err = KITH_ERR_CERT;

    if (n == 0 || n > CERT_BLOCK_MAX)
        return KITH_ERR_CERT;
    for (size_t i = 0; i < n; i++) {
        err = cert_parse(&certs[i], chain[i].p, chain[i].n);
        if (err != KITH_OK)
            goto out;
    }
    err = read_node(certs[0], &peer);
    if (err == KITH_OK && memcmp(peer.spki, spki, SPKI_LEN) != 0)
        err = KITH_ERR_KEY;
    if (err == KITH_OK)
        err = check_node(certs[0]);
    if (err == KITH_OK)
        err = check_member(rules, spki, certs[0], certs, n);
out:
    for (size_t i = 0; i < n; i++)
        X509_free(certs[i]);
    ERR_clear_error();
    return err;
}
