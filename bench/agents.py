#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures real agents on loopback: what an idle one costs, and how long a
change takes to all others.

    bench/agents.py [--build DIR] [--agents 25] [--changes 40] [--idle 30]

Prints one table, each figure beside its limit. Needs no root.
"""
import argparse
import http.client
import json
import os
import pathlib
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Agent:
    def __init__(self, build, folder, number):
        self.number = number
        self.socket = f"{folder}/{number}.sock"
        self.joined = set()
        self.rest = b""
        self.process = subprocess.Popen(
            [f"{build}/kithd", "--state", f"{folder}/{number}",
             "--socket", self.socket, "--loopback", "--interface", "lo",
             "--listen", f"127.78.{number // 250}.{number % 250 + 1}",
             "--machine-binding", "off", "--mesh", f"bench-{os.getpid()}",
             "--log-level", "error", "--events", "-"],
            stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)

    def events(self):
        try:
            data = os.read(self.process.stdout.fileno(), 65536)
        except BlockingIOError:
            return
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def request(self, method, path, body=None):
        connection = UnixConnection(self.socket)
        connection.request(method, path, body)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {data!r}")
        return json.loads(data) if data else None

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.process.pid}/{name}").read_text()

    def memory_kib(self, field):
        for line in self.proc("smaps_rollup").splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def cpu_ns(self):
        return int(self.proc("schedstat").split()[0])


class Mesh:
    def __init__(self, build, n):
        self.folder = tempfile.mkdtemp(prefix="kith-bench.")
        self.selector = selectors.DefaultSelector()
        self.agents = []
        keys = [subprocess.Popen(
            [f"{build}/kithd", "--init", "--machine-binding", "off",
             "--state", f"{self.folder}/{i}"], stdout=subprocess.DEVNULL)
            for i in range(n)]
        for key in keys:
            key.wait()
        self.start = time.monotonic()
        for i in range(n):
            agent = Agent(build, self.folder, i)
            self.agents.append(agent)
            self.selector.register(agent.process.stdout,
                                   selectors.EVENT_READ, agent)

    def until(self, seconds, seen):
        """Calls seen(agent, event, now) until it returns true for one."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, _ in self.selector.select(0.1):
                now = time.monotonic()
                for event in key.data.events():
                    if seen(key.data, event, now):
                        return True
        return False

    def wait_joined(self, seconds):
        def seen(agent, event, _):
            if event["event"] == "joined":
                agent.joined.add(event["node"])
            return all(len(a.joined) >= len(self.agents) - 1
                       for a in self.agents)
        return self.until(seconds, seen)

    def change(self, author, value):
        """Sets a tag at one agent; seconds until each other one says so."""
        node = author.request("GET", "/v1/id")["id"]
        times = {}
        start = time.monotonic()
        author.request("PUT", "/v1/tags/bench", value)

        def seen(agent, event, now):
            if (event["event"] == "changed" and event["node"] == node
                    and event["block"] == "facts" and agent is not author):
                times.setdefault(agent.number, now - start)
            return len(times) == len(self.agents) - 1
        self.until(20, seen)
        return times

    def close(self):
        for agent in self.agents:
            agent.process.send_signal(signal.SIGTERM)
        for agent in self.agents:
            agent.process.wait()
        shutil.rmtree(self.folder)


def row(name, value, unit, limit):
    print(f"| {name} | {value:.3g} {unit} | {limit} |")


def measure(mesh, args):
    n = len(mesh.agents)
    print(f"| {n} agents on loopback, {os.cpu_count()} cores | measured "
          "| limit |\n|---|---|---|")
    if not mesh.wait_joined(60):
        sys.exit("not all agents found each other within 60 s")
    row("start until all know all", time.monotonic() - mesh.start, "s", "-")
    time.sleep(20)  # the newcomers' time is over
    before = [a.cpu_ns() for a in mesh.agents]
    start = time.monotonic()
    time.sleep(args.idle)
    used = (sum(a.cpu_ns() for a in mesh.agents) - sum(before)) / 1e9
    row("CPU of an idle agent", 100 * used / n / (time.monotonic() - start),
        "% of a core", "0.1 %")
    for field in "Pss", "Private_Dirty", "Rss":
        row(f"memory of an idle agent, {field}", statistics.median(
            a.memory_kib(field) for a in mesh.agents) / 1024, "MiB",
            "4 MB" if field == "Pss" else "-")
    per_change, everybody, lost = [], [], 0
    for i in range(args.changes):
        times = mesh.change(mesh.agents[i % n], str(i))
        lost += n - 1 - len(times)
        per_change += times.values()
        everybody.append(max(times.values()))
        time.sleep(0.5)
    row("a set, until one other has it, median",
        1000 * statistics.median(per_change), "ms", "-")
    row("a set, until all have it, median",
        1000 * statistics.median(everybody), "ms", "50 ms")
    row("a set, until all have it, worst", 1000 * max(everybody), "ms", "-")
    row("changes that did not come within 20 s", lost, "", "0")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--agents", type=int, default=25)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--idle", type=float, default=30)
    args = parser.parse_args()
    mesh = Mesh(args.build, args.agents)
    try:
        measure(mesh, args)
    finally:
        mesh.close()


if __name__ == "__main__":
    main()
