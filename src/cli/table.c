/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <stdlib.h>

#include "base/error.h"

enum {
    GAP = 2, /* between columns */
};

struct cell {
    char *text; /* owned */
    size_t width;
    enum show_colour colour;
};

struct table {
    const char *const *titles;
    size_t columns;
    struct cell *cells; /* row by row */
    size_t n, cap;
    bool failed;
    size_t widths[]; /* of the columns */
};

struct table *table_new(const char *const *titles, size_t n)
{
    struct table *t = calloc(1, sizeof *t + n * sizeof t->widths[0]);

    if (t == NULL)
        return NULL;
    t->titles = titles;
    t->columns = n;
    for (size_t i = 0; i < n; i++)
        t->widths[i] = show_width(titles[i]);
    return t;
}

void table_free(struct table *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t);
}

static bool grow(struct table *t)
{
    size_t cap = t->cap == 0 ? 64 : 2 * t->cap;
    struct cell *cells;

    if (t->n < t->cap)
        return true;
    cells = realloc(t->cells, cap * sizeof *cells);
    if (cells == NULL)
        return false;
    t->cells = cells;
    t->cap = cap;
    return true;
}

void table_cell(struct table *t, const char *text, enum show_colour colour)
{
    struct cell cell = {.colour = colour};
    size_t column = t->n % t->columns;

    if (t->failed)
        return;
    cell.text = show_text(text);
    if (cell.text == NULL || !grow(t)) {
        free(cell.text);
        t->failed = true;
        return;
    }
    cell.width = show_width(cell.text);
    if (cell.width > t->widths[column])
        t->widths[column] = cell.width;
    t->cells[t->n++] = cell;
}

static bool nothing_right_of(const struct table *t, const struct cell *row,
                             size_t column)
{
    while (++column < t->columns)
        if (row[column].width > 0)
            return false;
    return true;
}

static void print_row(const struct table *t, const struct cell *row, FILE *out,
                      bool colours)
{
    for (size_t i = 0; i < t->columns; i++) {
        const struct cell *cell = &row[i];
        enum show_colour colour = colours ? cell->colour : SHOW_PLAIN;
        bool last = nothing_right_of(t, row, i);
        size_t fill = last ? 0 : t->widths[i] - cell->width + GAP;

        fprintf(out, "%s%s%s%*s", show_colour_on(colour), cell->text,
                show_colour_off(colour), (int)fill, "");
        if (last)
            break;
    }
    fputc('\n', out);
}

static void print_titles(const struct table *t, FILE *out)
{
    for (size_t i = 0; i < t->columns; i++) {
        size_t fill = t->widths[i] - show_width(t->titles[i]) + GAP;

        fprintf(out, "%s%*s", t->titles[i], i + 1 == t->columns ? 0 : (int)fill,
                "");
    }
    fputc('\n', out);
}

int table_print(const struct table *t, FILE *out, bool colours)
{
    if (t->failed)
        return KITH_ERR_NOMEM;
    print_titles(t, out);
    for (size_t i = 0; i + t->columns <= t->n; i += t->columns)
        print_row(t, t->cells + i, out, colours);
    return KITH_OK;
}
