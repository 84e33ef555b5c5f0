"""Scripts of monitor: which are trusted, how many occasions wait, and how a script ends."""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

import pytest
from support import until

from netalias import errors, trust
from netalias.monitor import hooks
from netalias.monitor.hooks import Hooks, check, start, terminate

LONG = 60.0
"""Seconds that nothing here takes."""


@pytest.fixture(autouse=True)
def superuser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts are run by user 0; whoever runs the test has called sudo."""
    monkeypatch.setattr(trust, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", str(os.getuid()))


def script(path: Path, text: str = "exit 0") -> Path:
    """An executable script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def wait(pidfd: int) -> None:
    """Wait for the end of a process."""
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    assert waiting.poll(LONG * 1000)


class Started:
    """Starts, and notes which."""

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.names: list[str] = []

    def __call__(self, words: list[str]) -> int:
        self.names.append(words[1])
        self.pids.append(start(words))
        return self.pids[-1]


def run(name: str) -> tuple[str, str, str, str]:
    return "up", name, "", ""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_script_that_others_may_change(tmp_path: Path, what: str) -> None:
    """It is refused before anything runs, like a file of declarations."""
    (tmp_path / "inner").mkdir()
    path = script(tmp_path / "inner" / "hook")
    (path if what == "file" else path.parent).chmod(0o777)
    with pytest.raises(errors.StateError, match=rf"--on-up {path}: .*writable by others"):
        check({"up": str(path), "down": ""})
    (path if what == "file" else path.parent).chmod(0o755)
    assert check({"up": str(path), "down": ""}) == {"up": str(path)}


def test_a_script_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns it could change it."""
    path = script(tmp_path / "hook")
    try:
        os.chown(path, 65534, -1)
    except OSError:
        pytest.skip("this user cannot give anything to another one")
    with pytest.raises(errors.StateError, match="owned by another user"):
        check({"up": str(path)})
    monkeypatch.setattr(trust, "geteuid", lambda: 1000)
    monkeypatch.setattr(trust, "capable", lambda: False)
    assert check({"up": str(path)})  # who has no rights runs what he likes


def test_a_script_that_others_may_change_later(tmp_path: Path) -> None:
    """It is looked at again before each start, and told."""
    path = script(tmp_path / "hook")
    warnings: list[str] = []
    started = Started()
    some = Hooks(check({"up": str(path)}), warnings.append, started)
    some.add(run("one"))
    wait(some.pidfd)
    path.chmod(0o757)
    some.add(run("two"))
    some.ended()
    assert started.names == ["one"]
    assert warnings == [f"{path}: writable by others, so it is not trusted (chmod go-w {path})"]
    assert some.pidfd == -1


def test_relative_scripts_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path is made absolute at once."""
    path = script(tmp_path / "hook")
    monkeypatch.chdir(tmp_path)
    assert check({"up": "hook"}) == {"up": str(path)}


def test_occasions_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a script that hangs so many wait; what is dropped is told at once, and its number when
    the others are done."""
    monkeypatch.setattr(hooks, "QUEUE", 3)
    path = script(tmp_path / "hook", f"read line <{tmp_path}/gate")
    os.mkfifo(tmp_path / "gate")
    gate = os.open(tmp_path / "gate", os.O_RDWR)  # no side waits for the other to open it
    warnings: list[str] = []
    started = Started()
    some = Hooks({"up": str(path)}, warnings.append, started)
    for number in range(3):
        some.add(run(f"a{number}"))
    assert not warnings
    for number in range(6):
        some.add(run(f"b{number}"))
    assert warnings == ["3 occasions wait for their scripts; further ones are dropped"]
    path.write_text("#!/bin/sh\n")  # from now on it hangs no more
    os.write(gate, b"x\n")
    while some.pidfd >= 0:
        wait(some.pidfd)
        some.ended()
    os.close(gate)
    assert started.names == ["a0", "a1", "a2", "b0"]
    assert warnings[1:] == ["occasions dropped, since the scripts took too long: 5"]
    some.add(run("c"))
    wait(some.pidfd)
    some.ended()
    assert started.names[-1] == "c"
    assert len(warnings) == 2


def test_the_usual_bound(tmp_path: Path) -> None:
    """A thousand, and the count is told at the end too."""
    path = script(tmp_path / "hook", "sleep 1000")
    warnings: list[str] = []
    started = Started()
    some = Hooks({"up": str(path)}, warnings.append, started)
    for number in range(5000):
        some.add(run(str(number)))
    some.close()
    assert len(started.pids) == 1
    _are_gone(started.pids[0])
    assert warnings == [
        "1000 occasions wait for their scripts; further ones are dropped",
        "occasions dropped, since the scripts took too long: 3999",
    ]
    some.close()


def test_all_processes_of_a_script_end(tmp_path: Path) -> None:
    """Those that ignore SIGTERM are killed, whether the script itself does or a child of it."""
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    for text in (
        f"trap '' TERM; echo x >{ready}; while :; do sleep 1; done",
        f"(trap '' TERM; echo x >{ready}; while :; do sleep 1; done) & wait",
    ):
        pid = start([str(script(tmp_path / "hook", text))])
        pidfd = os.pidfd_open(pid)
        assert ready.read_text() == "x\n"
        terminate(pid, pidfd, 0.1)
        os.close(pidfd)
        _are_gone(pid)


def _are_gone(group: int) -> None:
    """All processes of a group end; SIGKILL may still be on its way."""
    until(lambda: not _members(group))


def _members(group: int) -> list[str]:
    """The processes of a group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its = stat.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(its) == group and state not in "ZX":
            found.append(str(stat))
    return found


def test_a_script_may_clean_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM comes first; a child that is slower than the script itself has its time too."""
    ready, log = tmp_path / "ready", tmp_path / "log"
    os.mkfifo(ready)
    loop = "while :; do sleep 0.1; done"
    text = f"(trap 'sleep 0.2; echo clean >{log}; exit' TERM; echo x >{ready}; {loop})"
    pid = start([str(script(tmp_path / "hook", f"{text}\nexit"))])
    pidfd = os.pidfd_open(pid)
    assert ready.read_text() == "x\n"

    def pause(seconds: float) -> None:
        if log.exists() and not _members(pid):  # there may be nobody who reaps it
            raise TimeoutError
        time.sleep(seconds)

    monkeypatch.setattr(hooks, "sleep", pause)
    with contextlib.suppress(TimeoutError):
        terminate(pid, pidfd, LONG)
    os.close(pidfd)
    assert log.read_text() == "clean\n"


def test_no_descriptor_for_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that could not be followed does not run; the monitor goes on."""

    def refuse(pid: int) -> int:
        raise OSError(24, "Too many open files")

    path = script(tmp_path / "hook", "sleep 1000")
    warnings: list[str] = []
    started = Started()
    monkeypatch.setattr(os, "pidfd_open", refuse)
    some = Hooks({"up": str(path)}, warnings.append, started)
    some.add(run("one"))
    assert warnings == [f"{path}: Too many open files"]
    _are_gone(started.pids[0])
