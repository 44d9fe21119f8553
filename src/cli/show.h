/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_SHOW_H
#define KITH_CLI_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* How things are shown to people. All text of others goes through here. */

enum show_colour {
    SHOW_PLAIN,
    SHOW_GREEN,
    SHOW_YELLOW,
    SHOW_RED,
    SHOW_DIM,
};

enum {
    SHOW_AGE_SIZE = 32,
    SHOW_ID_DIGITS = 8, /* of an id, at least */
};

/* What switches a terminal to that colour, and back. */
const char *show_colour_on(enum show_colour colour);
const char *show_colour_off(enum show_colour colour);

/* Whether the stream is a terminal that shows colours: TERM is set and not
 * "dumb", and NO_COLOR is unset or empty (no-color.org). */
bool show_colours(FILE *out);

/* The text with whatever text_show() refuses as \xNN; malloc'ed, NULL when
 * out of memory. */
char *show_text(const char *text);

/* The same, straight to the stream. */
void show_print(FILE *out, const char *text);

/* n bytes of any content, likewise, but with its line feeds and tabs. */
void show_bytes(FILE *out, const char *bytes, size_t n);

/* KEY=VALUE, the value between double quotes when it holds more than letters,
 * digits and . _ - / : @ + , malloc'ed, NULL when out of memory. */
char *show_pair(const char *key, const char *value);

/* A word as a shell takes it back: between single quotes when it needs them. */
void show_word(FILE *out, const char *word);

/* A span of time in one or two units, such as "12 s" or "3 h 5 min". */
void show_age(char out[SHOW_AGE_SIZE], double seconds);

/* The columns that a text which show_text() made takes on a terminal: no
 * column for a combining character, two for a wide one. */
size_t show_width(const char *text);

/* How many digits tell these n ids apart, at least SHOW_ID_DIGITS. Sorts
 * them. */
size_t show_id_digits(const char **ids, size_t n);

#endif
