"""A tunnel that the kernel's WireGuard carries: the device, and the process that stands for it.

Nothing goes through the process. It is there as a data plane is, counts what the kernel counts, and
ends with whoever holds the tunnel.
"""

from __future__ import annotations

import os
from time import monotonic

from netalias import errors
from netalias.system.loop import Loop, Timer
from netalias.tunnels import counters, wireguard
from netalias.tunnels.carriage import Carriage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from netalias.system.loop import Pollable
    from netalias.tunnels.counters import Counters

WORD = "wireguard"
MTU = 1420
"""Bytes that fit into 1500 with the headers of IPv6, UDP and WireGuard, as wg-quick(8) has it."""
EVERYWHERE = ["0.0.0.0/0", "::/0"]
"""Inner addresses of a peer who may send from anywhere."""
OFTEN = 2.0
"""Seconds between two readings of the kernel's counters."""
COUNTED = {
    counters.SENT_PACKETS: "tx_packets",
    counters.SENT_BYTES: "tx_bytes",
    counters.RECEIVED_PACKETS: "rx_packets",
    counters.RECEIVED_BYTES: "rx_bytes",
    counters.UNSENT: "tx_errors",
    counters.REFUSED: "rx_dropped",
}
"""Our counters: those of the kernel."""


class Device:
    """The device *name*, which goes when it is closed. ``within`` calls a function in the namespace
    of the device. The descriptor stands for it, and is of no use but that."""

    tap = False

    def __init__(self, name: str, within: Callable[[Callable[[], object]], object]) -> None:
        self.name = name
        self._within = within
        self._fd = _descriptor()

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def close(self) -> None:
        """Delete the device."""
        if self._fd < 0:
            return
        os.close(self._fd)
        self._fd = -1
        try:
            self._within(lambda: _kernel().delete(self.name))
        except errors.NetaliasError:
            pass  # it goes with its namespace


class WireGuard(Carriage):
    """The socket of the kernel, of which nobody has the descriptor."""

    word = WORD
    overhead = 1500 - MTU

    def __init__(self) -> None:
        self._fd = _descriptor()

    def fileno(self) -> int:
        """A descriptor that stands for it."""
        return self._fd

    def room(self) -> int:
        """The usual one."""
        return MTU

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


class Handed:
    """In the place of a Relay: reads the kernel's counters until end()."""

    def __init__(self, name: str, count: Counters) -> None:
        self._name = name
        self._count = count
        self._due = 0.0
        self._loop: Loop | None = None
        self.parts: list[Pollable] = [Timer(lambda now: self._due - now, self._read)]

    def run(self) -> None:
        """Until end(). Raises KernelError when the device is gone."""
        self._loop = Loop(self.parts, monotonic)
        self._loop.run()

    def end(self) -> None:
        """Let run() return."""
        if self._loop is not None:
            self._loop.end()

    def bye(self) -> None:
        """Nobody needs to be told."""

    def _read(self, now: float) -> None:
        self._due = now + OFTEN
        found = _kernel().traffic(self._name)
        for counter, name in COUNTED.items():
            self._count.values[counter] = found[name]


def make(name: str, port: int, peer: str, file: str, sources: str = "") -> None:
    """Make the device with the keys of a file, towards *peer* where one is known. *sources* are the
    networks, with commas between them, that the peer is, all without any. Raises StateError,
    AlreadyExists, NotPermitted, KernelError."""
    found = wireguard.read(file)
    allowed = sources.split(",") if sources else EVERYWHERE
    settings = {**found.peer, "allowed_ips": allowed, "replace_allowed_ips": True}
    if peer:
        settings |= {"endpoint_addr": peer, "endpoint_port": port}
    _kernel().create(name, port, found.private_key, settings)


def clear(name: str) -> None:
    """Delete a device that a killed process has left, if it is one of ours. Raises StateError,
    KernelError."""
    _kernel().delete(name)


def _descriptor() -> int:
    return os.memfd_create("netalias-wireguard", os.MFD_CLOEXEC)


def _kernel() -> ModuleType:
    """The module that speaks to the kernel. Raises StateError without pyroute2."""
    try:
        from netalias.kernel.pyroute import wireguard as kernel
    except ImportError:
        raise errors.StateError(
            "pyroute2 is needed for carriage wireguard", "apt-get install python3-pyroute2"
        ) from None
    return kernel
