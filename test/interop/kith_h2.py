# SPDX-License-Identifier: Apache-2.0
"""As much of HTTP/2 (RFC 9113, RFC 7541) as kith needs, for both sides.

Messages are whole: headers, then a body, in memory.
"""

from kith_wire import Reader, need, number

# HPACK -------------------------------------------------------------------

STATIC_SIZE = 61
STATIC = {2: (":method", "GET"), 3: (":method", "POST"), 4: (":path", "/"),
          5: (":path", "/index.html"), 8: (":status", "200"),
          9: (":status", "204"), 10: (":status", "206"),
          11: (":status", "304"), 12: (":status", "400"),
          13: (":status", "404"), 14: (":status", "500")}
TABLE_MAX = 4096
# The Huffman code is canonical: length of the code, and which characters
# have it.  Those with longer codes are in no header that we read.
HUFFMAN_LENGTHS = (
    (5, "012aceiost"), (6, " %-./3456789=A_bdfghlmnpru"),
    (7, ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"), (8, "&*,;XZ"), (10, "!\"()?"),
    (11, "'+|"), (12, "#>"), (13, "\0$@[]~"), (14, "^}"), (15, "<`{"))


def huffman_codes():
    """{(length, code): character}."""
    out, code, last = {}, 0, 0
    for length, characters in HUFFMAN_LENGTHS:
        code <<= length - last
        last = length
        for character in characters:
            out[length, code] = character
            code += 1
    return out


HUFFMAN = huffman_codes()


def huffman_decode(raw):
    out, code, length = "", 0, 0
    for byte in raw:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            if (length, code) in HUFFMAN:
                out += HUFFMAN[length, code]
                code = length = 0
    need(length < 8 and code == (1 << length) - 1, "wrong Huffman code")
    return out


def integer_encode(value, prefix_bits):
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([value])
    out, value = bytes([limit]), value - limit
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def headers_encode(headers):
    """Literals without indexing and without Huffman."""
    out = b""
    for name, value in headers:
        out += b"\0"
        for text in (name.encode(), value.encode()):
            out += integer_encode(len(text), 7) + text
    return out


def read_integer(reader, first, prefix_bits):
    limit = (1 << prefix_bits) - 1
    value, shift = first & limit, 0
    if value < limit:
        return value
    while True:
        byte = reader.number(1)
        need(shift <= 28, "integer is too long")
        value += (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def read_string(reader):
    first = reader.number(1)
    raw = reader.take(read_integer(reader, first, 7))
    return huffman_decode(raw) if first & 0x80 \
        else raw.decode("utf-8", "replace")


class HeaderDecoder:
    """Keeps the dynamic table of one direction of a connection."""

    def __init__(self):
        self.table = []         # the newest first
        self.limit = TABLE_MAX

    def entry(self, index):
        need(1 <= index <= STATIC_SIZE + len(self.table),
             "index into no table")
        if index > STATIC_SIZE:
            return self.table[index - STATIC_SIZE - 1]
        return STATIC.get(index, (f"static {index}", ""))

    def shrink(self):
        while sum(32 + len(n) + len(v) for n, v in self.table) > self.limit:
            self.table.pop()

    def decode(self, block):
        """{name: value}."""
        reader, out = Reader(block), {}
        while reader.left():
            first = reader.number(1)
            if first & 0x80:
                name, value = self.entry(read_integer(reader, first, 7))
            elif first & 0xe0 == 0x20:
                self.limit = read_integer(reader, first, 5)
                need(self.limit <= TABLE_MAX, "table is too large")
                self.shrink()
                continue
            else:
                index = read_integer(reader, first,
                                     6 if first & 0x40 else 4)
                name = self.entry(index)[0] if index else read_string(reader)
                value = read_string(reader)
                if first & 0x40:
                    self.table.insert(0, (name, value))
                    self.shrink()
            out[name] = value
        return out


# Frames ------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY,
 WINDOW_UPDATE, CONTINUATION) = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, HAS_PRIORITY = 0x4, 0x8, 0x20
S_PUSH, S_WINDOW, S_FRAME = 2, 4, 5
WINDOW = 65535
FRAME_MAX = 16384
BODY_MAX = 64 << 20


def frame(frame_type, flags, stream, payload=b""):
    return (number(len(payload), 3) + bytes([frame_type, flags])
            + number(stream, 4) + payload)


def unpadded(flags, payload):
    if flags & PADDED:
        need(payload and payload[0] < len(payload), "wrong padding")
        payload = payload[1:len(payload) - payload[0]]
    return payload


class Message:
    """What has come on a stream so far."""

    def __init__(self):
        self.block = b""
        self.headers = {}
        self.body = bytearray()
        self.ended = False


class Http2:
    """One side of a connection."""

    def __init__(self, socket, server=False):
        self.socket = socket
        self.decoder = HeaderDecoder()
        self.window = WINDOW            # what we may send in all
        self.windows = {}               # stream: what we may send on it
        self.first_window = WINDOW      # what each new stream begins with
        self.frame_max = FRAME_MAX
        self.messages = {}              # stream: Message
        if server:
            need(self.read_exactly(len(PREFACE)) == PREFACE, "no HTTP/2")
            self.send(SETTINGS, 0, 0)
        else:
            self.socket.sendall(PREFACE)
            self.send(SETTINGS, 0, 0, number(S_PUSH, 2) + number(0, 4))

    # Whole messages.

    def send_message(self, stream, headers, body=b""):
        self.windows.setdefault(stream, self.first_window)
        self.send(HEADERS, END_HEADERS | (0 if body else END_STREAM), stream,
                  headers_encode(headers))
        at = 0
        while at < len(body):
            room = min(self.window, self.windows[stream], self.frame_max)
            if room <= 0:
                self.receive()
                continue
            part = body[at:at + room]
            at += len(part)
            self.window -= len(part)
            self.windows[stream] -= len(part)
            self.send(DATA, END_STREAM if at == len(body) else 0, stream,
                      part)

    def read_message(self):
        """(stream, {name: value}, body) of the next one that is whole."""
        while True:
            for stream, message in self.messages.items():
                if message.ended:
                    del self.messages[stream]
                    return stream, message.headers, bytes(message.body)
            self.receive()

    # Frames.

    def send(self, frame_type, flags, stream, payload=b""):
        self.socket.sendall(frame(frame_type, flags, stream, payload))

    def read_exactly(self, size):
        out = b""
        while len(out) < size:
            part = self.socket.recv(size - len(out))
            if not part:
                raise ConnectionError("the connection was closed")
            out += part
        return out

    def receive(self):
        """Read one frame and do what it says."""
        header = Reader(self.read_exactly(9))
        size, frame_type = header.number(3), header.number(1)
        flags, stream = header.number(1), header.number(4) & 0x7fffffff
        need(size <= FRAME_MAX, "frame is too long")
        payload = self.read_exactly(size)
        if frame_type == SETTINGS and not flags & ACK:
            self.take_settings(payload)
        elif frame_type == PING and not flags & ACK:
            self.send(PING, ACK, 0, payload)
        elif frame_type == GOAWAY:
            raise ConnectionError("the other side says GOAWAY")
        elif frame_type == RST_STREAM:
            raise ConnectionError("the other side reset a stream")
        elif frame_type == WINDOW_UPDATE:
            self.take_window(stream, payload)
        elif frame_type == DATA:
            self.take_data(stream, flags, payload)
        elif frame_type in (HEADERS, CONTINUATION):
            self.take_headers(stream, frame_type, flags, payload)

    def take_settings(self, payload):
        reader = Reader(payload)
        while reader.left():
            key, value = reader.number(2), reader.number(4)
            if key == S_WINDOW:
                for stream in self.windows:
                    self.windows[stream] += value - self.first_window
                self.first_window = value
            elif key == S_FRAME:
                self.frame_max = value
        self.send(SETTINGS, ACK, 0)

    def take_window(self, stream, payload):
        step = Reader(payload).number(4) & 0x7fffffff
        if stream == 0:
            self.window += step
        else:
            self.windows.setdefault(stream, self.first_window)
            self.windows[stream] += step

    def take_data(self, stream, flags, payload):
        message = self.messages.get(stream)
        need(message, "DATA without HEADERS")
        message.body += unpadded(flags, payload)
        need(len(message.body) <= BODY_MAX, "body is too long")
        message.ended = bool(flags & END_STREAM)
        if payload:
            step = number(len(payload), 4)
            self.send(WINDOW_UPDATE, 0, 0, step)
            if not message.ended:
                self.send(WINDOW_UPDATE, 0, stream, step)

    def take_headers(self, stream, frame_type, flags, payload):
        message = self.messages.setdefault(stream, Message())
        if frame_type == HEADERS:
            payload = unpadded(flags, payload)
            payload = payload[5:] if flags & HAS_PRIORITY else payload
            self.end_stream = bool(flags & END_STREAM)
        message.block += payload
        if flags & END_HEADERS:
            headers = self.decoder.decode(message.block)
            message.block = b""
            if not headers.get(":status", "").startswith("1"):
                message.headers = message.headers or headers
            message.ended = self.end_stream
