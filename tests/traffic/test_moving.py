"""An address moves to another host: its neighbours are told at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from command import Command, forget, set_sysctl, wait_for_local_route, wait_for_state
from echo import Call, udp
from neighbours import Watch, table
from places import HERE, PEER
from support import Namespace, until

ALIAS = {"IPv4": "10.0.0.5", "IPv6": "2001:db8::5"}
FAMILIES = tuple(ALIAS)


class Segment:
    """Two hosts and a station on one bridge: ``first`` and ``second`` have eth9, the peer p9."""

    def __init__(self) -> None:
        self.first, self.second, self.peer = (Namespace() for _ in range(3))
        self.peer.ip(f"link add {PEER} type bridge")
        self.peer.ip(f"link set {PEER} addrgenmode none")
        self.peer.ip(f"link set {PEER} up")
        for number, host in enumerate((self.first, self.second), 1):
            set_sysctl(host, "ipv6/conf/default/accept_dad", 0)
            host.ip(f"link add {HERE} type veth peer name b{number} netns {self.peer.path}")
            self.peer.ip(f"link set b{number} addrgenmode none")
            self.peer.ip(f"link set b{number} master {PEER} up")
            host.ip(f"link set {HERE} addrgenmode none")
            host.ip(f"link set {HERE} up")
            host.ip(f"addr add 10.0.0.{number}/24 dev {HERE}")
            for network in ("fe80::", "2001:db8::"):
                host.ip(f"addr add {network}{number}/64 dev {HERE} nodad")
            wait_for_state(host, HERE, "UP")
        self.peer.ip(f"addr add 10.0.0.200/24 dev {PEER}")
        for address in ("fe80::200", "2001:db8::200"):
            self.peer.ip(f"addr add {address}/64 dev {PEER} nodad")
        for number in (1, 2):
            until(lambda number=number: "state forwarding" in self._port(number))
        self.watch = Watch(self.peer)

    def _port(self, number: int) -> str:
        return self.peer.ip(f"-d link show b{number}")

    def close(self) -> None:
        """Give everything back."""
        self.watch.close()
        forget(self.first, self.second)
        for namespace in (self.first, self.second, self.peer):
            namespace.close()


@pytest.fixture
def segment() -> Iterator[Segment]:
    """Two hosts and a station on one wire."""
    found = Segment()
    yield found
    found.close()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["macvlan", "label"])
@pytest.mark.parametrize("order", ["leaves first", "arrives first"])
def test_an_address_moves(segment: Segment, family: str, kind: str, order: str) -> None:
    """The peer, which says nothing, is told where the address is now; then packets go there."""
    address = ALIAS[family]
    old, new = Command(segment.first), Command(segment.second)
    old.silent("eth9:0", address, "kind", kind)
    wait_for_local_route(segment.first, address)
    udp(Call(segment.peer, segment.first, address))
    device = "eth9_0" if kind == "macvlan" else HERE
    assert table(segment.peer)[address] == mac(segment.first, device)
    if order == "leaves first":
        old.silent("eth9:0-")
    new.silent("eth9:0", address, "kind", kind)
    if order == "arrives first":
        old.silent("eth9:0-")
    wanted = mac(segment.second, device)
    until(lambda: table(segment.peer).get(address) == wanted)
    wait_for_local_route(segment.second, address)
    udp(Call(segment.peer, segment.second, address))
    assert table(segment.peer)[address] == wanted


def mac(namespace: Namespace, device: str) -> str:
    """The MAC of a device."""
    return namespace.ip(f"-o link show {device}").split("link/ether ")[1].split()[0]
