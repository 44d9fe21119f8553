/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/seal.h"

#include "unit/wire/samples.h"
#include "wire/datagram.h"

static const struct session_keys keys = {{1}, {2}, {3}, {4}};
static const struct seal_ticket ticket = {{9, 8, 7, 6}, {5, 4, 3}};
static const uint8_t request_iv[DGRAM_IV_LEN] = {0x11, 0x22, [15] = 0x33};
static const uint8_t answer_iv[DGRAM_IV_LEN] = {0x44, 0x55, [15] = 0x66};

/* Items enough for any datagram. */
static const uint8_t *items(void)
{
    static uint8_t buf[DGRAM_MAX];

    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (uint8_t)(i % 251);
    return buf;
}

static int make(void **state)
{
    *state = cipher_new();
    return *state != NULL ? 0 : -1;
}

static int unmake(void **state)
{
    cipher_free(*state);
    return 0;
}

static size_t request(struct cipher *c, size_t n, uint8_t out[DGRAM_MAX])
{
    size_t len = 0;

    assert_int_equal(seal_request(c, &keys, &ticket, request_iv, items(), n,
                                  out, DGRAM_MAX, &len),
                     KITH_OK);
    return len;
}

static size_t answer(struct cipher *c, size_t n, uint8_t out[DGRAM_MAX])
{
    size_t len = 0;

    assert_int_equal(seal_answer(c, &keys, request_iv, answer_iv, items(), n,
                                 out, DGRAM_MAX, &len),
                     KITH_OK);
    return len;
}

static void requests_of_every_length_come_back(void **state)
{
    uint8_t dgram[DGRAM_MAX], plain[DGRAM_MAX];

    for (size_t n = 0; n <= REQUEST_ITEMS_MAX; n++) {
        size_t len = request(*state, n, dgram);
        size_t got = 0;

        assert_int_equal(len, seal_request_len(n));
        assert_true(len <= DGRAM_MAX);
        assert_int_equal(seal_open_request(*state, &keys, dgram, len, plain,
                                           sizeof plain, &got),
                         KITH_OK);
        assert_int_equal(got, n);
        assert_memory_equal(plain, items(), n);
    }
}

static void answers_of_every_length_come_back(void **state)
{
    uint8_t dgram[DGRAM_MAX], plain[DGRAM_MAX];

    for (size_t n = 0; n <= ANSWER_ITEMS_MAX; n++) {
        size_t len = answer(*state, n, dgram);
        size_t got = 0;

        assert_int_equal(len, seal_answer_len(n));
        assert_true(len <= DGRAM_MAX);
        assert_int_equal(seal_open_answer(*state, &keys, request_iv, dgram, len,
                                          plain, sizeof plain, &got),
                         KITH_OK);
        assert_int_equal(got, n);
        assert_memory_equal(plain, items(), n);
    }
}

static void the_clear_part_is_that_of_the_protocol(void **state)
{
    uint8_t dgram[DGRAM_MAX];
    struct dgram d;

    assert_int_equal(dgram_parse(dgram, request(*state, 0, dgram), &d),
                     KITH_OK);
    assert_int_equal(d.type, DGRAM_REQUEST);
    assert_memory_equal(d.request.epoch, ticket.epoch, DGRAM_EPOCH_LEN);
    assert_memory_equal(d.request.ticket, ticket.ticket, DGRAM_TICKET_LEN);
    assert_memory_equal(d.request.iv, request_iv, DGRAM_IV_LEN);
    assert_int_equal(dgram_parse(dgram, answer(*state, 0, dgram), &d), KITH_OK);
    assert_int_equal(d.type, DGRAM_ANSWER);
    assert_memory_equal(d.answer.request_id, request_iv, DGRAM_REQUEST_ID_LEN);
    assert_memory_equal(d.answer.iv, answer_iv, DGRAM_IV_LEN);
}

static void every_bit_of_a_request_counts(void **state)
{
    uint8_t dgram[DGRAM_MAX], plain[DGRAM_MAX];
    size_t len = request(*state, 5, dgram);
    size_t got = 99;

    for (size_t bit = 16; bit < 8 * len; bit++) {
        dgram[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(seal_open_request(*state, &keys, dgram, len, plain,
                                           sizeof plain, &got),
                         KITH_ERR_AUTH);
        dgram[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(got, 99);
}

static void every_bit_of_an_answer_counts(void **state)
{
    uint8_t dgram[DGRAM_MAX], plain[DGRAM_MAX];
    size_t len = answer(*state, 5, dgram);
    size_t got = 99;

    for (size_t bit = 16; bit < 8 * len; bit++) {
        bool names_request = bit >= 32 && bit < 96;

        dgram[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(seal_open_answer(*state, &keys, request_iv, dgram, len,
                                          plain, sizeof plain, &got),
                         names_request ? KITH_ERR_UNWANTED : KITH_ERR_AUTH);
        dgram[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(got, 99);
}

static void every_cut_is_refused(void **state)
{
    uint8_t req[DGRAM_MAX], ans[DGRAM_MAX], plain[DGRAM_MAX];
    size_t req_len = request(*state, 100, req);
    size_t ans_len = answer(*state, 100, ans);
    size_t got;

    for (size_t n = 0; n < req_len; n++)
        assert_int_not_equal(
            seal_open_request(*state, &keys, req, n, plain, sizeof plain, &got),
            KITH_OK);
    for (size_t n = 0; n < ans_len; n++)
        assert_int_not_equal(seal_open_answer(*state, &keys, request_iv, ans, n,
                                              plain, sizeof plain, &got),
                             KITH_OK);
}

static void the_directions_do_not_mix(void **state)
{
    struct session_keys turned = {{3}, {4}, {1}, {2}};
    uint8_t req[DGRAM_MAX], ans[DGRAM_MAX], plain[DGRAM_MAX];
    size_t req_len = request(*state, 100, req);
    size_t ans_len = answer(*state, 100, ans);
    size_t got;

    assert_int_equal(seal_open_request(*state, &turned, req, req_len, plain,
                                       sizeof plain, &got),
                     KITH_ERR_AUTH);
    assert_int_equal(seal_open_answer(*state, &turned, request_iv, ans, ans_len,
                                      plain, sizeof plain, &got),
                     KITH_ERR_AUTH);
    assert_int_equal(seal_open_request(*state, &keys, ans, ans_len, plain,
                                       sizeof plain, &got),
                     KITH_ERR_TYPE);
    assert_int_equal(seal_open_answer(*state, &keys, request_iv, req, req_len,
                                      plain, sizeof plain, &got),
                     KITH_ERR_TYPE);
}

/* Two requests whose IVs begin alike: the sealed IV tells them apart. */
static void an_answer_belongs_to_one_request(void **state)
{
    uint8_t dgram[DGRAM_MAX], plain[DGRAM_MAX], other[DGRAM_IV_LEN];
    size_t len = answer(*state, 5, dgram);
    size_t got;

    memcpy(other, request_iv, sizeof other);
    other[8] ^= 1;
    assert_int_equal(seal_open_answer(*state, &keys, other, dgram, len, plain,
                                      sizeof plain, &got),
                     KITH_ERR_AUTH);
    other[0] ^= 1;
    assert_int_equal(seal_open_answer(*state, &keys, other, dgram, len, plain,
                                      sizeof plain, &got),
                     KITH_ERR_UNWANTED);
}

/* A peer that holds the keys but seals fewer than 16 bytes. */
static void an_answer_without_a_sealed_iv_is_refused(void **state)
{
    struct cipher *c = *state;
    uint8_t dgram[DGRAM_MAX], plain[DGRAM_MAX];
    size_t sealed = 0, got;

    answer(c, 0, dgram);
    assert_int_equal(cipher_set_encrypt(c, keys.b2a_enc), KITH_OK);
    assert_int_equal(cipher_set_mac(c, keys.b2a_mac), KITH_OK);
    assert_int_equal(cipher_encrypt(c, answer_iv, request_iv, 15,
                                    dgram + DGRAM_ANSWER_HEAD, 16, &sealed),
                     KITH_OK);
    assert_int_equal(cipher_mac(c, dgram, DGRAM_ANSWER_HEAD + 16,
                                dgram + DGRAM_ANSWER_HEAD + 16),
                     KITH_OK);
    assert_int_equal(seal_open_answer(c, &keys, request_iv, dgram,
                                      DGRAM_ANSWER_HEAD + 32, plain,
                                      sizeof plain, &got),
                     KITH_ERR_RANGE);
}

static void too_much_and_too_little_room_are_errors(void **state)
{
    uint8_t dgram[DGRAM_MAX + 64], plain[DGRAM_MAX];
    size_t len = 99, n = 0;

    assert_int_equal(seal_request(*state, &keys, &ticket, request_iv, items(),
                                  REQUEST_ITEMS_MAX + 1, dgram, sizeof dgram,
                                  &len),
                     KITH_ERR_RANGE);
    assert_int_equal(seal_answer(*state, &keys, request_iv, answer_iv, items(),
                                 ANSWER_ITEMS_MAX + 1, dgram, sizeof dgram,
                                 &len),
                     KITH_ERR_RANGE);
    assert_int_equal(seal_request(*state, &keys, &ticket, request_iv, items(),
                                  16, dgram, seal_request_len(16) - 1, &len),
                     KITH_ERR_FULL);
    assert_int_equal(seal_answer(*state, &keys, request_iv, answer_iv, items(),
                                 16, dgram, seal_answer_len(16) - 1, &len),
                     KITH_ERR_FULL);
    assert_int_equal(len, 99);
    len = request(*state, 16, dgram);
    assert_int_equal(
        seal_open_request(*state, &keys, dgram, len, plain, 31, &n),
        KITH_ERR_FULL);
    assert_int_equal(
        seal_open_request(*state, &keys, dgram, len, plain, 32, &n), KITH_OK);
}

static void no_items_need_no_pointer(void **state)
{
    uint8_t dgram[DGRAM_MAX];
    size_t len = 0;

    assert_int_equal(seal_request(*state, &keys, &ticket, request_iv, NULL, 0,
                                  dgram, sizeof dgram, &len),
                     KITH_OK);
    assert_int_equal(len, DGRAM_REQUEST_MIN);
    assert_int_equal(seal_answer(*state, &keys, request_iv, answer_iv, NULL, 0,
                                 dgram, sizeof dgram, &len),
                     KITH_OK);
    assert_int_equal(len, DGRAM_ANSWER_MIN);
}

/* As much as fits, and not a byte more. */
static void the_room_of_an_answer_is_exact(void **state)
{
    (void)state;
    for (size_t n = 0; n <= REQUEST_ITEMS_MAX; n++) {
        size_t len = seal_request_len(n);
        size_t room = seal_answer_room(len);

        assert_true(seal_answer_len(room) <= len);
        assert_true(seal_answer_len(room + 1) > len);
        assert_true(room >= n);
    }
    assert_int_equal(seal_answer_room(DGRAM_MAX), ANSWER_ITEMS_MAX);
    assert_int_equal(seal_answer_room(DGRAM_REQUEST_MIN), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_every_length_come_back),
        cmocka_unit_test(answers_of_every_length_come_back),
        cmocka_unit_test(the_clear_part_is_that_of_the_protocol),
        cmocka_unit_test(every_bit_of_a_request_counts),
        cmocka_unit_test(every_bit_of_an_answer_counts),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(the_directions_do_not_mix),
        cmocka_unit_test(an_answer_belongs_to_one_request),
        cmocka_unit_test(an_answer_without_a_sealed_iv_is_refused),
        cmocka_unit_test(too_much_and_too_little_room_are_errors),
        cmocka_unit_test(no_items_need_no_pointer),
        cmocka_unit_test(the_room_of_an_answer_is_exact),
    };

    return cmocka_run_group_tests_name("seal", tests, make, unmake);
}
