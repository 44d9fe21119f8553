#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Networks that lose packets, at random or on purpose."""

import os
import signal
import time

import mesh
from mesh import check

FILTER = """
table inet trouble {{
    chain input {{
        type filter hook input priority 0
        {rule}
    }}
}}
"""
LOSS = "numgen random mod 100 < 5 drop"


def block(node, rule):
    node.nft(FILTER.format(rule=rule))


def heal(node):
    node.nft("delete table inet trouble\n")


def udpblocked():
    """UDP towards one node is dropped: its friends say so; then it heals."""
    with mesh.mesh(4) as made:
        target, rest = made.nodes[0], made.nodes[1:]
        made.start()
        made.wait_known()
        made.wait_friends()
        block(target, f"udp dport {mesh.PORT} drop")
        begin = time.monotonic()
        made.wait_all("it does not answer, by UDP", lambda node: (
            node.seen(target)["state"],
            node.get(f"/v1/nodes/{target.id}")["reason"])
            == ("no answer", "udp"), rest, timeout=90)
        print(f"all noticed after {time.monotonic() - begin:.1f} s")
        check(all(node.seen(other)["state"] == "up" for node in rest
                  for other in rest), "the others answer each other")
        check(all([e["text"] for e in node.events()
                   if e["event"] == "no-answer"] == ["udp"]
                  for node in rest), "one event tells why")
        rest[0].set("role", "news")
        heal(target)
        begin = time.monotonic()
        made.wait_known(timeout=150)
        made.wait_friends(timeout=150)
        made.wait("it got what it missed", lambda: target.seen(rest[0])[
            "tags"].get("role") == "news")
        print(f"healed after {time.monotonic() - begin:.1f} s")
        check(all("back" in [e["event"] for e in node.events()]
                  for node in rest), "an event says that it is back")
        tcpblocked(made, target, rest)


def tcpblocked(made, target, rest):
    """Without TCP, the sessions that there are live on."""
    block(target, f"tcp dport {mesh.PORT} drop")
    begin = time.monotonic()
    made.wait_all("it still answers", lambda node: node.friends()[target.id][
        "last_answer"] < time.monotonic() - begin, rest)
    target.set("role", "still here")
    made.wait_all("it is still heard", lambda node: node.seen(target)[
        "tags"].get("role") == "still here")


def loss():
    """Every node loses 5 of 100 packets; all arrives nevertheless."""
    with mesh.mesh(10) as made:
        for node in made.nodes:
            block(node, LOSS)
        made.start()
        made.wait_known()
        made.wait_friends(timeout=120)
        author, payload = made.nodes[3], os.urandom(30000)
        author.set("role", "whisper")
        author.put("large", payload)
        author.put("pieces", payload[:7000])
        made.wait_all("the tag arrives", lambda node: node.seen(author)[
            "tags"].get("role") == "whisper")
        for name, want in (("large", payload), ("pieces", payload[:7000])):
            made.wait_all(f"the block {name} arrives",
                          lambda node: node.block(author, name) == want)
        retries = sum(node.counter("retries") for node in made.nodes)
        check(retries, "packets were lost at all")
        # Once in a thousand times all three tries of a request are lost.
        made.wait_known()
        made.wait_friends()
        missed = sum(e["event"] == "no-answer" for node in made.nodes
                     for e in node.events())
        print(f"{retries} requests were repeated; {missed} times somebody "
              "was missed for a moment")


def silence():
    """One dies, one stands still: their friends say so. Both come back."""
    with mesh.mesh(5) as made:
        dead, still, *rest = made.nodes
        made.start()
        made.wait_known()
        made.wait_friends()
        begin = time.monotonic()
        dead.kill()
        still.process.send_signal(signal.SIGSTOP)
        for target in (dead, still):
            made.wait_all(f"{target.name} does not answer", lambda node:
                          node.seen(target)["state"] == "no answer", rest, 90)
            reasons = {node.get(f"/v1/nodes/{target.id}")["reason"]
                       for node in rest}
            print(f"{target.name}: {reasons}, all noticed after "
                  f"{time.monotonic() - begin:.1f} s")
            check(reasons <= ({"refused"} if target is dead
                              else {"tcp", "tls", "udp"}), "reasons")
        check(all(node.seen(other)["state"] == "up"
                  for node in rest for other in rest), "the others are up")
        made.wait_all("the others are friends", lambda node: all(
            node.friends().get(other.id, {}).get("proven")
            for other in rest if other is not node), rest)
        still.process.send_signal(signal.SIGCONT)
        made.start(nodes=[dead])
        made.wait_known(timeout=120)
        made.wait_friends(timeout=120)
        check(not [e for node in made.nodes for e in node.events()
                   if e["event"] in ("gone", "left", "clone")],
              "nobody was given up")


if __name__ == "__main__":
    mesh.main(udpblocked, silence, loss)
