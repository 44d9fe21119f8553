# SPDX-License-Identifier: Apache-2.0
"""A node of kith: its identity, what it dials and what it serves."""

import datetime
import ipaddress
import os
import pathlib
import socket
import threading
import time

import kith_cert as cert
import kith_http as http
import kith_session as sessions
import kith_state as state
import kith_store as stores
import kith_sync as sync
import kith_wire as wire

LEASE_S = 600
LEAF_LIFE = datetime.timedelta(days=7)
BEGIN = datetime.datetime(2000, 1, 1)
END = datetime.datetime(9999, 12, 31, 23, 59, 59)
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
IPV6_MTU_DISCOVER = 23
TOLD_TRIES, TOLD_WAIT_S = 10, 0.2


def boot_id():
    """(as the kernel prints it, its 16 bytes)."""
    text = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return text, bytes.fromhex(text.replace("-", ""))


class Own:
    """The own identity and blocks, in a folder."""

    def __init__(self, folder, mesh, listen=None):
        """listen: the address that the facts name, if there is one."""
        self.folder = folder
        self.mesh = mesh
        self.run = os.urandom(8)
        self.listen = listen
        folder.mkdir(parents=True, exist_ok=True)
        self.key = self.load_key()
        self.node = self.load("node.crt", lambda: cert.make_node(
            self.key, 1, BEGIN, END))
        self.spki = wire.spki_encode(self.key.public_key())
        self.id = wire.node_id(self.spki)
        self.kept = folder / f"blocks-{wire.mesh_tag(mesh).hex()}"
        self.kept.mkdir(exist_ok=True)

    def load(self, name, make):
        path = self.folder / name
        if not path.exists():
            path.write_bytes(make())
        return path.read_bytes()

    def load_key(self):
        path = self.folder / "node.key"
        if not path.exists():
            path.touch(0o600)
            path.write_bytes(cert.key_pem(cert.make_node_key()))
        return cert.load_key(path.read_bytes())

    def context(self, server=False):
        """A TLS context with a fresh leaf."""
        leaf_key = cert.make_leaf_key()
        leaf = cert.make_leaf(self.key, leaf_key,
                              int.from_bytes(os.urandom(8), "big") | 1,
                              BEGIN, datetime.datetime.utcnow() + LEAF_LIFE)
        return http.tls_context(leaf_key, [leaf, self.node], server)

    def next_serial(self):
        path = self.folder / "serial"
        last = int(path.read_text()) if path.exists() else 0
        serial = max(last + 1, time.time_ns() // 1_000_000)
        path.write_text(str(serial))
        return serial

    def sign(self, block_type, name, payload):
        return state.SignedBlock.sign(
            state.Block(block_type, self.id, self.next_serial(), name,
                        payload), self.mesh, self.key)

    def keep(self, signed):
        (self.kept / signed.block.name).write_bytes(signed.raw)

    def blocks(self):
        """{name: SignedBlock}, the head as well."""
        return {path.name: state.SignedBlock.decode(path.read_bytes(),
                                                    self.mesh)
                for path in self.kept.iterdir()}

    def facts(self):
        name = os.uname()
        listen = ([("addr", http.address_text(self.listen))]
                  if self.listen else [])
        return state.facts_encode(listen + [
            ("host", name.nodename[:512]), ("os", name.sysname),
            ("kernel", name.release), ("arch", name.machine),
            ("agent", "kith_peer 1"), ("boot", boot_id()[0])])

    def sign_head(self, leave=False):
        """Sign facts if they changed, and a head that lists all."""
        flags = ((0 if self.listen else state.DIAL_OUT)
                 | (state.LEAVE if leave else 0))
        blocks = self.blocks()
        blocks.pop("head", None)
        if ("facts" not in blocks
                or blocks["facts"].block.payload != self.facts()):
            blocks["facts"] = self.sign(state.FACTS, "facts", self.facts())
            self.keep(blocks["facts"])
        head = state.Head(boot_id()[1], self.run, LEASE_S,
                          [state.Entry.of(blocks[name])
                           for name in sorted(blocks)], flags=flags)
        self.keep(self.sign(state.HEAD, "head", head.encode()))

    def put_into(self, store):
        """Make the own blocks known to a store, as any others."""
        blocks = self.blocks()
        head = blocks.pop("head", None)
        if head:
            store.add_spki(self.spki)
            age = time.time() - head.block.serial / 1000
            store.add_age(head.hash, max(0, int(age)))
            store.add_block(head.raw)
            for block in blocks.values():
                store.add_block(block.raw)


class UdpLink:
    """Datagrams to one address, not to be fragmented."""

    def __init__(self, address):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                                   IP_PMTUDISC_DO)
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER,
                                   IP_PMTUDISC_DO)
        self.socket.connect(address)

    def send(self, datagram):
        try:
            self.socket.send(datagram)
        except ConnectionRefusedError:
            pass                # of the datagram before this one

    def receive(self, seconds):
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            return None


class Peer:
    """The own node and one other that it dials."""

    def __init__(self, own, address):
        self.own = own
        self.address = address
        self.mesh = own.mesh
        self.context = own.context()
        self.store = stores.Store(self.mesh, time.time)
        own.put_into(self.store)
        self.handshakes = 0
        self.dial()
        self.asker = sync.Asker(self.store, self.ask, self.post)

    def connect(self):
        self.handshakes += 1
        return http.Connection(self.address, self.context, self.mesh)

    def dial(self):
        """A new session."""
        connection = self.connect()
        try:
            self.granted = connection.session()
        finally:
            connection.close()
        self.id, self.member = connection.id, connection.member
        self.session = sessions.Session(self.id, self.mesh, self.granted,
                                        UdpLink(self.address))

    def ask(self, make):
        """A request; with a new session if the old one brings nothing."""
        try:
            return self.session.ask(make)
        except (sessions.SessionLost, sessions.Unanswered):
            self.dial()
            return self.session.ask(make)

    def post(self, body):
        connection = self.connect()
        try:
            return connection.post("/v1/sync", body)
        finally:
            connection.close()

    def sync(self, via):
        """Bring both sides together; whether the roots are equal."""
        if via == "bulk":
            self.asker.sync_bulk()
        return self.asker.sync()

    def told(self, node):
        """Whether B answers with the head that is held here.

        It may still be checking what was given.
        """
        named = self.store.members[node].signed.hash
        for _ in range(TOLD_TRIES):
            answer = self.asker.send([wire.WantHead([(node, 0, 0)])])
            if any(isinstance(item, wire.Age) and item.head == named
                   for item in answer):
                return True
            time.sleep(TOLD_WAIT_S)
        return False

    def summary(self, equal):
        return {"own": self.own.id.hex(), "peer": self.id.hex(),
                "peer_is_member": self.member, "equal": equal,
                "root": self.store.trie().root().hex(),
                "peer_root": self.asker.their_root.root.hex(),
                "you": self.granted["you"], "full": self.asker.full,
                "requests": self.session.requests,
                "handshakes": self.handshakes}

    def publish(self, via="datagrams"):
        """Give the own newest head to B; whether B holds it."""
        self.own.put_into(self.store)
        if via == "bulk":
            self.asker.bulk(gives={self.own.id: 0})
        else:
            self.asker.offers.add(self.own.id)
            self.asker.drain()
        return self.told(self.own.id)


class Host:
    """The own node, as others dial it: TCP and UDP on one port.

    Each connection has a thread; one lock guards the store.
    """

    def __init__(self, own):
        self.own = own
        self.store = stores.Store(own.mesh, time.time)
        own.put_into(self.store)
        self.lock = threading.RLock()
        self.requests = 0
        self.node = sessions.Server(own.spki, self.store, wire.Secrets(
            {os.urandom(4): os.urandom(32)},
            *(os.urandom(32) for _ in range(3))))
        self.context = own.context(server=True)
        family = socket.AF_INET6 if ":" in own.listen[0] else socket.AF_INET
        self.tcp = socket.create_server(own.listen, family=family)
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind(own.listen)
        for target in (self.serve_tcp, self.serve_udp):
            threading.Thread(target=target, daemon=True).start()

    def serve_tcp(self):
        while True:
            plain, address = self.tcp.accept()
            plain.settimeout(http.TIMEOUT_S)
            threading.Thread(target=self.serve_one, args=(plain, address),
                             daemon=True).start()

    def serve_one(self, plain, address):
        try:
            with self.context.wrap_socket(plain, server_side=True) as client:
                http.Handler(client, address, self, self.own.mesh).run()
        except (OSError, wire.Malformed):
            pass                # the client's affair, and it sees it

    def serve_udp(self):
        while True:
            datagram, address = self.udp.recvfrom(65536)
            packed = wire.address_bytes(ipaddress.ip_address(address[0]),
                                        address[1])
            with self.lock:
                self.requests += 1
                answer = self.node.datagram(datagram, packed)
            if answer:
                self.udp.sendto(answer, address)

    def renew(self):
        """Serve the own newest head."""
        with self.lock:
            self.own.put_into(self.store)

    def summary(self):
        with self.lock:
            return {"root": self.store.trie().root().hex(),
                    "members": sorted(i.hex() for i in self.store.members),
                    "datagrams": self.requests}

    def grant(self, id_a, you):
        with self.lock:
            return self.node.grant(id_a, you)

    def bulk(self, body):
        with self.lock:
            return self.node.bulk(body)
