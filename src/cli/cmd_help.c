/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

int cmd_help(const struct cli *cli)
{
    const char *name = cli->args->n_words > 1 ? cli->args->words[1] : NULL;
    const struct command *command = NULL;

    if (name != NULL) {
        command = command_find(name);
        if (command == NULL) {
            cli_say(cli, "no such command: %s", name);
            return CLI_USAGE;
        }
    }
    command_help(command, cli->out);
    return CLI_OK;
}

int cmd_version(const struct cli *cli)
{
    if (cli->args->json) {
        json_t *o = json_pack("{s:s, s:s}", "version", cli->version, "commit",
                              cli->commit);

        cli_print_json(cli, o);
        json_decref(o);
    } else {
        fprintf(cli->out, "kith %s (%s)\n", cli->version, cli->commit);
    }
    return CLI_OK;
}
