"""The stage of clusters (tools/cluster): its observer's recordings of hosts that hold addresses,
and the judge's verdict on holders that do wrong."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "cluster"))

import discovery as frames
from judge import Verdict
from segment import MANAGEMENT, SEGMENT, Host, Observed, Segment, floats

ADDRESSES = floats(3)
WEB, *OTHERS = ADDRESSES
ROUNDS = 12
"""Questions after each change."""


@pytest.fixture
def segment() -> Iterator[Segment]:
    """Two hosts; the first has all addresses."""
    made = Segment(2)
    for address in ADDRESSES:
        take(made.hosts[0], address)
    yield made
    made.close()


def take(host: Host, address: str) -> None:
    """A holder that asks nobody."""
    host.namespace.ip(f"addr add {address}/24 dev {SEGMENT}")


def drop(host: Host, address: str) -> None:
    """The end of take()."""
    host.namespace.ip(f"addr del {address}/24 dev {SEGMENT}")


def announce(host: Host, address: str) -> None:
    """A gratuitous ARP request."""
    spoken = socket.inet_aton(address)
    with host.namespace, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((SEGMENT, 0))
        mac = sender.getsockname()[4]
        head = frames.ETHERNET.pack(frames.EVERYBODY, mac, frames.ETH_P_ARP)
        arp = frames.ARP.pack(*frames.PREFIX, frames.REQUEST, mac, spoken, bytes(6), spoken)
        sender.send(head + arp)


def moved(verdict: Verdict) -> set[str]:
    """The addresses for which another holder answers after a gap."""
    return {gap.address for gap in verdict.gaps if "" not in gap[3:] and gap.before != gap.after}


def names(segment: Segment, macs: tuple[str, ...]) -> set[str]:
    """The hosts that have them."""
    return {segment.holder(mac) for mac in macs}


def test_holders_that_do_right(segment: Segment) -> None:
    """An address that is dropped before it is taken has one holder at a time, and a gap."""
    first, second = segment.hosts
    observed = Observed(segment, ADDRESSES)
    observed.rounds(ROUNDS)
    drop(first, WEB)
    observed.rounds(ROUNDS)
    take(second, WEB)
    observed.rounds(ROUNDS)
    verdict = observed.verdict()
    assert verdict.proven
    assert verdict.moves == 1
    assert moved(verdict) == {WEB}
    assert {one: segment.holder(mac) for one, mac in verdict.owners().items()} == {
        WEB: "h2", OTHERS[0]: "h1", OTHERS[1]: "h1",
    }  # fmt: skip
    assert verdict.silent == []


def test_a_holder_that_does_not_let_go(segment: Segment) -> None:
    """Two who answer are found, and only for the address that both have."""
    observed = Observed(segment, ADDRESSES)
    observed.rounds(ROUNDS)
    take(segment.hosts[1], WEB)
    observed.rounds(ROUNDS)
    drop(segment.hosts[0], WEB)
    observed.rounds(ROUNDS)
    verdict = observed.verdict()
    assert {one.address for one in verdict.doubles} == {WEB}
    assert [names(segment, one.macs) for one in verdict.doubles] == [{"h1", "h2"}]


def test_a_port_that_is_cut(segment: Segment) -> None:
    """A host that is cut from the segment is silent there, and keeps its carrier; of the other
    network it notices nothing."""
    first, second = segment.hosts
    observed = Observed(segment, ADDRESSES)
    observed.rounds(ROUNDS)
    segment.cut(first, SEGMENT)
    observed.rounds(ROUNDS)
    assert "state UP" in first.namespace.ip(f"link show {SEGMENT}")
    ping = ["ping", "-c1", "-W30", first.address(MANAGEMENT)]
    assert second.namespace.run(ping, check=False).returncode == 0
    segment.join(first, SEGMENT)
    observed.rounds(ROUNDS)
    verdict = observed.verdict()
    assert {gap.address for gap in verdict.gaps if gap.seconds > 0.08} == set(ADDRESSES)
    assert (verdict.proven, verdict.moves, verdict.silent) == (True, 0, [])
    assert observed.noise < min(gap.seconds for gap in verdict.gaps if gap.seconds > 0.08)


def test_connections_follow_the_announcement(segment: Segment) -> None:
    """A peer connects by the MAC that it knows, until it hears of another one."""
    first, second = segment.hosts
    observed = Observed(segment, ADDRESSES, connected=len(ADDRESSES))
    observed.rounds(ROUNDS)
    drop(first, WEB)
    take(second, WEB)
    observed.rounds(ROUNDS)
    announce(second, WEB)
    observed.rounds(ROUNDS)
    verdict, connections = observed.end()
    assert verdict.proven
    assert connections.owners() == {WEB: "h2", OTHERS[0]: "h1", OTHERS[1]: "h1"}
    assert moved(connections) == {WEB}
    assert verdict.claims >= 1
