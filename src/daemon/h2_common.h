/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_H2_COMMON_H
#define KITH_DAEMON_H2_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <nghttp2/nghttp2.h>

#include "base/types.h"
#include "daemon/tls.h"

/*
 * What the server and the client of the peer port have in common: a link,
 * which carries an HTTP/2 session over TLS over a non-blocking TCP socket.
 *
 *     socket <-> OpenSSL <-> nghttp2 <-> the owner's nghttp2 callbacks
 *
 * The link reads and writes when it can, in bounded portions, so that one
 * busy connection does not starve the event loop. The owner decides about
 * deadlines and about the end.
 */

enum {
    H2_HEADERS_MAX = 8192,     /* a header list, RFC 9113 section 6.5.2 */
    H2_HEADER_OVERHEAD = 32,   /* what each field counts beside its text */
    H2_FRAMES_MAX = 65536,     /* frames taken in the life of a connection */
    H2_RESETS_MAX = 32,        /* of these RST_STREAM, CVE-2023-44487 */
    H2_CONTINUATIONS_MAX = 8,  /* of these CONTINUATION in a row */
    H2_OUTBOUND_ACKS_MAX = 64, /* SETTINGS and PING acks waiting to be sent */
    H2_OUTBOUND_MAX = 256,     /* frames of any kind that wait for a reader */
};

/* A buffer that grows up to a bound. All zero: empty. */
struct h2_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/* Appends n bytes. Returns KITH_OK, KITH_ERR_FULL when the buffer would be
 * longer than max, or KITH_ERR_NOMEM; then it is as before. */
int h2_buf_add(struct h2_buf *buf, const uint8_t *data, size_t n, size_t max);

/* Frees what it has and empties it. */
void h2_buf_free(struct h2_buf *buf);

/* How a link ended by itself. */
enum h2_end {
    H2_END_CLEAN,    /* the session is over, or the other side said goodbye */
    H2_END_LOST,     /* reset, or end of file without a goodbye */
    H2_END_TLS,      /* TLS failed; link->tls says why */
    H2_END_PROTOCOL, /* what came was not HTTP/2 */
    H2_END_FLOOD,    /* more came than a peer has any need to send */
    H2_END_MEMORY,   /* out of memory */
};

struct h2_link;

/* The owner's side. All are called from the event loop only. */
struct h2_hooks {
    /* The handshake is over: set link->session. Returns whether the link
     * goes on; false when the owner has closed it (or freed it). */
    bool (*up)(void *arg);

    /* After each round of reading and writing. Returns as up() does. May be
     * NULL. */
    bool (*turn)(void *arg);

    /* The link is of no use any more; the owner closes it. reason is a short
     * English text. */
    void (*end)(void *arg, enum h2_end why, const char *reason);
};

struct h2_link {
    int fd;
    bool heard;   /* something arrived under TLS: it is made for both sides */
    bool lingers; /* h2_link_linger() was called */
    struct tls_conn tls;
    nghttp2_session *session; /* the owner's to make, the link's to free */
    struct event readable;
    struct event writable;
    struct h2_buf out; /* what TLS did not take yet */
    const struct h2_hooks *hooks;
    void *arg;
};

/* A monotonic clock. */
struct instant h2_now(void);

/*
 * Begins a link on a connected non-blocking socket and waits for the loop.
 * The memory at link is the owner's; it stays where it is until
 * h2_link_close(), and needs no preparation. fd becomes the link's when this
 * succeeds. hooks, arg, base and tls outlive the link. Returns KITH_OK or
 * KITH_ERR_NOMEM.
 */
int h2_link_open(struct h2_link *link, struct event_base *base, struct tls *tls,
                 bool server, int fd, const struct h2_hooks *hooks, void *arg);

/* Says goodbye as far as that goes without waiting, and frees all that the
 * link has, its socket and session included. Not to be called from an
 * nghttp2 callback of the same link. */
void h2_link_close(struct h2_link *link);

/*
 * For a link that ended as H2_END_TLS: frees all but the socket, says nothing
 * more on it, and throws away what still comes. So no reset overtakes the
 * alert that tells the other side why. end() is called once more, with
 * H2_END_CLEAN, when the other side has closed; how long to wait for that is
 * for the owner to limit.
 */
void h2_link_linger(struct h2_link *link);

/* The address of this end, or of the other one, of a connected socket;
 * family 0 when it cannot be had. */
struct addr h2_addr_local(int fd);
struct addr h2_addr_remote(int fd);

/* An nghttp2 header field that stands on two strings, which it borrows. */
nghttp2_nv h2_field(const char *name, const char *value);

/* The options of a session, as the limits above have them. Returns KITH_OK
 * or KITH_ERR_NOMEM. The caller frees *out with nghttp2_option_del(). */
int h2_options_new(nghttp2_option **out);

/* What one peer has sent so far, of the kinds that are cheap to send. All
 * zero: nothing. */
struct h2_guard {
    uint32_t frames;
    uint32_t resets;
    uint32_t continuations; /* in a row */
};

/* Counts one frame, for an nghttp2_on_begin_frame_callback. Returns whether
 * it is still within the limits above. */
bool h2_guard_frame(struct h2_guard *guard, const nghttp2_frame_hd *hd);

#endif
