#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The peer port: who gets in, and what the others are told."""

import contextlib
import datetime
import json
import socket
import ssl
import time

import mesh
from interop import cert, h2, http, own_of, wire
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from mesh import check

BEGIN = datetime.datetime(2000, 1, 1)
LATER = datetime.datetime.utcnow() + datetime.timedelta(days=7)
ACCEPTED = "accepted"
SLOW_S = 10         # request_ms of the server, and room for a busy machine
SLOW_MAX_S = 30


# Handshakes --------------------------------------------------------------

def presented(chain, leaf_key):
    """A file that holds a chain of DER and its key."""
    path = mesh.RUN / "presented.pem"
    path.write_bytes(cert.key_pem(leaf_key) + b"".join(
        ssl.DER_cert_to_PEM_cert(der).encode() for der in chain))
    return path


def attempt(target, pem=None, alpn=("kith/1",), highest=None):
    """ACCEPTED, or why the agent ended the handshake.

    In TLS 1.3 a client that is refused learns of it at its first read; the
    first that it gets from who accepts it are the settings of HTTP/2.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if highest:
        context.minimum_version = context.maximum_version = highest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if pem:
        context.set_ciphers("DEFAULT@SECLEVEL=0")   # short keys as well
        context.load_cert_chain(pem)
    try:
        with socket.create_connection((target.v4, mesh.PORT), 20) as plain, \
                context.wrap_socket(plain) as client:
            check(client.version() == "TLSv1.3", client.version())
            check(client.recv(9)[3:4] == b"\4", "settings come first")
            return ACCEPTED
    except ssl.SSLError as error:
        return error.reason or str(error)
    except ConnectionError as error:
        return type(error).__name__


def chains():
    """[(what, whether it is accepted, chain, key of the leaf)]."""
    node_key, leaf_key = cert.make_node_key(), cert.make_leaf_key()
    node = cert.make_node(node_key, 1, BEGIN, LATER)
    others = [cert.make_node(cert.make_node_key(), n + 2, BEGIN, LATER)
              for n in range(4)]

    def leaf(key=leaf_key, signer=node_key, end=LATER, **how):
        return cert.make_leaf(signer, key, 2, BEGIN, end, **how)

    def with_node_key(key):
        return [leaf(signer=key), cert.make_node(key, 1, BEGIN, LATER)]

    rsa_key = cert.make_node_key()
    p384 = ec.generate_private_key(ec.SECP384R1())
    lately = datetime.datetime.utcnow() - datetime.timedelta(hours=47)
    good = leaf()
    return [
        ("a good chain", True, [good, node], leaf_key),
        ("the node behind others", True, [good, *others[:3], node],
         leaf_key),
        ("the node between others", True, [good, others[0], node, others[1]],
         leaf_key),
        ("a leaf that expired within 48 hours", True,
         [leaf(end=lately), node], leaf_key),
        ("no node certificate", False, [good], leaf_key),
        ("others only", False, [good, *others], leaf_key),
        ("too many others", False, [good, *others, node], leaf_key),
        ("the node twice", False, [good, node, node], leaf_key),
        ("the node certificate as leaf", False, [node], node_key),
        ("an RSA leaf", False, [leaf(key=rsa_key), node], rsa_key),
        ("a P-384 leaf", False, [leaf(key=p384), node], p384),
        ("a leaf that is a CA", False, [leaf(ca=True), node], leaf_key),
        ("a leaf without basicConstraints", False, [leaf(ca=None), node],
         leaf_key),
        ("a leaf for servers only", False, [leaf(usages=("server",)), node],
         leaf_key),
        ("a leaf for nothing", False, [leaf(usages=()), node], leaf_key),
        ("another issuer's name", False, [leaf(issuer="somebody"), node],
         leaf_key),
        ("a leaf of another key's", False,
         [leaf(signer=cert.make_node_key()), node], leaf_key),
        ("a leaf that expired long ago", False,
         [leaf(end=datetime.datetime(2020, 1, 1)), node], leaf_key),
        ("a node key of 1,024 bits", False, with_node_key(
            rsa.generate_private_key(65537, 1024)), leaf_key),
        ("a node key of 3,072 bits", False, with_node_key(
            rsa.generate_private_key(65537, 3072)), leaf_key),
        ("a node key with e = 3", False, with_node_key(
            rsa.generate_private_key(3, 2048)), leaf_key),
    ]


def pss_chain():
    """A node key that is for RSASSA-PSS; made by openssl."""
    mesh.run("openssl", "req", "-x509", "-newkey", "rsa-pss", "-pkeyopt",
             "rsa_keygen_bits:2048", "-nodes", "-subj", "/CN=kith node",
             "-keyout", "/run/pss.key", "-out", "/run/pss.crt", "-addext",
             "basicConstraints=critical,CA:FALSE")
    mesh.run("openssl", "req", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=kith leaf",
             "-keyout", "/run/pss-leaf.key", "-out", "/run/pss-leaf.csr")
    (mesh.RUN / "leaf.cnf").write_text(
        "basicConstraints=critical,CA:FALSE\n"
        "extendedKeyUsage=serverAuth,clientAuth\n")
    mesh.run("openssl", "x509", "-req", "-in", "/run/pss-leaf.csr", "-CA",
             "/run/pss.crt", "-CAkey", "/run/pss.key", "-set_serial", "7",
             "-days", "7", "-extfile", "/run/leaf.cnf", "-out",
             "/run/pss-leaf.crt")
    pem = mesh.RUN / "pss.pem"
    pem.write_text("".join((mesh.RUN / name).read_text() for name in (
        "pss-leaf.key", "pss-leaf.crt", "pss.crt")))
    return pem


def handshakes(target):
    good = None
    for what, accepted, chain, key in chains():
        pem = presented(chain, key)
        outcome = attempt(target, pem)
        print(f"  {what}: {outcome}")
        check((outcome == ACCEPTED) == accepted, f"{what}: {outcome}")
        if not good:
            good = pem.rename(mesh.RUN / "good.pem")
    for what, outcome in (
            ("an RSASSA-PSS node key", attempt(target, pss_chain())),
            ("no certificate", attempt(target)),
            ("TLS 1.2", attempt(target, good, highest=ssl.TLSVersion.TLSv1_2)),
            ("no ALPN", attempt(target, good, alpn=())),
            ("HTTP/1.1", attempt(target, good, alpn=("http/1.1",)))):
        print(f"  {what}: {outcome}")
        check(outcome != ACCEPTED, f"{what} is accepted")
    check(attempt(target, good, alpn=("h2",)) == ACCEPTED, "ALPN h2")
    check(attempt(target, good, alpn=("h2", "kith/1")) == ACCEPTED, "both")
    check(openssl_says(target, good).count("0-RTT") == 0, "no early data")


def openssl_says(target, pem):
    """What openssl s_client sees of the agent."""
    said = mesh.run("openssl", "s_client", "-connect",
                    f"{target.v4}:{mesh.PORT}", "-alpn", "kith/1", "-cert",
                    pem, "-key", pem, "-ign_eof", "-sess_out",
                    "/run/session.pem", stdin="", ok=None)
    check("New, TLSv1.3" in said, "TLS 1.3")
    check("New Session Ticket" not in said, "no tickets")
    check("id-ecPublicKey" in said or "EC" in said, "a P-256 leaf")
    return said


# Requests ----------------------------------------------------------------

class Curl:
    """Requests of curl's, with the certificates of curl_session.sh."""

    def __init__(self, target, folder):
        self.target = target
        self.folder = folder
        self.mesh = wire.open_mesh_id("open").hex()

    def ask(self, path, *options, mesh_id=None, method="POST"):
        """(status, JSON or None)."""
        mesh_id = self.mesh if mesh_id is None else mesh_id
        header = ["--header", f"kith-mesh: {mesh_id}"] if mesh_id else []
        said = mesh.run(
            "curl", "--silent", "--http2", "--insecure", "--max-time", "20",
            "--cert", self.folder / "chain.pem", "--key",
            self.folder / "leaf.key", "--write-out", "\n%{http_code}",
            "--request", method, *header, *options,
            f"https://{self.target.v4}:{mesh.PORT}{path}", ok=None)
        body, _, status = said.rpartition("\n")
        return int(status), json.loads(body) if body else None

    def refused(self, status, reason, path, *options, **how):
        got, body = self.ask(path, *options, **how)
        check((got, body and body.get("reason")) == (status, reason),
              f"{path} {options} {how}: {got} {body}")


def requests(target, folder):
    answer = json.loads(mesh.run(
        mesh.HERE.parent / "interop" / "curl_session.sh",
        f"{target.v4}:{mesh.PORT}", folder))
    check(len(answer["key"]) == len(answer["ticket"]) == 64
          and answer["version"] == [1, 1], f"a session: {answer}")
    check(target.id not in json.dumps(answer), "no id is transmitted")
    curl = Curl(target, folder)
    check(curl.ask("/v1/session")[0] == 200, "once more")
    check(curl.ask("/v1/session", "--data", '{"new": [1]}')[0] == 200,
          "a body that version 1 ignores")
    curl.refused(409, "mesh", "/v1/session", mesh_id="")
    curl.refused(409, "mesh", "/v1/session", mesh_id="ab" * 32)
    curl.refused(409, "mesh", "/v1/session", mesh_id="open")
    curl.refused(404, "unknown", "/")
    curl.refused(404, "unknown", "/v1/nodes", method="GET")
    curl.refused(404, "unknown", "/v1/nothing", "--data", "x")
    curl.refused(404, "unknown", "/v1/session/../../etc/passwd")
    curl.refused(400, "malformed", "/v1/session", method="GET")
    curl.refused(400, "malformed", "/v1/sync", "--data-binary", "nonsense")
    status, _ = curl.ask("/v1/session", "--header", f"x: {'y' * 60000}")
    check(status in (0, 400, 431), f"headers without end: {status}")
    strangers(curl)


def oversize(target, own):
    """A body that is too large is refused, at best before it is sent."""
    for path, size, announced in (("/v1/session", 4097, True),
                                  ("/v1/session", 4097, False),
                                  ("/v1/sync", (4 << 20) + 1, True)):
        connection = http.Connection((target.v4, mesh.PORT), own.context(),
                                     own.mesh)
        headers = [(":method", "POST"), (":scheme", "https"),
                   (":authority", "agent"), (":path", path),
                   ("kith-mesh", own.mesh.hex())]
        if announced:
            headers.append(("content-length", str(size)))
            connection.http.send(h2.HEADERS, h2.END_HEADERS, 1,
                                 h2.headers_encode(headers))
        else:
            connection.http.send_message(1, headers, bytes(size))
        _, answer, body = connection.http.read_message()
        connection.close()
        check((answer[":status"], json.loads(body)["reason"])
              == ("413", "size"), f"{path}, {size} bytes: {answer} {body}")


def strangers(curl):
    """A node certificate that another key signed: told why, and no more."""
    key, other = cert.make_node_key(), cert.make_node_key()
    leaf_key = cert.make_leaf_key()
    builder, _ = cert.build(key.public_key(), None, cert.SUBJECT,
                            cert.SUBJECT, 1, BEGIN, LATER)
    node = cert.finish(builder.add_extension(
        cert.x509.BasicConstraints(False, None), True), other)
    leaf = cert.make_leaf(key, leaf_key, 2, BEGIN, LATER)
    folder = mesh.RUN / "stranger"
    folder.mkdir()
    (folder / "leaf.key").write_bytes(cert.key_pem(leaf_key))
    (folder / "chain.pem").write_text("".join(
        ssl.DER_cert_to_PEM_cert(der) for der in (leaf, node)))
    stranger = Curl(curl.target, folder)
    stranger.refused(403, "stranger", "/v1/session")
    stranger.refused(403, "stranger", "/v1/sync")


# Those who waste time ----------------------------------------------------

def slow(target):
    """Who says nothing, or too little, is cut."""
    begin = time.monotonic()
    silent = connect(target)
    trickle = connect(target)
    rubbish = connect(target)
    rubbish.sendall(b"GET / HTTP/1.0\r\n\r\n")
    check(cut_within(rubbish, 5), "what is no TLS is cut at once")
    tls = context_of(mesh.RUN / "good.pem").wrap_socket(connect(target))
    tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    hello = b"\x16\x03\x01\x40\x00\x01" + bytes(200)
    for byte in hello:
        try:
            trickle.sendall(bytes([byte]))
        except OSError:
            break
        if time.monotonic() > begin + SLOW_MAX_S:
            break
        time.sleep(0.1)
    check(cut_within(trickle, 1), "a slow handshake is cut")
    check(cut_within(silent, SLOW_MAX_S), "a silent client is cut")
    check(cut_within(tls, SLOW_MAX_S), "a client without request is cut")
    check(time.monotonic() - begin > SLOW_S / 2, "they were given time")
    print(f"  all slow ones were cut after {time.monotonic() - begin:.0f} s")


def connect(target):
    return socket.create_connection((target.v4, mesh.PORT), 20)


def context_of(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["kith/1"])
    context.load_cert_chain(pem)
    return context


def cut_within(client, seconds):
    """Whether the other side ends this connection in that time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        client.settimeout(left)
        try:
            if not client.recv(4096):
                return True
        except TimeoutError:
            return False
        except OSError:
            return True
    return False


def many(made, target, others):
    """One address cannot take all connections."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(target)) for _ in range(40)]
        alive = sum(not cut_within(client, 0.05) for client in held)
        check(alive <= 16, f"{alive} connections from one address")
        others[0].stop()
        made.start(nodes=[others[0]])
        made.wait_known([target, *others])
    print(f"  of 40 connections from one address {alive} were kept")


def tls():
    with mesh.mesh(4) as made:
        agents, machine = made.nodes[:3], made.nodes[3]
        target = agents[0]
        made.start(nodes=agents)
        made.wait_known(agents)
        made.wait_friends(agents)
        with machine.inside():
            handshakes(target)
            requests(target, mesh.RUN / "curl")
            oversize(target, own_of(machine))
            many(made, target, agents[1:])
            slow(target)
        made.wait_known(agents)
        made.wait_friends(agents)
        check(not [e for node in agents for e in node.events()
                   if e["event"] == "no-answer"], "nobody missed anybody")


if __name__ == "__main__":
    mesh.main(tls)
