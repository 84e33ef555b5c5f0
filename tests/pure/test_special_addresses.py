"""Addresses that no other host reaches: told alike by a command, a batch, a file, and a watcher."""

from __future__ import annotations

import pytest
from test_plan_compare import Declared
from watched import Watched

from netalias import errors
from netalias.engine.batch import Batch, parse_commands
from netalias.kernel.memory import Memory

TOLD = ": other hosts do not reach it"
LAST, FIRST = "is the broadcast address of the network", "is the address of the network"
CASES = [
    ("eth0:1 10.7.0.255", f"10.7.0.255 {LAST} 10.7.0.0/24{TOLD}"),
    ("eth0:1 10.7.0.0 kind label", f"10.7.0.0 {FIRST} 10.7.0.0/24{TOLD}"),
    ("eth0:1 10.8.0.127/25", f"10.8.0.127 {LAST} 10.8.0.0/25{TOLD}"),
    ("eth1:1 10.9.255.255/16", f"10.9.255.255 {LAST} 10.9.0.0/16{TOLD}"),
    ("eth1:1 127.0.0.2", "127.0.0.2 is a loopback address: no other host reaches it"),
    ("eth0:1 10.7.1.255", ""),
    ("eth1:1 10.7.0.255", ""),
    ("eth1:1 10.8.0.0/31", ""),
    ("eth1:1 10.8.0.255/32", ""),
    ("eth1:1 10.8.1.0/23", ""),
    ("lo:1 127.0.0.2", ""),
    ("eth0:1 2001:db8::/64", ""),
]  # fmt: skip


@pytest.fixture
def stage() -> Declared:
    """eth0 has 10.7.0.1/24."""
    found = Declared(Memory())
    found.kernel.add_address("eth0", "10.7.0.1/24")
    return found


def batch(stage: Declared, *lines: str) -> tuple[list[str], list[str]]:
    """The warnings and the errors of a batch."""
    warnings: list[str] = []
    work = Batch(stage.engine, lambda words: 0, warnings.append)
    work.run(parse_commands("\n".join(lines), stage.engine.registry))
    return warnings, [str(error) for _, error in work.failed]


@pytest.mark.parametrize(("line", "text"), CASES)
def test_warned_alike(stage: Declared, line: str, text: str) -> None:
    """The command, the batch and the file; once it is there, there is no second warning."""
    name = line.partition(" ")[0]
    expected = [f"{name}: {text}"] if text else []
    assert stage.plan(line).notes == expected
    assert [note for item in stage.check(f"{line}\n").items for note in item.plan.notes] == expected
    assert batch(stage, line) == ([f"1: {note}" for note in expected], [])
    assert stage(line).notes == []


@pytest.mark.parametrize(("line", "text"), [CASES[2], CASES[4], CASES[6]])
def test_a_watcher_warns_too(line: str, text: str) -> None:
    """In its journal, once, when it makes the alias; not again when it makes it again."""
    watched = Watched(f"{line}\n")
    told = [one for one in watched.said() if "warning" in one]
    name = line.partition(" ")[0]
    assert told == ([f"netalias: warning: {name}: {text}"] if text else [])
    for up in (False, True):
        watched.kernel.set_device("eth0", up=up)
        watched.quiet()
    assert watched.names() == [name]
    assert not [one for one in watched.said() if "reach" in one]


def test_a_watcher_does_not_warn_of_its_own_work() -> None:
    """It answers for IPv6 prefixes; what a server has to do is told."""
    said = Watched("eth0:1 2001:db8:9::/64 kind prefix\n").said()
    assert any("IPV6_FREEBIND" in line for line in said)
    assert not [line for line in said if "only a running netalias watch" in line]


def test_limited_broadcast_is_refused_alike(stage: Declared) -> None:
    """255.255.255.255 is the address of no host anywhere; as a broadcast address it may be set."""
    line, told = "eth0:1 255.255.255.255", "eth0:1: 255.255.255.255: a broadcast address cannot be"
    with pytest.raises(errors.BadAddress, match=told):
        stage(line)
    assert batch(stage, line)[1][0].startswith(told)
    assert stage.skipped(f"{line}\n")[0].startswith(f"t.conf:1: {told}")
    stage("eth0:1 10.7.0.9/24 broadcast 255.255.255.255")


def test_a_shared_address_is_told_in_a_batch(stage: Declared) -> None:
    """As by single commands: the device that has it need not be there yet; who leaves it is not."""
    warnings, failed = batch(stage, "eth0:8 10.7.0.48", "eth0:9 10.7.0.48")
    assert warnings == ["2: eth0:9: 10.7.0.48 is an address of eth0_8 too"]
    assert failed == []
    assert batch(stage, "eth0:8 10.7.0.50", "eth0:9 10.7.0.51", "eth1:0 10.7.0.48") == ([], [])
    assert batch(stage, "eth1:1 10.7.0.50") == (
        ["1: eth1:1: 10.7.0.50 is an address of eth0_8 too"],
        [],
    )


def test_what_is_refused_is_not_warned_of(stage: Declared) -> None:
    """The error says enough."""
    line = "eth1:0 10.7.0.1 kind macvlan hw ether 02:00:00:00:00:05"
    stage("eth1:9 10.3.0.1 kind macvlan hw ether 02:00:00:00:00:05")
    warnings, failed = batch(stage, line)
    assert warnings == []
    assert len(failed) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("10.0.0.5/24 kind label metric 7", True),
        ("10.0.0.5/24 kind label", False),
        ("10.7.0.5/24 kind label metric 7", False),
        ("10.0.0.5/24 kind macvlan metric 7", False),
    ],
)
def test_a_metric_that_no_route_has(words: str, told: bool) -> None:
    """A label inside a known network brings no route: its metric is told to have no effect."""
    stage = Declared(Memory())
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    expected = [
        "eth0:0: metric 7 has no effect, since the label brings no route:"
        " its network is known on eth0 already"
    ]
    assert stage.plan(f"eth0:0 {words}").notes == expected * told
