"""What is lost at the beginning, and what is too large, or refused."""

from __future__ import annotations

import socket

import pytest
from command import client, set_sysctl, wait_for_local_route
from echo import Call, Lost, tcp, udp
from places import FAR, FAR_HOST, HERE, PEER, ROUTER
from support import SLOW, until
from wiring import Wires

ALIAS = {"IPv4": "10.0.0.5", "IPv6": "2001:db8::5"}
NEIGHBOUR = {"IPv4": "10.0.0.200", "IPv6": "2001:db8::200"}
FAMILIES = tuple(ALIAS)
KINDS = ("macvlan", "label")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """A kind that every kernel has on a veth."""
    return str(request.param)


def test_the_first_packet_arrives(wires: Wires, kind: str) -> None:
    """An IPv4 alias is there when the command ends: nothing is sent twice."""
    wires.cli.silent("eth9:0", ALIAS["IPv4"], "kind", kind)
    udp(wires.called(ALIAS["IPv4"]))


def test_tentative_says_so(wires: Wires, kind: str) -> None:
    """While an IPv6 address is checked nobody can bind to it, and the state tells; as soon as it
    does not the first packet arrives. Without a carrier the check of a new device does not begin;
    for a label it takes a second for each probe, so there are more where everything is slower."""
    for scope in ("default", HERE):
        set_sysctl(wires.here, f"ipv6/conf/{scope}/accept_dad", 1)
        set_sysctl(wires.here, f"ipv6/conf/{scope}/dad_transmits", round(SLOW))
    set_sysctl(wires.peer, "ipv6/conf/all/keep_addr_on_down", 1)
    wires.peer.ip(f"link set {PEER} down")
    until(lambda: "NO-CARRIER" in wires.here.ip(f"link show {HERE}"))
    wires.cli("eth9:0", ALIAS["IPv6"], "kind", kind)
    assert "tentative" in wires.cli.one("eth9:0")["state"]
    with pytest.raises(OSError, match="Cannot assign requested address"):
        udp(wires.called(ALIAS["IPv6"]))
    wires.peer.ip(f"link set {PEER} up")
    until(lambda: wires.cli.one("eth9:0")["state"] == "up")
    wait_for_local_route(wires.here, ALIAS["IPv6"])
    udp(wires.called(ALIAS["IPv6"]))


@pytest.mark.parametrize("family", FAMILIES)
def test_fragments(wires: Wires, kind: str, family: str) -> None:
    """A datagram of four fragments arrives, and so does its answer, both ways."""
    wires.cli.silent("eth9:0", ALIAS[family], "kind", kind)
    wait_for_local_route(wires.here, ALIAS[family])
    udp(wires.called(ALIAS[family]), 5000)
    udp(wires.call(NEIGHBOUR[family], ALIAS[family]), 5000)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_smaller_mtu_on_the_way(wires: Wires, kind: str, family: str) -> None:
    """The router's ICMP error reaches the socket that is bound to the alias: the answer to a large
    datagram is sent again in fragments that pass."""
    for namespace, device in ((wires.peer, ROUTER), (wires.far, FAR)):
        namespace.ip(f"link set {device} mtu 1300")
    wires.cli.silent("eth9:0", ALIAS[family], "kind", kind)
    wait_for_local_route(wires.here, ALIAS[family])
    call = Call(wires.here, wires.far, FAR_HOST[family], ALIAS[family])
    with (
        client(wires.here, call.family, socket.SOCK_STREAM, source=ALIAS[family]) as caller,
        wires.far,
    ):
        server = socket.create_server((FAR_HOST[family], 0), family=call.family)
        server.settimeout(5)
        caller.connect(server.getsockname()[:2])
        accepted, _ = server.accept()
        accepted.settimeout(5)
        with server, accepted:
            caller.sendall(bytes(20000))
            left = 20000
            while left:
                left -= len(accepted.recv(left))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_closed_port_is_refused(wires: Wires, kind: str, family: str) -> None:
    """The ICMP error comes from the alias, so the caller's socket hears of it at once."""
    wires.cli.silent("eth9:0", ALIAS[family], "kind", kind)
    wait_for_local_route(wires.here, ALIAS[family])
    inet = socket.AF_INET6 if family == "IPv6" else socket.AF_INET
    with client(wires.peer, inet, socket.SOCK_DGRAM) as caller:
        caller.connect((ALIAS[family], 9))
        caller.send(b"?")
        with pytest.raises(ConnectionRefusedError):
            caller.recv(9)


def test_an_alias_that_is_gone_answers_no_more(wires: Wires, kind: str) -> None:
    """After its deletion the peer's calls end nowhere, and the main device does not step in."""
    wires.cli.silent("eth9:0", ALIAS["IPv4"], "kind", kind)
    tcp(wires.called(ALIAS["IPv4"]))
    wires.cli.silent("eth9:0-")
    assert wires.ask(ALIAS["IPv4"], {"10.0.0.1": wires.mac("eth9")}) == []


def test_lost_is_lost(wires: Wires) -> None:
    """The tests' own instrument: what nobody answers is reported as lost."""
    wires.here.ip("addr add 10.0.0.5/32 dev lo")
    set_sysctl(wires.here, "ipv4/conf/eth9/arp_ignore", 1)
    with pytest.raises(Lost, match=r"udp the peer -> 10.0.0.5: No route to host|no answer"):
        wires.called(ALIAS["IPv4"]).try_all()
