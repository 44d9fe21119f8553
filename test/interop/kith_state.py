# SPDX-License-Identifier: Apache-2.0
"""Blocks, the set and the rings of kith, as docs/protocol.md fixes them.

As in kith_wire, what cannot be read raises Malformed.
"""

import bisect
import re
from dataclasses import dataclass, field

from kith_wire import (ascending, child_prefix, Leaves, Malformed, need,
                       node_id, Nodes, number, PAYLOAD_MAX, Piece, PIECE_SIZE,
                       read_many, read_serial, Reader, sha256, sign,
                       signature_holds, SIGNATURE_SIZE, SIGNED_MAX,
                       SIGNED_MIN, spki_decode)

BLOCKS_MAX = 64
BLOCKS_BYTES_MAX = 262144
MISSES_MAX = 256

# 7.1 Blocks --------------------------------------------------------------

HEAD, CERT, FACTS, FACTS_MORE, HEALTH, USER, CHARTER, REVOKED = range(1, 9)
RESERVED = {"head": HEAD, "cert": CERT, "facts": FACTS,
            "facts.more": FACTS_MORE, "health": HEALTH, "charter": CHARTER,
            "revoked": REVOKED}
NAME = re.compile(rb"[a-z0-9][a-z0-9._-]{0,31}")


def check_name(name, block_type):
    """Refuse a name that cannot be, or not with that type."""
    need(NAME.fullmatch(name), "wrong name")
    reserved = RESERVED.get(name.decode())
    need(reserved == (block_type if block_type in RESERVED.values()
                      else None), "type and name do not go together")


@dataclass(frozen=True)
class Block:
    type: int
    author: bytes
    serial: int
    name: str
    payload: bytes

    def canonical(self):
        name = self.name.encode()
        return (b"\1" + number(self.type, 2) + self.author
                + number(self.serial, 8) + bytes([len(name)]) + name
                + number(len(self.payload), 4) + self.payload)

    @classmethod
    def decode(cls, data):
        reader = Reader(data)
        need(reader.number(1) == 1, "unknown format of block")
        block_type, author = reader.number(2), reader.take(32)
        serial = read_serial(reader)
        name = reader.take(reader.number(1))
        check_name(name, block_type)
        size = reader.number(4)
        need(size <= PAYLOAD_MAX, "payload is too long")
        payload = reader.take(size)
        reader.end()
        return cls(block_type, author, serial, name.decode(), payload)


def signed_message(mesh, canonical):
    return b"kith-block-v1\0" + mesh + canonical


@dataclass(frozen=True)
class SignedBlock:
    """A block, its bytes with the signature, and its hash."""
    block: Block
    raw: bytes
    hash: bytes

    @classmethod
    def sign(cls, block, mesh, key):
        canonical = block.canonical()
        message = signed_message(mesh, canonical)
        return cls(block, canonical + sign(key, message), sha256(message))

    @classmethod
    def decode(cls, raw, mesh):
        """Read, without checking the signature."""
        need(len(raw) > SIGNATURE_SIZE, "cut short")
        canonical = raw[:-SIGNATURE_SIZE]
        return cls(Block.decode(canonical), raw,
                   sha256(signed_message(mesh, canonical)))

    def check(self, mesh, spki):
        """Refuse a block that the node with this SPKI did not sign."""
        need(node_id(spki) == self.block.author, "another author")
        need(signature_holds(spki_decode(spki), self.raw[-SIGNATURE_SIZE:],
                             signed_message(mesh,
                                            self.raw[:-SIGNATURE_SIZE])),
             "the signature does not hold")

    def pieces(self):
        return [Piece(self.hash, len(self.raw), index,
                      self.raw[start:start + PIECE_SIZE])
                for index, start in enumerate(range(0, len(self.raw),
                                                    PIECE_SIZE))]


# 7.2 Head ----------------------------------------------------------------

LEAVE, AWAY, DIAL_OUT, CLONE = 1, 2, 4, 8
REFUSED, TCP, TLS, UDP = 1, 2, 3, 4


@dataclass(frozen=True)
class Entry:
    """A block that a head lists."""
    name: str
    type: int
    serial: int
    size: int
    hash: bytes

    @classmethod
    def of(cls, signed):
        block = signed.block
        return cls(block.name, block.type, block.serial, len(signed.raw),
                   signed.hash)

    def encode(self):
        name = self.name.encode()
        return (bytes([len(name)]) + name + number(self.type, 2)
                + number(self.serial, 8) + number(self.size, 4) + self.hash)

    @classmethod
    def read(cls, reader):
        name = reader.take(reader.number(1))
        block_type = reader.number(2)
        check_name(name, block_type)
        need(block_type not in (HEAD, CHARTER, REVOKED),
             "a head lists what no head lists")
        return cls(name.decode(), block_type, read_serial(reader),
                   reader.number(4), reader.take(32))


@dataclass(frozen=True)
class Miss:
    id: bytes
    head: bytes             # first 8 bytes of the head hash
    reason: int

    def encode(self):
        return self.id + self.head + bytes([self.reason])

    @classmethod
    def read(cls, reader):
        miss = cls(reader.take(32), reader.take(8), reader.number(1))
        need(REFUSED <= miss.reason <= UDP, "unknown reason of a miss")
        return miss


@dataclass(frozen=True)
class Head:
    boot: bytes
    run: bytes
    lease: int
    entries: list = field(default_factory=list)
    misses: list = field(default_factory=list)
    lowest: int = 1
    highest: int = 1
    flags: int = 0
    features: int = 0
    extension: bytes = b""

    def encode(self):
        return b"".join((
            bytes([1, self.lowest, self.highest]), number(self.flags, 2),
            number(self.features, 8), self.boot, self.run,
            number(self.lease, 4), bytes([len(self.entries)]),
            *(entry.encode() for entry in self.entries),
            number(len(self.misses), 2),
            *(miss.encode() for miss in self.misses),
            number(len(self.extension), 2), self.extension))

    @classmethod
    def decode(cls, payload, serial):
        """serial: that of the head's block."""
        reader = Reader(payload)
        need(reader.number(1) == 1, "unknown format of head")
        lowest, highest = reader.number(1), reader.number(1)
        flags, features = reader.number(2), reader.number(8)
        boot, run = reader.take(16), reader.take(8)
        lease, count = reader.number(4), reader.number(1)
        need(count <= BLOCKS_MAX, "too many blocks")
        entries = [Entry.read(reader) for _ in range(count)]
        count = reader.number(2)
        need(count <= MISSES_MAX, "too many misses")
        misses = [Miss.read(reader) for _ in range(count)]
        size = reader.number(2)
        need(size <= 1024, "extension is too long")
        extension = reader.take(size)
        reader.end()
        head = cls(boot, run, lease, entries, misses, lowest, highest,
                   flags, features, extension)
        head.check(serial)
        return head

    def check(self, serial):
        need(1 <= self.lowest <= self.highest, "wrong range of versions")
        need(600 <= self.lease <= 43200, "wrong lease")
        need(ascending([e.name.encode() for e in self.entries]),
             "blocks out of order")
        need(ascending([m.id for m in self.misses]), "misses out of order")
        for entry in self.entries:
            need(entry.serial < serial, "a listed block is not older")
            need(SIGNED_MIN <= entry.size <= SIGNED_MAX,
                 "a listed block has a wrong size")
        need(sum(e.size for e in self.entries) <= BLOCKS_BYTES_MAX,
             "the listed blocks are too large")


# 7.1 cert, 7.3 facts -----------------------------------------------------

def cert_payload(certificates):
    return bytes([len(certificates)]) + b"".join(
        number(len(der), 2) + der for der in certificates)


def cert_decode(payload):
    """The DER of the node certificate and of the intermediates."""
    reader = Reader(payload)
    count = reader.number(1)
    need(1 <= count <= 3, "wrong number of certificates")
    out = [reader.take(reader.number(2)) for _ in range(count)]
    need(all(out), "an empty certificate")
    reader.end()
    return out


FACT_KEY = re.compile(rb"[a-z0-9._-]{1,64}")
# Control characters, line separators, turns of the direction of writing.
BANNED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f"
                    "\u202a-\u202e\u2066-\u2069]")


def facts_encode(pairs):
    """pairs: [(key, value)], both str; any order."""
    raw = sorted((key.encode(), value.encode()) for key, value in pairs)
    return b"".join(bytes([len(key)]) + key + number(len(value), 2) + value
                    for key, value in raw)


def facts_decode(payload):
    reader, raw = Reader(payload), []
    while reader.left():
        key = reader.take(reader.number(1))
        need(FACT_KEY.fullmatch(key), "wrong key")
        size = reader.number(2)
        need(size <= 512, "value is too long")
        raw.append((key, reader.take(size)))
    need(ascending(raw), "facts out of order")
    try:
        pairs = [(key.decode(), value.decode()) for key, value in raw]
    except UnicodeDecodeError as error:
        raise Malformed("value is not UTF-8") from error
    need(not any(BANNED.search(value) for _, value in pairs),
         "value has characters that no value has")
    return pairs


# 5.2 Bulk records --------------------------------------------------------

R_HAVE, R_WANT, R_SPKI, R_AGE, R_BLOCK, R_END = range(1, 7)


def record(record_type, value=b""):
    return bytes([record_type]) + number(len(value), 4) + value


def pairs_encode(pairs):
    """The value of HAVE and WANT: [(id, serial)]."""
    return b"".join(i + number(serial, 8) for i, serial in pairs)


def pairs_decode(value):
    return read_many(Reader(value),
                     lambda r: (r.take(32), r.number(8)), least=0)


def records_decode(body):
    """[(type, value)] up to END, which must be there and be the last."""
    reader, out = Reader(body), []
    while True:
        record_type = reader.number(1)
        value = reader.take(reader.number(4))
        if record_type == R_END:
            need(not value, "END is not empty")
            reader.end()
            return out
        out.append((record_type, value))


# 8. The set --------------------------------------------------------------

EMPTY = bytes(32)


def nibble(node, depth):
    return node[depth // 2] >> 4 if depth % 2 == 0 else node[depth // 2] & 15


class Trie:
    """The set of (id, head hash), frozen: make another after a change."""

    def __init__(self, elements):
        """elements: {id: head hash}."""
        self.elements = elements
        self.ids = sorted(elements)
        self.cache = {}

    def span(self, depth, prefix):
        """(low, high): self.ids[low:high] are those under the prefix."""
        low_id = prefix.ljust(32, b"\0")
        size = 1 << 4 * (64 - depth)
        above = int.from_bytes(low_id, "big") + size
        low = bisect.bisect_left(self.ids, low_id)
        if above >> 256:
            return low, len(self.ids)
        return low, bisect.bisect_left(self.ids, number(above, 32))

    def digest(self, low=0, high=None):
        """D of self.ids[low:high]."""
        high = len(self.ids) if high is None else high
        if high - low == 0:
            return EMPTY
        if high - low == 1:
            return self.elements[self.ids[low]]
        key = (low, high)
        if key not in self.cache:
            self.cache[key] = self.branch(low, high)
        return self.cache[key]

    def branch(self, low, high):
        depth = 0               # first nibble in which they differ
        while nibble(self.ids[low], depth) == nibble(self.ids[high - 1],
                                                     depth):
            depth += 1
        bitmap, digests = 0, b""
        while low < high:
            child, end = nibble(self.ids[low], depth), low
            while end < high and nibble(self.ids[end], depth) == child:
                end += 1
            bitmap |= 1 << (15 - child)
            digests += self.digest(low, end)
            low = end
        return sha256(b"\1", number(bitmap, 2), digests)

    def root(self, charter=EMPTY, revoked=EMPTY):
        return sha256(charter, revoked, self.digest())[:16]

    def short(self, iv, depth, prefix):
        """Short hash of what is under the prefix, None if that is empty."""
        low, high = self.span(depth, prefix)
        return short_hash(iv, self.digest(low, high)) if low < high else None

    def nodes(self, iv, depth, prefix, levels):
        shorts = {child: self.short(iv, *child_prefix(depth, prefix, child,
                                                      levels))
                  for child in range(16 ** levels)}
        return Nodes(depth, prefix, levels,
                     {child: short for child, short in shorts.items()
                      if short is not None})

    def leaves(self, iv, depth, prefix, serials):
        """serials: {id: serial of its head}."""
        low, high = self.span(depth, prefix)
        return Leaves(depth, prefix,
                      [(i, serials[i], short_hash(iv, self.elements[i]))
                       for i in self.ids[low:high]])


def short_hash(iv, digest):
    return sha256(iv, digest)[:4]


# 9. Rings ----------------------------------------------------------------

RINGS = 64
FRIENDS = 20


def ring_key(mesh, ring, node):
    return sha256(mesh, bytes([ring]), node)


class Rings:
    """The rings over a list of members that are not gone."""

    def __init__(self, mesh, ids):
        self.mesh = mesh
        self.ids = ids
        self.orders = {}

    def order(self, ring):
        """[(ring key, id)], ascending."""
        if ring not in self.orders:
            self.orders[ring] = sorted((ring_key(self.mesh, ring, i), i)
                                       for i in self.ids)
        return self.orders[ring]

    def friend(self, ring, me, down=frozenset()):
        """The next one above me on a ring that is not down, or None."""
        order = self.order(ring)
        place = bisect.bisect_left(order, (ring_key(self.mesh, ring, me), me))
        for _, other in order[place:] + order[:place]:
            if other != me and other not in down:
                return other
        return None

    def friends(self, me, down=frozenset()):
        """All friends of me, in the order in which the rings give them."""
        if len(self.ids) <= FRIENDS + 1:
            return [i for i in self.ids if i != me and i not in down]
        out = []
        for ring in range(RINGS):
            if ring >= FRIENDS and len(out) >= FRIENDS:
                break
            other = self.friend(ring, me, down)
            if other is not None and other not in out:
                out.append(other)
        # What 64 rings did not give comes from further up on ring 0.
        skip = set(down)
        while len(out) < FRIENDS:
            other = self.friend(0, me, skip)
            if other is None:
                break
            skip.add(other)
            if other not in out:
                out.append(other)
        return out
