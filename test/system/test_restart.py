#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Agents that end, in good order or not, and begin again."""

import time

import mesh
from capture import Capture
from mesh import check

KILLS = 3


def friends_of_all(made):
    return {node.name: set(node.friends()) for node in made.nodes}


def answered_since(made, target, begin):
    """Wait until all others had an answer from this node since then."""
    def condition(node):
        friend = node.friends()[target.id]
        return (friend["proven"] and friend["last_answer"] is not None
                and friend["last_answer"] < time.monotonic() - begin)

    made.wait_all(f"{target.name} answers again", condition,
                  [node for node in made.nodes if node is not target])


def restart():
    """A restart costs nobody a handshake, and moves no friendship."""
    with mesh.mesh(5) as made:
        target = made.nodes[2]
        rest = [node for node in made.nodes if node is not target]
        made.start()
        made.wait_known()
        made.wait_friends()
        target.set("role", "phoenix")
        target.put("notes", b"before")
        made.wait_all("its block is everywhere",
                      lambda node: node.block(target, "notes") == b"before")
        made.wait_all("beacons have stopped",
                      lambda node: not node.status()["searching"])
        serial = rest[0].seen(target)["serial"]
        friends = friends_of_all(made)
        record = Capture(made)

        target.stop()
        made.wait_all("it is away",
                      lambda node: node.seen(target)["state"] == "away", rest)
        check(friends_of_all_but(made, target) == {
            name: ids for name, ids in friends.items()
            if name != target.name}, "its absence moves no friendship")
        begin, stopped = time.monotonic(), time.time()
        made.start(nodes=[target])

        made.wait_known()
        made.wait_friends()
        answered_since(made, target, begin)
        status = target.status()
        check(status["id"] == target.id, "it kept its identity")
        check(all(node.seen(target)["serial"] > serial for node in rest),
              "its serial rose")
        check(status["counters"]["grants"] == 0,
              "nobody made a session with it anew")
        record.stop()
        dials = [p for p in record.packets()
                 if p.is_dial() and p.time > stopped]
        check(any(p.is_from(target) for p in dials),
              "the capture shows its own handshakes")
        check(all(p.is_from(target) for p in dials),
              "nobody dials it, nor anybody else")
        check(friends_of_all(made) == friends, "no friendship moved")
        for node in made.nodes:
            check(node.seen(target)["tags"] == {"role": "phoenix"},
                  f"its tag, as {node.name} sees it")
            check(node.block(target, "notes") == b"before",
                  f"its block, as {node.name} sees it")
        check(not [e for node in rest for e in node.events()
                   if e["event"] in ("no-answer", "gone", "clone")],
              "nobody missed it")


def friends_of_all_but(made, target):
    return {node.name: set(node.friends()) for node in made.nodes
            if node is not target}


def kill():
    """kill -9, again and again: nothing that counts is lost."""
    with mesh.mesh(3) as made:
        target, rest = made.nodes[0], made.nodes[1:]
        made.start()
        made.wait_known()
        serials = []
        for turn in range(KILLS):
            target.set("turn", str(turn))
            target.put("turn", str(turn).encode())
            made.wait_all("its newest block is everywhere", lambda node:
                          node.block(target, "turn") == str(turn).encode())
            serials.append(rest[0].seen(target)["serial"])
            target.kill()
            made.start(nodes=[target])
            check(target.status()["id"] == target.id, "it kept its identity")
            made.wait_all("it signs again", lambda node: node.seen(target)[
                "serial"] > serials[-1], rest)
            made.wait_known()
            made.wait_all("all hold what it says now", lambda node: node.seen(
                target)["serial"] == target.status()["serial"])
            made.wait_all("its tag came back", lambda node: node.seen(
                target)["tags"].get("turn") == str(turn))
        check(serials == sorted(set(serials)), f"serials rise: {serials}")
        check(not [e for node in made.nodes for e in node.events()
                   if e["event"] in ("clone", "equivocation", "gone")],
              "nobody took it for a clone, or for gone")
        answered_since(made, target, time.monotonic())
        check(all(node.block(target, "turn") for node in rest),
              "its block is still there")


if __name__ == "__main__":
    mesh.main(restart, kill)
