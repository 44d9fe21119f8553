# SPDX-License-Identifier: Apache-2.0
"""The exchange of kith (docs/protocol.md, sections 5.2, 6.6, 8).

Asker is the side that sends requests, Responder the one that answers.
Neither does I/O: an Asker is given functions that carry items and bodies to
the other side, a Responder is called with what came.
"""

import collections

import kith_state as state
import kith_wire as wire
from kith_wire import need

LEAF_SIZE = 44
SHARE_MIN = 128             # enough for NODES with 1 level at any depth
TRIES = 3
PIECES_BLOCK_MAX = 8192     # larger signed blocks go by the bulk exchange
BODY_MAX = 4 << 20
HAVE_MAX = 1 << 20
HEAD_HASH_START = 8


class Budget:
    """Collects items as long as they fit."""

    def __init__(self, room):
        self.room = room
        self.items = []

    def add(self, item):
        size = len(item.encode())
        if size > self.room:
            return False
        self.room -= size
        self.items.append(item)
        return True

    def add_many(self, make, records, size):
        """As many records as fit, in one item; returns those left over."""
        count = min(len(records), max(0, (self.room - 3) // size))
        if count:
            self.add(make(records[:count]))
        return records[count:]


# Describing a part of the set, and comparing with a description ----------

def describe(store, iv, place, room):
    """The finest of LEAVES and NODES about the own elements there.

    place: (depth, prefix).  None when not even the smallest fits.
    """
    depth, prefix = place
    trie = store.trie()
    low, high = trie.span(depth, prefix)
    if high - low <= room // LEAF_SIZE:
        leaves = trie.leaves(iv, depth, prefix, store.serials())
        if len(leaves.encode()) <= room:
            return leaves
    for levels in (2, 1):
        if depth + levels <= 64:
            nodes = trie.nodes(iv, depth, prefix, levels)
            if len(nodes.encode()) <= room:
                return nodes
    return None


def describe_all(store, iv, places, out):
    """Describe places, each as finely as its share of the room allows.

    Returns how many there was room for.
    """
    for count, place in enumerate(places):
        share = max(out.room // (len(places) - count), SHARE_MIN)
        item = describe(store, iv, place, min(share, out.room))
        if not item or not out.add(item):
            return count
    return len(places)


def differing(store, iv, nodes):
    """The places at which the own set differs from what NODES says."""
    trie = store.trie()
    places = [wire.child_prefix(nodes.depth, nodes.prefix, child,
                                nodes.levels)
              for child in range(16 ** nodes.levels)]
    return [place for child, place in enumerate(places)
            if trie.short(iv, *place) != nodes.hashes.get(child)]


def compare_leaves(store, iv, leaves):
    """(what I lack, what the sender lacks): two lists of ids."""
    trie = store.trie()
    theirs = {i: (serial, short) for i, serial, short in leaves.leaves}

    def same(node):
        return lambda held: (state.short_hash(iv, held) == theirs[node][1])

    def mine_is_known(node, serial):
        member = store.members[node]
        return (member.serial() < serial
                or member.serial() == serial and same(node)(
                    member.signed.hash))

    mine_lack = [i for i, (serial, _) in theirs.items()
                 if store.lacks(i, serial, same(i))]
    low, high = trie.span(leaves.depth, leaves.prefix)
    their_lack = [i for i in trie.ids[low:high] if i not in theirs]
    for node, (serial, _) in theirs.items():
        if store.complete(node) and not mine_is_known(node, serial):
            their_lack.append(node)
    return mine_lack, their_lack


def lacked(store, announce):
    """The ids of an ANNOUNCE of which the heads are news."""
    return [i for i, serial, start in announce.heads
            if store.lacks(i, serial,
                           lambda held, s=start:
                           held[:HEAD_HASH_START] == s)]


def want(store, node):
    """A record of WANT_HEAD."""
    flags = 0 if node in store.spkis else wire.WantHead.WITH_SPKI
    return node, store.since(node), flags


def gift(store, record):
    """All items that answer one record of WANT_HEAD, the first ones first.

    Only complete heads are given.
    """
    node, since, flags = record
    if not store.complete(node):
        return []
    member = store.members[node]
    items = []
    if flags & wire.WantHead.WITH_SPKI:
        items.append(wire.Spki(store.spkis[node]))
    items.append(wire.Age(member.signed.hash, store.age(node)))
    items += pieces(member.signed)
    for entry in member.head.entries:
        if entry.serial > since:
            items += pieces(member.blocks[entry.name])
    return items


def pieces(signed):
    return signed.pieces() if len(signed.raw) <= PIECES_BLOCK_MAX else []


def piece(store, block_hash, index):
    """The piece, or None if it is not held or too large for pieces."""
    signed = store.find(block_hash)
    parts = pieces(signed) if signed else []
    return parts[index] if index < len(parts) else None


def take(store, item):
    """Take in an item that gives something; False if it is another."""
    if isinstance(item, wire.Spki):
        store.add_spki(item.spki)
    elif isinstance(item, wire.Age):
        store.add_age(item.head, item.seconds)
    elif isinstance(item, wire.Piece):
        store.add_piece(item)
    else:
        return False
    return True


# B: answering ------------------------------------------------------------

class Responder:
    """Remembers nothing of those who ask."""

    def __init__(self, store):
        self.store = store

    def root(self):
        trie = self.store.trie()
        return wire.Root(trie.root(), len(trie.ids))

    def answer(self, iv, items, room):
        """The items of the answer to a request with this IV."""
        out = Budget(room)
        for item in items:
            take(self.store, item)
        for item in items:
            if isinstance(item, wire.Root):
                self.answer_root(iv, item, out)
            elif isinstance(item, wire.Nodes):
                describe_all(self.store, iv,
                             differing(self.store, iv, item), out)
            elif isinstance(item, wire.Leaves):
                self.answer_leaves(iv, item, out)
            elif isinstance(item, wire.Announce):
                self.add_wants(lacked(self.store, item), out)
            elif isinstance(item, wire.WantHead):
                for record in item.heads:
                    self.add_gifts(gift(self.store, record), out)
            elif isinstance(item, wire.WantPiece):
                self.add_gifts([piece(self.store, *p) for p in item.pieces],
                               out)
        return out.items

    def answer_root(self, iv, asked, out):
        root = self.root()
        if out.add(root) and root.root != asked.root:
            describe_all(self.store, iv, [(0, b"")], out)

    def answer_leaves(self, iv, leaves, out):
        mine, theirs = compare_leaves(self.store, iv, leaves)
        self.add_wants(mine, out)
        if theirs:
            describe_all(self.store, iv, [(leaves.depth, leaves.prefix)],
                         out)

    def add_wants(self, nodes, out):
        out.add_many(wire.WantHead, [want(self.store, i) for i in nodes], 41)

    def add_gifts(self, gifts, out):
        """In order: what follows something that does not fit is left out,
        or an AGE would come without the SPKI that it needs."""
        for item in gifts:
            if item and not out.add(item):
                out.room = 0


# A: asking ---------------------------------------------------------------

class Asker:
    """Brings the own store and that of another node together.

    ask: takes a function that makes the items of a request from its IV,
    returns (IV, items of the answer); post: takes the body of POST
    /v1/sync, returns the body of the answer.
    """

    def __init__(self, store, ask, post=None):
        self.store = store
        self.ask = ask
        self.post = post
        self.places = []        # where the sets differ, to be looked at
        self.wants = {}         # id: how often it was asked for
        self.offers = set()     # ids to announce
        self.gives = {}         # id: record of WANT_HEAD, asked of me
        self.piece_gives = []   # (block hash, index), asked of me
        self.given = collections.Counter()
        self.their_root = None
        self.full = False

    def sync(self, rounds=100):
        """True when both roots were seen to be equal."""
        last = None
        for _ in range(rounds):
            self.given.clear()
            self.send([Responder(self.store).root()])
            roots = self.store.trie().root(), self.their_root.root
            if roots[0] == roots[1]:
                return True
            if roots == last:
                return False    # nothing useful can be done
            last = roots
            self.drain()
        return False

    def send(self, items):
        """One request, and what its answer brings."""
        iv, answer = self.ask(lambda iv: items)
        self.absorb(iv, answer)
        return answer

    def absorb(self, iv, answer):
        for item in answer:
            if take(self.store, item):
                continue
            if isinstance(item, wire.Root):
                self.their_root = item
            elif isinstance(item, wire.Nodes):
                self.places += differing(self.store, iv, item)
            elif isinstance(item, wire.Leaves):
                mine, theirs = compare_leaves(self.store, iv, item)
                self.wants.update({i: 0 for i in mine
                                   if i not in self.wants})
                self.offers.update(theirs)
            elif isinstance(item, wire.WantHead):
                self.gives.update({record[0]: record
                                   for record in item.heads})
            elif isinstance(item, wire.WantPiece):
                self.piece_gives += item.pieces
            elif isinstance(item, wire.Full):
                self.full = True

    def drain(self):
        """Work until nothing is left to do."""
        while True:
            if self.gives or self.piece_gives:
                self.give()
            elif self.places:
                self.look()
            elif self.wants:
                self.fetch()
            elif self.offers:
                self.offer()
            else:
                return

    def look(self):
        """Describe the own elements at places where the sets differ."""
        done = 0

        def make(iv):
            nonlocal done
            out = Budget(wire.REQUEST_ROOM)
            done = describe_all(self.store, iv, self.places, out)
            return out.items

        iv, answer = self.ask(make)
        self.places = self.places[done:]
        self.absorb(iv, answer)

    def offer(self):
        """ANNOUNCE what the other lacks."""
        out = Budget(wire.REQUEST_ROOM)
        records = [(i, self.store.members[i].serial(),
                    self.store.members[i].signed.hash[:HEAD_HASH_START])
                   for i in sorted(self.offers) if self.store.complete(i)]
        left = out.add_many(wire.Announce, records, 48)
        self.offers = {record[0] for record in left}
        if out.items:
            self.send(out.items)

    # Giving.

    def give(self):
        """Send all that was asked for, in as many requests as it takes."""
        gives, self.gives = self.gives, {}
        asked, self.piece_gives = self.piece_gives, []
        items, large = [], {}
        for node, record in gives.items():
            self.offers.discard(node)
            if self.may_give(node):
                items += gift(self.store, record)
                large.update(self.too_large(node, record[1]))
        for block_hash, index in asked:
            item = piece(self.store, block_hash, index)
            if item and self.may_give((block_hash, index)):
                items.append(item)
            elif self.may_give(block_hash):
                large.update(self.author_of(block_hash))
        self.send_all(items)
        if large and self.post:
            self.bulk(gives=large)

    def may_give(self, what):
        """No one makes me give a thing more than a few times."""
        self.given[what] += 1
        return self.given[what] <= TRIES

    def send_all(self, items):
        out = Budget(wire.REQUEST_ROOM)
        for item in items:
            if not out.add(item):
                self.send(out.items)
                out = Budget(wire.REQUEST_ROOM)
                out.add(item)
        if out.items:
            self.send(out.items)

    def too_large(self, node, since):
        """{id: since} if something that was asked for is no matter of
        pieces."""
        member = self.store.members.get(node)
        if member and any(
                size > PIECES_BLOCK_MAX for size in
                [len(member.signed.raw)]
                + [e.size for e in member.head.entries if e.serial > since]):
            return {node: since}
        return {}

    def author_of(self, block_hash):
        """{author: since}, so that this block is given, if it is held."""
        signed = self.store.find(block_hash)
        if not signed:
            return {}
        return {signed.block.author: signed.block.serial - 1}

    # Fetching.

    def fetch(self):
        """Ask for a few heads, and for all that belongs to them.

        A new author's key leaves no room for a second head.
        """
        ids = [i for i in self.wants if i in self.store.spkis][:4]
        ids = ids or list(self.wants)[:1]
        before = {i: self.head_hash(i) for i in ids}
        answer = self.send([wire.WantHead([want(self.store, i)
                                           for i in ids])])
        heads = [item.head for item in answer if isinstance(item, wire.Age)]
        large = not all([self.fetch_block(h) for h in heads])
        for node in ids:
            large |= not self.fetch_listed(node)
        if large and self.post:
            self.bulk(wants=ids)
        # Only the first one surely had room in the answer.
        self.wants[ids[0]] += 1
        for node in ids:
            news = self.head_hash(node) != before[node]
            if (self.wants[node] >= TRIES
                    or news and self.store.complete(node)):
                del self.wants[node]

    def head_hash(self, node):
        member = self.store.members.get(node)
        return member and member.signed.hash

    def fetch_listed(self, node):
        """Whether all blocks of a member could be had in pieces."""
        member = self.store.members.get(node)
        return all([entry.size <= PIECES_BLOCK_MAX
                    and self.fetch_block(entry.hash)
                    for entry in (member.missing() if member else [])])

    def fetch_block(self, block_hash):
        """Ask for the pieces that have not come; whether it is held."""
        while not self.store.find(block_hash):
            begun = self.store.assemblies.get(block_hash)
            missing = begun.missing() if begun else [0]
            self.send([wire.WantPiece([(block_hash, missing[0])])])
            begun = self.store.assemblies.get(block_hash)
            if (not self.store.find(block_hash)
                    and (not begun or begun.missing() == missing)):
                return False
        return True

    # The bulk exchange.

    def bulk(self, have=False, wants=(), gives=None):
        """One POST /v1/sync; returns the WANT records of the answer."""
        body = bulk_request(self.store, have, wants, gives or {})
        return bulk_take(self.store, self.post(body))

    def sync_bulk(self):
        """Give and take everything by HTTPS."""
        wanted = self.bulk(have=True)
        if wanted:
            self.bulk(gives=dict(wanted))


# 5.2 ---------------------------------------------------------------------

def bulk_have(store):
    trie = store.trie()
    return [(i, store.members[i].serial()) for i in trie.ids]


def bulk_gift(store, node, since):
    """SPKI, AGE, head, and the listed blocks above since."""
    if not store.complete(node):
        return b""
    member = store.members[node]
    return (state.record(state.R_SPKI, store.spkis[node])
            + state.record(state.R_AGE, wire.number(store.age(node), 4))
            + state.record(state.R_BLOCK, member.signed.raw)
            + b"".join(state.record(state.R_BLOCK, member.blocks[e.name].raw)
                       for e in member.head.entries if e.serial > since))


def bulk_request(store, have, wants, gives):
    body = b""
    if have:
        body += state.record(state.R_HAVE,
                             state.pairs_encode(bulk_have(store)))
    if wants:
        body += state.record(state.R_WANT, state.pairs_encode(
            [(i, store.since(i)) for i in wants]))
    for node, since in sorted(gives.items()):
        part = bulk_gift(store, node, since)
        if len(body) + len(part) + 5 <= BODY_MAX:
            body += part
    return body + state.record(state.R_END)


def bulk_take(store, body):
    """Take in what a body gives; returns [(id, since)] of its WANTs."""
    wants, age = [], 0
    for record_type, value in state.records_decode(body):
        if record_type == state.R_WANT:
            wants += state.pairs_decode(value)
        elif record_type == state.R_SPKI:
            store.add_spki(value)
        elif record_type == state.R_AGE:
            need(len(value) == 4, "AGE has a wrong length")
            age = int.from_bytes(value, "big")
        elif record_type == state.R_BLOCK:
            signed = state.SignedBlock.decode(value, store.mesh)
            if signed.block.type == state.HEAD:
                store.add_age(signed.hash, age)
            store.add_block(value)
    return wants


def bulk_answer(store, body):
    """What B answers to POST /v1/sync."""
    need(len(body) <= BODY_MAX, "the body is too long")
    have = None
    for record_type, value in state.records_decode(body):
        if record_type == state.R_HAVE:
            need(have is None and len(value) <= HAVE_MAX, "wrong HAVE")
            have = state.pairs_decode(value)
            need(wire.ascending([i for i, _ in have]), "HAVE out of order")
    asked = dict(bulk_take(store, body))
    held, out = dict(have or []), b""
    if have is not None:
        for node, serial in bulk_have(store):
            if serial > held.get(node, 0):
                asked.setdefault(node, held.get(node, 0))
    for node in sorted(asked):
        out += bulk_gift(store, node, asked[node])
    if have is not None:
        out += state.record(state.R_WANT, state.pairs_encode(
            [(i, store.since(i)) for i, serial in have
             if store.lacks(i, serial, lambda held: True)]))
    return out + state.record(state.R_END)
