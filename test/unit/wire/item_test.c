/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/item.h"

#include "unit/wire/samples.h"
#include "wire_again.h"

/* Reads the items of n bytes up to the end or the first error. */
static int decode(const uint8_t *p, size_t n)
{
    struct cursor c;
    struct item item;
    int err;

    cursor_init(&c, p, n);
    while ((err = item_next(&c, &item)) == KITH_OK)
        ;
    return err == KITH_ERR_NOTFOUND ? KITH_OK : err;
}

/* Reads the one item that w holds, checks that each cut of it is refused and
 * that writing it again gives the same bytes. */
static struct item only_item(const struct writer *w)
{
    static uint8_t again[2048];
    size_t len = written(w);
    struct writer copy;
    struct cursor c;
    struct item item;

    cursor_init(&c, w->p, len);
    assert_int_equal(item_next(&c, &item), KITH_OK);
    assert_int_equal(c.left, 0);
    for (size_t n = 1; n < len; n++) {
        uint8_t *cut = malloc(n);

        assert_non_null(cut);
        memcpy(cut, w->p, n);
        assert_int_equal(decode(cut, n), KITH_ERR_TRUNCATED);
        free(cut);
    }
    writer_init(&copy, again, sizeof again);
    again_item(&copy, &item);
    assert_int_equal(written(&copy), len);
    assert_memory_equal(again, w->p, len);
    return item;
}

/* An item with the n bytes at p as its value. */
static int decode_value(enum item_type type, const uint8_t *p, size_t n)
{
    static uint8_t buf[2048];
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    writer_u8(&w, (uint8_t)type);
    writer_u16(&w, (uint16_t)n);
    writer_bytes(&w, p, n);
    return decode(buf, written(&w));
}

static void items_of_fixed_size_come_back(void **state)
{
    uint8_t buf[512], spki[SPKI_LEN], bytes[16];
    struct hash hash = sample_hash(3);
    struct writer w;
    struct item item;

    (void)state;
    memset(bytes, 0x42, sizeof bytes);
    sample_spki(spki);

    writer_init(&w, buf, sizeof buf);
    item_put_cookie(&w, bytes);
    item = only_item(&w);
    assert_int_equal(item.type, ITEM_COOKIE);
    assert_memory_equal(item.cookie, bytes, sizeof bytes);

    writer_init(&w, buf, sizeof buf);
    item_put_root(&w, bytes, 12345);
    item = only_item(&w);
    assert_int_equal(item.type, ITEM_ROOT);
    assert_memory_equal(item.root.root, bytes, sizeof bytes);
    assert_int_equal(item.root.heads, 12345);

    writer_init(&w, buf, sizeof buf);
    item_put_spki(&w, spki);
    item = only_item(&w);
    assert_int_equal(item.type, ITEM_SPKI);
    assert_memory_equal(item.spki, spki, sizeof spki);

    writer_init(&w, buf, sizeof buf);
    item_put_age(&w, &hash, 77);
    item = only_item(&w);
    assert_int_equal(item.type, ITEM_AGE);
    assert_true(hash_equal(&item.age.head, &hash));
    assert_int_equal(item.age.seconds, 77);

    writer_init(&w, buf, sizeof buf);
    item_put_echo(&w, bytes);
    item = only_item(&w);
    assert_int_equal(item.type, ITEM_ECHO);
    assert_memory_equal(item.echo, bytes, ITEM_ECHO_LEN);

    writer_init(&w, buf, sizeof buf);
    item_put_full(&w);
    item = only_item(&w);
    assert_int_equal(item.type, ITEM_FULL);
}

static void sizes_that_are_fixed_are_exact(void **state)
{
    static const struct {
        enum item_type type;
        size_t len;
    } fixed[] = {{ITEM_COOKIE, 16},
                 {ITEM_ROOT, 20},
                 {ITEM_AGE, 36},
                 {ITEM_ECHO, 8},
                 {ITEM_FULL, 0}};
    static uint8_t value[SPKI_LEN + 1];

    (void)state;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        for (size_t n = 0; n < 64; n++) {
            int err = decode_value(fixed[i].type, value, n);

            assert_int_equal(err, n < fixed[i].len   ? KITH_ERR_TRUNCATED
                                  : n > fixed[i].len ? KITH_ERR_TRAILING
                                                     : KITH_OK);
        }
    }
    sample_spki(value);
    assert_int_equal(decode_value(ITEM_SPKI, value, SPKI_LEN), KITH_OK);
    assert_int_equal(decode_value(ITEM_SPKI, value, SPKI_LEN - 1),
                     KITH_ERR_TRUNCATED);
    assert_int_equal(decode_value(ITEM_SPKI, value, SPKI_LEN + 1),
                     KITH_ERR_TRAILING);
    value[0] ^= 1;
    assert_int_equal(decode_value(ITEM_SPKI, value, SPKI_LEN), KITH_ERR_KEY);
}

static void padding_takes_as_much_as_it_is_told(void **state)
{
    uint8_t buf[64];
    struct writer w;
    struct item item;

    (void)state;
    for (size_t n = ITEM_HEADER_LEN; n <= sizeof buf; n++) {
        writer_init(&w, buf, sizeof buf);
        item_put_pad(&w, n);
        assert_int_equal(w.len, n);
        item = only_item(&w);
        assert_int_equal(item.type, ITEM_PAD);
        assert_int_equal(item.bytes.n, n - ITEM_HEADER_LEN);
    }
}

static void unknown_types_are_passed_over(void **state)
{
    static const uint8_t buf[] = {0xf0, 0, 2, 9, 9, 0x0d, 0, 0, 0x0c, 0, 0};
    struct cursor c;
    struct item item;

    (void)state;
    cursor_init(&c, buf, sizeof buf);
    assert_int_equal(item_next(&c, &item), KITH_OK);
    assert_int_equal(item.type, 0xf0);
    assert_int_equal(item.bytes.n, 2);
    assert_int_equal(item_next(&c, &item), KITH_OK);
    assert_int_equal(item.type, 0x0d);
    assert_int_equal(item_next(&c, &item), KITH_OK);
    assert_int_equal(item.type, ITEM_FULL);
    assert_int_equal(item_next(&c, &item), KITH_ERR_NOTFOUND);
    assert_int_equal(decode(NULL, 0), KITH_OK);
}

/* NODES about a prefix of that depth, with every third child. */
static struct item_nodes some_nodes(uint8_t depth, uint8_t levels,
                                    uint8_t bitmap[32], uint8_t *hashes)
{
    struct node_id id = sample_id(0xab);
    struct item_nodes nodes = {
        .levels = levels, .bitmap = bitmap, .hashes = hashes};

    nodes.prefix = prefix_of_id(&id, depth);
    memset(bitmap, 0, 32);
    for (size_t i = 0; i < 8 * item_bitmap_len(levels); i += 3) {
        bitmap[i / 8] |= (uint8_t)(0x80 >> i % 8);
        memset(hashes + nodes.n * SHORT_HASH_LEN, (int)i, SHORT_HASH_LEN);
        nodes.n++;
    }
    return nodes;
}

static void check_walk(const struct item_nodes *nodes)
{
    struct item_nodes_iter it = item_nodes_walk(nodes);
    struct trie_prefix prefix;
    const uint8_t *hash;
    size_t i = 0;

    for (; item_nodes_next(&it, &prefix, &hash); i++) {
        uint8_t depth = nodes->prefix.depth;

        assert_int_equal(prefix.depth, depth + nodes->levels);
        assert_int_equal(prefix_nibble(&prefix, prefix.depth - 1u), i % 16);
        if (nodes->levels == 2)
            assert_int_equal(prefix_nibble(&prefix, depth), i / 16);
        assert_int_equal(hash != NULL, i % 3 == 0);
        if (hash != NULL)
            assert_int_equal(hash[3], i);
    }
    assert_int_equal(i, 8 * item_bitmap_len(nodes->levels));
}

static void nodes_come_back_and_can_be_walked(void **state)
{
    uint8_t bitmap[32], hashes[256 * SHORT_HASH_LEN], buf[2048];
    struct writer w;
    struct item item;

    (void)state;
    for (uint8_t levels = 1; levels <= 2; levels++) {
        for (uint8_t depth = 0; depth + levels <= 64; depth += 7) {
            struct item_nodes nodes = some_nodes(depth, levels, bitmap, hashes);

            writer_init(&w, buf, sizeof buf);
            item_put_nodes(&w, &nodes);
            assert_int_equal(w.len, item_nodes_len(depth, levels, nodes.n));
            item = only_item(&w);
            assert_int_equal(item.type, ITEM_NODES);
            assert_int_equal(item.nodes.n, nodes.n);
            check_walk(&item.nodes);
        }
    }
}

static void the_largest_nodes_have_the_size_of_the_limit(void **state)
{
    (void)state;
    assert_int_equal(item_nodes_len(0, 2, 256),
                     ITEM_HEADER_LEN + ITEM_NODES_MAX);
}

static void nodes_refuse_impossible_places(void **state)
{
    /* depth 0, levels 1, no bit */
    static const uint8_t none[] = {0, 1, 0, 0};
    static const uint8_t levels_0[] = {0, 0, 0, 0};
    static const uint8_t levels_3[] = {0, 3, 0, 0};
    static const uint8_t nibble[] = {1, 0x11, 1, 0, 0};
    static const uint8_t more[] = {0, 1, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8};
    static const uint8_t fewer[] = {0, 1, 0, 3, 1, 2, 3, 4};
    uint8_t deep[1 + 32 + 1 + 32] = {63};

    (void)state;
    assert_int_equal(decode_value(ITEM_NODES, none, sizeof none), KITH_OK);
    assert_int_equal(decode_value(ITEM_NODES, levels_0, 4), KITH_ERR_RANGE);
    assert_int_equal(decode_value(ITEM_NODES, levels_3, 4), KITH_ERR_RANGE);
    assert_int_equal(decode_value(ITEM_NODES, nibble, 5), KITH_ERR_FORMAT);
    assert_int_equal(decode_value(ITEM_NODES, more, 12), KITH_ERR_TRAILING);
    assert_int_equal(decode_value(ITEM_NODES, fewer, 8), KITH_ERR_TRUNCATED);
    deep[33] = 1;
    assert_int_equal(decode_value(ITEM_NODES, deep, 1 + 32 + 1 + 2), KITH_OK);
    deep[33] = 2;
    assert_int_equal(decode_value(ITEM_NODES, deep, sizeof deep),
                     KITH_ERR_RANGE);
    deep[0] = 62;
    deep[33] = 0;
    deep[1 + 31] = 2; /* 62 nibbles are 31 bytes */
    assert_int_equal(decode_value(ITEM_NODES, deep, sizeof deep - 1), KITH_OK);
    deep[0] = 64;
    deep[33] = 1;
    assert_int_equal(decode_value(ITEM_NODES, deep, 1 + 32 + 1 + 2),
                     KITH_ERR_RANGE);
}

static struct item_leaf leaf(uint8_t first, uint8_t last)
{
    struct item_leaf e = {.id = sample_id(first),
                          .serial = 1000 + last,
                          .short_hash = {4, 3, 2, last}};

    e.id.b[NODE_ID_LEN - 1] = last;
    return e;
}

static struct item put_leaves(const struct trie_prefix *prefix,
                              const struct item_leaf *e, size_t n)
{
    static uint8_t buf[2048];
    struct item_array a;
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    a = item_begin_leaves(&w, prefix);
    for (size_t i = 0; i < n; i++)
        assert_true(item_add_leaf(&a, &e[i]));
    item_end(&a);
    assert_int_equal(w.len, item_leaves_len(prefix->depth, n));
    return only_item(&w);
}

static void leaves_come_back(void **state)
{
    struct item_leaf in[] = {leaf(0xab, 1), leaf(0xab, 2), leaf(0xab, 9)};

    (void)state;
    for (uint8_t depth = 0; depth < 63; depth++) {
        struct trie_prefix prefix = prefix_of_id(&in[0].id, depth);
        struct item item = put_leaves(&prefix, in, 3);

        assert_int_equal(item.type, ITEM_LEAVES);
        assert_true(prefix_equal(&item.leaves.prefix, &prefix));
        assert_int_equal(item.leaves.n, 3);
        for (size_t i = 0; i < 3; i++) {
            struct item_leaf out;

            item_leaf_at(&item, i, &out);
            assert_true(node_id_equal(&out.id, &in[i].id));
            assert_int_equal(out.serial, in[i].serial);
            assert_memory_equal(out.short_hash, in[i].short_hash, 4);
        }
    }
}

static void no_leaf_and_a_whole_id_are_allowed(void **state)
{
    struct item_leaf in = leaf(0xab, 1);
    struct trie_prefix whole = prefix_of_id(&in.id, PREFIX_DEPTH_MAX);
    struct item item;

    (void)state;
    item = put_leaves(&whole, &in, 1);
    assert_int_equal(item.leaves.n, 1);
    item = put_leaves(&whole, NULL, 0);
    assert_int_equal(item.leaves.n, 0);
}

/* LEAVES written without any rule. */
static int decode_leaves(const struct trie_prefix *prefix,
                         const struct item_leaf *e, size_t n)
{
    uint8_t buf[512];
    struct item_array a;
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    a = item_begin_leaves(&w, prefix);
    for (size_t i = 0; i < n; i++)
        item_add_leaf(&a, &e[i]);
    item_end(&a);
    return decode(buf, written(&w));
}

static void leaves_ascend_under_their_prefix(void **state)
{
    struct item_leaf good[] = {leaf(0xab, 1), leaf(0xac, 0)};
    struct item_leaf turned[] = {leaf(0xac, 0), leaf(0xab, 1)};
    struct item_leaf twice[] = {leaf(0xab, 1), leaf(0xab, 1)};
    struct item_leaf zero = leaf(0xab, 1), high = leaf(0xab, 1);
    struct trie_prefix a = prefix_of_id(&good[0].id, 1);
    struct trie_prefix ab = prefix_of_id(&good[0].id, 2);

    (void)state;
    zero.serial = 0;
    high.serial = BLOCK_SERIAL_MAX + 1;
    assert_int_equal(decode_leaves(&a, good, 2), KITH_OK);
    assert_int_equal(decode_leaves(&ab, good, 2), KITH_ERR_FORMAT);
    assert_int_equal(decode_leaves(&a, turned, 2), KITH_ERR_FORMAT);
    assert_int_equal(decode_leaves(&a, twice, 2), KITH_ERR_FORMAT);
    assert_int_equal(decode_leaves(&a, &zero, 1), KITH_ERR_RANGE);
    assert_int_equal(decode_leaves(&a, &high, 1), KITH_ERR_RANGE);
}

static void leaves_refuse_half_an_element_and_too_deep(void **state)
{
    uint8_t value[128] = {0};

    (void)state;
    assert_int_equal(decode_value(ITEM_LEAVES, value, 1), KITH_OK);
    assert_int_equal(decode_value(ITEM_LEAVES, value, 2), KITH_ERR_TRAILING);
    value[0] = 65;
    assert_int_equal(decode_value(ITEM_LEAVES, value, 128), KITH_ERR_RANGE);
}

static void announcements_come_back(void **state)
{
    struct item_announce in = {sample_id(4), 77, {1, 2, 3, 4, 5, 6, 7, 8}};
    struct item_announce out;
    struct item_array a;
    uint8_t buf[512];
    struct writer w;
    struct item item;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    a = item_begin(&w, ITEM_ANNOUNCE);
    assert_true(item_add_announce(&a, &in));
    in.serial++;
    assert_true(item_add_announce(&a, &in));
    item_end(&a);
    item = only_item(&w);
    assert_int_equal(item.list.n, 2);
    item_announce_at(&item, 0, &out);
    assert_true(node_id_equal(&out.id, &in.id));
    assert_int_equal(out.serial, 77);
    assert_memory_equal(out.hash8, in.hash8, sizeof in.hash8);
    item_announce_at(&item, 1, &out);
    assert_int_equal(out.serial, 78);

    buf[ITEM_HEADER_LEN + NODE_ID_LEN] = 0x80;
    assert_int_equal(decode(buf, w.len), KITH_ERR_RANGE);
}

static void wants_come_back(void **state)
{
    struct item_want_head head_in = {sample_id(4), 0, ITEM_WANT_SPKI | 0x80};
    struct item_want_piece piece_in = {sample_hash(5), 31};
    struct item_want_head head_out;
    struct item_want_piece piece_out;
    struct item_array a;
    uint8_t buf[512];
    struct writer w;
    struct item item;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    a = item_begin(&w, ITEM_WANT_HEAD);
    assert_true(item_add_want_head(&a, &head_in));
    item_end(&a);
    item = only_item(&w);
    item_want_head_at(&item, 0, &head_out);
    assert_true(node_id_equal(&head_out.id, &head_in.id));
    assert_int_equal(head_out.since, 0);
    assert_int_equal(head_out.flags, head_in.flags);

    writer_init(&w, buf, sizeof buf);
    a = item_begin(&w, ITEM_WANT_PIECE);
    assert_true(item_add_want_piece(&a, &piece_in));
    item_end(&a);
    item = only_item(&w);
    item_want_piece_at(&item, 0, &piece_out);
    assert_true(hash_equal(&piece_out.hash, &piece_in.hash));
    assert_int_equal(piece_out.index, 31);
}

static void lists_have_whole_elements_and_one_at_least(void **state)
{
    static const struct {
        enum item_type type;
        size_t len;
    } lists[] = {
        {ITEM_ANNOUNCE, 48}, {ITEM_WANT_HEAD, 41}, {ITEM_WANT_PIECE, 34}};
    uint8_t value[200];

    (void)state;
    memset(value, 1, sizeof value);
    for (size_t i = 0; i < 3; i++) {
        for (size_t n = 0; n <= sizeof value; n++) {
            bool whole = n > 0 && n % lists[i].len == 0;

            assert_int_equal(decode_value(lists[i].type, value, n) == KITH_OK,
                             whole);
        }
    }
}

static void arrays_stop_when_there_is_no_room(void **state)
{
    struct item_announce e = {sample_id(4), 77, {0}};
    uint8_t buf[ITEM_HEADER_LEN + 2 * ITEM_ANNOUNCE_LEN + 1];
    struct item_array a;
    struct writer w;
    struct item item;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    a = item_begin(&w, ITEM_ANNOUNCE);
    assert_true(item_add_announce(&a, &e));
    assert_true(item_add_announce(&a, &e));
    assert_false(item_add_announce(&a, &e));
    item_end(&a);
    item = only_item(&w);
    assert_int_equal(item.list.n, 2);

    /* not even the first: nothing is left behind */
    writer_init(&w, buf, ITEM_HEADER_LEN + ITEM_ANNOUNCE_LEN - 1);
    a = item_begin(&w, ITEM_ANNOUNCE);
    assert_false(item_add_announce(&a, &e));
    item_end(&a);
    assert_int_equal(written(&w), 0);
}

static void pieces_make_up_the_block(void **state)
{
    static uint8_t block[3 * PIECE_LEN], buf[2048];
    static const uint32_t totals[] = {BLOCK_SIGNED_MIN, PIECE_LEN,
                                      PIECE_LEN + 1, 2 * PIECE_LEN,
                                      3 * PIECE_LEN - 1};
    struct hash hash = sample_hash(1);

    (void)state;
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i % 251);
    for (size_t t = 0; t < sizeof totals / sizeof totals[0]; t++) {
        size_t at = 0;

        for (size_t i = 0; i < item_piece_count(totals[t]); i++) {
            struct writer w;
            struct item item;

            writer_init(&w, buf, sizeof buf);
            item_put_piece(&w, &hash, block, totals[t], (uint16_t)i);
            item = only_item(&w);
            assert_int_equal(item.piece.total, totals[t]);
            assert_int_equal(item.piece.index, i);
            assert_memory_equal(item.piece.p, block + at, item.piece.n);
            at += item.piece.n;
        }
        assert_int_equal(at, totals[t]);
        assert_int_equal(
            item_piece_len(totals[t], (uint16_t)item_piece_count(totals[t])),
            0);
    }
}

static int decode_piece(uint32_t total, uint16_t index, size_t n)
{
    static uint8_t buf[2048];
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    writer_zeros(&w, HASH_LEN);
    writer_u32(&w, total);
    writer_u16(&w, index);
    writer_zeros(&w, n);
    return decode_value(ITEM_PIECE, buf, written(&w));
}

static void pieces_are_as_long_as_their_place_says(void **state)
{
    uint32_t max = BLOCK_SIGNED_MAX;
    size_t last = max % PIECE_LEN;

    (void)state;
    assert_int_equal(decode_piece(305, 0, 305), KITH_OK);
    assert_int_equal(decode_piece(305, 0, 304), KITH_ERR_TRUNCATED);
    assert_int_equal(decode_piece(305, 0, 306), KITH_ERR_TRAILING);
    assert_int_equal(decode_piece(305, 1, 0), KITH_ERR_RANGE);
    assert_int_equal(decode_piece(304, 0, 304), KITH_ERR_RANGE);
    assert_int_equal(decode_piece(0, 0, 0), KITH_ERR_RANGE);
    assert_int_equal(decode_piece(2000, 0, PIECE_LEN), KITH_OK);
    assert_int_equal(decode_piece(2000, 0, PIECE_LEN - 1), KITH_ERR_TRUNCATED);
    assert_int_equal(decode_piece(2000, 1, 2000 - PIECE_LEN), KITH_OK);
    assert_int_equal(decode_piece(max, PIECES_MAX - 1, last), KITH_OK);
    assert_int_equal(decode_piece(max, PIECES_MAX, 1), KITH_ERR_RANGE);
    assert_int_equal(decode_piece(max + 1, 0, PIECE_LEN), KITH_ERR_RANGE);
    assert_int_equal(decode_piece(UINT32_MAX, UINT16_MAX, PIECE_LEN),
                     KITH_ERR_RANGE);
}

static void a_cut_header_or_value_is_malformed(void **state)
{
    (void)state;
    assert_int_equal(decode((uint8_t[]){0x0c}, 1), KITH_ERR_TRUNCATED);
    assert_int_equal(decode((uint8_t[]){0x0c, 0}, 2), KITH_ERR_TRUNCATED);
    assert_int_equal(decode((uint8_t[]){0x00, 0, 1}, 3), KITH_ERR_TRUNCATED);
    assert_int_equal(decode((uint8_t[]){0x0c, 0, 0, 0x0c}, 4),
                     KITH_ERR_TRUNCATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_of_fixed_size_come_back),
        cmocka_unit_test(sizes_that_are_fixed_are_exact),
        cmocka_unit_test(padding_takes_as_much_as_it_is_told),
        cmocka_unit_test(unknown_types_are_passed_over),
        cmocka_unit_test(nodes_come_back_and_can_be_walked),
        cmocka_unit_test(the_largest_nodes_have_the_size_of_the_limit),
        cmocka_unit_test(nodes_refuse_impossible_places),
        cmocka_unit_test(leaves_come_back),
        cmocka_unit_test(no_leaf_and_a_whole_id_are_allowed),
        cmocka_unit_test(leaves_ascend_under_their_prefix),
        cmocka_unit_test(leaves_refuse_half_an_element_and_too_deep),
        cmocka_unit_test(announcements_come_back),
        cmocka_unit_test(wants_come_back),
        cmocka_unit_test(lists_have_whole_elements_and_one_at_least),
        cmocka_unit_test(arrays_stop_when_there_is_no_room),
        cmocka_unit_test(pieces_make_up_the_block),
        cmocka_unit_test(pieces_are_as_long_as_their_place_says),
        cmocka_unit_test(a_cut_header_or_value_is_malformed),
    };

    return cmocka_run_group_tests_name("item", tests, NULL, NULL);
}
