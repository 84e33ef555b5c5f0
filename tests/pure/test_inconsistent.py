"""A kernel that changes while it is read: what each command makes of what it has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netalias import cli
from netalias.cli.output import complain
from netalias.engine import MOVED, Engine, Setup
from netalias.kernel.memory import Memory
from netalias.model import Snapshot

WARNING = f"netalias: warning: {MOVED}\n"


class Moving(Memory):
    """Each of its readings is interrupted again and again."""

    def snapshot(self, family: int = 0) -> Snapshot:
        self.inconsistent = True
        return super().snapshot(family)


class Command:
    """The command over such a kernel with eth0 and an alias of it."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._memory = Moving()
        self._memory.set_device("lo", up=True)
        self._memory.add_device("eth0", up=True)
        self("eth0:0", "10.0.0.1")

    def __call__(self, *words: str) -> tuple[str, str]:
        """Output and errors of a command that succeeds."""

        def engine(options: cli.Options) -> Engine:
            warn = None if options.quiet else lambda text: complain(text, "warning: ")
            return Engine(Setup(self._memory, options.registry, warn=warn))

        status = cli.main(words, engine)
        out, err = self._capsys.readouterr()
        assert status == 0, err
        return out, err


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.mark.parametrize("words", ["show", "show eth0", "eth0:0", "lookup 10.0.0.1", "cat aliases"])
def test_what_is_known_is_printed(command: Command, words: str) -> None:
    """With one warning and status 0."""
    out, err = command(*words.split())
    assert "eth0" in out
    assert err == WARNING


def test_json_stays_json(command: Command) -> None:
    """The warning is on standard error only."""
    out, err = command("show", "--json")
    assert [one["altname"] for one in json.loads(out)] == ["eth0:0"]
    assert err == WARNING


def test_quiet_is_quiet(command: Command) -> None:
    """As with any warning."""
    assert command("-q", "show")[1] == ""


def test_a_comparison_says_so_too(command: Command, tmp_path: Path) -> None:
    """What it finds may be due to that."""
    file = tmp_path / "netalias.conf"
    file.write_text("eth0:0 10.0.0.1\n")
    file.chmod(0o644)
    assert command("check", str(file)) == ("", WARNING)


def test_a_change_says_nothing(command: Command, tmp_path: Path) -> None:
    """The answers of the kernel tell what became of it."""
    file = tmp_path / "netalias.conf"
    file.write_text("eth0:1 10.0.0.2\n")
    file.chmod(0o644)
    assert command("eth0:1", "10.0.0.2") == ("", "")
    assert command("eth0:1-") == ("", "")
    _, err = command("reconcile", "--allow-empty", str(file))
    assert err == ""
