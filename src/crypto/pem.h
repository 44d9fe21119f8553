/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_PEM_H
#define KITH_CRYPTO_PEM_H

#include "crypto/cert.h"

/* Certificates as PEM text (RFC 7468), and the base64 inside it (RFC 4648,
 * section 4). */

/*
 * Takes the certificates out of len bytes of PEM text; other things in it are
 * skipped. Their DER goes to der, which has room for cap bytes, and where each
 * stands to chain, which has room for max; *n is how many. Returns KITH_OK;
 * KITH_ERR_CERT when there is none, one too many, no room, or the text is
 * malformed; KITH_ERR_NOMEM. On an error the three are worthless.
 */
int pem_read_certs(const char *text, size_t len, uint8_t *der, size_t cap,
                   struct cert_der *chain, size_t max, size_t *n);

/* Writes a certificate of n bytes of DER as PEM to text, which has room for
 * cap bytes, with a NUL; *len is its length without. Returns KITH_OK,
 * KITH_ERR_FULL or KITH_ERR_NOMEM. */
int pem_write_cert(const uint8_t *der, size_t n, char *text, size_t cap,
                   size_t *len);

/* Decodes len characters of base64, with padding and nothing else in it, to
 * out, which has room for len / 4 * 3 bytes. Returns the number of bytes, 0
 * when it is malformed or empty. */
size_t pem_base64_decode(const char *text, size_t len, uint8_t *out);

/* Encodes n bytes as base64 with a NUL to text, which has room for
 * (n + 2) / 3 * 4 + 1 characters. */
void pem_base64_encode(const uint8_t *bytes, size_t n, char *text);

#endif
