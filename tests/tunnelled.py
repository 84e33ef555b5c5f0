"""Two namespaces on one cable with a tunnel between them; its data planes are real processes."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from hashlib import sha256
from threading import Thread

from support import PATIENCE, SLOW, Namespace, until

from netalias.tunnels import plane, tun
from netalias.tunnels.carriage import Carriage, open_carriage
from netalias.tunnels.counters import Counters

OUTER = ("10.9.0.1", "10.9.0.2")
INNER = ("10.8.0.1", "10.8.0.2")
INNER6 = ("fd08::1", "fd08::2")


def cable(here: Namespace, there: Namespace) -> None:
    """Addresses on the cable of veth_pair()."""
    for namespace, device, address in zip((here, there), ("eth9", "p9"), OUTER, strict=True):
        namespace.ip("link set lo up")
        namespace.ip(f"addr add {address}/24 dev {device}")


class End:
    """One end: device, carriage, counters, and the process that relays between them."""

    def __init__(
        self,
        namespace: Namespace,
        number: int,
        carriage: str = "udp:7777",
        mtu: int = 1400,
        passive: bool = False,
        words: Sequence[str] = (),
    ) -> None:
        self.namespace = namespace
        self.words = ["carriage", carriage, *words]
        with namespace:
            self.tun = tun.create("vif0")
            peer = "" if passive else OUTER[1 - number]
            self.carriage: Carriage = open_carriage(
                carriage, peer, "" if passive else OUTER[number]
            )
        self.count = Counters.create()
        self.pid = 0
        namespace.run(["sysctl", "-qw", "net.ipv6.conf.vif0.addr_gen_mode=1"], check=False)
        namespace.ip(f"link set vif0 mtu {mtu} gso_max_size 63000 up")
        namespace.ip(f"addr add {INNER[number]}/24 dev vif0")
        namespace.ip(f"addr add {INNER6[number]}/64 dev vif0 nodad")

    def start(self) -> None:
        """Start the data plane."""
        self.pid = plane.spawn(self.tun, self.carriage, self.count, self.words)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; what waitpid(2) says."""
        os.kill(self.pid, number)
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return status

    def close(self) -> None:
        """End the process and take the device away."""
        if self.pid:
            self.stop(signal.SIGKILL)
        for one in (self.tun, self.carriage, self.count):
            one.close()

    def counted(self, name: str) -> int:
        """One counter."""
        return self.count.by_name()[name]


def transfer(source: Namespace, target: Namespace, address: str, data: bytes) -> bool:
    """Send *data* over TCP in one direction; whether the other end got the same bytes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with target:
        server = socket.create_server((address, 0), family=family)
    got = sha256()

    def take() -> None:
        peer, _ = server.accept()
        peer.settimeout(PATIENCE * SLOW)
        with peer:
            while chunk := peer.recv(1 << 20):
                got.update(chunk)

    taker = Thread(target=take, daemon=True)
    taker.start()
    with source:
        client = socket.socket(family)
    with server, client:
        client.settimeout(PATIENCE * SLOW)
        client.connect(server.getsockname())
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        taker.join(PATIENCE * SLOW)
    return not taker.is_alive() and got.digest() == sha256(data).digest()


def wait_for(end: End, name: str, least: int) -> None:
    """Wait until a counter is so high."""
    until(lambda: end.counted(name) >= least)
