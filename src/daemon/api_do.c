/* SPDX-License-Identifier: Apache-2.0 */
/* Routes that change something. */
#include "base/error.h"
#include "base/text.h"
#include "daemon/api_impl.h"

enum {
    TAG_KEY_MAX = FACTS_KEY_MAX - 4, /* "tag." stands before it */
};

/* -- tags ------------------------------------------------------------- */

static bool tag_key_ok(const char *key)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(key);

    return len >= 1 && len <= TAG_KEY_MAX && strspn(key, allowed) == len;
}

/* Answers the call and returns false when that cannot be a tag. A value of
 * NULL stands for removing it. */
static bool tag_check(struct api_call *call, const char *key, const char *value,
                      size_t len)
{
    if (!tag_key_ok(key)) {
        api_reply_error(call, HTTP_BADREQUEST,
                        "a key has 1 to 60 characters of a-z 0-9 . _ -",
                        "no key of a tag: %s", key);
        return false;
    }
    if (value != NULL &&
        (len > FACTS_VALUE_MAX || !text_valid_utf8(value, len))) {
        api_reply_error(call, HTTP_BADREQUEST,
                        "a value is UTF-8 of at most 512 bytes, without "
                        "control characters and line feeds",
                        "no value of a tag: that of %s", key);
        return false;
    }
    return true;
}

/* Answers the call for what the agent said about setting that tag. */
static void tag_reply(struct api_call *call, int err, const char *key)
{
    if (err == KITH_ERR_FULL)
        api_reply_error(call, 507,
                        "what a node says of itself has 900 bytes and 32 "
                        "tags; tags before this one in the request are set",
                        "no room for the tag %s", key);
    else if (err == KITH_ERR_NOTFOUND)
        api_reply_error(call, HTTP_NOTFOUND, NULL, "no tag %s is set", key);
    else
        api_reply_err(call, err, key);
}

void api_do_put_tag(struct api_call *call)
{
    const char *key = call->args[0];
    const char *body = (const char *)call->body;
    char value[FACTS_VALUE_MAX + 1] = "";

    if (!tag_check(call, key, body == NULL ? "" : body, call->body_len))
        return;
    if (body != NULL)
        memcpy(value, body, call->body_len);
    value[call->body_len] = '\0';
    tag_reply(call, agent_tag(call->api->agent, key, value), key);
}

void api_do_delete_tag(struct api_call *call)
{
    const char *key = call->args[0];

    if (tag_check(call, key, NULL, 0))
        tag_reply(call, agent_tag(call->api->agent, key, NULL), key);
}

/* Looks at all before the first is set. */
static bool tags_check(struct api_call *call, json_t *tags)
{
    const char *key;
    json_t *value;

    if (!json_is_object(tags) || json_object_size(tags) > API_TAGS_MAX) {
        api_reply_error(call, HTTP_BADREQUEST,
                        "a body such as {\"role\": \"web\", \"rack\": null}; "
                        "null removes a tag",
                        "the body is no JSON object of at most %d tags",
                        API_TAGS_MAX);
        return false;
    }
    json_object_foreach(tags, key, value)
    {
        if (!json_is_string(value) && !json_is_null(value)) {
            api_reply_error(call, HTTP_BADREQUEST, NULL,
                            "neither a string nor null: the value of %s", key);
            return false;
        }
        if (!tag_check(call, key, json_string_value(value),
                       json_string_length(value)))
            return false;
    }
    return true;
}

void api_do_post_tags(struct api_call *call)
{
    json_t *tags = json_loadb((const char *)call->body, call->body_len,
                              JSON_REJECT_DUPLICATES, NULL);
    const char *key;
    json_t *value;
    int err = KITH_OK;

    if (!tags_check(call, tags)) {
        json_decref(tags);
        return;
    }
    json_object_foreach(tags, key, value)
    {
        err = agent_tag(call->api->agent, key, json_string_value(value));
        if (json_is_null(value) && err == KITH_ERR_NOTFOUND)
            err = KITH_OK;
        if (err != KITH_OK)
            break;
    }
    if (err == KITH_OK)
        api_reply_done(call);
    else
        tag_reply(call, err, key);
    json_decref(tags);
}

/* -- blocks ----------------------------------------------------------- */

static void block_reply(struct api_call *call, int err, const char *name)
{
    if (err == KITH_ERR_FORMAT)
        api_reply_error(call, HTTP_BADREQUEST,
                        "a name has 1 to 32 characters of a-z 0-9 . _ -, the "
                        "first a letter or digit; head, cert, facts, "
                        "facts.more, health, charter and revoked are taken",
                        "no name for a block: %s", name);
    else if (err == KITH_ERR_RANGE)
        api_reply_error(call, HTTP_ENTITYTOOLARGE, NULL,
                        "a block has at most %d bytes", BLOCK_PAYLOAD_MAX);
    else if (err == KITH_ERR_FULL)
        api_reply_error(call, 507,
                        "a node has at most 64 blocks, of 256 KiB in all; "
                        "kith rm removes one",
                        "no room for the block %s", name);
    else if (err == KITH_ERR_NOTFOUND)
        api_reply_error(call, HTTP_NOTFOUND, NULL,
                        "this node has no block %s of yours", name);
    else
        api_reply_err(call, err, name);
}

void api_do_put_block(struct api_call *call)
{
    static const uint8_t nothing[1];
    const uint8_t *body = call->body == NULL ? nothing : call->body;
    const char *name = call->args[0];

    block_reply(call, agent_put(call->api->agent, name, body, call->body_len),
                name);
}

void api_do_delete_block(struct api_call *call)
{
    const char *name = call->args[0];

    block_reply(call, agent_remove(call->api->agent, name), name);
}

/* -- the node --------------------------------------------------------- */

void api_do_leave(struct api_call *call)
{
    agent_leave(call->api->agent);
    api_reply_done(call);
}

void api_do_away(struct api_call *call)
{
    agent_away(call->api->agent);
    api_reply_done(call);
}

void api_do_forget(struct api_call *call)
{
    struct member_view m;
    int err;

    if (!api_find_node(call, &m))
        return;
    /* what the view points to is gone after this */
    struct node_id id = m.id;
    err = agent_forget(call->api->agent, &id);
    if (err == KITH_ERR_UNWANTED)
        api_reply_error(call, 409,
                        "only what is kept of a node that is gone or has left "
                        "can be forgotten",
                        "that node is not gone: %s", call->args[0]);
    else
        api_reply_err(call, err, call->args[0]);
}
