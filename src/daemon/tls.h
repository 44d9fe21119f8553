/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_TLS_H
#define KITH_DAEMON_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/types.h"
#include "crypto/cert.h"

/*
 * TLS as docs/protocol.md section 4 has it: version 1.3, both sides present
 * leaf, node certificate and up to two intermediates, ALPN "kith/1" (servers
 * take "h2" as well), and no way to resume anything: OpenSSL calls no verify
 * callback on a resumed connection, so nobody would know who is there.
 *
 * The handshake settles only who the other side is. What it may do, member
 * or stranger, is for the layer above to ask of struct cert_peer.
 *
 * Sockets are written to by OpenSSL with write(2): the program has to ignore
 * SIGPIPE.
 */

enum {
    TLS_CERT_LIST_MAX = 16384, /* bytes of a peer's certificate message */
    TLS_CAS_MAX = 4,           /* CAs of a mesh */
    TLS_REASON_SIZE = 96,      /* text for people, with its NUL */
};

struct key;
struct tls;

/*
 * Makes a context, with a first leaf. key, the node's, is borrowed until
 * tls_free(). chain is what is presented beside the leaf: the node
 * certificate, then up to two intermediates; n is 1 to 3. chain and rules are
 * copied, the CAs by reference. The clock of the system stands in for
 * rules->now_unix_s, here and at each later use. Returns KITH_OK,
 * KITH_ERR_CERT (a certificate is malformed, or not the key's),
 * KITH_ERR_RANGE (too many certificates or CAs), KITH_ERR_NOMEM or
 * KITH_ERR_CRYPTO.
 */
int tls_new(const struct key *key, const struct cert_der *chain, size_t n,
            const struct cert_rules *rules, struct tls **out);

/* No connection may be open any more. tls may be NULL. */
void tls_free(struct tls *tls);

/* Replaces the presented chain, and the leaf with it. Connections that are
 * open keep theirs. Errors as tls_new(); then nothing has changed. */
int tls_set_chain(struct tls *tls, const struct cert_der *chain, size_t n);

/* Replaces the leaf by a fresh one: to be called daily. Errors as tls_new();
 * then the old one stays in use. */
int tls_renew_leaf(struct tls *tls);

/* Replaces the rules by which peers are judged from now on. Returns KITH_OK
 * or KITH_ERR_RANGE; then the old ones stay in use. */
int tls_set_rules(struct tls *tls, const struct cert_rules *rules);

/* One connection. All zero: none. */
struct tls_conn {
    SSL *ssl;
    bool server;
    bool up;         /* the handshake is over, and peer is valid */
    bool identified; /* peer is valid, though perhaps refused for its dates */
    int refused;     /* why this side refused the other's certificate, or 0 */
    struct cert_peer peer;
    char reason[TLS_REASON_SIZE]; /* after TLS_LOST and TLS_BROKEN */
};

/* What became of an operation. */
enum tls_io {
    TLS_DONE,       /* it is done */
    TLS_WANT_READ,  /* call again when the socket can be read */
    TLS_WANT_WRITE, /* call again when the socket can be written */
    TLS_CLOSED,     /* the other side ended the connection in good order */
    TLS_LOST,       /* the transport ended without that: reset, end of file */
    TLS_BROKEN,     /* an alert from either side, or not TLS at all */
};

/* Prepares *conn, which must be all zero and must stay where it is until
 * tls_conn_close(). The caller gives conn->ssl its transport: SSL_set_fd(),
 * which leaves the socket the caller's, or SSL_set_bio(). Returns KITH_OK or
 * KITH_ERR_NOMEM. */
int tls_conn_open(struct tls_conn *conn, struct tls *tls, bool server);

/* Says goodbye if there was a handshake, and frees everything. The transport
 * is left alone. Harmless on a conn that is all zero, which *conn is after. */
void tls_conn_close(struct tls_conn *conn);

/* Goes on with the handshake. TLS_DONE: conn->up, the peer is identified and
 * an ALPN agreed. */
enum tls_io tls_conn_handshake(struct tls_conn *conn);

/* Reads up to cap bytes; with TLS_DONE *n of them, at least 1. */
enum tls_io tls_conn_read(struct tls_conn *conn, uint8_t *buf, size_t cap,
                          size_t *n);

/* Writes some of the len bytes at buf, len > 0; with TLS_DONE *n of them.
 * After TLS_WANT_* the next write must begin with the same bytes and be at
 * least as long; it may stand elsewhere in memory. */
enum tls_io tls_conn_write(struct tls_conn *conn, const uint8_t *buf,
                           size_t len, size_t *n);

#endif
