/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_PEER_API_H
#define KITH_DAEMON_PEER_API_H

#include "core/engine.h"
#include "daemon/h2_server.h"

/*
 * The peer port's paths (protocol section 5): JSON and records on one side,
 * engine events on the other. Its owner says what time it is and carries out
 * effects.
 */
struct peer_api {
    struct engine *engine;
    const char *mesh_hex; /* 64 digits */
    /* Brackets every engine call: gives the time and empty effects ... */
    struct effects *(*begin)(void *arg, struct now *);
    /* ... and carries the effects out. */
    void (*end)(void *arg);
    void *arg;
};

/* As h2_handler and body_limit; arg is a struct peer_api. */
void peer_api_handle(void *arg, const struct h2_request *, struct h2_reply *);
size_t peer_api_body_limit(void *arg, const char *path,
                           const struct cert_peer *);

/* The JSON of a grant, malloc'ed; NULL: out of memory. To be wiped. */
char *peer_api_grant_encode(const struct grant *);

/* Reads that JSON. Returns KITH_OK; KITH_ERR_FORMAT; KITH_ERR_VERSION: no
 * common major. On an error *out is wiped. */
int peer_api_grant_decode(const uint8_t *, size_t n, struct grant *out);

#endif
