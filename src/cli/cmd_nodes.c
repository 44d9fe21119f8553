/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/show.h"
#include "cli/table.h"

enum {
    ID_SIZE = 65,
    LIST_SIZE = 4096, /* of a cell with several values; more is cut off */
};

/* -- cells ------------------------------------------------------------ */

static enum show_colour state_colour(const char *state)
{
    if (strcmp(state, "up") == 0)
        return SHOW_GREEN;
    if (strcmp(state, "no answer") == 0)
        return SHOW_RED;
    if (strcmp(state, "away") == 0 || strcmp(state, "cached") == 0)
        return SHOW_YELLOW;
    return SHOW_DIM;
}

static void cell_id(struct table *t, const json_t *o, size_t digits)
{
    char id[ID_SIZE];

    snprintf(id, sizeof id, "%.*s", (int)digits, cli_string(o, "id"));
    table_cell(t, id, SHOW_PLAIN);
}

static void cell_state(struct table *t, const json_t *o)
{
    const char *state = cli_string(o, "state");
    char text[64];

    snprintf(text, sizeof text, "%s%s", state,
             cli_true(o, "self") ? " (self)" : "");
    table_cell(t, text, state_colour(state));
}

static void cell_age(struct table *t, const json_t *o, const char *key)
{
    char age[SHOW_AGE_SIZE] = "";

    if (json_is_number(json_object_get(o, key)))
        show_age(age, cli_number(o, key));
    table_cell(t, age, SHOW_PLAIN);
}

/* Appends a word to a list; what does not fit is left out. */
static void append(char list[LIST_SIZE], const char *word)
{
    size_t len = strlen(list);

    if (len + 1 + strlen(word) < LIST_SIZE)
        snprintf(list + len, LIST_SIZE - len, "%s%s", len == 0 ? "" : " ",
                 word);
}

static void cell_addresses(struct table *t, const json_t *o)
{
    char list[LIST_SIZE] = "";
    size_t i;
    json_t *addr;

    json_array_foreach(json_object_get(o, "addresses"), i, addr)
    {
        if (json_is_string(addr))
            append(list, json_string_value(addr));
    }
    table_cell(t, list, SHOW_PLAIN);
}

static void cell_tags(struct table *t, const json_t *o)
{
    char list[LIST_SIZE] = "";
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(o, "tags"), key, value)
    {
        const char *text = json_string_value(value);
        char *pair = show_pair(key, text == NULL ? "" : text);

        append(list, pair == NULL ? "?" : pair);
        free(pair);
    }
    table_cell(t, list, SHOW_PLAIN);
}

/* -- tables ----------------------------------------------------------- */

/* How many digits tell the nodes of the list apart. */
static size_t id_digits(const json_t *list)
{
    const char **ids = calloc(json_array_size(list) + 1, sizeof *ids);
    size_t digits = SHOW_ID_DIGITS;
    size_t i;
    json_t *o;

    if (ids == NULL)
        return digits;
    json_array_foreach(list, i, o) ids[i] = cli_string(o, "id");
    digits = show_id_digits(ids, json_array_size(list));
    free(ids);
    return digits < ID_SIZE ? digits : ID_SIZE - 1;
}

static void row_node(struct table *t, const json_t *o, size_t digits)
{
    cell_id(t, o, digits);
    table_cell(t, cli_string(o, "name"), SHOW_PLAIN);
    cell_state(t, o);
    cell_addresses(t, o);
    cell_age(t, o, "age");
    cell_tags(t, o);
}

static void row_friend(struct table *t, const json_t *o, size_t digits)
{
    char rtt[32] = "";

    if (json_is_number(json_object_get(o, "rtt_ms")))
        snprintf(rtt, sizeof rtt, "%.1f ms", cli_number(o, "rtt_ms"));
    cell_id(t, o, digits);
    table_cell(t, cli_string(o, "name"), SHOW_PLAIN);
    cell_state(t, o);
    table_cell(t, cli_string(o, "address"), SHOW_PLAIN);
    table_cell(t, cli_true(o, "session") ? "yes" : "no", SHOW_PLAIN);
    table_cell(t, rtt, SHOW_PLAIN);
    cell_age(t, o, "last_answer");
    table_cell(t, cli_string(o, "reason"), SHOW_PLAIN);
}

/* Asks for a list and shows it as JSON or as a table. */
static int list(const struct cli *cli, const char *route,
                const char *const *titles, size_t columns,
                void (*row)(struct table *, const json_t *, size_t))
{
    struct table *table;
    json_t *nodes, *o;
    int code = cli_get(cli, route, NULL, NULL, &nodes);
    size_t i;

    if (code != CLI_OK)
        return code;
    table = table_new(titles, columns);
    if (cli->args->json) {
        cli_print_json(cli, nodes);
    } else if (table != NULL) {
        size_t digits = id_digits(nodes);
        json_array_foreach(nodes, i, o) row(table, o, digits);
    }
    if (!cli->args->json &&
        (table == NULL ||
         table_print(table, cli->out, cli->colours) != KITH_OK)) {
        cli_say(cli, "out of memory");
        code = CLI_NO;
    }
    table_free(table);
    json_decref(nodes);
    return code;
}

int cmd_nodes(const struct cli *cli)
{
    static const char *const titles[] = {"ID",        "NAME", "STATE",
                                         "ADDRESSES", "AGE",  "TAGS"};

    return list(cli, "/v1/nodes", titles, sizeof titles / sizeof titles[0],
                row_node);
}

int cmd_friends(const struct cli *cli)
{
    static const char *const titles[] = {"ID",       "NAME",    "STATE",
                                         "ADDRESS",  "SESSION", "RTT",
                                         "ANSWERED", "REASON"};

    return list(cli, "/v1/friends", titles, sizeof titles / sizeof titles[0],
                row_friend);
}
