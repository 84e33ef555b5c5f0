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
    from collections.abc import Sequence

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
        self._kept: dict[str, object] = {}

    def begin(self) -> None:
        """Keep tunnels from now on, if there is a manager: this process is the service."""
        self._begun = self._service.told

    def keep(self, one: Carrying) -> bool:
        """Have a tunnel kept as it is now; False if the manager does not listen. WireGuard is the
        kernel's, and outlives us anyway."""
        if not self._begun or one.held is None or one.task.outer.carriage == WIREGUARD:
            return True
        held = one.held
        parts = (held.device, held.carriage, held.count, (one.task.text, one.mtu))
        for part, each in zip(KEPT, parts, strict=True):
            name = f"{one.name} {part}"
            if self._kept.get(name) != each:
                if not self._replace(name, each):
                    return False
                self._kept[name] = each
        return True

    def _replace(self, name: str, part: Descriptor | tuple[str, int]) -> bool:
        """Have the manager keep another descriptor under a name; a process before this one may have
        had it keep one. Whether it was told."""
        if not self._service.forget(name):
            return False
        if not isinstance(part, tuple):
            # A socket that waits to be opened anew has none.
            return part.fileno() < 0 or self._service.store(name, part.fileno())
        try:
            file = make(*part)
        except OSError:
            return True  # the next process begins anew
        try:
            return self._service.store(name, file)
        finally:
            os.close(file)

    def drop(self, name: str) -> None:
        """Have a tunnel kept no more."""
        self._forget(name, KEPT)

    def free(self, name: str) -> None:
        """Have the socket of a tunnel kept no more."""
        self._forget(name, KEPT[1:2])

    def _forget(self, name: str, parts: Sequence[str]) -> None:
        """Have parts of a tunnel kept no more. The manager has closed them then, unless it takes
        its time: so nobody has their names and ports any more."""
        for part in parts:
            self._kept.pop(f"{name} {part}", None)
        if all(self._service.forget(f"{name} {part}") for part in parts):
            self._service.barrier()
