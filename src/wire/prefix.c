/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/prefix.h"

#include <assert.h>

#include "base/error.h"

static size_t nibbles_len(uint8_t depth)
{
    return ((size_t)depth + 1) / 2;
}

static uint8_t nibble_at(const uint8_t *bytes, size_t i)
{
    return i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 0x0f;
}

struct trie_prefix prefix_root(void)
{
    return (struct trie_prefix){.depth = 0};
}

struct trie_prefix prefix_of_id(const struct node_id *id, uint8_t depth)
{
    struct trie_prefix p = {.depth = depth};

    assert(depth <= PREFIX_DEPTH_MAX);
    memcpy(p.nibbles, id->b, nibbles_len(depth));
    if (depth % 2 == 1)
        p.nibbles[depth / 2] &= 0xf0;
    return p;
}

struct trie_prefix prefix_child(const struct trie_prefix *p, uint8_t nibble)
{
    struct trie_prefix child = *p;
    size_t at = p->depth / 2;

    assert(p->depth < PREFIX_DEPTH_MAX && nibble < 16);
    if (p->depth % 2 == 0)
        child.nibbles[at] = (uint8_t)(nibble << 4);
    else
        child.nibbles[at] = (uint8_t)(child.nibbles[at] | nibble);
    child.depth++;
    return child;
}

uint8_t prefix_nibble(const struct trie_prefix *p, size_t i)
{
    assert(i < p->depth);
    return nibble_at(p->nibbles, i);
}

uint8_t prefix_id_nibble(const struct node_id *id, size_t i)
{
    assert(i < PREFIX_DEPTH_MAX);
    return nibble_at(id->b, i);
}

bool prefix_equal(const struct trie_prefix *a, const struct trie_prefix *b)
{
    return a->depth == b->depth &&
           memcmp(a->nibbles, b->nibbles, sizeof a->nibbles) == 0;
}

bool prefix_contains(const struct trie_prefix *p, const struct node_id *id)
{
    struct trie_prefix of_id = prefix_of_id(id, p->depth);

    return prefix_equal(p, &of_id);
}

size_t prefix_len(uint8_t depth)
{
    return 1 + nibbles_len(depth);
}

int prefix_decode(struct cursor *c, struct trie_prefix *out)
{
    struct trie_prefix p = {.depth = 0};
    int err;

    if ((err = cursor_u8(c, &p.depth)) != KITH_OK)
        return err;
    if (p.depth > PREFIX_DEPTH_MAX)
        return KITH_ERR_RANGE;
    if ((err = cursor_copy(c, p.nibbles, nibbles_len(p.depth))) != KITH_OK)
        return err;
    if (p.depth % 2 == 1 && nibble_at(p.nibbles, p.depth) != 0)
        return KITH_ERR_FORMAT;
    *out = p;
    return KITH_OK;
}

void prefix_encode(struct writer *w, const struct trie_prefix *p)
{
    assert(p->depth <= PREFIX_DEPTH_MAX);
    writer_u8(w, p->depth);
    writer_bytes(w, p->nibbles, nibbles_len(p->depth));
}
