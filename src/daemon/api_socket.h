/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_API_SOCKET_H
#define KITH_DAEMON_API_SOCKET_H

#include <sys/types.h>

#include "daemon/conf.h"

/* The Unix socket of the local API. */
struct api_socket {
    int fd; /* listening; whoever takes it sets this to -1 */
    char path[CONF_SOCKET_SIZE];
    dev_t dev; /* of what we made at that path */
    ino_t ino;
};

/*
 * Makes the socket with mode 0660, and listens. The directory is made with
 * mode 0755 when only that is missing. What a dead daemon left behind is
 * removed, and known by nobody's answering it.
 *
 * err, cap: on an error, a line for people without a line feed.
 * Returns KITH_OK; KITH_ERR_RANGE: the path is empty or too long;
 * KITH_ERR_UNWANTED: another daemon answers there, or what is there is no
 * socket; KITH_ERR_IO. After an error there is nothing to close.
 */
int api_socket_open(const char *path, struct api_socket *out, char *err,
                    size_t cap);

/* Closes what was not taken, and removes the file if it is still ours. */
void api_socket_close(struct api_socket *s);

/* Who is at the other end of a connection. */
struct api_socket_peer {
    uid_t uid;
    gid_t gid;
    const gid_t *groups; /* the others that it is in */
    size_t n_groups;
};

/* Whether such a peer may use a socket of that mode and group when the daemon
 * runs as user own: root may, so may own, and the members of the group if the
 * mode lets them write. */
bool api_socket_allows(const struct api_socket_peer *peer, uid_t own,
                       mode_t mode, gid_t group);

/* The same for the peer of a connection and this socket, as its file is now.
 * Returns KITH_OK; KITH_ERR_AUTH; KITH_ERR_IO when it cannot be told;
 * KITH_ERR_NOMEM. */
int api_socket_check(const struct api_socket *s, int fd);

#endif
