"""Relays over the kernel in memory: routes, publication, what is told, and that all is undone."""

from __future__ import annotations

from io import StringIO
from itertools import permutations
from pathlib import Path

import pytest
from test_desired_declarations import parse
from watched import state_of

from netalias.desired.relays import Relay
from netalias.desired.tunnels import tunnel_of
from netalias.engine import Engine, Setup
from netalias.engine.proxies import carry_out, planned
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, AF_INET6, PROTOCOL, RT_TABLE_MAIN
from netalias.model.events import State, difference
from netalias.model.neighbours import Proxy, Surroundings
from netalias.nat.forwarding import Closed
from netalias.runtime import published
from netalias.runtime.private import PrivateDirectory
from netalias.system.journal import Journal
from netalias.watch.relays import Relays

GOOD = {
    "forwarding": True, "everywhere": True, "answering": True, "delay": 0, "back": True,
}  # fmt: skip
LINE = "relay 10.7.0.1,10.8.0.0/24,2001:db8::7 on eth0 carriage udp"
SINGLES = ["10.7.0.1", "2001:db8::7"]


class Host:
    """eth0 and eth1 are up; the tunnel relay0 is not there yet."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.kernel = Memory()
        for name in ("eth0", "eth1"):
            self.kernel.add_device(name, up=True)
        self.state = State()
        self.engine = Engine(Setup(self.kernel, runtime=PrivateDirectory(folder)))
        self.log = StringIO()
        self.chains: list[Closed] = []
        self.changes = 0
        self.now = 100.0
        self.relays = self.another()

    def another(self) -> Relays:
        """A watcher that has just begun."""
        journal = Journal(stream=self.log, environ={}, now=str)
        return Relays(
            self.engine, self.state, journal, lambda: self.now, self._changed, lambda _: self.chains
        )

    def _changed(self) -> None:
        self.changes += 1

    def declare(self, *lines: str) -> None:
        """Read such files, and act."""
        found = parse("\n".join(lines))
        assert not found.errors
        self.relays.load(found.tasks)
        self.act()

    def act(self) -> None:
        """Hear what has happened, and act if that is due."""
        for event in difference(self.state, state_of(self.kernel.snapshot())):
            self.relays.hear(event)
        if self.relays.due(self.now) == 0.0:
            self.relays.act(self.now)

    def tunnel(self, name: str = "relay0") -> None:
        """The device of a tunnel comes, and is found by surroundings()."""
        index = self.kernel.add_device(name, up=True).index
        self.around(out=index)
        self.act()

    def around(self, **words: int) -> None:
        """Set what surroundings() answers."""
        out = self.kernel.device("relay0").index
        self.kernel.around = Surroundings(**{**GOOD, "out": out, **words})  # type: ignore[arg-type]

    def routes(self) -> list[str]:
        """Our routes in the table main."""
        ways = self.kernel.routing().read().ways
        assert all(one.table == RT_TABLE_MAIN for one in ways)
        names = {one.index: one.name for one in self.kernel.snapshot().devices.values()}
        return [f"{one.text} dev {names[one.index]}" for one in ways]

    def proxies(self) -> list[str]:
        """What eth0 answers for, by us."""
        index = self.kernel.device("eth0").index
        found = self.kernel.proxies()
        return [one.text for one in found if (one.index, one.protocol) == (index, PROTOCOL)]

    def noted(self, file: str = published.FILE) -> list[str]:
        """The addresses of a record."""
        return [one.text for _, one in published.read(self.folder, self.kernel.cookie(), file)]

    def said(self) -> list[str]:
        """The lines of the journal since the last time."""
        text = self.log.getvalue()
        self.log.seek(0)
        self.log.truncate()
        return [line.removeprefix("netalias: ") for line in text.splitlines()]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without relays."""
    return Host(str(tmp_path))


def test_nothing_is_done_without_a_relay(host: Host) -> None:
    """No lock, no reading: files without relays cost nothing."""
    host.declare("eth0:0 10.0.0.1", "eth0 iface-alias kernel")
    host.tunnel()
    assert host.relays.due(host.now) is None
    assert host.changes == 0


def test_made_with_its_tunnel_and_undone_with_its_line(host: Host) -> None:
    """Nothing is answered for before the tunnel is there; then single addresses are, by the kernel,
    and networks by the watcher. With the line all of that goes."""
    host.declare(LINE)
    assert (host.routes(), host.proxies(), [*host.relays.served()]) == ([], [], [])
    host.tunnel()
    assert host.routes() == [
        "10.7.0.1/32 dev relay0", "10.8.0.0/24 dev relay0", "2001:db8::7/128 dev relay0"
    ]  # fmt: skip
    assert host.proxies() == SINGLES
    assert host.noted() == host.noted(published.RELAYED) == SINGLES
    (served,) = host.relays.served()
    eth0 = host.kernel.device("eth0")
    assert (served.index, served.prefixlen, served.mac) == (eth0.index, 24, eth0.mac)
    assert served.network == bytes((10, 8, 0, 0))
    assert host.said() == []
    host.declare()
    assert host.proxies() == host.noted() == host.noted(published.RELAYED) == []
    assert [*host.relays.served()] == []
    assert host.relays.due(host.now) is None


def test_made_again_when_the_tunnel_was_away(host: Host) -> None:
    """A device that went down has lost its routes; one that comes again gets them again."""
    host.declare(LINE)
    host.tunnel()
    before = host.routes()
    host.kernel.set_device("relay0", up=False)
    assert host.routes() == []
    host.act()
    assert [*host.relays.served()] == []
    host.kernel.set_device("relay0", up=True)
    host.act()
    assert host.routes() == before
    host.kernel.remove_device("relay0")
    host.act()
    assert host.noted() == SINGLES  # it comes again
    host.tunnel()
    assert host.routes() == before
    assert host.proxies() == SINGLES


def test_made_again_after_a_look(host: Host) -> None:
    """What nobody announces is found in time."""
    host.declare(LINE)
    host.tunnel()
    index = host.kernel.device("relay0").index
    for way in host.kernel.routing().read().ways:
        host.kernel._rules.delete_way(host.kernel._links.nodes[index], way)
    assert host.routes() == []
    wait = host.relays.due(host.now)
    assert wait
    host.now += wait
    host.act()
    assert len(host.routes()) == 3


def test_after_a_kill_nothing_is_left(host: Host) -> None:
    """The next watcher takes back what the line of before has published, and nothing else."""
    wanted = [(AF_INET, bytes((10, 7, 0, 9)))]
    carry_out(host.engine, lambda: planned(host.engine, wanted, "eth0"))
    host.declare(LINE)
    host.tunnel()
    assert sorted(host.proxies()) == sorted([*SINGLES, "10.7.0.9"])
    host.relays = host.another()
    host.declare("relay 10.7.0.1 on eth0 carriage udp")
    assert sorted(host.proxies()) == ["10.7.0.1", "10.7.0.9"]
    host.relays = host.another()
    host.declare()
    assert host.proxies() == host.noted() == ["10.7.0.9"]


def test_what_was_published_by_hand_stays_so(host: Host) -> None:
    """The end of a relay does not take back what somebody else wants."""
    wanted = [(AF_INET, bytes((10, 7, 0, 1)))]
    carry_out(host.engine, lambda: planned(host.engine, wanted, "eth0"))
    host.declare(LINE)
    host.tunnel()
    assert host.proxies() == SINGLES
    host.declare()
    assert host.proxies() == ["10.7.0.1"]


def test_an_entry_of_others_stays_theirs(host: Host) -> None:
    """It is told, and neither taken over nor taken away."""
    index = host.kernel.device("eth0").index
    host.kernel.add_proxy("eth0", Proxy(index, AF_INET, bytes((10, 7, 0, 1)), 0))
    host.declare("relay 10.7.0.1 on eth0 carriage udp")
    host.tunnel()
    assert host.said() == [
        "warning: 10.7.0.1: eth0 answers for it already, and not by netalias: left as it is"
    ]
    host.declare()
    assert len(host.kernel.proxies()) == 1


def test_nothing_is_told_of_a_card_that_is_down(host: Host) -> None:
    """The routes stay, and what is published comes back with it."""
    host.declare(LINE)
    host.tunnel()
    host.kernel.set_device("eth0", up=False)
    host.act()
    assert (len(host.routes()), host.proxies(), host.said()) == (3, [], [])
    host.kernel.set_device("eth0", up=True)
    host.act()
    assert (host.proxies(), host.said()) == (SINGLES, [])


def test_the_card_comes_later_and_goes(host: Host) -> None:
    """A relay waits for the device that answers; while that is away, the record stays."""
    host.declare("relay 10.7.0.1 on eth7 carriage udp")
    host.tunnel()
    assert host.routes() == []
    host.kernel.add_device("eth7", up=True)
    host.act()
    assert host.routes() == ["10.7.0.1/32 dev relay0"]
    assert host.noted() == ["10.7.0.1"]
    host.kernel.remove_device("eth7")
    host.act()
    host.now += 1000
    host.act()
    assert host.noted() == ["10.7.0.1"]
    host.declare()
    assert host.noted() == host.noted(published.RELAYED) == []


@pytest.mark.parametrize("order", [*permutations(("card", "tunnel", "line"))], ids=" ".join)
def test_it_does_not_matter_what_comes_first(host: Host, order: tuple[str, ...]) -> None:
    """C-6: the card that answers, the device of the tunnel and the line in a file in any order."""
    line = LINE.replace("eth0", "eth7")
    comes = {
        "card": lambda: host.kernel.add_device("eth7", up=True),
        "tunnel": lambda: host.kernel.add_device("relay0", up=True),
        "line": lambda: host.declare(line),
    }
    for word in order:
        assert not host.kernel.proxies()
        comes[word]()
        host.act()
    assert [one.text for one in host.kernel.proxies()] == SINGLES
    assert len(host.routes()) == 3


def test_a_relay_keeps_the_name_that_it_had_under_the_watcher_before(host: Host) -> None:
    """Though the one with the first name has gone meanwhile; a line that had another port takes
    no name from one that has it still."""
    lines = [f"relay 10.7.0.{last} on eth0 carriage udp:{last}" for last in (1, 2, 3)]
    found = parse("\n".join(lines[1:]))
    former = [tunnel_of(lines[2], "relay1"), tunnel_of(lines[1], "relay2")]
    second = host.another()
    second.resume([one for one in former if one is not None])
    second.load(found.tasks)
    assert [one.name for one in found.tasks if isinstance(one, Relay)] == ["relay2", "relay1"]
    assert tunnel_of(lines[0], "relay007") is None
    assert tunnel_of(lines[0], "vif0") is None


def test_two_relays_have_a_name_each(host: Host) -> None:
    """The second one that is declared goes on when the first is not."""
    other = "relay 10.9.0.1 on eth1 carriage udp:1"
    host.declare(LINE, other)
    host.tunnel("relay0")
    host.tunnel("relay1")
    assert "10.9.0.1/32 dev relay1" in host.routes()
    host.declare(other)
    (proxy,) = host.kernel.proxies()
    assert proxy.text == "10.9.0.1"
    assert host.relays._relays[0].name == "relay1"


FAULTS = [
    ({"forwarding": False}, [
        "eth0 answers for nobody while it does not forward (sysctl -w"
        " net.ipv4.conf.eth0.forwarding=1)",
        "eth0 answers for nobody while it does not forward IPv6 (sysctl -w"
        " net.ipv6.conf.eth0.forwarding=1)",
    ]),
    ({"everywhere": False}, [
        "what comes for 2001:db8::7 is dropped while IPv6 is not forwarded everywhere (sysctl -w"
        " net.ipv6.conf.all.forwarding=1)",
    ]),
    ({"answering": False}, [
        "eth0 answers for nobody while its proxy_ndp is 0 (sysctl -w"
        " net.ipv6.conf.eth0.proxy_ndp=1)",
    ]),
    ({"back": False}, [
        "what 10.7.0.1 answers is lost while relay0 does not forward (sysctl -w"
        " net.ipv4.conf.relay0.forwarding=1)",
    ]),
    ({"delay": 800}, [
        "eth0 answers up to 0.8 s late (sysctl -w net.ipv4.neigh.eth0.proxy_delay=0)",
        "eth0 answers up to 0.8 s late (sysctl -w net.ipv6.neigh.eth0.proxy_delay=0)",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), FAULTS)
def test_what_is_missing_is_told_once_with_the_command(
    host: Host, words: dict[str, int], said: list[str]
) -> None:
    """Sysctls are told and never set; each remedy once, again only after it was in order."""
    host.declare(LINE)
    host.kernel.add_device("relay0", up=True)
    host.around(**words)
    host.act()
    assert host.said() == [f"warning: {one}" for one in said]
    host.now += 1000
    host.act()
    assert host.said() == []
    host.around()
    host.now += 1000
    host.act()
    host.around(**words)
    host.now += 1000
    host.act()
    assert len(host.said()) == len(said)


NETWORK_FAULTS = [
    ({"forwarding": False},
     "what comes for 10.8.0.0/24 is dropped while eth0 does not forward (sysctl -w"
     " net.ipv4.conf.eth0.forwarding=1)"),
    ({"back": False}, "what 10.8.0.0/24 sends is dropped while relay0 does not forward (sysctl -w"
     " net.ipv4.conf.relay0.forwarding=1)"),
    ({"out": 0}, "what comes for 10.8.0.0/24 goes nowhere: no route leads to it (ip route add"
     " 10.8.0.0/24 dev relay0)"),
    ({"out": 2}, "what comes for 10.8.0.0/24 does not go to relay0: another route leads to eth0"
     " (ip route get 10.8.0.0)"),
    ({"delay": 800}, ""),
    ({"answering": False}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), NETWORK_FAULTS)
def test_a_network_depends_on_less(host: Host, words: dict[str, int], said: str) -> None:
    """The watcher answers for a network without the delay and the sysctls of the kernel's answers;
    to be forwarded takes the same."""
    assert host.kernel.device("eth0").index == 2
    host.declare("relay 10.8.0.0/24 on eth0 carriage udp")
    host.kernel.add_device("relay0", up=True)
    host.around(**words)
    host.act()
    assert host.said() == ([f"warning: {said}"] if said else [])


def test_ipv6_is_forwarded_everywhere_or_not(host: Host) -> None:
    """Forwarding of one device forwards nothing of IPv6."""
    host.declare("relay 2001:db8:8::/48 on eth0 carriage udp")
    host.kernel.add_device("relay0", up=True)
    host.around(everywhere=False, back=False)
    host.act()
    assert host.said() == [
        "warning: what comes for 2001:db8:8::/48 is dropped while IPv6 is not forwarded everywhere"
        " (sysctl -w net.ipv6.conf.all.forwarding=1)"
    ]


def test_a_closed_firewall_is_told(host: Host) -> None:
    """Only of a family that is relayed."""
    host.chains = [Closed(AF_INET, "filter", "FORWARD"), Closed(AF_INET6, "filter", "FORWARD")]
    host.declare("relay 10.8.0.0/24 on eth0 carriage udp")
    host.tunnel()
    assert host.said() == [
        "warning: the chain ip filter FORWARD drops what no rule accepts, and none names relay0"
        " (nft insert rule ip filter FORWARD iifname relay0 accept && nft insert rule ip filter"
        " FORWARD oifname relay0 accept)"
    ]


def test_many_addresses_make_one_warning(host: Host) -> None:
    """Of sentences with the same remedy one is told."""
    host.declare(f"relay {','.join(f'10.7.0.{last}' for last in range(1, 9))} on eth0 carriage udp")
    host.kernel.add_device("relay0", up=True)
    host.around(back=False)
    host.act()
    (text,) = host.said()
    assert text.startswith("warning: what 10.7.0.1 answers is lost")


def test_a_busy_lock_is_waited_for(host: Host) -> None:
    """Another run has it: later again, and nothing is said."""
    host.declare(LINE)
    host.kernel.add_device("relay0", up=True)
    host.around()
    directory = host.engine.runtime
    taken = directory.acquire
    from netalias.errors import LockBusy

    def busy(cookie: int = 0) -> None:
        raise LockBusy("another netalias is at work")

    directory.acquire = busy  # type: ignore[method-assign]
    host.act()
    assert host.routes() == host.said() == []
    wait = host.relays.due(host.now)
    assert wait
    directory.acquire = taken  # type: ignore[method-assign]
    host.now += wait
    host.act()
    assert len(host.routes()) == 3
