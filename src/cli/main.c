/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "version.h"

int main(int argc, char **argv)
{
    return cli_run(argc, (const char *const *)argv, KITH_VERSION, KITH_COMMIT,
                   stdout, stderr);
}
