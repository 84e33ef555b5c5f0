"""``netalias watch`` under more events than it can read."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from time import monotonic
from types import SimpleNamespace

import pytest
from command import Command
from storm import Storm
from support import Namespace, until
from watcher import Watch, watching

import netalias
from netalias.desired import declarations
from netalias.kernel.netlink.monitor import Monitor
from netalias.kernel.netlink.subscription import port_id_of
from netalias.system.journal import Journal
from netalias.watch.controller import Controller

pytestmark = pytest.mark.alone  # a flood keeps the kernel's one lock for devices and addresses busy

CHANGES = 10_000
GROWTH = 24 << 10
"""KiB: it holds for a moment what it reads; the kernel holds the rest."""

ENDLESS = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from storm import Storm
storm = Storm(1)
while True:
    storm.blow(1000)
    print(flush=True)
    time.sleep(0.1)  # the pace of the storm, nothing is waited for
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Fifty labels."""
    file = tmp_path / "netalias.conf"
    file.write_text("eth9:0-49 10.0.0.1/32+ kind label\n")
    file.chmod(0o644)
    return file


def memory(watch: Watch) -> int:
    """KiB of its resident set."""
    text = Path(f"/proc/{watch.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line[:6] == "VmRSS:"))


@contextmanager
def storming(namespace: Namespace) -> Iterator[None]:
    """Another process changes addresses without end, ten thousand times a second at most."""
    process = namespace.start([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "\n"
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_after_a_storm_everything_is_as_it_is_wished(
    cli: Command, conf: Path, tmp_path: Path
) -> None:
    """Three times ten thousand changes, aliases among them; the memory stays what it was."""
    names = [f"eth9:{slot}" for slot in range(50)]
    with cli.namespace:
        storm = Storm(1)
    with watching(cli.namespace, tmp_path / "net", str(conf)) as watch:
        before = memory(watch)
        for slot in (3, 7, 11):
            storm.blow(CHANGES // 2)
            cli.namespace.ip(f"addr del 10.0.0.{slot}/32 dev eth9")
            storm.blow(CHANGES // 2)
            until(lambda: cli.run("check", str(conf)).returncode == 0)
            until(lambda: sorted(watch.aliases()) == sorted(names))
        assert memory(watch) < before + GROWTH
    storm.close()


def test_a_flood_is_read_in_parts(cli: Command) -> None:
    """The reader gets to other things in between; nothing of it is lost."""
    with cli.namespace:
        stream, storm = Monitor(media=False), Storm(1)
    for _ in stream.start():
        pass
    storm.blow(100)
    parts = [len(list(stream.read(30))) for _ in range(4)]
    assert parts == [30, 30, 30, 10]
    assert list(stream.read()) == []
    storm.close()
    stream.close()


def test_what_is_undone_before_it_is_known(cli: Command) -> None:
    """A watcher whose buffer is too small for what it does itself, as in a container, reads
    everything again; a label that it never heard of, and that is gone by then, comes back."""
    text = "eth9:0-199 10.0.0.0/32+ kind label\n"
    with cli.namespace:
        engine = netalias.open()
        own = port_id_of(engine.kernel.fileno())
        monitor = Monitor(media=False, connected=True, latest=own, buffer=4096)
    journal, checkpoint = Journal(stream=StringIO()), SimpleNamespace(reason=lambda digest: "")
    controller = Controller(engine, monitor, journal, monotonic, checkpoint)  # type: ignore[arg-type]
    for _ in monitor.start():
        pass
    controller.load(declarations.parse([("t.conf", text)], engine.registry))
    controller.act()
    cli.namespace.ip("addr del 10.0.0.7/32 dev eth9")

    def whole() -> bool:
        controller.read_events()
        if controller.wake is not None and controller.wake <= monotonic():
            controller.act()
        return len(cli.names()) == 200

    until(whole)
    engine.close()
    monitor.close()


def test_it_heals_while_a_storm_goes_on(cli: Command, conf: Path, tmp_path: Path) -> None:
    """It does not wait for the end of what never ends."""
    with watching(cli.namespace, tmp_path / "net", str(conf)) as watch, storming(cli.namespace):
        cli.namespace.ip("addr del 10.0.0.7/32 dev eth9")
        until(lambda: "10.0.0.7/32" in cli.namespace.ip("addr show dev eth9"))
        watch.says("eth9:6 was removed")


def test_a_signal_ends_it_in_a_storm(cli: Command, conf: Path, tmp_path: Path) -> None:
    """However much there is to read."""
    with watching(cli.namespace, tmp_path / "net", str(conf)) as watch, storming(cli.namespace):
        assert watch.end(signal.SIGTERM) == 0
