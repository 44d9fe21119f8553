#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An independent peer for kith: lists members, gets and publishes blocks.

It was written from docs/protocol.md alone, to show that this page is enough
and to test the agent against something that shares no code with it.  It
writes JSON.
"""

import argparse
import base64
import json
import pathlib
import sys
import time

import kith_http as http
import kith_node as nodes
import kith_selftest as selftest
import kith_session as sessions
import kith_state as state
import kith_wire as wire

def facts_of(member):
    block = member.blocks.get("facts")
    try:
        return state.facts_decode(block.block.payload) if block else []
    except wire.Malformed:
        return []


def member_json(node, member, now):
    return {"id": node.hex(), "serial": member.serial(),
            "hash": member.signed.hash.hex(), "flags": member.head.flags,
            "lease": member.head.lease, "age": int(now - member.known_since),
            "complete": not member.missing(), "gone": member.gone(now),
            "facts": facts_of(member),
            "misses": [m.id.hex() for m in member.head.misses],
            "blocks": [{"name": e.name, "type": e.type, "serial": e.serial,
                        "size": e.size, "hash": e.hash.hex()}
                       for e in member.head.entries]}


# Commands ----------------------------------------------------------------

def do_list(peer, args):
    equal = peer.sync(args.via)
    now = time.time()
    return peer.summary(equal) | {"members": [
        member_json(node, member, now)
        for node, member in sorted(peer.store.members.items())]}


def do_get(peer, args):
    equal = peer.sync(args.via)
    found = [m for node, m in peer.store.members.items()
             if node.hex().startswith(args.id.lower())]
    if len(found) != 1:
        sys.exit(f"{len(found)} members begin with {args.id}")
    signed = ({"head": found[0].signed} | found[0].blocks).get(args.name)
    if signed is None:
        sys.exit(f"there is no block {args.name}")
    block = signed.block
    return peer.summary(equal) | {
        "id": block.author.hex(), "name": block.name, "type": block.type,
        "serial": block.serial, "hash": signed.hash.hex(),
        "payload": base64.b64encode(block.payload).decode()}


def do_publish(peer, args):
    own = peer.own
    state.check_name(args.name.encode(), state.USER)
    payload = pathlib.Path(args.file).read_bytes()
    if len(payload) > wire.PAYLOAD_MAX:
        sys.exit(f"{args.file} has more than {wire.PAYLOAD_MAX} bytes")
    own.keep(own.sign(state.USER, args.name, payload))
    own.sign_head()
    taken = peer.publish(args.via)
    equal = peer.sync(args.via)
    return peer.summary(equal) | {
        "id": own.id.hex(), "name": args.name, "taken": taken,
        "serial": peer.store.members[own.id].serial()}


def is_missed(own, store):
    """Whether a member says that it misses the own newest head."""
    mine = store.members[own.id].signed.hash[:8]
    return any(miss.id == own.id and miss.head == mine
               for member in store.members.values()
               for miss in member.head.misses)


def run(own, args):
    """Be a member for a while: sync, and refute what misses us.

    A host has a store of its own, so that its threads share nothing with
    what this one does.
    """
    own.sign_head()
    host = nodes.Host(own) if args.listen else None
    peer = nodes.Peer(own, args.to) if args.to else None
    out = {"own": own.id.hex(), "syncs": 0, "refutations": 0}
    if peer:
        out["taken"] = peer.publish(args.via)
    deadline, signed = time.time() + args.seconds, time.time()
    while time.time() < deadline:
        time.sleep(min(1.0, max(0.0, deadline - time.time())))
        stores = [part.store for part in (peer, host) if part]
        missed = any([is_missed(own, store) for store in stores])
        if missed or time.time() > signed + nodes.LEASE_S * 0.8:
            own.sign_head()
            signed = time.time()
            out["refutations"] += missed
            announce(host, peer)
        if peer:
            out["equal"] = peer.asker.sync()
            out["syncs"] += 1
    if args.leave:
        own.sign_head(leave=True)
        announce(host, peer)
    if peer:
        out |= peer.summary(out.get("equal", False))
    if host:
        out["served"] = host.summary()
    return out


def announce(host, peer):
    """Make the own newest head known."""
    if host:
        host.renew()
    if peer:
        peer.publish()


def parse_address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", metavar="ADDR:PORT", type=parse_address)
    parser.add_argument("--mesh", metavar="NAME", default="open")
    parser.add_argument("--state", metavar="DIR", type=pathlib.Path,
                        help="keeps the own key and blocks")
    parser.add_argument("--via", choices=("datagrams", "bulk"),
                        default="datagrams", help="how to bring much")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all members that the peer holds")
    command = commands.add_parser("get", help="a block of a member")
    command.add_argument("id", metavar="IDPREFIX")
    command.add_argument("name", metavar="NAME")
    command = commands.add_parser("publish", help="an own block")
    command.add_argument("name", metavar="NAME")
    command.add_argument("file", metavar="FILE")
    command = commands.add_parser(
        "run", help="be a member for a while; --to is optional if it listens")
    command.add_argument("--listen", metavar="ADDR:PORT",
                         type=parse_address)
    command.add_argument("--seconds", type=float, default=30)
    command.add_argument("--leave", action="store_true")
    commands.add_parser("selftest", help="needs no other node")
    args = parser.parse_args()
    if args.command == "selftest":
        return args
    if not args.state or not (args.to or getattr(args, "listen", None)):
        parser.error("--to and --state are needed")
    return args


COMMANDS = {"list": do_list, "get": do_get, "publish": do_publish}


def main():
    args = arguments()
    if args.command == "selftest":
        print(json.dumps(selftest.run(), indent=1))
        return
    try:
        own = nodes.Own(args.state, wire.open_mesh_id(args.mesh),
                        getattr(args, "listen", None))
        if args.command == "run":
            answer = run(own, args)
        else:
            answer = COMMANDS[args.command](nodes.Peer(own, args.to), args)
    except (OSError, ValueError, http.Refused, sessions.Unanswered,
            sessions.SessionLost) as error:
        print(json.dumps({"error": type(error).__name__,
                          "detail": str(error)}))
        sys.exit(1)
    print(json.dumps(answer, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
