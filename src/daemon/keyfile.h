/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KITH_DAEMON_KEYFILE_H
#define KITH_DAEMON_KEYFILE_H

#include "base/types.h"
#include "crypto/key.h"
#include "daemon/conf.h"
#include "daemon/facts.h"
#include "wire/certs.h"

/*
 * The identity of a node on disk. In the state directory (0700) are
 *
 *     node.key      0600  the private key, PEM
 *     node.crt      0644  the node certificate and up to two intermediates,
 *                         PEM: self-signed at first; an operator may put
 *                         that of a CA in its place
 *     node.binding  0600  what of this machine could be read when the key was
 *                         made, as salted hashes
 *     lock                held while a daemon uses the directory
 *
 * All but the lock are written under another name, synced and renamed.
 *
 * When the binding tells that the disk was copied, the files of the identity
 * are renamed NAME.copied-1 (or -2, ...), and a new one is made. Files without
 * a node.key are renamed NAME.orphaned-1 in the same way.
 */

enum {
    KEYFILE_MESSAGE_SIZE = 512,
    KEYFILE_CERTS_SIZE = 8192, /* bytes of DER in node.crt */
};

struct keyfile_options {
    const char *state_dir; /* made when only its last part is missing */
    enum conf_machine_binding binding;
    const struct machine_binding *machine; /* as read now */

    /* Other files in the directory that belong to the identity, and are
     * renamed with it: names, without a slash. */
    const char *const *others;
    size_t n_others;
};

struct keyfile {
    struct key *key;
    struct certs certs; /* points into `der`: the struct must not move */
    bool fresh;         /* the identity was made just now */
    bool copied;        /* ... because the disk was copied */
    int lock;           /* descriptor; -1: none */
    uint8_t der[KEYFILE_CERTS_SIZE];

    /* One line for people: what is wrong and what to do about it, or what
     * was done; empty when there is nothing to tell. */
    char message[KEYFILE_MESSAGE_SIZE];
};

/*
 * Locks the directory and loads the identity, or makes one.
 *
 * Returns KITH_OK; KITH_ERR_MODE when others could read or change the key, or
 * it belongs to somebody else; KITH_ERR_KEY or KITH_ERR_CERT when node.key or
 * node.crt holds no acceptable one, or the two do not belong together;
 * KITH_ERR_CORRUPT when one of the files is none; KITH_ERR_NEWER when a newer
 * program wrote node.binding; KITH_ERR_UNWANTED when the disk was copied, and
 * options->binding is to stop then; KITH_ERR_CRYPTO; KITH_ERR_IO (errno is
 * EBUSY when another daemon uses the directory). `message` is set on every
 * error, and nothing is left open.
 */
int keyfile_load_or_make(struct keyfile *kf,
                         const struct keyfile_options *options);

/* Wipes and frees what is in there, and ends the lock. */
void keyfile_close(struct keyfile *kf);

#endif
