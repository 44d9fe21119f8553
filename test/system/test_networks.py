#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Networks of other kinds, and none."""

import time

import mesh
from capture import Capture
from mesh import check


def ipv6only():
    """No IPv4; addresses are tentative when the agents start."""
    with mesh.mesh(4, v4=False, dad=True) as made:
        made.start()
        made.wait_known()
        made.wait_friends()
        author = made.nodes[0]
        author.put("over6", b"6" * 20000)
        made.wait_all("a large block is everywhere",
                      lambda node: node.block(author, "over6") is not None)
        check(all(":" in f["address"].rpartition(":")[0]
                  for f in author.friends().values()), "friends over IPv6")


def linklocal():
    """Nothing but link-local addresses: enough for a mesh on one link."""
    with mesh.mesh(3, v4=False) as made:
        for node in made.nodes:
            mesh.ip(f"addr del {node.v6}/64 dev eth0", node=node)
        made.start()
        made.wait_known()
        made.wait_friends()
        check(all(f["address"].startswith("[fe80::")
                  for node in made.nodes
                  for f in node.friends().values()), "link-local friends")


def noipv6():
    """IPv6 is switched off in the kernel."""
    with mesh.mesh(4, v6=False) as made:
        for node in made.nodes:
            node.sysctl("ipv6.conf.all.disable_ipv6", 1)
        made.start()
        made.wait_known()
        made.wait_friends()
        for node in made.nodes:
            check(node.seen(node)["addresses"]
                  == [f"{node.v4}:{mesh.PORT}"], "IPv4 only")


def nonet():
    """No network at all, then one: the agent is up all the time."""
    with mesh.mesh(2) as made:
        lonely, other = made.nodes
        mesh.ip("link set eth0 down", "link set lo down", node=lonely)
        made.start()
        other.set("role", "patient")
        time.sleep(3)
        status = lonely.status()
        check(status["links"] == 0 and status["friends"] == 0,
              "status says that there is no network")
        check(status["searching"] and not status["heard"], "nor anybody")
        made.wait("it signs for itself",
                  lambda: lonely.status()["members"] == 1)
        lonely.put("diary", b"day 1")
        made.wait("it keeps what it is given",
                  lambda: lonely.block(lonely, "diary") == b"day 1")
        # The kernel forgets IPv6 addresses when a link goes down.
        mesh.ip("link set lo up", "link set eth0 up",
                f"addr add {lonely.v6}/64 dev eth0", node=lonely)
        made.wait_known()
        made.wait_friends()
        made.wait("what it was given is with the other", lambda: other.block(
            lonely, "diary") == b"day 1")
        # And away again, while it runs.
        mesh.ip("link set eth0 down", node=lonely)
        made.wait("the link is gone", lambda: lonely.status()["links"] == 0)
        made.wait("the other does not answer", lambda: lonely.seen(other)[
            "state"] == "no answer", timeout=120)
        made.wait("it looks for others",
                  lambda: lonely.status()["searching"], timeout=120)
        mesh.ip("link set eth0 up", f"addr add {lonely.v6}/64 dev eth0",
                node=lonely)
        made.wait_known()
        made.wait_friends()


def peer():
    """Two networks without multicast between them: --peer crosses."""
    with mesh.mesh(3, networks=2) as made:
        left, right = made.nodes[:3], made.nodes[3:]
        records = [Capture(made, f"br{k}") for k in range(2)]
        made.start(nodes=left)
        made.start(nodes=right)
        made.wait_known(left)
        made.wait_known(right)
        made.wait_all("beacons have stopped",
                      lambda node: not node.status()["searching"])
        time.sleep(3)
        check(all(node.status()["members"] == 3 for node in made.nodes),
              "without --peer they stay two islands")
        left[0].stop()
        made.start("--peer", f"{right[0].v4}:{mesh.PORT}", nodes=[left[0]])
        made.wait_known()
        made.wait_friends()
        left[1].set("side", "left")
        right[2].set("side", "right")
        made.wait_all("tags cross over", lambda node: (
            node.seen(left[1])["tags"], node.seen(right[2])["tags"])
            == ({"side": "left"}, {"side": "right"}))
        for k, record in enumerate(records):
            record.stop()
            here = [node for node in made.nodes if node.network == k]
            beacons = [p for p in record.packets() if p.is_beacon()]
            check(beacons and all(any(p.is_from(node) for node in here)
                                  for p in beacons),
                  "no beacon came over the router")


if __name__ == "__main__":
    mesh.main(ipv6only, linklocal, noipv6, nonet, peer)
