"""Two namespaces on one cable with a tunnel between them; its data planes are real processes."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Thread

from support import PATIENCE, SLOW, Namespace, reaped, until

from netalias.tunnels import plane, tun
from netalias.tunnels.carriage import Carriage, open_carriage
from netalias.tunnels.counters import Counters

OUTER = ("10.9.0.1", "10.9.0.2")
OUTER6 = ("fd09::1", "fd09::2")
INNER = ("10.8.0.1", "10.8.0.2")
INNER6 = ("fd08::1", "fd08::2")


def cable(here: Namespace, there: Namespace) -> None:
    """Addresses on the cable of veth_pair()."""
    both = zip((here, there), ("eth9", "p9"), OUTER, OUTER6, strict=True)
    for namespace, device, address, address6 in both:
        namespace.raise_lo()
        namespace.ip(f"addr add {address}/24 dev {device}")
        namespace.ip(f"addr add {address6}/64 dev {device} nodad")


class End:
    """One end: device, carriage, counters, and the process that relays between them."""

    def __init__(
        self,
        namespace: Namespace,
        number: int,
        carriage: str = "udp:7777",
        mtu: int = 1400,
        passive: bool = False,
        outer: tuple[str, str] | None = None,
        words: Sequence[str] = (),
    ) -> None:
        self.namespace = namespace
        local, peer = outer or (OUTER[number], OUTER[1 - number])
        self.words = ["carriage", carriage, *words]
        with namespace:
            self.tun = tun.create("vif0")
            self.carriage: Carriage = open_carriage(
                carriage, "" if passive else peer, "" if passive else local
            )
        self.count = Counters.create()
        self.pid = 0
        namespace.run(["sysctl", "-qw", "net.ipv6.conf.vif0.addr_gen_mode=1"], check=False)
        namespace.ip(f"link set vif0 mtu {mtu} gso_max_size 60000 up")
        namespace.ip(f"addr add {INNER[number]}/24 dev vif0")
        namespace.ip(f"addr add {INNER6[number]}/64 dev vif0 nodad")

    def start(self) -> None:
        """Start the data plane."""
        with self.namespace:
            self.pid = plane.spawn(self.tun, self.carriage, self.count, self.words)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; what waitpid(2) says."""
        os.kill(self.pid, number)
        self.pid, ended = 0, self.pid
        return reaped(ended)

    def close(self) -> None:
        """End the process and take the device away."""
        if self.pid:
            self.stop(signal.SIGKILL)
        for one in (self.tun, self.carriage, self.count):
            one.close()

    def counted(self, name: str) -> int:
        """One counter."""
        return self.count.by_name()[name]

    def wait(self, agreed: bool = True) -> None:
        """Wait until the peer has answered, or until nothing is agreed with it."""
        until(lambda: bool(self.counted("agreed")) is agreed)


class PlainPeer:
    """A peer that is not netalias: whole packets, one datagram each."""

    PROGRAM = Path(__file__).parents[1] / "tools" / "bench" / "plain_relay.py"

    def __init__(self, end: End) -> None:
        held = [end.tun.fileno(), end.carriage.fileno()]
        end.tun.set_offload(0)
        words = [sys.executable, str(self.PROGRAM), *map(str, held)]
        self._process = subprocess.Popen(words, pass_fds=held)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Middle:
    """Carries datagrams between two addresses and two others, and loses, doubles and delays some.

    It stands in the namespace *there*: the end *here* takes it for its peer, and so does the other,
    which is reached over ``lo``.
    """

    HERE, THERE = "127.0.0.2", "127.0.0.3"

    def __init__(self, there: Namespace, dice: random.Random, odds: float) -> None:
        self._dice, self._odds = dice, odds
        with there:
            self._far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for sock, local, peer in (
            (self._far, OUTER[1], OUTER[0]),
            (self._near, self.HERE, self.THERE),
        ):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            sock.bind((local, 7777))
            sock.connect((peer, 7777))
        self.harmed = 0
        self._ended = False
        for pair in ((self._far, self._near), (self._near, self._far)):
            Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        source.settimeout(0.02)
        late: list[bytes] = []
        while not self._ended:
            try:
                datagram = source.recv(65535)
                fate = self._dice.random() / self._odds
                self.harmed += fate < 3
                if fate < 1:
                    continue
                if fate < 2:
                    late.append(datagram)
                    continue
                target.send(datagram)
                if fate < 3:
                    target.send(datagram)
            except OSError:
                pass  # nothing for a moment, or one of the ends is not there yet
            while late:
                with suppress(OSError):
                    target.send(late.pop())

    def close(self) -> None:
        """Let go of the sockets."""
        self._ended = True
        self._far.close()
        self._near.close()


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
