/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_golden X.in: parses a kith.conf and compares what comes out, either
 * the print of what was understood with X.ok, or the message with X.err. What
 * was printed has to parse again, to the same print. When it fails, it shows
 * what came out.
 */
#define _GNU_SOURCE
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "daemon/conf.h"

enum {
    FILE_MAX = 65536,
    PATH_SIZE = 4096,
};

/* Reads a file whole and ends it with zero; NULL when there is none. */
static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, FILE_MAX + 1);

    *len = 0;
    if (file != NULL && text != NULL)
        *len = fread(text, 1, FILE_MAX, file);
    if (file == NULL) {
        free(text);
        return NULL;
    }
    fclose(file);
    return text;
}

/* Parses text over the defaults. Gives the print, or else the message. */
static int parse(const char *name, const char *text, size_t len, char **out)
{
    struct conf conf;
    char message[CONF_MESSAGE_SIZE];
    size_t size;
    FILE *f = open_memstream(out, &size);

    if (f == NULL)
        return KITH_ERR_NOMEM;
    conf_defaults(&conf);
    int err = conf_parse_text(&conf, name, text, len, message, sizeof message);
    if (err == KITH_OK)
        conf_print(&conf, f);
    else
        fprintf(f, "%s\n", message);
    if (fclose(f) != 0)
        return KITH_ERR_NOMEM;
    return err;
}

/* Whether what came out is what is in the file of the given ending. */
static bool expect(const char *stem, const char *ending, const char *out)
{
    char path[PATH_SIZE];
    size_t len;

    snprintf(path, sizeof path, "%s%s", stem, ending);
    char *expected = read_file(path, &len);
    bool same = expected != NULL && strcmp(expected, out) == 0;
    if (!same)
        printf("expected %s, but this came out:\n%s", path, out);
    free(expected);
    return same;
}

static bool golden(const char *path)
{
    char stem[PATH_SIZE], name[PATH_SIZE];
    char *out = NULL, *again = NULL;
    size_t len;
    bool good = false;

    snprintf(name, sizeof name, "%s", path);
    snprintf(stem, sizeof stem, "%.*s", (int)(strlen(path) - strlen(".in")),
             path);
    char *text = read_file(path, &len);
    if (text == NULL)
        return false;
    if (parse(basename(name), text, len, &out) != KITH_OK) {
        good = expect(stem, ".err", out);
        goto out;
    }
    if (!expect(stem, ".ok", out))
        goto out;
    good = parse("print", out, strlen(out), &again) == KITH_OK &&
           strcmp(out, again) == 0;
    if (!good)
        printf("the print parses to something else:\n%s", again);
out:
    free(text);
    free(out);
    free(again);
    return good;
}

int main(int argc, char *argv[])
{
    if (argc != 2 || strlen(argv[1]) <= strlen(".in")) {
        fprintf(stderr, "usage: conf_golden X.in\n");
        return 2;
    }
    return golden(argv[1]) ? 0 : 1;
}
