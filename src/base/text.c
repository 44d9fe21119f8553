/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/error.h"

/* The length that the first byte of a character announces, with the bits of
 * the code point that it carries; 0 when no character begins so. */
static size_t first_byte(uint8_t c, uint32_t *code)
{
    if (c < 0x80) {
        *code = c;
        return 1;
    }
    if (c >= 0xc2 && c <= 0xdf) {
        *code = c & 0x1fU;
        return 2;
    }
    if (c >= 0xe0 && c <= 0xef) {
        *code = c & 0x0fU;
        return 3;
    }
    if (c >= 0xf0 && c <= 0xf4) {
        *code = c & 0x07U;
        return 4;
    }
    return 0;
}

/* Whether this is the shortest way to write a code point that exists. */
static bool well_formed(uint32_t code, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

    if (code < least[len] || code > 0x10ffff)
        return false;
    return code < 0xd800 || code > 0xdfff; /* surrogates */
}

static bool harmless(uint32_t code)
{
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) /* C0, DEL, C1 */
        return false;
    if (code == 0x061c || code == 0x200e || code == 0x200f)
        return false;
    if (code >= 0x2028 && code <= 0x202e) /* separators, bidi embeddings */
        return false;
    return code < 0x2066 || code > 0x2069; /* bidi isolates */
}

size_t text_char(const char *s, size_t n)
{
    uint32_t code;
    size_t len;

    if (n == 0)
        return 0;
    len = first_byte((uint8_t)s[0], &code);
    if (len == 0 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++) {
        uint8_t c = (uint8_t)s[i];

        if ((c & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (c & 0x3fU);
    }
    return well_formed(code, len) && harmless(code) ? len : 0;
}

bool text_valid_utf8(const char *s, size_t n)
{
    size_t len;

    for (size_t i = 0; i < n; i += len) {
        len = text_char(s + i, n - i);
        if (len == 0)
            return false;
    }
    return true;
}

static void hex_byte(char *dst, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";

    dst[0] = digits[byte >> 4];
    dst[1] = digits[byte & 15];
}

size_t text_hex(char *dst, size_t cap, const void *src, size_t n)
{
    const uint8_t *bytes = src;
    size_t len = 0;

    if (cap == 0)
        return 0;
    for (size_t i = 0; i < n && cap - len > 2; i++, len += 2)
        hex_byte(dst + len, bytes[i]);
    dst[len] = '\0';
    return len;
}

/* The value of a hexadecimal digit; 16 for any other character. */
static unsigned nibble(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A' + 10);
    return 16;
}

int text_unhex(void *dst, size_t n, const char *hex, size_t len)
{
    uint8_t *bytes = dst;

    if (len % 2 != 0 || len / 2 != n)
        return KITH_ERR_FORMAT;
    for (size_t i = 0; i < len; i++)
        if (nibble(hex[i]) > 15)
            return KITH_ERR_FORMAT;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    return KITH_OK;
}

int text_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (s[0] == '\0' || (s[0] == '0' && s[1] != '\0'))
        return KITH_ERR_FORMAT;
    for (size_t i = 0; s[i] != '\0'; i++)
        if (s[i] < '0' || s[i] > '9')
            return KITH_ERR_FORMAT;
    for (; *s != '\0'; s++) {
        uint64_t digit = (uint64_t)(*s - '0');

        if (v > (UINT64_MAX - digit) / 10)
            return KITH_ERR_RANGE;
        v = v * 10 + digit;
    }
    if (v < min || v > max)
        return KITH_ERR_RANGE;
    *out = v;
    return KITH_OK;
}

/* An address in text, cut into its parts; "" where one is missing. */
struct parts {
    char ip[INET6_ADDRSTRLEN];
    char zone[sizeof "4294967295"];
    char port[sizeof "65535"];
};

/* Copies the text from `from` up to `to`, which may not be empty. */
static int copy_part(char *dst, size_t cap, const char *from, const char *to)
{
    size_t len = (size_t)(to - from);

    if (len == 0 || len >= cap)
        return KITH_ERR_FORMAT;
    memcpy(dst, from, len);
    dst[len] = '\0';
    return KITH_OK;
}

/* "2001:db8::1" or "fe80::1%3", from `from` up to `to`. */
static int split_ipv6(struct parts *p, const char *from, const char *to)
{
    const char *zone = memchr(from, '%', (size_t)(to - from));

    if (zone == NULL)
        return copy_part(p->ip, sizeof p->ip, from, to);
    if (copy_part(p->zone, sizeof p->zone, zone + 1, to) != KITH_OK)
        return KITH_ERR_FORMAT;
    return copy_part(p->ip, sizeof p->ip, from, zone);
}

static int split(struct parts *p, const char *s)
{
    const char *end = s + strlen(s);
    const char *colon = strchr(s, ':');
    const char *to = end;

    memset(p, 0, sizeof *p);
    if (s[0] == '[') {
        to = strchr(s, ']');
        if (to == NULL || split_ipv6(p, s + 1, to) != KITH_OK)
            return KITH_ERR_FORMAT;
        to++;
    } else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        return split_ipv6(p, s, end);
    } else {
        if (colon != NULL)
            to = colon;
        if (copy_part(p->ip, sizeof p->ip, s, to) != KITH_OK)
            return KITH_ERR_FORMAT;
    }
    if (to == end)
        return KITH_OK;
    if (*to != ':')
        return KITH_ERR_FORMAT;
    return copy_part(p->port, sizeof p->port, to + 1, end);
}

int text_addr_parse(struct addr *out, const char *s, uint16_t default_port)
{
    struct addr a = {.port = default_port};
    struct parts p;
    uint64_t v;

    if (split(&p, s) != KITH_OK)
        return KITH_ERR_FORMAT;
    if (inet_pton(AF_INET, p.ip, a.ip) == 1 && s[0] != '[')
        a.family = 4;
    else if (inet_pton(AF_INET6, p.ip, a.ip) == 1)
        a.family = 6;
    else
        return KITH_ERR_FORMAT;
    if (p.zone[0] != '\0') {
        if (a.family != 6 || !addr_is_link_local(&a) ||
            text_u64(p.zone, 1, UINT32_MAX, &v) != KITH_OK)
            return KITH_ERR_FORMAT;
        a.ifindex = (uint32_t)v;
    }
    if (p.port[0] != '\0') {
        if (text_u64(p.port, 0, UINT16_MAX, &v) != KITH_OK)
            return KITH_ERR_FORMAT;
        a.port = (uint16_t)v;
    }
    addr_normalise(&a);
    *out = a;
    return KITH_OK;
}

int text_addr_format(char *dst, size_t cap, const struct addr *a)
{
    struct addr n = *a;
    char ip[INET6_ADDRSTRLEN];
    char zone[sizeof "%4294967295"] = "";
    int len;

    if (cap > 0)
        dst[0] = '\0';
    addr_normalise(&n);
    if (n.family == 0)
        return KITH_ERR_FORMAT;
    inet_ntop(n.family == 4 ? AF_INET : AF_INET6, n.ip, ip, sizeof ip);
    if (n.ifindex != 0)
        snprintf(zone, sizeof zone, "%%%" PRIu32, n.ifindex);
    if (n.family == 4)
        len = snprintf(dst, cap, "%s:%" PRIu16, ip, n.port);
    else
        len = snprintf(dst, cap, "[%s%s]:%" PRIu16, ip, zone, n.port);
    if (len < 0 || (size_t)len >= cap) {
        if (cap > 0)
            dst[0] = '\0';
        return KITH_ERR_FULL;
    }
    return KITH_OK;
}

static size_t show_byte(char *dst, char byte, size_t *taken)
{
    dst[0] = '\\';
    dst[1] = 'x';
    hex_byte(dst + 2, (uint8_t)byte);
    *taken = 1;
    return TEXT_SHOW_SIZE;
}

size_t text_show(char dst[TEXT_SHOW_SIZE], const char *s, size_t n,
                 size_t *taken)
{
    *taken = text_char(s, n);
    if (*taken == 0)
        return show_byte(dst, *s, taken);
    memcpy(dst, s, *taken);
    return *taken;
}

size_t text_escape(char *dst, size_t cap, const void *src, size_t n)
{
    const char *s = src;
    size_t len = 0;

    if (cap == 0)
        return 0;
    while (n > 0) {
        char shown[TEXT_SHOW_SIZE];
        size_t taken;
        size_t room = *s == '\\' || *s == '"' ? show_byte(shown, *s, &taken)
                                              : text_show(shown, s, n, &taken);

        if (room >= cap - len)
            break;
        memcpy(dst + len, shown, room);
        len += room;
        s += taken;
        n -= taken;
    }
    dst[len] = '\0';
    return len;
}
