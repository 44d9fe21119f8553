/* SPDX-License-Identifier: Apache-2.0 */
/* Facts, tags and addresses: what own.c signs as the block `facts`. */
#include <assert.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/text.h"
#include "core/own_impl.h"

/* Pairs under way to a payload. */
struct pairs {
    struct fact v[OWN_MACHINE_MAX + OWN_TAGS_MAX + OWN_ADDRS_MAX];
    size_t n;
};

static void pairs_add(struct pairs *p, const char *key, const char *value)
{
    assert(p->n < sizeof p->v / sizeof p->v[0]);
    p->v[p->n++] = (struct fact){key, strlen(key), value, strlen(value)};
}

static int pairs_build(uint16_t type, struct fact *pairs, size_t n,
                       uint8_t *buf, size_t cap, size_t *len)
{
    struct writer w;
    int err;

    writer_init(&w, buf, cap);
    err = facts_build(&w, type, pairs, n);
    return err == KITH_OK ? writer_finish(&w, len) : err;
}

static int build_facts(const struct own *own, uint8_t buf[FACTS_LEN_MAX],
                       size_t *len)
{
    char addrs[OWN_ADDRS_MAX][TEXT_ADDR_SIZE];
    char keys[OWN_TAGS_MAX][FACTS_KEY_MAX + 1];
    struct pairs pairs = {.n = 0};

    for (size_t i = 0; i < own->n_machine; i++)
        pairs_add(&pairs, own->machine[i].key, own->machine[i].value);
    for (size_t i = 0; i < own->n_addrs; i++)
        if (text_addr_format(addrs[i], sizeof addrs[i], &own->addrs[i]) ==
            KITH_OK)
            pairs_add(&pairs, "addr", addrs[i]);
    for (size_t i = 0; i < own->n_tags; i++) {
        snprintf(keys[i], sizeof keys[i], "tag.%.*s", FACTS_KEY_MAX - 4,
                 own->tags[i].key);
        pairs_add(&pairs, keys[i], own->tags[i].value);
    }
    return pairs_build(BLOCK_FACTS, pairs.v, pairs.n, buf, FACTS_LEN_MAX, len);
}

/* Signs `facts` anew if it says anything else than the present one. */
int own_facts_refresh(struct engine *e, const struct now *now)
{
    uint8_t payload[FACTS_LEN_MAX];
    size_t len = 0;
    int err = build_facts(&e->own, payload, &len);

    if (err == KITH_OK && !own_says(&e->own, "facts", payload, len))
        err = own_sign_block(e, now, BLOCK_FACTS, "facts", payload, len);
    if (err == KITH_ERR_FULL || err == KITH_ERR_FORMAT ||
        err == KITH_ERR_RANGE) {
        log_msg(e->log, LOG_LEVEL_WARN, "facts cannot be signed: %s",
                err_str(err));
        err = KITH_OK; /* the rest is signed all the same */
    }
    if (err == KITH_OK)
        e->own.facts_dirty = false;
    return err;
}

static int copy_pairs(struct own_pair *to, const struct fact *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (from[i].key_len > FACTS_KEY_MAX ||
            from[i].value_len > FACTS_VALUE_MAX)
            return KITH_ERR_RANGE;
        snprintf(to[i].key, sizeof to->key, "%.*s", (int)from[i].key_len,
                 from[i].key);
        snprintf(to[i].value, sizeof to->value, "%.*s", (int)from[i].value_len,
                 from[i].value);
    }
    return KITH_OK;
}

/* Puts n pairs in the place of those that the daemon gave before, if `facts`
 * can be built of them. */
static int take_machine(struct own *own, const struct fact *facts, size_t n)
{
    struct own_pair before[OWN_MACHINE_MAX];
    size_t n_before = own->n_machine, len;
    uint8_t payload[FACTS_LEN_MAX];
    int err;

    if (n > OWN_MACHINE_MAX)
        return KITH_ERR_FULL;
    memcpy(before, own->machine, sizeof before);
    err = copy_pairs(own->machine, facts, n);
    own->n_machine = n;
    if (err == KITH_OK)
        err = build_facts(own, payload, &len);
    if (err != KITH_OK) {
        memcpy(own->machine, before, sizeof before);
        own->n_machine = n_before;
    }
    return err;
}

void own_facts_load(struct own *own, const struct bundle *b)
{
    const struct object *object = bundle_block(b, "facts");
    struct facts_iter it;
    struct facts facts;
    struct fact pair;
    struct block block;

    own->n_tags = 0;
    if (!object)
        return;
    object_block(object, &block);
    if (facts_decode(BLOCK_FACTS, block.payload, block.payload_len, &facts) !=
        KITH_OK)
        return;
    it = facts_walk(&facts);
    while (facts_next(&it, &pair)) {
        struct own_pair *tag = &own->tags[own->n_tags];

        if (pair.key_len <= 4 || memcmp(pair.key, "tag.", 4) != 0 ||
            own->n_tags == OWN_TAGS_MAX)
            continue;
        snprintf(tag->key, sizeof tag->key, "%.*s", (int)(pair.key_len - 4),
                 pair.key + 4);
        snprintf(tag->value, sizeof tag->value, "%.*s", (int)pair.value_len,
                 pair.value);
        own->n_tags++;
    }
}

int own_facts(struct engine *e, const struct now *now, const struct fact *facts,
              size_t n, struct fact *more, size_t n_more)
{
    struct own *own = &e->own;
    uint8_t payload[OWN_MORE_MAX];
    size_t len = 0;
    int err;

    err = take_machine(own, facts, n);
    if (err != KITH_OK)
        return err;
    own_observed(e, now);
    if (n_more == 0)
        return KITH_OK;
    err = pairs_build(BLOCK_FACTS_MORE, more, n_more, payload, sizeof payload,
                      &len);
    if (err != KITH_OK)
        return err;
    return own_builtin(e, now, BLOCK_FACTS_MORE, "facts.more", payload, len);
}

static size_t find_tag(const struct own *own, const char *key)
{
    size_t i = 0;

    while (i < own->n_tags && strcmp(own->tags[i].key, key) != 0)
        i++;
    return i;
}

int own_tag(struct engine *e, const struct now *now, const char *key,
            const char *value)
{
    struct own *own = &e->own;
    uint8_t payload[FACTS_LEN_MAX];
    size_t at = find_tag(own, key), len;
    int err;
    struct own_pair before = {{0}, {0}};
    size_t n_before = own->n_tags;

    if (key[0] == '\0' || strlen(key) > FACTS_KEY_MAX - 4 ||
        (value && strlen(value) > FACTS_VALUE_MAX))
        return KITH_ERR_FORMAT;
    if (!value && at == own->n_tags)
        return KITH_ERR_NOTFOUND;
    if (value && at == OWN_TAGS_MAX)
        return KITH_ERR_FULL;
    if (at < own->n_tags)
        before = own->tags[at];
    if (!value) {
        own->tags[at] = own->tags[--own->n_tags];
    } else {
        own->n_tags += at == own->n_tags;
        snprintf(own->tags[at].key, sizeof before.key, "%s", key);
        snprintf(own->tags[at].value, sizeof before.value, "%s", value);
        err = build_facts(own, payload, &len);
        if (err != KITH_OK) {
            own->tags[at] = before;
            own->n_tags = n_before;
            return err;
        }
    }
    own->facts_dirty = true;
    own_due_now(e, now);
    return KITH_OK;
}

/* -- our addresses ----------------------------------------------------------
 */

static void add_addr(struct own *own, const struct addr *a)
{
    if (own->n_addrs == OWN_ADDRS_MAX)
        return;
    for (size_t i = 0; i < own->n_addrs; i++)
        if (addr_equal(&own->addrs[i], a))
            return;
    own->addrs[own->n_addrs++] = *a;
}

/* Two peers must see us at an address that is not on a link of ours before
 * it enters our facts. */
static void add_seen(struct own *own)
{
    for (size_t i = 0; i < OWN_SEEN; i++)
        for (size_t j = i + 1; j < OWN_SEEN; j++)
            if (own->seen[i].family != 0 &&
                addr_equal(&own->seen[i], &own->seen[j])) {
                add_addr(own, &own->seen[i]);
                return;
            }
}

void own_addresses(struct engine *e, const struct now *now)
{
    struct own *own = &e->own;
    struct addr before[OWN_ADDRS_MAX];
    size_t n_before = own->n_addrs;

    memcpy(before, own->addrs, sizeof before);
    memset(own->addrs, 0, sizeof own->addrs);
    own->n_addrs = 0;
    for (size_t i = 0; i < e->nets.n; i++)
        for (size_t j = 0; j < e->nets.links[i].n; j++) {
            struct addr a = e->nets.links[i].addrs[j].addr;

            a.port = e->config.port;
            if (e->nets.links[i].addrs[j].publish)
                add_addr(own, &a);
        }
    add_seen(own);
    if (own->n_addrs != n_before ||
        memcmp(before, own->addrs, sizeof before) != 0)
        own_observed(e, now);
}

void own_seen_at(struct engine *e, const struct now *now,
                 const struct node_id *b, const struct addr *seen)
{
    struct own *own = &e->own;
    struct addr a = *seen;
    size_t i = 0;

    a.port = e->config.port;
    if (!addr_is_unicast(&a) || addr_is_loopback(&a) ||
        addr_is_link_local(&a) || nets_is_own(&e->nets, &a))
        return;
    while (i < OWN_SEEN - 1 && own->seen[i].family != 0 &&
           !node_id_equal(&own->seen_by[i], b))
        i++;
    own->seen[i] = a;
    own->seen_by[i] = *b;
    own_addresses(e, now);
}
