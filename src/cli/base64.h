/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_BASE64_H
#define KITH_CLI_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Reads base64 (RFC 4648, section 4): whole groups of four, with padding, no
 * other character, and no bits set that belong to no byte. *out gets malloc'ed
 * bytes (never NULL), *n their number. Returns KITH_OK, KITH_ERR_FORMAT or
 * KITH_ERR_NOMEM; *out is NULL on an error.
 */
int base64_decode(const char *text, uint8_t **out, size_t *n);

/* Writes base64 text as PEM (RFC 7468) with that label. Errors of the stream
 * are left to ferror(). */
void base64_pem(FILE *out, const char *label, const char *text);

#endif
