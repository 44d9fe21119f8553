/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/error.h"
#include "store/backend.h"

/*
 * Rows are never changed, only replaced, so a table, a snapshot and the way
 * back can all point at the same one:
 *
 *   table   [row][row][row]...        what a caller sees, sorted by key
 *   undo    [key, row before] ...     one per change, the oldest first
 *                  ^mark[1]   ^mark[0]
 *
 * mark[i] is how many changes there were at the last commit but i. To lose
 * what came after it, the changes above it are taken back.
 */

/* The order of the rows. */
enum row_kind {
    ROW_META = 1,
    ROW_NODE = 2,
    ROW_BLOCK = 3,
    ROW_ADDR = 4,
};

enum {
    ID_END = 1 + NODE_ID_LEN,               /* kind, id */
    KEY_SIZE = ID_END + STORE_NAME_MAX + 1, /* name, address or number's key */
};

struct key {
    uint8_t b[KEY_SIZE]; /* padded with zeros */
};

struct row {
    size_t refs;
    struct key key;
    union {
        uint64_t number;
        struct store_node node;
        struct store_block block;
        struct store_addr addr;
    } u;
    uint8_t bytes[]; /* of a block */
};

struct table {
    struct row **rows;
    size_t len, cap;
};

struct change {
    struct key key;
    struct row *before; /* NULL: was not there */
};

struct memory {
    struct store store; /* first: a store is cast to this */
    struct table table;
    struct change *undo;
    size_t undo_len, undo_cap;
    size_t mark[MEMORY_HISTORY + 1];
    size_t marks;        /* at least 1 */
    uint64_t fail_after; /* writes */
    bool damaged;
};

struct memory_snapshot {
    struct table table;
};

static struct memory *of_store(struct store *store)
{
    return (struct memory *)store;
}

static void key_init(struct key *key, enum row_kind kind,
                     const struct node_id *id)
{
    *key = (struct key){{(uint8_t)kind}};
    if (id != NULL)
        memcpy(key->b + 1, id->b, sizeof id->b);
}

static void key_of_name(struct key *key, enum row_kind kind,
                        const struct node_id *id, const char *name)
{
    key_init(key, kind, id);
    memcpy(key->b + ID_END, name, strlen(name));
}

static void key_of_addr(struct key *key, const struct store_addr *addr)
{
    struct writer w;

    key_init(key, ROW_ADDR, &addr->id);
    writer_init(&w, key->b + ID_END, KEY_SIZE - ID_END);
    writer_u8(&w, addr->addr.family);
    writer_bytes(&w, addr->addr.ip, sizeof addr->addr.ip);
    writer_u16(&w, addr->addr.port);
    writer_u32(&w, addr->addr.ifindex);
    assert(!w.overflow);
}

static struct row *row_new(const struct key *key, size_t bytes)
{
    struct row *row = calloc(1, sizeof *row + bytes);

    if (row == NULL)
        return NULL;
    row->refs = 1;
    row->key = *key;
    return row;
}

static struct row *row_ref(struct row *row)
{
    row->refs++;
    return row;
}

static void row_unref(struct row *row)
{
    if (row == NULL)
        return;
    assert(row->refs > 0);
    row->refs--;
    if (row->refs == 0)
        free(row);
}

/* Makes room for one more. Returns false when out of memory. */
static bool table_reserve(struct table *t)
{
    size_t cap = t->cap == 0 ? 16 : t->cap * 2;
    struct row **rows;

    if (t->len < t->cap)
        return true;
    rows = realloc(t->rows, cap * sizeof *rows);
    if (rows == NULL)
        return false;
    t->rows = rows;
    t->cap = cap;
    return true;
}

/* The place of the first row whose key is not below this one. */
static size_t table_place(const struct table *t, const struct key *key)
{
    size_t low = 0, high = t->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(t->rows[middle]->key.b, key->b, KEY_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether the row at a place begins like the key. */
static bool table_matches(const struct table *t, size_t at,
                          const struct key *key, size_t prefix)
{
    return at < t->len && memcmp(t->rows[at]->key.b, key->b, prefix) == 0;
}

/* Puts a row under its key, or, NULL, none, in a table that has room, and
 * returns the one that was there. */
static struct row *table_swap(struct table *t, const struct key *key,
                              struct row *row)
{
    size_t at = table_place(t, key);
    bool there = table_matches(t, at, key, KEY_SIZE);
    struct row *before = there ? t->rows[at] : NULL;

    if (!there && row != NULL) {
        assert(t->len < t->cap);
        memmove(t->rows + at + 1, t->rows + at,
                (t->len - at) * sizeof t->rows[0]);
        t->len++;
    } else if (there && row == NULL) {
        t->len--;
        memmove(t->rows + at, t->rows + at + 1,
                (t->len - at) * sizeof t->rows[0]);
    }
    if (row != NULL)
        t->rows[at] = row;
    return before;
}

static void table_clear(struct table *t)
{
    for (size_t i = 0; i < t->len; i++)
        row_unref(t->rows[i]);
    free(t->rows);
    *t = (struct table){0};
}

static bool table_copy(struct table *dst, const struct table *src)
{
    *dst = (struct table){.cap = src->cap};
    if (src->cap == 0)
        return true;
    dst->rows = calloc(src->cap, sizeof dst->rows[0]);
    if (dst->rows == NULL)
        return false;
    for (; dst->len < src->len; dst->len++)
        dst->rows[dst->len] = row_ref(src->rows[dst->len]);
    return true;
}

/* Every change of the table: row, which is taken over, or NULL for none. */
static int change(struct memory *m, const struct key *key, struct row *row)
{
    if (m->undo_len == m->undo_cap) {
        size_t cap = m->undo_cap == 0 ? 16 : m->undo_cap * 2;
        struct change *undo = realloc(m->undo, cap * sizeof *undo);

        if (undo == NULL)
            goto failed;
        m->undo = undo;
        m->undo_cap = cap;
    }
    if (!table_reserve(&m->table))
        goto failed;
    m->undo[m->undo_len++] = (struct change){
        .key = *key,
        .before = table_swap(&m->table, key, row),
    };
    return KITH_OK;

failed:
    row_unref(row);
    store_reason(&m->store, "out of memory");
    return KITH_ERR_NOMEM;
}

/* Takes changes back until so many are left. */
static void undo_to(struct memory *m, size_t len)
{
    while (m->undo_len > len) {
        struct change *last = &m->undo[--m->undo_len];

        row_unref(table_swap(&m->table, &last->key, last->before));
    }
}

static void forget_history(struct memory *m)
{
    for (size_t i = 0; i < m->undo_len; i++)
        row_unref(m->undo[i].before);
    m->undo_len = 0;
    m->marks = 1;
    m->mark[0] = 0;
}

/* The oldest commit can no longer be undone. */
static void forget_oldest(struct memory *m)
{
    size_t gone;

    m->marks--;
    gone = m->mark[m->marks - 1];
    for (size_t i = 0; i < gone; i++)
        row_unref(m->undo[i].before);
    memmove(m->undo, m->undo + gone, (m->undo_len - gone) * sizeof m->undo[0]);
    m->undo_len -= gone;
    for (size_t i = 0; i < m->marks; i++)
        m->mark[i] -= gone;
}

/* Before each write: does the disk play along? */
static int begin(struct memory *m)
{
    if (m->damaged) {
        store_reason(&m->store, "damaged, as told");
        return KITH_ERR_CORRUPT;
    }
    if (m->fail_after == 0) {
        store_reason(&m->store, "disk full, as told");
        errno = ENOSPC;
        return KITH_ERR_IO;
    }
    if (m->fail_after != MEMORY_NEVER)
        m->fail_after--;
    return KITH_OK;
}

static int no_memory(struct store *store)
{
    store_reason(store, "out of memory");
    return KITH_ERR_NOMEM;
}

static int memory_open(struct store *store)
{
    const struct memory *m = of_store(store);

    if (m->fail_after == 0) {
        store_reason(store, "disk full, as told");
        errno = ENOSPC;
        return KITH_ERR_IO;
    }
    return KITH_OK;
}

static void memory_shut(struct store *store, int why)
{
    struct memory *m = of_store(store);

    undo_to(m, m->mark[0]);
    if (why == KITH_ERR_CORRUPT) {
        forget_history(m);
        table_clear(&m->table);
        m->damaged = false;
    }
}

static void memory_free(struct store *store)
{
    struct memory *m = of_store(store);

    forget_history(m);
    table_clear(&m->table);
    free(m->undo);
    free(m);
}

static int memory_put_node(struct store *store, const struct store_node *node)
{
    struct memory *m = of_store(store);
    struct key key;
    struct row *row;
    int err = begin(m);

    if (err != KITH_OK)
        return err;
    key_init(&key, ROW_NODE, &node->id);
    row = row_new(&key, 0);
    if (row == NULL)
        return no_memory(store);
    row->u.node = *node;
    return change(m, &key, row);
}

static int memory_put_block(struct store *store,
                            const struct store_block *block)
{
    struct memory *m = of_store(store);
    struct key key;
    struct row *row;
    int err = begin(m);

    if (err != KITH_OK)
        return err;
    key_of_name(&key, ROW_BLOCK, &block->author, block->name);
    row = row_new(&key, block->len);
    if (row == NULL)
        return no_memory(store);
    memcpy(row->bytes, block->bytes, block->len);
    row->u.block = *block;
    row->u.block.bytes = row->bytes;
    return change(m, &key, row);
}

/* The address of a node that was good longest ago, other than one. */
static const struct key *oldest_addr(const struct memory *m, size_t first,
                                     size_t n, const struct key *other)
{
    const struct row *oldest = NULL;

    for (size_t i = first; i < first + n; i++) {
        const struct row *row = m->table.rows[i];

        if (memcmp(&row->key, other, sizeof *other) == 0)
            continue;
        if (oldest == NULL ||
            row->u.addr.good_unix_ms < oldest->u.addr.good_unix_ms)
            oldest = row;
    }
    assert(oldest != NULL);
    return &oldest->key;
}

static int memory_put_addr(struct store *store, const struct store_addr *addr)
{
    struct memory *m = of_store(store);
    struct key key, first, oldest;
    struct row *row;
    size_t at, n = 0;
    int err = begin(m);

    if (err != KITH_OK)
        return err;
    key_of_addr(&key, addr);
    row = row_new(&key, 0);
    if (row == NULL)
        return no_memory(store);
    row->u.addr = *addr;
    err = change(m, &key, row);
    if (err != KITH_OK)
        return err;
    key_init(&first, ROW_ADDR, &addr->id);
    at = table_place(&m->table, &first);
    while (table_matches(&m->table, at + n, &first, ID_END))
        n++;
    if (n <= STORE_ADDRS_MAX)
        return KITH_OK;
    oldest = *oldest_addr(m, at, n, &key);
    return change(m, &oldest, NULL);
}

static int memory_drop_block(struct store *store, const struct node_id *author,
                             const char *name)
{
    struct memory *m = of_store(store);
    struct key key;
    int err = begin(m);

    if (err != KITH_OK)
        return err;
    key_of_name(&key, ROW_BLOCK, author, name);
    return change(m, &key, NULL);
}

/* Drops the rows of a kind: of one node, or, NULL, of all. */
static int drop_all(struct memory *m, enum row_kind kind,
                    const struct node_id *id)
{
    size_t prefix = id != NULL ? ID_END : 1;
    struct key first, key;
    size_t begin_at, end;
    int err = KITH_OK;

    key_init(&first, kind, id);
    begin_at = table_place(&m->table, &first);
    end = begin_at;
    while (table_matches(&m->table, end, &first, prefix))
        end++;
    while (end > begin_at && err == KITH_OK) {
        key = m->table.rows[--end]->key;
        err = change(m, &key, NULL);
    }
    return err;
}

static int memory_drop_node(struct store *store, const struct node_id *id)
{
    struct memory *m = of_store(store);
    int err = begin(m);

    if (err == KITH_OK)
        err = drop_all(m, ROW_ADDR, id);
    if (err == KITH_OK)
        err = drop_all(m, ROW_BLOCK, id);
    if (err == KITH_OK)
        err = drop_all(m, ROW_NODE, id);
    return err;
}

static int memory_meta_get(struct store *store, const char *key,
                           uint64_t *value)
{
    const struct memory *m = of_store(store);
    struct key k;
    size_t at;

    key_of_name(&k, ROW_META, NULL, key);
    at = table_place(&m->table, &k);
    if (!table_matches(&m->table, at, &k, KEY_SIZE))
        return KITH_ERR_NOTFOUND;
    *value = m->table.rows[at]->u.number;
    return KITH_OK;
}

static int memory_meta_put(struct store *store, const char *key, uint64_t value)
{
    struct memory *m = of_store(store);
    struct key k;
    struct row *row;
    int err = begin(m);

    if (err != KITH_OK)
        return err;
    key_of_name(&k, ROW_META, NULL, key);
    row = row_new(&k, 0);
    if (row == NULL)
        return no_memory(store);
    row->u.number = value;
    return change(m, &k, row);
}

static int memory_empty(struct store *store)
{
    struct memory *m = of_store(store);
    int err = begin(m);

    if (err == KITH_OK)
        err = drop_all(m, ROW_ADDR, NULL);
    if (err == KITH_OK)
        err = drop_all(m, ROW_BLOCK, NULL);
    if (err == KITH_OK)
        err = drop_all(m, ROW_NODE, NULL);
    return err;
}

static int memory_commit(struct store *store)
{
    struct memory *m = of_store(store);
    int err;

    if (m->undo_len == m->mark[0])
        return KITH_OK;
    err = begin(m);
    if (err != KITH_OK)
        return err;
    if (m->marks == MEMORY_HISTORY + 1)
        forget_oldest(m);
    memmove(m->mark + 1, m->mark, m->marks * sizeof m->mark[0]);
    m->mark[0] = m->undo_len;
    m->marks++;
    return KITH_OK;
}

static int visit(const struct row *row, const struct store_visitor *visitor)
{
    switch (row->key.b[0]) {
    case ROW_NODE:
        if (visitor->node != NULL)
            return visitor->node(visitor->arg, &row->u.node);
        break;
    case ROW_BLOCK:
        if (visitor->block != NULL)
            return visitor->block(visitor->arg, &row->u.block);
        break;
    case ROW_ADDR:
        if (visitor->addr != NULL)
            return visitor->addr(visitor->arg, &row->u.addr);
        break;
    default:
        break;
    }
    return KITH_OK;
}

static int memory_load(struct store *store, const struct store_visitor *visitor,
                       int *stopped)
{
    const struct memory *m = of_store(store);

    if (m->damaged) {
        store_reason(store, "damaged, as told");
        return KITH_ERR_CORRUPT;
    }
    for (size_t i = 0; i < m->table.len && *stopped == KITH_OK; i++)
        *stopped = visit(m->table.rows[i], visitor);
    return KITH_OK;
}

static const struct store_ops memory_ops = {
    .open = memory_open,
    .shut = memory_shut,
    .free = memory_free,
    .put_node = memory_put_node,
    .put_block = memory_put_block,
    .put_addr = memory_put_addr,
    .drop_block = memory_drop_block,
    .drop_node = memory_drop_node,
    .meta_get = memory_meta_get,
    .meta_put = memory_meta_put,
    .empty = memory_empty,
    .commit = memory_commit,
    .load = memory_load,
};

int store_open_memory(struct store **out, store_log_fn log, void *arg)
{
    struct memory *m = calloc(1, sizeof *m);
    int err;

    *out = NULL;
    if (m == NULL)
        return KITH_ERR_NOMEM;
    m->marks = 1;
    m->fail_after = MEMORY_NEVER;
    err = store_begin(&m->store, &memory_ops, log, arg);
    if (err == KITH_OK)
        *out = &m->store;
    return err;
}

void memory_fail_after(struct store *store, uint64_t writes)
{
    of_store(store)->fail_after = writes;
}

void memory_damage(struct store *store)
{
    of_store(store)->damaged = true;
}

/* The process that had the store open is no more. */
static void open_again(struct store *store)
{
    struct store fresh = {.ops = store->ops, .log = store->log};

    *store = fresh;
    store->state = STORE_OK;
}

size_t memory_crash(struct store *store, size_t commits)
{
    struct memory *m = of_store(store);
    size_t lost = commits < m->marks ? commits : m->marks - 1;

    undo_to(m, m->mark[lost]);
    m->marks -= lost;
    memmove(m->mark, m->mark + lost, m->marks * sizeof m->mark[0]);
    open_again(store);
    return lost;
}

struct memory_snapshot *memory_snapshot(const struct store *store)
{
    const struct memory *m = (const struct memory *)store;
    struct memory_snapshot *snapshot = calloc(1, sizeof *snapshot);

    if (snapshot == NULL)
        return NULL;
    if (!table_copy(&snapshot->table, &m->table)) {
        free(snapshot);
        return NULL;
    }
    for (size_t i = m->undo_len; i > m->mark[0]; i--) {
        const struct change *c = &m->undo[i - 1];

        if (c->before != NULL)
            (void)row_ref(c->before);
        row_unref(table_swap(&snapshot->table, &c->key, c->before));
    }
    return snapshot;
}

void memory_snapshot_free(struct memory_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    table_clear(&snapshot->table);
    free(snapshot);
}

int memory_restore(struct store *store, const struct memory_snapshot *snapshot)
{
    struct memory *m = of_store(store);
    struct table table;

    if (!table_copy(&table, &snapshot->table))
        return KITH_ERR_NOMEM;
    forget_history(m);
    table_clear(&m->table);
    m->table = table;
    m->damaged = false;
    open_again(store);
    return KITH_OK;
}
