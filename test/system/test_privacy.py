#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a listener on the network learns: nothing about who is there."""

import hashlib
import socket

import mesh
from capture import TCP, Capture
from mesh import check

PIECE = 8
HOSTS = ("kestrel-7f3a", "lapwing-91bd", "dunlin-e604", "whimbrel-2c58",
         "turnstone-b17e")
MESH_NAME = "estuary-waders"


class Secrets:
    """Byte strings, and 8-byte pieces of some, to be looked for."""

    def __init__(self):
        self.pieces = {}        # piece: of what
        self.texts = {}         # text in lower case: of what

    def add_bytes(self, raw, what):
        """Every piece of it, at all offsets, as bytes and as hex digits."""
        for at in range(len(raw) - PIECE + 1):
            self.pieces[raw[at:at + PIECE]] = what
        digits = raw.hex().encode()
        for at in range(len(digits) - 2 * PIECE + 1):
            self.texts[digits[at:at + 2 * PIECE]] = f"{what}, in hex"

    def add_text(self, text, what):
        self.texts[text.lower().encode()] = what

    def found_in(self, data):
        out = {self.pieces[data[at:at + PIECE]]
               for at in range(len(data) - PIECE + 1)
               if data[at:at + PIECE] in self.pieces}
        lower = data.lower()
        return out | {what for text, what in self.texts.items()
                      if text in lower}


def secrets_of(made):
    out = Secrets()
    out.add_text(MESH_NAME, "name of the mesh")
    out.add_bytes(hashlib.sha256(b"kith1 open" + MESH_NAME.encode()).digest(),
                  "mesh id")
    for node in made.nodes:
        pem = (node.state / "node.crt").read_text()
        der = mesh.pem_to_der(pem)
        out.add_text(node.host, f"host name of {node.name}")
        out.add_bytes(bytes.fromhex(node.id), f"id of {node.name}")
        out.add_bytes(hashlib.sha256(der).digest(),
                      f"certificate hash of {node.name}")
        out.add_bytes(der[-PIECE * 4:], f"certificate of {node.name}")
    return out


def streams(packets):
    """What each side of each TCP connection said, put together."""
    out = {}
    for p in packets:
        if p.protocol == TCP:
            key = p.source, p.target
            out[key] = out.get(key, b"") + p.payload
    return out


def privacy():
    with mesh.mesh(5, hosts=HOSTS) as made:
        record = Capture(made)
        made.start("--mesh", MESH_NAME)
        made.wait_known()
        made.wait_friends()
        author = made.nodes[0]
        author.set("role", "scout")
        author.put("small", b"s" * 500)
        author.put("large", b"l" * 30000)
        made.wait_all("blocks are everywhere",
                      lambda node: node.block(author, "large") is not None)
        made.nodes[1].stop()
        made.start(nodes=[made.nodes[1]])
        made.wait_known()
        made.wait_friends()
        secrets = secrets_of(made)
        before = len(record.packets())
        betray(made)
        made.wait("the traitor's packet was recorded",
                  lambda: any(b"TRAITOR" in p.payload
                              for p in record.packets()[before:]))
        record.stop()
        packets = record.packets()
        traitor = [p for p in packets if b"TRAITOR" in p.frame]
        honest = [p for p in packets if b"TRAITOR" not in p.frame]
        check(len(secrets.found_in(traitor[0].payload)) == 2,
              "what is in clear would be found")
        found = set()
        for p in honest:
            found |= secrets.found_in(p.frame)
        for stream in streams(honest).values():
            found |= secrets.found_in(stream)
        check(not found, f"in clear on the network: {sorted(found)}")
        kinds = {kind: sum(p.is_datagram(kind) for p in honest)
                 for kind in range(1, 6)}
        check(all(kinds[kind] for kind in (1, 2, 3, 4)),
              f"all kinds of datagrams were seen: {kinds}")
        print(f"{len(honest)} packets, {sum(len(p.frame) for p in honest)} "
              f"bytes, datagrams by type: {kinds}")


def betray(made):
    """Send a name and a piece of an id, so that the search is seen to
    work."""
    node = made.nodes[0]
    with node.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"TRAITOR " + bytes.fromhex(node.id)[11:19]
                   + node.host.upper().encode(), (made.nodes[1].v4, 9))


if __name__ == "__main__":
    mesh.main(privacy)
