/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

int cmd_leave(const struct cli *cli)
{
    return cli_change(cli, "POST", "/v1/leave", NULL, NULL, 0,
                      "this node has left the mesh; it comes back when kithd "
                      "starts again");
}

int cmd_away(const struct cli *cli)
{
    return cli_change(cli, "POST", "/v1/away", NULL, NULL, 0,
                      "the others are told that this node is back in a moment");
}

int cmd_forget(const struct cli *cli)
{
    return cli_change(cli, "DELETE", "/v1/nodes/*", cli->args->words[1], NULL,
                      0, NULL);
}
