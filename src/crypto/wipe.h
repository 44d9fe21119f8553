/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CRYPTO_WIPE_H
#define KITH_CRYPTO_WIPE_H

#include "base/types.h"

/* Overwrites n bytes at p with zeros; the compiler cannot leave it out. p may
 * be NULL when n is 0. */
void secret_wipe(void *p, size_t n);

/* True when the n bytes at a and b are equal. Takes the same time wherever
 * they differ; n itself is no secret. */
bool secret_equal(const void *a, const void *b, size_t n);

#endif
