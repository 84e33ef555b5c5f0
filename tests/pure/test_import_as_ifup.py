"""What is imported from random files of interfaces(5) is what the real ifup(8) would make."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interfaces import LOST, Made, Said, Writer, ask, why_no_ifup

from netalias.desired.declarations import parse as declared
from netalias.families import lazy
from netalias.importers import Imported, read
from netalias.model import names

pytestmark = pytest.mark.skipif(bool(why_no_ifup()), reason=why_no_ifup())


class Line:
    """A line of netalias.conf(5)."""

    def __init__(self, text: str) -> None:
        words, _, _ = text.partition("   # ")
        self.name, address, *rest = words.split()
        self.main = self.name.partition(":")[0]
        local, _, length = address.partition("/")
        self.address, self.length = ip_address(local), int(length)
        self.words = dict(zip(rest[::2], rest[1::2], strict=False))
        self.bare = "-broadcast" in rest
        self.deprecated = "deprecated" in rest

    @property
    def broadcast(self) -> str:
        """That which netalias sets on Ethernet, and none on loopback."""
        if self.bare or self.address.version == 6:
            return ""
        if "broadcast" in self.words:
            return self.words["broadcast"]
        if "pointopoint" in self.words or self.main == "lo" or self.length > 30:
            return ""
        return str(IPv4Network((str(self.address), self.length), strict=False).broadcast_address)


class Case:
    """A file, what ifup says of it, and what is imported from it."""

    def __init__(self, folder: Path, text: str) -> None:
        self.path = folder / "interfaces"
        self.path.write_text(text)
        self.text = text
        self.said: Said = ask(self.path, folder)
        self.imported: Imported = read([str(self.path)])
        self.lines = [Line(one) for one in self.imported.lines if not one.startswith("#")]

    def noted(self, *words: str) -> bool:
        """Whether a note has all of these words."""
        return any(all(word in note for word in words) for note in self.imported.notes)

    def noted_at(self, number: int) -> bool:
        """Whether there is a note on this line of the file."""
        return any(note.startswith(f"{self.path}:{number}: ") for note in self.imported.notes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ifup")


@given(seed=st.integers(0, 0xFFFFFFFF))
def test_as_ifup(folder: Path, seed: int) -> None:
    """No alias is lost, no length is wrong, and nothing is silent: each address that ifup would set
    under a label is one line, or a note names it; what it cannot set is a note."""
    case = Case(folder, Writer(seed).file())
    whole = declared([("f", "\n".join(case.imported.lines))], lazy())
    assert whole.errors == []
    if case.said.refused:
        assert case.noted_at(case.said.refused), case.imported.notes
        return
    nothing_is_lost(case)
    nothing_is_added(case)
    nothing_is_silent(case)


def nothing_is_lost(case: Case) -> None:
    """Each address has its line, under its label where that is a name which is free."""
    taken: dict[object, Made] = {}
    called: set[str] = set()
    for made in case.said.made:
        first = taken.setdefault(made.address, made)
        if ":" not in made.label:
            continue
        if first is not made:
            again = (first.label, first.address) == (made.label, made.address)
            assert again or case.noted(f" {made.label}: {made.address}/", "has it"), made
            continue
        (line,) = [one for one in case.lines if one.address == made.address]
        assert (line.main, line.length) == (made.main, made.length), made
        assert line.broadcast == made.broadcast, made
        assert line.deprecated == made.deprecated, made
        assert line.words.get("pointopoint", "") == made.peer, made
        assert line.words.get("metric", "") == made.metric, made
        if names.split(made.label) is None or made.label in called:
            assert case.noted(f" {made.label}: {made.address}/", f"becomes {line.name}"), made
        else:
            assert line.name == made.label, made
        called.add(made.label)


def nothing_is_added(case: Case) -> None:
    """Each line is an address that ifup would set."""
    made = {one.address for one in case.said.made if ":" in one.label}
    for line in case.lines:
        assert line.address in made, line.name


def nothing_is_silent(case: Case) -> None:
    """What has no word in a line, and what ip(8) would refuse, is told."""
    for name in (*case.said.broken, *case.said.missing):
        assert case.noted(name) or ":" not in name, name
    written = {one.rpartition("   # ")[2].split(": ")[0] for one in case.imported.lines}
    head = ""
    for number, line in enumerate(case.text.split("\n"), 1):
        word, *rest = line.split() or [""]
        if word == "iface":
            head = f"{case.path}:{number}" if ":" in rest[0] else ""
        elif line[:1] == " " and word in LOST and head in written:
            assert case.noted_at(number), line
