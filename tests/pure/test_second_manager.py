"""Another program works on the same devices: nothing of his is changed or lost by netalias.

He acts at every point between two messages of ours (second_manager.py): while a plan is made, while
other hosts are asked, between two sends, before and while something is undone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from second_manager import MAINS, NETWORKS, SLOTS, Manager, Shared
from shortened import later

from netalias import desired, errors
from netalias.claim import Policy
from netalias.desired import declarations
from netalias.desired.declarations import Declarations
from netalias.engine import Engine, Setup
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.reconcile import Rules, mend, reconcile
from netalias.plan.compare import compare
from netalias.plan.diff import Diff

SCHEDULES = 50
"""Schedules for each seed of the short form."""
ROUNDS = 6
"""Commands in one schedule."""


class Schedule:
    """Some commands of netalias, with the manager beside them; all by *dice*."""

    def __init__(self, dice: Random, patch: pytest.MonkeyPatch) -> None:
        self.dice = dice
        self.manager = Manager(dice, 0.0)
        self.kernel = Shared(self.manager)
        self.kernel.set_device("lo", up=True)
        for name in MAINS:
            self.kernel.add_device(name, up=True)
        policy = Policy()
        policy.acd = "rfc"
        self.engine = Engine(Setup(self.kernel, claims=True, policy=policy))
        self.story: list[str] = []

        def conflicts(*_: object) -> list[Any]:
            for _turn in range(3):  # it takes seconds
                self.kernel.meet(reading=True)
            self.kernel.read = False
            return []

        patch.setattr("netalias.claim.check.conflicts", conflicts)
        patch.setattr("netalias.claim.check.Verdicts", Heard)
        patch.setattr("netalias.claim.session.announce", lambda *_: [])

    def run(self) -> None:
        """Do the commands, and look after each whether all that is his is there."""
        self.manager.chance = self.dice.choice((0.1, 0.3, 0.6))
        for _ in range(ROUNDS):
            self.kernel.sends = self.dice.choice((0, 0, 0, 1, 2, 3))
            self.kernel.late = self.dice.random() < 0.5
            self.kernel.moody = self.dice.choice((0.0, 0.0, 0.1))
            action = self.dice.choice(COMMANDS)
            with suppress(errors.NetaliasError, KeyboardInterrupt):
                action(self)
            self.kernel.sends, self.kernel.moody = 0, 0.0
            self.kernel.quiet = self.kernel.read = False
            lost = self.manager.lost(self.kernel)
            assert lost == [], "\n".join([*lost, "", *self.manager.journal])

    def tell(self, text: str) -> str:
        """Note a command in the story."""
        self.manager.journal.append(f"netalias {text}")
        return text

    # Commands

    def name(self) -> str:
        return f"{self.dice.choice(MAINS)}:{self.dice.randrange(SLOTS)}"

    def line(self) -> str:
        """A declaration, or the words of a command."""
        address = f"{self.dice.choice(NETWORKS)}.{self.dice.randrange(1, 9)}"
        address += self.dice.choice(("/24", "/24", "/32"))
        if self.dice.random() < 0.25:
            address = f"2001:db8::{self.dice.randrange(1, 6)}{self.dice.choice(('/64', ''))}"
        kind = self.dice.choice(("label", "label", "macvlan", "dummy", "shard", "prefix"))
        if kind == "prefix":
            address = f"10.{self.dice.randrange(200, 203)}.0.0/16"
        acd = self.dice.choice(("", " acd off"))
        return f"{self.name()} {address} kind {kind}{acd}"

    def command(self) -> None:
        """A single command."""
        self.realise(self.line())

    def delete(self) -> None:
        """An alias is deleted by its name; a label of his that has it, too: that was asked for."""
        name = self.name()
        self.realise(f"{name}-")
        for about in [one for one in self.manager.facts if one[0] == "address"]:
            known: Any = self.manager.facts[about]
            if known and known[0][0] == name:
                del self.manager.facts[about]

    def realise(self, text: str) -> None:
        self.engine.realise(desired.parse(self.tell(text).split(), self.engine.registry))

    def declared(self) -> Declarations:
        lines: dict[str, str] = {}
        for _ in range(self.dice.randrange(6)):
            text = self.line()
            lines[text.split()[0]] = text
        self.tell("reconcile " + "; ".join(lines.values()))
        return declarations.parse([("t.conf", "\n".join(lines.values()))], self.engine.registry)

    def reconcile(self) -> None:
        """Everything that is declared, and nothing else."""
        with self.engine.transaction():
            reconcile(self.engine, self.declared(), Rules(allow_empty=True))

    def mend(self) -> None:
        """What a watcher does to a few aliases."""
        wanted = self.declared()

        def look() -> Diff:
            return compare(wanted.blocks, self.engine.observe(), removing=False)

        with self.engine.transaction():
            mend(self.engine, look(), look)

    def batch(self) -> None:
        """Many commands."""
        lines = [self.line() for _ in range(self.dice.randrange(1, 6))]
        self.tell("batch " + "; ".join(lines))
        with self.engine.transaction():
            parsed = parse_commands("\n".join(lines), self.engine.registry, force=True)
            Batch(self.engine, lambda _: 0, lambda _: None, force=True).run(parsed)


class Heard:
    """The kernel's verdicts on IPv6 addresses: none is in use."""

    def __init__(self, *_: object) -> None:
        """Nothing is opened."""

    def wait(self, kernel: Shared) -> list[Any]:
        """It takes a second or two."""
        kernel.meet(reading=True)
        kernel.read = False
        return []

    def close(self) -> None:
        """Nothing is held."""


COMMANDS: tuple[Callable[[Schedule], None], ...] = (
    Schedule.command,
    Schedule.command,
    Schedule.delete,
    Schedule.reconcile,
    Schedule.reconcile,
    Schedule.mend,
    Schedule.batch,
)


@pytest.mark.parametrize("seed", [0, 1, *later(range(2, 20))])
def test_nothing_of_his_is_lost(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same schedules in every run."""
    dice = Random(seed)
    for number in range(SCHEDULES):
        dice.seed(f"{seed} {number}")
        Schedule(dice, monkeypatch).run()


@given(st.randoms(use_true_random=True))
def test_in_any_schedule(dice: Random) -> None:
    """Others in every run of ``make explore``."""
    with pytest.MonkeyPatch.context() as patch:
        Schedule(dice, patch).run()
