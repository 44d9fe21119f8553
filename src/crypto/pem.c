/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pem.h"

#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>

#include "base/error.h"

/* Where the certificates go. */
struct sink {
    uint8_t *der;
    size_t cap, used;
    struct cert_der *chain;
    size_t max, n;
};

static int take(struct sink *s, const char *name, const uint8_t *data, size_t n)
{
    if (strcmp(name, PEM_STRING_X509) != 0)
        return KITH_OK;
    if (s->n == s->max || n > s->cap - s->used)
        return KITH_ERR_CERT;
    memcpy(s->der + s->used, data, n);
    s->chain[s->n++] = (struct cert_der){s->der + s->used, n};
    s->used += n;
    return KITH_OK;
}

int pem_read_certs(const char *text, size_t len, uint8_t *der, size_t cap,
                   struct cert_der *chain, size_t max, size_t *n)
{
    struct sink sink = {der, cap, 0, chain, max, 0};
    BIO *bio = len <= INT_MAX ? BIO_new_mem_buf(text, (int)len) : NULL;
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long size;
    int err = bio ? KITH_OK : KITH_ERR_NOMEM;
    bool end;

    ERR_clear_error();
    while (err == KITH_OK && PEM_read_bio(bio, &name, &header, &data, &size)) {
        err = take(&sink, name, data, (size_t)size);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    BIO_free(bio);
    end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (err == KITH_OK && (sink.n == 0 || !end))
        err = KITH_ERR_CERT;
    *n = sink.n;
    return err;
}

int pem_write_cert(const uint8_t *der, size_t n, char *text, size_t cap,
                   size_t *len)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int err = KITH_ERR_NOMEM;
    char *data;
    long size;

    if (bio && n <= LONG_MAX &&
        PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)n) > 0) {
        size = BIO_get_mem_data(bio, &data);
        err = (size_t)size < cap ? KITH_OK : KITH_ERR_FULL;
        if (err == KITH_OK) {
            memcpy(text, data, (size_t)size);
            text[size] = '\0';
            *len = (size_t)size;
        }
    }
    BIO_free(bio);
    return err;
}

size_t pem_base64_decode(const char *text, size_t len, uint8_t *out)
{
    int n;

    /* OpenSSL passes over white space at the ends, and takes padding for a
     * digit anywhere; here both are errors. */
    if (len == 0 || len % 4 != 0 || len > INT_MAX ||
        strcspn(text, " \t\r\n") < len || strcspn(text, "=") < len - 2 ||
        (text[len - 2] == '=' && text[len - 1] != '='))
        return 0;
    n = EVP_DecodeBlock(out, (const unsigned char *)text, (int)len);
    if (n <= 0)
        return 0;
    n -= text[len - 1] == '=';
    n -= text[len - 2] == '=';
    return n > 0 ? (size_t)n : 0;
}

void pem_base64_encode(const uint8_t *bytes, size_t n, char *text)
{
    assert(n <= INT_MAX / 2);
    EVP_EncodeBlock((unsigned char *)text, bytes, (int)n);
}
