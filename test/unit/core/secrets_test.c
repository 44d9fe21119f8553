/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/prng.h"
#include "core/secrets.h"

static const struct now start = {.mono = {5000000000},
                                 .unix_ms = 1700000000000};

static void top_up(struct entropy *e)
{
    uint8_t bytes[ENTROPY_SIZE];
    struct prng p;

    prng_seed(&p, 7);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)prng_u64(&p);
    entropy_add(e, bytes, sizeof bytes);
}

static struct node_id id_of(uint8_t byte)
{
    struct node_id id;

    memset(id.b, byte, sizeof id.b);
    return id;
}

static struct now after_s(uint64_t s)
{
    struct now now = start;

    now.mono.us += s * 1000000;
    now.unix_ms += s * 1000;
    return now;
}

/* -- the vault -- */

static void test_round_trip(void **state)
{
    struct entropy entropy = {.left = 0};
    struct secrets s, got = {.reserved = 1};
    uint8_t image[VAULT_LEN], again[VAULT_LEN];

    (void)state;
    top_up(&entropy);
    secrets_make(&s, &start, &entropy);
    s.reserved = 1700000600000;
    secrets_encode(&s, image);
    assert_int_equal(secrets_decode(&got, &start, image, sizeof image),
                     KITH_OK);
    assert_true(got.current.valid);
    assert_false(got.previous.valid);
    assert_int_equal(got.reserved, s.reserved);
    secrets_encode(&got, again);
    assert_memory_equal(again, image, sizeof image);

    secrets_rotate(&s, &start, &entropy);
    secrets_encode(&s, image);
    assert_int_equal(secrets_decode(&got, &start, image, sizeof image),
                     KITH_OK);
    assert_true(got.previous.valid);
    secrets_encode(&got, again);
    assert_memory_equal(again, image, sizeof image);
}

/* What is refused changes nothing. */
static void test_refused(void **state)
{
    struct entropy entropy = {.left = 0};
    struct secrets s, before;
    uint8_t image[VAULT_LEN + 1], bad[VAULT_LEN + 1] = {0};

    (void)state;
    top_up(&entropy);
    secrets_make(&s, &start, &entropy);
    secrets_encode(&s, image);
    before = s;
    for (size_t n = 0; n < VAULT_LEN; n++)
        assert_int_equal(secrets_decode(&s, &start, image, n), KITH_ERR_FORMAT);
    assert_int_equal(secrets_decode(&s, &start, image, VAULT_LEN + 1),
                     KITH_ERR_FORMAT);
    memcpy(bad, image, VAULT_LEN);
    bad[0] = 2;
    assert_int_equal(secrets_decode(&s, &start, bad, VAULT_LEN),
                     KITH_ERR_NEWER);
    assert_int_equal(secrets_decode(&s, &start, bad, 1), KITH_ERR_NEWER);
    bad[0] = 0;
    assert_int_equal(secrets_decode(&s, &start, bad, VAULT_LEN),
                     KITH_ERR_FORMAT);
    memcpy(bad, image, VAULT_LEN);
    for (uint8_t epochs = 0; epochs < 5; epochs += 3) {
        bad[1] = epochs;
        assert_int_equal(secrets_decode(&s, &start, bad, VAULT_LEN),
                         KITH_ERR_FORMAT);
    }
    memcpy(bad, image, VAULT_LEN);
    bad[VAULT_LEN - 8] = 0x80; /* a serial that no block may have */
    assert_int_equal(secrets_decode(&s, &start, bad, VAULT_LEN),
                     KITH_ERR_FORMAT);
    assert_memory_equal(&s, &before, sizeof s);
}

/* A restart makes an epoch no younger than the clocks can tell. */
static void test_age_over_restart(void **state)
{
    struct entropy entropy = {.left = 0};
    struct secrets s;
    uint8_t image[VAULT_LEN];
    struct now later = after_s(3600), booted = {.mono = {60000000}}, back;

    (void)state;
    top_up(&entropy);
    secrets_make(&s, &start, &entropy);
    secrets_encode(&s, image);

    assert_int_equal(secrets_decode(&s, &later, image, sizeof image), KITH_OK);
    assert_int_equal(s.current.begun.us, start.mono.us);
    assert_int_equal(secrets_deadline(&s).us,
                     start.mono.us + EPOCH_LIFE_S * 1000000ull);

    /* the machine booted again: no further back than its beginning */
    booted.unix_ms = later.unix_ms;
    assert_int_equal(secrets_decode(&s, &booted, image, sizeof image), KITH_OK);
    assert_int_equal(s.current.begun.us, 0);

    /* the wall clock stepped back: as if it had begun now */
    back = later;
    back.unix_ms = 0;
    assert_int_equal(secrets_decode(&s, &back, image, sizeof image), KITH_OK);
    assert_int_equal(s.current.begun.us, back.mono.us);
}

/* -- epochs -- */

static void test_epochs(void **state)
{
    struct entropy entropy = {.left = 0};
    struct secrets s, empty = {.reserved = 0};
    uint8_t first[DGRAM_EPOCH_LEN], secret[32], zeros[DGRAM_EPOCH_LEN] = {0};
    struct now day = after_s(EPOCH_LIFE_S);

    (void)state;
    assert_null(secrets_epoch(&empty, zeros));
    top_up(&entropy);
    secrets_make(&s, &start, &entropy);
    memcpy(first, s.current.name, sizeof first);
    memcpy(secret, s.current.secret, sizeof secret);
    assert_ptr_equal(secrets_epoch(&s, first), &s.current);
    assert_null(secrets_epoch(&s, zeros)); /* the previous one is not valid */

    secrets_rotate(&s, &day, &entropy);
    assert_ptr_equal(secrets_epoch(&s, first), &s.previous);
    assert_memory_equal(s.previous.secret, secret, sizeof secret);
    assert_ptr_equal(secrets_epoch(&s, s.current.name), &s.current);
    assert_int_equal(s.current.begun.us, day.mono.us);
    assert_int_equal(secrets_deadline(&s).us,
                     day.mono.us + EPOCH_LIFE_S * 1000000ull);

    secrets_rotate(&s, &day, &entropy);
    assert_null(secrets_epoch(&s, first));
    for (size_t i = 0; i + sizeof secret <= sizeof s; i++)
        assert_memory_not_equal((const uint8_t *)&s + i, secret, sizeof secret);
    secrets_wipe(&s);
    assert_memory_equal(&s, &empty, sizeof s);
}

/* -- what sessions are made of -- */

struct tools {
    struct entropy entropy;
    struct secrets s;
    struct kdf *kdf;
    struct cipher *cipher;
};

static void tools_init(struct tools *t)
{
    t->entropy.left = 0;
    top_up(&t->entropy);
    secrets_make(&t->s, &start, &t->entropy);
    t->kdf = kdf_new();
    t->cipher = cipher_new();
    assert_non_null(t->kdf);
    assert_non_null(t->cipher);
    assert_int_equal(cipher_set_ticket_key(t->cipher, t->s.ticket_key),
                     KITH_OK);
}

static void tools_free(struct tools *t)
{
    kdf_free(t->kdf);
    cipher_free(t->cipher);
    secrets_wipe(&t->s);
}

static struct grant grant_of(struct tools *t, uint8_t who, struct now now)
{
    struct node_id a = id_of(who);
    struct grant g;

    memset(&g, 0, sizeof g);
    assert_int_equal(secrets_grant(&t->s, &now, t->kdf, t->cipher, &a, &g),
                     KITH_OK);
    return g;
}

static void test_grant(void **state)
{
    struct tools t;
    struct grant g, same, other;
    struct node_id a = id_of(1), opened;
    uint8_t k[32];
    uint32_t epoch;

    (void)state;
    tools_init(&t);
    g = grant_of(&t, 1, start);
    assert_memory_equal(g.epoch, t.s.current.name, sizeof g.epoch);
    assert_int_equal(kdf_session_key(t.kdf, t.s.current.secret, &a, k),
                     KITH_OK);
    assert_memory_equal(g.key, k, sizeof k);
    epoch = (uint32_t)g.epoch[0] << 24 | (uint32_t)g.epoch[1] << 16 |
            (uint32_t)g.epoch[2] << 8 | g.epoch[3];
    assert_int_equal(cipher_ticket_open(t.cipher, epoch, g.ticket, &opened),
                     KITH_OK);
    assert_memory_equal(opened.b, a.b, sizeof a.b);

    /* the same for the same node within an epoch: B keeps nothing */
    same = grant_of(&t, 1, after_s(100));
    assert_memory_equal(same.key, g.key, sizeof g.key);
    assert_memory_equal(same.ticket, g.ticket, sizeof g.ticket);
    assert_memory_equal(same.reset, g.reset, sizeof g.reset);
    other = grant_of(&t, 2, start);
    assert_memory_not_equal(other.key, g.key, sizeof g.key);
    assert_memory_not_equal(other.ticket, g.ticket, sizeof g.ticket);
    assert_memory_not_equal(other.reset, g.reset, sizeof g.reset);

    secrets_rotate(&t.s, &start, &t.entropy);
    other = grant_of(&t, 1, start);
    assert_memory_not_equal(other.key, g.key, sizeof g.key);
    assert_memory_not_equal(other.epoch, g.epoch, sizeof g.epoch);
    assert_memory_not_equal(other.ticket, g.ticket, sizeof g.ticket);
    assert_memory_not_equal(other.reset, g.reset, sizeof g.reset);
    tools_free(&t);
}

/* A makes a new session in the second half of what is left, and B knows the
 * epoch for all of it: that it is the current and then the previous. */
static void test_grant_times(void **state)
{
    struct tools t;
    struct grant g;

    (void)state;
    tools_init(&t);
    g = grant_of(&t, 1, start);
    assert_int_equal(g.renew_after_s, EPOCH_LIFE_S);
    assert_int_equal(g.valid_for_s, 2 * EPOCH_LIFE_S);
    g = grant_of(&t, 1, after_s(EPOCH_LIFE_S - 1));
    assert_int_equal(g.renew_after_s, 1);
    assert_int_equal(g.valid_for_s, EPOCH_LIFE_S + 1);
    g = grant_of(&t, 1, after_s(10ull * EPOCH_LIFE_S)); /* rotated too late */
    assert_int_equal(g.renew_after_s, 0);
    assert_int_equal(g.valid_for_s, EPOCH_LIFE_S);
    tools_free(&t);
}

static void test_reset_token(void **state)
{
    struct tools t;
    uint8_t ticket[DGRAM_TICKET_LEN] = {1}, epoch[DGRAM_EPOCH_LEN] = {2};
    uint8_t token[DGRAM_RESET_TOKEN_LEN], other[DGRAM_RESET_TOKEN_LEN];
    struct grant g;

    (void)state;
    tools_init(&t);
    g = grant_of(&t, 1, start);
    assert_int_equal(secrets_reset_token(&t.s, t.kdf, g.ticket, g.epoch, token),
                     KITH_OK);
    assert_memory_equal(token, g.reset, sizeof token);

    assert_int_equal(secrets_reset_token(&t.s, t.kdf, ticket, epoch, token),
                     KITH_OK);
    for (size_t i = 0; i < sizeof ticket; i++) {
        ticket[i] ^= 0x10;
        assert_int_equal(secrets_reset_token(&t.s, t.kdf, ticket, epoch, other),
                         KITH_OK);
        assert_memory_not_equal(token, other, sizeof token);
        ticket[i] ^= 0x10;
    }
    for (size_t i = 0; i < sizeof epoch; i++) {
        epoch[i] ^= 1;
        assert_int_equal(secrets_reset_token(&t.s, t.kdf, ticket, epoch, other),
                         KITH_OK);
        assert_memory_not_equal(token, other, sizeof token);
        epoch[i] ^= 1;
    }
    /* whatever the epoch now is: the key never changes */
    secrets_rotate(&t.s, &start, &t.entropy);
    assert_int_equal(secrets_reset_token(&t.s, t.kdf, ticket, epoch, other),
                     KITH_OK);
    assert_memory_equal(token, other, sizeof token);
    t.s.reset_key[31] ^= 1;
    assert_int_equal(secrets_reset_token(&t.s, t.kdf, ticket, epoch, other),
                     KITH_OK);
    assert_memory_not_equal(token, other, sizeof token);
    tools_free(&t);
}

static void cookie_of(struct tools *t, const struct node_id *a,
                      const struct addr *from, uint8_t out[ITEM_COOKIE_LEN])
{
    assert_int_equal(secrets_cookie(&t->s, t->kdf, a, from, out), KITH_OK);
}

static void test_cookie(void **state)
{
    struct tools t;
    struct node_id a = id_of(1);
    struct addr from = {.family = 4, .port = 16990, .ip = {192, 0, 2, 1}};
    struct addr other;
    uint8_t cookie[ITEM_COOKIE_LEN], got[ITEM_COOKIE_LEN];

    (void)state;
    tools_init(&t);
    cookie_of(&t, &a, &from, cookie);
    cookie_of(&t, &a, &from, got);
    assert_memory_equal(got, cookie, sizeof got);
    for (size_t i = 0; i < sizeof a.b; i++) {
        a.b[i] ^= 1;
        cookie_of(&t, &a, &from, got);
        assert_memory_not_equal(got, cookie, sizeof got);
        a.b[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof from.ip; i++) {
        other = from;
        other.ip[i] ^= 1;
        cookie_of(&t, &a, &other, got);
        assert_memory_not_equal(got, cookie, sizeof got);
    }
    other = from;
    other.family = 6;
    cookie_of(&t, &a, &other, got);
    assert_memory_not_equal(got, cookie, sizeof got);
    for (uint16_t bit = 1; bit != 0; bit = (uint16_t)(bit << 1)) {
        other = from;
        other.port ^= bit;
        cookie_of(&t, &a, &other, got);
        assert_memory_not_equal(got, cookie, sizeof got);
    }
    t.s.cookie_key[0] ^= 1;
    cookie_of(&t, &a, &from, got);
    assert_memory_not_equal(got, cookie, sizeof got);
    tools_free(&t);
}

/* No random byte is used twice, and none stays behind. */
static void test_draws(void **state)
{
    struct entropy entropy = {.left = 0};
    struct secrets s;
    size_t before;

    (void)state;
    top_up(&entropy);
    before = entropy.left;
    secrets_make(&s, &start, &entropy);
    assert_int_equal(before - entropy.left, 4 + 32 + 3 * 32);
    assert_memory_not_equal(s.ticket_key, s.reset_key, 32);
    assert_memory_not_equal(s.reset_key, s.cookie_key, 32);
    assert_memory_not_equal(s.cookie_key, s.current.secret, 32);
    for (size_t i = 0; i + 32 <= sizeof entropy.b; i++) {
        assert_memory_not_equal(entropy.b + i, s.ticket_key, 32);
        assert_memory_not_equal(entropy.b + i, s.current.secret, 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_age_over_restart),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_grant),
        cmocka_unit_test(test_grant_times),
        cmocka_unit_test(test_reset_token),
        cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_draws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
