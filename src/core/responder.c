/* SPDX-License-Identifier: Apache-2.0 */
#include "core/responder.h"

#include <assert.h>

#include "core/exchange.h"
#include "core/state.h"
#include "crypto/wipe.h"

_Static_assert((ANSWER_BUCKETS & (ANSWER_BUCKETS - 1)) == 0,
               "a bucket is chosen by masking");

void responder_init(struct engine *e, const struct now *now)
{
    for (size_t i = 0; i < ANSWER_BUCKETS; i++)
        budget_init(&e->responder.tickets[i], ANSWER_BURST, ANSWER_RATE_X1000,
                    now->mono);
    budget_init(&e->responder.resets, RESET_BURST, RESET_RATE_X1000, now->mono);
}

static void send_reset(struct engine *e, const struct now *now,
                       const struct datagram *dg, const struct dgram *d,
                       struct effects *out)
{
    uint8_t token[DGRAM_RESET_TOKEN_LEN];
    uint8_t reset[DGRAM_RESET_LEN];

    e->counters[COUNT_UNKNOWN_EPOCH]++;
    if (!budget_take(&e->responder.resets, now->mono, 1) ||
        secrets_reset_token(&e->secrets, e->kdf, d->request.ticket,
                            d->request.epoch, token) != KITH_OK)
        return;
    reset_encode(d->request.iv, token, reset);
    e->counters[COUNT_RESETS_OUT]++;
    engine_send(e, out, &dg->from, &dg->to, dg->ifindex, reset, sizeof reset);
}

/* Opens a request: its ticket tells who sent it, and the MAC whether that is
 * true. */
static int open_request(struct engine *e, const struct datagram *dg,
                        const struct dgram *d, const struct epoch *epoch,
                        struct node_id *a, struct session_keys *keys,
                        uint8_t items[DGRAM_MAX], size_t *n)
{
    uint8_t k[32];
    struct cursor c;
    uint32_t name;
    int err;

    cursor_init(&c, epoch->name, sizeof epoch->name);
    err = cursor_u32(&c, &name);
    assert(err == KITH_OK);
    err = cipher_ticket_open(e->cipher, name, d->request.ticket, a);
    if (err == KITH_OK)
        err = kdf_session_key(e->kdf, epoch->secret, a, k);
    if (err == KITH_OK)
        err = kdf_session_keys(e->kdf, k, &e->self, &e->mesh, keys);
    secret_wipe(k, sizeof k);
    if (err == KITH_OK)
        err = seal_open_request(e->cipher, keys, dg->data, dg->len, items,
                                DGRAM_MAX, n);
    return err;
}

/* Moves what takes much room behind the rest: what we want or compare must
 * not be crowded out by what we give, as only the latter is asked for
 * again. */
static void small_first(struct jobs *jobs)
{
    struct jobs bulky = {.n = 0};
    size_t n = 0;

    for (size_t i = 0; i < jobs->n; i++) {
        enum job_type type = jobs->v[i].type;

        if (type == JOB_DESCRIBE || type == JOB_INTRO || type == JOB_PIECE)
            bulky.v[bulky.n++] = jobs->v[i];
        else
            jobs->v[n++] = jobs->v[i];
    }
    memcpy(jobs->v + n, bulky.v, bulky.n * sizeof *bulky.v);
}

/* The items of the answer: never longer than what the request paid for,
 * unless its cookie shows that it came from where it says. */
static void answer(struct engine *e, const struct datagram *dg,
                   const struct exchange *x, const struct session_keys *keys,
                   const uint8_t cookie[ITEM_COOKIE_LEN], bool proved,
                   struct jobs *jobs, struct effects *out)
{
    uint8_t items[ANSWER_ITEMS_MAX], iv[DGRAM_IV_LEN], root[TRIE_ROOT_LEN];
    uint8_t dgram[DGRAM_MAX];
    struct job_context ctx = {.set = &e->index.set, .root = root, .iv = x->iv};
    size_t room = proved ? ANSWER_ITEMS_MAX : seal_answer_room(dg->len);
    struct writer w;
    size_t n = 0, len = 0;

    engine_root(e, root);
    writer_init(&w, items, room < sizeof items ? room : sizeof items);
    if (!proved && writer_room(&w) >= ITEM_HEADER_LEN + ITEM_COOKIE_LEN)
        item_put_cookie(&w, cookie);
    small_first(jobs);
    jobs_encode(jobs->v, jobs->n, &ctx, &w);
    if (writer_finish(&w, &n) != KITH_OK)
        return;
    entropy_take(&e->entropy, iv, sizeof iv);
    if (seal_answer(e->cipher, keys, x->iv, iv, items, n, dgram, sizeof dgram,
                    &len) == KITH_OK) {
        assert(proved || len <= dg->len);
        engine_send(e, out, &dg->from, &dg->to, dg->ifindex, dgram, len);
    }
    secret_wipe(items, sizeof items);
}

void responder_request(struct engine *e, const struct now *now,
                       const struct datagram *dg, const struct dgram *d,
                       struct effects *out)
{
    const struct epoch *epoch = secrets_epoch(&e->secrets, d->request.epoch);
    size_t bucket = d->request.ticket[0] & (ANSWER_BUCKETS - 1);
    uint8_t items[DGRAM_MAX], cookie[ITEM_COOKIE_LEN];
    uint8_t iv[DGRAM_IV_LEN];
    struct session_keys keys;
    struct node_id a;
    struct jobs jobs = {.n = 0};
    struct exchange x = {.from = &a, .iv = iv};
    size_t n = 0;
    int err;

    if (!epoch) {
        send_reset(e, now, dg, d, out);
        return;
    }
    memcpy(iv, d->request.iv, sizeof iv);
    if (open_request(e, dg, d, epoch, &a, &keys, items, &n) != KITH_OK) {
        e->counters[COUNT_FORGED]++;
        goto wipe;
    }
    if (!budget_take(&e->responder.tickets[bucket], now->mono, 1)) {
        e->counters[COUNT_OVER_BUDGET]++;
        goto wipe;
    }
    e->heard = true;
    err = exchange_take(e, now, &x, items, n, &jobs, out);
    if (err != KITH_OK) {
        e->counters[COUNT_MALFORMED]++;
    } else if (secrets_cookie(&e->secrets, e->kdf, &a, &dg->from, cookie) ==
               KITH_OK) {
        bool proved =
            x.has_cookie && secret_equal(x.cookie, cookie, ITEM_COOKIE_LEN);

        answer(e, dg, &x, &keys, cookie, proved, &jobs, out);
        if (proved)
            peer_heard(e, now, &a, &dg->from, out);
    }
    jobs_clear(&jobs);
wipe:
    secret_wipe(&keys, sizeof keys);
    secret_wipe(items, sizeof items);
}
