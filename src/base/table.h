/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_TABLE_H
#define KITH_BASE_TABLE_H

/*
 * uthash, told that running out of memory is an ordinary answer: an element
 * that could not be added has no table, which table_added() tells. (By itself
 * uthash would end the process.)
 */
#define HASH_NONFATAL_OOM        1
#define uthash_nonfatal_oom(elt) ((void)(elt))
#include <uthash.h>

/* Whether the HASH_ADD just made has worked; hh is the element's handle. */
#define table_added(elt) ((elt)->hh.tbl != NULL)

#endif
