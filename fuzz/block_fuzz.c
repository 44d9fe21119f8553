/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: wire */
#include <assert.h>

#include "base/error.h"
#include "wire/block.h"
#include "wire/certs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A block that is accepted is the same when it is written again, and so is
 * the payload of a cert. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[BLOCK_CANONICAL_MAX];
    struct certs certs;
    struct writer w;
    struct block b;

    if (block_decode(data, size, &b) != KITH_OK &&
        block_decode_canonical(data, size, &b) != KITH_OK)
        return 0;
    assert(b.sig == NULL || b.sig == data + size - SIG_LEN);
    writer_init(&w, again, sizeof again);
    assert(block_encode(&b, &w) == KITH_OK);
    assert(w.len == b.canonical_len);
    assert(memcmp(again, b.canonical, w.len) == 0);
    if (b.type != BLOCK_CERT ||
        certs_decode(b.payload, b.payload_len, &certs) != KITH_OK)
        return 0;
    writer_init(&w, again, sizeof again);
    assert(certs_encode(&certs, &w) == KITH_OK);
    assert(w.len == b.payload_len && memcmp(again, b.payload, w.len) == 0);
    return 0;
}
