"""The runtime directory of a running watcher is removed, in every order of events."""

from __future__ import annotations

import os
import select
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from netalias import errors
from netalias.runtime import RuntimeDirectory
from netalias.runtime.instance import Instance, running
from netalias.system.journal import Journal
from netalias.watch.directory import Directory

NAMESPACE = 4711


class Stage:
    """A watcher's directory below *base*; ``notes`` are the calls in order."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.lock = RuntimeDirectory(NAMESPACE, 0)
        self.make()
        self.path = Path(self.lock.path)
        self.instance = Instance(str(self.path), ["/etc/netalias.conf"])
        self.log = StringIO()
        self.notes: list[str] = []
        self.broken = False
        self.directory = Directory(
            str(self.path),
            self.instance,
            Journal(stream=self.log, environ={}, now=str),
            make=self.make,
            released=lambda: self.notes.append("released"),
            restored=lambda: self.notes.append("restored"),
            superseded=lambda error: self.notes.append(f"superseded: {error}"),
        )

    def make(self) -> None:
        """As a transaction does."""
        if getattr(self, "broken", False):
            raise errors.StateError("Read-only file system")
        self.lock.acquire()
        self.lock.release()

    def serve(self, now: float = 0.0) -> list[str]:
        """Serve all events; the new notes."""
        self.notes.clear()
        for _ in range(20):
            (fileno,) = self.directory.wanted(now)
            if not select.select([fileno], [], [], 0)[0]:
                return self.notes
            self.directory.ready(fileno, 1, now)
        raise AssertionError("it never comes to rest")

    def said(self) -> list[str]:
        """The lines of the journal since the last call."""
        lines = self.log.getvalue().splitlines()
        self.log.seek(0)
        self.log.truncate()
        return lines


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("NETALIAS_RUNTIME", str(tmp_path / "run" / "netalias"))
    made = Stage(tmp_path / "run")
    yield made
    made.directory.close()
    made.instance.close()


def test_a_release_of_the_lock(stage: Stage) -> None:
    """Nothing is missing: it is told, and nothing is made."""
    stage.make()
    assert set(stage.serve()) == {"released"}
    assert stage.said() == []


@pytest.mark.parametrize("above", [0, 1, 2])
def test_the_directory_is_removed(stage: Stage, above: int) -> None:
    """Also with those above it. It is made again, with the lock, so nobody can begin beside it."""
    shutil.rmtree([stage.path, *stage.path.parents][above])
    notes = stage.serve()
    assert "restored" in notes
    assert stage.said()[-1] == (f"netalias: warning: {stage.path} was removed: it is made again")
    with pytest.raises(errors.StateError, match=f"runs already .*pid {os.getpid()},"):
        Instance(str(stage.path))
    found = running(str(stage.path))
    assert found is not None
    assert found.files == ("/etc/netalias.conf",)
    stage.make()
    assert "released" in stage.serve()  # the new lock is followed


@pytest.mark.parametrize("name", ["watch", "watch.lock", "lock"])
def test_one_file_is_removed(stage: Stage, name: str) -> None:
    """Each is followed by itself, and is there again or made by the next command."""
    (stage.path / name).unlink()
    stage.serve()
    if name != "lock":
        assert (stage.path / name).exists()
    with pytest.raises(errors.StateError, match="runs already"):
        Instance(str(stage.path))
    stage.make()
    stage.serve()
    stage.make()
    assert "released" in stage.serve()


def test_again_and_again(stage: Stage) -> None:
    """Also between two looks."""
    for _ in range(3):
        shutil.rmtree(stage.path)
        stage.make()
        shutil.rmtree(stage.path)
        assert "restored" in stage.serve()
        assert stage.instance.stands()


def test_another_watcher_was_faster(stage: Stage) -> None:
    """There are never two: the one that has lost the lock ends, and touches nothing any more."""
    shutil.rmtree(stage.path)
    stage.make()
    other = Instance(str(stage.path), ["/other"])
    notes = stage.serve()
    assert len(notes) == 1
    assert notes[0].startswith("superseded: netalias watch runs already")
    stage.instance.close()
    found = running(str(stage.path))
    assert found is not None
    assert found.files == ("/other",)
    other.close()


def test_it_cannot_be_made(stage: Stage) -> None:
    """It is told once and tried again later and later; then all is as before."""
    stage.broken = True
    shutil.rmtree(stage.path)
    stage.serve()
    assert stage.said() == [
        f"netalias: {stage.path} is gone and cannot be made: Read-only file system"
    ]
    now, waits = 0.0, []
    for _ in range(4):
        due = stage.directory.due(now)
        assert due is not None
        waits.append(due)
        now += due
        stage.directory.tick(now)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0] >= 1.0
    assert stage.said() == []
    stage.broken = False
    stage.directory.tick(now)
    assert stage.directory.due(now) is None
    assert "it is made again" in stage.said()[-1]
    assert stage.instance.stands()


def test_its_own_releases_are_not_heard(stage: Stage) -> None:
    """They are no reason to look what others have done; those of others are, again and again."""
    own = RuntimeDirectory(NAMESPACE, 0, heard=False)
    for _ in range(2):
        own.acquire()
        with pytest.raises(errors.LockBusy):
            RuntimeDirectory(NAMESPACE, 0, heard=False).acquire()
        own.release()
        assert stage.serve() == []
        stage.make()
        assert stage.serve() == ["released"]
