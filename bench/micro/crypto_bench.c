/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What our cryptography costs beside what OpenSSL itself can do: the bare
 * limit. The limits are measured here, in turn with ours, the way of "openssl
 * speed -evp aes-256-cbc", "-decrypt", and "-hmac sha256": one context, keyed
 * once, EVP_EncryptUpdate (EVP_DecryptUpdate) alone in the loop, or
 * EVP_MAC_init without a key, EVP_MAC_update and EVP_MAC_final.
 *
 * A size is the number of bytes of ciphertext, also for the limit; ours makes
 * it of one byte less, which the padding fills up, and sets an IV each time.
 * Each number is the best of many short rounds, so that other programs on the
 * machine disturb little.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/error.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "crypto/sign.h"
#include "crypto/wipe.h"

enum {
    ROUNDS = 200,
    SIZE_MAX_BENCH = 1200,
    EPOCH = 7
};

struct bench {
    size_t n; /* the size now measured */
    uint8_t key[32];
    uint8_t iv[16];
    uint8_t plain[SIZE_MAX_BENCH];
    uint8_t box[SIZE_MAX_BENCH];
    uint8_t back[SIZE_MAX_BENCH];
    uint8_t out[SIZE_MAX_BENCH + 16];
    uint8_t tag[CIPHER_TAG_LEN]; /* of box */
    uint8_t out_tag[32];

    struct cipher *cipher;
    struct kdf *kdf;
    uint8_t ticket[CIPHER_TICKET_LEN];
    struct node_id a;
    struct node_id b;
    struct mesh_id mesh;
    uint8_t k[KDF_KEY_LEN];
    struct session_keys keys;

    struct key *node;
    uint8_t spki[SPKI_LEN];
    struct hash digest;
    uint8_t sig[SIG_LEN];
    struct verify_key *vk;

    EVP_CIPHER_CTX *raw_enc;
    EVP_CIPHER_CTX *raw_dec;
    EVP_MAC_CTX *raw_mac;
};

/* One measured step; false stops the program. */
typedef bool (*step)(struct bench *);

static bool raw_encrypt(struct bench *b)
{
    int n = 0;
    return EVP_EncryptUpdate(b->raw_enc, b->out, &n, b->plain, (int)b->n) == 1;
}

static bool raw_decrypt(struct bench *b)
{
    int n = 0;
    return EVP_DecryptUpdate(b->raw_dec, b->out, &n, b->box, (int)b->n) == 1;
}

static bool raw_mac(struct bench *b)
{
    size_t n = 0;
    return EVP_MAC_init(b->raw_mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(b->raw_mac, b->box, b->n) == 1 &&
           EVP_MAC_final(b->raw_mac, b->out_tag, &n, sizeof b->out_tag) == 1;
}

static bool encrypt_and_mac(struct bench *b)
{
    size_t n = 0;
    return cipher_encrypt(b->cipher, b->iv, b->plain, b->n - 1, b->out,
                          sizeof b->out, &n) == KITH_OK &&
           cipher_mac(b->cipher, b->out, n, b->out_tag) == KITH_OK;
}

static bool check_and_decrypt(struct bench *b)
{
    size_t n = 0;
    return cipher_mac_check(b->cipher, b->box, b->n, b->tag) == KITH_OK &&
           cipher_decrypt(b->cipher, b->iv, b->box, b->n, b->back,
                          sizeof b->back, &n) == KITH_OK;
}

static bool ticket_open(struct bench *b)
{
    return cipher_ticket_open(b->cipher, EPOCH, b->ticket, &b->a) == KITH_OK;
}

static bool session_key(struct bench *b)
{
    return kdf_session_key(b->kdf, b->key, &b->a, b->k) == KITH_OK;
}

static bool session_keys(struct bench *b)
{
    return kdf_session_keys(b->kdf, b->k, &b->b, &b->mesh, &b->keys) == KITH_OK;
}

static bool set_request_keys(struct bench *b)
{
    return cipher_set_mac(b->cipher, b->keys.a2b_mac) == KITH_OK &&
           cipher_set_decrypt(b->cipher, b->keys.a2b_enc) == KITH_OK;
}

static bool set_answer_keys(struct bench *b)
{
    return cipher_set_mac(b->cipher, b->keys.b2a_mac) == KITH_OK &&
           cipher_set_encrypt(b->cipher, b->keys.b2a_enc) == KITH_OK;
}

static bool set_keys(struct bench *b)
{
    return set_request_keys(b) && set_answer_keys(b);
}

/* All that B does for one request of A: nothing of A's was kept. */
static bool whole_turn(struct bench *b)
{
    size_t n = 0;
    return ticket_open(b) && session_key(b) && session_keys(b) &&
           set_request_keys(b) && check_and_decrypt(b) && set_answer_keys(b) &&
           cipher_encrypt(b->cipher, b->iv, b->plain, b->n - 1, b->out,
                          sizeof b->out, &n) == KITH_OK &&
           cipher_mac(b->cipher, b->out, n, b->out_tag) == KITH_OK;
}

static bool sign(struct bench *b)
{
    return sign_digest(b->node, &b->digest, b->sig) == KITH_OK;
}

static bool verify_prepared(struct bench *b)
{
    return verify_key_check(b->vk, &b->digest, b->sig) == KITH_OK;
}

static bool prepare(struct bench *b)
{
    struct verify_key *vk = verify_key_new(b->spki);
    verify_key_free(vk);
    return vk != NULL;
}

static bool verify_once(struct bench *b)
{
    return sign_verify(b->spki, &b->digest, b->sig) == KITH_OK;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The mean time of one step over one round. */
static double one_round(struct bench *b, step f, int times)
{
    double begin = now_ns();

    for (int i = 0; i < times; i++) {
        if (!f(b)) {
            fputs("crypto_bench: a step failed\n", stderr);
            exit(1);
        }
    }
    return (now_ns() - begin) / times;
}

/* Measures n steps in turn, so that what slows the machine down for a while
 * meets all of them. */
static void measure(struct bench *b, const step *steps, double *ns, size_t n,
                    int times)
{
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < n; i++) {
            double t = one_round(b, steps[i], times);
            if (round == 0 || t < ns[i])
                ns[i] = t;
        }
    }
}

static void print_ratio(const char *what, size_t size, double limit,
                        double ours, int target)
{
    double percent = 100 * limit / ours;

    printf("%-28s %6zu %10.0f %10.0f %7.1f %%   %s %d %%\n", what, size, limit,
           ours, percent, percent >= target ? "reaches" : "MISSES", target);
}

/* Makes box and tag what a request with the given keys would hold. */
static bool fill_box(struct bench *b, const uint8_t *enc, const uint8_t *mac)
{
    size_t n = 0;
    return cipher_set_encrypt(b->cipher, enc) == KITH_OK &&
           cipher_set_decrypt(b->cipher, enc) == KITH_OK &&
           cipher_set_mac(b->cipher, mac) == KITH_OK &&
           cipher_encrypt(b->cipher, b->iv, b->plain, b->n - 1, b->box,
                          sizeof b->box, &n) == KITH_OK &&
           cipher_mac(b->cipher, b->box, n, b->tag) == KITH_OK;
}

static bool measure_fixed_keys(struct bench *b)
{
    static const size_t sizes[] = {128, 512, SIZE_MAX_BENCH};
    static const step steps[] = {raw_encrypt, raw_decrypt, raw_mac,
                                 encrypt_and_mac, check_and_decrypt};
    double ns[5];

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        b->n = sizes[i];
        if (!fill_box(b, b->key, b->key))
            return false;
        measure(b, steps, ns, 5, 300);
        print_ratio("encrypt, mac", b->n, ns[0] + ns[2], ns[3], 85);
        print_ratio("check, decrypt", b->n, ns[1] + ns[2], ns[4], 85);
    }
    return true;
}

static bool measure_turn(struct bench *b)
{
    static const step steps[] = {raw_encrypt,  raw_decrypt, raw_mac,
                                 whole_turn,   ticket_open, session_key,
                                 session_keys, set_keys};
    double ns[8];

    b->n = SIZE_MAX_BENCH;
    if (cipher_ticket_seal(b->cipher, EPOCH, &b->a, b->ticket) != KITH_OK ||
        !session_key(b) || !session_keys(b) ||
        !fill_box(b, b->keys.a2b_enc, b->keys.a2b_mac))
        return false;
    measure(b, steps, ns, 8, 300);
    print_ratio("B's whole turn", b->n, ns[0] + ns[1] + 2 * ns[2], ns[3], 50);
    printf("  of it: ticket %.0f, session key %.0f, keys %.0f, setting them "
           "%.0f ns\n",
           ns[4], ns[5], ns[6], ns[7]);
    return true;
}

static void measure_signatures(struct bench *b)
{
    static const step steps[] = {sign, verify_prepared, prepare, verify_once};
    double ns[4];

    measure(b, steps, ns, 4, 5);
    printf("RSA-2048, microseconds: sign %.1f; make a public key ready %.1f,\n"
           "  verify with it %.1f; verify without %.1f\n",
           ns[0] / 1000, ns[2] / 1000, ns[1] / 1000, ns[3] / 1000);
}

static bool make_raw(struct bench *b)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    b->raw_enc = EVP_CIPHER_CTX_new();
    b->raw_dec = EVP_CIPHER_CTX_new();
    b->raw_mac = EVP_MAC_CTX_new(hmac);
    bool ok = EVP_EncryptInit_ex2(b->raw_enc, aes, b->key, b->iv, NULL) == 1 &&
              EVP_DecryptInit_ex2(b->raw_dec, aes, b->key, b->iv, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(b->raw_dec, 0) == 1 &&
              EVP_MAC_init(b->raw_mac, b->key, sizeof b->key, params) == 1;
    EVP_CIPHER_free(aes);
    EVP_MAC_free(hmac);
    return ok;
}

static bool make(struct bench *b)
{
    b->cipher = cipher_new();
    b->kdf = kdf_new();
    if (b->cipher == NULL || b->kdf == NULL || !make_raw(b) ||
        cipher_set_ticket_key(b->cipher, b->key) != KITH_OK ||
        key_generate(&b->node) != KITH_OK || !sign(b))
        return false;
    key_spki(b->node, b->spki);
    b->vk = verify_key_new(b->spki);
    return b->vk != NULL;
}

static void unmake(struct bench *b)
{
    EVP_CIPHER_CTX_free(b->raw_enc);
    EVP_CIPHER_CTX_free(b->raw_dec);
    EVP_MAC_CTX_free(b->raw_mac);
    verify_key_free(b->vk);
    key_free(b->node);
    kdf_free(b->kdf);
    cipher_free(b->cipher);
    secret_wipe(b, sizeof *b);
}

int main(void)
{
    static struct bench b;
    bool ok = make(&b);

    if (ok) {
        printf("%-28s %6s %10s %10s %9s   %s\n",
               OpenSSL_version(OPENSSL_VERSION), "bytes", "limit, ns",
               "ours, ns", "ratio", "target");
        ok = measure_fixed_keys(&b) && measure_turn(&b);
    }
    if (ok)
        measure_signatures(&b);
    unmake(&b);
    return ok ? 0 : 1;
}
