/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Full mutual TLS 1.3 handshakes per second on one core: through our tls.c,
 * and beside it through bare OpenSSL, in turn, with the same chains, both
 * ends in this process, joined by memory. The time is CPU time, so other
 * programs disturb little; each number is the best of several rounds.
 *
 * Bare OpenSSL has its own defaults but for this: TLS 1.3 only, no tickets,
 * certificates from both sides, and a verify callback that checks the same
 * signatures as ours (the leaf's and the node certificate's own) and nothing
 * else. Of TLS it leaves out ALPN, of our rules the form of the certificates
 * and the id.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "daemon/tls.h"

enum {
    ROUNDS = 15,
    PER_ROUND = 100,
    BIO_SIZE = 32768, /* more than any flight */
};

static const double target = 0.85;

struct node {
    struct key *key;
    uint8_t der[CERT_NODE_MAX];
    size_t der_len;
    struct tls *tls;
    SSL_CTX *bare;
};

static uint64_t cpu_ns(void)
{
    struct timespec ts = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int bare_verify(X509_STORE_CTX *store, void *arg)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    X509 *node = sk_X509_value(X509_STORE_CTX_get0_untrusted(store), 1);
    EVP_PKEY *key = node ? X509_get0_pubkey(node) : NULL;

    (void)arg;
    return key != NULL && X509_verify(leaf, key) == 1 &&
           X509_verify(node, key) == 1;
}

static bool make_bare(struct node *node)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    struct timespec now = {0};
    struct cert_leaf leaf = {0};
    X509 *cert = NULL;
    bool ok;

    clock_gettime(CLOCK_REALTIME, &now);
    ok = ctx != NULL && cert_parse(&cert, node->der, node->der_len) == 0 &&
         cert_make_leaf(node->key, node->der, node->der_len,
                        (uint64_t)now.tv_sec, 0, &leaf) == KITH_OK &&
         SSL_CTX_use_certificate(ctx, leaf.cert) == 1 &&
         SSL_CTX_use_PrivateKey(ctx, leaf.key) == 1 &&
         SSL_CTX_add1_chain_cert(ctx, cert) == 1 &&
         SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_num_tickets(ctx, 0) == 1;
    if (ok) {
        SSL_CTX_set_verify(
            ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_cert_verify_callback(ctx, bare_verify, NULL);
    }
    cert_leaf_free(&leaf);
    cert_drop(cert);
    node->bare = ctx;
    return ok;
}

static bool make_node(struct node *node)
{
    const struct cert_rules rules = {.open_mesh = true};
    struct cert_der chain = {node->der, 0};

    if (key_generate(&node->key) != KITH_OK ||
        cert_make_node(node->key, node->der, sizeof node->der,
                       &node->der_len) != KITH_OK)
        return false;
    chain.n = node->der_len;
    return tls_new(node->key, &chain, 1, &rules, &node->tls) == KITH_OK &&
           make_bare(node);
}

static void unmake_node(struct node *node)
{
    SSL_CTX_free(node->bare);
    tls_free(node->tls);
    key_free(node->key);
}

static bool join(SSL *a, SSL *b)
{
    BIO *x, *y;

    if (BIO_new_bio_pair(&x, BIO_SIZE, &y, BIO_SIZE) != 1)
        return false;
    SSL_set_bio(a, x, x);
    SSL_set_bio(b, y, y);
    return true;
}

static bool bare_handshake(struct node *a, struct node *b)
{
    SSL *client = SSL_new(a->bare), *server = SSL_new(b->bare);
    bool ok = client != NULL && server != NULL && join(client, server);

    if (ok) {
        SSL_set_connect_state(client);
        SSL_set_accept_state(server);
        SSL_do_handshake(client);
        SSL_do_handshake(server);
        ok = SSL_do_handshake(client) == 1 && SSL_do_handshake(server) == 1;
    }
    SSL_free(client);
    SSL_free(server);
    return ok;
}

static bool our_handshake(struct node *a, struct node *b)
{
    struct tls_conn client = {0}, server = {0};
    bool ok = tls_conn_open(&client, a->tls, false) == KITH_OK &&
              tls_conn_open(&server, b->tls, true) == KITH_OK &&
              join(client.ssl, server.ssl);

    if (ok) {
        tls_conn_handshake(&client);
        tls_conn_handshake(&server);
        ok = tls_conn_handshake(&client) == TLS_DONE &&
             tls_conn_handshake(&server) == TLS_DONE;
    }
    tls_conn_close(&client);
    tls_conn_close(&server);
    return ok;
}

/* Lowers *best to the time that one handshake took in this round. */
static bool run_round(bool (*handshake)(struct node *, struct node *),
                      struct node *a, struct node *b, double *best_ns)
{
    uint64_t start = cpu_ns();
    double ns;

    for (int i = 0; i < PER_ROUND; i++) {
        if (!handshake(a, b))
            return false;
    }
    ns = (double)(cpu_ns() - start) / PER_ROUND;
    if (*best_ns == 0 || ns < *best_ns)
        *best_ns = ns;
    return true;
}

int main(void)
{
    struct node *nodes = calloc(2, sizeof *nodes);
    double ours = 0, bare = 0;
    bool ok = nodes != NULL && make_node(&nodes[0]) && make_node(&nodes[1]);

    for (int i = 0; i < ROUNDS && ok; i++)
        ok = run_round(bare_handshake, &nodes[0], &nodes[1], &bare) &&
             run_round(our_handshake, &nodes[0], &nodes[1], &ours);
    if (ok) {
        double ratio = bare / ours;
        printf("%s, handshakes per second and core, both ends\n",
               OpenSSL_version(OPENSSL_VERSION));
        printf("bare %.0f  ours %.0f  ratio %.2f  target %.2f  %s\n",
               1e9 / bare, 1e9 / ours, ratio, target,
               ratio >= target ? "met" : "MISSED");
    } else {
        fprintf(stderr, "a handshake failed\n");
    }
    if (nodes != NULL) {
        unmake_node(&nodes[0]);
        unmake_node(&nodes[1]);
    }
    free(nodes);
    return ok ? 0 : 1;
}
