/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_BEACON_H
#define KITH_WIRE_BEACON_H

#include "base/types.h"
#include "wire/limits.h"

/*
 * The two datagrams of discovery on a link; docs/protocol.md section 6.5.
 * They say that somebody of a mesh is there, and never who.
 *
 *     offset  size  beacon                    hint
 *     0       1     version = 1               version = 1
 *     1       1     type = 1                  type = 2
 *     2       1     k                         must be zero
 *     3       1     must be zero              must be zero
 *     4       4     mesh tag                  mesh tag
 *     8       2     sender's port, not 0      sender's port, not 0
 *     10      2     must be zero              must be zero
 *     12      8     nonce                     the beacon's nonce
 *     20      4     must be zero              -
 */

/* Multicast by whoever looks for others. */
struct beacon {
    uint8_t k;                 /* beacons of this search before, at most 255 */
    uint8_t tag[MESH_TAG_LEN]; /* of the mesh */
    uint16_t port;             /* of the sender, host byte order; not 0 */
    uint8_t nonce[DGRAM_NONCE_LEN]; /* random for each search */
};

/* The unicast reply to one. */
struct hint {
    uint8_t tag[MESH_TAG_LEN];
    uint16_t port;                  /* where to ask for a session; not 0 */
    uint8_t nonce[DGRAM_NONCE_LEN]; /* the beacon's */
};

/* Write the whole datagram to out. */
void beacon_encode(const struct beacon *beacon, uint8_t out[DGRAM_BEACON_LEN]);
void hint_encode(const struct hint *hint, uint8_t out[DGRAM_HINT_LEN]);

/* Read what follows version and type; dgram_parse() has seen to these and to
 * the length. Return KITH_OK, or KITH_ERR_RANGE for port 0. *out is unchanged
 * on an error. */
int beacon_decode(const uint8_t dgram[DGRAM_BEACON_LEN], struct beacon *out);
int hint_decode(const uint8_t dgram[DGRAM_HINT_LEN], struct hint *out);

#endif
