"""The screen of top on a pseudo-terminal: what is drawn, keys, sizes, and how it is left."""

from __future__ import annotations

import fcntl
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator

import pytest
from command import COMMAND, SECONDS, Command, environment

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """top on a terminal of its own."""

    def __init__(self, cli: Command, *words: str, size: tuple[int, int] = (24, 80)) -> None:
        self.ours, self.theirs = os.openpty()
        self.resize(*size)
        self.mode = termios.tcgetattr(self.theirs)
        self.text = ""
        self.process = cli.namespace.start(
            [*COMMAND, "top", *words],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            env=environment(TERM="xterm-256color", LC_ALL="C.UTF-8", COLUMNS=None, NO_COLOR=None),
        )

    def resize(self, lines: int, columns: int) -> None:
        """Give the terminal another size; it has no foreground process, which the kernel tells."""
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self.ours, keys.encode())

    def until(self, true: Callable[[str], bool]) -> str:
        """The text since the last call, once that is true of it."""
        deadline = time.monotonic() + SECONDS
        while not true(self.text):
            assert time.monotonic() < deadline, self.text
            if select.select([self.ours], [], [], 0.1)[0]:
                self.text += os.read(self.ours, 65536).decode()
        found, self.text = self.text, ""
        return found

    def ended(self) -> int:
        """The exit status; the terminal must be as it was."""
        shown = self.until(lambda text: LEAVE in text)
        assert shown.endswith(LEAVE)
        status = self.process.wait(timeout=SECONDS)
        assert termios.tcgetattr(self.theirs) == self.mode
        return status

    def close(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def stage(bare: Command) -> Command:
    """Two devices and a label."""
    bare.namespace.ip("link add eth7 type veth peer name q7")
    bare.namespace.ip("link set eth7 up")
    bare.silent("eth7:0", "192.168.100.100/24", "kind", "macvlan")
    bare.silent("eth7:1", "192.168.100.101", "kind", "macvlan")
    bare.silent("eth7:2", "192.168.100.102", "kind", "label")
    return bare


@pytest.fixture
def terminal(stage: Command) -> Iterator[Terminal]:
    """top with an interval that does not end in a test."""
    found = Terminal(stage, "--interval", "600")
    try:
        yield found
    finally:
        found.close()


def lines(shown: str) -> list[str]:
    """The lines of the last screen that was drawn, without escapes."""
    screen = shown.rpartition("\x1b[H")[2].partition("\x1b[J")[0]
    return [ESCAPE.sub("", line).strip() for line in screen.replace("\r", "").split("\n")]


def drawn(text: str) -> bool:
    """Whether a screen was drawn completely."""
    return "\x1b[J" in text


def test_a_screen(terminal: Terminal) -> None:
    """It fits, names every alias, and ends with q: the terminal is as it was."""
    shown = terminal.until(drawn)
    assert shown.startswith(ENTER)
    found = lines(shown)
    assert max(map(len, found)) <= 80
    assert len(found) <= 24
    assert found[0].startswith("netalias top  ")
    assert "3 aliases" in found[0]
    assert sum(line.startswith("eth7:") for line in found) == 3
    (label,) = (line for line in found if line.startswith("eth7:2"))
    assert label.split()[2:] == ["-"] * 6
    assert not termios.tcgetattr(terminal.theirs)[3] & (termios.ICANON | termios.ECHO)
    terminal.press("q")
    assert terminal.ended() == 0


def test_keys_sort(terminal: Terminal) -> None:
    """Each key draws again, and what is no key does nothing."""
    terminal.until(drawn)
    for key, order in (("r", "RX"), ("n", "name"), ("R", "name reversed"), ("x", "name reversed")):
        terminal.press(key)
        assert lines(terminal.until(drawn))[1].startswith(f"by {order}; ")
    terminal.press("Rq")
    assert terminal.ended() == 0


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGHUP, -1), (signal.SIGQUIT, 131)],
)
def test_a_signal_ends_it(terminal: Terminal, number: int, status: int) -> None:
    """The terminal is as it was."""
    terminal.until(drawn)
    terminal.process.send_signal(number)
    assert terminal.ended() == status


def test_another_size_is_drawn_at_once(terminal: Terminal) -> None:
    """Narrower: columns go; lower: rows go, and are counted."""
    terminal.until(drawn)
    terminal.resize(6, 44)
    terminal.process.send_signal(signal.SIGWINCH)
    found = lines(terminal.until(drawn))
    assert max(map(len, found)) <= 44
    assert len(found) == 6
    assert found[-1] == "and 2 more"


def test_sixty_columns(terminal: Terminal) -> None:
    """Totals and keys go on in a further line, and each alias has its rates."""
    terminal.until(drawn)
    terminal.resize(24, 60)
    terminal.process.send_signal(signal.SIGWINCH)
    found = lines(terminal.until(drawn))
    assert max(map(len, found)) <= 60
    text = " ".join(found)
    assert "with traffic: RX " in text
    assert "q quit" in text
    heading = next(line for line in found if line.startswith("ALIAS"))
    assert {"RX/s", "TX/s"} < set(heading.split())
    assert sum(line.startswith("eth7:") for line in found) == 3


def test_it_can_be_stopped(terminal: Terminal) -> None:
    """^Z leaves the terminal as it was, and a continuation takes it again."""
    terminal.until(drawn)
    terminal.process.send_signal(signal.SIGTSTP)
    terminal.until(lambda text: LEAVE in text)
    _, status = os.waitpid(terminal.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert termios.tcgetattr(terminal.theirs) == terminal.mode
    terminal.process.send_signal(signal.SIGCONT)
    assert ENTER in terminal.until(drawn)
    terminal.press("q")
    assert terminal.ended() == 0


def test_it_ends_by_itself(stage: Command) -> None:
    """--count: after so many intervals, with rates in the last screen."""
    terminal = Terminal(stage, "--interval", "0.1", "--count", "2", "eth7:0-1")
    try:
        assert terminal.process.wait(timeout=SECONDS) == 0
        found = lines(terminal.until(lambda text: LEAVE in text))
        assert all("-" not in line.split()[2:] for line in found if line.startswith("eth7:"))
        assert termios.tcgetattr(terminal.theirs) == terminal.mode
    finally:
        terminal.close()


def test_an_alias_that_is_made_again_goes_on(stage: Command) -> None:
    """In between it is not shown; its counters begin anew."""
    terminal = Terminal(stage, "--interval", "0.1", "eth7")
    try:
        stage.silent("eth7:0-")
        terminal.until(lambda text: "2 aliases" in text)
        stage.silent("eth7:0", "192.168.100.100/24", "kind", "macvlan")
        terminal.until(lambda text: "3 aliases" in text)
        terminal.press("q")
        terminal.until(lambda text: LEAVE in text)
        assert terminal.process.wait(timeout=SECONDS) == 0
    finally:
        terminal.close()


@pytest.mark.skipif(not shutil.which("ping"), reason="ping is not installed")
def test_traffic_is_counted(stage: Command) -> None:
    """What an alias receives is in its rates and in its totals."""
    words = [*COMMAND, "-j", "top", "--interval", "0.2", "eth7:0"]
    stage.namespace.ip("link set q7 up")
    process = stage.namespace.start(words, stdout=subprocess.PIPE)
    try:
        flood = "ping -q -c 400 -i 0.005 -b -I q7 192.168.100.255"
        stage.namespace.ip("address add 192.168.100.7/24 dev q7")
        other = stage.namespace.start(
            flood.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        deadline = time.monotonic() + SECONDS
        while True:
            line = process.stdout.readline()
            assert time.monotonic() < deadline
            if re.search(r'"rates": {"rx": {"bytes": [1-9]', line):
                break
        other.kill()
        other.wait()
    finally:
        process.kill()
        process.wait()
