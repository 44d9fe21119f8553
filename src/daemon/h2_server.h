/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_H2_SERVER_H
#define KITH_DAEMON_H2_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/types.h"
#include "crypto/cert.h"

/*
 * The peer port's server: HTTP/2 over mutually authenticated TLS 1.3. It
 * accepts, holds the limits, gathers each request whole, asks one handler,
 * and sends what that gives back.
 *
 * Whoever can reach the port can cost it something, so everything is bounded:
 * connections in all and per source, new ones per second, the time that each
 * may take, and the bytes that each may send or make the server hold.
 *
 * SIGPIPE has to be ignored by the program, see tls.h.
 */

struct event_base;
struct tls;
struct h2_server;

/* A request that has arrived whole. All of it is valid during the call of
 * the handler only. */
struct h2_request {
    const char *method;
    const char *path;
    const char *mesh;             /* the value of kith-mesh, or NULL */
    const struct cert_peer *peer; /* who asks; may be a stranger */
    struct addr from;             /* where from, as seen here */
    struct addr to;               /* the address of ours that was asked */
    const uint8_t *body;
    size_t body_len;
};

/* A body that is made while it is sent, as fast as the other side takes it. */
struct h2_pull {
    /* Writes up to cap bytes to buf. Returns how many; 0 at the end; < 0 to
     * break the answer off. */
    ssize_t (*pull)(void *arg, uint8_t *buf, size_t cap);

    /* Called exactly once, when no more is wanted for whatever reason. May
     * be NULL. */
    void (*done)(void *arg);

    void *arg;
};

/* To be filled by the handler; all zero before. */
struct h2_reply {
    int status;          /* 200..599; left at 0 it is sent as 500 */
    const char *type;    /* static; NULL is "application/json" */
    uint8_t *body;       /* from malloc(); the server frees it; or NULL */
    size_t body_len;     /* of body */
    struct h2_pull pull; /* instead of body, when pull.pull is not NULL */
};

/* Answers a request at once. It may use any other part of the program, but
 * not free the server. */
typedef void h2_handler(void *arg, const struct h2_request *request,
                        struct h2_reply *reply);

enum {
    H2_BODY_DEFAULT = 16384, /* request body on paths without a say */
};

struct h2_server_opts {
    h2_handler *handler;

    /* How large a request body may be on this path, from this peer; asked
     * once the headers are there. NULL: H2_BODY_DEFAULT for all. */
    size_t (*body_limit)(void *arg, const char *path,
                         const struct cert_peer *peer);

    void *arg; /* for both */

    uint32_t conns_max;      /* connections at once */
    uint32_t conns_addr_max; /* of these from one IPv4 address, IPv6 /64 */
    bool cap_loopback;       /* conns_addr_max holds for loopback too */
    uint32_t accept_burst;   /* connections accepted at once, ... */
    uint32_t accept_per_s;   /* ... and steadily, per second */
    size_t bodies_max;       /* request bodies held at once, bytes in all */

    /* From accept to the first complete request. A request whose body may
     * be larger than H2_BODY_DEFAULT is let go on while it makes progress. */
    uint32_t request_ms;
    uint32_t idle_ms;  /* after that, without any progress */
    uint32_t total_ms; /* from accept, whatever happens */
};

/* Fills *opts with the usual limits, and neither handler. */
void h2_server_defaults(struct h2_server_opts *opts);

/* What happened since the server was made. */
struct h2_counters {
    uint64_t accepted;      /* connections taken */
    uint64_t over_conns;    /* connections refused: too many in all, */
    uint64_t over_addr;     /* ... from one address, */
    uint64_t over_rate;     /* ... in too short a time, */
    uint64_t over_files;    /* ... or no file descriptors left */
    uint64_t handshakes;    /* of the accepted: TLS made, */
    uint64_t tls_failed;    /* ... or not made, */
    uint64_t late;          /* ... or cut by a deadline, */
    uint64_t floods;        /* ... or for too many cheap frames, */
    uint64_t broken;        /* ... or for what is not HTTP/2 */
    uint64_t strangers;     /* of the handshakes: with strangers */
    uint64_t requests;      /* requests given to the handler */
    uint64_t malformed;     /* requests refused: cannot be read, */
    uint64_t headers_large; /* ... header list too large, */
    uint64_t body_large;    /* ... body too large, */
    uint64_t busy;          /* ... no room for their body */
};

/*
 * Makes a server that listens nowhere yet. *opts is copied; base, tls and
 * what opts points to outlive the server. Returns KITH_OK or KITH_ERR_NOMEM.
 */
int h2_server_new(struct event_base *base, struct tls *tls,
                  const struct h2_server_opts *opts, struct h2_server **out);

/* Ends all listening and all connections, at once. server may be NULL. */
void h2_server_free(struct h2_server *server);

/* Listens on an address; 0 as its port lets the system choose. An IPv6
 * address takes no IPv4. If `bound` is not NULL it gets the address with the
 * real port. Returns KITH_OK, KITH_ERR_IO (errno says why), KITH_ERR_FULL
 * (too many listeners) or KITH_ERR_NOMEM. */
int h2_server_listen(struct h2_server *server, const struct addr *addr,
                     struct addr *bound);

/* Listens on a TCP socket that somebody else has bound and set to listen,
 * such as one from systemd. It becomes the server's on success. Errors as
 * h2_server_listen(). */
int h2_server_adopt(struct h2_server *server, int fd);

/* Valid as long as the server. */
const struct h2_counters *h2_server_counters(const struct h2_server *server);

/* Connections open now. */
size_t h2_server_conns(const struct h2_server *server);

#endif
