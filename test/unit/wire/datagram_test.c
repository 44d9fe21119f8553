/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/datagram.h"

#include "unit/wire/samples.h"

static int parse(const uint8_t *p, size_t n)
{
    struct dgram d;

    return dgram_parse(p, n, &d);
}

/* A datagram of that type and length, the rest of it counting up. */
static const uint8_t *sample(uint8_t type, size_t len)
{
    static uint8_t buf[DGRAM_MAX + 64];

    assert_true(len <= sizeof buf);
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (uint8_t)i;
    buf[0] = PROTOCOL_MAJOR;
    buf[1] = type;
    return buf;
}

/* Every length from 0 to beyond the maximum, for every type. */
static void lengths_are_exact(void **state)
{
    (void)state;
    for (size_t len = 2; len <= DGRAM_MAX + 32; len++) {
        bool request = len >= 88 && len <= 1200 && (len - 72) % 16 == 0;
        bool answer = len >= 80 && len <= 1200 && (len - 48) % 16 == 0;

        assert_int_equal(parse(sample(DGRAM_BEACON, len), len),
                         len == 24 ? KITH_OK : KITH_ERR_RANGE);
        assert_int_equal(parse(sample(DGRAM_HINT, len), len),
                         len == 20 ? KITH_OK : KITH_ERR_RANGE);
        assert_int_equal(parse(sample(DGRAM_REQUEST, len), len),
                         request ? KITH_OK : KITH_ERR_RANGE);
        assert_int_equal(parse(sample(DGRAM_ANSWER, len), len),
                         answer ? KITH_OK : KITH_ERR_RANGE);
        assert_int_equal(parse(sample(DGRAM_RESET, len), len),
                         len == 28 ? KITH_OK : KITH_ERR_RANGE);
    }
}

static void refuses_every_cut_of_each_type(void **state)
{
    (void)state;
    refuses_every_cut(parse, sample(DGRAM_BEACON, 24), 24);
    refuses_every_cut(parse, sample(DGRAM_HINT, 20), 20);
    refuses_every_cut(parse, sample(DGRAM_REQUEST, 88), 88);
    refuses_every_cut(parse, sample(DGRAM_ANSWER, 80), 80);
    refuses_every_cut(parse, sample(DGRAM_RESET, 28), 28);
    assert_int_equal(parse(NULL, 0), KITH_ERR_TRUNCATED);
}

static void refuses_other_versions_and_types(void **state)
{
    uint8_t buf[88] = {2, DGRAM_REQUEST};

    (void)state;
    assert_int_equal(parse(buf, sizeof buf), KITH_ERR_VERSION);
    buf[0] = 0;
    assert_int_equal(parse(buf, sizeof buf), KITH_ERR_VERSION);
    for (unsigned type = 0; type < 256; type++) {
        int err = parse(sample((uint8_t)type, 30), 30);

        assert_int_equal(err, type >= 1 && type <= 5 ? KITH_ERR_RANGE
                                                     : KITH_ERR_TYPE);
    }
}

static void views_point_at_the_fields(void **state)
{
    const uint8_t *p = sample(DGRAM_REQUEST, 88);
    struct dgram d;

    (void)state;
    assert_int_equal(dgram_parse(p, 88, &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_REQUEST);
    assert_ptr_equal(d.request.epoch, p + 4);
    assert_ptr_equal(d.request.ticket, p + 8);
    assert_ptr_equal(d.request.iv, p + 40);
    p = sample(DGRAM_ANSWER, 80);
    assert_int_equal(dgram_parse(p, 80, &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_ANSWER);
    assert_ptr_equal(d.answer.request_id, p + 4);
    assert_ptr_equal(d.answer.iv, p + 16);
    p = sample(DGRAM_RESET, 28);
    assert_int_equal(dgram_parse(p, 28, &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_RESET);
    assert_ptr_equal(d.reset.request_id, p + 4);
    assert_ptr_equal(d.reset.token, p + 12);
}

static void a_reset_comes_back_as_it_was(void **state)
{
    const uint8_t id[] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t token[DGRAM_RESET_TOKEN_LEN], buf[DGRAM_RESET_LEN];
    struct dgram d;

    (void)state;
    memset(token, 0x77, sizeof token);
    reset_encode(id, token, buf);
    assert_int_equal(dgram_parse(buf, sizeof buf, &d), KITH_OK);
    assert_memory_equal(buf, ((uint8_t[]){1, 5, 0, 0}), 4);
    assert_memory_equal(d.reset.request_id, id, sizeof id);
    assert_memory_equal(d.reset.token, token, sizeof token);
}

static void what_must_be_zero_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(
        decode_changed(parse, sample(DGRAM_REQUEST, 88), 88, 2, 0xff), KITH_OK);
    assert_int_equal(
        decode_changed(parse, sample(DGRAM_ANSWER, 80), 80, 12, 0xff), KITH_OK);
    assert_int_equal(
        decode_changed(parse, sample(DGRAM_RESET, 28), 28, 3, 0xff), KITH_OK);
}

static void an_error_leaves_the_result_alone(void **state)
{
    struct dgram d = {.type = DGRAM_RESET};
    const uint8_t *p = sample(DGRAM_BEACON, 24);

    (void)state;
    assert_int_equal(dgram_parse(p, 23, &d), KITH_ERR_RANGE);
    assert_int_equal(d.type, DGRAM_RESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_exact),
        cmocka_unit_test(refuses_every_cut_of_each_type),
        cmocka_unit_test(refuses_other_versions_and_types),
        cmocka_unit_test(views_point_at_the_fields),
        cmocka_unit_test(a_reset_comes_back_as_it_was),
        cmocka_unit_test(what_must_be_zero_is_ignored),
        cmocka_unit_test(an_error_leaves_the_result_alone),
    };

    return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}
