# SPDX-License-Identifier: Apache-2.0
"""The independent peer of test/interop, on a machine without an agent.

What dials or binds is to be called inside that machine's namespace; threads
stay in the one that they were begun in.
"""

import sys

import mesh

PEER = mesh.HERE.parent / "interop" / "kith_peer.py"
sys.path.append(str(PEER.parent))
try:
    import kith_cert as cert
    import kith_h2 as h2
    import kith_http as http
    import kith_node as nodes
    import kith_state as state
    import kith_store as stores
    import kith_wire as wire
except ModuleNotFoundError as error:
    mesh.skip(f"{error}; python3-cryptography is needed")

__all__ = ("PEER", "cert", "h2", "http", "nodes", "state", "stores",
           "wire", "own_of", "peer_of")


def own_of(machine, name="open", listen=None):
    """An identity of the machine's own, its head signed."""
    own = nodes.Own(mesh.RUN / f"{machine.name}.peer",
                    wire.open_mesh_id(name), listen)
    own.sign_head()
    return own


def peer_of(own, node):
    """A session of own's with an agent."""
    return nodes.Peer(own, (node.v4, mesh.PORT))
