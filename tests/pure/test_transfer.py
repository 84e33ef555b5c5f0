"""Addresses that move between devices of one main device: the new place first, the old one last."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from test_claim import Wire, on
from test_plan_compare import Declared

from netalias import desired, errors
from netalias.kernel import usable
from netalias.kernel.memory import Memory
from netalias.model import (
    IFA_F_DADFAILED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    IFA_F_TENTATIVE,
    RT_SCOPE_LINK,
    Address,
)
from netalias.model.steps import AddAddress, DelAddress, DelLink, Step

V6 = "2001:db8::1"


class Recorder(Memory):
    """A kernel in memory that notes what it is sent, and refuses what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Step] = []
        self.sends: list[list[type[Step]]] = []
        self.asked = 0
        self.late = 0
        self.refused: type[Step] | None = None

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        answers: list[errors.NetaliasError | None] = []
        self.sends.append([type(step) for step in steps])
        for step in steps:
            if self.refused is not None and isinstance(step, self.refused):
                answers.append(errors.kernel_error("a step", 12, ""))
                continue
            self.sent.append(step)
            answers += super().send([step])
        return answers

    def delivered(self, asked: set[tuple[int, bytes]]) -> set[tuple[int, bytes]] | None:
        """All addresses, but only when it is asked for the third time."""
        self.asked += 1
        if self.asked <= self.late:
            return set()
        found = self.snapshot()
        return asked & {(index, one.local) for index in found.devices for one in found.on(index)}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Declared:
    monkeypatch.setattr(usable, "PAUSE", 0.0)
    return Declared(Recorder())


def added(stage: Declared) -> list[AddAddress]:
    """The addresses that were added."""
    steps = [one for one in stage.kernel.sent if isinstance(one, AddAddress)]  # type: ignore[attr-defined]
    return [one for one in steps if one.address.scope != RT_SCOPE_LINK]


def flags(stage: Declared) -> int:
    """The flags with which the last address was added."""
    return added(stage)[-1].address.flags


def usual(stage: Declared) -> Address:
    """The address of the only alias, which the kernel checks as usual when its device comes up."""
    (entry,) = (one.entry for one in stage.engine.observe().aliases)
    assert entry is not None
    assert not entry.flags & IFA_F_NODAD
    return entry


def doubt(monkeypatch: pytest.MonkeyPatch, flag: int) -> None:
    """From now on IPv6 addresses are read with this *flag*."""
    snapshot = Recorder.snapshot

    def doubtful(self: Recorder, family: int = 0) -> object:
        found = snapshot(self, family)
        for index in found.devices:
            for entry in found.on(index):
                entry.flags |= flag if entry.local.startswith(b"\x20\x01") else 0
        return found

    monkeypatch.setattr(Recorder, "snapshot", doubtful)


@pytest.mark.parametrize("way", ["command", "file", "batch of two"])
@pytest.mark.parametrize(("old", "new"), [("label", "macvlan"), ("macvlan", "label")])
def test_what_moves_is_not_checked_again(stage: Declared, way: str, old: str, new: str) -> None:
    """An IPv6 address that is ours and valid comes without detection, and is as usual in the end:
    checked when its device comes up again, with the route of its network."""
    stage(f"eth0:0 {V6}/64 kind {old}")
    assert not flags(stage) & IFA_F_NODAD
    stage.kernel.sent.clear()  # type: ignore[attr-defined]
    if way == "command":
        stage(f"eth0:0 {V6}/64 kind {new}")
    elif way == "file":
        assert stage.reconcile(f"eth0:0 {V6}/64 kind {new}\n").status == errors.STATUS_OK
    else:  # another alias gets the address
        stage.reconcile(f"eth0:1 {V6}/64 kind {new}\n")
    assert flags(stage) & IFA_F_NODAD
    assert bool(flags(stage) & IFA_F_NOPREFIXROUTE) == (new == "macvlan")
    entry = usual(stage)
    assert not entry.flags & IFA_F_NOPREFIXROUTE
    assert entry.routed


@pytest.mark.parametrize("flag", [IFA_F_TENTATIVE, IFA_F_DADFAILED])
@pytest.mark.parametrize(("old", "new"), [("label", "macvlan"), ("macvlan", "label")])
def test_what_nobody_has_found_unique_is_checked(
    stage: Declared, monkeypatch: pytest.MonkeyPatch, flag: int, old: str, new: str
) -> None:
    """A tentative address and a duplicate get the usual detection."""
    stage(f"eth0:0 {V6}/64 kind {old}")
    doubt(monkeypatch, flag)
    plan = stage.plan(f"eth0:0 {V6}/64 kind {new}")
    (step,) = (one for one in plan.steps if isinstance(one, AddAddress))
    assert not step.address.flags & IFA_F_NODAD


def test_an_address_of_others_is_checked(stage: Declared) -> None:
    """That it is on the main device does not make it ours, and it does not go."""
    stage.kernel.add_address("eth0", f"{V6}/128")
    stage(f"eth0:0 {V6}/128 kind macvlan")
    assert not flags(stage) & IFA_F_NODAD


def test_another_address_is_checked(stage: Declared) -> None:
    """The alias gets another device and another address."""
    stage(f"eth0:0 {V6}/64 kind label")
    stage("eth0:0 2001:db8::2/64 kind macvlan")
    assert not flags(stage) & IFA_F_NODAD
    stage("eth1:0 2001:db8:1::2/64 kind label")
    stage.reconcile("eth0:1 2001:db8:1::2/64 kind macvlan\n")  # of another link
    assert not flags(stage) & IFA_F_NODAD


@pytest.mark.parametrize("address", ["10.0.0.1/24", f"{V6}/64"])
@pytest.mark.parametrize(("old", "new"), [("label", "macvlan"), ("macvlan", "label")])
def test_the_old_place_goes_last(stage: Declared, address: str, old: str, new: str) -> None:
    """When the kernel delivers to the new one: it is asked until it does."""
    stage(f"eth0:0 {address} kind {old}")
    kernel = stage.kernel
    assert isinstance(kernel, Recorder)
    kernel.sent.clear()
    kernel.late = 2
    stage.reconcile(f"eth0:0 {address} kind {new}\n")
    places = [
        type(one) for one in kernel.sent if isinstance(one, (AddAddress, DelAddress, DelLink))
    ]
    assert places == [AddAddress, DelAddress if old == "label" else DelLink]
    assert kernel.asked == (3 if ":" in address else 0)


@pytest.mark.parametrize("address", ["10.0.0.1/24", f"{V6}/64"])
@pytest.mark.parametrize("refused", [AddAddress, DelLink])
def test_a_refusal_keeps_the_device(stage: Declared, refused: type[Step], address: str) -> None:
    """The label is not there then, and the device is the one that it was."""
    stage(f"eth0:0 {address} kind macvlan")
    index = stage.device("eth0_0").index
    kernel = stage.kernel
    assert isinstance(kernel, Recorder)
    kernel.refused = refused
    with pytest.raises(errors.KernelError, match=r"^eth0:0: ") as caught:
        stage(f"eth0:0 {address} kind label")
    assert "left behind" not in str(caught.value)
    assert "could not" not in str(caught.value)
    kernel.refused = None
    assert stage.device("eth0_0").index == index
    assert stage.on("eth0") == []
    (alias,) = stage.engine.observe().aliases
    assert alias.kind == "macvlan"
    assert stage.check(f"eth0:0 {address} kind macvlan\n").same


def test_a_place_that_is_wanted_is_cleared_first(stage: Declared) -> None:
    """By kinds that exclude each other on one main device, and for a MAC that another one gets."""
    stage("eth0:0 10.0.0.1 kind macvlan hw ether 02:00:00:00:00:07")
    assert stage.reconcile("eth0:0 10.0.0.1 kind label\neth0:1 10.0.0.2 kind ipvlan\n").status == 0
    assert {alias.kind for alias in stage.engine.observe().aliases} == {"label", "ipvlan"}
    stage("eth1:0 10.1.0.1 kind macvlan hw ether 02:00:00:00:00:08")
    text = "eth1:0 10.1.0.1 kind label\neth1:1 10.1.0.2 kind macvlan hw ether 02:00:00:00:00:08\n"
    assert stage.reconcile(text + "eth0:0 10.0.0.1\neth0:1 10.0.0.2\n").status == 0


def test_neighbours_are_told_before_a_mac_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The MAC of a device is known to them: they hear of that of the main device while the device
    is still there, and once more when it is gone, for those who have asked in between."""
    memory = Memory()
    wire = Wire(memory, monkeypatch)
    stage = Declared(memory)
    stage.engine = engine = on(memory)
    lines = [("eth0:0", "10.0.0.1"), ("eth0:1", V6)]
    for name, address in lines:
        engine.realise(desired.parse([name, address, "kind", "macvlan"], engine.registry))
    wire.heard()
    there: list[bool] = []
    announce = wire.announce
    monkeypatch.setattr(
        "netalias.packets.announce.announce",
        lambda *words, **more: (
            there.append(memory.snapshot().device("eth0_0") is not None),
            announce(*words, **more),
        )[1],
    )
    stage.reconcile("".join(f"{name} {address} kind label\n" for name, address in lines))
    assert there[0]
    assert not there[-1]
    assert sorted(wire.heard()) == ["10.0.0.1"] * 2 + [V6] * 2


def test_a_device_is_waited_for_that_finds_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks from a link-local address, as long as that is not tentative."""
    monkeypatch.setattr(usable, "PAUSE", 0.0)
    kernel = Recorder()
    kernel.add_device("eth0", up=True)
    index = kernel.device("eth0").index
    ready = iter([IFA_F_TENTATIVE, IFA_F_TENTATIVE, IFA_F_PERMANENT])
    part = Recorder.part
    asked = []

    def later(self: Recorder, names: Sequence[str]) -> object:
        found = part(self, names)
        asked.append(names)
        local = Address(index, 10, b"\xfe\x80" + bytes(13) + b"\1", 64, next(ready), RT_SCOPE_LINK)
        found.addresses[index] = [local]
        return found

    monkeypatch.setattr(Recorder, "part", later)
    flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE
    step = AddAddress("eth0", index, Address(index, 10, b"\x20\x01" + bytes(14), 64, flags))
    kernel.send([step])
    usable.wait(kernel, [step])
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("10.0.0.1/32", "10.0.0.1/32 broadcast 10.0.0.9"),
        (f"{V6}/64", f"{V6}/128"),
    ],
)
def test_a_label_is_made_again_in_one_send(stage: Declared, before: str, after: str) -> None:
    """An address that the kernel can neither change nor have twice goes and comes in one send, and
    is not checked again."""
    stage(f"eth0:0 {before} kind label")
    kernel = stage.kernel
    assert isinstance(kernel, Recorder)
    kernel.sent.clear()
    kernel.sends.clear()
    assert stage.reconcile(f"eth0:0 {after} kind label\n").status == errors.STATUS_OK
    (send,) = (one for one in kernel.sends if AddAddress in one)
    assert send[:2] == [DelAddress, AddAddress]
    assert bool(flags(stage) & IFA_F_NODAD) == (":" in before)
    assert stage.check(f"eth0:0 {after} kind label\n").same


OWN = "2001:db8::9/64"
"""An address of the main device itself, in the network of the alias."""


@pytest.mark.parametrize("way", ["command", "file"])
@pytest.mark.parametrize("kind", ["label", "macvlan"])
@pytest.mark.parametrize("gains", [True, False])
def test_a_network_is_handed_over_without_detection(
    stage: Declared, way: str, kind: str, gains: bool
) -> None:
    """The main device loses its address in the network of an alias, or gets one: the IPv6 address
    of the alias, which brings the route or no longer does, is as unique as it was."""
    line = f"eth0:0 {V6}/64 kind {kind}"
    if gains:
        stage.kernel.add_address("eth0", OWN)
    stage(line)
    if gains:
        stage.kernel.remove_address("eth0", OWN)
    else:
        stage.kernel.add_address("eth0", OWN)
    assert not flags(stage) & IFA_F_NODAD
    if way == "command":
        stage(line)
    else:
        assert stage.reconcile(f"{line}\n").status == errors.STATUS_OK
    assert flags(stage) & IFA_F_NODAD
    assert stage.check(f"{line}\n").same
    assert usual(stage).routed == gains


@pytest.mark.parametrize("kind", ["label", "macvlan"])
def test_a_successor_is_not_checked_again(stage: Declared, kind: str) -> None:
    """The alias that takes the IPv6 network over from one that goes."""
    stage(f"eth0:0 2001:db8::7/64 kind {kind}")
    stage(f"eth0:1 {V6}/64 kind {kind}")
    stage("eth0:0-")
    assert flags(stage) & IFA_F_NODAD
    assert usual(stage).routed


@pytest.mark.parametrize("flag", [IFA_F_TENTATIVE, IFA_F_DADFAILED])
def test_a_successor_that_nobody_has_found_unique_is_checked(
    stage: Declared, monkeypatch: pytest.MonkeyPatch, flag: int
) -> None:
    """Another host may have its address."""
    stage("eth0:0 2001:db8::7/64 kind macvlan")
    stage(f"eth0:1 {V6}/64 kind macvlan")
    doubt(monkeypatch, flag)
    steps = stage.plan("eth0:0-").steps
    (added_again,) = (one for one in steps if isinstance(one, AddAddress))
    assert not added_again.address.flags & IFA_F_NODAD


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"eth0:0 {V6}/64 kind macvlan", f"eth0:0 {V6}/64 kind macvlan metric 300"),
        (f"eth0:0 {V6}/64 kind macvlan", f"eth0:0 {V6}/60 kind macvlan"),
        (f"eth0:0 {V6}/64 kind label", f"eth0:1 {V6}/64 kind label"),
        (f"eth0:0 {V6}/64 kind macvlan", f"eth0:1 {V6}/64 kind macvlan"),
    ],
)
def test_a_change_of_the_same_address(stage: Declared, before: str, after: str) -> None:
    """Another metric, prefix length or slot is no reason for a new detection."""
    stage(before)
    assert stage.reconcile(f"{after}\n").status == errors.STATUS_OK
    assert flags(stage) & IFA_F_NODAD
    assert stage.check(f"{after}\n").same
    usual(stage)


@pytest.mark.parametrize("address", ["10.0.0.1/32", f"{V6}/64"])
def test_a_device_whose_address_gets_another_slot_goes_last(stage: Declared, address: str) -> None:
    """Two macvlans can have one address for a while."""
    stage(f"eth0:0 {address} kind macvlan")
    stage.kernel.sent.clear()  # type: ignore[attr-defined]
    assert stage.reconcile(f"eth0:1 {address} kind macvlan\n").status == errors.STATUS_OK
    kinds = [type(step) for step in stage.kernel.sent]  # type: ignore[attr-defined]
    assert kinds.index(AddAddress) < kinds.index(DelLink)


def test_an_ipvlan_whose_address_gets_another_slot_goes_first() -> None:
    """The kernel refuses the address of an ipvlan to another one."""
    stage = Declared(Recorder())
    stage("eth0:0 10.0.0.1 kind ipvlan")
    stage.kernel.sent.clear()  # type: ignore[attr-defined]
    assert stage.reconcile("eth0:1 10.0.0.1 kind ipvlan\n").status == errors.STATUS_OK
    kinds = [type(step) for step in stage.kernel.sent]  # type: ignore[attr-defined]
    assert kinds.index(DelLink) < kinds.index(AddAddress)
