"""One watcher a namespace: real processes, a folder, and no network at all."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import NOBODY, SLOW, given_away, until

from netalias import errors
from netalias.cli import Options, watch
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.runtime import instance
from netalias.runtime.instance import Instance, running
from netalias.runtime.private import PrivateDirectory

CANDIDATE = """\
import sys
from netalias.runtime.instance import Instance
from netalias.errors import StateError
sys.stdin.readline()
try:
    held = Instance(sys.argv[1])
except StateError as error:
    print("lost", error, flush=True)
else:
    print("won", flush=True)
    sys.stdin.readline()
"""
"""Starts at a line of input; the winner stays until its standard input ends."""

PAIRS = """\
import os
import signal
import sys
from netalias.runtime.instance import Instance
from netalias.errors import StateError

def candidate(folder, gate, begin):
    os.read(gate, 1)  # its end
    try:
        held = Instance(folder)
    except StateError as error:
        word = str(error).partition(": pid ")[2].partition(",")[0]
    else:
        word = "won"
    os.write(begin, f"{os.getpid()} {word} ".encode())
    signal.pause()

for turn in range(100):
    folder = f"{sys.argv[1]}/{turn}"
    os.mkdir(folder)
    gate, opener = os.pipe()
    end, begin = os.pipe()
    children = []
    for _ in range(2):
        child = os.fork()
        if not child:
            os.close(opener)
            candidate(folder, gate, begin)
        children.append(child)
    for descriptor in (opener, gate, begin):
        os.close(descriptor)
    text = b""
    while text.count(b" ") < 4:
        text += os.read(end, 100)
    os.close(end)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(text.decode())
"""
"""Each turn is a line: of two forks the process ids, each with ``won`` or the pid that it was told.
A process of its own, since a fork of one that holds all tests takes 50 ms."""


class Candidates:
    """So many processes that are about to run for one folder."""

    def __init__(self, folder: Path, number: int) -> None:
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", CANDIDATE, str(folder)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for _ in range(number)
        ]  # fmt: skip

    def __enter__(self) -> Candidates:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.communicate()

    def run(self) -> tuple[list[int], list[str]]:
        """All at once -> the pids of the winners, and the messages of the losers."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.stdout.readline() for process in self.processes if process.stdout]
        pairs = list(zip(self.processes, answers, strict=True))
        winners = [process.pid for process, answer in pairs if answer == "won\n"]
        return winners, [answer for _, answer in pairs if answer != "won\n"]


def lost(folder: Path) -> str:
    with pytest.raises(errors.StateError) as caught:
        Instance(str(folder))
    return caught.value.line()


def in_child(work: Callable[[], object]) -> int:
    """A process made by fork that does it and then waits to be killed; its pid."""
    end, begin = os.pipe()
    child = os.fork()
    if not child:
        os.close(end)
        work()
        os.write(begin, b"done")
        signal.pause()
        os._exit(0)
    os.close(begin)
    assert os.read(end, 4) == b"done"
    os.close(end)
    return child


def killed(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize("number", [2, 30])
def test_one_of_many_wins(tmp_path: Path, number: int) -> None:
    """Exactly one of those that start at once; all others get its pid."""
    with Candidates(tmp_path, number) as candidates:
        winners, messages = candidates.run()
        assert len(winners) == 1
        assert len(messages) == number - 1
        assert all(f": pid {winners[0]}, since " in line for line in messages), messages


def test_one_of_two_wins_a_hundred_times(tmp_path: Path) -> None:
    """Two forks of a process that are let go at the same moment, again and again."""
    words = [sys.executable, "-c", PAIRS, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60 * SLOW)
    turns = [line.split() for line in done.stdout.splitlines()]
    assert len(turns) == 100
    for turn in turns:
        said = dict(zip(turn[::2], turn[1::2], strict=True))
        (winner,) = (pid for pid, word in said.items() if word == "won")
        assert set(said.values()) == {"won", winner}, turn


def test_the_winner_is_known_to_all(tmp_path: Path) -> None:
    """Its pid, start and files; readable by everybody, the lock by its owner."""
    files = ["/etc/netalias.conf", "two\nlines", "back\\slash\\n", "caf\udce9"]
    with Instance(str(tmp_path), files):
        found = running(str(tmp_path))
        assert found is not None
        assert (found.pid, found.files) == (os.getpid(), tuple(files))
        assert found.since.count(":") == 2
        assert stat.S_IMODE((tmp_path / instance.ABOUT).stat().st_mode) & 0o444 == 0o444
        assert stat.S_IMODE((tmp_path / instance.LOCK).stat().st_mode) == 0o600


def test_other_files_are_told(tmp_path: Path) -> None:
    """The file is replaced."""
    with Instance(str(tmp_path), ["one"]) as held:
        held.write(["two", "three"])
        found = running(str(tmp_path))
        assert found is not None
        assert found.files == ("two", "three")


def test_an_orderly_end(tmp_path: Path) -> None:
    """Nobody runs any more, the next one wins, and the lock is the same file as before."""
    held = Instance(str(tmp_path))
    inode = (tmp_path / instance.LOCK).stat().st_ino
    held.close()
    held.close()  # a second time is nothing
    assert running(str(tmp_path)) is None
    with Instance(str(tmp_path)):
        assert (tmp_path / instance.LOCK).stat().st_ino == inode


def test_a_killed_watcher_lets_go(tmp_path: Path) -> None:
    """Its file stays behind and is believed by nobody."""
    folder = str(tmp_path)
    child = in_child(lambda: Instance(folder))
    found = running(folder)
    assert found is not None
    assert found.pid == child
    assert f"pid {child}, since {found.since}" in lost(tmp_path)
    killed(child)
    assert (tmp_path / instance.ABOUT).exists()
    assert running(folder) is None
    Instance(folder).close()


def test_a_pid_that_was_given_again_is_nobody(tmp_path: Path) -> None:
    """The same number with another start is another process."""
    with Instance(str(tmp_path)):
        about = tmp_path / instance.ABOUT
        about.write_text(about.read_text().replace("start ", "start 1"))
        assert running(str(tmp_path)) is None


def test_a_winner_that_has_not_said_who_it_is_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the lock and the file nobody gets a wrong pid."""
    folder = str(tmp_path)
    slept: list[float] = []
    with Instance(folder):
        about = tmp_path / instance.ABOUT
        text = about.read_text()
        about.write_text("pid 1\nstart 0\nsince long ago\n")  # of a watcher before

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 3:
                about.write_text(text)

        monkeypatch.setattr(instance, "sleep", sleep)
        assert f"pid {os.getpid()}, " in lost(tmp_path)
    assert len(slept) == 3


def test_a_lock_that_nobody_explains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No pid is better than a wrong one."""
    with Instance(str(tmp_path)):
        (tmp_path / instance.ABOUT).unlink()
        monkeypatch.setattr(instance, "WAIT", 0.0)
        said = lost(tmp_path)
    assert said == f"{instance.RUNS} (fuser {tmp_path}/{instance.LOCK} shows its pid)"


def test_a_lock_that_is_let_go_meanwhile_is_taken(tmp_path: Path) -> None:
    """A new one waits while a watcher ends, or its child has not closed its descriptors."""
    folder = str(tmp_path)
    held = Instance(folder)
    child = os.fork()
    if not child:
        os.execvp("sleep", ["sleep", "60"])  # closes on exec
    until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")
    held.close()
    Instance(folder).close()
    killed(child)


@pytest.mark.parametrize(
    "text", ["", "\n", "pid\n", "pid x\nstart 1\nsince now\n", "start 1\nsince now\n", "\xff\x00"]
)
def test_what_no_watcher_has_written_names_nobody(tmp_path: Path, text: str) -> None:
    """Any content of the file."""
    (tmp_path / instance.ABOUT).write_text(text, encoding="latin-1")
    assert running(str(tmp_path)) is None
    Instance(str(tmp_path)).close()


@given(st.binary(max_size=100))
def test_any_bytes_name_nobody_or_somebody(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Nothing but an answer comes of it."""
    folder = tmp_path_factory.getbasetemp()
    (folder / instance.ABOUT).write_bytes(content)
    assert running(str(folder)) is None


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Neither that of the lock nor that of the words."""
    (tmp_path / instance.LOCK).symlink_to(tmp_path / "elsewhere")
    assert lost(tmp_path).startswith(f"{tmp_path}/{instance.LOCK}: ")
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / instance.ABOUT).symlink_to("/etc/passwd")
    with pytest.raises(errors.StateError):
        running(str(tmp_path))


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """Somebody put one where the words stand."""
    os.mkfifo(tmp_path / instance.ABOUT)
    assert running(str(tmp_path)) is None


def test_without_a_folder(tmp_path: Path) -> None:
    """An error with the name, no lock and no descriptor left."""
    before = set(os.listdir("/proc/self/fd"))
    assert lost(tmp_path / "none") == f"{tmp_path}/none/{instance.LOCK}: No such file or directory"
    assert set(os.listdir("/proc/self/fd")) == before


def test_who_cannot_say_who_it_is_does_not_win(tmp_path: Path) -> None:
    """The lock is free again for one who can."""
    (tmp_path / f"{instance.ABOUT}.new").mkdir()
    assert lost(tmp_path) == f"{tmp_path}/{instance.ABOUT}: Is a directory"
    (tmp_path / f"{instance.ABOUT}.new").rmdir()
    Instance(str(tmp_path)).close()


def test_losing_leaves_no_descriptor(tmp_path: Path) -> None:
    """A loser may live on."""
    with Instance(str(tmp_path)):
        before = set(os.listdir("/proc/self/fd"))
        lost(tmp_path)
        assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("what", ["fifo", "hard link", "link", "folder link"])
def test_what_is_no_lock_of_ours(tmp_path: Path, what: str) -> None:
    """Who owns the directory could have root open, or give away, another file: it is refused."""
    folder, other = tmp_path / "1", tmp_path / "other"
    folder.mkdir()
    other.write_text("theirs")
    if what == "fifo":
        os.mkfifo(folder / "watch.lock")
    elif what == "hard link":
        os.link(other, folder / "watch.lock")
    elif what == "link":
        (folder / "watch.lock").symlink_to(other)
    else:
        folder.rename(tmp_path / "aside")
        folder.symlink_to(tmp_path / "aside")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(errors.StateError):
        Instance(str(folder))
    assert len(os.listdir("/proc/self/fd")) == before
    assert other.read_text() == "theirs"


def test_the_owner_is_that_of_what_was_read(tmp_path: Path) -> None:
    """By which a reader tells whose words these are."""
    with Instance(str(tmp_path), words=["watch"]):
        for owner in (os.getuid(), NOBODY):
            found = running(str(tmp_path))
            assert found is not None
            assert found.owner == owner
            given_away(tmp_path / instance.ABOUT)


def test_words_of_another_user_are_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor when he puts a file of ours in the place of his as soon as that is read."""
    about, real = tmp_path / instance.ABOUT, instance.started
    setup = Setup(Memory(), runtime=PrivateDirectory(str(tmp_path)))
    options = Options(lambda options: Engine(setup))
    options.takeover = True
    monkeypatch.setattr(sys, "argv", ["netalias", "watch", "--takeover"])

    def swapped(pid: int) -> str:
        about.unlink()
        about.symlink_to("/etc/passwd")
        return real(pid)

    with Instance(str(tmp_path), words=["--metrics", "/etc/passwd", "watch", "/x"]):
        given_away(about)
        monkeypatch.setattr(instance, "started", swapped)
        files: list[str] = []
        assert watch._said(options, files) == ["watch"]
        monkeypatch.undo()
    assert (files, options.metrics) == ([], "")


def test_another_record_of_ours_is_none_of_a_watcher(tmp_path: Path) -> None:
    """The owner of the directory can rename a file of root that has lines of his."""
    about = tmp_path / instance.ABOUT
    with Instance(str(tmp_path)):
        about.write_text(f"namespace 7\n{about.read_text()}")
        assert running(str(tmp_path)) is None
