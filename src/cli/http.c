/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/text.h"

void http_init(struct http_reader *r,
               int (*body)(void *arg, const uint8_t *bytes, size_t n),
               void *arg)
{
    memset(r, 0, sizeof *r);
    r->body = body;
    r->arg = arg;
}

bool http_in_body(const struct http_reader *r)
{
    return r->state >= HTTP_BODY && r->state <= HTTP_DONE;
}

bool http_done(const struct http_reader *r)
{
    return r->state == HTTP_DONE;
}

/* -- lines ------------------------------------------------------------ */

/* "HTTP/1.1 200 OK"; the phrase may be empty (RFC 9112, section 4). */
static int status_line(struct http_reader *r, const char *line)
{
    static const char version[] = "HTTP/1.1 ";
    const char *digits = line + sizeof version - 1;
    int status = 0;

    if (strncmp(line, version, sizeof version - 1) != 0 ||
        strspn(digits, "0123456789") != 3 || digits[3] != ' ')
        return KITH_ERR_FORMAT;
    for (int i = 0; i < 3; i++)
        status = status * 10 + (digits[i] - '0');
    if (status < 200 || status > 599)
        return KITH_ERR_FORMAT;
    r->status = status;
    r->state = HTTP_HEADER;
    return KITH_OK;
}

/* The head has ended: which body follows? */
static int head_end(struct http_reader *r)
{
    bool none = r->status == 204 || r->status == 304;

    if (r->has_length && r->chunked)
        return KITH_ERR_FORMAT;
    if (none || (r->has_length && r->left == 0))
        r->state = HTTP_DONE;
    else if (r->chunked)
        r->state = HTTP_CHUNK_SIZE;
    else if (r->has_length)
        r->state = HTTP_BODY;
    else
        return KITH_ERR_FORMAT;
    return KITH_OK;
}

static int content_length(struct http_reader *r, const char *value)
{
    if (r->has_length)
        return KITH_ERR_FORMAT;
    r->has_length = true;
    return text_u64(value, 0, UINT32_MAX, &r->left);
}

static int transfer_encoding(struct http_reader *r, const char *value)
{
    if (r->chunked || strcasecmp(value, "chunked") != 0)
        return KITH_ERR_FORMAT;
    r->chunked = true;
    return KITH_OK;
}

/* "Name: value" */
static int header_line(struct http_reader *r, char *line)
{
    static const char token[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789!#$%&'*+-.^_`|~";
    size_t name_len = strspn(line, token);
    char *value = line + name_len;

    if (line[0] == '\0')
        return head_end(r);
    if (name_len == 0 || value[0] != ':')
        return KITH_ERR_FORMAT;
    *value++ = '\0';
    value += strspn(value, " \t");
    for (size_t len = strlen(value); len > 0; len--) {
        if (value[len - 1] != ' ' && value[len - 1] != '\t')
            break;
        value[len - 1] = '\0';
    }
    if (strcasecmp(line, "Content-Length") == 0)
        return content_length(r, value);
    if (strcasecmp(line, "Transfer-Encoding") == 0)
        return transfer_encoding(r, value);
    return KITH_OK;
}

/* The size of the next chunk; the last one has none. */
static int chunk_size(struct http_reader *r, const char *line)
{
    size_t digits = strspn(line, "0123456789abcdefABCDEF");

    if (digits == 0 || line[digits] != '\0')
        return KITH_ERR_FORMAT;
    if (digits > HTTP_CHUNK_DIGITS)
        return KITH_ERR_RANGE;
    r->left = 0;
    for (size_t i = 0; i < digits; i++) {
        int c = tolower((unsigned char)line[i]);

        r->left = r->left << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    r->state = r->left == 0 ? HTTP_LAST_LINE : HTTP_CHUNK;
    return KITH_OK;
}

/* A whole line, without its end. */
static int take_line(struct http_reader *r)
{
    switch (r->state) {
    case HTTP_STATUS_LINE:
        return status_line(r, r->line);
    case HTTP_HEADER:
        return header_line(r, r->line);
    case HTTP_CHUNK_SIZE:
        return chunk_size(r, r->line);
    case HTTP_CHUNK_END:
        r->state = HTTP_CHUNK_SIZE;
        return KITH_OK;
    case HTTP_LAST_LINE:
        r->state = HTTP_DONE;
        return KITH_OK;
    default:
        return KITH_ERR_FORMAT;
    }
}

/* Every line ends in CR LF; no CR stands elsewhere, nor a control character.
 * Some lines are empty. */
static bool may_follow(const struct http_reader *r, char c)
{
    bool after_cr = r->line_len > 0 && r->line[r->line_len - 1] == '\r';

    if (after_cr || c == '\n')
        return after_cr && c == '\n';
    if (r->state == HTTP_CHUNK_END || r->state == HTTP_LAST_LINE)
        return c == '\r';
    return (unsigned char)c >= ' ' || c == '\t' || c == '\r';
}

/* One byte of a line. */
static int line_byte(struct http_reader *r, char c)
{
    if (r->state <= HTTP_HEADER && ++r->head_len > HTTP_HEAD_MAX)
        return KITH_ERR_RANGE;
    if (!may_follow(r, c))
        return KITH_ERR_FORMAT;
    if (c == '\n') {
        r->line[r->line_len - 1] = '\0';
        r->line_len = 0;
        return take_line(r);
    }
    if (r->line_len == HTTP_LINE_MAX)
        return KITH_ERR_RANGE;
    r->line[r->line_len++] = c;
    return KITH_OK;
}

/* -- bytes ------------------------------------------------------------ */

/* Up to n bytes of a body; says in *used how many. */
static int body_bytes(struct http_reader *r, const uint8_t *p, size_t n,
                      size_t *used)
{
    *used = n < r->left ? n : (size_t)r->left;
    r->left -= *used;
    if (r->left == 0)
        r->state = r->state == HTTP_BODY ? HTTP_DONE : HTTP_CHUNK_END;
    return r->body == NULL ? KITH_OK : r->body(r->arg, p, *used);
}

int http_feed(struct http_reader *r, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    int err = r->state == HTTP_REFUSED ? KITH_ERR_FORMAT : KITH_OK;

    while (err == KITH_OK && n > 0) {
        size_t used = 1;

        if (r->state == HTTP_DONE)
            err = KITH_ERR_TRAILING;
        else if (r->state == HTTP_BODY || r->state == HTTP_CHUNK)
            err = body_bytes(r, p, n, &used);
        else
            err = line_byte(r, (char)*p);
        p += used;
        n -= used;
    }
    if (err != KITH_OK)
        r->state = HTTP_REFUSED;
    return err;
}
