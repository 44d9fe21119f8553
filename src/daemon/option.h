/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_OPTION_H
#define KITH_DAEMON_OPTION_H

#include <stdio.h>

#include "daemon/conf.h"

/*
 * The table of options: what each is called, takes, means and starts with,
 * and how its value is read and printed. conf.c feeds it.
 */

enum {
    OPTION_NAME_MAX = 32,
    OPTION_ALLOWED_SIZE = 128,
};

enum option_kind {
    OPTION_TEXT,     /* a string in struct conf, up to max bytes */
    OPTION_NUMBER,   /* uint32_t, min..max */
    OPTION_DURATION, /* uint32_t, seconds, min..max */
    OPTION_SWITCH,   /* bool */
    OPTION_CHOICE,   /* an enum: the place in `choices` */
    OPTION_LISTEN,   /* the lists know their fields */
    OPTION_PEER,
    OPTION_PATTERN,
    OPTION_ACTION, /* takes no value; min is the enum conf_action */
};

struct option {
    const char *name;
    enum option_kind kind;
    bool flag_only;             /* not in a file */
    size_t offset;              /* of the field in struct conf */
    uint32_t min, max;          /* max of a list: how many */
    const char *initial;        /* as one would write it; NULL: none */
    const char *value;          /* stands for the value in the help */
    const char *const *choices; /* NULL after the last */
    const char *help;
};

/* The i-th option of the table; NULL past the last. */
const struct option *option_at(size_t i);

/* The option with this name, of len bytes; NULL when there is none. */
const struct option *option_find(const char *name, size_t len);

/* The option whose name is next to this one, at most two letters away; NULL
 * when none is. */
const struct option *option_near(const char *name, size_t len);

/* Whether it may be given more than once. */
bool option_is_list(const struct option *o);

/* Empties a list; does nothing to anything else. */
void option_clear(const struct option *o, struct conf *conf);

/* Sets an option, or adds to a list. value ends with zero. Returns KITH_OK;
 * KITH_ERR_FORMAT when option_allowed() does not allow the value;
 * KITH_ERR_FULL when a list has no room, or an action was set before. On an
 * error nothing has changed. */
int option_set(const struct option *o, struct conf *conf, const char *value);

/* Writes in words what may be given as a value. */
void option_allowed(const struct option *o, char out[OPTION_ALLOWED_SIZE]);

/* Prints what an option is set to, as lines "name = value", which option_set
 * takes back; nothing for an action, an empty text or an empty list. */
void option_print(const struct option *o, const struct conf *conf, FILE *out);

#endif
