/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/certs.h"

#include "unit/wire/samples.h"

static int decode(const uint8_t *p, size_t n)
{
    struct certs certs;

    return certs_decode(p, n, &certs);
}

static struct certs three(void)
{
    return (struct certs){3,
                          {{(const uint8_t *)"node", 4},
                           {(const uint8_t *)"one", 3},
                           {(const uint8_t *)"two!!", 5}}};
}

static void comes_back_as_it_was(void **state)
{
    struct certs in = three(), out;
    uint8_t buf[64], again[64];
    struct writer w;

    (void)state;
    for (in.n = 1; in.n <= CERTS_MAX; in.n++) {
        size_t len;

        writer_init(&w, buf, sizeof buf);
        assert_int_equal(certs_encode(&in, &w), KITH_OK);
        len = written(&w);
        assert_int_equal(certs_decode(buf, len, &out), KITH_OK);
        assert_int_equal(out.n, in.n);
        for (size_t i = 0; i < in.n; i++) {
            assert_int_equal(out.chain[i].n, in.chain[i].n);
            assert_memory_equal(out.chain[i].p, in.chain[i].p, in.chain[i].n);
        }
        writer_init(&w, again, sizeof again);
        assert_int_equal(certs_encode(&out, &w), KITH_OK);
        assert_int_equal(written(&w), len);
        assert_memory_equal(again, buf, len);
        refuses_every_cut(decode, buf, len);
        assert_int_equal(decode(buf, len + 1), KITH_ERR_TRAILING);
    }
}

static void there_are_1_to_3(void **state)
{
    struct certs in = three();
    uint8_t buf[64];
    struct writer w;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    in.n = 0;
    assert_int_equal(certs_encode(&in, &w), KITH_ERR_RANGE);
    in.n = 4;
    assert_int_equal(certs_encode(&in, &w), KITH_ERR_RANGE);
    assert_int_equal(w.len, 0);
    assert_int_equal(decode((uint8_t[]){0}, 1), KITH_ERR_RANGE);
    assert_int_equal(
        decode((uint8_t[]){4, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1}, 13),
        KITH_ERR_RANGE);
}

static void lengths_have_bounds(void **state)
{
    static uint8_t der[CERT_NODE_MAX + 1], buf[8192];
    struct certs in = {1, {{der, CERT_NODE_MAX}}};
    struct writer w;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    assert_int_equal(certs_encode(&in, &w), KITH_OK);
    assert_int_equal(decode(buf, written(&w)), KITH_OK);
    in.chain[0].n = CERT_NODE_MAX + 1;
    assert_int_equal(certs_encode(&in, &w), KITH_ERR_RANGE);
    in.chain[0].n = 0;
    assert_int_equal(certs_encode(&in, &w), KITH_ERR_RANGE);

    buf[1] = 0x08; /* 2,049 */
    buf[2] = 0x01;
    assert_int_equal(decode(buf, 3 + 2049), KITH_ERR_RANGE);
    assert_int_equal(decode((uint8_t[]){1, 0, 0}, 3), KITH_ERR_RANGE);

    /* an intermediate may be longer than a node certificate */
    in = (struct certs){2, {{der, 1}, {der, CERT_NODE_MAX + 1}}};
    writer_init(&w, buf, sizeof buf);
    assert_int_equal(certs_encode(&in, &w), KITH_OK);
    assert_int_equal(decode(buf, written(&w)), KITH_OK);
}

static void says_when_there_is_no_room(void **state)
{
    struct certs in = three();
    uint8_t buf[8];
    struct writer w;

    (void)state;
    writer_init(&w, buf, sizeof buf);
    assert_int_equal(certs_encode(&in, &w), KITH_ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(there_are_1_to_3),
        cmocka_unit_test(lengths_have_bounds),
        cmocka_unit_test(says_when_there_is_no_room),
    };

    return cmocka_run_group_tests_name("certs", tests, NULL, NULL);
}
