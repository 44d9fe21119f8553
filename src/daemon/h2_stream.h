/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_H2_STREAM_H
#define KITH_DAEMON_H2_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <nghttp2/nghttp2.h>

#include "base/types.h"
#include "daemon/h2_common.h"
#include "daemon/h2_server.h"

/*
 * The requests of one connection of the server, and their answers: an
 * nghttp2 session and its callbacks. Used by h2_server.c only, which owns the
 * connection and its deadlines.
 */

enum {
    H2_STREAMS_MAX = 4,    /* requests at once on a connection */
    H2_REQUESTS_MAX = 100, /* requests in the life of a connection */
};

struct h2_stream;

/* What all connections of a server share. */
struct h2_streams_env {
    const struct h2_server_opts *opts;
    struct h2_counters *counters;
    size_t *bodies; /* bytes of request bodies held now, by all */
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
};

/* The requests of one connection. */
struct h2_streams {
    const struct h2_streams_env *env;
    const struct cert_peer *peer;
    struct addr from;
    struct addr to;
    nghttp2_session *session; /* borrowed */
    struct h2_stream *list;
    struct h2_guard guard;
    bool flooded; /* the peer sent more than the guard lets pass */
    bool broken;  /* the peer was told of an error of its own */
    unsigned requests;
    bool begun; /* there was a complete request, or a large one goes on */
    struct instant progress; /* the last time that something got done */
};

/* Makes what env holds of nghttp2's. Returns KITH_OK or KITH_ERR_NOMEM. */
int h2_streams_env_init(struct h2_streams_env *env);

/* Frees it. Harmless when all is zero. */
void h2_streams_env_free(struct h2_streams_env *env);

/* Makes the session of a connection and queues its SETTINGS. env, peer, from
 * and to are set before, the rest is zero. The caller frees *out, after
 * h2_streams_free(). Returns KITH_OK or KITH_ERR_NOMEM. */
int h2_streams_begin(struct h2_streams *streams, nghttp2_session **out);

/* Drops all requests and answers that are under way. */
void h2_streams_free(struct h2_streams *streams);

#endif
