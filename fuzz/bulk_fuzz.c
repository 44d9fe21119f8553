/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: wire */
#include <assert.h>

#include "../test/wire_again.h"
#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says how the rest is cut. A body that is accepted, and has
 * no unknown record, is the same when it is written again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[1 << 20];
    struct cursor all, in;
    struct bulk_record record;
    struct bulk_reader r;
    struct writer w;
    uint8_t part;

    cursor_init(&all, data, size);
    if (size > sizeof again || cursor_u8(&all, &part) != KITH_OK)
        return 0;
    bulk_reader_init(&r, BLOCK_SIGNED_MAX);
    writer_init(&w, again, sizeof again);
    while (all.left > 0) {
        cursor_sub(&all, all.left <= part ? all.left : part + 1u, &in);
        while (bulk_reader_next(&r, &in, &record) == KITH_OK)
            again_record(&w, &record);
        assert(r.err != KITH_OK || in.left == 0);
    }
    assert(r.cap <= BLOCK_SIGNED_MAX);
    if (bulk_reader_finish(&r) == KITH_OK && r.unknown == 0)
        assert(w.len == size - 1 && memcmp(again, data + 1, w.len) == 0);
    bulk_reader_free(&r);
    return 0;
}
