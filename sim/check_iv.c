/* SPDX-License-Identifier: Apache-2.0 */
/* No IV is used twice in one direction of a session, whose keys are the same
 * for as long as an epoch lasts, over all restarts. */
#include <stdlib.h>

#include "base/error.h"
#include "check.h"
#include "wire/datagram.h"

struct iv {
    uint64_t *table; /* open addressing; 0: free */
    size_t mask, n;
};

static bool put(struct iv *c, uint64_t v)
{
    size_t at = v & c->mask;

    while (c->table[at] != 0) {
        if (c->table[at] == v)
            return false;
        at = (at + 1) & c->mask;
    }
    c->table[at] = v;
    c->n++;
    return true;
}

static void grow(struct iv *c)
{
    struct iv bigger = {.mask = c->table ? 2 * c->mask + 1 : 0xffff};

    bigger.table = world_alloc((bigger.mask + 1) * sizeof *bigger.table);
    for (size_t i = 0; c->table && i <= c->mask; i++)
        if (c->table[i] != 0)
            put(&bigger, c->table[i]);
    free(c->table);
    *c = bigger;
}

/* 64 bits that tell the direction and the IV, which is random itself. */
static uint64_t fingerprint(const struct sight *s, enum dgram_type type,
                            const uint8_t iv[DGRAM_IV_LEN])
{
    uint64_t a, b;
    uint64_t way = (uint64_t)s->node->index << 33 |
                   (uint64_t)s->other->index << 1 | (type == DGRAM_ANSWER);

    memcpy(&a, iv, sizeof a);
    memcpy(&b, iv + 8, sizeof b);
    a ^= way * 0x9e3779b97f4a7c15;
    a ^= b >> 29 ^ b << 35;
    return a != 0 ? a : 1;
}

static void iv_see(void *state, struct sim *sim, const struct sight *s)
{
    struct iv *c = state;
    const uint8_t *iv;
    struct dgram d;

    if (s->type != SIGHT_SENT || !s->other ||
        dgram_parse(s->bytes, s->len, &d) != KITH_OK ||
        (d.type != DGRAM_REQUEST && d.type != DGRAM_ANSWER))
        return;
    iv = d.type == DGRAM_REQUEST ? d.request.iv : d.answer.iv;
    if (!c->table || c->n * 2 > c->mask)
        grow(c);
    if (!put(c, fingerprint(s, d.type, iv)))
        sim_broken(sim, "iv", "node %u uses an IV to %u again", s->node->index,
                   s->other->index);
}

static void iv_end(void *state)
{
    free(((struct iv *)state)->table);
}

const struct check check_iv = {"iv", sizeof(struct iv), iv_see, iv_end};
