/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_EVENTS_H
#define KITH_DAEMON_EVENTS_H

#include "daemon/agent.h"

/*
 * An event as one line of JSON: what GET /v1/events streams, and what the
 * option `events` appends to a file. docs/api.md lists the fields; they are
 * only ever added to.
 */

enum {
    EVENTS_TIME_SIZE = 25,   /* "2026-01-31T23:59:59.999Z" and a NUL */
    EVENTS_LINE_SIZE = 4096, /* always enough for a line */
};

/* Writes a time as RFC 3339 wants it, in UTC with milliseconds. What lies
 * beyond the year 9999 is written as its last moment. */
void events_time(char out[EVENTS_TIME_SIZE], uint64_t unix_ms);

/* Writes the event, without a line feed, and a NUL to the cap bytes at out,
 * and its length to *len. Returns KITH_OK; KITH_ERR_FULL when cap is below
 * EVENTS_LINE_SIZE and too small; KITH_ERR_NOMEM. */
int events_line(const struct agent_event *event, char *out, size_t cap,
                size_t *len);

#endif
