/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/bulk.h"

#include "unit/wire/samples.h"
#include "wire_again.h"

static const struct bulk_serial serials[] = {
    {{{1}}, 10}, {{{2}}, 20}, {{{3}}, BLOCK_SERIAL_MAX}};

/* A body with each type of record once. */
static size_t every_type(uint8_t *buf, size_t cap)
{
    uint8_t block[BLOCK_SIGNED_MIN], spki[SPKI_LEN];
    struct writer w;

    memset(block, 0xbb, sizeof block);
    sample_spki(spki);
    writer_init(&w, buf, cap);
    bulk_put_list(&w, BULK_HAVE, serials, 3);
    bulk_put_list(&w, BULK_WANT, serials, 2);
    bulk_put_spki(&w, spki);
    bulk_put_age(&w, 0x01020304);
    bulk_put_block(&w, block, sizeof block);
    bulk_put_end(&w);
    return written(&w);
}

/* Reads a whole body in parts of `part` bytes, writing what comes out to
 * again. Returns the first error, or what bulk_reader_finish() says. */
static int read_body(const uint8_t *p, size_t n, size_t part,
                     struct writer *again)
{
    struct bulk_record record;
    struct bulk_reader r;
    int err = KITH_OK;

    bulk_reader_init(&r, BULK_LIST_MAX);
    for (size_t at = 0; at < n; at += part) {
        size_t len = n - at < part ? n - at : part;
        uint8_t *copy = malloc(len);
        struct cursor in;

        assert_non_null(copy);
        memcpy(copy, p + at, len);
        cursor_init(&in, copy, len);
        while ((err = bulk_reader_next(&r, &in, &record)) == KITH_OK)
            again_record(again, &record);
        free(copy);
        if (err != KITH_ERR_NOTFOUND)
            break;
        assert_int_equal(in.left, 0);
    }
    if (err == KITH_OK || err == KITH_ERR_NOTFOUND)
        err = bulk_reader_finish(&r);
    else
        assert_int_equal(bulk_reader_finish(&r), err);
    bulk_reader_free(&r);
    return err;
}

static int decode(const uint8_t *p, size_t n)
{
    static uint8_t buf[8192];
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    return read_body(p, n, n > 0 ? n : 1, &w);
}

static void comes_back_however_it_is_cut(void **state)
{
    uint8_t buf[2048], again[2048];
    size_t len = every_type(buf, sizeof buf);
    struct writer w;

    (void)state;
    for (size_t part = 1; part <= len; part++) {
        writer_init(&w, again, sizeof again);
        assert_int_equal(read_body(buf, len, part, &w), KITH_OK);
        assert_int_equal(written(&w), len);
        assert_memory_equal(again, buf, len);
    }
}

static void a_body_without_its_end_was_cut(void **state)
{
    uint8_t buf[2048];
    size_t len = every_type(buf, sizeof buf);

    (void)state;
    for (size_t n = 0; n < len; n++)
        assert_int_equal(decode(buf, n), KITH_ERR_TRUNCATED);
    assert_int_equal(decode(buf, len), KITH_OK);
    assert_int_equal(decode(buf, len + 1), KITH_ERR_TRAILING);
}

static void gives_what_the_records_say(void **state)
{
    uint8_t buf[2048];
    struct bulk_record record;
    struct bulk_serial e;
    struct bulk_reader r;
    struct cursor in;

    (void)state;
    cursor_init(&in, buf, every_type(buf, sizeof buf));
    bulk_reader_init(&r, BULK_LIST_MAX);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_OK);
    assert_int_equal(record.type, BULK_HAVE);
    assert_int_equal(record.list.n, 3);
    bulk_serial_at(&record, 1, &e);
    assert_int_equal(e.id.b[0], 2);
    assert_int_equal(e.serial, 20);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_OK);
    assert_int_equal(record.type, BULK_WANT);
    assert_int_equal(record.list.n, 2);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_OK);
    assert_int_equal(record.type, BULK_SPKI);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_OK);
    assert_int_equal(record.type, BULK_AGE);
    assert_int_equal(record.age_s, 0x01020304);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_OK);
    assert_int_equal(record.type, BULK_BLOCK);
    assert_int_equal(record.block.len, BLOCK_SIGNED_MIN);
    assert_int_equal(record.block.p[304], 0xbb);
    assert_int_equal(bulk_reader_finish(&r), KITH_ERR_TRUNCATED);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_OK);
    assert_int_equal(record.type, BULK_END);
    assert_int_equal(bulk_reader_finish(&r), KITH_OK);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_ERR_NOTFOUND);
    bulk_reader_free(&r);
}

static void unknown_records_are_passed_over_without_memory(void **state)
{
    /* 70,000 bytes of type 99 and none of type 0, then END */
    static uint8_t buf[5 + 70000 + 5 + 5] = {99, 0, 1, 0x11, 0x70};
    struct bulk_record record;
    struct bulk_reader r;
    struct cursor in;

    (void)state;
    buf[5 + 70000 + 5] = BULK_END;
    bulk_reader_init(&r, 16);
    cursor_init(&in, buf, sizeof buf);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_OK);
    assert_int_equal(record.type, BULK_END);
    assert_int_equal(r.unknown, 2);
    assert_int_equal(r.cap, 0);
    assert_int_equal(bulk_reader_finish(&r), KITH_OK);
    bulk_reader_free(&r);
}

static void memory_follows_what_came_and_not_what_was_promised(void **state)
{
    static uint8_t buf[5 + 4096] = {BULK_WANT, 0, 0x0f, 0xff, 0xf0};
    struct bulk_record record;
    struct bulk_reader r;
    struct cursor in;

    (void)state;
    bulk_reader_init(&r, BULK_LIST_MAX);
    cursor_init(&in, buf, sizeof buf);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_ERR_NOTFOUND);
    assert_int_equal(r.got, 4096);
    assert_in_range(r.cap, 4096, 8192);
    bulk_reader_free(&r);
}

static void refuses_what_is_above_the_readers_maximum(void **state)
{
    uint8_t buf[2048];
    struct bulk_record record;
    struct bulk_reader r;
    struct cursor in;

    (void)state;
    cursor_init(&in, buf, every_type(buf, sizeof buf));
    bulk_reader_init(&r, 119); /* HAVE has 120 */
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_ERR_RANGE);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_ERR_RANGE);
    assert_int_equal(bulk_reader_finish(&r), KITH_ERR_RANGE);
    bulk_reader_free(&r);
    cursor_init(&in, buf, sizeof buf);
    bulk_reader_init(&r, 120);
    assert_int_equal(bulk_reader_next(&r, &in, &record), KITH_OK);
    assert_int_equal(r.cap, 120);
    bulk_reader_free(&r);
}

/* The header of a record alone says that it cannot be. */
static int header(uint8_t type, uint32_t len)
{
    uint8_t buf[BULK_HEADER_LEN];
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    writer_u8(&w, type);
    writer_u32(&w, len);
    return decode(buf, sizeof buf);
}

static void refuses_lengths_that_a_type_cannot_have(void **state)
{
    (void)state;
    assert_int_equal(header(BULK_HAVE, 39), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_HAVE, 1048560), KITH_ERR_TRUNCATED);
    assert_int_equal(header(BULK_HAVE, 1048600), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_WANT, 41), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_WANT, UINT32_MAX), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_SPKI, 293), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_SPKI, 295), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_AGE, 3), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_AGE, 5), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_BLOCK, BLOCK_SIGNED_MIN - 1), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_BLOCK, BLOCK_SIGNED_MAX), KITH_ERR_TRUNCATED);
    assert_int_equal(header(BULK_BLOCK, BLOCK_SIGNED_MAX + 1), KITH_ERR_RANGE);
    assert_int_equal(header(BULK_END, 1), KITH_ERR_RANGE);
    assert_int_equal(header(0xee, UINT32_MAX), KITH_ERR_TRUNCATED);
}

static int have(const struct bulk_serial *a, const struct bulk_serial *b,
                enum bulk_type type)
{
    struct bulk_serial list[2] = {*a, *b};
    uint8_t buf[128];
    struct writer w;

    writer_init(&w, buf, sizeof buf);
    bulk_put_list(&w, type, list, 2);
    bulk_put_end(&w);
    return decode(buf, written(&w));
}

static void have_ascends_and_has_real_serials(void **state)
{
    struct bulk_serial zero = {{{9}}, 0}, high = {{{9}}, BLOCK_SERIAL_MAX + 1};

    (void)state;
    assert_int_equal(have(&serials[0], &serials[1], BULK_HAVE), KITH_OK);
    assert_int_equal(have(&serials[1], &serials[0], BULK_HAVE),
                     KITH_ERR_FORMAT);
    assert_int_equal(have(&serials[1], &serials[1], BULK_HAVE),
                     KITH_ERR_FORMAT);
    assert_int_equal(have(&serials[0], &zero, BULK_HAVE), KITH_ERR_RANGE);
    assert_int_equal(have(&serials[0], &high, BULK_HAVE), KITH_ERR_RANGE);
    assert_int_equal(have(&serials[1], &zero, BULK_WANT), KITH_OK);
    assert_int_equal(have(&serials[1], &serials[0], BULK_WANT), KITH_OK);
}

static void refuses_a_key_that_is_not_canonical(void **state)
{
    uint8_t buf[2048];
    size_t len = every_type(buf, sizeof buf);
    size_t at = 5 + 120 + 5 + 80 + 5;

    (void)state;
    assert_int_equal(decode_changed(decode, buf, len, at, 0x31), KITH_ERR_KEY);
    assert_int_equal(decode_changed(decode, buf, len, at + 288, 0xd4),
                     KITH_ERR_KEY);
}

static void empty_lists_are_lists(void **state)
{
    uint8_t buf[16];
    struct writer w;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    bulk_put_list(&w, BULK_HAVE, NULL, 0);
    bulk_put_end(&w);
    assert_int_equal(decode(buf, written(&w)), KITH_OK);
}

static void freeing_twice_is_allowed(void **state)
{
    struct bulk_reader r;

    (void)state;
    bulk_reader_init(&r, 10);
    bulk_reader_free(&r);
    bulk_reader_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_however_it_is_cut),
        cmocka_unit_test(a_body_without_its_end_was_cut),
        cmocka_unit_test(gives_what_the_records_say),
        cmocka_unit_test(unknown_records_are_passed_over_without_memory),
        cmocka_unit_test(memory_follows_what_came_and_not_what_was_promised),
        cmocka_unit_test(refuses_what_is_above_the_readers_maximum),
        cmocka_unit_test(refuses_lengths_that_a_type_cannot_have),
        cmocka_unit_test(have_ascends_and_has_real_serials),
        cmocka_unit_test(refuses_a_key_that_is_not_canonical),
        cmocka_unit_test(empty_lists_are_lists),
        cmocka_unit_test(freeing_twice_is_allowed),
    };

    return cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}
