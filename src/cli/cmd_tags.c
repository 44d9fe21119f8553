/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"

/* KEY=VALUE... as one object; NULL, said, when one of them will not do. */
static json_t *tags_json(const struct cli *cli)
{
    json_t *o = json_object();

    for (size_t i = 1; i < cli->args->n_words; i++) {
        const char *word = cli->args->words[i];
        size_t len = strcspn(word, "=");
        const char *value = word + len + 1;

        if (len == 0 || word[len] == '\0' ||
            !text_valid_utf8(word, strlen(word))) {
            cli_say(cli, "a tag is KEY=VALUE, not %s", word);
            json_decref(o);
            return NULL;
        }
        if (json_object_getn(o, word, len) != NULL) {
            cli_say(cli, "this tag is given twice: %.*s", (int)len, word);
            json_decref(o);
            return NULL;
        }
        json_object_setn_new(o, word, len, json_string(value));
    }
    return o;
}

int cmd_set(const struct cli *cli)
{
    json_t *o = tags_json(cli);
    char *body;
    int code;

    if (o == NULL)
        return CLI_USAGE;
    body = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (body == NULL) {
        cli_say(cli, "out of memory");
        return CLI_NO;
    }
    code = cli_change(cli, "POST", "/v1/tags", NULL, body, strlen(body), NULL);
    free(body);
    return code;
}

int cmd_unset(const struct cli *cli)
{
    return cli_change_each(cli, "DELETE", "/v1/tags/*");
}
