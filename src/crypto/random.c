/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/rand.h>

#include "base/error.h"
#include "crypto/random.h"
#include "crypto/wipe.h"

enum {
    POOL_LEN = 4096
};

struct random_pool {
    size_t left; /* unused bytes, at the end of b */
    uint8_t b[POOL_LEN];
};

struct random_pool *random_pool_new(void)
{
    return calloc(1, sizeof(struct random_pool));
}

void random_pool_free(struct random_pool *pool)
{
    if (pool == NULL)
        return;
    secret_wipe(pool, sizeof *pool);
    free(pool);
}

int random_bytes(struct random_pool *pool, void *out, size_t n)
{
    uint8_t *to = out;
    size_t done = 0;

    while (done < n) {
        if (pool->left == 0) {
            if (RAND_bytes(pool->b, POOL_LEN) != 1) {
                secret_wipe(out, n);
                return KITH_ERR_CRYPTO;
            }
            pool->left = POOL_LEN;
        }
        size_t part = n - done < pool->left ? n - done : pool->left;
        uint8_t *from = pool->b + (POOL_LEN - pool->left);
        memcpy(to + done, from, part);
        secret_wipe(from, part);
        pool->left -= part;
        done += part;
    }
    return KITH_OK;
}
