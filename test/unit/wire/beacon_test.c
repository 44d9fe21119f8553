/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/beacon.h"

#include "unit/wire/samples.h"
#include "wire/datagram.h"

static const struct beacon beacon = {.k = 7,
                                     .tag = {1, 2, 3, 4},
                                     .port = 0x4321,
                                     .nonce = {8, 7, 6, 5, 4, 3, 2}};
static const struct hint hint = {
    .tag = {1, 2, 3, 4}, .port = 0x4321, .nonce = {8, 7, 6, 5, 4, 3, 2}};

static void a_beacon_has_the_bytes_of_the_protocol(void **state)
{
    static const uint8_t want[DGRAM_BEACON_LEN] = {
        1, 1, 7, 0, 1, 2, 3, 4, 0x43, 0x21, 0, 0, 8, 7, 6, 5, 4, 3, 2};
    uint8_t buf[DGRAM_BEACON_LEN];
    struct beacon out;

    (void)state;
    beacon_encode(&beacon, buf);
    assert_memory_equal(buf, want, sizeof want);
    assert_int_equal(beacon_decode(buf, &out), KITH_OK);
    assert_int_equal(out.k, beacon.k);
    assert_memory_equal(out.tag, beacon.tag, sizeof out.tag);
    assert_int_equal(out.port, beacon.port);
    assert_memory_equal(out.nonce, beacon.nonce, sizeof out.nonce);
}

static void a_hint_has_the_bytes_of_the_protocol(void **state)
{
    static const uint8_t want[DGRAM_HINT_LEN] = {
        1, 2, 0, 0, 1, 2, 3, 4, 0x43, 0x21, 0, 0, 8, 7, 6, 5, 4, 3, 2};
    uint8_t buf[DGRAM_HINT_LEN];
    struct hint out;

    (void)state;
    hint_encode(&hint, buf);
    assert_memory_equal(buf, want, sizeof want);
    assert_int_equal(hint_decode(buf, &out), KITH_OK);
    assert_memory_equal(out.tag, hint.tag, sizeof out.tag);
    assert_int_equal(out.port, hint.port);
    assert_memory_equal(out.nonce, hint.nonce, sizeof out.nonce);
}

static void dgram_parse_gives_both(void **state)
{
    uint8_t buf[DGRAM_BEACON_LEN];
    struct dgram d;

    (void)state;
    beacon_encode(&beacon, buf);
    assert_int_equal(dgram_parse(buf, DGRAM_BEACON_LEN, &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_BEACON);
    assert_int_equal(d.beacon.k, 7);
    hint_encode(&hint, buf);
    assert_int_equal(dgram_parse(buf, DGRAM_HINT_LEN, &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_HINT);
    assert_int_equal(d.hint.port, 0x4321);
}

static void port_0_is_refused(void **state)
{
    uint8_t buf[DGRAM_BEACON_LEN];
    struct dgram d;

    (void)state;
    beacon_encode(&beacon, buf);
    buf[8] = buf[9] = 0;
    assert_int_equal(dgram_parse(buf, DGRAM_BEACON_LEN, &d), KITH_ERR_RANGE);
    hint_encode(&hint, buf);
    buf[8] = buf[9] = 0;
    assert_int_equal(dgram_parse(buf, DGRAM_HINT_LEN, &d), KITH_ERR_RANGE);
}

static void what_must_be_zero_is_ignored(void **state)
{
    uint8_t buf[DGRAM_BEACON_LEN];
    struct dgram d;

    (void)state;
    beacon_encode(&beacon, buf);
    buf[3] = buf[10] = buf[23] = 0xff;
    assert_int_equal(dgram_parse(buf, DGRAM_BEACON_LEN, &d), KITH_OK);
    hint_encode(&hint, buf);
    buf[2] = buf[3] = buf[11] = 0xff;
    assert_int_equal(dgram_parse(buf, DGRAM_HINT_LEN, &d), KITH_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_beacon_has_the_bytes_of_the_protocol),
        cmocka_unit_test(a_hint_has_the_bytes_of_the_protocol),
        cmocka_unit_test(dgram_parse_gives_both),
        cmocka_unit_test(port_0_is_refused),
        cmocka_unit_test(what_must_be_zero_is_ignored),
    };

    return cmocka_run_group_tests_name("beacon", tests, NULL, NULL);
}
