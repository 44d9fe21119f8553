/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_API_PATH_H
#define KITH_DAEMON_API_PATH_H

#include <stdbool.h>
#include <stddef.h>

enum {
    API_SEGMENTS_MAX = 6,
    API_SEGMENT_SIZE = 520, /* a host name as facts may hold it, and more */
    API_ARGS_MAX = 2,
};

/* "/v1/nodes/a%2fb" is "v1", "nodes" and "a/b". */
struct api_path {
    size_t n;
    char segment[API_SEGMENTS_MAX][API_SEGMENT_SIZE];
};

/* Takes the target of a request (RFC 9112, section 3.2.1) apart; a query or
 * fragment is left out. Returns KITH_OK; KITH_ERR_FORMAT: no path, an empty
 * segment, a malformed escape, or a zero byte; KITH_ERR_RANGE: too many or
 * too long segments. */
int api_path_parse(const char *uri, struct api_path *out);

/* Whether the path is that of a route, in which a segment "*" stands for any
 * one: args then get those, up to API_ARGS_MAX, as pointers into the path. */
bool api_path_match(const struct api_path *path, const char *route,
                    const char *args[API_ARGS_MAX]);

#endif
