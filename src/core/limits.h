/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_CORE_LIMITS_H
#define KITH_CORE_LIMITS_H

#include "wire/limits.h"

/*
 * Every bound of the engine that is not a size on the wire (those are in
 * wire/limits.h): tables, queues, rates and times, each with its unit and its
 * reason. Times in milliseconds unless the name says otherwise.
 */
enum {
    /* -- who talks to whom ------------------------------------------- */
    EVERYBODY_MAX = 21,       /* up to here all others are friends */
    SESSIONS_MAX = 96,        /* friends + former ones + those just found */
    SESSIONS_FORMER_MAX = 64, /* kept so that a heal costs no handshakes */
    ANNOUNCE_RINGS = 4,       /* announcements go to the friends on rings 0-3 */
    FRIENDS_RECOMPUTE = 2000, /* at most this often after the first time */
    FRIENDS_RECOMPUTE_FEW = 100, /* ... while there are fewer than 20 */

    /* -- dialling ---------------------------------------------------- */
    DIALS_MAX = 3,            /* at a time */
    DIAL_BURST = 8,           /* new sessions at once ... */
    DIAL_RATE_X1000 = 2000,   /* ... then 2 a second */
    DIAL_DEADLINE = 2000,     /* of one HTTPS call for a session */
    DIAL_STAGGER = 250,       /* between a node's addresses, RFC 8305 */
    DIAL_BACKOFF_MIN = 10000, /* per destination address, doubling to ... */
    DIAL_BACKOFF_MAX = 600000,
    DIAL_TABLE_MAX = 1024, /* destinations whose back-off is remembered */
    BULK_CALLS_MAX = 2,    /* at a time, that we make */
    BULK_DEADLINE = 60000,
    BULK_MIN_HEADS = 48,   /* lacking more than this: the bulk exchange */
    BULK_REPLIES_MAX = 4,  /* that are served at a time */
    BULK_REFUSED_MAX = 16, /* false or unwanted blocks end a stream */
    BULK_PAUSE = 10000,    /* to the same peer after one that failed */
    PEERS_MAX = 32,        /* configured with --peer */
    PEER_RETRY = 30000,    /* while a configured peer is no session */

    /* -- requests ---------------------------------------------------- */
    REQUESTS_MAX = 256,    /* outstanding */
    REQUESTS_PER_PEER = 8, /* outstanding, so that a burst fits its buffer */
    REQUEST_TRIES = 3,     /* the first and two more */
    REQUEST_RTO_MIN = 100,
    REQUEST_RTO_FIRST = 300, /* before a round trip was measured */
    REQUEST_RTO_MAX = 2000,
    ANSWER_BURST = 200, /* requests that one ticket may send at once ... */
    ANSWER_RATE_X1000 = 100000, /* ... then 100 a second */
    ANSWER_BUCKETS = 256,       /* power of 2; tickets share them */
    RESET_BURST = 20,
    RESET_RATE_X1000 = 20000,

    /* -- sync -------------------------------------------------------- */
    SYNC_ALL = 1000,         /* between requests of one node, all friends */
    SYNC_FRIEND = 5000,      /* between requests to one friend, when idle */
    SYNC_NEWCOMER = 250,     /* until it holds its friends */
    SYNC_FRUITLESS = 600000, /* a difference that leads to nothing */
    ANNOUNCE_BATCH = 50,     /* what follows the first is sent together */
    PUSH_LOG = 1024,         /* changes kept for announcing, power of 2 */

    /* -- fetching ---------------------------------------------------- */
    FETCHES_MAX = 512,   /* heads asked for */
    FETCH_SOURCES = 4,   /* peers that are known to have one */
    FETCHES_SOURCE = 64, /* ... because of one node that is no peer */
    FETCH_AGAIN = 300,   /* before another source is asked */
    FETCH_TRIES = 6,     /* then it is left to the next sync */
    PARTIALS_MAX = 64,   /* blocks of which pieces are held */
    PARTIALS_GIVER = 16, /* ... from one giver */
    PARTIAL_AGE = 10000, /* a piece that stays alone is dropped */
    PENDINGS_MAX = 256,  /* heads some of whose blocks are missing */
    PENDING_AGE = 30000,
    INTROS_MAX = 64,          /* heads of which SPKI and AGE are known */
    ACCEPT_BURST = 20,        /* heads of one author ... */
    ACCEPT_RATE_X1000 = 1000, /* ... then 1 a second */

    /* -- own state --------------------------------------------------- */
    SIGN_QUIET = 5000,      /* of what the agent observes */
    SIGN_OBSERVED = 60000,  /* at most this often */
    SIGN_BURST = 20,        /* of what the operator does ... */
    SIGN_RATE_X1000 = 1000, /* ... then 1 a second */
    START_SILENCE = 10000,  /* sign nothing before this or a first sync */
    LEASE_PER_MEMBER_MS = 3600,
    LEASES_TO_GONE = 3,
    SERIAL_RESERVE = 600000, /* serials reserved ahead, in unix ms */
    CLONE_WINDOW = 3600000,  /* two foreign heads of mine within this */
    CLONE_BACKOFF = 600000,
    EPOCH_LIFE_S = 86400,
    AWAY_MS = 30000, /* away from us, but still in its place */

    /* -- discovery --------------------------------------------------- */
    BEACON_SCHEDULE = 4,       /* beacons at 0, 1, 2, 4 s ... */
    BEACON_MAX = 30000,        /* ... then at random intervals up to this */
    LOOKOUT = 60000,           /* between beacons, when that is wanted */
    FOUND_SESSIONS = 3,        /* with so many agents the search is over */
    BEACON_BURST = 100,        /* beacons that are looked at, ... */
    BEACON_RATE_X1000 = 50000, /* ... each may cost a hash per member */
    HINTS_MAX = 64,            /* waiting to be sent */
    HINT_BURST = 20,
    HINT_RATE_X1000 = 20000,
    HINT_RANK_SHIFT = 4, /* at most 3 * 2^4 of a later one */
    HINT_RANK = 3,       /* listeners that answer a first beacon */
    HINT_DELAY_FIRST = 50,
    HINT_DELAY = 200,
    FOUND_ANSWERED = 64, /* addresses that are not dialled twice */
    FOUND_QUEUE = 16,    /* addresses from hints waiting to be dialled */
    HEAL_EVERY = 10000,  /* a dead member is tried, see dial.c */

    /* -- members ----------------------------------------------------- */
    FORGET_AFTER_S = 30 * 86400,
    LINKS_MAX = 64,
    OWN_ADDRS_MAX = 8,
    GOOD_ADDRS = 2, /* last good addresses kept per node */

    /* -- effects of one event ---------------------------------------- */
    EFFECTS_MAX = 512,
    EFFECTS_NO_NOTES = 128,    /* ... the last of which are not for notes */
    EFFECTS_BYTES = 96 * 1200, /* datagrams */
    ENTROPY_SIZE = 8448,       /* random bytes held for one event */
};

#endif
