/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_H2_CLIENT_H
#define KITH_DAEMON_H2_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"
#include "crypto/cert.h"

/*
 * The peer port's client: one request to another agent over HTTP/2 and
 * mutually authenticated TLS 1.3, on a connection of its own.
 *
 * A server's refusal of a client certificate reaches a TLS 1.3 client only
 * with its first read. So nothing counts as made before the complete answer
 * is there, and losing the connection before the other side has said anything
 * under TLS counts as failed TLS.
 *
 * SIGPIPE has to be ignored by the program, see tls.h.
 */

struct event_base;
struct tls;
struct h2_client;
struct h2_call;

/* How a call ended. */
enum h2_outcome {
    H2_OK,       /* the answer is complete, whatever its status */
    H2_REFUSED,  /* the port is closed, or closed before a byte came */
    H2_TCP,      /* no connection: unreachable, or no answer in time */
    H2_TLS,      /* no handshake: alert, wrong certificate, no answer in time */
    H2_HTTP,     /* after TLS: protocol trouble, too large, or too late */
    H2_OTHER_ID, /* another node than expected; it was asked nothing */
    H2_STRANGER, /* no member of the mesh; it was asked nothing */
};

/* "ok", "refused", "tcp", "tls", "http", "other-id", "stranger". */
const char *h2_outcome_name(enum h2_outcome outcome);

enum {
    H2_REASON_SIZE = 128,
    H2_ERROR_BODY_MAX = 16384, /* body of an answer that is not 200 */
};

/* Valid during on_done() only. */
struct h2_result {
    enum h2_outcome outcome;
    int err;         /* with H2_TLS, why this side refused the other's
                        certificate, an enum kith_err such as KITH_ERR_CLOCK;
                        otherwise 0 */
    int status;      /* HTTP status, with H2_OK */
    bool peer_known; /* peer is valid, whatever the outcome */
    struct cert_peer peer;
    struct addr local;   /* this end; family 0 before there was a connection */
    const uint8_t *body; /* what was not given to on_body() */
    size_t body_len;
    char reason[H2_REASON_SIZE]; /* for people; empty with H2_OK. May hold
                                    nothing that the other side chose. */
};

/* What to ask, and of whom. All pointers but arg are needed only while
 * h2_call_start() runs. */
struct h2_call_spec {
    struct addr to;
    const struct addr *bind_to; /* source address, its port may be 0; or NULL
                                   for the system's choice */
    const char *method;
    const char *path;
    const char *mesh;    /* value of kith-mesh, or NULL to leave it out */
    const char *type;    /* of body; NULL is "application/json" */
    const uint8_t *body; /* copied */
    size_t body_len;
    const struct node_id *expected; /* anybody else is asked nothing; or NULL */
    bool stranger_ok;     /* ask a stranger too: for the charter, to join */
    uint32_t deadline_ms; /* for all of it, > 0 */
    size_t max_body;      /* of the answer, in all */

    /* If not NULL, gets the body of an answer with status 200 piece by
     * piece. peer is who sends it, verified. Returns KITH_OK, or something
     * negative to end the call as H2_HTTP. The whole is to be trusted only
     * after H2_OK: it may be cut anywhere before. */
    int (*on_body)(void *arg, const struct cert_peer *peer,
                   const uint8_t *bytes, size_t n);

    /* Called once, unless the call is cancelled first, and never from
     * within h2_call_start(). The call is no more when this returns, and not
     * to be cancelled from here. */
    void (*on_done)(void *arg, const struct h2_result *result);

    void *arg; /* for both */
};

/* Makes a client. base and tls outlive it. Returns KITH_OK or
 * KITH_ERR_NOMEM. */
int h2_client_new(struct event_base *base, struct tls *tls,
                  struct h2_client **out);

/* Cancels all calls. Not to be called from on_done() or on_body(). client
 * may be NULL. */
void h2_client_free(struct h2_client *client);

/* Calls under way. */
size_t h2_client_calls(const struct h2_client *client);

/* Begins a call. Returns it, or NULL when out of memory. Whatever else goes
 * wrong, on_done() tells. */
struct h2_call *h2_call_start(struct h2_client *client,
                              const struct h2_call_spec *spec);

/* Ends a call without on_done(). May be called from on_body(). */
void h2_call_cancel(struct h2_call *call);

#endif
