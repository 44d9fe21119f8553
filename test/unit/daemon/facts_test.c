/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "daemon/facts.h"

#define DMI "/sys/class/dmi/id/"
#define NET "/sys/class/net/"

/* Made with ssh-keygen's format; the fingerprint is ssh-keygen's too. */
#define ED25519                                                                \
    "ssh-ed25519 "                                                             \
    "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define ED25519_FINGERPRINT "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"
#define RSA                                                                    \
    "ssh-rsa AAAAB3NzaC1yc2EAAAA3yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5u"   \
    "fo6err7O3u7/Dx8vP09fb3+Pn6+/z9/g=="
#define RSA_FINGERPRINT "SHA256:8vW/QASF+aMqglqSM43WfhB5S+PCHxJPN4d229Qrf+E"

/* A fake root directory, and the facts read from it. */
struct fixture {
    char root[64];
    struct facts_options options;
    struct machine_facts facts;
    struct machine_binding binding;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->root, sizeof f->root, "/tmp/kith-facts-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    f->options.root = f->root;
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    nftw(f->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void put_bytes(struct fixture *f, const char *path, const void *data,
                      size_t len)
{
    char full[256];

    snprintf(full, sizeof full, "%s%s", f->root, path);
    for (char *p = full + strlen(f->root) + 1; *p != '\0'; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(full, 0700);
            *p = '/';
        }
    FILE *file = fopen(full, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void put(struct fixture *f, const char *path, const char *text)
{
    put_bytes(f, path, text, strlen(text));
}

static const struct machine_facts *facts(struct fixture *f)
{
    facts_read(&f->options, &f->facts);
    return &f->facts;
}

static void test_ordinary_machine(void **state)
{
    struct fixture *f = *state;

    f->options.agent_version = "0.1.0";
    put(f, "/proc/sys/kernel/hostname", "web1\n");
    put(f, "/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n");
    put(f, "/proc/sys/kernel/random/boot_id",
        "0b5f8a8e-3b1c-4c53-9c9d-6f0c3c6f3f52\n");
    put(f, "/etc/os-release",
        "NAME=\"Debian GNU/Linux\"\n# PRETTY_NAME=no\n"
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n");
    put(f, "/proc/cpuinfo",
        "processor\t: 0\ncpu family\t: 6\n"
        "model name\t: Intel(R) Xeon(R)\nflags\t\t: fpu vme\n\n"
        "processor\t: 1\nmodel name\t: another\n");
    put(f, "/proc/meminfo", "MemTotal:       16303956 kB\nMemFree: 1 kB\n");
    put(f, "/sys/devices/system/cpu/online", "0-3,8,10-11\n");
    put(f, DMI "sys_vendor", "Dell Inc.\n");
    put(f, DMI "product_name", "PowerEdge R640\n");

    const struct machine_facts *m = facts(f);
    assert_string_equal(m->agent, "0.1.0");
    assert_string_equal(m->host, "web1");
    assert_string_equal(m->kernel, "6.1.0-13-amd64");
    assert_string_equal(m->boot_id, "0b5f8a8e-3b1c-4c53-9c9d-6f0c3c6f3f52");
    assert_string_equal(m->os, "Debian GNU/Linux 12 (bookworm)");
    assert_string_equal(m->cpu, "Intel(R) Xeon(R)");
    assert_int_equal(m->cores, 7);
    assert_int_equal(m->memory_bytes, UINT64_C(16303956) * 1024);
    assert_string_equal(m->vendor, "Dell Inc.");
    assert_string_equal(m->product, "PowerEdge R640");
    assert_string_equal(m->virt, "none");
    assert_true(m->arch[0] != '\0');
}

static void test_nothing_readable(void **state)
{
    const struct machine_facts *m = facts(*state);

    assert_string_equal(m->os, "Linux");
    assert_string_equal(m->agent, "");
    assert_string_equal(m->boot_id, "");
    assert_string_equal(m->cpu, "");
    assert_string_equal(m->product, "");
    assert_string_equal(m->virt, "none");
    assert_int_equal(m->memory_bytes, 0);
    assert_int_equal(m->n_macs, 0);
    assert_int_equal(m->n_ssh_keys, 0);
    /* what uname and sysconf know does not need files */
    assert_true(m->host[0] != '\0');
    assert_true(m->kernel[0] != '\0');
    assert_true(m->cores > 0);
}

static void test_os_release_forms(void **state)
{
    struct fixture *f = *state;

    put(f, "/usr/lib/os-release", "PRETTY_NAME='Alpine Linux v3.18'\n");
    assert_string_equal(facts(f)->os, "Alpine Linux v3.18");
    put(f, "/etc/os-release", "PRETTY_NAME=Bare\n");
    assert_string_equal(facts(f)->os, "Bare");
    put(f, "/etc/os-release", "PRETTY_NAME=\"a \\\"b\\\" \\$c\"");
    assert_string_equal(facts(f)->os, "a \"b\" $c");
    put(f, "/etc/os-release", "NAME=Fallback\nPRETTY_NAMES=x\n");
    assert_string_equal(facts(f)->os, "Fallback");
    put(f, "/etc/os-release", "PRETTY_NAME=\"unended\\");
    assert_string_equal(facts(f)->os, "unended\\");
    put(f, "/etc/os-release", "PRETTY_NAME=\"\"\n");
    assert_string_equal(facts(f)->os, "Linux");
}

static void test_bad_text_is_cleaned(void **state)
{
    struct fixture *f = *state;
    char line[400];

    put(f, "/proc/sys/kernel/hostname", "  w\xff\x1b[31meb\xc3\xa9\n");
    assert_string_equal(facts(f)->host, "w??[31meb\xc3\xa9");
    put_bytes(f, DMI "sys_vendor", "A\0B", 3);
    assert_string_equal(facts(f)->vendor, "A");

    /* cut between characters: 127 bytes fit, the last é would be half */
    memset(line, 'x', sizeof line);
    memcpy(line + 126, "\xc3\xa9", 2);
    line[sizeof line - 1] = '\0';
    put(f, "/proc/sys/kernel/osrelease", line);
    const char *kernel = facts(f)->kernel;
    assert_int_equal(strlen(kernel), 126);
    assert_true(text_valid_utf8(kernel, strlen(kernel)));
}

static void test_core_lists(void **state)
{
    static const struct {
        const char *list;
        uint32_t cores; /* 0: not understood, so the system is asked */
    } cases[] = {
        {"0", 1},     {"0-0", 1},  {"0-1023", 1024},
        {"3,5,7", 3}, {"5-3", 0},  {"0-", 0},
        {"a", 0},     {"0-3,", 4}, {"-1", 0},
        {"0--3", 0},  {"0 1", 0},  {"0-99999999999999999999", 0},
    };
    struct fixture *f = *state;
    uint32_t asked = facts(f)->cores;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(f, "/sys/devices/system/cpu/online", cases[i].list);
        assert_int_equal(facts(f)->cores,
                         cases[i].cores == 0 ? asked : cases[i].cores);
    }
}

static void test_virtual_machines(void **state)
{
    static const struct {
        const char *vendor, *product, *virt;
    } cases[] = {
        {"QEMU", "Standard PC (Q35 + ICH9, 2009)", "qemu"},
        {"Red Hat", "KVM", "kvm"},
        {"VMware, Inc.", "VMware7,1", "vmware"},
        {"innotek GmbH", "VirtualBox", "virtualbox"},
        {"Microsoft Corporation", "Virtual Machine", "hyper-v"},
        {"Microsoft Corporation", "Surface Laptop", "none"},
        {"Hetzner", "vServer", "none"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put(f, DMI "sys_vendor", cases[i].vendor);
        put(f, DMI "product_name", cases[i].product);
        assert_string_equal(facts(f)->virt, cases[i].virt);
    }
    put(f, "/proc/cpuinfo", "flags\t: fpu hypervisor lahf_lm\n");
    assert_string_equal(facts(f)->virt, "vm");
    put(f, "/.dockerenv", "");
    assert_string_equal(facts(f)->virt, "docker");
    put(f, "/run/systemd/container", "lxc\n");
    assert_string_equal(facts(f)->virt, "lxc");
}

static void test_hardware_placeholders(void **state)
{
    struct fixture *f = *state;

    put(f, DMI "sys_vendor", "To Be Filled By O.E.M.\n");
    put(f, DMI "product_name", "System Product Name\n");
    assert_string_equal(facts(f)->vendor, "");
    assert_string_equal(facts(f)->product, "");
    put_bytes(f, "/proc/device-tree/model", "Raspberry Pi 4 Model B", 23);
    assert_string_equal(facts(f)->product, "Raspberry Pi 4 Model B");
}

static void test_macs(void **state)
{
    static const char *const exclude[] = {"usb*"};
    struct fixture *f = *state;

    put(f, NET "eth1/device/x", "");
    put(f, NET "eth1/address", "52:54:00:AA:00:02\n");
    put(f, NET "eth0/device/x", "");
    put(f, NET "eth0/address", "52:54:00:aa:00:01\n");
    put(f, NET "eth2/device/x", "");
    put(f, NET "eth2/address", "52:54:00:aa:00:01\n"); /* again */
    put(f, NET "br0/address", "02:00:00:00:00:01\n");  /* not physical */
    put(f, NET "usb0/device/x", "");
    put(f, NET "usb0/address", "02:00:00:00:00:02\n"); /* excluded */
    put(f, NET "ib0/device/x", "");
    put(f, NET "ib0/address", "80:00:02:08:fe:80:00:00:00:00:00:00\n");
    put(f, NET "zero/device/x", "");
    put(f, NET "zero/address", "00:00:00:00:00:00\n");
    put(f, NET "group/device/x", "");
    put(f, NET "group/address", "01:00:5e:00:00:01\n");
    put(f, NET "bad/device/x", "");
    put(f, NET "bad/address", "52:54:00:aa-00:01\n");
    f->options.exclude = exclude;
    f->options.n_exclude = 1;

    const struct machine_facts *m = facts(f);
    assert_int_equal(m->n_macs, 2);
    assert_string_equal(m->macs[0], "52:54:00:aa:00:01");
    assert_string_equal(m->macs[1], "52:54:00:aa:00:02");
}

static void test_many_macs_keep_the_lowest(void **state)
{
    struct fixture *f = *state;
    char path[64], mac[32];

    for (int i = 40; i > 0; i--) {
        snprintf(path, sizeof path, NET "p%d/device/x", i);
        put(f, path, "");
        snprintf(path, sizeof path, NET "p%d/address", i);
        snprintf(mac, sizeof mac, "52:54:00:00:00:%02x", i);
        put(f, path, mac);
    }
    const struct machine_facts *m = facts(f);
    assert_int_equal(m->n_macs, FACTS_MACS_MAX);
    assert_string_equal(m->macs[0], "52:54:00:00:00:01");
    assert_string_equal(m->macs[FACTS_MACS_MAX - 1], "52:54:00:00:00:10");
}

static void test_ssh_keys(void **state)
{
    struct fixture *f = *state;

    put(f, "/etc/ssh/ssh_host_rsa_key.pub", RSA " root@web1\n");
    put(f, "/etc/ssh/ssh_host_ed25519_key.pub", ED25519 "\n");
    put(f, "/etc/ssh/ssh_host_ed25519_key", "private, never opened\n");
    put(f, "/etc/ssh/ssh_host_empty_key.pub", "");
    put(f, "/etc/ssh/ssh_host_short_key.pub", "ssh-rsa\n");
    put(f, "/etc/ssh/ssh_host_bad64_key.pub", "ssh-rsa !!!!\n");
    put(f, "/etc/ssh/ssh_host_pad_key.pub", "ssh-rsa ====\n");
    put(f, "/etc/ssh/ssh_host_type_key.pub",
        "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUW"
        "FxgZGhscHR4f\n");

    const struct machine_facts *m = facts(f);
    assert_int_equal(m->n_ssh_keys, 2);
    assert_string_equal(m->ssh_keys[0].type, "ssh-ed25519");
    assert_string_equal(m->ssh_keys[0].fingerprint, ED25519_FINGERPRINT);
    assert_string_equal(m->ssh_keys[1].type, "ssh-rsa");
    assert_string_equal(m->ssh_keys[1].fingerprint, RSA_FINGERPRINT);
}

static void test_too_many_ssh_keys(void **state)
{
    struct fixture *f = *state;
    char path[64];

    for (int i = 0; i < FACTS_SSH_KEYS_MAX + 3; i++) {
        snprintf(path, sizeof path, "/etc/ssh/ssh_host_%d_key.pub", i);
        put(f, path, ED25519);
    }
    assert_int_equal(facts(f)->n_ssh_keys, FACTS_SSH_KEYS_MAX);
}

static void test_special_files_do_not_hang(void **state)
{
    struct fixture *f = *state;
    char path[128];

    put(f, "/etc/ssh/x", "");
    snprintf(path, sizeof path, "%s/etc/ssh/ssh_host_fifo_key.pub", f->root);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/etc/os-release", f->root);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(facts(f)->n_ssh_keys, 0);
    assert_string_equal(facts(f)->os, "Linux");
}

static void test_real_machine(void **state)
{
    struct machine_facts m;
    const struct facts_options options = {.agent_version = "0.1.0"};

    (void)state;
    facts_read(&options, &m);
    assert_true(text_valid_utf8(m.os, strlen(m.os)));
    assert_true(m.kernel[0] != '\0');
    assert_true(m.cores > 0);
}

static void test_binding(void **state)
{
    struct fixture *f = *state;

    put(f, "/etc/machine-id", "0123456789ABCDEF0123456789abcdef\n");
    put(f, DMI "product_uuid", "4c4c4544-0042-3010-8035-B4C04F333033\n");
    put(f, NET "eth1/device/x", "");
    put(f, NET "eth1/address", "52:54:00:aa:00:02\n");
    put(f, NET "eth0/device/x", "");
    put(f, NET "eth0/address", "52:54:00:aa:00:01\n");
    facts_read_binding(&f->options, &f->binding);
    assert_string_equal(f->binding.value[BINDING_MACHINE_ID],
                        "0123456789abcdef0123456789abcdef");
    assert_string_equal(f->binding.value[BINDING_PRODUCT_UUID],
                        "4c4c4544-0042-3010-8035-b4c04f333033");
    assert_string_equal(f->binding.value[BINDING_MAC], "52:54:00:aa:00:01");
}

static void test_binding_placeholders(void **state)
{
    static const char *const machine_ids[] = {
        "", "uninitialized", "00000000000000000000000000000000",
        "0123456789abcdef", "0123456789abcdef0123456789abcdeg"};
    static const char *const uuids[] = {"00000000-0000-0000-0000-000000000000",
                                        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
                                        "03000200-0400-0500-0006-000700080009",
                                        "Not Settable",
                                        "0123456789abcdef0123456789abcdef0"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 5; i++) {
        put(f, "/etc/machine-id", machine_ids[i]);
        put(f, DMI "product_uuid", uuids[i]);
        facts_read_binding(&f->options, &f->binding);
        for (int kind = 0; kind < BINDING_KINDS; kind++)
            assert_string_equal(f->binding.value[kind], "");
    }
}

static void test_binding_verdicts(void **state)
{
    static const struct {
        const char *recorded, *now; /* a letter per kind, '.' is absent */
        enum binding_verdict verdict;
    } cases[] = {
        {"...", "...", BINDING_UNKNOWN}, /* nothing was recorded */
        {"...", "abc", BINDING_UNKNOWN},
        {"a..", "x..", BINDING_UNKNOWN}, /* one is not enough */
        {"a..", "xbc", BINDING_UNKNOWN},
        {"ab.", "...", BINDING_UNKNOWN}, /* nothing can be read */
        {"ab.", "..c", BINDING_UNKNOWN}, /* nothing of what was recorded */
        {"abc", "abc", BINDING_SAME},
        {"abc", "xyc", BINDING_SAME}, /* one holds: a repair */
        {"abc", "a..", BINDING_SAME},
        {"a..", "a..", BINDING_SAME},
        {"abc", "xyz", BINDING_COPIED},
        {"ab.", "xy.", BINDING_COPIED},
        {"ab.", "xyc", BINDING_COPIED}, /* c was not recorded */
        {"abc", "x..", BINDING_COPIED}, /* all that can be read */
        {".bc", "a.z", BINDING_COPIED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct machine_binding recorded = {0}, now = {0};
        for (int k = 0; k < BINDING_KINDS; k++) {
            if (cases[i].recorded[k] != '.')
                recorded.value[k][0] = cases[i].recorded[k];
            if (cases[i].now[k] != '.')
                now.value[k][0] = cases[i].now[k];
        }
        assert_int_equal(binding_compare(&recorded, &now), cases[i].verdict);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ordinary_machine),
        TEST(test_nothing_readable),
        TEST(test_os_release_forms),
        TEST(test_bad_text_is_cleaned),
        TEST(test_core_lists),
        TEST(test_virtual_machines),
        TEST(test_hardware_placeholders),
        TEST(test_macs),
        TEST(test_many_macs_keep_the_lowest),
        TEST(test_ssh_keys),
        TEST(test_too_many_ssh_keys),
        TEST(test_special_files_do_not_hang),
        TEST(test_real_machine),
        TEST(test_binding),
        TEST(test_binding_placeholders),
        TEST(test_binding_verdicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
