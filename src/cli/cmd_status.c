/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show.h"

static void print_label(const struct cli *cli, const char *label)
{
    fprintf(cli->out, "%-9s ", label);
}

static void print_line(const struct cli *cli, const char *label,
                       const char *text)
{
    print_label(cli, label);
    show_print(cli->out, text);
    fputc('\n', cli->out);
}

/* Something that the operator should know, or do. */
__attribute__((format(printf, 2, 3))) static void
print_note(const struct cli *cli, const char *fmt, ...)
{
    enum show_colour colour = cli->colours ? SHOW_YELLOW : SHOW_PLAIN;
    char text[512];
    va_list list;

    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    fprintf(cli->out, "%s!%s ", show_colour_on(colour),
            show_colour_off(colour));
    show_print(cli->out, text);
    fputc('\n', cli->out);
}

static void print_mesh(const struct cli *cli, const json_t *o)
{
    const json_t *mesh = json_object_get(o, "mesh");

    print_label(cli, "mesh");
    show_print(cli->out, cli_string(mesh, "name"));
    if (cli_true(mesh, "open"))
        fputs(", an open mesh: it trusts its network, and whoever reaches it "
              "there is in",
              cli->out);
    fputc('\n', cli->out);
}

static void print_daemon(const struct cli *cli, const json_t *o)
{
    char age[SHOW_AGE_SIZE];
    const json_t *list = json_object_get(o, "listening");
    size_t i;
    json_t *addr;

    show_age(age, cli_number(o, "uptime"));
    print_label(cli, "kithd");
    show_print(cli->out, cli_string(o, "version"));
    fputs(" (", cli->out);
    show_print(cli->out, cli_string(o, "commit"));
    fprintf(cli->out, "), started: %s%s\n", age,
            cli_number(o, "uptime") < 1 ? "" : " ago");
    print_label(cli, "listens");
    json_array_foreach(list, i, addr)
    {
        const char *text = json_string_value(addr);
        show_print(cli->out, text == NULL ? "?" : text);
        fputc(' ', cli->out);
    }
    fprintf(cli->out, "on %.0f interface%s\n", cli_number(o, "links"),
            cli_number(o, "links") == 1 ? "" : "s");
}

static void print_members(const struct cli *cli, const json_t *o)
{
    const char *state;
    json_t *count;
    const char *gap = "; nodes: ";

    print_label(cli, "members");
    fprintf(cli->out, "%.0f", cli_number(o, "members"));
    json_object_foreach(json_object_get(o, "states"), state, count)
    {
        if (json_integer_value(count) == 0)
            continue;
        fprintf(cli->out, "%s%lld ", gap, json_integer_value(count));
        show_print(cli->out, state);
        gap = ", ";
    }
    fprintf(cli->out, "\n%-9s %.0f, sessions: %.0f\n", "friends",
            cli_number(o, "friends"), cli_number(o, "sessions"));
}

static void print_notes(const struct cli *cli, const json_t *o)
{
    double port = cli_number(o, "port");

    if (cli_number(o, "links") == 0)
        print_note(cli, "no interface of this machine is in use: see "
                        "interface and loopback in kith.conf");
    else if (!cli_true(o, "udp_heard") && !cli_true(o, "tcp_heard"))
        print_note(cli,
                   "nothing has come in on any interface: if there are other "
                   "nodes, open UDP and TCP port %.0f in the firewall",
                   port);
    else if (!cli_true(o, "heard"))
        print_note(cli,
                   "what has come in is from no node of this mesh: look at "
                   "the mesh's name on the other nodes, and open UDP and TCP "
                   "port %.0f in both firewalls",
                   port);
    if (cli_true(o, "clone"))
        print_note(cli, "another machine uses this node's key: one of the two "
                        "has to make a new one");
    if (!cli_true(o, "may_sign"))
        print_note(cli, "this node does not sign yet: it has just started, or "
                        "its disk makes trouble");
    if (cli_number(o, "udp_dropped") > 0)
        print_note(cli,
                   "%.0f datagrams were lost for want of room in the "
                   "kernel",
                   cli_number(o, "udp_dropped"));
}

static void print_status(const struct cli *cli, const json_t *o)
{
    const char *name = cli_string(o, "name");
    bool disk = strcmp(cli_string(o, "store"), "disk") == 0;

    print_line(cli, "id", cli_string(o, "id"));
    print_line(cli, "name", name[0] == '\0' ? "?" : name);
    print_mesh(cli, o);
    print_daemon(cli, o);
    print_members(cli, o);
    print_line(cli, "search",
               cli_true(o, "searching")
                   ? "going on: beacons are sent until others are found"
                   : "over: others were found");
    print_label(cli, "store");
    fputs(disk ? "on disk, in " : "in memory only: the disk makes trouble in ",
          cli->out);
    show_print(cli->out, cli_string(o, "state_dir"));
    fputc('\n', cli->out);
    print_notes(cli, o);
}

int cmd_status(const struct cli *cli)
{
    json_t *o;
    int code = cli_get(cli, "/v1/status", NULL, NULL, &o);

    if (code != CLI_OK)
        return code;
    if (cli->args->json)
        cli_print_json(cli, o);
    else
        print_status(cli, o);
    json_decref(o);
    return CLI_OK;
}

int cmd_id(const struct cli *cli)
{
    json_t *o;
    int code = cli_get(cli, "/v1/id", NULL, NULL, &o);

    if (code != CLI_OK)
        return code;
    if (cli->args->json) {
        cli_print_json(cli, o);
    } else {
        show_print(cli->out, cli_string(o, "id"));
        fputc('\n', cli->out);
    }
    json_decref(o);
    return CLI_OK;
}
