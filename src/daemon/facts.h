/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_FACTS_H
#define KITH_DAEMON_FACTS_H

#include "base/types.h"

/*
 * What this machine is, from files that the kernel and the distribution keep
 * and a few system calls. One body of this header per operating system
 * (facts_linux.c). Nothing is executed and nothing is written; whatever
 * cannot be read is left empty, for no fact is worth a failure.
 */

enum {
    FACTS_MACS_MAX = 16,
    FACTS_MAC_SIZE = 18,
    FACTS_SSH_KEYS_MAX = 8,
};

struct facts_options {
    /* Stands before every path: "" for this machine, otherwise the root of a
     * tree with its own /proc, /sys, /etc, without a final slash. NULL is
     * "". With such a tree, network interfaces are read from its files only,
     * not asked by ioctl. */
    const char *root;

    /* Goes into machine_facts.agent; may be NULL. */
    const char *agent_version;

    /* Interfaces whose MAC is left out: glob(7) patterns. */
    const char *const *exclude;
    size_t n_exclude;
};

/* An SSH host key, as `ssh-keygen -l` shows it. */
struct facts_ssh_key {
    char type[32];        /* "ssh-ed25519" */
    char fingerprint[52]; /* "SHA256:" and 43 characters of base64 */
};

/* All strings end with zero and are valid UTF-8 without control characters
 * (what is not, is a '?'); empty means unknown. */
struct machine_facts {
    char agent[32];        /* version of the agent */
    char host[256];        /* host name */
    char os[128];          /* PRETTY_NAME of os-release(5) */
    char kernel[128];      /* release, as uname -r */
    char arch[32];         /* as uname -m */
    char boot_id[40];      /* changes with each boot */
    char virt[32];         /* "kvm", "docker", ..., "vm" when unknown which;
                              "none" when nothing points to either */
    char cpu[128];         /* model of the first processor */
    char vendor[64];       /* of the hardware, from DMI */
    char product[128];     /* from DMI, or the device tree's model */
    uint32_t cores;        /* logical processors online; 0: unknown */
    uint64_t memory_bytes; /* 0: unknown */

    /* Of physical interfaces, "52:54:00:12:34:56", ascending, no doubles. */
    size_t n_macs;
    char macs[FACTS_MACS_MAX][FACTS_MAC_SIZE];

    /* Of /etc/ssh/ssh_host_*_key.pub, ascending by type. */
    size_t n_ssh_keys;
    struct facts_ssh_key ssh_keys[FACTS_SSH_KEYS_MAX];
};

/* Reads all facts anew. Takes milliseconds. */
void facts_read(const struct facts_options *options, struct machine_facts *out);

/*
 * Values that belong to one machine and not to a copy of its disk.
 */
enum binding_kind {
    BINDING_MACHINE_ID,   /* /etc/machine-id */
    BINDING_PRODUCT_UUID, /* of DMI; only root can read it */
    BINDING_MAC,          /* the lowest permanent one of physical interfaces */
    BINDING_KINDS
};

struct machine_binding {
    /* Ends with zero; empty: absent or not readable. Any two values are
     * compared byte by byte, so both may as well be hashes. */
    char value[BINDING_KINDS][72];
};

enum binding_verdict {
    BINDING_UNKNOWN, /* too little to say: not two recorded, or of what is
                        recorded nothing can be read now */
    BINDING_SAME,    /* something that was recorded is the same */
    BINDING_COPIED,  /* at least two were recorded, and all of them that can
                        be read now differ */
};

/* Reads what can be read. Values that many machines share, such as a DMI
 * UUID of zeros, count as absent. */
void facts_read_binding(const struct facts_options *options,
                        struct machine_binding *out);

/* Whether a disk was moved to, or copied onto, another machine since
 * `recorded`. Pure. */
enum binding_verdict binding_compare(const struct machine_binding *recorded,
                                     const struct machine_binding *now);

#endif
