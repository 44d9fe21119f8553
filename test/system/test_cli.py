#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command kith, as an operator uses it, on two machines."""

import hashlib
import json
import os
import subprocess

import mesh
from mesh import check

NOT, USAGE, UNREACHED = 1, 2, 3


class Kith:
    """The command on one machine."""

    def __init__(self, node):
        self.node = node

    def __call__(self, *command, stdin=b"", code=0, text=True):
        done = subprocess.run(
            [mesh.build_dir() / "kith", "--socket", self.node.socket,
             *map(str, command)], input=stdin, capture_output=True)
        check(done.returncode == code, f"kith {' '.join(map(str, command))}: "
              f"exit code {done.returncode}: {done.stderr.decode()}")
        return done.stdout.decode() if text else done.stdout

    def json(self, *command):
        return json.loads(self("--json", *command))


def look(here, there, made):
    """The commands that show something."""
    ids = {node.id for node in made.nodes}
    status = here.json("status")
    check(status["id"] == here.node.id and status["members"] == 2,
          f"status: {status}")
    check({n["id"] for n in here.json("nodes")} == ids, "nodes")
    check([n["id"] for n in here.json("friends")] == [there.node.id],
          "friends")
    check(here.json("show", there.node.host)["id"] == there.node.id,
          "show by host name")
    check(here.json("show", there.node.id[:8])["name"] == there.node.host,
          "show by the beginning of an id")
    check(here.node.id in here("id"), "id")
    for command in ("nodes", "friends"):
        check(there.node.host in here(command), f"{command}, for people")
    check(here.node.host in here("show"), "show, for people")


def say(here, there, made):
    """The commands that change something, seen from the other machine."""
    here("set", "role=printer", "floor=3")
    made.wait("both tags", lambda: there.node.seen(here.node)["tags"]
              == {"role": "printer", "floor": "3"})
    here("unset", "floor")
    made.wait("one tag", lambda: there.node.seen(here.node)["tags"]
              == {"role": "printer"})
    payload = os.urandom(32768)
    file = mesh.RUN / "payload"
    file.write_bytes(payload)
    here("put", "from-file", file)
    here("put", "from-stdin", stdin=b"\0\xff plain\n")
    made.wait("both blocks", lambda: there.node.block(
        here.node, "from-file") and there.node.block(here.node, "from-stdin"))
    check(there("get", here.node.host, "from-file", text=False) == payload,
          "get what came from a file")
    check(there("get", here.node.id, "from-stdin", text=False)
          == b"\0\xff plain\n", "get what came from standard input")
    export(here, there)
    here("rm", "from-file")
    made.wait("it is removed", lambda: there.node.block(
        here.node, "from-file") is None)
    there("get", here.node.host, "from-file", code=NOT)


def export(here, there):
    """openssl alone can check what a node said."""
    folder = mesh.RUN / "exported"
    there("export", here.node.host, "from-stdin", folder)
    key, = folder.glob("*.pub.pem")
    signed, sig = folder / "from-stdin.signed", folder / "from-stdin.sig"
    said = mesh.run("openssl", "dgst", "-sha256", "-verify", key,
                    "-signature", sig, signed)
    check(said.strip() == "Verified OK", f"openssl dgst: {said}")
    der = mesh.RUN / "key.der"
    mesh.run("openssl", "pkey", "-pubin", "-in", key, "-outform", "der",
             "-out", der)
    check(hashlib.sha256(der.read_bytes()).hexdigest() == here.node.id,
          "the id is the hash of the key")
    signed.write_bytes(signed.read_bytes() + b"!")
    check("Verified OK" not in mesh.run(
        "openssl", "dgst", "-sha256", "-verify", key, "-signature", sig,
        signed, ok=None), "an altered one does not hold")


def go(here, there, made):
    """away, leave, forget; and wait, which waits for the return."""
    here("wait", "--nodes", "3", "--timeout", "1", code=NOT)
    there("away")
    made.wait("away", lambda: here.node.seen(there.node)["state"] == "away")
    here("forget", there.node.id, code=NOT)
    there("leave")
    made.wait("left", lambda: here.node.seen(there.node)["state"] == "left")
    here("forget", there.node.id)
    here("show", there.node.id, code=NOT)
    there.node.stop()
    there("status", code=UNREACHED)
    waiting = subprocess.Popen(
        [mesh.build_dir() / "kith", "--socket", here.node.socket, "wait",
         "--timeout", "60", there.node.id], stdout=subprocess.DEVNULL)
    made.start(nodes=[there.node])
    check(waiting.wait(60) == 0, "wait ends when the node is up")


def cli():
    if not (mesh.build_dir() / "kith").exists():
        mesh.skip("there is no kith")
    with mesh.mesh(2) as made:
        here, there = map(Kith, made.nodes)
        here("status", code=UNREACHED)
        made.start()
        here("wait", "--nodes", "2", "--timeout", "60")
        there("wait", "--timeout", "60", here.node.id)
        made.wait_friends()
        look(here, there, made)
        say(here, there, made)
        go(here, there, made)
        here("nonsense", code=USAGE)
        here("set", "UPPER=x", code=USAGE)


if __name__ == "__main__":
    mesh.main(cli)
