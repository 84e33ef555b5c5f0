"""The command where libraries are missing, which a package only recommends."""

from __future__ import annotations

import sys

import pytest

from netalias import cli, errors
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory


def opener(options: cli.Options) -> Engine:
    """An engine over eth0 in memory."""
    memory = Memory()
    memory.add_device("eth0", up=True)
    return Engine(Setup(memory, options.registry))


def without(monkeypatch: pytest.MonkeyPatch, library: str, *users: str) -> None:
    """No module of *library* can be loaded any more, and *users* are not loaded yet."""
    for name in list(sys.modules):
        if name.startswith((f"{library}.", *users)):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)


def test_a_table_needs_no_library(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without rich a terminal gets what a pipe gets."""
    without(monkeypatch, "rich")
    engine = opener(cli.Options(opener))
    for words in (["eth0:0", "192.0.2.1"], ["show"], ["-c=always", "show"]):
        assert cli.main(words, lambda options: Engine(Setup(engine.kernel, options.registry))) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert (len(lines), err) == (4, "")
    assert lines[:2] == lines[2:]


def test_a_verb_names_the_library_that_it_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing pyroute2 is no bug of ours: one line says how it comes."""
    users = ("netalias.cli.doctor", "netalias.doctor.read", "netalias.kernel.pyroute")
    without(monkeypatch, "pyroute2", *users)
    assert cli.main(["doctor"], opener) == errors.STATUS_KERNEL
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("netalias: pyroute2 is needed for this, or a newer one: ")
    assert "(apt-get install python3-pyroute2, or pip install pyroute2)" in err


def test_a_module_of_ours_that_is_missing_is_a_bug(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only libraries of others are told of so."""
    monkeypatch.delenv("NETALIAS_DEBUG", raising=False)
    without(monkeypatch, "netalias.cli.doctor")
    assert cli.main(["doctor"], opener) == errors.STATUS_BUG
    assert "this is a bug in netalias" in capsys.readouterr().err


def test_a_report_that_cannot_be_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no memory for a module of ours, the report has none either: one line tells of
    the first exception."""

    def failing(options: cli.Options) -> Engine:
        raise ZeroDivisionError("first")

    monkeypatch.delenv("NETALIAS_DEBUG", raising=False)
    without(monkeypatch, "netalias.system.bug")
    assert cli.main(["show"], failing) == errors.STATUS_BUG
    out, err = capsys.readouterr()
    assert (out, err) == ("", "netalias: ZeroDivisionError: first (NETALIAS_DEBUG=1 shows more)\n")
