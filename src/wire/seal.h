/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_SEAL_H
#define KITH_WIRE_SEAL_H

#include "base/types.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "wire/limits.h"

/*
 * Sealing and opening requests and answers; docs/protocol.md sections 6.2
 * and 6.3. Encrypt, then MAC over all bytes before; opening checks the MAC
 * in constant time before it decrypts anything.
 *
 *     request = clear part (56) ‖ AES-256-CBC(items) ‖ MAC (16)
 *     answer  = clear part (32) ‖ AES-256-CBC(request's IV ‖ items) ‖ MAC (16)
 *
 * In all of them: cipher is a workspace, whose keys are replaced; keys are
 * those of the session, seen from the side that asks (A); ivs are random
 * and never used twice. No buffer overlaps another.
 */

/* What a session made A repeat in each request, as B gave it. */
struct seal_ticket {
    uint8_t epoch[DGRAM_EPOCH_LEN];
    uint8_t ticket[DGRAM_TICKET_LEN];
};

/*
 * Writes a request with n bytes of items (0 .. REQUEST_ITEMS_MAX) to the cap
 * bytes at out, and its length to *len. items may be NULL when n is 0.
 * Returns KITH_OK; KITH_ERR_RANGE when n is too large; KITH_ERR_FULL when
 * cap is below seal_request_len(n); KITH_ERR_CRYPTO. On an error *len is
 * unchanged, and out worthless.
 */
int seal_request(struct cipher *cipher, const struct session_keys *keys,
                 const struct seal_ticket *ticket,
                 const uint8_t iv[DGRAM_IV_LEN], const uint8_t *items, size_t n,
                 uint8_t *out, size_t cap, size_t *len);

/*
 * Opens a request of len bytes: writes its items to the cap bytes at items,
 * and their length to *n. cap is that of the ciphertext at least, for which
 * DGRAM_MAX is always enough. Returns KITH_OK; what dgram_parse() returns;
 * KITH_ERR_TYPE: no request; KITH_ERR_AUTH: the MAC (then nothing was
 * decrypted) or the padding; KITH_ERR_FULL: cap; KITH_ERR_CRYPTO. On an error
 * *n is unchanged, and items worthless.
 */
int seal_open_request(struct cipher *cipher, const struct session_keys *keys,
                      const uint8_t *dgram, size_t len, uint8_t *items,
                      size_t cap, size_t *n);

/* As seal_request(), but the answer to the request that had request_iv, with
 * 0 .. ANSWER_ITEMS_MAX bytes of items. */
int seal_answer(struct cipher *cipher, const struct session_keys *keys,
                const uint8_t request_iv[DGRAM_IV_LEN],
                const uint8_t iv[DGRAM_IV_LEN], const uint8_t *items, size_t n,
                uint8_t *out, size_t cap, size_t *len);

/* As seal_open_request(), but an answer, and only one to the request that had
 * request_iv: KITH_ERR_UNWANTED when the clear part names another request,
 * KITH_ERR_AUTH when what is sealed does. */
int seal_open_answer(struct cipher *cipher, const struct session_keys *keys,
                     const uint8_t request_iv[DGRAM_IV_LEN],
                     const uint8_t *dgram, size_t len, uint8_t *items,
                     size_t cap, size_t *n);

/* The length of a request, or an answer, with n bytes of items. */
size_t seal_request_len(size_t n);
size_t seal_answer_len(size_t n);

/* How many bytes of items an answer may have so that it is no longer than a
 * request of request_len bytes (DGRAM_REQUEST_MIN .. DGRAM_MAX). */
size_t seal_answer_room(size_t request_len);

#endif
