/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_MACHINE_H
#define KITH_DAEMON_MACHINE_H

#include "daemon/facts.h"
#include "wire/facts.h"

/* What this machine says of itself, in the form that the engine signs. */
enum {
    MACHINE_FACTS = 8,
    MACHINE_MORE = 8 + FACTS_MACS_MAX + FACTS_SSH_KEYS_MAX,
};

struct machine {
    struct fact facts[MACHINE_FACTS]; /* of the block `facts` */
    size_t n_facts;
    struct fact more[MACHINE_MORE]; /* of `facts.more` */
    size_t n_more;

    struct machine_facts read; /* the texts that they point into: */
    char kernel[128], cores[16], memory[24];
    char ssh[FACTS_SSH_KEYS_MAX][96];
};

/* Reads them. In an open mesh, which trusts its network, MACs, SSH host keys
 * and the patch level of the kernel are left out. *m must not move. */
void machine_read(struct machine *m, bool open_mesh);

/* The kernel's boot id as bytes; zeros when there is none. */
void machine_boot_id(uint8_t out[16]);

#endif
