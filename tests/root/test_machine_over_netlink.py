"""The state machine of declared aliases over the real kernel: see declared_machine.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from command import forget, without_dad
from declared_machine import DeclaredAliases, Fuse, Ground, Killed, met, runs
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from support import Namespace, veth_pair

from netalias.errors import NetaliasError
from netalias.kernel import Kernel, netlink
from netalias.kernel.memory import Memory
from netalias.kernel.netlink import Netlink
from netalias.model import AF_INET6, GROUP, Snapshot
from netalias.model.steps import Step

MET = ("status 0", "status 2", "+", "-", "~", "killed")
"""What fifty runs meet."""


class Mortal(Netlink):
    """A socket of a process that is killed after so many messages."""

    def __init__(self, fuse: int) -> None:
        super().__init__()
        self.fuse = Fuse(fuse)

    def _send_pack(self, steps: Sequence[Step]) -> list[NetaliasError | None]:
        allowed = self.fuse.take(len(steps))
        found = super()._send_pack(steps[:allowed])
        if allowed < len(steps):
            raise Killed
        return found


class InNamespace(Ground):
    """A private namespace whose main devices are the ends of veth cables."""

    def __init__(self) -> None:
        self.namespace = Namespace()
        self.peer = Namespace()
        without_dad(self.namespace)
        with self.namespace:
            kernel = Netlink()
        with kernel:
            able = [kind for kind in ("macvlan", "ipvlan", "dummy") if kernel.able(kind)]
        self.kinds = ("auto", "label", *able)

    def kernel(self, fuse: int = -1) -> Kernel:
        with self.namespace:
            return Mortal(fuse)

    def copy(self, snapshot: Snapshot) -> Kernel:
        made = Memory.holding(snapshot, self.kinds)
        for device in snapshot.devices.values():
            families = {entry.family for entry in snapshot.on(device.index)}
            if device.group == GROUP and AF_INET6 not in families and device.inet6:
                made.set_device(device.name, addrgen=1)
        return made

    def add_main(self, name: str) -> None:
        veth_pair(self.namespace, self.peer, name, f"p{name}")

    def rename(self, name: str, new: str) -> None:
        self.namespace.ip(f"link set {name} name {new}")

    def regroup(self, name: str, group: int) -> None:
        self.namespace.ip(f"link set {name} group {group}")

    def close(self) -> None:
        forget(self.namespace)
        self.namespace.close()
        self.peer.close()


class OverNetlink(DeclaredAliases):
    def make_ground(self) -> Ground:
        return InNamespace()


@pytest.mark.early
def test_over_the_real_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that holds over the kernel in memory; sets are deleted by their group from two on."""
    monkeypatch.setattr(netlink, "FEW", 1)
    monkeypatch.setattr(OverNetlink, "tally", Counter())
    run_state_machine_as_test(
        OverNetlink,
        settings=settings(max_examples=runs(50), stateful_step_count=8, report_multiple_bugs=False),
    )
    assert met(OverNetlink.tally, MET), OverNetlink.tally
