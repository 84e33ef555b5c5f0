"""A host that has moved, the relay that answers for it at home, and a host of its old network.

The relay has eth9 at home, where the neighbour is, and eth8 towards the client elsewhere. What is
relayed are addresses of the network at home.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asking import Asker
from command import Command, forget, set_sysctl, wait_for_local_route, without_dad
from support import PATIENCE, SLOW, Namespace, until, veth_pair
from watcher import Watch, watching

from netalias.tunnels import plane, tun
from netalias.tunnels.carriage import open_carriage
from netalias.tunnels.counters import Counters

HOME, NEIGHBOUR = "10.1.0.1", "10.1.0.2"
HOME6, NEIGHBOUR6 = "2001:db8:1::1", "2001:db8:1::2"
RELAY, CLIENT = "203.0.113.1", "203.0.113.9"
"""Outer addresses of the tunnel."""
SINGLE, SINGLE6 = "10.1.0.50", "2001:db8:1::50"
NETWORK, NETWORK6 = "10.1.0.64/28", "2001:db8:1::ab00/120"
INSIDE, INSIDE6 = "10.1.0.70", "2001:db8:1::ab07"
"""An address of each network."""
MOVED = (SINGLE, SINGLE6, INSIDE, INSIDE6)
PREFIXES = ",".join((SINGLE, SINGLE6, NETWORK, NETWORK6))
SYSCTLS = {
    "ipv4/ip_forward": 1,
    "ipv6/conf/all/forwarding": 1,
    "ipv6/conf/eth9/proxy_ndp": 1,
}
"""The settings of a relay that is of use."""
DELAYS = ("ipv4/neigh/eth9/proxy_delay", "ipv6/neigh/eth9/proxy_delay")
"""Those by which answers come at once; a user namespace does not have them."""


def at_once(namespace: Namespace, key: str) -> bool:
    """Have the kernel answer at once; whether it does."""
    with namespace:
        try:
            Path("/proc/sys/net", key).write_text("0")
        except OSError:
            return False
    return True


class Stage:
    """The three hosts; ``relay`` is the command on the relay."""

    def __init__(self, relay: Command, neighbour: Namespace, client: Namespace) -> None:
        self.relay = relay
        self.here = relay.namespace
        self.neighbour = neighbour
        self.client = client
        self.asker = Asker(neighbour, "p9", (NEIGHBOUR, NEIGHBOUR6))
        self.is_prompt = all(at_once(self.here, one) for one in DELAYS)

    def answers(self, address: str, control: str = "") -> bool:
        """Whether somebody at home answers for an address now. The control is answered for by whom
        would answer: by the kernel, if nothing else is said. The watcher is later than that. Where
        the kernel waits before it answers it cannot be told that it does."""
        return self.asker.hears(address, control or (HOME6 if ":" in address else HOME))

    def exchange(self, address: str) -> bytes:
        """What a TCP connection of the neighbour to a moved address brings from there."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.client:
            server = socket.create_server((address, 0), family=family)
        with self.neighbour:
            caller = socket.socket(family)
        with server, caller:
            caller.settimeout(PATIENCE * SLOW)
            server.settimeout(PATIENCE * SLOW)
            caller.connect(server.getsockname()[:2])
            there, asked = server.accept()
            with there:
                assert asked[0] == (NEIGHBOUR6 if ":" in address else NEIGHBOUR)
                there.sendall(b"x" * 100_000)
                there.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: caller.recv(65536), b""))

    def proxies(self) -> list[str]:
        """The addresses of the proxy entries of the relay."""
        lines = self.here.ip("neigh show proxy").splitlines()
        return sorted(line.split()[0] for line in lines)

    def routes(self) -> list[str]:
        """The destinations of the routes into the tunnel."""
        found = []
        for family in ("-4", "-6"):
            done = self.here.run(["ip", family, "route", "show", "dev", "relay0"], check=False)
            found += [line.split()[0] for line in done.stdout.splitlines()]
        return [one for one in found if not one.startswith(("fe80", "ff00", "multicast"))]


@contextmanager
def stage(relay: Command, neighbour: Namespace) -> Iterator[Stage]:
    """The stage with all in order, but nothing declared."""
    client = Namespace()
    here = relay.namespace
    forget(client)
    without_dad(client)
    without_dad(neighbour)
    veth_pair(here, client, "eth8", "p8")
    for namespace, words in (
        (client, "link set lo up"),
        (here, f"addr add {HOME}/24 dev eth9"),
        (here, f"addr add {HOME6}/64 dev eth9 nodad"),
        (here, "addr add fe80::1/64 dev eth9 nodad"),
        (here, f"addr add {RELAY}/24 dev eth8"),
        (neighbour, f"addr add {NEIGHBOUR}/24 dev p9"),
        (neighbour, f"addr add {NEIGHBOUR6}/64 dev p9 nodad"),
        (neighbour, "addr add fe80::2/64 dev p9 nodad"),
        (client, f"addr add {CLIENT}/24 dev p8"),
    ):
        namespace.ip(words)
    for namespace, address in ((here, HOME6), (neighbour, NEIGHBOUR6)):
        wait_for_local_route(namespace, address)
    for key, value in SYSCTLS.items():
        set_sysctl(here, key, value)
    made = Stage(relay, neighbour, client)
    try:
        with made.asker:
            yield made
    finally:
        forget(client)
        client.close()


@contextmanager
def declared(namespace: Namespace, folder: Path, *lines: str) -> Iterator[Watch]:
    """A watcher with such a file."""
    folder.mkdir(exist_ok=True)
    (folder / "file").write_text("".join(f"{line}\n" for line in lines))
    with watching(namespace, folder / "net", str(folder / "file")) as watch:
        yield watch


def warnings(watch: Watch) -> list[str]:
    """End a watcher; the warnings that it has logged."""
    assert watch.end() == 0
    return [line.partition("warning: ")[2] for line in watch.rest() if "warning: " in line]


class Client:
    """The other end of the tunnel: all moved addresses, and a data plane. It knows no relay."""

    def __init__(self, namespace: Namespace, carriage: str) -> None:
        with namespace:
            self.tun = tun.create("vif0")
            self.carriage = open_carriage(carriage, RELAY)
        self.count = Counters.create()
        namespace.ip("link set vif0 addrgenmode none mtu 1400 up")
        for address in MOVED:
            family, length = ("-6", "128 nodad") if ":" in address else ("-4", "32")
            namespace.ip(f"addr add {address}/{length} dev vif0")
            namespace.ip(f"{family} rule add from {address} lookup 100")
        for family in ("-4", "-6"):
            namespace.ip(f"{family} route add default dev vif0 table 100")
        self.pid = plane.spawn(self.tun, self.carriage, self.count, ["carriage", carriage])

    def close(self) -> None:
        """End its process, and let the device go."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for one in (self.tun, self.carriage, self.count):
            one.close()


@contextmanager
def tunnelled(made: Stage, folder: Path, carriage: str = "udp:7777") -> Iterator[Watch]:
    """The client, and the watcher of the relay, whose tunnel is up."""
    client = Client(made.client, carriage)
    line = f"relay {PREFIXES} on eth9 to {CLIENT} carriage {carriage}"
    try:
        with declared(made.here, folder, line) as watch:
            until(lambda: made.proxies() == sorted((SINGLE, SINGLE6)))
            yield watch
    finally:
        client.close()
