"""The tests themselves."""

from __future__ import annotations

from collections import Counter
from pathlib import Path


def test_every_file_has_a_name_of_its_own() -> None:
    """The folders are no packages: of two modules of one name the second is not found."""
    found = Counter(path.name for path in Path(__file__).parents[1].glob("*/*.py"))
    del found["conftest.py"]
    assert not [name for name, count in found.items() if count > 1]
