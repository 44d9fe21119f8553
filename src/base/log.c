/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *log_level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "unknown";
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return log != NULL && log->write != NULL && level <= log->level;
}

/* Copies text so that every byte of it may be shown. Returns the length, less
 * than cap; text that is longer, or was cut before, ends in "...". */
static size_t clean(char *dst, size_t cap, const char *src, size_t n, bool cut)
{
    static const char mark[] = "...";
    size_t mark_at = 0;
    size_t len = 0;

    assert(cap >= sizeof mark);
    while (n > 0) {
        char shown[TEXT_SHOW_SIZE];
        size_t taken;
        size_t room = text_show(shown, src, n, &taken);

        if (room >= cap - len) {
            cut = true;
            break;
        }
        memcpy(dst + len, shown, room);
        len += room;
        src += taken;
        n -= taken;
        if (cap - len >= sizeof mark)
            mark_at = len;
    }
    if (cut) {
        memcpy(dst + mark_at, mark, sizeof mark - 1);
        len = mark_at + sizeof mark - 1;
    }
    return len;
}

/* Writes one line, and after it a tail that is never cut. */
__attribute__((format(printf, 3, 0))) static void
emit(const struct log *log, enum log_level level, const char *fmt, va_list args,
     const char *tail)
{
    /* Longer than the line by one character, so that one which vsnprintf()
     * cuts in two is beyond the end of the line. */
    char raw[LOG_LINE_SIZE + TEXT_SHOW_SIZE];
    char line[LOG_LINE_SIZE];
    size_t tail_len = strlen(tail);
    int made = vsnprintf(raw, sizeof raw, fmt, args);
    bool cut = made < 0 || (size_t)made >= sizeof raw;
    size_t len;

    if (made < 0)
        raw[0] = '\0';
    len = clean(line, sizeof line - tail_len, raw, strlen(raw), cut);
    memcpy(line + len, tail, tail_len + 1);
    log->write(log->arg, (int)level, line);
}

void log_msg(const struct log *log, enum log_level level, const char *fmt, ...)
{
    va_list args;

    if (!log_enabled(log, level))
        return;
    va_start(args, fmt);
    emit(log, level, fmt, args, "");
    va_end(args);
}

void log_limit_init(struct log_limit *limit, uint32_t burst,
                    uint32_t rate_per_s_x1000, struct instant now)
{
    budget_init(&limit->budget, burst, rate_per_s_x1000, now);
    limit->left_out = 0;
}

void log_limited(const struct log *log, struct log_limit *limit,
                 struct instant now, enum log_level level, const char *fmt, ...)
{
    char tail[sizeof " left_out=18446744073709551615"] = "";
    va_list args;

    if (!log_enabled(log, level))
        return;
    if (!budget_take(&limit->budget, now, 1)) {
        limit->left_out++;
        return;
    }
    if (limit->left_out > 0)
        snprintf(tail, sizeof tail, " left_out=%" PRIu64, limit->left_out);
    limit->left_out = 0;
    va_start(args, fmt);
    emit(log, level, fmt, args, tail);
    va_end(args);
}
