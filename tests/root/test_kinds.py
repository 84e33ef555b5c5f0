"""Every kind that makes a device, on a veth: made, reached, changed, shown, lowered, deleted.

What is said of a dummy that nobody finds is held elsewhere: -q.
"""

from __future__ import annotations

import pytest
from command import Command, ip_json, picture, talk
from making import made
from support import Namespace, until

from netalias.engine.macs import identity

MAIN4, PEER4 = "200.1.1.254", "200.1.1.200"
FIRST, SECOND = "200.1.1.1", "200.1.1.7"
FIRST6, SECOND6 = "2001:db8::1", "2001:db8::2"
MAIN6, PEER6 = "2001:db8::254", "2001:db8::200"


@pytest.fixture(params=["macvlan", "ipvlan", "dummy"])
def kind(request: pytest.FixtureRequest, cli: Command) -> str:
    """A kind that this kernel has."""
    word = str(request.param)
    below = "" if word == "dummy" else " link eth9"
    made(cli.namespace, f"link add t9{below} type {word}")
    cli.namespace.ip("link del t9")
    return word


@pytest.fixture
def reached(cli: Command, peer: Namespace) -> Command:
    """eth9 and p9 in one network of each family."""
    for namespace, device, four, six in (
        (cli.namespace, "eth9", MAIN4, MAIN6),
        (peer, "p9", PEER4, PEER6),
    ):
        namespace.ip(f"addr add {four}/24 dev {device}")
        for address in (six, f"fe80::{four.rpartition('.')[2]}"):
            namespace.ip(f"addr add {address}/64 dev {device} nodad")
    return cli


def test_made_and_marked(cli: Command, kind: str) -> None:
    """The device has our marks, its kind, and the name of the alias as altname."""
    cli.silent("-q", "eth9:0", FIRST, "kind", kind)
    (device,) = ip_json(cli.namespace, "-d link show dev eth9:0")
    assert (device["ifname"], device["altnames"], device["group"]) == (
        "eth9_0",
        ["eth9:0"],
        "28257",
    )
    assert device["linkinfo"]["info_kind"] == kind
    if kind == "ipvlan":
        assert device["linkinfo"]["info_data"]["mode"] == "l2"
    found = cli.one("eth9:0")
    assert (found["kind"], found["local"], found["protocol"]) == (kind, FIRST, 97)


def test_reached_readdressed_and_deleted(reached: Command, peer: Namespace, kind: str) -> None:
    """TCP and UDP of the peer reach the first address, then the second; at the end nothing is
    left."""
    before = reached.namespace.names()
    reached.silent("-q", "eth9:0", FIRST, "kind", kind)
    assert talk(peer, reached.namespace, FIRST) == (PEER4, PEER4)
    reached.silent("-q", "eth9:0", SECOND)
    assert talk(peer, reached.namespace, SECOND) == (PEER4, PEER4)
    assert reached.one("eth9:0")["kind"] == kind
    reached.silent("eth9:0-")
    assert reached.namespace.names() == before
    assert SECOND not in reached.namespace.ip("addr show")


def test_reached_by_inet6(reached: Command, peer: Namespace, kind: str) -> None:
    """An IPv6 alias answers; a dummy's address has to be routed to."""
    if kind == "dummy":
        peer.ip(f"route add {FIRST6}/128 via {MAIN6} dev p9")
    reached.silent("-q", "eth9:0", FIRST6, "kind", kind)
    reached.settled("eth9:0")
    assert talk(peer, reached.namespace, FIRST6) == (PEER6, PEER6)


def test_same_length_twice(cli: Command, kind: str) -> None:
    """One address with another prefix length, again and again: an ipvlan takes an address once."""
    for length in (24, 32, 28, 24):
        cli.silent("-q", "eth9:0", f"{FIRST}/{length}", "kind", kind)
        assert cli.one("eth9:0")["prefixlen"] == length


def test_down_and_up(reached: Command, peer: Namespace, kind: str) -> None:
    """It stays listed with its address, of either family, and answers when it is up again."""
    for address in (FIRST, FIRST6):
        reached.silent("-q", "eth9:0", address, "kind", kind)
        reached.settled("eth9:0")
        reached.silent("-q", "eth9:0", "down")
        found = reached.one("eth9:0")
        assert (found["state"], found["local"]) == ("down", address)
        reached.silent("-q", "eth9:0", "up")
        assert reached.settled("eth9:0")["local"] == address
        reached.silent("eth9:0-")


def test_families_change(cli: Command, kind: str) -> None:
    """From IPv4 to IPv6 and back; no IPv6 address stays on an IPv4 alias."""
    cli.silent("-q", "eth9:0", FIRST, "kind", kind)
    cli.silent("-q", "eth9:0", f"{FIRST6}/64")
    assert cli.settled("eth9:0")["local"] == FIRST6
    cli.silent("-q", "eth9:0", FIRST)
    assert "inet6" not in cli.namespace.ip("addr show dev eth9_0")
    assert cli.one("eth9:0")["kind"] == kind


def test_shown(cli: Command, kind: str) -> None:
    """A line of show: alias, device, kind, address, state."""
    cli.silent("-q", "eth9:0", FIRST, "kind", kind)
    until(lambda: cli.one("eth9:0")["state"] == "up")
    (_, line) = cli("show").splitlines()
    assert line.split()[:5] == ["eth9:0", "eth9_0", kind, f"{FIRST}/32", "up"]


def test_main_down(cli: Command, kind: str) -> None:
    """Nothing is made while the main device is down; what is there shows it if it stands on it."""
    cli.silent("-q", "eth9:0", FIRST, "kind", kind)
    cli.namespace.ip("link set eth9 down")
    state = "up" if kind == "dummy" else "no-carrier"
    until(lambda: cli.one("eth9:0")["state"] == state)
    assert "main device eth9 is down" in cli.fails(2, "eth9:1", SECOND, "kind", kind)
    cli.namespace.ip("link set eth9 up")
    until(lambda: cli.one("eth9:0")["state"] == "up")


def test_main_deleted(cli: Command, kind: str) -> None:
    """macvlan and ipvlan go with it; a dummy stays, is shown, and can be deleted."""
    cli.silent("-q", "eth9:0", FIRST, "kind", kind)
    cli.namespace.ip("link del eth9")
    assert cli.names() == (["eth9:0"] if kind == "dummy" else [])
    if kind == "dummy":
        cli.silent("eth9:0-")
    assert "eth9_0" not in cli.namespace.names()


def test_a_mac_of_its_own(cli: Command, kind: str) -> None:
    """An ipvlan has none, and says so; nothing is made."""
    words = ("eth9:0", FIRST, "kind", kind, "hw", "ether", "02:00:00:00:00:77")
    if kind == "ipvlan":
        before = picture(cli.namespace)
        assert "an ipvlan shares the MAC of its main device" in cli.fails(2, *words)
        assert picture(cli.namespace) == before
    else:
        cli.silent("-q", *words)
        (device,) = ip_json(cli.namespace, "link show dev eth9_0")
        assert device["address"] == "02:00:00:00:00:77"


def test_the_default_mac(cli: Command, kind: str) -> None:
    """It is the same when the alias is made again, and one that was set, so that udev keeps it."""
    if not identity()[0]:
        pytest.skip("this machine has no machine ID")
    found = set()
    for _ in range(2):
        cli.silent("-q", "eth9:0", FIRST, "kind", kind)
        (device,) = ip_json(cli.namespace, "link show dev eth9_0")
        found.add(device["address"])
        look = "mount -t sysfs none /sys && cat /sys/class/net/eth9_0/addr_assign_type"
        assigned = cli.namespace.run(["unshare", "--mount", "sh", "-c", look]).stdout
        assert kind == "ipvlan" or assigned == "3\n"
        cli.silent("-q", "eth9:0-")
    assert len(found) == 1


# Beside each other


def test_auto(cli: Command) -> None:
    """An ipvlan where the kernel has it, and a macvlan where a MAC is asked for."""
    made(cli.namespace, "link add t9 link eth9 type ipvlan")
    cli.namespace.ip("link del t9")
    cli.silent("eth9:0", FIRST)
    assert cli.one("eth9:0")["kind"] == "ipvlan"
    cli.silent("eth9:0-")
    cli.silent("eth9:0", FIRST, "hw", "ether", "02:00:00:00:00:77")
    assert cli.one("eth9:0")["kind"] == "macvlan"
    cli.silent("eth9:1", SECOND)
    assert cli.one("eth9:1")["kind"] == "macvlan"


def test_rivals(cli: Command) -> None:
    """macvlan and ipvlan exclude each other on a device, whichever was first."""
    made(cli.namespace, "link add t9 link eth9 type ipvlan")
    assert "eth9 carries ipvlan devices, and the kernel has only one of the two" in cli.fails(
        2, "eth9:0", FIRST, "kind", "macvlan"
    )
    cli.namespace.ip("link del t9")
    cli.namespace.ip("link add t9 link eth9 type macvlan mode bridge")
    assert "eth9 carries macvlan devices" in cli.fails(2, "eth9:0", FIRST, "kind", "ipvlan")


def test_foreign_mode(cli: Command) -> None:
    """An ipvlan of others in mode l3 keeps its mode, which is one for all of a device."""
    made(cli.namespace, "link add t9 link eth9 type ipvlan mode l3")
    line = cli.fails(2, "eth9:0", FIRST, "kind", "ipvlan")
    assert "t9 has put all ipvlan devices beside it into mode l3" in line
    cli.silent("eth9:0", FIRST)
    assert cli.one("eth9:0")["kind"] == "label"
    (device,) = ip_json(cli.namespace, "-d link show dev t9")
    assert device["linkinfo"]["info_data"]["mode"] == "l3"


def test_one_address_twice(cli: Command) -> None:
    """The kernel refuses the address of a sibling on an ipvlan; both stay as they were."""
    made(cli.namespace, "link add t9 link eth9 type ipvlan")
    cli.namespace.ip("link del t9")
    cli.silent("eth9:0", FIRST)
    cli.silent("eth9:1", SECOND)
    before = picture(cli.namespace)
    assert cli.run("eth9:1", FIRST).returncode == 2
    assert cli.one("eth9:1")["local"] == SECOND
    assert ip_json(cli.namespace, "addr show dev eth9_1")[0]["addr_info"][0]["local"] == SECOND
    assert before.count(SECOND) == picture(cli.namespace).count(SECOND)


def test_from_kind_to_kind(cli: Command) -> None:
    """The only alias of a main device goes through all kinds, and keeps name and address."""
    made(cli.namespace, "link add t9 type dummy")
    cli.namespace.ip("link del t9")
    made(cli.namespace, "link add t9 link eth9 type ipvlan")
    cli.namespace.ip("link del t9")
    cli.silent("-q", "eth9:0", FIRST)
    for kind in ("macvlan", "dummy", "label", "ipvlan", "label", "dummy", "macvlan", "ipvlan"):
        cli.silent("-q", "eth9:0", "kind", kind)
        found = cli.one("eth9:0")
        assert (found["kind"], found["local"]) == (kind, FIRST)
