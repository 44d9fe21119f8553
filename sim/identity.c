/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/sign.h"

enum {
    MODULUS_AT = 33,
    MODULUS_LEN = 256,
};

static void digest(struct hash *out, const void *bytes, size_t n)
{
    int err = hash_sha256(out, bytes, n);

    assert(err == KITH_OK);
    (void)err;
}

/* Makes n bytes, a multiple of HASH_LEN, of the hashes of a label, the seed,
 * the node and a counter. */
static void stretch(uint8_t *out, size_t n, uint64_t seed, uint32_t index)
{
    assert(n % HASH_LEN == 0);
    for (size_t i = 0; i * HASH_LEN < n; i++) {
        uint8_t from[32];
        struct writer w;
        struct hash h;

        writer_init(&w, from, sizeof from);
        writer_bytes(&w, "kith-sim node", 13);
        writer_u64(&w, seed);
        writer_u32(&w, index);
        writer_u32(&w, (uint32_t)i);
        digest(&h, from, w.len);
        memcpy(out + i * HASH_LEN, h.b, HASH_LEN);
    }
}

static void make_stand_in(struct identity *who, uint64_t seed, uint32_t index)
{
    static const uint8_t head[MODULUS_AT] = {
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48,
        0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01,
        0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00,
    };
    static const uint8_t tail[] = {0x02, 0x03, 0x01, 0x00, 0x01};
    uint8_t *modulus = who->spki + MODULUS_AT;

    memcpy(who->spki, head, sizeof head);
    stretch(modulus, MODULUS_LEN, seed, index);
    modulus[0] |= 0x80;
    modulus[MODULUS_LEN - 1] |= 0x01;
    memcpy(modulus + MODULUS_LEN, tail, sizeof tail);
}

void identity_make(struct identity *who, uint64_t seed, uint32_t index,
                   bool rsa)
{
    memset(who, 0, sizeof *who);
    if (!rsa) {
        make_stand_in(who, seed, index);
    } else if (key_generate(&who->key) == KITH_OK) {
        key_spki(who->key, who->spki);
    } else {
        fprintf(stderr, "kith-sim: no key can be made\n");
        exit(2);
    }
    spki_id(who->spki, &who->id);
}

void identity_clear(struct identity *who)
{
    key_free(who->key);
    who->key = NULL;
}

static void stand_in_sign(const uint8_t spki[SPKI_LEN], const struct hash *d,
                          uint8_t sig[SIG_LEN])
{
    uint8_t both[SPKI_LEN + HASH_LEN];
    struct hash h;

    memcpy(both, spki, SPKI_LEN);
    memcpy(both + SPKI_LEN, d->b, HASH_LEN);
    digest(&h, both, sizeof both);
    for (size_t i = 0; i < SIG_LEN; i += HASH_LEN)
        memcpy(sig + i, h.b, HASH_LEN);
}

static int stand_in_verify(void *arg, const uint8_t spki[SPKI_LEN],
                           const struct hash *d, const uint8_t sig[SIG_LEN])
{
    uint8_t right[SIG_LEN];

    (void)arg;
    stand_in_sign(spki, d, right);
    return memcmp(sig, right, SIG_LEN) == 0 ? KITH_OK : KITH_ERR_AUTH;
}

int identity_sign(void *arg, const struct hash *d, uint8_t sig[SIG_LEN])
{
    const struct identity *who = arg;

    if (who->key)
        return sign_digest(who->key, d, sig);
    stand_in_sign(who->spki, d, sig);
    return KITH_OK;
}

const struct sign_ops *identity_ops(bool rsa)
{
    static const struct sign_ops stand_in = {.verify = stand_in_verify};

    return rsa ? NULL : &stand_in;
}
