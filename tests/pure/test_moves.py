"""Aliases that move between kinds, networks and main devices lose no address on the way."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import Watchful, hold
from test_plan_compare import Declared

from netalias import errors
from netalias.engine.batch import Batch, parse_commands
from netalias.kernel.memory import Memory
from netalias.model import PROTOCOL
from netalias.model.steps import SetLink, Step

randoms = st.randoms(use_true_random=True)


class Witness(Watchful, Memory):
    """A kernel in memory that looks after each step which of the addresses ``kept`` are away."""

    def __init__(self) -> None:
        super().__init__(kinds=("macvlan", "dummy"))

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        answers = []
        for step in steps:
            answers += super().send([step])
            self.look(self.snapshot())
        return answers


def promoting(stage: Declared, main: str, value: int) -> None:
    """Set promote_secondaries of a main device."""
    index = stage.device(main).index
    stage.kernel.send([SetLink(main, index, conf={"promote_secondaries": value})])


def adopted(
    stage: Declared, main: str, slots: Sequence[int], text: str = "198.51.100.{}/25"
) -> None:
    """Labels of others on *main* that were adopted: only the first one is a primary address."""
    for slot in slots:
        stage.kernel.add_address(main, text.format(slot), label=f"{main}:{slot}", protocol=PROTOCOL)


@pytest.fixture
def stage() -> Declared:
    return Declared(Witness())


@pytest.mark.parametrize("promote", [0, 1])
@pytest.mark.parametrize(
    "text",
    [
        "eth0:2-4 198.51.100.2-4/25 kind macvlan\n",
        "eth0:4 198.51.100.4/25 kind macvlan\neth0:2-3 198.51.100.2-3/25 kind dummy\n",
        "eth0:3-4 198.51.100.3-4/25 kind macvlan\neth0:2 198.51.100.2/25\n",
        "eth0:3 198.51.100.3/25\neth0:2 198.51.100.2/25 kind macvlan\neth0:4 198.51.100.4\n",
        "eth1:2-4 198.51.100.2-4/25 kind macvlan\n",
        "eth0:2-3 198.51.100.2-3/25\n",
        "eth0:4 198.51.100.4/25 kind macvlan\n",
    ],
)
def test_secondaries_are_not_lost_with_their_primary(
    stage: Declared, promote: int, text: str
) -> None:
    """Adopted labels of one network become what the file says in one run, whatever the kernel does
    with the secondaries of an address that is deleted; nor are those of others lost."""
    promoting(stage, "eth0", promote)
    adopted(stage, "eth0", (2, 3, 4))
    stage.kernel.add_address("eth0", "198.51.100.9/25")
    outcome = stage.reconcile(text)
    assert outcome.status == errors.STATUS_OK
    assert stage.check(text).same
    assert stage.kernel.setting("eth0", "promote_secondaries") == promote
    assert any(one.startswith("198.51.100.9/25") for one in stage.on("eth0"))


def test_labels_become_devices_without_a_gap(stage: Declared) -> None:
    """The new device has the address before the label is deleted."""
    assert isinstance(stage.kernel, Witness)
    adopted(stage, "eth0", range(2, 9))
    stage.kernel.kept = {bytes((198, 51, 100, last)) for last in range(2, 9)}
    assert stage.reconcile("eth0:2-8 198.51.100.2-8/25 kind macvlan\n").status == errors.STATUS_OK
    assert stage.kernel.away == set()


def test_labels_of_a_network_are_deleted_in_a_batch(stage: Declared) -> None:
    """A secondary that was promoted by one line does not take others along by the next."""
    adopted(stage, "eth0", (2, 3, 4))
    stage.kernel.add_address("eth0", "198.51.100.9/25")
    work = Batch(stage.engine, lambda words: 0, lambda text: None)
    work.run(parse_commands("eth0:2-\neth0:3-", stage.engine.registry))
    assert work.failed == []
    assert stage.on("eth0") == ["198.51.100.4/25 label=eth0:4", "198.51.100.9/25 secondary"]


def test_thousands_are_not_promoted_one_by_one(stage: Declared) -> None:
    """Each promotion adds the routes of all secondaries again: the primary goes last."""
    adopted(stage, "eth0", range(2, 100))
    steps = [step for item in stage.check("").items for step in item.plan.steps]
    assert not any(isinstance(step, SetLink) for step in steps)
    last = max(steps, key=lambda step: step.phase)
    assert last.address.local[-1] == 2  # type: ignore[attr-defined]
    assert stage.reconcile("").status == errors.STATUS_OK
    assert stage.on("eth0") == []


@pytest.mark.parametrize("way", ["command", "file"])
def test_label_in_a_network_that_others_inherit(stage: Declared, way: str) -> None:
    """The secondary address of others becomes primary when the label is re-addressed, and brings
    the route: so the label is a host address at once."""
    stage("eth0:0 10.1.0.1/24 kind label")
    stage.kernel.add_address("eth0", "10.1.0.9/24")
    if way == "file":
        stage.reconcile("eth0:0 10.1.0.2/24 kind label\n")
    else:
        stage("eth0:0 10.1.0.2/24")
    assert sorted(stage.on("eth0")) == ["10.1.0.2/32 label=eth0:0", "10.1.0.9/24"]
    assert stage.check("eth0:0 10.1.0.2/24 kind label\n").same


@pytest.mark.parametrize(
    ("one", "other", "new"),
    [
        ("10.1.0.5/24", "10.1.0.1/24", "10.1.0.2/24"),
        ("2001:db8::5/64", "2001:db8::1/64", "2001:db8::2/64"),
        ("10.1.0.5/24", "10.1.0.1/16", "10.1.0.2/16"),
    ],
)
def test_unchanged_alias_of_a_main_that_is_down(
    stage: Declared, one: str, other: str, new: str
) -> None:
    """It is no error where another alias keeps its network, in whatever order they are declared."""
    stage.reconcile(f"eth1:0 {other}\n")
    stage.reconcile(f"eth0:0 {one}\neth1:0 {other}\n")
    before = stage.on("eth0_0")
    stage.kernel.set_device("eth0", up=False)
    outcome = stage.reconcile(f"eth0:0 {one}\neth1:0 {new}\n")
    assert [found.line() for found in outcome.diff.skipped] == []
    assert outcome.status == errors.STATUS_OK
    assert stage.on("eth0_0") == before


@settings(max_examples=150)
@given(randoms)
def test_any_mixture_is_reconciled_in_one_run(random: Random) -> None:
    """Nothing is refused, nothing is lost, and a second run has nothing to do."""
    stage = Declared(Witness())
    assert isinstance(stage.kernel, Witness)
    hold(stage.engine, stage.kernel, random)
