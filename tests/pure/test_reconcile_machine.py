"""The state machine of declared aliases over the kernel in memory: see declared_machine.py."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Sequence

import pytest
from declared_machine import MAINS, DeclaredAliases, Fuse, Ground, Killed, met, runs
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from netalias.errors import NetaliasError
from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.model import Snapshot
from netalias.model.steps import Step

MET = (
    "status 0", "status 2", "+", "-", "~", "replaced", "killed",
    "MainDown", "NoSuchDevice", "KindError", "StateError",
)  # fmt: skip
"""What so many runs meet."""


class Mortal(Memory):
    """A kernel in memory that a process uses who may be killed between any two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fuse = Fuse(-1)

    def send(self, steps: Sequence[Step]) -> list[NetaliasError | None]:
        allowed = self.fuse.take(len(steps))
        found = super().send(steps[:allowed])
        if allowed < len(steps):
            raise Killed
        return found


class InMemory(Ground):
    """The kernel in memory, with every kind."""

    kinds = ("auto", "macvlan", "ipvlan", "dummy", "label")

    def __init__(self) -> None:
        self.observed = Mortal()
        self.observed.set_device("lo", up=True)

    def kernel(self, fuse: int = -1) -> Kernel:
        self.observed.fuse = Fuse(fuse)
        return self.observed

    def copy(self, snapshot: Snapshot) -> Kernel:
        # deepcopy() takes ten times as long.
        copied: Kernel = pickle.loads(pickle.dumps(self.observed))
        return copied

    def add_main(self, name: str) -> None:
        self.observed.add_device(name, "veth", link=2 + MAINS.index(name), remote=True)
        self.observed.set_device(name, addrgen=1)
        self.observed.set_device(name, up=True)

    def rename(self, name: str, new: str) -> None:
        self.observed.set_device(name, name=new)

    def regroup(self, name: str, group: int) -> None:
        self.observed.set_device(name, group=group)


class OverMemory(DeclaredAliases):
    def make_ground(self) -> Ground:
        return InMemory()


@pytest.mark.early
def test_over_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second reconciliation plans nothing; check and dry run say what is done, and say drift
    when there is some; what is not ours stays; a run after a kill converges."""
    monkeypatch.setattr(OverMemory, "tally", Counter())
    run_state_machine_as_test(
        OverMemory,
        settings=settings(
            max_examples=runs(250), stateful_step_count=12, report_multiple_bugs=False
        ),
    )
    assert met(OverMemory.tally, MET), OverMemory.tally
