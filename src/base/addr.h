/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_BASE_ADDR_H
#define KITH_BASE_ADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/types.h"

/*
 * Questions about a struct addr. All of them look through IPv4 in IPv6
 * (::ffff:0:0/96, RFC 4291 section 2.5.5.2), so nobody gets past them in
 * that disguise. Family 0, no address, is none of these things.
 */

/* Names one host: IPv4 1.0.0.0 to 223.255.255.255; IPv6 all but :: and
 * ff00::/8. Loopback and link-local addresses are unicast. */
bool addr_is_unicast(const struct addr *a);

/* 127.0.0.0/8, ::1 */
bool addr_is_loopback(const struct addr *a);

/* 169.254.0.0/16, fe80::/10 */
bool addr_is_link_local(const struct addr *a);

/* 224.0.0.0/4, ff00::/8 */
bool addr_is_multicast(const struct addr *a);

/* 0.0.0.0, :: */
bool addr_is_unspecified(const struct addr *a);

/* The same address on the same interface, whatever the ports. */
bool addr_same_ip(const struct addr *a, const struct addr *b);

/* Whether the first prefix_len bits of a are those of net. false when the
 * families differ or prefix_len is more than 32 or 128. Ports and interfaces
 * do not matter. */
bool addr_in_prefix(const struct addr *a, const struct addr *net,
                    unsigned prefix_len);

/* Brings *a to the only form that addr_equal() compares well: IPv4 in IPv6
 * becomes IPv4, and whatever the family has no use for becomes 0. */
void addr_normalise(struct addr *a);

/* Takes over a socket address, normalised. sa is at least as long as its
 * family says. Returns KITH_OK, or KITH_ERR_TYPE when it is neither IPv4 nor
 * IPv6: then *out is unchanged. */
int addr_from_sockaddr(struct addr *out, const struct sockaddr *sa);

/* Fills *out, and returns how much of it the system is to be given; 0 when
 * a is no address. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);

#endif
