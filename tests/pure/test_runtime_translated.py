"""The record of what data planes of ours translate: one writes it, several follow it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from netalias.errors import StateError
from netalias.model import AF_INET, AF_INET6
from netalias.runtime.translated import SPARE, Reader, Record, Translated

COOKIE = 7
SIZES = {AF_INET: 4, AF_INET6: 16}
FAMILIES = tuple(SIZES)


def packed(family: int, number: int) -> bytes:
    return (0x0A000000 + number).to_bytes(SIZES[family], "big")


def wish(*old: int, new: int | None = 0, family: int = AF_INET, deny: bool = False) -> Translated:
    """These old addresses leave as the new one."""
    found = Translated()
    found.deny = deny
    address = None if new is None else packed(family, new)
    found.families[family] = address, frozenset(packed(family, one) for one in old)
    return found


def read(folder: Path, cookie: int = COOKIE) -> dict[str, Translated]:
    """The record as one reads it who begins now."""
    reader = Reader(str(folder), cookie)
    reader.load()
    reader.close()
    return reader.devices


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    found = Record(str(tmp_path), COOKIE)
    yield found
    found.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    found = Reader(str(tmp_path), COOKIE)
    yield found
    found.close()


def changed(dice: random.Random, devices: dict[str, Translated]) -> dict[str, Translated]:
    """Another record: mostly an address or two of one device are others."""
    found = {name: one.copy() for name, one in devices.items()}
    name = dice.choice(["vif0", "link0"])
    if dice.random() < 0.1:
        found.pop(name, None)
        return found
    one = found.setdefault(name, Translated())
    one.deny ^= dice.random() < 0.1
    family = dice.choice(FAMILIES)
    _, old = one.families.get(family, (None, frozenset[bytes]()))
    some = frozenset(packed(family, dice.randrange(1, 30)) for _ in range(dice.randrange(1, 3)))
    old = old - some if len(old) > 3 and dice.random() < 0.5 else old | some
    new = None if dice.random() < 0.1 else packed(family, dice.randrange(30, 40))
    one.families[family] = new, old
    return found


@pytest.mark.parametrize("seed", range(20))
def test_who_follows_it_has_what_is_written(
    seed: int, tmp_path: Path, record: Record, reader: Reader
) -> None:
    """However many changes come between two looks; who begins later finds the same. Writers that
    were killed are followed by others."""
    dice = random.Random(seed)
    devices: dict[str, Translated] = {}
    for _ in range(200):
        devices = changed(dice, devices)
        record.write(devices)
        if dice.random() < 0.02:
            record.close()
            record = Record(str(tmp_path), COOKIE)
            record.write(devices)
        if dice.random() < 0.5:
            reader.load()
            assert reader.devices == devices == read(tmp_path)


def test_a_change_is_as_long_whatever_the_number(tmp_path: Path) -> None:
    """One line, which names what has changed."""
    sizes = []
    for number in (10, 1000):
        (tmp_path / "translated").unlink(missing_ok=True)
        record, old = Record(str(tmp_path), COOKIE), range(2000, 2000 + number)
        record.write({"link0": wish(*old)})
        before = (tmp_path / "translated").stat()
        record.write({"link0": wish(*old[1:], 3000, new=1)})
        after = (tmp_path / "translated").stat()
        record.close()
        assert after.st_ino == before.st_ino
        sizes.append(after.st_size - before.st_size)
    assert sizes[0] == sizes[1]
    assert (tmp_path / "translated").read_text().splitlines()[-1] == (
        "change link0 inet 10.0.0.1 +10.0.11.184 -10.0.7.208"
    )


def test_it_does_not_grow_for_ever(tmp_path: Path, record: Record, reader: Reader) -> None:
    """A shorter one takes its place, and who follows it follows that."""
    most, files = 0, set()
    for number in range(20 * SPARE):
        record.write({"link0": wish(*range(100, 110), new=number % 50)})
        files.add((tmp_path / "translated").stat().st_ino)
        most = max(most, (tmp_path / "translated").stat().st_size)
        files.discard(0)
        reader.load()
        assert reader.devices == read(tmp_path)
    assert most < 40 * (SPARE + 20)
    assert len((tmp_path / "translated").read_text().splitlines()) < SPARE


def test_a_line_without_its_end_counts_for_nothing(
    tmp_path: Path, record: Record, reader: Reader
) -> None:
    """Its writer was killed, or has not come to its end."""
    record.write({"link0": wish(1)})
    file = tmp_path / "translated"
    with file.open("a") as out:
        out.write("change link0 inet 10.0.0.9 +10.0.0")
    reader.load()
    assert reader.devices == read(tmp_path) == {"link0": wish(1)}
    with file.open("a") as out:
        out.write(".2\n")
    reader.load()
    assert reader.devices == read(tmp_path) == {"link0": wish(1, 2, new=9)}


@pytest.mark.parametrize("doing", ["removed", "replaced", "emptied", "extended"])
def test_what_others_do_to_it_is_mended_by_the_next_change(
    doing: str, tmp_path: Path, record: Record, reader: Reader
) -> None:
    """All of it is written again."""
    record.write({"link0": wish(1)})
    reader.load()
    file = tmp_path / "translated"
    if doing in ("removed", "replaced"):
        file.unlink()
    if doing == "replaced":
        file.write_text(f"namespace {COOKIE}\ntranslate link0 10.0.0.9 10.0.0.8\n")
    if doing == "emptied":
        os.truncate(file, 0)
    if doing == "extended":
        with file.open("a") as out:
            out.write("deny link0")
    record.write({"link0": wish(1, 2)})
    reader.load()
    assert reader.devices == read(tmp_path) == {"link0": wish(1, 2)}


def test_a_full_file_system(
    tmp_path: Path, record: Record, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a part of the line; the next try writes all of it anew."""
    record.write({"link0": wish(1)})
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
    with pytest.raises(StateError, match="No space left"):
        record.write({"link0": wish(1, 2)})
    monkeypatch.undo()
    reader.load()
    assert reader.devices == {"link0": wish(1)}
    record.write({"link0": wish(1, 2)})
    reader.load()
    assert reader.devices == read(tmp_path) == {"link0": wish(1, 2)}


def test_nothing_is_read_of_another_namespace(tmp_path: Path, record: Record) -> None:
    """The directory may have belonged to one; without devices there is no file."""
    record.write({"link0": wish(1, deny=True)})
    assert read(tmp_path, COOKIE + 1) == {}
    record.write({})
    assert not (tmp_path / "translated").exists()
    assert read(tmp_path) == {}
