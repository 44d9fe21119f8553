/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "store/backend.h"
#include "store/dbfile.h"
#include "store/rowsum.h"

/* The statements that are kept prepared. */
enum statement {
    BEGIN,
    COMMIT,
    PUT_NODE,
    PUT_BLOCK,
    PUT_ADDR,
    TRIM_ADDRS,
    PUT_META,
    GET_META,
    DROP_BLOCK,
    DROP_NODE,
    DROP_NODE_BLOCKS,
    DROP_NODE_ADDRS,
    STATEMENTS /* how many there are */
};

static const char *const statement_sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [PUT_NODE] =
        "INSERT INTO node (id, spki, floor_serial, head_awake_ms,"
        " seen_unix_ms, state, sum) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET spki = excluded.spki,"
        " floor_serial = excluded.floor_serial,"
        " head_awake_ms = excluded.head_awake_ms,"
        " seen_unix_ms = excluded.seen_unix_ms, state = excluded.state,"
        " sum = excluded.sum",
    [PUT_BLOCK] = "INSERT INTO block (author, name, serial, type, hash, bytes,"
                  " sum) VALUES (?, ?, ?, ?, ?, ?, ?)"
                  " ON CONFLICT DO UPDATE SET serial = excluded.serial,"
                  " type = excluded.type, hash = excluded.hash,"
                  " bytes = excluded.bytes, sum = excluded.sum",
    [PUT_ADDR] = "INSERT INTO addr (id, ip, port, ifindex, good_unix_ms, sum)"
                 " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                 " good_unix_ms = excluded.good_unix_ms, sum = excluded.sum",
    [TRIM_ADDRS] = "DELETE FROM addr WHERE id = ?1 AND (ip, port, ifindex) IN ("
                   "SELECT ip, port, ifindex FROM addr WHERE id = ?1 ORDER BY"
                   " (ip, port, ifindex) = (?2, ?3, ?4) DESC, good_unix_ms DESC"
                   " LIMIT -1 OFFSET ?5)",
    [PUT_META] = "INSERT INTO meta (key, value, sum) VALUES (?, ?, ?)"
                 " ON CONFLICT DO UPDATE SET value = excluded.value,"
                 " sum = excluded.sum",
    [GET_META] = "SELECT value, sum FROM meta WHERE key = ?",
    [DROP_BLOCK] = "DELETE FROM block WHERE author = ? AND name = ?",
    [DROP_NODE] = "DELETE FROM node WHERE id = ?",
    [DROP_NODE_BLOCKS] = "DELETE FROM block WHERE author = ?",
    [DROP_NODE_ADDRS] = "DELETE FROM addr WHERE id = ?",
};

struct sqlite {
    struct store store; /* first: a store is cast to this */
    sqlite3 *db;        /* NULL in STORE_MEMORY */
    sqlite3_stmt *statements[STATEMENTS];
    bool writing; /* a transaction is under way */
    struct mesh_id mesh;
    char dir[]; /* the directory, NUL-terminated */
};

static struct sqlite *of_store(struct store *store)
{
    return (struct sqlite *)store;
}

/* A statement being given its values, in order. The first error sticks, and
 * call_end() returns it. */
struct call {
    struct sqlite *s;
    sqlite3_stmt *stmt;
    int at; /* values bound so far */
    int rc;
};

static void call_init(struct call *c, struct sqlite *s, enum statement which)
{
    *c = (struct call){.s = s, .stmt = s->statements[which], .rc = SQLITE_OK};
}

static void call_u64(struct call *c, uint64_t value)
{
    c->at++;
    if (c->rc == SQLITE_OK)
        c->rc = sqlite3_bind_int64(c->stmt, c->at, (sqlite3_int64)value);
}

/* The bytes are not copied: they stay until call_end(). */
static void call_blob(struct call *c, const void *p, size_t n)
{
    c->at++;
    if (c->rc == SQLITE_OK)
        c->rc = sqlite3_bind_blob64(c->stmt, c->at, p, n, SQLITE_STATIC);
}

static void call_text(struct call *c, const char *s)
{
    c->at++;
    if (c->rc == SQLITE_OK)
        c->rc = sqlite3_bind_text(c->stmt, c->at, s, -1, SQLITE_STATIC);
}

static void call_sum(struct call *c, int64_t sum)
{
    c->at++;
    if (c->rc == SQLITE_OK)
        c->rc = sqlite3_bind_int64(c->stmt, c->at, sum);
}

/* An address without its node: three values. */
static void call_addr(struct call *c, const struct addr *addr)
{
    call_blob(c, addr->ip, addr->family == 4 ? 4 : 16);
    call_u64(c, addr->port);
    call_u64(c, addr->ifindex);
}

/* Frees the statement for its next use. */
static int call_finish(struct call *c)
{
    int rc = sqlite3_reset(c->stmt);

    (void)sqlite3_clear_bindings(c->stmt);
    if (c->rc == SQLITE_OK)
        c->rc = rc;
    if (c->rc != SQLITE_OK)
        return dbfile_error(&c->s->store, c->s->db, c->rc);
    return KITH_OK;
}

/* Runs a statement that gives no rows. */
static int call_end(struct call *c)
{
    if (c->rc == SQLITE_OK)
        (void)sqlite3_step(c->stmt);
    return call_finish(c);
}

static int run(struct sqlite *s, enum statement which)
{
    struct call c;

    call_init(&c, s, which);
    return call_end(&c);
}

static int run_with_id(struct sqlite *s, enum statement which,
                       const struct node_id *id)
{
    struct call c;

    call_init(&c, s, which);
    call_blob(&c, id->b, sizeof id->b);
    return call_end(&c);
}

/* Before every write. */
static int begin(struct sqlite *s)
{
    int err;

    if (s->writing)
        return KITH_OK;
    err = run(s, BEGIN);
    s->writing = err == KITH_OK;
    return err;
}

/* Before every write of a row: sum_err is what rowsum_X() returned. */
static int begin_row(struct sqlite *s, int sum_err)
{
    if (sum_err == KITH_OK)
        return begin(s);
    store_reason(&s->store, "no check sum: %s", err_str(sum_err));
    return sum_err;
}

static void finalize(struct sqlite *s)
{
    for (int i = 0; i < STATEMENTS; i++) {
        (void)sqlite3_finalize(s->statements[i]);
        s->statements[i] = NULL;
    }
}

static void sqlite_shut(struct store *store, int why)
{
    struct sqlite *s = of_store(store);
    bool was_open = s->db != NULL;

    finalize(s);
    dbfile_abandon(s->db);
    s->db = NULL;
    s->writing = false;
    if (was_open && why == KITH_ERR_CORRUPT)
        (void)dbfile_set_aside(store, s->dir, "damaged");
}

static int sqlite_open(struct store *store)
{
    struct sqlite *s = of_store(store);
    int err = KITH_OK;

    assert(s->db == NULL && !s->writing);
    if (store->state == STORE_MEMORY)
        err = dbfile_room(store, s->dir);
    if (err == KITH_OK)
        err = dbfile_open(&s->db, store, s->dir, &s->mesh);
    for (int i = 0; i < STATEMENTS && err == KITH_OK; i++) {
        int rc = sqlite3_prepare_v3(s->db, statement_sql[i], -1,
                                    SQLITE_PREPARE_PERSISTENT,
                                    &s->statements[i], NULL);

        if (rc != SQLITE_OK)
            err = dbfile_error(store, s->db, rc);
    }
    return err;
}

static void sqlite_free(struct store *store)
{
    struct sqlite *s = of_store(store);

    finalize(s);
    (void)sqlite3_close(s->db); /* undoes what was not committed */
    free(s);
}

static int sqlite_put_node(struct store *store, const struct store_node *node)
{
    struct sqlite *s = of_store(store);
    struct call c;
    int64_t sum = 0;
    int err = begin_row(s, rowsum_node(node, &sum));

    if (err != KITH_OK)
        return err;
    call_init(&c, s, PUT_NODE);
    call_blob(&c, node->id.b, sizeof node->id.b);
    call_blob(&c, node->spki, sizeof node->spki);
    call_u64(&c, node->floor_serial);
    call_u64(&c, node->head_awake_ms);
    call_u64(&c, node->seen_unix_ms);
    call_u64(&c, node->state);
    call_sum(&c, sum);
    return call_end(&c);
}

static int sqlite_put_block(struct store *store,
                            const struct store_block *block)
{
    struct sqlite *s = of_store(store);
    struct call c;
    int64_t sum = 0;
    int err = begin_row(s, rowsum_block(block, &sum));

    if (err != KITH_OK)
        return err;
    call_init(&c, s, PUT_BLOCK);
    call_blob(&c, block->author.b, sizeof block->author.b);
    call_text(&c, block->name);
    call_u64(&c, block->serial);
    call_u64(&c, block->type);
    call_blob(&c, block->hash.b, sizeof block->hash.b);
    call_blob(&c, block->bytes, block->len);
    call_sum(&c, sum);
    return call_end(&c);
}

static int sqlite_put_addr(struct store *store, const struct store_addr *addr)
{
    struct sqlite *s = of_store(store);
    struct call c;
    int64_t sum = 0;
    int err = begin_row(s, rowsum_addr(addr, &sum));

    if (err != KITH_OK)
        return err;
    call_init(&c, s, PUT_ADDR);
    call_blob(&c, addr->id.b, sizeof addr->id.b);
    call_addr(&c, &addr->addr);
    call_u64(&c, addr->good_unix_ms);
    call_sum(&c, sum);
    err = call_end(&c);
    if (err != KITH_OK)
        return err;
    call_init(&c, s, TRIM_ADDRS);
    call_blob(&c, addr->id.b, sizeof addr->id.b);
    call_addr(&c, &addr->addr);
    call_u64(&c, STORE_ADDRS_MAX);
    return call_end(&c);
}

static int sqlite_drop_block(struct store *store, const struct node_id *author,
                             const char *name)
{
    struct sqlite *s = of_store(store);
    struct call c;
    int err = begin(s);

    if (err != KITH_OK)
        return err;
    call_init(&c, s, DROP_BLOCK);
    call_blob(&c, author->b, sizeof author->b);
    call_text(&c, name);
    return call_end(&c);
}

static int sqlite_drop_node(struct store *store, const struct node_id *id)
{
    struct sqlite *s = of_store(store);
    int err = begin(s);

    if (err == KITH_OK)
        err = run_with_id(s, DROP_NODE_BLOCKS, id);
    if (err == KITH_OK)
        err = run_with_id(s, DROP_NODE_ADDRS, id);
    if (err == KITH_OK)
        err = run_with_id(s, DROP_NODE, id);
    return err;
}

static int sqlite_meta_put(struct store *store, const char *key, uint64_t value)
{
    struct sqlite *s = of_store(store);
    struct call c;
    int64_t sum = 0;
    int err = begin_row(s, rowsum_meta(key, value, &sum));

    if (err != KITH_OK)
        return err;
    call_init(&c, s, PUT_META);
    call_text(&c, key);
    call_u64(&c, value);
    call_sum(&c, sum);
    return call_end(&c);
}

static int sqlite_meta_get(struct store *store, const char *key,
                           uint64_t *value)
{
    struct sqlite *s = of_store(store);
    struct call c;
    bool found = false;
    uint64_t got = 0;
    int64_t sum = 0, stored = 0;
    int err;

    call_init(&c, s, GET_META);
    call_text(&c, key);
    if (c.rc == SQLITE_OK && sqlite3_step(c.stmt) == SQLITE_ROW) {
        found = true;
        got = (uint64_t)sqlite3_column_int64(c.stmt, 0);
        stored = sqlite3_column_int64(c.stmt, 1);
    }
    err = call_finish(&c);
    if (err != KITH_OK)
        return err;
    if (!found)
        return KITH_ERR_NOTFOUND;
    err = rowsum_meta(key, got, &sum);
    if (err != KITH_OK)
        return err;
    if (sum != stored) {
        store_skip(store);
        return KITH_ERR_NOTFOUND;
    }
    *value = got;
    return KITH_OK;
}

static int sqlite_empty(struct store *store)
{
    struct sqlite *s = of_store(store);
    int err = begin(s);
    int rc;

    if (err != KITH_OK)
        return err;
    rc = sqlite3_exec(s->db,
                      "DELETE FROM addr; DELETE FROM block; DELETE FROM node",
                      NULL, NULL, NULL);
    return rc == SQLITE_OK ? KITH_OK : dbfile_error(store, s->db, rc);
}

static int sqlite_commit(struct store *store)
{
    struct sqlite *s = of_store(store);
    int err;

    if (!s->writing)
        return KITH_OK;
    err = run(s, COMMIT);
    if (err == KITH_OK)
        s->writing = false;
    return err;
}

/* Copies a value of exactly n bytes. */
static bool column_copy(sqlite3_stmt *stmt, int column, void *dst, size_t n)
{
    const void *p = sqlite3_column_blob(stmt, column);

    if (p == NULL || (size_t)sqlite3_column_bytes(stmt, column) != n)
        return false;
    memcpy(dst, p, n);
    return true;
}

/* Reads a number of 0 to max. */
static bool column_number(sqlite3_stmt *stmt, int column, uint64_t max,
                          uint64_t *out)
{
    *out = (uint64_t)sqlite3_column_int64(stmt, column);
    return *out <= max;
}

/*
 * Each of these hands one row to the visitor, with *stopped what the callback
 * returned. A row that is not as it was put is skipped. Return KITH_OK or
 * what rowsum_X() does.
 */

static int visit_node(struct store *store, sqlite3_stmt *stmt,
                      const struct store_visitor *visitor, int *stopped)
{
    struct store_node node;
    uint64_t state;
    int64_t sum;
    int err;

    node.floor_serial = (uint64_t)sqlite3_column_int64(stmt, 2);
    if (!column_copy(stmt, 0, node.id.b, sizeof node.id.b) ||
        !column_copy(stmt, 1, node.spki, sizeof node.spki) ||
        !column_number(stmt, 3, INT64_MAX, &node.head_awake_ms) ||
        !column_number(stmt, 4, INT64_MAX, &node.seen_unix_ms) ||
        !column_number(stmt, 5, STORE_NODE_LEFT, &state)) {
        store_skip(store);
        return KITH_OK;
    }
    node.state = (uint8_t)state;
    err = rowsum_node(&node, &sum);
    if (err != KITH_OK)
        return err;
    if (sum != sqlite3_column_int64(stmt, 6) || !store_node_valid(&node))
        store_skip(store);
    else
        *stopped = visitor->node(visitor->arg, &node);
    return KITH_OK;
}

static int visit_block(struct store *store, sqlite3_stmt *stmt,
                       const struct store_visitor *visitor, int *stopped)
{
    struct store_block block = {0};
    uint64_t type;
    int64_t sum;
    size_t name_len = (size_t)sqlite3_column_bytes(stmt, 1);
    int err;

    block.serial = (uint64_t)sqlite3_column_int64(stmt, 2);
    block.bytes = sqlite3_column_blob(stmt, 5);
    block.len = (size_t)sqlite3_column_bytes(stmt, 5);
    if (name_len > STORE_NAME_MAX ||
        !column_copy(stmt, 1, block.name, name_len) ||
        strlen(block.name) != name_len ||
        !column_copy(stmt, 0, block.author.b, sizeof block.author.b) ||
        !column_number(stmt, 3, UINT16_MAX, &type) ||
        !column_copy(stmt, 4, block.hash.b, sizeof block.hash.b) ||
        !store_block_valid(&block)) {
        store_skip(store);
        return KITH_OK;
    }
    block.type = (uint16_t)type;
    err = rowsum_block(&block, &sum);
    if (err != KITH_OK)
        return err;
    if (sum != sqlite3_column_int64(stmt, 6))
        store_skip(store);
    else
        *stopped = visitor->block(visitor->arg, &block);
    return KITH_OK;
}

static int visit_addr(struct store *store, sqlite3_stmt *stmt,
                      const struct store_visitor *visitor, int *stopped)
{
    struct store_addr addr = {0};
    uint64_t port, ifindex;
    int64_t sum;
    size_t ip_len = (size_t)sqlite3_column_bytes(stmt, 1);
    int err;

    addr.addr.family = ip_len == 4 ? 4 : 6;
    if ((ip_len != 4 && ip_len != 16) ||
        !column_copy(stmt, 1, addr.addr.ip, ip_len) ||
        !column_copy(stmt, 0, addr.id.b, sizeof addr.id.b) ||
        !column_number(stmt, 2, UINT16_MAX, &port) ||
        !column_number(stmt, 3, UINT32_MAX, &ifindex) ||
        !column_number(stmt, 4, INT64_MAX, &addr.good_unix_ms)) {
        store_skip(store);
        return KITH_OK;
    }
    addr.addr.port = (uint16_t)port;
    addr.addr.ifindex = (uint32_t)ifindex;
    err = rowsum_addr(&addr, &sum);
    if (err != KITH_OK)
        return err;
    if (sum != sqlite3_column_int64(stmt, 5) || !store_addr_valid(&addr))
        store_skip(store);
    else
        *stopped = visitor->addr(visitor->arg, &addr);
    return KITH_OK;
}

typedef int (*visit_fn)(struct store *, sqlite3_stmt *,
                        const struct store_visitor *, int *);

static int visit_all(struct sqlite *s, const char *sql, visit_fn visit,
                     const struct store_visitor *visitor, int *stopped)
{
    sqlite3_stmt *stmt;
    int err = KITH_OK;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

    if (rc != SQLITE_OK)
        return dbfile_error(&s->store, s->db, rc);
    while (err == KITH_OK && *stopped == KITH_OK &&
           (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        err = visit(&s->store, stmt, visitor, stopped);
    if (err != KITH_OK)
        store_reason(&s->store, "no check sum: %s", err_str(err));
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        err = dbfile_error(&s->store, s->db, rc);
    (void)sqlite3_finalize(stmt);
    return err;
}

static int sqlite_load(struct store *store, const struct store_visitor *visitor,
                       int *stopped)
{
    struct sqlite *s = of_store(store);
    int err = KITH_OK;

    if (visitor->node != NULL)
        err = visit_all(s,
                        "SELECT id, spki, floor_serial, head_awake_ms,"
                        " seen_unix_ms, state, sum FROM node",
                        visit_node, visitor, stopped);
    if (err == KITH_OK && *stopped == KITH_OK && visitor->block != NULL)
        err = visit_all(s,
                        "SELECT author, name, serial, type, hash, bytes, sum"
                        " FROM block",
                        visit_block, visitor, stopped);
    if (err == KITH_OK && *stopped == KITH_OK && visitor->addr != NULL)
        err = visit_all(s,
                        "SELECT id, ip, port, ifindex, good_unix_ms, sum"
                        " FROM addr",
                        visit_addr, visitor, stopped);
    (void)sqlite3_db_release_memory(s->db);
    return err;
}

static const struct store_ops sqlite_ops = {
    .open = sqlite_open,
    .shut = sqlite_shut,
    .free = sqlite_free,
    .put_node = sqlite_put_node,
    .put_block = sqlite_put_block,
    .put_addr = sqlite_put_addr,
    .drop_block = sqlite_drop_block,
    .drop_node = sqlite_drop_node,
    .meta_get = sqlite_meta_get,
    .meta_put = sqlite_meta_put,
    .empty = sqlite_empty,
    .commit = sqlite_commit,
    .load = sqlite_load,
};

int store_open(struct store **out, const char *dir, const struct mesh_id *mesh,
               store_log_fn log, void *arg)
{
    size_t dir_size = strlen(dir) + 1;
    struct sqlite *s;
    int err;

    *out = NULL;
    s = calloc(1, sizeof *s + dir_size);
    if (s == NULL)
        return KITH_ERR_NOMEM;
    s->mesh = *mesh;
    memcpy(s->dir, dir, dir_size);
    err = store_begin(&s->store, &sqlite_ops, log, arg);
    if (err == KITH_OK)
        *out = &s->store;
    return err;
}
