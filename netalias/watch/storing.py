"""Tunnels whose device and socket the service manager keeps, so that they outlive this process.

The device of a tunnel, and the flows in it, live as long as a descriptor of it. systemd keeps one
in its store over a crash of the service and a restart, and gives it to the next process; what the
device and the socket receive meanwhile waits in their queues. A stop of the service closes it.
"""

from __future__ import annotations

import os

from netalias.desired.tunnels import WIREGUARD
from netalias.watch.passing import PARTS
from netalias.watch.stored import STATE, make

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.system.sdnotify import Service
    from netalias.tunnels.plane import Descriptor
    from netalias.watch.carrying import Carrying

KEPT = (*PARTS[:3], STATE)
"""Roles of what is kept: all but the process, which ends with the service."""


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
            file = make(*part)
        except OSError:
            return  # the next process begins anew
        self._service.store(name, file)
        os.close(file)

    def drop(self, name: str) -> None:
        """Have a tunnel kept no more."""
        self._kept.pop(name, None)
        for part in KEPT:
            self._service.forget(f"{name} {part}")
