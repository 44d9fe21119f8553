/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_CLIENT_H
#define KITH_CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Asks the daemon: one request per connection to its Unix socket, blocking.
 *
 * Errors of all of these: KITH_ERR_IO: the daemon is not there, or did not
 * answer in time; KITH_ERR_AUTH: it may not be asked; KITH_ERR_FORMAT, _RANGE,
 * _TRAILING, _TRUNCATED: what answered is not the daemon, or it ended in
 * between; KITH_ERR_NOMEM. Then `message` has a line for people.
 */

enum {
    CLIENT_MESSAGE_SIZE = 512,
    CLIENT_PATH_SIZE = 4096,
    CLIENT_TIMEOUT_S = 30,        /* without progress */
    CLIENT_REPLY_MAX = 256 << 20, /* bytes; a member takes some hundred */
};

struct client_reply {
    int status;
    char *body; /* owned, ended with NUL; NULL when there is none */
    size_t len;
};

/*
 * Writes a path: each * of the route is replaced by the next of a and b,
 * escaped (RFC 3986, section 2.1). Returns KITH_OK; KITH_ERR_FORMAT when one
 * of them is empty; KITH_ERR_RANGE when it is too long.
 */
int client_path(char out[CLIENT_PATH_SIZE], const char *route, const char *a,
                const char *b);

/* Sends n bytes of body, and takes the answer, whatever its status; *out is
 * for client_reply_free(), also after an error. */
int client_call(const char *socket_path, const char *method, const char *path,
                const void *body, size_t n, struct client_reply *out,
                char message[CLIENT_MESSAGE_SIZE]);
void client_reply_free(struct client_reply *reply);

/* -- events ----------------------------------------------------------- */

struct client_stream;

/* Begins to listen: events from now on will come. *out is for
 * client_stream_close(). When the daemon has too many listeners, it is
 * KITH_ERR_IO. */
int client_stream_open(const char *socket_path, struct client_stream **out,
                       char message[CLIENT_MESSAGE_SIZE]);
void client_stream_close(struct client_stream *s); /* NULL is allowed */

/* Waits for the next event, up to timeout_ms (below 0: for ever), and lends
 * its JSON until the next call. KITH_ERR_NOTFOUND: none came in time. */
int client_stream_next(struct client_stream *s, int timeout_ms,
                       const char **json, char message[CLIENT_MESSAGE_SIZE]);

#endif
