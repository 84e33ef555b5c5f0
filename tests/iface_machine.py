"""Random sequences of `netalias iface` and of changes by others, over any kernel.

The sequences are drawn from fixed seeds. What must come out is said by a model that is simpler than
the planner: it knows addresses by their local part, and no steps.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from netalias import cli, errors
from netalias.desired.iface import wanted
from netalias.engine import Engine, Setup
from netalias.engine import iface as engine
from netalias.kernel import Kernel
from netalias.model import AF_INET, AF_INET6, Address, Snapshot
from netalias.model.iface import MANUAL, form
from netalias.model.steps import AddAddress, DelAddress, Step
from netalias.plan.iface import ADDED, ALIAS, NEGOTIATED, Table
from netalias.runtime import iface as record
from netalias.runtime.private import PrivateDirectory

LOCALS = (
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.1.0.1",
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8::3",
)
PEERS = {".": ("10.0.0.9", "10.9.9.9"), ":": ("2001:db8::9",)}
LENGTHS = {".": (32, 24, 16), ":": (128, 64)}
LABELS = ("10.0.0.2", "2001:db8::3")
"""The addresses of aliases in every other sequence."""


def drawn(dice: random.Random) -> str:
    """Random words of add."""
    local = dice.choice(LOCALS)
    family = ":" if ":" in local else "."
    words = local
    if dice.random() < 0.6:
        words += f"/{dice.choice(LENGTHS[family])}"
    if dice.random() < 0.5:
        words += f" {dice.choice(PEERS[family])}"
    return words


class Killed(BaseException):
    """The process is gone."""


class Mortal(Kernel):
    """A kernel as a process sees it that is killed after so many messages: it is told nothing
    more, and nothing more is heard of it."""

    def __init__(self, kernel: Kernel, fuse: int) -> None:
        self._kernel = kernel
        self._fuse = fuse
        self._dead = False

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        self._live()
        found = self._kernel.send(steps[: self._fuse]) if self._fuse else []
        self._fuse -= len(found)
        if len(found) < len(steps):
            self._dead = True
            self._live()
        return found

    def snapshot(self, family: int = 0) -> Snapshot:
        self._live()
        return self._kernel.snapshot(family)

    def reread(
        self, names: Collection[str], *, addresses: bool, only: Collection[bytes] = ()
    ) -> Snapshot:
        self._live()
        return self._kernel.reread(names, addresses=addresses, only=only)

    def permitted(self) -> None:
        self._kernel.permitted()

    def cookie(self) -> int:
        return self._kernel.cookie()

    def close(self) -> None:
        self._kernel.close()

    def _live(self) -> None:
        if self._dead:
            raise Killed


class Ground:
    """The stage of the sequences: a device, its kernel, and a runtime directory. ``marks``: the
    kernel keeps the protocol of addresses; ``cookie`` is that of the namespace."""

    device = ""
    index = 0
    cookie = 0
    marks = True
    fuse = -1
    """How many messages the next commands send before they are killed, -1 for any number."""
    folder: Path

    def kernel(self) -> Kernel:
        """The kernel of one command."""
        raise NotImplementedError

    def open(self, options: cli.Options) -> Engine:
        """The engine of one command."""
        kernel = self.kernel() if self.fuse < 0 else Mortal(self.kernel(), self.fuse)
        runtime = PrivateDirectory(str(self.folder))
        return Engine(Setup(kernel, options.registry, changed=options.changes, runtime=runtime))

    def run(self, words: list[str]) -> tuple[int, str, str]:
        """Run a command: its status, output and errors."""
        raise NotImplementedError

    def entries(self) -> list[Address]:
        """The addresses of the device."""
        raise NotImplementedError

    def send(self, step: Step) -> errors.NetaliasError | None:
        """Others do something; the refusal of the kernel."""
        raise NotImplementedError

    def set_up(self, up: bool) -> None:
        """Set the device up or down."""
        raise NotImplementedError


class Machine:
    """Random commands and foreign changes over one device."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground = ground
        self.dice = random.Random(seed)
        self.recorded_now = False
        if seed % 2:
            for slot, address in enumerate(LABELS):
                words = f"{ground.device}:{slot} {address} kind label"
                assert ground.run(words.split()) == (0, "", "")

    def table(self) -> Table:
        """The list as it is now."""
        with self.ground.open(cli.Options(self.ground.open)) as one:
            return engine.read(one, self.ground.device)

    def kernel(self) -> list[tuple[object, ...]]:
        """The kernel's addresses."""
        entries = self.ground.entries()
        return [(*form(one), one.scope, one.protocol) for one in entries]

    def state(self) -> list[tuple[object, ...]]:
        """The kernel's addresses and the record."""
        return [*self.kernel(), *self.recorded()]

    def recorded(self) -> list[tuple[object, ...]]:
        return [form(one) for one in record.read(str(self.ground.folder), self.ground.cookie)]

    def command(self, words: str) -> int:
        """Run ``iface DEV WORDS``; the status."""
        status, out, err = self.ground.run(["iface", self.ground.device, *words.split()])
        assert out == ""
        assert (status != 0) == bool(err), (words, err)
        assert "bug" not in err
        self.recorded_now = not status
        return status

    def step(self) -> str:
        """One random event; its text."""
        events: list[tuple[int, Callable[[], str]]] = [
            (6, self.add), (3, self.overwrite), (3, self.delete), (1, self.clear),
            (3, self.others_add), (2, self.others_remove), (1, self.up_or_down), (4, self.killed),
        ]  # fmt: skip
        weights = [weight for weight, _ in events]
        (found,) = self.dice.choices([event for _, event in events], weights)
        self.recorded_now = False
        return found()

    # Commands

    def add(self) -> str:
        """An address that is there is refused, and then nothing has changed."""
        words = drawn(self.dice)
        before, state = self.table(), self.state()
        entry = wanted(words.split())
        there = before.having(entry.local)
        status = self.command(f"add {words}")
        if there or self.peer_of_alias(before, entry):
            assert status == errors.STATUS_KERNEL
            assert self.state() == state
            return f"add {words}: refused"
        assert status == 0
        after = self.table()
        assert [one.origin for one in after.having(entry.local)] == [ADDED]
        assert after.entries[-1].address.local == entry.local
        self.is_there(after, entry)
        return f"add {words}"

    def overwrite(self) -> str:
        """The place in the list stays, and a second time nothing changes."""
        words = drawn(self.dice)
        before, state, kernel = self.table(), self.state(), self.kernel()
        entry = wanted(words.split())
        there = before.having(entry.local)
        status = self.command(f"add! {words}")
        alias = any(one.origin == ALIAS for one in there)
        identical = len(there) == 1 and form(there[0].address) == form(entry)
        if alias or (not identical and self.peer_of_alias(before, entry)):
            assert status == errors.STATUS_KERNEL
            assert self.state() == state
            return f"add! {words}: refused"
        assert status == 0
        after = self.table()
        if identical:
            assert self.kernel() == kernel
        else:
            self.is_there(after, entry)
        if there and there[0].origin == ADDED:
            assert self.manual_order(after) == self.manual_order(before)
        elif there and there[0].origin == NEGOTIATED:
            assert [one.origin for one in after.having(entry.local)] == [NEGOTIATED]
        state = self.state()
        assert self.command(f"add! {words}") == 0
        assert self.state() == state
        return f"add! {words}"

    def delete(self) -> str:
        """Gone with all masks and peers; the active negotiated one and aliases stay."""
        local, bang = self.dice.choice(LOCALS), self.dice.choice(("", "!"))
        before, state, kernel = self.table(), self.state(), self.kernel()
        there = before.having(wanted([local]).local)
        barred = any(one.origin == ALIAS or before.is_active(one) for one in there)
        status = self.command(f"delete{bang} {local}")
        if barred or not there:
            assert status == (errors.STATUS_KERNEL if barred or not bang else 0)
            assert self.kernel() == kernel
            assert self.recorded_now or self.state() == state
            return f"delete{bang} {local}: nothing"
        assert status == 0
        assert not self.table().having(wanted([local]).local)
        assert self.others_of(self.table(), local) == self.others_of(before, local)
        return f"delete{bang} {local}"

    def clear(self) -> str:
        """Negotiated ones stay while the device is up, aliases always; a second time is nothing."""
        word = self.dice.choice(("", "inet", "inet6"))
        family = {"inet": AF_INET, "inet6": AF_INET6}.get(word, 0)
        before = self.table()
        staying = [
            form(one.address)
            for one in before.entries
            if one.origin == ALIAS
            or (one.origin == NEGOTIATED and before.device.up)
            or family not in (0, one.address.family)
        ]
        assert self.command(f"clear {word}") == 0
        assert sorted(form(one.address) for one in self.table().entries) == sorted(staying)
        state = self.state()
        assert self.command(f"clear {word}") == 0
        assert self.state() == state
        return f"clear {word}"

    def killed(self) -> str:
        """A command that is killed anywhere: what it has added is manual, and nothing is in the way
        of the next one."""
        words, verb = drawn(self.dice), self.dice.choice(("add", "add!"))
        self.ground.fuse = self.dice.randrange(4)
        before = self.table()
        entry = wanted(words.split())
        new = not before.having(entry.local)
        try:
            self.command(f"{verb} {words}")
        except Killed:
            pass
        finally:
            self.ground.fuse = -1
        self.recorded_now = False
        found = self.table().having(entry.local)
        assert not (new and found) or [one.origin for one in found] == [ADDED]
        return f"{verb} {words}, killed"

    # Others

    def others_add(self) -> str:
        """An address by another program, at times with a mark of its own."""
        words = drawn(self.dice)
        entry = wanted(words.split())
        entry.index, entry.protocol = self.ground.index, self.dice.choice((0, 0, 16))
        entry.label = self.ground.device if entry.family == AF_INET else ""
        self.ground.send(AddAddress(self.ground.device, self.ground.index, entry))
        return f"others add {words}"

    def others_remove(self) -> str:
        """Any address, with the secondaries that the kernel takes along."""
        entries = self.ground.entries()
        if not entries:
            return "others remove nothing"
        entry = self.dice.choice(entries)
        step = DelAddress(self.ground.device, self.ground.index, entry)
        assert self.ground.send(step) is None
        return f"others remove {form(entry)}"

    def up_or_down(self) -> str:
        """With which IPv6 addresses vanish."""
        up = self.dice.random() < 0.7
        self.ground.set_up(up)
        return f"up {up}"

    # What holds

    def is_there(self, after: Table, entry: Address) -> None:
        """The address is as it was asked for, and nobody else has its peer."""
        assert [form(one.address) for one in after.having(entry.local)] == [form(entry)]
        if entry.peer:
            found = [one.address.local for one in after.entries if one.address.peer == entry.peer]
            assert found == [entry.local]

    def peer_of_alias(self, table: Table, entry: Address) -> bool:
        """Whether an alias has the peer that is asked for."""
        return bool(entry.peer) and any(
            one.origin == ALIAS and one.address.peer == entry.peer for one in table.entries
        )

    def manual_order(self, table: Table) -> list[bytes]:
        """The manual addresses in order."""
        return list(dict.fromkeys(one.local for one in table.manual))

    def others_of(self, table: Table, local: str) -> list[tuple[object, ...]]:
        """All entries but those with one address; of secondaries the kernel decides the order."""
        packed = wanted([local]).local
        return sorted(form(one.address) for one in table.entries if one.address.local != packed)

    def check(self) -> None:
        """The list has the kernel's addresses, each once, in the order of the rule; after a command
        that was carried out the record has the manual ones."""
        table = self.table()
        kernel = self.ground.entries()
        assert sorted(form(one.address) for one in table.entries) == sorted(map(form, kernel))
        _, out, _ = self.ground.run(["iface", self.ground.device])
        assert out.count("\n") == 1 + len(kernel)
        ranks: dict[bytes, int] = {}
        for one in table.entries:
            local = one.address.local
            ranks[local] = min(ranks.get(local, one.origin), one.origin)
        order = [ranks[one.address.local] for one in table.entries]
        assert order == sorted(order)
        if self.ground.marks:
            marked = {form(one) for one in kernel if one.protocol == MANUAL}
            assert {form(one) for one in table.manual} == marked
        if self.recorded_now:
            assert self.recorded() == [form(one) for one in table.manual]


def play(ground: Ground, seed: int, steps: int) -> None:
    """Random events from a seed. Raises AssertionError with all of them."""
    machine = Machine(ground, seed)
    done: list[str] = []
    for _ in range(steps):
        try:
            done.append(machine.step())
            machine.check()
        except AssertionError as error:
            raise AssertionError("\n".join([*done, f"then {error}"])) from error
