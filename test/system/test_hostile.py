#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Members that lie, and datagrams that nobody should believe."""

import os
import socket
import time

import mesh
from capture import ANSWER, BEACON, GROUPS, HINT, REQUEST, Capture
from interop import own_of, peer_of, state, stores, wire
from mesh import check

TRUTH = b"the truth, the whole truth, and nothing but the truth " * 30
DROPS = ("malformed", "version", "forged", "unknown_epoch",
         "unasked_answers", "beacons_refused", "over_budget")
BATCH = 200
TAG = wire.mesh_tag(wire.open_mesh_id("open"))


# A liar ------------------------------------------------------------------

class Liar:
    """A member that gives what its store should never have held."""

    def __init__(self, own, target):
        self.own = own
        self.target = target
        self.peer = peer_of(own, target)

    def tell_truth(self):
        self.own.keep(self.own.sign(state.USER, "truth", TRUTH))
        self.own.sign_head()
        check(self.peer.publish(), "the truth is taken")

    def fresh(self):
        """{name: block} of a new version of the block, and a head of it."""
        self.own.keep(self.own.sign(state.USER, "truth", TRUTH + b"2"))
        self.own.sign_head()
        return self.own.blocks()

    def tell(self, via, blocks, author=None, spki=None):
        """Announce a head and its blocks, and give them when asked."""
        store, asker = self.peer.store, self.peer.asker
        author = author or self.own.id
        blocks = dict(blocks)
        head = blocks.pop("head")
        store.spkis[author] = spki or self.own.spki
        store.members[author] = stores.Member(
            head, state.Head.decode(head.block.payload, head.block.serial),
            time.time(), blocks)
        store.frozen = None
        asker.given.clear()
        if via == "bulk":
            asker.bulk(gives={author: 0})
        else:
            asker.offers.add(author)
            asker.drain()


def altered(signed, at, name_true_hash=True):
    """The same signed block with one bit changed.

    name_true_hash: pieces are named by the hash that it had; otherwise by
    that of what they hold.
    """
    raw = bytearray(signed.raw)
    raw[at] ^= 1
    raw = bytes(raw)
    message = state.signed_message(wire.open_mesh_id("open"),
                                   raw[:-wire.SIGNATURE_SIZE])
    return state.SignedBlock(
        signed.block, raw,
        signed.hash if name_true_hash else wire.sha256(message))


def lies(liar, victim):
    """[(what, blocks, author)]; each is one that may not be believed."""
    out = []
    for what, name, at, true_hash in (
            ("signature of the head", "head", -1, True),
            ("payload of the head", "head", -300, True),
            ("payload of the head, renamed", "head", -300, False),
            ("signature of a block", "truth", -5, True),
            ("payload of a block", "truth", -500, True)):
        blocks = liar.fresh()
        blocks[name] = altered(blocks[name], at, true_hash)
        out.append((what, blocks, None))
    blocks = liar.fresh()
    head = blocks["head"].block
    forged = state.SignedBlock.sign(
        state.Block(head.type, bytes.fromhex(victim.id), head.serial + 1000,
                    head.name, head.payload), liar.own.mesh, liar.own.key)
    out.append(("head in another's name", blocks | {"head": forged},
                bytes.fromhex(victim.id)))
    return out


def changed():
    """What was altered on its way is refused, and shown by nobody."""
    with mesh.mesh(4) as made:
        honest, machine = made.nodes[:3], made.nodes[3]
        made.start(nodes=honest)
        made.wait_known(honest)
        with machine.inside():
            liar = Liar(own_of(machine), honest[0])
            liar.tell_truth()
            machine.id = liar.own.id.hex()
            made.wait_all("the truth is everywhere", lambda node: node.block(
                machine, "truth") == TRUTH, honest)
            serials = [node.seen(machine)["serial"] for node in honest]
            for via in ("datagrams", "bulk"):
                for what, blocks, author in lies(liar, honest[1]):
                    refused(made, liar, via, what, blocks, author)
            for node, serial in zip(honest, serials):
                check(node.block(machine, "truth") == TRUTH,
                      f"{node.name} shows a lie")
                check(node.seen(machine)["serial"] == serial,
                      f"{node.name} took a head with a lie")
                check(node.seen(honest[1])["state"] == "up"
                      and node.seen(honest[1])["name"] == honest[1].host,
                      f"{node.name} believes a head in another's name")
            honest[1].set("role", "victim")
            made.wait_all("the victim is still heard", lambda node: node.seen(
                honest[1])["tags"].get("role") == "victim", honest)
            check([node.counter("blocks_refused") for node in honest[1:]]
                  == [0, 0], "what was refused is not passed on")


def refusals(node):
    """Blocks that do not hold, and those that no head lists."""
    counters = node.status()["counters"]
    return counters["blocks_refused"] + counters["unwanted"]


def refused(made, liar, via, what, blocks, author):
    before = refusals(liar.target)
    spki = None
    if author:
        spki = liar.peer.store.spkis.get(author) or fetch_spki(liar, author)
    liar.tell(via, blocks, author, spki)
    made.wait(f"{what}, by {via}, is refused",
              lambda: refusals(liar.target) > before)


def fetch_spki(liar, author):
    liar.peer.asker.send([wire.WantHead([(author, 0,
                                          wire.WantHead.WITH_SPKI)])])
    return liar.peer.store.spkis[author]


# Bad datagrams -----------------------------------------------------------

class Attacker:
    """Sends datagrams from a machine that has no agent."""

    def __init__(self, made, machine, target):
        self.made = made
        self.machine = machine
        self.target = target
        self.udp = machine.open_socket(socket.AF_INET, socket.SOCK_DGRAM,
                                       (machine.v4, 0))
        self.udp.settimeout(1)

    def drops(self):
        counters = self.target.status()["counters"]
        return sum(counters[name] for name in DROPS)

    def send(self, datagrams):
        for datagram in datagrams:
            self.udp.sendto(datagram, (self.target.v4, mesh.PORT))

    def answer_to(self, request):
        """The next answer; what else comes meanwhile is left out."""
        _, _, iv = wire.request_header(request)
        while True:
            reply = self.udp.recv(65536)
            if reply[1] == ANSWER:
                check(reply[4:12] == iv[:8], "it answers this request")
                return reply

    def dropped(self, what, datagrams):
        """Send these; each must be counted as one that was dropped."""
        for at in range(0, len(datagrams), BATCH):
            batch = datagrams[at:at + BATCH]
            want = self.drops() + len(batch)
            self.send(batch)
            self.made.wait(f"{what}: dropped and counted",
                           lambda: self.drops() >= want, 15)
        print(f"{what}: {len(datagrams)}")


def flipped(datagram):
    """The datagram with one bit changed, for each of its bytes."""
    for at in range(len(datagram)):
        yield (datagram[:at] + bytes([datagram[at] ^ 1 << at % 8])
               + datagram[at + 1:])


def bad_bytes(attacker, request, answer):
    """What cannot be read, or was not sealed by whom it says."""
    attacker.dropped("truncated", [d[:n] for d in (request, answer)
                                   for n in range(len(d))])
    attacker.dropped("oversized", [request + bytes(n - len(request)) for n in
                                   (1201, 1300, 1472, 1500, 4000, 9000)])
    attacker.dropped("with a bit changed",
                     [*flipped(request), *flipped(answer)])
    attacker.dropped("of another version", [bytes([version]) + d[1:]
                                            for d in (request, answer)
                                            for version in (0, 2, 255)])
    attacker.dropped("of unknown type", [b"\1" + bytes([kind]) + request[2:]
                                         for kind in (0, 6, 255)])
    attacker.dropped("garbage", [os.urandom(1 + n % 1200)
                                 for n in range(2000)])


def replays(attacker, requests, answers):
    """Recorded datagrams, sent again from elsewhere, change nothing."""
    serials = [node.status()["serial"] for node in attacker.made.nodes[:3]]
    root = attacker.target.status()["root"]
    for request in requests:
        attacker.send([request])
        reply = attacker.answer_to(request)
        check(len(reply) <= len(request),
              f"{len(request)} bytes brought an answer of {len(reply)}")
    attacker.dropped("replayed answers", answers)
    check(attacker.target.status()["root"] == root
          and serials == [node.status()["serial"]
                          for node in attacker.made.nodes[:3]],
          "nothing changed")
    print(f"replayed requests: {len(requests)}")


def beacon(machine, to, hops, source, tag=TAG):
    """Send one from a machine; whether a hint came back."""
    nonce = os.urandom(8)
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with machine.open_socket(family, socket.SOCK_DGRAM,
                             (source, 0)) as udp:
        if family == socket.AF_INET:
            for option, value in (
                    (socket.IP_MULTICAST_TTL, hops), (socket.IP_TTL, hops),
                    (socket.IP_MULTICAST_IF, socket.inet_aton(source))):
                udp.setsockopt(socket.IPPROTO_IP, option, value)
        else:
            with machine.inside():
                link = socket.if_nametoindex("eth0")
            for option, value in ((socket.IPV6_MULTICAST_HOPS, hops),
                                  (socket.IPV6_UNICAST_HOPS, hops),
                                  (socket.IPV6_MULTICAST_IF, link)):
                udp.setsockopt(socket.IPPROTO_IPV6, option, value)
        udp.settimeout(0.7)
        sent = wire.beacon_encode(0, tag, mesh.PORT, nonce)
        udp.sendto(sent, (to, mesh.PORT))
        try:
            hint = udp.recv(2048)
        except TimeoutError:
            return False
        check(len(hint) <= len(sent), "a hint is not larger")
        check(wire.hint_decode(hint) == (TAG, mesh.PORT, nonce),
              "the hint answers this beacon")
        return True


def beacons(attacker):
    """Only beacons to a group, from this link, get a hint."""
    target, machine = attacker.target, attacker.machine
    group4, group6 = sorted(GROUPS)
    strangers = "192.0.2.9", "2001:db8::9"
    mesh.ip(f"addr add {strangers[0]}/24 dev eth0",
            f"addr add {strangers[1]}/64 dev eth0 nodad", node=machine)
    for group, unicast, source, stranger in (
            (group4, target.v4, machine.v4, strangers[0]),
            (group6, target.v6, machine.v6, strangers[1])):
        before = target.counter("beacons_refused")
        check(beacon(machine, group, 255, source), "a good one gets a hint")
        check(not beacon(machine, group, 64, source), "hop limit 64")
        check(not beacon(machine, unicast, 255, source), "unicast")
        check(not beacon(machine, group, 255, stranger), "from elsewhere")
        check(target.counter("beacons_refused") == before + 3,
              "the three others are counted")
        check(not beacon(machine, group, 255, source, b"\0\0\0\0"),
              "of another mesh")
    dials = attacker.target.counter("dials")
    attacker.send([wire.hint_encode(TAG, mesh.PORT, os.urandom(8))] * 50)
    time.sleep(0.5)
    check(attacker.target.counter("dials") == dials,
          "hints that nobody asked for make nobody dial")


def badinput():
    with mesh.mesh(4) as made:
        honest, machine = made.nodes[:3], made.nodes[3]
        target = honest[0]
        record = Capture(made)
        made.start(nodes=honest)
        made.wait_known(honest)
        made.wait_friends(honest)
        for author in honest:
            author.put("pieces", os.urandom(7000))
        made.wait_all("requests of all kinds were sent", lambda node: all(
            node.block(author, "pieces") for author in honest), honest)
        made.wait("beacons have stopped",
                  lambda: not target.status()["searching"])
        packets = record.packets()
        requests = {p.payload for p in packets if p.is_datagram(REQUEST)
                    and p.target == (target.v4, mesh.PORT)}
        answers = {p.payload for p in packets if p.is_datagram(ANSWER)
                   and p.target == (target.v4, mesh.PORT)}
        check(requests and answers and any(
            p.is_datagram(kind) for p in packets for kind in (BEACON, HINT)),
            "there is something to replay")
        attacker = Attacker(made, machine, target)
        bad_bytes(attacker, max(requests, key=len), max(answers, key=len))
        replays(attacker, sorted(requests)[:40], sorted(answers)[:40])
        beacons(attacker)

        honest[2].set("role", "unharmed")
        made.wait_all("all still hear each other", lambda node: node.seen(
            honest[2])["tags"].get("role") == "unharmed", honest)
        made.wait_known(honest)
        made.wait_friends(honest)
        check(target.status()["udp_dropped"] == 0, "no datagram was lost")
        check(not [e for node in honest for e in node.events()
                   if e["event"] == "no-answer"], "nobody missed anybody")


if __name__ == "__main__":
    mesh.main(changed, badinput)
