"""Routes and publications that follow a device, over the kernel in memory."""

from __future__ import annotations

from io import StringIO
from itertools import permutations
from pathlib import Path
from socket import inet_pton

import pytest
from test_desired_declarations import parse
from test_watch_relays import GOOD
from watched import state_of

from netalias import errors
from netalias.engine import Engine, Setup
from netalias.engine.proxies import carry_out, planned
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, AF_INET6, PROTOCOL, address_text
from netalias.model.events import State, difference
from netalias.model.gateways import DelWay
from netalias.model.neighbours import Surroundings
from netalias.model.renames import RenameLink
from netalias.plan.following import MOST
from netalias.runtime import published, tasks
from netalias.runtime.private import PrivateDirectory
from netalias.system.journal import Journal
from netalias.watch.following import Following

PEER = "10.9.0.254"
ROUTE = "ppp0 route default via HISADDR src MYADDR"


class Host:
    """ppp0, whose address changes, and eth0 are up."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.kernel = Memory()
        for name in ("eth0", "ppp0"):
            self.kernel.add_device(name, up=True)
        self.kernel.around = Surroundings(
            **{**GOOD, "out": self.kernel.device("ppp0").index}  # type: ignore[arg-type]
        )
        self.state = State()
        self.engine = Engine(Setup(self.kernel, runtime=PrivateDirectory(folder)))
        self.log = StringIO()
        self.changes = 0
        self.now = 100.0
        self.begin()

    def begin(self) -> None:
        """Another watcher begins."""
        journal = Journal(stream=self.log, environ={}, now=str)
        self.following = Following(
            self.engine, self.state, journal, lambda: self.now, self.folder, self._changed
        )

    def _changed(self) -> None:
        self.changes += 1

    def declare(self, *lines: str) -> None:
        """Read such lines, and act."""
        found = parse("\n".join(lines))
        assert not found.errors
        self.following.load(found.tasks)
        self.act()

    def act(self) -> None:
        """Hear what has happened, and act if that is due."""
        for event in difference(self.state, state_of(self.kernel.snapshot())):
            self.following.hear(event)
        if self.following.due(self.now) == 0.0:
            self.following.act(self.now)

    def negotiate(self, last: int, old: int = 0, peer: str = PEER) -> None:
        """ppp0 gets an address of a peer, and loses one before."""
        if old:
            self.take(f"10.9.0.{old}")
        self.give(f"10.9.0.{last}/32", peer)
        self.act()

    def give(self, text: str, peer: str) -> None:
        """ppp0 gets an address of a peer."""
        family = AF_INET6 if ":" in peer else AF_INET
        self.kernel.add_address("ppp0", text, peer=inet_pton(family, peer))

    def take(self, text: str) -> None:
        """It loses one."""
        entries = self.kernel.snapshot().on(self.kernel.device("ppp0").index)
        (found,) = (one for one in entries if address_text(one.family, one.local) == text)
        self.kernel.remove_address("ppp0", found)

    def routes(self) -> list[str]:
        """Our routes."""
        ways = sorted(self.kernel.routing().read().ways, key=lambda one: one.text)
        return [f"{one.text} table {one.table}".removesuffix(" table 254") for one in ways]

    def proxies(self) -> list[str]:
        """What eth0 answers for, by us."""
        index = self.kernel.device("eth0").index
        return sorted(
            one.text
            for one in self.kernel.proxies()
            if (one.index, one.protocol) == (index, PROTOCOL)
        )

    def said(self) -> list[str]:
        """The lines of the journal since the last time."""
        text = self.log.getvalue()
        self.log.seek(0)
        self.log.truncate()
        return [line.removeprefix("netalias: ") for line in text.splitlines()]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without lines."""
    return Host(str(tmp_path))


def test_nothing_is_done_without_a_line(host: Host) -> None:
    """No lock, no reading: other files cost nothing."""
    host.declare("eth0:0 10.0.0.1", "ppp0 iface-alias kernel")
    host.negotiate(1)
    assert host.following.due(host.now) is None
    assert host.changes == 0


def test_a_route_follows_each_address(host: Host) -> None:
    """A-17: it waits for the first one, names each new one, and goes with the line."""
    host.declare(ROUTE, "ppp0 route HISADDR table 9 metric 5", "ppp0 route 10.7.0.0/16 src MYADDR")
    assert host.routes() == []
    assert host.said()[0] == "ppp0 route default waits: ppp0 has no peer of IPv4"
    for last, old in ((1, 0), (2, 1), (3, 2), (1, 3)):
        host.negotiate(last, old)
        assert host.routes() == [
            f"10.7.0.0/16 src 10.9.0.{last}",
            f"{PEER}/32 metric 5 table 9",
            f"default via {PEER} src 10.9.0.{last}",
        ]
    assert host.said() == []
    host.declare("ppp0 route 10.7.0.0/16 src MYADDR")
    assert host.routes() == ["10.7.0.0/16 src 10.9.0.1"]
    host.declare()
    assert host.routes() == []
    assert host.following.due(host.now) is None
    assert tasks.left(host.folder, tasks.FOLLOWING) == []


def test_the_peer_changes_too(host: Host) -> None:
    """The default route leads through the peer of the address that is there."""
    host.declare("ppp0 route default via HISADDR")
    host.negotiate(1)
    host.negotiate(2, 1, peer="10.9.1.9")
    assert host.routes() == ["default via 10.9.1.9"]


@pytest.mark.parametrize("order", permutations(("declare", "device", "address")))
def test_in_any_order(host: Host, order: tuple[str, ...]) -> None:
    """Line, device and address may come in any order; an address that comes before its device is
    up is that of the device."""
    host.kernel.set_device("ppp0", up=False)
    for one in order:
        if one == "declare":
            host.declare(ROUTE, "ppp0 proxyall on eth0")
        elif one == "device":
            host.kernel.set_device("ppp0", up=True)
            host.act()
        else:
            host.negotiate(1)
    assert host.routes() == [f"default via {PEER} src 10.9.0.1"]
    assert host.proxies() == [PEER]


def test_a_device_that_vanishes_and_returns(host: Host) -> None:
    """Its routes and publications come back with it; until then nothing is answered for."""
    host.declare(ROUTE, "ppp0 proxy on eth0")
    host.negotiate(1)
    host.kernel.remove_device("ppp0")
    host.act()
    assert host.proxies() == []
    host.kernel.add_device("ppp0", up=True)
    host.act()
    assert host.routes() == []
    host.negotiate(2)
    assert host.routes() == [f"default via {PEER} src 10.9.0.2"]
    assert host.proxies() == [PEER]


def test_ipv6_and_the_peer_by_its_link_local_address(host: Host) -> None:
    """As IPV6CP of PPP negotiates it: the global address comes from elsewhere."""
    host.declare("ppp0 route default via HISADDR6 src MYADDR6", "ppp0 proxyall on eth0")
    host.give("fe80::1/128", "fe80::2")
    host.act()
    assert host.said()[-1] == "ppp0 route default waits: ppp0 has no address of its own of IPv6"
    host.kernel.add_address("ppp0", "2001:db8::1/64")
    host.act()
    assert host.routes() == ["default via fe80::2 src 2001:db8::1"]
    host.take("2001:db8::1")
    host.kernel.add_address("ppp0", "2001:db8::2/64")
    host.act()
    assert host.routes() == ["default via fe80::2 src 2001:db8::2"]
    assert host.proxies() == []


def test_routes_of_others_stay(host: Host) -> None:
    """Those without our mark, those through other devices, and those of aliases."""
    host.kernel.add_address("eth0", "10.0.0.5/24")
    host.declare("eth0:0 10.0.0.7/24 kind dummy", ROUTE)
    host.negotiate(1)
    before = host.routes()
    host.declare("eth0 route 10.4.0.0/16 src MYADDR", ROUTE)
    assert host.routes() == sorted([*before, "10.4.0.0/16 src 10.0.0.5"])
    host.declare(ROUTE)
    assert host.routes() == before


def test_every_peer_is_published(host: Host) -> None:
    """A-17: with proxyall one entry for each peer of the device, set when the address comes, and
    cleared when it goes; with proxy for that of the own address alone."""
    host.declare("ppp0 proxyall on eth0")
    host.negotiate(1)
    host.give("10.8.0.1/32", "10.8.0.2")
    host.act()
    assert host.proxies() == ["10.8.0.2", PEER]
    assert host.changes >= 2
    host.take("10.8.0.1")
    host.act()
    assert host.proxies() == [PEER]
    host.give("10.8.0.1/32", "10.8.0.2")
    host.act()
    host.declare("ppp0 proxy on eth0")
    assert len(host.proxies()) == 1
    host.declare()
    assert host.proxies() == []
    assert published.read(host.folder, host.kernel.cookie()) == []


def test_there_is_an_end_to_proxyall(host: Host) -> None:
    """So many peers of one device are answered for."""
    for number in range(MOST + 9):
        place = f"{number >> 8}.{number & 255}"
        host.give(f"10.1.{place}/32", f"10.2.{place}")
    host.declare("ppp0 proxyall on eth0")
    assert len(host.proxies()) == MOST


def test_what_was_published_by_hand_stays(host: Host) -> None:
    """A line that goes takes back only what it has made."""
    wanted = [(AF_INET, inet_pton(AF_INET, PEER))]
    with host.engine.transaction():
        carry_out(host.engine, lambda: planned(host.engine, wanted, "eth0"))
    host.negotiate(1)
    host.declare("ppp0 proxyall on eth0")
    host.declare()
    assert host.proxies() == [PEER]


def test_a_watcher_that_was_killed(host: Host) -> None:
    """What its lines made, and are there no more, the next one undoes; the rest stays as it is."""
    host.declare(ROUTE, "ppp0 route 10.7.0.0/16 src MYADDR", "ppp0 proxyall on eth0")
    host.negotiate(1)
    assert tasks.left(host.folder, tasks.FOLLOWING) == [
        ROUTE, "ppp0 route 10.7.0.0/16 src MYADDR", "ppp0 proxyall on eth0",
    ]  # fmt: skip
    host.begin()
    host.declare(ROUTE)
    assert host.routes() == [f"default via {PEER} src 10.9.0.1"]
    assert host.proxies() == []
    host.begin()
    host.declare()
    assert host.routes() == []


@pytest.mark.parametrize("line", [ROUTE, ROUTE.replace("ppp0", "wan0"), ""])
def test_a_device_that_was_renamed_while_nobody_watched(host: Host, line: str) -> None:
    """Its routes are found by their mark: they go, and stay where a line names it as it is called
    now."""
    host.declare(ROUTE)
    host.negotiate(1)
    device = host.kernel.device("ppp0")
    host.kernel.apply([RenameLink("ppp0", device.index, "wan0")])
    host.begin()
    host.declare(line)
    assert host.routes() == ([f"default via {PEER} src 10.9.0.1"] if "wan0" in line else [])


def test_a_refused_route_is_told_once_and_tried_again(host: Host) -> None:
    """Its router is not on the link."""
    host.declare("ppp0 route default via 10.3.0.1 src MYADDR")
    host.negotiate(1)
    assert "Nexthop has invalid gateway" in host.said()[-1]
    due = host.following.due(host.now) or 0
    assert 0 < due <= 2
    host.now += due
    host.following.act(host.now)
    assert host.said() == []
    host.kernel.add_address("ppp0", "10.3.0.9/24")
    host.act()
    assert [one.partition(" src")[0] for one in host.routes()] == ["default via 10.3.0.1"]


def test_a_route_that_somebody_has_deleted(host: Host) -> None:
    """It comes back with the next look, at the latest."""
    host.declare(ROUTE)
    host.negotiate(1)
    index = host.kernel.device("ppp0").index
    (way,) = host.kernel.routing().read().ways
    assert not host.kernel.apply([DelWay("ppp0", index, way)])
    host.act()
    assert host.routes() == []
    due = host.following.due(host.now) or 0
    assert 0 < due <= 60
    host.now += due
    host.following.act(host.now)
    assert host.routes() == [f"default via {PEER} src 10.9.0.1"]


def test_what_keeps_packets_away_is_told(host: Host) -> None:
    """Forwarding is the administrator's to switch on."""
    out = host.kernel.device("ppp0").index
    host.kernel.around = Surroundings(
        **{**GOOD, "out": out, "forwarding": False}  # type: ignore[arg-type]
    )
    host.declare("ppp0 proxyall on eth0")
    host.negotiate(1)
    (line,) = host.said()
    assert line.startswith(
        "warning: eth0 answers for nobody while it does not forward (sysctl -w net.ipv4"
    )


def test_the_lock_of_another_is_waited_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that holds it is soon done."""

    def busy() -> None:
        raise errors.LockBusy("another netalias is at work")

    host.declare(ROUTE)
    with monkeypatch.context() as patched:
        patched.setattr(host.engine, "transaction", busy)
        host.negotiate(1)
    assert host.routes() == []
    assert host.following.due(host.now) == pytest.approx(0.02)
    host.now += 0.02
    host.following.act(host.now)
    assert host.routes() == [f"default via {PEER} src 10.9.0.1"]


def test_a_publication_waits_for_the_device_that_is_to_answer(host: Host) -> None:
    """It is told once, and ends with the device."""
    host.declare("ppp0 proxyall on eth7")
    host.negotiate(1)
    host.negotiate(2, old=1)
    assert host.said() == ["ppp0 proxyall waits: there is no device eth7"]
    host.kernel.add_device("eth7", up=True)
    host.act()
    assert [one.local for one in host.kernel.proxies()] == [inet_pton(AF_INET, PEER)]
