"""Runs: many lines that are alike are read by columns, with the results of line by line."""

from __future__ import annotations

import random

import pytest

from netalias.desired import blocks, declarations
from netalias.desired.declarations import Declarations
from netalias.families import lazy

TAILS = (" kind label", "", "/32", " kind label # x", " kind macvlan ", "/24 kind label")
BETWEEN = ("", "# a comment", "defaults kind label", "  ", "eth0:1-5 10.9.0.1-5", "x")
WRONG_SLOTS = ("0007", "70000", "-1", "٣", "00000000")


def written(chance: random.Random) -> str:
    """A file with stretches of lines that are alike, some with a fault in the middle."""
    lines: list[str] = []
    for _ in range(chance.randint(1, 40)):
        main, tail = chance.choice(["eth0", "eth1", "e:x"]), chance.choice(TAILS)
        first, inet6 = chance.randint(0, 400), chance.random() < 0.2
        for number in range(first, first + chance.choice([1, 1, 9, 20, 30])):
            address = f"2001:db8::{number:x}" if inet6 else f"10.0.{number >> 8}.{number & 255}"
            address = address if chance.random() > 0.005 else "x"
            slot = str(number) if chance.random() > 0.005 else chance.choice(WRONG_SLOTS)
            blank = " " if chance.random() > 0.003 else "  "
            lines.append(f"{main}:{slot}{blank}{address}{tail}")
        if chance.random() < 0.3:
            lines.append(chance.choice(BETWEEN))
    return "\n".join(lines)


def contents(declared: Declarations) -> object:
    """All that the declarations say, line by line."""
    found = [
        (one.place, list(one.slots), list(one.addresses), *map(text_of, wishes_of(one)))
        for one in declared.blocks
    ]
    return found, declared.errors, declared.wrong, len(declared)


def wishes_of(block: blocks.Block) -> list[object]:
    """Every slot of the wish of a block."""
    return [getattr(block.wish, slot) for slot in block.wish.__slots__]


def text_of(value: object) -> str:
    """A text that is equal for equal values; a type of addresses is known by its name."""
    return str(getattr(value, "name", value))


def parsed(text: str, most: int) -> Declarations:
    """The declarations of one file."""
    return declarations.parse([("file", text)], lazy(), most=most)


def test_runs_declare_what_their_lines_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases, places, errors and limits are equal to those of a reader without runs."""
    texts = [(written(random.Random(seed)), 100 if seed % 3 else 200_000) for seed in range(40)]
    found = [parsed(*one) for one in texts]
    assert sum(isinstance(item, blocks.Run) for one in found for item in one.items) > 50
    monkeypatch.setattr(declarations, "LEAST", 10**9)
    for (text, most), quick in zip(texts, found, strict=True):
        slow = parsed(text, most)
        assert not any(isinstance(item, blocks.Run) for item in slow.items)
        assert contents(quick) == contents(slow)


def test_a_run_names_the_line_of_an_alias_declared_twice() -> None:
    """The first declaration of a slot, and of an address, may stand within a run."""
    lines = [f"eth0:{number} 10.0.0.{number + 1}" for number in range(30)]
    declared = parsed("\n".join([*lines, "eth0:17 10.1.0.1", "eth1:0 10.0.0.21"]), 100)
    assert [text.split(": ", 1)[1] for text in declared.errors] == [
        "eth0:17 is already declared at file:18",
        "10.0.0.21 is already declared at file:21 (eth0:20)",
    ]


def test_thousands_of_lines_are_a_handful_of_items() -> None:
    """No object for each line, where nobody asks for it."""
    lines = "".join(f"eth0:{n} 10.0.{n >> 8}.{n & 255} kind label\n" for n in range(1, 10_001))
    declared = parsed(lines, 20_000)
    assert len(declared) == 10_000
    assert len(declared.items) < 20
