/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_ENGINE_H
#define KITH_CORE_ENGINE_H

#include "base/log.h"
#include "base/types.h"
#include "core/effects.h"
#include "core/pool.h"
#include "wire/facts.h"

/*
 * The heart of an agent. It does no I/O: it opens no socket, reads no clock,
 * draws no randomness, touches no file and keeps nothing outside its struct.
 * Its owner (the daemon, the simulator, a fuzzer)
 *
 *   1. tops up its random bytes (engine_entropy) before each event,
 *   2. calls one of the event functions below with the time and an empty
 *      struct effects,
 *   3. carries out the effects in their order (see effects.h), and
 *   4. calls engine_tick() at engine_deadline().
 *
 * Everything runs in one thread. No event function calls back.
 */

/* The time of an event. */
struct now {
    struct instant mono; /* monotonic, not counting sleep */
    uint64_t unix_ms;    /* wall clock; used for serials and dates only */
    uint32_t lag_ms;     /* how late this event is being handled */
};

struct engine; /* opaque */

/* What signs for this node. */
struct signer {
    int (*sign)(void *arg, const struct hash *digest, uint8_t sig[SIG_LEN]);
    void *arg;
};

struct engine_config {
    struct pool *pool;    /* borrowed; names the mesh */
    struct signer signer; /* its arg is borrowed */
    uint8_t spki[SPKI_LEN];
    const uint8_t *cert; /* payload of the block `cert`, copied */
    size_t cert_len;
    const struct log *log;   /* borrowed; may be NULL */
    uint16_t port;           /* that we listen on, TCP and UDP */
    uint32_t members_max;    /* 0: the default */
    uint64_t forget_after_s; /* 0: the default */
    uint64_t build_unix_s;   /* lower bound of any sane clock */
    uint8_t run_id[8];       /* random at each start */
    uint8_t boot_id[16];     /* the same until the machine boots again */
    uint64_t seed;           /* of jitter; random */
    bool fresh;              /* this identity was made just now */
    bool lookout;            /* a beacon a minute even when all is well */
};

/* -- life ------------------------------------------------------------- */

/* Makes an engine; NULL when out of memory. Then load (engine_load_*), then
 * engine_start(). engine_free() wipes its secrets. */
struct engine *engine_new(const struct engine_config *, const struct now *);
void engine_free(struct engine *);

/* Random bytes wanted now; give as many with engine_entropy_add(), at most
 * once per event. A shortage is a bug of the owner's. */
size_t engine_entropy_wanted(const struct engine *);
void engine_entropy_add(struct engine *, const uint8_t *, size_t n);

/* The vault's content as last written (EFFECT_VAULT). Returns KITH_OK, or
 * KITH_ERR_FORMAT / KITH_ERR_NEWER: then nothing was taken. */
int engine_load_vault(struct engine *, const struct now *, const uint8_t *,
                      size_t n);

/* One node with its blocks, as kept by EFFECT_KEEP. Everything is verified
 * again; what does not hold is dropped and counted. */
struct stored_node {
    uint8_t spki[SPKI_LEN];
    uint64_t floor; /* highest serial ever accepted */
    uint64_t age_s; /* of its head ... */
    uint64_t off_s; /* ... of which we were off */
    bool gone;
    const uint8_t *const *blocks; /* signed blocks, the head among them */
    const size_t *lens;
    size_t n;
    struct addr good[GOOD_ADDRS]; /* last good ones; family 0: none */
};
int engine_load_node(struct engine *, const struct now *,
                     const struct stored_node *);

/* Begins: from now on the engine beacons, dials and signs. */
void engine_start(struct engine *, const struct now *, struct effects *);

/* -- events ----------------------------------------------------------- */

/* When engine_tick() wants to be called. */
struct instant engine_deadline(const struct engine *, const struct now *);
void engine_tick(struct engine *, const struct now *, struct effects *);

/* A datagram came. */
struct datagram {
    const uint8_t *data;
    size_t len;
    struct addr from;
    struct addr to;   /* local address that it was sent to */
    uint32_t ifindex; /* interface that it came in on */
    uint8_t hops;     /* hop limit that it arrived with */
    bool to_group;    /* sent to one of the multicast groups */
};
void engine_datagram(struct engine *, const struct now *,
                     const struct datagram *, struct effects *);

/* The system said that a datagram to this address was refused (ICMP). */
void engine_refused(struct engine *, const struct now *, const struct addr *,
                    struct effects *);

/* A call that EFFECT_CALL asked for has ended. */
enum call_outcome {
    CALL_OK,       /* status 200, body complete */
    CALL_REFUSED,  /* connection refused or reset */
    CALL_TCP,      /* no connection in time */
    CALL_TLS,      /* no handshake */
    CALL_STRANGER, /* the other side is no member of this mesh */
    CALL_OTHER,    /* another node than expected; peer tells which */
    CALL_STATUS,   /* an HTTP error; status and reason tell which */
    CALL_BROKEN,   /* anything after the handshake */
};
struct call_result {
    uint32_t call; /* EFFECT_CALL's */
    enum call_outcome outcome;
    int status;      /* HTTP, or 0 */
    bool peer_known; /* TLS has told who it is: */
    struct node_id peer;
    uint8_t spki[SPKI_LEN];
    struct addr local;   /* our own address of the connection */
    char reason[64];     /* for people */
    struct grant *grant; /* of a session call that is OK, borrowed */
};

/* A session as B grants it: the JSON of protocol section 5.1. */
struct grant {
    uint8_t key[32];
    uint8_t epoch[4];
    uint8_t ticket[32];
    uint8_t reset[16];
    struct addr you;
    uint32_t renew_after_s;
    uint32_t valid_for_s;
    uint8_t root[16];
    uint32_t members;
    uint8_t version_min, version_max;
};
void engine_call_done(struct engine *, const struct now *,
                      const struct call_result *, struct effects *);

/* Bytes of the answer to a bulk call, in order, in any cut, at most 16 KiB at
 * a time; before engine_call_done(). An error means: cancel that call. */
int engine_call_data(struct engine *, const struct now *, uint32_t id,
                     const uint8_t *, size_t n, struct effects *);

/* A, authenticated by TLS as a member of this mesh, asks for a session.
 * Returns KITH_OK with *out filled (wipe it after use); KITH_ERR_FULL: no
 * room for a member that is not known yet. */
int engine_grant(struct engine *, const struct now *, const struct node_id *a,
                 const struct addr *from, struct grant *out);

/* A's bulk request: takes what it gives, and opens a reply to be pulled.
 * Returns KITH_OK with *out, to be closed; KITH_ERR_BUDGET: too many under
 * way; KITH_ERR_FORMAT and others: malformed. */
struct bulk_reply;
int engine_bulk_open(struct engine *, const struct now *,
                     const struct node_id *a, const uint8_t *body, size_t n,
                     struct bulk_reply **out, struct effects *);
/* The next bytes of the reply, at least 40 KiB of room; 0 at the end. */
size_t engine_bulk_pull(struct engine *, const struct now *,
                        struct bulk_reply *, uint8_t *buf, size_t cap);
void engine_bulk_close(struct engine *, struct bulk_reply *);

/* The links of this machine have changed (or are known for the first time):
 * all suitable ones. Copied. */
struct net_addr {
    struct addr addr; /* port 0 */
    uint8_t prefix_len;
    bool publish; /* may stand in our facts */
};
struct net_link {
    uint32_t ifindex;
    bool loopback;
    struct net_addr addrs[16];
    size_t n;
};
void engine_links(struct engine *, const struct now *, const struct net_link *,
                  size_t n, struct effects *);

/* The machine has slept for so long, or the process stood still: forget all
 * tries. Members whose leases have run out meanwhile count again only when
 * somebody names their heads. */
void engine_woke(struct engine *, const struct now *, uint64_t slept_ms,
                 struct effects *);

/* The vault was written (EFFECT_VAULT), or could not be. */
void engine_vault_done(struct engine *, const struct now *, bool ok,
                       struct effects *);

/* -- the operator ----------------------------------------------------- */

/* Facts of this machine; `more` are those of facts.more, which get sorted.
 * Addresses and tags are added by the engine. Copied. Errors as of
 * facts_build(). */
int engine_facts(struct engine *, const struct now *, const struct fact *,
                 size_t n, struct fact *more, size_t n_more, struct effects *);

/* Sets a tag, or removes it when value is NULL. KITH_ERR_FORMAT: a key or a
 * value that breaks the rules; KITH_ERR_FULL: facts would pass 900 bytes;
 * KITH_ERR_NOTFOUND: no tag of that name to remove. */
int engine_tag(struct engine *, const struct now *, const char *key,
               const char *value, struct effects *);

/* Stores a block of the operator's own. KITH_ERR_FORMAT: bad or reserved
 * name; KITH_ERR_RANGE: over 32 KiB; KITH_ERR_FULL: over 64 blocks or 256 KiB
 * in all. */
int engine_put(struct engine *, const struct now *, const char *name,
               const uint8_t *, size_t n, struct effects *);
int engine_remove(struct engine *, const struct now *, const char *name,
                  struct effects *);

/* A configured peer (--peer): dialled until it is a session. */
int engine_peer(struct engine *, const struct now *, const struct addr *);

/* Signs the flag at once and announces it. After `leave` the node is gone
 * from the mesh until it starts again. */
void engine_leave(struct engine *, const struct now *, struct effects *);
void engine_away(struct engine *, const struct now *, struct effects *);

/* Drops what is kept of a node that is gone. KITH_ERR_NOTFOUND: unknown;
 * KITH_ERR_UNWANTED: it is not gone. */
int engine_forget(struct engine *, const struct now *, const struct node_id *,
                  struct effects *);

/* -- looking ---------------------------------------------------------- */

enum member_state {
    MEMBER_UP,        /* its head is not older than 3 leases */
    MEMBER_NO_ANSWER, /* a friend of ours that does not answer us */
    MEMBER_AWAY,      /* says that it is back in a moment */
    MEMBER_CACHED,    /* from the store; nobody has named it again yet */
    MEMBER_GONE,      /* its head has not risen for 3 leases */
    MEMBER_LEFT,      /* said good-bye */
};

/* One member as seen from here. Pointers are valid until the next event. */
struct member_view {
    struct node_id id;
    const struct bundle *bundle; /* NULL: no complete head yet */
    enum member_state state;
    uint64_t age_ms; /* of the head, as far as we know */
    bool self;
    bool friend;        /* one of our at most 20 */
    bool session;       /* we hold a session with it */
    bool proven;        /* that has been answered */
    uint32_t srtt_us;   /* 0: unknown */
    uint64_t answer_ms; /* since the last answer; UINT64_MAX: never */
    struct addr addr;   /* where we talk to it; family 0: nowhere */
    const char *reason; /* of MEMBER_NO_ANSWER, or "" */
};

/* Calls visit for each member (self included) in the order of ids. */
void engine_members(const struct engine *, const struct now *,
                    void (*visit)(void *arg, const struct member_view *),
                    void *arg);
/* One member. KITH_ERR_NOTFOUND. */
int engine_member(const struct engine *, const struct now *,
                  const struct node_id *, struct member_view *out);

/* Counters of an agent's life, in the order of engine_counter_name(). */
enum engine_counter {
    COUNT_DATAGRAMS_IN,
    COUNT_DATAGRAMS_OUT,
    COUNT_BYTES_IN,
    COUNT_BYTES_OUT,
    COUNT_BEACONS_OUT,
    COUNT_BEACONS_IN,
    COUNT_BEACONS_REFUSED,
    COUNT_HINTS_OUT,
    COUNT_HINTS_IN,
    COUNT_DIALS,
    COUNT_DIALS_FAILED,
    COUNT_GRANTS,
    COUNT_RESETS_OUT,
    COUNT_RESETS_IN,
    COUNT_SYNCS,
    COUNT_ANNOUNCES,
    COUNT_RETRIES,
    COUNT_TIMEOUTS,
    COUNT_MALFORMED,
    COUNT_VERSION,
    COUNT_FORGED,
    COUNT_UNKNOWN_EPOCH,
    COUNT_UNASKED_ANSWERS,
    COUNT_OVER_BUDGET,
    COUNT_HEADS_ACCEPTED,
    COUNT_BLOCKS_ACCEPTED,
    COUNT_BLOCKS_REFUSED,
    COUNT_UNWANTED,
    COUNT_UNKNOWN_ITEMS,
    COUNT_BULK_OUT,
    COUNT_BULK_IN,
    COUNT_SIGNATURES,
    ENGINE_COUNTERS
};
const char *engine_counter_name(enum engine_counter);

struct engine_status {
    struct node_id id;
    struct mesh_id mesh;
    uint8_t root[16];
    uint32_t members, friends, sessions;
    bool searching; /* beacons are being sent */
    bool heard;     /* something authentic has come in since the start */
    bool may_sign;  /* serials are reserved, and the start is over */
    bool clone;     /* another node uses our key */
    uint64_t serial;
    uint32_t lease_s;
    uint64_t counters[ENGINE_COUNTERS];
};
void engine_status(const struct engine *, const struct now *,
                   struct engine_status *);

#endif
