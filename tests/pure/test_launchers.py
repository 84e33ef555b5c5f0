"""The scripts that are the commands: ^C while they load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
INTERRUPTED = 130
SITE = """\
import _signal, os, sys

left = [os.environ["INTERRUPTED_AT"]]

def hook(event, arguments):
    if event == "import" and arguments[0] in left:
        left.clear()
        _signal.raise_signal(_signal.SIGINT)

sys.addaudithook(hook)
"""
"""The sitecustomize.py of an interpreter that gets a SIGINT when it looks for a module."""


def interrupted(folder: Path, words: list[str], module: str) -> tuple[int, str, str]:
    """Run a command that is interrupted there: exit status, standard output and error."""
    (folder / "sitecustomize.py").write_text(SITE)
    environment = {**os.environ, "PYTHONPATH": str(folder), "INTERRUPTED_AT": module}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, env=environment
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "module"),
    [
        *(
            ([str(TOOLS / "netalias"), "--version"], module)
            for module in ("netalias", "netalias.compiled", "netalias.cli", "netalias.errors")
        ),
        *(
            ([str(TOOLS / "netalias-ifconfig"), "lo:0"], module)
            for module in ("netalias", "netalias.cli.ifconfig", "netalias.cli.output")
        ),
        (["-m", "netalias", "--version"], "netalias.cli"),
    ],
)
def test_interrupted_while_it_loads(tmp_path: Path, words: list[str], module: str) -> None:
    """Status 130 and not a word: nothing was begun."""
    assert interrupted(tmp_path, words, module) == (INTERRUPTED, "", "")


def test_interrupted_while_a_verb_loads(tmp_path: Path) -> None:
    """The command says so."""
    words = [str(TOOLS / "netalias"), "--version"]
    found = interrupted(tmp_path, words, "netalias.cli.flags")
    assert found == (INTERRUPTED, "", "netalias: interrupted\n")
