/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L

#include "store/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/error.h"
#include "store/backend.h"

enum {
    LOG_EVERY_S = 600, /* between two lines about disk trouble */
};

void store_reason(struct store *store, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(store->reason, sizeof store->reason, fmt, args);
    va_end(args);
}

void store_skip(struct store *store)
{
    store->skipped++;
    store->stale = true;
}

/* A disk that comes and goes may not fill the log. */
static void tell_trouble(struct store *store)
{
    if (store->told || !instant_reached(store->now, store->next_log))
        return;
    log_msg(&store->log, LOG_LEVEL_ERROR,
            "store out of use, running from memory, nothing is kept "
            "reason=\"%s\"",
            store->reason);
    store->told = true;
    store->next_log = instant_add_ms(store->now, LOG_EVERY_S * 1000ull);
}

/* The only way to STORE_MEMORY. Returns err. */
static int trouble(struct store *store, int err)
{
    store->ops->shut(store, err);
    store->state = STORE_MEMORY;
    store->stale = true;
    store->refilling = false;
    /* The file was set aside and that was said. A fresh one can be begun at
     * the next store_retry(), yet not in a loop. */
    if (err == KITH_ERR_CORRUPT)
        return err;
    store->next_try =
        instant_add_ms(store->now, (uint64_t)STORE_RETRY_S * 1000);
    tell_trouble(store);
    return err;
}

/* The end of every operation of a backend. */
static int settle(struct store *store, int err)
{
    if (err == KITH_OK || err == KITH_ERR_NOTFOUND)
        return err;
    return trouble(store, err);
}

/* A damaged file is set aside by the first try, or by the shut() after it. */
static int open_backend(struct store *store)
{
    int err = store->ops->open(store);

    if (err != KITH_ERR_CORRUPT)
        return err;
    store->ops->shut(store, err);
    return store->ops->open(store);
}

int store_begin(struct store *store, const struct store_ops *ops,
                store_log_fn log, void *arg)
{
    int err, saved;

    store->ops = ops;
    store->log =
        (struct log){.level = LOG_LEVEL_DEBUG, .write = log, .arg = arg};
    store->state = STORE_OK;
    err = open_backend(store);
    if (err == KITH_OK)
        return KITH_OK;
    if (err == KITH_ERR_NEWER || err == KITH_ERR_RANGE ||
        (err == KITH_ERR_IO && errno == EBUSY)) {
        log_msg(&store->log, LOG_LEVEL_ERROR, "store refused reason=\"%s\"",
                store->reason);
        saved = errno;
        ops->free(store);
        errno = saved;
        return err;
    }
    (void)trouble(store, err);
    return KITH_OK;
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->ops->free(store);
}

enum store_state store_state(const struct store *store)
{
    return store->state;
}

bool store_stale(const struct store *store)
{
    return store->stale;
}

uint32_t store_skipped(const struct store *store)
{
    return store->skipped;
}

/* Whether s has 1 to max bytes before its NUL. */
static bool length_valid(const char *s, size_t max)
{
    size_t n = strnlen(s, max + 1);

    return n >= 1 && n <= max;
}

bool store_node_valid(const struct store_node *node)
{
    return node->state <= STORE_NODE_LEFT && node->head_awake_ms <= INT64_MAX &&
           node->seen_unix_ms <= INT64_MAX;
}

bool store_block_valid(const struct store_block *block)
{
    return length_valid(block->name, STORE_NAME_MAX) && block->bytes != NULL &&
           block->len >= 1 && block->len <= STORE_BLOCK_MAX;
}

bool store_addr_valid(const struct store_addr *addr)
{
    struct addr normal = addr->addr;

    if (normal.family != 4 && normal.family != 6)
        return false;
    addr_normalise(&normal);
    return addr_equal(&normal, &addr->addr) && addr->good_unix_ms <= INT64_MAX;
}

/* What each operation asks first. */
static int ready(const struct store *store, bool arguments_valid)
{
    if (!arguments_valid)
        return KITH_ERR_RANGE;
    return store->state == STORE_OK ? KITH_OK : KITH_ERR_IO;
}

int store_put_node(struct store *store, const struct store_node *node)
{
    int err = ready(store, store_node_valid(node));

    if (err != KITH_OK)
        return err;
    return settle(store, store->ops->put_node(store, node));
}

int store_put_block(struct store *store, const struct store_block *block)
{
    int err = ready(store, store_block_valid(block));

    if (err != KITH_OK)
        return err;
    return settle(store, store->ops->put_block(store, block));
}

int store_put_addr(struct store *store, const struct store_addr *addr)
{
    int err = ready(store, store_addr_valid(addr));

    if (err != KITH_OK)
        return err;
    return settle(store, store->ops->put_addr(store, addr));
}

int store_drop_block(struct store *store, const struct node_id *author,
                     const char *name)
{
    int err = ready(store, length_valid(name, STORE_NAME_MAX));

    if (err != KITH_OK)
        return err;
    return settle(store, store->ops->drop_block(store, author, name));
}

int store_drop_node(struct store *store, const struct node_id *id)
{
    int err = ready(store, true);

    if (err != KITH_OK)
        return err;
    return settle(store, store->ops->drop_node(store, id));
}

int store_meta_get(struct store *store, const char *key, uint64_t *value)
{
    int err = ready(store, length_valid(key, STORE_KEY_MAX));

    if (err != KITH_OK)
        return err;
    return settle(store, store->ops->meta_get(store, key, value));
}

int store_meta_put(struct store *store, const char *key, uint64_t value)
{
    int err = ready(store, length_valid(key, STORE_KEY_MAX));

    if (err != KITH_OK)
        return err;
    return settle(store, store->ops->meta_put(store, key, value));
}

int store_commit(struct store *store)
{
    int err = ready(store, true);

    if (err != KITH_OK)
        return err;
    err = settle(store, store->ops->commit(store));
    if (err == KITH_OK && store->refilling) {
        store->refilling = false;
        store->stale = false;
    }
    return err;
}

int store_refill(struct store *store)
{
    int err = ready(store, true);

    if (err != KITH_OK)
        return err;
    err = settle(store, store->ops->empty(store));
    if (err == KITH_OK)
        store->refilling = true;
    return err;
}

int store_retry(struct store *store, struct instant now)
{
    int err;

    store->now = now;
    if (store->state == STORE_OK)
        return KITH_OK;
    if (!instant_reached(now, store->next_try))
        return KITH_ERR_IO;
    store->next_try = instant_add_ms(now, (uint64_t)STORE_RETRY_S * 1000);
    err = open_backend(store);
    if (err != KITH_OK)
        return trouble(store, err);
    store->state = STORE_OK;
    if (store->told)
        log_msg(&store->log, LOG_LEVEL_INFO, "store in use again");
    store->told = false;
    return KITH_OK;
}

int store_load(struct store *store, const struct store_visitor *visitor)
{
    uint32_t skipped_before = store->skipped;
    int stopped = KITH_OK;
    int err = ready(store, true);

    if (err != KITH_OK)
        return err;
    err = settle(store, store->ops->load(store, visitor, &stopped));
    if (store->skipped > skipped_before)
        log_msg(&store->log, LOG_LEVEL_WARN, "damaged rows skipped count=%u",
                store->skipped - skipped_before);
    return err != KITH_OK ? err : stopped;
}
