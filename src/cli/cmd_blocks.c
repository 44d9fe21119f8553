/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show.h"

enum {
    BLOCK_MAX = 32768, /* bytes; the daemon has the same bound */
};

/* Reads a file, or standard input; one byte more than is allowed at most.
 * Returns an exit status, after it has said why. */
static int read_file(const struct cli *cli, const char *name, char *buf,
                     size_t *n)
{
    bool input = name == NULL || strcmp(name, "-") == 0;
    FILE *file = input ? stdin : fopen(name, "rbe");
    bool bad;

    if (file == NULL) {
        cli_say(cli, "%s: %s", name, strerror(errno));
        return CLI_USAGE;
    }
    *n = fread(buf, 1, BLOCK_MAX + 1, file);
    bad = ferror(file) != 0;
    if (bad)
        cli_say(cli, "%s: %s", input ? "standard input" : name,
                strerror(errno));
    if (!input)
        fclose(file);
    if (!bad && *n > BLOCK_MAX)
        cli_say(cli, "a block has at most %d bytes", BLOCK_MAX);
    return bad || *n > BLOCK_MAX ? CLI_USAGE : CLI_OK;
}

int cmd_put(const struct cli *cli)
{
    const struct args *args = cli->args;
    char *buf = malloc(BLOCK_MAX + 1);
    size_t n = 0;
    int code;

    if (buf == NULL) {
        cli_say(cli, "out of memory");
        return CLI_NO;
    }
    code = read_file(cli, args->n_words > 2 ? args->words[2] : NULL, buf, &n);
    if (code == CLI_OK)
        code = cli_change(cli, "PUT", "/v1/blocks/*", args->words[1], buf, n,
                          NULL);
    free(buf);
    return code;
}

int cmd_get(const struct cli *cli)
{
    const char *node = cli->args->words[1], *name = cli->args->words[2];
    struct client_reply reply;
    json_t *o;
    int code;

    if (cli->args->json) {
        code = cli_get(cli, "/v1/nodes/*/export/*", node, name, &o);
        if (code == CLI_OK)
            cli_print_json(cli, o);
        json_decref(o);
        return code;
    }
    code = cli_ask(cli, "GET", "/v1/nodes/*/blocks/*", node, name, NULL, 0,
                   &reply);
    if (code != CLI_OK)
        return code;
    /* What somebody else wrote must not steer the terminal. */
    if (cli->terminal && reply.len > 0)
        show_bytes(cli->out, reply.body, reply.len);
    else if (reply.len > 0)
        fwrite(reply.body, 1, reply.len, cli->out);
    client_reply_free(&reply);
    return CLI_OK;
}

int cmd_rm(const struct cli *cli)
{
    return cli_change_each(cli, "DELETE", "/v1/blocks/*");
}
