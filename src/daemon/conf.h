/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_CONF_H
#define KITH_DAEMON_CONF_H

#include <stdio.h>

#include "base/log.h"
#include "base/types.h"
#include "daemon/links.h"
#include "wire/limits.h"

/*
 * The options of kithd: one table (conf.c) from which come the command line,
 * the file kith.conf, --help and the print of what was understood.
 *
 *     --name VALUE   --name=VALUE   --switch        on the command line
 *     name = VALUE                                  in the file
 *
 * A flag wins over the file; a list given by flags replaces that of the file.
 * docs/man/kith.conf.5.scd is the manual for people.
 */

enum {
    CONF_VALUE_MAX = 160, /* bytes of any value; fits inih's lines */
    CONF_HOST_MAX = CONF_VALUE_MAX - 6, /* leaves room for ":65535" */
    CONF_FILE_MAX = 65536,              /* bytes of a kith.conf */
    CONF_PATH_SIZE = CONF_VALUE_MAX + 1,
    CONF_SOCKET_SIZE = 108, /* what sockaddr_un has room for */
    CONF_LISTEN_MAX = 16,
    CONF_PEERS_MAX = 32,
    CONF_MESSAGE_SIZE = 512, /* always enough for a message */
};

/* What the program is started for. */
enum conf_action {
    CONF_RUN,
    CONF_CHECK,   /* --check-config: print what was understood, and exit */
    CONF_INIT,    /* --init: make the identity, and exit */
    CONF_VERSION, /* --version */
    CONF_HELP,    /* --help */
};

/* What to do about a disk that was copied to another machine. */
enum conf_machine_binding {
    CONF_BINDING_ON,   /* make a new identity */
    CONF_BINDING_OFF,  /* do not look */
    CONF_BINDING_STOP, /* refuse to start */
};

/* A node to try from the start: by number, or by name. */
struct conf_peer {
    struct addr addr; /* with port; family 0: see name */
    char name[CONF_HOST_MAX + 1];
    uint16_t port; /* of name */
};

/* All strings end with zero and are valid UTF-8 without control characters. */
struct conf {
    enum conf_action action;
    char config[CONF_PATH_SIZE]; /* the file */
    char state[CONF_PATH_SIZE];  /* directory of identity and store */
    char socket[CONF_SOCKET_SIZE];
    char events[CONF_PATH_SIZE]; /* file for events, "-": stdout, "": none */
    char mesh[MESH_NAME_MAX + 1];
    uint32_t port;
    size_t n_listen;                     /* 0: all addresses, at `port` */
    struct addr listen[CONF_LISTEN_MAX]; /* with their ports */
    size_t n_peers;
    struct conf_peer peers[CONF_PEERS_MAX];
    struct links_choice links;
    bool lookout;
    enum conf_machine_binding machine_binding;
    uint32_t max_members;
    uint32_t forget_after_s;
    enum log_level log_level;
};

/* Fills in what holds when nothing is said. */
void conf_defaults(struct conf *conf);

/*
 * Reads the command line, and the file that it names, else
 * /etc/kith/kith.conf if there is one. --help and --version are told without
 * a look at any file.
 *
 * argv[0] is skipped; argv is not changed.
 * message, cap: on an error, one line for people without a line feed, that
 *     names the flag, or the file and its line, what was wrong and what is
 *     allowed; CONF_MESSAGE_SIZE is enough.
 * Returns KITH_OK; KITH_ERR_FORMAT for wrong input; KITH_ERR_IO when a file
 * that was named cannot be read. On an error *conf must not be used.
 */
int conf_parse(struct conf *conf, int argc, const char *const argv[],
               char *message, size_t cap);

/* Reads len bytes as the content of a kith.conf over what *conf holds. `file`
 * is its name for messages. Errors as above. */
int conf_parse_text(struct conf *conf, const char *file, const char *text,
                    size_t len, char *message, size_t cap);

/* Prints all that a file can say, in the form of a file: parsed again it
 * gives the same. Errors of the stream are left to ferror(). */
void conf_print(const struct conf *conf, FILE *out);

/* Prints the help: every option, its default and what is allowed. */
void conf_help(FILE *out);

#endif
