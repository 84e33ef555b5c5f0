"""import: what was asked for and cannot be had is told, and nothing else is lost by it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias.importers import FORMATS, read

INTERFACES = "auto eth0:1\niface eth0:1 inet static\n address 10.0.0.1/24\n"
LINE = "eth0:1  10.0.0.1/24  kind label"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over an empty kernel."""
    return Command(capsys)


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with all usual files: one of interfaces(5), and below it one that is a FIFO."""
    for one in FORMATS.values():
        monkeypatch.setattr(one, "usual", (f"{tmp_path}/none",))
    monkeypatch.setattr(FORMATS["interfaces"], "usual", (f"{tmp_path}/interfaces",))
    monkeypatch.setattr(FORMATS["networkd"], "usual", (f"{tmp_path}/*.network",))
    (tmp_path / "interfaces").write_text(INTERFACES)
    return tmp_path


def test_a_usual_file_that_cannot_be_read(usual: Path, run: Command) -> None:
    """It is skipped with a note, before all others; one that was named is an error."""
    os.mkfifo(usual / "1.network")
    found = read()
    assert [str(row.name) for row in found.rows] == ["eth0:1"]
    assert found.notes == [f"{usual}/1.network: skipped: not a regular file"]
    out, err = run.run(["import"], 0)
    assert LINE in out
    assert err.splitlines()[0] == f"netalias: warning: {found.notes[0]}"
    run.run(["import", f"{usual}/1.network"], 2)


def test_standard_input(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells its format like any file, or --from says it."""
    for words in (["import", "-"], ["import", "--from", "interfaces", "-"]):
        here, there = os.pipe()
        os.write(there, INTERFACES.encode())
        os.close(there)
        before = os.dup(0)
        try:
            os.dup2(here, 0)
            out, err = run.run(words, 0)
        finally:
            os.dup2(before, 0)
            os.close(before)
            os.close(here)
        assert out.splitlines() == ["# <stdin>", LINE]
        assert err == "netalias: 1 alias of 1 file (interfaces)\n"


@pytest.mark.parametrize("text", ["hello world\n", "{}\n", "[x]\ny=1\n", "eth0:1 10.0.0.1\n"])
def test_a_format_that_nothing_tells(tmp_path: Path, text: str) -> None:
    """It is not read as interfaces(5), whose program would say other things of it."""
    file = tmp_path / "f"
    file.write_text(text)
    found = read([str(file)])
    assert found.notes == [f"{file}: skipped: its format is not recognised (--from FORMAT says it)"]
    assert (found.rows, found.files) == ([], 0)


@pytest.mark.parametrize("text", ["", "# a remark\n", "source /nowhere/*\n"])
def test_nothing_to_be_recognised(tmp_path: Path, text: str) -> None:
    """An empty file is none of another format."""
    file = tmp_path / "f"
    file.write_text(text)
    assert not [one for one in read([str(file)]).notes if "recognised" in one]


def test_a_map_that_nothing_needs(tmp_path: Path) -> None:
    """A mistyped name is told."""
    file = tmp_path / "f"
    file.write_text(INTERFACES)
    assert read([str(file)], mapping={"eth0": "wan"}).unused == []
    assert read([str(file)], mapping={"eht0": "wan"}).unused == [
        "--map eht0=wan: there is no address on eht0"
    ]
    file.write_text(INTERFACES.replace("10.0.0.1", "10.0.0.300"))
    assert read([str(file)], mapping={"eth0": "wan"}).unused == []  # a note is about it
