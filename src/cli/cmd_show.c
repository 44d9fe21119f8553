/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/show.h"
#include "cli/table.h"

static void line(const struct cli *cli, const char *label, const char *text)
{
    if (text[0] == '\0')
        return;
    fprintf(cli->out, "%-9s ", label);
    show_print(cli->out, text);
    fputc('\n', cli->out);
}

static void line_age(const struct cli *cli, const char *label, const json_t *o,
                     const char *key)
{
    char age[SHOW_AGE_SIZE];

    if (!json_is_number(json_object_get(o, key)))
        return;
    show_age(age, cli_number(o, key));
    fprintf(cli->out, "%-9s %s%s\n", label, age,
            strcmp(age, "now") == 0 ? "" : " ago");
}

/* The strings of an array, one a line, the label before the first. */
static void lines(const struct cli *cli, const char *label, const json_t *list)
{
    size_t i;
    json_t *value;

    json_array_foreach(list, i, value)
    {
        const char *text = json_string_value(value);
        line(cli, i == 0 ? label : "", text == NULL ? "?" : text);
    }
}

static void print_contact(const struct cli *cli, const json_t *o)
{
    const char *address = cli_string(o, "address");

    if (cli_true(o, "friend"))
        line(cli, "friend", "yes: this node talks to it");
    if (cli_true(o, "session"))
        line(cli, "session", address[0] == '\0' ? "yes" : address);
    line_age(cli, "answered", o, "last_answer");
    line(cli, "reason", cli_string(o, "reason"));
}

static void print_head(const struct cli *cli, const json_t *o)
{
    const json_t *head = json_object_get(o, "head");

    if (!json_is_object(head)) {
        line(cli, "signed", "nothing that has come here yet");
        return;
    }
    line_age(cli, "signed", o, "age");
    fprintf(cli->out, "%-9s %.0f s, serial %.0f\n", "lease",
            cli_number(head, "lease"), cli_number(head, "serial"));
    lines(cli, "flags", json_object_get(head, "flags"));
}

/* What a node says of itself. Returns KITH_OK or KITH_ERR_NOMEM. */
static int print_facts(const struct cli *cli, const char *title, json_t *facts)
{
    const char *const titles[] = {title, "VALUE"};
    struct table *table;
    const char *key;
    json_t *values, *value;
    size_t i;
    int err;

    if (!json_is_object(facts))
        return KITH_OK;
    table = table_new(titles, sizeof titles / sizeof titles[0]);
    if (table == NULL)
        return KITH_ERR_NOMEM;
    json_object_foreach(facts, key, values)
    {
        json_array_foreach(values, i, value)
        {
            const char *text = json_string_value(value);

            table_cell(table, key, SHOW_PLAIN);
            table_cell(table, text == NULL ? "?" : text, SHOW_PLAIN);
        }
    }
    fputc('\n', cli->out);
    err = table_print(table, cli->out, cli->colours);
    table_free(table);
    return err;
}

static int print_blocks(const struct cli *cli, const json_t *blocks)
{
    static const char *const titles[] = {"BLOCK", "TYPE", "SIZE", "SERIAL",
                                         "HASH"};
    struct table *table = table_new(titles, sizeof titles / sizeof titles[0]);
    size_t i;
    json_t *block;
    int err;

    if (table == NULL)
        return KITH_ERR_NOMEM;
    json_array_foreach(blocks, i, block)
    {
        char number[32];

        table_cell(table, cli_string(block, "name"), SHOW_PLAIN);
        table_cell(table, cli_string(block, "type"), SHOW_PLAIN);
        snprintf(number, sizeof number, "%.0f", cli_number(block, "size"));
        table_cell(table, number, SHOW_PLAIN);
        snprintf(number, sizeof number, "%lld",
                 json_integer_value(json_object_get(block, "serial")));
        table_cell(table, number, SHOW_PLAIN);
        table_cell(table, cli_string(block, "hash"), SHOW_PLAIN);
    }
    fputc('\n', cli->out);
    err = table_print(table, cli->out, cli->colours);
    table_free(table);
    return err;
}

static int print_node(const struct cli *cli, const json_t *o)
{
    const json_t *blocks = json_object_get(o, "blocks");
    int err;

    line(cli, "id", cli_string(o, "id"));
    line(cli, "name", cli_string(o, "name"));
    line(cli, "state", cli_string(o, "state"));
    line(cli, "", cli_true(o, "self") ? "this is the node itself" : "");
    lines(cli, "addresses", json_object_get(o, "addresses"));
    print_contact(cli, o);
    print_head(cli, o);
    err = print_facts(cli, "FACT", json_object_get(o, "facts"));
    if (err == KITH_OK)
        err = print_facts(cli, "MORE", json_object_get(o, "facts_more"));
    if (err == KITH_OK)
        err = print_facts(cli, "HEALTH", json_object_get(o, "health"));
    if (err == KITH_OK && json_array_size(blocks) > 0)
        err = print_blocks(cli, blocks);
    if (err != KITH_OK)
        cli_say(cli, "out of memory");
    return err == KITH_OK ? CLI_OK : CLI_NO;
}

int cmd_show(const struct cli *cli)
{
    json_t *self = NULL, *o;
    const char *node;
    int code = CLI_OK;

    if (cli->args->n_words < 2)
        code = cli_get(cli, "/v1/id", NULL, NULL, &self);
    if (code != CLI_OK)
        return code;
    node = self != NULL ? cli_string(self, "id") : cli->args->words[1];
    code = cli_get(cli, "/v1/nodes/*", node, NULL, &o);
    json_decref(self);
    if (code != CLI_OK)
        return code;
    if (cli->args->json)
        cli_print_json(cli, o);
    else
        code = print_node(cli, o);
    json_decref(o);
    return code;
}
