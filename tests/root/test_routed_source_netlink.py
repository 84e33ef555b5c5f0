"""The address that a host sends from by a route, as the real kernel chooses it."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shortened import later
from speaking import ROUTER, World, hold
from support import Namespace, until
from test_doctor import Doctor
from test_machine_over_netlink import InNamespace
from watcher import watching

from netalias.engine import Engine, Setup
from netalias.kernel.netlink import Netlink

ROUTES = (
    f"default via {ROUTER} dev eth0 onlink", "198.51.100.0/24 dev eth0", "default dev eth0 metric 9"
)  # fmt: skip


class Real(World):
    """A private namespace in which no duplicate addresses are looked for."""

    def __init__(self, ground: InNamespace, kernel: Netlink) -> None:
        self.namespace = ground.namespace
        self.engine = Engine(Setup(kernel))
        self.namespace.ip("-6 route add default dev eth0")

    def add(self, own: str) -> None:
        self.namespace.ip(f"addr add {own} dev eth0")

    def remove(self, own: str) -> None:
        self.namespace.ip(f"addr del {own} dev eth0")

    def deprecate(self, own: str) -> None:
        self.namespace.ip(f"addr change {own} dev eth0 preferred_lft 0")

    def source(self, host: str) -> str:
        for route in ROUTES:  # the last IPv4 address takes them along
            self.namespace.run(["ip", "-4", "route", "add", *route.split()], check=False)
        return source(self.namespace, host)


def source(namespace: Namespace, host: str) -> str:
    """The address that a packet to *host* is sent from; empty for none but a link-local one."""
    done = namespace.run(["ip", "-j", "route", "get", host], check=False)
    found = json.loads(done.stdout)[0].get("prefsrc", "") if done.stdout else ""
    return "" if found.startswith("fe80") else str(found)


@settings(max_examples=25)
@given(st.randoms(use_true_random=True))
def test_own_addresses_speak(random: Random) -> None:
    """As in memory."""
    ground = InNamespace()
    try:
        ground.add_main("eth0")
        with ground.namespace, Netlink() as kernel:
            hold(Real(ground, kernel), random)
    finally:
        ground.close()


@pytest.mark.parametrize(
    ("label", "own", "route", "host"),
    [
        ("203.0.113.9", "203.0.113.5/32", "default via 172.31.1.1 dev eth9 onlink", "198.51.100.1"),
        ("2001:db8:2::9", "2001:db8:1::1/128", "default via fe80::1 dev eth9", "2001:db8:2::1"),
        *later([
            ("203.0.113.9", "203.0.113.5/32", "default dev eth9", "198.51.100.1"),
            ("203.0.113.9", "10.64.0.1 peer 10.64.0.2", "default via 10.64.0.2", "198.51.100.1"),
            ("2001:db8:2::9", "2001:db8:1::1/64", "default via 2001:db8:1::2", "2001:db8:2::1"),
        ]),
    ],
)  # fmt: skip
def test_a_cloud_host(veth: Namespace, label: str, own: str, route: str, host: str) -> None:
    """The label came first, as at boot. Its standing declaration is a difference; one run makes
    the own address the source, by a route that was there all the time; doctor is content. A route
    of others whose source is the label stays."""
    cli = Doctor(veth)
    six, mine = ":" in own, own.split()[0].partition("/")[0]
    line = f"eth9:0 {label} kind label"
    cli.silent(*line.split())
    cli.settled("eth9:0")
    veth.ip(f"addr add {own} dev eth9" + " nodad" * six)
    veth.ip(f"{'-6' if six else '-4'} route add {route}")
    others = f"192.0.2.0/24 dev eth9 src {label}"
    if not six:
        veth.ip(f"route add {others}")
    assert cli.run("check", "-", input=f"{line}\n").returncode == 3
    assert source(veth, host) == label or "peer" in own
    found = [one for one in cli.findings() if one["check"] == "source-address"]
    assert len(found) == ("peer" not in own and not six)
    cli.run("reconcile", "-", input=f"{line}\n")
    assert source(veth, host) == mine
    assert six or source(veth, "192.0.2.1") == label
    assert not [one for one in cli.findings() if one["check"] == "source-address"]
    assert cli.run("check", "-", input=f"{line}\n").returncode == 0


def test_the_only_address_for_the_internet(veth: Namespace) -> None:
    """Beside an own address that is for the site alone, the label is the source, and no fault."""
    cli = Doctor(veth)
    veth.ip("addr add fd00:1::1/64 dev eth9 nodad")
    veth.ip("-6 route add default via fd00:1::2")
    cli.silent("eth9:0", "2001:db8:2::9", "kind", "label")
    cli.settled("eth9:0")
    assert source(veth, "2001:db8::1") == "2001:db8:2::9"
    assert source(veth, "fd00:2::1") == "fd00:1::1"
    assert not [one for one in cli.findings() if one["check"] == "source-address"]


def test_watch_follows_the_own_addresses(veth: Namespace, tmp_path: Path) -> None:
    """They come after the labels, as by DHCP and router advertisements; that of IPv6 may no longer
    be a source, and goes."""
    file = tmp_path / "declared"
    file.write_text("eth9:0 203.0.113.9 kind label\neth9:1 2001:db8:2::9 kind label\n")
    cli = Doctor(veth)
    with watching(veth, tmp_path / "net", str(file)):
        cli.settled("eth9:1")
        veth.ip("addr add 203.0.113.5/32 dev eth9")
        veth.ip("route add default via 172.31.1.1 dev eth9 onlink")
        veth.ip("addr add 2001:db8:1::1/64 dev eth9 nodad")
        veth.ip("-6 route add default dev eth9")
        until(lambda: source(veth, "198.51.100.1") == "203.0.113.5")
        until(lambda: source(veth, "2001:db8:2::1") == "2001:db8:1::1")
        assert cli.one("eth9:1")["deprecated"] is True
        veth.ip("addr change 2001:db8:1::1/64 dev eth9 valid_lft 600 preferred_lft 0")
        until(lambda: source(veth, "2001:db8:2::1") == "2001:db8:2::9")
        veth.ip("addr change 2001:db8:1::1/64 dev eth9 valid_lft 600 preferred_lft 600")
        until(lambda: source(veth, "2001:db8:2::1") == "2001:db8:1::1")
        veth.ip("addr del 2001:db8:1::1/64 dev eth9")
        until(lambda: source(veth, "2001:db8:2::1") == "2001:db8:2::9")
        veth.ip("addr del 203.0.113.5/32 dev eth9")
        veth.ip("addr add 203.0.113.5/32 dev eth9")
        until(lambda: source(veth, "198.51.100.1") == "203.0.113.5")
        assert cli.run("check", str(file)).returncode == 0
