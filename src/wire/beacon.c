/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/beacon.h"

#include <assert.h>

#include "base/cursor.h"
#include "base/error.h"
#include "wire/datagram.h"

void beacon_encode(const struct beacon *beacon, uint8_t out[DGRAM_BEACON_LEN])
{
    struct writer w;
    size_t len = 0;
    int err;

    writer_init(&w, out, DGRAM_BEACON_LEN);
    writer_u8(&w, PROTOCOL_MAJOR);
    writer_u8(&w, DGRAM_BEACON);
    writer_u8(&w, beacon->k);
    writer_zeros(&w, 1);
    writer_bytes(&w, beacon->tag, sizeof beacon->tag);
    writer_u16(&w, beacon->port);
    writer_zeros(&w, 2);
    writer_bytes(&w, beacon->nonce, sizeof beacon->nonce);
    writer_zeros(&w, 4);
    err = writer_finish(&w, &len);
    assert(err == KITH_OK && len == DGRAM_BEACON_LEN);
}

void hint_encode(const struct hint *hint, uint8_t out[DGRAM_HINT_LEN])
{
    struct writer w;
    size_t len = 0;
    int err;

    writer_init(&w, out, DGRAM_HINT_LEN);
    writer_u8(&w, PROTOCOL_MAJOR);
    writer_u8(&w, DGRAM_HINT);
    writer_zeros(&w, 2);
    writer_bytes(&w, hint->tag, sizeof hint->tag);
    writer_u16(&w, hint->port);
    writer_zeros(&w, 2);
    writer_bytes(&w, hint->nonce, sizeof hint->nonce);
    err = writer_finish(&w, &len);
    assert(err == KITH_OK && len == DGRAM_HINT_LEN);
}

int beacon_decode(const uint8_t dgram[DGRAM_BEACON_LEN], struct beacon *out)
{
    struct beacon b;
    struct cursor c;
    int err;

    cursor_init(&c, dgram, DGRAM_BEACON_LEN);
    if ((err = cursor_skip(&c, 2)) != KITH_OK ||
        (err = cursor_u8(&c, &b.k)) != KITH_OK ||
        (err = cursor_skip(&c, 1)) != KITH_OK ||
        (err = cursor_copy(&c, b.tag, sizeof b.tag)) != KITH_OK ||
        (err = cursor_u16(&c, &b.port)) != KITH_OK ||
        (err = cursor_skip(&c, 2)) != KITH_OK ||
        (err = cursor_copy(&c, b.nonce, sizeof b.nonce)) != KITH_OK)
        return err;
    if (b.port == 0)
        return KITH_ERR_RANGE;
    *out = b;
    return KITH_OK;
}

int hint_decode(const uint8_t dgram[DGRAM_HINT_LEN], struct hint *out)
{
    struct hint h;
    struct cursor c;
    int err;

    cursor_init(&c, dgram, DGRAM_HINT_LEN);
    if ((err = cursor_skip(&c, 4)) != KITH_OK ||
        (err = cursor_copy(&c, h.tag, sizeof h.tag)) != KITH_OK ||
        (err = cursor_u16(&c, &h.port)) != KITH_OK ||
        (err = cursor_skip(&c, 2)) != KITH_OK ||
        (err = cursor_copy(&c, h.nonce, sizeof h.nonce)) != KITH_OK)
        return err;
    if (h.port == 0)
        return KITH_ERR_RANGE;
    *out = h;
    return KITH_OK;
}
