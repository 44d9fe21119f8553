# SPDX-License-Identifier: Apache-2.0
"""A mesh of real agents, each with a network of its own.

      the test's own namespaces: network, mounts, processes
    +------------------------------------------------------------+
    |                        bridge br0                          |
    |     +-------------------+-------------------+--- ...       |
    |     |                   |                   |              |
    |   eth0                eth0                eth0             |
    |  +------+            +------+            +------+          |
    |  |  n1  |            |  n2  |            |  n3  |          |
    |  | kithd|            | kithd|            | kithd|          |
    |  +------+            +------+            +------+          |
    |  10.99.0.1/16        10.99.0.2/16        10.99.0.3/16      |
    |  fd00:99::1/64       fd00:99::2/64       fd00:99::3/64     |
    |  fe80::... /64       ...                 ...               |
    |                                                            |
    |  /run (in memory): n1/ n2/ n3/ = state folders,            |
    |                    n1.sock n1.events n1.log ...            |
    +------------------------------------------------------------+

With several networks there are br1, br2, ... (10.100.0.0/16, fd00:100::/64
and so on), and a namespace "router" that has a leg in each of them and
forwards everything but multicast.

Nothing of this is to be seen from outside, and nothing of it can stay behind:
the first process of the test is the init of its process namespace, so
whatever ends it (also kill -9, also a timeout of ctest) ends all agents, and
with the last process the kernel removes namespaces, bridges and /run. So
tests neither disturb the machine's network nor each other.

Where users may make user namespaces, no root is needed.

KITH_BUILD names the folder of the programs; KITH_SYSTEM_KEEP one to be made,
into which a test that fails copies /run: states, logs, captures.
"""

import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
INSIDE = "KITH_SYSTEM_INSIDE"
RUN = pathlib.Path("/run")
TOOLS = ("unshare", "ip", "nft", "openssl", "curl")
SKIP = 77
PORT = 16990
POLL_S = 0.05
STOP_S = 20
LOG_TAIL = 60
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


class Failed(AssertionError):
    """What the test is about does not hold."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def build_dir():
    """Where kithd is: $KITH_BUILD, or build/ of this tree."""
    return pathlib.Path(os.environ.get("KITH_BUILD",
                                       HERE.parent.parent / "build"))


def run(*command, stdin=None, ok=(0,)):
    """The output of a command that ends with one of these exit codes."""
    done = subprocess.run([str(part) for part in command], input=stdin,
                          capture_output=True, text=True)
    check(ok is None or done.returncode in ok,
          f"{' '.join(map(str, command))}: exit code {done.returncode}: "
          f"{done.stderr.strip()}")
    return done.stdout


def pem_to_der(pem):
    """The first certificate in it."""
    return ssl.PEM_cert_to_DER_cert(
        pem[pem.index("-----BEGIN"):pem.index("-----END") + 25])


def ip(*lines, node=None):
    """Commands of ip(8), all in one go."""
    where = ["-n", node.name] if node else []
    run("ip", *where, "-batch", "-", stdin="\n".join(lines) + "\n")


# Agents ------------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Refused(Exception):
    """The agent answered with an HTTP error."""

    def __init__(self, status, body):
        self.status = status
        super().__init__(f"{status}: {body[:300].decode(errors='replace')}")


class Node:
    """One machine: a namespace, and the agent in it."""

    def __init__(self, number, network, host):
        self.number = number
        self.network = network
        self.name = f"n{number}"
        self.host = host or f"host-{number}"
        self.v4 = f"10.{99 + network}.0.{number}"
        self.v6 = f"fd00:{99 + network}::{number:x}"
        self.mac = f"02:6b:69:00:{number >> 8:02x}:{number & 255:02x}"
        self.link_local = f"fe80::6b:69ff:fe00:{number:x}"
        self.state = RUN / self.name
        self.socket = RUN / f"{self.name}.sock"
        self.events_file = RUN / f"{self.name}.events"
        self.log_file = RUN / f"{self.name}.log"
        self.id = None
        self.process = None
        self.options = []

    # The machine.

    @contextlib.contextmanager
    def inside(self):
        """This process (its one thread) is on that machine for a while."""
        with open("/proc/self/ns/net") as home, \
                open(RUN / "netns" / self.name) as there:
            enter(there)
            try:
                yield
            finally:
                enter(home)

    def open_socket(self, family, kind, bound=None):
        """A socket of that machine's."""
        with self.inside():
            out = socket.socket(family, kind)
            if bound:
                out.bind(bound)
            return out

    def sysctl(self, name, value):
        with self.inside():
            path = pathlib.Path("/proc/sys/net") / name.replace(".", "/")
            path.write_text(f"{value}\n")

    def command(self, *command):
        """What runs a command on that machine, under its name."""
        return ["ip", "netns", "exec", self.name, "unshare", "--uts", "sh",
                "-c", 'hostname "$0" && exec "$@"', self.host,
                *map(str, command)]

    def nft(self, rules):
        run("ip", "netns", "exec", self.name, "nft", "-f", "-", stdin=rules)

    # The agent's life.

    def kithd(self, *options):
        return [build_dir() / "kithd", "--config", RUN / "empty.conf",
                "--state", self.state, "--machine-binding", "off", *options]

    def make_identity(self):
        self.id = run(*self.kithd("--init")).strip()

    def start(self, *options):
        """Start the agent; options given once stay for later starts."""
        check(self.process is None, f"{self.name} runs already")
        self.options += options
        with open(self.log_file, "a") as log:
            self.process = subprocess.Popen(
                self.command(*self.kithd("--socket", self.socket, "--events",
                                         self.events_file, "--log-level",
                                         "debug", *self.options)),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        """End the agent in good order."""
        self.process.send_signal(signal.SIGTERM)
        self.await_end()

    def await_end(self):
        process, self.process = self.process, None
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed(f"{self.name} did not end within {STOP_S} s")
        check(code == 0, f"{self.name} ended with exit code {code}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def check_alive(self):
        if self.process and self.process.poll() is not None:
            code, self.process = self.process.returncode, None
            raise Failed(f"the agent of {self.name} died, exit code {code}")

    def log(self):
        return (self.log_file.read_text(errors="replace")
                if self.log_file.exists() else "")

    # Asking the agent.

    def call(self, method, path, body=None):
        """The body of the answer, as bytes; Refused if that is an error."""
        connection = UnixConnection(self.socket, 20)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(answer.status, data)
        return data

    def get(self, path):
        return json.loads(self.call("GET", path))

    def up(self):
        """Whether the agent answers its operator."""
        try:
            self.call("GET", "/v1/id")
            return True
        except OSError:
            return False

    def status(self):
        return self.get("/v1/status")

    def counter(self, name):
        return self.status()["counters"][name]

    def nodes(self):
        """{id: what this agent says of that node}."""
        return {node["id"]: node for node in self.get("/v1/nodes")}

    def friends(self):
        return {node["id"]: node for node in self.get("/v1/friends")}

    def seen(self, other):
        """What this agent says of another node, or {}."""
        return self.nodes().get(other.id, {})

    def block(self, other, name):
        """A block as this agent holds it, None if it does not."""
        try:
            return self.call("GET", f"/v1/nodes/{other.id}/blocks/{name}")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def put(self, name, payload):
        self.call("PUT", f"/v1/blocks/{name}", payload)

    def set(self, key, value):
        self.call("PUT", f"/v1/tags/{key}", value.encode())

    def events(self):
        """All that happened so far, over all runs of the agent."""
        if not self.events_file.exists():
            return []
        lines = self.events_file.read_text().split("\n")[:-1]
        return [json.loads(line) for line in lines]


def enter(namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


# The mesh ----------------------------------------------------------------

class Mesh:
    """n machines on each of some networks; their agents are not started.

    v4, v6: whether the machines have such addresses; dad: whether IPv6
    addresses are tentative for a while, as on real links; hosts: host names
    instead of host-1, host-2, ...
    """

    def __init__(self, n, networks=1, v4=True, v6=True, dad=False,
                 hosts=()):
        self.nodes = [Node(i + 1, i // n, hosts[i] if hosts else None)
                      for i in range(n * networks)]
        self.networks = networks
        self.captures = []
        (RUN / "empty.conf").touch()
        ip(*(f"netns add {node.name}" for node in self.nodes))
        ip(*(f"link add br{k} up type bridge mcast_snooping 0"
             for k in range(networks)))
        for node in self.nodes:
            self.wire(node, v4, v6, dad)
        if networks > 1:
            self.add_router()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(Node.make_identity, self.nodes))

    def wire(self, node, v4, v6, dad):
        """Plug a machine into its network."""
        port = f"v{node.number}"
        ip(f"link add {port} type veth peer name eth0 address {node.mac} "
           f"netns {node.name}",
           f"link set {port} master br{node.network} up")
        if not dad:
            for place in ("default", "eth0"):
                node.sysctl(f"ipv6.conf.{place}.accept_dad", 0)
        node.sysctl("ipv6.conf.eth0.disable_ipv6", 0 if v6 else 1)
        lines = ["link set lo up", "link set eth0 up"]
        if v4:
            lines.append(f"addr add {node.v4}/16 dev eth0")
        if v6:
            lines.append(f"addr add {node.v6}/64 dev eth0")
        ip(*lines, node=node)

    def add_router(self):
        """From every network into every other one, unicast only."""
        router = Node(0, 0, "router")
        router.name = "router"
        ip("netns add router")
        for k in range(self.networks):
            ip(f"link add r{k} type veth peer name eth{k} netns router",
               f"link set r{k} master br{k} up")
            router.sysctl(f"ipv6.conf.eth{k}.accept_dad", 0)
            ip(f"addr add 10.{99 + k}.255.254/16 dev eth{k}",
               f"addr add fd00:{99 + k}::ffff/64 dev eth{k}",
               f"link set eth{k} up", node=router)
        router.sysctl("ipv4.ip_forward", 1)
        router.sysctl("ipv6.conf.all.forwarding", 1)
        for node in self.nodes:
            ip(f"route add default via 10.{99 + node.network}.255.254",
               f"route add default via fd00:{99 + node.network}::ffff",
               node=node)

    def start(self, *options, nodes=None):
        """Start these agents, or all, until they answer their operator."""
        for node in nodes or self.nodes:
            node.start(*options)
        self.wait_all("it answers its operator", Node.up, nodes)

    def close(self):
        """End all agents; each must end in good order."""
        for capture in self.captures:
            capture.stop()
        running = [node for node in self.nodes if node.process]
        for node in running:
            node.process.send_signal(signal.SIGTERM)
        for node in running:
            node.await_end()
        for node in self.nodes:
            for sign in ("Sanitizer", "runtime error"):
                check(sign not in node.log(), f"{sign} of {node.name}")

    # Waiting.

    def wait(self, what, condition, timeout=60):
        """Until condition() is true; its value.

        The timeout is for a test that fails: none is about speed.
        """
        deadline = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            for node in self.nodes:
                node.check_alive()
            if time.monotonic() > deadline:
                raise Failed(f"not within {timeout} s: {what}")
            time.sleep(POLL_S)

    def wait_all(self, what, condition, nodes=None, timeout=60):
        """Until condition(node) was true once for each node."""
        for node in nodes or self.nodes:
            self.wait(f"{what} ({node.name})", lambda: condition(node),
                      timeout)

    def wait_known(self, nodes=None, n=None, timeout=60):
        """Until these nodes know n members, all up, and agree on them."""
        nodes = nodes or self.nodes
        n = n or len(nodes)

        def agree():
            seen = [node.status() for node in nodes]
            return (all(s["members"] == n and s["states"]["up"] == n
                        for s in seen)
                    and len({s["root"] for s in seen}) == 1)

        self.wait(f"all know all {n}", agree, timeout)

    def wait_friends(self, nodes=None, timeout=60):
        """Until each has all its friends and was answered by them."""
        nodes = nodes or self.nodes
        want = min(20, len(nodes) - 1)

        def settled(node):
            friends = node.friends().values()
            return (len(friends) == want
                    and all(f["proven"] and f["state"] == "up"
                            for f in friends))

        self.wait_all(f"{want} friends that answer", settled, nodes, timeout)


@contextlib.contextmanager
def mesh(n, **how):
    """A Mesh that is ended and looked over in any case."""
    made = Mesh(n, **how)
    try:
        yield made
    except BaseException:
        show_logs(made)
        for node in made.nodes:
            if node.process:
                node.process.kill()
        raise
    made.close()


def show_logs(made):
    for node in made.nodes:
        state = "runs" if node.process else "does not run"
        print(f"--- {node.name} {node.host} {node.id} {node.v4} ({state}), "
              f"the end of its log:")
        print("\n".join(node.log().splitlines()[-LOG_TAIL:]))
        print("".join(f"    {json.dumps(event)}\n"
                      for event in node.events()[-LOG_TAIL // 3:]), end="")


# Running tests -----------------------------------------------------------

def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def into_namespaces():
    """Begin anew as the first process of new namespaces."""
    if not (build_dir() / "kithd").exists():
        sys.exit(f"there is no {build_dir()}/kithd; set KITH_BUILD")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        skip(f"not installed: {' '.join(missing)}")
    command = ["unshare", "--net", "--mount", "--pid", "--fork",
               "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    probe = subprocess.run(command + ["true"], capture_output=True,
                           text=True)
    if probe.returncode != 0:
        skip(f"neither root nor user namespaces: {probe.stderr.strip()}")
    os.environ[INSIDE] = "1"
    os.execvp("unshare", command + [sys.executable, "-B", *sys.argv])


def furnish():
    """Make the namespaces ready for use."""
    run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", RUN)
    (RUN / "netns").mkdir()
    pathlib.Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text(
        "1\n")
    ip("link set lo up")


def keep_files():
    """Copy what is in /run to $KITH_SYSTEM_KEEP, if that is set."""
    target = os.environ.get("KITH_SYSTEM_KEEP")
    if target:
        run("cp", "-r", RUN, target, ok=None)
        print(f"--- kept in {target}")


def main(*tests):
    """The program: run the test functions that are named."""
    if os.environ.get(INSIDE) != "1":
        into_namespaces()
    sys.stdout.reconfigure(line_buffering=True)
    known = {test.__name__: test for test in tests}
    names = sys.argv[1:] or list(known)
    if not set(names) <= set(known):
        sys.exit(f"usage: {sys.argv[0]} [{' | '.join(known)}]")
    if len(names) > 1:
        del os.environ[INSIDE]
        codes = [subprocess.call([sys.executable, "-B", sys.argv[0], name])
                 for name in names]
        sys.exit(max(codes))
    furnish()
    begin = time.monotonic()
    try:
        known[names[0]]()
    except Exception:           # of whatever kind: say how to repeat it
        traceback.print_exc(file=sys.stdout)
        keep_files()
        print(f"FAILED: {names[0]}, after {time.monotonic() - begin:.0f} s. "
              f"Again:\n  KITH_BUILD={build_dir()} {sys.executable} -B "
              f"{HERE / pathlib.Path(sys.argv[0]).name} {names[0]}")
        sys.exit(1)
    print(f"passed: {names[0]}, {time.monotonic() - begin:.1f} s")
