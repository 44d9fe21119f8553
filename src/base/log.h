/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_LOG_H
#define KITH_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/types.h"

/*
 * Log lines for people and for grep: a few words that say what happened,
 * then key=value pairs.
 *
 *     log_msg(log, LOG_LEVEL_WARN, "peer refused node=%s reason=\"%s\"",
 *             node, reason);
 *
 * A line never holds a line feed, another control character or malformed
 * UTF-8, whatever was put in: such bytes come out as \xNN. Text that others
 * chose, and that may hold spaces or quotes, goes through text_escape() and
 * between double quotes, so that it cannot pass for another pair. A line
 * longer than LOG_LINE_SIZE - 1 bytes is cut and ends in "...".
 */

enum {
    LOG_LINE_SIZE = 1024, /* bytes in a line, NUL included */
};

/* The most important first. */
enum log_level {
    LOG_LEVEL_ERROR, /* something does not work: the operator has to act */
    LOG_LEVEL_WARN,  /* something is not as it should be */
    LOG_LEVEL_INFO,  /* what an operator wants to read in normal times */
    LOG_LEVEL_DEBUG, /* what a developer wants to read */
};

struct log {
    enum log_level level; /* lines above this are left out */

    /* Gets each line, without a line feed; it is valid during the call. */
    void (*write)(void *arg, int level, const char *line);
    void *arg; /* the user's own, handed to write */
};

/* "error", "warn", "info", "debug"; never NULL. */
const char *log_level_name(enum log_level level);

/* Whether a line of this level would be written: for what costs something to
 * put together. log may be NULL, which writes nothing; so may it below. */
bool log_enabled(const struct log *log, enum log_level level);

__attribute__((format(printf, 3, 4))) void
log_msg(const struct log *log, enum log_level level, const char *fmt, ...);

/* Keeps a line that others can cause at will from filling the disk: one of
 * these per line or per kind of line. */
struct log_limit {
    struct budget budget;
    uint64_t left_out; /* lines since the last one that was written */
};

/* burst and rate as in budget_init(). */
void log_limit_init(struct log_limit *limit, uint32_t burst,
                    uint32_t rate_per_s_x1000, struct instant now);

/* Like log_msg(), within the limit. A line that follows others which were
 * left out says how many: it ends in left_out=N. */
__attribute__((format(printf, 5, 6))) void
log_limited(const struct log *log, struct log_limit *limit, struct instant now,
            enum log_level level, const char *fmt, ...);

#endif
