/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/api_path.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* The n bytes at s, of which %XX stands for one. */
static int decode(const char *s, size_t n, char out[API_SEGMENT_SIZE])
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        char c = s[i];

        if (c == '%') {
            if (n - i < 3 || text_unhex(&c, 1, s + i + 1, 2) != KITH_OK)
                return KITH_ERR_FORMAT;
            i += 2;
        }
        if (c == '\0')
            return KITH_ERR_FORMAT;
        if (len == API_SEGMENT_SIZE - 1)
            return KITH_ERR_RANGE;
        out[len++] = c;
    }
    out[len] = '\0';
    return len > 0 ? KITH_OK : KITH_ERR_FORMAT;
}

int api_path_parse(const char *uri, struct api_path *out)
{
    const char *end = uri + strcspn(uri, "?#");

    out->n = 0;
    if (uri[0] != '/')
        return KITH_ERR_FORMAT;
    while (uri < end) {
        size_t len = strcspn(uri + 1, "/?#");
        int err;

        if (out->n == API_SEGMENTS_MAX)
            return KITH_ERR_RANGE;
        err = decode(uri + 1, len, out->segment[out->n]);
        if (err != KITH_OK)
            return err;
        out->n++;
        uri += 1 + len;
    }
    return KITH_OK;
}

bool api_path_match(const struct api_path *path, const char *route,
                    const char *args[API_ARGS_MAX])
{
    size_t n_args = 0;

    for (size_t i = 0; i < path->n; i++) {
        size_t len;

        if (route[0] != '/')
            return false;
        route++;
        len = strcspn(route, "/");
        if (len == 1 && route[0] == '*') {
            assert(n_args < API_ARGS_MAX);
            args[n_args++] = path->segment[i];
        } else if (strlen(path->segment[i]) != len ||
                   memcmp(path->segment[i], route, len) != 0) {
            return false;
        }
        route += len;
    }
    return route[0] == '\0';
}
