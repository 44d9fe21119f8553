/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_JSON_VIEW_H
#define KITH_DAEMON_JSON_VIEW_H

#include <jansson.h>

#include "core/engine.h"
#include "daemon/agent.h"
#include "wire/facts.h"

/*
 * What the engine shows, as JSON; docs/api.md has every field. Pure: nothing
 * here asks anybody anything.
 *
 * What a node says of itself was signed by it and by nobody else, so all of
 * it may be made up: a field that is missing or malformed is null, and text
 * that could harm a reader never gets here (facts_decode()).
 *
 * Functions that return a json_t * give a new reference, or NULL when out of
 * memory. NULL may be handed on to json_object_set_new(), which then fails:
 *
 *     err |= json_object_set_new(o, "id", json_view_hex(id, n));
 *     ...
 *     return json_view_done(o, err);
 */

enum {
    /* Seconds keep their milliseconds, and 0.1 stays 0.1. */
    JSON_VIEW_FLAGS = JSON_COMPACT | JSON_REAL_PRECISION(15),
};

/* Ends an object: it, or NULL after dropping it when err is not 0. */
json_t *json_view_done(json_t *o, int err);

/* A string of any n bytes: as they are when text_valid_utf8() holds of them,
 * otherwise as text_escape() writes them. */
json_t *json_view_text(const char *s, size_t n);

/* n bytes as lower-case hexadecimal digits, or in base64 (RFC 4648, section
 * 4, with padding). */
json_t *json_view_hex(const void *p, size_t n);
json_t *json_view_base64(const void *p, size_t n);

/* "192.0.2.1:16990"; null for no address. */
json_t *json_view_addr(const struct addr *a);

/* "up", "no answer", "away", "cached", "gone" or "left"; never NULL. */
const char *json_view_state(enum member_state state);

/* What a block of type `facts`, `facts.more` or `health` holds: false when
 * bundle is NULL, has no block of that name, or it is malformed. The facts
 * live as long as the bundle. */
bool json_view_facts(const struct bundle *bundle, const char *block,
                     struct facts *out);

/* The host name by which a node goes; false when it does not say. */
bool json_view_host(const struct bundle *bundle, struct fact *out);

/* One member: an element of GET /v1/nodes. */
json_t *json_view_member(const struct member_view *m);

/* The same with what is known of our contact: an element of GET
 * /v1/friends. */
json_t *json_view_friend(const struct member_view *m);

/* All that is known of one member: GET /v1/nodes/{node}. */
json_t *json_view_node(const struct member_view *m);

/* One block of a bundle, with all that is needed to check its signature
 * elsewhere. object belongs to the bundle. */
json_t *json_view_export(const struct bundle *bundle,
                         const struct object *object);

/* How many members are in which state; by enum member_state. */
struct json_view_census {
    uint32_t in_state[MEMBER_LEFT + 1];
};

/* For engine_members(); arg is a struct json_view_census, zeroed before. */
void json_view_count(void *arg, const struct member_view *m);

/* GET /v1/status. own is the bundle of this node, or NULL. */
json_t *json_view_status(const struct engine_status *s,
                         const struct agent_info *info,
                         const struct json_view_census *census,
                         const struct bundle *own, const struct now *now);

/* GET /v1/id. */
json_t *json_view_id(const struct engine_status *s,
                     const struct agent_info *info);

#endif
