"""An alias that is taken away to be replaced, and is refused, comes back: whatever another one of
the same run has put in its place goes again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from errno import EIO
from random import Random
from typing import Any

import declared_machine
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refusing import Refusing
from test_claim import Wire, on, packed
from test_plan_compare import Declared
from test_reconcile_machine import InMemory, Mortal, OverMemory

from netalias import errors
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.reconcile import Outcome, Rules, reconcile
from netalias.kernel import Failure
from netalias.kernel.memory import Memory
from netalias.kernel.refusing import refused
from netalias.model.steps import AddAddress, AddAltname, CreateLink, Step
from netalias.observed import Observed

BAD = Refusing.bad
"""The kernel refuses this address."""
OWN_MAC = "02:00:00:00:00:05"


@pytest.fixture
def stage() -> Declared:
    return Declared(Refusing(kinds=("macvlan", "ipvlan", "dummy")))


def aliases(stage: Declared) -> list[str]:
    """Name, kind and address of all aliases, by name."""
    registry = stage.engine.registry
    return sorted(
        f"{alias.name} {alias.kind} {registry.get(alias.family).format(alias.address)}"
        for alias in stage.engine.show()
    )


def told(outcome: Outcome) -> dict[str, str]:
    """Name: what was refused of it, or undone."""
    return {str(item.name): str(item.error) for item in outcome.failed}


def undone(name: str, former: str) -> str:
    """The message for an alias that has to go again."""
    return f"{name}: undone: it stood in the way of {former}, which could not be changed"


@pytest.mark.parametrize(("old", "new"), [("ipvlan", "macvlan"), ("macvlan", "ipvlan")])
@pytest.mark.parametrize("kind", ["label", "dummy"])
def test_back_on_a_main_device_that_has_the_rival_kind(
    stage: Declared, old: str, new: str, kind: str
) -> None:
    """macvlan and ipvlan cannot stand beside each other: the one that came goes."""
    stage.reconcile(f"eth0:0 10.0.0.1 kind {old}\n")
    mine = f"eth0:0 {BAD} kind {kind}\n"
    outcome = stage.reconcile(f"{mine}eth0:1 10.0.0.2 kind {new}\neth1:0 10.0.0.3 kind {new}\n")
    assert aliases(stage) == [f"eth0:0 {old} 10.0.0.1", f"eth1:0 {new} 10.0.0.3"]
    failed = told(outcome)
    assert failed.pop("eth0:1") == undone("eth0:1", "eth0:0")
    assert failed.keys() == {"eth0:0"}
    assert failed["eth0:0"].endswith("Input/output error")
    assert outcome.status == errors.STATUS_KERNEL


def test_back_to_an_address_that_others_have_passed_on(stage: Declared) -> None:
    """Each that moved up moves back, however many they are; who has nothing to do with it stays."""
    before = "eth0:{} 10.0.0.{} kind label\n"
    stage.reconcile("".join(before.format(slot, slot + 1) for slot in range(4)))
    moved = "".join(before.format(slot, slot) for slot in range(1, 4))
    outcome = stage.reconcile(f"eth0:0 {BAD}\n{moved}eth1:0 10.0.0.7 kind label\n")
    kept = [f"eth0:{slot} label 10.0.0.{slot + 1}" for slot in range(4)]
    assert aliases(stage) == [*kept, "eth1:0 label 10.0.0.7"]
    failed = told(outcome)
    assert failed.pop("eth0:0") == f"eth0:0: cannot add {BAD}/32 to eth0: Input/output error"
    assert failed == {f"eth0:{n}": undone(f"eth0:{n}", f"eth0:{n - 1}") for n in range(1, 4)}


def test_back_where_two_change_places(stage: Declared) -> None:
    """A label becomes a device and is refused; the device that became a label goes back too."""
    stage.reconcile("eth0:0 10.0.0.1 kind label\neth0:1 10.0.0.2 kind ipvlan\n")
    outcome = stage.reconcile(f"eth0:0 {BAD} kind ipvlan\neth0:1 10.0.0.1 kind label\n")
    assert aliases(stage) == ["eth0:0 label 10.0.0.1", "eth0:1 ipvlan 10.0.0.2"]
    assert told(outcome)["eth0:1"] == undone("eth0:1", "eth0:0")


def test_back_with_a_mac_that_another_one_has_got(stage: Declared) -> None:
    """Two macvlans of one device cannot be up with one MAC."""
    stage.reconcile(f"eth0:0 10.0.0.1 kind macvlan hw ether {OWN_MAC}\n")
    text = f"eth0:0 {BAD} kind label\neth0:1 10.0.0.2 kind macvlan hw ether {OWN_MAC}\n"
    outcome = stage.reconcile(text)
    assert aliases(stage) == ["eth0:0 macvlan 10.0.0.1"]
    assert stage.device("eth0_0").mac.hex(":") == OWN_MAC
    assert told(outcome)["eth0:1"] == undone("eth0:1", "eth0:0")


def test_who_comes_back_all_the_same_costs_nobody_anything(stage: Declared) -> None:
    """Nothing is undone as a precaution."""
    stage.reconcile("eth0:0 10.0.0.1 kind ipvlan\n")
    outcome = stage.reconcile(f"eth0:0 {BAD} kind label\neth0:1 10.0.0.1 kind ipvlan\n")
    assert aliases(stage) == ["eth0:0 ipvlan 10.0.0.1", "eth0:1 ipvlan 10.0.0.1"]
    assert told(outcome).keys() == {"eth0:0"}


def test_back_after_a_verdict_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel reports a duplicate IPv6 address only after all steps have been done."""
    memory = Memory(kinds=("macvlan", "ipvlan", "dummy"))
    stage = Declared(memory)
    stage.engine = on(memory)
    wire = Wire(memory, monkeypatch)
    stage.reconcile("eth0:0 10.0.0.1 kind ipvlan\n")
    wire.taken = {packed("2001:db8::1")}
    text = "eth0:0 2001:db8::1 kind label acd fast conflict skip\neth0:1 10.0.0.2 kind macvlan\n"
    wire.heard()
    outcome = stage.reconcile(text)
    assert aliases(stage) == ["eth0:0 ipvlan 10.0.0.1"]
    failed = told(outcome)
    assert failed["eth0:0"] == "eth0:0: 2001:db8::1 is in use on eth0 by 02:00:00:00:ee:01"
    assert failed["eth0:1"] == undone("eth0:1", "eth0:0")
    assert outcome.status == errors.STATUS_CONFLICT
    assert wire.heard() == []


def test_back_in_a_batch(stage: Declared) -> None:
    """With --force the other commands are done; one that took what should come back is undone."""
    stage.reconcile("eth0:0 10.0.0.1 kind label\neth0:1 10.0.0.2 kind label\n")
    batch = Batch(stage.engine, lambda _: 0, lambda _: None, force=True)
    text = f"eth0:0 {BAD}\neth0:1 10.0.0.1\neth0:2 10.0.0.3 kind label\n"
    batch.run(parse_commands(text, stage.engine.registry, force=True))
    assert [number for number, _ in batch.failed] == [1, 2]
    assert str(batch.failed[1][1]) == undone("eth0:1", "eth0:0")
    assert aliases(stage) == [f"eth0:{n} label 10.0.0.{n + 1}" for n in range(3)]


class Moody(Mortal):
    """A kernel that refuses some steps of some plans by dice; never what undoes or brings back."""

    dice: Random | None = None

    def apply(self, steps: Iterable[Step], *, stoppable: bool = True, **rest: Any) -> list[Failure]:
        steps = list(steps)
        if self.dice is not None and stoppable:
            owners = sorted({step.owner for step in steps})
            self.unlucky = {owner for owner in owners if self.dice.random() < 0.4}
        return super().apply(steps, stoppable=stoppable, **rest)

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        return [
            refused(step, EIO) if self._refuses(step) else super(Moody, self).send([step])[0]
            for step in steps
        ]

    def _refuses(self, step: Step) -> bool:
        if self.dice is None or self._undoing or step.owner not in self.unlucky:
            return False
        return isinstance(step, (AddAddress, AddAltname, CreateLink)) and self.dice.random() < 0.5


class Refused(OverMemory):
    """The state machine over a kernel in memory that may be moody."""

    def make_ground(self) -> InMemory:
        ground = InMemory()
        ground.observed = Moody()
        ground.observed.set_device("lo", up=True)
        return ground

    def run(self, dice: Random | None = None) -> Outcome:
        """One reconciliation without a check of the rest."""
        observed = self.ground.kernel()
        assert isinstance(observed, Moody)
        observed.dice = dice
        return reconcile(self._engine(observed), self.declared(), Rules(allow_empty=True))

    def held(self) -> dict[str, list[tuple[object, ...]]]:
        """Name: what stands there, whatever brings the routes; indexes and MACs may be new ones."""
        found: dict[str, list[tuple[object, ...]]] = {}
        aliases = Observed(self.snapshot(), self.registry).aliases
        for alias in filter(lambda alias: alias.ours, aliases):
            mtu = alias.device.mtu if alias.device is not None else 0
            value = alias.kind, alias.address, alias.prefixlen, alias.up, mtu
            found.setdefault(str(alias.name), []).append(value)
        return {name: sorted(values, key=repr) for name, values in found.items()}


@settings(max_examples=150)
@given(st.randoms(use_true_random=True))
def test_whoever_is_refused_is_as_before(random: Random) -> None:
    """Whatever else is done in that run, and whatever the kernel refuses: an alias that could not
    be changed has all that it had, and one that could not be made is not there."""
    machine = Refused()
    machine.begin(random.randrange(10_000))
    machine.disturb(random, 2)
    machine.run()
    machine.write(random, 6)
    before = machine.held()
    outcome = machine.run(random)
    after = machine.held()
    for item in outcome.failed:
        alias = item.plan.alias
        if item.sysctl_change is None and (alias is None or alias.whole):
            assert after.get(str(item.name)) == before.get(str(item.name)), str(item.error)
        assert not any(words in str(item.error) for words in ("is gone", "left behind"))


FOUND = {
    "an ipvlan and a label change places, and a macvlan comes": (
        "eth2:0 10.1.1.2 kind label; eth2:2 2001:db8::2/64 kind ipvlan;"
        " eth1:0 10.1.0.3/16 kind ipvlan; eth3:1 2001:db8::3/48 kind ipvlan mtu 1400",
        "eth2:2 10.1.1.2 kind label; eth2:0 2001:db8::2/64 kind ipvlan;"
        " eth1:0 10.1.1.1/24 kind label; eth2:1 10.9.0.1/32 kind macvlan mtu 1300",
        ["eth2:2", "eth2:1"],
    ),
}
"""Cases found by exploration: a file, the next file, and the name that fails."""


@pytest.mark.parametrize("found", FOUND.values(), ids=FOUND)
def test_found_by_dice(found: tuple[str, str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the state machine asks of a reconciliation holds: nothing is gone."""
    monkeypatch.setattr(declared_machine, "note", lambda _: None)
    machine = OverMemory()
    machine.begin(0)
    *files, failing = found
    for file in files:
        lines = [line.split(" ", 1) for line in str(file).split("; ")]
        names = [(name.split(":"), words) for name, words in lines]
        machine.lines = {(main, int(slot)): words for (main, slot), words in names}
        before = declared_machine.seen(machine.snapshot())
        outcome = machine._run(Rules(allow_empty=True))
    after = declared_machine.seen(machine.snapshot())
    assert [str(item.name) for item in outcome.failed] == failing
    assert {name: after.get(name) for name in failing} == {n: before.get(n) for n in failing}
    machine.teardown()
