/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/block.h"

#include "crypto/sign.h"
#include "unit/wire/samples.h"

enum {
    AT_TYPE = 1,
    AT_SERIAL = 35,
    AT_NAME_LEN = 43,
    AT_NAME = 44,
};

static struct block note(void)
{
    return (struct block){
        .type = BLOCK_DATA,
        .author = sample_id(7),
        .serial = 42,
        .name = "note.1",
        .payload = (const uint8_t *)"hello",
        .payload_len = 5,
    };
}

static void set_name(struct block *b, const char *name)
{
    memcpy(b->name, name, strlen(name) + 1);
}

/* Writes a signed block to buf and returns its length; the signature is of
 * bytes 0xee. */
static size_t sign(const struct block *b, uint8_t *buf, size_t cap)
{
    uint8_t sig[SIG_LEN];
    struct writer w;

    memset(sig, 0xee, sizeof sig);
    writer_init(&w, buf, cap);
    assert_int_equal(block_encode(b, &w), KITH_OK);
    writer_bytes(&w, sig, sizeof sig);
    return written(&w);
}

static int decode(const uint8_t *p, size_t n)
{
    struct block b;

    return block_decode(p, n, &b);
}

static int decode_canonical(const uint8_t *p, size_t n)
{
    struct block b;

    return block_decode_canonical(p, n, &b);
}

static int encode(const struct block *b)
{
    static uint8_t buf[BLOCK_CANONICAL_MAX];
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    return block_encode(b, &w);
}

static void comes_back_as_it_was(void **state)
{
    struct block in = note(), out;
    uint8_t buf[1024], again[1024];
    size_t len = sign(&in, buf, sizeof buf);
    struct writer w;

    (void)state;
    assert_int_equal(len, block_signed_len(6, 5));
    assert_int_equal(block_decode(buf, len, &out), KITH_OK);
    assert_int_equal(out.type, in.type);
    assert_true(node_id_equal(&out.author, &in.author));
    assert_int_equal(out.serial, in.serial);
    assert_string_equal(out.name, in.name);
    assert_int_equal(out.payload_len, in.payload_len);
    assert_memory_equal(out.payload, in.payload, in.payload_len);
    assert_ptr_equal(out.canonical, buf);
    assert_int_equal(out.canonical_len, len - SIG_LEN);
    assert_ptr_equal(out.sig, buf + len - SIG_LEN);

    writer_init(&w, again, sizeof again);
    assert_int_equal(block_encode(&out, &w), KITH_OK);
    assert_int_equal(written(&w), out.canonical_len);
    assert_memory_equal(again, buf, w.len);
}

static void canonical_bytes_alone_have_no_signature(void **state)
{
    struct block in = note(), out;
    uint8_t buf[1024];
    size_t len = sign(&in, buf, sizeof buf) - SIG_LEN;

    (void)state;
    assert_int_equal(block_decode_canonical(buf, len, &out), KITH_OK);
    assert_null(out.sig);
    assert_int_equal(out.canonical_len, len);
    assert_int_equal(decode_canonical(buf, len + 1), KITH_ERR_TRAILING);
    refuses_every_cut(decode_canonical, buf, len);
}

static void refuses_cuts_and_tails(void **state)
{
    struct block in = note();
    uint8_t buf[1024];
    size_t len = sign(&in, buf, sizeof buf);

    (void)state;
    refuses_every_cut(decode, buf, len);
    assert_int_equal(decode(buf, len + 1), KITH_ERR_TRAILING);
}

static void smallest_and_largest_have_the_sizes_of_the_protocol(void **state)
{
    static uint8_t payload[BLOCK_PAYLOAD_MAX + 1];
    static uint8_t buf[BLOCK_SIGNED_MAX];
    struct block b = note();

    (void)state;
    set_name(&b, "x");
    b.payload = NULL;
    b.payload_len = 0;
    assert_int_equal(sign(&b, buf, sizeof buf), BLOCK_SIGNED_MIN);
    assert_int_equal(decode(buf, BLOCK_SIGNED_MIN), KITH_OK);

    memset(b.name, 'x', BLOCK_NAME_MAX);
    b.payload = payload;
    b.payload_len = BLOCK_PAYLOAD_MAX;
    assert_int_equal(sign(&b, buf, sizeof buf), BLOCK_SIGNED_MAX);
    assert_int_equal(decode(buf, BLOCK_SIGNED_MAX), KITH_OK);

    b.payload_len = BLOCK_PAYLOAD_MAX + 1;
    assert_int_equal(encode(&b), KITH_ERR_RANGE);
}

static void refuses_a_payload_longer_than_the_limit(void **state)
{
    struct block b = note();
    uint8_t buf[1024];
    size_t len = sign(&b, buf, sizeof buf);
    size_t at = AT_NAME + strlen(b.name);

    (void)state;
    assert_int_equal(decode_changed(decode, buf, len, at, 0xff),
                     KITH_ERR_RANGE);
    assert_int_equal(decode_changed(decode, buf, len, at + 3, 6),
                     KITH_ERR_TRUNCATED);
    assert_int_equal(decode_changed(decode, buf, len, at + 3, 4),
                     KITH_ERR_TRAILING);
}

static void refuses_another_format(void **state)
{
    struct block b = note();
    uint8_t buf[1024];
    size_t len = sign(&b, buf, sizeof buf);

    (void)state;
    assert_int_equal(decode_changed(decode, buf, len, 0, 0), KITH_ERR_VERSION);
    assert_int_equal(decode_changed(decode, buf, len, 0, 2), KITH_ERR_VERSION);
}

static void serials_are_1_to_2_63_minus_1(void **state)
{
    struct block b = note();
    uint8_t buf[1024];
    size_t len;

    (void)state;
    b.serial = 0;
    assert_int_equal(encode(&b), KITH_ERR_RANGE);
    b.serial = BLOCK_SERIAL_MAX + 1;
    assert_int_equal(encode(&b), KITH_ERR_RANGE);
    b.serial = BLOCK_SERIAL_MAX;
    len = sign(&b, buf, sizeof buf);
    assert_int_equal(decode(buf, len), KITH_OK);
    assert_int_equal(decode_changed(decode, buf, len, AT_SERIAL, 0x80),
                     KITH_ERR_RANGE);
    b.serial = 1;
    len = sign(&b, buf, sizeof buf);
    assert_int_equal(decode(buf, len), KITH_OK);
    assert_int_equal(decode_changed(decode, buf, len, AT_SERIAL + 7, 0),
                     KITH_ERR_RANGE);
}

static void names_are_what_the_protocol_says(void **state)
{
    static const char *good[] = {"a", "0", "a.b_c-d", "9-",
                                 "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *bad[] = {
        "",    ".a",       "-a",
        "_a",  "A",        "a b",
        "a/b", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz0123456"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(block_name_ok(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(block_name_ok(bad[i], strlen(bad[i])));
    assert_false(block_name_ok("a\0b", 3));
}

static void refuses_bad_names_on_both_ways(void **state)
{
    struct block b = note();
    uint8_t buf[1024];
    size_t len = sign(&b, buf, sizeof buf);

    (void)state;
    assert_int_equal(decode_changed(decode, buf, len, AT_NAME, '.'),
                     KITH_ERR_FORMAT);
    assert_int_equal(decode_changed(decode, buf, len, AT_NAME + 1, 0),
                     KITH_ERR_FORMAT);
    assert_int_equal(decode_changed(decode, buf, len, AT_NAME_LEN, 0),
                     KITH_ERR_RANGE);
    assert_int_equal(decode_changed(decode, buf, len, AT_NAME_LEN, 33),
                     KITH_ERR_RANGE);
    set_name(&b, "a b");
    assert_int_equal(encode(&b), KITH_ERR_FORMAT);
    b.name[0] = '\0';
    assert_int_equal(encode(&b), KITH_ERR_FORMAT);
    memset(b.name, 'a', sizeof b.name); /* no NUL */
    assert_int_equal(encode(&b), KITH_ERR_FORMAT);
}

static void reserved_names_go_with_their_types(void **state)
{
    static const char *names[] = {"head",   "cert", "facts",   "facts.more",
                                  "health", NULL,   "charter", "revoked"};

    (void)state;
    for (uint16_t type = 0; type < 10; type++) {
        for (uint16_t i = 0; i < 8; i++) {
            if (names[i] == NULL)
                continue;
            assert_int_equal(block_name_fits(type, names[i], strlen(names[i])),
                             type == i + 1);
            assert_true(block_name_reserved(names[i], strlen(names[i])));
        }
        assert_int_equal(block_name_fits(type, "note", 4),
                         type == 0 || type == 6 || type == 9);
    }
    assert_false(block_name_reserved("heads", 5));
    assert_false(block_name_reserved("hea", 3));
    assert_true(block_name_fits(BLOCK_DATA, "heads", 5));
}

static void refuses_a_type_that_does_not_go_with_its_name(void **state)
{
    struct block b = note();
    uint8_t buf[1024];
    size_t len = sign(&b, buf, sizeof buf);

    (void)state;
    assert_int_equal(decode_changed(decode, buf, len, AT_TYPE + 1, BLOCK_HEAD),
                     KITH_ERR_TYPE);
    assert_int_equal(decode_changed(decode, buf, len, AT_TYPE, 0x7f), KITH_OK);
    set_name(&b, "facts");
    assert_int_equal(encode(&b), KITH_ERR_TYPE);
    b.type = BLOCK_FACTS;
    assert_int_equal(encode(&b), KITH_OK);
}

static void says_when_there_is_no_room(void **state)
{
    struct block b = note();
    uint8_t buf[1024];
    struct writer w;

    (void)state;
    writer_init(&w, buf, BLOCK_FIXED_LEN + 6 + 4);
    assert_int_equal(block_encode(&b, &w), KITH_ERR_FULL);
    writer_init(&w, buf, BLOCK_FIXED_LEN + 6 + 5);
    assert_int_equal(block_encode(&b, &w), KITH_OK);
}

static void hash_depends_on_the_mesh_and_can_be_signed(void **state)
{
    struct mesh_id mesh = {{1}}, other = {{2}};
    struct hasher *h = hasher_new();
    struct block b = note();
    struct hash one, two, by_hand;
    uint8_t buf[1024], all[14 + MESH_ID_LEN + 1024] = "kith-block-v1";
    struct writer w;

    (void)state;
    assert_non_null(h);
    writer_init(&w, buf, sizeof buf);
    assert_int_equal(block_encode(&b, &w), KITH_OK);
    assert_int_equal(block_hash(h, &mesh, buf, w.len, &one), KITH_OK);
    assert_int_equal(block_hash(h, &other, buf, w.len, &two), KITH_OK);
    assert_false(hash_equal(&one, &two));

    memcpy(all + 14, mesh.b, sizeof mesh.b);
    memcpy(all + 14 + MESH_ID_LEN, buf, w.len);
    hash_sha256(&by_hand, all, 14 + MESH_ID_LEN + w.len);
    assert_true(hash_equal(&one, &by_hand));
    hasher_free(h);
}

static void higher_serial_wins_then_the_higher_hash(void **state)
{
    struct hash low = sample_hash(1), high = sample_hash(2);

    (void)state;
    assert_true(block_beats(2, &low, 1, &high));
    assert_false(block_beats(1, &high, 2, &low));
    assert_true(block_beats(1, &high, 1, &low));
    assert_false(block_beats(1, &low, 1, &high));
    assert_false(block_beats(1, &low, 1, &low));
    assert_true(block_beats(BLOCK_SERIAL_MAX, &low, 0, &low));
}

static void an_error_leaves_the_result_alone(void **state)
{
    struct block b = note(), out = {.serial = 99};
    uint8_t buf[1024];
    size_t len = sign(&b, buf, sizeof buf);

    (void)state;
    assert_int_not_equal(block_decode(buf, len - 1, &out), KITH_OK);
    assert_int_equal(out.serial, 99);
    assert_null(out.canonical);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(canonical_bytes_alone_have_no_signature),
        cmocka_unit_test(refuses_cuts_and_tails),
        cmocka_unit_test(smallest_and_largest_have_the_sizes_of_the_protocol),
        cmocka_unit_test(refuses_a_payload_longer_than_the_limit),
        cmocka_unit_test(refuses_another_format),
        cmocka_unit_test(serials_are_1_to_2_63_minus_1),
        cmocka_unit_test(names_are_what_the_protocol_says),
        cmocka_unit_test(refuses_bad_names_on_both_ways),
        cmocka_unit_test(reserved_names_go_with_their_types),
        cmocka_unit_test(refuses_a_type_that_does_not_go_with_its_name),
        cmocka_unit_test(says_when_there_is_no_room),
        cmocka_unit_test(hash_depends_on_the_mesh_and_can_be_signed),
        cmocka_unit_test(higher_serial_wins_then_the_higher_hash),
        cmocka_unit_test(an_error_leaves_the_result_alone),
    };

    return cmocka_run_group_tests_name("block", tests, NULL, NULL);
}
