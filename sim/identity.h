/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_IDENTITY_H
#define KITH_SIM_IDENTITY_H

#include "core/pool.h"
#include "crypto/key.h"

/*
 * The key of a simulated node: a real one, or a stand-in that costs next to
 * nothing and follows from the seed. A stand-in has a public key of the
 * canonical form to which nobody knows the private one, and "signs" a digest
 * with H(public key, digest): anybody could, but here nobody lies.
 */
struct identity {
    uint8_t spki[SPKI_LEN];
    struct node_id id;
    struct key *key; /* NULL: a stand-in */
};

/* Makes the identity of node `index`. With rsa it is new each time, whatever
 * the seed. */
void identity_make(struct identity *who, uint64_t seed, uint32_t index,
                   bool rsa);
void identity_clear(struct identity *who);

/* Signs: a struct signer's function, whose arg is a struct identity. */
int identity_sign(void *arg, const struct hash *digest, uint8_t sig[SIG_LEN]);

/* What a pool verifies such signatures with; NULL for real ones. */
const struct sign_ops *identity_ops(bool rsa);

#endif
