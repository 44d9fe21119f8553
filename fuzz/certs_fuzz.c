/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: wire */
#include <assert.h>

#include "base/error.h"
#include "wire/certs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Certificates that are accepted are the same when they are written again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[BLOCK_PAYLOAD_MAX];
    struct certs certs;
    struct writer w;

    if (size > sizeof again || certs_decode(data, size, &certs) != KITH_OK)
        return 0;
    assert(certs.n >= 1 && certs.n <= CERTS_MAX);
    writer_init(&w, again, sizeof again);
    assert(certs_encode(&certs, &w) == KITH_OK);
    assert(w.len == size && memcmp(again, data, size) == 0);
    return 0;
}
