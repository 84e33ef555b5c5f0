"""Tunnels that outlive their watcher: handed over to the next, or kept by the service manager."""

from __future__ import annotations

from netalias import errors
from netalias.watch.carrying import Carrying, tunnel_of
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

    def accepted(self) -> None:
        """The watcher before has ended: so do its tunnels that have no line any more."""
        self._alone = True
        for one in self._passed.values():
            one.end()
            self._let_go(one.name)
            self._gone(one.name)
        self._passed = {}
        if self._store is not None:
            self._store.begin()
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
        one = Carrying(task if found.line == task.text else tunnel_of(found.line) or task)
        try:
            one.held = found.held(one.task)
            one.mtu, one.pid, one.pidfd = found.mtu, found.pid, found.plane()
        except errors.StateError as error:
            self._journal.error(error.line())
            if self._alone:
                self._let_go(one.name)
        return one

    def _keep(self) -> None:
        """Have the service manager keep the tunnels as they are now."""
        if self._store is not None:
            for one in self._carried.values():
                self._store.keep(one)

    def _let_go(self, name: str) -> None:
        """Have the service manager keep a tunnel no more. Its device would go when the manager
        closes it, too late for another one of this name."""
        if self._store is None:
            return
        from netalias.engine.tunnels import delete

        self._store.drop(name)
        try:
            delete(self._engine, name)
        except errors.NetaliasError as error:
            self._journal.error(error.line())
