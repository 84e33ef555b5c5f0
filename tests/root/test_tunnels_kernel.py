"""The kernel's own tunnels as peers: devices of kind ipip, and ipip in UDP (fou).

Kernels without them skip these; Debian's have them (make test-kernels SUITES=tunnels).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support import Namespace
from tunnelled import INNER, OUTER, End, cable, transfer, wait_for

DATA = random.Random(4).randbytes(1 << 18)


@pytest.fixture
def pair(veth: Namespace) -> tuple[Namespace, Namespace]:
    """Two namespaces with addresses on one cable."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    return veth, veth.peer


@pytest.fixture(params=["ipip", "fou"])
def end(pair: tuple[Namespace, Namespace], request: pytest.FixtureRequest) -> Iterator[End]:
    """Our end; the kernel's has the other address inside."""
    kind = request.param
    there = pair[1]
    words = f"link add k9 type ipip local {OUTER[1]} remote {OUTER[0]} ttl 64"
    if kind == "fou":
        run(there, "fou add port 7777 ipproto 4")
        words += " encap fou encap-sport 7777 encap-dport 7777"
    run(there, words)
    there.ip("link set k9 up")
    there.ip(f"addr add {INNER[1]}/24 dev k9")
    carriage = "udp:7777" if kind == "fou" else "ipip"
    made = End(pair[0], 0, carriage, 1440)
    try:
        made.start()
        yield made
    finally:
        made.close()


def run(namespace: Namespace, words: str) -> None:
    """ip(8); a kernel that does not know the kind skips the test."""
    result = namespace.run(["ip", *words.split()], check=False)
    if result.returncode:
        pytest.skip(f"ip {words}: {result.stderr.strip()}")


def test_bytes_arrive_in_both_directions(end: End, pair: tuple[Namespace, Namespace]) -> None:
    """TCP, and no packet with a checksum that its receiver refuses."""
    here, there = pair
    assert transfer(here, there, INNER[1], DATA)
    assert transfer(there, here, INNER[0], DATA)
    assert end.counted("sent_bytes") > len(DATA)
    assert end.counted("received_bytes") > len(DATA)
    assert not end.counted("agreed")
    for namespace in pair:
        lines = namespace.run(["cat", "/proc/thread-self/net/snmp"]).stdout.splitlines()
        names, numbers = (line.split() for line in lines if line.startswith("Tcp:"))
        assert dict(zip(names, numbers, strict=True))["InCsumErrors"] == "0"


def test_a_ping_is_answered(end: End, pair: tuple[Namespace, Namespace]) -> None:
    """One packet each way, larger than the cable takes with our header: the outer one is cut."""
    pair[0].ip("link set vif0 mtu 1536")
    pair[1].ip("link set k9 mtu 1536")
    pair[0].run(["ping", "-c", "1", "-W", "30", "-M", "dont", "-s", "1480", INNER[1]])
    wait_for(end, "received_packets", 1)
