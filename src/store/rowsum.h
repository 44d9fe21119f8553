/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_STORE_ROWSUM_H
#define KITH_STORE_ROWSUM_H

#include "store/store.h"

/*
 * The check sum of a row: the first 8 bytes of a SHA-256 over all that it
 * holds. SQLite notices when the structure of its file is damaged, but not a
 * bit that flipped inside a value; and a floor serial read wrong would shut a
 * node out for ever. Against accidents only: who may write the file can
 * write sums too.
 *
 * Each returns KITH_OK or what hash_sha256() does.
 */
int rowsum_node(const struct store_node *node, int64_t *sum);
int rowsum_block(const struct store_block *block, int64_t *sum);
int rowsum_addr(const struct store_addr *addr, int64_t *sum);
int rowsum_meta(const char *key, uint64_t value, int64_t *sum);

#endif
