"""Aliases that version 0.4 has made: they are ours, none is lost, and no device is made again."""

from __future__ import annotations

from collections.abc import Sequence

from test_plan_compare import Declared

from netalias import errors
from netalias.kernel.memory import Memory
from netalias.model import GROUP, PROTOCOL
from netalias.model.steps import CreateLink, DelAddress, DelLink, Step

FILE = """\
eth0:0 10.0.0.10/32 kind macvlan
eth0:1 10.0.0.12/24 kind label
eth0:2 2001:db8::5/64 kind label
"""
MAC = bytes.fromhex("365a1addbc55")
"""The kernel has chosen it, and netalias would choose another one."""


class Watched(Memory):
    """A kernel in memory that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Step] = []

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        self.told += steps
        return super().send(steps)


def stage() -> Declared:
    """eth0 with networks of its own, and the three aliases as 0.4 left them."""
    found = Declared(Watched())
    kernel = found.kernel
    kernel.add_address("eth0", "10.0.0.1/24")
    kernel.add_address("eth0", "2001:db8::1/64")
    kernel.add_device(
        "eth0_0", "macvlan", link="eth0", group=GROUP, mac=MAC, altnames=("eth0:0",),
        ifalias="netalias eth0:0", up=True,
    )  # fmt: skip
    kernel.add_address("eth0_0", "10.0.0.10/32", protocol=PROTOCOL, label="eth0_0")
    kernel.add_address("eth0", "10.0.0.12/32", protocol=PROTOCOL, label="eth0:1")
    kernel.add_address("eth0", "2001:db8::5/128", protocol=PROTOCOL, metric=GROUP << 16 | 2)
    return found


def test_they_are_taken_over_in_place() -> None:
    """Once, with a difference for what labels have to say now; then everything is as declared."""
    found = stage()
    outcome = found.reconcile(FILE)
    assert [str(item.name) for item in outcome.done] == ["eth0:1", "eth0:2", "eth0"]
    assert not outcome.failed
    told = found.kernel.told  # type: ignore[attr-defined]
    assert not [step for step in told if isinstance(step, (CreateLink, DelLink, DelAddress))]
    assert found.kernel.device("eth0_0").mac == MAC
    assert not found.reconcile(FILE).diff.items
