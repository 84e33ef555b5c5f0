"""Who holds a network namespace, in a made-up /proc."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from netalias.system import netns

HELD, OTHER = 4026532000, 4026531840
MOUNT = f"""\
22 1 0:20 / /proc rw - proc proc rw
95 22 0:4 net:[{HELD}] /run/netns/blue rw shared:55 - nsfs nsfs rw
"""


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two processes in another namespace, one of which has a file open; one that has just ended."""
    monkeypatch.setattr(netns, "PROC", str(tmp_path))
    for pid in ("1", "42"):
        (tmp_path / pid / "ns").mkdir(parents=True)
        (tmp_path / pid / "fd").mkdir()
        (tmp_path / pid / "ns/net").symlink_to(f"net:[{OTHER}]")
    (tmp_path / "42/fd/0").symlink_to("/dev/null")
    (tmp_path / "43").mkdir()
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_text(MOUNT.splitlines(keepends=True)[0])
    return tmp_path


def test_nobody_holds_it(proc: Path) -> None:
    """While the other one has processes."""
    assert netns.abandoned(HELD)
    assert not netns.abandoned(OTHER)


def test_a_descriptor_holds_it(proc: Path) -> None:
    """Of any process."""
    (proc / "42/fd/7").symlink_to(f"net:[{HELD}]")
    assert not netns.abandoned(HELD)


def test_a_mount_holds_it(proc: Path) -> None:
    """As ip-netns(8) makes it."""
    (proc / "self/mountinfo").write_text(MOUNT)
    assert not netns.abandoned(HELD)


def test_what_cannot_be_seen_holds_it(proc: Path) -> None:
    """Without a sight of all processes nothing is taken over."""
    (proc / "43/ns").mkdir()
    (proc / "43/ns/net").write_text("no link")
    assert not netns.abandoned(HELD)


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_process_that_hides_its_namespaces(
    proc: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    """It is where the same table of devices is: in a namespace of others that can be seen, or in
    one that may be this one."""
    read = netns.os.readlink

    def hiding(path: str) -> str:
        if path.startswith(f"{proc}/1/"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return read(path)

    monkeypatch.setattr(netns.os, "readlink", hiding)
    for pid in ("1", "42"):
        (proc / pid / "net").mkdir()
    (proc / "42/net/dev").touch()
    if elsewhere:
        (proc / "1/net/dev").hardlink_to(proc / "42/net/dev")
    else:
        (proc / "1/net/dev").touch()
    assert netns.abandoned(HELD) == elsewhere
    assert not netns.abandoned(OTHER)
    hidden = (proc / "1/net/dev").stat().st_ino
    assert not netns.abandoned(HELD, hidden)
    assert netns.abandoned(HELD, hidden + 1)  # of neither process
    assert not netns.abandoned(OTHER, hidden + 1)


def test_the_table_of_devices_is_that_of_the_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inode is the one that other processes see for this thread; 0 without procfs."""
    assert netns.device_table() == os.stat(f"/proc/{os.getpid()}/net/dev").st_ino
    monkeypatch.setattr(netns, "PROC", "/nowhere")
    assert netns.device_table() == 0
