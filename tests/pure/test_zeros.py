"""Names with leading zeros, where others have a label of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from netalias import cli, errors
from netalias.cli.zeros import padded
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory


@pytest.fixture
def memory() -> Memory:
    """eth0 with eth0:1, and a label of others called eth0:01."""
    found = Memory()
    found.add_device("eth0", up=True)
    found.add_address("eth0", "10.0.0.9/32", label="eth0:01")
    assert run(found, "eth0:1 10.0.0.1 kind label") == errors.STATUS_OK
    return found


def run(memory: Memory, text: str) -> int:
    return cli.main(text.split(), lambda options: Engine(Setup(memory, options.registry)))


def labels(memory: Memory) -> set[str]:
    return {entry.label for some in memory.snapshot().addresses.values() for entry in some}


@pytest.mark.parametrize(
    "text", ["eth0:01-", "eth0:01- eth0:2-", "eth0:01 10.0.0.5", "eth0:01 mtu 1400", "eth0:01"]
)
def test_it_is_refused(memory: Memory, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything of the other alias changes, with the names of both."""
    assert run(memory, text) == errors.STATUS_KERNEL
    assert capsys.readouterr().err == (
        "netalias: eth0:01: a label of others has this name, and a slot is a number"
        " (the alias is eth0:1; ip addr del removes the label)\n"
    )
    assert labels(memory) >= {"eth0:01", "eth0:1"}


def test_a_batch(memory: Memory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its other lines are done with --force."""
    file = tmp_path / "batch"
    file.write_text("eth0:2 10.0.0.2 kind label\neth0:01-\n")
    assert run(memory, f"batch --force {file}") == errors.STATUS_KERNEL
    assert "eth0:01: a label of others" in capsys.readouterr().err
    assert labels(memory) >= {"eth0:01", "eth0:1", "eth0:2"}


@pytest.mark.parametrize("text", ["eth0:001-", "eth0:01-02-", "eth0:1-"])
def test_other_names_go_on(memory: Memory, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever nobody has called so is the alias of that number."""
    if text == "eth0:01-02-":
        assert run(memory, text) == errors.STATUS_KERNEL
        return
    assert run(memory, text) == errors.STATUS_OK
    assert "eth0:1" not in labels(memory)


@pytest.mark.parametrize(
    ("word", "name"),
    [("eth0:0", ""), ("eth0:00-", "eth0:00"), ("br-0:01-03", "br-0:01"), ("eth0:0x1", ""),
     ("eth0:0-5", ""), ("eth0:", ""), (":01", "")],
)  # fmt: skip
def test_padded(word: str, name: str) -> None:
    """Only digits with a leading zero."""
    assert padded(word) == name
