/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/seal.h"

#include <assert.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/wipe.h"
#include "wire/datagram.h"

size_t seal_request_len(size_t n)
{
    return DGRAM_REQUEST_HEAD + cipher_padded_len(n) + DGRAM_MAC_LEN;
}

size_t seal_answer_len(size_t n)
{
    return DGRAM_ANSWER_HEAD + cipher_padded_len(DGRAM_IV_LEN + n) +
           DGRAM_MAC_LEN;
}

size_t seal_answer_room(size_t request_len)
{
    size_t sealed;

    assert(request_len >= DGRAM_REQUEST_MIN && request_len <= DGRAM_MAX);
    sealed = request_len - DGRAM_ANSWER_HEAD - DGRAM_MAC_LEN;
    sealed -= sealed % DGRAM_AES_BLOCK;
    return sealed - 1 - DGRAM_IV_LEN; /* padding is one byte at least */
}

/* What is particular to one direction and one datagram. */
struct frame {
    const uint8_t *enc_key;
    const uint8_t *mac_key;
    const uint8_t *iv;
    size_t head_len; /* of the clear part */
};

/* Appends to the clear part at out the n bytes at plain, encrypted, and the
 * MAC over everything. plain may already stand right after the clear part. */
static int close_frame(struct cipher *cipher, const struct frame *f,
                       const uint8_t *plain, size_t n, uint8_t *out,
                       size_t *len)
{
    size_t sealed = cipher_padded_len(n);
    size_t mac_at = f->head_len + sealed;
    int err;

    if ((err = cipher_set_encrypt(cipher, f->enc_key)) != KITH_OK ||
        (err = cipher_set_mac(cipher, f->mac_key)) != KITH_OK ||
        (err = cipher_encrypt(cipher, f->iv, plain, n, out + f->head_len,
                              sealed, &sealed)) != KITH_OK ||
        (err = cipher_mac(cipher, out, mac_at, out + mac_at)) != KITH_OK)
        return err;
    *len = mac_at + DGRAM_MAC_LEN;
    return KITH_OK;
}

/* Checks the MAC of a datagram that dgram_parse() has passed, then decrypts
 * what stands between its clear part and the MAC. */
static int open_frame(struct cipher *cipher, const struct frame *f,
                      const uint8_t *dgram, size_t len, uint8_t *plain,
                      size_t cap, size_t *n)
{
    size_t mac_at = len - DGRAM_MAC_LEN;
    size_t sealed = mac_at - f->head_len;
    int err;

    if (cap < sealed)
        return KITH_ERR_FULL;
    if ((err = cipher_set_mac(cipher, f->mac_key)) != KITH_OK ||
        (err = cipher_mac_check(cipher, dgram, mac_at, dgram + mac_at)) !=
            KITH_OK ||
        (err = cipher_set_decrypt(cipher, f->enc_key)) != KITH_OK)
        return err;
    return cipher_decrypt(cipher, f->iv, dgram + f->head_len, sealed, plain,
                          cap, n);
}

static struct frame request_frame(const struct session_keys *keys,
                                  const uint8_t *iv)
{
    return (struct frame){keys->a2b_enc, keys->a2b_mac, iv, DGRAM_REQUEST_HEAD};
}

static struct frame answer_frame(const struct session_keys *keys,
                                 const uint8_t *iv)
{
    return (struct frame){keys->b2a_enc, keys->b2a_mac, iv, DGRAM_ANSWER_HEAD};
}

int seal_request(struct cipher *cipher, const struct session_keys *keys,
                 const struct seal_ticket *ticket,
                 const uint8_t iv[DGRAM_IV_LEN], const uint8_t *items, size_t n,
                 uint8_t *out, size_t cap, size_t *len)
{
    struct frame f = request_frame(keys, iv);
    struct writer w;

    if (n > REQUEST_ITEMS_MAX)
        return KITH_ERR_RANGE;
    if (cap < seal_request_len(n))
        return KITH_ERR_FULL;
    writer_init(&w, out, cap);
    writer_u8(&w, PROTOCOL_MAJOR);
    writer_u8(&w, DGRAM_REQUEST);
    writer_zeros(&w, 2);
    writer_bytes(&w, ticket->epoch, sizeof ticket->epoch);
    writer_bytes(&w, ticket->ticket, sizeof ticket->ticket);
    writer_bytes(&w, iv, DGRAM_IV_LEN);
    return close_frame(cipher, &f, items, n, out, len);
}

int seal_open_request(struct cipher *cipher, const struct session_keys *keys,
                      const uint8_t *dgram, size_t len, uint8_t *items,
                      size_t cap, size_t *n)
{
    struct frame f;
    struct dgram d;
    int err;

    if ((err = dgram_parse(dgram, len, &d)) != KITH_OK)
        return err;
    if (d.type != DGRAM_REQUEST)
        return KITH_ERR_TYPE;
    f = request_frame(keys, d.request.iv);
    return open_frame(cipher, &f, dgram, len, items, cap, n);
}

int seal_answer(struct cipher *cipher, const struct session_keys *keys,
                const uint8_t request_iv[DGRAM_IV_LEN],
                const uint8_t iv[DGRAM_IV_LEN], const uint8_t *items, size_t n,
                uint8_t *out, size_t cap, size_t *len)
{
    struct frame f = answer_frame(keys, iv);
    struct writer w;
    int err;

    if (n > ANSWER_ITEMS_MAX)
        return KITH_ERR_RANGE;
    if (cap < seal_answer_len(n))
        return KITH_ERR_FULL;
    writer_init(&w, out, cap);
    writer_u8(&w, PROTOCOL_MAJOR);
    writer_u8(&w, DGRAM_ANSWER);
    writer_zeros(&w, 2);
    writer_bytes(&w, request_iv, DGRAM_REQUEST_ID_LEN);
    writer_zeros(&w, 4);
    writer_bytes(&w, iv, DGRAM_IV_LEN);
    writer_bytes(&w, request_iv, DGRAM_IV_LEN);
    writer_bytes(&w, items, n);
    err = close_frame(cipher, &f, out + f.head_len, DGRAM_IV_LEN + n, out, len);
    if (err != KITH_OK)
        secret_wipe(out, cap); /* the items stood there in the clear */
    return err;
}

int seal_open_answer(struct cipher *cipher, const struct session_keys *keys,
                     const uint8_t request_iv[DGRAM_IV_LEN],
                     const uint8_t *dgram, size_t len, uint8_t *items,
                     size_t cap, size_t *n)
{
    struct frame f;
    struct dgram d;
    size_t plain;
    int err;

    if ((err = dgram_parse(dgram, len, &d)) != KITH_OK)
        return err;
    if (d.type != DGRAM_ANSWER)
        return KITH_ERR_TYPE;
    if (memcmp(d.answer.request_id, request_iv, DGRAM_REQUEST_ID_LEN) != 0)
        return KITH_ERR_UNWANTED;
    f = answer_frame(keys, d.answer.iv);
    err = open_frame(cipher, &f, dgram, len, items, cap, &plain);
    if (err != KITH_OK)
        return err;
    if (plain < DGRAM_IV_LEN || !secret_equal(items, request_iv, DGRAM_IV_LEN))
        return KITH_ERR_AUTH;
    *n = plain - DGRAM_IV_LEN;
    memmove(items, items + DGRAM_IV_LEN, *n);
    return KITH_OK;
}
