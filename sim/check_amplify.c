/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody can be made to send more than was sent to him. Until a node has had
 * its first answer on a session it cannot have a cookie: to what it asks
 * before, the answer is no longer than the request. */
#include <stdlib.h>
#include <uthash.h>

#include "base/error.h"
#include "check.h"
#include "wire/datagram.h"

struct pair { /* a session of A's with B */
    struct {
        uint32_t a, b;
    } key;
    bool answered; /* since it was made */
    UT_hash_handle hh;
};

struct asked { /* a request without a cookie */
    struct {
        uint32_t a, b;
        uint8_t id[DGRAM_REQUEST_ID_LEN];
    } key;
    size_t len;
    UT_hash_handle hh;
};

struct amplify {
    struct pair *pairs;
    struct asked *asked;
};

static struct pair *pair(struct amplify *c, const struct node *a,
                         const struct node *b)
{
    struct pair *p, *mine = world_alloc(sizeof *mine);

    mine->key.a = a->index;
    mine->key.b = b->index;
    HASH_FIND(hh, c->pairs, &mine->key, sizeof mine->key, p);
    if (p) {
        free(mine);
        return p;
    }
    HASH_ADD(hh, c->pairs, key, sizeof mine->key, mine);
    return mine;
}

static struct asked *find(const struct amplify *c, const struct node *a,
                          const struct node *b, const uint8_t *id)
{
    struct asked key, *q;

    memset(&key, 0, sizeof key);
    key.key.a = a->index;
    key.key.b = b->index;
    memcpy(key.key.id, id, sizeof key.key.id);
    HASH_FIND(hh, c->asked, &key.key, sizeof key.key, q);
    return q;
}

static void request(struct amplify *c, const struct sight *s, const uint8_t *iv)
{
    struct asked *q;

    if (pair(c, s->node, s->other)->answered || find(c, s->node, s->other, iv))
        return;
    q = world_alloc(sizeof *q);
    q->key.a = s->node->index;
    q->key.b = s->other->index;
    memcpy(q->key.id, iv, sizeof q->key.id);
    q->len = s->len;
    HASH_ADD(hh, c->asked, key, sizeof q->key, q);
}

static void sent(struct amplify *c, struct sim *sim, const struct sight *s)
{
    const struct asked *q;
    struct dgram d;

    if (!s->other || dgram_parse(s->bytes, s->len, &d) != KITH_OK)
        return;
    if (d.type == DGRAM_REQUEST)
        request(c, s, d.request.iv);
    if (d.type != DGRAM_ANSWER)
        return;
    q = find(c, s->other, s->node, d.answer.request_id);
    if (q && s->len > q->len)
        sim_broken(sim, "amplify", "node %u answers %zu bytes with %zu",
                   s->node->index, q->len, s->len);
}

static void amplify_see(void *state, struct sim *sim, const struct sight *s)
{
    struct amplify *c = state;

    if (s->type == SIGHT_SENT)
        sent(c, sim, s);
    else if (s->type == SIGHT_GRANT)
        pair(c, s->node, s->other)->answered = false;
    else if (s->type == SIGHT_CAME && s->bytes[1] == DGRAM_ANSWER)
        pair(c, s->node, s->other)->answered = true;
}

static void amplify_end(void *state)
{
    struct amplify *c = state;
    struct pair *p = c->pairs;
    struct asked *q = c->asked;

    HASH_CLEAR(hh, c->pairs);
    HASH_CLEAR(hh, c->asked);
    while (p) {
        struct pair *next = p->hh.next;

        free(p);
        p = next;
    }
    while (q) {
        struct asked *next = q->hh.next;

        free(q);
        q = next;
    }
}

const struct check check_amplify = {"amplify", sizeof(struct amplify),
                                    amplify_see, amplify_end};
