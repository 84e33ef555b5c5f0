"""A change that waits for its confirmation: how the watcher learns of it, and of its end."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from select import poll

import pytest
from watched import Watched

from netalias import errors
from netalias.engine.checkpoint import PENDING, REJECTED
from netalias.runtime.guard import LOCK
from netalias.system.process import started
from netalias.watch import checkpoint
from netalias.watch.checkpoint import Checkpoint

MINE, OTHER = "11", "22"
"""Digests of configurations: that of the watcher, and another one."""

OPENED: list[str] = []
"""Files that this process has opened, without modules. An audit hook cannot be removed."""


def note(event: str, arguments: tuple[object, ...]) -> None:
    """Fill OPENED."""
    if event == "open" and not str(arguments[0]).endswith((".py", ".pyc")):
        OPENED.append(str(arguments[0]))


sys.addaudithook(note)


class Guard:
    """A process in the place of the guard, and the files of its checkpoint in *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.process = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno()])

    def write(self, name: str, digest: str = OTHER) -> None:
        """As the guard does it: by rename(2)."""
        start = started(self.process.pid)
        draft = self.folder / f"{name}~"
        draft.write_text(
            f"pid {self.process.pid}\nstart {start}\ndeadline 0.0\ndigest {digest}\nsince noon\n"
        )
        draft.rename(self.folder / name)

    def die(self) -> None:
        """By SIGKILL."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    """It runs, and guards nothing yet."""
    found = Guard(tmp_path)
    yield found
    found.die()


@pytest.fixture
def woken() -> list[str]:
    """Grows whenever the loop is to act."""
    return []


@pytest.fixture
def warned() -> list[str]:
    """The warnings."""
    return []


@pytest.fixture
def found(tmp_path: Path, woken: list[str], warned: list[str]) -> Iterator[Checkpoint]:
    """The checkpoint of the folder."""
    with Checkpoint(str(tmp_path), lambda: woken.append("act"), warned.append) as made:
        yield made


def turn(found: Checkpoint, milliseconds: int = 0) -> None:
    """One turn of the loop."""
    waiting = poll()
    for fileno, events in found.wanted(0.0).items():
        waiting.register(fileno, events)
    for fileno, events in waiting.poll(milliseconds):
        found.ready(fileno, events, 0.0)


def test_without_a_checkpoint(found: Checkpoint) -> None:
    """Nothing is paused, and nothing is due."""
    assert found.reason(MINE) == ""
    assert found.due(0.0) is None


def test_one_that_begins(found: Checkpoint, guard: Guard, woken: list[str]) -> None:
    """It counts at once, before the loop has had a turn: the change itself comes right after it."""
    assert found.reason(MINE) == ""
    guard.write(PENDING)
    assert found.reason(MINE).startswith("a change waits for its confirmation since noon")
    assert found.reason(OTHER) == ""


def test_one_from_before_the_beginning(guard: Guard, tmp_path: Path) -> None:
    """It is read at first."""
    guard.write(PENDING)
    with Checkpoint(str(tmp_path), lambda: None, print) as made:
        assert "waits for its confirmation" in made.reason(MINE)


def test_a_file_that_no_guard_is_behind(
    found: Checkpoint, guard: Guard, warned: list[str], tmp_path: Path
) -> None:
    """Whatever process it names: it is told once, and holds nothing up."""
    (tmp_path / LOCK).unlink()
    for _ in range(2):
        guard.write(PENDING)
        assert found.reason(MINE) == ""
    assert warned == [f"{tmp_path}/{PENDING}: no guard is behind it: what is there stays"]
    (tmp_path / PENDING).unlink()
    assert found.reason(MINE) == ""
    guard.write(PENDING)
    assert found.reason(MINE) == ""
    assert len(warned) == 2


@pytest.mark.parametrize("end", ["confirmed", "rejected", "killed"])
def test_its_end_wakes_the_loop(
    found: Checkpoint, guard: Guard, woken: list[str], tmp_path: Path, end: str
) -> None:
    """By its file, or by the end of its guard, which leaves the file behind."""
    guard.write(PENDING)
    assert found.reason(MINE)
    turn(found)
    woken.clear()
    turn(found)
    assert woken == []
    if end == "confirmed":
        (tmp_path / PENDING).unlink()
    elif end == "rejected":
        (tmp_path / PENDING).rename(tmp_path / REJECTED)
    else:
        guard.die()
    turn(found, 5000)
    assert woken != []
    assert found.reason(MINE) == ""
    turn(found)
    woken.clear()
    turn(found)
    assert woken == []


def test_a_configuration_that_was_not_confirmed(
    found: Checkpoint, guard: Guard, tmp_path: Path
) -> None:
    """It is left alone until that is forgotten; others are not concerned."""
    guard.write(REJECTED, MINE)
    assert "not confirmed" in found.reason(MINE)
    assert found.reason(OTHER) == ""
    (tmp_path / REJECTED).unlink()
    assert found.reason(MINE) == ""


def test_a_guard_that_cannot_be_followed(
    found: Checkpoint, guard: Guard, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a descriptor left its life is looked at by the clock."""

    def none(pid: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(checkpoint.os, "pidfd_open", none)
    guard.write(PENDING)
    assert found.reason(MINE)
    assert found.due(0.0) == 0.0
    found.tick(0.0)
    assert woken == ["act"]
    assert found.reason(MINE)
    assert found.due(0.0) == checkpoint.LOOK
    guard.die()
    found.tick(checkpoint.LOOK)
    assert found.reason(MINE) == ""
    assert found.due(checkpoint.LOOK) is None


def test_a_file_that_cannot_be_read_is_read_again(found: Checkpoint, tmp_path: Path) -> None:
    """An error is raised every time, until it is over."""
    (tmp_path / PENDING).mkdir()
    for _ in range(2):
        with pytest.raises(errors.StateError):
            found.reason(MINE)
    (tmp_path / PENDING).rmdir()
    assert found.reason(MINE) == ""


def test_no_descriptor_is_left(guard: Guard, tmp_path: Path) -> None:
    """Neither of inotify nor of a guard."""
    before = sorted(Path("/proc/self/fd").iterdir())
    guard.write(PENDING)
    with Checkpoint(str(tmp_path), lambda: None, print) as made:
        assert made.reason(MINE)
    assert len(sorted(Path("/proc/self/fd").iterdir())) == len(before)


CHANGES: list[Callable[[Watched], object]] = [
    lambda watched: watched.kernel.add_address("eth1", "192.0.2.1/24"),
    lambda watched: watched.kernel.remove_address("eth0", "10.0.0.1/32"),
    lambda watched: watched.kernel.set_device("eth1", mtu=1400),
    lambda watched: watched.kernel.set_device("eth0", mtu=1400),
    lambda watched: watched.kernel.set_device("eth0", up=False),
    lambda watched: watched.kernel.set_device("eth0", up=True),
]


@pytest.mark.parametrize("waits", [False, True])
def test_events_open_no_file(guard: Guard, tmp_path: Path, waits: bool) -> None:
    """However many batches come: the checkpoint is read when it changes, and at no other time."""
    with Checkpoint(str(tmp_path), lambda: None, print) as made:
        watched = Watched("eth0:0 10.0.0.1 kind label\n", checkpoint=made)
        if waits:
            guard.write(PENDING)
        assert bool(made.reason("")) is waits
        OPENED.clear()
        for change in CHANGES:
            change(watched)
            watched.quiet()
        assert OPENED == []
