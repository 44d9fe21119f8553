/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/error.h"
#include "crypto/hmac.h"
#include "crypto/kdf.h"
#include "crypto/wipe.h"

_Static_assert((int)KDF_KEY_LEN == (int)HMAC_LEN &&
                   (int)KDF_KEY_LEN == (int)HMAC_KEY_LEN,
               "keys are as long as digests");
_Static_assert(sizeof(struct session_keys) == 4 * (size_t)KDF_KEY_LEN,
               "the expanded bytes are the struct");

static const char session_label[] = "kith1 session";
static const char keys_label[] = "kith1 keys";

struct kdf {
    struct hmac *hmac;
};

struct kdf *kdf_new(void)
{
    struct kdf *kdf = calloc(1, sizeof *kdf);
    if (kdf == NULL)
        return NULL;
    kdf->hmac = hmac_new();
    if (kdf->hmac == NULL) {
        free(kdf);
        return NULL;
    }
    return kdf;
}

void kdf_free(struct kdf *kdf)
{
    if (kdf == NULL)
        return;
    hmac_free(kdf->hmac);
    free(kdf);
}

int kdf_hmac(struct kdf *kdf, const uint8_t key[KDF_KEY_LEN], const void *data1,
             size_t n1, const void *data2, size_t n2, uint8_t out[KDF_KEY_LEN])
{
    int err = hmac_set_key(kdf->hmac, key);
    if (err != KITH_OK) {
        secret_wipe(out, KDF_KEY_LEN);
        return err;
    }
    hmac_begin(kdf->hmac);
    hmac_add(kdf->hmac, data1, n1);
    hmac_add(kdf->hmac, data2, n2);
    return hmac_end(kdf->hmac, out);
}

int kdf_expand(struct kdf *kdf, const uint8_t prk[KDF_KEY_LEN],
               const void *info, size_t info_len, uint8_t *out, size_t n)
{
    uint8_t t[HMAC_LEN]; /* T(i) of the RFC */
    size_t done = 0;

    if (n > KDF_EXPAND_MAX)
        return KITH_ERR_RANGE;
    int err = hmac_set_key(kdf->hmac, prk);
    for (uint8_t i = 1; err == KITH_OK && done < n; i++) {
        size_t part = n - done < sizeof t ? n - done : sizeof t;
        hmac_begin(kdf->hmac);
        hmac_add(kdf->hmac, t, i > 1 ? sizeof t : 0);
        hmac_add(kdf->hmac, info, info_len);
        hmac_add(kdf->hmac, &i, 1);
        err = hmac_end(kdf->hmac, t);
        memcpy(out + done, t, part);
        done += part;
    }
    if (err != KITH_OK)
        secret_wipe(out, n);
    secret_wipe(t, sizeof t);
    return err;
}

int kdf_session_key(struct kdf *kdf, const uint8_t secret[KDF_KEY_LEN],
                    const struct node_id *a, uint8_t k[KDF_KEY_LEN])
{
    return kdf_hmac(kdf, secret, session_label, sizeof session_label - 1, a->b,
                    sizeof a->b, k);
}

int kdf_session_keys(struct kdf *kdf, const uint8_t k[KDF_KEY_LEN],
                     const struct node_id *b, const struct mesh_id *mesh,
                     struct session_keys *out)
{
    enum {
        LABEL_LEN = sizeof keys_label - 1
    };
    uint8_t info[LABEL_LEN + NODE_ID_LEN + MESH_ID_LEN];
    uint8_t keys[sizeof *out];

    memcpy(info, keys_label, LABEL_LEN);
    memcpy(info + LABEL_LEN, b->b, NODE_ID_LEN);
    memcpy(info + LABEL_LEN + NODE_ID_LEN, mesh->b, MESH_ID_LEN);
    int err = kdf_expand(kdf, k, info, sizeof info, keys, sizeof keys);
    memcpy(out, keys, sizeof keys);
    secret_wipe(keys, sizeof keys);
    return err;
}
