"""The page of the bench, and that every part of it can be loaded."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "tools" / "bench"
ROW = "| no-op | <= 2 x | 1.5 x | reached |"
CELL = "| create | 1.73 x (<= 1.5: missed) | 1.2 x (<= 1.6: reached) |"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Loads a module of the bench; modules of tests with the same names come back afterwards."""
    names = [file.stem for file in BENCH.glob("*.py")]
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    monkeypatch.syspath_prepend(str(BENCH))
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(others)


@pytest.fixture
def page(
    load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ModuleType:
    """The module page, which writes into a temporary folder."""
    found = load("page")
    monkeypatch.setattr(found, "PAGE", tmp_path / "performance.md")
    return found


def test_every_part_can_be_measured(load: Callable[[str], ModuleType]) -> None:
    """Each part is a module with a function section; what it takes from netalias exists."""
    for name in parts():
        assert callable(load(name).section), name


def parts() -> list[str]:
    """The names of the parts, as the program lists them."""
    text = (BENCH / "__main__.py").read_text(encoding="utf-8")
    table = text.partition("PARTS = {")[2].partition("}")[0]
    return [line.split('"')[1] for line in table.splitlines() if '"' in line]


def test_one_part_replaces_its_section_alone(page: ModuleType) -> None:
    """The other sections stand as they were, in the order of the page."""
    page.keep(["One", "Two"], {"Two": f"## Two\n\n{ROW}\n"})
    page.keep(["One", "Two"], {"One": f"## One\n\n{CELL}\n"})
    page.keep(["One", "Two"], {"One": f"## One\n\nagain\n\n{CELL}\n"})
    text = page.PAGE.read_text(encoding="utf-8")
    assert list(page.split(text)) == ["One", "Two"]
    assert text.count(CELL) == text.count(ROW) == text.count("again") == 1


def test_the_page_counts_its_targets(page: ModuleType) -> None:
    """Reached and missed ones of every section, in rows and in cells."""
    page.keep(["One"], {"One": f"## One\n\n{ROW}\n{CELL}\n| x | - | - | not measured |\n"})
    assert "Targets: 2 reached, 1 missed, 1 not measured." in page.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(("value", "word"), [(1.0, "reached"), (1.5, "reached"), (1.6, "missed")])
def test_a_target_is_reached_up_to_its_limit(page: ModuleType, value: float, word: str) -> None:
    """The limit itself belongs to what is reached."""
    assert page.verdict(value, 1.5) == word


def test_a_missed_target_has_its_reason_beside_it(page: ModuleType) -> None:
    """The floor, which nobody can be below, stands behind the word, and the page still counts it;
    what is reached needs none."""
    assert page.verdict(1.0, 1.5, "the floor alone 0.9 x") == page.REACHED
    missed = page.verdict(3.8, 2.5, "the floor alone 3.25 x")
    assert missed == "missed (the floor alone 3.25 x)"
    assert page.tally([f"| x | 3.8 x | <= 2.5 x | {missed} |"]).startswith(
        "Targets: 0 reached, 1 m"
    )


def test_an_unreachable_no_op_names_its_floor(load: Callable[[str], ModuleType]) -> None:
    """A no-op among 4000 macvlans reads more than its limit allows for."""
    part = load("unchanged")
    found = {"bare": 10.0, part.FLOOR: 32.5, part.NOTHING: 38.3}
    assert part._ratio(found, part.NOTHING, 2.5) == "3.83 x (<= 2.5: missed (the floor alone 3.25))"
    assert part._ratio(found, part.NOTHING, None) == "3.83 x"
