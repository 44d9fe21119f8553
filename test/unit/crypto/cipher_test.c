/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "base/text.h"
#include "crypto/cipher.h"

static const uint8_t key[CIPHER_KEY_LEN] = {1, 2, 3};
static const uint8_t other_key[CIPHER_KEY_LEN] = {1, 2, 4};
static const uint8_t iv[CIPHER_IV_LEN] = {5};

static struct cipher *make(void)
{
    struct cipher *c = cipher_new();

    assert_non_null(c);
    assert_int_equal(cipher_set_encrypt(c, key), KITH_OK);
    assert_int_equal(cipher_set_decrypt(c, key), KITH_OK);
    assert_int_equal(cipher_set_mac(c, key), KITH_OK);
    assert_int_equal(cipher_set_ticket_key(c, key), KITH_OK);
    return c;
}

static void unhex(void *dst, size_t n, const char *hex)
{
    assert_int_equal(text_unhex(dst, n, hex, strlen(hex)), KITH_OK);
}

/* NIST SP 800-38A, F.2.5; the fifth block is the padding, by "openssl enc". */
static void cbc_agrees_with_sp_800_38a(void **state)
{
    struct cipher *c = make();
    uint8_t nist_key[CIPHER_KEY_LEN];
    uint8_t nist_iv[CIPHER_IV_LEN];
    uint8_t plain[64];
    uint8_t want[80];
    uint8_t got[80];
    size_t n = 0;

    (void)state;
    unhex(nist_key, sizeof nist_key,
          "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    unhex(nist_iv, sizeof nist_iv, "000102030405060708090a0b0c0d0e0f");
    unhex(plain, sizeof plain,
          "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
          "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
    unhex(want, sizeof want,
          "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
          "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"
          "3f461796d6b0d6b2e0c2a72b4d80e644");
    assert_int_equal(cipher_set_encrypt(c, nist_key), KITH_OK);
    assert_int_equal(cipher_set_decrypt(c, nist_key), KITH_OK);
    assert_int_equal(cipher_encrypt(c, nist_iv, plain, 64, got, sizeof got, &n),
                     KITH_OK);
    assert_int_equal(n, 80);
    assert_memory_equal(got, want, 80);
    assert_int_equal(cipher_decrypt(c, nist_iv, want, 80, got, 80, &n),
                     KITH_OK);
    assert_int_equal(n, 64);
    assert_memory_equal(got, plain, 64);
    cipher_free(c);
}

/* Every length up to that of a datagram, in place and not, with room for
 * exactly what is needed. */
static void round_trips(void **state)
{
    struct cipher *c = make();
    uint8_t plain[1200];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 31);
    for (size_t len = 0; len <= sizeof plain; len++) {
        size_t padded = cipher_padded_len(len);
        uint8_t *box = malloc(padded);
        uint8_t *back = malloc(padded);
        assert_non_null(box);
        assert_non_null(back);
        assert_int_equal(cipher_encrypt(c, iv, plain, len, box, padded, &n),
                         KITH_OK);
        assert_int_equal(n, padded);
        assert_int_equal(cipher_decrypt(c, iv, box, padded, back, padded, &n),
                         KITH_OK);
        assert_int_equal(n, len);
        assert_memory_equal(back, plain, len);
        memcpy(back, plain, len);
        assert_int_equal(cipher_encrypt(c, iv, back, len, back, padded, &n),
                         KITH_OK);
        assert_memory_equal(back, box, padded);
        assert_int_equal(cipher_decrypt(c, iv, back, padded, back, padded, &n),
                         KITH_OK);
        assert_int_equal(n, len);
        assert_memory_equal(back, plain, len);
        free(box);
        free(back);
    }
    cipher_free(c);
}

static void refuses_wrong_lengths(void **state)
{
    static uint8_t large[CIPHER_DATA_MAX + 32];
    struct cipher *c = make();
    uint8_t b[64] = {0};
    size_t n = 77;

    (void)state;
    assert_int_equal(cipher_encrypt(c, iv, b, 16, b, 31, &n), KITH_ERR_RANGE);
    assert_int_equal(cipher_encrypt(c, iv, b, 15, b, 15, &n), KITH_ERR_RANGE);
    assert_int_equal(cipher_encrypt(c, iv, b, 0, b, 0, &n), KITH_ERR_RANGE);
    assert_int_equal(cipher_encrypt(c, iv, b, SIZE_MAX, b, SIZE_MAX, &n),
                     KITH_ERR_RANGE);
    assert_int_equal(cipher_encrypt(c, iv, large, CIPHER_DATA_MAX + 1, large,
                                    sizeof large, &n),
                     KITH_ERR_RANGE);
    for (size_t len = 0; len < 64; len++) {
        if (len % 16 != 0 || len == 0)
            assert_int_equal(cipher_decrypt(c, iv, b, len, b, 64, &n),
                             KITH_ERR_RANGE);
    }
    assert_int_equal(cipher_decrypt(c, iv, b, 32, b, 31, &n), KITH_ERR_RANGE);
    assert_int_equal(
        cipher_decrypt(c, iv, large, sizeof large, large, sizeof large, &n),
        KITH_ERR_RANGE);
    assert_int_equal(n, 77);

    assert_int_equal(
        cipher_encrypt(c, iv, large, CIPHER_DATA_MAX, large, sizeof large, &n),
        KITH_OK);
    assert_int_equal(cipher_decrypt(c, iv, large, n, large, sizeof large, &n),
                     KITH_OK);
    assert_int_equal(n, CIPHER_DATA_MAX);
    cipher_free(c);
}

/* Last plaintext blocks with every last byte: only those of PKCS #7 open. */
static void refuses_wrong_padding(void **state)
{
    static const uint8_t zero[32];
    struct cipher *c = make();
    EVP_CIPHER_CTX *raw = EVP_CIPHER_CTX_new();
    uint8_t plain[32];
    uint8_t box[32];

    (void)state;
    assert_non_null(raw);
    for (int last = 0; last < 256; last++) {
        for (int broken = 0; broken < 2; broken++) {
            int k = 0;
            size_t n = 99;
            memset(plain, last, sizeof plain);
            plain[16 + (16 - (last + 16) % 16) % 16] ^= (uint8_t)broken;
            bool fits = last >= 1 && last <= 16 && broken == 0;
            assert_int_equal(
                EVP_EncryptInit_ex2(raw, EVP_aes_256_cbc(), key, iv, NULL), 1);
            EVP_CIPHER_CTX_set_padding(raw, 0);
            assert_int_equal(EVP_EncryptUpdate(raw, box, &k, plain, 32), 1);
            int err = cipher_decrypt(c, iv, box, 32, plain, 32, &n);
            assert_int_equal(err, fits ? KITH_OK : KITH_ERR_AUTH);
            assert_int_equal(n, fits ? 32 - last : 99);
            if (!fits)
                assert_memory_equal(plain, zero, sizeof plain);
        }
    }
    assert_int_equal(ERR_peek_error(), 0);
    EVP_CIPHER_CTX_free(raw);
    cipher_free(c);
}

/* RFC 4868, section 2.7.2.1: AUTH256-1 to AUTH256-4. */
static void mac_agrees_with_rfc_4868(void **state)
{
    static const char jefe[] = "what do ya want for nothing?";
    static const char *const tags[] = {
        "198a607eb44bfbc69903a0f1cf2bbdc5", "167f928588c5cc2eef8e3093caa0e87c",
        "cdcb1220d1ecccea91e53aba3092f962", "372efcf9b40b35c2115b1346903d2ef4"};
    struct cipher *c = cipher_new();
    uint8_t keys[4][CIPHER_KEY_LEN];
    uint8_t data[4][50];
    const size_t lens[4] = {8, sizeof jefe - 1, 50, 50};

    (void)state;
    assert_non_null(c);
    memset(keys[0], 0x0b, 32);
    memcpy(data[0], "Hi There", 8);
    for (size_t i = 0; i < 32; i++) {
        keys[1][i] = (uint8_t) "Jefe"[i % 4];
        keys[3][i] = (uint8_t)(i + 1);
    }
    memcpy(data[1], jefe, sizeof jefe - 1);
    memset(keys[2], 0xaa, 32);
    memset(data[2], 0xdd, 50);
    memset(data[3], 0xcd, 50);
    for (size_t i = 0; i < 4; i++) {
        uint8_t want[CIPHER_TAG_LEN];
        uint8_t got[CIPHER_TAG_LEN];
        unhex(want, sizeof want, tags[i]);
        assert_int_equal(cipher_set_mac(c, keys[i]), KITH_OK);
        assert_int_equal(cipher_mac(c, data[i], lens[i], got), KITH_OK);
        assert_memory_equal(got, want, CIPHER_TAG_LEN);
        assert_int_equal(cipher_mac_check(c, data[i], lens[i], want), KITH_OK);
    }
    cipher_free(c);
}

static void mac_sees_every_bit(void **state)
{
    struct cipher *c = make();
    uint8_t data[80] = {9};
    uint8_t tag[CIPHER_TAG_LEN];

    (void)state;
    assert_int_equal(cipher_mac(c, data, sizeof data, tag), KITH_OK);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cipher_mac_check(c, data, sizeof data, tag),
                         KITH_ERR_AUTH);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof tag; bit++) {
        tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cipher_mac_check(c, data, sizeof data, tag),
                         KITH_ERR_AUTH);
        tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(cipher_mac_check(c, data, sizeof data - 1, tag),
                     KITH_ERR_AUTH);
    assert_int_equal(cipher_mac_check(c, data, sizeof data, tag), KITH_OK);
    assert_int_equal(cipher_set_mac(c, other_key), KITH_OK);
    assert_int_equal(cipher_mac_check(c, data, sizeof data, tag),
                     KITH_ERR_AUTH);
    cipher_free(c);
}

/*
 * By the openssl command, IV = epoch and 12 zero bytes:
 *
 *   printf %s 40..5f | xxd -r -p | openssl enc -aes-256-cbc -nopad \
 *       -K 00..1f -iv 0a0b0c0d000000000000000000000000 | xxd -p
 */
static void ticket_agrees_with_openssl(void **state)
{
    struct cipher *c = make();
    uint8_t ticket_key[CIPHER_KEY_LEN];
    struct node_id id;
    struct node_id back;
    uint8_t want[CIPHER_TICKET_LEN];
    uint8_t ticket[CIPHER_TICKET_LEN];

    (void)state;
    for (size_t i = 0; i < 32; i++) {
        ticket_key[i] = (uint8_t)i;
        id.b[i] = (uint8_t)(0x40 + i);
    }
    unhex(want, sizeof want,
          "f2e540bc52a7e46705185f73c25b6f078b738c2bbb9b699919094ddbb35dd86a");
    assert_int_equal(cipher_set_ticket_key(c, ticket_key), KITH_OK);
    for (int i = 0; i < 2; i++) { /* contexts are used again */
        assert_int_equal(cipher_ticket_seal(c, 0x0a0b0c0d, &id, ticket),
                         KITH_OK);
        assert_memory_equal(ticket, want, sizeof want);
        assert_int_equal(cipher_ticket_open(c, 0x0a0b0c0d, ticket, &back),
                         KITH_OK);
        assert_true(node_id_equal(&id, &back));
    }
    cipher_free(c);
}

/* A changed ticket, epoch or key gives another id, never an error. */
static void ticket_spoilt_is_another_id(void **state)
{
    struct cipher *c = make();
    struct node_id id = {{7, 8, 9}};
    struct node_id back;
    uint8_t ticket[CIPHER_TICKET_LEN];

    (void)state;
    assert_int_equal(cipher_ticket_seal(c, 1, &id, ticket), KITH_OK);
    for (size_t bit = 0; bit < 8 * sizeof ticket; bit++) {
        ticket[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(cipher_ticket_open(c, 1, ticket, &back), KITH_OK);
        assert_false(node_id_equal(&id, &back));
        ticket[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(cipher_ticket_open(c, 0x01000000, ticket, &back), KITH_OK);
    assert_false(node_id_equal(&id, &back));
    assert_int_equal(cipher_set_ticket_key(c, other_key), KITH_OK);
    assert_int_equal(cipher_ticket_open(c, 1, ticket, &back), KITH_OK);
    assert_false(node_id_equal(&id, &back));
    cipher_free(c);
}

/* Setting or using one of the keys leaves the three others as they are. */
static void keys_do_not_mix(void **state)
{
    struct cipher *c = make();
    struct node_id id = {{1}};
    uint8_t plain[20] = "nineteen characters";
    uint8_t box[2][32];
    uint8_t tag[2][CIPHER_TAG_LEN];
    uint8_t ticket[2][CIPHER_TICKET_LEN];
    uint8_t back[32];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cipher_encrypt(c, iv, plain, 20, box[i], 32, &n),
                         KITH_OK);
        assert_int_equal(cipher_mac(c, plain, 20, tag[i]), KITH_OK);
        assert_int_equal(cipher_ticket_seal(c, 3, &id, ticket[i]), KITH_OK);
        assert_int_equal(cipher_set_decrypt(c, other_key), KITH_OK);
    }
    assert_memory_equal(box[0], box[1], 32);
    assert_memory_equal(tag[0], tag[1], CIPHER_TAG_LEN);
    assert_memory_equal(ticket[0], ticket[1], CIPHER_TICKET_LEN);
    assert_int_equal(cipher_set_encrypt(c, other_key), KITH_OK);
    assert_int_equal(cipher_set_decrypt(c, key), KITH_OK);
    assert_int_equal(cipher_decrypt(c, iv, box[0], 32, back, 32, &n), KITH_OK);
    assert_int_equal(n, 20);
    assert_memory_equal(back, plain, 20);
    cipher_free(c);
}

static void refuses_without_keys(void **state)
{
    struct cipher *c = cipher_new();
    struct node_id id = {{1}};
    uint8_t b[32] = {0};
    size_t n = 0;

    (void)state;
    assert_non_null(c);
    assert_int_equal(cipher_encrypt(c, iv, b, 1, b, 32, &n), KITH_ERR_CRYPTO);
    assert_int_equal(cipher_decrypt(c, iv, b, 32, b, 32, &n), KITH_ERR_CRYPTO);
    assert_int_equal(cipher_mac(c, b, 32, b), KITH_ERR_CRYPTO);
    assert_int_equal(cipher_mac_check(c, b, 32, b), KITH_ERR_CRYPTO);
    assert_int_equal(cipher_ticket_seal(c, 0, &id, b), KITH_ERR_CRYPTO);
    assert_int_equal(cipher_ticket_open(c, 0, b, &id), KITH_ERR_CRYPTO);
    assert_int_equal(ERR_peek_error(), 0);
    cipher_free(c);
    cipher_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cbc_agrees_with_sp_800_38a),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(refuses_wrong_lengths),
        cmocka_unit_test(refuses_wrong_padding),
        cmocka_unit_test(mac_agrees_with_rfc_4868),
        cmocka_unit_test(mac_sees_every_bit),
        cmocka_unit_test(ticket_agrees_with_openssl),
        cmocka_unit_test(ticket_spoilt_is_another_id),
        cmocka_unit_test(keys_do_not_mix),
        cmocka_unit_test(refuses_without_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
