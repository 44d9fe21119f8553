/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stddef.h>

static const char *const texts[] = {
    [-KITH_OK] = "ok",
    [-KITH_ERR_TRUNCATED] = "input ends too early",
    [-KITH_ERR_TRAILING] = "bytes left over at the end",
    [-KITH_ERR_VERSION] = "unknown version",
    [-KITH_ERR_TYPE] = "unknown or misplaced type",
    [-KITH_ERR_RANGE] = "value out of range",
    [-KITH_ERR_FORMAT] = "malformed",
    [-KITH_ERR_AUTH] = "authentication failed",
    [-KITH_ERR_KEY] = "public key not acceptable",
    [-KITH_ERR_CERT] = "certificate not acceptable",
    [-KITH_ERR_MESH] = "meant for another mesh",
    [-KITH_ERR_STRANGER] = "not a member of this mesh",
    [-KITH_ERR_STALE] = "not newer than what is held",
    [-KITH_ERR_UNWANTED] = "nobody asked for it",
    [-KITH_ERR_FULL] = "full",
    [-KITH_ERR_BUDGET] = "over the rate limit",
    [-KITH_ERR_NOTFOUND] = "not found",
    [-KITH_ERR_CLOCK] = "refused for its dates",
    [-KITH_ERR_NOMEM] = "out of memory",
    [-KITH_ERR_CRYPTO] = "cryptographic library failed",
    [-KITH_ERR_IO] = "input/output error",
    [-KITH_ERR_CORRUPT] = "file is damaged",
    [-KITH_ERR_NEWER] = "file is of a newer version",
    [-KITH_ERR_MODE] = "secret file is open to others",
};

_Static_assert(sizeof texts / sizeof texts[0] == -KITH_ERR_MAX,
               "every error needs its text");

const char *err_str(int err)
{
    if (err > KITH_OK || err <= KITH_ERR_MAX || texts[-err] == NULL)
        return "unknown error";
    return texts[-err];
}
