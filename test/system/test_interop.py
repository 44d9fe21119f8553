#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The independent peer of test/interop as a member of a mesh of agents."""

import base64
import json
import os
import subprocess
import sys

import mesh
from interop import PEER
from mesh import check


class Peer:
    """The command kith_peer.py on a machine without an agent."""

    def __init__(self, machine, target):
        self.machine = machine
        self.base = [sys.executable, "-B", PEER, "--to",
                     f"{target.v4}:{mesh.PORT}", "--state",
                     mesh.RUN / "peer"]

    def __call__(self, *command):
        said = mesh.run(*self.machine.command(*self.base, *command))
        return json.loads(said)

    def begin(self, *command):
        return subprocess.Popen(
            [str(part) for part in self.machine.command(*self.base,
                                                        *command)],
            stdout=subprocess.PIPE, text=True)


def pythonpeer():
    with mesh.mesh(4) as made:
        agents, machine = made.nodes[:3], made.nodes[3]
        author = agents[1]
        made.start(nodes=agents)
        made.wait_known(agents)
        small, large = os.urandom(700), os.urandom(32768)
        author.put("small", small)
        author.put("large", large)
        made.wait_all("blocks are everywhere", lambda node: node.block(
            author, "large") == large, agents)
        peer = Peer(machine, agents[0])
        reads(peer, agents, author, small, large)
        publishes(made, peer, agents, machine)
        is_member(made, peer, agents, machine)


def reads(peer, agents, author, small, large):
    seen = peer("list")
    check(seen["equal"] and seen["peer"] == agents[0].id
          and seen["peer_is_member"], f"list: {seen}")
    check({m["id"] for m in seen["members"]} == {n.id for n in agents},
          "all members are listed")
    for member in seen["members"]:
        host = next(n.host for n in agents if n.id == member["id"])
        check(["host", host] in member["facts"] and member["complete"],
              f"facts of {host}")
    for name, payload in (("small", small), ("large", large)):
        got = peer("get", author.id[:12], name)
        check(base64.b64decode(got["payload"]) == payload, f"get {name}")
    check(peer("--via", "bulk", "list")["equal"], "list, by bulk")


def publishes(made, peer, agents, machine):
    machine.id = peer("list")["own"]
    for via, size in (("datagrams", 3000), ("bulk", 32768)):
        payload = os.urandom(size)
        file = mesh.RUN / f"to-publish-{via}"
        file.write_bytes(payload)
        answer = peer("--via", via, "publish", f"by-{via}", file)
        check(answer["taken"] and answer["id"] == machine.id,
              f"publish: {answer}")
        made.wait_all(f"all have what was published by {via}",
                      lambda node: node.block(machine, f"by-{via}")
                      == payload, agents)
    check(all(node.seen(machine)["name"] == machine.host for node in agents),
          "its facts are shown")


def is_member(made, peer, agents, machine):
    """It listens: agents dial it and hear it, until it leaves."""
    process = peer.begin("run", "--seconds", "8", "--listen",
                         f"{machine.v4}:{mesh.PORT}", "--leave")
    made.wait_all("the peer answers agents", lambda node: node.friends().get(
        machine.id, {}).get("proven"), agents)
    made.wait_known([*agents], n=4)
    out, _ = process.communicate(timeout=60)
    served = json.loads(out)["served"]
    check(served["datagrams"] and len(served["members"]) == 4,
          f"it was asked, and told of all: {served}")
    made.wait_all("it has left", lambda node: node.seen(machine)["state"]
                  == "left", agents)


if __name__ == "__main__":
    mesh.main(pythonpeer)
