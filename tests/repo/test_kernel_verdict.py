"""What tools/kernels says of a guest: its exit status, with a program in the place of qemu."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from support import until

FOLDER = Path(__file__).parents[2] / "tools" / "kernels"

PASSES = "tests/a.py::test_one PASSED [ 50%]\ntests/a.py::test_two[x y] PASSED [100%]\n"
FAILS = "tests/a.py::test_one FAILED      [ 50%]\n"
BREAKS = "tests/a.py::test_one ERROR [ 50%]\n"
STARTS = "tests/a.py::test_next "
END = "## end\n"

PASSED, FAILED, LATE = 0, 1, 4

Run = Callable[..., int]


def suite(name: str, said: str, status: int = 0) -> str:
    """A whole one, as guest.py writes it."""
    return f"## suite {name}\n{said}## status {status}\n"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """machine and verdict."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("machine"), importlib.import_module("verdict")


@pytest.fixture
def run(
    modules: tuple[ModuleType, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """A guest that says this, and then does this in sh -> the exit status."""
    machine, verdict = modules

    def start(text: str, then: str = "exit 0", seconds: float = 60) -> int:
        said, program = tmp_path / "said", tmp_path / "qemu"
        said.write_text(text)
        program.write_text(f"#!/bin/sh\ncp {said} {tmp_path}/guest.log\n{then}\n")
        program.chmod(0o755)
        monkeypatch.setattr(machine, "QEMU", str(program))
        guest = machine.Guest(Path("vmlinuz"), Path("initramfs"), tmp_path / "guest")
        try:
            until(lambda: guest.text() == text)
            status: int = verdict.of("6.1", guest, ["contract", "kinds"], seconds)
        finally:
            guest.stop()
        return status

    return start


FOR_EVER = {"then": "exec sleep 1000", "seconds": 0}
BOTH = suite("contract", PASSES) + suite("kinds", PASSES)


def test_all_passed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """0, and the closing line of each suite."""
    assert run(BOTH + END) == PASSED
    assert capsys.readouterr().out.startswith("Linux 6.1, contract:\n")


@pytest.mark.parametrize(
    "text",
    [
        suite("contract", FAILS, 1) + suite("kinds", PASSES) + END,
        suite("contract", PASSES) + suite("kinds", BREAKS, 1) + END,
        suite("contract", PASSES) + suite("kinds", "no tests ran\n", 5) + END,
        suite("contract", PASSES) + END,
        BOTH,
        "",
    ],
    ids=["failed", "error", "nothing collected", "a suite is missing", "no end", "nothing"],
)
def test_failed(run: Run, text: str) -> None:
    """1 for every failure, whichever suite it is in, and for a guest that ends before its end."""
    assert run(text) == FAILED


def test_qemu_fails(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """1, and its status is told."""
    assert run(BOTH + END, "exit 7") == FAILED
    assert "ended with status 7" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    ["", "## suite contract\n" + STARTS, suite("contract", PASSES) + "## suite kinds\n" + PASSES],
    ids=["not a word", "in the first test", "in the second suite"],
)
def test_late(run: Run, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """4 where the time is over and no test has failed: one line, and the guest is ended."""
    assert run(text, **FOR_EVER) == LATE
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Linux 6.1: not at its end after 0 s" in said
    assert said.endswith("; none had failed\n")


@pytest.mark.parametrize("line", [FAILS, BREAKS])
@pytest.mark.parametrize("before", ["", suite("contract", PASSES)])
def test_late_after_a_failure(
    run: Run, capsys: pytest.CaptureFixture[str], before: str, line: str
) -> None:
    """1, and the line names the test that has failed."""
    assert run(f"{before}## suite kinds\n{line}{STARTS}", **FOR_EVER) == FAILED
    said = capsys.readouterr().err
    assert f"last heard: {STARTS.strip()}; failed so far: tests/a.py::test_one\n" in said


def test_late_after_a_suite_that_failed(run: Run) -> None:
    """1 also where pytest named no test."""
    assert run(suite("contract", "no tests ran\n", 5) + "## suite kinds\n", **FOR_EVER) == FAILED


@pytest.mark.parametrize(
    ("found", "status"),
    [({PASSED}, PASSED), ({PASSED, LATE}, LATE), ({LATE, FAILED}, FAILED), ({FAILED}, FAILED)],
)
def test_together(modules: tuple[ModuleType, ModuleType], found: set[int], status: int) -> None:
    """A failure in one kernel is one, whatever the others say."""
    assert modules[1].together(found) == status
