/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "store/rowsum.h"

static struct store_node some_node(void)
{
    struct store_node node = {
        .floor_serial = 3,
        .head_awake_ms = 4,
        .seen_unix_ms = 5,
        .state = 1,
    };

    memset(node.id.b, 0x11, sizeof node.id.b);
    memset(node.spki, 0x22, sizeof node.spki);
    return node;
}

static struct store_block some_block(const char *bytes)
{
    struct store_block block = {
        .name = "facts",
        .serial = 6,
        .type = 7,
        .bytes = (const uint8_t *)bytes,
        .len = strlen(bytes),
    };

    memset(block.author.b, 0x11, sizeof block.author.b);
    memset(block.hash.b, 0x33, sizeof block.hash.b);
    return block;
}

static struct store_addr some_addr(void)
{
    struct store_addr addr = {
        .addr = {.family = 4, .port = 16990, .ip = {192, 0, 2, 1}},
        .good_unix_ms = 8,
    };

    memset(addr.id.b, 0x11, sizeof addr.id.b);
    return addr;
}

static uint64_t node_sum(const struct store_node *node)
{
    int64_t sum = 0;

    assert_int_equal(rowsum_node(node, &sum), KITH_OK);
    return (uint64_t)sum;
}

static uint64_t block_sum(const struct store_block *block)
{
    int64_t sum = 0;

    assert_int_equal(rowsum_block(block, &sum), KITH_OK);
    return (uint64_t)sum;
}

static uint64_t addr_sum(const struct store_addr *addr)
{
    int64_t sum = 0;

    assert_int_equal(rowsum_addr(addr, &sum), KITH_OK);
    return (uint64_t)sum;
}

static uint64_t meta_sum(const char *key, uint64_t value)
{
    int64_t sum = 0;

    assert_int_equal(rowsum_meta(key, value, &sum), KITH_OK);
    return (uint64_t)sum;
}

/* The sums are on disks: another way to compute them would lose every row.
 * Computed apart, with Python's hashlib. */
static void test_vectors(void **state)
{
    struct store_node node = some_node();
    struct store_block block = some_block("bytes");
    struct store_addr addr = some_addr();

    (void)state;
    assert_true(node_sum(&node) == UINT64_C(0xee3b4ae30c6fe8d4));
    assert_true(block_sum(&block) == UINT64_C(0xa5e85910ddae5fd7));
    assert_true(addr_sum(&addr) == UINT64_C(0xc8a928a14d98d311));
    assert_true(meta_sum("floor", 9) == UINT64_C(0xdff5214963a529a6));
}

/* One bit anywhere makes another sum. */
static void test_node_fields(void **state)
{
    const struct store_node good = some_node();
    struct store_node node;

    (void)state;
    for (size_t i = 0; i < sizeof node.id.b; i++) {
        node = good;
        node.id.b[i] ^= 1;
        assert_true(node_sum(&node) != node_sum(&good));
    }
    for (size_t i = 0; i < sizeof node.spki; i++) {
        node = good;
        node.spki[i] ^= 0x80;
        assert_true(node_sum(&node) != node_sum(&good));
    }
    for (int bit = 0; bit < 64; bit++) {
        node = good;
        node.floor_serial ^= UINT64_C(1) << bit;
        assert_true(node_sum(&node) != node_sum(&good));
        node = good;
        node.head_awake_ms ^= UINT64_C(1) << bit;
        assert_true(node_sum(&node) != node_sum(&good));
        node = good;
        node.seen_unix_ms ^= UINT64_C(1) << bit;
        assert_true(node_sum(&node) != node_sum(&good));
    }
    node = good;
    node.state = 0;
    assert_true(node_sum(&node) != node_sum(&good));
}

static void test_block_fields(void **state)
{
    const struct store_block good = some_block("bytes");
    struct store_block block = good;

    (void)state;
    block.author.b[31] ^= 1;
    assert_true(block_sum(&block) != block_sum(&good));
    block = good;
    block.name[4] = '\0';
    assert_true(block_sum(&block) != block_sum(&good));
    block = good;
    block.serial++;
    assert_true(block_sum(&block) != block_sum(&good));
    block = good;
    block.type++;
    assert_true(block_sum(&block) != block_sum(&good));
    block = good;
    block.hash.b[0] ^= 1;
    assert_true(block_sum(&block) != block_sum(&good));
    block = some_block("bytez");
    assert_true(block_sum(&block) != block_sum(&good));
    block = some_block("bytesx");
    assert_true(block_sum(&block) != block_sum(&good));
}

static void test_addr_fields(void **state)
{
    const struct store_addr good = some_addr();
    struct store_addr addr = good;

    (void)state;
    addr.id.b[0] ^= 1;
    assert_true(addr_sum(&addr) != addr_sum(&good));
    addr = good;
    addr.addr.family = 6;
    assert_true(addr_sum(&addr) != addr_sum(&good));
    addr = good;
    addr.addr.port++;
    assert_true(addr_sum(&addr) != addr_sum(&good));
    addr = good;
    addr.addr.ifindex++;
    assert_true(addr_sum(&addr) != addr_sum(&good));
    addr = good;
    addr.addr.ip[15]++;
    assert_true(addr_sum(&addr) != addr_sum(&good));
    addr = good;
    addr.good_unix_ms++;
    assert_true(addr_sum(&addr) != addr_sum(&good));
    assert_true(meta_sum("a", 1) != meta_sum("b", 1));
    assert_true(meta_sum("a", 1) != meta_sum("a", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_node_fields),
        cmocka_unit_test(test_block_fields),
        cmocka_unit_test(test_addr_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
