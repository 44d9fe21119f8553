/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: wire */
#include <assert.h>

#include "base/error.h"
#include "wire/datagram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read and written again is the same, once the bytes that must be
 * zero are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t again[DGRAM_MAX], want[DGRAM_MAX];
    struct dgram d;

    if (dgram_parse(data, size, &d) != KITH_OK)
        return 0;
    assert(size <= DGRAM_MAX);
    memcpy(want, data, size);
    want[3] = want[10] = want[11] = 0;
    if (d.type == DGRAM_BEACON) {
        memset(want + 20, 0, 4);
        beacon_encode(&d.beacon, again);
        assert(memcmp(again, want, size) == 0);
    } else if (d.type == DGRAM_HINT) {
        want[2] = 0;
        hint_encode(&d.hint, again);
        assert(memcmp(again, want, size) == 0);
    } else if (d.type == DGRAM_RESET) {
        memcpy(want, (uint8_t[]){1, DGRAM_RESET, 0, 0}, 4);
        memcpy(want + 4, data + 4, size - 4);
        reset_encode(d.reset.request_id, d.reset.token, again);
        assert(memcmp(again, want, size) == 0);
    }
    return 0;
}
