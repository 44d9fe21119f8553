/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_CERTS_H
#define KITH_WIRE_CERTS_H

#include "base/cursor.h"
#include "base/types.h"
#include "crypto/cert.h"
#include "wire/limits.h"

/*
 * The payload of the block `cert`: the author's node certificate, then its
 * intermediates; docs/protocol.md section 7.1.
 *
 *     size  content
 *     1     count, 1 to 3
 *     n x   length (2), not 0, of the first at most 2,048; DER
 */

/* As cert_check_chain() takes it. The bytes are in the payload that it was
 * read from. */
struct certs {
    size_t n; /* 1 .. CERTS_MAX */
    struct cert_der chain[CERTS_MAX];
};

/* Reads a payload; whether the certificates are any good is for
 * crypto/cert.h. Returns KITH_OK, or KITH_ERR_TRUNCATED, KITH_ERR_TRAILING;
 * KITH_ERR_RANGE: the count or a length. *out is unchanged on an error. */
int certs_decode(const uint8_t *payload, size_t len, struct certs *out);

/* Appends a payload. Returns KITH_OK; KITH_ERR_RANGE, and then writes
 * nothing, when certs_decode() would refuse it; KITH_ERR_FULL when the writer
 * has no room. */
int certs_encode(const struct certs *certs, struct writer *w);

#endif
