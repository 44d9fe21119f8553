/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/certs.h"

#include "base/error.h"

static bool len_ok(size_t i, size_t len)
{
    return len >= 1 && len <= (i == 0 ? CERT_NODE_MAX : UINT16_MAX);
}

static bool certs_ok(const struct certs *certs)
{
    if (certs->n < 1 || certs->n > CERTS_MAX)
        return false;
    for (size_t i = 0; i < certs->n; i++)
        if (!len_ok(i, certs->chain[i].n))
            return false;
    return true;
}

int certs_decode(const uint8_t *payload, size_t len, struct certs *out)
{
    struct certs certs = {.n = 0};
    struct cursor c;
    uint8_t count;
    int err;

    cursor_init(&c, payload, len);
    if ((err = cursor_u8(&c, &count)) != KITH_OK)
        return err;
    if (count < 1 || count > CERTS_MAX)
        return KITH_ERR_RANGE;
    certs.n = count;
    for (size_t i = 0; i < certs.n; i++) {
        uint16_t n;

        if ((err = cursor_u16(&c, &n)) != KITH_OK)
            return err;
        if (!len_ok(i, n))
            return KITH_ERR_RANGE;
        certs.chain[i].n = n;
        if ((err = cursor_bytes(&c, &certs.chain[i].p, n)) != KITH_OK)
            return err;
    }
    if ((err = cursor_end(&c)) != KITH_OK)
        return err;
    *out = certs;
    return KITH_OK;
}

int certs_encode(const struct certs *certs, struct writer *w)
{
    size_t len;

    if (!certs_ok(certs))
        return KITH_ERR_RANGE;
    writer_u8(w, (uint8_t)certs->n);
    for (size_t i = 0; i < certs->n; i++) {
        writer_u16(w, (uint16_t)certs->chain[i].n);
        writer_bytes(w, certs->chain[i].p, certs->chain[i].n);
    }
    return writer_finish(w, &len);
}
