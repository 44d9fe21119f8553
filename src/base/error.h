/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_ERROR_H
#define KITH_BASE_ERROR_H

/*
 * One error type for the whole program. Functions that can fail return an
 * int: KITH_OK (0), or one of these negative values; each header says which.
 * Errors are for the world outside (network, files, people); our own bugs
 * meet an assert.
 */
enum kith_err {
    KITH_OK = 0,
    KITH_ERR_TRUNCATED = -1, /* input ends before a field does */
    KITH_ERR_TRAILING = -2,  /* bytes left over after the last field */
    KITH_ERR_VERSION = -3,   /* a version that this program does not speak */
    KITH_ERR_TYPE = -4,      /* an unknown or misplaced type tag */
    KITH_ERR_RANGE = -5,     /* a number or a length outside its bounds */
    KITH_ERR_FORMAT = -6,    /* malformed: not UTF-8, not sorted, ... */
    KITH_ERR_AUTH = -7,      /* a MAC or signature does not hold */
    KITH_ERR_KEY = -8,       /* a public key of a kind that is not accepted */
    KITH_ERR_CERT = -9,      /* a certificate that breaks the rules */
    KITH_ERR_MESH = -10,     /* meant for another mesh */
    KITH_ERR_STRANGER = -11, /* authenticated, but no member of this mesh */
    KITH_ERR_STALE = -12,    /* older than, or the same as, what is held */
    KITH_ERR_UNWANTED = -13, /* valid, but nobody asked for it */
    KITH_ERR_FULL = -14,     /* a bounded table or a quota is full */
    KITH_ERR_BUDGET = -15,   /* over a rate limit */
    KITH_ERR_NOTFOUND = -16, /* no such thing */
    KITH_ERR_CLOCK = -17,    /* refused for dates alone */
    KITH_ERR_NOMEM = -18,    /* out of memory */
    KITH_ERR_CRYPTO = -19,   /* OpenSSL failed for no fault of the input */
    KITH_ERR_IO = -20,       /* a system call failed; errno says why */
    KITH_ERR_CORRUPT = -21,  /* a file of ours is damaged */
    KITH_ERR_NEWER = -22,    /* a file written by a newer program */
    KITH_ERR_MODE = -23,     /* a secret file that others can read */
    KITH_ERR_MAX = -24       /* one past the last */
};

/* A short English text for one of the values above, never NULL; any other
 * value gives "unknown error". The string is static. */
const char *err_str(int err);

#endif
