/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: wire */
#include <assert.h>

#include "base/error.h"
#include "wire/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes from anybody do not open; as items they come back; changed on the way
 * they do not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct session_keys keys = {{1}, {2}, {3}, {4}};
    static const struct seal_ticket ticket = {{5}, {6}};
    static const uint8_t iv[DGRAM_IV_LEN] = {7}, iv2[DGRAM_IV_LEN] = {8};
    uint8_t dgram[DGRAM_MAX], out[DGRAM_MAX];
    struct cipher *c = cipher_new();
    size_t max = DGRAM_MAX, n = 0, len = 0;

    assert(c != NULL);
    assert(seal_open_request(c, &keys, data, size, out, max, &n) != 0);
    assert(seal_open_answer(c, &keys, iv, data, size, out, max, &n) != 0);
    if (size > 0 && size <= REQUEST_ITEMS_MAX) {
        seal_request(c, &keys, &ticket, iv, data, size, dgram, max, &len);
        assert(!seal_open_request(c, &keys, dgram, len, out, max, &n));
        assert(n == size && memcmp(out, data, n) == 0);
        dgram[data[0] % len] ^= (uint8_t)(1 + data[0] / 2);
        assert(seal_open_request(c, &keys, dgram, len, out, max, &n) != 0);
        seal_answer(c, &keys, iv, iv2, data, size, dgram, max, &len);
        assert(!seal_open_answer(c, &keys, iv, dgram, len, out, max, &n));
        assert(n == size && memcmp(out, data, n) == 0);
        dgram[len - 1 - data[0] % len] ^= 1;
        assert(seal_open_answer(c, &keys, iv, dgram, len, out, max, &n) != 0);
    }
    cipher_free(c);
    return 0;
}
