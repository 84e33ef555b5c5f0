"""Tunnels that go from one watcher to the next, with the processes that relay them.

Those go on all the while: each has descriptors of its own. They end when nobody has the writing end
of their pipe any more, so that goes along too.
"""

from __future__ import annotations

import signal

from netalias import errors
from netalias.system import descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.desired.tunnels import Tunnel
    from netalias.engine.tunnels import Held
    from netalias.watch.takeover import Beginning

PARTS = ("device", "carriage", "counters", "plane")
"""Roles of the descriptors of a tunnel, each behind its name."""


def filenos(name: str, held: Held, plane: int) -> dict[str, int]:
    """The descriptors of a tunnel by their roles; *plane* is that of its process."""
    found = (held.device.fileno(), held.carriage.fileno(), held.count.fileno(), plane)
    return {f"{name} {part}": fd for part, fd in zip(PARTS, found, strict=True)}


class Passed:
    """A tunnel that was taken over: the ``line`` that it was carried for, its MTU, and the process
    that relays it, with a descriptor of that."""

    def __init__(self, state: Any, take: Callable[[str], int]) -> None:
        self.name = str(state.name)
        self.line = str(state.line)
        self.mtu = int(state.mtu)
        self.pid = int(state.plane)
        self._filenos = [take(f"{self.name} {part}") for part in PARTS]

    @property
    def device(self) -> int:
        """The descriptor of its device; -1 for none."""
        return self._filenos[0]

    def held(self, tunnel: Tunnel) -> Held:
        """Its device, carriage and counters. Raises StateError where they are none; all are closed
        then."""
        from netalias.engine.tunnels import Held, adopted
        from netalias.tunnels import tun
        from netalias.tunnels.counters import Counters

        device, carriage, count, _ = self._filenos
        why = "a part is missing"
        if min(device, carriage, count) >= 0:
            try:
                found = Held(tun.adopt(device), adopted(tunnel, carriage), Counters.adopt(count))
            except (OSError, errors.NetaliasError) as error:
                why = str(error)
            else:
                self._filenos[:3] = [-1, -1, -1]
                return found
        # Only now: a socket in the frames of the error closes its descriptor with them.
        self.close()
        raise errors.StateError(f"{self.name}: it cannot be taken over: {why}")

    def plane(self) -> int:
        """The descriptor of its process, which is the caller's from now on; -1 for none."""
        found, self._filenos[3] = self._filenos[3], -1
        return found

    def end(self) -> None:
        """End its process, and let the device go."""
        plane = self.plane()
        if plane >= 0:
            signal.pidfd_send_signal(plane, signal.SIGTERM)
            descriptors.close([plane])
        self.close()

    def close(self) -> None:
        """Close what nobody has taken."""
        descriptors.close([one for one in self._filenos if one >= 0])
        self._filenos = [-1] * len(PARTS)


def passed(start: Beginning) -> dict[str, Passed]:
    """The tunnels of the watcher before, by name."""
    found = (Passed(state, start.take) for state in start.tunnels)
    return {one.name: one for one in found}
