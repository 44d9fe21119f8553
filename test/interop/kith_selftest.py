# SPDX-License-Identifier: Apache-2.0
"""The peer against itself, in memory: `kith_peer.py selftest`."""

import datetime
import ipaddress
import os
import pathlib
import random
import socket
import tempfile

from cryptography.hazmat.primitives.asymmetric import rsa

import kith_cert as cert
import kith_h2 as h2
import kith_http as http
import kith_node as nodes
import kith_session as session
import kith_store as store
import kith_sync as sync
import kith_state as state
import kith_wire as wire
from kith_wire import Malformed

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
MESH = wire.open_mesh_id("selftest")
TIME_MS = 1_700_000_000_000


def check(condition, what):
    if not condition:
        raise AssertionError(what)


# Vectors: what must be refused is refused --------------------------------

def load(name):
    """{section: {name: value}} of a file of vectors."""
    out, section = {}, None
    for line in (VECTORS / f"{name}.txt").read_text().splitlines():
        if line.startswith("["):
            section = out[line[1:-1]] = {}
        elif line and not line.startswith("#"):
            key, _, value = line.partition(":")
            value = value.strip()
            section[key] = (int(value[4:]) if value.startswith("dec:")
                            else bytes.fromhex(value))
    return out


def refuse_all(section, read):
    for name, value in section.items():
        try:
            read(value)
        except Malformed:
            continue
        raise AssertionError(f"{name} was not refused")


def test_refusals():
    heads = load("head")["refused"]
    serial = heads.pop("serial")
    datagrams = load("datagram")
    values = load("session")["session"]
    keys = wire.Keys(values["a2b_enc"], values["a2b_mac"],
                     values["b2a_enc"], values["b2a_mac"])

    def open_request(datagram):
        wire.request_header(datagram)
        return wire.open_request(keys, datagram)

    refuse_all(load("identity")["refused"], wire.spki_decode)
    refuse_all(load("item")["refused"], wire.items_decode)
    refuse_all(load("block")["canonical.refused"], state.Block.decode)
    refuse_all(load("block")["cert.refused"], state.cert_decode)
    refuse_all(load("facts")["refused"], state.facts_decode)
    refuse_all(heads, lambda v: state.Head.decode(v, serial))
    refuse_all(datagrams["request.refused"], open_request)
    refuse_all(datagrams["beacon.refused"], wire.beacon_decode)
    refuse_all(datagrams["hint.refused"], wire.hint_decode)
    refuse_all(datagrams["answer.refused"], lambda v: wire.open_answer(
        keys, datagrams["request"]["iv"], v))
    refuse_all(load("bulk")["refused"], lambda v: sync.bulk_answer(
        store.Store(wire.open_mesh_id("open"), lambda: 0), v))


def test_certificates():
    sections = load("certificate")
    now = datetime.datetime.utcfromtimestamp(sections["clock"]["time"])
    for name, section in sections.items():
        chain = [section.get("leaf"), section.get("node")]
        if name.startswith("refused"):
            refuse_all({name: chain},
                       lambda c: cert.verify_chain(c, now))
        elif name != "clock":
            node, _, member = cert.verify_chain(chain, now)
            check(node == section["id"], f"{name}: wrong id")
            check(member == name.startswith("member"), f"{name}: member?")


# Two nodes that differ ---------------------------------------------------

class CheapKey:
    """An RSA key that costs no test of its primes, and signs slowly."""

    DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")

    def __init__(self, p, q):
        self.p, self.q = p, q
        self.d = pow(65537, -1, (p - 1) * (q - 1))
        self.inverse = pow(q, -1, p)

    def public_key(self):
        return rsa.RSAPublicNumbers(65537, self.p * self.q).public_key()

    def sign(self, message, *_):
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, section 8.2.1)."""
        ending = b"\0" + self.DIGEST_INFO + wire.sha256(message)
        m = int.from_bytes(b"\0\1" + b"\xff" * (254 - len(ending)) + ending,
                           "big")
        a = pow(m % self.p, self.d % (self.p - 1), self.p)
        b = pow(m % self.q, self.d % (self.q - 1), self.q)
        return wire.number(b + (a - b) * self.inverse % self.p * self.q, 256)


def many_keys(count):
    """Each pair of a few primes makes a key."""
    primes, keys = [], []
    while len(keys) < count:
        numbers = rsa.generate_private_key(65537, 2048).private_numbers()
        for prime in (numbers.p, numbers.q):
            keys += [CheapKey(prime, other) for other in primes
                     if (prime * other).bit_length() == 2048]
            primes.append(prime)
    return keys[:count]


class Author:
    """Signs blocks and heads, one counter for all."""

    def __init__(self, key):
        self.key = key
        self.spki = wire.spki_encode(key.public_key())
        self.id = wire.node_id(self.spki)
        self.serial = TIME_MS
        self.blocks = {}

    def sign(self, block_type, name, payload):
        self.serial += 1
        return state.SignedBlock.sign(
            state.Block(block_type, self.id, self.serial, name, payload),
            MESH, self.key)

    def put(self, name, payload):
        self.blocks[name] = self.sign(state.USER, name, payload)

    def publish(self, target, misses=(), flags=0):
        """Sign a head and put all into a store."""
        entries = [state.Entry.of(self.blocks[n]) for n in
                   sorted(self.blocks)]
        head = state.Head(bytes(16), bytes(8), 600, entries, list(misses),
                          flags=flags)
        signed = self.sign(state.HEAD, "head", head.encode())
        target.add_spki(self.spki)
        target.add_block(signed.raw)
        for block in self.blocks.values():
            target.add_block(block.raw)
        check(target.complete(self.id), "own head is not complete")


def fake_members(count):
    """Members that both sides hold: they are compared, never given."""
    out = {}
    for i in range(count):
        node = wire.sha256(b"id", wire.number(i, 4))
        block = state.Block(state.HEAD, node, TIME_MS, "head", b"")
        signed = state.SignedBlock(block, b"",
                                  wire.sha256(b"head", wire.number(i, 4)))
        out[node] = store.Member(signed, state.Head(b"", b"", 43200), 0)
    return out


class Link:
    """Carries datagrams to a server in memory and loses some."""

    def __init__(self, server, loss, rng):
        self.server = server
        self.loss = loss
        self.rng = rng
        self.answers = []
        self.datagrams = 0
        self.bytes = 0
        self.address = wire.address_bytes(
            ipaddress.ip_address("192.0.2.1"), 40312)

    def send(self, datagram):
        self.count(datagram)
        if self.rng.random() < self.loss:
            return
        answer = self.server.datagram(datagram, self.address)
        if answer and self.rng.random() >= self.loss:
            self.count(answer)
            self.answers.append(answer)

    def count(self, datagram):
        check(len(datagram) <= wire.DATAGRAM_MAX, "datagram is too long")
        self.datagrams += 1
        self.bytes += len(datagram)

    def receive(self, _seconds):
        return self.answers.pop(0) if self.answers else None


class Pair:
    """A and B with `common` members that both hold."""

    def __init__(self, authors, common=0, loss=0.0, seed=1):
        members = fake_members(common)
        self.a, self.b = (store.Store(MESH, lambda: 0) for _ in range(2))
        self.a.members.update(members)
        self.b.members.update(members)
        secrets = wire.Secrets({os.urandom(4): os.urandom(32)},
                               *(os.urandom(32) for _ in range(3)))
        self.server = session.Server(authors[0].spki, self.b, secrets)
        self.link = Link(self.server, loss, random.Random(seed))
        self.session = session.Session(
            self.server.id, MESH,
            self.server.grant(authors[1].id, "192.0.2.1:40312"), self.link)
        self.posts = 0
        self.asker = sync.Asker(self.a, self.session.ask, self.post)

    def post(self, body):
        self.posts += 1
        return self.server.bulk(body)

    def check_equal(self):
        check(self.a.trie().root() == self.b.trie().root(),
              "the roots differ")
        for node, member in self.a.members.items():
            check(self.a.complete(node), "a head is not complete")
            check({n: b.raw for n, b in member.blocks.items()}
                  == {n: b.raw for n, b in
                      self.b.members[node].blocks.items()},
                  "blocks differ")


def test_converge(authors, count, common, loss=0.0):
    """A lacks a third, B lacks a third, a third is newer on one side."""
    pair = Pair(authors, common, loss)
    for i, author in enumerate(authors[:count]):
        author.blocks = {}
        author.put("note", b"%d" % i)
        kind = i % 4
        if kind == 0 or kind >= 2:
            author.publish(pair.a)
        if kind == 1 or kind >= 2:
            author.publish(pair.b)
        if kind >= 2:
            author.put("more", b"x" * (i % 7 * 300))
            author.publish(pair.a if kind == 2 else pair.b)
    check(pair.asker.sync(), "no convergence")
    pair.check_equal()
    return {"requests": pair.session.requests,
            "datagrams": pair.link.datagrams, "bytes": pair.link.bytes,
            "posts": pair.posts}


def test_sizes(authors):
    """Blocks in several pieces, larger ones, and a head above 8 KiB."""
    for giver in ("a", "b"):
        pair = Pair(authors)
        misses = [state.Miss(wire.number(i, 32), bytes(8), state.UDP)
                  for i in range(state.MISSES_MAX)]
        for author, size, missed in (
                (authors[0], 3000, misses[:60]), (authors[1], 7800, ()),
                (authors[2], 20000, ()), (authors[3], 10, misses),
                (authors[4], wire.PAYLOAD_MAX, misses)):
            author.blocks = {}
            author.put("payload", os.urandom(size))
            author.put("small", b"s")
            author.publish(getattr(pair, giver), missed)
        check(pair.asker.sync(), "no convergence")
        pair.check_equal()


def test_bulk(authors):
    pair = Pair(authors)
    for i, author in enumerate(authors[:40]):
        author.blocks = {}
        author.put("note", os.urandom(i * 500))
        author.publish(pair.a if i % 2 else pair.b)
        if i % 5 == 0:
            author.publish(pair.a)
    pair.asker.sync_bulk()
    pair.check_equal()
    check(pair.posts == 2, "more than two POSTs")


def test_equivocation(authors):
    """Of two heads with one serial, the higher hash wins on both sides."""
    pair = Pair(authors)
    author = authors[0]
    for target, text in ((pair.a, b"one"), (pair.b, b"two")):
        author.blocks, author.serial = {}, TIME_MS
        author.put("note", text)
        author.publish(target)
    check(pair.asker.sync(), "no convergence")
    pair.check_equal()


def test_reset(authors):
    pair = Pair(authors)
    pair.server.secrets.epochs = {os.urandom(4): os.urandom(32)}
    try:
        pair.asker.sync()
    except session.SessionLost:
        return
    raise AssertionError("the reset was not understood")


def test_leave(authors):
    """Who leaves is out of the set, and the other side hears of it."""
    pair = Pair(authors)
    author = authors[0]
    author.blocks = {}
    author.publish(pair.a)
    author.publish(pair.b)
    author.publish(pair.a, flags=state.LEAVE)
    check(pair.asker.sync(), "no convergence")
    check(not pair.b.trie().ids, "who left is in the set")
    check(pair.b.members[author.id].left(), "nobody heard of it")


# HTTPS, over the loopback interface --------------------------------------

def test_hpack():
    """The examples of RFC 7541, sections C.4.1 and C.6.1."""
    decode = h2.HeaderDecoder().decode
    headers = decode(bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff"))
    check(headers[":method"] == "GET" and headers[":path"] == "/"
          and "www.example.com" in headers.values(), "wrong headers")
    headers = decode(bytes.fromhex(
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d"
        "1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3"))
    check(headers[":status"] == "302"
          and "https://www.example.com" in headers.values(), "wrong headers")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_https(folder):
    """A host, and three that dial it, one after the other."""
    address = ("127.0.0.1", free_port())

    def own(name, mesh=MESH, listen=None):
        node = nodes.Own(folder / name, mesh, listen)
        if listen:
            node.sign_head()
        return node

    host = nodes.Host(own("host", listen=address))
    for name, via in (("a", "datagrams"), ("b", "bulk")):
        node = own(name)
        for block, size in (("small", 3000), ("large", 20000)):
            node.keep(node.sign(state.USER, block, os.urandom(size)))
        node.sign_head()
        peer = nodes.Peer(node, address)
        check(peer.id == host.own.id and peer.member, "who is that?")
        check(peer.publish(via), "the host did not take the head")
    peer = nodes.Peer(own("c"), address)
    check(peer.sync("bulk"), "no convergence")
    check(len(peer.store.members) == 3, "a member is missing")
    check_refused(own("d", wire.open_mesh_id("other")), address, 409, "mesh")
    stranger = own("e")
    stranger.node = stranger.node[:-1] + bytes([stranger.node[-1] ^ 1])
    check_refused(stranger, address, 403, "stranger")


def check_refused(node, address, status, reason):
    try:
        nodes.Peer(node, address)
    except http.Refused as refused:
        check((refused.status, refused.reason) == (status, reason),
              f"wrong refusal: {refused}")
        return
    raise AssertionError(f"{reason} was not refused")


def run():
    """All tests; returns what they measured."""
    out = {}
    test_refusals()
    test_certificates()
    authors = [Author(key) for key in many_keys(300)]
    for count, common in ((1, 0), (1, 5000), (10, 2000), (300, 2000)):
        out[f"{count} of {common}"] = test_converge(authors, count, common)
    out["10 of 500, loss"] = test_converge(authors, 10, 500, 0.1)
    test_sizes(authors)
    test_bulk(authors)
    test_equivocation(authors)
    test_reset(authors)
    test_leave(authors)
    test_hpack()
    with tempfile.TemporaryDirectory() as folder:
        test_https(pathlib.Path(folder))
    return out
