"""Who answers for what, beside the settings of the matrix; and what a moving address leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from command import Command, forget, set_sysctl, wait_for_local_route, wait_for_state
from echo import Call, udp
from neighbours import Watch, table
from places import HERE, MAIN, PEER
from support import Namespace, until
from wiring import Wires

ALIAS = {"IPv4": "10.0.0.5", "IPv6": "2001:db8::5"}
SIBLING = {"IPv4": "10.0.0.6", "IPv6": "2001:db8::6"}
FAMILIES = tuple(ALIAS)
NOBODY = "10.0.0.77"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_alias_answers_for_itself_alone(wires: Wires, family: str) -> None:
    """Asked for one of two macvlans, that one answers; asked for the main device, it does."""
    wires.cli.silent("eth9:0", ALIAS[family], "kind", "macvlan")
    wires.cli.silent("eth9:1", SIBLING[family], "kind", "macvlan")
    owners = {
        MAIN[family]: wires.mac(HERE),
        ALIAS[family]: wires.mac("eth9_0"),
        SIBLING[family]: wires.mac("eth9_1"),
    }
    for address in owners:
        wait_for_local_route(wires.here, address)
    for address, mac in owners.items():
        others = {other: owners[other] for other in owners if other != address}
        assert wires.ask(address, others) == [mac]


@pytest.mark.parametrize("scope", ["all", "default"])
def test_an_alias_is_no_proxy(wires: Wires, scope: str) -> None:
    """A router with proxy_arp answers for networks behind it, not for its neighbours: the route
    to them is over the main device, and an alias must not take that for another network."""
    for key in ("forwarding", "proxy_arp"):
        set_sysctl(wires.here, f"ipv4/conf/{scope}/{key}", 1)
    set_sysctl(wires.here, "ipv4/conf/all/forwarding", 1)
    wires.cli.silent("eth9:0", ALIAS["IPv4"], "kind", "macvlan")
    set_sysctl(wires.here, "ipv4/neigh/eth9_0/proxy_delay", 0)
    known = {MAIN["IPv4"]: wires.mac(HERE), ALIAS["IPv4"]: wires.mac("eth9_0")}
    assert wires.ask(NOBODY, known) == []


def test_a_filter_is_not_inherited(wires: Wires) -> None:
    """With conf/default/arp_filter an alias would be silent: the way to who asks is the main
    device's (arp_filter in net/ipv4/arp.c)."""
    set_sysctl(wires.here, "ipv4/conf/default/arp_filter", 1)
    wires.cli.silent("eth9:0", ALIAS["IPv4"], "kind", "macvlan")
    assert wires.ask(MAIN["IPv4"], {ALIAS["IPv4"]: wires.mac("eth9_0")}) == [wires.mac(HERE)]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_device_sees_what_comes_for_it(wires: Wires, family: str) -> None:
    """Counters and firewall rules of the alias device hold for its packets."""
    wires.cli.silent("eth9:0", ALIAS[family], "kind", "macvlan")
    wait_for_local_route(wires.here, ALIAS[family])
    udp(wires.called(ALIAS[family]))  # now the peer knows the MAC
    before = received(wires.here, "eth9_0")
    for _ in range(10):
        udp(wires.called(ALIAS[family]))
    assert received(wires.here, "eth9_0") - before >= 10


def received(namespace: Namespace, device: str) -> int:
    """Packets that a device has received."""
    with namespace, open("/proc/net/dev", encoding="ascii") as file:
        (line,) = [line for line in file if line.strip().startswith(f"{device}:")]
    return int(line.split(":")[1].split()[1])


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
