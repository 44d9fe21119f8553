/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/prefix.h"

#include "unit/wire/samples.h"

static struct node_id counting_id(void)
{
    struct node_id id;

    for (size_t i = 0; i < sizeof id.b; i++)
        id.b[i] = (uint8_t)(0x11 * (i % 16) + 1);
    return id; /* 01 12 23 34 ... */
}

static int decode(const uint8_t *p, size_t n)
{
    struct trie_prefix out;
    struct cursor c;
    int err;

    cursor_init(&c, p, n);
    err = prefix_decode(&c, &out);
    return err != KITH_OK ? err : cursor_end(&c);
}

static void takes_the_first_nibbles_of_an_id(void **state)
{
    struct node_id id = counting_id();
    struct trie_prefix p = prefix_of_id(&id, 5);

    (void)state;
    assert_int_equal(p.depth, 5);
    assert_memory_equal(p.nibbles, ((uint8_t[]){0x01, 0x12, 0x20, 0}), 4);
    assert_int_equal(prefix_nibble(&p, 0), 0);
    assert_int_equal(prefix_nibble(&p, 1), 1);
    assert_int_equal(prefix_nibble(&p, 4), 2);
    assert_int_equal(prefix_id_nibble(&id, 5), 3);
}

static void grows_by_children_to_the_whole_id(void **state)
{
    struct node_id id = counting_id();
    struct trie_prefix p = prefix_root();

    (void)state;
    for (uint8_t depth = 0; depth < PREFIX_DEPTH_MAX; depth++) {
        struct trie_prefix same = prefix_of_id(&id, depth);

        assert_true(prefix_equal(&p, &same));
        assert_true(prefix_contains(&p, &id));
        p = prefix_child(&p, prefix_id_nibble(&id, depth));
    }
    assert_int_equal(p.depth, PREFIX_DEPTH_MAX);
    assert_memory_equal(p.nibbles, id.b, sizeof id.b);
    assert_true(prefix_contains(&p, &id));
}

static void contains_only_what_begins_with_it(void **state)
{
    struct node_id id = counting_id();
    struct trie_prefix even = prefix_of_id(&id, 4);
    struct trie_prefix odd = prefix_of_id(&id, 3);

    (void)state;
    id.b[1] = 0x1f;
    assert_false(prefix_contains(&even, &id));
    assert_true(prefix_contains(&odd, &id));
    id.b[1] = 0x22;
    assert_false(prefix_contains(&odd, &id));
}

static void depth_matters_to_equality(void **state)
{
    struct trie_prefix a = prefix_root();
    struct trie_prefix b = prefix_child(&a, 0);

    (void)state;
    assert_false(prefix_equal(&a, &b));
}

static void comes_back_from_the_wire(void **state)
{
    struct node_id id = counting_id();

    (void)state;
    for (uint8_t depth = 0; depth <= PREFIX_DEPTH_MAX; depth++) {
        struct trie_prefix p = prefix_of_id(&id, depth);
        struct trie_prefix out;
        uint8_t buf[64];
        struct writer w;
        struct cursor c;

        writer_init(&w, buf, sizeof buf);
        prefix_encode(&w, &p);
        assert_int_equal(written(&w), prefix_len(depth));
        cursor_init(&c, buf, w.len);
        assert_int_equal(prefix_decode(&c, &out), KITH_OK);
        assert_true(prefix_equal(&p, &out));
        refuses_every_cut(decode, buf, w.len);
    }
}

static void refuses_more_nibbles_than_an_id_has(void **state)
{
    uint8_t buf[1 + NODE_ID_LEN + 1] = {PREFIX_DEPTH_MAX + 1};

    (void)state;
    assert_int_equal(decode(buf, sizeof buf), KITH_ERR_RANGE);
    buf[0] = 255;
    assert_int_equal(decode(buf, sizeof buf), KITH_ERR_RANGE);
}

static void refuses_an_unused_nibble_that_is_not_zero(void **state)
{
    (void)state;
    assert_int_equal(decode((uint8_t[]){1, 0xa0}, 2), KITH_OK);
    assert_int_equal(decode((uint8_t[]){1, 0xa1}, 2), KITH_ERR_FORMAT);
    assert_int_equal(decode((uint8_t[]){2, 0xa1}, 2), KITH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_first_nibbles_of_an_id),
        cmocka_unit_test(grows_by_children_to_the_whole_id),
        cmocka_unit_test(contains_only_what_begins_with_it),
        cmocka_unit_test(depth_matters_to_equality),
        cmocka_unit_test(comes_back_from_the_wire),
        cmocka_unit_test(refuses_more_nibbles_than_an_id_has),
        cmocka_unit_test(refuses_an_unused_nibble_that_is_not_zero),
    };

    return cmocka_run_group_tests_name("prefix", tests, NULL, NULL);
}
