/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_SIM_TRACE_H
#define KITH_SIM_TRACE_H

/* The kinds of things that happen, for world_trace(). */
enum trace {
    TRACE_DATAGRAM = 1, /* came to somebody */
    TRACE_REFUSED,      /* somebody learns that nobody listens */
    TRACE_TICK,         /* a timer of a node's */
    TRACE_VAULT,        /* a vault was written */
    TRACE_START,
    TRACE_STOP,
    TRACE_CALL,   /* an HTTPS call begins */
    TRACE_SERVED, /* ... is served */
    TRACE_PART,   /* ... gives some bytes */
    TRACE_ENDED,  /* ... has ended */
    TRACE_OPERATOR,
};

#endif
