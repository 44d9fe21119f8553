# SPDX-License-Identifier: Apache-2.0
"""HTTPS of kith (docs/protocol.md, sections 4 and 5), client and server."""

import ctypes
import json
import os
import socket
import ssl

import kith_cert as cert
from kith_h2 import Http2
from kith_wire import Malformed, need

ALPN = "kith/1"
TIMEOUT_S = 20
SESSION_FIELDS = ("key", "epoch", "ticket", "reset", "you", "renew_after",
                  "valid_for", "root", "members", "version")


class Refused(Exception):
    """An error of section 5."""

    def __init__(self, status, reason, detail=""):
        self.status = status
        self.reason = reason
        self.detail = detail
        super().__init__(f"{status} {reason}")

    @classmethod
    def of(cls, status, body):
        """The error that the other side answered with."""
        try:
            answer = json.loads(body)
            return cls(status, answer.get("reason"), answer.get("detail"))
        except (ValueError, AttributeError):
            return cls(status, None)

    def body(self):
        return json.dumps({"reason": self.reason,
                           "detail": self.detail}).encode()


# TLS ---------------------------------------------------------------------

def tls_context(leaf_key, chain, server=False):
    """A context that presents this chain (DER, leaf first).

    OpenSSL checks nothing of what the other side presents: verify_chain
    does, after the handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server
                             else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if server else ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([ALPN, "h2"] if server else [ALPN])
    if server:
        context.num_tickets = 0
        accept_any_certificate(context)
    pem = cert.key_pem(leaf_key) + b"".join(
        ssl.DER_cert_to_PEM_cert(der).encode() for der in chain)
    # ssl reads keys from files only: give it one that is in memory.
    memory = os.memfd_create("leaf")
    try:
        os.write(memory, pem)
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    return context


VERIFY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
ACCEPT = VERIFY(lambda _store, _argument: 1)


def accept_any_certificate(context):
    """Ask clients for a certificate and take whatever they present.

    Python's ssl has no way to say so; OpenSSL has.  The SSL_CTX stands
    right behind the head of the Python object.
    """
    library = ctypes.CDLL("libssl.so.3")
    set_callback = library.SSL_CTX_set_cert_verify_callback
    set_callback.argtypes = [ctypes.c_void_p, VERIFY, ctypes.c_void_p]
    set_callback.restype = None
    handle = ctypes.c_void_p.from_address(id(context)
                                          + object.__basicsize__)
    set_callback(handle, ACCEPT, None)


def presented_chain(connection):
    """The chain that the other side presented, DER, leaf first."""
    if hasattr(connection, "get_unverified_chain"):         # since 3.13
        return list(connection.get_unverified_chain())
    chain = connection._sslobj.get_unverified_chain() or []
    return [ssl.PEM_cert_to_DER_cert(c.public_bytes()) for c in chain]


# Client ------------------------------------------------------------------

class Connection:
    """To one node; `id` and `member` say who that is."""

    def __init__(self, address, context, mesh):
        host, port = address
        self.authority = f"[{host}]:{port}" if ":" in host \
            else f"{host}:{port}"
        self.mesh = mesh
        self.socket = context.wrap_socket(
            socket.create_connection(address, TIMEOUT_S))
        need(self.socket.selected_alpn_protocol() == ALPN, "wrong ALPN")
        self.id, self.spki, self.member = cert.verify_chain(
            presented_chain(self.socket))
        self.http = Http2(self.socket)
        self.stream = -1

    def close(self):
        self.socket.close()

    def post(self, path, body=b""):
        """The body of the answer with status 200, or Refused."""
        headers = [(":method", "POST"), (":scheme", "https"),
                   (":authority", self.authority), (":path", path),
                   ("kith-mesh", self.mesh.hex())]
        if body:
            headers += [("content-type", "application/octet-stream"),
                        ("content-length", str(len(body)))]
        self.stream += 2
        self.http.send_message(self.stream, headers, body)
        stream, headers, answer = self.http.read_message()
        need(stream == self.stream, "answer to no request")
        status = headers.get(":status", "")
        need(status.isdigit(), "an answer without status")
        if status != "200":
            raise Refused.of(int(status), answer)
        return answer

    def session(self):
        """The answer to POST /v1/session."""
        try:
            answer = json.loads(self.post("/v1/session"))
            fields = {name: answer[name] for name in SESSION_FIELDS}
            low, high = answer["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed("the session cannot be read") from error
        need(low <= 1 <= high, "the other side does not speak version 1")
        return fields


# Server ------------------------------------------------------------------

def address_text(address):
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Handler:
    """Answers the requests of one client.

    node: grants sessions and answers /v1/sync (a kith_session.Server).
    """

    def __init__(self, connection, address, node, mesh):
        self.node = node
        self.mesh = mesh
        self.you = address_text(address)
        self.id, _, self.member = cert.verify_chain(
            presented_chain(connection))
        self.http = Http2(connection, server=True)

    def run(self):
        """Until the client closes, which raises ConnectionError."""
        while True:
            stream, headers, body = self.http.read_message()
            try:
                status, answer = 200, self.answer(headers, body)
            except Malformed as error:
                refusal = Refused(400, "malformed", str(error))
                status, answer = 400, refusal.body()
            except Refused as refusal:
                status, answer = refusal.status, refusal.body()
            self.http.send_message(stream, [(":status", str(status))],
                                   answer)

    def answer(self, headers, body):
        if not self.member:
            raise Refused(403, "stranger")
        if headers.get("kith-mesh") != self.mesh.hex():
            raise Refused(409, "mesh")
        what = headers.get(":method"), headers.get(":path")
        if what == ("POST", "/v1/session"):
            return json.dumps(self.node.grant(self.id, self.you)).encode()
        if what == ("POST", "/v1/sync"):
            return self.node.bulk(body)
        raise Refused(404, "unknown")
