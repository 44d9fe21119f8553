/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/crypto/cert_recipe.h"

/* --- members of an open mesh --- */

static void assert_stranger(struct cert_rules rules, struct recipe leaf,
                            X509 **others, size_t n)
{
    struct cert_peer peer;

    assert_int_equal(identify(rules, make(leaf), others, n, &peer), KITH_OK);
    assert_false(peer.member);
    assert_int_equal(peer.why, KITH_ERR_STRANGER);
    assert_is_node(&peer, node_key); /* who it is stands */
}

static void not_self_signed_is_a_stranger_to_an_open_mesh(void **state)
{
    struct recipe r = node_recipe();
    X509 *others[1];

    (void)state;
    r.signer = other_key;
    others[0] = make(r);
    assert_stranger(open_rules(), leaf_recipe(), others, 1);
    r = node_recipe();
    r.issuer = "ca";
    others[0] = make(r);
    assert_stranger(open_rules(), leaf_recipe(), others, 1);
    r = node_recipe();
    r.md = "SHA384";
    others[0] = make(r);
    assert_stranger(open_rules(), leaf_recipe(), others, 1);
    r.md = "PSS";
    others[0] = make(r);
    assert_stranger(open_rules(), leaf_recipe(), others, 1);
}

/* --- members of a private mesh --- */

/* A node certificate as an ordinary CA issues it, long expired. */
static struct recipe issued_recipe(const char *issuer, EVP_PKEY *signer)
{
    struct recipe r = node_recipe();

    r.issuer = issuer;
    r.signer = signer;
    r.usage = "critical,digitalSignature,keyEncipherment";
    r.extended = "serverAuth";
    r.end = "20110101000000Z";
    return r;
}

/* Whether others make a member under the CA ca, which is freed. */
static bool is_member(X509 *ca, X509 **others, size_t n)
{
    struct cert_peer peer;
    X509 *cas[] = {ca};

    assert_int_equal(
        identify(private_rules(cas, 1), make(leaf_recipe()), others, n, &peer),
        KITH_OK);
    assert_is_node(&peer, node_key);
    X509_free(ca);
    return peer.member;
}

static X509 *root(void)
{
    return make(ca_recipe("ca", ca_key, "ca", ca_key));
}

static void issued_by_the_ca_is_a_member(void **state)
{
    X509 *others[] = {make(issued_recipe("ca", ca_key))};
    X509 *with_root[] = {root(), make(issued_recipe("ca", ca_key))};

    (void)state;
    assert_true(is_member(root(), others, 1));
    assert_true(is_member(root(), with_root, 2));
}

static void issued_over_intermediates_is_a_member(void **state)
{
    struct recipe sub1 = ca_recipe("sub1", sub_key, "ca", ca_key);
    struct recipe sub2 = ca_recipe("sub2", other_key, "sub1", sub_key);
    struct recipe sub3 = ca_recipe("sub3", sub_key, "sub2", other_key);
    X509 *one[] = {make(sub1), make(issued_recipe("sub1", sub_key))};
    X509 *two[] = {make(issued_recipe("sub2", other_key)), make(sub2),
                   make(sub1)};
    X509 *three[] = {make(sub3), make(sub1),
                     make(issued_recipe("sub3", sub_key)), make(sub2)};
    X509 *gap[] = {make(issued_recipe("sub2", other_key)), make(sub2)};

    (void)state;
    assert_true(is_member(root(), one, 2));
    assert_true(is_member(root(), two, 3));
    assert_false(is_member(root(), three, 4));
    assert_false(is_member(root(), gap, 2));
}

/* A charter may name a CA that is itself issued by another. */
static void anchor_need_not_be_a_root(void **state)
{
    struct recipe sub = ca_recipe("sub", sub_key, "ca", ca_key);
    X509 *others[] = {make(issued_recipe("sub", sub_key))};

    (void)state;
    assert_true(is_member(make(sub), others, 1));
}

static void issued_by_others_is_a_stranger(void **state)
{
    X509 *self[] = {make(node_recipe())};
    X509 *impostor[] = {make(issued_recipe("ca", other_key))};
    X509 *with_own_ca[] = {make(issued_recipe("ca", other_key)),
                           make(ca_recipe("ca", other_key, "ca", other_key))};
    X509 *none[] = {make(issued_recipe("ca", ca_key))};

    (void)state;
    assert_false(is_member(root(), self, 1));
    assert_false(is_member(root(), impostor, 1));
    assert_false(is_member(root(), with_own_ca, 2));
    assert_stranger(private_rules(NULL, 0), leaf_recipe(), none, 1);
}

/* A member that issues certificates as if it were a CA. */
static void issued_by_a_member_is_a_stranger(void **state)
{
    struct recipe mint = issued_recipe("ca", ca_key);

    (void)state;
    mint.subject = "mint";
    mint.pkey = other_key;
    X509 *others[] = {make(mint), make(issued_recipe("mint", other_key))};
    assert_false(is_member(root(), others, 2));
    mint.constraints = NULL;
    mint.usage = NULL;
    X509 *silent[] = {make(mint), make(issued_recipe("mint", other_key))};
    assert_false(is_member(root(), silent, 2));
    mint.usage = "critical,keyCertSign";
    X509 *usage[] = {make(mint), make(issued_recipe("mint", other_key))};
    assert_false(is_member(root(), usage, 2));
}

/* Even where the rules themselves name something that is no CA. */
static void anchor_must_be_a_ca(void **state)
{
    X509 *node = make(issued_recipe("ca", ca_key));
    X509 *self = make(node_recipe());
    X509 *others[] = {node};
    X509 *others_self[] = {self};
    X509 *under_v1[] = {make(issued_recipe("ca", ca_key))};
    struct recipe v1 = ca_recipe("ca", ca_key, "ca", ca_key);

    (void)state;
    assert_false(is_member(keep(node), others, 1));
    assert_false(is_member(keep(self), others_self, 1));
    v1.v1 = true;
    v1.constraints = NULL;
    v1.usage = NULL;
    assert_false(is_member(make(v1), under_v1, 1));
}

static void weak_paths_are_strangers(void **state)
{
    EVP_PKEY *small = make_rsa("RSA", 1024, 65537);
    struct recipe sub = ca_recipe("sub", small, "ca", ca_key);
    struct recipe sha1 = issued_recipe("ca", ca_key);
    X509 *weak_key[] = {make(sub), make(issued_recipe("sub", small))};
    X509 *weak_digest[1];

    (void)state;
    sha1.md = "SHA1";
    weak_digest[0] = make(sha1);
    assert_false(is_member(root(), weak_key, 2));
    assert_false(is_member(root(), weak_digest, 1));
    EVP_PKEY_free(small);
}

/* The CA itself signs a leaf: it would be the node whose key verifies it. */
static void leaf_issued_by_the_ca_is_refused(void **state)
{
    struct recipe r = leaf_recipe();
    struct cert_peer peer;
    X509 *ca = root();
    X509 *cas[] = {ca};
    X509 *others[] = {make(issued_recipe("ca", ca_key)), keep(ca)};
    X509 *only_ca[] = {keep(ca)};

    (void)state;
    r.issuer = "ca";
    r.signer = ca_key;
    assert_int_equal(identify(private_rules(cas, 1), make(r), others, 2, &peer),
                     KITH_ERR_CERT);
    assert_int_equal(
        identify(private_rules(cas, 1), make(r), only_ca, 1, &peer),
        KITH_ERR_CERT);
    X509_free(ca);
}

/* --- chains as DER --- */

struct der_chain {
    struct cert_der der[5];
    uint8_t *mem[5];
    size_t n;
};

/* Takes cert over. */
static void chain_add(struct der_chain *c, X509 *cert)
{
    uint8_t *p = NULL;
    int n = i2d_X509(cert, &p);

    assert_true(n > 0 && c->n < 5);
    c->mem[c->n] = p;
    c->der[c->n++] = (struct cert_der){p, (size_t)n};
    X509_free(cert);
}

static void chain_free(struct der_chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        OPENSSL_free(c->mem[i]);
    c->n = 0;
}

static void spki_of(EVP_PKEY *pkey, uint8_t spki[SPKI_LEN])
{
    assert_int_equal(i2d_PUBKEY(pkey, &spki), SPKI_LEN);
}

static void chain_of_an_open_mesh(void **state)
{
    struct cert_rules rules = open_rules();
    struct der_chain c = {0};
    uint8_t spki[SPKI_LEN];
    uint8_t other[SPKI_LEN];

    (void)state;
    spki_of(node_key, spki);
    spki_of(other_key, other);
    chain_add(&c, make(node_recipe()));
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 1), KITH_OK);
    assert_int_equal(cert_check_chain(&rules, other, c.der, 1), KITH_ERR_KEY);
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 0), KITH_ERR_CERT);
    rules.open_mesh = false;
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 1),
                     KITH_ERR_STRANGER);
    c.der[0].n--;
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 1), KITH_ERR_CERT);
    chain_free(&c);
}

static void chain_of_a_private_mesh(void **state)
{
    X509 *ca = root();
    X509 *cas[] = {ca};
    struct cert_rules rules = private_rules(cas, 1);
    struct der_chain c = {0};
    uint8_t spki[SPKI_LEN];

    (void)state;
    spki_of(node_key, spki);
    chain_add(&c, make(issued_recipe("sub2", other_key)));
    chain_add(&c, make(ca_recipe("sub1", sub_key, "ca", ca_key)));
    chain_add(&c, make(ca_recipe("sub2", other_key, "sub1", sub_key)));
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 3), KITH_OK);
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 2),
                     KITH_ERR_STRANGER);
    rules.open_mesh = true;
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 3),
                     KITH_ERR_STRANGER);
    rules.open_mesh = false;
    chain_add(&c, make(ca_recipe("ca", ca_key, "ca", ca_key)));
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 4), KITH_ERR_CERT);
    chain_free(&c);

    chain_add(&c, make(ca_recipe("node", node_key, "ca", ca_key)));
    assert_int_equal(cert_check_chain(&rules, spki, c.der, 1), KITH_ERR_CERT);
    chain_free(&c);
    X509_free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(not_self_signed_is_a_stranger_to_an_open_mesh),
        cmocka_unit_test(issued_by_the_ca_is_a_member),
        cmocka_unit_test(issued_over_intermediates_is_a_member),
        cmocka_unit_test(anchor_need_not_be_a_root),
        cmocka_unit_test(issued_by_others_is_a_stranger),
        cmocka_unit_test(issued_by_a_member_is_a_stranger),
        cmocka_unit_test(anchor_must_be_a_ca),
        cmocka_unit_test(weak_paths_are_strangers),
        cmocka_unit_test(leaf_issued_by_the_ca_is_refused),
        cmocka_unit_test(chain_of_an_open_mesh),
        cmocka_unit_test(chain_of_a_private_mesh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
