/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_NAMES_H
#define KITH_DAEMON_NAMES_H

#include "base/types.h"

/* Host names of configured peers to addresses, without ever blocking. */
struct event_base;
struct names;

/* found is called once for each address of a name, from the event loop. */
struct names *names_new(struct event_base *base,
                        void (*found)(void *arg, const struct addr *),
                        void *arg);
/* Ends what is under way. NULL is allowed. */
void names_free(struct names *);

/* Looks a name up, and again every minute until it has an address. */
void names_resolve(struct names *, const char *text, uint16_t port);

#endif
