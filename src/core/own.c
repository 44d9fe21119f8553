/* SPDX-License-Identifier: Apache-2.0 */
#include "core/own.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/own_impl.h"

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

static void drop_blocks(struct own *own)
{
    for (size_t i = 0; i < own->n; i++)
        object_unref(own->blocks[i]);
    own->n = 0;
}

void own_clear(struct own *own)
{
    drop_blocks(own);
    while (own->n_staged > 0)
        drop_staged(own, &own->staged[0]);
}

/* -- serials ------------------------------------------------------------ */

static uint64_t next_serial(const struct own *own, const struct now *now)
{
    return own->serial + 1 > now->unix_ms ? own->serial + 1 : now->unix_ms;
}

/* Whether serials are left at all: a clone may have used up the last. */
static bool has_serials(const struct own *own, const struct now *now)
{
    return next_serial(own, now) < BLOCK_SERIAL_MAX - SERIAL_RESERVE;
}

/* Asks for serials well before those that are reserved run out. */
static void reserve(struct engine *e, const struct now *now,
                    struct effects *out)
{
    struct own *own = &e->own;
    uint64_t next = next_serial(own, now);
    struct secrets after;
    struct effect *effect;
    uint8_t *image;

    if (own->vault_asked || !has_serials(own, now))
        return;
    if (next + SERIAL_RESERVE / 2 < e->secrets.reserved && !e->secrets_changed)
        return;
    if (own->vault_retry.us != INSTANT_NEVER.us &&
        !instant_reached(now->mono, own->vault_retry))
        return;
    own->vault_reserve = next + SERIAL_RESERVE;
    own->vault_asked = true;
    e->secrets_changed = false;
    after = e->secrets;
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
        e->secrets_changed = true;
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

int own_sign_block(struct engine *e, const struct now *now, uint16_t type,
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
    own->head_dirty = true;
    return KITH_OK;
}

bool own_says(const struct own *own, const char *name, const uint8_t *payload,
              size_t n)
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
        own->head_dirty = false;
    }
    bundle_unref(bundle);
    object_unref(head);
    free(payload);
    return err;
}

/* -- what waits to be signed ---------------------------------------------- */

static struct own_staged *find_staged(struct own *own, const char *name)
{
    for (size_t i = 0; i < own->n_staged; i++)
        if (strcmp(own->staged[i].name, name) == 0)
            return &own->staged[i];
    return NULL;
}

/* By how much `facts` may still grow. What is said of this machine, where to
 * find it above all, must not lack the room. */
static size_t facts_growth(const struct own *own, bool *found)
{
    size_t max = block_signed_len(strlen("facts"), FACTS_LEN_MAX);
    size_t at = find_block(own, "facts", found);
    size_t len = *found ? own->blocks[at]->len : 0;

    return len < max ? max - len : 0;
}

/* The number and the size of our blocks once everything staged is signed,
 * and this one too. */
static bool would_fit(const struct own *own, const char *name, size_t n)
{
    bool found;
    size_t total = total_size(own) + facts_growth(own, &found);
    size_t count = own->n + !found;
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
        if (n > 0)
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

/* Signs what is staged; stops at what may work later. */
static int flush_staged(struct engine *e, const struct now *now)
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
            own->head_dirty = true;
        } else if (!s->remove && !own_says(own, s->name, s->payload, s->n)) {
            err = own_sign_block(e, now, s->type, s->name, s->payload, s->n);
        }
        if (err == KITH_ERR_BUDGET || err == KITH_ERR_NOMEM ||
            err == KITH_ERR_CRYPTO)
            return err;
        if (err != KITH_OK)
            log_msg(e->log, LOG_LEVEL_ERROR, "block %s cannot be signed: %s",
                    s->name, err_str(err));
        drop_staged(own, s);
    }
    return KITH_OK;
}

/* -- when to sign ---------------------------------------------------------- */

/* Something that the agent observes has changed. */
void own_observed(struct engine *e, const struct now *now)
{
    struct own *own = &e->own;
    struct instant quiet = instant_add_ms(now->mono, SIGN_QUIET);
    struct instant rate = instant_add_ms(own->signed_at, SIGN_OBSERVED);

    own->facts_dirty = true;
    if (own->first)
        quiet = rate = now->mono;
    own->changed = quiet.us > rate.us ? quiet : rate;
}

/* The operator, or the protocol, wants it now. */
void own_due_now(struct engine *e, const struct now *now)
{
    e->own.due = now->mono;
}

static struct instant sign_due(const struct own *own)
{
    struct instant at = instant_min(own->due, own->changed);

    return instant_min(at, own->resign);
}

/* Whether all that waits can be signed with the serials that are reserved. */
static bool is_reserved(const struct engine *e, const struct now *now)
{
    return next_serial(&e->own, now) + OWN_SIGNED_MAX < e->secrets.reserved;
}

/* The earliest instant at which signing is allowed at all. */
static struct instant sign_allowed(const struct engine *e,
                                   const struct now *now)
{
    const struct own *own = &e->own;
    bool reserved = is_reserved(e, now);
    struct instant at = {0};

    if (!own->started || !has_serials(own, now) ||
        (own->vault_asked && !reserved))
        return INSTANT_NEVER;
    if (own->silent_unless_found)
        at = own->silence;
    if (own->clone && own->clone_until.us > at.us)
        at = own->clone_until;
    if (!reserved && own->vault_retry.us != INSTANT_NEVER.us &&
        own->vault_retry.us > at.us)
        at = own->vault_retry;
    return at;
}

struct instant own_deadline(const struct engine *e, const struct now *now)
{
    struct instant due = sign_due(&e->own);
    struct instant allowed = sign_allowed(e, now);

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
    int err = KITH_OK;

    if (own->first || instant_reached(now->mono, own->resign))
        own->head_dirty = true;
    if (own->facts_dirty)
        err = own_facts_refresh(e, now);
    if (err == KITH_OK)
        err = flush_staged(e, now);
    if (err == KITH_OK && own->head_dirty)
        err = sign_head(e, now, out);
    if (err == KITH_OK) {
        own->due = own->changed = INSTANT_NEVER;
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
    if (own->flags & HEAD_AWAY && !own->head_dirty &&
        instant_reached(now->mono,
                        instant_add_ms(own->signed_at, 2ull * AWAY_MS))) {
        own->flags &= (uint16_t)~HEAD_AWAY; /* we are still here */
        own->head_dirty = true;
        own_due_now(e, now);
    }
    if (own->clone && instant_reached(now->mono, own->clone_until)) {
        own->clone = false;
        own->flags &= (uint16_t)~HEAD_CLONE;
    }
    reserve(e, now, out);
    if (!instant_reached(now->mono, sign_due(own)) ||
        !instant_reached(now->mono, sign_allowed(e, now)) ||
        !is_reserved(e, now) || !budget_take(&own->budget, now->mono, 1))
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
    own_due_now(e, now);
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

    (void)now;
    drop_blocks(own);
    for (size_t i = 0; i < b->n; i++)
        own->blocks[own->n++] = object_ref(b->blocks[i]);
    if (b->serial > own->serial)
        own->serial = b->serial;
    own_facts_load(own, b);
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
    own_due_now(e, now);
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
        own_observed(e, now);
    return err;
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
        own_due_now(e, now);
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
    if (s ? s->remove : !found)
        return KITH_ERR_NOTFOUND;
    err = stage(own, BLOCK_DATA, name, NULL, 0, true);
    if (err == KITH_OK)
        own_due_now(e, now);
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
    own->head_dirty = true;
    own_due_now(e, now);
    own_tick(e, now, out);
}
