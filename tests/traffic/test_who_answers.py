"""Who answers for what, beside the settings of the matrix."""

from __future__ import annotations

import pytest
from command import set_sysctl, wait_for_local_route
from echo import udp
from places import HERE, MAIN
from support import Namespace
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
