"""`netalias iface` in random sequences: the record, the list and the kernel agree after each
command, whatever others do in between, and a command that is repeated changes nothing.

The sequences are drawn from fixed seeds. What must come out is said by a model that is simpler than
the planner: it knows addresses by their local part, and no steps.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from test_iface import ETH0, Iface

from netalias import cli, errors
from netalias.desired.iface import wanted
from netalias.engine import iface as engine
from netalias.model import AF_INET, AF_INET6, Address
from netalias.model.iface import MANUAL, form
from netalias.model.steps import AddAddress, DelAddress
from netalias.plan.iface import ADDED, ALIAS, NEGOTIATED, Table
from netalias.runtime import iface as record

SEEDS = range(16)
STEPS = 30
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


class Machine:
    """Random commands and foreign changes over one device."""

    def __init__(self, run: Iface, seed: int) -> None:
        self.run = run
        self.dice = random.Random(seed)
        self.recorded_now = False
        if seed % 2:
            for slot, address in enumerate(LABELS):
                run.split(f"eth0:{slot} {address} kind label")
        if seed % 3 == 2:
            run.memory.has_protocol = False

    def table(self) -> Table:
        """The list as it is now."""
        with self.run._open(cli.Options(self.run._open)) as one:
            return engine.read(one, "eth0")

    def kernel(self) -> list[tuple[object, ...]]:
        """The kernel's addresses."""
        entries = self.run.memory.snapshot().on(ETH0)
        return [(*form(one), one.scope, one.protocol) for one in entries]

    def state(self) -> list[tuple[object, ...]]:
        """The kernel's addresses and the record."""
        return [*self.kernel(), *self.recorded()]

    def recorded(self) -> list[tuple[object, ...]]:
        return [form(one) for one in record.read(str(self.run.folder), 0)]

    def command(self, words: str) -> int:
        """Run ``iface eth0 WORDS``; the status."""
        status = cli.main(["iface", "eth0", *words.split()], self.run._open)
        out, err = self.run.capsys.readouterr()
        assert out == ""
        assert (status != 0) == bool(err), (words, err)
        assert "bug" not in err
        self.recorded_now = not status
        return status

    def step(self) -> str:
        """One random event; its text."""
        events: list[tuple[int, Callable[[], str]]] = [
            (6, self.add), (3, self.overwrite), (3, self.delete), (1, self.clear),
            (3, self.others_add), (2, self.others_remove), (1, self.up_or_down),
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

    # Others

    def others_add(self) -> str:
        """What the kernel takes of another program, at times with a mark of its own."""
        words = drawn(self.dice)
        entry = wanted(words.split())
        entry.index, entry.protocol = ETH0, self.dice.choice((0, 0, 16))
        entry.label = "eth0" if entry.family == AF_INET else ""
        self.run.memory.send([AddAddress("eth0", ETH0, entry)])
        return f"others add {words}"

    def others_remove(self) -> str:
        """Any address, with the secondaries that the kernel takes along."""
        entries = self.run.memory.snapshot().on(ETH0)
        if not entries:
            return "others remove nothing"
        entry = self.dice.choice(entries)
        assert self.run.memory.send([DelAddress("eth0", ETH0, entry)]) == [None]
        return f"others remove {form(entry)}"

    def up_or_down(self) -> str:
        """With which IPv6 addresses vanish."""
        up = self.dice.random() < 0.7
        self.run.memory.set_device("eth0", up=up)
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
        kernel = self.run.memory.snapshot().on(ETH0)
        assert sorted(form(one.address) for one in table.entries) == sorted(map(form, kernel))
        assert len(self.run.lines()) == len(kernel)
        ranks: dict[bytes, int] = {}
        for one in table.entries:
            local = one.address.local
            ranks[local] = min(ranks.get(local, one.origin), one.origin)
        order = [ranks[one.address.local] for one in table.entries]
        assert order == sorted(order)
        if self.run.memory.has_protocol:
            marked = {form(one) for one in kernel if one.protocol == MANUAL}
            assert {form(one) for one in table.manual} == marked
        if self.recorded_now:
            assert self.recorded() == [form(one) for one in table.manual]


@pytest.mark.parametrize("seed", SEEDS)
def test_record_list_and_kernel_agree(
    seed: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A-1 to A-8, in any sequence, with others at work, and without marks in the kernel."""
    machine = Machine(Iface(capsys, tmp_path), seed)
    done: list[str] = []
    for _ in range(STEPS):
        try:
            done.append(machine.step())
            machine.check()
        except AssertionError as error:
            raise AssertionError("\n".join([*done, f"then {error}"])) from error
