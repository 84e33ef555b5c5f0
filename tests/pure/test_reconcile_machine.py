"""The state machine of declared aliases over the kernel in memory: see declared_machine.py."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from declared_machine import MAINS, DeclaredAliases, Fused, Ground, Killed
from hypothesis import settings

from netalias.errors import NetaliasError
from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.model import Snapshot
from netalias.steps import Step


class Mortal(Memory):
    """A kernel in memory that a process uses who may be killed between any two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.fuse = Fused(-1)

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
        self.world = Mortal()
        self.world.set_device("lo", up=True)

    def kernel(self, fuse: int = -1) -> Kernel:
        self.world.fuse = Fused(fuse)
        return self.world

    def copy(self, snapshot: Snapshot) -> Kernel:
        return deepcopy(self.world)

    def add_main(self, name: str) -> None:
        self.world.add_device(name, "veth", link=2 + MAINS.index(name), remote=True)
        self.world.set_device(name, addrgen=1)
        self.world.set_device(name, up=True)

    def rename(self, name: str, new: str) -> None:
        self.world.set_device(name, name=new)

    def regroup(self, name: str, group: int) -> None:
        self.world.set_device(name, group=group)


class OverMemory(DeclaredAliases):
    def make_ground(self) -> Ground:
        return InMemory()


TestOverMemory = OverMemory.TestCase
TestOverMemory.settings = settings(max_examples=int(__import__("os").environ.get("EX","60")), stateful_step_count=30, report_multiple_bugs=False, deadline=None)
