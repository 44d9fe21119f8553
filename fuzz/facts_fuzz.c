/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: wire */
#include <assert.h>

#include "base/error.h"
#include "wire/block.h"
#include "wire/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Facts that are accepted are the same when they are built again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fact pairs[BLOCK_PAYLOAD_MAX / 4 + 1];
    static uint8_t again[BLOCK_PAYLOAD_MAX];
    struct addr addrs[FACTS_ADDRS_MAX];
    struct facts_iter it;
    struct facts facts;
    struct fact f;
    struct writer w;
    size_t n = 0;

    if (facts_decode(BLOCK_FACTS_MORE, data, size, &facts) != KITH_OK)
        return 0;
    for (it = facts_walk(&facts); facts_next(&it, &pairs[n]);)
        n++;
    assert(facts_addrs(&facts, addrs) <= FACTS_ADDRS_MAX);
    assert(!facts_find(&facts, "addr", &f) || f.key_len == 4);
    writer_init(&w, again, sizeof again);
    assert(facts_build(&w, BLOCK_FACTS_MORE, pairs, n) == KITH_OK);
    assert(w.len == size && (size == 0 || memcmp(again, data, size) == 0));
    return 0;
}
