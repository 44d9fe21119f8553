/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_LINKS_H
#define KITH_DAEMON_LINKS_H

#include "base/log.h"
#include "base/types.h"
#include "core/engine.h"

/*
 * The network interfaces ("links") of this machine and their addresses, kept
 * up to date by rtnetlink(7): two dumps at the start, notifications after
 * that, and the dumps again whenever a notification was lost.
 *
 * The upper half of this header is pure (links_parse.c): bytes in, a table
 * out. The lower half owns the socket (links.c).
 */

struct event_base;

enum {
    LINK_COUNT_MAX = 64,    /* links held; further ones are left out */
    LINK_ADDRS_MAX = 16,    /* addresses held per link, likewise */
    LINK_NAME_SIZE = 16,    /* with the final zero, as IFNAMSIZ */
    LINK_PATTERNS_MAX = 32, /* `interface` options */
    LINK_PATTERN_SIZE = 32, /* with the final zero */
    LINK_PUBLISH_MAX = 8,   /* addresses that a node tells of itself */
};

struct link_addr {
    struct addr addr; /* port 0; ifindex set when IPv6 link-local */
    uint8_t prefix_len;
    bool link_local; /* 169.254.0.0/16 or fe80::/10 */
    bool temporary;  /* IPv6 privacy address, RFC 8981 */
    bool deprecated; /* its preferred lifetime is over, RFC 4862 */
    bool tentative;  /* duplicate detection runs, or found one, RFC 4862 */
};

struct link {
    uint32_t ifindex;
    char name[LINK_NAME_SIZE];
    bool up; /* switched on, and has a carrier as far as the kernel knows */
    bool loopback;
    bool multicast; /* the kernel's flag; lo lacks it, yet multicasts */
    bool pointtopoint;
    size_t n_addrs;
    struct link_addr addrs[LINK_ADDRS_MAX]; /* ascending by family and IP */
};

/* Which links count, by name. All zero: all but those of the built-in table
 * of patterns (loopback, containers, bridges, tunnels, ...). */
struct links_choice {
    bool loopback;     /* loopback links count too */
    size_t n_patterns; /* when not 0, only what these match, glob(7) */
    char patterns[LINK_PATTERNS_MAX][LINK_PATTERN_SIZE];
};

/* Only links that the choice lets in are held, so a thousand containers do
 * not crowd out the real ones. */
struct link_table {
    size_t n;
    struct link links[LINK_COUNT_MAX]; /* ascending by ifindex */
};

/* What links_parse met besides links and addresses. */
enum {
    LINKS_SEEN_DONE = 1,  /* the dump with the given sequence number ended */
    LINKS_SEEN_STALE = 2, /* the table may be wrong: dump again */
};

/* Whether `choice` lets in a link of this name. Loopback links are judged by
 * their flag, see links_parse; by name, `lo` is never let in but by a pattern.
 * name: ends with zero. */
bool links_name_chosen(const struct links_choice *choice, const char *name);

/* Applies rtnetlink messages (RTM_NEWLINK, DELLINK, NEWADDR, DELADDR, the
 * end of a dump; all others are skipped) to `table`.
 * choice: which links to hold.
 * dump_seq: nlmsg_seq of the dump under way, 0 when there is none.
 * buf, len: whole messages, as one recv() gives them; no alignment needed.
 * seen: LINKS_SEEN_ bits are added to it.
 * Returns KITH_OK; KITH_ERR_TRUNCATED or KITH_ERR_FORMAT for a malformed
 * message, KITH_ERR_IO when the kernel refused the dump. After an error, the
 * messages before the bad one have been applied. */
int links_parse(struct link_table *table, const struct links_choice *choice,
                uint32_t dump_seq, const uint8_t *buf, size_t len,
                unsigned *seen);

/* Whether a link that is held is of use at present: it is up and has a
 * unicast address that is not tentative (link-local is enough: beacons work
 * with it). */
bool links_suitable(const struct link *l);

/* Copies the suitable links of `table`, in order, to `out` (room for
 * LINK_COUNT_MAX; unused entries are zeroed). Returns how many. */
size_t links_pick(const struct link_table *table, struct link *out);

/* Whether two lists of links say the same. */
bool links_equal(const struct link *a, size_t n_a, const struct link *b,
                 size_t n_b);

/* Puts the suitable links into the form that engine_links() takes, with all
 * their addresses that are not tentative, and settles which of these the node
 * tells of itself (`publish`): those that are listened on and not temporary,
 * deprecated, link-local or repeated; LINK_PUBLISH_MAX at most, the first IPv4
 * and the first IPv6 address of every link before the others.
 * links, n: suitable links.
 * listen, n_listen: where the agent listens; ports do not matter. None at
 *     all, and 0.0.0.0 and ::, stand for every address (of the family). Those
 *     in 127.0.0.0/8 that no link has are added to the loopback link, which
 *     takes packets to all of them.
 * loopback: tell loopback addresses too.
 * out: room for n. */
void links_nets(const struct link *links, size_t n, const struct addr *listen,
                size_t n_listen, bool loopback, struct net_link *out);

/* The running thing. */
struct links;

/* Called from the event loop when the suitable links really changed, at most
 * every 200 ms. The list belongs to the `links` object and holds until the
 * loop runs again. */
typedef void (*links_changed)(void *ctx, const struct link *list, size_t n);

/* Reads the links once and follows them from then on.
 * base: outlives the object.
 * choice: copied.
 * log: outlives the object; may be NULL.
 * changed, ctx: called on later changes, never from within links_new.
 * Returns NULL only when memory is short. Without permission to use netlink,
 * the object works, its list is empty, and the log says so. */
struct links *links_new(struct event_base *base,
                        const struct links_choice *choice,
                        const struct log *log, links_changed changed,
                        void *ctx);

/* NULL is allowed. */
void links_free(struct links *ls);

/* The suitable links at present. The list belongs to the object and holds
 * until the loop runs again. */
size_t links_now(const struct links *ls, const struct link **list);

#endif
