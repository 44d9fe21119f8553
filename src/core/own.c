/* SPDX-License-Identifier: Apache-2.0 */
#include "core/own.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/text.h"
#include "core/state.h"

void own_init(struct engine *e, const struct now *now)
{
    struct own *own = &e->own;

    memset(own, 0, sizeof *own);
    own->due = INSTANT_NEVER;
    own->resign = INSTANT_NEVER;
    own->silence = INSTANT_NEVER;
    own->vault_retry = INSTANT_NEVER;
    own->changed = INSTANT_NEVER;
    own->first = true;
    budget_init(&own->budget, SIGN_BURST, SIGN_RATE_X1000, now->mono);
}

static void drop_staged(struct own *own, struct own_staged *s)
{
    free(s->payload);
    *s = own->staged[--own->n_staged];
}

void own_clear(struct own *own)
{
    for (size_t i = 0; i < own->n; i++)
        object_unref(own->blocks[i]);
    own->n = 0;
    while (own->n_staged > 0)
        drop_staged(own, &own->staged[0]);
}

/* -- serials ------------------------------------------------------------ */

static uint64_t next_serial(const struct own *own, const struct now *now)
{
    return own->serial + 1 > now->unix_ms ? own->serial + 1 : now->unix_ms;
}

/* Asks for serials well before those that are reserved run out. */
static void reserve(struct engine *e, const struct now *now,
                    struct effects *out)
{
    struct own *own = &e->own;
    uint64_t next = next_serial(own, now);
    struct secrets after = e->secrets;
    struct effect *effect;
    uint8_t *image;

    if (own->vault_asked)
        return;
    if (next + SERIAL_RESERVE / 2 < after.reserved && !e->secrets_changed)
        return;
    if (own->vault_retry.us != INSTANT_NEVER.us &&
        !instant_reached(now->mono, own->vault_retry))
        return;
    own->vault_reserve = next + SERIAL_RESERVE;
    own->vault_asked = true;
    e->secrets_changed = false;
    after.reserved = own->vault_reserve;
    image = effects_bytes(out, VAULT_LEN);
    secrets_encode(&after, image);
    secrets_wipe(&after);
    effect = effects_add(out, EFFECT_VAULT);
    effect->vault.data = image;
    effect->vault.len = VAULT_LEN;
}

void own_vault_done(struct engine *e, const struct now *now, bool ok,
                    struct effects *out)
{
    struct own *own = &e->own;

    if (!own->vault_asked)
        return;
    own->vault_asked = false;
    if (ok) {
        e->secrets.reserved = own->vault_reserve;
        own->vault_retry = INSTANT_NEVER;
        own_tick(e, now, out);
    } else {
        own->vault_retry = instant_add_ms(now->mono, START_SILENCE);
        log_msg(e->log, LOG_LEVEL_ERROR,
                "the vault cannot be written, so nothing can be signed; "
                "trying again in %d s",
                START_SILENCE / 1000);
    }
}

/* -- blocks -------------------------------------------------------------- */

static size_t find_block(const struct own *own, const char *name, bool *found)
{
    struct block block;

    *found = false;
    for (size_t i = 0; i < own->n; i++) {
        int order;

        object_block(own->blocks[i], &block);
        order = strcmp(block.name, name);
        if (order < 0)
            continue;
        *found = order == 0;
        return i;
    }
    return own->n;
}

/* Encodes and signs; the result goes through the same verification as
 * anybody's, which is cheap and keeps one way into the pool. */
static int sign_block(struct engine *e, const struct now *now, uint16_t type,
                      const char *name, const uint8_t *payload, size_t n,
                      struct object **out)
{
    struct own *own = &e->own;
    uint64_t serial = next_serial(own, now);
    struct block block = {.type = type, .author = e->self, .serial = serial};
    uint8_t *bytes;
    struct writer w;
    struct hash digest;
    size_t len = 0;
    int err;

    if (serial >= e->secrets.reserved)
        return KITH_ERR_BUDGET; /* own_tick() asks for more */
    snprintf(block.name, sizeof block.name, "%s", name);
    block.payload = payload;
    block.payload_len = n;
    bytes = malloc(BLOCK_FIXED_LEN + BLOCK_NAME_MAX + n + SIG_LEN);
    if (!bytes)
        return KITH_ERR_NOMEM;
    writer_init(&w, bytes, BLOCK_FIXED_LEN + BLOCK_NAME_MAX + n);
    err = block_encode(&block, &w);
    if (err == KITH_OK)
        err = writer_finish(&w, &len);
    if (err == KITH_OK)
        err = block_hash(e->hasher, &e->mesh, bytes, len, &digest);
    if (err == KITH_OK)
        err = e->config.signer.sign(e->config.signer.arg, &digest, bytes + len);
    if (err == KITH_OK)
        err = pool_object(e->pool, e->ident, bytes, len + SIG_LEN, out);
    free(bytes);
    if (err == KITH_OK) {
        own->serial = serial;
        e->counters[COUNT_SIGNATURES]++;
    }
    return err;
}

static size_t total_size(const struct own *own)
{
    size_t total = 0;

    for (size_t i = 0; i < own->n; i++)
        total += own->blocks[i]->len;
    return total;
}

static int put_block(struct engine *e, const struct now *now, uint16_t type,
                     const char *name, const uint8_t *payload, size_t n)
{
    struct own *own = &e->own;
    struct object *object;
    bool found;
    size_t at = find_block(own, name, &found);
    size_t total = total_size(own) + block_signed_len(strlen(name), n);
    int err;

    if (found)
        total -= own->blocks[at]->len;
    if (total > HEAD_TOTAL_MAX || (!found && own->n == HEAD_ENTRIES_MAX))
        return KITH_ERR_FULL;
    err = sign_block(e, now, type, name, payload, n, &object);
    if (err != KITH_OK)
        return err;
    if (found) {
        object_unref(own->blocks[at]);
    } else {
        memmove(own->blocks + at + 1, own->blocks + at,
                (own->n - at) * sizeof *own->blocks);
        own->n++;
    }
    own->blocks[at] = object;
    return KITH_OK;
}

static bool same_payload(const struct own *own, const char *name,
                         const uint8_t *payload, size_t n)
{
    bool found;
    size_t at = find_block(own, name, &found);
    struct block block;

    if (!found)
        return false;
    object_block(own->blocks[at], &block);
    return block.payload_len == n && memcmp(block.payload, payload, n) == 0;
}

/* -- the head ------------------------------------------------------------ */

static uint32_t choose_lease(struct engine *e)
{
    uint64_t ms = (uint64_t)e->index.live * LEASE_PER_MEMBER_MS;

    if (ms < (uint64_t)HEAD_LEASE_MIN_S * 1000)
        ms = (uint64_t)HEAD_LEASE_MIN_S * 1000;
    ms = prng_jitter(&e->prng, ms, 20);
    if (ms < (uint64_t)HEAD_LEASE_MIN_S * 1000)
        ms = (uint64_t)HEAD_LEASE_MIN_S * 1000;
    if (ms > (uint64_t)HEAD_LEASE_MAX_S * 1000)
        ms = (uint64_t)HEAD_LEASE_MAX_S * 1000;
    return (uint32_t)(ms / 1000);
}

static size_t build_head(struct engine *e, uint8_t *buf, size_t cap,
                         uint32_t lease_s)
{
    struct own *own = &e->own;
    struct head_entry entries[HEAD_ENTRIES_MAX] = {0};
    struct head_fields fields = {
        .major_min = PROTOCOL_MAJOR,
        .major_max = PROTOCOL_MAJOR,
        .flags = own->flags,
        .lease_s = lease_s,
    };
    struct writer w;
    size_t len = 0;
    int err;

    memcpy(fields.boot_id, e->config.boot_id, sizeof fields.boot_id);
    memcpy(fields.run_id, e->config.run_id, sizeof fields.run_id);
    for (size_t i = 0; i < own->n; i++) {
        const struct object *object = own->blocks[i];
        struct block block;

        object_block(object, &block);
        memcpy(entries[i].name, block.name, sizeof entries[i].name);
        entries[i].type = object->type;
        entries[i].serial = object->serial;
        entries[i].size = (uint32_t)object->len;
        entries[i].hash = object->hash;
    }
    writer_init(&w, buf, cap);
    head_build(&w, &fields, entries, own->n, NULL, 0);
    err = writer_finish(&w, &len);
    assert(err == KITH_OK && "HEAD_PAYLOAD_MAX bytes are always enough");
    return len;
}

static int sign_head(struct engine *e, const struct now *now,
                     struct effects *out)
{
    struct own *own = &e->own;
    uint32_t lease_s = choose_lease(e);
    uint8_t *payload = malloc(HEAD_PAYLOAD_MAX);
    struct object *head = NULL;
    struct bundle *bundle = NULL;
    size_t len;
    int err;

    if (!payload)
        return KITH_ERR_NOMEM;
    len = build_head(e, payload, HEAD_PAYLOAD_MAX, lease_s);
    err = sign_block(e, now, BLOCK_HEAD, "head", payload, len, &head);
    if (err == KITH_OK)
        err = pool_bundle(e->pool, head, own->blocks, own->n, &bundle);
    if (err == KITH_OK)
        err = index_accept(e, now, bundle, 0, NULL, out);
    if (err == KITH_OK) {
        own->lease_s = lease_s;
        own->signed_at = now->mono;
        own->resign = instant_add_ms(now->mono, (uint64_t)lease_s * 1000);
        own->first = false;
    }
    bundle_unref(bundle);
    object_unref(head);
    free(payload);
    return err;
}

/* -- facts --------------------------------------------------------------- */

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
static int refresh_facts(struct engine *e, const struct now *now)
{
    uint8_t payload[FACTS_LEN_MAX];
    size_t len = 0;
    int err = build_facts(&e->own, payload, &len);

    if (err != KITH_OK) {
        log_msg(e->log, LOG_LEVEL_WARN, "facts are too long to be signed: %s",
                err_str(err));
        e->own.facts_dirty = false;
        return KITH_OK;
    }
    if (!same_payload(&e->own, "facts", payload, len))
        err = put_block(e, now, BLOCK_FACTS, "facts", payload, len);
    if (err == KITH_OK)
        e->own.facts_dirty = false;
    return err;
}

/* Something that the agent observes has changed. */
static void observed(struct engine *e, const struct now *now)
{
    struct own *own = &e->own;
    struct instant quiet = instant_add_ms(now->mono, SIGN_QUIET);
    struct instant rate = instant_add_ms(own->signed_at, SIGN_OBSERVED);

    own->facts_dirty = true;
    if (own->first)
        quiet = rate = now->mono;
    own->changed = quiet.us > rate.us ? quiet : rate;
}

static void copy_pairs(struct own_pair *to, size_t cap, size_t *n_to,
                       const struct fact *from, size_t n)
{
    *n_to = 0;
    for (size_t i = 0; i < n && *n_to < cap; i++) {
        if (from[i].key_len > FACTS_KEY_MAX ||
            from[i].value_len > FACTS_VALUE_MAX)
            continue;
        snprintf(to[*n_to].key, sizeof to->key, "%.*s", (int)from[i].key_len,
                 from[i].key);
        snprintf(to[*n_to].value, sizeof to->value, "%.*s",
                 (int)from[i].value_len, from[i].value);
        ++*n_to;
    }
}

/* -- what waits to be signed ---------------------------------------------- */

static struct own_staged *find_staged(struct own *own, const char *name)
{
    for (size_t i = 0; i < own->n_staged; i++)
        if (strcmp(own->staged[i].name, name) == 0)
            return &own->staged[i];
    return NULL;
}

/* The number and the size of our blocks once everything staged is signed,
 * and this one too. */
static bool would_fit(const struct own *own, const char *name, size_t n)
{
    size_t total = total_size(own), count = own->n;
    bool found;
    size_t at = find_block(own, name, &found);

    total += block_signed_len(strlen(name), n);
    count += !found;
    if (found)
        total -= own->blocks[at]->len;
    for (size_t i = 0; i < own->n_staged; i++) {
        const struct own_staged *s = &own->staged[i];

        if (strcmp(s->name, name) == 0 || s->remove)
            continue;
        find_block(own, s->name, &found);
        count += !found;
        total += block_signed_len(strlen(s->name), s->n);
    }
    return count <= HEAD_ENTRIES_MAX && total <= HEAD_TOTAL_MAX;
}

static int stage(struct own *own, uint16_t type, const char *name,
                 const uint8_t *payload, size_t n, bool remove)
{
    struct own_staged *s = find_staged(own, name);
    uint8_t *copy = NULL;

    if (!remove && !would_fit(own, name, n))
        return KITH_ERR_FULL;
    if (!s && own->n_staged == HEAD_ENTRIES_MAX)
        return KITH_ERR_FULL;
    if (!remove) {
        copy = malloc(n + 1);
        if (!copy)
            return KITH_ERR_NOMEM;
        memcpy(copy, payload, n);
    }
    if (s)
        free(s->payload);
    else
        s = &own->staged[own->n_staged++];
    memset(s, 0, sizeof *s);
    snprintf(s->name, sizeof s->name, "%s", name);
    s->type = type;
    s->payload = copy;
    s->n = n;
    s->remove = remove;
    return KITH_OK;
}

/* Signs what is staged; stops when serials run out. */
static int flush_staged(struct engine *e, const struct now *now, bool *changed)
{
    struct own *own = &e->own;

    while (own->n_staged > 0) {
        struct own_staged *s = &own->staged[0];
        bool found;
        size_t at = find_block(own, s->name, &found);
        int err = KITH_OK;

        if (s->remove && found) {
            object_unref(own->blocks[at]);
            memmove(own->blocks + at, own->blocks + at + 1,
                    (own->n - at - 1) * sizeof *own->blocks);
            own->n--;
            *changed = true;
        } else if (!s->remove &&
                   !same_payload(own, s->name, s->payload, s->n)) {
            err = put_block(e, now, s->type, s->name, s->payload, s->n);
            *changed = *changed || err == KITH_OK;
        }
        if (err == KITH_ERR_BUDGET || err == KITH_ERR_NOMEM)
            return err;
        if (err != KITH_OK)
            log_msg(e->log, LOG_LEVEL_ERROR, "block %s cannot be signed: %s",
                    s->name, err_str(err));
        drop_staged(own, s);
    }
    return KITH_OK;
}

/* -- when to sign ---------------------------------------------------------- */

/* The operator, or the protocol, wants it now. */
static void due_now(struct engine *e, const struct now *now)
{
    e->own.due = now->mono;
}

static struct instant sign_due(const struct own *own)
{
    struct instant at = instant_min(own->due, own->changed);

    return instant_min(at, own->resign);
}

/* The earliest instant at which signing is allowed at all. */
static struct instant sign_allowed(const struct own *own)
{
    struct instant at = {0};

    if (!own->started || own->vault_asked)
        return INSTANT_NEVER;
    if (own->silent_unless_found)
        at = own->silence;
    if (own->clone && own->clone_until.us > at.us)
        at = own->clone_until;
    if (own->vault_retry.us != INSTANT_NEVER.us && own->vault_retry.us > at.us)
        at = own->vault_retry;
    return at;
}

struct instant own_deadline(const struct engine *e)
{
    struct instant due = sign_due(&e->own);
    struct instant allowed = sign_allowed(&e->own);

    if (due.us == INSTANT_NEVER.us)
        return secrets_deadline(&e->secrets);
    if (allowed.us > due.us)
        due = allowed;
    if (due.us != INSTANT_NEVER.us) {
        struct instant ready = budget_ready(&e->own.budget, due, 1);

        if (ready.us > due.us)
            due = ready;
    }
    return instant_min(due, secrets_deadline(&e->secrets));
}

static void sign_all(struct engine *e, const struct now *now,
                     struct effects *out)
{
    struct own *own = &e->own;
    bool changed = own->first || own->flags_dirty ||
                   instant_reached(now->mono, own->resign);
    struct object *facts = NULL;
    bool found;
    size_t at = find_block(own, "facts", &found);
    int err = KITH_OK;

    if (found)
        facts = own->blocks[at];
    if (own->facts_dirty)
        err = refresh_facts(e, now);
    at = find_block(own, "facts", &found);
    changed = changed || (found && own->blocks[at] != facts);
    if (err == KITH_OK)
        err = flush_staged(e, now, &changed);
    if (err == KITH_OK && changed)
        err = sign_head(e, now, out);
    if (err == KITH_OK) {
        own->due = own->changed = INSTANT_NEVER;
        own->flags_dirty = false;
    } else {
        /* own_tick() reserves serials, or tries again shortly */
        own->due = instant_add_ms(now->mono, 1000);
        if (err != KITH_ERR_BUDGET)
            log_msg(e->log, LOG_LEVEL_ERROR, "cannot sign: %s", err_str(err));
    }
}

void own_tick(struct engine *e, const struct now *now, struct effects *out)
{
    struct own *own = &e->own;

    if (!own->started || !effects_room(out, 16))
        return;
    if (instant_reached(now->mono, secrets_deadline(&e->secrets))) {
        secrets_rotate(&e->secrets, now, &e->entropy);
        e->secrets_changed = true;
    }
    if (own->clone && instant_reached(now->mono, own->clone_until)) {
        own->clone = false;
        own->flags &= (uint16_t)~HEAD_CLONE;
    }
    reserve(e, now, out);
    if (!instant_reached(now->mono, sign_due(own)) ||
        !instant_reached(now->mono, sign_allowed(own)) ||
        next_serial(own, now) + HEAD_ENTRIES_MAX >= e->secrets.reserved ||
        !budget_take(&own->budget, now->mono, 1))
        return;
    own->silent_unless_found = false;
    sign_all(e, now, out);
}

void own_start(struct engine *e, const struct now *now)
{
    struct own *own = &e->own;

    own->started = true;
    own->silent_unless_found = !e->config.fresh || own->n > 0;
    own->silence = instant_add_ms(now->mono, START_SILENCE);
    own->facts_dirty = true;
    if (e->secrets.reserved > own->serial + 1)
        own->serial = e->secrets.reserved - 1;
    due_now(e, now);
}

void own_synced(struct engine *e, const struct now *now)
{
    if (e->own.silent_unless_found)
        e->own.silence = instant_min(e->own.silence, now->mono);
}

/* Brings back what an earlier run signed. */
void own_load(struct engine *e, const struct now *now, struct bundle *b)
{
    struct own *own = &e->own;
    const struct object *facts = bundle_block(b, "facts");
    struct facts_iter it;
    struct facts facts_of;
    struct fact pair;
    struct block block;

    (void)now;
    own_clear(own);
    for (size_t i = 0; i < b->n; i++)
        own->blocks[own->n++] = object_ref(b->blocks[i]);
    if (b->serial > own->serial)
        own->serial = b->serial;
    if (!facts)
        return;
    object_block(facts, &block);
    if (facts_decode(BLOCK_FACTS, block.payload, block.payload_len,
                     &facts_of) != KITH_OK)
        return;
    it = facts_walk(&facts_of);
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

/*
 * Somebody has a head of ours that this run did not sign. Once is a restored
 * backup, or a run whose last words we lost: sign above it. Twice in an hour
 * is another agent with our key.
 */
void own_foreign(struct engine *e, const struct now *now, struct object *head,
                 struct effects *out)
{
    struct own *own = &e->own;

    if (head->serial <= own->serial)
        return;
    own->serial = head->serial;
    due_now(e, now);
    own->first = true; /* sign even if nothing else has changed */
    if (own->foreign_seen &&
        instant_since_ms(now->mono, own->foreign) < CLONE_WINDOW &&
        !own->silent_unless_found) {
        own->clone = true;
        own->clone_until = instant_add_ms(now->mono, CLONE_BACKOFF);
        own->flags |= HEAD_CLONE;
        engine_note(out, NOTE_CLONE, &e->self, NULL,
                    "another agent signs with this node's key; give one of "
                    "the two a new identity");
    }
    own->foreign_seen = true;
    own->foreign = now->mono;
}

/* -- the operator ---------------------------------------------------------- */

int own_builtin(struct engine *e, const struct now *now, uint16_t type,
                const char *name, const uint8_t *payload, size_t n)
{
    int err = stage(&e->own, type, name, payload, n, false);

    if (err == KITH_OK)
        observed(e, now);
    return err;
}

int own_facts(struct engine *e, const struct now *now, const struct fact *facts,
              size_t n, struct fact *more, size_t n_more)
{
    struct own *own = &e->own;
    uint8_t payload[OWN_MORE_MAX];
    size_t len = 0;
    int err;

    copy_pairs(own->machine, OWN_MACHINE_MAX, &own->n_machine, facts, n);
    observed(e, now);
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
    due_now(e, now);
    return KITH_OK;
}

int own_put(struct engine *e, const struct now *now, const char *name,
            const uint8_t *payload, size_t n)
{
    int err;

    if (!block_name_ok(name, strlen(name)) ||
        block_name_reserved(name, strlen(name)))
        return KITH_ERR_FORMAT;
    if (n > BLOCK_PAYLOAD_MAX)
        return KITH_ERR_RANGE;
    err = stage(&e->own, BLOCK_DATA, name, payload, n, false);
    if (err == KITH_OK)
        due_now(e, now);
    return err;
}

int own_remove(struct engine *e, const struct now *now, const char *name)
{
    struct own *own = &e->own;
    struct own_staged *s = find_staged(own, name);
    bool found;
    int err;

    if (!block_name_ok(name, strlen(name)) ||
        block_name_reserved(name, strlen(name)))
        return KITH_ERR_FORMAT;
    find_block(own, name, &found);
    if (!found && (!s || s->remove))
        return KITH_ERR_NOTFOUND;
    err = stage(own, BLOCK_DATA, name, NULL, 0, true);
    if (err == KITH_OK)
        due_now(e, now);
    return err;
}

void own_flags(struct engine *e, const struct now *now, uint16_t set,
               uint16_t clear, struct effects *out)
{
    struct own *own = &e->own;
    uint16_t flags = (uint16_t)((own->flags & ~clear) | set);

    if (flags == own->flags)
        return;
    own->flags = flags;
    own->flags_dirty = true;
    due_now(e, now);
    own_tick(e, now, out);
}

/* -- our addresses ----------------------------------------------------------
 */

/* Two peers must see us at an address that is not on a link of ours before
 * it enters our facts. */
static void add_seen(struct own *own)
{
    for (size_t i = 0; i < OWN_SEEN; i++)
        for (size_t j = i + 1; j < OWN_SEEN; j++)
            if (own->seen[i].family != 0 && own->n_addrs < OWN_ADDRS_MAX &&
                addr_equal(&own->seen[i], &own->seen[j])) {
                own->addrs[own->n_addrs++] = own->seen[i];
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
            const struct net_addr *a = &e->nets.links[i].addrs[j];

            if (!a->publish || own->n_addrs == OWN_ADDRS_MAX)
                continue;
            own->addrs[own->n_addrs] = a->addr;
            own->addrs[own->n_addrs++].port = e->config.port;
        }
    add_seen(own);
    if (own->n_addrs != n_before ||
        memcmp(before, own->addrs, sizeof before) != 0)
        observed(e, now);
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
