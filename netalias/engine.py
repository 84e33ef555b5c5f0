"""The verbs: read, plan, apply. The engine is handed a Kernel and never makes one."""

from __future__ import annotations

from netalias import errors, names
from netalias.alias_type import lazy
from netalias.kinds import World
from netalias.model import GROUP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.alias_type import Registry
    from netalias.kernel import Kernel
    from netalias.lock import Lock
    from netalias.model import Alias, Snapshot
    from netalias.plan import Plan
    from netalias.unlocked import Unlocked
    from netalias.wishes import Wish


class Engine:
    """Aliases of one network namespace.

    ``lock`` makes the context manager that a change is done under; ``group`` is the mark on
    devices. As a context manager the engine closes its kernel.
    """

    def __init__(
        self,
        kernel: Kernel,
        registry: Registry | None = None,
        *,
        group: int = GROUP,
        lock: Callable[[], Lock] | None = None,
    ) -> None:
        self.kernel = kernel
        self.registry = registry or lazy()
        self.group = group
        self._lock = lock
        self._seen: dict[str, bool] = {}

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kernel."""
        self.kernel.close()

    def locked(self) -> Lock | Unlocked:
        """The lock of the namespace, for a ``with``."""
        if self._lock is not None:
            return self._lock()
        from netalias.unlocked import Unlocked

        return Unlocked()

    def snapshot(self) -> Snapshot:
        """One reading of the kernel."""
        return self.kernel.snapshot()

    def able(self, kind: str) -> bool:
        """Whether the kernel has a kind; without the right to ask, whether one is to be seen."""
        try:
            return self.kernel.able(kind)
        except errors.NotPermitted:
            if kind not in self._seen:
                devices = self.kernel.snapshot().devices.values()
                there = any(device.kind == kind for device in devices)
                self._seen[kind] = kind == "macvlan" or there
            return self._seen[kind]

    def world(self) -> World:
        """One reading of the kernel with the aliases found in it."""
        return World(self.kernel.snapshot(), self.registry, self.group)

    def plan(self, wish: Wish, *, force: bool = False) -> Plan:
        """What would be done to make *wish* true; nothing is. Raises StateError, KernelError.

        Without the right to ask for kinds, macvlan counts, and what is there to be seen.
        """
        return _planned(wish, self.world(), self.able, force)

    def realise(self, wish: Wish, *, force: bool = False) -> Plan:
        """Make *wish* true, or leave everything as it was.

        Raises StateError, KernelError or LockBusy; NotPermitted comes before any other.
        """
        with self.locked():
            return self._realise(wish, force)

    def _realise(self, wish: Wish, force: bool) -> Plan:
        try:
            result = _planned(wish, self.world(), self.kernel.able, force)
        except errors.NetaliasError:
            self.kernel.permitted()
            raise
        if not result.steps:
            self.kernel.permitted()
        try:
            failures = self.kernel.apply(result.steps)
        except BaseException:
            # Where the old alias still stands, nothing can be made beside it.
            self.kernel.apply(result.fallback)
            raise
        if failures:
            lost = self.kernel.apply(result.fallback)
            raise failures[0].explained(wish.name, lost)
        return result

    # What a program calls

    def create(self, name: str, address: str, *words: str, force: bool = False) -> Alias:
        """``create("eth0:0", "200.1.1.1/24", "mtu", "1400")`` -> the alias as it stands now.

        An alias of that name is re-addressed in place. Raises as realise() and wishes.parse() do.
        """
        from netalias import wishes

        self.realise(wishes.parse([name, address, *words], self.registry), force=force)
        return self.get(name)

    def delete(self, name: str) -> None:
        """``delete("eth0:0")``. Raises NoSuchDevice, NotOurs, KernelError."""
        from netalias import wishes

        self.realise(wishes.parse([name.removesuffix("-") + "-"], self.registry))

    def get(self, name: str) -> Alias:
        """The alias called *name*. Raises BadName, NoSuchDevice."""
        from netalias import query

        return query.find(self.world(), names.parse(name)[0])

    def show(self, *wanted: str) -> list[Alias]:
        """All aliases in chain order, or those of some main devices or names."""
        from netalias import query

        return query.select(self.world(), wanted)

    def lookup(self, address: str, type_name: str = "") -> Alias | None:
        """The alias that owns *address*, a text; None when there is none. Raises BadAddress."""
        from netalias import query

        return query.lookup(self.world(), address, type_name)


def _planned(wish: Wish, world: World, able: Callable[[str], bool], force: bool) -> Plan:
    # Who only looks does not load what it takes to change.
    from netalias.plan import plan

    return plan(wish, world, able, force=force)
