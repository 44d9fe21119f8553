/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: wire */
#include <assert.h>

#include "../test/wire_again.h"
#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each item that is accepted is the same when it is written again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[1 << 17];
    struct item_nodes_iter it;
    struct trie_prefix prefix;
    const uint8_t *hash;
    struct cursor c;
    struct writer w;
    struct item item;
    size_t hashes = 0;

    cursor_init(&c, data, size);
    for (;;) {
        const uint8_t *start = c.p;

        if (item_next(&c, &item) != KITH_OK)
            return 0;
        writer_init(&w, again, sizeof again);
        again_item(&w, &item);
        assert(!w.overflow && w.len == (size_t)(c.p - start));
        assert(memcmp(again, start, w.len) == 0);
        if (item.type != ITEM_NODES)
            continue;
        it = item_nodes_walk(&item.nodes);
        for (hashes = 0; item_nodes_next(&it, &prefix, &hash);)
            hashes += hash != NULL;
        assert(hashes == item.nodes.n);
    }
}
