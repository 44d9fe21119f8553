/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_TEXT_H
#define KITH_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/types.h"

/* Text as it comes from, and goes to, people, files and other nodes. */

enum {
    /* Room for whatever text_addr_format() writes, with its NUL:
     * [ + 45 of IPv6 + % + 10 digits + ]: + 5 digits. */
    TEXT_ADDR_SIZE = 66,
    /* The most that text_show() writes: 4 bytes of UTF-8, or \xNN. */
    TEXT_SHOW_SIZE = 4,
};

/*
 * The length, 1 to 4, of the first character of the n bytes at s; 0 when
 * there is none that may be shown as it is: malformed UTF-8 (overlong,
 * surrogate, above U+10FFFF, cut off: RFC 3629), a control character (C0,
 * DEL, C1), a line or paragraph separator (U+2028, U+2029) or a character
 * that turns the direction of writing (U+061C, U+200E, U+200F,
 * U+202A..U+202E, U+2066..U+2069).
 */
size_t text_char(const char *s, size_t n);

/* Whether the n bytes at s are nothing but characters that text_char()
 * accepts. n = 0 is valid. */
bool text_valid_utf8(const char *s, size_t n);

/* Writes the first of n > 0 bytes as it may be shown: the character that
 * begins there if text_char() accepts it, otherwise that one byte as \xNN.
 * Sets *taken to the number of bytes used up, and returns the number written
 * (1 to 4, no NUL). */
size_t text_show(char dst[TEXT_SHOW_SIZE], const char *s, size_t n,
                 size_t *taken);

/* Writes the n bytes at src as 2n lower-case digits and a NUL to the cap
 * bytes at dst. Returns the number of digits written: 2n, or fewer when only
 * the first bytes fit. */
size_t text_hex(char *dst, size_t cap, const void *src, size_t n);

/* Reads exactly 2n hexadecimal digits, of either case, into the n bytes at
 * dst. Returns KITH_OK, or KITH_ERR_FORMAT when len is not 2n or something
 * else is among them: then dst is unchanged. */
int text_unhex(void *dst, size_t n, const char *hex, size_t len);

/*
 * Reads a numeric address: "192.0.2.1", "192.0.2.1:16990", "2001:db8::1",
 * "[2001:db8::1]:16990", "fe80::1%3", "[fe80::1%3]:16990"; after the % stands
 * the number of an interface, for fe80::/10 only. Without a port it gets
 * default_port. IPv4 in IPv6 (::ffff:192.0.2.1) comes out as IPv4. Whether
 * the address and the port make sense (they may be 0) is for the caller.
 * Returns KITH_OK or KITH_ERR_FORMAT; then *out is unchanged.
 */
int text_addr_parse(struct addr *out, const char *s, uint16_t default_port);

/* Writes an address with its port in the one form that text_addr_parse()
 * takes back: "192.0.2.1:16990", "[fe80::1%3]:16990" (RFC 5952). Returns
 * KITH_OK; KITH_ERR_FORMAT for no address (family neither 4 nor 6);
 * KITH_ERR_FULL when cap is too small, which TEXT_ADDR_SIZE never is. dst is
 * the empty string on an error, provided that cap > 0. */
int text_addr_format(char *dst, size_t cap, const struct addr *a);

/* Reads a whole string as a decimal number of min..max: digits only, no
 * sign, no space, no leading zero. Returns KITH_OK, KITH_ERR_FORMAT or
 * KITH_ERR_RANGE; *out is unchanged on an error. */
int text_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/*
 * Makes any n bytes safe to show on a terminal or between the double quotes
 * of a log line: what text_char() refuses, the backslash and the double
 * quote become \xNN, byte by byte. Cuts between characters when the cap
 * bytes at dst, NUL included, are too few; TEXT_SHOW_SIZE * n + 1 never are.
 * Returns the length of what it wrote.
 */
size_t text_escape(char *dst, size_t cap, const void *src, size_t n);

#endif
