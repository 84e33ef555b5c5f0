"""A reload that is announced to the service manager is complete by then."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from command import Command
from service_manager import Manager
from support import until
from tunnelled import OUTER

LINES = """
eth9:1 10.0.0.1/32 kind label announce off
eth9:2 10.0.0.2/32 kind label announce off
"""
VIF = f"vif0 198.51.100.7 to {OUTER[1]} carriage udp:7777\n"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A service manager."""
    found = Manager(tmp_path / "notify")
    yield found
    found.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of one alias."""
    found = tmp_path / "netalias.conf"
    found.write_text("eth9:1 10.0.0.1/32 kind label announce off\n")
    return found


@pytest.mark.tun
def test_at_the_end_all_is_there(
    cli: Command, manager: Manager, file: Path, tmp_path: Path
) -> None:
    """A file is written, and at once SIGHUP: with READY=1 the aliases are there, and the tunnels
    with their addresses. The begin has its time, by CLOCK_MONOTONIC (Type=notify-reload)."""
    cli.namespace.ip(f"addr add {OUTER[0]}/24 dev eth9")
    with manager.runs(cli.namespace, tmp_path / "net", str(file)) as watch:
        manager.told("READY=1")
        manager.heard.clear()
        seen: list[str] = []
        manager.look = lambda: seen.append(cli.namespace.ip("-br addr show"))
        file.write_text(LINES + VIF)
        watch.process.send_signal(signal.SIGHUP)
        manager.told("READY=1")
        begin = next(lines for lines in manager.heard if "RELOADING=1" in lines)
        assert begin[1].startswith("MONOTONIC_USEC=")
        for address in ("10.0.0.1/", "10.0.0.2/", "198.51.100.7/"):
            assert address in seen[0], seen


def test_it_is_not_over_while_another_has_the_lock(
    cli: Command, manager: Manager, file: Path, tmp_path: Path
) -> None:
    """Nothing can be changed then, so nothing is ready."""
    folder = Path("/run/netalias") / str(cli.namespace.inode)
    with manager.runs(cli.namespace, tmp_path / "net", str(file)) as watch:
        manager.told("READY=1")
        manager.heard.clear()
        with (folder / "lock").open("rb") as lock:
            flock(lock, LOCK_EX)
            file.write_text(LINES)
            watch.process.send_signal(signal.SIGHUP)
            manager.told("RELOADING=1")
            watch.says("read again: 2 aliases")
            assert not any("READY=1" in lines for lines in manager.heard)
            assert "10.0.0.2/" not in cli.namespace.ip("addr show dev eth9")
        manager.told("READY=1")
        assert "10.0.0.2/" in cli.namespace.ip("addr show dev eth9")


def test_one_that_fails_is_over(cli: Command, manager: Manager, file: Path, tmp_path: Path) -> None:
    """An error in the file is told; nothing else would come."""
    with manager.runs(cli.namespace, tmp_path / "net", str(file)) as watch:
        manager.told("READY=1")
        manager.heard.clear()
        file.write_text("eth9:x\n")
        watch.process.send_signal(signal.SIGHUP)
        manager.told("READY=1")
        watch.says("the previous declarations stay in force")
        until(lambda: "10.0.0.1/" in cli.namespace.ip("addr show dev eth9"))
