/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault's content, all of it secret but the first two bytes:
 *
 *   offset  size
 *        0     1  format = 1
 *        1     1  epochs that are valid, 1 or 2
 *        2    44  current epoch: name (4), secret (32), begun, unix ms (8)
 *       46    44  previous epoch, likewise; zeros when there is none
 *       90    96  ticket key, reset key, cookie key
 *      186     8  reserved: serials below it may be signed
 */
#include "core/secrets.h"

#include <assert.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/wipe.h"

enum {
    VAULT_FORMAT = 1
};

_Static_assert(VAULT_LEN == 194, "the table above");

static void epoch_begin(struct epoch *e, const struct now *now,
                        struct entropy *entropy)
{
    entropy_take(entropy, e->name, sizeof e->name);
    entropy_take(entropy, e->secret, sizeof e->secret);
    e->begun_unix_ms = now->unix_ms;
    e->begun = now->mono;
    e->valid = true;
}

void secrets_make(struct secrets *s, const struct now *now,
                  struct entropy *entropy)
{
    memset(s, 0, sizeof *s);
    epoch_begin(&s->current, now, entropy);
    entropy_take(entropy, s->ticket_key, sizeof s->ticket_key);
    entropy_take(entropy, s->reset_key, sizeof s->reset_key);
    entropy_take(entropy, s->cookie_key, sizeof s->cookie_key);
}

void secrets_rotate(struct secrets *s, const struct now *now,
                    struct entropy *entropy)
{
    secret_wipe(&s->previous, sizeof s->previous);
    s->previous = s->current;
    epoch_begin(&s->current, now, entropy);
}

struct instant secrets_deadline(const struct secrets *s)
{
    return instant_add_ms(s->current.begun, (uint64_t)EPOCH_LIFE_S * 1000);
}

void secrets_wipe(struct secrets *s)
{
    secret_wipe(s, sizeof *s);
}

static void epoch_encode(struct writer *w, const struct epoch *e)
{
    writer_bytes(w, e->name, sizeof e->name);
    writer_bytes(w, e->secret, sizeof e->secret);
    writer_u64(w, e->begun_unix_ms);
}

/* An epoch's age on the wall clock, as far as one can believe it, moves its
 * beginning back on this run's clock: a restart does not make it younger. */
static int epoch_decode(struct cursor *c, struct epoch *e,
                        const struct now *now)
{
    uint64_t age_ms = 0;
    int err = cursor_copy(c, e->name, sizeof e->name);

    if (err == KITH_OK)
        err = cursor_copy(c, e->secret, sizeof e->secret);
    if (err == KITH_OK)
        err = cursor_u64(c, &e->begun_unix_ms);
    if (err != KITH_OK)
        return err;
    if (now->unix_ms > e->begun_unix_ms)
        age_ms = now->unix_ms - e->begun_unix_ms;
    if (age_ms > now->mono.us / 1000)
        age_ms = now->mono.us / 1000;
    e->begun = (struct instant){now->mono.us - age_ms * 1000};
    return KITH_OK;
}

void secrets_encode(const struct secrets *s, uint8_t out[VAULT_LEN])
{
    struct writer w;
    size_t len = 0;

    writer_init(&w, out, VAULT_LEN);
    writer_u8(&w, VAULT_FORMAT);
    writer_u8(&w, s->previous.valid ? 2 : 1);
    epoch_encode(&w, &s->current);
    epoch_encode(&w, &s->previous);
    writer_bytes(&w, s->ticket_key, sizeof s->ticket_key);
    writer_bytes(&w, s->reset_key, sizeof s->reset_key);
    writer_bytes(&w, s->cookie_key, sizeof s->cookie_key);
    writer_u64(&w, s->reserved);
    if (writer_finish(&w, &len) != KITH_OK || len != VAULT_LEN)
        assert(0 && "the vault's length is fixed");
}

int secrets_decode(struct secrets *s, const struct now *now,
                   const uint8_t *data, size_t n)
{
    struct secrets got = {0};
    struct cursor c;
    uint8_t format, epochs;
    int err = KITH_ERR_FORMAT;

    cursor_init(&c, data, n);
    if (cursor_u8(&c, &format) != KITH_OK)
        return KITH_ERR_FORMAT;
    if (format > VAULT_FORMAT)
        return KITH_ERR_NEWER;
    if (format != VAULT_FORMAT || n != VAULT_LEN ||
        cursor_u8(&c, &epochs) != KITH_OK || epochs < 1 || epochs > 2)
        return KITH_ERR_FORMAT;
    if (epoch_decode(&c, &got.current, now) != KITH_OK ||
        epoch_decode(&c, &got.previous, now) != KITH_OK ||
        cursor_copy(&c, got.ticket_key, sizeof got.ticket_key) != KITH_OK ||
        cursor_copy(&c, got.reset_key, sizeof got.reset_key) != KITH_OK ||
        cursor_copy(&c, got.cookie_key, sizeof got.cookie_key) != KITH_OK ||
        cursor_u64(&c, &got.reserved) != KITH_OK ||
        got.reserved > BLOCK_SERIAL_MAX)
        goto out;
    got.current.valid = true;
    got.previous.valid = epochs == 2;
    secrets_wipe(s);
    *s = got;
    err = KITH_OK;
out:
    secrets_wipe(&got);
    return err;
}

const struct epoch *secrets_epoch(const struct secrets *s,
                                  const uint8_t name[DGRAM_EPOCH_LEN])
{
    if (s->current.valid && memcmp(s->current.name, name, DGRAM_EPOCH_LEN) == 0)
        return &s->current;
    if (s->previous.valid &&
        memcmp(s->previous.name, name, DGRAM_EPOCH_LEN) == 0)
        return &s->previous;
    return NULL;
}

int secrets_reset_token(const struct secrets *s, struct kdf *kdf,
                        const uint8_t ticket[DGRAM_TICKET_LEN],
                        const uint8_t epoch[DGRAM_EPOCH_LEN],
                        uint8_t out[DGRAM_RESET_TOKEN_LEN])
{
    static const char label[] = "kith1 reset";
    uint8_t rest[DGRAM_TICKET_LEN + DGRAM_EPOCH_LEN];
    uint8_t mac[32];
    int err;

    memcpy(rest, ticket, DGRAM_TICKET_LEN);
    memcpy(rest + DGRAM_TICKET_LEN, epoch, DGRAM_EPOCH_LEN);
    err = kdf_hmac(kdf, s->reset_key, label, sizeof label - 1, rest,
                   sizeof rest, mac);
    if (err == KITH_OK)
        memcpy(out, mac, DGRAM_RESET_TOKEN_LEN);
    secret_wipe(mac, sizeof mac);
    return err;
}

int secrets_cookie(const struct secrets *s, struct kdf *kdf,
                   const struct node_id *a, const struct addr *from,
                   uint8_t out[ITEM_COOKIE_LEN])
{
    static const char label[] = "kith1 cookie";
    uint8_t rest[NODE_ID_LEN + 1 + 16 + 2];
    uint8_t mac[32];
    struct writer w;
    size_t len = 0;
    int err;

    writer_init(&w, rest, sizeof rest);
    writer_bytes(&w, a->b, sizeof a->b);
    writer_u8(&w, from->family);
    writer_bytes(&w, from->ip, sizeof from->ip);
    writer_u16(&w, from->port);
    err = writer_finish(&w, &len);
    assert(err == KITH_OK && len == sizeof rest);
    err = kdf_hmac(kdf, s->cookie_key, label, sizeof label - 1, rest, len, mac);
    if (err == KITH_OK)
        memcpy(out, mac, ITEM_COOKIE_LEN);
    secret_wipe(mac, sizeof mac);
    return err;
}

int secrets_grant(const struct secrets *s, const struct now *now,
                  struct kdf *kdf, struct cipher *cipher,
                  const struct node_id *a, struct grant *g)
{
    const struct epoch *e = &s->current;
    uint64_t age_s = instant_since_ms(now->mono, e->begun) / 1000;
    uint32_t epoch;
    struct cursor c;
    int err = kdf_session_key(kdf, e->secret, a, g->key);

    if (err != KITH_OK)
        return err;
    cursor_init(&c, e->name, sizeof e->name);
    err = cursor_u32(&c, &epoch);
    assert(err == KITH_OK);
    memcpy(g->epoch, e->name, sizeof g->epoch);
    err = cipher_ticket_seal(cipher, epoch, a, g->ticket);
    if (err != KITH_OK)
        return err;
    if (age_s > EPOCH_LIFE_S)
        age_s = EPOCH_LIFE_S;
    g->renew_after_s = (uint32_t)(EPOCH_LIFE_S - age_s);
    g->valid_for_s = (uint32_t)(2ull * EPOCH_LIFE_S - age_s);
    return secrets_reset_token(s, kdf, g->ticket, g->epoch, g->reset);
}
