/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <string.h>

#include "base/error.h"

/* clang-format off */
static const struct command commands[] = {
    {"status", "", "how this node and its mesh are", "", 0, 0, false,
     cmd_status},
    {"id", "", "the id of this node",
     "The id is the SHA-256 of the node's public key.\n", 0, 0, false, cmd_id},
    {"nodes", "", "all nodes of the mesh",
     "AGE is the time since a node last signed its state, as far as known.\n",
     0, 0, false, cmd_nodes},
    {"friends", "", "the nodes that this one talks to", "", 0, 0, false,
     cmd_friends},
    {"show", "[NODE]", "all that is known of a node",
     "Without NODE, of this one.\n", 0, 1, false, cmd_show},
    {"set", "KEY=VALUE...", "set tags of this node",
     "KEY has a-z 0-9 . _ - and up to 60 characters, VALUE up to 512 bytes.\n"
     "All are set, or none when one of them will not do.\n",
     1, ARGS_WORDS_MAX, false, cmd_set},
    {"unset", "KEY...", "remove tags of this node", "", 1, ARGS_WORDS_MAX,
     false, cmd_unset},
    {"put", "NAME [FILE]", "publish a block, from a file or standard input",
     "NAME has a-z 0-9 . _ - and up to 32 characters; a block has up to\n"
     "32 KiB. All nodes of the mesh get it, signed by this one.\n",
     1, 2, false, cmd_put},
    {"get", "NODE NAME", "write a block of a node to standard output", "", 2,
     2, false, cmd_get},
    {"rm", "NAME...", "remove blocks of this node", "", 1, ARGS_WORDS_MAX,
     false, cmd_rm},
    {"watch", "", "print events as they happen",
     "With --json, a line of JSON each.\n", 0, 0, false, cmd_watch},
    {"wait", "[NODE...]", "wait until nodes are up",
     "Waits until so many nodes are up, this one among them, and until each\n"
     "NODE is. With --timeout it also waits for kithd to start.\n",
     0, ARGS_WORDS_MAX, true, cmd_wait},
    {"leave", "", "say good-bye to the mesh",
     "The others forget this node at once. It comes back when kithd starts\n"
     "again.\n", 0, 0, false, cmd_leave},
    {"away", "", "announce a short absence, such as a restart", "", 0, 0,
     false, cmd_away},
    {"forget", "NODE", "drop what is kept of a node that is gone", "", 1, 1,
     false, cmd_forget},
    {"export", "NODE NAME [DIR]", "write a block with its signature to files",
     "Writes NAME.signed, NAME.sig, NODE.pub.pem and NODE.crt to DIR, which\n"
     "is made if need be, and prints the openssl command that checks the\n"
     "signature.\n", 2, 3, false, cmd_export},
    {"help", "[COMMAND]", "print this, or more on a command", "", 0, 1, false,
     cmd_help},
    {"version", "", "print the version of this program", "", 0, 0, false,
     cmd_version},
};
/* clang-format on */

enum {
    N_COMMANDS = sizeof commands / sizeof commands[0],
};

const struct command *command_at(size_t i)
{
    return i < N_COMMANDS ? &commands[i] : NULL;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int command_check(const struct command *command, const struct args *args,
                  char message[ARGS_MESSAGE_SIZE])
{
    size_t n = args->n_words - 1;
    const char *gap = command->operands[0] == '\0' ? "" : " ";

    message[0] = '\0';
    if (!command->waits && (args->has_nodes || args->has_timeout))
        snprintf(message, ARGS_MESSAGE_SIZE,
                 "--nodes and --timeout are for kith wait");
    else if (n < command->min || n > command->max)
        snprintf(message, ARGS_MESSAGE_SIZE, "usage: kith %s%s%s",
                 command->name, gap, command->operands);
    else if (command->waits && n == 0 && !args->has_nodes)
        snprintf(message, ARGS_MESSAGE_SIZE,
                 "say what to wait for: --nodes N, or nodes");
    return message[0] == '\0' ? KITH_OK : KITH_ERR_FORMAT;
}

static void help_all(FILE *out)
{
    fputs("Usage: kith [--socket PATH] [--json] COMMAND...\n\n", out);
    for (size_t i = 0; i < N_COMMANDS; i++) {
        const struct command *c = &commands[i];
        int width = fprintf(out, "  %s %s", c->name, c->operands);

        fprintf(out, "%*s %s\n", width < 25 ? 25 - width : 0, "", c->summary);
    }
    fputs("\n"
          "  --socket PATH  the socket of kithd; default: the environment's\n"
          "                 KITH_SOCKET, or " CLI_SOCKET_DEFAULT "\n"
          "  --json         print JSON\n"
          "\n"
          "NODE is an id, at least 4 digits of the beginning of one, or a "
          "host name.\n"
          "Exit status: 0 done; 1 it did not come true, or no such thing;\n"
          "2 wrong usage or value; 3 kithd cannot be reached.\n",
          out);
}

void command_help(const struct command *command, FILE *out)
{
    const struct command *c = command;

    if (c == NULL) {
        help_all(out);
        return;
    }
    fprintf(out, "Usage: kith %s%s%s%s\n\n%s\n", c->name,
            c->waits ? " [--nodes N] [--timeout SECONDS]" : "",
            c->operands[0] == '\0' ? "" : " ", c->operands, c->summary);
    if (c->help[0] != '\0')
        fprintf(out, "\n%s", c->help);
}
