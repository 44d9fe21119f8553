/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_DATAGRAM_H
#define KITH_WIRE_DATAGRAM_H

#include "base/types.h"
#include "wire/beacon.h"
#include "wire/limits.h"

/* What of a datagram is in the clear; docs/protocol.md section 6. */

enum dgram_type {
    DGRAM_BEACON = 1,
    DGRAM_HINT = 2,
    DGRAM_REQUEST = 3,
    DGRAM_ANSWER = 4,
    DGRAM_RESET = 5,
};

/*
 * A view of a datagram's clear part. The pointers go into the datagram.
 *
 *     offset  request          answer                reset
 *     0       version, type, must be zero (2)
 *     4       epoch (4)        request's IV[:8]      request's IV[:8]
 *     8       ticket (32)
 *     12                       must be zero (4)      reset token (16)
 *     16                       IV (16)
 *     32                       sealed (n), MAC (16)
 *     40      IV (16)
 *     56      sealed (n), MAC (16)
 */
struct dgram {
    enum dgram_type type;
    union {
        struct beacon beacon;
        struct hint hint;
        struct {
            const uint8_t *epoch;  /* DGRAM_EPOCH_LEN */
            const uint8_t *ticket; /* DGRAM_TICKET_LEN */
            const uint8_t *iv;     /* DGRAM_IV_LEN */
        } request;
        struct {
            const uint8_t *request_id; /* DGRAM_REQUEST_ID_LEN */
            const uint8_t *iv;         /* DGRAM_IV_LEN */
        } answer;
        struct {
            const uint8_t *request_id; /* DGRAM_REQUEST_ID_LEN */
            const uint8_t *token;      /* DGRAM_RESET_TOKEN_LEN */
        } reset;
    };
};

/*
 * Says what the len bytes at p are, by version, type and exact length; a
 * datagram that passes has every byte of its clear part. What is sealed is
 * for seal.h. Returns KITH_OK, or KITH_ERR_TRUNCATED: no version and type;
 * KITH_ERR_VERSION; KITH_ERR_TYPE; KITH_ERR_RANGE: a length that the type
 * cannot have, or port 0. *out is unchanged on an error.
 */
int dgram_parse(const uint8_t *p, size_t len, struct dgram *out);

/* Writes a reset, for the request with that id (the first half of its IV), to
 * out. */
void reset_encode(const uint8_t request_id[DGRAM_REQUEST_ID_LEN],
                  const uint8_t token[DGRAM_RESET_TOKEN_LEN],
                  uint8_t out[DGRAM_RESET_LEN]);

#endif
