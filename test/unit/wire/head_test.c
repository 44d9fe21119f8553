/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/head.h"

#include <stdio.h>

#include "unit/wire/samples.h"

enum {
    SERIAL = 1000, /* of every head here */
    AT_MAJORS = 1,
    AT_LEASE = 37,
    AT_COUNT = 41,
    AT_ENTRIES = 42,
};

static struct head_fields fields(void)
{
    struct head_fields f = {
        .major_min = 1,
        .major_max = 2,
        .flags = HEAD_AWAY | 0x8000,
        .features = 0x0102030405060708,
        .lease_s = 3600,
        .extension = (const uint8_t *)"ext",
        .extension_len = 3,
    };

    memset(f.boot_id, 0xb0, sizeof f.boot_id);
    memset(f.run_id, 0x10, sizeof f.run_id);
    return f;
}

static struct head_entry entry(const char *name, uint16_t type)
{
    struct head_entry e = {
        .type = type, .serial = 5, .size = 400, .hash = sample_hash(9)};

    snprintf(e.name, sizeof e.name, "%s", name);
    return e;
}

static struct head_miss miss(uint8_t first, enum miss_reason reason)
{
    struct head_miss m = {.id = sample_id(first), .reason = (uint8_t)reason};

    memset(m.hash8, 0x88, sizeof m.hash8);
    return m;
}

/* An ordinary head of 3 blocks and 2 misses. */
static size_t ordinary(uint8_t *buf, size_t cap)
{
    struct head_fields f = fields();
    struct head_entry e[] = {entry("cert", BLOCK_CERT),
                             entry("facts", BLOCK_FACTS),
                             entry("facts.more", BLOCK_FACTS_MORE)};
    struct head_miss m[] = {miss(1, MISS_REFUSED), miss(2, MISS_UDP)};
    struct writer w;

    writer_init(&w, buf, cap);
    head_build(&w, &f, e, 3, m, 2);
    return written(&w);
}

static int read_head(const uint8_t *p, size_t n, struct head *out)
{
    struct block b = {
        .type = BLOCK_HEAD, .serial = SERIAL, .payload = p, .payload_len = n};

    return head_decode(&b, out);
}

static int decode(const uint8_t *p, size_t n)
{
    struct head h;

    return read_head(p, n, &h);
}

/* A head with these n entries, or this many misses, written without the
 * checks of head_build(). */
static int decode_entries(const struct head_entry *e, size_t n)
{
    static uint8_t buf[BLOCK_PAYLOAD_MAX];
    size_t head_len = ordinary(buf, sizeof buf);
    struct writer w;

    assert_true(head_len > AT_COUNT);
    writer_init(&w, buf + AT_COUNT, sizeof buf - AT_COUNT);
    writer_u8(&w, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        writer_u8(&w, (uint8_t)strlen(e[i].name));
        writer_bytes(&w, e[i].name, strlen(e[i].name));
        writer_u16(&w, e[i].type);
        writer_u64(&w, e[i].serial);
        writer_u32(&w, e[i].size);
        writer_bytes(&w, e[i].hash.b, sizeof e[i].hash.b);
    }
    writer_zeros(&w, 4);
    return decode(buf, AT_COUNT + written(&w));
}

static int decode_misses(const struct head_miss *m, size_t n)
{
    static uint8_t buf[BLOCK_PAYLOAD_MAX];
    size_t head_len = ordinary(buf, sizeof buf);
    struct writer w;

    assert_true(head_len > AT_COUNT);
    writer_init(&w, buf + AT_COUNT, sizeof buf - AT_COUNT);
    writer_u8(&w, 0);
    writer_u16(&w, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        writer_bytes(&w, m[i].id.b, sizeof m[i].id.b);
        writer_bytes(&w, m[i].hash8, sizeof m[i].hash8);
        writer_u8(&w, m[i].reason);
    }
    writer_zeros(&w, 2);
    return decode(buf, AT_COUNT + written(&w));
}

static void check_lists(const struct head *h)
{
    static const char *names[] = {"cert", "facts", "facts.more"};
    struct head_iter it = head_entries(h);
    struct head_entry e;
    struct head_miss m;

    for (size_t i = 0; i < 3; i++) {
        assert_true(head_entry_next(&it, &e));
        assert_string_equal(e.name, names[i]);
        assert_int_equal(e.serial, 5);
        assert_int_equal(e.size, 400);
        assert_int_equal(e.hash.b[0], 9);
    }
    assert_false(head_entry_next(&it, &e));
    it = head_misses(h);
    assert_true(head_miss_next(&it, &m));
    assert_int_equal(m.id.b[0], 1);
    assert_int_equal(m.reason, MISS_REFUSED);
    assert_true(head_miss_next(&it, &m));
    assert_int_equal(m.id.b[0], 2);
    assert_int_equal(m.hash8[7], 0x88);
    assert_int_equal(m.reason, MISS_UDP);
    assert_false(head_miss_next(&it, &m));
}

static void comes_back_as_it_was(void **state)
{
    struct head_fields f = fields();
    struct head h;
    uint8_t buf[2048];
    size_t len = ordinary(buf, sizeof buf);

    (void)state;
    assert_int_equal(read_head(buf, len, &h), KITH_OK);
    assert_int_equal(h.fields.major_min, 1);
    assert_int_equal(h.fields.major_max, 2);
    assert_int_equal(h.fields.flags, f.flags);
    assert_int_equal(h.fields.features, f.features);
    assert_memory_equal(h.fields.boot_id, f.boot_id, sizeof f.boot_id);
    assert_memory_equal(h.fields.run_id, f.run_id, sizeof f.run_id);
    assert_int_equal(h.fields.lease_s, f.lease_s);
    assert_int_equal(h.fields.extension_len, 3);
    assert_memory_equal(h.fields.extension, "ext", 3);
    assert_int_equal(h.entry_count, 3);
    assert_int_equal(h.miss_count, 2);
    assert_int_equal(h.total, 1200);
    check_lists(&h);
}

static void writing_again_gives_the_same_bytes(void **state)
{
    struct head_entry e[3];
    struct head_miss m[2];
    struct head_iter it;
    struct head h;
    uint8_t buf[2048], again[2048];
    size_t len = ordinary(buf, sizeof buf);
    struct writer w;

    (void)state;
    assert_int_equal(read_head(buf, len, &h), KITH_OK);
    it = head_entries(&h);
    for (size_t i = 0; head_entry_next(&it, &e[i]);)
        i++;
    it = head_misses(&h);
    for (size_t i = 0; head_miss_next(&it, &m[i]);)
        i++;
    writer_init(&w, again, sizeof again);
    head_build(&w, &h.fields, e, 3, m, 2);
    assert_int_equal(written(&w), len);
    assert_memory_equal(again, buf, len);
}

static void refuses_cuts_and_tails(void **state)
{
    uint8_t buf[2048] = {0};
    size_t len = ordinary(buf, sizeof buf);

    (void)state;
    refuses_every_cut(decode, buf, len);
    assert_int_equal(decode(buf, len + 1), KITH_ERR_TRAILING);
    assert_int_equal(decode(NULL, 0), KITH_ERR_TRUNCATED);
}

static void refuses_other_types_and_formats(void **state)
{
    struct head h;
    struct block b = {.type = BLOCK_FACTS, .serial = SERIAL};
    uint8_t buf[2048];
    size_t len = ordinary(buf, sizeof buf);

    (void)state;
    b.payload = buf;
    b.payload_len = len;
    assert_int_equal(head_decode(&b, &h), KITH_ERR_TYPE);
    assert_int_equal(decode_changed(decode, buf, len, 0, 2), KITH_ERR_VERSION);
}

static void majors_begin_at_1_and_ascend(void **state)
{
    uint8_t buf[2048];
    size_t len = ordinary(buf, sizeof buf);

    (void)state;
    assert_int_equal(decode_changed(decode, buf, len, AT_MAJORS, 0),
                     KITH_ERR_RANGE);
    assert_int_equal(decode_changed(decode, buf, len, AT_MAJORS, 2), KITH_OK);
    assert_int_equal(decode_changed(decode, buf, len, AT_MAJORS, 3),
                     KITH_ERR_RANGE);
}

static void leases_are_10_minutes_to_12_hours(void **state)
{
    static const struct {
        uint32_t s;
        int err;
    } cases[] = {{599, KITH_ERR_RANGE}, {600, KITH_OK},
                 {43200, KITH_OK},      {43201, KITH_ERR_RANGE},
                 {0, KITH_ERR_RANGE},   {UINT32_MAX, KITH_ERR_RANGE}};
    uint8_t buf[2048];
    size_t len = ordinary(buf, sizeof buf);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct writer w;

        writer_init(&w, buf + AT_LEASE, 4);
        writer_u32(&w, cases[i].s);
        assert_int_equal(decode(buf, len), cases[i].err);
    }
}

static void entries_ascend_by_name(void **state)
{
    struct head_entry good[] = {
        entry("a", BLOCK_DATA), entry("a-b", BLOCK_DATA),
        entry("a.b", BLOCK_DATA), entry("ab", BLOCK_DATA)};
    struct head_entry twice[] = {entry("a", BLOCK_DATA),
                                 entry("a", BLOCK_DATA)};
    struct head_entry turned[] = {entry("ab", BLOCK_DATA),
                                  entry("a", BLOCK_DATA)};

    (void)state;
    assert_int_equal(decode_entries(good, 4), KITH_OK);
    assert_int_equal(decode_entries(twice, 2), KITH_ERR_FORMAT);
    assert_int_equal(decode_entries(turned, 2), KITH_ERR_FORMAT);
}

static void entries_name_what_a_head_may_list(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
        int err;
    } cases[] = {
        {"head", BLOCK_HEAD, KITH_ERR_TYPE},
        {"head", BLOCK_DATA, KITH_ERR_TYPE},
        {"note", BLOCK_HEAD, KITH_ERR_TYPE},
        {"charter", BLOCK_CHARTER, KITH_ERR_TYPE},
        {"revoked", BLOCK_REVOKED, KITH_ERR_TYPE},
        {"facts", BLOCK_CERT, KITH_ERR_TYPE},
        {"facts", BLOCK_DATA, KITH_ERR_TYPE},
        {"health", BLOCK_HEALTH, KITH_OK},
        {"later", 4000, KITH_OK},
        {"Note", BLOCK_DATA, KITH_ERR_FORMAT},
        {".note", BLOCK_DATA, KITH_ERR_FORMAT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct head_entry e = entry(cases[i].name, cases[i].type);

        assert_int_equal(decode_entries(&e, 1), cases[i].err);
    }
}

static void entries_are_older_than_the_head(void **state)
{
    struct head_entry e = entry("note", BLOCK_DATA);

    (void)state;
    e.serial = SERIAL - 1;
    assert_int_equal(decode_entries(&e, 1), KITH_OK);
    e.serial = SERIAL;
    assert_int_equal(decode_entries(&e, 1), KITH_ERR_RANGE);
    e.serial = 0;
    assert_int_equal(decode_entries(&e, 1), KITH_ERR_RANGE);
    e.serial = UINT64_MAX;
    assert_int_equal(decode_entries(&e, 1), KITH_ERR_RANGE);
}

static void entries_have_bounded_sizes(void **state)
{
    struct head_entry e[9];

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        e[i] = entry("a0", BLOCK_DATA);
        e[i].name[1] = (char)('0' + i);
        e[i].size = 32768;
    }
    assert_int_equal(decode_entries(e, 8), KITH_OK); /* 262,144 */
    e[8].size = BLOCK_SIGNED_MIN;
    assert_int_equal(decode_entries(e, 9), KITH_ERR_RANGE);
    e[0].size = BLOCK_SIGNED_MIN - 1;
    assert_int_equal(decode_entries(e, 1), KITH_ERR_RANGE);
    e[0].size = BLOCK_SIGNED_MAX + 1;
    assert_int_equal(decode_entries(e, 1), KITH_ERR_RANGE);
    e[0].size = UINT32_MAX;
    assert_int_equal(decode_entries(e, 1), KITH_ERR_RANGE);
}

static void misses_ascend_by_id_and_have_a_reason(void **state)
{
    struct head_miss good[] = {miss(1, MISS_TCP), miss(2, MISS_TLS)};
    struct head_miss twice[] = {miss(1, MISS_TCP), miss(1, MISS_TLS)};
    struct head_miss turned[] = {miss(2, MISS_TCP), miss(1, MISS_TLS)};
    struct head_miss bad = miss(1, MISS_TCP);

    (void)state;
    assert_int_equal(decode_misses(good, 2), KITH_OK);
    assert_int_equal(decode_misses(twice, 2), KITH_ERR_FORMAT);
    assert_int_equal(decode_misses(turned, 2), KITH_ERR_FORMAT);
    bad.reason = 0;
    assert_int_equal(decode_misses(&bad, 1), KITH_ERR_RANGE);
    bad.reason = 5;
    assert_int_equal(decode_misses(&bad, 1), KITH_ERR_RANGE);
}

static void lists_are_as_long_as_the_protocol_allows(void **state)
{
    static struct head_entry e[HEAD_ENTRIES_MAX + 1];
    static struct head_miss m[HEAD_MISSES_MAX + 1];

    (void)state;
    for (size_t i = 0; i <= HEAD_ENTRIES_MAX; i++) {
        e[i] = entry("n", BLOCK_DATA);
        snprintf(e[i].name, sizeof e[i].name, "n%03zu", i);
    }
    for (size_t i = 0; i <= HEAD_MISSES_MAX; i++) {
        m[i] = miss((uint8_t)(i / 256), MISS_TCP);
        m[i].id.b[1] = (uint8_t)(i % 256);
    }
    assert_int_equal(decode_entries(e, HEAD_ENTRIES_MAX), KITH_OK);
    assert_int_equal(decode_entries(e, HEAD_ENTRIES_MAX + 1), KITH_ERR_RANGE);
    assert_int_equal(decode_misses(m, HEAD_MISSES_MAX), KITH_OK);
    assert_int_equal(decode_misses(m, HEAD_MISSES_MAX + 1), KITH_ERR_RANGE);
}

static void the_largest_head_fits_its_bound(void **state)
{
    static struct head_entry e[HEAD_ENTRIES_MAX];
    static struct head_miss m[HEAD_MISSES_MAX];
    static uint8_t extension[HEAD_EXTENSION_MAX], buf[HEAD_PAYLOAD_MAX];
    struct head_fields f = fields();
    struct writer w;

    (void)state;
    for (size_t i = 0; i < HEAD_ENTRIES_MAX; i++) {
        e[i] = entry("", BLOCK_DATA);
        snprintf(e[i].name, sizeof e[i].name, "%032zu", i);
    }
    for (size_t i = 0; i < HEAD_MISSES_MAX; i++)
        m[i] = miss((uint8_t)i, MISS_TCP);
    f.extension = extension;
    f.extension_len = sizeof extension;
    writer_init(&w, buf, sizeof buf);
    head_build(&w, &f, e, HEAD_ENTRIES_MAX, m, HEAD_MISSES_MAX);
    assert_int_equal(written(&w), HEAD_PAYLOAD_MAX);
    assert_int_equal(decode(buf, sizeof buf), KITH_OK);
}

static void extension_is_at_most_1024(void **state)
{
    static uint8_t buf[4096];
    struct head_fields f = fields();
    struct writer w;

    (void)state;
    f.extension_len = 0;
    writer_init(&w, buf, sizeof buf);
    head_build(&w, &f, NULL, 0, NULL, 0);
    assert_int_equal(written(&w), HEAD_FIXED_LEN);
    buf[w.len - 2] = 0x04; /* 1,025 */
    buf[w.len - 1] = 0x01;
    assert_int_equal(decode(buf, w.len + 1025), KITH_ERR_RANGE);
    buf[w.len - 1] = 0x00;
    assert_int_equal(decode(buf, w.len + 1024), KITH_OK);
}

static void an_entry_is_found_by_its_name(void **state)
{
    struct head_entry e;
    struct head h;
    uint8_t buf[2048];
    size_t len = ordinary(buf, sizeof buf);

    (void)state;
    assert_int_equal(read_head(buf, len, &h), KITH_OK);
    assert_true(head_entry_find(&h, "facts", &e));
    assert_int_equal(e.type, BLOCK_FACTS);
    assert_false(head_entry_find(&h, "fact", &e));
    assert_false(head_entry_find(&h, "health", &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(writing_again_gives_the_same_bytes),
        cmocka_unit_test(refuses_cuts_and_tails),
        cmocka_unit_test(refuses_other_types_and_formats),
        cmocka_unit_test(majors_begin_at_1_and_ascend),
        cmocka_unit_test(leases_are_10_minutes_to_12_hours),
        cmocka_unit_test(entries_ascend_by_name),
        cmocka_unit_test(entries_name_what_a_head_may_list),
        cmocka_unit_test(entries_are_older_than_the_head),
        cmocka_unit_test(entries_have_bounded_sizes),
        cmocka_unit_test(misses_ascend_by_id_and_have_a_reason),
        cmocka_unit_test(lists_are_as_long_as_the_protocol_allows),
        cmocka_unit_test(the_largest_head_fits_its_bound),
        cmocka_unit_test(extension_is_at_most_1024),
        cmocka_unit_test(an_entry_is_found_by_its_name),
    };

    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
