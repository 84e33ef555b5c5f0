"""Tunnels whose device and socket the service manager keeps, so that they outlive this process.

The device of a tunnel, and the flows in it, live as long as a descriptor of it. systemd keeps one
in its store over a crash of the service and a restart, and gives it to the next process; what the
device and the socket receive meanwhile waits in their queues. A stop of the service closes it.

Beside the descriptors (passing.py) a file in memory has the line and the MTU of the tunnel: lines
of a word and its value.
"""

from __future__ import annotations

import os

from netalias.desired.tunnels import WIREGUARD
from netalias.model.names import number
from netalias.watch.passing import PARTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from netalias.system.sdnotify import Service
    from netalias.tunnels.plane import Descriptor
    from netalias.watch.carrying import Carrying

STATE = "state"
"""The role of the file in memory, behind the name of the tunnel."""
KEPT = (*PARTS[:3], STATE)
"""Roles of what is kept: all but the process, which ends with the service."""
LONGEST = 65536
"""Bytes of a state that are read."""


class State:
    """A tunnel that was kept; ``plane`` is the pid of its data plane: there is none any more."""

    plane = 0

    def __init__(self, name: str, line: str, mtu: int) -> None:
        self.name = name
        self.line = line
        self.mtu = mtu


def states(kept: Mapping[str, int]) -> list[State]:
    """The tunnels among the descriptors *kept*; one without a whole state is none."""
    found = []
    for role, descriptor in kept.items():
        name, _, part = role.rpartition(" ")
        if part != STATE:
            continue
        try:
            text = os.pread(descriptor, LONGEST, 0).decode("utf-8", "surrogateescape")
        except OSError:
            continue  # another thing under our name
        words = dict(line.partition(" ")[::2] for line in text.splitlines())
        mtu = number(words.get("mtu", ""))
        if words.get("line") and mtu > 0:
            found.append(State(name, words["line"], mtu))
    return found


def _state(line: str, mtu: int) -> int:
    """A file in memory with the state of a tunnel. Raises OSError."""
    file = os.memfd_create("netalias-tunnel", os.MFD_CLOEXEC)
    text = f"line {line}\nmtu {mtu}\n"
    os.pwrite(file, text.encode("utf-8", "surrogateescape"), 0)
    return file


class Store:
    """The store of the manager behind *service*; nothing is kept before begin()."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._begun = False
        self._kept: dict[str, tuple[object, ...]] = {}

    def begin(self) -> None:
        """Keep tunnels from now on, if there is a manager: this process is the service."""
        self._begun = self._service.told

    def keep(self, one: Carrying) -> None:
        """Have a tunnel kept as it is now. WireGuard is the kernel's, and outlives us anyway."""
        if not self._begun or one.held is None or one.task.outer.carriage == WIREGUARD:
            return
        held = one.held
        now = (held.device, held.carriage, held.count, (one.task.text, one.mtu))
        before, self._kept[one.name] = self._kept.get(one.name, (None,) * len(now)), now
        for part, former, each in zip(KEPT, before, now, strict=True):
            if former != each:
                self._replace(f"{one.name} {part}", each)

    def _replace(self, name: str, part: Descriptor | tuple[str, int]) -> None:
        """Have the manager keep another descriptor under a name; a process before this one may have
        had it keep one."""
        self._service.forget(name)
        if not isinstance(part, tuple):
            self._service.store(name, part.fileno())
            return
        try:
            file = _state(*part)
        except OSError:
            return  # the next process begins anew
        self._service.store(name, file)
        os.close(file)

    def drop(self, name: str) -> None:
        """Have a tunnel kept no more."""
        self._kept.pop(name, None)
        for part in KEPT:
            self._service.forget(f"{name} {part}")
