# SPDX-License-Identifier: Apache-2.0
"""Keys and datagrams of kith, major version 1, as docs/protocol.md fixes them.

Pure functions and small classes: nothing here opens a socket, reads a clock
or draws randomness.  Whatever comes from outside and cannot be read raises
Malformed.  Numbers in comments are sections of docs/protocol.md.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PIECE_SIZE = 1056
DATAGRAM_MAX = 1200
PAYLOAD_MAX = 32768
SIGNATURE_SIZE = 256
SIGNED_MIN = 48 + 1 + SIGNATURE_SIZE
SIGNED_MAX = 48 + 32 + PAYLOAD_MAX + SIGNATURE_SIZE


class Malformed(ValueError):
    """What was read is not what the protocol says."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac256(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def number(value, size):
    return value.to_bytes(size, "big")


def need(condition, what):
    if not condition:
        raise Malformed(what)


def ascending(keys):
    return all(a < b for a, b in zip(keys, keys[1:]))


class Reader:
    """Takes bytes from the front and never reads past the end."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def left(self):
        return len(self.data) - self.at

    def take(self, size):
        need(size <= self.left(), "cut short")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def rest(self):
        return self.take(self.left())

    def end(self):
        need(self.left() == 0, "bytes left over")


# 1. Identity -------------------------------------------------------------

SPKI_SIZE = 294
SPKI_BEGIN = bytes.fromhex(
    "30820122300d06092a864886f70d01010105000382010f003082010a0282010100")
SPKI_END = bytes.fromhex("0203010001")


def spki_encode(public_key):
    """The SPKI of an RSA public key."""
    return public_key.public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)


def spki_decode(spki):
    """The RSA public key of an SPKI in the one encoding that is accepted."""
    need(len(spki) == SPKI_SIZE, "SPKI has a wrong length")
    need(spki.startswith(SPKI_BEGIN) and spki.endswith(SPKI_END),
         "SPKI is not RSA of 2,048 bits with e = 65537")
    modulus = int.from_bytes(spki[33:289], "big")
    need(modulus >> 2047 and modulus & 1, "SPKI has a wrong modulus")
    return rsa.RSAPublicNumbers(65537, modulus).public_key()


def node_id(spki):
    return sha256(spki)


def sign(key, message):
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def signature_holds(public_key, signature, message):
    try:
        public_key.verify(signature, message, padding.PKCS1v15(),
                          hashes.SHA256())
    except InvalidSignature:
        return False
    return True


# 2. Mesh -----------------------------------------------------------------

def open_mesh_id(name):
    raw = name.encode()
    need(1 <= len(raw) <= 64, "a mesh name has 1 to 64 bytes")
    return sha256(b"kith1 open", raw)


def mesh_tag(mesh):
    return sha256(b"kith1 tag", mesh)[:4]


# 6.1 Session keys --------------------------------------------------------

def aes_cbc(key, iv, data, encrypt):
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv))
    step = cipher.encryptor() if encrypt else cipher.decryptor()
    return step.update(data) + step.finalize()


def hkdf_expand(key, info, size):
    out, last, count = b"", b"", 0
    while len(out) < size:
        count += 1
        last = mac256(key, last, info, bytes([count]))
        out += last
    return out[:size]


@dataclass(frozen=True)
class Keys:
    """The four keys of a session in which A asks B."""
    a2b_enc: bytes
    a2b_mac: bytes
    b2a_enc: bytes
    b2a_mac: bytes


def derive_keys(session_key, id_b, mesh):
    out = hkdf_expand(session_key, b"kith1 keys" + id_b + mesh, 128)
    return Keys(*(out[i:i + 32] for i in range(0, 128, 32)))


def address_bytes(ip, port):
    """ip: an ipaddress.IPv4Address or IPv6Address."""
    return (bytes([ip.version]) + ip.packed.ljust(16, b"\0")
            + number(port, 2))


@dataclass
class Secrets:
    """What B keeps to open the datagrams of everybody."""
    epochs: dict            # epoch (4 bytes): secret (32 bytes)
    ticket_key: bytes
    reset_key: bytes
    cookie_key: bytes

    def session_key(self, epoch, id_a):
        return mac256(self.epochs[epoch], b"kith1 session", id_a)

    def ticket(self, epoch, id_a):
        return aes_cbc(self.ticket_key, epoch + bytes(12), id_a, True)

    def open_ticket(self, epoch, ticket):
        return aes_cbc(self.ticket_key, epoch + bytes(12), ticket, False)

    def reset_token(self, epoch, ticket):
        return mac256(self.reset_key, b"kith1 reset", ticket, epoch)[:16]

    def cookie(self, id_a, address):
        return mac256(self.cookie_key, b"kith1 cookie", id_a, address)[:16]


# 6.2 to 6.5 Datagrams ----------------------------------------------------

VERSION = 1
BEACON, HINT, REQUEST, ANSWER, RESET = 1, 2, 3, 4, 5
REQUEST_ROOM = 1119     # bytes of items in a request of DATAGRAM_MAX
ANSWER_ROOM = 1135      # bytes of items in an answer of DATAGRAM_MAX


def pad_blocks(data):
    count = 16 - len(data) % 16
    return data + bytes([count]) * count


def unpad_blocks(data):
    count = data[-1]
    need(1 <= count <= 16 and data.endswith(bytes([count]) * count),
         "wrong padding")
    return data[:-count]


def seal(header, mac_key, enc_key, iv, plain):
    sealed = header + iv + aes_cbc(enc_key, iv, pad_blocks(plain), True)
    return sealed + mac256(mac_key, sealed)[:16]


def unseal(datagram, header_size, mac_key, enc_key):
    """The plaintext, or Malformed when the MAC does not hold."""
    body = len(datagram) - header_size - 32
    need(body >= 16 and body % 16 == 0, "wrong length")
    need(hmac.compare_digest(mac256(mac_key, datagram[:-16])[:16],
                             datagram[-16:]), "wrong MAC")
    iv = datagram[header_size:header_size + 16]
    return unpad_blocks(aes_cbc(enc_key, iv,
                                datagram[header_size + 16:-16], False))


def datagram_type(datagram):
    need(2 <= len(datagram) <= DATAGRAM_MAX, "no datagram of kith")
    need(datagram[0] == VERSION, "another version")
    need(BEACON <= datagram[1] <= RESET, "unknown type")
    return datagram[1]


def request_size(items_size):
    return 72 + (items_size // 16 + 1) * 16


def answer_size(items_size):
    return 48 + ((items_size + 16) // 16 + 1) * 16


def answer_room(size):
    """How many bytes of items an answer of at most size bytes holds."""
    return (size - 48) // 16 * 16 - 1 - 16


def seal_request(keys, epoch, ticket, iv, items):
    header = bytes([VERSION, REQUEST, 0, 0]) + epoch + ticket
    return seal(header, keys.a2b_mac, keys.a2b_enc, iv, items)


def request_header(datagram):
    """(epoch, ticket, iv) of a request that is not opened yet."""
    need(len(datagram) >= 88, "a request has at least 88 bytes")
    return datagram[4:8], datagram[8:40], datagram[40:56]


def open_request(keys, datagram):
    return unseal(datagram, 40, keys.a2b_mac, keys.a2b_enc)


def seal_answer(keys, request_iv, iv, items):
    header = bytes([VERSION, ANSWER, 0, 0]) + request_iv[:8] + bytes(4)
    return seal(header, keys.b2a_mac, keys.b2a_enc, iv, request_iv + items)


def open_answer(keys, request_iv, datagram):
    need(datagram[4:12] == request_iv[:8], "answers another request")
    need(len(datagram) >= 80, "an answer has at least 80 bytes")
    plain = unseal(datagram, 16, keys.b2a_mac, keys.b2a_enc)
    need(plain[:16] == request_iv, "answers another request")
    return plain[16:]


def reset_encode(request_iv, token):
    return bytes([VERSION, RESET, 0, 0]) + request_iv[:8] + token


def beacon_encode(count, tag, port, nonce):
    return (bytes([VERSION, BEACON, count, 0]) + tag + number(port, 2)
            + bytes(2) + nonce + bytes(4))


def beacon_decode(datagram):
    """(k, mesh tag, port, nonce)."""
    need(datagram_type(datagram) == BEACON and len(datagram) == 24,
         "no beacon")
    port = int.from_bytes(datagram[8:10], "big")
    need(port, "a beacon without port")
    return datagram[2], datagram[4:8], port, datagram[12:20]


def hint_encode(tag, port, nonce):
    return (bytes([VERSION, HINT, 0, 0]) + tag + number(port, 2) + bytes(2)
            + nonce)


def hint_decode(datagram):
    """(mesh tag, port, nonce)."""
    need(datagram_type(datagram) == HINT and len(datagram) == 20, "no hint")
    port = int.from_bytes(datagram[8:10], "big")
    need(port, "a hint without port")
    return datagram[4:8], port, datagram[12:20]


# 6.6 Items ---------------------------------------------------------------

def prefix_read(reader):
    depth = reader.number(1)
    need(depth <= 64, "prefix is deeper than an id")
    prefix = reader.take((depth + 1) // 2)
    need(depth % 2 == 0 or prefix[-1] & 15 == 0, "prefix has a low nibble")
    return depth, prefix


def under_prefix(node, depth, prefix):
    whole = depth // 2
    return (node[:whole] == prefix[:whole]
            and (depth % 2 == 0 or node[whole] >> 4 == prefix[whole] >> 4))


def child_prefix(depth, prefix, child, levels):
    """Depth and prefix of a child (levels 1) or grandchild (levels 2)."""
    value = int.from_bytes(prefix, "big") >> (4 if depth % 2 else 0)
    value = value << 4 * levels | child
    depth += levels
    return depth, number(value << (4 if depth % 2 else 0), (depth + 1) // 2)


def check_serial(serial):
    need(1 <= serial < 1 << 63, "wrong serial")


def read_serial(reader):
    serial = reader.number(8)
    check_serial(serial)
    return serial


def read_many(reader, read, least=1):
    """Records up to the end of the item."""
    out = []
    while reader.left():
        out.append(read(reader))
    need(len(out) >= least, "an item without records")
    return out


@dataclass(frozen=True)
class Item:
    """Base of all items: type (1), length (2), value."""
    type: ClassVar[int]

    def value(self):
        raise NotImplementedError

    @classmethod
    def read(cls, reader):
        raise NotImplementedError

    def encode(self):
        value = self.value()
        return bytes([self.type]) + number(len(value), 2) + value


@dataclass(frozen=True)
class Pad(Item):
    type = 0x00
    size: int

    def value(self):
        return bytes(self.size)

    @classmethod
    def read(cls, reader):
        return cls(len(reader.rest()))


@dataclass(frozen=True)
class Cookie(Item):
    type = 0x01
    cookie: bytes

    def value(self):
        return self.cookie

    @classmethod
    def read(cls, reader):
        return cls(reader.take(16))


@dataclass(frozen=True)
class Root(Item):
    type = 0x02
    root: bytes
    heads: int

    def value(self):
        return self.root + number(self.heads, 4)

    @classmethod
    def read(cls, reader):
        return cls(reader.take(16), reader.number(4))


@dataclass(frozen=True)
class Nodes(Item):
    """hashes: {child or grandchild: short hash}."""
    type = 0x03
    depth: int
    prefix: bytes
    levels: int
    hashes: dict

    def value(self):
        bits = 16 ** self.levels
        bitmap = sum(1 << (bits - 1 - n) for n in self.hashes)
        return (bytes([self.depth]) + self.prefix + bytes([self.levels])
                + number(bitmap, bits // 8)
                + b"".join(self.hashes[n] for n in sorted(self.hashes)))

    @classmethod
    def read(cls, reader):
        depth, prefix = prefix_read(reader)
        levels = reader.number(1)
        need(levels in (1, 2) and depth + levels <= 64, "wrong levels")
        bits = 16 ** levels
        bitmap = reader.number(bits // 8)
        return cls(depth, prefix, levels,
                   {n: reader.take(4) for n in range(bits)
                    if bitmap >> (bits - 1 - n) & 1})


@dataclass(frozen=True)
class Leaves(Item):
    """leaves: [(id, serial, short hash)], ascending, possibly none."""
    type = 0x04
    depth: int
    prefix: bytes
    leaves: list

    def value(self):
        return (bytes([self.depth]) + self.prefix
                + b"".join(i + number(serial, 8) + short
                           for i, serial, short in self.leaves))

    @classmethod
    def read(cls, reader):
        depth, prefix = prefix_read(reader)
        leaves = read_many(reader, lambda r: (r.take(32), read_serial(r),
                                              r.take(4)), least=0)
        ids = [leaf[0] for leaf in leaves]
        need(ascending(ids), "leaves out of order")
        need(all(under_prefix(i, depth, prefix) for i in ids),
             "leaf is not under its prefix")
        return cls(depth, prefix, leaves)


@dataclass(frozen=True)
class Announce(Item):
    """heads: [(id, serial, first 8 bytes of the head hash)]."""
    type = 0x05
    heads: list

    def value(self):
        return b"".join(i + number(serial, 8) + start
                        for i, serial, start in self.heads)

    @classmethod
    def read(cls, reader):
        return cls(read_many(reader, lambda r: (r.take(32), read_serial(r),
                                                r.take(8))))


@dataclass(frozen=True)
class WantHead(Item):
    """heads: [(id, since, flags)]."""
    type = 0x06
    heads: list
    WITH_SPKI: ClassVar[int] = 1

    def value(self):
        return b"".join(i + number(since, 8) + bytes([flags])
                        for i, since, flags in self.heads)

    @classmethod
    def read(cls, reader):
        return cls(read_many(reader, lambda r: (r.take(32), r.number(8),
                                                r.number(1))))


@dataclass(frozen=True)
class WantPiece(Item):
    """pieces: [(block hash, index)]."""
    type = 0x07
    pieces: list

    def value(self):
        return b"".join(h + number(index, 2) for h, index in self.pieces)

    @classmethod
    def read(cls, reader):
        return cls(read_many(reader, lambda r: (r.take(32), r.number(2))))


@dataclass(frozen=True)
class Spki(Item):
    type = 0x08
    spki: bytes

    def value(self):
        return self.spki

    @classmethod
    def read(cls, reader):
        spki = reader.take(SPKI_SIZE)
        spki_decode(spki)
        return cls(spki)


@dataclass(frozen=True)
class Age(Item):
    type = 0x09
    head: bytes
    seconds: int

    def value(self):
        return self.head + number(self.seconds, 4)

    @classmethod
    def read(cls, reader):
        return cls(reader.take(32), reader.number(4))


@dataclass(frozen=True)
class Piece(Item):
    type = 0x0a
    hash: bytes
    total: int
    index: int
    data: bytes

    def value(self):
        return (self.hash + number(self.total, 4) + number(self.index, 2)
                + self.data)

    @classmethod
    def read(cls, reader):
        piece = cls(reader.take(32), reader.number(4), reader.number(2),
                    reader.rest())
        need(SIGNED_MIN <= piece.total <= SIGNED_MAX,
             "piece of a block that cannot be")
        start = piece.index * PIECE_SIZE
        need(start < piece.total, "piece is past the end of its block")
        need(len(piece.data) == min(PIECE_SIZE, piece.total - start),
             "piece has a wrong length")
        return piece


@dataclass(frozen=True)
class Echo(Item):
    type = 0x0b
    iv: bytes

    def value(self):
        return self.iv

    @classmethod
    def read(cls, reader):
        return cls(reader.take(8))


@dataclass(frozen=True)
class Full(Item):
    type = 0x0c

    def value(self):
        return b""

    @classmethod
    def read(cls, reader):
        return cls()


ITEMS = {cls.type: cls for cls in Item.__subclasses__()}


def items_encode(items):
    return b"".join(item.encode() for item in items)


def items_decode(data):
    """The items of a plaintext; items of unknown type are left out."""
    reader, out = Reader(data), []
    while reader.left():
        cls = ITEMS.get(reader.number(1))
        value = Reader(reader.take(reader.number(2)))
        if cls:
            out.append(cls.read(value))
            value.end()
    return out
