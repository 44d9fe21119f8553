/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_STATE_H
#define KITH_CORE_STATE_H

#include "base/error.h"
#include "base/prng.h"
#include "core/bulk.h"
#include "core/dial.h"
#include "core/discovery.h"
#include "core/engine.h"
#include "core/entropy.h"
#include "core/fetch.h"
#include "core/friends.h"
#include "core/gather.h"
#include "core/index.h"
#include "core/nets.h"
#include "core/own.h"
#include "core/peer.h"
#include "core/push.h"
#include "core/request.h"
#include "core/responder.h"
#include "core/secrets.h"
#include "core/sync.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"

/*
 * The engine's insides, for the files of core/ only. Each part belongs to the
 * file of its name, which alone changes it.
 */
struct engine {
    struct engine_config config; /* cert not kept */
    struct node_id self;
    struct mesh_id mesh;
    uint8_t tag[MESH_TAG_LEN];
    struct ident *ident; /* reference, our own */
    struct pool *pool;   /* borrowed */
    const struct log *log;

    struct cipher *cipher; /* workspaces */
    struct kdf *kdf;
    struct hasher *hasher;
    struct entropy entropy;
    struct prng prng;

    struct secrets secrets;
    bool secrets_changed; /* since the vault was written */
    struct index index;
    struct own own;
    struct peer *peers;
    size_t n_peers;
    struct requests requests;
    struct fetches fetch;
    struct gather gather;
    struct push push;
    struct sync sync;
    struct friends friends;
    struct dials dial;
    struct discovery discovery;
    struct responder responder;
    struct bulk bulk;
    struct nets nets;

    bool started;
    bool heard; /* something authentic has come in */
    uint64_t counters[ENGINE_COUNTERS];

    /* bundles that effects still point at; dropped at the next event */
    struct bundle *retired[EFFECTS_MAX];
    size_t n_retired;
};

/* Around every event: lets go of what effects pointed at; then runs what is
 * due. */
void engine_begin(struct engine *);
void engine_finish(struct engine *, const struct now *, struct effects *);

/* Takes over a reference until the next event. */
void engine_retire(struct engine *, struct bundle *);

/* Our root, of protocol section 8. */
void engine_root(const struct engine *, uint8_t out[TRIE_ROOT_LEN]);

/* Tells the operator, unless others have so much to say that it would take
 * the room of what must not be lost. name and text may be NULL. */
void engine_note(struct effects *, enum note_type, const struct node_id *,
                 const char *name, const char *text);

/* Puts a datagram into the effects and counts it. */
void engine_send(struct engine *, struct effects *, const struct addr *to,
                 const struct addr *from, uint32_t ifindex, const uint8_t *data,
                 size_t len);

#endif
