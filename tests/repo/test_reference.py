"""docs/api.md is what tools/reference.py makes of the docstrings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from netalias.engine import Engine

REPO = Path(__file__).parents[2]


def printed() -> str:
    """The page as it would be written now."""
    words = [sys.executable, str(REPO / "tools" / "reference.py"), "--print"]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=True)
    return done.stdout


def test_the_reference_is_up_to_date() -> None:
    """After a change: python tools/reference.py."""
    assert (REPO / "docs" / "api.md").read_text(encoding="utf-8") == printed()


def test_calls_of_a_program_are_on_the_page() -> None:
    """Every method that the engine hands on to program/, or to what netalias.open() gives it."""
    page = printed()
    outer = {"netalias.engine.program", "_outer"}
    methods = [name for name, one in vars(Engine).items() if outer & {*names(one)}]
    assert len(methods) == 9
    for name in methods:
        assert f"### Engine.{name}\n" in page


def names(function: object) -> tuple[str, ...]:
    """The names that the code of a function uses."""
    code = getattr(function, "__code__", None)
    return code.co_names if code is not None else ()
