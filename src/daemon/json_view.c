/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/json_view.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"

json_t *json_view_done(json_t *o, int err)
{
    if (err == 0)
        return o;
    json_decref(o);
    return NULL;
}

/* -- values ----------------------------------------------------------- */

json_t *json_view_text(const char *s, size_t n)
{
    size_t cap = TEXT_SHOW_SIZE * n + 1;
    json_t *string;
    char *escaped;

    if (text_valid_utf8(s, n))
        return json_stringn(n > 0 ? s : "", n);
    escaped = malloc(cap);
    if (escaped == NULL)
        return NULL;
    string = json_stringn(escaped, text_escape(escaped, cap, s, n));
    free(escaped);
    return string;
}

json_t *json_view_hex(const void *p, size_t n)
{
    char *hex = malloc(2 * n + 1);
    json_t *string = NULL;

    if (hex != NULL)
        string = json_stringn(hex, text_hex(hex, 2 * n + 1, p, n));
    free(hex);
    return string;
}

/* Writes 1 to 3 bytes as 4 characters. */
static void base64_group(char out[4], const uint8_t *in, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;

    for (size_t i = 0; i < 3; i++)
        bits = bits << 8 | (i < n ? in[i] : 0);
    for (size_t i = 0; i < 4; i++)
        out[i] = i <= n ? digits[bits >> (18 - 6 * i) & 63] : '=';
}

json_t *json_view_base64(const void *p, size_t n)
{
    const uint8_t *in = p;
    size_t len = (n + 2) / 3 * 4;
    char *out = malloc(len + 1);
    json_t *string;

    if (out == NULL)
        return NULL;
    for (size_t i = 0; i < n; i += 3)
        base64_group(out + i / 3 * 4, in + i, n - i < 3 ? n - i : 3);
    string = json_stringn(out, len);
    free(out);
    return string;
}

json_t *json_view_addr(const struct addr *a)
{
    char text[TEXT_ADDR_SIZE];

    if (text_addr_format(text, sizeof text, a) != KITH_OK)
        return json_null();
    return json_string(text);
}

/* -- facts ------------------------------------------------------------ */

bool json_view_facts(const struct bundle *bundle, const char *block,
                     struct facts *out)
{
    const struct object *object;
    struct block decoded;

    if (bundle == NULL)
        return false;
    object = bundle_block(bundle, block);
    if (object == NULL)
        return false;
    object_block(object, &decoded);
    return facts_decode(decoded.type, decoded.payload, decoded.payload_len,
                        out) == KITH_OK;
}

bool json_view_host(const struct bundle *bundle, struct fact *out)
{
    struct facts facts;

    return json_view_facts(bundle, "facts", &facts) &&
           facts_find(&facts, "host", out) && out->value_len > 0;
}

/* The first value of that key; null when there is none. */
static json_t *fact_or_null(const struct facts *facts, const char *key)
{
    struct fact fact;

    if (facts == NULL || !facts_find(facts, key, &fact))
        return json_null();
    return json_view_text(fact.value, fact.value_len);
}

static json_t *addresses(const struct facts *facts)
{
    struct addr addrs[FACTS_ADDRS_MAX];
    json_t *list = json_array();
    size_t n = facts == NULL ? 0 : facts_addrs(facts, addrs);
    int err = list == NULL;

    for (size_t i = 0; i < n; i++)
        err |= json_array_append_new(list, json_view_addr(&addrs[i]));
    return json_view_done(list, err);
}

/* Of several values of one tag, the first counts. */
static json_t *tags(const struct facts *facts)
{
    static const char prefix[] = "tag.";
    const size_t skip = sizeof prefix - 1;
    json_t *o = json_object();
    struct facts_iter it;
    struct fact fact;
    int err = o == NULL;

    if (facts == NULL)
        return o;
    it = facts_walk(facts);
    while (facts_next(&it, &fact)) {
        const char *key = fact.key + skip;

        if (fact.key_len <= skip || memcmp(fact.key, prefix, skip) != 0)
            continue;
        size_t len = fact.key_len - skip;
        if (json_object_getn(o, key, len) == NULL)
            err |= json_object_setn_new(
                o, key, len, json_view_text(fact.value, fact.value_len));
    }
    return json_view_done(o, err);
}

/* -- members ---------------------------------------------------------- */

const char *json_view_state(enum member_state state)
{
    static const char *const names[] = {
        [MEMBER_UP] = "up",     [MEMBER_NO_ANSWER] = "no answer",
        [MEMBER_AWAY] = "away", [MEMBER_CACHED] = "cached",
        [MEMBER_GONE] = "gone", [MEMBER_LEFT] = "left",
    };

    assert((size_t)state < sizeof names / sizeof names[0]);
    return names[state];
}

static json_t *seconds(uint64_t ms)
{
    return json_real((double)ms / 1000);
}

json_t *json_view_member(const struct member_view *m)
{
    json_t *o = json_object();
    struct facts read;
    const struct facts *facts =
        json_view_facts(m->bundle, "facts", &read) ? &read : NULL;
    json_int_t serial = m->bundle == NULL ? 0 : (json_int_t)m->bundle->serial;
    int err = 0;

    err |= json_object_set_new(o, "id", json_view_hex(m->id.b, sizeof m->id.b));
    err |= json_object_set_new(o, "name", fact_or_null(facts, "host"));
    err |=
        json_object_set_new(o, "state", json_string(json_view_state(m->state)));
    err |= json_object_set_new(o, "self", json_boolean(m->self));
    err |= json_object_set_new(o, "friend", json_boolean(m->friend));
    err |= json_object_set_new(o, "addresses", addresses(facts));
    err |= json_object_set_new(o, "tags", tags(facts));
    err |= json_object_set_new(o, "age", seconds(m->age_ms));
    err |= json_object_set_new(
        o, "last_answer",
        m->answer_ms == UINT64_MAX ? json_null() : seconds(m->answer_ms));
    err |= json_object_set_new(
        o, "rtt_ms",
        m->srtt_us == 0 ? json_null() : json_real((double)m->srtt_us / 1000));
    err |= json_object_set_new(o, "os", fact_or_null(facts, "os"));
    err |= json_object_set_new(o, "agent", fact_or_null(facts, "agent"));
    err |= json_object_set_new(
        o, "serial", m->bundle == NULL ? json_null() : json_integer(serial));
    return json_view_done(o, err);
}

json_t *json_view_friend(const struct member_view *m)
{
    json_t *o = json_view_member(m);
    int err = 0;

    err |= json_object_set_new(o, "session", json_boolean(m->session));
    err |= json_object_set_new(o, "proven", json_boolean(m->proven));
    err |= json_object_set_new(o, "address", json_view_addr(&m->addr));
    err |= json_object_set_new(
        o, "reason",
        m->reason[0] == '\0' ? json_null()
                             : json_view_text(m->reason, strlen(m->reason)));
    return json_view_done(o, err);
}
