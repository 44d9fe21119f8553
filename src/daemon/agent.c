/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/agent_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "crypto/hash.h"
#include "crypto/sign.h"
#include "crypto/wipe.h"
#include "daemon/facts.h"
#include "daemon/machine.h"
#include "version.h"
#include "wire/certs.h"

enum {
    HOUSEKEEPING_MS = 1000, /* store, sleep, facts */
    FAREWELL_MS = 250,      /* for `away` to leave before we do */
};

static struct effects *api_begin(void *arg, struct now *now)
{
    return agent_begin(arg, now);
}

static void api_end(void *arg)
{
    agent_end(arg);
}
/* -- starting ------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static int
fail(struct agent_start *out, int err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(out->message, sizeof out->message, fmt, args);
    va_end(args);
    out->err = err;
    return err;
}

static void on_store_log(void *arg, int level, const char *line)
{
    struct agent *a = arg;

    log_msg(a->log, (enum log_level)level, "%s", line);
}

static int open_mesh_id(struct agent *a)
{
    static const char label[] = "kith1 open";
    uint8_t bytes[sizeof label - 1 + MESH_NAME_MAX];
    size_t n = strlen(a->conf->mesh);
    struct hash h;
    int err;

    memcpy(bytes, label, sizeof label - 1);
    memcpy(bytes + sizeof label - 1, a->conf->mesh, n);
    err = hash_sha256(&h, bytes, sizeof label - 1 + n);
    memcpy(a->mesh.b, h.b, sizeof a->mesh.b);
    text_hex(a->mesh_hex, sizeof a->mesh_hex, h.b, sizeof h.b);
    a->open_mesh = true;
    return err;
}

static int open_identity(struct agent *a, struct agent_start *out)
{
    static const char *const others[] = {"vault", "kith.db", "kith.db-wal",
                                         "kith.db-shm"};
    struct facts_options facts = {.root = ""};
    struct machine_binding machine;
    struct keyfile_options options = {
        .state_dir = a->conf->state,
        .binding = a->conf->machine_binding,
        .machine = &machine,
        .others = others,
        .n_others = sizeof others / sizeof others[0],
    };
    int err;

    facts_read_binding(&facts, &machine);
    err = keyfile_load_or_make(&a->keyfile, &options);
    if (err != KITH_OK)
        return fail(out, err, "%s", a->keyfile.message);
    if (a->keyfile.message[0] != '\0')
        log_msg(a->log, LOG_LEVEL_WARN, "%s", a->keyfile.message);
    return KITH_OK;
}

static int open_files(struct agent *a, struct agent_start *out)
{
    struct node_id self;
    int err = vault_open(&a->vault, a->conf->state);

    if (err == KITH_ERR_MODE)
        return fail(out, err, "%s/vault can be read by others: chmod 600 it",
                    a->conf->state);
    if (err != KITH_OK)
        return fail(out, err, "%s/vault: %s%s%s", a->conf->state, err_str(err),
                    err == KITH_ERR_IO ? ": " : "",
                    err == KITH_ERR_IO ? strerror(errno) : "");
    err = store_open(&a->store, a->conf->state, &a->mesh, on_store_log, a);
    if (err == KITH_ERR_NEWER)
        return fail(out, err,
                    "%s/kith.db was written by a newer kithd: update, or move "
                    "it away",
                    a->conf->state);
    if (err != KITH_OK)
        return fail(out, err, "%s/kith.db: %s", a->conf->state, err_str(err));
    key_id(a->keyfile.key, &self);
    keep_init(&a->keep, a->store, &self);
    return KITH_OK;
}

static int sign_with_key(void *arg, const struct hash *digest,
                         uint8_t sig[SIG_LEN])
{
    const struct key *key = arg;

    return sign_digest(key, digest, sig);
}

static int read_vault(struct agent *a, struct engine_config *config,
                      uint8_t *buf, size_t *len, struct agent_start *out)
{
    int err = vault_read(a->vault, buf, VAULT_MAX, len);

    if (err == KITH_ERR_NOTFOUND) {
        config->fresh = true; /* it has never signed anything */
        return KITH_OK;
    }
    if (err == KITH_ERR_CORRUPT) {
        *len = 0;
        log_msg(a->log, LOG_LEVEL_WARN,
                "the vault is damaged: sessions are made anew");
        return KITH_OK;
    }
    if (err != KITH_OK)
        return fail(out, err, "%s/vault: %s", a->conf->state, err_str(err));
    return KITH_OK;
}

static int make_engine(struct agent *a, struct agent_start *out)
{
    struct engine_config config = {
        .signer = {sign_with_key, a->keyfile.key},
        .log = a->log,
        .port = (uint16_t)a->conf->port,
        .members_max = a->conf->max_members,
        .forget_after_s = a->conf->forget_after_s,
        .lookout = a->conf->lookout,
        .build_unix_s = KITH_BUILD_TIME,
    };
    uint8_t vault[VAULT_MAX], cert[4096];
    struct writer w;
    size_t len = 0, nodes = 0;
    struct now now;
    int err = read_vault(a, &config, vault, &len, out);

    if (err != KITH_OK)
        return err;
    writer_init(&w, cert, sizeof cert);
    err = certs_encode(&a->keyfile.certs, &w);
    if (err == KITH_OK)
        err = writer_finish(&w, &config.cert_len);
    if (err != KITH_OK)
        return fail(out, err, "%s/node.crt: %s", a->conf->state, err_str(err));
    config.cert = cert;
    if (random_bytes(a->random, config.run_id, sizeof config.run_id) ||
        random_bytes(a->random, &config.seed, sizeof config.seed))
        return fail(out, KITH_ERR_CRYPTO, "the system gives no randomness");
    machine_boot_id(config.boot_id);
    key_spki(a->keyfile.key, config.spki);
    a->pool = pool_new(&a->mesh, NULL);
    config.pool = a->pool;
    agent_now(a, &now);
    a->engine = a->pool ? engine_new(&config, &now) : NULL;
    if (!a->engine)
        return fail(out, KITH_ERR_NOMEM, "out of memory");
    if (len > 0 && engine_load_vault(a->engine, &now, vault, len) != KITH_OK)
        log_msg(a->log, LOG_LEVEL_WARN,
                "the vault cannot be used: sessions are made anew");
    secret_wipe(vault, sizeof vault);
    err = keep_load(&a->keep, &now, a->engine, &nodes);
    log_msg(
        a->log, LOG_LEVEL_INFO, "store loaded nodes=%zu%s%s", nodes,
        err == KITH_OK ? "" : " error=", err == KITH_OK ? "" : err_str(err));
    return KITH_OK;
}

static int open_tls(struct agent *a, struct agent_start *out)
{
    struct cert_rules rules = {.open_mesh = a->open_mesh,
                               .floor_unix_s = KITH_BUILD_TIME};
    struct h2_server_opts opts;
    uint64_t alive_s = keep_alive_unix_ms(&a->keep) / 1000;
    int err;

    if (alive_s > rules.floor_unix_s)
        rules.floor_unix_s = alive_s;
    err = tls_new(a->keyfile.key, a->keyfile.certs.chain, a->keyfile.certs.n,
                  &rules, &a->tls);

    if (err != KITH_OK)
        return fail(out, err, "no TLS: %s", err_str(err));
    a->peer_api = (struct peer_api){.engine = a->engine,
                                    .mesh_hex = a->mesh_hex,
                                    .begin = api_begin,
                                    .end = api_end,
                                    .arg = a};
    h2_server_defaults(&opts);
    opts.handler = peer_api_handle;
    opts.body_limit = peer_api_body_limit;
    opts.arg = &a->peer_api;
    err = h2_server_new(a->base, a->tls, &opts, &a->server);
    if (err == KITH_OK)
        err = h2_client_new(a->base, a->tls, &a->client);
    return err == KITH_OK ? err : fail(out, err, "%s", err_str(err));
}

static int listen_at(struct agent *a, const struct addr *addr,
                     struct agent_start *out)
{
    char text[TEXT_ADDR_SIZE] = "";
    int err;

    text_addr_format(text, sizeof text, addr);
    err = h2_server_listen(a->server, addr, NULL);
    if (err != KITH_OK)
        return fail(out, err, "TCP %s: %s%s", text, strerror(errno),
                    errno == EADDRINUSE
                        ? "; another kithd, or choose another --port"
                        : "");
    err = udp_listen(a->udp, addr);
    if (err != KITH_OK)
        return fail(out, err, "UDP %s: %s", text, strerror(errno));
    a->listening[a->n_listening++] = *addr;
    return KITH_OK;
}

/* Everywhere: IPv4 and IPv6, or whichever of the two there is. */
static int listen_everywhere(struct agent *a, struct agent_start *out)
{
    struct addr all = {.port = (uint16_t)a->conf->port};
    int last = KITH_OK;

    for (uint8_t family = 4; family <= 6; family += 2) {
        all.family = family;
        last = listen_at(a, &all, out);
        if (last != KITH_OK && errno == EADDRINUSE)
            return last;
        if (last != KITH_OK)
            log_msg(a->log, LOG_LEVEL_WARN, "no IPv%d: %s", family,
                    out->message);
    }
    return a->n_listening > 0 ? KITH_OK : last;
}

static int open_sockets(struct agent *a, struct agent_start *out)
{
    struct udp_handler handler = {agent_on_datagram, agent_on_refused, a};
    int err = KITH_OK;

    a->udp = udp_new(a->base, a->log, &handler);
    if (!a->udp)
        return fail(out, KITH_ERR_NOMEM, "out of memory");
    if (a->conf->n_listen == 0)
        err = listen_everywhere(a, out);
    for (size_t i = 0; i < a->conf->n_listen && err == KITH_OK; i++)
        err = listen_at(a, &a->conf->listen[i], out);
    if (err != KITH_OK)
        return err;
    udp_join(a->udp);
    return KITH_OK;
}

static int make_timers(struct agent *a, struct agent_start *out)
{
    struct timeval every = {HOUSEKEEPING_MS / 1000, 0};

    a->deadline = evtimer_new(a->base, agent_on_deadline, a);
    a->housekeeping =
        event_new(a->base, -1, EV_PERSIST, agent_on_housekeeping, a);
    a->links = links_new(a->base, &a->conf->links, a->log, agent_on_links, a);
    a->names = names_new(a->base, agent_on_peer_name, a);
    if (!a->deadline || !a->housekeeping || !a->links || !a->names ||
        event_add(a->housekeeping, &every) != 0)
        return fail(out, KITH_ERR_NOMEM, "out of memory");
    return KITH_OK;
}

static void begin(struct agent *a)
{
    const struct link *list;
    struct effects *out;
    struct now now;
    size_t n = links_now(a->links, &list);

    agent_now(a, &now);
    a->started_unix_ms = now.unix_ms;
    agent_clocks(a);
    agent_on_links(a, list, n);
    agent_tell_facts(a);
    for (size_t i = 0; i < a->conf->n_peers; i++) {
        const struct conf_peer *peer = &a->conf->peers[i];

        if (peer->addr.family != 0)
            engine_peer(a->engine, &now, &peer->addr);
        else
            names_resolve(a->names, peer->name, peer->port);
    }
    out = agent_begin(a, &now);
    engine_start(a->engine, &now, out);
    agent_end(a);
}

static int start(struct agent *a, struct agent_start *out)
{
    int err = open_mesh_id(a);

    if (err == KITH_OK)
        err = open_identity(a, out);
    if (err == KITH_OK)
        err = open_files(a, out);
    if (err == KITH_OK)
        err = make_engine(a, out);
    if (err == KITH_OK)
        err = open_tls(a, out);
    if (err == KITH_OK)
        err = open_sockets(a, out);
    if (err == KITH_OK)
        err = make_timers(a, out);
    return err;
}

struct agent *agent_new(const struct conf *conf, struct event_base *base,
                        const struct log *log, struct agent_start *out)
{
    struct agent *a = calloc(1, sizeof *a);

    memset(out, 0, sizeof *out);
    if (!a) {
        fail(out, KITH_ERR_NOMEM, "out of memory");
        return NULL;
    }
    a->conf = conf;
    a->base = base;
    a->log = log;
    a->keyfile.lock = -1;
    a->effects = malloc(sizeof *a->effects);
    a->random = random_pool_new();
    if (!a->effects || !a->random)
        fail(out, KITH_ERR_NOMEM, "out of memory");
    else
        start(a, out);
    if (out->err != KITH_OK) {
        agent_free(a);
        return NULL;
    }
    return a;
}

void agent_run(struct agent *a)
{
    begin(a);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
    struct agent *a = arg;

    (void)fd;
    (void)what;
    event_base_loopexit(a->base, NULL);
}

void agent_shutdown(struct agent *a)
{
    struct timeval farewell = {0, FAREWELL_MS * 1000L};

    if (a->end)
        return;
    agent_away(a);
    a->end = evtimer_new(a->base, on_end, a);
    if (!a->end || event_add(a->end, &farewell) != 0)
        event_base_loopexit(a->base, NULL);
}

static void free_events(struct agent *a)
{
    struct event *const events[] = {a->deadline, a->housekeeping, a->end};

    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i])
            event_free(events[i]);
    while (a->listeners)
        agent_unlisten(a, a->listeners);
}

void agent_free(struct agent *a)
{
    struct now now;

    if (!a)
        return;
    agent_now(a, &now);
    names_free(a->names);
    links_free(a->links);
    free_events(a);
    h2_server_free(a->server);
    h2_client_free(a->client);
    agent_drop_calls(a);
    tls_free(a->tls);
    udp_free(a->udp);
    engine_free(a->engine);
    pool_free(a->pool);
    if (a->store) {
        keep_close(&a->keep, &now);
        store_close(a->store);
    }
    vault_close(a->vault);
    keyfile_close(&a->keyfile);
    random_pool_free(a->random);
    free(a->effects);
    free(a);
}
