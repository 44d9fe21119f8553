/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli/show.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum {
    MINUTE_S = 60,
    HOUR_S = 60 * MINUTE_S,
    DAY_S = 24 * HOUR_S,
};

/* -- colours ---------------------------------------------------------- */

const char *show_colour_on(enum show_colour colour)
{
    switch (colour) {
    case SHOW_GREEN:
        return "\x1b[32m";
    case SHOW_YELLOW:
        return "\x1b[33m";
    case SHOW_RED:
        return "\x1b[31m";
    case SHOW_DIM:
        return "\x1b[2m";
    case SHOW_PLAIN:
        break;
    }
    return "";
}

const char *show_colour_off(enum show_colour colour)
{
    return colour == SHOW_PLAIN ? "" : "\x1b[0m";
}

bool show_colours(FILE *out)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");

    return isatty(fileno(out)) && term != NULL && term[0] != '\0' &&
           strcmp(term, "dumb") != 0 &&
           (no_color == NULL || no_color[0] == '\0');
}

/* -- text ------------------------------------------------------------- */

char *show_text(const char *text)
{
    size_t left = strlen(text), len = 0;
    char *out = malloc(TEXT_SHOW_SIZE * left + 1);

    if (out == NULL)
        return NULL;
    while (left > 0) {
        size_t taken;

        len += text_show(out + len, text, left, &taken);
        text += taken;
        left -= taken;
    }
    out[len] = '\0';
    return out;
}

void show_bytes(FILE *out, const char *bytes, size_t n)
{
    while (n > 0) {
        char shown[TEXT_SHOW_SIZE];
        size_t taken = 1, len = 1;

        if (*bytes == '\n' || *bytes == '\t')
            shown[0] = *bytes;
        else
            len = text_show(shown, bytes, n, &taken);
        fwrite(shown, 1, len, out);
        bytes += taken;
        n -= taken;
    }
}

void show_print(FILE *out, const char *text)
{
    char shown[TEXT_SHOW_SIZE];
    size_t left = strlen(text), taken;

    for (; left > 0; text += taken, left -= taken)
        fwrite(shown, 1, text_show(shown, text, left, &taken), out);
}

static bool is_plain(const char *text, const char *also)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    for (; *text != '\0'; text++)
        if (strchr(letters, *text) == NULL && strchr(also, *text) == NULL)
            return false;
    return true;
}

char *show_pair(const char *key, const char *value)
{
    bool plain = is_plain(value, "._-/:@+,");
    size_t len = strlen(value), cap = TEXT_SHOW_SIZE * len + 1;
    char *shown_key = show_text(key), *escaped = malloc(cap), *pair = NULL;

    if (shown_key != NULL && escaped != NULL) {
        text_escape(escaped, cap, value, len);
        if (asprintf(&pair, plain ? "%s=%s" : "%s=\"%s\"", shown_key, escaped) <
            0)
            pair = NULL;
    }
    free(shown_key);
    free(escaped);
    return pair;
}

void show_word(FILE *out, const char *word)
{
    if (word[0] != '\0' && is_plain(word, "._-/:@+,")) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    }
    fputc('\'', out);
}

/* -- numbers ---------------------------------------------------------- */

void show_age(char out[SHOW_AGE_SIZE], double seconds)
{
    static const struct {
        uint64_t s;
        const char *name;
    } units[] = {{DAY_S, "d"}, {HOUR_S, "h"}, {MINUTE_S, "min"}, {1, "s"}};
    size_t u = 0;
    uint64_t s = 0;

    /* the comparison is false for what is no number */
    if (seconds > 0 && seconds < 1e15)
        s = (uint64_t)seconds;
    if (s < 1) {
        snprintf(out, SHOW_AGE_SIZE, "now");
        return;
    }
    while (s < units[u].s)
        u++;
    uint64_t whole = s / units[u].s, rest = s % units[u].s;
    int n = snprintf(out, SHOW_AGE_SIZE, "%llu %s", (unsigned long long)whole,
                     units[u].name);
    /* a second unit only where it says something */
    if (whole < 10 && units[u].s > MINUTE_S && rest >= units[u + 1].s)
        snprintf(out + n, (size_t)(SHOW_AGE_SIZE - n), " %llu %s",
                 (unsigned long long)(rest / units[u + 1].s),
                 units[u + 1].name);
}

/* -- width ------------------------------------------------------------ */

struct range {
    uint32_t first, last;
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* After Unicode's EastAsianWidth.txt and the categories Mn, Me and Cf, by
 * block: near enough for columns that line up. */
static size_t code_width(uint32_t code)
{
    static const struct range none[] = {
        {0x0300, 0x036f}, {0x0483, 0x0489},   {0x0591, 0x05bd},
        {0x0610, 0x061a}, {0x064b, 0x065f},   {0x0e31, 0x0e31},
        {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},   {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x200b, 0x200d},   {0x2060, 0x2064},
        {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},   {0xfe20, 0xfe2f},
        {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
    };
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
        {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},
        {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
        {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
        {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
        {0x20000, 0x3fffd},
    };

    if (code < 0x300)
        return 1;
    if (in_ranges(none, sizeof none / sizeof none[0], code))
        return 0;
    return in_ranges(wide, sizeof wide / sizeof wide[0], code) ? 2 : 1;
}

/* The code point of a well-formed character of n bytes. */
static uint32_t code_point(const char *s, size_t n)
{
    static const uint8_t first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (uint8_t)s[0] & first[n];

    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((uint8_t)s[i] & 0x3fU);
    return code;
}

size_t show_width(const char *text)
{
    size_t left = strlen(text), width = 0;

    while (left > 0) {
        size_t n = text_char(text, left);

        width += n == 0 ? 1 : code_width(code_point(text, n));
        n = n == 0 ? 1 : n;
        text += n;
        left -= n;
    }
    return width;
}

/* -- ids -------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(*x, *y);
}

size_t show_id_digits(const char **ids, size_t n)
{
    size_t digits = SHOW_ID_DIGITS;

    if (n > 1)
        qsort(ids, n, sizeof *ids, by_text);
    for (size_t i = 1; i < n; i++) {
        size_t alike = 0;

        while (ids[i][alike] != '\0' && ids[i][alike] == ids[i - 1][alike])
            alike++;
        if (alike + 1 > digits)
            digits = alike + 1;
    }
    return digits;
}
