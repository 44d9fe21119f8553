/* SPDX-License-Identifier: Apache-2.0 */
/* One node in full, and its blocks. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/text.h"
#include "daemon/json_view.h"
#include "wire/certs.h"
#include "wire/head.h"

/* -- names ------------------------------------------------------------ */

/* The name of a type of blocks; for an unknown one its number. */
static json_t *type_name(uint16_t type)
{
    static const char *const names[] = {
        [BLOCK_HEAD] = "head",       [BLOCK_CERT] = "cert",
        [BLOCK_FACTS] = "facts",     [BLOCK_FACTS_MORE] = "facts.more",
        [BLOCK_HEALTH] = "health",   [BLOCK_DATA] = "data",
        [BLOCK_CHARTER] = "charter", [BLOCK_REVOKED] = "revoked",
    };
    char number[8];

    if (type < sizeof names / sizeof names[0] && names[type] != NULL)
        return json_string(names[type]);
    snprintf(number, sizeof number, "%u", type);
    return json_string(number);
}

static json_t *flag_names(uint16_t flags)
{
    static const struct {
        enum head_flag flag;
        const char *name;
    } known[] = {
        {HEAD_LEAVE, "leave"},
        {HEAD_AWAY, "away"},
        {HEAD_DIAL_OUT, "dial-out"},
        {HEAD_CLONE, "clone"},
    };
    json_t *list = json_array();
    int err = list == NULL;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if ((flags & (unsigned)known[i].flag) != 0)
            err |= json_array_append_new(list, json_string(known[i].name));
    return json_view_done(list, err);
}

static json_t *miss_name(uint8_t reason)
{
    static const char *const names[] = {
        [MISS_REFUSED] = "refused",
        [MISS_TCP] = "tcp",
        [MISS_TLS] = "tls",
        [MISS_UDP] = "udp",
    };

    if (reason >= sizeof names / sizeof names[0] || names[reason] == NULL)
        return json_string("unknown");
    return json_string(names[reason]);
}

/* -- parts of a node -------------------------------------------------- */

/* Every key with the list of its values; null when there is no such block,
 * or it is malformed. */
static json_t *facts_json(const struct bundle *bundle, const char *block)
{
    json_t *o;
    struct facts facts;
    struct facts_iter it;
    struct fact fact;
    int err;

    if (!json_view_facts(bundle, block, &facts))
        return json_null();
    o = json_object();
    err = o == NULL;
    it = facts_walk(&facts);
    while (err == 0 && facts_next(&it, &fact)) {
        json_t *values = json_object_getn(o, fact.key, fact.key_len);

        if (values == NULL) {
            values = json_array();
            err |= json_object_setn_new(o, fact.key, fact.key_len, values);
        }
        if (err == 0)
            err |= json_array_append_new(
                values, json_view_text(fact.value, fact.value_len));
    }
    return json_view_done(o, err);
}

static json_t *misses_json(const struct head *head)
{
    json_t *list = json_array();
    struct head_iter it = head_misses(head);
    struct head_miss miss;
    int err = list == NULL;

    while (head_miss_next(&it, &miss)) {
        json_t *o = json_object();
        int bad = 0;

        bad |= json_object_set_new(o, "id",
                                   json_view_hex(miss.id.b, sizeof miss.id.b));
        bad |= json_object_set_new(o, "reason", miss_name(miss.reason));
        err |= json_array_append_new(list, json_view_done(o, bad));
    }
    return json_view_done(list, err);
}

static json_t *head_json(const struct object *object)
{
    json_t *o = json_object();
    struct head head;
    int err = 0;

    object_head(object, &head);
    const struct head_fields *f = &head.fields;
    uint8_t features[sizeof f->features];
    struct writer w;
    writer_init(&w, features, sizeof features);
    writer_u64(&w, f->features);

    err |= json_object_set_new(o, "serial",
                               json_integer((json_int_t)object->serial));
    err |= json_object_set_new(
        o, "hash", json_view_hex(object->hash.b, sizeof object->hash.b));
    err |= json_object_set_new(o, "lease", json_integer(f->lease_s));
    err |= json_object_set_new(o, "flags", flag_names(f->flags));
    err |= json_object_set_new(o, "major_min", json_integer(f->major_min));
    err |= json_object_set_new(o, "major_max", json_integer(f->major_max));
    err |= json_object_set_new(o, "features",
                               json_view_hex(features, sizeof features));
    err |= json_object_set_new(o, "boot_id",
                               json_view_hex(f->boot_id, sizeof f->boot_id));
    err |= json_object_set_new(o, "run_id",
                               json_view_hex(f->run_id, sizeof f->run_id));
    err |= json_object_set_new(o, "misses", misses_json(&head));
    return json_view_done(o, err);
}

static json_t *block_json(const struct object *object)
{
    json_t *o = json_object();
    struct block block;
    int err = 0;

    object_block(object, &block);
    err |= json_object_set_new(o, "name",
                               json_view_text(block.name, strlen(block.name)));
    err |= json_object_set_new(o, "type", type_name(block.type));
    err |= json_object_set_new(o, "serial",
                               json_integer((json_int_t)block.serial));
    err |= json_object_set_new(o, "size",
                               json_integer((json_int_t)block.payload_len));
    err |= json_object_set_new(
        o, "hash", json_view_hex(object->hash.b, sizeof object->hash.b));
    return json_view_done(o, err);
}

static json_t *blocks_json(const struct bundle *bundle)
{
    json_t *list = json_array();
    int err = list == NULL;

    for (size_t i = 0; bundle != NULL && i < bundle->n; i++)
        err |= json_array_append_new(list, block_json(bundle->blocks[i]));
    return json_view_done(list, err);
}

json_t *json_view_node(const struct member_view *m)
{
    json_t *o = json_view_friend(m);
    int err = 0;

    err |= json_object_set_new(o, "facts", facts_json(m->bundle, "facts"));
    err |= json_object_set_new(o, "facts_more",
                               facts_json(m->bundle, "facts.more"));
    err |= json_object_set_new(o, "health", facts_json(m->bundle, "health"));
    err |= json_object_set_new(o, "head",
                               m->bundle == NULL ? json_null()
                                                 : head_json(m->bundle->head));
    err |= json_object_set_new(o, "blocks", blocks_json(m->bundle));
    return json_view_done(o, err);
}

/* -- export ----------------------------------------------------------- */

/* What the signature is over: protocol section 7.1. */
static json_t *signed_json(const struct mesh_id *mesh,
                           const struct block *block)
{
    static const char label[] = "kith-block-v1"; /* with its NUL */
    size_t cap = sizeof label + sizeof mesh->b + block->canonical_len;
    uint8_t *bytes = malloc(cap);
    struct writer w;
    json_t *string;

    if (bytes == NULL)
        return NULL;
    writer_init(&w, bytes, cap);
    writer_bytes(&w, label, sizeof label);
    writer_bytes(&w, mesh->b, sizeof mesh->b);
    writer_bytes(&w, block->canonical, block->canonical_len);
    string = json_view_base64(bytes, w.len);
    free(bytes);
    return string;
}

/* The node certificate as DER; null when its block is missing or malformed. */
static json_t *certificate_json(const struct bundle *bundle)
{
    const struct object *object = bundle_block(bundle, "cert");
    struct block block;
    struct certs certs;

    if (object == NULL)
        return json_null();
    object_block(object, &block);
    if (certs_decode(block.payload, block.payload_len, &certs) != KITH_OK)
        return json_null();
    return json_view_base64(certs.chain[0].p, certs.chain[0].n);
}

json_t *json_view_export(const struct bundle *bundle,
                         const struct object *object)
{
    const struct ident *author = bundle->author;
    json_t *o = block_json(object);
    struct block block;
    int err = 0;

    object_block(object, &block);
    err |= json_object_set_new(
        o, "node", json_view_hex(author->id.b, sizeof author->id.b));
    err |= json_object_set_new(
        o, "payload", json_view_base64(block.payload, block.payload_len));
    err |= json_object_set_new(o, "signed",
                               signed_json(pool_mesh(author->pool), &block));
    err |= json_object_set_new(o, "signature",
                               json_view_base64(block.sig, SIG_LEN));
    err |= json_object_set_new(o, "spki",
                               json_view_base64(author->spki, SPKI_LEN));
    err |= json_object_set_new(o, "certificate", certificate_json(bundle));
    return json_view_done(o, err);
}
