/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <time.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "crypto/cert.h"
#include "crypto/key_impl.h"

enum {
    SERIAL_LEN = 8,
    DAY_S = 86400
};

static const char first_date[] = "20000101000000Z";
static const char last_date[] = "99991231235959Z";
static const uint64_t last_date_unix_s = 253402300799;

static bool set_serial(X509 *cert)
{
    uint8_t b[SERIAL_LEN];

    if (RAND_bytes(b, sizeof b) != 1)
        return false;
    b[0] = (uint8_t)((b[0] & 0x7f) | 0x40); /* positive, always 8 bytes */
    BIGNUM *n = BN_bin2bn(b, sizeof b, NULL);
    bool ok =
        n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return ok;
}

static bool set_name(X509_NAME *name, const char *cn)
{
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)cn, -1, -1,
                                      0) == 1;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = ext != NULL && X509_add_ext(cert, ext, -1) == 1;

    X509_EXTENSION_free(ext);
    return ok;
}

/* What all our certificates have. */
static X509 *new_cert(const char *cn, EVP_PKEY *pkey)
{
    X509 *cert = X509_new();

    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
        set_serial(cert) && set_name(X509_get_subject_name(cert), cn) &&
        ASN1_TIME_set_string_X509(X509_getm_notBefore(cert), first_date) == 1 &&
        ASN1_TIME_set_string_X509(X509_getm_notAfter(cert), last_date) == 1 &&
        X509_set_pubkey(cert, pkey) == 1 &&
        add_extension(cert, NID_basic_constraints, "critical,CA:FALSE"))
        return cert;
    X509_free(cert);
    return NULL;
}

int cert_make_node(const struct key *key, uint8_t *der, size_t cap, size_t *len)
{
    int err = KITH_ERR_CRYPTO;
    X509 *cert = new_cert("kith", key->pkey);

    if (cert == NULL ||
        X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        X509_sign(cert, key->pkey, EVP_sha256()) == 0)
        goto out;
    int n = i2d_X509(cert, NULL);
    if (n <= 0)
        goto out;
    err = KITH_ERR_RANGE;
    if ((size_t)n > cap)
        goto out;
    *len = (size_t)i2d_X509(cert, &der);
    err = KITH_OK;
out:
    X509_free(cert);
    if (err != KITH_OK)
        ERR_clear_error();
    return err;
}

static bool set_leaf_end(X509 *leaf, uint64_t now, uint64_t floor)
{
    const uint64_t lifetime = (uint64_t)CERT_LEAF_DAYS * DAY_S;

    if (now < floor || now > last_date_unix_s - lifetime)
        return true; /* 9999, as new_cert leaves it */
    return ASN1_TIME_set(X509_getm_notAfter(leaf), (time_t)(now + lifetime)) !=
           NULL;
}

static X509 *sign_leaf(const struct key *node, const X509 *node_cert,
                       EVP_PKEY *pkey, uint64_t now, uint64_t floor)
{
    X509 *leaf = new_cert("kith tls", pkey);

    if (leaf != NULL && set_leaf_end(leaf, now, floor) &&
        X509_set_issuer_name(leaf, X509_get_subject_name(node_cert)) == 1 &&
        add_extension(leaf, NID_key_usage, "critical,digitalSignature") &&
        add_extension(leaf, NID_ext_key_usage, "serverAuth,clientAuth") &&
        X509_sign(leaf, node->pkey, EVP_sha256()) != 0)
        return leaf;
    X509_free(leaf);
    return NULL;
}

int cert_make_leaf(const struct key *node, const uint8_t *node_der, size_t n,
                   uint64_t now_unix_s, uint64_t floor_unix_s,
                   struct cert_leaf *out)
{
    X509 *node_cert = NULL;

    *out = (struct cert_leaf){NULL, NULL};
    int err = cert_parse(&node_cert, node_der, n);
    if (err != KITH_OK)
        return err;
    err = KITH_ERR_CERT;
    EVP_PKEY *pkey = X509_get0_pubkey(node_cert);
    if (pkey == NULL || EVP_PKEY_eq(pkey, node->pkey) != 1)
        goto out;
    err = KITH_ERR_CRYPTO;
    out->key = EVP_EC_gen("P-256");
    if (out->key == NULL)
        goto out;
    out->cert = sign_leaf(node, node_cert, out->key, now_unix_s, floor_unix_s);
    if (out->cert != NULL)
        err = KITH_OK;
out:
    X509_free(node_cert);
    if (err != KITH_OK) {
        cert_leaf_free(out);
        ERR_clear_error();
    }
    return err;
}

void cert_leaf_free(struct cert_leaf *leaf)
{
    X509_free(leaf->cert);
    EVP_PKEY_free(leaf->key);
    *leaf = (struct cert_leaf){NULL, NULL};
}

int cert_parse(X509 **out, const uint8_t *der, size_t n)
{
    const uint8_t *p = der;

    *out = NULL;
    if (n == 0 || n > LONG_MAX)
        return KITH_ERR_CERT;
    X509 *cert = d2i_X509(NULL, &p, (long)n);
    if (cert == NULL || p != der + n) {
        X509_free(cert);
        ERR_clear_error();
        return KITH_ERR_CERT;
    }
    *out = cert;
    return KITH_OK;
}

int cert_parse_ca(X509 **out, const uint8_t *der, size_t n)
{
    int err = cert_parse(out, der, n);

    if (err == KITH_OK && X509_check_ca(*out) != 1) {
        cert_drop(*out);
        *out = NULL;
        err = KITH_ERR_CERT;
    }
    return err;
}

void cert_drop(X509 *cert)
{
    X509_free(cert);
}
