"""The bus of a running watcher: many subscribers through a storm, and a watcher that goes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from select import select

import pytest
from command import Command
from storm import Storm
from subscribed import Known, Subscriber
from support import PATIENCE, SLOW, Namespace, until
from tapping import set_media, tap
from watcher import Watch, watching

from netalias.kernel.netlink.monitor import Monitor
from netalias.model import GROUP
from netalias.views.events import Lines

CHANGES = 10_000
READERS = int(os.environ.get("NETALIAS_READERS", "20"))
"""200 in the long form."""


@pytest.fixture
def watch(cli: Command, tmp_path: Path) -> Iterator[Watch]:
    """A watcher of five aliases."""
    conf = tmp_path / "conf"
    conf.write_text("eth9:0-4 10.0.0.5-9/32 kind label\n")
    with watching(cli.namespace, tmp_path / "net", str(conf)) as running:
        yield running


def dumped(namespace: Namespace, *, routes: bool = False) -> Known:
    """What the kernel has, as a reader of lines would know it."""
    with namespace:
        monitor = Monitor(routes=routes)
    known = Known()
    lines = Lines(monitor.state, GROUP)
    for event in monitor.start():
        known.take(lines.fields(event, initial=True))
    monitor.close()
    return known


def subscribed(watch: Watch, words: str = "", room: int = 0) -> Subscriber:
    """A subscriber of a watcher."""
    return Subscriber(f"{watch.folder}.sock", words, room)


def are_right(readers: list[Subscriber], truth: Known) -> bool:
    """Whether all of them know what there is; read before."""
    for one in readers:
        one.read()
    return all(one.known.synced and one.known == truth for one in readers)


def test_lines_come_as_they_happen(cli: Command, watch: Watch) -> None:
    """A state, then what an administrator does; an alias that is put right is told as well."""
    one, flags = subscribed(watch), subscribed(watch, "flag eth9")
    until(lambda: one.read() is not None and one.known.synced)
    assert one.known == dumped(cli.namespace)
    cli.namespace.ip("link set eth9 arp off")
    cli.namespace.ip("addr del 10.0.0.5/32 dev eth9")
    until(lambda: one.read() is not None and one.lines[-1].get("change") == "added")
    assert one.lines[-1]["altname"] == "eth9:0"
    assert one.known == dumped(cli.namespace)
    until(lambda: flags.read() is not None and len(flags.lines) == 3)
    assert [line["event"] for line in flags.lines] == ["reset", "synced", "flag"]
    assert flags.lines[2]["field"] == "NOARP"
    one.close()
    flags.close()


def agree(namespace: Namespace, *readers: Subscriber, routes: bool = False) -> None:
    """Readers come to know what the kernel has."""
    until(lambda: are_right([*readers], dumped(namespace, routes=routes)))


def test_media(cli: Command, watch: Watch) -> None:
    """A speed is told when it changes, beside those that were there; a device that comes later has
    its own."""
    one, media = subscribed(watch), subscribed(watch, "media tap8")
    agree(cli.namespace, one)
    with tap(cli.namespace, "tap8"):
        agree(cli.namespace, one)
        set_media(cli.namespace, "tap8", 100)
        agree(cli.namespace, one)
        index = one.lines[-1]["ifindex"]
        assert one.known.media[index]["speed"] == 100
        set_media(cli.namespace, "tap8", 1000)
        agree(cli.namespace, one)
        assert one.known.media[index]["speed"] == 1000
        late = subscribed(watch)
        agree(cli.namespace, late)
        assert late.known.resets == 1
    agree(cli.namespace, one, late)
    assert index not in one.known.media
    until(lambda: media.read() is not None and media.lines[-1].get("new") == 1000)
    assert {line["event"] for line in media.lines} == {"reset", "synced", "media"}
    for each in (one, media, late):
        each.close()


ROUTES = (
    "route add 10.1.0.0/16 via 10.0.0.200",
    "route add 10.1.0.0/16 via 10.0.0.201 metric 50",
    "route replace 10.1.0.0/16 via 10.0.0.202",
    "route add blackhole 10.3.0.0/16",
    "route add 10.4.0.0/16 nexthop via 10.0.0.200 nexthop via 10.0.0.201",
    "route add 10.5.0.0/16 via 10.0.0.200 src 10.0.0.6 table 77",
    "-6 route add fd01::/64 via fd00::2",
    "-6 route replace fd01::/64 via fd00::3",
    "-6 route add fd02::/64 dev eth9 metric 9",
    "-6 route del fd01::/64",
    "route del 10.1.0.0/16 metric 50",
    "link set eth9 down",
    "link set eth9 up",
    "addr flush dev eth9",
    "link del eth9",
)
"""Changes after each of which all readers know the routes of the kernel."""


def test_routes(cli: Command, watch: Watch) -> None:
    """They are told to those who name them, and what the kernel does not announce is told too."""
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    cli.namespace.ip("-6 addr add fd00::1/64 dev eth9 nodad")
    one, only, plain = (subscribed(watch, words) for words in ("all,route", "route", ""))
    agree(cli.namespace, one, routes=True)
    until(lambda: only.read() is not None and only.known.synced)
    for words in ROUTES:
        cli.namespace.ip(words)
        late = subscribed(watch, "all,route")
        agree(cli.namespace, one, late, routes=True)
        late.close()
    agree(cli.namespace, plain)
    assert one.known.resets == 1
    told = [line for line in one.lines if line["event"] == "route"]
    until(lambda: only.read() is not None and len(only.lines) == len(told) + 2)
    assert [line for line in only.lines if line["event"] == "route"] == told
    assert not [line for line in plain.lines if line["event"] == "route"]
    for each in (one, only, plain):
        each.close()


@pytest.mark.alone  # a flood keeps the kernel's one lock for devices and addresses busy
def test_a_storm(cli: Command, watch: Watch) -> None:
    """D-5: whoever reads, whenever it comes, knows in the end what the kernel has."""
    with cli.namespace:
        storm = Storm(1)
    readers = [subscribed(watch, room=2048) for _ in range(READERS // 2)]
    until(lambda: len(cli.names()) == 5)
    for last in range(6, 10):
        storm.blow(CHANGES // 4)
        cli.namespace.ip(f"addr del 10.0.0.{last}/32 dev eth9")
        for one in readers[::2]:
            one.read()
        readers += [subscribed(watch) for _ in range(READERS // 8)]
    until(lambda: len(cli.names()) == 5)
    storm.close()
    until(lambda: are_right(readers, dumped(cli.namespace)))
    for one in readers:
        one.close()


def process_of(watch: Watch) -> int:
    """The pid of the process that serves the readers of a watcher, its only child."""
    pid = watch.process.pid
    (found,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found)


def test_a_process_that_is_killed(cli: Command, watch: Watch) -> None:
    """Its readers are hung up on, the watcher goes on, and the next reader has another one."""
    one = subscribed(watch)
    agree(cli.namespace, one)
    os.kill(process_of(watch), signal.SIGKILL)
    until(lambda: one.read() is not None and one.ended)
    watch.says("the process that serves subscriptions has ended")
    two = subscribed(watch)
    agree(cli.namespace, two)
    cli.namespace.ip("addr del 10.0.0.5/32 dev eth9")
    until(lambda: len(cli.names()) == 5)
    agree(cli.namespace, two)
    one.close()
    two.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_process_ends_with_the_watcher(cli: Command, watch: Watch, number: int) -> None:
    """However that ends; what a service manager sends to all of them ends the watcher first."""
    one = subscribed(watch)
    agree(cli.namespace, one)
    served = os.pidfd_open(process_of(watch))
    signal.pidfd_send_signal(served, signal.SIGTERM)
    cli.namespace.ip("link set eth9 arp off")
    agree(cli.namespace, one)
    watch.end(number)
    until(lambda: one.read() is not None and one.ended)
    assert select([served], [], [], PATIENCE * SLOW)[0]
    os.close(served)
    one.close()


def test_whoever_connects_again_begins_anew(cli: Command, tmp_path: Path, watch: Watch) -> None:
    """Another watcher takes over: subscribers are hung up on, and may come back at once."""
    one = subscribed(watch)
    until(lambda: one.read() is not None and one.known.synced)
    conf = tmp_path / "conf"
    second = cli.namespace.start(
        [*watch.process.args[:-1], "--takeover", str(conf)]  # type: ignore[misc]
    )
    try:
        until(lambda: one.read() is not None and one.ended)
        other = subscribed(watch)
        until(lambda: other.read() is not None and other.known.synced)
        assert other.known == dumped(cli.namespace)
        one.close()
        other.close()
    finally:
        second.terminate()
        assert second.wait() == 0
