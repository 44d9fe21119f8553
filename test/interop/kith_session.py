# SPDX-License-Identifier: Apache-2.0
"""Sealed datagrams between A and B (docs/protocol.md, sections 5.1 and 6).

Session is A's half over any transport, Server is B's half, which keeps
nothing about A.
"""

import hmac
import os
import time

import kith_sync as sync
import kith_wire as wire
from kith_wire import Malformed

COOKIE_SIZE = 19            # with type and length
ECHO_SIZE = 11
WAIT_S = (0.3, 0.6, 1.2)    # how long each try waits for its answer


class SessionLost(Exception):
    """B does not know the session any more."""


class Unanswered(Exception):
    """Three tries brought no answer."""


class Session:
    """What A holds after POST /v1/session.

    link: has send(datagram) and receive(seconds), which returns a datagram
    or None.
    """

    def __init__(self, id_b, mesh, granted, link):
        key, self.epoch, self.ticket, self.reset = (
            bytes.fromhex(granted[name])
            for name in ("key", "epoch", "ticket", "reset"))
        wire.need((len(key), len(self.epoch), len(self.ticket),
                   len(self.reset)) == (32, 4, 32, 16),
                  "a field of the session has a wrong length")
        self.keys = wire.derive_keys(key, id_b, mesh)
        self.link = link
        self.cookie = None
        self.echo = None        # IV[:8] of the newest answer
        self.requests = 0

    def ask(self, make):
        """Send a request; (its IV, the items of the answer)."""
        for wait in WAIT_S:
            iv = os.urandom(16)
            plain = self.fill(wire.items_encode(make(iv)))
            self.requests += 1
            self.link.send(wire.seal_request(self.keys, self.epoch,
                                             self.ticket, iv, plain))
            answer = self.wait(iv, time.monotonic() + wait)
            if answer is not None:
                return iv, answer
        raise Unanswered()

    def fill(self, plain):
        """Add ECHO and the cookie; without one, PAD for a long answer."""
        room = wire.REQUEST_ROOM - len(plain)
        if self.echo and room >= ECHO_SIZE:
            plain += wire.Echo(self.echo).encode()
            room -= ECHO_SIZE
        if self.cookie and room >= COOKIE_SIZE:
            return plain + wire.Cookie(self.cookie).encode()
        return plain + (wire.Pad(room - 3).encode() if room >= 3 else b"")

    def wait(self, iv, deadline):
        """The items of the answer, None when none came."""
        while True:
            left = deadline - time.monotonic()
            datagram = self.link.receive(left) if left > 0 else None
            if datagram is None:
                return None
            try:
                return self.open(iv, datagram)
            except Malformed:
                continue

    def open(self, iv, datagram):
        kind = wire.datagram_type(datagram)
        if kind == wire.RESET and len(datagram) == 28:
            if (datagram[4:12] == iv[:8]
                    and hmac.compare_digest(datagram[12:], self.reset)):
                raise SessionLost()
        if kind != wire.ANSWER:
            raise Malformed("no answer")
        items = wire.items_decode(wire.open_answer(self.keys, iv, datagram))
        self.echo = datagram[16:24]
        for item in items:
            if isinstance(item, wire.Cookie):
                self.cookie = item.cookie
        return items


class Server:
    """B's half: grants sessions and answers, but does no I/O."""

    def __init__(self, spki, store, secrets):
        self.id = wire.node_id(spki)
        self.store = store
        self.secrets = secrets
        self.responder = sync.Responder(store)

    def grant(self, id_a, you):
        """The answer to POST /v1/session, as a dictionary."""
        epoch = next(reversed(self.secrets.epochs))
        ticket = self.secrets.ticket(epoch, id_a)
        root = self.responder.root()
        return {"key": self.secrets.session_key(epoch, id_a).hex(),
                "epoch": epoch.hex(), "ticket": ticket.hex(),
                "reset": self.secrets.reset_token(epoch, ticket).hex(),
                "you": you, "renew_after": 43200, "valid_for": 86400,
                "root": root.root.hex(), "members": root.heads,
                "version": [1, 1]}

    def bulk(self, body):
        """The answer to POST /v1/sync."""
        return sync.bulk_answer(self.store, body)

    def datagram(self, datagram, address):
        """The datagram that answers this one, or None.

        address: that of the sender, as wire.address_bytes makes it.
        """
        try:
            if wire.datagram_type(datagram) != wire.REQUEST:
                return None
            epoch, ticket, iv = wire.request_header(datagram)
            if epoch not in self.secrets.epochs:
                return wire.reset_encode(
                    iv, self.secrets.reset_token(epoch, ticket))
            id_a = self.secrets.open_ticket(epoch, ticket)
            keys = wire.derive_keys(self.secrets.session_key(epoch, id_a),
                                    self.id, self.store.mesh)
            items = wire.items_decode(wire.open_request(keys, datagram))
        except Malformed:
            return None
        room = wire.answer_room(len(datagram))
        first = []
        cookie = self.secrets.cookie(id_a, address)
        if wire.Cookie(cookie) in items:
            room = wire.ANSWER_ROOM
        elif room >= COOKIE_SIZE + 23:
            first = [wire.Cookie(cookie)]
            room -= COOKIE_SIZE
        items = first + self.responder.answer(iv, items, room)
        return wire.seal_answer(keys, iv, os.urandom(16),
                                wire.items_encode(items))
