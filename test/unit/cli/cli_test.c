/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cli_rig.h"

#include <fcntl.h>

#include "cli/cli.h"

enum {
    WORDS_MAX = 16,
};

#define ID_A "aaaaaaaa11111111111111111111111111111111111111111111111111111111"
#define ID_B "aaaaaaaa22222222222222222222222222222222222222222222222222222222"

/* Runs a command, given as words up to a NULL. Returns the exit status. */
static int run(struct rig *r, const char *const *words)
{
    const char *argv[WORDS_MAX + 4] = {"kith", "--socket", r->path};
    size_t out_size, err_size;
    FILE *out, *err;
    int argc = 3, code;

    for (; *words != NULL; words++)
        argv[argc++] = *words;
    free(r->out);
    free(r->err);
    out = open_memstream(&r->out, &out_size);
    err = open_memstream(&r->err, &err_size);
    assert_non_null(out);
    assert_non_null(err);
    code = cli_run(argc, argv, "0.1.0", "abc", out, err);
    fclose(out);
    fclose(err);
    return code;
}

#define RUN(r, ...) run((r), (const char *const[]){__VA_ARGS__, NULL})

/* Answers every request that begins so with that JSON. */
static void answer_json(struct rig *r, const char *ask, const char *json)
{
    rig_stop(r);
    RIG_ANSWER(r, {.ask = ask, .status = "200 OK", .body = json});
}

static void answer_error(struct rig *r, const char *status, const char *json)
{
    rig_stop(r);
    RIG_ANSWER(r, {.ask = "", .status = status, .body = json});
}

static void assert_says(const char *text, const char *says)
{
    if (strstr(text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, says);
}

/* -- usage ------------------------------------------------------------ */

static void test_usage(void **state)
{
    struct rig *r = *state;

    assert_int_equal(run(r, (const char *const[]){NULL}), CLI_USAGE);
    assert_says(r->err, "Usage: kith");
    assert_int_equal(RUN(r, "frobnicate"), CLI_USAGE);
    assert_says(r->err, "no such command: frobnicate");
    assert_int_equal(RUN(r, "--frob"), CLI_USAGE);
    assert_says(r->err, "no such option: --frob");
    assert_int_equal(RUN(r, "set"), CLI_USAGE);
    assert_says(r->err, "usage: kith set KEY=VALUE...");
    assert_int_equal(RUN(r, "nodes", "x"), CLI_USAGE);
    assert_int_equal(RUN(r, "get", "web1"), CLI_USAGE);
    assert_int_equal(RUN(r, "wait"), CLI_USAGE);
    assert_int_equal(RUN(r, "nodes", "--nodes", "3"), CLI_USAGE);
    assert_says(r->err, "for kith wait");
    assert_int_equal(RUN(r, "show", ""), CLI_USAGE);
    assert_int_equal(RUN(r, "set", "novalue"), CLI_USAGE);
    assert_int_equal(RUN(r, "set", "=x"), CLI_USAGE);
    assert_int_equal(RUN(r, "set", "a=1", "a=2"), CLI_USAGE);
    assert_int_equal(RUN(r, "set", "a=\xff"), CLI_USAGE);
    assert_int_equal(RUN(r, "put", "motd", "/nonexistent"), CLI_USAGE);
    assert_int_equal(r->asked->n, 0);
}

static void test_help(void **state)
{
    struct rig *r = *state;

    assert_int_equal(RUN(r, "help"), CLI_OK);
    assert_says(r->out, "export NODE NAME [DIR]");
    assert_int_equal(RUN(r, "help", "wait"), CLI_OK);
    assert_says(r->out, "Usage: kith wait [--nodes N] [--timeout SECONDS]");
    assert_int_equal(RUN(r, "nodes", "--help"), CLI_OK);
    assert_says(r->out, "Usage: kith nodes\n");
    assert_int_equal(RUN(r, "help", "x"), CLI_USAGE);
    assert_int_equal(RUN(r, "--version"), CLI_OK);
    assert_string_equal(r->out, "kith 0.1.0 (abc)\n");
    assert_int_equal(RUN(r, "version", "--json"), CLI_OK);
    assert_says(r->out, "\"version\": \"0.1.0\"");
}

static void test_unreachable(void **state)
{
    struct rig *r = *state;

    close(r->listening);
    r->listening = -1;
    assert_int_equal(RUN(r, "status"), CLI_UNREACHABLE);
    assert_says(r->err, "nobody answers");
    assert_int_equal(RUN(r, "watch"), CLI_UNREACHABLE);
    assert_int_equal(RUN(r, "wait", "--nodes", "1"), CLI_UNREACHABLE);
    assert_int_equal(RUN(r, "wait", "--nodes", "1", "--timeout", "0"),
                     CLI_UNREACHABLE);
    assert_int_equal(RUN(r, "unset", "a", "b"), CLI_UNREACHABLE);
    assert_string_equal(r->out, "");
}

static void test_socket_of_environment(void **state)
{
    struct rig *r = *state;
    const char *argv[] = {"kith", "id"};
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);

    answer_json(r, "GET /v1/id ", "{\"id\": \"" ID_A "\"}");
    setenv("KITH_SOCKET", r->path, 1);
    assert_int_equal(cli_run(2, argv, "", "", file, stderr), CLI_OK);
    unsetenv("KITH_SOCKET");
    fclose(file);
    assert_string_equal(out, ID_A "\n");
    free(out);
}

/* -- errors of the daemon --------------------------------------------- */

static void test_errors(void **state)
{
    struct rig *r = *state;

    answer_error(r, "404 Not Found",
                 "{\"error\": \"no such \\u001b[2J\", \"hint\": \"do x\"}");
    assert_int_equal(RUN(r, "show", "x"), CLI_NO);
    assert_string_equal(r->err, "kith: no such \\x1b[2J\n      do x\n");
    answer_error(r, "400 Bad Request", "{\"error\": \"bad\", \"hint\": null}");
    assert_int_equal(RUN(r, "set", "A=b"), CLI_USAGE);
    assert_string_equal(r->err, "kith: bad\n");
    answer_error(r, "413 Content Too Large", "<html>");
    assert_int_equal(RUN(r, "set", "a=b"), CLI_USAGE);
    assert_says(r->err, "HTTP status 413");
    answer_error(r, "403 Forbidden", "{\"error\": \"you may not\"}");
    assert_int_equal(RUN(r, "id"), CLI_UNREACHABLE);
    answer_error(r, "507 Insufficient Storage", "{\"error\": \"full\"}");
    assert_int_equal(RUN(r, "set", "a=b"), CLI_NO);
    answer_error(r, "409 Conflict",
                 "{\"error\": \"several\", \"hint\": \"digits\", "
                 "\"candidates\": [{\"id\": \"" ID_A "\", \"name\": \"web1\", "
                 "\"state\": \"up\"}, {\"id\": \"" ID_B "\", \"name\": null, "
                 "\"state\": \"gone\"}]}");
    assert_int_equal(RUN(r, "forget", "aaaa"), CLI_NO);
    assert_says(r->err, "      " ID_A "  up  web1\n      " ID_B "  gone  \n");
}

static void test_no_json(void **state)
{
    struct rig *r = *state;

    answer_json(r, "GET ", "not JSON");
    assert_int_equal(RUN(r, "nodes"), CLI_UNREACHABLE);
    assert_says(r->err, "no JSON");
    /* JSON, but not what was expected: nothing is shown, nothing breaks */
    answer_json(r, "GET ", "[[], 1, null, {\"id\": 5, \"tags\": 7}]");
    assert_int_equal(RUN(r, "nodes"), CLI_OK);
    assert_int_equal(RUN(r, "friends"), CLI_OK);
    assert_int_equal(RUN(r, "status"), CLI_OK);
    assert_int_equal(RUN(r, "show", "x"), CLI_OK);
    answer_json(r, "GET ",
                "{\"facts\": {\"a\": 1, \"b\": [2]}, \"blocks\": [3], "
                "\"states\": [], \"listening\": [4], \"head\": {}}");
    assert_int_equal(RUN(r, "show"), CLI_USAGE); /* an id of no digits */
    assert_int_equal(RUN(r, "show", "x"), CLI_OK);
    assert_int_equal(RUN(r, "status"), CLI_OK);
    assert_int_equal(RUN(r, "export", "x", "motd"), CLI_UNREACHABLE);
}

/* -- looking ---------------------------------------------------------- */

#define NODES                                                                  \
    "[{\"id\": \"" ID_A "\", \"name\": \"web1\", \"state\": \"up\", "          \
    "\"self\": true, \"addresses\": [\"192.0.2.1:16990\", \"[::1]:1\"], "      \
    "\"tags\": {\"role\": \"web\", \"note\": \"a b\"}, \"age\": 3.25}, "       \
    "{\"id\": \"" ID_B "\", \"name\": null, \"state\": \"no answer\", "        \
    "\"self\": false, \"addresses\": [], \"tags\": {}, \"age\": 7200.5}]"

static void test_nodes(void **state)
{
    struct rig *r = *state;
    json_t *list;

    answer_json(r, "GET /v1/nodes ", NODES);
    assert_int_equal(RUN(r, "nodes"), CLI_OK);
    assert_string_equal(
        r->out,
        "ID         NAME  STATE      ADDRESSES                AGE  TAGS\n"
        "aaaaaaaa1  web1  up (self)  192.0.2.1:16990 [::1]:1  3 s  "
        "role=web note=\"a b\"\n"
        "aaaaaaaa2        no answer                           2 h\n");
    assert_int_equal(RUN(r, "--json", "nodes"), CLI_OK);
    list = json_loads(r->out, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(cli_string(json_array_get(list, 0), "id"), ID_A);
    json_decref(list);
}

static void test_friends(void **state)
{
    struct rig *r = *state;

    answer_json(r, "GET /v1/friends ",
                "[{\"id\": \"" ID_B "\", \"name\": \"db\", "
                "\"state\": \"no answer\", \"session\": false, "
                "\"address\": null, \"rtt_ms\": 1.25, \"last_answer\": 61, "
                "\"reason\": \"udp\"}]");
    assert_int_equal(RUN(r, "friends"), CLI_OK);
    assert_string_equal(
        r->out,
        "ID        NAME  STATE      ADDRESS  SESSION  RTT     ANSWERED  "
        "REASON\n"
        "aaaaaaaa  db    no answer           no       1.2 ms  1 min     "
        "udp\n");
}

#define STATUS(links, udp, heard, up)                                          \
    "{\"id\": \"" ID_A "\", \"name\": \"web1\", \"mesh\": {\"name\": "         \
    "\"lab\", \"open\": true}, \"version\": \"0.1.0\", \"commit\": \"abc\", "  \
    "\"uptime\": 90.5, \"port\": 16990, \"listening\": [\"[::]:16990\"], "     \
    "\"links\": " links ", \"members\": 3, \"states\": {\"up\": " up           \
    ", \"no answer\": 0, \"gone\": 1}, \"friends\": 2, \"sessions\": 1, "      \
    "\"searching\": true, \"heard\": " heard ", \"udp_heard\": " udp           \
    ", \"tcp_heard\": false, \"may_sign\": true, \"clone\": false, "           \
    "\"store\": \"disk\", \"state_dir\": \"/var/lib/kith\", "                  \
    "\"udp_dropped\": 0}"

static void test_status(void **state)
{
    struct rig *r = *state;

    answer_json(r, "GET /v1/status ", STATUS("1", "true", "true", "2"));
    assert_int_equal(RUN(r, "status"), CLI_OK);
    assert_says(r->out, "id        " ID_A "\n");
    assert_says(r->out, "mesh      lab, an open mesh: it trusts its network");
    assert_says(r->out, "members   3; nodes: 2 up, 1 gone\n");
    assert_says(r->out, "started: 1 min ago");
    assert_says(r->out, "search    going on");
    assert_says(r->out, "store     on disk, in /var/lib/kith\n");
    assert_null(strstr(r->out, "!"));
    answer_json(r, "GET /v1/status ", STATUS("1", "false", "false", "1"));
    assert_int_equal(RUN(r, "status"), CLI_OK);
    assert_says(r->out, "! nothing has come in on any interface");
    assert_says(r->out, "open UDP and TCP port 16990 in the firewall");
    answer_json(r, "GET /v1/status ", STATUS("1", "true", "false", "1"));
    assert_int_equal(RUN(r, "status"), CLI_OK);
    assert_says(r->out, "! what has come in is from no node of this mesh");
    answer_json(r, "GET /v1/status ", STATUS("0", "false", "false", "1"));
    assert_int_equal(RUN(r, "status"), CLI_OK);
    assert_says(r->out, "! no interface of this machine is in use");
}

static void test_show(void **state)
{
    struct rig *r = *state;

    RIG_ANSWER(r,
               {.ask = "GET /v1/id ",
                .status = "200 OK",
                .body = "{\"id\": \"" ID_A "\"}"},
               {.ask = "GET /v1/nodes/" ID_A " ",
                .status = "200 OK",
                .body =
                    "{\"name\": \"web1\", \"facts\": {\"host\": [\"web1\"]}, "
                    "\"blocks\": [{\"name\": \"motd\", \"type\": \"data\", "
                    "\"size\": 5, \"serial\": 1234567890123}]}\n\n\n\n"});
    assert_int_equal(RUN(r, "show"), CLI_OK);
    assert_says(r->out, "name      web1\n");
    assert_says(r->out, "FACT  VALUE\nhost  web1\n");
    assert_says(r->out, "motd   data  5     1234567890123\n");
}

/* -- changing --------------------------------------------------------- */

static const char *body_of(const struct rig *r)
{
    return strstr(r->asked->last, "\r\n\r\n") + 4;
}

static void test_set(void **state)
{
    struct rig *r = *state;

    RIG_ANSWER(r, {.ask = "POST /v1/tags ", .status = RIG_DONE},
               {.ask = "DELETE /v1/tags/role ", .status = RIG_DONE},
               {.ask = "DELETE /v1/tags/x ",
                .status = "404 x",
                .body = "{\"error\":\"no x\"}"});
    assert_int_equal(RUN(r, "set", "role=web", "note=a=b", "empty="), CLI_OK);
    assert_string_equal(body_of(r),
                        "{\"role\":\"web\",\"note\":\"a=b\",\"empty\":\"\"}");
    assert_string_equal(r->out, "");
    assert_int_equal(RUN(r, "set", "--json", "role=web"), CLI_OK);
    assert_string_equal(r->out, "{\"ok\": true}\n");
    assert_int_equal(RUN(r, "unset", "role"), CLI_OK);
    /* one that is not there keeps none of the others */
    assert_int_equal(RUN(r, "--json", "unset", "x", "role"), CLI_NO);
    assert_string_equal(r->err, "kith: no x\n");
    assert_string_equal(r->out, "");
    assert_int_equal(r->asked->n, 5);
}

static void test_put(void **state)
{
    struct rig *r = *state;
    static char content[32769];
    char file[96];
    int fd;

    RIG_ANSWER(r, {.ask = "PUT /v1/blocks/motd ", .status = RIG_DONE},
               {.ask = "DELETE /v1/blocks/motd ", .status = RIG_DONE});
    snprintf(file, sizeof file, "%s/content", r->dir);
    memset(content, 'z', sizeof content);
    fd = open(file, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, content, 32768), 32768);
    assert_int_equal(RUN(r, "put", "motd", file), CLI_OK);
    assert_int_equal(strlen(body_of(r)), 32768);
    assert_int_equal(write(fd, content, 1), 1);
    close(fd);
    assert_int_equal(RUN(r, "put", "motd", file), CLI_USAGE);
    assert_says(r->err, "at most 32768 bytes");
    assert_int_equal(RUN(r, "put", "motd", r->dir), CLI_USAGE);
    assert_int_equal(RUN(r, "rm", "motd"), CLI_OK);
    unlink(file);
    assert_int_equal(r->asked->n, 2);
}

static void test_get(void **state)
{
    struct rig *r = *state;

    RIG_ANSWER(r,
               {.ask = "GET /v1/nodes/web1/blocks/motd ",
                .status = "200 OK",
                .body = "\x1b[2J\n\xff"},
               {.ask = "GET /v1/nodes/web1/blocks/none ", .status = "200 OK"},
               {.ask = "GET /v1/nodes/web1/export/motd ",
                .status = "200 OK",
                .body = "{\"payload\":\"\"}"});
    assert_int_equal(RUN(r, "get", "web1", "motd"), CLI_OK);
    assert_string_equal(r->out, "\x1b[2J\n\xff"); /* byte for byte */
    assert_int_equal(RUN(r, "get", "web1", "none"), CLI_OK);
    assert_string_equal(r->out, "");
}

static void test_node_commands(void **state)
{
    struct rig *r = *state;

    RIG_ANSWER(r, {.ask = "POST /v1/leave ", .status = RIG_DONE},
               {.ask = "POST /v1/away ", .status = RIG_DONE},
               {.ask = "DELETE /v1/nodes/web1 ", .status = RIG_DONE});
    assert_int_equal(RUN(r, "leave"), CLI_OK);
    assert_says(r->out, "has left");
    assert_int_equal(RUN(r, "away"), CLI_OK);
    assert_int_equal(RUN(r, "forget", "web1"), CLI_OK);
    assert_string_equal(r->out, "");
}

/* -- events ----------------------------------------------------------- */

static void test_watch(void **state)
{
    struct rig *r = *state;

    RIG_ANSWER(r, {.ask = "GET /v1/events ",
                   .events = "data: {\"time\": \"T\", \"event\": \"joined\", "
                             "\"node\": \"aaaaaaaa1111\", "
                             "\"name\": \"we\\u001bb\", "
                             "\"block\": null, \"text\": null}\n\n"});
    assert_int_equal(RUN(r, "watch"), CLI_UNREACHABLE);
    assert_string_equal(r->out, "T  joined        aaaaaaaa  we\\x1bb\n");
    assert_string_equal(r->err, "kith: kithd has ended\n");
    assert_int_equal(RUN(r, "watch", "--json"), CLI_UNREACHABLE);
    assert_string_equal(r->out,
                        "{\"time\":\"T\",\"event\":\"joined\","
                        "\"node\":\"aaaaaaaa1111\",\"name\":\"we\\u001Bb\","
                        "\"block\":null,\"text\":null}\n");
}

/* An event makes it look again. */
static void test_wait(void **state)
{
    struct rig *r = *state;

    RIG_ANSWER(
        r, {.ask = "GET /v1/events ", .events = "data: {}\n\n", .stay = true},
        {.ask = "GET /v1/status ",
         .status = "200 OK",
         .body = "{\"states\": {\"up\": 1}}",
         .times = 1},
        {.ask = "GET /v1/status ",
         .status = "200 OK",
         .body = "{\"states\": {\"up\": 2}}"},
        {.ask = "GET /v1/nodes/web1 ",
         .status = "200 OK",
         .body = "{\"state\":\"up\"}\n"},
        {.ask = "GET /v1/nodes/web2 ",
         .status = "200 OK",
         .body = "{\"state\":\"gone\"}\n"},
        {.ask = "GET /v1/nodes/web3 ",
         .status = "404 x",
         .body = "{\"error\":\"x\"}"},
        {.ask = "GET /v1/nodes/web4 ",
         .status = "409 x",
         .body = "{\"error\":\"x\"}"});
    assert_int_equal(RUN(r, "wait", "--nodes", "2", "--timeout", "60"), CLI_OK);
    assert_string_equal(r->out, "");
    assert_int_equal(RUN(r, "--json", "wait", "--nodes=2", "web1"), CLI_OK);
    assert_string_equal(r->out, "{\"ok\": true}\n");
    assert_int_equal(RUN(r, "wait", "--nodes", "3", "--timeout", "0"), CLI_NO);
    assert_says(r->err, "only 2 of 3 nodes");
    assert_int_equal(RUN(r, "wait", "web1", "web2", "--timeout", "0"), CLI_NO);
    assert_says(r->err, "not up: web2");
    assert_int_equal(RUN(r, "wait", "web3", "--timeout", "0"), CLI_NO);
    assert_says(r->err, "not up: web3");
    assert_int_equal(RUN(r, "wait", "web4"), CLI_NO);
    assert_string_equal(r->err, "kith: x\n");
}

/* Waiting does not help somebody who may not ask. */
static void test_wait_denied(void **state)
{
    struct rig *r = *state;

    answer_error(r, "403 Forbidden", "{\"error\": \"no\"}");
    assert_int_equal(RUN(r, "wait", "--nodes", "2", "--timeout", "60"),
                     CLI_UNREACHABLE);
    assert_says(r->err, "you may not ask");
    rig_stop(r);
    RIG_ANSWER(r, {.ask = "GET /v1/events ", .events = ":\n\n", .stay = true},
               {.ask = "GET ", .status = "403 x", .body = "{}"});
    assert_int_equal(RUN(r, "wait", "--nodes", "2", "--timeout", "60"),
                     CLI_UNREACHABLE);
}

/* -- export ----------------------------------------------------------- */

#define EXPORT(certificate)                                                    \
    "{\"node\": \"" ID_A "\", \"name\": \"motd\", \"signed\": \"Zm9v\", "      \
    "\"signature\": \"YmFy\", \"spki\": \"AAAA\", "                            \
    "\"certificate\": " certificate "}"

static void assert_file(const char *dir, const char *name, const char *expected)
{
    char path[256], content[256];
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    n = fread(content, 1, sizeof content - 1, file);
    content[n] = '\0';
    fclose(file);
    assert_string_equal(content, expected);
    unlink(path);
}

static void test_export(void **state)
{
    struct rig *r = *state;
    char dir[96], says[512];

    answer_json(r, "GET /v1/nodes/web1/export/motd ", EXPORT("\"AAEC\""));
    snprintf(dir, sizeof dir, "%s/o p", r->dir);
    assert_int_equal(RUN(r, "export", "web1", "motd", dir), CLI_OK);
    snprintf(says, sizeof says,
             "openssl dgst -sha256 -verify '%s/web1.pub.pem' "
             "-signature '%s/motd.sig' '%s/motd.signed'\n",
             dir, dir, dir);
    assert_string_equal(r->out, says);
    assert_int_equal(RUN(r, "export", "--json", "web1", "motd", dir), CLI_OK);
    assert_says(r->out, "\"verify\": \"openssl dgst ");
    assert_file(dir, "motd.signed", "foo");
    assert_file(dir, "motd.sig", "bar");
    assert_file(dir, "web1.pub.pem",
                "-----BEGIN PUBLIC KEY-----\nAAAA\n"
                "-----END PUBLIC KEY-----\n");
    assert_file(dir, "web1.crt",
                "-----BEGIN CERTIFICATE-----\nAAEC\n"
                "-----END CERTIFICATE-----\n");
    rmdir(dir);
    assert_int_equal(RUN(r, "export", "web1", "motd", "/dev/null"), CLI_NO);
    assert_says(r->err, "cannot write /dev/null/motd.signed");
}

/* A name that cannot be part of a file's is replaced; without a certificate
 * there is no file of it. */
static void test_export_names(void **state)
{
    struct rig *r = *state;

    answer_json(r, "GET /v1/nodes/..%2Fx/export/motd ", EXPORT("null"));
    assert_int_equal(RUN(r, "export", "../x", "motd", r->dir), CLI_OK);
    assert_file(r->dir, ID_A ".pub.pem",
                "-----BEGIN PUBLIC KEY-----\nAAAA\n"
                "-----END PUBLIC KEY-----\n");
    assert_file(r->dir, "motd.signed", "foo");
    assert_file(r->dir, "motd.sig", "bar");
    answer_json(r, "GET /v1/nodes/web1/export/..%2Fmotd ", EXPORT("null"));
    assert_int_equal(RUN(r, "export", "web1", "../motd", r->dir),
                     CLI_UNREACHABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_usage, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_help, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_unreachable, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_socket_of_environment, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_errors, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_json, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_nodes, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_friends, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_status, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_show, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_set, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_put, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_get, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_node_commands, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_watch, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_wait, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_wait_denied, rig_setup,
                                        rig_teardown),
        cmocka_unit_test_setup_teardown(test_export, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_export_names, rig_setup,
                                        rig_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
