/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/machine.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "version.h"

static void add(struct fact *v, size_t *n, const char *key, const char *value)
{
    if (value[0] == '\0')
        return;
    v[(*n)++] = (struct fact){key, strlen(key), value, strlen(value)};
}

/* "6.1.0-18-amd64" to "6.1". */
static void cut_patch_level(char *kernel)
{
    char *dot = strchr(kernel, '.');

    if (dot)
        dot += 1 + strspn(dot + 1, "0123456789");
    if (dot)
        *dot = '\0';
}

void machine_read(struct machine *m, bool open_mesh)
{
    struct facts_options options = {.root = "", .agent_version = KITH_VERSION};
    const struct machine_facts *r = &m->read;

    memset(m, 0, sizeof *m);
    facts_read(&options, &m->read);
    snprintf(m->kernel, sizeof m->kernel, "%s", r->kernel);
    if (open_mesh)
        cut_patch_level(m->kernel);
    add(m->facts, &m->n_facts, "agent", r->agent);
    add(m->facts, &m->n_facts, "arch", r->arch);
    add(m->facts, &m->n_facts, "boot", r->boot_id);
    add(m->facts, &m->n_facts, "host", r->host);
    add(m->facts, &m->n_facts, "kernel", m->kernel);
    add(m->facts, &m->n_facts, "os", r->os);

    if (r->cores > 0)
        snprintf(m->cores, sizeof m->cores, "%" PRIu32, r->cores);
    if (r->memory_bytes > 0)
        snprintf(m->memory, sizeof m->memory, "%" PRIu64, r->memory_bytes);
    add(m->more, &m->n_more, "cores", m->cores);
    add(m->more, &m->n_more, "cpu", r->cpu);
    add(m->more, &m->n_more, "memory", m->memory);
    add(m->more, &m->n_more, "product", r->product);
    add(m->more, &m->n_more, "vendor", r->vendor);
    add(m->more, &m->n_more, "virt", r->virt);
    for (size_t i = 0; i < r->n_macs && !open_mesh; i++)
        add(m->more, &m->n_more, "mac", r->macs[i]);
    for (size_t i = 0; i < r->n_ssh_keys && !open_mesh; i++) {
        snprintf(m->ssh[i], sizeof m->ssh[i], "%s %s", r->ssh_keys[i].type,
                 r->ssh_keys[i].fingerprint);
        add(m->more, &m->n_more, "ssh", m->ssh[i]);
    }
}

void machine_boot_id(uint8_t out[16])
{
    struct facts_options options = {.root = ""};
    struct machine_facts facts;
    char hex[33];
    size_t n = 0;

    memset(out, 0, 16);
    facts_read(&options, &facts);
    for (const char *p = facts.boot_id; *p != '\0' && n < 32; p++)
        if (*p != '-')
            hex[n++] = *p;
    hex[n] = '\0';
    if (text_unhex(out, 16, hex, n) != KITH_OK)
        memset(out, 0, 16);
}
