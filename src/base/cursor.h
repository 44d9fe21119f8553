/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_CURSOR_H
#define KITH_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The only way to touch bytes that came from, or go to, somebody else: a
 * reader that cannot pass the end, and a writer that remembers that it ran
 * out of room. Integers are big-endian. After the ibuf of OpenBSD's libutil.
 */

/* What is left of some bytes that somebody else owns and keeps alive. */
struct cursor {
    const uint8_t *p; /* the next byte */
    size_t left;      /* bytes from there to the end */
};

/* Starts at data, which may be NULL when len is 0. */
void cursor_init(struct cursor *c, const void *data, size_t len);

/*
 * Each of these takes the next bytes. Returns KITH_OK, or KITH_ERR_TRUNCATED
 * when fewer are left: then neither the cursor nor *out has changed, and the
 * call may be tried with less.
 */
int cursor_u8(struct cursor *c, uint8_t *out);
int cursor_u16(struct cursor *c, uint16_t *out);
int cursor_u32(struct cursor *c, uint32_t *out);
int cursor_u64(struct cursor *c, uint64_t *out);

/* Copies the next n bytes to dst, which has room for them. */
int cursor_copy(struct cursor *c, void *dst, size_t n);

/* Points *out at the next n bytes, without a copy: they live as long as the
 * bytes under the cursor do. */
int cursor_bytes(struct cursor *c, const uint8_t **out, size_t n);

/* Makes of the next n bytes a cursor of their own: the body that a length
 * prefix announced. sub may not be c itself. */
int cursor_sub(struct cursor *c, size_t n, struct cursor *sub);

/* Passes over the next n bytes. */
int cursor_skip(struct cursor *c, size_t n);

/* Returns KITH_OK at the end, otherwise KITH_ERR_TRAILING. */
int cursor_end(const struct cursor *c);

/* A buffer that somebody else owns, being filled from its start. */
struct writer {
    uint8_t *p;    /* the start of the buffer */
    size_t len;    /* bytes written so far */
    size_t cap;    /* size of the buffer */
    bool overflow; /* something did not fit */
};

/* Starts an empty message in buf, which may be NULL when cap is 0. */
void writer_init(struct writer *w, void *buf, size_t cap);

/*
 * Each of these appends. What does not fit whole is not written at all, and
 * neither is anything after it; writer_finish() then tells. So a message is
 * written without a check per field.
 */
void writer_u8(struct writer *w, uint8_t v);
void writer_u16(struct writer *w, uint16_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);

/* Appends n bytes; src may be NULL when n is 0. */
void writer_bytes(struct writer *w, const void *src, size_t n);

/* Appends n bytes of value 0. */
void writer_zeros(struct writer *w, size_t n);

/*
 * A number that is known only later, such as the length of what follows:
 *
 *     size_t at = writer_reserve_u16(&w);
 *     ... the body ...
 *     writer_patch_u16(&w, at, w.len - at - sizeof(uint16_t));
 *
 * writer_reserve_* appends a zero and returns its place; writer_patch_* puts
 * the value there. A value that the field cannot hold counts as not fitting.
 * After an overflow neither does anything, whatever the value.
 */
size_t writer_reserve_u16(struct writer *w);
void writer_patch_u16(struct writer *w, size_t at, size_t value);
size_t writer_reserve_u32(struct writer *w);
void writer_patch_u32(struct writer *w, size_t at, size_t value);

/* The number of bytes that still fit; 0 after an overflow. */
size_t writer_room(const struct writer *w);

/* Returns KITH_OK with *len the length of the message, or KITH_ERR_FULL when
 * something did not fit: then *len is unchanged, and the buffer worthless. */
int writer_finish(const struct writer *w, size_t *len);

#endif
