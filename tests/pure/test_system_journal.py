"""Lines of a service: with a priority where the journal reads them, for people else."""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.system.journal import DEBUG, ERROR, INFO, NOTICE, WARNING, Journal


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[TextIO]:
    """Stands for standard error."""
    with (tmp_path / "stderr").open("w+") as file:
        yield file


def place(stream: TextIO) -> str:
    status = os.fstat(stream.fileno())
    return f"{status.st_dev}:{status.st_ino}"


def said(stream: TextIO) -> list[str]:
    stream.seek(0)
    return stream.read().splitlines()


def say_all(journal: Journal) -> None:
    journal.error("e")
    journal.warning("w")
    journal.notice("n")
    journal.info("i")
    journal.debug("d")


def test_the_journal_gets_priorities(stream: TextIO) -> None:
    """Those of syslog(3), and no name of the program: the journal knows it."""
    say_all(Journal(verbose=True, stream=stream, environ={"JOURNAL_STREAM": place(stream)}))
    assert said(stream) == ["<3>e", "<4>w", "<5>n", "<6>i", "<7>d"]
    assert (ERROR, WARNING, NOTICE, INFO, DEBUG) == (3, 4, 5, 6, 7)


@pytest.mark.parametrize("other", ["", "1:2", "nonsense", ":", "0:0"])
def test_people_get_the_name_of_the_program(stream: TextIO, other: str) -> None:
    """As in every line of netalias, after the time, which the journal adds by itself; also where
    standard error was redirected since."""
    environ = {"JOURNAL_STREAM": other}
    say_all(Journal(verbose=True, stream=stream, environ=environ, now=lambda: "12:00 "))
    assert said(stream) == [
        "12:00 netalias: e", "12:00 netalias: warning: w", "12:00 netalias: n",
        "12:00 netalias: i", "12:00 netalias: d",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("quiet", "verbose", "letters"),
    [(False, False, "ewni"), (True, False, "ewn"), (False, True, "ewnid"), (True, True, "ewn")],
)
def test_quiet_and_verbose(stream: TextIO, quiet: bool, verbose: bool, letters: str) -> None:
    """-q drops information, -v adds details; -q wins."""
    say_all(Journal(quiet=quiet, verbose=verbose, stream=stream, environ={}))
    assert [line[-1] for line in said(stream)] == list(letters)


@given(st.text())
def test_an_event_is_one_line(text: str) -> None:
    """No newline and no escape sequence of a name gets into it."""
    stream = io.StringIO()
    Journal(stream=stream, environ={}).error(text)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


class Broken(io.StringIO):
    """Standard error whose reader has gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_nobody_reads() -> None:
    """The service goes on."""
    Journal(stream=Broken(), environ={}).error("e")
    closed = io.StringIO()
    closed.close()
    Journal(stream=closed, environ={"JOURNAL_STREAM": "1:2"}).error("e")


def test_a_reader_that_has_stopped() -> None:
    """The service goes on, and who reads again is told how many lines there are not."""
    end, begin = os.pipe()
    fcntl.fcntl(begin, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(begin, "w") as stream:
        journal = Journal(stream=stream, environ={}, now=lambda: "")
        for number in range(1000):
            journal.notice(f"{number}")
        first = os.read(end, 65536).decode().splitlines()
        assert first == [f"netalias: {number}" for number in range(len(first))]
        journal.notice("again")
        assert os.read(end, 65536).decode().splitlines() == [
            f"netalias: warning: {1000 - len(first)} lines lost before this: nobody has read them",
            "netalias: again",
        ]
        journal.notice("and on")
        assert os.read(end, 65536).decode() == "netalias: and on\n"
    os.close(end)


def test_a_line_longer_than_the_room(stream: TextIO) -> None:
    """It is written whole where somebody takes it."""
    Journal(stream=stream, environ={}, now=lambda: "").error("\u20ac" * 10_000)
    assert said(stream) == ["netalias: " + "\u20ac" * 10_000]


def test_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be closed from the start."""
    monkeypatch.setattr("sys.stderr", None)
    Journal(environ={"JOURNAL_STREAM": "1:2"}).error("e")


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """That of the moment, not of the import."""
    Journal().warning("w")
    time, _, line = capsys.readouterr().err.partition(" ")
    assert datetime.strptime(time, "%Y-%m-%dT%H:%M:%S%z")
    assert line == "netalias: warning: w\n"
