"""One tunnel of a watcher, and the modules that know what its kind needs."""

from __future__ import annotations

from netalias.desired.renewal import NOTHING
from netalias.system.backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from netalias import errors
    from netalias.desired.tunnels import Tunnel
    from netalias.engine import Engine
    from netalias.engine.tunnels import Held

    class Kind(Protocol):
        """The module of engine/ for one keyword."""

        def settle(
            self, engine: Engine, tunnel: Tunnel, mtu: int
        ) -> tuple[list[errors.NetaliasError], list[str]]: ...

        def undo(self, engine: Engine, tunnels: Iterable[Tunnel]) -> list[errors.NetaliasError]: ...


KINDS = {"vif": "netalias.engine.tunnels", "relay": "netalias.engine.relays"}
"""Keyword: the module that brings its device into the state of the line, and undoes that."""


def kind(keyword: str) -> Kind:
    """The module of a keyword in KINDS."""
    module = KINDS[keyword]
    found: Kind = __import__(module, fromlist=["settle"])
    return found


class Carrying:
    """One tunnel. ``held`` is None until device and socket are there; ``pid`` is that of its data
    plane, 0 for none, ``pidfd`` a descriptor of the process; ``due`` is the time of the next work,
    ``faults`` are the sentences that were logged last, ``fault`` is why there is no data plane.
    ``adrift``: the outer address is gone, and the socket is to be opened anew. ``renewed`` is the
    part that is to begin anew since the line has changed (desired/renewal.py), ``former`` are the
    lines of before."""

    def __init__(self, task: Tunnel) -> None:
        self.task = task
        self.held: Held | None = None
        self.mtu = 0
        self.pid = 0
        self.pidfd = -1
        self.due: float | None = 0.0
        self.faults: tuple[str, ...] = ()
        self.fault = ""
        self.adrift = False
        self.renewed = NOTHING
        self.former: list[Tunnel] = []
        self.written: tuple[object, ...] = ()
        self.backoff = Backoff()

    @property
    def name(self) -> str:
        """The name of its device."""
        return self.task.name

    def named(self, error: errors.NetaliasError) -> str:
        """The line of an error, with the name of the tunnel."""
        line = error.line()
        return line if self.name in line else f"{self.name}: {line}"
