"""What is the same of many aliases is told once."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cli_memory import Command
from test_plan_compare import Declared

from netalias import errors
from netalias.cli.batch import _folded
from netalias.engine.batch import Batch, parse_commands

REFUSED = errors.STATUS_KERNEL


def test_errors_that_differ_in_the_name(capsys: pytest.CaptureFixture[str]) -> None:
    """They are one line, with the hint for all of them."""
    run = Command(capsys)
    run.split("eth0:10-29 10.0.0.10+ kind label")
    run.split("eth0:15-")
    out, err = run.run(["eth0:10-29", "down"], REFUSED)
    assert (out, err.splitlines()) == (
        "",
        [
            "netalias: eth0:10-14: a label cannot be down (netalias eth0:10-14- deletes it)",
            "netalias: eth0:15: there is no such alias (an address creates it)",
            "netalias: eth0:16-29: a label cannot be down (netalias eth0:16-29- deletes it)",
        ],
    )


def test_errors_that_only_look_alike() -> None:
    """A name inside a longer one is another name, and so are those of other main devices."""
    texts = [
        "eth0:1: 10.0.0.1 belongs to eth0:12 already",
        "eth0:2: 10.0.0.1 belongs to eth0:22 already",
        "eth1:3: no",
        "eth0:4: no",
        "no name: no",
    ]
    found = _folded([errors.StateError(text) for text in texts])
    assert [str(one) for one in found] == texts


@pytest.fixture
def stage() -> Declared:
    """With a prefix, which the first macvlan silences."""
    made = Declared()
    made("eth0:5 10.9.0.0/16 kind prefix")
    return made


def test_equal_warnings_of_a_batch(stage: Declared) -> None:
    """That of the prefix comes with each of many aliases."""
    warned: list[str] = []
    work = Batch(stage.engine, lambda words: 0, warned.append)
    work.run(parse_commands("eth0:500-519 10.32.0.1+ kind macvlan", stage.engine.registry))
    silent = [one for one in warned if "answers ARP for 10.9.0.0/16" in one]
    assert len(silent) == 1, warned
    assert work.warned == len(warned)
    assert work.failed == []


def test_equal_warnings_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are told once too."""
    run = Command(capsys)
    run.split("-q eth0:5 10.9.0.0/16 kind prefix")
    path = tmp_path / "many.conf"
    path.write_text("eth0:5 10.9.0.0/16 kind prefix\neth0:500-519 10.32.0.1+ kind macvlan\n")
    _, err = run.run(["reconcile", str(path)], errors.STATUS_OK)
    assert err.count("answers ARP for 10.9.0.0/16") == 1
