/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_TEST_RECON_DRIVE_H
#define KITH_TEST_RECON_DRIVE_H

#include <assert.h>
#include <stdio.h>

#include "base/error.h"
#include "base/prng.h"
#include "core/recon.h"
#include "wire/block.h"

/*
 * Two sides that reconcile their sets, by items of the size that datagrams
 * have, until their roots are equal: the asker A keeps a list of the places
 * still to be compared, B nothing at all. Heads that one finds that the other
 * has, change sides at once, which costs what asking for them or announcing
 * them does.
 */

enum {
    DRIVE_PENDING_MAX = 1024,
    /* What is left when an answer also has COOKIE and ROOT. */
    DRIVE_ANSWER_MAX = ANSWER_ITEMS_MAX - 2 * ITEM_HEADER_LEN -
                       ITEM_COOKIE_LEN - ITEM_ROOT_LEN,
};

struct drive {
    struct trie *a;
    struct trie *b;
    struct prng prng; /* of the IVs */
    struct trie_prefix pending[DRIVE_PENDING_MAX];
    size_t pending_n;
    size_t exchanges;   /* requests, each with its answer */
    size_t bytes;       /* of items, both ways */
    size_t first_known; /* the exchange after which a head was known */
    size_t moved;       /* heads */
};

static inline void drive_move(struct drive *d, struct trie *to,
                              struct bundle *bundle)
{
    const struct bundle *old = trie_find(to, &bundle->author->id);
    int err;

    if (old != NULL && !block_beats(bundle->serial, &bundle->head->hash,
                                    old->serial, &old->head->hash))
        return;
    err = trie_put(to, bundle);
    assert(err == KITH_OK);
    (void)err;
    if (d->moved++ == 0)
        d->first_known = d->exchanges;
}

/* Fetches what a diff says that `to` lacks. */
static inline void drive_fetch(struct drive *d, const struct trie *from,
                               struct trie *to, const struct recon_diff *diff)
{
    for (size_t i = 0; i < diff->lacking_n; i++)
        drive_move(d, to, trie_find(from, &diff->lacking[i].id));
}

static inline void drive_add(struct trie_prefix *list, size_t *n,
                             const struct trie_prefix *prefix)
{
    if (*n < DRIVE_PENDING_MAX)
        list[(*n)++] = *prefix;
}

/* Compares every item, and collects. */
static inline void drive_read(const struct trie *t, const uint8_t *iv,
                              const struct writer *message, bool responder,
                              struct trie_prefix *list, size_t *n,
                              struct recon_diff *diff)
{
    struct trie_prefix all = prefix_root();
    uint8_t root[TRIE_ROOT_LEN];
    struct cursor c;
    struct item item;

    cursor_init(&c, message->p, message->len);
    while (item_next(&c, &item) == KITH_OK) {
        size_t giving = diff->giving_n;

        switch (item.type) {
        case ITEM_ROOT:
            recon_root(t, NULL, NULL, root);
            if (memcmp(root, item.root.root, sizeof root) != 0)
                drive_add(list, n, &all);
            break;
        case ITEM_NODES:
            recon_compare_nodes(t, iv, &item.nodes, list, DRIVE_PENDING_MAX, n);
            break;
        case ITEM_LEAVES:
            recon_compare_leaves(t, iv, &item, diff);
            if (responder && (diff->giving_n > giving || diff->more))
                drive_add(list, n, &item.leaves.prefix);
            break;
        default:
            break;
        }
    }
    assert(c.left == 0);
}

/* B's half. */
static inline void drive_answer(struct drive *d, const uint8_t *iv,
                                const struct writer *request,
                                struct writer *answer)
{
    static struct trie_prefix list[DRIVE_PENDING_MAX];
    struct recon_diff diff = {.lacking_n = 0};
    struct item_array wants;
    size_t n = 0, asked = 0;

    drive_read(d->b, iv, request, true, list, &n, &diff);
    wants = item_begin(answer, ITEM_WANT_HEAD);
    while (asked < diff.lacking_n) {
        struct item_want_head want = {.id = diff.lacking[asked].id,
                                      .since = diff.lacking[asked].since};

        if (!item_add_want_head(&wants, &want))
            break;
        asked++;
    }
    item_end(&wants);
    diff.lacking_n = asked;
    recon_describe_each(d->b, list, n, iv, answer);
    drive_fetch(d, d->a, d->b, &diff);
}

/* One request and its answer. Returns false when the roots were equal. */
static inline bool drive_exchange(struct drive *d)
{
    uint8_t request_bytes[REQUEST_ITEMS_MAX], answer_bytes[DRIVE_ANSWER_MAX];
    static struct trie_prefix left[DRIVE_PENDING_MAX];
    struct recon_diff diff = {.lacking_n = 0};
    uint8_t iv[RECON_IV_LEN], root[TRIE_ROOT_LEN];
    struct writer request, answer;
    size_t done = 0, left_n;
    bool asked_root = d->pending_n == 0;

    for (size_t i = 0; i < sizeof iv; i++)
        iv[i] = (uint8_t)prng_u64(&d->prng);
    writer_init(&request, request_bytes, sizeof request_bytes);
    writer_init(&answer, answer_bytes, sizeof answer_bytes);
    d->exchanges++;
    if (asked_root) {
        recon_root(d->a, NULL, NULL, root);
        item_put_root(&request, root, (uint32_t)trie_count(d->a));
    } else {
        done =
            recon_describe_each(d->a, d->pending, d->pending_n, iv, &request);
        assert(done > 0);
    }
    drive_answer(d, iv, &request, &answer);
    assert(!request.overflow && !answer.overflow);
    d->bytes += request.len + answer.len + (asked_root ? ITEM_ROOT_LEN : 0);

    /* What this answer tells goes first; what was not asked yet, behind. */
    left_n = d->pending_n - done;
    memcpy(left, d->pending + done, left_n * sizeof *left);
    d->pending_n = 0;
    drive_read(d->a, iv, &answer, false, d->pending, &d->pending_n, &diff);
    for (size_t i = 0; i < left_n; i++)
        drive_add(d->pending, &d->pending_n, &left[i]);
    d->bytes +=
        diff.lacking_n * ITEM_WANT_HEAD_LEN + diff.giving_n * ITEM_ANNOUNCE_LEN;
    drive_fetch(d, d->b, d->a, &diff);
    for (size_t i = 0; i < diff.giving_n; i++)
        drive_move(d, d->b, diff.giving[i]);
    return !asked_root || answer.len > 0;
}

/* Until the roots are equal, or max exchanges were made. Returns whether they
 * are. */
static inline bool drive(struct drive *d, struct trie *a, struct trie *b,
                         uint64_t seed, size_t max)
{
    *d = (struct drive){.a = a, .b = b};
    prng_seed(&d->prng, seed);
    while (d->exchanges < max)
        if (!drive_exchange(d))
            return true;
    return false;
}

#endif
