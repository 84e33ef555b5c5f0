"""A file of the product has one concern, and at most 500 lines.

The short path is the exception: a command of some milliseconds loads each of its files whole, and
each file more costs it nearly a hundredth of the instructions of a bare Python, which the limits of
test_startup.py do not leave. So four files are longer; none of them may grow, and one that a change
of an alias no longer needs is to be split.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from test_startup import CHANGE

REPO = Path(__file__).parents[2]
MOST = 500

SHORT_PATH = {
    "netalias/engine/__init__.py": 861,
    "netalias/kernel/netlink/__init__.py": 789,
    "netalias/kernel/netlink/codec.py": 576,
    "netalias/plan/__init__.py": 581,
}
"""Files that a command which makes an alias loads whole, and how long each may be."""


def lengths() -> dict[str, int]:
    """The number of lines of every file of the product, by its path."""
    return {
        str(path.relative_to(REPO)): len(path.read_text(encoding="utf-8").splitlines())
        for package in ("netalias", "procfs")
        for path in (REPO / package).rglob("*.py")
    }


def test_a_file_is_read_in_one_go() -> None:
    """No file is longer than MOST lines, but those of the short path."""
    found = lengths()
    assert found
    assert not {path: count for path, count in found.items() if count > SHORT_PATH.get(path, MOST)}


@pytest.mark.parametrize("path", SHORT_PATH)
def test_a_longer_file_is_one_of_the_short_path(path: str) -> None:
    """An exception is a file that is that long, and that every change of an alias loads."""
    assert lengths()[path] > MOST
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert module in CHANGE.split()
