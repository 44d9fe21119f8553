/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: wire */
#include <assert.h>

#include "base/error.h"
#include "wire/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A head that is accepted is the same when it is built again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct head_entry entries[HEAD_ENTRIES_MAX + 1];
    static struct head_miss misses[HEAD_MISSES_MAX + 1];
    static uint8_t again[HEAD_PAYLOAD_MAX];
    struct block b = {.type = BLOCK_HEAD, .serial = 1700000000003};
    struct head_iter it;
    struct writer w;
    struct head h;
    size_t n = 0, m = 0;

    b.payload = data;
    b.payload_len = size;
    if (head_decode(&b, &h) != KITH_OK)
        return 0;
    for (it = head_entries(&h); head_entry_next(&it, &entries[n]);)
        n++;
    for (it = head_misses(&h); head_miss_next(&it, &misses[m]);)
        m++;
    assert(n == h.entry_count && m == h.miss_count);
    writer_init(&w, again, sizeof again);
    head_build(&w, &h.fields, entries, n, misses, m);
    assert(!w.overflow && w.len == size && memcmp(again, data, size) == 0);
    return 0;
}
