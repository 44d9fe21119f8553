/* SPDX-License-Identifier: Apache-2.0 */
#include "core/entropy.h"

#include <assert.h>

#include "crypto/wipe.h"

/* An event seals no more datagrams than it has effects, and each takes an IV.
 * The rest is for a nonce, and for an epoch with all keys. */
_Static_assert(ENTROPY_SIZE >= EFFECTS_MAX * DGRAM_IV_LEN + DGRAM_NONCE_LEN +
                                   DGRAM_EPOCH_LEN + 4 * 32,
               "too little for one event");

size_t entropy_wanted(const struct entropy *e)
{
    return sizeof e->b - e->left;
}

void entropy_add(struct entropy *e, const uint8_t *src, size_t n)
{
    size_t room = entropy_wanted(e);

    if (n > room)
        n = room;
    memcpy(e->b + e->left, src, n);
    e->left += n;
}

void entropy_take(struct entropy *e, void *dst, size_t n)
{
    assert(n <= e->left && "the owner tops up before each event");
    e->left -= n;
    memcpy(dst, e->b + e->left, n);
    secret_wipe(e->b + e->left, n);
}
