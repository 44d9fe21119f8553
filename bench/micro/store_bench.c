/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE

/*
 * What the store costs: fills DIR/kith.db with as many nodes as are asked
 * for, of 4 blocks and 2 addresses each, loads it as a starting agent does,
 * and writes like an agent in a busy mesh. Prints times, and what the process
 * weighs (PSS, of the whole process and of the SQLite library in it).
 *
 *     store_bench DIR [NODES]      DIR is an empty directory
 */

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/prng.h"
#include "store/store.h"

enum {
    BLOCKS = 4,
    ADDRS = 2,
    COMMITS = 100,
    PUTS_PER_COMMIT = 20,
};

/* Typical signed blocks: head, cert, facts, facts.more. */
static const size_t sizes[BLOCKS] = {900, 1400, 800, 1200};
static const char *const names[BLOCKS] = {"head", "cert", "facts",
                                          "facts.more"};

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Sums up the Pss of those mappings whose first line contains a word. */
static long pss_kb(const char *word)
{
    char line[512];
    bool counts = false;
    long sum = 0, kb;
    FILE *f = fopen("/proc/self/smaps", "r");

    if (f == NULL)
        return -1;
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "Pss:", 4) == 0) {
            kb = strtol(line + 4, NULL, 10);
            sum += counts ? kb : 0;
        } else if (strchr(line, '-') != NULL && strchr(line, '-') < line + 17) {
            counts = strstr(line, word) != NULL;
        }
    }
    (void)fclose(f);
    return sum;
}

static void report(const char *what, double ms)
{
    struct mallinfo2 heap = mallinfo2();

    printf("%-28s %9.1f ms   PSS %5ld kB, of it libsqlite3 %4ld kB, "
           "heap in use %4zu kB\n",
           what, ms, pss_kb(""), pss_kb("libsqlite3"), heap.uordblks / 1024);
}

static void print_line(void *arg, int level, const char *line)
{
    (void)arg;
    (void)level;
    printf("log: %s\n", line);
}

static void check(int err)
{
    if (err == KITH_OK)
        return;
    fprintf(stderr, "store: %s\n", err_str(err));
    exit(1);
}

static void fill_id(struct node_id *id, uint64_t n)
{
    struct prng p;

    prng_seed(&p, n);
    for (size_t i = 0; i < sizeof id->b; i++)
        id->b[i] = (uint8_t)prng_u64(&p);
}

static void put_block(struct store *store, uint64_t n, int which,
                      uint64_t serial)
{
    static uint8_t bytes[2048];
    struct store_block block = {
        .serial = serial,
        .type = (uint16_t)(which + 1),
        .bytes = bytes,
        .len = sizes[which],
    };

    memset(bytes, (int)(n + serial), sizeof bytes);
    fill_id(&block.author, n);
    (void)snprintf(block.name, sizeof block.name, "%s", names[which]);
    check(store_put_block(store, &block));
}

static void put_all(struct store *store, uint64_t n)
{
    struct store_node node = {.floor_serial = n};
    struct store_addr addr = {0};

    fill_id(&node.id, n);
    check(store_put_node(store, &node));
    for (int i = 0; i < BLOCKS; i++)
        put_block(store, n, i, n);
    for (int i = 0; i < ADDRS; i++) {
        addr.id = node.id;
        addr.addr = (struct addr){.family = 4, .port = 16990};
        memcpy(addr.addr.ip, &n, 3);
        addr.addr.ip[3] = (uint8_t)i;
        check(store_put_addr(store, &addr));
    }
}

static int count_node(void *arg, const struct store_node *node)
{
    (void)node;
    (*(uint64_t *)arg)++;
    return KITH_OK;
}

static int count_block(void *arg, const struct store_block *block)
{
    (void)block;
    (*(uint64_t *)arg)++;
    return KITH_OK;
}

static int count_addr(void *arg, const struct store_addr *addr)
{
    (void)addr;
    (*(uint64_t *)arg)++;
    return KITH_OK;
}

/* Heads that rise at random nodes, a few per commit. */
static void write_like_a_mesh(struct store *store, uint64_t nodes)
{
    double worst = 0, all = 0, start, took;
    struct prng p;

    prng_seed(&p, 1);
    for (int i = 0; i < COMMITS; i++) {
        start = now_ms();
        for (int j = 0; j < PUTS_PER_COMMIT; j++)
            put_block(store, prng_below(&p, nodes), 0, (uint64_t)i);
        check(store_commit(store));
        took = now_ms() - start;
        all += took;
        worst = took > worst ? took : worst;
    }
    report("100 commits of 20 heads", all);
    printf("%-28s %9.1f ms\n", "  the slowest", worst);
}

int main(int argc, char **argv)
{
    uint64_t nodes = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000;
    uint64_t rows = 0;
    struct mesh_id mesh = {{1}};
    struct store_visitor visitor = {count_node, count_block, count_addr, &rows};
    struct store *store;
    double start;

    if (argc < 2 || nodes == 0) {
        fprintf(stderr, "usage: store_bench DIR [NODES]\n");
        return 2;
    }
    report("before", 0);

    start = now_ms();
    check(store_open(&store, argv[1], &mesh, print_line, NULL));
    report("open, empty", now_ms() - start);

    start = now_ms();
    for (uint64_t n = 0; n < nodes; n++)
        put_all(store, n);
    check(store_commit(store));
    report("put everything", now_ms() - start);

    start = now_ms();
    store_close(store);
    report("close", now_ms() - start);

    start = now_ms();
    check(store_open(&store, argv[1], &mesh, print_line, NULL));
    report("open, full (checks all)", now_ms() - start);

    start = now_ms();
    check(store_load(store, &visitor));
    report("load", now_ms() - start);
    printf("%-28s %9" PRIu64 "\n", "  rows", rows);

    write_like_a_mesh(store, nodes);
    store_close(store);
    return 0;
}
