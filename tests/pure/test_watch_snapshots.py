"""A part of the state is enough to compare a few declarations."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType

import pytest
from declared_machine import DeclaredAliases, met, runs
from hypothesis import settings
from hypothesis.stateful import invariant, run_state_machine_as_test
from test_reconcile_machine import OverMemory
from watched import Watched, state_of

from netalias.desired.declarations import Declarations
from netalias.desired.index import Index
from netalias.model import GROUP, Snapshot
from netalias.model.commands import command
from netalias.model.events import State
from netalias.model.names import AliasName
from netalias.observed import Observed
from netalias.plan.compare import compare
from netalias.plan.diff import Diff
from netalias.watch.snapshots import relevant, snapshot


class Focused(OverMemory):
    """Random worlds, as reconciliations meet them, seen in both ways whenever they have changed."""

    tally: Counter[str] = Counter()

    @invariant()
    def the_part_is_enough(self) -> None:
        if not hasattr(self, "names"):
            return
        state = state_of(self.snapshot())
        called = {
            (self.names.get(main, main), slot): self.lines[main, slot] for main, slot in self.lines
        }
        for lines in (self.lines, called) if called != self.lines else (called,):
            self.compare(self.declared(lines), state)

    def compare(self, declared: Declarations, state: State) -> None:
        """All of the simple wishes together, and each alone."""
        wished = Index(declared)
        simple = [wish.name for wish, _ in declared if wished.simple(wish.name)]
        for names in [simple, *([one] for one in simple)]:
            wanted = wished.some(names)
            whole = self.seen(wanted, snapshot(state))
            assert self.seen(wanted, relevant(state, wanted, GROUP)) == whole
            self.tally.update(text.split()[0] for text in whole)

    def seen(self, wanted: Declarations, observed: Snapshot) -> list[str]:
        """The planned differences, and the refused ones."""
        able = self.ground.kernel().able
        found: Diff = compare(
            wanted.blocks, Observed(observed, self.registry, able=able), removing=False
        )
        done = [
            f"{item.sign} {item.name} {[(step.phase, command(step)) for step in item.plan.steps]}"
            for item in found.items
        ]
        return done + [f"skipped {one.line()}" for one in found.skipped]


@pytest.mark.early
def test_over_memory() -> None:
    """For host addresses, alone and together: the same differences, the same steps in the same
    order, the same reasons."""
    assert issubclass(Focused, DeclaredAliases)
    run_state_machine_as_test(
        Focused,
        settings=settings(
            max_examples=runs(60), stateful_step_count=10, report_multiple_bugs=False
        ),
    )
    assert met(Focused.tally, ("+", "~", "skipped")), Focused.tally


def calls(count: int) -> int:
    """The function calls that it takes to see that one of *count* macvlans is missing."""
    watched = Watched(f"eth0:0-{count - 1} 10.0.0.1/32+ kind macvlan\n")
    name = AliasName("eth0", 5)
    watched.kernel.remove_device(str(name))
    watched.controller.read_events()
    healing = watched.controller._healing
    healing.compare([name])  # the devices are arranged at the first use
    seen = 0

    def count_calls(frame: FrameType, event: str, argument: object) -> None:
        nonlocal seen
        seen += event == "call"

    sys.setprofile(count_calls)
    try:
        found = healing.compare([name])
    finally:
        sys.setprofile(None)
    assert [item.name for item in found.diff.items] == [name]
    return seen


def test_one_of_many_costs_as_much_as_one_of_few() -> None:
    assert calls(300) == calls(30)
