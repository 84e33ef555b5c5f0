"""The address that a host speaks with, on the real kernel, and what mends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shortened import later
from support import Namespace, until
from test_doctor import Doctor
from watcher import watching

from netalias.doctor.finding import WARNING

V4, V6 = (
    ("10.0.0.9/24", "10.0.0.1/24", "10.0.0.2"),
    ("2001:db8::9/64", "2001:db8::1/64", "2001:db8::2"),
)


def source(namespace: Namespace, destination: str) -> str:
    """The address that a packet to *destination* is sent from."""
    (found,) = json.loads(namespace.ip(f"-j route get {destination}"))
    return str(found["prefsrc"])


@pytest.mark.parametrize(
    ("kind", "address", "own", "peer"),
    [("label", *V4), ("macvlan", *V6), *later([("macvlan", *V4), ("label", *V6)])],
)
def test_the_own_address_comes_later(
    veth: Namespace, kind: str, address: str, own: str, peer: str
) -> None:
    """The alias had the network first: it is a difference, and the doctor tells of a source that
    it is. What either says makes the own address the source."""
    cli = Doctor(veth)
    alias, mine = address.partition("/")[0], own.partition("/")[0]
    line = f"eth9:0 {address} kind {kind}"
    cli.silent(*line.split())
    cli.settled("eth9:0")
    veth.ip(f"addr add {own} dev eth9" + " nodad" * (":" in own))
    spoken = source(veth, peer)
    found = [one for one in cli.findings() if one["check"] == "source-address"]
    assert [one["level"] for one in found] == [WARNING] * (spoken == alias)
    assert cli.run("check", "-", input=f"{line}\n").returncode == 3
    if found:
        cli.sh(found[0]["command"])
    else:
        cli.run("reconcile", "-", input=f"{line}\n")
    assert source(veth, peer) == mine
    assert not [one for one in cli.findings() if one["check"] == "source-address"]
    assert cli.run("check", "-", input=f"{line}\n").returncode == 0


def test_an_ipv6_label_that_may_be_the_source(veth: Namespace) -> None:
    """The newest address would be the source; deprecated it is not."""
    cli = Doctor(veth)
    veth.ip("addr add 2001:db8::1/64 dev eth9 nodad")
    cli.silent("eth9:0", "2001:db8::9/64", "kind", "label", "source", "on")
    cli.settled("eth9:0")
    assert source(veth, "2001:db8::2") == "2001:db8::9"
    (found,) = [one for one in cli.findings() if one["check"] == "source-address"]
    assert found["text"].startswith("eth9:0: the host sends to 2001:db8::/64 ")
    assert found["command"] == "netalias eth9:0 deprecated"
    cli.sh(found["command"])
    assert source(veth, "2001:db8::2") == "2001:db8::1"
    assert cli.one("eth9:0")["deprecated"] is True


@pytest.mark.parametrize(
    ("address", "own", "router", "command"),
    [
        ("fd00:3::9/64", "fd00:1::1/64", "fd00:1::2", "netalias eth9:0 deprecated"),
        ("10.3.0.9/24", "10.1.0.1/32", "10.2.0.1", "netalias eth9:0 10.3.0.9/24"),
        *later([
            ("2001:db8:4::9/64", "2001:db8:8::1/64", "2001:db8:8::2", "netalias eth9:0 deprecated"),
            ("10.3.0.9/24", "10.3.0.1/32", "10.2.0.1", "netalias eth9:0 10.3.0.9/24"),
            ("10.3.0.9/24", "10.1.0.1/24", "10.2.0.1", "netalias eth9:0 10.3.0.9/24"),
        ]),
    ],
)  # fmt: skip
def test_the_default_route_beside_a_network_of_the_alias(
    veth: Namespace, address: str, own: str, router: str, command: str
) -> None:
    """The main device has not got that network, so the label may keep it; that it is the source
    towards everybody else is told, with a command after which it is not."""
    cli = Doctor(veth)
    six, mine = ":" in own, own.partition("/")[0]
    family, far = ("-6", "2001:db8::1") if six else ("-4", "198.51.100.1")
    if six:
        veth.ip(f"addr add {own} dev eth9 nodad")
    cli.silent("eth9:0", address, "kind", "label")
    cli.settled("eth9:0")
    if not six:
        veth.ip(f"addr add {own} dev eth9")
    veth.ip(f"{family} route add default via {router} dev eth9 onlink")
    assert source(veth, far) == address.partition("/")[0]
    (found,) = [one for one in cli.findings() if one["check"] == "source-address"]
    assert found["text"].startswith("eth9:0: the host sends to other networks from ")
    assert found["command"] == command
    cli.sh(found["command"])
    assert source(veth, far) == mine
    assert not [one for one in cli.findings() if one["check"] == "source-address"]


@pytest.mark.parametrize("promote", [0, 1])
@pytest.mark.parametrize("late", [False, True])
def test_an_adopted_label_with_secondary_addresses(
    veth: Namespace, promote: int, late: bool
) -> None:
    """It comes behind the own address by adopt, or where that comes later by what doctor advises;
    nothing is lost, nor a route that names it as the source."""
    cli = Doctor(veth)
    veth.run(["sysctl", "-qw", f"net.ipv4.conf.eth9.promote_secondaries={promote}"])
    for slot in (1, 2, 3):
        veth.ip(f"addr add 10.3.0.{slot}/24 dev eth9 label eth9:{slot}")
    veth.ip("route add 10.7.0.0/16 via 10.3.0.99 src 10.3.0.1")
    own = "addr add 10.1.0.1/24 dev eth9"
    if not late:
        veth.ip(own)
    cli.silent("adopt", "eth9")
    if late:
        veth.run(["sysctl", "-qw", f"net.ipv4.conf.eth9.promote_secondaries={promote}"])
        veth.ip(own)
    veth.ip("route add default via 10.2.0.1 dev eth9 onlink")
    if late:
        assert source(veth, "198.51.100.1") == "10.3.0.1"
        (found,) = [one for one in cli.findings() if one["check"] == "source-address"]
        cli.sh(found["command"])
    assert source(veth, "198.51.100.1") == "10.1.0.1"
    assert source(veth, "10.3.0.50") in ("10.3.0.1", "10.3.0.2", "10.3.0.3")
    assert source(veth, "10.7.0.1") == "10.3.0.1"
    assert not [one for one in cli.findings() if one["check"] == "source-address"]
    lines = "eth9:1-3 10.3.0.1-3/24 kind label\n"
    assert "source first" not in cli.run("check", "-", input=lines).stdout
    assert cli.run("reconcile", "-", input=lines).returncode == 0
    assert cli.run("check", "-", input=lines).returncode == 0
    assert source(veth, "198.51.100.1") == "10.1.0.1"


def test_the_source_through_a_route_without_a_router(veth: Namespace) -> None:
    """There the first address of the device is the source, be it that of a host."""
    cli = Doctor(veth)
    cli.silent("eth9:0", "10.0.0.9/32", "kind", "label")
    veth.ip("addr add 10.0.0.1/24 dev eth9")
    veth.ip("route add default dev eth9")
    (found,) = [one for one in cli.findings() if one["check"] == "source-address"]
    assert found["text"] == (
        "eth9:0: the host sends to other networks from 10.0.0.9, not from 10.0.0.1"
    )
    cli.sh(found["command"])
    veth.ip("route del default dev eth9")
    veth.ip("route add default dev eth9")
    assert not [one for one in cli.findings() if one["check"] == "source-address"]


def test_a_network_that_only_an_alias_has(veth: Namespace) -> None:
    """There it is the source, as it should be."""
    cli = Doctor(veth)
    veth.ip("addr add 10.0.0.1/24 dev eth9")
    cli.silent("eth9:0", "10.9.0.9/24", "kind", "label")
    assert source(veth, "10.9.0.2") == "10.9.0.9"
    assert not [one for one in cli.findings() if one["check"] == "source-address"]


@pytest.mark.parametrize(
    ("address", "own", "router", "far"),
    [
        ("10.0.0.9", "10.0.0.1/24", "10.0.0.2", "203.0.113.5"),
        ("2001:db8::9/64", "2001:db8::1/64", "2001:db8::2", "2001:db8:f::5"),
    ],
)
def test_the_gateway_of_an_alias_is_not_that_of_the_host(
    veth: Namespace, address: str, own: str, router: str, far: str
) -> None:
    """Only a socket that is bound to the device takes it, with the host's own default route and
    without; what is bound to the address alone goes the way of the host."""
    cli = Doctor(veth)
    veth.ip(f"addr add {own} dev eth9" + " nodad" * (":" in own))
    cli.silent("eth9:0", address, "kind", "macvlan", "gateway", router)
    cli.settled("eth9:0")
    alias = address.partition("/")[0]

    def ways() -> list[str]:
        """The device of a packet that is bound to nothing, to the address, to the device."""
        found = []
        for words in ("", f"from {alias}", "oif eth9_0"):
            done = veth.run(["ip", "-j", "route", "get", far, *words.split()], check=False)
            found.append(json.loads(done.stdout)[0]["dev"] if not done.returncode else "none")
        return found

    family = "-6" if ":" in far else "-4"
    assert ways() == ["none", "none", "eth9_0"]
    veth.ip(f"{family} route add default via {router} dev eth9")
    assert ways() == ["eth9", "eth9", "eth9_0"]
    veth.ip(f"{family} route del default")
    assert ways() == ["none", "none", "eth9_0"]


def test_a_deleted_route_is_noticed(veth: Namespace, tmp_path: Path) -> None:
    """By check and by reconcile, though devices and addresses are those of the last run; by watch
    at once."""
    cli = Doctor(veth)
    file = tmp_path / "declared"
    file.write_text("eth9:0 10.5.0.5/24 kind macvlan\neth9:1 2001:db8:5::5/64 kind label\n")
    cli.run("reconcile", str(file))
    cli.settled("eth9:1")
    networks = ("10.5.0.0/24", "2001:db8:5::/64")

    def there() -> list[str]:
        routes = json.loads(veth.ip("-j -4 route")) + json.loads(veth.ip("-j -6 route"))
        return [one["dst"] for one in routes if one["dst"] in networks]

    for network in networks:
        assert cli.run("check", str(file)).returncode == 0
        veth.ip(f"route del {network}")
        assert cli.run("check", str(file)).returncode == 3
        assert "route deleted -> connected" in cli.run("reconcile", str(file)).stdout
        assert sorted(there()) == sorted(networks)
    with watching(veth, tmp_path / "net", str(file)):
        for network in networks:
            veth.ip(f"route del {network}")
            until(lambda: sorted(there()) == sorted(networks))
