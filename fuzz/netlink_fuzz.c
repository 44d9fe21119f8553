/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz: daemon */
/*
 * Any bytes as rtnetlink messages. The first one says how: bit 0 lets in
 * loopback links, bit 1 has a list of patterns, bit 2 has no dump under way.
 */
#include <assert.h>
#include <stdio.h>

#include "base/addr.h"
#include "daemon/links.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_link(const struct link *l, const struct links_choice *choice)
{
    assert(l->ifindex != 0);
    assert(l->name[0] != '\0');
    assert(memchr(l->name, '\0', sizeof l->name) != NULL);
    assert((l->loopback && choice->loopback) ||
           links_name_chosen(choice, l->name));
    assert(l->n_addrs <= LINK_ADDRS_MAX);
    for (size_t i = 0; i < l->n_addrs; i++) {
        assert(addr_is_unicast(&l->addrs[i].addr));
        assert(l->addrs[i].addr.port == 0);
        for (size_t j = 0; j < i; j++)
            assert(!addr_equal(&l->addrs[i].addr, &l->addrs[j].addr));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct link_table table;
    static struct link picked[LINK_COUNT_MAX];
    static struct net_link nets[LINK_COUNT_MAX];
    struct links_choice choice = {0};
    unsigned seen = 0;
    size_t told = 0;

    if (size < 1)
        return 0;
    choice.loopback = (data[0] & 1) != 0;
    if ((data[0] & 2) != 0)
        snprintf(choice.patterns[choice.n_patterns++], LINK_PATTERN_SIZE, "e*");
    memset(&table, 0, sizeof table);
    links_parse(&table, &choice, (data[0] & 4) != 0 ? 0 : 1, data + 1, size - 1,
                &seen);

    assert(table.n <= LINK_COUNT_MAX);
    for (size_t i = 0; i < table.n; i++) {
        check_link(&table.links[i], &choice);
        assert(i == 0 || table.links[i - 1].ifindex < table.links[i].ifindex);
    }
    size_t n = links_pick(&table, picked);
    assert(n <= table.n);
    links_nets(picked, n, NULL, 0, choice.loopback, nets);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < nets[i].n; j++)
            told += nets[i].addrs[j].publish;
    assert(told <= LINK_PUBLISH_MAX);
    return 0;
}
