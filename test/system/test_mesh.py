#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Agents that find each other and tell each other things."""

import os
import time

import mesh
from capture import Capture
from mesh import check

QUIET_S = 20
LARGE = os.urandom(32768)
SMALL = os.urandom(100)


def found(made):
    """Nobody looks for others any more, and all say so."""
    made.wait_all("beacons have stopped",
                  lambda node: not node.status()["searching"])
    for node in made.nodes:
        check([e["event"] for e in node.events()
               if e["event"] in ("searching", "found")]
              == ["searching", "found"], f"{node.name} searched once")


def sums_up(made):
    """What everybody says of everybody is true."""
    for node in made.nodes:
        seen = node.nodes()
        check(set(seen) == {other.id for other in made.nodes},
              f"{node.name} knows other ids than there are")
        for other in made.nodes:
            said = seen[other.id]
            check(said["name"] == other.host, f"the name of {other.name}")
            check(set(said["addresses"]) == {f"{other.v4}:{mesh.PORT}",
                                             f"[{other.v6}]:{mesh.PORT}"},
                  f"addresses of {other.name}: {said['addresses']}")
            check(said["self"] == (node is other), "who I am")


def tags_travel(made):
    """set arrives everywhere, and again; unset as well."""
    author = made.nodes[0]
    for value in ("first", "second", "größer → ✓"):
        author.set("role", value)
        made.wait_all(f"role = {value}", lambda node: node.seen(author)[
            "tags"].get("role") == value)
    author.call("DELETE", "/v1/tags/role")
    made.wait_all("role is not set",
                  lambda node: "role" not in node.seen(author)["tags"])


def blocks_travel(made):
    """put of the smallest and the largest can be had everywhere; rm ends."""
    author = made.nodes[-1]
    kinds = {"empty": b"", "small": SMALL, "large": LARGE}
    for name, payload in kinds.items():
        author.put(name, payload)
    for name, payload in kinds.items():
        made.wait_all(f"everybody has the block {name}",
                      lambda node: node.block(author, name) == payload)
    author.call("DELETE", "/v1/blocks/large")
    made.wait_all("the block large is gone",
                  lambda node: node.block(author, "large") is None)
    check(all(node.block(author, "small") == SMALL for node in made.nodes),
          "the other block stays")
    refuses(author, 413, "PUT", "/v1/blocks/over", LARGE + b"x")
    refuses(author, 400, "PUT", "/v1/blocks/head", b"x")
    refuses(author, 404, "DELETE", "/v1/blocks/large")


def refuses(node, status, *request):
    try:
        node.call(*request)
    except mesh.Refused as refused:
        check(refused.status == status, f"{request[:2]}: {refused}")
        return
    raise mesh.Failed(f"{request[:2]} was not refused")


def quiet(made, record, since, but=None):
    """No beacon since then, for QUIET_S, but of one that began anew."""
    time.sleep(max(0, since + QUIET_S - time.time()))
    record.stop()
    beacons = [p for p in record.packets() if p.is_beacon()]
    check(beacons, "the capture shows beacons at all")
    late = [p for p in beacons
            if p.time > since + 0.2 and not (but and p.is_from(but))]
    check(not late, f"{len(late)} beacons after all had found others")
    check(all(p.hops == 255 for p in beacons), "hop limit of beacons")
    print(f"{len(beacons)} beacons, then none for {QUIET_S} s")


def lively(n):
    """A mesh of n, to the point where all is settled."""
    with mesh.mesh(n) as made:
        record = Capture(made, multicasts_only=True)
        begin = time.monotonic()
        made.start()
        made.wait_known()
        print(f"all {n} know all after {time.monotonic() - begin:.1f} s")
        found(made)
        since = time.time()
        made.wait_friends()
        sums_up(made)
        tags_travel(made)
        blocks_travel(made)
        goes = made.nodes[-1] if n <= 21 else None
        if goes:
            partings(made, goes)
        quiet(made, record, since, goes)


def partings(made, goes):
    """away, leave and forget; it comes back in the end."""
    stays, rest = made.nodes[0], made.nodes[:-1]
    goes.call("POST", "/v1/away")
    made.wait_all("it is away",
                  lambda node: node.seen(goes)["state"] == "away", rest)
    refuses(stays, 409, "DELETE", f"/v1/nodes/{goes.id}")
    goes.call("POST", "/v1/leave")
    made.wait_all("it has left",
                  lambda node: node.seen(goes)["state"] == "left", rest)
    check(stays.block(goes, "small") == SMALL, "last words can be read")
    for node in rest:
        node.call("DELETE", f"/v1/nodes/{goes.id}")
        refuses(node, 404, "GET", f"/v1/nodes/{goes.id}")
    goes.stop()
    made.start(nodes=[goes])
    made.wait_known(timeout=90)
    check(stays.block(goes, "small") == SMALL, "it kept its blocks")


def two():
    lively(2)


def five():
    lively(5)


def twentyfive():
    lively(25)


if __name__ == "__main__":
    mesh.main(two, five, twentyfive)
