"""What floats, on the real kernel: it stands for as long as it is prolonged, and goes by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO
from time import CLOCK_BOOTTIME, clock_gettime, monotonic, sleep

import pytest
from command import Command, ip_json, set_sysctl, without_dad
from support import PATIENCE, SLOW

import netalias
from netalias.cluster.orders import Check, Extend, Message, Receive, Release, Take
from netalias.desired.declarations import parse
from netalias.kernel.netlink.monitor import Monitor
from netalias.system.journal import Journal
from netalias.watch.announcer import Announcer
from netalias.watch.claims import Claims
from netalias.watch.controller import Controller
from netalias.watch.floats import Floats

LINES = """\
float label eth9:1-2 10.1.0.1-2/24 kind label
float macvlan eth9:11-12 10.1.0.11-12/24 kind macvlan
float six eth9:21-22 2001:db8::1-2/64 kind label
float own eth9:31-32 2001:db8::11-12/64 kind macvlan
"""
FIRST = [
    ("label", "10.1.0.1"), ("macvlan", "10.1.0.11"), ("six", "2001:db8::1"), ("own", "2001:db8::11")
]  # fmt: skip
SECOND = [
    ("label", "10.1.0.2"), ("macvlan", "10.1.0.12"), ("six", "2001:db8::2"), ("own", "2001:db8::12")
]  # fmt: skip


def boottime() -> float:
    """CLOCK_BOOTTIME in seconds."""
    return clock_gettime(CLOCK_BOOTTIME)


class Never:
    """In the place of a checkpoint."""

    def reason(self, digest: str) -> str:
        """None."""
        return ""


class Host:
    """The parts of a watcher about floats, and a test in the place of the agent."""

    def __init__(self, cli: Command) -> None:
        self.namespace = cli.namespace
        self.log = StringIO()
        self.reports: list[str] = []
        journal = Journal(stream=self.log, environ={}, now=str)
        opened = netalias.open(self.namespace.path)
        self.engine = opened.derived(
            texts=False, claims=True, claimant=lambda *words: self.claims.session(*words)
        )
        self.monitor = self.engine.within(lambda: Monitor(media=False, connected=True))
        for _ in self.monitor.start():
            pass
        self.announcer = Announcer(self.engine, self.monitor.state, journal, monotonic)
        self.claims = Claims(self.monitor.state, self.announcer, monotonic)
        self.controller = Controller(
            self.engine,
            self.monitor,
            journal,
            monotonic,
            Never(),  # type: ignore[arg-type]
        )
        self.floats = Floats(
            self.controller, self.claims, journal, monotonic, boottime,
            lambda one: self.reports.append(one.line()),
        )  # fmt: skip
        self.controller.hear = self.floats.hear
        found = parse([("f", LINES)], opened.registry)
        assert not found.errors
        self.floats.load(found.tasks)

    def order(self, message: Message) -> None:
        """Carry an order out."""
        self.floats.order(message)
        self.until(lambda: self.floats.due(monotonic()) != 0.0)

    def until(self, holds: Callable[[], bool]) -> None:
        """Go on until that holds."""
        end = monotonic() + PATIENCE * SLOW
        while not holds():
            assert monotonic() < end, (self.reports, self.log.getvalue(), self.there())
            self.controller.read_events()
            with self.namespace:  # where the sockets of probes are made
                for part in (self.floats, self.claims, self.announcer):
                    for fileno in part.wanted(monotonic()):
                        part.ready(fileno, 1, monotonic())
                    if part.due(monotonic()) == 0.0:
                        part.tick(monotonic())
            sleep(0.01)

    def there(self) -> dict[str, int]:
        """Each global address with the seconds that it is to live, -1 for ever."""
        return {
            one["local"]: -1 if one["valid_life_time"] > 1 << 31 else one["valid_life_time"]
            for device in ip_json(self.namespace, "addr show")
            for one in device["addr_info"]
            if one["scope"] == "global"
        }

    def checked(self) -> list[str]:
        """The addresses that the kernel checks: one that goes then is one that another host has."""
        return [
            one["local"]
            for device in ip_json(self.namespace, "addr show")
            for one in device["addr_info"]
            if one.get("tentative") and one["scope"] == "global"
        ]

    def gone(self) -> set[str]:
        """The addresses that were reported to be gone."""
        words = [
            word for one in self.reports if one.startswith("gone ") for word in one.split()[2:]
        ]
        return set(words)


@pytest.fixture
def host(cli: Command) -> Iterator[Host]:
    """One in a namespace with eth9."""
    without_dad(cli.namespace)
    made = Host(cli)
    yield made
    made.announcer.close()
    made.claims.close()
    made.monitor.close()
    made.engine.close()


def test_what_is_not_prolonged_goes_by_the_kernel_s_own_timer(host: Host) -> None:
    """Labels and devices, both families; what is released goes at once, and that is told."""
    host.order(Take(boottime() + 9, [*FIRST, *SECOND]))
    found = host.there()
    assert {*found} == {address for _, address in [*FIRST, *SECOND]}
    assert all(0 < seconds <= 4 for seconds in found.values()), found
    host.order(Release(SECOND))
    host.until(lambda: host.gone() == {"/".join(one) for one in SECOND})
    assert {*host.there()} == {address for _, address in FIRST}
    until = boottime() + 6
    host.order(Extend(until))
    assert all(3 <= seconds <= 5 for seconds in host.there().values())
    host.until(lambda: host.gone() == {"/".join(one) for one in [*FIRST, *SECOND]})
    assert host.there() == {}
    names = ip_json(host.namespace, "link show")
    host.until(lambda: len(ip_json(host.namespace, "link show")) <= len(names))
    assert host.floats.ours == {}


def test_a_lost_address_is_made_again_with_what_is_left_of_its_time(host: Host) -> None:
    """Whatever takes it away, as long as it is ours."""
    host.order(Take(boottime() + 300, FIRST))
    for pool, address in FIRST:
        host.until(lambda: not host.checked())
        device = next(
            one["ifname"]
            for one in ip_json(host.namespace, "addr show")
            if any(entry.get("local") == address for entry in one["addr_info"])
        )
        if pool in ("macvlan", "own"):
            host.namespace.ip(f"link del {device}")
        else:
            length = 24 if pool == "label" else 64
            host.namespace.ip(f"addr del {address}/{length} dev {device}")
        host.until(lambda: address in host.there())  # noqa: B023
        assert 0 < host.there()[address] <= 150
    assert host.gone() == set()


def test_what_was_given_up_is_not_checked_again(host: Host) -> None:
    """Nobody has it, so it answers at once; of what a dead host had the kernel finds out. That is
    so as well when it is made again."""
    for name in ("default", "eth9"):
        set_sysctl(host.namespace, f"ipv6/conf/{name}/accept_dad", 1)
        set_sysctl(host.namespace, f"ipv6/conf/{name}/dad_transmits", 60)
    until = boottime() + 300
    received = [SECOND[2], SECOND[3]]
    host.order(Receive(until, received))
    assert host.checked() == []
    host.order(Take(until, [FIRST[2]]))
    assert host.checked() == [FIRST[2][1]]
    assert {*host.there()} == {address for _, address in [*received, FIRST[2]]}
    host.namespace.ip(f"addr del {SECOND[2][1]}/64 dev eth9")
    host.until(lambda: SECOND[2][1] in host.there())
    assert host.checked() == [FIRST[2][1]]
    host.order(Release(received))
    host.until(lambda: host.gone() == {"/".join(one) for one in received})
    host.order(Take(until, received))
    assert {*host.checked()} == {address for _, address in [*received, FIRST[2]]}


def test_a_neighbour_that_has_an_address_is_found(host: Host) -> None:
    """Before it is taken."""
    peer = host.namespace.peer
    assert peer is not None
    peer.ip("addr add 10.1.0.1/24 dev p9")
    host.order(Check([("label", "10.1.0.1"), ("label", "10.1.0.2")]))
    host.until(lambda: len(host.reports) == 2)
    assert sorted(host.reports) == ["checked label/10.1.0.2", "taken label/10.1.0.1"]
    assert host.there() == {}
