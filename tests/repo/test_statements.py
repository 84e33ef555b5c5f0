"""Every statement about aliases, S1 to S90, is held by a test that names it in its docstring.

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

TESTS = Path(__file__).parents[1]
STATEMENTS = range(1, 91)

LATER: dict[int, str] = {}
"""Statement: the work that will bring it. To be held by a test as soon as that work is done."""

_NUMBERS = re.compile(r"\bS(\d{1,2})(?:(?:\s?[-\N{EN DASH}]\s?|\s+to\s+)S?(\d{1,2}))?\b")

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
"""What the statements are about."""


def numbers(text: str) -> set[int]:
    """``S1, S5-8 and S73-S75`` -> {1, 5, 6, 7, 8, 73, 74, 75}."""
    found: set[int] = set()
    for match in _NUMBERS.finditer(text):
        first = int(match[1])
        found.update(range(first, int(match[2] or first) + 1))
    return found


def holders(node: ast.AST, place: str, inherited: set[int]) -> Iterator[tuple[str, set[int]]]:
    """Every test below *node*: its name, and the statements of it and of its class."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            own = numbers(ast.get_docstring(child) or "")
            yield from holders(child, f"{place}::{child.name}", inherited | own)
        elif isinstance(child, ast.FunctionDef) and child.name.startswith("test_"):
            text = ast.get_docstring(child) or ""
            yield f"{place}::{child.name}", inherited | numbers(text)


@functools.cache
def held() -> dict[int, list[str]]:
    """Statement: the tests that hold it."""
    found: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        if path == Path(__file__):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        place = str(path.relative_to(TESTS))
        for name, stated in holders(tree, place, numbers(ast.get_docstring(tree) or "")):
            for number in stated:
                found.setdefault(number, []).append(name)
    return found


HEAD = """\
# Statements

What NET_ALIAS did, without its bugs, and what today's kernel asks for, in ninety statements, each
with the tests that hold it.

The engine of Linux 2.0 (`netalias emulate`) holds S1 to S82. On the real kernel S38 to S40 (aliases
go with a main device that goes down) wait for a watcher.
"""


def table() -> Iterator[str]:
    """The statements and their tests as Markdown, docs/statements.md."""
    found = held()
    lines = (Path(__file__).parent / "statements.txt").read_text(encoding="utf-8").splitlines()
    stated_as = {int(number): text for number, _, text in (line.partition(" ") for line in lines)}
    yield HEAD
    for title, stated in TITLES.items():
        yield f"\n## {title}\n\n| | what is held | tests |\n|---|---|---|\n"
        for number in stated:
            names = ", ".join(f"`{name}`" for name in found.get(number, []))
            holder = names or f"later: {LATER.get(number, 'nobody')}"
            yield f"| S{number} | {stated_as[number]} | {holder} |\n"


def test_the_page_is_what_the_tests_say() -> None:
    """docs/statements.md is what this program prints."""
    page = TESTS.parent / "docs" / "statements.md"
    assert page.read_text(encoding="utf-8") == "".join(table())


def test_every_statement_is_held() -> None:
    """A statement that no test names, and no later work owns, is a promise without a proof."""
    missing = set(STATEMENTS) - set(held()) - set(LATER)
    assert not missing, ", ".join(f"S{number}" for number in sorted(missing))


def test_only_statements_are_named() -> None:
    """A number over the last one is a mistake in a docstring."""
    wrong = {number: names for number, names in held().items() if number not in STATEMENTS}
    assert not wrong


def test_what_is_held_is_no_longer_put_off() -> None:
    """Once a test names a statement, it leaves the list of what comes later."""
    assert not set(LATER) & set(held())


def test_numbers_are_read_in_every_form() -> None:
    """Single ones, lists and ranges, and nothing that only looks so."""
    assert numbers("S1, S5-8 and S73-S75: so") == {1, 5, 6, 7, 8, 73, 74, 75}
    assert numbers("S30 S31, RFS2, IPS9x, S100") == {30, 31}
    assert numbers("S5 to S7") == {5, 6, 7}


if __name__ == "__main__":
    sys.stdout.write("".join(table()))
