/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>

#include "crypto/wipe.h"

void secret_wipe(void *p, size_t n)
{
    if (n > 0)
        OPENSSL_cleanse(p, n);
}

bool secret_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}
