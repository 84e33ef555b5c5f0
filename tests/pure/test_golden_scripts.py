"""Scripts for ``netalias emulate`` that carry their own answers.

A script may begin with "# variant: 0.50" and "# options: --no-sel".
"""

from __future__ import annotations

import io
import pathlib

import pytest

from netalias.emulator import main

SCRIPTS = sorted((pathlib.Path(__file__).parent / "golden").glob("*.script"))


def settings(text: str) -> list[str]:
    words = []
    for line in text.splitlines():
        if line.startswith("# variant: "):
            words += ["--variant", line.removeprefix("# variant: ")]
        elif line.startswith("# options: "):
            words += line.removeprefix("# options: ").split()
    return words


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path):
    """S1, S9, S25, S32, S57, S72: the script gives the answers that stand in it."""
    out, err = io.StringIO(), io.StringIO()
    words = [*settings(path.read_text()), "--check", str(path)]
    status = main(words, io.StringIO(), out, err)
    assert err.getvalue() == ""
    assert status == 0


def test_there_are_scripts():
    """The folder is found."""
    assert len(SCRIPTS) >= 14
