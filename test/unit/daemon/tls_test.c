/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "unit/daemon/h2_rig.h"

#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* Two ends joined by memory, without sockets: ours on the one side, ours or
 * plain OpenSSL on the other. */

/* ALPN lists. */
static const uint8_t kith1[] = "\x06kith/1";
static const uint8_t h2[] = "\x02h2";
static const uint8_t both[] = "\x02h2\x06kith/1";
static const uint8_t http11[] = "\x08http/1.1";

/* A plain context; what a test wants different it sets. leaf may be NULL. */
static SSL_CTX *plain_ctx(const struct cert_leaf *leaf,
                          const struct rig_node *node, const uint8_t *alpn)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    X509 *cert = NULL;

    assert_non_null(ctx);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    if (leaf != NULL) {
        assert_true(SSL_CTX_use_certificate(ctx, leaf->cert));
        assert_true(SSL_CTX_use_PrivateKey(ctx, leaf->key));
    }
    if (leaf != NULL && node != NULL) {
        assert_int_equal(cert_parse(&cert, node->der, node->der_len), KITH_OK);
        assert_true(SSL_CTX_add1_chain_cert(ctx, cert));
        cert_drop(cert);
    }
    if (alpn != NULL)
        assert_int_equal(SSL_CTX_set_alpn_protos(
                             ctx, alpn, (unsigned)strlen((const char *)alpn)),
                         0);
    return ctx;
}

static uint64_t now_s(void)
{
    struct timespec ts;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &ts), 0);
    return (uint64_t)ts.tv_sec;
}

static void leaf_of(const struct rig_node *node, uint64_t now,
                    struct cert_leaf *leaf)
{
    assert_int_equal(
        cert_make_leaf(node->key, node->der, node->der_len, now, 0, leaf),
        KITH_OK);
}

static SSL *plain_end(SSL_CTX *ctx, bool server)
{
    SSL *ssl = SSL_new(ctx);

    assert_non_null(ssl);
    if (server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    return ssl;
}

static void join(SSL *a, SSL *b)
{
    BIO *x, *y;

    assert_true(BIO_new_bio_pair(&x, 65536, &y, 65536));
    SSL_set_bio(a, x, x);
    SSL_set_bio(b, y, y);
}

/* Handshakes until nothing moves. Returns how our end came out; the plain
 * one is read from too, as a refusal arrives only there. */
static enum tls_io shake_plain(struct tls_conn *conn, SSL *plain)
{
    enum tls_io io = TLS_WANT_READ;
    uint8_t byte;

    for (int i = 0; i < 10; i++) {
        ERR_clear_error();
        if (SSL_do_handshake(plain) == 1)
            (void)SSL_read(plain, &byte, 1);
        if (io == TLS_WANT_READ)
            io = tls_conn_handshake(conn);
    }
    return io;
}

/* Notes the last alert that the plain end received. */
static void on_info(const SSL *ssl, int where, int value)
{
    int *alert = SSL_get_app_data(ssl);

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        *alert = value & 0xff;
}

static void free_conn(struct tls_conn *conn)
{
    tls_conn_close(conn);
    assert_null(conn->ssl);
}

/* A server of ours against a plain client with this context, which is
 * freed. Checks how it comes out, and which alert the client gets, or -1. */
static void try_client(struct rig *rig, SSL_CTX *ctx, enum tls_io want,
                       int alert, int refused)
{
    struct tls_conn conn = {0};
    SSL *plain = plain_end(ctx, false);
    int got = -1;

    SSL_set_app_data(plain, &got);
    SSL_set_info_callback(plain, on_info);
    assert_int_equal(tls_conn_open(&conn, rig->b.tls, true), KITH_OK);
    join(conn.ssl, plain);
    assert_int_equal(shake_plain(&conn, plain), want);
    assert_int_equal(conn.up, want == TLS_DONE);
    assert_int_equal(got, alert);
    assert_int_equal(conn.refused, refused);
    if (want != TLS_DONE)
        assert_string_not_equal(conn.reason, "");
    SSL_free(plain);
    free_conn(&conn);
    SSL_CTX_free(ctx);
}

/* Our two ends. */
struct pair {
    struct tls_conn client;
    struct tls_conn server;
};

static void open_pair(struct rig *rig, struct pair *p)
{
    enum tls_io io[2] = {TLS_WANT_READ, TLS_WANT_READ};

    *p = (struct pair){0};
    assert_int_equal(tls_conn_open(&p->client, rig->a.tls, false), KITH_OK);
    assert_int_equal(tls_conn_open(&p->server, rig->b.tls, true), KITH_OK);
    join(p->client.ssl, p->server.ssl);
    for (int i = 0; i < 10; i++) {
        if (io[0] == TLS_WANT_READ)
            io[0] = tls_conn_handshake(&p->client);
        if (io[1] == TLS_WANT_READ)
            io[1] = tls_conn_handshake(&p->server);
    }
    assert_int_equal(io[0], TLS_DONE);
    assert_int_equal(io[1], TLS_DONE);
}

static void close_pair(struct pair *p)
{
    free_conn(&p->client);
    free_conn(&p->server);
}

static void both_sides_know_each_other(void **state)
{
    struct rig *rig = *state;
    struct pair p;
    const uint8_t *alpn;
    unsigned len;

    open_pair(rig, &p);
    assert_true(node_id_equal(&p.client.peer.id, &rig->b.id));
    assert_true(node_id_equal(&p.server.peer.id, &rig->a.id));
    assert_true(p.client.peer.member && p.server.peer.member);
    assert_int_equal(SSL_version(p.client.ssl), TLS1_3_VERSION);
    SSL_get0_alpn_selected(p.server.ssl, &alpn, &len);
    assert_int_equal(len, 6);
    assert_memory_equal(alpn, "kith/1", 6);
    close_pair(&p);
}

static void carries_data(void **state)
{
    struct rig *rig = *state;
    struct pair p;
    uint8_t buf[16];
    size_t n = 0;

    open_pair(rig, &p);
    assert_int_equal(tls_conn_read(&p.server, buf, sizeof buf, &n),
                     TLS_WANT_READ);
    assert_int_equal(tls_conn_write(&p.client, (const uint8_t *)"abc", 3, &n),
                     TLS_DONE);
    assert_int_equal(n, 3);
    assert_int_equal(tls_conn_read(&p.server, buf, 2, &n), TLS_DONE);
    assert_int_equal(n, 2);
    assert_int_equal(tls_conn_read(&p.server, buf, 2, &n), TLS_DONE);
    assert_int_equal(n, 1);
    assert_int_equal(buf[0], 'c');
    close_pair(&p);
}

/* A full transport takes no more, and then goes on where it stopped. */
static void writes_in_parts(void **state)
{
    enum {
        LEN = 100000
    };
    struct rig *rig = *state;
    struct pair p;
    uint8_t *data = malloc(LEN), buf[16384];
    size_t sent = 0, got = 0, n;
    unsigned blocked = 0;

    assert_non_null(data);
    for (size_t i = 0; i < LEN; i++)
        data[i] = rig_byte(i);
    open_pair(rig, &p);
    while (got < LEN) {
        enum tls_io io = TLS_WANT_WRITE;
        if (sent < LEN)
            io = tls_conn_write(&p.client, data + sent, LEN - sent, &n);
        if (io == TLS_DONE) {
            sent += n;
            continue;
        }
        assert_int_equal(io, TLS_WANT_WRITE);
        blocked++;
        assert_int_equal(tls_conn_read(&p.server, buf, sizeof buf, &n),
                         TLS_DONE);
        assert_memory_equal(buf, data + got, n);
        got += n;
    }
    assert_true(blocked > 0);
    close_pair(&p);
    free(data);
}

static void tells_goodbye_from_loss(void **state)
{
    struct rig *rig = *state;
    struct pair p;
    uint8_t byte;
    size_t n;

    open_pair(rig, &p);
    assert_int_equal(SSL_shutdown(p.client.ssl), 0);
    assert_int_equal(tls_conn_read(&p.server, &byte, 1, &n), TLS_CLOSED);
    close_pair(&p);

    open_pair(rig, &p);
    BIO_shutdown_wr(SSL_get_wbio(p.client.ssl));
    assert_int_equal(tls_conn_read(&p.server, &byte, 1, &n), TLS_LOST);
    assert_string_not_equal(p.server.reason, "");
    close_pair(&p);

    open_pair(rig, &p);
    assert_int_equal(BIO_write(SSL_get_wbio(p.client.ssl), "garbage", 7), 7);
    assert_int_equal(tls_conn_read(&p.server, &byte, 1, &n), TLS_BROKEN);
    assert_string_not_equal(p.server.reason, "");
    close_pair(&p);
}

/* What goes over the line: nothing in the open names a node. Everything from
 * the certificates on is encrypted in TLS 1.3. */
static void names_nobody_in_the_clear(void **state)
{
    struct rig *rig = *state;
    struct tls_conn client = {0}, server = {0};
    BIO *line[2] = {BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem())};
    enum tls_io io = TLS_WANT_READ;
    char *bytes;
    long n;

    assert_int_equal(tls_conn_open(&client, rig->a.tls, false), KITH_OK);
    assert_int_equal(tls_conn_open(&server, rig->b.tls, true), KITH_OK);
    SSL_set_bio(client.ssl, BIO_new(BIO_s_mem()), line[0]);
    SSL_set_bio(server.ssl, BIO_new(BIO_s_mem()), line[1]);
    for (int i = 0; i < 4; i++) {
        struct tls_conn *from = i % 2 ? &server : &client;
        struct tls_conn *to = i % 2 ? &client : &server;
        (void)tls_conn_handshake(from);
        n = BIO_get_mem_data(SSL_get_wbio(from->ssl), &bytes);
        for (size_t j = 0; j + 8 <= NODE_ID_LEN; j++) {
            assert_null(memmem(bytes, (size_t)n, rig->a.id.b + j, 8));
            assert_null(memmem(bytes, (size_t)n, rig->b.id.b + j, 8));
        }
        assert_int_equal(BIO_write(SSL_get_rbio(to->ssl), bytes, (int)n), n);
        (void)BIO_reset(SSL_get_wbio(from->ssl));
        io = tls_conn_handshake(to);
    }
    assert_int_equal(io, TLS_DONE);
    free_conn(&client);
    free_conn(&server);
}

static void alpn_of_clients(void **state)
{
    static const struct {
        const uint8_t *list;
        enum tls_io want;
        int alert;
    } cases[] = {
        {kith1, TLS_DONE, -1},
        {h2, TLS_DONE, -1},
        {both, TLS_DONE, -1},
        {http11, TLS_BROKEN, SSL_AD_NO_APPLICATION_PROTOCOL},
        {NULL, TLS_BROKEN, SSL_AD_NO_APPLICATION_PROTOCOL},
    };
    struct rig *rig = *state;
    struct cert_leaf leaf;

    leaf_of(&rig->a, now_s(), &leaf);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        try_client(rig, plain_ctx(&leaf, &rig->a, cases[i].list), cases[i].want,
                   cases[i].alert, KITH_OK);
    cert_leaf_free(&leaf);
}

/* A server that ignores ALPN. */
static void alpn_of_servers(void **state)
{
    struct rig *rig = *state;
    struct tls_conn conn = {0};
    struct cert_leaf leaf;
    SSL_CTX *ctx;
    SSL *plain;

    leaf_of(&rig->b, now_s(), &leaf);
    ctx = plain_ctx(&leaf, &rig->b, NULL);
    plain = plain_end(ctx, true);
    assert_int_equal(tls_conn_open(&conn, rig->a.tls, false), KITH_OK);
    join(conn.ssl, plain);
    assert_int_equal(shake_plain(&conn, plain), TLS_BROKEN);
    assert_false(conn.up);
    SSL_free(plain);
    SSL_CTX_free(ctx);
    free_conn(&conn);
    cert_leaf_free(&leaf);
}

static void older_tls_is_refused(void **state)
{
    struct rig *rig = *state;
    struct cert_leaf leaf;
    SSL_CTX *ctx;

    leaf_of(&rig->a, now_s(), &leaf);
    ctx = plain_ctx(&leaf, &rig->a, kith1);
    assert_true(SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION));
    try_client(rig, ctx, TLS_BROKEN, SSL_AD_PROTOCOL_VERSION, KITH_OK);
    cert_leaf_free(&leaf);
}

static void certificates_are_required(void **state)
{
    struct rig *rig = *state;

    try_client(rig, plain_ctx(NULL, NULL, kith1), TLS_BROKEN,
               SSL_AD_CERTIFICATE_REQUIRED, KITH_OK);
}

static void bad_chains_are_refused(void **state)
{
    struct rig *rig = *state;
    struct cert_leaf leaf, old;
    SSL_CTX *ctx;
    X509 *cert;

    leaf_of(&rig->a, now_s(), &leaf);
    leaf_of(&rig->a, 1500000000, &old);
    /* the leaf alone */
    try_client(rig, plain_ctx(&leaf, NULL, kith1), TLS_BROKEN,
               SSL_AD_BAD_CERTIFICATE, KITH_ERR_CERT);
    /* another node's certificate above it */
    try_client(rig, plain_ctx(&leaf, &rig->b, kith1), TLS_BROKEN,
               SSL_AD_BAD_CERTIFICATE, KITH_ERR_CERT);
    /* expired in 2017 */
    try_client(rig, plain_ctx(&old, &rig->a, kith1), TLS_BROKEN,
               SSL_AD_CERTIFICATE_EXPIRED, KITH_ERR_CLOCK);
    /* more than there can be use for */
    ctx = plain_ctx(&leaf, &rig->a, kith1);
    assert_int_equal(cert_parse(&cert, rig->b.der, rig->b.der_len), KITH_OK);
    for (int i = 0; i < CERT_OTHERS_MAX; i++)
        assert_true(SSL_CTX_add1_chain_cert(ctx, cert));
    try_client(rig, ctx, TLS_BROKEN, SSL_AD_BAD_CERTIFICATE, KITH_ERR_CERT);
    cert_drop(cert);
    cert_leaf_free(&leaf);
    cert_leaf_free(&old);
}

static int count_session(SSL *ssl, SSL_SESSION *session)
{
    unsigned *count = SSL_get_app_data(ssl);

    (void)session;
    ++*count;
    return 0;
}

static void nothing_to_resume(void **state)
{
    struct rig *rig = *state;
    struct tls_conn conn = {0};
    SSL_SESSION *session = NULL;
    struct cert_leaf leaf;
    unsigned tickets = 0;
    SSL_CTX *ctx;
    uint8_t byte;
    size_t n;

    leaf_of(&rig->a, now_s(), &leaf);
    ctx = plain_ctx(&leaf, &rig->a, kith1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(ctx, count_session);
    for (int i = 0; i < 2; i++) {
        SSL *plain = plain_end(ctx, false);
        SSL_set_app_data(plain, &tickets);
        if (session != NULL)
            SSL_set_session(plain, session);
        assert_int_equal(tls_conn_open(&conn, rig->b.tls, true), KITH_OK);
        join(conn.ssl, plain);
        assert_int_equal(shake_plain(&conn, plain), TLS_DONE);
        assert_int_equal(tls_conn_write(&conn, (const uint8_t *)"x", 1, &n),
                         TLS_DONE);
        assert_int_equal(SSL_read(plain, &byte, 1), 1);
        assert_int_equal(tickets, 0);
        assert_false(SSL_session_reused(plain));
        assert_true(conn.identified);
        SSL_SESSION_free(session);
        session = SSL_get1_session(plain);
        assert_false(SSL_SESSION_is_resumable(session));
        SSL_free(plain);
        free_conn(&conn);
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
    cert_leaf_free(&leaf);
}

static void leaf_is_renewed(void **state)
{
    struct rig *rig = *state;
    struct pair old, new;
    X509 *before, *after;
    uint8_t byte;
    size_t n;

    open_pair(rig, &old);
    assert_int_equal(tls_renew_leaf(rig->b.tls), KITH_OK);
    open_pair(rig, &new);
    before = SSL_get1_peer_certificate(old.client.ssl);
    after = SSL_get1_peer_certificate(new.client.ssl);
    assert_int_not_equal(X509_cmp(before, after), 0);
    assert_true(node_id_equal(&new.client.peer.id, &rig->b.id));
    assert_int_equal(tls_conn_write(&old.client, (const uint8_t *)"x", 1, &n),
                     TLS_DONE);
    assert_int_equal(tls_conn_read(&old.server, &byte, 1, &n), TLS_DONE);
    X509_free(before);
    X509_free(after);
    close_pair(&old);
    close_pair(&new);
}

static void refuses_foreign_chain_of_its_own(void **state)
{
    struct rig *rig = *state;
    const struct cert_der good = {rig->b.der, rig->b.der_len};
    const struct cert_der foreign = {rig->a.der, rig->a.der_len};
    const struct cert_der four[] = {good, good, good, good};
    const struct cert_der cut = {rig->b.der, rig->b.der_len - 1};
    const struct cert_rules rules = {.open_mesh = true};
    struct tls *tls = NULL;
    struct pair p;

    assert_int_equal(tls_set_chain(rig->b.tls, &foreign, 1), KITH_ERR_CERT);
    assert_int_equal(tls_set_chain(rig->b.tls, &cut, 1), KITH_ERR_CERT);
    assert_int_equal(tls_set_chain(rig->b.tls, four, 4), KITH_ERR_RANGE);
    assert_int_equal(tls_set_chain(rig->b.tls, four, 0), KITH_ERR_RANGE);
    assert_int_equal(tls_new(rig->b.key, &foreign, 1, &rules, &tls),
                     KITH_ERR_CERT);
    assert_null(tls);
    /* the old chain is still in use; then a longer one */
    open_pair(rig, &p);
    close_pair(&p);
    assert_int_equal(tls_set_chain(rig->b.tls, four, 3), KITH_OK);
    assert_int_equal(tls_set_chain(rig->b.tls, &good, 1), KITH_OK);
    open_pair(rig, &p);
    close_pair(&p);
}

static void rules_are_replaced(void **state)
{
    struct rig *rig = *state;
    X509 *cas[TLS_CAS_MAX + 1];
    struct cert_rules rules = {.cas = cas, .n_cas = TLS_CAS_MAX + 1};
    const struct cert_rules open = {.open_mesh = true};
    struct pair p;

    for (size_t i = 0; i < TLS_CAS_MAX + 1; i++)
        assert_int_equal(cert_parse(&cas[i], rig->b.der, rig->b.der_len),
                         KITH_OK);
    assert_int_equal(tls_set_rules(rig->b.tls, &rules), KITH_ERR_RANGE);
    rules.n_cas = TLS_CAS_MAX;
    assert_int_equal(tls_set_rules(rig->b.tls, &rules), KITH_OK);
    assert_int_equal(tls_set_rules(rig->b.tls, &rules), KITH_OK);
    for (size_t i = 0; i < TLS_CAS_MAX + 1; i++)
        cert_drop(cas[i]);
    open_pair(rig, &p);
    assert_false(p.server.peer.member);
    assert_int_not_equal(p.server.peer.why, KITH_OK);
    close_pair(&p);
    assert_int_equal(tls_set_rules(rig->b.tls, &open), KITH_OK);
    open_pair(rig, &p);
    assert_true(p.server.peer.member);
    close_pair(&p);
}

static void nothing_to_free(void **state)
{
    struct tls_conn conn = {0};

    (void)state;
    tls_free(NULL);
    tls_conn_close(&conn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_know_each_other),
        cmocka_unit_test(carries_data),
        cmocka_unit_test(writes_in_parts),
        cmocka_unit_test(tells_goodbye_from_loss),
        cmocka_unit_test(names_nobody_in_the_clear),
        cmocka_unit_test(alpn_of_clients),
        cmocka_unit_test(alpn_of_servers),
        cmocka_unit_test(older_tls_is_refused),
        cmocka_unit_test(certificates_are_required),
        cmocka_unit_test(bad_chains_are_refused),
        cmocka_unit_test(nothing_to_resume),
        cmocka_unit_test(leaf_is_renewed),
        cmocka_unit_test(refuses_foreign_chain_of_its_own),
        cmocka_unit_test(rules_are_replaced),
        cmocka_unit_test(nothing_to_free),
    };

    return cmocka_run_group_tests(tests, rig_group_setup, rig_group_teardown);
}
