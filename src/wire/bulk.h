/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_WIRE_BULK_H
#define KITH_WIRE_BULK_H

#include "base/cursor.h"
#include "base/types.h"
#include "wire/limits.h"

/*
 * The bodies of the bulk exchange: a stream of records, docs/protocol.md
 * section 5.2. Each is type (1), length (4), value:
 *
 *     type  record  value
 *     1     HAVE    n x { id (32), serial (8) }, strictly ascending by id
 *     2     WANT    n x { id (32), since (8) }
 *     3     SPKI    294
 *     4     AGE     seconds (4)
 *     5     BLOCK   canonical bytes and signature
 *     6     END     empty; a body without it was cut
 */
enum bulk_type {
    BULK_HAVE = 1,
    BULK_WANT = 2,
    BULK_SPKI = 3,
    BULK_AGE = 4,
    BULK_BLOCK = 5,
    BULK_END = 6,
};

/* An element of HAVE or WANT. */
struct bulk_serial {
    struct node_id id;
    uint64_t serial; /* HAVE: of the head that is held; WANT: since */
};

/* A record that is well-formed; a BLOCK or a SPKI is looked at no further
 * than that. */
struct bulk_record {
    uint8_t type; /* enum bulk_type; never an unknown one */
    union {
        struct {
            size_t n;
            const uint8_t *elements; /* for bulk_serial_at() */
        } list;                      /* HAVE and WANT */
        const uint8_t *spki;         /* SPKI_LEN */
        uint32_t age_s;
        struct {
            const uint8_t *p; /* one signed block, for block_decode() */
            size_t len;       /* BLOCK_SIGNED_MIN .. BLOCK_SIGNED_MAX */
        } block;
    };
};

/* Element i (below n) of HAVE or WANT. */
void bulk_serial_at(const struct bulk_record *record, size_t i,
                    struct bulk_serial *out);

/*
 * Reads a body that comes in pieces, cut anywhere. Memory grows with what has
 * come of one record, never with what a length promises.
 */
struct bulk_reader {
    uint8_t header[BULK_HEADER_LEN];
    size_t header_len; /* bytes of it so far */
    uint32_t len;      /* of the value, once the header is whole */
    uint8_t *value;    /* malloc'ed */
    size_t got;        /* bytes of the value so far */
    size_t cap;        /* size of value */
    size_t max;        /* which cap never exceeds */
    uint64_t unknown;  /* records of unknown type passed over */
    bool ended;        /* END was there */
    int err;           /* the error that ended it all, or KITH_OK */
};

/* Begins a body. max is the most memory that it may take for one record;
 * BULK_LIST_MAX takes any. End with bulk_reader_free(). */
void bulk_reader_init(struct bulk_reader *r, size_t max);

/* Frees the memory; a reader of zeros is allowed. */
void bulk_reader_free(struct bulk_reader *r);

/*
 * Takes bytes from in until a record is whole. Returns KITH_OK with the
 * record, whose pointers hold until the next call; KITH_ERR_NOTFOUND when in
 * is used up: call again when more has come. Otherwise the body is malformed,
 * and each further call says the same: KITH_ERR_RANGE: a length that the type
 * cannot have or above max, or a serial; KITH_ERR_FORMAT: HAVE out of order;
 * KITH_ERR_KEY: an SPKI that is not canonical; KITH_ERR_TRAILING: something
 * after END; KITH_ERR_NOMEM. Unknown records are passed over and counted.
 */
int bulk_reader_next(struct bulk_reader *r, struct cursor *in,
                     struct bulk_record *out);

/* To call when the stream has ended: KITH_OK when END was its last record,
 * KITH_ERR_TRUNCATED when it was cut, or the error from before. */
int bulk_reader_finish(const struct bulk_reader *r);

/* -- Writing. Lack of room shows in writer_finish(). -- */

/* HAVE or WANT (type) with its n elements; those of HAVE strictly ascend by
 * id. */
void bulk_put_list(struct writer *w, enum bulk_type type,
                   const struct bulk_serial *elements, size_t n);
void bulk_put_spki(struct writer *w, const uint8_t spki[SPKI_LEN]);
void bulk_put_age(struct writer *w, uint32_t seconds);
void bulk_put_block(struct writer *w, const uint8_t *signed_block, size_t len);
void bulk_put_end(struct writer *w);

#endif
