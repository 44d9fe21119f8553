/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_API_H
#define KITH_DAEMON_API_H

#include "daemon/agent.h"

/*
 * The local API: HTTP with JSON, and events as they happen, over a Unix
 * socket. docs/api.md is its manual. Who may use it is told by the mode of
 * the socket, and again by the credentials of whoever connected: root, the
 * user that the daemon runs as, or a member of the socket's group.
 *
 *     api.c         life, the table of routes, who may ask
 *     api_socket.c  the socket, and the credentials behind a connection
 *     api_path.c    the path of a URI, and its match with a route
 *     api_find.c    which node a person means
 *     api_reply.c   answers
 *     api_get.c     routes that look
 *     api_do.c      routes that change something
 *     api_stream.c  the stream of events
 */
struct api;

/*
 * Opens the socket and serves it from the event loop. The process has to
 * ignore SIGPIPE: clients hang up when they like.
 *
 * agent, base, log: borrowed until api_free(); log may be NULL.
 * socket_path: where; its directory is made (mode 0755) when it is missing.
 * err, cap: on failure, a line for people without a line feed.
 * Returns NULL when there is no memory, another daemon answers on that
 * socket, or the path cannot be used.
 */
struct api *api_new(struct agent *agent, struct event_base *base,
                    const char *socket_path, const struct log *log, char *err,
                    size_t cap);

/* Ends all connections and removes the socket; NULL is allowed. Not to be
 * called from within a request. */
void api_free(struct api *api);

#endif
