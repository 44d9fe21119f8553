/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/cursor.h"
#include "base/error.h"

static const uint8_t input[15] = {0x01, 0x02, 0x03, 0x04, 0x05,
                                  0x06, 0x07, 0x08, 0x09, 0x0a,
                                  0x0b, 0x0c, 0x0d, 0x0e, 0x0f};

static void reads_big_endian(void **state)
{
    struct cursor c;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    (void)state;
    cursor_init(&c, input, sizeof input);
    assert_int_equal(cursor_u8(&c, &u8), KITH_OK);
    assert_int_equal(u8, 0x01);
    assert_int_equal(cursor_u16(&c, &u16), KITH_OK);
    assert_int_equal(u16, 0x0203);
    assert_int_equal(cursor_u32(&c, &u32), KITH_OK);
    assert_int_equal(u32, 0x04050607);
    assert_int_equal(cursor_end(&c), KITH_ERR_TRAILING);
    assert_int_equal(cursor_u64(&c, &u64), KITH_OK);
    assert_true(u64 == 0x08090a0b0c0d0e0f);
    assert_int_equal(cursor_end(&c), KITH_OK);
}

static void reads_all_bits(void **state)
{
    uint8_t ones[8];
    struct cursor c;
    uint64_t u64;

    (void)state;
    memset(ones, 0xff, sizeof ones);
    cursor_init(&c, ones, sizeof ones);
    assert_int_equal(cursor_u64(&c, &u64), KITH_OK);
    assert_true(u64 == UINT64_MAX);
}

/* Tries every way to read more than the `left` bytes that there are. */
static void check_refusals(size_t left)
{
    const struct cursor before = {input, left};
    struct cursor c = before;
    struct cursor sub = {input + 1, 7};
    const uint8_t *p = input + 2;
    uint8_t dst[16] = {0x55};
    uint8_t u8 = 0x55;
    uint16_t u16 = 0x5555;
    uint32_t u32 = 0x55555555;
    uint64_t u64 = 0x5555555555555555;

    if (left < 1)
        assert_int_equal(cursor_u8(&c, &u8), KITH_ERR_TRUNCATED);
    if (left < 2)
        assert_int_equal(cursor_u16(&c, &u16), KITH_ERR_TRUNCATED);
    if (left < 4)
        assert_int_equal(cursor_u32(&c, &u32), KITH_ERR_TRUNCATED);
    assert_int_equal(cursor_u64(&c, &u64), KITH_ERR_TRUNCATED);
    for (size_t n = left + 1; n <= sizeof dst; n++) {
        assert_int_equal(cursor_copy(&c, dst, n), KITH_ERR_TRUNCATED);
        assert_int_equal(cursor_bytes(&c, &p, n), KITH_ERR_TRUNCATED);
        assert_int_equal(cursor_sub(&c, n, &sub), KITH_ERR_TRUNCATED);
        assert_int_equal(cursor_skip(&c, n), KITH_ERR_TRUNCATED);
    }
    assert_int_equal(cursor_skip(&c, SIZE_MAX), KITH_ERR_TRUNCATED);
    assert_ptr_equal(c.p, before.p);
    assert_int_equal(c.left, before.left);
    assert_ptr_equal(sub.p, input + 1);
    assert_int_equal(sub.left, 7);
    assert_ptr_equal(p, input + 2);
    assert_int_equal(dst[0], 0x55);
    assert_int_equal(u8, 0x55);
    assert_int_equal(u16, 0x5555);
    assert_int_equal(u32, 0x55555555);
    assert_true(u64 == 0x5555555555555555);
}

static void a_failure_changes_nothing(void **state)
{
    (void)state;
    for (size_t left = 0; left < 8; left++)
        check_refusals(left);
}

static void takes_pieces(void **state)
{
    struct cursor c;
    struct cursor sub;
    const uint8_t *p;
    uint8_t dst[4];
    uint8_t u8;

    (void)state;
    cursor_init(&c, input, sizeof input);
    assert_int_equal(cursor_copy(&c, dst, sizeof dst), KITH_OK);
    assert_memory_equal(dst, input, sizeof dst);
    assert_int_equal(cursor_bytes(&c, &p, 3), KITH_OK);
    assert_ptr_equal(p, input + 4);
    assert_int_equal(cursor_sub(&c, 2, &sub), KITH_OK);
    assert_int_equal(cursor_skip(&c, 5), KITH_OK);
    assert_int_equal(cursor_u8(&c, &u8), KITH_OK);
    assert_int_equal(u8, 0x0f);
    assert_int_equal(cursor_end(&c), KITH_OK);

    assert_int_equal(cursor_u8(&sub, &u8), KITH_OK);
    assert_int_equal(u8, 0x08);
    assert_int_equal(cursor_skip(&sub, 2), KITH_ERR_TRUNCATED);
    assert_int_equal(cursor_skip(&sub, 1), KITH_OK);
    assert_int_equal(cursor_end(&sub), KITH_OK);
}

static void nothing_can_be_read_from_nothing(void **state)
{
    struct cursor c;
    struct cursor sub;
    const uint8_t *p;
    uint8_t u8;

    (void)state;
    cursor_init(&c, NULL, 0);
    assert_int_equal(cursor_end(&c), KITH_OK);
    assert_int_equal(cursor_copy(&c, NULL, 0), KITH_OK);
    assert_int_equal(cursor_bytes(&c, &p, 0), KITH_OK);
    assert_int_equal(cursor_sub(&c, 0, &sub), KITH_OK);
    assert_int_equal(cursor_end(&sub), KITH_OK);
    assert_int_equal(cursor_skip(&c, 0), KITH_OK);
    assert_int_equal(cursor_u8(&c, &u8), KITH_ERR_TRUNCATED);
}

static void writes_what_is_read(void **state)
{
    uint8_t buf[sizeof input + 3];
    struct writer w;
    size_t len = 0;

    (void)state;
    memset(buf, 0xff, sizeof buf);
    writer_init(&w, buf, sizeof buf);
    writer_u8(&w, 0x01);
    writer_u16(&w, 0x0203);
    writer_u32(&w, 0x04050607);
    writer_u64(&w, 0x08090a0b0c0d0e0f);
    assert_int_equal(writer_room(&w), 3);
    writer_zeros(&w, 2);
    writer_bytes(&w, input, 1);
    assert_int_equal(writer_room(&w), 0);
    assert_int_equal(writer_finish(&w, &len), KITH_OK);
    assert_int_equal(len, sizeof buf);
    assert_memory_equal(buf, input, sizeof input);
    assert_memory_equal(buf + sizeof input, "\0\0\1", 3);
}

static void write_one(struct writer *w, size_t kind)
{
    switch (kind) {
    case 0:
        writer_u8(w, 0x11);
        break;
    case 1:
        writer_u16(w, 0x1111);
        break;
    case 2:
        writer_u32(w, 0x11111111);
        break;
    case 3:
        writer_u64(w, 0x1111111111111111);
        break;
    case 4:
        writer_bytes(w, input, 5);
        break;
    case 5:
        writer_zeros(w, 5);
        break;
    case 6:
        writer_reserve_u16(w);
        break;
    default:
        writer_reserve_u32(w);
        break;
    }
}

static void what_does_not_fit_is_not_written(void **state)
{
    static const size_t sizes[] = {1, 2, 4, 8, 5, 5, 2, 4};

    (void)state;
    for (size_t kind = 0; kind < 8; kind++) {
        for (size_t cap = 0; cap < sizes[kind]; cap++) {
            uint8_t buf[16];
            struct writer w;
            size_t len = 77;

            memset(buf, 0xee, sizeof buf);
            writer_init(&w, buf, cap);
            write_one(&w, kind);
            assert_true(w.overflow);
            assert_int_equal(writer_room(&w), 0);
            assert_int_equal(writer_finish(&w, &len), KITH_ERR_FULL);
            assert_int_equal(len, 77);
            for (size_t i = 0; i < sizeof buf; i++)
                assert_int_equal(buf[i], 0xee);
        }
    }
}

static void nothing_is_written_after_an_overflow(void **state)
{
    uint8_t buf[4] = {0};
    struct writer w;
    size_t len;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    writer_u8(&w, 1);
    writer_u32(&w, UINT32_MAX);
    writer_u8(&w, 2);
    writer_bytes(&w, input, SIZE_MAX);
    writer_zeros(&w, SIZE_MAX);
    assert_memory_equal(buf, "\1\0\0\0", 4);
    assert_int_equal(writer_finish(&w, &len), KITH_ERR_FULL);
}

static void writes_nothing_into_nothing(void **state)
{
    struct writer w;
    size_t len = 77;

    (void)state;
    writer_init(&w, NULL, 0);
    writer_bytes(&w, NULL, 0);
    writer_zeros(&w, 0);
    assert_int_equal(writer_finish(&w, &len), KITH_OK);
    assert_int_equal(len, 0);
    writer_u8(&w, 1);
    assert_int_equal(writer_finish(&w, &len), KITH_ERR_FULL);
}

static void lengths_are_patched(void **state)
{
    uint8_t buf[16];
    struct writer w;
    size_t outer;
    size_t inner;
    size_t len;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    outer = writer_reserve_u32(&w);
    writer_u8(&w, 0xaa);
    inner = writer_reserve_u16(&w);
    writer_bytes(&w, input, 3);
    writer_patch_u16(&w, inner, w.len - inner - sizeof(uint16_t));
    writer_patch_u32(&w, outer, w.len - outer - sizeof(uint32_t));
    assert_int_equal(writer_finish(&w, &len), KITH_OK);
    assert_int_equal(len, 10);
    assert_memory_equal(buf, "\0\0\0\6\xaa\0\3\1\2\3", 10);
}

static void a_length_too_large_for_its_field_is_an_overflow(void **state)
{
    uint8_t buf[4];
    struct writer w;
    size_t at;
    size_t len;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    at = writer_reserve_u16(&w);
    writer_patch_u16(&w, at, UINT16_MAX);
    assert_int_equal(writer_finish(&w, &len), KITH_OK);
    writer_patch_u16(&w, at, UINT16_MAX + 1);
    assert_int_equal(writer_finish(&w, &len), KITH_ERR_FULL);

    writer_init(&w, buf, sizeof buf);
    at = writer_reserve_u32(&w);
    writer_patch_u32(&w, at, UINT32_MAX);
    assert_memory_equal(buf, "\xff\xff\xff\xff", 4);
    assert_int_equal(writer_finish(&w, &len), KITH_OK);
    writer_patch_u32(&w, at, SIZE_MAX);
    assert_int_equal(writer_finish(&w, &len), KITH_ERR_FULL);
}

static void patching_after_an_overflow_does_nothing(void **state)
{
    uint8_t buf[3] = {0};
    struct writer w;
    size_t at;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    at = writer_reserve_u16(&w);
    writer_u16(&w, 1);
    writer_patch_u16(&w, at, 7);
    writer_patch_u16(&w, writer_reserve_u16(&w), 7);
    writer_patch_u32(&w, writer_reserve_u32(&w), 7);
    assert_memory_equal(buf, "\0\0\0", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_big_endian),
        cmocka_unit_test(reads_all_bits),
        cmocka_unit_test(a_failure_changes_nothing),
        cmocka_unit_test(takes_pieces),
        cmocka_unit_test(nothing_can_be_read_from_nothing),
        cmocka_unit_test(writes_what_is_read),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(nothing_is_written_after_an_overflow),
        cmocka_unit_test(writes_nothing_into_nothing),
        cmocka_unit_test(lengths_are_patched),
        cmocka_unit_test(a_length_too_large_for_its_field_is_an_overflow),
        cmocka_unit_test(patching_after_an_overflow_does_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
