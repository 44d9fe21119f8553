/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_SECRETS_H
#define KITH_CORE_SECRETS_H

#include "core/engine.h"
#include "core/entropy.h"
#include "crypto/cipher.h"
#include "crypto/kdf.h"
#include "wire/limits.h"

/*
 * B's side of sessions: the few secrets from which every session key, ticket,
 * reset token and cookie is computed, so that B keeps nothing about anybody
 * (protocol section 6.1). They outlive a restart in the vault, together with
 * the serials that this node has reserved.
 */

struct epoch {
    uint8_t name[DGRAM_EPOCH_LEN];
    uint8_t secret[32];
    uint64_t begun_unix_ms;
    struct instant begun; /* on this run's clock, at the earliest its start */
    bool valid;
};

struct secrets {
    struct epoch current, previous;
    uint8_t ticket_key[32];
    uint8_t reset_key[32];
    uint8_t cookie_key[32];
    uint64_t reserved; /* this node may sign serials below it */
};

enum {
    VAULT_LEN = 2 + 2 * (DGRAM_EPOCH_LEN + 32 + 8) + 3 * 32 + 8,
};

/* Draws all of them afresh. */
void secrets_make(struct secrets *, const struct now *, struct entropy *);

/* Makes a new epoch the current one and wipes the one before the previous. */
void secrets_rotate(struct secrets *, const struct now *, struct entropy *);

/* When secrets_rotate() is due. */
struct instant secrets_deadline(const struct secrets *);

void secrets_wipe(struct secrets *);

/* The vault's content. */
void secrets_encode(const struct secrets *, uint8_t out[VAULT_LEN]);
/* KITH_OK; KITH_ERR_NEWER: a version from the future; KITH_ERR_FORMAT. On an
 * error *s is unchanged. */
int secrets_decode(struct secrets *s, const struct now *, const uint8_t *,
                   size_t n);

/* The epoch of that name; NULL when it is neither current nor previous. */
const struct epoch *secrets_epoch(const struct secrets *,
                                  const uint8_t name[DGRAM_EPOCH_LEN]);

/* Fills key, epoch, ticket and reset token, renew_after_s and valid_for_s. */
int secrets_grant(const struct secrets *, const struct now *, struct kdf *,
                  struct cipher *, const struct node_id *a, struct grant *);

int secrets_reset_token(const struct secrets *, struct kdf *,
                        const uint8_t ticket[DGRAM_TICKET_LEN],
                        const uint8_t epoch[DGRAM_EPOCH_LEN],
                        uint8_t out[DGRAM_RESET_TOKEN_LEN]);

int secrets_cookie(const struct secrets *, struct kdf *,
                   const struct node_id *a, const struct addr *from,
                   uint8_t out[ITEM_COOKIE_LEN]);

#endif
