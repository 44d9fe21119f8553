/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/conf.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include <ini.h>

#include "base/error.h"
#include "base/text.h"
#include "daemon/option.h"

enum {
    SHOWN_BYTES = 40, /* of a value, in a message */
    SHOWN_SIZE = TEXT_SHOW_SIZE * SHOWN_BYTES + 1,
    OPTIONS_MAX = 32,
};

/* One source of options on its way into a struct conf. */
struct source {
    struct conf *conf;
    const char *file; /* NULL: the command line */
    unsigned line;
    bool given[OPTIONS_MAX]; /* by this source, by place in the table */
    char *message;
    size_t cap;
    int err; /* of the first thing wrong */
};

/* -- messages ---------------------------------------------------------- */

/* Says what is wrong with the option or line at hand; the first one counts. */
__attribute__((format(printf, 3, 4))) static int
wrong(struct source *s, const char *name, const char *fmt, ...)
{
    va_list args;
    char text[CONF_MESSAGE_SIZE];
    const char *gap = name[0] == '\0' ? "" : ": ";

    if (s->err != KITH_OK)
        return s->err;
    s->err = KITH_ERR_FORMAT;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (s->file == NULL)
        snprintf(s->message, s->cap, "%s%s%s%s", gap[0] == '\0' ? "" : "--",
                 name, gap, text);
    else if (s->line == 0)
        snprintf(s->message, s->cap, "%s: %s%s%s", s->file, name, gap, text);
    else
        snprintf(s->message, s->cap, "%s:%u: %s%s%s", s->file, s->line, name,
                 gap, text);
    return s->err;
}

/* Makes the first bytes of what somebody wrote fit for a message. */
static const char *show(char shown[SHOWN_SIZE], const char *text, size_t len)
{
    text_escape(shown, SHOWN_SIZE, text, len < SHOWN_BYTES ? len : SHOWN_BYTES);
    return shown;
}

/* The usual message: this value will not do, but that would. */
static int wrong_value(struct source *s, const struct option *o,
                       const char *value)
{
    char shown[SHOWN_SIZE];
    char would_do[OPTION_ALLOWED_SIZE];
    size_t len = strlen(value);

    option_allowed(o, would_do);
    return wrong(s, o->name, "\"%s%s\" will not do; allowed: %s",
                 show(shown, value, len), len > SHOWN_BYTES ? "..." : "",
                 would_do);
}

/* -- options ----------------------------------------------------------- */

/* The checks that all options have in common, then their own. */
static int option_give(struct source *s, const struct option *o,
                       const char *value)
{
    size_t len = strlen(value);
    bool *given = &s->given[o - option_at(0)];

    if (*given && !option_is_list(o))
        return wrong(s, o->name, "is given twice");
    if (!*given)
        option_clear(o, s->conf);
    *given = true;
    if (o->kind != OPTION_ACTION &&
        (len == 0 || len > CONF_VALUE_MAX || !text_valid_utf8(value, len) ||
         isspace((unsigned char)value[0]) ||
         isspace((unsigned char)value[len - 1])))
        return wrong_value(s, o, value);
    /* Quotes would be taken literally, and a semicolon begins a comment in
     * a file. */
    if (strpbrk(value, "\";") != NULL)
        return wrong(s, o->name, "a value has no quotes and no semicolons");
    if (strstr(value, " #") != NULL)
        return wrong(s, o->name, "a comment behind a value begins with ;");
    int err = option_set(o, s->conf, value);
    if (err == KITH_ERR_FULL && o->kind == OPTION_ACTION)
        return wrong(s, o->name, "not together with another of its kind");
    if (err == KITH_ERR_FULL)
        return wrong(s, o->name, "at most %u are allowed", o->max);
    if (err != KITH_OK)
        return wrong_value(s, o, value);
    return KITH_OK;
}

/* Finds an option by the first len bytes of name; NULL, with a message, when
 * there is none. */
static const struct option *name_find(struct source *s, const char *name,
                                      size_t len)
{
    const struct option *o = option_find(name, len);
    char shown[SHOWN_SIZE];

    if (o != NULL)
        return o;
    show(shown, name, len);
    o = option_near(name, len);
    if (o == NULL)
        wrong(s, shown, "no such option");
    else
        wrong(s, shown, "no such option; did you mean %s%s?",
              s->file == NULL ? "--" : "", o->name);
    return NULL;
}

void conf_defaults(struct conf *conf)
{
    const struct option *o;

    memset(conf, 0, sizeof *conf);
    for (size_t i = 0; (o = option_at(i)) != NULL; i++) {
        assert(i < OPTIONS_MAX);
        if (o->initial == NULL)
            continue;
        int err = option_set(o, conf, o->initial);
        assert(err == KITH_OK && "the table's defaults are allowed");
        (void)err;
    }
}

/* What can be checked only when all is known. A node has one port. */
static int conf_finish(struct source *s)
{
    struct conf *conf = s->conf;

    for (size_t i = 0; i < conf->n_listen; i++) {
        if (conf->listen[i].port == 0)
            conf->listen[i].port = (uint16_t)conf->port;
        if (conf->listen[i].port != conf->listen[0].port)
            return wrong(s, "listen", "all of them need the same port");
        for (size_t j = 0; j < i; j++)
            if (addr_equal(&conf->listen[i], &conf->listen[j]))
                return wrong(s, "listen", "two of them are the same");
    }
    if (conf->n_listen > 0)
        conf->port = conf->listen[0].port;
    return KITH_OK;
}

/* -- the file ---------------------------------------------------------- */

/* The text that is handed to inih line by line, so that each one's number is
 * known. */
struct text_source {
    struct source *s;
    const char *text;
    size_t left;
};

/* An ini_reader. The blanks that a line begins with are left out: inih would
 * take it for a part of the value before. */
static char *line_next(char *out, int cap, void *arg)
{
    struct text_source *t = arg;
    const char *line = t->text;

    if (t->s->err != KITH_OK || t->left == 0)
        return NULL;
    const char *end = memchr(line, '\n', t->left);
    size_t len = end == NULL ? t->left : (size_t)(end - line);
    size_t step = end == NULL ? len : len + 1;
    t->text += step;
    t->left -= step;
    t->s->line++;
    while (len > 0 && isspace((unsigned char)line[0])) {
        line++;
        len--;
    }
    if (len >= (size_t)cap)
        wrong(t->s, "", "the line is too long");
    else if (len > 0 && memchr(line, '\0', len) != NULL)
        wrong(t->s, "", "the line holds a zero byte");
    else if (len > 0 && line[0] == '[')
        wrong(t->s, "", "there are no sections");
    if (t->s->err != KITH_OK)
        return NULL;
    memcpy(out, line, len);
    out[len] = '\0';
    return out;
}

/* An ini_handler. */
static int on_pair(void *arg, const char *section, const char *name,
                   const char *value)
{
    struct source *s = arg;
    const struct option *o;

    if (section[0] != '\0')
        wrong(s, "", "there are no sections");
    else if ((o = name_find(s, name, strlen(name))) != NULL && o->flag_only)
        wrong(s, o->name, "on the command line only");
    else if (o != NULL)
        option_give(s, o, value);
    return s->err == KITH_OK;
}

static int text_parse(struct source *s, const char *text, size_t len)
{
    struct text_source t = {.s = s, .text = text, .left = len};
    int bad = ini_parse_stream(line_next, &t, on_pair, s);

    if (bad < 0)
        return wrong(s, "", "out of memory");
    /* A line without "=" inih only counts, and reads on. */
    if (bad > 0 && (s->err == KITH_OK || (unsigned)bad < s->line)) {
        s->err = KITH_OK;
        s->line = (unsigned)bad;
        wrong(s, "", "a line has the form NAME = VALUE");
    }
    return s->err;
}

int conf_parse_text(struct conf *conf, const char *file, const char *text,
                    size_t len, char *message, size_t cap)
{
    struct source s = {
        .conf = conf, .file = file, .message = message, .cap = cap};

    if (text_parse(&s, text, len) != KITH_OK)
        return s.err;
    s.line = 0;
    return conf_finish(&s);
}

/* Reads the whole file into text; a missing one counts as empty when it is
 * not required. */
static int file_read(struct source *s, bool required, char *text, size_t cap,
                     size_t *len)
{
    FILE *file = fopen(s->file, "re");

    *len = 0;
    if (file == NULL && errno == ENOENT && !required)
        return KITH_OK;
    if (file != NULL)
        *len = fread(text, 1, cap, file);
    if (file == NULL || ferror(file)) {
        wrong(s, "", "%s", strerror(errno));
        s->err = KITH_ERR_IO;
    } else if (*len == cap) {
        wrong(s, "", "more than %zu bytes", cap - 1);
    }
    if (file != NULL)
        fclose(file);
    return s->err;
}

static int file_parse(struct conf *conf, const char *path, bool required,
                      char *message, size_t cap)
{
    struct source s = {
        .conf = conf, .file = path, .message = message, .cap = cap};
    size_t len;
    char *text = malloc(CONF_FILE_MAX + 1);

    if (text == NULL)
        return wrong(&s, "", "out of memory");
    if (file_read(&s, required, text, CONF_FILE_MAX + 1, &len) == KITH_OK)
        text_parse(&s, text, len);
    free(text);
    return s.err;
}

/* -- the command line -------------------------------------------------- */

static int flag_without_value(struct source *s, const struct option *o)
{
    char would_do[OPTION_ALLOWED_SIZE];

    option_allowed(o, would_do);
    return wrong(s, o->name, "needs a value; allowed: %s", would_do);
}

/* One flag at argv[*i]; *i moves on when its value stands behind it. */
static int flag_parse(struct source *s, int argc, const char *const argv[],
                      int *i)
{
    char shown[SHOWN_SIZE];
    const char *arg = argv[*i];

    if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0')
        return wrong(s, "", "\"%s\" is no option; --help lists them",
                     show(shown, arg, strlen(arg)));
    const char *name = arg + 2;
    size_t len = strcspn(name, "=");
    const struct option *o = name_find(s, name, len);
    if (o == NULL)
        return s->err;
    if (o->kind == OPTION_ACTION && name[len] == '=')
        return wrong(s, o->name, "takes no value");
    if (o->kind == OPTION_ACTION)
        return option_give(s, o, "");
    if (name[len] == '=')
        return option_give(s, o, name + len + 1);
    if (o->kind == OPTION_SWITCH)
        return option_give(s, o, "yes");
    if (*i + 1 == argc || strncmp(argv[*i + 1], "--", 2) == 0)
        return flag_without_value(s, o);
    return option_give(s, o, argv[++*i]);
}

static int flags_parse(struct source *s, int argc, const char *const argv[])
{
    for (int i = 1; i < argc && s->err == KITH_OK; i++)
        flag_parse(s, argc, argv, &i);
    return s->err;
}

/* The flags are read twice: first for the name of the file, then over what
 * the file said. */
int conf_parse(struct conf *conf, int argc, const char *const argv[],
               char *message, size_t cap)
{
    struct source flags = {.conf = conf, .message = message, .cap = cap};
    struct source again = flags;
    char path[CONF_PATH_SIZE];

    conf_defaults(conf);
    if (flags_parse(&flags, argc, argv) != KITH_OK)
        return flags.err;
    if (conf->action == CONF_HELP || conf->action == CONF_VERSION)
        return KITH_OK;
    memcpy(path, conf->config, sizeof path);
    bool named =
        flags.given[option_find("config", strlen("config")) - option_at(0)];

    conf_defaults(conf);
    int err = file_parse(conf, path, named, message, cap);
    if (err != KITH_OK)
        return err;
    if (flags_parse(&again, argc, argv) != KITH_OK)
        return again.err;
    return conf_finish(&again);
}

/* -- printing ---------------------------------------------------------- */

void conf_print(const struct conf *conf, FILE *out)
{
    const struct option *o;

    for (size_t i = 0; (o = option_at(i)) != NULL; i++)
        if (!o->flag_only)
            option_print(o, conf, out);
}

/* Prints words, indented, in lines of less than 80 columns. */
static void print_wrapped(const char *text, FILE *out)
{
    enum {
        INDENT = 8,
        WIDTH = 78
    };
    int column = 0;

    while (*text != '\0') {
        int len = (int)strcspn(text, " ");
        if (column != 0 && column + 1 + len > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        int gap = column == 0 ? INDENT : 1;
        fprintf(out, "%*s%.*s", gap, "", len, text);
        column += gap + len;
        text += len;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

void conf_help(FILE *out)
{
    const struct option *o;

    fprintf(out, "Usage: kithd [--NAME VALUE | --NAME=VALUE | --SWITCH]...\n"
                 "\n"
                 "The same names stand in the file, as NAME = VALUE; a flag "
                 "wins over it.\n"
                 "\n");
    for (size_t i = 0; (o = option_at(i)) != NULL; i++) {
        char would_do[OPTION_ALLOWED_SIZE];
        char text[CONF_MESSAGE_SIZE];
        bool range = o->kind == OPTION_NUMBER || o->kind == OPTION_DURATION ||
                     o->kind == OPTION_CHOICE;

        option_allowed(o, would_do);
        fprintf(out, "  --%s%s%s\n", o->name, o->value == NULL ? "" : " ",
                o->value == NULL ? "" : o->value);
        snprintf(text, sizeof text, "%s%s%s%s%s", o->help, range ? "; " : "",
                 range ? would_do : "", o->initial == NULL ? "" : "; default ",
                 o->initial == NULL ? "" : o->initial);
        print_wrapped(text, out);
    }
}
