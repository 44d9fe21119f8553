/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_VECTORS_READER_H
#define KITH_TEST_VECTORS_READER_H

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Reads test/vectors/NAME.txt; the format is in test/vectors/README.md. For
 * tests only: whatever is wrong with a file, or missing from it, ends the
 * program with a message.
 */

struct vector {
    char *section; /* shared by all of a section */
    char *name;
    uint8_t *bytes; /* a block of its own, so that a reader that goes past
                     * its end is caught; NULL for a number */
    size_t len;
    uint64_t number; /* of dec: */
};

struct vectors {
    char *path;
    struct vector *v;
    size_t n;
};

static inline void vectors_die(const char *path, const char *what,
                               const char *which)
{
    fprintf(stderr, "%s: %s: %s\n", path, what, which);
    abort();
}

static inline void *vectors_alloc(size_t n)
{
    void *p = calloc(1, n > 0 ? n : 1);

    if (p == NULL)
        vectors_die("vectors", "out of memory", "calloc");
    return p;
}

static inline char *vectors_copy(const char *s, size_t n)
{
    char *copy = vectors_alloc(n + 1);

    memcpy(copy, s, n);
    return copy;
}

static inline int vectors_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

static inline void vectors_unhex(const char *path, struct vector *v,
                                 const char *hex)
{
    size_t n = strlen(hex);

    if (n % 2 != 0)
        vectors_die(path, "half a byte", v->name);
    v->len = n / 2;
    v->bytes = malloc(v->len > 0 ? v->len : 1);
    if (v->bytes == NULL)
        vectors_die(path, "out of memory", v->name);
    for (size_t i = 0; i < v->len; i++) {
        int high = vectors_digit(hex[2 * i]);
        int low = vectors_digit(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            vectors_die(path, "not hex", v->name);
        v->bytes[i] = (uint8_t)(high << 4 | low);
    }
}

/* Adds the vector of one line, "name: value". */
static inline void vectors_add(struct vectors *all, char *section, char *line)
{
    char *colon = strchr(line, ':');
    struct vector *v;
    char *value, *end;

    if (colon == NULL || section == NULL)
        vectors_die(all->path, "no vector", line);
    all->v = realloc(all->v, (all->n + 1) * sizeof *all->v);
    if (all->v == NULL)
        vectors_die(all->path, "out of memory", line);
    v = &all->v[all->n++];
    *v = (struct vector){.section = section};
    v->name = vectors_copy(line, (size_t)(colon - line));
    value = colon + 1;
    while (*value == ' ')
        value++;
    if (strncmp(value, "dec:", 4) != 0) {
        vectors_unhex(all->path, v, value);
        return;
    }
    v->number = strtoull(value + 4, &end, 10);
    if (!isdigit((unsigned char)value[4]) || *end != '\0')
        vectors_die(all->path, "not a number", v->name);
}

/* Opens NAME.txt. Close with vectors_close(). */
static inline struct vectors *vectors_open(const char *name)
{
    struct vectors *all = vectors_alloc(sizeof *all);
    char path[4096];
    char *line = NULL, *section = NULL;
    size_t cap = 1 << 20;
    FILE *f;

    snprintf(path, sizeof path, "%s/test/vectors/%s.txt", KITH_SOURCE_DIR,
             name);
    all->path = vectors_copy(path, strlen(path));
    f = fopen(path, "r");
    if (f == NULL)
        vectors_die(path, "cannot be opened", name);
    line = vectors_alloc(cap);
    while (fgets(line, (int)cap, f) != NULL) {
        size_t n = strcspn(line, "\n");

        line[n] = '\0';
        if (n == 0 || line[0] == '#')
            continue;
        if (line[0] == '[')
            section = vectors_copy(line + 1, strcspn(line, "]") - 1);
        else
            vectors_add(all, section, line);
    }
    free(line);
    fclose(f);
    return all;
}

static inline void vectors_close(struct vectors *all)
{
    for (size_t i = 0; i < all->n; i++) {
        if (i == 0 || all->v[i].section != all->v[i - 1].section)
            free(all->v[i].section);
        free(all->v[i].name);
        free(all->v[i].bytes);
    }
    free(all->v);
    free(all->path);
    free(all);
}

/* The vector of that name, or NULL. */
static inline const struct vector *
vectors_find(const struct vectors *all, const char *section, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->v[i].section, section) == 0 &&
            strcmp(all->v[i].name, name) == 0)
            return &all->v[i];
    return NULL;
}

/* The same, where it has to be. */
static inline const struct vector *
vectors_get(const struct vectors *all, const char *section, const char *name)
{
    const struct vector *v = vectors_find(all, section, name);

    if (v == NULL) {
        fprintf(stderr, "[%s]\n", section);
        vectors_die(all->path, "no such vector", name);
    }
    return v;
}

/* Bytes of exactly that length, or a number. */
static inline const uint8_t *vectors_bytes(const struct vectors *all,
                                           const char *section,
                                           const char *name, size_t len)
{
    const struct vector *v = vectors_get(all, section, name);

    if (v->bytes == NULL || v->len != len)
        vectors_die(all->path, "not of that length", name);
    return v->bytes;
}

static inline uint64_t vectors_number(const struct vectors *all,
                                      const char *section, const char *name)
{
    const struct vector *v = vectors_get(all, section, name);

    if (v->bytes != NULL)
        vectors_die(all->path, "not a number", name);
    return v->number;
}

/* Whether the values of a section must not be accepted. */
static inline bool vectors_refused(const char *section)
{
    const char *end = strrchr(section, '.');

    return strncmp(section, "refused", 7) == 0 ||
           (end != NULL && strcmp(end, ".refused") == 0);
}

/* Walks the sections: the first one after NULL, the one after `before`, and
 * NULL after the last. A section without vectors is passed over. */
static inline const char *vectors_next_section(const struct vectors *all,
                                               const char *before)
{
    bool past = before == NULL;

    for (size_t i = 0; i < all->n; i++) {
        const char *section = all->v[i].section;

        if (past && section != before)
            return section;
        past = past || section == before;
    }
    return NULL;
}

#endif
