"""Prefixes that would take addresses from hosts on a link, in memory."""

from __future__ import annotations

import pytest
from test_plan_compare import Declared

from netalias import doctor, errors
from netalias.doctor.facts import Facts
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.reconcile import Rules
from netalias.kernel.memory import Memory

INSIDE = [
    ("eth0:5 10.0.0.0/25 kind prefix", "10.0.0.0/24 of eth0"),
    ("eth1:5 10.0.0.128/25 kind prefix", "10.0.0.0/24 of eth0"),
    ("eth0:5 10.5.0.0/30 kind prefix", "10.5.0.0/24 of eth1"),
    ("eth0:5 2001:db8::/65 kind prefix", "2001:db8::/64 of eth0"),
]


@pytest.fixture
def stage() -> Declared:
    """eth0 and eth1 have networks."""
    made = Declared(Memory(kinds=("macvlan", "dummy")))
    made.kernel.add_address("eth0", "10.0.0.1/24")
    made.kernel.add_address("eth0", "2001:db8::1/64")
    made.kernel.add_address("eth1", "10.5.0.1/24")
    return made


def forced() -> Rules:
    return Rules(allow_empty=True, force=True)


@pytest.mark.parametrize(("words", "network"), INSIDE)
def test_a_part_of_the_network_of_a_link_needs_force(
    stage: Declared, words: str, network: str
) -> None:
    """In a command, a batch and a file alike; check foretells it, and doctor finds it."""
    said = f"lies in the network {network}, whose hosts there would be cut off"
    with pytest.raises(errors.StateError, match=said) as caught:
        stage(words)
    assert caught.value.status == errors.STATUS_KERNEL
    assert "--force" in caught.value.hint
    work = Batch(stage.engine, lambda words: 0, lambda text: None)
    work.run(parse_commands(words, stage.engine.registry))
    assert [said in str(error) for _, error in work.failed] == [True]
    assert [said in text for text in stage.skipped(words)] == [True]
    assert stage.reconcile(words).status == errors.STATUS_KERNEL
    assert stage.kernel.snapshot().local_routes == []
    assert len(stage.lines(words, forced())) == 1
    assert stage.reconcile(words, forced()).status == errors.STATUS_OK
    assert stage.lines(words) == stage.skipped(words) == []
    (found,) = doctor.CHECKS["cutting-prefix"](Facts(stage.engine.observe()))
    assert network in found.why


def test_force_is_enough(stage: Declared) -> None:
    """In a command, which warns, and in a batch."""
    done = stage("eth0:5 10.0.0.0/25 kind prefix", force=True)
    assert "no other host in 10.0.0.0/25 can be reached" in done.notes[0]
    work = Batch(stage.engine, lambda words: 0, lambda text: None, force=True)
    work.run(parse_commands("eth0:6 10.0.0.128/26 kind prefix", stage.engine.registry))
    assert work.failed == []
    stage("eth0:5 10.0.0.64/26")  # a part of what is cut off already


def test_the_other_end_of_a_line(stage: Declared) -> None:
    """It has no network in common with anybody, and is a host all the same."""
    stage("eth1:0 10.7.0.1 pointopoint 10.8.0.2 kind label")
    with pytest.raises(errors.StateError, match=r"the network 10\.8\.0\.2/32 of eth1"):
        stage("eth0:5 10.8.0.0/24 kind prefix")
    assert not doctor.examine(Facts(stage.engine.observe(), []))


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("label", "10.66.0.1/16", "10.66.0.0/16"),
        ("macvlan", "10.66.0.1/16", "10.66.0.0/16"),
        ("label", "10.66.0.1/16", "10.66.128.0/17"),
        ("label", "2001:db8:6::1/64", "2001:db8:6::/64"),
        ("macvlan", "2001:db8:6::1/64", "2001:db8:6::/64"),
    ],
)
def test_the_network_of_the_alias_itself_goes(
    stage: Declared, kind: str, before: str, after: str
) -> None:
    """What is replaced needs it no more: a command and a file agree."""
    words = f"eth0:60 {after} kind prefix"
    for _ in range(2):
        stage(f"eth0:60 {before} kind {kind}")
        stage(words)
        assert [one.text for one in stage.kernel.snapshot().local_routes] == [after]
    stage(f"eth0:60 {before} kind {kind}")
    assert stage.skipped(words) == []
    assert stage.reconcile(words).status == errors.STATUS_OK
    assert [one.text for one in stage.kernel.snapshot().local_routes] == [after]
