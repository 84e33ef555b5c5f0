"""Bounds of the importer of interfaces(5): files that include each other, and what they inherit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netalias import errors
from netalias.importers import files as content
from netalias.importers import ifupdown
from netalias.importers.ifupdown import definitions, files
from netalias.importers.ifupdown.syntax import Stanza, parse


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the files whose text was parsed, in order; empty texts do not count."""
    seen: list[str] = []

    def counting(text: str, name: str) -> list[Stanza]:
        if text:
            seen.append(name)
        assert len(seen) < 5000, "it does not come to an end"
        return parse(text, name)

    monkeypatch.setattr(files, "parse", counting)
    return seen


def read(file: Path) -> tuple[list[str], list[str]]:
    """Labels and notes."""
    found, notes = ifupdown.read(str(file))
    return [one.label for one in found], notes


def test_one_file_by_many_paths(tmp_path: Path, parsed: list[str]) -> None:
    """Links to the folder itself give each file a path of every length: each is read once."""
    for name in ("l", "m"):
        (tmp_path / name).symlink_to(".")
    for number in range(12):
        (tmp_path / f"f{number:02}").write_text(
            f"source l/* m/*\nauto lo:{number}\niface lo:{number} inet static\n"
            f" address 192.0.2.{number + 1}/32\n"
        )
    labels, _ = read(tmp_path / "f00")
    assert sorted(labels) == sorted(f"lo:{number}" for number in range(12))
    assert len(parsed) == 12


def test_hard_links_are_one_file(tmp_path: Path, parsed: list[str]) -> None:
    """And one that is replaced meanwhile by another is another one."""
    (tmp_path / "a").write_text("source b c\niface lo:1 inet static\n address 192.0.2.1/32\n")
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").write_text("iface lo:2 inet static\n address 192.0.2.2/32\n")
    labels, _ = read(tmp_path / "a")
    assert sorted(set(labels)) == ["lo:1", "lo:2"]
    assert [os.path.basename(name) for name in parsed] == ["a", "c"]


def test_a_chain_of_files(tmp_path: Path, parsed: list[str]) -> None:
    """It ends with a note; a thousand of them would be too many for the interpreter."""
    for number in range(1200):
        (tmp_path / f"{number}").write_text(f"source {number + 1}\n")
    _, notes = read(tmp_path / "0")
    assert len(parsed) == files.DEPTH
    assert notes == [f"{tmp_path}/31:1: {tmp_path}/32: more than 32 files that include each other"]


def test_many_files(tmp_path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number is bounded, and so is that of the paths that a pattern matches."""
    monkeypatch.setattr(content, "FILES", 20)
    monkeypatch.setattr(files, "MATCHES", 30)
    folder = tmp_path / "d"
    folder.mkdir()
    for number in range(50):
        (folder / f"{number:02}").write_text("auto lo\n")
    (tmp_path / "main").write_text("source d/*\n")
    _, notes = read(tmp_path / "main")
    assert len(parsed) == 20
    assert notes[0] == f"{tmp_path}/main:1: d/*: it matches more than 30 files"
    assert len(notes) == 1 + 30 - 19
    assert all(note.endswith(": more than 20 files") for note in notes[1:])


def test_much_text(tmp_path: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left by the files before is the bound of the next."""
    monkeypatch.setattr(content, "SIZE_MAX", 1 << 20)
    for name in "abc":
        (tmp_path / name).write_text("#" * (400 << 10))
    (tmp_path / "main").write_text("source a b c\n")
    _, notes = read(tmp_path / "main")
    assert notes == [f"{tmp_path}/main:1: {tmp_path}/c: all files together are longer than 1 MiB"]
    (tmp_path / "main").write_text("#" * (2 << 20))
    with pytest.raises(errors.StateError, match="all files together are longer than 1 MiB"):
        read(tmp_path / "main")


def test_inherited_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each definition of a chain has the options of all before it: together they are bounded."""
    monkeypatch.setattr(definitions, "INHERITED", 100)
    text = "iface lo:0 inet static\n address 192.0.2.1/32\n"
    text += "".join(
        f"iface lo:{number} inet static inherits lo:{number - 1}\n mtu {number}\n"
        for number in range(1, 30)
    )
    _, notes = ifupdown.convert(parse(text, "f"))
    over = [note for note in notes if "more than 100 options in all" in note]
    assert over
    found, _ = definitions.define(parse(text, "f"), lambda place, text: None)
    assert sum(len(one.options) for one in found) <= 100 + 2 * 30


def test_the_first_definition_is_the_template() -> None:
    """Of a name, and of the family that is said."""
    text = (
        "iface t inet static\n address 192.0.2.1/32\n"
        "iface t inet6 static\n address 2001:db8::1/128\n"
        "iface t inet static\n address 192.0.2.9/32\n"
        "iface lo:1 inet inherits t\niface lo:2 inet6 inherits t\niface lo:3 inherits t\n"
    )
    found, _ = definitions.define(parse(text, "f"), lambda place, text: None)
    values = {one.name: one.values["address"] for one in found if one.name != "t"}
    assert values == {
        "lo:1": "192.0.2.1/32", "lo:2": "2001:db8::1/128", "lo:3": "192.0.2.1/32"
    }  # fmt: skip


def test_addresses_of_all_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name that is brought up has all definitions of what it stands for."""
    monkeypatch.setattr(ifupdown, "MOST", 1000)
    text = "auto " + " ".join(f"lo:{number}=t" for number in range(100)) + "\n"
    text += "iface t inet static\n address 192.0.2.1/32\n" * 100
    with pytest.raises(errors.LimitError, match="more than 1000 addresses"):
        ifupdown.convert(parse(text, "f"))


def test_a_line_that_goes_on() -> None:
    """A backslash joins any number of lines, also the last one, and what looks like a comment."""
    (stanza,) = parse("auto \\\n" + "lo\\\n" * 100_000 + "#x\n", "f")
    assert stanza.words == ["lo" * 100_000 + "#x"]
    (stanza,) = parse("auto a\\", "f")
    assert stanza.words == ["a"]
