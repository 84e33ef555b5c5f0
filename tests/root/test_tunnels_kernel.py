"""The kernel's own tunnels as peers: devices ipip, sit and ip6tnl, and ipip in UDP (fou).

Kernels without them skip these; Debian's have them (make test-kernels SUITES=tunnels).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from support import Namespace
from tunnelled import INNER, INNER6, OUTER, OUTER6, End, cable, transfer, wait_for

DATA = random.Random(4).randbytes(1 << 18)
ADDRESSES = {"ipip": INNER, "sit": INNER6, "ip6tnl": INNER, "fou": INNER}


@pytest.fixture
def pair(veth: Namespace) -> tuple[Namespace, Namespace]:
    """Two namespaces with addresses on one cable."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    return veth, veth.peer


@pytest.fixture(params=["ipip", "sit", "ip6tnl", "fou"])
def ends(
    pair: tuple[Namespace, Namespace], request: pytest.FixtureRequest
) -> Iterator[tuple[End, str]]:
    """Our end, and the kind of the kernel's, which has the other address inside."""
    kind = request.param
    there = pair[1]
    outer = OUTER6 if kind == "ip6tnl" else OUTER
    words = (
        f"link add k9 type {'ipip' if kind == 'fou' else kind} local {outer[1]} remote {outer[0]}"
    )
    words += {"ip6tnl": " mode any encaplimit none", "sit": " mode ip6ip"}.get(kind, " ttl 64")
    if kind == "fou":
        run(there, "fou add port 7777 ipproto 4")
        words += " encap fou encap-sport 7777 encap-dport 7777"
    run(there, words)
    address = ADDRESSES[kind][1]
    there.ip("link set k9 up")
    there.ip(f"addr add {address}/{'64 nodad' if ':' in address else '24'} dev k9")
    carriage = "udp:7777" if kind == "fou" else "ipip"
    end = End(pair[0], 0, carriage, 1440, outer=outer)
    try:
        end.start()
        yield end, kind
    finally:
        end.close()


def run(namespace: Namespace, words: str) -> None:
    """ip(8); a kernel that does not know the kind skips the test."""
    result = namespace.run(["ip", *words.split()], check=False)
    if result.returncode:
        pytest.skip(f"ip {words}: {result.stderr.strip()}")


def test_bytes_arrive_in_both_directions(
    ends: tuple[End, str], pair: tuple[Namespace, Namespace]
) -> None:
    """TCP, and no packet with a checksum that its receiver refuses."""
    end, kind = ends
    here, there = pair
    addresses = ADDRESSES[kind]
    assert transfer(here, there, addresses[1], DATA)
    assert transfer(there, here, addresses[0], DATA)
    assert end.counted("sent_bytes") > len(DATA)
    assert end.counted("received_bytes") > len(DATA)
    assert not end.counted("agreed")
    for namespace in pair:
        lines = namespace.run(["cat", "/proc/thread-self/net/snmp"]).stdout.splitlines()
        names, numbers = (line.split() for line in lines if line.startswith("Tcp:"))
        assert dict(zip(names, numbers, strict=True))["InCsumErrors"] == "0"


def test_a_ping_is_answered(ends: tuple[End, str], pair: tuple[Namespace, Namespace]) -> None:
    """One packet each way, larger than the cable takes with our header: the outer one is cut."""
    end, kind = ends
    address = ADDRESSES[kind][1]
    pair[0].ip("link set vif0 mtu 1536")
    pair[1].ip("link set k9 mtu 1536")
    pair[0].run(["ping", "-c", "1", "-W", "30", "-M", "dont", "-s", "1480", address])
    wait_for(end, "received_packets", 1)
