"""--exit-when-down and --if-up of every command that stays."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import COMMAND, SECONDS, Command
from support import Namespace, until
from tunnelled import OUTER, cable

from netalias.cli import Options
from netalias.cli.record import Following, Once
from netalias.desired.records import RecordLine
from netalias.engine import Engine, Setup
from netalias.kernel.netlink import Netlink
from netalias.kernel.netlink.heard import Heard
from netalias.monitor.down import Down
from netalias.watch.settings import Settings
from netalias.watch.watcher import Watcher

RESIDENT = {
    "watch": "watch {file}",
    "record": "record eth9 --follow --file {file}.json",
    "vif": f"vif0 198.51.100.7/24 to {OUTER[1]} carriage udp:7777",
    "relay": f"relay 198.51.100.9 on eth9 to {OUTER[1]} carriage udp:7777",
    "link": "link run link0 *:7778/udp",
    "bundle": "link run --bundle link0 *:7778/udp *:7779/udp",
}
"""Command: its words."""
MADE = {"vif": "vif0", "relay": "relay0", "link": "link0", "bundle": "link0"}
"""Command: the device that it makes."""


@pytest.fixture
def host(cli: Command, peer: Namespace) -> Iterator[Command]:
    """A host on a cable, with br9, which is down."""
    cable(cli.namespace, peer)
    cli.namespace.ip("link add br9 type bridge")
    yield cli
    cli.run("vif0-", "--absent-ok")


def words_of(verb: str, folder: Path) -> list[str]:
    """The words of a command that stays until br9 goes down."""
    (folder / "conf").write_text("eth9:0 10.0.0.5/32 kind label\n")
    words = RESIDENT[verb].format(file=folder / "conf").split()
    texts = ["--texts", str(folder / "net")] if verb == "watch" else []
    return [*COMMAND, "-q", *words, *texts, "--exit-when-down", "br9"]


def works(host: Command, folder: Path, verb: str) -> bool:
    """Whether the command has begun."""
    if verb == "record":
        return (folder / "conf.json").exists()
    return MADE[verb] in host.namespace.names() if verb in MADE else "eth9:0" in host.names()


@pytest.mark.parametrize(
    "verb", [pytest.param(one, marks=[pytest.mark.tun] * (one in MADE)) for one in RESIDENT]
)
def test_it_ends_when_the_device_goes_down(host: Command, tmp_path: Path, verb: str) -> None:
    """D-1: with 0, in order; a device that is down at the beginning is waited for."""
    process = host.namespace.start(words_of(verb, tmp_path), stderr=subprocess.DEVNULL)
    try:
        until(lambda: works(host, tmp_path, verb))
        host.namespace.ip("link set br9 up")
        host.namespace.ip("link set br9 mtu 1400")
        assert process.poll() is None
        host.namespace.ip("link set br9 down")
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    assert MADE.get(verb) not in host.namespace.names()


@pytest.mark.parametrize("verb", RESIDENT)
def test_with_if_up_a_device_that_is_down_ends_it(host: Command, tmp_path: Path, verb: str) -> None:
    """D-1: with 0, before anything is made."""
    words = [*words_of(verb, tmp_path), "--if-up"]
    process = host.namespace.start(words, stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, said) == (0, "")
    assert not works(host, tmp_path, verb)


def test_monitor_with_if_up(host: Command) -> None:
    """D-1: at once where no named device is up, after the objects that are there."""
    assert "br9" in host("monitor", "--exit-when-down", "--if-up", "br9")
    line = host.fails(1, "monitor", "--if-up", "eth9")
    assert line == "netalias: --if-up belongs to --exit-when-down"


def test_what_a_watcher_carries_has_no_such_end(host: Command, tmp_path: Path) -> None:
    """The command would end at once, whatever goes down."""
    watch = host.namespace.start(words_of("watch", tmp_path), stderr=subprocess.DEVNULL)
    try:
        until(lambda: works(host, tmp_path, "watch"))
        line = host.fails(2, *RESIDENT["vif"].split(), "--exit-when-down", "br9")
        assert line.endswith(f"the watcher (pid {watch.pid}) carries it, whatever goes down")
    finally:
        watch.terminate()
        assert watch.wait(SECONDS) == 0


WAYS = {
    "down": "link set br9 down",
    "deleted": "link del br9",
    "renamed": "link set br9 name br8",
    "without the name": "link property del dev br9 altname wan",
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_go(host: Command, way: str) -> None:
    """D-1: a device goes down or away, or loses the name; once, whatever comes later."""
    came: list[str] = []
    name = "wan" if way == "without the name" else "br9"
    host.namespace.ip("link property add dev br9 altname wan")
    with host.namespace:
        down = Down(name, lambda: came.append(way))
    try:
        assert not down.up
        for words in ("link set br9 up", "link set br9 mtu 1400", "link set eth9 down"):
            host.namespace.ip(words)
        down.ready(0, 0, 0.0)
        assert down.up
        assert not came
        for words in (WAYS[way], "link set eth9 up", "link set eth9 down"):
            host.namespace.ip(words)
        down.ready(0, 0, 0.0)
        assert not down.up
        assert came == [way]
    finally:
        down.close()


def test_a_short_while_down_is_seen(host: Command) -> None:
    """D-4: every change counts, though the device is up again when it is looked at."""
    came: list[int] = []
    host.namespace.ip("link set br9 up")
    with host.namespace:
        down = Down("br9", lambda: came.append(1))
    host.namespace.ip("link set br9 down")
    host.namespace.ip("link set br9 up")
    down.ready(0, 0, 0.0)
    assert came == [1]
    down.close()


def test_lost_announcements(host: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """All devices are read again, and one that is down now ends it."""
    came: list[int] = []
    host.namespace.ip("link set br9 up")
    with host.namespace:
        down = Down("br9", lambda: came.append(1))
        host.namespace.ip("link set br9 down")
        down._heard.drain()
        monkeypatch.setattr(down._heard, "read", lambda: iter([None]))
        down.ready(0, 0, 0.0)
    assert came == [1]
    down.close()


def test_lost_announcements_of_another_device(host: Command) -> None:
    """What has the name now is not what had it: the device went away."""
    came: list[int] = []
    host.namespace.ip("link set br9 up")
    with host.namespace:
        down = Down("br9", lambda: came.append(1))
        host.namespace.ip("link del br9")
        host.namespace.ip("link add br9 type bridge")
        host.namespace.ip("link set br9 up")
        down._heard.drain()
        down._list()
    assert came == [1]
    down.close()


BATCHES = 9
"""Batches after which a flood is given up, so that a command that never ends fails."""


class Flood:
    """Announcements without end: a descriptor that stays readable. br9 goes down in the first
    batch."""

    def __init__(self, host: Command) -> None:
        self.file = os.eventfd(1)
        self.batches = 0
        self._host = host

    def batch(self, *_: object) -> None:
        """Handle a batch."""
        self.batches += 1
        if self.batches == 1:
            self._host.namespace.ip("link set br9 down")
        if self.batches == BATCHES:
            raise KeyboardInterrupt


def recorded(engine: Engine, down: Down, flood: Flood, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of a record that is followed in a flood."""
    monkeypatch.setattr(Heard, "wanted", lambda *_: {flood.file: 1})
    monkeypatch.setattr(Heard, "tick", flood.batch)
    line = RecordLine("eth9", "", 7, "0")
    following = Following(Options(lambda _: engine), engine, line, Once())
    try:
        return following.run([down], hangup=False)
    finally:
        following.close(leave=True)


def watched(engine: Engine, down: Down, flood: Flood, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of a watcher in a flood, once it has begun."""

    def ready() -> None:
        monkeypatch.setattr(watcher.monitor, "filenos", lambda: [flood.file])
        monkeypatch.setattr(watcher, "_read_events", flood.batch)

    settings = Settings([os.devnull], private_texts=True, quiet=True, ready=ready, beside=[down])
    watcher = Watcher(settings, engine)
    before = signal.getsignal(signal.SIGCHLD)
    try:
        return watcher.run()
    finally:
        signal.signal(signal.SIGCHLD, before)  # it is left ignored


def _setup() -> Setup:
    """The namespace of the calling thread."""
    return Setup(Netlink(), namespace=os.stat("/proc/thread-self/ns/net").st_ino)


@pytest.mark.parametrize("command", [recorded, watched])
def test_the_end_in_a_flood(
    host: Command, monkeypatch: pytest.MonkeyPatch, command: Callable[..., int]
) -> None:
    """The end comes before the announcements: after those of the turn in which the device is seen
    to be down no others are handled."""
    host.namespace.ip("link set br9 up")
    flood = Flood(host)
    with host.namespace, Engine(_setup()) as engine:
        down = Down("br9")
        try:
            assert command(engine, down, flood, monkeypatch) == 0
        finally:
            down.close()
            os.close(flood.file)
    assert flood.batches == 2
