"""The keeper of a watcher over the kernel in memory, beside a table that is only remembered."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any

from translating import FakeNat
from watched import state_of

from netalias import errors
from netalias.desired import declarations
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, PROTOCOL, RT_SCOPE_HOST, RT_SCOPE_LINK, address_text
from netalias.model.events import ADDRESS, State, difference
from netalias.model.steps import Step
from netalias.runtime.private import PrivateDirectory
from netalias.system.journal import Journal
from netalias.watch.keeper import Keeper

LINE = "eth0 iface-alias kernel keep 100 max 3"


class Counting(Memory):
    """A kernel that counts the steps that netalias sends."""

    sent = 0

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        self.sent += len(steps)
        return super().send(steps)


class Kept:
    """eth0 and eth1 are up; a keeper of the lines of *text*, with its record in *folder*. ``lacks``
    is why the kernel cannot translate."""

    def __init__(self, folder: str, text: str = LINE) -> None:
        self.kernel = Counting()
        self.kernel.set_device("lo", up=True)
        for name in ("eth0", "eth1"):
            self.kernel.add_device(name, up=True)
        self.folder = folder
        self.text = text
        self.now = 1000.0
        self.journal = StringIO()
        self.tables = FakeNat()
        self.lacks = ""
        self.opened = 0
        self.state = State()
        self.stamps: dict[object, int] = {}
        self.begin()

    def begin(self) -> None:
        """Another watcher begins; of the one before nothing is left but what it has written."""
        self.engine = Engine(Setup(self.kernel, runtime=PrivateDirectory(self.folder)))
        self.state = State()
        self._events()
        self.keeper = Keeper(
            self.engine, self.state, Journal(stream=self.journal, environ={}, now=str),
            lambda: self.now, self.folder, self._open_nat,
        )  # fmt: skip
        self.load(self.text)

    def load(self, text: str) -> None:
        """Other lines, and what follows."""
        self.text = text
        found = declarations.parse([("t.conf", text)], self.engine.registry)
        assert found.errors == []
        self.keeper.load(found.tasks)
        self.rest()

    def _open_nat(self) -> FakeNat:
        if self.lacks:
            raise errors.StateError(self.lacks)
        self.opened, self.tables.closed = self.opened + 1, False
        return self.tables

    def _events(self) -> list[Any]:
        fresh = state_of(self.kernel.snapshot())
        for parts in fresh.parts.values():
            for key, entry in parts.items():
                if key[0] == ADDRESS:
                    entry.stamp = self.stamps.setdefault(key, 0)
        return list(difference(self.state, fresh))

    def hear(self) -> None:
        """The events of the kernel, without acting on them yet."""
        for event in self._events():
            self.keeper.hear(event)

    def rest(self) -> None:
        """Hear and act until nothing is due at this moment."""
        for _ in range(20):
            self.hear()
            due = self.keeper.due(self.now)
            if due is None or due > 0:
                return
            self.keeper.act(self.now)
        raise AssertionError("it never comes to rest")

    def pass_time(self, seconds: int) -> None:
        """Second by second."""
        for _ in range(seconds):
            self.now += 1
            self.kernel.pass_time(1)
            self.rest()

    def add(self, text: str, device: str = "eth0", **fields: object) -> None:
        """Somebody gives a device an address."""
        self.kernel.add_address(device, text, **fields)

    def remove(self, text: str, device: str = "eth0") -> None:
        """Somebody takes it away."""
        self.kernel.remove_address(device, text)

    def negotiate(self, before: str, after: str) -> None:
        """A client of DHCP gets another address, and the keeper acts in between."""
        self.remove(before)
        self.rest()
        self.add(after)
        self.rest()

    @property
    def copies(self) -> list[str]:
        """The former addresses of eth0, on it or on lo."""
        found = []
        snapshot = self.kernel.snapshot()
        for entry in [*snapshot.on(1), *snapshot.on(self.kernel.device("eth0").index)]:
            if entry.protocol == PROTOCOL:
                assert entry.prefixlen == len(entry.local) * 8
                assert entry.family != AF_INET or entry.scope == RT_SCOPE_HOST
                assert entry.deprecated
                found.append(address_text(entry.family, entry.local))
        return sorted(found)

    @property
    def others(self) -> list[str]:
        """The addresses that others gave to it."""
        entries = self.kernel.snapshot().on(self.kernel.device("eth0").index)
        return [
            f"{address_text(one.family, one.local)}/{one.prefixlen}"
            for one in entries
            if one.protocol != PROTOCOL and one.scope != RT_SCOPE_LINK
        ]

    @property
    def translated(self) -> list[str]:
        """The translations that stand, as Translation has them."""
        tables = self.tables.tables.values()
        return [str(one) for table in tables for one in table.translations()]
