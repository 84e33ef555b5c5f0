"""What is run in other kernels (tools/kernels): every test file is in a suite or left out."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("choice", REPO / "tools" / "kernels" / "choice.py")
assert _spec is not None
assert _spec.loader is not None
choice = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(choice)

FILES = sorted(str(path.relative_to(REPO)) for path in (REPO / "tests").rglob("test_*.py"))


def holders(file: str) -> list[str]:
    """The suites in which pytest would collect *file*."""
    found = []
    for name in choice.SUITES:
        words = choice.words(name)
        ignored = tuple(
            word.removeprefix("--ignore=") for word in words if word.startswith("--ignore=")
        )
        if file.startswith(choice.SUITES[name].paths) and not file.startswith(ignored):
            found.append(name)
    return found


def test_every_file_is_run_once_or_left_out() -> None:
    """In exactly one suite, or in none, with the reason."""
    wrong = {}
    for file in FILES:
        reasons = [path for path in choice.LEFT_OUT if "::" not in path and file.startswith(path)]
        held = [name for name in holders(file) if name not in choice.PARTS]
        if len(held) + len(reasons) != 1:
            wrong[file] = held, reasons
    assert not wrong


@pytest.mark.parametrize("part", choice.PARTS)
def test_a_part_is_in_its_suite(part: str) -> None:
    """Its files are there, and run in the whole suite too; of the two only the part is usual,
    unless it needs programs."""
    whole = choice.PARTS[part]
    assert set(choice.SUITES[part].paths) <= set(FILES)
    assert choice.SUITES[part].hidden == choice.SUITES[whole].hidden
    for file in choice.SUITES[part].paths:
        assert set(holders(file)) == {part, whole}
    assert (part in choice.USUAL) == (not choice.SUITES[part].packages)
    assert whole not in choice.USUAL
    paths = choice.SUITES[part].paths
    apart = {f"--deselect={one}" for one in choice.LEFT_OUT if one.startswith(paths)}
    assert set(choice.words(part)) == {*paths, *apart}


@pytest.mark.parametrize("file", choice.CORE)
def test_the_core_is_in_the_document(file: str) -> None:
    """docs/kernels.md names each of its files."""
    assert f"`{file}`" in (REPO / "docs" / "kernels.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", choice.LEFT_OUT)
def test_what_is_left_out_is_there(place: str) -> None:
    """A reason for a file that has gone would be believed for ever."""
    file, _, test = place.partition("::")
    path = REPO / file
    assert path.exists()
    if test:
        assert f"def {test.partition('[')[0]}(" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("place", choice.LEFT_OUT)
def test_what_is_left_out_is_in_the_document(place: str) -> None:
    """docs/kernels.md names it."""
    assert f"`{place}`" in (REPO / "docs" / "kernels.md").read_text(encoding="utf-8")
