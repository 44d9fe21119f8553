/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_H2_RAW_H
#define KITH_TEST_H2_RAW_H

/* A client that speaks in raw frames, and can be of bad manners. */

#include "unit/daemon/h2_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>

#include "base/addr.h"

enum {
    FRAME_HEAD = 9,
    RAW_MAX = 1 << 20,
    RAW_RCVBUF = 16384, /* little, so that not reading is felt soon */
};

struct raw {
    int fd;
    struct tls_conn tls;
    bool closed; /* nothing more can be read, ... */
    bool mute;   /* ... or written */
    size_t len;  /* of what the server sent */
    uint8_t *got;
};

/* TCP only. from: a source address, or NULL. */
static inline void raw_connect(struct rig *rig, struct raw *raw,
                               const char *from)
{
    struct sockaddr_storage ss;
    struct addr own;
    socklen_t len;
    int on = 1, size = RAW_RCVBUF;

    *raw = (struct raw){0};
    raw->got = malloc(RAW_MAX);
    assert_non_null(raw->got);
    raw->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(raw->fd >= 0);
    assert_int_equal(
        setsockopt(raw->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    if (from != NULL) {
        assert_int_equal(text_addr_parse(&own, from, 0), KITH_OK);
        len = addr_to_sockaddr(&own, &ss);
        assert_int_equal(bind(raw->fd, (struct sockaddr *)&ss, len), 0);
    }
    len = addr_to_sockaddr(&rig->addr, &ss);
    assert_int_equal(connect(raw->fd, (struct sockaddr *)&ss, len), 0);
    assert_int_equal(fcntl(raw->fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(
        setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    rig_turn(rig);
}

static inline void raw_close(struct raw *raw)
{
    tls_conn_close(&raw->tls);
    close(raw->fd);
    free(raw->got);
}

/* Whether the server has closed a connection that is TCP only. */
static inline bool raw_is_closed(const struct raw *raw)
{
    char byte;
    ssize_t n = recv(raw->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

    return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Takes in what the server has sent so far. */
static inline void raw_read(struct raw *raw)
{
    size_t n = 0;
    enum tls_io io;

    while (!raw->closed && raw->len < RAW_MAX) {
        io = tls_conn_read(&raw->tls, raw->got + raw->len, RAW_MAX - raw->len,
                           &n);
        if (io == TLS_WANT_READ)
            return;
        if (io == TLS_DONE)
            raw->len += n;
        else
            raw->closed = true;
    }
}

/* Writes unless the server has closed. */
static inline void raw_write(struct rig *rig, struct raw *raw, const void *data,
                             size_t len)
{
    const uint8_t *p = data;
    size_t n = 0;

    while (len > 0 && !raw->mute) {
        enum tls_io io = tls_conn_write(&raw->tls, p, len, &n);
        if (io == TLS_DONE) {
            p += n;
            len -= n;
        } else if (io == TLS_WANT_WRITE) {
            rig_turn(rig);
        } else {
            raw->mute = true;
        }
    }
}

static inline void raw_frame(struct rig *rig, struct raw *raw, uint8_t type,
                             uint8_t flags, uint32_t stream,
                             const void *payload, size_t len)
{
    uint8_t head[FRAME_HEAD] = {
        (uint8_t)(len >> 16),
        (uint8_t)(len >> 8),
        (uint8_t)len,
        type,
        flags,
        (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16),
        (uint8_t)(stream >> 8),
        (uint8_t)stream,
    };

    raw_write(rig, raw, head, sizeof head);
    raw_write(rig, raw, payload, len);
}

/* TLS, too. */
static inline void raw_tls(struct rig *rig, struct raw *raw)
{
    enum tls_io io = TLS_WANT_READ;

    raw_connect(rig, raw, NULL);
    assert_int_equal(tls_conn_open(&raw->tls, rig->a.tls, false), KITH_OK);
    assert_true(SSL_set_fd(raw->tls.ssl, raw->fd));
    for (int i = 0; io != TLS_DONE; i++) {
        assert_true(i < RIG_LOOP_MS);
        io = tls_conn_handshake(&raw->tls);
        assert_true(io == TLS_DONE || io == TLS_WANT_READ);
        rig_turn(rig);
    }
}

/* And the beginning of HTTP/2, with one setting: 0 is for none. */
static inline void raw_http(struct rig *rig, struct raw *raw, uint16_t setting,
                            uint32_t value)
{
    const uint8_t entry[6] = {
        (uint8_t)(setting >> 8), (uint8_t)setting,      (uint8_t)(value >> 24),
        (uint8_t)(value >> 16),  (uint8_t)(value >> 8), (uint8_t)value,
    };

    raw_tls(rig, raw);
    raw_write(rig, raw, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    raw_frame(rig, raw, NGHTTP2_SETTINGS, 0, 0, entry,
              setting ? sizeof entry : 0);
}

/* A header field, never indexed, RFC 7541 section 6.2.3. Returns its size. */
static inline size_t field(uint8_t *dst, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);

    assert_true(n < 127 && v < 127);
    dst[0] = 0x10;
    dst[1] = (uint8_t)n;
    memcpy(dst + 2, name, n);
    dst[2 + n] = (uint8_t)v;
    memcpy(dst + 3 + n, value, v);
    return 3 + n + v;
}

/* Headers of a request, with one more field if `name` is not NULL. */
static inline void raw_request(struct rig *rig, struct raw *raw,
                               uint32_t stream, uint8_t flags, const char *path,
                               const char *name, const char *value)
{
    uint8_t block[1024];
    size_t n = field(block, ":method", "POST");

    n += field(block + n, ":scheme", "https");
    n += field(block + n, ":authority", "there");
    n += field(block + n, ":path", path);
    if (name != NULL)
        n += field(block + n, name, value);
    raw_frame(rig, raw, NGHTTP2_HEADERS, flags, stream, block, n);
}

enum {
    WHOLE = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM,
    OPEN = NGHTTP2_FLAG_END_HEADERS,
};

/* Finds a frame among those received. Returns its payload or NULL. */
static inline const uint8_t *find_frame(const struct raw *raw, uint8_t type,
                                        uint32_t stream)
{
    const uint8_t *p = raw->got, *end = raw->got + raw->len;

    while (end - p >= FRAME_HEAD) {
        size_t len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        uint32_t id = (uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 |
                      (uint32_t)p[7] << 8 | p[8];
        if ((size_t)(end - p) < FRAME_HEAD + len)
            return NULL;
        if (p[3] == type && id == stream)
            return p + FRAME_HEAD;
        p += FRAME_HEAD + len;
    }
    return NULL;
}

#define WAIT_FRAME(rig, raw, type, stream)                                     \
    RIG_WAIT(rig, (raw_read(raw), find_frame(raw, type, stream) != NULL))

#endif
