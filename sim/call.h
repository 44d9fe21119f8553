/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_CALL_H
#define KITH_SIM_CALL_H

#include "node.h"

/*
 * The HTTPS calls between nodes, without TLS: the simulator knows who is who.
 * A call takes its time in round trips, ends at its deadline, and fails as
 * real ones do: refused, no connection, another node than expected, cut off.
 *
 *     caller        1: TCP       2: TLS       3: the request
 *        |------------>|------------>|---------->| target: engine_grant()
 *        |<------------|<------------|<----------|   or engine_bulk_open()
 *                                      result, or parts of the answer
 */
struct call_run;

/* Carries out EFFECT_CALL; takes over its body. */
void call_start(struct node *n, const struct effect *effect);

/* Carries out EFFECT_CANCEL. */
void call_cancel(struct node *n, uint32_t id);

/* The agent of this node ends, and with it what it asked and served; to be
 * called while its engine is still there. */
void call_forget(struct node *n);

#endif
