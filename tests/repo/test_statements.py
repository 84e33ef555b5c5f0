"""Every statement about aliases, S1 to S90, and about the addresses of a device, A-1 to A-18, is
held by a test that names it in its docstring; so are those about links, B-1 to B-19, virtual
interfaces, C-1 to C-7, and what a device tells, D-1 to D-8.

As a program this prints which test holds which statement::

    python tests/repo/test_statements.py
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


class Series:
    """Statements that are numbered together: ``mark`` stands before each number, ``file`` has their
    texts, ``titles`` what they are about.

    ``later`` maps those without a test to the work that will bring them. They are to be held by a
    test as soon as that work is done.
    """

    def __init__(
        self, mark: str, file: str, titles: dict[str, range], later: dict[int, str]
    ) -> None:
        self.mark = mark
        self.file = file
        self.titles = titles
        self.later = later
        self.statements = {number for numbers in titles.values() for number in numbers}
        end = rf"(?:\s?[-\N{{EN DASH}}]\s?|\s+to\s+)(?:{mark})?(\d{{1,2}})"
        self._numbers = re.compile(rf"\b{mark}(\d{{1,2}})(?:{end})?\b")

    def __str__(self) -> str:
        return self.file

    def numbers(self, text: str) -> set[int]:
        """``S1, S5-8 and S73-S75`` -> {1, 5, 6, 7, 8, 73, 74, 75}."""
        found: set[int] = set()
        for match in self._numbers.finditer(text):
            first = int(match[1])
            found.update(range(first, int(match[2] or first) + 1))
        return found

    def texts(self) -> dict[int, str]:
        """Statement: its text."""
        lines = (Path(__file__).parent / self.file).read_text(encoding="utf-8").splitlines()
        return {int(number): text for number, _, text in (line.partition(" ") for line in lines)}


TITLES = {
    "Names and errors": range(1, 23),
    "Deletion": range(23, 32),
    "Chain and listing": range(32, 38),
    "Main device": range(38, 46),
    "Types": range(46, 57),
    "Hash and lookup": range(57, 69),
    "Limits": range(69, 73),
    "Texts of /proc/net": range(73, 83),
    "Beside today's kernel": range(83, 91),
}

ALIASES = Series("S", "statements.txt", TITLES, {})
IFACE = Series(
    "A-",
    "statements_iface.txt",
    {"Addresses of a device": range(1, 19)},
    {},
)
LINKS = Series(
    "B-",
    "statements_links.txt",
    {"Election and hand-over": range(1, 12), "Devices, carrier and log": range(12, 20)},
    {},
)
VIF = Series(
    "C-",
    "statements_vif.txt",
    {"Virtual interfaces and their routers": range(1, 8)},
    {},
)
DEVICES = Series(
    "D-",
    "statements_devices.txt",
    {"What a device tells": range(1, 9)},
    {},
)
SERIES = (ALIASES, IFACE, LINKS, VIF, DEVICES)


def documented(
    node: ast.AST, place: str, above: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every test below *node*: its name, and the docstrings of its file, its class and itself."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            texts = (*above, ast.get_docstring(child) or "")
            yield from documented(child, f"{place}::{child.name}", texts)
        elif isinstance(child, ast.FunctionDef) and child.name.startswith("test_"):
            yield f"{place}::{child.name}", (*above, ast.get_docstring(child) or "")


@functools.cache
def docstrings() -> dict[str, tuple[str, ...]]:
    """The tests of every file that names a statement, with their docstrings; all series read them,
    and the files are read once."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if path != Path(__file__) and any(series.numbers(text) for series in SERIES):
            tree = ast.parse(text)
            place = str(path.relative_to(TESTS))
            found.update(documented(tree, place, (ast.get_docstring(tree) or "",)))
    return found


@functools.cache
def held(series: Series) -> dict[int, list[str]]:
    """Statement: the tests that hold it."""
    found: dict[int, list[str]] = {}
    for name, texts in docstrings().items():
        for number in set().union(*map(series.numbers, texts)):
            found.setdefault(number, []).append(name)
    return found


HEAD = """\
# Statements

What NET_ALIAS did, without its bugs, and what today's kernel asks for, in ninety statements, each
with the tests that hold it. After them eighteen statements about the addresses of a device, after
the `iface` command and iface-alias of user-ppp, nineteen about links and how they change hands,
after its multilink server, seven about virtual interfaces, after VIF, and eight about what a
device tells others, after btpand and ifwatchd.

The engine of Linux 2.0 (`netalias emulate`) holds S1 to S82. On the real kernel S38 to S40 (aliases
go with a main device that goes down) wait for a watcher.
"""


def table() -> Iterator[str]:
    """The statements and their tests as Markdown, docs/statements.md."""
    yield HEAD
    for series in SERIES:
        found, texts = held(series), series.texts()
        for title, stated in series.titles.items():
            yield f"\n## {title}\n\n| | what is held | tests |\n|---|---|---|\n"
            for number in stated:
                names = ", ".join(f"`{name}`" for name in found.get(number, []))
                holder = names or f"later: {series.later.get(number, 'nobody')}"
                yield f"| {series.mark}{number} | {texts[number]} | {holder} |\n"


def test_the_page_is_what_the_tests_say() -> None:
    """docs/statements.md is what this program prints."""
    page = TESTS.parent / "docs" / "statements.md"
    assert page.read_text(encoding="utf-8") == "".join(table())


@pytest.mark.parametrize("series", SERIES, ids=str)
def test_every_statement_is_held(series: Series) -> None:
    """A statement that no test names, and no later work owns, is a promise without a proof."""
    missing = series.statements - set(held(series)) - set(series.later)
    assert not missing, ", ".join(f"{series.mark}{number}" for number in sorted(missing))


@pytest.mark.parametrize("series", SERIES, ids=str)
def test_only_statements_are_named(series: Series) -> None:
    """A number over the last one is a mistake in a docstring."""
    wrong = {key: names for key, names in held(series).items() if key not in series.statements}
    assert not wrong


@pytest.mark.parametrize("series", SERIES, ids=str)
def test_what_is_held_is_no_longer_put_off(series: Series) -> None:
    """Once a test names a statement, it leaves the list of what comes later."""
    assert not set(series.later) & set(held(series))


def test_numbers_are_read_in_every_form() -> None:
    """Single ones, lists and ranges, and nothing that only looks so."""
    numbers = ALIASES.numbers
    assert numbers("S1, S5-8 and S73-S75: so") == {1, 5, 6, 7, 8, 73, 74, 75}
    assert numbers("S30 S31, RFS2, IPS9x, S100") == {30, 31}
    assert numbers("S5 to S7") == {5, 6, 7}
    assert IFACE.numbers("A-1, A-5-8, A-10 to A-12, RA-2, A-100") == {1, 5, 6, 7, 8, 10, 11, 12}


if __name__ == "__main__":
    sys.stdout.write("".join(table()))
