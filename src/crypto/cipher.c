/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "crypto/cipher.h"
#include "crypto/hmac.h"
#include "crypto/wipe.h"

_Static_assert((int)CIPHER_TICKET_LEN == (int)NODE_ID_LEN,
               "a ticket is a sealed id");
_Static_assert((int)CIPHER_KEY_LEN == (int)HMAC_KEY_LEN, "one length of key");

struct cipher {
    EVP_CIPHER *aes;
    EVP_CIPHER_CTX *enc;
    EVP_CIPHER_CTX *dec;
    EVP_CIPHER_CTX *ticket_enc;
    EVP_CIPHER_CTX *ticket_dec;
    struct hmac *hmac;
};

static bool make_contexts(struct cipher *c)
{
    c->aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    c->enc = EVP_CIPHER_CTX_new();
    c->dec = EVP_CIPHER_CTX_new();
    c->ticket_enc = EVP_CIPHER_CTX_new();
    c->ticket_dec = EVP_CIPHER_CTX_new();
    c->hmac = hmac_new();
    return c->aes != NULL && c->enc != NULL && c->dec != NULL &&
           c->ticket_enc != NULL && c->ticket_dec != NULL && c->hmac != NULL &&
           EVP_EncryptInit_ex2(c->enc, c->aes, NULL, NULL, NULL) == 1 &&
           EVP_DecryptInit_ex2(c->dec, c->aes, NULL, NULL, NULL) == 1 &&
           EVP_EncryptInit_ex2(c->ticket_enc, c->aes, NULL, NULL, NULL) == 1 &&
           EVP_DecryptInit_ex2(c->ticket_dec, c->aes, NULL, NULL, NULL) == 1 &&
           EVP_CIPHER_CTX_set_padding(c->dec, 0) == 1 &&
           EVP_CIPHER_CTX_set_padding(c->ticket_enc, 0) == 1 &&
           EVP_CIPHER_CTX_set_padding(c->ticket_dec, 0) == 1;
}

struct cipher *cipher_new(void)
{
    struct cipher *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    if (!make_contexts(c)) {
        cipher_free(c);
        return NULL;
    }
    return c;
}

void cipher_free(struct cipher *c)
{
    if (c == NULL)
        return;
    EVP_CIPHER_CTX_free(c->enc);
    EVP_CIPHER_CTX_free(c->dec);
    EVP_CIPHER_CTX_free(c->ticket_enc);
    EVP_CIPHER_CTX_free(c->ticket_dec);
    EVP_CIPHER_free(c->aes);
    hmac_free(c->hmac);
    free(c);
}

int cipher_set_encrypt(struct cipher *c, const uint8_t key[CIPHER_KEY_LEN])
{
    bool ok = EVP_EncryptInit_ex2(c->enc, NULL, key, NULL, NULL) == 1;
    return ok ? KITH_OK : KITH_ERR_CRYPTO;
}

int cipher_set_decrypt(struct cipher *c, const uint8_t key[CIPHER_KEY_LEN])
{
    bool ok = EVP_DecryptInit_ex2(c->dec, NULL, key, NULL, NULL) == 1;
    return ok ? KITH_OK : KITH_ERR_CRYPTO;
}

int cipher_set_mac(struct cipher *c, const uint8_t key[CIPHER_KEY_LEN])
{
    return hmac_set_key(c->hmac, key);
}

int cipher_encrypt(struct cipher *c, const uint8_t iv[CIPHER_IV_LEN],
                   const uint8_t *in, size_t n, uint8_t *out, size_t cap,
                   size_t *out_len)
{
    int head = 0;
    int tail = 0;

    if (n > CIPHER_DATA_MAX || cap < cipher_padded_len(n))
        return KITH_ERR_RANGE;
    size_t total = cipher_padded_len(n);
    if (EVP_EncryptInit_ex2(c->enc, NULL, NULL, iv, NULL) != 1 ||
        EVP_EncryptUpdate(c->enc, out, &head, in, (int)n) != 1 ||
        EVP_EncryptFinal_ex(c->enc, out + head, &tail) != 1) {
        secret_wipe(out, total);
        ERR_clear_error();
        return KITH_ERR_CRYPTO;
    }
    *out_len = total;
    return KITH_OK;
}

/* Decrypts n bytes, whole blocks. The IV goes through first, as if it were the
 * block of ciphertext before them: that leaves the chain at the IV, and costs a
 * quarter of setting it. */
static bool decrypt_blocks(EVP_CIPHER_CTX *ctx, const uint8_t iv[CIPHER_IV_LEN],
                           const uint8_t *in, size_t n, uint8_t *out)
{
    uint8_t ignored[CIPHER_BLOCK_LEN];
    int len = 0;

    return EVP_DecryptUpdate(ctx, ignored, &len, iv, CIPHER_IV_LEN) == 1 &&
           EVP_DecryptUpdate(ctx, out, &len, in, (int)n) == 1;
}

/* The length of the padding of PKCS #7 at the end of n bytes, 1 to 16, or 0
 * when it is wrong. It need not take the same time always: the code of the
 * datagram held, so whoever made it has the key. */
static size_t padding_len(const uint8_t *b, size_t n)
{
    size_t len = b[n - 1];

    if (len > CIPHER_BLOCK_LEN)
        return 0;
    for (size_t i = n - len; i < n; i++) {
        if (b[i] != len)
            return 0;
    }
    return len;
}

int cipher_decrypt(struct cipher *c, const uint8_t iv[CIPHER_IV_LEN],
                   const uint8_t *in, size_t n, uint8_t *out, size_t cap,
                   size_t *out_len)
{
    if (n == 0 || n % CIPHER_BLOCK_LEN != 0 ||
        n > CIPHER_DATA_MAX + CIPHER_BLOCK_LEN || n > cap)
        return KITH_ERR_RANGE;
    if (!decrypt_blocks(c->dec, iv, in, n, out)) {
        secret_wipe(out, n);
        ERR_clear_error();
        return KITH_ERR_CRYPTO;
    }
    size_t padding = padding_len(out, n);
    if (padding == 0) {
        secret_wipe(out, n);
        return KITH_ERR_AUTH;
    }
    *out_len = n - padding;
    return KITH_OK;
}

int cipher_mac(struct cipher *c, const uint8_t *data, size_t n,
               uint8_t tag[CIPHER_TAG_LEN])
{
    uint8_t full[HMAC_LEN];

    hmac_begin(c->hmac);
    hmac_add(c->hmac, data, n);
    int err = hmac_end(c->hmac, full);
    memcpy(tag, full, CIPHER_TAG_LEN);
    secret_wipe(full, sizeof full);
    return err;
}

int cipher_mac_check(struct cipher *c, const uint8_t *data, size_t n,
                     const uint8_t tag[CIPHER_TAG_LEN])
{
    uint8_t right[CIPHER_TAG_LEN];
    int err = cipher_mac(c, data, n, right);

    if (err == KITH_OK && !secret_equal(right, tag, CIPHER_TAG_LEN))
        err = KITH_ERR_AUTH;
    secret_wipe(right, sizeof right);
    return err;
}

int cipher_set_ticket_key(struct cipher *c, const uint8_t key[CIPHER_KEY_LEN])
{
    bool ok = EVP_EncryptInit_ex2(c->ticket_enc, NULL, key, NULL, NULL) == 1 &&
              EVP_DecryptInit_ex2(c->ticket_dec, NULL, key, NULL, NULL) == 1;
    return ok ? KITH_OK : KITH_ERR_CRYPTO;
}

static void ticket_iv(uint32_t epoch, uint8_t iv[CIPHER_IV_LEN])
{
    memset(iv, 0, CIPHER_IV_LEN);
    iv[0] = (uint8_t)(epoch >> 24);
    iv[1] = (uint8_t)(epoch >> 16);
    iv[2] = (uint8_t)(epoch >> 8);
    iv[3] = (uint8_t)epoch;
}

int cipher_ticket_seal(struct cipher *c, uint32_t epoch,
                       const struct node_id *id,
                       uint8_t ticket[CIPHER_TICKET_LEN])
{
    uint8_t iv[CIPHER_IV_LEN];
    int n = 0;

    ticket_iv(epoch, iv);
    if (EVP_EncryptInit_ex2(c->ticket_enc, NULL, NULL, iv, NULL) == 1 &&
        EVP_EncryptUpdate(c->ticket_enc, ticket, &n, id->b, NODE_ID_LEN) == 1)
        return KITH_OK;
    secret_wipe(ticket, CIPHER_TICKET_LEN);
    ERR_clear_error();
    return KITH_ERR_CRYPTO;
}

int cipher_ticket_open(struct cipher *c, uint32_t epoch,
                       const uint8_t ticket[CIPHER_TICKET_LEN],
                       struct node_id *id)
{
    uint8_t iv[CIPHER_IV_LEN];

    ticket_iv(epoch, iv);
    if (decrypt_blocks(c->ticket_dec, iv, ticket, CIPHER_TICKET_LEN, id->b))
        return KITH_OK;
    memset(id, 0, sizeof *id);
    ERR_clear_error();
    return KITH_ERR_CRYPTO;
}
