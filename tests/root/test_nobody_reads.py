"""Output that nobody reads: a pager waits for a key, the terminal of a lost connection for ever."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from fcntl import F_SETPIPE_SZ, fcntl, ioctl
from pathlib import Path
from subprocess import DEVNULL
from termios import FIONREAD

import pytest
from command import COMMAND, Command, lock_file
from support import Process, until

MANY = 400
LINES = f"eth9:0-{MANY - 1} 10.0.0.0/32+ kind label\n"
ROOM = 4096
"""Bytes of the pipe: fewer than a line for each of MANY."""


class Unread:
    """A pipe that nobody reads, and the command that writes to it."""

    def __init__(self) -> None:
        self.end, self.begin = os.pipe()
        fcntl(self.begin, F_SETPIPE_SZ, ROOM)
        self.process: Process | None = None

    def start(self, cli: Command, *words: str, stream: str = "stdout") -> None:
        """Start the command, with the pipe as this *stream*."""
        streams = {"stdout": DEVNULL, "stderr": DEVNULL, stream: self.begin}
        self.process = cli.namespace.start([*COMMAND, *words], **streams)
        os.close(self.begin)
        self.begin = -1

    @property
    def full(self) -> bool:
        """Whether the command cannot write another line."""
        found = array("i", [0])
        ioctl(self.end, FIONREAD, found)
        return found[0] > ROOM - 100

    def text(self) -> str:
        """All that there is to read up to the end of the command."""
        return b"".join(iter(lambda: os.read(self.end, 65536), b"")).decode()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for one in (self.end, self.begin):
            if one >= 0:
                os.close(one)


@pytest.fixture
def unread() -> Iterator[Unread]:
    made = Unread()
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Declarations, and commands as well."""
    path = tmp_path / "declared"
    path.write_text(LINES)
    return str(path)


@pytest.mark.parametrize("words", ["reconcile {}", "-v batch {}", f"-v {LINES.strip()}"])
def test_no_lock_is_held_meanwhile(cli: Command, unread: Unread, file: str, words: str) -> None:
    """Other commands go on, and a watcher repairs; all lines come when somebody reads."""
    unread.start(cli, *words.format(file).split())
    until(lambda: unread.full)
    cli("eth9:1000", "10.1.0.1/32", "kind", "label")
    assert unread.text().count("\n") >= MANY
    assert unread.process is not None
    assert unread.process.wait() == 0


def test_without_a_confirmation_the_former_state_comes_back(
    cli: Command, unread: Unread, file: str
) -> None:
    """Where the change has cut off the terminal that it prints to, more than anywhere."""
    cli("eth9:1000", "10.1.0.1/32", "kind", "label")
    unread.start(cli, "--confirm", "1", "--allow-shrink", "reconcile", file)
    until(lambda: unread.full)
    outcome = lock_file(cli.namespace).parent / "rejected"
    until(lambda: outcome.exists() and "\nverdict " in outcome.read_text())
    assert cli.names() == ["eth9:1000"]


def test_a_watcher_repairs_on(cli: Command, unread: Unread, file: str, tmp_path: Path) -> None:
    """Lines of its log that nobody reads are lost, and counted in the next one that is read."""
    unread.start(cli, "-v", "watch", "--texts", str(tmp_path / "net"), file, stream="stderr")
    until(lambda: len(cli.names()) == MANY)
    cli.namespace.ip("addr del 10.0.0.7/32 dev eth9")
    until(lambda: "eth9:7" in cli.names())
    os.read(unread.end, ROOM)
    cli.namespace.ip("addr del 10.0.0.8/32 dev eth9")
    until(lambda: "eth9:8" in cli.names())
    assert unread.process is not None
    unread.process.terminate()
    assert unread.process.wait() == 0
    assert "lines lost before this: nobody has read them\n" in unread.text()
