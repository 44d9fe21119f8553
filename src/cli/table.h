/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CLI_TABLE_H
#define KITH_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/show.h"

/*
 * A table for people: a title per column, columns as wide as their widest
 * cell and two spaces apart, no blanks at the end of a line.
 */
struct table;

/* An empty table with n > 0 columns; the titles are borrowed. NULL when out
 * of memory. */
struct table *table_new(const char *const *titles, size_t n);
void table_free(struct table *t); /* NULL is allowed */

/* Adds the next cell, from left to right and row by row. text is copied, and
 * shown as show_text() has it. */
void table_cell(struct table *t, const char *text, enum show_colour colour);

/* Prints the rows that are complete. Returns KITH_OK, or KITH_ERR_NOMEM when
 * a cell was lost: then nothing was printed. */
int table_print(const struct table *t, FILE *out, bool colours);

#endif
