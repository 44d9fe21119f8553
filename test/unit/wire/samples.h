/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_WIRE_SAMPLES_H
#define KITH_TEST_WIRE_SAMPLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/types.h"
#include "wire/limits.h"

/* What several tests of wire need. */

/* An id that begins with `first`, and is the same each time. */
static inline struct node_id sample_id(uint8_t first)
{
    struct node_id id;

    memset(id.b, 0x5a, sizeof id.b);
    id.b[0] = first;
    return id;
}

static inline struct hash sample_hash(uint8_t first)
{
    struct hash hash;

    memset(hash.b, 0xc3, sizeof hash.b);
    hash.b[0] = first;
    return hash;
}

/* An SPKI of the right form; nobody has its private key. */
static inline void sample_spki(uint8_t out[SPKI_LEN])
{
    static const uint8_t start[33] = {
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
        0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01,
        0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00};
    static const uint8_t end[5] = {0x02, 0x03, 0x01, 0x00, 0x01};

    memset(out, 0xd5, SPKI_LEN);
    memcpy(out, start, sizeof start);
    memcpy(out + SPKI_LEN - sizeof end, end, sizeof end);
}

/* Gives decode each beginning of the len bytes at p, in a block of its own so
 * that a sanitizer sees a read past the end. None may be accepted. */
static inline void refuses_every_cut(int (*decode)(const uint8_t *, size_t),
                                     const uint8_t *p, size_t len)
{
    for (size_t n = 0; n < len; n++) {
        uint8_t *cut = malloc(n > 0 ? n : 1);

        assert_non_null(cut);
        memcpy(cut, p, n);
        if (decode(cut, n) == KITH_OK)
            fail_msg("the first %zu of %zu bytes are accepted", n, len);
        free(cut);
    }
    assert_int_equal(decode(p, len), KITH_OK);
}

/* Gives decode the len bytes at p with the byte at `at` set to value, and
 * returns what it says. */
static inline int decode_changed(int (*decode)(const uint8_t *, size_t),
                                 const uint8_t *p, size_t len, size_t at,
                                 uint8_t value)
{
    uint8_t *changed = malloc(len);
    int err;

    assert_non_null(changed);
    memcpy(changed, p, len);
    changed[at] = value;
    err = decode(changed, len);
    free(changed);
    return err;
}

static inline size_t written(const struct writer *w)
{
    size_t len = 0;

    assert_int_equal(writer_finish(w, &len), KITH_OK);
    return len;
}

#endif
