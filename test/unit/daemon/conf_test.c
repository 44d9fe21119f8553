/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/text.h"
#include "daemon/conf.h"
#include "daemon/option.h"

/* What a kith.conf may hold is in test/conf; this is about the command line,
 * and about what holds for the whole table. */

struct fixture {
    struct conf conf;
    char message[CONF_MESSAGE_SIZE];
    char path[64]; /* a file with options */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->path, sizeof f->path, "/tmp/kith-conf-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    close(fd);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    unlink(f->path);
    free(f);
    return 0;
}

static void put(struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Parses --config=PATH and the given flags, the last of which is NULL. */
static int parse(struct fixture *f, const char *flag, ...)
{
    const char *argv[64] = {"kithd"};
    char config[80];
    int argc = 2;
    va_list args;

    snprintf(config, sizeof config, "--config=%s", f->path);
    argv[1] = config;
    va_start(args, flag);
    for (; flag != NULL; flag = va_arg(args, const char *)) {
        assert_true(argc < 63);
        argv[argc++] = flag;
    }
    va_end(args);
    f->message[0] = '\0';
    return conf_parse(&f->conf, argc, argv, f->message, sizeof f->message);
}

/* One flag, or a flag and its value, that is refused with this message. */
static void refused(struct fixture *f, const char *flag, const char *value,
                    const char *message)
{
    assert_int_equal(parse(f, flag, value, NULL), KITH_ERR_FORMAT);
    assert_string_equal(f->message, message);
}

static void test_defaults(void **state)
{
    struct fixture *f = *state;
    const struct conf *c = &f->conf;

    conf_defaults(&f->conf);
    assert_int_equal(c->action, CONF_RUN);
    assert_string_equal(c->config, "/etc/kith/kith.conf");
    assert_string_equal(c->state, "/var/lib/kith");
    assert_string_equal(c->socket, "/run/kith/kith.sock");
    assert_string_equal(c->events, "");
    assert_string_equal(c->mesh, "open");
    assert_int_equal(c->port, PROTOCOL_PORT);
    assert_int_equal(c->n_listen, 0);
    assert_int_equal(c->n_peers, 0);
    assert_int_equal(c->links.n_patterns, 0);
    assert_false(c->links.loopback || c->lookout);
    assert_int_equal(c->machine_binding, CONF_BINDING_ON);
    assert_int_equal(c->max_members, MEMBERS_DEFAULT);
    assert_int_equal(c->forget_after_s, 30 * 86400);
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
}

static void test_forms_of_flags(void **state)
{
    struct fixture *f = *state;
    const struct conf *c = &f->conf;

    assert_int_equal(parse(f, "--port", "17000", "--mesh=lab", "--loopback",
                           "--lookout=no", "--listen=127.0.0.1", "--listen",
                           "[::1]:17000", "--peer", "a.example", "--events",
                           "-", "--interface", "en*", NULL),
                     KITH_OK);
    assert_int_equal(c->port, 17000);
    assert_string_equal(c->mesh, "lab");
    assert_true(c->links.loopback);
    assert_false(c->lookout);
    assert_int_equal(c->n_listen, 2);
    assert_int_equal(c->listen[0].family, 4);
    assert_int_equal(c->listen[0].port, 17000);
    assert_int_equal(c->listen[1].port, 17000);
    assert_int_equal(c->listen[1].family, 6);
    assert_int_equal(c->n_peers, 1);
    assert_int_equal(c->peers[0].addr.family, 0);
    assert_string_equal(c->peers[0].name, "a.example");
    assert_int_equal(c->peers[0].port, PROTOCOL_PORT);
    assert_string_equal(c->events, "-");
    assert_string_equal(c->links.patterns[0], "en*");
    assert_string_equal(c->config, f->path);
}

static void test_flags_win(void **state)
{
    struct fixture *f = *state;
    const struct conf *c = &f->conf;

    put(f, "port = 17000\nmesh = of-the-file\nloopback = yes\n"
           "peer = a\npeer = b\nlisten = 127.0.0.1\n");
    assert_int_equal(
        parse(f, "--port=17001", "--peer=c", "--loopback=no", NULL), KITH_OK);
    assert_int_equal(c->port, 17001);
    assert_string_equal(c->mesh, "of-the-file");
    assert_false(c->links.loopback);
    assert_int_equal(c->n_peers, 1); /* a list is replaced as a whole */
    assert_string_equal(c->peers[0].name, "c");
    assert_int_equal(c->listen[0].port, 17001); /* whichever came first */
}

static void test_one_port(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(parse(f, "--listen=127.0.0.1:5", "--port=6", NULL),
                     KITH_OK);
    assert_int_equal(f->conf.port, 5);
    refused(f, "--listen=127.0.0.1:5", "--listen=127.0.0.2",
            "--listen: all of them need the same port");
}

static void test_wrong_flags(void **state)
{
    struct fixture *f = *state;

    refused(f, "--port", "0", "--port: \"0\" will not do; allowed: 1 to 65535");
    refused(f, "--port", NULL, "--port: needs a value; allowed: 1 to 65535");
    refused(f, "--port", "--loopback",
            "--port: needs a value; allowed: 1 to 65535");
    refused(f, "--port=", NULL,
            "--port: \"\" will not do; allowed: 1 to 65535");
    refused(f, "--lop-level=info", NULL,
            "--lop-level: no such option; did you mean --log-level?");
    refused(f, "--hlep", NULL, "--hlep: no such option; did you mean --help?");
    refused(f, "--flavour", "sweet", "--flavour: no such option");
    refused(f, "--x", NULL, "--x: no such option");
    refused(f, "--fore\nground", NULL, "--fore\\x0aground: no such option");
    refused(f, "start", NULL, "\"start\" is no option; --help lists them");
    refused(f, "-p", NULL, "\"-p\" is no option; --help lists them");
    refused(f, "--", NULL, "\"--\" is no option; --help lists them");
    refused(f, "", NULL, "\"\" is no option; --help lists them");
    refused(f, "--help=yes", NULL, "--help: takes no value");
    refused(f, "--loopback", "no", "\"no\" is no option; --help lists them");
    refused(f, "--init", "--check-config",
            "--check-config: not together with another of its kind");
    refused(f, "--port=5", "--port=5", "--port: is given twice");
    refused(f, "--loopback", "--loopback", "--loopback: is given twice");
    refused(f, "--mesh= x", NULL,
            "--mesh: \" x\" will not do; allowed: NAME, 1 to 64 bytes of "
            "UTF-8");
    refused(f, "--mesh=a\nb", NULL,
            "--mesh: \"a\\x0ab\" will not do; allowed: NAME, 1 to 64 bytes of "
            "UTF-8");
}

static void test_actions(void **state)
{
    struct fixture *f = *state;

    put(f, "broken\n");
    assert_int_equal(parse(f, "--help", NULL), KITH_OK);
    assert_int_equal(f->conf.action, CONF_HELP);
    assert_int_equal(parse(f, "--version", NULL), KITH_OK);
    assert_int_equal(f->conf.action, CONF_VERSION);
    assert_int_equal(parse(f, "--check-config", NULL), KITH_ERR_FORMAT);
    put(f, "");
    assert_int_equal(parse(f, "--check-config", NULL), KITH_OK);
    assert_int_equal(f->conf.action, CONF_CHECK);
    assert_int_equal(parse(f, "--init", NULL), KITH_OK);
    assert_int_equal(f->conf.action, CONF_INIT);
}

static void test_files(void **state)
{
    struct fixture *f = *state;
    char expected[128];

    put(f, "port = 1\nport = x\n");
    assert_int_equal(parse(f, NULL), KITH_ERR_FORMAT);
    snprintf(expected, sizeof expected, "%s:2: port: is given twice", f->path);
    assert_string_equal(f->message, expected);

    unlink(f->path); /* it was named */
    assert_int_equal(parse(f, NULL), KITH_ERR_IO);
    snprintf(expected, sizeof expected, "%s: No such file or directory",
             f->path);
    assert_string_equal(f->message, expected);

    const char *argv[] = {"kithd", "--config", "/"};
    assert_int_equal(
        conf_parse(&f->conf, 3, argv, f->message, sizeof f->message),
        KITH_ERR_IO);
    assert_string_equal(f->message, "/: Is a directory");
}

static void test_large_file(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    for (int i = 0; i < CONF_FILE_MAX; i++)
        fputc('\n', file);
    fclose(file);
    assert_int_equal(parse(f, NULL), KITH_OK);
    file = fopen(f->path, "a");
    assert_non_null(file);
    fputc('\n', file);
    fclose(file);
    assert_int_equal(parse(f, NULL), KITH_ERR_FORMAT);
}

static void test_message_is_bounded(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = {"kithd", "--port=hundred"};
    char small[8];

    assert_int_equal(conf_parse(&f->conf, 2, argv, small, sizeof small),
                     KITH_ERR_FORMAT);
    assert_string_equal(small, "--port:");
}

/* The print of everything at its longest parses again to the same print. */
static void test_print_is_a_fixed_point(void **state)
{
    struct fixture *f = *state;
    char *first = NULL, *second = NULL;
    size_t len;
    FILE *out;

    conf_defaults(&f->conf);
    memset(f->conf.state, 's', CONF_VALUE_MAX);
    memset(f->conf.events, 'e', CONF_VALUE_MAX);
    memset(f->conf.socket, 'k', CONF_SOCKET_SIZE - 1);
    memset(f->conf.mesh, 'm', MESH_NAME_MAX);
    f->conf.n_peers = CONF_PEERS_MAX;
    for (size_t i = 0; i < CONF_PEERS_MAX; i++) {
        memset(f->conf.peers[i].name, 'h', CONF_HOST_MAX);
        f->conf.peers[i].port = 65535;
    }
    f->conf.links.n_patterns = LINK_PATTERNS_MAX;
    for (size_t i = 0; i < LINK_PATTERNS_MAX; i++)
        memset(f->conf.links.patterns[i], 'i', LINK_PATTERN_SIZE - 1);
    f->conf.max_members = 2;
    f->conf.forget_after_s = 3601;

    assert_non_null(out = open_memstream(&first, &len));
    conf_print(&f->conf, out);
    assert_int_equal(fclose(out), 0);
    conf_defaults(&f->conf);
    assert_int_equal(conf_parse_text(&f->conf, "print", first, len, f->message,
                                     sizeof f->message),
                     KITH_OK);
    assert_non_null(out = open_memstream(&second, &len));
    conf_print(&f->conf, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(first, second);
    free(first);
    free(second);
}

static void test_help_names_all_options(void **state)
{
    char *help = NULL, flag[OPTION_NAME_MAX + 8];
    const struct option *o;
    size_t len;
    FILE *out = open_memstream(&help, &len);

    (void)state;
    assert_non_null(out);
    conf_help(out);
    assert_int_equal(fclose(out), 0);
    for (size_t i = 0; (o = option_at(i)) != NULL; i++) {
        assert_true(strlen(o->name) <= OPTION_NAME_MAX);
        snprintf(flag, sizeof flag, "\n  --%s", o->name);
        assert_non_null(strstr(help, flag));
    }
    for (const char *line = help; *line != '\0';) {
        size_t n = strcspn(line, "\n");
        assert_true(n < 80);
        line += n + 1;
    }
    free(help);
}

/* docs/man/kith.conf.5.scd has an entry "*name*" for every option. */
static void test_manual_names_all_options(void **state)
{
    static char manual[65536];
    char entry[OPTION_NAME_MAX + 8];
    const struct option *o;
    FILE *in = fopen(KITH_SOURCE_DIR "/docs/man/kith.conf.5.scd", "r");

    (void)state;
    assert_non_null(in);
    size_t len = fread(manual, 1, sizeof manual - 1, in);
    fclose(in);
    assert_true(len > 0 && len < sizeof manual - 1);
    for (size_t i = 0; (o = option_at(i)) != NULL; i++) {
        snprintf(entry, sizeof entry, "\n*%s%s*", o->flag_only ? "--" : "",
                 o->name);
        if (strstr(manual, entry) == NULL)
            print_error("no entry for %s\n", o->name);
        assert_non_null(strstr(manual, entry));
    }
}

static void test_table(void **state)
{
    const struct option *o;
    char would_do[OPTION_ALLOWED_SIZE];

    (void)state;
    for (size_t i = 0; (o = option_at(i)) != NULL; i++) {
        assert_ptr_equal(option_find(o->name, strlen(o->name)), o);
        assert_ptr_equal(option_near(o->name, strlen(o->name)), o);
        option_allowed(o, would_do);
        assert_true(strlen(would_do) < OPTION_ALLOWED_SIZE - 1);
        assert_int_equal(would_do[0] == '\0', o->kind == OPTION_ACTION);
        assert_int_equal(o->value == NULL,
                         o->kind == OPTION_ACTION || o->kind == OPTION_SWITCH);
    }
    assert_null(option_find("por", 3));
    assert_null(option_find("", 0));
    assert_null(option_near("", 0));
    assert_null(option_near("xx", 2));
    assert_string_equal(option_near("prt", 3)->name, "port");
    assert_string_equal(option_near("interfaces", 10)->name, "interface");
}

static void test_peers(void **state)
{
    static const struct {
        const char *value, *printed; /* NULL: refused */
    } cases[] = {
        {"192.0.2.1", "192.0.2.1:16990"},
        {"192.0.2.1:1", "192.0.2.1:1"},
        {"2001:db8::1", "[2001:db8::1]:16990"},
        {"[2001:db8::1]", "[2001:db8::1]:16990"},
        {"[2001:db8::1]:2", "[2001:db8::1]:2"},
        {"fe80::1%3", "[fe80::1%3]:16990"},
        {"::ffff:192.0.2.1", "192.0.2.1:16990"},
        {"Host.Example.", "Host.Example.:16990"},
        {"a", "a:16990"},
        {"a:65535", "a:65535"},
        {"_kith._tcp", "_kith._tcp:16990"},
        {"", NULL},
        {":5", NULL},
        {"a:", NULL},
        {"a:0", NULL},
        {"a:65536", NULL},
        {"a:05", NULL},
        {"a:5:6", NULL},
        {"a b", NULL},
        {"a/b", NULL},
        {"user@host", NULL},
        {"https://host", NULL},
        {".", NULL},
        {".a", NULL},
        {"a..b", NULL},
        {"-a", NULL},
        {"1", NULL},
        {"1.2.3", NULL},
        {"host.7", NULL},
        {"[host]", NULL},
        {"fe80::1", NULL}, /* of which link? */
        {"192.0.2.1:0", NULL},
        {"224.0.0.1", NULL},
        {"ff02::1", NULL},
        {"::", NULL},
        {"0.0.0.0:5", NULL},
    };
    struct fixture *f = *state;
    const struct option *o = option_find("peer", 4);
    char *text, expected[80];
    size_t len;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        conf_defaults(&f->conf);
        int err = option_set(o, &f->conf, cases[i].value);
        if (cases[i].printed == NULL) {
            assert_int_equal(err, KITH_ERR_FORMAT);
            assert_int_equal(f->conf.n_peers, 0);
            continue;
        }
        assert_int_equal(err, KITH_OK);
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        option_print(o, &f->conf, out);
        fclose(out);
        snprintf(expected, sizeof expected, "peer = %s\n", cases[i].printed);
        assert_string_equal(text, expected);
        free(text);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_forms_of_flags),
        TEST(test_flags_win),
        TEST(test_one_port),
        TEST(test_wrong_flags),
        TEST(test_actions),
        TEST(test_files),
        TEST(test_large_file),
        TEST(test_message_is_bounded),
        TEST(test_print_is_a_fixed_point),
        TEST(test_help_names_all_options),
        TEST(test_manual_names_all_options),
        TEST(test_table),
        TEST(test_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
