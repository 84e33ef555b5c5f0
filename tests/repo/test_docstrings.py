"""The first word of every docstring: it names a result or an action, not a question."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
FOLDERS = ("netalias", "procfs", "tools")
QUESTION = re.compile(r'^\s*"""((?:How|What|When|Where|Which|Who|Why)\b.*)', re.MULTILINE)
"""A docstring that begins as a question does, of a module, function, class or constant."""


def test_the_pattern_finds_a_question() -> None:
    """One that is there, and none in a docstring that begins with a noun."""
    assert QUESTION.findall('    """What was read."""\n    """The part that was read."""\n') == [
        'What was read."""'
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_begins_as_a_question(folder: str) -> None:
    """In the product and its tools."""
    files = sorted((TOP / folder).rglob("*.py"))
    found = [
        f"{path.relative_to(TOP)}: {line}"
        for path in files
        for line in QUESTION.findall(path.read_text(encoding="utf-8"))
    ]
    assert not found
