/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "daemon/facts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/pem.h"

enum {
    SMALL_FILE = 4096,   /* a file of one value */
    LARGE_FILE = 16384,  /* the part of a table that is looked at */
    CORES_MAX = 1 << 16, /* beyond this, the list of processors is nonsense */
    MAC_LEN = 6,
    MAC_MAX = 32, /* of any kind of network; the kernel's MAX_ADDR_LEN */
};

/* A path below the options' root; false when it is too long. */
static bool path_join(const struct facts_options *o, const char *path,
                      char out[PATH_MAX])
{
    int n =
        snprintf(out, PATH_MAX, "%s%s", o->root == NULL ? "" : o->root, path);

    return n > 0 && n < PATH_MAX;
}

/* Reads up to cap - 1 bytes of a regular file and ends them with zero.
 * Returns how many; 0 when there is no such file. */
static size_t file_read(const struct facts_options *o, const char *path,
                        char *buf, size_t cap)
{
    char full[PATH_MAX];
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;

    buf[0] = '\0';
    if (!path_join(o, path, full))
        return 0;
    /* Nonblocking: opening a fifo must not hang. */
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        n = 0;
    while (n > 0 && len < cap - 1) {
        n = read(fd, buf + len, cap - 1 - len);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            len += (size_t)n;
    }
    close(fd);
    buf[len] = '\0';
    return len;
}

static bool file_exists(const struct facts_options *o, const char *path)
{
    char full[PATH_MAX];

    return path_join(o, path, full) && access(full, F_OK) == 0;
}

/* Copies len bytes of text that somebody else wrote, without the blanks
 * around it. */
static void clean(char *out, size_t cap, const char *in, size_t len)
{
    size_t n = 0;

    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.ArraySubscript) */
    while (len > 0 && isspace((unsigned char)in[0])) {
        in++;
        len--;
    }
    while (len > 0 && isspace((unsigned char)in[len - 1]))
        len--;
    while (len > 0) {
        size_t step = text_char(in, len);
        if (n + (step == 0 ? 1 : step) >= cap)
            break;
        if (step == 0)
            out[n++] = '?';
        else
            memcpy(out + n, in, step);
        n += step;
        in += step == 0 ? 1 : step;
        len -= step == 0 ? 1 : step;
    }
    out[n] = '\0';
}

/* The whole of a small file, up to its first zero byte. */
static bool value_read(const struct facts_options *o, const char *path,
                       char *out, size_t cap)
{
    char buf[SMALL_FILE];

    file_read(o, path, buf, sizeof buf);
    clean(out, cap, buf, strlen(buf));
    return out[0] != '\0';
}

/* Finds the line "KEY<blanks>SEPARATOR value" and copies the value. */
static bool line_find(const char *text, const char *key, char separator,
                      char *out, size_t cap)
{
    size_t key_len = strlen(key);

    while (*text != '\0') {
        size_t line = strcspn(text, "\n");
        size_t at = key_len;
        if (line > key_len && memcmp(text, key, key_len) == 0) {
            while (at < line && (text[at] == ' ' || text[at] == '\t'))
                at++;
            if (at < line && text[at] == separator) {
                clean(out, cap, text + at + 1, line - at - 1);
                return out[0] != '\0';
            }
        }
        text += line;
        text += *text == '\n';
    }
    return false;
}

/* Takes the quotes of the shell off, in place. */
static void shell_unquote(char *s)
{
    char quote = '\0';
    char *to = s;

    for (; *s != '\0'; s++) {
        if (quote == '\0' && (*s == '"' || *s == '\'')) {
            quote = *s;
        } else if (*s == quote) {
            quote = '\0';
        } else {
            if (*s == '\\' && quote != '\'' && s[1] != '\0')
                s++;
            *to++ = *s;
        }
    }
    *to = '\0';
}

static void os_read(const struct facts_options *o, char *out, size_t cap)
{
    char text[LARGE_FILE];

    out[0] = '\0';
    if (file_read(o, "/etc/os-release", text, sizeof text) == 0)
        file_read(o, "/usr/lib/os-release", text, sizeof text);
    if (line_find(text, "PRETTY_NAME", '=', out, cap) ||
        line_find(text, "NAME", '=', out, cap))
        shell_unquote(out);
    if (out[0] == '\0')
        snprintf(out, cap, "Linux");
}

/* Architectures name their processors in different ways. */
static void cpu_read(const struct facts_options *o, char *out, size_t cap)
{
    static const char *const keys[] = {"model name", "Model Name", "cpu model",
                                       "cpu",        "uarch",      "Processor",
                                       "isa"};
    char text[LARGE_FILE];

    out[0] = '\0';
    file_read(o, "/proc/cpuinfo", text, sizeof text);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (line_find(text, keys[i], ':', out, cap))
            return;
}

static bool cpu_in_vm(const struct facts_options *o)
{
    char text[LARGE_FILE];
    char flags[LARGE_FILE];

    file_read(o, "/proc/cpuinfo", text, sizeof text);
    return line_find(text, "flags", ':', flags, sizeof flags) &&
           strstr(flags, " hypervisor") != NULL;
}

/* Counts a list such as "0-3,8"; 0 when it is none. */
static uint32_t cores_count(const char *list)
{
    uint32_t count = 0;

    while (*list != '\0') {
        char *end;
        if (!isdigit((unsigned char)*list))
            return 0;
        unsigned long first = strtoul(list, &end, 10);
        unsigned long last = first;
        if (*end == '-') {
            if (!isdigit((unsigned char)end[1]))
                return 0;
            last = strtoul(end + 1, &end, 10);
        }
        if (last < first || last >= CORES_MAX || (*end != ',' && *end != '\0'))
            return 0;
        count += (uint32_t)(last - first + 1);
        if (count > CORES_MAX)
            return 0;
        list = *end == ',' ? end + 1 : end;
    }
    return count;
}

static uint32_t cores_read(const struct facts_options *o)
{
    char list[SMALL_FILE];

    if (value_read(o, "/sys/devices/system/cpu/online", list, sizeof list)) {
        uint32_t count = cores_count(list);
        if (count > 0)
            return count;
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n <= CORES_MAX ? (uint32_t)n : 0;
}

static uint64_t memory_read(const struct facts_options *o)
{
    char text[SMALL_FILE];
    char value[64];
    uint64_t kib;

    file_read(o, "/proc/meminfo", text, sizeof text);
    if (!line_find(text, "MemTotal", ':', value, sizeof value))
        return 0;
    value[strspn(value, "0123456789")] = '\0';
    if (text_u64(value, 0, UINT64_MAX / 1024, &kib) != KITH_OK)
        return 0;
    return kib * 1024;
}

/* A DMI value, unless it is what vendors leave in who do not care. */
static void dmi_read(const struct facts_options *o, const char *path, char *out,
                     size_t cap)
{
    static const char *const placeholders[] = {"To Be Filled By O.E.M.",
                                               "To be filled by O.E.M.",
                                               "Default string",
                                               "System manufacturer",
                                               "System Product Name",
                                               "System Version",
                                               "Not Specified",
                                               "Not Applicable",
                                               "Unknown",
                                               "None",
                                               "O.E.M.",
                                               "INVALID"};

    value_read(o, path, out, cap);
    for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++)
        if (strcmp(out, placeholders[i]) == 0)
            out[0] = '\0';
}

static void hardware_read(const struct facts_options *o,
                          struct machine_facts *out)
{
    dmi_read(o, "/sys/class/dmi/id/sys_vendor", out->vendor,
             sizeof out->vendor);
    dmi_read(o, "/sys/class/dmi/id/product_name", out->product,
             sizeof out->product);
    if (out->product[0] == '\0')
        value_read(o, "/proc/device-tree/model", out->product,
                   sizeof out->product);
}

/* The container around us, if there is one. */
static bool container_read(const struct facts_options *o, char *out, size_t cap)
{
    if (value_read(o, "/run/systemd/container", out, cap))
        return true;
    if (file_exists(o, "/.dockerenv"))
        snprintf(out, cap, "docker");
    else if (file_exists(o, "/run/.containerenv"))
        snprintf(out, cap, "podman");
    return out[0] != '\0';
}

/* Needs vendor, product and kernel. */
static void virt_read(const struct facts_options *o, struct machine_facts *out)
{
    static const struct {
        const char *vendor, *product, *name;
    } known[] = {
        {"QEMU", "", "qemu"},
        {"", "KVM", "kvm"},
        {"VMware", "", "vmware"},
        {"innotek", "", "virtualbox"},
        {"", "VirtualBox", "virtualbox"},
        {"Xen", "", "xen"},
        {"Microsoft", "Virtual Machine", "hyper-v"},
        {"Parallels", "", "parallels"},
        {"", "BHYVE", "bhyve"},
        {"Bochs", "", "bochs"},
    };

    if (container_read(o, out->virt, sizeof out->virt))
        return;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strncmp(out->vendor, known[i].vendor, strlen(known[i].vendor)) !=
                0 ||
            strncmp(out->product, known[i].product, strlen(known[i].product)) !=
                0)
            continue;
        snprintf(out->virt, sizeof out->virt, "%s", known[i].name);
        return;
    }
    if (value_read(o, "/sys/hypervisor/type", out->virt, sizeof out->virt))
        return;
    if (strstr(out->kernel, "microsoft") != NULL)
        snprintf(out->virt, sizeof out->virt, "wsl");
    else
        snprintf(out->virt, sizeof out->virt, "%s",
                 cpu_in_vm(o) ? "vm" : "none");
}

/* Writes six bytes as text, unless they are no machine's own address. */
static bool mac_format(const uint8_t mac[MAC_LEN], char out[FACTS_MAC_SIZE])
{
    static const uint8_t zero[MAC_LEN];

    if ((mac[0] & 1) != 0 || memcmp(mac, zero, MAC_LEN) == 0)
        return false;
    snprintf(out, FACTS_MAC_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
             mac[1], mac[2], mac[3], mac[4], mac[5]);
    return true;
}

/* The address that is burnt in; the one in /sys may be made up. */
static bool mac_permanent(const char *name, char out[FACTS_MAC_SIZE])
{
    struct ethtool_perm_addr ask = {.cmd = ETHTOOL_GPERMADDR, .size = MAC_MAX};
    _Alignas(struct ethtool_perm_addr) uint8_t buf[sizeof ask + MAC_MAX] = {0};
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    memcpy(buf, &ask, sizeof ask);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    request.ifr_data = (void *)buf;
    int err = ioctl(fd, SIOCETHTOOL, &request);
    close(fd);
    if (err != 0)
        return false;
    memcpy(&ask, buf, sizeof ask);
    return ask.size == MAC_LEN && mac_format(buf + sizeof ask, out);
}

/* "52:54:00:12:34:56" of /sys/class/net/NAME/address */
static bool mac_of_file(const struct facts_options *o, const char *name,
                        char out[FACTS_MAC_SIZE])
{
    char path[PATH_MAX];
    char text[64];
    uint8_t mac[MAC_LEN];

    snprintf(path, sizeof path, "/sys/class/net/%s/address", name);
    if (!value_read(o, path, text, sizeof text) ||
        strlen(text) != FACTS_MAC_SIZE - 1)
        return false;
    for (size_t i = 0; i < MAC_LEN; i++)
        if (text_unhex(&mac[i], 1, text + 3 * i, 2) != KITH_OK ||
            (i + 1 < MAC_LEN && text[3 * i + 2] != ':'))
            return false;
    return mac_format(mac, out);
}

static bool mac_read(const struct facts_options *o, const char *name,
                     char out[FACTS_MAC_SIZE])
{
    char path[PATH_MAX];

    if (name[0] == '.' || strlen(name) >= IFNAMSIZ)
        return false;
    for (size_t i = 0; i < o->n_exclude; i++)
        if (fnmatch(o->exclude[i], name, 0) == 0)
            return false;
    snprintf(path, sizeof path, "/sys/class/net/%s/device", name);
    if (!file_exists(o, path))
        return false;
    bool real = o->root == NULL || o->root[0] == '\0';
    return (real && mac_permanent(name, out)) || mac_of_file(o, name, out);
}

static void mac_insert(struct machine_facts *f, const char mac[FACTS_MAC_SIZE])
{
    size_t i = 0;

    while (i < f->n_macs && strcmp(f->macs[i], mac) < 0)
        i++;
    if (i == FACTS_MACS_MAX || (i < f->n_macs && strcmp(f->macs[i], mac) == 0))
        return;
    if (f->n_macs < FACTS_MACS_MAX)
        f->n_macs++;
    memmove(f->macs[i + 1], f->macs[i], (f->n_macs - i - 1) * FACTS_MAC_SIZE);
    memcpy(f->macs[i], mac, FACTS_MAC_SIZE);
}

/* Keeps the lowest ones, whatever the order of the directory. */
static void macs_read(const struct facts_options *o, struct machine_facts *out)
{
    char path[PATH_MAX];
    char mac[FACTS_MAC_SIZE];
    const struct dirent *entry;

    if (!path_join(o, "/sys/class/net", path))
        return;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL)
        if (mac_read(o, entry->d_name, mac))
            mac_insert(out, mac);
    closedir(dir);
}

/* An SSH public key in base64 (RFC 4253 section 6.6) names its type once
 * more inside. Returns its length, 0 when it is malformed. */
static size_t ssh_decode(const char *type, const char *base64, size_t len,
                         uint8_t *out)
{
    struct cursor c;
    const uint8_t *inner;
    uint32_t inner_len;

    size_t n = pem_base64_decode(base64, len, out);
    if (n == 0)
        return 0;
    cursor_init(&c, out, n);
    if (cursor_u32(&c, &inner_len) != KITH_OK || inner_len != strlen(type) ||
        cursor_bytes(&c, &inner, inner_len) != KITH_OK ||
        memcmp(inner, type, inner_len) != 0)
        return 0;
    return n;
}

/* A line "TYPE BASE64 COMMENT" */
static bool ssh_key_parse(const char *line, struct facts_ssh_key *key)
{
    uint8_t blob[LARGE_FILE];
    struct hash digest;
    char base64[64];
    size_t type_len = strcspn(line, " ");

    if (type_len == 0 || type_len >= sizeof key->type || line[type_len] == '\0')
        return false;
    clean(key->type, sizeof key->type, line, type_len);
    line += type_len + 1;
    size_t len = ssh_decode(key->type, line, strcspn(line, " \r\n"), blob);
    if (len == 0 || hash_sha256(&digest, blob, len) != KITH_OK)
        return false;
    pem_base64_encode(digest.b, sizeof digest.b, base64);
    base64[strcspn(base64, "=")] = '\0';
    snprintf(key->fingerprint, sizeof key->fingerprint, "SHA256:%.43s", base64);
    return true;
}

static int ssh_key_order(const void *a, const void *b)
{
    const struct facts_ssh_key *x = a, *y = b;
    int order = strcmp(x->type, y->type);

    return order != 0 ? order : strcmp(x->fingerprint, y->fingerprint);
}

static void ssh_keys_read(const struct facts_options *o,
                          struct machine_facts *out)
{
    char path[PATH_MAX];
    char line[LARGE_FILE];
    const struct dirent *entry;

    if (!path_join(o, "/etc/ssh", path))
        return;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL &&
           out->n_ssh_keys < FACTS_SSH_KEYS_MAX) {
        if (fnmatch("ssh_host_*_key.pub", entry->d_name, 0) != 0)
            continue;
        snprintf(path, sizeof path, "/etc/ssh/%s", entry->d_name);
        file_read(o, path, line, sizeof line);
        if (ssh_key_parse(line, &out->ssh_keys[out->n_ssh_keys]))
            out->n_ssh_keys++;
    }
    closedir(dir);
    memset(&out->ssh_keys[out->n_ssh_keys], 0,
           (FACTS_SSH_KEYS_MAX - out->n_ssh_keys) * sizeof out->ssh_keys[0]);
    qsort(out->ssh_keys, out->n_ssh_keys, sizeof out->ssh_keys[0],
          ssh_key_order);
}

void facts_read(const struct facts_options *o, struct machine_facts *out)
{
    struct utsname uts;

    memset(out, 0, sizeof *out);
    if (uname(&uts) != 0)
        memset(&uts, 0, sizeof uts);
    if (o->agent_version != NULL)
        clean(out->agent, sizeof out->agent, o->agent_version,
              strlen(o->agent_version));
    if (!value_read(o, "/proc/sys/kernel/hostname", out->host,
                    sizeof out->host))
        clean(out->host, sizeof out->host, uts.nodename, strlen(uts.nodename));
    if (!value_read(o, "/proc/sys/kernel/osrelease", out->kernel,
                    sizeof out->kernel))
        clean(out->kernel, sizeof out->kernel, uts.release,
              strlen(uts.release));
    clean(out->arch, sizeof out->arch, uts.machine, strlen(uts.machine));
    value_read(o, "/proc/sys/kernel/random/boot_id", out->boot_id,
               sizeof out->boot_id);
    os_read(o, out->os, sizeof out->os);
    cpu_read(o, out->cpu, sizeof out->cpu);
    out->cores = cores_read(o);
    out->memory_bytes = memory_read(o);
    hardware_read(o, out);
    virt_read(o, out);
    macs_read(o, out);
    ssh_keys_read(o, out);
}

/* 32 hexadecimal digits, hyphens aside, that are not all the same: anything
 * else is a placeholder. */
static bool uuid_plausible(const char *s)
{
    size_t digits = 0;
    bool differ = false;

    for (const char *p = s; *p != '\0'; p++) {
        if (*p == '-')
            continue;
        if (!isxdigit((unsigned char)*p))
            return false;
        digits++;
        differ |= *p != s[0];
    }
    /* The last one stands in an AMI data sheet, and in many boards. */
    return digits == 32 && differ &&
           strcmp(s, "03000200-0400-0500-0006-000700080009") != 0;
}

static void uuid_read(const struct facts_options *o, const char *path,
                      char *out, size_t cap)
{
    value_read(o, path, out, cap);
    for (char *p = out; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    if (!uuid_plausible(out))
        out[0] = '\0';
}

void facts_read_binding(const struct facts_options *o,
                        struct machine_binding *out)
{
    struct machine_facts macs = {0};

    memset(out, 0, sizeof *out);
    uuid_read(o, "/etc/machine-id", out->value[BINDING_MACHINE_ID],
              sizeof out->value[0]);
    uuid_read(o, "/sys/class/dmi/id/product_uuid",
              out->value[BINDING_PRODUCT_UUID], sizeof out->value[0]);
    macs_read(o, &macs);
    if (macs.n_macs > 0)
        snprintf(out->value[BINDING_MAC], sizeof out->value[0], "%s",
                 macs.macs[0]);
}

enum binding_verdict binding_compare(const struct machine_binding *recorded,
                                     const struct machine_binding *now)
{
    int n_recorded = 0, n_readable = 0;

    for (int i = 0; i < BINDING_KINDS; i++) {
        if (recorded->value[i][0] == '\0')
            continue;
        n_recorded++;
        if (now->value[i][0] == '\0')
            continue;
        n_readable++;
        if (strcmp(recorded->value[i], now->value[i]) == 0)
            return BINDING_SAME;
    }
    return n_recorded >= 2 && n_readable >= 1 ? BINDING_COPIED
                                              : BINDING_UNKNOWN;
}
