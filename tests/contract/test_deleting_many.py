"""Deleting many devices at once: those, and no others."""

from __future__ import annotations

import pytest
from stage import done, index, inet, macvlan, state

from netalias.kernel import Kernel
from netalias.model import GROUP, SCRATCH
from netalias.model.steps import AddAddress, AddAltname, DelLink, SetLink, Step


def made(kernel: Kernel, count: int, group: int = GROUP, letter: str = "d") -> list[str]:
    """So many macvlans with a mark."""
    names = [f"{letter}{place}" for place in range(count)]
    done(kernel, *(macvlan(kernel, name, group=group) for name in names))
    return names


def doomed(kernel: Kernel, names: list[str], group: int = GROUP) -> list[Step]:
    """The steps that delete them, each with an owner of its own."""
    snapshot = kernel.snapshot()
    steps: list[Step] = []
    for owner, name in enumerate(names):
        device = snapshot.device(name)
        assert device is not None
        steps.append(DelLink(name, device.index, group))
        steps[-1].owner = owner
    return steps


def test_forty_of_sixty(kernel: Kernel) -> None:
    """Devices with the same mark stay, and so do those of other groups and of none."""
    names = made(kernel, 60)
    foreign = [*made(kernel, 3, 0, "f"), *made(kernel, 3, 5, "g")]
    done(kernel, AddAddress("d41", index(kernel, "d41"), inet("10.9.0.1/32")))
    before = state(kernel)
    assert kernel.apply(doomed(kernel, names[:40])) == []
    after = state(kernel)
    assert sorted(after) == sorted(["lo", "eth9", *names[40:], *foreign])
    assert after == {name: before[name] for name in after}
    assert {device.group & SCRATCH for device in kernel.snapshot().devices.values()} == {0}


def test_several_marks_in_one_plan(kernel: Kernel) -> None:
    """Each set goes, and what has neither mark stays."""
    ours, others = made(kernel, 3), made(kernel, 3, 5, "g")
    made(kernel, 2, 0, "f")
    steps = [*doomed(kernel, ours[:2]), *doomed(kernel, others[1:], 5)]
    assert kernel.apply(steps) == []
    assert sorted(state(kernel)) == ["d2", "eth9", "f0", "f1", "g0", "lo"]


def test_remnants_and_others(kernel: Kernel) -> None:
    """S86: devices that an interrupted deletion left are deleted together with others."""
    ours, left = made(kernel, 3), made(kernel, 2, GROUP | SCRATCH, "r")
    steps = [*doomed(kernel, ours[:2]), *doomed(kernel, left, GROUP | SCRATCH)]
    assert kernel.apply(steps) == []
    assert sorted(state(kernel)) == ["d2", "eth9", "lo"]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_one_that_is_gone(kernel: Kernel, count: int) -> None:
    """ENODEV fails its own step, and the others are deleted."""
    names = made(kernel, count)
    ghost = DelLink("ghost", 9999, GROUP)
    ghost.owner = 100
    (failure,) = kernel.apply([*doomed(kernel, names), ghost])
    assert failure.step is ghost
    assert sorted(state(kernel)) == ["eth9", "lo"]


def test_a_device_and_what_stands_on_it(kernel: Kernel) -> None:
    """Deleting the lower one takes the upper one along: it is gone either way."""
    made(kernel, 2)
    steps = [DelLink(name, index(kernel, name), GROUP) for name in ("eth9", "d0", "d1")]
    kernel.send(steps)
    assert sorted(state(kernel)) == ["lo"]


def test_an_undoing_of_many(kernel: Kernel) -> None:
    """S20: devices that were made and cannot be finished go, each with what was done to it; an
    altname that was taken off another device for them comes back."""
    done(kernel, macvlan(kernel, "old"))
    old = index(kernel, "old")
    done(kernel, AddAltname("old", old, "eth9:0"))
    before = state(kernel)
    steps: list[Step] = [AddAltname("old", old, "eth9:0").inverse()]
    for slot, name in enumerate(("a_0", "b_1", "c_2")):
        steps += [macvlan(kernel, name), SetLink(name, 0, ifalias=f"netalias eth9:{slot}")]
    steps.append(AddAltname("a_0", 0, "eth9:0"))
    steps.append(SetLink("zz", 9999, up=True))
    (failure,) = kernel.apply(steps)
    assert failure.step is steps[-1]
    assert failure.left == []
    assert state(kernel) == before
