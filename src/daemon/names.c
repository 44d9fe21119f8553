/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/names.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/error.h"

enum {
    NAME_RETRY_S = 60,
    NAME_ADDRS_MAX = 4
};

struct name {
    struct names *names;
    char text[256];
    uint16_t port;
    struct event *retry;
    struct evdns_getaddrinfo_request *request;
    struct name *next;
};

struct names {
    struct event_base *base;
    struct evdns_base *dns; /* made with the first name */
    void (*found)(void *arg, const struct addr *);
    void *arg;
    struct name *list;
};

struct names *names_new(struct event_base *base,
                        void (*found)(void *, const struct addr *), void *arg)
{
    struct names *n = calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->base = base;
    n->found = found;
    n->arg = arg;
    return n;
}

static void name_free(struct name *name)
{
    if (name->request)
        evdns_getaddrinfo_cancel(name->request);
    if (name->retry)
        event_free(name->retry);
    free(name);
}

void names_free(struct names *n)
{
    if (!n)
        return;
    for (struct name *name = n->list; name;) {
        struct name *next = name->next;

        name_free(name);
        name = next;
    }
    if (n->dns)
        evdns_base_free(n->dns, 0);
    free(n);
}

static void retry_later(struct name *name)
{
    struct timeval later = {NAME_RETRY_S, 0};

    event_add(name->retry, &later);
}

static void on_addresses(int result, struct evutil_addrinfo *list, void *arg)
{
    struct name *name = arg;
    int n = 0;

    if (result == EVUTIL_EAI_CANCEL)
        return;
    name->request = NULL;
    for (struct evutil_addrinfo *ai = list; ai && n < NAME_ADDRS_MAX;
         ai = ai->ai_next) {
        struct addr a;

        if (addr_from_sockaddr(&a, ai->ai_addr) != KITH_OK)
            continue;
        a.port = name->port;
        name->names->found(name->names->arg, &a);
        n++;
    }
    if (list)
        evutil_freeaddrinfo(list);
    if (n == 0)
        retry_later(name);
}

static void look_up(evutil_socket_t fd, short what, void *arg)
{
    struct name *name = arg;
    struct names *n = name->names;
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_protocol = IPPROTO_TCP};

    (void)fd;
    (void)what;
    if (!n->dns)
        n->dns = evdns_base_new(n->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                             EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!n->dns) {
        retry_later(name);
        return;
    }
    name->request =
        evdns_getaddrinfo(n->dns, name->text, NULL, &hints, on_addresses, name);
}

void names_resolve(struct names *n, const char *text, uint16_t port)
{
    struct name *name = calloc(1, sizeof *name);
    struct timeval soon = {0, 0};

    if (!name)
        return;
    name->names = n;
    name->port = port;
    snprintf(name->text, sizeof name->text, "%s", text);
    name->retry = evtimer_new(n->base, look_up, name);
    if (!name->retry) {
        free(name);
        return;
    }
    name->next = n->list;
    n->list = name;
    event_add(name->retry, &soon);
}
