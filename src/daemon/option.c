/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/option.h"

#include <assert.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/text.h"
#include "core/limits.h"

enum {
    SUGGEST_DISTANCE = 2,
    MINUTE_S = 60,
    HOUR_S = 60 * MINUTE_S,
    DAY_S = 24 * HOUR_S,
};

static const char *const binding_choices[] = {"on", "off", "stop", NULL};
static const char *const log_choices[] = {"error", "warn", "info", "debug",
                                          NULL};

#define FIELD(f) .offset = offsetof(struct conf, f)

/* clang-format off */
static const struct option options[] = {
    {.name = "state", .kind = OPTION_TEXT, FIELD(state), .max = CONF_VALUE_MAX,
     .initial = "/var/lib/kith", .value = "DIR",
     .help = "where the identity and the store are kept"},
    {.name = "socket", .kind = OPTION_TEXT, FIELD(socket),
     .max = CONF_SOCKET_SIZE - 1,
     .initial = "/run/kith/kith.sock", .value = "FILE",
     .help = "where the kith command finds the daemon"},
    {.name = "events", .kind = OPTION_TEXT, FIELD(events),
     .max = CONF_VALUE_MAX, .value = "FILE",
     .help = "append what happens as lines of JSON; - is standard output"},
    {.name = "log-level", .kind = OPTION_CHOICE, FIELD(log_level),
     .initial = "info", .value = "LEVEL", .choices = log_choices,
     .help = "how much to log"},
    {.name = "mesh", .kind = OPTION_TEXT, FIELD(mesh), .max = MESH_NAME_MAX,
     .initial = "open", .value = "NAME",
     .help = "the open mesh to be in; whoever knows the name is in it"},
    {.name = "port", .kind = OPTION_NUMBER, FIELD(port), .min = 1, .max = 65535,
     .initial = "16990", .value = "PORT",
     .help = "TCP and UDP port, unless listen names one"},
    {.name = "listen", .kind = OPTION_LISTEN, .max = CONF_LISTEN_MAX,
     .value = "ADDRESS[:PORT]",
     .help = "listen here only; may be repeated; otherwise on all addresses"},
    {.name = "peer", .kind = OPTION_PEER, .max = CONF_PEERS_MAX,
     .value = "HOST[:PORT]",
     .help = "a node of another network to begin with; may be repeated"},
    {.name = "interface", .kind = OPTION_PATTERN, .max = LINK_PATTERNS_MAX,
     .value = "PATTERN",
     .help = "use these interfaces; may be repeated; otherwise all but "
             "virtual ones"},
    {.name = "loopback", .kind = OPTION_SWITCH, FIELD(links.loopback),
     .initial = "no",
     .help = "use the loopback interface too, for a mesh within one machine"},
    {.name = "lookout", .kind = OPTION_SWITCH, FIELD(lookout),
     .initial = "no",
     .help = "look for other islands of the mesh once a minute"},
    {.name = "machine-binding", .kind = OPTION_CHOICE, FIELD(machine_binding),
     .initial = "on", .value = "WHAT", .choices = binding_choices,
     .help = "when the disk was copied to another machine: on makes a new "
             "identity, stop refuses to start, off does not look"},
    {.name = "max-members", .kind = OPTION_NUMBER, FIELD(max_members),
     .min = 2, .max = BULK_LIST_MAX / BULK_HAVE_LEN,
     .initial = "20000", .value = "N",
     .help = "how many nodes to let in"},
    {.name = "forget-after", .kind = OPTION_DURATION, FIELD(forget_after_s),
     .min = HOUR_S, .max = 3650 * DAY_S,
     .initial = "30d", .value = "TIME",
     .help = "how long the last words of a node that is gone stay readable"},
    {.name = "config", .kind = OPTION_TEXT, .flag_only = true,
     FIELD(config), .max = CONF_VALUE_MAX,
     .initial = "/etc/kith/kith.conf", .value = "FILE",
     .help = "read options from here"},
    {.name = "check-config", .kind = OPTION_ACTION, .flag_only = true,
     .min = CONF_CHECK,
     .help = "print what was understood, and exit"},
    {.name = "init", .kind = OPTION_ACTION, .flag_only = true,
     .min = CONF_INIT,
     .help = "make the identity if there is none, and exit"},
    {.name = "version", .kind = OPTION_ACTION, .flag_only = true,
     .min = CONF_VERSION,
     .help = "print the version, and exit"},
    {.name = "help", .kind = OPTION_ACTION, .flag_only = true,
     .min = CONF_HELP,
     .help = "print this, and exit"},
};
/* clang-format on */

enum {
    N_OPTIONS = sizeof options / sizeof options[0]
};

static_assert((int)CONF_PEERS_MAX <= PEERS_MAX, "the engine takes all of them");
static_assert(MEMBERS_DEFAULT == 20000 && PROTOCOL_PORT == 16990,
              "the defaults in the table");
static_assert(sizeof(enum log_level) == sizeof(unsigned) &&
                  sizeof(enum conf_machine_binding) == sizeof(unsigned),
              "set_choice writes an unsigned");
static_assert(LOG_LEVEL_ERROR == 0 && LOG_LEVEL_DEBUG == 3 &&
                  CONF_BINDING_ON == 0 && CONF_BINDING_STOP == 2,
              "the order of the choices");

const struct option *option_at(size_t i)
{
    return i < N_OPTIONS ? &options[i] : NULL;
}

const struct option *option_find(const char *name, size_t len)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (strlen(options[i].name) == len &&
            memcmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters to insert, delete or replace to make b of a (Levenshtein);
 * both have up to OPTION_NAME_MAX bytes. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t row[OPTION_NAME_MAX + 1];

    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min_size(replace, 1 + min_size(row[j], row[j - 1]));
        }
    }
    return row[n_b];
}

const struct option *option_near(const char *name, size_t len)
{
    const struct option *best = NULL;
    size_t least = SUGGEST_DISTANCE + 1;

    if (len > OPTION_NAME_MAX)
        return NULL;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        size_t d =
            distance(name, len, options[i].name, strlen(options[i].name));
        if (d < least && d < len) {
            least = d;
            best = &options[i];
        }
    }
    return best;
}

/* Writes a number of seconds in the largest unit that fits. */
static void duration_format(char *out, size_t cap, uint32_t s)
{
    if (s % DAY_S == 0)
        snprintf(out, cap, "%ud", s / DAY_S);
    else if (s % HOUR_S == 0)
        snprintf(out, cap, "%uh", s / HOUR_S);
    else if (s % MINUTE_S == 0)
        snprintf(out, cap, "%um", s / MINUTE_S);
    else
        snprintf(out, cap, "%us", s);
}

void option_allowed(const struct option *o, char out[OPTION_ALLOWED_SIZE])
{
    char min[16], max[16];
    size_t n = 0;

    out[0] = '\0';
    switch (o->kind) {
    case OPTION_TEXT:
        snprintf(out, OPTION_ALLOWED_SIZE, "%s, 1 to %u bytes of UTF-8",
                 o->value, o->max);
        break;
    case OPTION_NUMBER:
        snprintf(out, OPTION_ALLOWED_SIZE, "%u to %u", o->min, o->max);
        break;
    case OPTION_DURATION:
        duration_format(min, sizeof min, o->min);
        duration_format(max, sizeof max, o->max);
        snprintf(out, OPTION_ALLOWED_SIZE,
                 "a number with s, m, h or d behind it, %s to %s", min, max);
        break;
    case OPTION_SWITCH:
        snprintf(out, OPTION_ALLOWED_SIZE, "yes or no");
        break;
    case OPTION_CHOICE:
        for (size_t i = 0; o->choices[i] != NULL && n < OPTION_ALLOWED_SIZE;
             i++) {
            const char *gap = i == 0                      ? ""
                              : o->choices[i + 1] == NULL ? " or "
                                                          : ", ";
            n += (size_t)snprintf(out + n, OPTION_ALLOWED_SIZE - n, "%s%s", gap,
                                  o->choices[i]);
        }
        break;
    case OPTION_LISTEN:
        snprintf(out, OPTION_ALLOWED_SIZE,
                 "192.0.2.1, 192.0.2.1:16990, 2001:db8::1, "
                 "[2001:db8::1]:16990 or the like");
        break;
    case OPTION_PEER:
        snprintf(out, OPTION_ALLOWED_SIZE,
                 "host.example, host.example:16990, 192.0.2.1, "
                 "[2001:db8::1]:16990 or the like");
        break;
    case OPTION_PATTERN:
        snprintf(out, OPTION_ALLOWED_SIZE,
                 "a name or a pattern, such as eth0 or en*");
        break;
    case OPTION_ACTION:
        break;
    }
}

static int set_number(const struct option *o, void *field, const char *value)
{
    uint64_t n;
    uint32_t n32;

    if (text_u64(value, o->min, o->max, &n) != KITH_OK)
        return KITH_ERR_FORMAT;
    n32 = (uint32_t)n;
    memcpy(field, &n32, sizeof n32);
    return KITH_OK;
}

/* The seconds in a unit; 0 when it is none. */
static uint32_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return MINUTE_S;
    case 'h':
        return HOUR_S;
    case 'd':
        return DAY_S;
    default:
        return 0;
    }
}

static int set_duration(const struct option *o, void *field, const char *value)
{
    char digits[16];
    size_t len = strlen(value);
    uint64_t n;
    uint32_t n32;

    if (len < 2 || len > sizeof digits)
        return KITH_ERR_FORMAT;
    memcpy(digits, value, len - 1);
    digits[len - 1] = '\0';
    uint32_t unit = unit_seconds(value[len - 1]);
    if (unit == 0 || text_u64(digits, 0, o->max / unit, &n) != KITH_OK ||
        n * unit < o->min)
        return KITH_ERR_FORMAT;
    n32 = (uint32_t)n * unit;
    memcpy(field, &n32, sizeof n32);
    return KITH_OK;
}

static int set_switch(void *field, const char *value)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"off", "on"}, {"false", "true"}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        bool on = strcmp(value, words[i][1]) == 0;
        if (on || strcmp(value, words[i][0]) == 0) {
            memcpy(field, &on, sizeof on);
            return KITH_OK;
        }
    }
    return KITH_ERR_FORMAT;
}

static int set_choice(const struct option *o, void *field, const char *value)
{
    for (unsigned i = 0; o->choices[i] != NULL; i++)
        if (strcmp(value, o->choices[i]) == 0) {
            memcpy(field, &i, sizeof i);
            return KITH_OK;
        }
    return KITH_ERR_FORMAT;
}

static int set_text(const struct option *o, void *field, const char *value)
{
    size_t len = strlen(value);

    if (len > o->max)
        return KITH_ERR_FORMAT;
    memcpy(field, value, len + 1);
    return KITH_OK;
}

/* Reads an address whose port may be missing; it is 0 then. Refuses a port 0
 * that was written down. */
static bool address_parse(const char *value, struct addr *out)
{
    struct addr other;

    if (text_addr_parse(out, value, 0) != KITH_OK ||
        text_addr_parse(&other, value, 1) != KITH_OK ||
        (out->port == 0 && other.port == 0))
        return false;
    return out->family != 6 || !addr_is_link_local(out) || out->ifindex != 0;
}

static int add_listen(const struct option *o, struct conf *conf,
                      const char *value)
{
    struct addr a;

    if (!address_parse(value, &a) ||
        !(addr_is_unicast(&a) || addr_is_unspecified(&a)))
        return KITH_ERR_FORMAT;
    if (conf->n_listen == o->max)
        return KITH_ERR_FULL;
    conf->listen[conf->n_listen++] = a;
    return KITH_OK;
}

/* Whether this may be the name of a host (RFC 1123, and the underscore). One
 * whose last label is a number would be an address, and is none. */
static bool host_name_valid(const char *name)
{
    static const char allowed_bytes[] = "abcdefghijklmnopqrstuvwxyz"
                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789.-_";
    const char *dot = strrchr(name, '.');
    const char *last = dot == NULL ? name : dot + 1;

    if (name[0] == '\0' || name[0] == '.' || name[0] == '-' ||
        name[strspn(name, allowed_bytes)] != '\0' || strstr(name, "..") != NULL)
        return false;
    return last[0] == '\0' || last[strspn(last, "0123456789")] != '\0';
}

static bool peer_parse(const char *value, struct conf_peer *out)
{
    uint64_t port = PROTOCOL_PORT;

    memset(out, 0, sizeof *out);
    if (address_parse(value, &out->addr)) {
        if (out->addr.port == 0)
            out->addr.port = PROTOCOL_PORT;
        return addr_is_unicast(&out->addr);
    }
    memset(&out->addr, 0, sizeof out->addr);
    size_t len = strcspn(value, ":");
    if (value[len] == ':' &&
        text_u64(value + len + 1, 1, UINT16_MAX, &port) != KITH_OK)
        return false;
    if (len > CONF_HOST_MAX)
        return false;
    memcpy(out->name, value, len);
    out->port = (uint16_t)port;
    return host_name_valid(out->name);
}

static int add_peer(const struct option *o, struct conf *conf,
                    const char *value)
{
    struct conf_peer peer;

    if (!peer_parse(value, &peer))
        return KITH_ERR_FORMAT;
    if (conf->n_peers == o->max)
        return KITH_ERR_FULL;
    conf->peers[conf->n_peers++] = peer;
    return KITH_OK;
}

static int add_pattern(const struct option *o, struct conf *conf,
                       const char *value)
{
    struct links_choice *links = &conf->links;
    size_t len = strlen(value);

    if (len >= LINK_PATTERN_SIZE || strpbrk(value, " \t/,") != NULL)
        return KITH_ERR_FORMAT;
    if (links->n_patterns == o->max)
        return KITH_ERR_FULL;
    memcpy(links->patterns[links->n_patterns++], value, len + 1);
    return KITH_OK;
}

static int set_action(const struct option *o, struct conf *conf)
{
    if (conf->action != CONF_RUN)
        return KITH_ERR_FULL;
    conf->action = (enum conf_action)o->min;
    return KITH_OK;
}

void option_clear(const struct option *o, struct conf *conf)
{
    if (o->kind == OPTION_LISTEN)
        conf->n_listen = 0;
    else if (o->kind == OPTION_PEER)
        conf->n_peers = 0;
    else if (o->kind == OPTION_PATTERN)
        conf->links.n_patterns = 0;
}

bool option_is_list(const struct option *o)
{
    return o->kind == OPTION_LISTEN || o->kind == OPTION_PEER ||
           o->kind == OPTION_PATTERN;
}

int option_set(const struct option *o, struct conf *conf, const char *value)
{
    void *field = (char *)conf + o->offset;

    switch (o->kind) {
    case OPTION_TEXT:
        return set_text(o, field, value);
    case OPTION_NUMBER:
        return set_number(o, field, value);
    case OPTION_DURATION:
        return set_duration(o, field, value);
    case OPTION_SWITCH:
        return set_switch(field, value);
    case OPTION_CHOICE:
        return set_choice(o, field, value);
    case OPTION_LISTEN:
        return add_listen(o, conf, value);
    case OPTION_PEER:
        return add_peer(o, conf, value);
    case OPTION_PATTERN:
        return add_pattern(o, conf, value);
    case OPTION_ACTION:
        return set_action(o, conf);
    }
    assert(false && "every kind has its case");
    return KITH_ERR_FORMAT;
}

static void print_lists(const struct conf *conf, const struct option *o,
                        FILE *out)
{
    char text[TEXT_ADDR_SIZE];

    for (size_t i = 0; o->kind == OPTION_LISTEN && i < conf->n_listen; i++) {
        text_addr_format(text, sizeof text, &conf->listen[i]);
        fprintf(out, "%s = %s\n", o->name, text);
    }
    for (size_t i = 0; o->kind == OPTION_PATTERN && i < conf->links.n_patterns;
         i++)
        fprintf(out, "%s = %s\n", o->name, conf->links.patterns[i]);
    for (size_t i = 0; o->kind == OPTION_PEER && i < conf->n_peers; i++) {
        const struct conf_peer *p = &conf->peers[i];
        if (text_addr_format(text, sizeof text, &p->addr) == KITH_OK)
            fprintf(out, "%s = %s\n", o->name, text);
        else
            fprintf(out, "%s = %s:%u\n", o->name, p->name, p->port);
    }
}

void option_print(const struct option *o, const struct conf *conf, FILE *out)
{
    const char *field = (const char *)conf + o->offset;
    char text[16];
    uint32_t n;
    unsigned choice;
    bool on;

    switch (o->kind) {
    case OPTION_TEXT:
        if (field[0] != '\0')
            fprintf(out, "%s = %s\n", o->name, field);
        break;
    case OPTION_NUMBER:
        memcpy(&n, field, sizeof n);
        fprintf(out, "%s = %u\n", o->name, n);
        break;
    case OPTION_DURATION:
        memcpy(&n, field, sizeof n);
        duration_format(text, sizeof text, n);
        fprintf(out, "%s = %s\n", o->name, text);
        break;
    case OPTION_SWITCH:
        memcpy(&on, field, sizeof on);
        fprintf(out, "%s = %s\n", o->name, on ? "yes" : "no");
        break;
    case OPTION_CHOICE:
        memcpy(&choice, field, sizeof choice);
        fprintf(out, "%s = %s\n", o->name, o->choices[choice]);
        break;
    case OPTION_LISTEN:
    case OPTION_PEER:
    case OPTION_PATTERN:
        print_lists(conf, o, out);
        break;
    case OPTION_ACTION:
        break;
    }
}
