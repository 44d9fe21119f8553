# SPDX-License-Identifier: Apache-2.0
"""What a node of kith holds of the others (docs/protocol.md, section 7.4).

Nothing gets in here before its signature was checked.
"""

from dataclasses import dataclass, field

import kith_state as state
import kith_wire as wire
from kith_wire import Malformed, need

ASSEMBLIES_MAX = 256


@dataclass
class Member:
    """One author, its newest head and the blocks that this one lists."""
    signed: state.SignedBlock
    head: state.Head
    known_since: float
    blocks: dict = field(default_factory=dict)      # name: SignedBlock

    def serial(self):
        return self.signed.block.serial

    def missing(self):
        """The entries of the head whose block is not held."""
        return [e for e in self.head.entries if e.name not in self.blocks]

    def left(self):
        return self.head.flags & state.LEAVE != 0

    def gone(self, now):
        return self.left() or self.expired(now)

    def expired(self, now):
        return now - self.known_since > 3 * self.head.lease

    def since(self):
        """Listed blocks up to this serial are held."""
        return min((e.serial - 1 for e in self.missing()),
                   default=self.serial())


class Assembly:
    """The pieces of one signed block that have come so far."""

    def __init__(self, total):
        self.total = total
        self.parts = {}

    def count(self):
        return -(-self.total // wire.PIECE_SIZE)

    def missing(self):
        return [i for i in range(self.count()) if i not in self.parts]

    def raw(self):
        return b"".join(self.parts[i] for i in range(self.count()))


class Store:
    """clock: a function that gives seconds, for the age of heads."""

    def __init__(self, mesh, clock):
        self.mesh = mesh
        self.clock = clock
        self.spkis = {}         # id: SPKI
        self.members = {}       # id: Member
        self.ages = {}          # head hash: known since
        self.assemblies = {}    # block hash: Assembly
        self.frozen = None      # the Trie, until something changes ...
        self.frozen_at = 0      # ... or a second has passed

    # The set of section 8.

    def complete(self, node):
        """Whether all is held and may be given: also of those who left, or
        nobody would hear that they did."""
        member = self.members.get(node)
        return (member is not None and not member.missing()
                and not member.expired(self.clock()))

    def trie(self):
        if self.frozen is None or self.clock() > self.frozen_at + 1:
            self.frozen = state.Trie(
                {i: m.signed.hash for i, m in self.members.items()
                 if self.complete(i) and not m.left()})
            self.frozen_at = self.clock()
        return self.frozen

    def serials(self):
        return {i: m.serial() for i, m in self.members.items()}

    def lacks(self, node, serial, same_hash):
        """Whether a head of that serial is news.

        same_hash: a function that says if the hash of the head that is held
        is what the other named.
        """
        member = self.members.get(node)
        if member is None or serial != member.serial():
            return member is None or serial > member.serial()
        if member.gone(self.clock()):
            return False
        return member.missing() != [] or not same_hash(member.signed.hash)

    def since(self, node):
        return self.members[node].since() if node in self.members else 0

    # Taking in what others gave.

    def add_spki(self, spki):
        wire.spki_decode(spki)
        self.spkis[wire.node_id(spki)] = spki

    def add_age(self, head_hash, seconds):
        """The least age that was told counts."""
        since = self.clock() - seconds
        self.ages[head_hash] = max(self.ages.get(head_hash, since), since)
        for member in self.members.values():
            if member.signed.hash == head_hash:
                member.known_since = max(member.known_since, since)
                self.frozen = None

    def add_block(self, raw):
        """Take a signed block that is news; refuse what does not hold."""
        signed = state.SignedBlock.decode(raw, self.mesh)
        author = signed.block.author
        need(author in self.spkis, "the author's key is not known")
        if signed.block.type == state.HEAD:
            self.add_head(signed)
        elif author in self.members:
            self.add_listed(signed, self.members[author])

    def add_head(self, signed):
        author, serial = signed.block.author, signed.block.serial
        old = self.members.get(author)
        if old and (serial, signed.hash) <= (old.serial(), old.signed.hash):
            return
        signed.check(self.mesh, self.spkis[author])
        head = state.Head.decode(signed.block.payload, serial)
        new = Member(signed, head,
                     self.ages.get(signed.hash, self.clock()))
        hashes = {entry.name: entry.hash for entry in head.entries}
        for name, block in (old.blocks if old else {}).items():
            if hashes.get(name) == block.hash:
                new.blocks[name] = block
        self.members[author] = new
        self.frozen = None

    def add_listed(self, signed, member):
        """Blocks that the newest head does not list are dropped."""
        if state.Entry.of(signed) in member.missing():
            signed.check(self.mesh, self.spkis[signed.block.author])
            member.blocks[signed.block.name] = signed
            self.frozen = None

    def add_piece(self, piece):
        if piece.total > wire.SIGNED_MAX or self.find(piece.hash):
            return
        assembly = self.assemblies.setdefault(piece.hash,
                                              Assembly(piece.total))
        if assembly.total != piece.total:
            assembly = self.assemblies[piece.hash] = Assembly(piece.total)
        assembly.parts[piece.index] = piece.data
        if assembly.missing():
            while len(self.assemblies) > ASSEMBLIES_MAX:
                self.assemblies.pop(next(iter(self.assemblies)))
            return
        del self.assemblies[piece.hash]
        try:
            self.add_block(assembly.raw())
        except Malformed:
            pass                # whoever sent it, it comes again or not

    # Looking things up.

    def find(self, block_hash):
        """The block with this hash among those of the newest heads."""
        for member in self.members.values():
            if member.signed.hash == block_hash:
                return member.signed
            for block in member.blocks.values():
                if block.hash == block_hash:
                    return block
        return None

    def age(self, node):
        return int(self.clock() - self.members[node].known_since)
