/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_CERT_H
#define KITH_CRYPTO_CERT_H

#include "crypto/key.h"

/*
 * Certificates: making our own (cert.c), and finding out who presented a
 * chain (cert_check.c).
 *
 * A node shows a leaf, made at each start and signed by the node key; the node
 * certificate, self-signed or issued by a CA of the mesh; and at most two
 * intermediates. A node certificate is an end entity
 * to the CA, so the leaf cannot be reached by ordinary path building: it is
 * checked against the node key by hand, and path building ends at the node
 * certificate.
 */

/* OpenSSL's own; no header of OpenSSL is needed to pass them on. */
typedef struct x509_st X509;
typedef struct evp_pkey_st EVP_PKEY;

enum {
    CERT_NODE_MAX = 2048,       /* bytes of a node certificate */
    CERT_SELF_SIGNED_MAX = 770, /* bytes of one that cert_make_node makes */
    CERT_OTHERS_MAX = 4,        /* certificates that a peer may show besides
                                 * the leaf */
    CERT_BLOCK_MAX = 3,         /* node certificate and intermediates */
    CERT_LEAF_DAYS = 7,         /* lifetime of a leaf */
    CERT_CLOCK_SLACK_S = 48 * 3600,
};

/* Writes a self-signed certificate of key as DER to der, which has room for
 * cap bytes (CERT_SELF_SIGNED_MAX is always enough), and its length to *len:
 * CN "kith", valid from 2000 to 9999, CA:FALSE, a random serial number,
 * nothing else. Returns KITH_OK, KITH_ERR_RANGE when cap is too small,
 * KITH_ERR_CRYPTO. */
int cert_make_node(const struct key *key, uint8_t *der, size_t cap,
                   size_t *len);

/* What a node shows in TLS: a fresh P-256 key and its certificate. */
struct cert_leaf {
    X509 *cert;
    EVP_PKEY *key;
};

/* Makes a leaf under node's key: issuer is the subject of the node certificate
 * node_der (n bytes of DER), CN "kith tls", CA:FALSE, for digital signatures
 * as TLS server and client, valid from 2000 until 7 days after now_unix_s; or
 * until 9999 when now_unix_s is below floor_unix_s, so when the clock is known
 * to be wrong. *out belongs to the caller, for cert_leaf_free. Returns
 * KITH_OK; KITH_ERR_CERT when node_der is malformed or not of that key;
 * KITH_ERR_CRYPTO. On error both pointers in *out are NULL. */
int cert_make_leaf(const struct key *node, const uint8_t *node_der, size_t n,
                   uint64_t now_unix_s, uint64_t floor_unix_s,
                   struct cert_leaf *out);

/* Wipes and frees what is in the leaf, and sets it to NULL. */
void cert_leaf_free(struct cert_leaf *leaf);

/* Reads one certificate, exactly n bytes of DER; *out belongs to the caller,
 * for cert_drop. Returns KITH_OK, or KITH_ERR_CERT with *out NULL. */
int cert_parse(X509 **out, const uint8_t *der, size_t n);

/* As cert_parse, and KITH_ERR_CERT also when it is no CA certificate (RFC
 * 5280, section 4.2.1.9). */
int cert_parse_ca(X509 **out, const uint8_t *der, size_t n);

/* Frees a certificate; NULL is allowed. */
void cert_drop(X509 *cert);

/* Who counts as a member, and what time it is here. */
struct cert_rules {
    bool open_mesh; /* members are self-signed; else the CAs' */
    X509 **cas;     /* trust anchors of a private mesh, the caller's */
    size_t n_cas;
    uint64_t now_unix_s;
    uint64_t floor_unix_s; /* below it, now is known to be wrong */
};

/* Who presented a chain. */
struct cert_peer {
    struct node_id id;
    uint8_t spki[SPKI_LEN];
    bool member;
    int why; /* KITH_OK for a member, else KITH_ERR_STRANGER, or the error */
    uint8_t node_der[CERT_NODE_MAX];
    size_t node_len;
};

/*
 * Settles who presented leaf, with others, the rest of the chain, in any
 * order: the n_others certificates may hold the leaf again, and at most
 * CERT_OTHERS_MAX others. TLS has proved that the peer holds the key of the
 * leaf.
 *
 *  1. The leaf is X.509 v3, well formed, P-256 (named curve, uncompressed),
 *     signed with sha256WithRSAEncryption, says CA:FALSE, is for digital
 *     signatures if it limits its use, and for TLS server and client both.
 *  2. Exactly one of others is the node certificate: its subject is the
 *     leaf's issuer, its encoded SubjectPublicKeyInfo passes spki_check, and
 *     that key verifies the leaf. Then id and spki are known.
 *  3. The node certificate is X.509 v3, well formed, no CA, and at most
 *     CERT_NODE_MAX bytes.
 *  4. The leaf has not expired by more than 48 hours, unless now is below
 *     floor.
 *  5. Member: see cert_check_chain. Never an error.
 *
 * Returns KITH_OK; KITH_ERR_KEY when the only certificates of the leaf's
 * issuer have keys that are not accepted; KITH_ERR_CERT for all else in 1 to
 * 3, and for too many certificates; KITH_ERR_CLOCK for 4 alone; KITH_ERR_CRYPTO
 * when out of memory. On KITH_OK and KITH_ERR_CLOCK all of *out is set, else
 * only why. The certificates stay the caller's; OpenSSL fills caches in them.
 */
int cert_identify(const struct cert_rules *rules, X509 *leaf,
                  X509 *const *others, size_t n_others, struct cert_peer *out);

/* One certificate as DER. */
struct cert_der {
    const uint8_t *p;
    size_t n;
};

/*
 * Whether the node certificate chain[0], with chain[1] and chain[2] as
 * possible intermediates, makes the key spki a member. Dates play no part, so
 * that the answer is the same everywhere and always.
 *
 * Open mesh: it is its own issuer, and sha256WithRSAEncryption by its own key
 * holds; intermediates are not looked at. Private mesh: RFC 5280 path
 * validation, without dates, as an end entity under one of the CAs, over at
 * most two intermediates; every key and signature of the path has at least
 * 112 bits of strength (RSA-2048, SHA-224), and every issuer is a CA.
 *
 * Returns KITH_OK; KITH_ERR_STRANGER when it is no member; KITH_ERR_CERT when
 * a certificate is malformed, n is 0 or above CERT_BLOCK_MAX, or the node
 * certificate breaks rule 3 of cert_identify; KITH_ERR_KEY when it is not one
 * of spki; KITH_ERR_CRYPTO when out of memory. The dates in rules are not used.
 */
int cert_check_chain(const struct cert_rules *rules,
                     const uint8_t spki[SPKI_LEN], const struct cert_der *chain,
                     size_t n);

#endif
