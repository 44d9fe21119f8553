/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_OWN_IMPL_H
#define KITH_CORE_OWN_IMPL_H

#include "core/state.h"

/* What own.c (signing) and own_facts.c (what is to be signed as facts) need
 * of each other. */

/* Signs a block now and puts it among our own; the head follows. As
 * own_put(), and KITH_ERR_BUDGET when no serial is reserved. */
int own_sign_block(struct engine *, const struct now *, uint16_t type,
                   const char *name, const uint8_t *payload, size_t n);

/* Whether our block of that name says just this. */
bool own_says(const struct own *, const char *name, const uint8_t *payload,
              size_t n);

/* The operator, or the protocol, wants a new head now. */
void own_due_now(struct engine *, const struct now *);

/* Something that the agent observes has changed: sign after some quiet. */
void own_observed(struct engine *, const struct now *);

/* Signs `facts` anew if it would say anything else than the present one. */
int own_facts_refresh(struct engine *, const struct now *);

/* Takes the tags out of a head's `facts`. */
void own_facts_load(struct own *, const struct bundle *);

#endif
