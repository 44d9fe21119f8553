/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/datagram.h"

#include <assert.h>

#include "base/cursor.h"
#include "base/error.h"

/* Whether len is one of min, min + 16, min + 32 ... up to DGRAM_MAX. */
static bool sealed_len_ok(size_t len, size_t min)
{
    return len >= min && len <= DGRAM_MAX && (len - min) % DGRAM_AES_BLOCK == 0;
}

static bool len_ok(uint8_t type, size_t len)
{
    switch (type) {
    case DGRAM_BEACON:
        return len == DGRAM_BEACON_LEN;
    case DGRAM_HINT:
        return len == DGRAM_HINT_LEN;
    case DGRAM_REQUEST:
        return sealed_len_ok(len, DGRAM_REQUEST_MIN);
    case DGRAM_ANSWER:
        return sealed_len_ok(len, DGRAM_ANSWER_MIN);
    case DGRAM_RESET:
        return len == DGRAM_RESET_LEN;
    default:
        return false;
    }
}

static int read_request(struct cursor *c, struct dgram *d)
{
    int err;

    if ((err = cursor_skip(c, 2)) != KITH_OK ||
        (err = cursor_bytes(c, &d->request.epoch, DGRAM_EPOCH_LEN)) !=
            KITH_OK ||
        (err = cursor_bytes(c, &d->request.ticket, DGRAM_TICKET_LEN)) !=
            KITH_OK ||
        (err = cursor_bytes(c, &d->request.iv, DGRAM_IV_LEN)) != KITH_OK)
        return err;
    return KITH_OK;
}

static int read_answer(struct cursor *c, struct dgram *d)
{
    int err;

    if ((err = cursor_skip(c, 2)) != KITH_OK ||
        (err = cursor_bytes(c, &d->answer.request_id, DGRAM_REQUEST_ID_LEN)) !=
            KITH_OK ||
        (err = cursor_skip(c, 4)) != KITH_OK ||
        (err = cursor_bytes(c, &d->answer.iv, DGRAM_IV_LEN)) != KITH_OK)
        return err;
    return KITH_OK;
}

static int read_reset(struct cursor *c, struct dgram *d)
{
    int err;

    if ((err = cursor_skip(c, 2)) != KITH_OK ||
        (err = cursor_bytes(c, &d->reset.request_id, DGRAM_REQUEST_ID_LEN)) !=
            KITH_OK ||
        (err = cursor_bytes(c, &d->reset.token, DGRAM_RESET_TOKEN_LEN)) !=
            KITH_OK)
        return err;
    return KITH_OK;
}

/* Reads by type what stands after it; c is there already. */
static int read_type(const uint8_t *p, struct cursor *c, struct dgram *d)
{
    switch (d->type) {
    case DGRAM_BEACON:
        return beacon_decode(p, &d->beacon);
    case DGRAM_HINT:
        return hint_decode(p, &d->hint);
    case DGRAM_REQUEST:
        return read_request(c, d);
    case DGRAM_ANSWER:
        return read_answer(c, d);
    case DGRAM_RESET:
        return read_reset(c, d);
    }
    return KITH_ERR_TYPE;
}

int dgram_parse(const uint8_t *p, size_t len, struct dgram *out)
{
    struct dgram d;
    struct cursor c;
    uint8_t version, type;
    int err;

    cursor_init(&c, p, len);
    if ((err = cursor_u8(&c, &version)) != KITH_OK ||
        (err = cursor_u8(&c, &type)) != KITH_OK)
        return err;
    if (version != PROTOCOL_MAJOR)
        return KITH_ERR_VERSION;
    if (type < DGRAM_BEACON || type > DGRAM_RESET)
        return KITH_ERR_TYPE;
    if (!len_ok(type, len))
        return KITH_ERR_RANGE;
    d.type = (enum dgram_type)type;
    if ((err = read_type(p, &c, &d)) != KITH_OK)
        return err;
    *out = d;
    return KITH_OK;
}

void reset_encode(const uint8_t request_id[DGRAM_REQUEST_ID_LEN],
                  const uint8_t token[DGRAM_RESET_TOKEN_LEN],
                  uint8_t out[DGRAM_RESET_LEN])
{
    struct writer w;
    size_t len = 0;
    int err;

    writer_init(&w, out, DGRAM_RESET_LEN);
    writer_u8(&w, PROTOCOL_MAJOR);
    writer_u8(&w, DGRAM_RESET);
    writer_zeros(&w, 2);
    writer_bytes(&w, request_id, DGRAM_REQUEST_ID_LEN);
    writer_bytes(&w, token, DGRAM_RESET_TOKEN_LEN);
    err = writer_finish(&w, &len);
    assert(err == KITH_OK && len == DGRAM_RESET_LEN);
}
