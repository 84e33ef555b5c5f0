"""Shards, prefixes, labels and devices of one main device that change together, in memory."""

from __future__ import annotations

import pytest
from test_plan_compare import Declared

from netalias import errors
from netalias.engine.batch import Batch, parse_commands
from netalias.kernel.memory import Memory
from netalias.model.local_routes import AddLocal
from netalias.model.steps import Step

PREFIXES = "eth0:7 10.20.0.0/24 kind prefix\neth0:8 2001:db8:8::/64 kind prefix\n"


@pytest.fixture
def stage() -> Declared:
    return Declared(Memory(kinds=("macvlan", "dummy")))


def settled(stage: Declared, text: str) -> None:
    """Reconcile without any refusal, after which a second run has nothing to do."""
    outcome = stage.reconcile(text)
    assert [str(item.error) for item in outcome.failed] == []
    assert [one.line() for one in outcome.diff.skipped] == []
    assert outcome.status == errors.STATUS_OK
    assert stage.lines(text) == []


def routes(stage: Declared) -> list[str]:
    """The local routes of eth0."""
    index = stage.device("eth0").index
    return sorted(one.text for one in stage.kernel.snapshot().local_routes if one.index == index)


# The last IPv4 address of a main device -------------------------------------------------------


@pytest.mark.parametrize(
    "after",
    [
        "",
        "eth0:0 10.1.1.1 kind shard\n",
        "eth0:0 10.1.1.1/24 kind macvlan\n",
        "eth0:0 2001:db8::1/64 kind label\n",
        "eth0:0 10.1.1.2/24 kind label\n",
        "eth0:0 10.30.0.0/24 kind prefix\n",
        "eth0:1 10.1.1.9 kind label\n",
        "eth0:9 10.40.0.0/24 kind prefix\n",
    ],
)
@pytest.mark.parametrize("before", ["eth0:0 10.1.1.1/24", "eth0:0 10.1.1.1"])
def test_prefixes_outlive_it(stage: Declared, before: str, after: str) -> None:
    """The kernel deletes their routes with it; they are there after the same run."""
    settled(stage, f"{before} kind label\n{PREFIXES}")
    settled(stage, after + PREFIXES)
    assert {"10.20.0.0/24", "2001:db8:8::/64"} <= {*routes(stage)}


@pytest.mark.parametrize(
    "words", ["eth0:0-", "eth0:0 10.1.1.1 kind shard", "eth0:0 10.30.0.0/24 kind prefix"]
)
def test_prefixes_outlive_it_by_a_command(stage: Declared, words: str) -> None:
    """So does one that takes the place of the label itself."""
    settled(stage, f"eth0:0 10.1.1.1/24 kind label\n{PREFIXES}")
    stage(words)
    expected = ["10.20.0.0/24", *(["10.30.0.0/24"] if "10.30" in words else []), "2001:db8:8::/64"]
    assert routes(stage) == expected


def test_prefixes_outlive_it_in_a_batch(stage: Declared) -> None:
    """The commands of a batch are one run."""
    settled(stage, f"eth0:0-1 10.1.1.1-2/24 kind label\n{PREFIXES}")
    work = Batch(stage.engine, lambda words: 0, lambda text: None)
    work.run(parse_commands("eth0:0-\neth0:1-", stage.engine.registry))
    assert work.failed == []
    assert routes(stage) == ["10.20.0.0/24", "2001:db8:8::/64"]


def test_other_addresses_keep_prefixes(stage: Declared) -> None:
    """Nothing is added again where the main device keeps an address."""
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    settled(stage, f"eth0:0 10.1.1.1/24 kind label\n{PREFIXES}")
    steps = [step for item in stage.check(PREFIXES).items for step in item.plan.steps]
    assert not any(isinstance(step, AddLocal) for step in steps)


def test_a_route_that_is_still_there_stays(stage: Declared) -> None:
    """To add it again is no error, and no undoing deletes it."""
    settled(stage, PREFIXES)
    (route,) = (one for one in stage.kernel.snapshot().local_routes if one.slot == 7)
    step: Step = AddLocal("eth0", route.index, route, kept=True)
    assert stage.kernel.apply([step]) == []
    assert step.inverse() is None


# Names and places that change hands -----------------------------------------------------------


@pytest.mark.parametrize("network", ["10.20.0.0/24", "2001:db8:8::/64"])
@pytest.mark.parametrize(
    "other", ["2001:db8:9::/64 kind prefix", "10.9.0.0/16 kind prefix", "10.1.1.1 kind label"]
)
def test_a_network_gets_another_slot(stage: Declared, network: str, other: str) -> None:
    """While its former slot gets something else, in one run."""
    settled(stage, f"eth0:1 {network} kind prefix\n")
    settled(stage, f"eth0:0 {network} kind prefix\neth0:1 {other}\n")


def test_networks_are_exchanged(stage: Declared) -> None:
    """Two prefixes change places, in a file and in a batch."""
    settled(stage, "eth0:0 10.9.0.0/16 kind prefix\neth0:1 10.8.0.0/16 kind prefix\n")
    settled(stage, "eth0:0 10.8.0.0/16 kind prefix\neth0:1 10.9.0.0/16 kind prefix\n")


def test_a_network_stays_where_its_new_place_is_refused(stage: Declared) -> None:
    """Its former holder cannot change, so nobody else gets it."""
    settled(stage, "eth0:0 10.9.0.0/16 kind prefix\n")
    text = "eth0:0 127.0.0.0/8 kind prefix\neth0:1 10.9.0.0/16 kind prefix\n"
    assert [one.partition(": ")[2] for one in stage.skipped(text)] == [
        "eth0:0: 127.0.0.0/8: a loopback address cannot belong to a host",
        "eth0:1: 10.9.0.0/16 belongs to eth0:0 already",
    ]


def test_an_ipv6_address_goes_on_while_its_holder_gets_another(stage: Declared) -> None:
    """The flag of a moved address is taken off at the end, also where it had to give way first."""
    settled(stage, "eth0:1 2001:db8::1/64 kind label\neth0:2 2001:db8::2/64 kind dummy\n")
    settled(stage, "eth0:1 2001:db8::2/64 kind label\neth1:2 2001:db8::1 kind label\n")
    settled(stage, "eth0:1 2001:db8::1/64 kind label\neth0:2 2001:db8::2/64 kind label\n")
    settled(stage, "eth0:2 2001:db8::1/64 kind label\neth1:1 2001:db8::2/64 kind label\n")


# Who answers ARP ------------------------------------------------------------------------------


@pytest.mark.parametrize("carrier", ["dummy", "ifb"])
def test_shards_of_another_main_device_do_not_count(carrier: str) -> None:
    """Only their own main device answers for them, whatever kind of device holds them."""
    stage = Declared(Memory(kinds=("macvlan", carrier)))
    stage.kernel.add_address("eth0", "10.1.0.1/24")
    settled(stage, "eth0:0 10.1.0.2/24 kind macvlan\neth1:0 10.1.0.9 kind shard\n")
    assert stage.kernel.setting("eth0", "arp_ignore") == 1
