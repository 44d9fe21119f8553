/* SPDX-License-Identifier: Apache-2.0 */
/* No author signs two different blocks with one serial, over whatever crashes;
 * so nobody takes an honest node for two. */
#include <stdlib.h>
#include <uthash.h>

#include "check.h"

struct signed_as {
    struct {
        struct node_id author;
        uint64_t serial;
    } key;
    struct hash hash;
    UT_hash_handle hh;
};

struct serials {
    struct signed_as *seen;
};

static void look(struct serials *c, struct sim *sim,
                 const struct object *object)
{
    struct signed_as *found, *mine = world_alloc(sizeof *mine);

    mine->key.author = object->author->id;
    mine->key.serial = object->serial;
    mine->hash = object->hash;
    HASH_FIND(hh, c->seen, &mine->key, sizeof mine->key, found);
    if (found) {
        if (!hash_equal(&found->hash, &mine->hash))
            sim_broken(sim, "serials", "two blocks with serial %llu",
                       (unsigned long long)object->serial);
        free(mine);
        return;
    }
    HASH_ADD(hh, c->seen, key, sizeof mine->key, mine);
}

static void serials_see(void *state, struct sim *sim, const struct sight *s)
{
    struct serials *c = state;

    if (s->type == SIGHT_NOTE &&
        (s->note == NOTE_EQUIVOCATION || s->note == NOTE_CLONE))
        sim_broken(sim, "serials", "node %u says %s", s->node->index,
                   note_type_name(s->note));
    if (s->type != SIGHT_KEPT)
        return;
    look(c, sim, s->bundle->head);
    for (size_t i = 0; i < s->bundle->n; i++)
        look(c, sim, s->bundle->blocks[i]);
}

static void serials_end(void *state)
{
    struct serials *c = state;
    struct signed_as *s = c->seen;

    HASH_CLEAR(hh, c->seen);
    while (s) {
        struct signed_as *next = s->hh.next;

        free(s);
        s = next;
    }
}

const struct check check_serials = {"serials", sizeof(struct serials),
                                    serials_see, serials_end};
