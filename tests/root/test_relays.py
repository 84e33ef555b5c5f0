"""Relays on the real kernel: who is asked for at home is reached elsewhere, and all is undone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command, ip_json, set_sysctl
from relaying import (
    CLIENT,
    HOME,
    INSIDE,
    INSIDE6,
    MOVED,
    NETWORK,
    NETWORK6,
    SINGLE,
    SINGLE6,
    Stage,
    declared,
    stage,
    tunnelled,
    warnings,
)
from support import Namespace, until


@pytest.fixture
def made(cli: Command, peer: Namespace) -> Iterator[Stage]:
    """The stage with nothing declared."""
    with stage(cli, peer) as found:
        yield found


@pytest.mark.parametrize("carriage", ["udp:7777", "ipip94"])
def test_tcp_to_each_moved_address_and_nothing_is_left(
    made: Stage, tmp_path: Path, carriage: str
) -> None:
    """C-4, C-7: single addresses and networks of both families are answered for at home, TCP of the
    neighbour gets to them and back; after the end nobody answers, and routes and entries are gone.
    An address beside a network is not answered for."""
    assert not any(map(made.answers, MOVED))
    with tunnelled(made, tmp_path, carriage) as watch:
        for address in MOVED:
            assert len(made.exchange(address)) == 100_000
        assert made.routes() == [SINGLE, NETWORK, SINGLE6, NETWORK6]
        assert made.answers(SINGLE) or not made.is_prompt
        assert made.answers(SINGLE6) or not made.is_prompt
        assert not made.answers("10.1.0.80", INSIDE)
        assert not made.answers("2001:db8:1::ac00", INSIDE6)
        assert warnings(watch) == []
    assert not any(map(made.answers, MOVED))
    assert (made.proxies(), "relay0" in made.here.names()) == ([], False)


def test_who_knows_the_host_by_its_mac_learns_that_of_the_relay(
    made: Stage, tmp_path: Path
) -> None:
    """Single addresses of both families are announced when they are published."""
    set_sysctl(made.neighbour, "ipv4/neigh/p9/locktime", 0)
    for address in (SINGLE, SINGLE6):
        made.neighbour.ip(f"neigh replace {address} lladdr 02:00:00:00:00:99 dev p9 nud reachable")
    mac = ip_json(made.here, "link show dev eth9")[0]["address"]
    line = f"relay {SINGLE},{SINGLE6} on eth9 to {CLIENT} carriage udp"
    with declared(made.here, tmp_path, line):
        for address in (SINGLE, SINGLE6):
            until(lambda: mac in made.neighbour.ip(f"neigh show to {address}"))  # noqa: B023


def test_published_again_after_a_flap_and_after_a_kill(made: Stage, tmp_path: Path) -> None:
    """The kernel drops entries with the card, and the route with the device of the tunnel: both
    come back. A watcher that is killed leaves entries, which the next one takes back."""
    with tunnelled(made, tmp_path) as watch:
        assert made.exchange(SINGLE)
        made.here.ip("link set eth9 down")
        made.here.ip("link set eth9 up")
        until(lambda: made.proxies() == sorted((SINGLE, SINGLE6)))
        made.here.ip("link set relay0 down")
        until(lambda: made.routes() == [SINGLE, NETWORK, SINGLE6, NETWORK6])
        assert made.exchange(SINGLE)
        assert made.exchange(INSIDE)
        watch.process.send_signal(signal.SIGKILL)
        watch.process.wait()
    assert made.proxies() == sorted((SINGLE, SINGLE6))
    with declared(made.here, tmp_path, f"eth9:0 {HOME}0/24 kind label"):
        until(lambda: made.proxies() == [])


def test_what_is_missing_is_told_and_never_set(made: Stage, tmp_path: Path) -> None:
    """Forwarding, the delay, and proxy_ndp: each with its command, and none is changed."""
    settings = {
        "ipv4/ip_forward": 0,
        "ipv4/neigh/eth9/proxy_delay": 100,
        "ipv6/conf/all/forwarding": 0,
        "ipv6/conf/eth9/proxy_ndp": 0,
    }
    for key, value in settings.items():
        set_sysctl(made.here, key, value)
    line = f"relay {SINGLE},{SINGLE6},{NETWORK} on eth9 to {CLIENT} carriage udp"
    with declared(made.here, tmp_path, line) as watch:
        until(lambda: made.proxies() == sorted((SINGLE, SINGLE6)))
        said = warnings(watch)
    assert sorted(one.rpartition(" (")[2].rstrip(")") for one in said) == [
        "sysctl -w net.ipv4.conf.eth9.forwarding=1",
        "sysctl -w net.ipv4.conf.relay0.forwarding=1",
        "sysctl -w net.ipv4.neigh.eth9.proxy_delay=0",
        "sysctl -w net.ipv6.conf.all.forwarding=1",
        "sysctl -w net.ipv6.conf.eth9.proxy_ndp=1",
    ]
    for key, value in settings.items():
        path = f"/proc/sys/net/{key}"
        assert made.here.run(["cat", path]).stdout == f"{value}\n"


def test_a_line_that_goes_takes_its_relay_with_it(made: Stage, tmp_path: Path) -> None:
    """The other one stays what it is called, and goes on."""
    stays = f"relay {SINGLE6} on eth9 to {CLIENT} carriage udp:2"
    with declared(made.here, tmp_path, f"relay {SINGLE} on eth9 carriage udp:1", stays) as watch:
        until(lambda: made.proxies() == sorted((SINGLE, SINGLE6)))
        index = made.here.ip("-o link show relay1").split(":")[0]
        (tmp_path / "file").write_text(f"{stays}\n")
        watch.says("read again")
        until(lambda: made.proxies() == [SINGLE6])
        until(lambda: "relay0" not in made.here.names())
        assert made.here.ip("-o link show relay1").split(":")[0] == index


def test_prefixes_that_change_while_packets_go_on(made: Stage, tmp_path: Path) -> None:
    """The tunnel stays: the routes and the sources that its peer may send from are others."""
    line = f"relay {SINGLE} on eth9 to {CLIENT} carriage udp:1"
    with declared(made.here, tmp_path, line) as watch:
        until(lambda: made.routes() == [SINGLE])
        index = made.here.ip("-o link show relay0").split(":")[0]
        (tmp_path / "file").write_text(f"{line.replace(SINGLE, NETWORK)}\n")
        watch.says("relay0: sources changed: device and socket stay, and so do connections")
        until(lambda: made.routes() == [NETWORK])
        until(lambda: made.proxies() == [])
        assert made.here.ip("-o link show relay0").split(":")[0] == index
