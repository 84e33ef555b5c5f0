"""Published addresses come back with their device: the kernel forgets the proxy entries of one that
goes down (pneigh_ifdown), and announces neither that nor their coming.

So they are read whenever another run has let go of the lock, since they may be others then.
"""

from __future__ import annotations

from netalias import claim
from netalias.claim import Policy
from netalias.claim import announce as telling
from netalias.desired.declarations import counted
from netalias.engine import announce
from netalias.kernel import GONE
from netalias.model import PROTOCOL
from netalias.model.leases import PARTS, renewals, running
from netalias.model.neighbours import Proxy
from netalias.model.steps import AddProxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.engine import Engine
    from netalias.kernel import Failure
    from netalias.model import Alias
    from netalias.model.events import State
    from netalias.model.names import AliasName
    from netalias.system.journal import Journal
    from netalias.watch.controller import Controller


class Republisher:
    """What is published, by the name of the device: it may come again with another index."""

    def __init__(self, engine: Engine, state: State) -> None:
        self._engine = engine
        self._state = state
        self._known: dict[str, list[Proxy]] = {}

    def read(self) -> list[Proxy]:
        """What the kernel has of ours. Raises KernelError."""
        return [one for one in self._engine.kernel.proxies() if one.protocol == PROTOCOL]

    def learn(self, proxies: Iterable[Proxy]) -> None:
        """These are published; by a device that is down it is what it was."""
        found: dict[str, list[Proxy]] = {}
        for proxy in proxies:
            device = self._state.device(proxy.index)
            if device is not None:
                found.setdefault(device.name, []).append(proxy)
        up = {device.name for device in self._state.devices() if device.up}
        self._known = {name: old for name, old in self._known.items() if name not in up} | found

    def missing(self) -> list[AddProxy]:
        """The steps that publish again what devices have forgotten that are up now."""
        steps = []
        present = {(one.index, one.local) for one in self._engine.kernel.proxies()}
        for device in self._state.devices():
            for old in self._known.get(device.name, ()) if device.up else ():
                proxy = Proxy(device.index, old.family, old.local, old.protocol, old.flags)
                if (proxy.index, proxy.local) not in present:
                    steps.append(AddProxy(device.name, device.index, proxy))
        return steps

    def again(self) -> tuple[int, list[Failure]]:
        """Publish again what was forgotten; how many, and what was refused. Raises KernelError."""
        if not self._known:
            return 0, []
        steps = self.missing()
        for number, step in enumerate(steps):
            step.owner = number
        failures = self._engine.kernel.apply(steps) if steps else []
        return len(steps) - len(failures), failures


class Reannouncer:
    """*folder* is that of the namespace, *now* the time of the loop's clock."""

    def __init__(self, controller: Controller, journal: Journal, folder: str, now: float) -> None:
        self._controller = controller
        self._engine = controller.engine
        self._journal = journal
        self._folder = folder
        self._policy = self._engine.policy or Policy()
        self._last = now

    def back(self, indexes: set[int]) -> None:
        """These main devices have got a carrier."""
        told = [
            claim.standing(alias, self._policy)
            for alias in self._controller.observe().aliases
            if alias.main is not None and alias.main.index in indexes
            if not claim.mute(alias) and not self._is_silent(alias)
        ]
        if not told or not self._policy.announce or self._engine.segment is None:
            return
        refused = telling.leave(self._engine.segment(), self._engine.kernel, told, self._policy)
        for error in refused:
            self._journal.warning(f"not announced: {error.line()}")
        if not refused:
            count = counted(len(told), "address")
            self._journal.info(f"the carrier is back: {count} announced")

    def due(self, now: float) -> float | None:
        """Seconds until again(); None where nothing is announced again and again."""
        blocks = self._controller.wished.declared.blocks
        periods = {announce.every(block.wish, self._policy) for block in blocks} - {0}
        return max(0.0, self._last + min(periods) - now) if periods else None

    def again(self, now: float) -> None:
        """Announce what is due. Raises StateError."""
        self._last = now
        declared = self._controller.wished.declared
        for note in announce.again(self._engine, self._folder, declared, "", (), telling.leave):
            self._journal.warning(note)

    def _is_silent(self, alias: Alias) -> bool:
        wish = self._controller.wish(alias)
        return wish is not None and wish.announce == 0


class LeaseRenewer:
    """The leases among the wishes of *controller*."""

    def __init__(self, controller: Controller, now: float) -> None:
        self._controller = controller
        self._last = now

    def due(self, now: float) -> float | None:
        """Seconds until renew(); None without a declared lease."""
        blocks = self._controller.wished.declared.blocks
        shortest = min((block.wish.lease for block in blocks if block.wish.lease), default=0)
        return max(0.0, self._last + shortest / PARTS - now) if shortest else None

    def renew(self, now: float) -> list[Failure]:
        """Renew what has used up its share of time, all in one batch; what was refused, but for
        what is not there any more. Raises KernelError."""
        self._last = now
        controller = self._controller
        lengths: dict[AliasName, int] = {}
        aging = []
        for alias in controller.engine.observe().aliases:
            wish = controller.wish(alias)
            if wish is not None and wish.lease and running(alias):
                assert alias.entry is not None
                lengths[alias.name] = wish.lease
                if alias.entry.valid <= wish.lease * (PARTS - 1) / PARTS + 1:
                    aging.append(alias)
        failures = controller.engine.kernel.apply(renewals(aging, lengths))
        return [one for one in failures if one.error.errno not in GONE]
