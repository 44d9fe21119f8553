/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* clock_gettime */
#include "daemon/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/tls1.h>

#include "base/error.h"
#include "crypto/key.h"

/* Lists of names as ALPN has them: each with its length before it. */
static const uint8_t alpn_own[] = "\x06kith/1";
static const uint8_t alpn_plain[] = "\x02h2";

struct tls {
    SSL_CTX *ctx;
    const struct key *key;
    uint8_t node[CERT_NODE_MAX]; /* DER of the node certificate */
    size_t node_len;
    STACK_OF(X509) * upper; /* node certificate and intermediates */
    struct cert_rules rules;
    X509 *cas[TLS_CAS_MAX];
};

static uint64_t unix_now_s(void)
{
    struct timespec ts = {0};

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec > 0 ? (uint64_t)ts.tv_sec : 0;
}

/* What OpenSSL makes the alert of that the other side gets. */
static int alert_error(int err)
{
    switch (err) {
    case KITH_ERR_CLOCK:
        return X509_V_ERR_CERT_HAS_EXPIRED; /* certificate_expired */
    case KITH_ERR_KEY:
        return X509_V_ERR_INVALID_PURPOSE; /* unsupported_certificate */
    case KITH_ERR_CERT:
        return X509_V_ERR_CERT_REJECTED; /* bad_certificate */
    default:
        return X509_V_ERR_UNSPECIFIED; /* internal_error */
    }
}

static int identify(const struct tls *tls, X509_STORE_CTX *store,
                    struct cert_peer *peer)
{
    struct cert_rules rules = tls->rules;
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    X509 *certs[CERT_OTHERS_MAX + 1]; /* and the leaf */
    int n = sk_X509_num(sent);

    if (n > CERT_OTHERS_MAX + 1)
        return KITH_ERR_CERT;
    for (int i = 0; i < n; i++)
        certs[i] = sk_X509_value(sent, i);
    rules.now_unix_s = unix_now_s();
    return cert_identify(&rules, X509_STORE_CTX_get0_cert(store), certs,
                         (size_t)n, peer);
}

static int on_verify(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_conn *conn = SSL_get_app_data(ssl);
    int rc = identify(arg, store, &conn->peer);

    conn->refused = rc;
    conn->identified = rc == KITH_OK || rc == KITH_ERR_CLOCK;
    X509_STORE_CTX_set_error(store, rc ? alert_error(rc) : X509_V_OK);
    return rc == KITH_OK;
}

static int on_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len,
                   const uint8_t *in, unsigned in_len, void *arg)
{
    static const struct {
        const uint8_t *list;
        unsigned len;
    } known[] = {
        {alpn_own, sizeof alpn_own - 1},
        {alpn_plain, sizeof alpn_plain - 1},
    };
    uint8_t *pick;

    (void)ssl;
    (void)arg;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        int rc = SSL_select_next_proto(&pick, out_len, known[i].list,
                                       known[i].len, in, in_len);
        if (rc == OPENSSL_NPN_NEGOTIATED) {
            *out = pick;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* on_alpn() is not called for a client that offers nothing at all. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const uint8_t *ext;
    size_t len;

    (void)arg;
    if (SSL_client_hello_get0_ext(
            ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &ext,
            &len))
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int setup_ctx(struct tls *tls)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    int groups[] = {NID_X25519, NID_X9_62_prime256v1};

    tls->ctx = ctx;
    if (ctx == NULL)
        return KITH_ERR_NOMEM;
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_max_cert_list(ctx, TLS_CERT_LIST_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                       NULL);
    SSL_CTX_set_cert_verify_callback(ctx, on_verify, tls);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    /* SSL_CTX_set_alpn_protos() alone returns 0 for success */
    if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
        !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
        !SSL_CTX_set_num_tickets(ctx, 0) ||
        !SSL_CTX_set1_groups(ctx, groups, sizeof groups / sizeof *groups) ||
        SSL_CTX_set_alpn_protos(ctx, alpn_own, sizeof alpn_own - 1))
        return KITH_ERR_CRYPTO;
    return KITH_OK;
}

static int push_cert(STACK_OF(X509) * stack, const struct cert_der *der)
{
    X509 *cert;
    int rc = cert_parse(&cert, der->p, der->n);

    if (rc == KITH_OK && !sk_X509_push(stack, cert)) {
        cert_drop(cert);
        rc = KITH_ERR_NOMEM;
    }
    return rc;
}

static void drop_certs(STACK_OF(X509) * stack)
{
    sk_X509_pop_free(stack, X509_free);
}

static int parse_chain(const struct cert_der *chain, size_t n,
                       STACK_OF(X509) * *out)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    int rc = stack ? KITH_OK : KITH_ERR_NOMEM;

    for (size_t i = 0; i < n && rc == KITH_OK; i++)
        rc = push_cert(stack, &chain[i]);
    if (rc != KITH_OK)
        drop_certs(stack);
    else
        *out = stack;
    return rc;
}

/* Gives the context a fresh leaf that stands on this chain. */
static int use_chain(struct tls *tls, const uint8_t *node, size_t node_len,
                     STACK_OF(X509) * upper)
{
    struct cert_leaf leaf = {0};
    int rc = cert_make_leaf(tls->key, node, node_len, unix_now_s(),
                            tls->rules.floor_unix_s, &leaf);

    if (rc == KITH_OK &&
        !SSL_CTX_use_cert_and_key(tls->ctx, leaf.cert, leaf.key, upper, 1)) {
        ERR_clear_error();
        rc = KITH_ERR_CRYPTO;
    }
    cert_leaf_free(&leaf);
    return rc;
}

int tls_set_chain(struct tls *tls, const struct cert_der *chain, size_t n)
{
    STACK_OF(X509) *upper = NULL;
    int rc;

    if (n < 1 || n > CERT_BLOCK_MAX || chain->n > sizeof tls->node)
        return KITH_ERR_RANGE;
    rc = parse_chain(chain, n, &upper);
    if (rc != KITH_OK)
        return rc;
    rc = use_chain(tls, chain->p, chain->n, upper);
    if (rc != KITH_OK) {
        drop_certs(upper);
        return rc;
    }
    memcpy(tls->node, chain->p, chain->n);
    tls->node_len = chain->n;
    drop_certs(tls->upper);
    tls->upper = upper;
    return KITH_OK;
}

int tls_renew_leaf(struct tls *tls)
{
    return use_chain(tls, tls->node, tls->node_len, tls->upper);
}

int tls_set_rules(struct tls *tls, const struct cert_rules *rules)
{
    if (rules->n_cas > TLS_CAS_MAX)
        return KITH_ERR_RANGE;
    /* first up, then down: they may be the same ones */
    for (size_t i = 0; i < rules->n_cas; i++)
        X509_up_ref(rules->cas[i]);
    for (size_t i = 0; i < tls->rules.n_cas; i++)
        X509_free(tls->cas[i]);
    for (size_t i = 0; i < rules->n_cas; i++)
        tls->cas[i] = rules->cas[i];
    tls->rules = *rules;
    tls->rules.cas = tls->cas;
    return KITH_OK;
}

int tls_new(const struct key *key, const struct cert_der *chain, size_t n,
            const struct cert_rules *rules, struct tls **out)
{
    struct tls *tls = calloc(1, sizeof *tls);
    int rc;

    if (tls == NULL)
        return KITH_ERR_NOMEM;
    tls->key = key;
    rc = tls_set_rules(tls, rules);
    if (rc == KITH_OK)
        rc = setup_ctx(tls);
    if (rc == KITH_OK)
        rc = tls_set_chain(tls, chain, n);
    if (rc != KITH_OK) {
        ERR_clear_error();
        tls_free(tls);
        return rc;
    }
    *out = tls;
    return KITH_OK;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->ctx);
    for (size_t i = 0; i < tls->rules.n_cas; i++)
        X509_free(tls->cas[i]);
    drop_certs(tls->upper);
    free(tls);
}

int tls_conn_open(struct tls_conn *conn, struct tls *tls, bool server)
{
    SSL *ssl = SSL_new(tls->ctx);

    if (ssl == NULL) {
        ERR_clear_error();
        return KITH_ERR_NOMEM;
    }
    SSL_set_app_data(ssl, conn);
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    conn->ssl = ssl;
    conn->server = server;
    return KITH_OK;
}

void tls_conn_close(struct tls_conn *conn)
{
    if (conn->ssl != NULL && conn->up) {
        SSL_shutdown(conn->ssl);
        ERR_clear_error();
    }
    SSL_free(conn->ssl);
    *conn = (struct tls_conn){0};
}

static void set_reason(struct tls_conn *conn, const char *text)
{
    snprintf(conn->reason, sizeof conn->reason, "%s", text);
}

/* TLS ended with an error on OpenSSL's queue: put it into words. */
static enum tls_io broken(struct tls_conn *conn)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());

    if (conn->refused != KITH_OK)
        snprintf(conn->reason, sizeof conn->reason, "peer's certificate: %s",
                 err_str(conn->refused));
    else
        set_reason(conn, text ? text : "TLS failed");
    conn->up = false; /* OpenSSL allows no goodbye now */
    return TLS_BROKEN;
}

static enum tls_io lost(struct tls_conn *conn, int sys_err)
{
    set_reason(conn, sys_err ? strerror(sys_err) : "closed by the peer");
    return TLS_LOST;
}

/* Sorts out why an operation that returned rc did not succeed. */
static enum tls_io outcome(struct tls_conn *conn, int rc)
{
    int sys_err = errno;
    enum tls_io io;

    switch (SSL_get_error(conn->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    case SSL_ERROR_SYSCALL:
        io = lost(conn, sys_err);
        break;
    default:
        if (ERR_GET_REASON(ERR_peek_error()) ==
            SSL_R_UNEXPECTED_EOF_WHILE_READING)
            io = lost(conn, 0);
        else
            io = broken(conn);
        break;
    }
    ERR_clear_error();
    return io;
}

/* The client's share of what on_alpn() does. */
static bool alpn_agreed(const struct tls_conn *conn)
{
    const uint8_t *name;
    unsigned len;

    if (conn->server)
        return true;
    SSL_get0_alpn_selected(conn->ssl, &name, &len);
    return len == alpn_own[0] && memcmp(name, alpn_own + 1, len) == 0;
}

enum tls_io tls_conn_handshake(struct tls_conn *conn)
{
    int rc;

    ERR_clear_error();
    errno = 0;
    rc = SSL_do_handshake(conn->ssl);
    if (rc != 1)
        return outcome(conn, rc);
    if (!alpn_agreed(conn)) {
        set_reason(conn, "no common application protocol");
        return TLS_BROKEN;
    }
    /* No known way leads here; one would be the worst hole of all. */
    if (!conn->identified || conn->refused != KITH_OK ||
        SSL_session_reused(conn->ssl)) {
        set_reason(conn, "peer not identified");
        return TLS_BROKEN;
    }
    conn->up = true;
    return TLS_DONE;
}

enum tls_io tls_conn_read(struct tls_conn *conn, uint8_t *buf, size_t cap,
                          size_t *n)
{
    int rc;

    ERR_clear_error();
    errno = 0;
    rc = SSL_read_ex(conn->ssl, buf, cap, n);
    return rc == 1 ? TLS_DONE : outcome(conn, rc);
}

enum tls_io tls_conn_write(struct tls_conn *conn, const uint8_t *buf,
                           size_t len, size_t *n)
{
    int rc;

    assert(len > 0);
    ERR_clear_error();
    errno = 0;
    rc = SSL_write_ex(conn->ssl, buf, len, n);
    return rc == 1 ? TLS_DONE : outcome(conn, rc);
}
