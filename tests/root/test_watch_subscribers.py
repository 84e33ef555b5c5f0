"""The bus of a running watcher: many subscribers through a storm, and a watcher that goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command
from storm import Storm
from subscribed import Known, Subscriber
from support import Namespace, until
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


def dumped(namespace: Namespace) -> Known:
    """What the kernel has, as a reader of lines would know it."""
    with namespace:
        monitor = Monitor(media=False)
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
