/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_LIMITS_H
#define KITH_WIRE_LIMITS_H

#include "base/types.h"
#include "crypto/cert.h"
#include "crypto/cipher.h"
#include "crypto/key.h"
#include "crypto/sign.h"

/*
 * Every bound of docs/protocol.md on one page, each with its reason. Sizes
 * are in bytes unless the name says otherwise, and expressions of each other.
 */
enum {
    /* -- all over -- */
    PROTOCOL_MAJOR = 1,      /* first byte of a datagram; the range in a head */
    PROTOCOL_PORT = 16990,   /* TCP and UDP, and the multicast groups */
    MESH_NAME_MAX = 64,      /* name of an open mesh, UTF-8 */
    MESH_TAG_LEN = 4,        /* tells meshes apart on one link; no secret */
    TRIE_ROOT_LEN = 16,      /* a whole set; nobody can search 2^128 */
    SHORT_HASH_LEN = 4,      /* salted per exchange, so a match passes */
    HASH8_LEN = 8,           /* names a head where an author is known */
    FRIENDS_MAX = 20,        /* nodes that an agent sends requests to */
    RINGS_MAX = 64,          /* orders of the members, to choose friends by */
    MEMBERS_DEFAULT = 20000, /* members that an agent lets in, by default */

    /* -- datagrams -- */
    DGRAM_MAX = 1200,     /* UDP payload that every IPv6 path carries whole */
    DGRAM_PREFIX_LEN = 4, /* version, type and two bytes of the type's own */
    DGRAM_NONCE_LEN = 8,
    DGRAM_BEACON_LEN = 24,
    DGRAM_HINT_LEN = DGRAM_BEACON_LEN - 4, /* never larger than its cause */
    DGRAM_EPOCH_LEN = 4,
    DGRAM_TICKET_LEN = CIPHER_TICKET_LEN, /* an id, encrypted */
    DGRAM_IV_LEN = CIPHER_IV_LEN,
    DGRAM_REQUEST_ID_LEN = 8, /* the IV's first half, to find it by */
    DGRAM_RESET_TOKEN_LEN = 16,
    DGRAM_AES_BLOCK = CIPHER_BLOCK_LEN,
    DGRAM_MAC_LEN = CIPHER_TAG_LEN, /* HMAC-SHA-256 cut as in RFC 4868 */

    DGRAM_REQUEST_HEAD =
        DGRAM_PREFIX_LEN + DGRAM_EPOCH_LEN + DGRAM_TICKET_LEN + DGRAM_IV_LEN,
    DGRAM_ANSWER_HEAD =
        DGRAM_PREFIX_LEN + DGRAM_REQUEST_ID_LEN + 4 + DGRAM_IV_LEN,
    /* Padding is at least one byte, so no items take one block, and after the
     * IV that an answer repeats, two. */
    DGRAM_REQUEST_MIN = DGRAM_REQUEST_HEAD + DGRAM_AES_BLOCK + DGRAM_MAC_LEN,
    DGRAM_ANSWER_MIN = DGRAM_ANSWER_HEAD + 2 * DGRAM_AES_BLOCK + DGRAM_MAC_LEN,
    DGRAM_RESET_LEN =
        DGRAM_PREFIX_LEN + DGRAM_REQUEST_ID_LEN + DGRAM_RESET_TOKEN_LEN,
    /* Whole AES blocks in what the frame leaves, less the padding's byte. */
    REQUEST_ITEMS_MAX = (DGRAM_MAX - DGRAM_REQUEST_HEAD - DGRAM_MAC_LEN) /
                            DGRAM_AES_BLOCK * DGRAM_AES_BLOCK -
                        1,
    ANSWER_ITEMS_MAX = (DGRAM_MAX - DGRAM_ANSWER_HEAD - DGRAM_MAC_LEN) /
                           DGRAM_AES_BLOCK * DGRAM_AES_BLOCK -
                       1 - DGRAM_IV_LEN,

    /* -- blocks -- */
    BLOCK_NAME_MAX = 32, /* of a block; at least 1 */
    BLOCK_FIXED_LEN =
        1 + 2 + NODE_ID_LEN + 8 + 1 + 4, /* all but name, payload */
    BLOCK_PAYLOAD_MAX = 32768,           /* a page of text, a small picture */
    BLOCK_CANONICAL_MIN = BLOCK_FIXED_LEN + 1,
    BLOCK_CANONICAL_MAX = BLOCK_FIXED_LEN + BLOCK_NAME_MAX + BLOCK_PAYLOAD_MAX,
    BLOCK_SIGNED_MIN = BLOCK_CANONICAL_MIN + SIG_LEN,
    BLOCK_SIGNED_MAX = BLOCK_CANONICAL_MAX + SIG_LEN,
    PIECE_LEN = 1056, /* of a signed block in one datagram */
    PIECES_MAX = (BLOCK_SIGNED_MAX + PIECE_LEN - 1) / PIECE_LEN,
    PIECES_BLOCK_MAX = 8192, /* larger signed blocks take the bulk exchange */

    /* -- payloads -- */
    BOOT_ID_LEN = 16,
    RUN_ID_LEN = 8,
    HEAD_ENTRIES_MAX = 64,     /* blocks of an author, the head aside */
    HEAD_TOTAL_MAX = 262144,   /* their signed sizes together */
    HEAD_MISSES_MAX = 256,     /* nodes accused at a time */
    HEAD_EXTENSION_MAX = 1024, /* for later minor versions */
    HEAD_LEASE_MIN_S = 600,    /* seconds; 0.28 leases/s in a full mesh */
    HEAD_LEASE_MAX_S = 43200,  /* seconds; after three a node is gone */
    HEAD_FIXED_LEN = 1 + 2 + 2 + 8 + BOOT_ID_LEN + RUN_ID_LEN + 4 + 1 + 2 + 2,
    HEAD_ENTRY_FIXED_LEN = 1 + 2 + 8 + 4 + HASH_LEN, /* all but the name */
    HEAD_MISS_LEN = NODE_ID_LEN + HASH8_LEN + 1,
    HEAD_PAYLOAD_MAX =
        HEAD_FIXED_LEN +
        HEAD_ENTRIES_MAX * (HEAD_ENTRY_FIXED_LEN + BLOCK_NAME_MAX) +
        HEAD_MISSES_MAX * HEAD_MISS_LEN + HEAD_EXTENSION_MAX,
    FACTS_LEN_MAX = 900, /* of the block `facts`: two pieces */
    FACTS_KEY_MAX = 64,
    FACTS_VALUE_MAX = 512,
    FACTS_ADDRS_MAX = 8,        /* addresses of a node that others may try */
    CERTS_MAX = CERT_BLOCK_MAX, /* node certificate, two intermediates */

    /* -- items: the sizes of values, and of elements of arrays -- */
    ITEM_HEADER_LEN = 1 + 2,
    ITEM_COOKIE_LEN = 16,
    ITEM_ROOT_LEN = TRIE_ROOT_LEN + 4,
    ITEM_LEAF_LEN = NODE_ID_LEN + 8 + SHORT_HASH_LEN,
    ITEM_ANNOUNCE_LEN = NODE_ID_LEN + 8 + HASH8_LEN,
    ITEM_WANT_HEAD_LEN = NODE_ID_LEN + 8 + 1,
    ITEM_WANT_PIECE_LEN = HASH_LEN + 2,
    ITEM_AGE_LEN = HASH_LEN + 4,
    ITEM_PIECE_FIXED_LEN = HASH_LEN + 4 + 2,
    ITEM_ECHO_LEN = DGRAM_REQUEST_ID_LEN,
    ITEM_NODES_MAX = 1 + 1 + 32 + 256 * SHORT_HASH_LEN, /* of depth 0 */

    /* -- bulk exchange -- */
    BULK_HEADER_LEN = 1 + 4,
    BULK_HAVE_LEN = NODE_ID_LEN + 8, /* of HAVE and WANT, one element */
    BULK_LIST_MAX = 1 << 20,         /* HAVE or WANT: 26,214 heads */
    BULK_BODY_MAX = 4 << 20,         /* body of a request */
};

/* Serials are 1 to 2^63 - 1: they fit a signed column of a database. */
#define BLOCK_SERIAL_MAX (UINT64_MAX >> 1)

_Static_assert(SPKI_LEN == 294 && SIG_LEN == 256, "RSA-2048 only");
_Static_assert(DGRAM_REQUEST_MIN == 88 && DGRAM_ANSWER_MIN == 80,
               "the sizes of section 6");
_Static_assert(DGRAM_ANSWER_MIN <= DGRAM_REQUEST_MIN,
               "every request may be answered without a cookie");
_Static_assert(DGRAM_RESET_LEN < DGRAM_REQUEST_MIN,
               "a reset is smaller than its cause");
_Static_assert(REQUEST_ITEMS_MAX == 1119 && ANSWER_ITEMS_MAX == 1135,
               "the room that section 6 leaves");
_Static_assert(ITEM_HEADER_LEN + ITEM_COOKIE_LEN + ITEM_HEADER_LEN +
                       ITEM_PIECE_FIXED_LEN + PIECE_LEN <=
                   REQUEST_ITEMS_MAX,
               "COOKIE and a whole PIECE fit a request");
_Static_assert(ITEM_HEADER_LEN + ITEM_COOKIE_LEN + ITEM_HEADER_LEN + SPKI_LEN +
                       ITEM_HEADER_LEN + ITEM_AGE_LEN + ITEM_HEADER_LEN +
                       ITEM_PIECE_FIXED_LEN + BLOCK_FIXED_LEN + 4 +
                       HEAD_FIXED_LEN + SIG_LEN +
                       4 * (HEAD_ENTRY_FIXED_LEN + 10) <=
                   REQUEST_ITEMS_MAX,
               "COOKIE, SPKI, AGE and an ordinary head fit a request");
_Static_assert(ITEM_HEADER_LEN + ITEM_COOKIE_LEN + ITEM_HEADER_LEN +
                       ITEM_ROOT_LEN + ITEM_HEADER_LEN + ITEM_NODES_MAX <=
                   REQUEST_ITEMS_MAX,
               "COOKIE, ROOT and the largest NODES fit a request");
_Static_assert(BLOCK_SIGNED_MIN == 305 && BLOCK_SIGNED_MAX == 33104,
               "the sizes of section 7.1");
_Static_assert(PIECES_MAX <= UINT16_MAX, "a piece's index fits its field");
_Static_assert(PIECES_BLOCK_MAX <= BLOCK_SIGNED_MAX, "some blocks are larger");
_Static_assert(HEAD_PAYLOAD_MAX <= BLOCK_PAYLOAD_MAX, "a head is a block");
_Static_assert(HEAD_TOTAL_MAX >= BLOCK_SIGNED_MAX, "the largest block fits");
_Static_assert(BLOCK_FIXED_LEN + 5 + FACTS_LEN_MAX + SIG_LEN <= 2 * PIECE_LEN,
               "facts travel in two pieces");
_Static_assert(BULK_LIST_MAX / BULK_HAVE_LEN >= MEMBERS_DEFAULT,
               "HAVE names all members");

#endif
