# SPDX-License-Identifier: Apache-2.0
"""Traffic on a bridge, recorded and taken apart."""

import ipaddress
import socket
import struct
import threading
from dataclasses import dataclass

from mesh import PORT, RUN, check

GROUPS = {"239.255.107.104", "ff02::6b69:7468"}
IPV4, IPV6, TCP, UDP = 0x0800, 0x86dd, 6, 17
FRAME_MAX = 65536
BUFFER = 32 << 20
ETH_P_ALL, SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_STATISTICS = 3, 263, 1, 6
PACKET_MR_PROMISC, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 1, 33, 35
SYN, ACK = 0x02, 0x10
BEACON, HINT, REQUEST, ANSWER, RESET = 1, 2, 3, 4, 5


@dataclass(frozen=True)
class Packet:
    time: float             # seconds since 1970
    frame: bytes            # all of it
    source: tuple = None    # (address, port); None: neither TCP nor UDP
    target: tuple = None
    protocol: int = 0
    flags: int = 0          # of TCP
    hops: int = 0
    payload: bytes = b""

    def is_from(self, node):
        return self.frame[6:12] == bytes.fromhex(node.mac.replace(":", ""))

    def is_datagram(self, kind):
        """Whether this is a datagram of kith of that type."""
        return (self.protocol == UDP and PORT in (self.source[1],
                                                  self.target[1])
                and self.payload[:2] == bytes([1, kind]))

    def is_beacon(self):
        return self.is_datagram(BEACON) and self.target[0] in GROUPS

    def is_dial(self):
        """Whether somebody begins a TCP connection to an agent."""
        return (self.protocol == TCP and self.target[1] == PORT
                and self.flags & (SYN | ACK) == SYN)


class Capture:
    """What goes over a bridge from now on.

    A bridge hands multicasts to whoever listens on it, and everything to who
    listens promiscuously.
    """

    def __init__(self, mesh, bridge="br0", multicasts_only=False):
        self.file = RUN / f"{bridge}.pcap"
        self.frames = []        # (time, frame)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                    socket.htons(ETH_P_ALL))
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        except PermissionError:     # not root: as much as everybody gets
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                   BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((bridge, 0))
        if not multicasts_only:
            self.socket.setsockopt(
                SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack(
                    "iHH8s", socket.if_nametoindex(bridge),
                    PACKET_MR_PROMISC, 0, b""))
        self.socket.settimeout(0.1)
        self.ending = False
        self.thread = threading.Thread(target=self.record, daemon=True)
        self.thread.start()
        mesh.captures.append(self)

    def record(self):
        while True:
            try:
                frame, extra, _, _ = self.socket.recvmsg(FRAME_MAX, 64)
            except TimeoutError:
                if self.ending:
                    return
                continue
            s, ns = struct.unpack("qq", extra[0][2])
            self.frames.append((s + ns / 1e9, frame))

    def stop(self):
        """End it, if that was not done. No frame may have been lost."""
        if self.ending:
            return
        self.ending = True
        self.thread.join()
        _, lost = struct.unpack("II", self.socket.getsockopt(
            SOL_PACKET, PACKET_STATISTICS, 8))
        self.socket.close()
        self.save()
        check(lost == 0, f"{lost} frames were not recorded")

    def save(self):
        """For people: pcap-savefile(5)."""
        with open(self.file, "wb") as file:
            file.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0,
                                   FRAME_MAX, 1))
            for time, frame in self.frames:
                file.write(struct.pack("=IIII", int(time), int(time % 1 * 1e6),
                                       len(frame), len(frame)) + frame)

    def packets(self):
        """All packets up to now."""
        return [packet(time, frame) for time, frame in list(self.frames)]


def packet(time, frame):
    """Fields of a frame; extension headers of IPv6 are not looked into."""
    kind = int.from_bytes(frame[12:14], "big")
    body = frame[14:]
    if kind == IPV4:
        header = (body[0] & 15) * 4
        size = int.from_bytes(body[2:4], "big")
        protocol, hops = body[9], body[8]
        addresses = body[12:16], body[16:20]
        if int.from_bytes(body[6:8], "big") & 0x1fff:
            return Packet(time, frame)      # a later fragment
    elif kind == IPV6:
        header, size = 40, 40 + int.from_bytes(body[4:6], "big")
        protocol, hops = body[6], body[7]
        addresses = body[8:24], body[24:40]
    else:
        return Packet(time, frame)
    inner = body[header:size]
    if protocol not in (TCP, UDP):
        return Packet(time, frame)
    source, target = ((str(ipaddress.ip_address(address)), port)
                      for address, port in zip(addresses, struct.unpack_from(
                          ">2H", inner)))
    skip = 8 if protocol == UDP else (inner[12] >> 4) * 4
    return Packet(time, frame, source, target, protocol,
                  inner[13] if protocol == TCP else 0, hops, inner[skip:])
