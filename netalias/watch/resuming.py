"""Tunnels that outlive their watcher: handed over to the next, or kept by the service manager."""

from __future__ import annotations

from netalias import errors
from netalias.desired.tunnels import tunnel_of
from netalias.watch.carrying import Carrying
from netalias.watch.lines import Lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired.tunnels import Tunnel
    from netalias.system.journal import Journal
    from netalias.watch.passing import Passed
    from netalias.watch.storing import Store
    from netalias.watch.takeover import Beginning


class Resuming(Lines):
    """The lines of tunnels; ``_carried`` are the tunnels by name.

    ``_passed`` are those of the watcher before that nobody has carried on yet, and ``_alone``
    whether that has ended. ``_store`` is that of the service manager, None without one.
    """

    _journal: Journal
    _carried: dict[str, Carrying]

    def __init__(self) -> None:
        self._passed: dict[str, Passed] = {}
        self._alone = True
        self._store: Store | None = None
        self._addresses: set[str] | None = None

    def filenos(self) -> dict[str, int]:
        """The descriptors that another watcher can take over, by their roles."""
        from netalias.watch.passing import filenos

        found: dict[str, int] = {}
        for one in self._running():
            assert one.held is not None
            found |= filenos(one.name, one.held, one.pidfd)
        return found

    def states(self) -> list[dict[str, object]]:
        """The rest of the tunnels to which they belong (spec.WATCHER)."""
        return [
            {"name": one.name, "line": one.task.text, "mtu": one.mtu, "plane": one.pid}
            for one in self._running()
        ]

    def _running(self) -> list[Carrying]:
        return [one for one in self._carried.values() if one.held is not None and one.pidfd >= 0]

    def take_over(self, start: Beginning) -> None:
        """Carry on the tunnels of the watcher before, before load(): while that may go on itself,
        only those whose lines hold still. If there is a service manager, it is to keep them all."""
        self._alone = start.accepted
        if start.tunnels:
            from netalias.watch.passing import passed

            self._passed = passed(start)
        if start.service.told:
            from netalias.watch.storing import Store

            self._store = Store(start.service)

    def former(self) -> list[Tunnel]:
        """The tunnels of the watcher before, with the names of their devices."""
        found = [tunnel_of(one.line, one.name) for one in self._passed.values()]
        return [one for one in found if one is not None]

    def accepted(self) -> None:
        """The watcher before has ended: so do its tunnels that have no line any more."""
        self._alone = True
        for one in self._passed.values():
            index = self._index(one.device)
            one.end()
            self._let_go(one.name, index)
            self._gone(one.name)
        self._passed = {}
        if self._store is not None:
            self._store.begin()
            for name, carrying in self._carried.items():
                if carrying.held is None:  # the one before had no data plane to hand over
                    self._store.drop(name)
                    carrying.due = 0.0
        self._keep()

    def _gone(self, name: str) -> None:
        """A tunnel of the watcher before has ended."""
        raise NotImplementedError

    def _resumed(self, task: Tunnel) -> Carrying:
        """The tunnel of a line that begins, with the parts that were carried before; their line may
        be another one."""
        found = self._passed.get(task.name)
        if found is None or not (self._alone or found.line == task.text):
            return Carrying(task)
        del self._passed[task.name]
        former = tunnel_of(found.line, found.name) if found.line != task.text else None
        one = Carrying(former or task)
        index = self._index(found.device)
        try:
            one.held = found.held(one.task)
            one.mtu, one.pid, one.pidfd = found.mtu, found.pid, found.plane()
            one.adrift = bool(one.task.outer.peer) and self._is_gone(one.held.carriage.local)
        except errors.StateError as error:
            self._journal.error(error.line())
            if self._alone:
                self._let_go(one.name, index)
        return one

    def _is_gone(self, local: str) -> bool:
        """Whether this host has the address of a socket no more; no event tells of what has gone
        while no watcher ran."""
        if not local:
            return False
        if self._addresses is None:
            from netalias.engine.tunnels import addresses

            self._addresses = addresses(self._engine)
        return local not in self._addresses

    def _has_freed(self, name: str) -> bool:
        """Have the service manager close the socket of a tunnel, with which it has the port; False
        without one."""
        if self._store is not None:
            self._store.free(name)
        return self._store is not None

    def _keep(self) -> None:
        """Have the service manager keep the tunnels as they are now."""
        if self._store is not None:
            for one in self._carried.values():
                if not self._store.keep(one):
                    break  # the next tick tries again

    def _index(self, device: int) -> int:
        """The index of the device behind a descriptor, if a service manager may have it as well;
        else 0."""
        if self._store is None:
            return 0
        from netalias.engine.tunnels import index_of

        return index_of(self._engine, device)

    def _let_go(self, name: str, index: int) -> None:
        """Have the service manager keep a tunnel no more. Its device goes when the manager closes
        it, which may be too late for another one of this name: so that of *index* is deleted."""
        if self._store is None:
            return
        from netalias.engine.tunnels import delete

        self._store.drop(name)
        try:
            delete(self._engine, index)
        except errors.NetaliasError as error:
            self._journal.error(error.line())
