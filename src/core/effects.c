/* SPDX-License-Identifier: Apache-2.0 */
#include "core/effects.h"

#include <assert.h>

const char *note_type_name(enum note_type type)
{
    static const char *const names[NOTE_TYPES] = {
        [NOTE_JOINED] = "joined",
        [NOTE_CHANGED] = "changed",
        [NOTE_REMOVED] = "removed",
        [NOTE_NO_ANSWER] = "no-answer",
        [NOTE_BACK] = "back",
        [NOTE_AWAY] = "away",
        [NOTE_LEFT] = "left",
        [NOTE_GONE] = "gone",
        [NOTE_EQUIVOCATION] = "equivocation",
        [NOTE_CLONE] = "clone",
        [NOTE_FULL] = "full",
        [NOTE_SEARCHING] = "searching",
        [NOTE_FOUND] = "found",
    };

    return type < NOTE_TYPES && names[type] ? names[type] : "unknown";
}

void effects_clear(struct effects *out)
{
    out->n = 0;
    out->used = 0;
}

bool effects_room(const struct effects *out, size_t n)
{
    return EFFECTS_MAX - out->n >= n &&
           (sizeof out->bytes - out->used) / DGRAM_MAX >= n;
}

struct effect *effects_add(struct effects *out, enum effect_type type)
{
    struct effect *effect;

    assert(out->n < EFFECTS_MAX && "ask effects_room() first");
    effect = &out->v[out->n++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

uint8_t *effects_bytes(struct effects *out, size_t n)
{
    uint8_t *p = out->bytes + out->used;

    assert(n <= sizeof out->bytes - out->used && "ask effects_room() first");
    out->used += n;
    return p;
}
