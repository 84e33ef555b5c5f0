"""Kernel.apply: phases, what fails is undone, and what is asked to stop stops between two sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EADDRNOTAVAIL, EEXIST, EINTR, ENOBUFS, ENODEV, EPERM
from itertools import pairwise
from socket import AF_INET, inet_aton

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors
from netalias.kernel import Failure, Kernel, sends
from netalias.kernel.memory import Memory
from netalias.kernel.proof import portions
from netalias.model import GROUP, PROTOCOL, Address, Device
from netalias.model.commands import title
from netalias.model.leases import MarkAddress
from netalias.model.steps import (
    ADDRESS,
    BARRIERS,
    CREATE,
    NAME,
    QUIET,
    RAISE,
    REMOVE,
    RETIRE,
    SET,
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
    Step,
)

ETH0 = 2
OWNERS = 5
BRIDGE = 4


def inet(text: str, **fields: object) -> Address:
    """An address of 32 bits."""
    return Address(0, AF_INET, inet_aton(text), 32, **fields)  # type: ignore[arg-type]


def stage() -> Memory:
    """eth0, and for every owner: an address, a label, a device with an altname and an address."""
    kernel = Memory()
    assert kernel.add_device("eth0", up=True).index == ETH0
    for owner in range(OWNERS):
        kernel.add_address("eth0", inet(f"10.1.0.{owner}", label=f"eth0:{owner}"))
        kernel.add_device(f"old{owner}", "macvlan", link="eth0", mode=BRIDGE, group=GROUP)
        kernel.set_device(f"old{owner}", mtu=1400)
        kernel.add_address(f"old{owner}", inet(f"10.2.0.{owner}"))
        done(kernel, AddAltname(f"old{owner}", number(kernel, f"old{owner}"), f"a{owner}"))
    return kernel


def done(kernel: Kernel, *steps: Step) -> None:
    """Send steps that must succeed."""
    assert kernel.send(steps) == [None] * len(steps)


def number(kernel: Kernel, name: str) -> int:
    """The index of a device; one that cannot be when it is not there."""
    device = kernel.snapshot().device(name)
    return device.index if device is not None else 9999


# What an owner may wish for ---------------------------------------------------------------------

Plan = Callable[[Kernel, int], list[Step]]


def make(kernel: Kernel, owner: int) -> list[Step]:
    """A new device with everything, in five phases."""
    name = f"new_{owner}"
    return [
        CreateLink(name, "macvlan", group=GROUP, mode=BRIDGE, link=ETH0),
        SetLink(name, 0, QUIET, addrgen=1),
        AddAltname(name, 0, f"eth0:{owner}"),
        SetLink(name, 0, ifalias="text"),
        AddAddress(name, 0, inet(f"10.3.0.{owner}", protocol=PROTOCOL)),
        SetLink(name, 0, RAISE, up=True),
    ]


def label(kernel: Kernel, owner: int) -> list[Step]:
    """An address on a device that is there."""
    return [AddAddress("eth0", ETH0, inet(f"10.3.0.{owner}", label=f"eth0:1{owner}"))]


def replace(kernel: Kernel, owner: int) -> list[Step]:
    """One address for another, the new one first."""
    name = f"old{owner}"
    place = name, number(kernel, name)
    return [
        AddAddress(*place, inet(f"10.4.0.{owner}")),
        DelAddress(*place, inet(f"10.2.0.{owner}")),
    ]


def swap(kernel: Kernel, owner: int) -> list[Step]:
    """One address for another, the old one first."""
    name = f"old{owner}"
    place = name, number(kernel, name)
    return [
        DelAddress(*place, inet(f"10.2.0.{owner}"), REMOVE),
        AddAddress(*place, inet(f"10.4.0.{owner}")),
    ]


def rename(kernel: Kernel, owner: int) -> list[Step]:
    """Another altname."""
    name = f"old{owner}"
    place = name, number(kernel, name)
    return [DelAltname(*place, f"a{owner}"), AddAltname(*place, f"b{owner}")]


def inherit(kernel: Kernel, owner: int) -> list[Step]:
    """A new device takes the altname of the old one, which stays."""
    old = f"old{owner}"
    release = DelAltname(old, number(kernel, old), f"a{owner}")
    return [release, *make(kernel, owner), AddAltname(f"new_{owner}", 0, f"a{owner}")]


def change(kernel: Kernel, owner: int) -> list[Step]:
    """Settings of a device."""
    name = f"old{owner}"
    place = name, number(kernel, name)
    before = SetLink(*place, SET, mtu=1400, ifalias="", up=False)
    return [SetLink(*place, RAISE, mtu=1300, ifalias="text", up=True, before=before)]


def mark(kernel: Kernel, owner: int) -> list[Step]:
    """Our mark on an address."""
    entry = next(one for one in kernel.snapshot().on(ETH0) if one.label == f"eth0:{owner}")
    before = MarkAddress("eth0", ETH0, entry)
    return [MarkAddress("eth0", ETH0, entry.copy(protocol=PROTOCOL), before)]


def lift(kernel: Kernel, owner: int) -> list[Step]:
    """A mark, and then an address that goes."""
    return [*mark(kernel, owner), *replace(kernel, owner)]


PLANS: tuple[Plan, ...] = (
    make, label, replace, swap, rename, inherit, change, mark, lift,
)  # fmt: skip


def refusal(phase: int) -> Step:
    """A step that is refused, in any phase."""
    return SetLink("ghost", 9999, phase, up=True)


def owned(owner: int, steps: Sequence[Step]) -> list[Step]:
    """The steps as those of an owner."""
    for step in steps:
        step.owner = owner
    return list(steps)


def picture(kernel: Kernel) -> dict[str, object]:
    """Devices and addresses, without indexes and made-up MACs; no order among addresses."""
    snapshot = kernel.snapshot()
    return {
        device.name: (
            [getattr(device, key) for key in Device.__slots__ if key not in ("index", "mac")],
            sorted(
                repr([getattr(entry, key) for key in Address.__slots__ if key != "index"])
                for entry in snapshot.on(device.index)
            ),
        )
        for device in snapshot.devices.values()
    }


def codes(failures: Sequence[Failure]) -> dict[int, int]:
    """Owner: errno."""
    return {failure.step.owner: failure.error.errno for failure in failures}


# Sends ------------------------------------------------------------------------------------------

phases = st.sampled_from([REMOVE, CREATE, QUIET, NAME, SET, ADDRESS, RAISE, RETIRE])


@given(st.lists(phases, max_size=20))
def test_sends(places: list[int]) -> None:
    """By phase, in given order within one; cut before a barrier and nowhere else."""
    steps = [SetLink(str(place), 1, phase) for place, phase in enumerate(places)]
    batches = sends(steps)
    flat = [(step.phase, int(step.device)) for batch in batches for step in batch]
    assert flat == sorted((phase, place) for place, phase in enumerate(places))
    assert all(batches)
    for batch in batches:
        for one, other in pairwise(batch):
            assert not any(one.phase < barrier <= other.phase for barrier in BARRIERS)
    for former, batch in pairwise(batches):
        assert any(former[-1].phase < barrier <= batch[0].phase for barrier in BARRIERS)


@given(st.lists(st.sampled_from(["address", "switched", "other"]), max_size=40))
def test_portions(kinds: list[str]) -> None:
    """No portion deletes more than so many addresses, unless they cannot be told apart; a switch
    stays with its address, and nothing is lost."""
    steps: list[Step] = []
    for kind in kinds:
        if kind == "other":
            steps.append(AddAltname("x", 1, "y"))
            continue
        switch = [SetLink("x", 1, conf={"promote_secondaries": value}) for value in (1, 0)]
        around = switch if kind == "switched" else []
        steps += [*around[:1], DelAddress("x", 1, inet("10.0.0.1")), *around[1:]]
    found = portions([steps], 3)
    assert [step for part in found for step in part] == steps
    for before, behind in pairwise(found):
        assert isinstance(before[-1], DelAddress)
        assert isinstance(behind[0], DelAddress)
    if "address" in kinds and {*kinds} == {"address"}:
        assert all(len(part) <= 3 for part in found)


def test_phases_of_different_owners_go_together() -> None:
    """All devices are made in one send, then all is done to them in the next ones."""
    kernel = stage()
    sent: list[set[int]] = []
    send = kernel.send

    def watched(steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        sent.append({step.phase for step in steps})
        return send(steps)

    kernel.send = watched  # type: ignore[method-assign]
    steps = [step for owner in range(OWNERS) for step in owned(owner, lift(kernel, owner))]
    steps += [step for owner in range(OWNERS) for step in owned(owner, make(kernel, owner))]
    assert kernel.apply(steps) == []
    assert sent == [{CREATE}, {QUIET, NAME, SET, ADDRESS, RAISE}, {RETIRE}]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.__name__)
def test_progress_counts_the_steps(plan: Plan) -> None:
    """Together as many as there are, and some of them early."""
    kernel = stage()
    counts: list[int] = []
    kernel.progress = counts.append
    steps = [step for owner in range(OWNERS) for step in owned(owner, plan(kernel, owner))]
    assert kernel.apply(steps) == []
    assert sum(counts) == len(steps)
    assert min(counts) > 0


def test_nobody_need_listen() -> None:
    """Nothing to do is nothing to tell; and without a listener nothing is told."""
    kernel = stage()
    assert kernel.apply(owned(0, make(kernel, 0))) == []
    counts: list[int] = []
    kernel.progress = counts.append
    assert kernel.apply([]) == []
    assert counts == []


# Refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [REMOVE, CREATE, QUIET, NAME, SET, ADDRESS, RAISE, RETIRE])
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.__name__)
def test_a_refusal_in_any_phase(plan: Plan, phase: int) -> None:
    """S20: nothing of the owner is left; what the others wish for is done."""
    kernel, other = stage(), stage()
    step = refusal(phase)
    before = picture(kernel)
    (failure,) = kernel.apply(owned(1, [*plan(kernel, 1), step]))
    assert failure.step is step
    assert failure.error.errno == ENODEV
    assert failure.left == []
    assert picture(kernel) == before
    good = owned(2, plan(kernel, 2))
    (failure,) = kernel.apply([*owned(1, [*plan(kernel, 1), refusal(phase)]), *good])
    assert failure.step.owner == 1
    assert other.apply(owned(2, plan(other, 2))) == []
    assert picture(kernel) == picture(other)


def test_the_first_refusal_of_an_owner_is_told() -> None:
    """One failure an owner, whatever else was refused behind it."""
    kernel = stage()
    first = DelAddress("eth0", ETH0, inet("10.9.9.9"), REMOVE)
    steps = owned(0, [refusal(RAISE), first, refusal(CREATE)])
    (failure,) = kernel.apply(steps)
    assert failure.step is first
    assert failure.error.errno == EADDRNOTAVAIL


def test_later_steps_are_not_sent() -> None:
    """What follows a device that was not made must not hit another one of its name."""
    kernel = stage()
    kernel.add_device("new_0", "dummy")
    before = picture(kernel)
    (failure,) = kernel.apply(owned(0, make(kernel, 0)))
    assert failure.error.errno == EEXIST
    assert picture(kernel) == before


def test_what_cannot_be_undone_is_told() -> None:
    """The steps that would have undone it stand in the failure."""
    kernel = stage()
    send = kernel.send

    def stubborn(steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        return [
            errors.kernel_error("x", EPERM) if isinstance(step, DelAddress) else send([step])[0]
            for step in steps
        ]

    kernel.send = stubborn  # type: ignore[method-assign]
    (failure,) = kernel.apply(owned(0, [*label(kernel, 0), refusal(RETIRE)]))
    assert [type(step) for step in failure.left] == [DelAddress]
    assert "left behind: eth0" in str(failure.explained("x"))  # type: ignore[arg-type]


def test_what_is_gone_needs_no_undoing() -> None:
    """Somebody else took the address away meanwhile: nothing is left behind."""
    kernel = stage()
    send = kernel.send

    def thief(steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        answers = send(steps)
        if steps[0].phase == ADDRESS:
            kernel.remove_address("eth0", inet("10.3.0.0"))
        return answers

    kernel.send = thief  # type: ignore[method-assign]
    (failure,) = kernel.apply(owned(0, [*label(kernel, 0), refusal(RETIRE)]))
    assert failure.left == []


def test_an_answer_that_was_lost() -> None:
    """A step that may be done is undone, and counts as failed."""
    kernel = stage()
    send = kernel.send
    before = picture(kernel)

    def deaf(steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        answers = send(steps)
        kernel.send = send  # type: ignore[method-assign]
        return [errors.kernel_error("x", ENOBUFS) for _ in answers]

    kernel.send = deaf  # type: ignore[method-assign]
    steps = [*owned(0, label(kernel, 0)), *owned(1, label(kernel, 1))]
    assert codes(kernel.apply(steps)) == {0: ENOBUFS, 1: ENOBUFS}
    assert picture(kernel) == before


# In order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.__name__)
def test_in_order(plan: Plan) -> None:
    """What comes behind the first refusal is undone, what comes before it stays."""
    kernel, other = stage(), stage()
    steps = [step for owner in range(OWNERS) for step in owned(owner, plan(kernel, owner))]
    steps += owned(2, [refusal(RAISE)])
    failures = kernel.apply(steps, ordered=True)
    assert codes(failures) == {2: ENODEV, 3: EINTR, 4: EINTR}
    assert all(failure.left == [] for failure in failures)
    assert other.apply([one for owner in (0, 1) for one in owned(owner, plan(other, owner))]) == []
    assert picture(kernel) == picture(other)


def test_in_order_of_two_refusals_the_first_counts() -> None:
    """That of the lower number, though it was said later; the other one keeps its own errno."""
    kernel = stage()
    before = picture(kernel)
    steps = [step for owner in range(1, 4) for step in owned(owner, make(kernel, owner))]
    steps += [*owned(1, [refusal(RETIRE)]), *owned(3, [refusal(CREATE)])]
    assert codes(kernel.apply(steps, ordered=True)) == {1: ENODEV, 2: EINTR, 3: ENODEV}
    assert picture(kernel) == before


def test_in_order_without_a_refusal() -> None:
    """All is done."""
    kernel = stage()
    steps = [step for owner in range(OWNERS) for step in owned(owner, make(kernel, owner))]
    assert kernel.apply(steps, ordered=True) == []
    assert all(number(kernel, f"new_{owner}") != 9999 for owner in range(OWNERS))


# Stopping ---------------------------------------------------------------------------------------


def stop_after(kernel: Kernel, count: int) -> None:
    """Ask to stop as soon as so many steps were answered."""
    answered = 0

    def hear(more: int) -> None:
        nonlocal answered
        answered += more
        kernel.stopping = kernel.stopping or answered >= count

    kernel.stopping = count == 0
    kernel.progress = hear


def mixed(kernel: Kernel, plans: Sequence[Plan]) -> list[Step]:
    """The plan of each owner, by place."""
    return [step for owner, plan in enumerate(plans) for step in owned(owner, plan(kernel, owner))]


def check_stopped(plans: Sequence[Plan], count: int, *, ordered: bool = False) -> dict[int, int]:
    """Stop after *count* steps: each owner is complete or untouched. Returns the failures."""
    kernel, other = stage(), stage()
    steps = mixed(kernel, plans)
    stop_after(kernel, count)
    failures = kernel.apply(steps, ordered=ordered)
    assert all(failure.left == [] for failure in failures)
    found = codes(failures)
    assert set(found.values()) <= {EINTR}
    kept = [step for step in mixed(other, plans) if step.owner not in found]
    assert other.apply(kept) == []
    assert picture(kernel) == picture(other)
    return found


@pytest.mark.parametrize("count", range(14))
def test_stopping(count: int) -> None:
    """A label is complete before a device is, and stays; what is not complete is undone."""
    found = check_stopped([make, label, replace], count)
    made, told = 1, 7  # the sends are CREATE; QUIET to RAISE, for all three; RETIRE
    if count == 0 or count <= made:
        assert found == {0: EINTR, 1: EINTR, 2: EINTR}
    elif count <= made + told:
        assert found == {2: EINTR}
    else:
        assert found == {}


@given(
    st.lists(st.sampled_from(PLANS), min_size=1, max_size=OWNERS),
    st.integers(0, 30),
    st.booleans(),
)
def test_stopping_anywhere(plans: list[Plan], count: int, ordered: bool) -> None:
    """Nothing half-made is left, whoever wishes for what, and whenever it is."""
    check_stopped(plans, count, ordered=ordered)


@given(st.lists(st.sampled_from(PLANS), min_size=2, max_size=OWNERS), st.integers(0, 30))
def test_stopping_in_order(plans: list[Plan], count: int) -> None:
    """What stays is the beginning of the list."""
    found = check_stopped(plans, count, ordered=True)
    assert sorted(found) == list(range(min(found, default=len(plans)), len(plans)))


def test_stopping_says_which_step_was_prevented() -> None:
    """In words, and with EINTR."""
    kernel = stage()
    kernel.stopping = True
    steps = owned(0, make(kernel, 0))
    (failure,) = kernel.apply(steps)
    assert failure.step is steps[0]
    assert str(failure.error).startswith(title(steps[0]))
    assert "stopped before it was done" in str(failure.error)
    assert isinstance(failure.error, errors.KernelError)


def test_a_refusal_is_told_as_such_when_stopping() -> None:
    """What the kernel refused before is no interruption."""
    kernel = stage()
    before = picture(kernel)
    steps = [*owned(0, [*make(kernel, 0), refusal(CREATE)]), *owned(1, make(kernel, 1))]
    stop_after(kernel, 2)
    assert codes(kernel.apply(steps)) == {0: ENODEV, 1: EINTR}
    assert picture(kernel) == before


def test_what_brings_back_is_not_stopped() -> None:
    """Nor is the undoing of it."""
    kernel = stage()
    kernel.stopping = True
    assert kernel.apply(owned(0, make(kernel, 0)), stoppable=False) == []
    assert number(kernel, "new_0") != 9999
    before = picture(kernel)
    steps = owned(1, [*make(kernel, 1), refusal(RETIRE)])
    assert codes(kernel.apply(steps, stoppable=False)) == {1: ENODEV}
    assert picture(kernel) == before
    assert codes(kernel.apply(owned(2, make(kernel, 2)))) == {2: EINTR}


@given(st.lists(st.sampled_from(PLANS), min_size=1, max_size=OWNERS), st.integers(1, 30))
def test_an_exception_undoes_everything(plans: list[Plan], count: int) -> None:
    """S20: an interruption that is raised goes on upwards, and leaves what was there."""
    kernel = stage()
    before = picture(kernel)
    steps = mixed(kernel, plans)
    left = count

    def hear(more: int) -> None:
        nonlocal left
        left -= more
        if left == 0:
            raise KeyboardInterrupt

    kernel.progress = hear
    if count > len(steps):
        assert kernel.apply(steps) == []
        return
    with pytest.raises(KeyboardInterrupt):
        kernel.apply(steps)
    assert picture(kernel) == before


def test_a_deletion_is_not_undone() -> None:
    """A device that is gone stays gone: who deletes to replace brings it back with another plan."""
    kernel = stage()
    steps = owned(0, [DelLink("old0", number(kernel, "old0"), GROUP), refusal(RETIRE)])
    (failure,) = kernel.apply(steps)
    assert failure.left == []
    assert number(kernel, "old0") == 9999
