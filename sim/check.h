/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_CHECK_H
#define KITH_SIM_CHECK_H

#include "sim.h"

/*
 * The promises of the design as programs. Each sees everything that happens
 * from outside, as a listener on the wire or an operator would, and calls
 * sim_broken() when a promise does not hold. One file each, check_NAME.c,
 * which exports check_NAME.
 */

enum sight_type {
    SIGHT_SENT,    /* node sends bytes to other (NULL: to nobody) */
    SIGHT_CAME,    /* node gets bytes from other */
    SIGHT_BEACON,  /* node multicasts bytes */
    SIGHT_DIAL,    /* node begins a handshake with other (NULL: nobody) */
    SIGHT_GRANT,   /* node has been given a session by other */
    SIGHT_KEPT,    /* node keeps bundle */
    SIGHT_NOTE,    /* node tells its operator */
    SIGHT_TICK,    /* a timer of node's runs */
    SIGHT_SETTLED, /* 60 s since the last fault or change */
    SIGHT_END,     /* 60 quiet seconds more */
};

struct sight {
    enum sight_type type;
    const struct node *node;
    const struct node *other;
    const uint8_t *bytes;
    size_t len;
    const struct bundle *bundle;
    enum note_type note;
};

struct check {
    const char *name;
    size_t size; /* of its state, zeroed at the beginning */
    void (*see)(void *state, struct sim *sim, const struct sight *sight);
    void (*end)(void *state); /* frees what it has; may be NULL */
};

extern const struct check check_amplify;
extern const struct check check_beacons;
extern const struct check check_clear;
extern const struct check check_converge;
extern const struct check check_friends;
extern const struct check check_iv;
extern const struct check check_quiet;
extern const struct check check_serials;
extern const struct check check_sound;

void check_begin(struct sim *sim);
void check_see(struct sim *sim, const struct sight *sight);
void check_end(struct sim *sim);

#endif
