/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rings.h"

#include <assert.h>

enum {
    /* With more others than this, RINGS_MAX rings give FRIENDS_MAX friends:
     * that they do not has a chance below 10^-18. */
    RULE_3_MAX = 64,
};

/* The members, with one that counts as not down whatever is said of it. */
struct view {
    const struct ring_member *members;
    size_t n;
    const struct ident *up; /* or NULL */
};

struct nearest {
    struct ident *ident; /* NULL: nobody */
    uint64_t distance;
};

static bool is_up(const struct view *v, const struct ring_member *m)
{
    return !m->down || m->ident == v->up;
}

static void offer(struct nearest *best, struct ident *who, uint64_t distance)
{
    /* Two with one key stand in the order of their ids. */
    if (best->ident == NULL || distance < best->distance ||
        (distance == best->distance &&
         memcmp(who->id.b, best->ident->id.b, NODE_ID_LEN) < 0))
        *best = (struct nearest){who, distance};
}

static bool holds(const struct ring_friend *friends, size_t n,
                  const struct ident *ident)
{
    for (size_t i = 0; i < n; i++)
        if (friends[i].ident == ident)
            return true;
    return false;
}

static size_t add(struct ring_friend *friends, size_t n, struct ident *ident,
                  unsigned ring)
{
    if (n == FRIENDS_MAX || ident == NULL || holds(friends, n, ident))
        return n;
    friends[n] = (struct ring_friend){ident, (uint8_t)ring};
    return n + 1;
}

/* The next ones above self on all the first rings, in one pass: what takes
 * the time is to fetch each member's keys. Returns how many others are up. */
static size_t above_first(const struct view *v, const struct ident *self,
                          struct nearest best[IDENT_RINGS])
{
    size_t others = 0;

    for (size_t i = 0; i < v->n; i++) {
        struct ident *who = v->members[i].ident;

        if (who == self || !is_up(v, &v->members[i]))
            continue;
        others++;
        for (unsigned r = 0; r < IDENT_RINGS; r++)
            offer(&best[r], who, who->ring[r] - self->ring[r]);
    }
    return others;
}

/* The next one above self on a ring that is not among `not`. */
static struct ident *above(const struct view *v, struct ident *self,
                           unsigned ring, const struct ring_friend * not,
                           size_t n_not)
{
    uint64_t own = ident_ring_key(self, ring);
    struct nearest best = {NULL, 0};

    for (size_t i = 0; i < v->n; i++) {
        struct ident *who = v->members[i].ident;

        if (who != self && is_up(v, &v->members[i]) && !holds(not, n_not, who))
            offer(&best, who, ident_ring_key(who, ring) - own);
    }
    return best.ident;
}

/* The next one below self on a ring. */
static struct ident *below(const struct view *v, struct ident *self,
                           unsigned ring)
{
    uint64_t own = ident_ring_key(self, ring);
    struct nearest best = {NULL, 0};

    for (size_t i = 0; i < v->n; i++) {
        struct ident *who = v->members[i].ident;

        if (who != self && is_up(v, &v->members[i]))
            offer(&best, who, own - ident_ring_key(who, ring));
    }
    return best.ident;
}

static size_t friends_of(const struct view *v, struct ident *self,
                         struct ring_friend out[FRIENDS_MAX])
{
    struct nearest best[IDENT_RINGS] = {{NULL, 0}};
    size_t others = above_first(v, self, best);
    size_t wanted = others < FRIENDS_MAX ? others : FRIENDS_MAX;
    size_t n = 0;

    for (unsigned r = 0; r < IDENT_RINGS; r++)
        n = add(out, n, best[r].ident, r);
    for (unsigned r = IDENT_RINGS; r < RINGS_MAX && n < wanted; r++)
        n = add(out, n, above(v, self, r, NULL, 0), r);
    while (n < wanted)
        n = add(out, n, above(v, self, 0, out, n), RINGS_MAX);
    return n;
}

size_t rings_friends(const struct ring_member *members, size_t n,
                     struct ident *self, struct ring_friend out[FRIENDS_MAX])
{
    struct view v = {members, n, NULL};

    return friends_of(&v, self, out);
}

static bool watches(const struct view *v, struct ident *who,
                    const struct ident *of)
{
    struct ring_friend friends[FRIENDS_MAX];

    return holds(friends, friends_of(v, who, friends), of);
}

/* -- watchers ---------------------------------------------------------- */

struct found {
    struct ident **out;
    size_t cap;
    size_t n;
};

static void put(struct found *f, struct ident *who)
{
    if (f->n < f->cap)
        f->out[f->n] = who;
    f->n++;
}

/* In a small mesh: whoever has it as friend. */
static void ask_everybody(const struct view *v, const struct ident *of,
                          struct found *f)
{
    for (size_t i = 0; i < v->n; i++) {
        struct ident *who = v->members[i].ident;

        if (who != of && is_up(v, &v->members[i]) && watches(v, who, of))
            put(f, who);
    }
}

/* In a large one: nobody but the next one below it, on any ring, can have it
 * as friend; on the first rings that one surely does. */
static void ask_below(const struct view *v, struct ident *of, struct found *f)
{
    struct ident *seen[RINGS_MAX];

    for (unsigned r = 0; r < RINGS_MAX; r++) {
        bool again = false;

        seen[r] = below(v, of, r);
        for (unsigned q = 0; q < r; q++)
            again = again || seen[q] == seen[r];
        if (!again && (r < IDENT_RINGS || watches(v, seen[r], of)))
            put(f, seen[r]);
    }
}

size_t rings_watchers(const struct ring_member *members, size_t n,
                      struct ident *of, struct ident **out, size_t cap)
{
    struct view v = {members, n, of};
    struct found f = {out, cap, 0};
    size_t others = 0;

    for (size_t i = 0; i < n; i++)
        if (members[i].ident != of && is_up(&v, &members[i]))
            others++;
    if (others <= RULE_3_MAX)
        ask_everybody(&v, of, &f);
    else
        ask_below(&v, of, &f);
    return f.n;
}
