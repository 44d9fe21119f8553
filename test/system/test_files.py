#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Files and options that are not as they should be."""

import contextlib
import os
import random
import shutil
import sqlite3
import subprocess

import mesh
from mesh import check

CANNOT, USAGE = 1, 2
LEVELS = ("debug", "info", "warn", "error")


def said(node, code, *options, words=(), program=None):
    """Start it in the foreground: it must end at once, with this exit code
    and a line, besides those of the log, that has these words."""
    command = node.command(*(program or node.kithd("--socket", node.socket)),
                           *options)
    done = subprocess.run(command, capture_output=True, text=True,
                          timeout=30)
    lines = [line for line in done.stderr.splitlines()
             if not line.startswith(tuple(f"kithd: {level}:"
                                          for level in LEVELS))]
    check(done.returncode == code,
          f"{options}: exit code {done.returncode}: {done.stderr}")
    check(len(lines) == 1 and lines[0].startswith("kithd: "),
          f"{options}: not one line: {lines}")
    for word in words:
        check(word in lines[0], f"{options}: no {word!r} in: {lines[0]}")
    print(f"  {lines[0]}")



def secrets(node):
    return {name: (node.state / name).read_bytes()
            for name in ("node.key", "node.crt", "vault")}


@contextlib.contextmanager
def untouched(node):
    """What happens meanwhile costs neither identity nor secrets."""
    before = secrets(node)
    yield
    check(secrets(node) == before, "identity and vault are as they were")


def starts_again(made, node):
    made.start(nodes=[node])
    check(node.status()["id"] == node.id, "it kept its identity")


def options():
    """A wrong option or value: exit code 2, and what would be right."""
    with mesh.mesh(1) as made:
        node = made.nodes[0]
        for words, *given in (
                (("--prot", "--port"), "--prot", "1"),
                (("--port", "1 to 65535"), "--port", "0"),
                (("--port", "65536"), "--port=65536"),
                (("--log-level", "debug"), "--log-level", "loud"),
                (("--listen",), "--listen", "300.1.1.1"),
                (("--peer",), "--peer", "a b"),
                (("--mesh",), "--mesh", ""),
                (("--port", "twice"), "--port", "1", "--port", "2"),
                (("--port", "needs"), "--port"),
                (("stray",), "stray")):
            said(node, USAGE, *given, words=words)
        conf = mesh.RUN / "bad.conf"
        for words, text in (((":2:", "prot"), "# a comment\nprot = 1\n"),
                            ((":1:", "NAME = VALUE"), "port\n"),
                            ((":3:", "sections"), "\n\n[mesh]\n")):
            conf.write_text(text)
            said(node, USAGE, words=(str(conf), *words), program=[
                mesh.build_dir() / "kithd", "--config", conf])
        said(node, USAGE, words=("nowhere.conf",), program=[
            mesh.build_dir() / "kithd", "--config", "/run/nowhere.conf"])


def files():
    with mesh.mesh(2) as made:
        node, other = made.nodes
        made.start()
        made.wait_known()
        node.set("role", "keeper")
        node.put("notes", b"not to be lost")
        other.put("from-other", b"x" * 9000)
        made.wait_all("blocks are everywhere", lambda n: n.block(
            node, "notes") and n.block(other, "from-other"))
        in_use(made, node, other)
        node.stop()
        modes(made, node)
        keys(made, node)
        newer(made, node)
        damaged(made, node, other)


def in_use(made, node, other):
    """The state folder, the port or the socket is somebody else's."""
    said(node, CANNOT, words=(str(node.state), "in use"))
    with untouched(node):
        said(node, CANNOT, "--state", mesh.RUN / "second",
             "--socket", mesh.RUN / "second.sock", words=("in use", "port"),
             program=[mesh.build_dir() / "kithd", "--machine-binding", "off",
                      "--config", mesh.RUN / "empty.conf"])
        said(node, CANNOT, "--state", mesh.RUN / "third", "--port", "17000",
             "--socket", node.socket, words=(str(node.socket),),
             program=[mesh.build_dir() / "kithd", "--machine-binding", "off",
                      "--config", mesh.RUN / "empty.conf"])
    check(node.up() and other.up(), "those that run go on")


def modes(made, node):
    """Files that others could read or nobody can write."""
    with untouched(node):
        for name in ("node.key", "vault"):
            (node.state / name).chmod(0o644)
            said(node, CANNOT, words=(name, "600"))
            (node.state / name).chmod(0o600)
        node.state.chmod(0o777)
        said(node, CANNOT, words=(str(node.state), "700"))
        node.state.chmod(0o700)
        mesh.run("mount", "--bind", node.state, node.state)
        mesh.run("mount", "-o", "remount,bind,ro", node.state)
        said(node, CANNOT, words=(str(node.state), "Read-only"))
        mesh.run("umount", node.state)
        empty = mesh.RUN / "readonly"
        empty.mkdir()
        mesh.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", empty)
        said(node, CANNOT, "--state", empty / "state",
             words=(str(empty), "Read-only"), program=[
                 mesh.build_dir() / "kithd", "--config",
                 mesh.RUN / "empty.conf"])
    starts_again(made, node)
    made.wait_known()
    check(node.block(node, "notes") == b"not to be lost", "nothing is lost")
    check(node.seen(node)["tags"] == {"role": "keeper"}, "nothing is lost")
    node.stop()


def keys(made, node):
    """A key that cannot be used is not replaced by another."""
    good = (node.state / "node.key").read_bytes()
    for bad in (b"", good[:500], b"-----BEGIN nothing-----\n",
                mesh.run("openssl", "genrsa", "1024").encode(),
                mesh.run("openssl", "genrsa", "3072").encode(),
                mesh.run("openssl", "genrsa", "-3", "2048").encode()):
        (node.state / "node.key").write_bytes(bad)
        said(node, CANNOT, words=("node.key",))
        check((node.state / "node.key").read_bytes() == bad,
              "it is left as it is")
    (node.state / "node.key").write_bytes(
        mesh.run("openssl", "genrsa", "2048").encode())
    said(node, CANNOT, words=("node.crt",))
    (node.state / "node.key").write_bytes(good)


def database(node):
    return node.state / "kith.db"


def newer(made, node):
    """A database of a newer version is left alone."""
    keep = database(node).read_bytes()
    with contextlib.closing(sqlite3.connect(database(node))) as db:
        db.execute("PRAGMA user_version = 99")
    before = database(node).read_bytes()
    with untouched(node):
        said(node, CANNOT, words=("kith.db", "newer"))
    check(database(node).read_bytes() == before, "it is left as it is")
    database(node).write_bytes(keep)


def damaged(made, node, other):
    """A damaged database is set aside, and the mesh fills a new one."""
    good = {path: path.read_bytes() for path in node.state.iterdir()}
    size = database(node).stat().st_size

    def garbage(data):
        middle = size // 3
        return (data[:middle] + random.Random(7).randbytes(size // 3)
                + data[middle + size // 3:])

    for what, damage in (("garbage in the middle", garbage),
                         ("cut", lambda data: data[:size // 2]),
                         ("no database", lambda data: b"x" * 5000),
                         ("empty", lambda data: b""),
                         ("lost", None)):
        for path in node.state.glob("kith.db*"):
            path.unlink()
        if damage:
            database(node).write_bytes(damage(good[database(node)]))
        starts_again(made, node)
        made.wait(f"{what}: it has what the other said", lambda: node.block(
            other, "from-other") == b"x" * 9000)
        check(not what.startswith(("garbage", "cut", "no"))
              or list(node.state.glob("kith.db.damaged-*")),
              f"{what}: the damaged file is set aside")
        check(node.status()["store"] == "disk", f"{what}: it keeps on disk")
        node.stop()
    check("damaged" in node.log(), "the log says so")
    vault = (node.state / "vault").read_bytes()
    (node.state / "vault").write_bytes(bytes(len(vault)))
    serial = other.seen(node)["serial"]
    starts_again(made, node)
    made.wait_known()
    made.wait_all("a lost vault does not keep it from signing", lambda n:
                  n.seen(node)["serial"] > serial)
    check(not [e for e in node.events() + other.events()
               if e["event"] in ("clone", "equivocation")], "no clone")


def disk_full():
    """It runs on from memory, and says so; serials are kept."""
    with mesh.mesh(2) as made:
        node, other = made.nodes
        small = mesh.RUN / "small"
        small.mkdir()
        mesh.run("mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs",
                 small)
        shutil.copytree(node.state, small, dirs_exist_ok=True)
        node.state = small
        made.start()
        made.wait_known()
        with open(small / "ballast", "wb") as ballast, \
                contextlib.suppress(OSError):
            while True:
                os.write(ballast.fileno(), bytes(4096))
        node.put("on-full-disk", os.urandom(30000))
        made.wait_all("it signs and tells nevertheless",
                      lambda n: n.block(node, "on-full-disk"))
        made.wait("it says that nothing is kept",
                  lambda: node.status()["store"] == "memory")
        serial = other.seen(node)["serial"]
        node.kill()
        made.start(nodes=[node])
        made.wait_known()
        made.wait("serials rise also over a crash now",
                  lambda: other.seen(node)["serial"] > serial)


if __name__ == "__main__":
    mesh.main(options, files, disk_full)
