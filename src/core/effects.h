/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_EFFECTS_H
#define KITH_CORE_EFFECTS_H

#include "base/types.h"
#include "core/limits.h"

struct bundle;
struct ident;

/*
 * What the engine wants done, in this order. The array is the caller's and
 * bounded; the engine leaves for its next tick what does not fit.
 */
enum effect_type {
    EFFECT_DATAGRAM,  /* send bytes */
    EFFECT_BEACON,    /* send bytes to both groups on a link, hop limit 255 */
    EFFECT_CALL,      /* make an HTTPS call */
    EFFECT_CANCEL,    /* end a call; its result is not wanted any more */
    EFFECT_VAULT,     /* write the vault, then engine_vault_done() */
    EFFECT_KEEP,      /* keep a bundle in place of an older one */
    EFFECT_KEEP_NODE, /* keep what is known of a node besides its blocks */
    EFFECT_DROP_NODE, /* forget all about a node */
    EFFECT_NOTE,      /* tell the operator */
};

enum call_kind {
    CALL_SESSION, /* POST /v1/session */
    CALL_BULK,    /* POST /v1/sync */
};

enum note_type {
    NOTE_JOINED,       /* a member that was not known, or was gone */
    NOTE_CHANGED,      /* a block of a member's: `name` */
    NOTE_REMOVED,      /* a block of a member's is gone: `name` */
    NOTE_NO_ANSWER,    /* a friend does not answer: `text` is the reason */
    NOTE_BACK,         /* it does again */
    NOTE_AWAY,         /* a member says that it is back in a moment */
    NOTE_LEFT,         /* a member said good-bye */
    NOTE_GONE,         /* a member's head has not risen for 3 leases */
    NOTE_EQUIVOCATION, /* a member signed two heads with one serial */
    NOTE_CLONE,        /* somebody else signs with our key */
    NOTE_FULL,         /* max-members: somebody was not let in */
    NOTE_SEARCHING,    /* nobody is known: beacons begin */
    NOTE_FOUND,        /* others are known: beacons have stopped */
    NOTE_TYPES
};
/* "joined", "changed", "no-answer", ...; never NULL. */
const char *note_type_name(enum note_type);

struct effect {
    enum effect_type type;
    union {
        struct {
            struct addr to;
            struct addr from;    /* local address to send from; 0: any */
            uint32_t ifindex;    /* interface to use; 0: any */
            const uint8_t *data; /* in the effects' own bytes */
            size_t len;
        } datagram;
        struct {
            uint32_t ifindex;
            const uint8_t *data; /* likewise */
            size_t len;
        } beacon;
        struct {
            uint32_t call; /* comes back with engine_call_done() */
            enum call_kind kind;
            struct addr to;
            bool has_expected;
            struct node_id expected; /* end the call if it is another */
            uint32_t deadline_ms;
            uint8_t *body; /* malloc'ed; to be freed by the receiver */
            size_t len;
        } call;
        uint32_t cancel;
        struct {
            const uint8_t *data; /* in the effects' own bytes; wipe */
            size_t len;
        } vault;
        struct {
            /* Keep every block of `now`; of `before`, drop by name those
             * that `now` has not. Borrowed until the next event. */
            const struct bundle *now;
            const struct bundle *before; /* or NULL */
        } keep;
        struct {
            struct node_id id;
            const struct ident *ident; /* borrowed; has the SPKI */
            uint64_t floor;
            uint64_t age_s;
            bool gone;
            struct addr good[GOOD_ADDRS];
        } keep_node;
        struct node_id drop_node;
        struct {
            enum note_type type;
            struct node_id id; /* all zero: nobody's */
            char name[33];     /* of a block, or "" */
            char text[96];     /* for people, or "" */
        } note;
    };
};

struct effects {
    struct effect v[EFFECTS_MAX];
    size_t n;
    uint8_t bytes[EFFECTS_BYTES];
    size_t used;
};

/* Makes it empty: before each event. */
void effects_clear(struct effects *);

/* Whether n more effects with a datagram each surely fit. */
bool effects_room(const struct effects *, size_t n);

/* Appends one, zeroed but for its type. Asserts that there is room: the
 * engine asks effects_room() before it starts work that produces any. */
struct effect *effects_add(struct effects *, enum effect_type);

/* Room for n bytes that live as long as the effects. Asserts likewise. */
uint8_t *effects_bytes(struct effects *, size_t n);

#endif
