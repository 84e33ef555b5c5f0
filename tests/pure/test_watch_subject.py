"""What a watcher knows of a device whose addresses are kept, told apart step by step."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from select import POLLIN
from socket import inet_aton
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from kept import Kept
from shortened import quarter
from watched import state_of

from netalias.kernel.memory import Memory
from netalias.model import AF_INET, Address, Device
from netalias.model.events import Entry, address_key, apply
from netalias.plan.keeping import copy_of
from netalias.runtime import kept as record
from netalias.runtime import links, translated
from netalias.tunnels.translating import Translating
from netalias.watch.addresses import Addresses

COUNT = 200
PAYLOAD = struct.pack(">HHHH", 4009, 4010, 9, 0) + b"x"
QUIET = ("fspath", "fsencode", "fsdecode", "getpid", "geteuid", "inet_pton", "inet_ntop")
"""Functions of C that are not counted: they ask the kernel for nothing that takes time."""
LINE = f"eth0 iface-alias kernel keep 1000 max {2 * COUNT}"
Key = tuple[Any, ...]
TraceFunction = Callable[[FrameType, str, object], object]


def entry(dice: random.Random, device: Device) -> Entry:
    """A copy, or an address of somebody else; a copy of version 0.4 has no peer."""
    local = inet_aton(f"10.0.0.{dice.randrange(1, 5)}")
    found = copy_of(AF_INET, local, device.index, 100, device.name)
    if dice.random() < 0.3:
        found = found.copy(peer=b"")
    if dice.random() < 0.4:
        found = Address(device.index, AF_INET, local, 24)
    return Entry(found, dice.randrange(100))


@pytest.mark.parametrize("seed", quarter(range(20)))
def test_it_is_as_if_all_were_looked_at_anew(seed: int) -> None:
    """Whatever comes, goes or is replaced, one address twice with other peers too."""
    dice = random.Random(seed)
    kernel = Memory()
    devices = [kernel.add_device(name, up=True) for name in ("eth0", "eth1")]
    state = state_of(kernel.snapshot())
    known = Addresses(state)
    known.read()
    there: set[Key] = set()
    for _ in range(60):
        device = dice.choice(devices)
        one = entry(dice, device)
        key = address_key(one.address)
        if dice.random() < 0.5:
            there.add(key)
        elif there:
            key = dice.choice(sorted(there))
            there.discard(key)
        for event in apply(state, key, one if key in there else None):
            known.note(event.key)
        anew = Addresses(state)
        anew.read()
        for index in (one.index for one in devices):
            assert sorted(map(id, known.others(index))) == sorted(map(id, anew.others(index)))
            assert {*known.copies(index)} == {*anew.copies(index)}
            for last in range(1, 5):
                address = AF_INET, inet_aton(f"10.0.0.{last}")
                copies = known.copy(index, address), anew.copy(index, address)
                assert (copies[0] is None) == (copies[1] is None)
                assert known.elsewhere(index, address) == anew.elsewhere(index, address)


def test_a_change_costs_as_much_beside_few_as_beside_many(tmp_path: Path) -> None:
    """Lines of Python are counted, those of the kernel in memory not."""
    counts = []
    for number in (10, COUNT):
        folder = tmp_path / str(number)
        folder.mkdir()
        kept = keeping_many(folder, LINE, number)
        kept.negotiate("10.1.1.1/16", "10.1.1.2/16")
        kept.remove("10.1.1.2/16")
        kept.add("10.1.1.3/16")
        kept.hear()
        counts.append(lines(lambda kept=kept: kept.keeper.act(kept.now)))  # type: ignore[misc]
        assert len(kept.copies) == number + 1
    assert counts[0] > COUNT
    assert abs(counts[1] - counts[0]) < COUNT / 4


@pytest.mark.parametrize("number", [10, COUNT])
def test_a_data_plane_is_told_before_anything_else(tmp_path: Path, number: int) -> None:
    """By a look whether the record is still there, and one line behind the others: without the
    lock, and before anything is asked of the kernel. It looks and reads on, and that is all."""
    links.write(str(tmp_path), links.Served("eth0", "tun", []))
    line = LINE.replace("kernel", "user")
    kept = keeping_many(tmp_path, line, number)
    kept.negotiate("10.1.1.1/16", "10.1.1.2/16")
    relay = Carrying()
    plane = Translating(relay, kept.folder, kept.kernel.cookie())
    kept.remove("10.1.1.2/16")
    kept.add("10.1.1.3/16")
    kept.hear()
    kept.kernel.sent = 0
    with kept.engine.transaction():
        assert calls(lambda: kept.keeper.ahead(kept.now)) == ["lstat", "write"]
    assert kept.kernel.sent == 0
    (fileno,) = plane.wanted(kept.now)
    assert calls(lambda: plane.ready(fileno, POLLIN, kept.now)) == ["read", "lstat", "read"]
    packet = memoryview(bytearray(datagram("10.1.1.2")))
    assert relay.outgoing[0](packet, len(packet), False) == 0
    assert packet[12:16] == inet_aton("10.1.1.3")
    # Nothing is left to tell when the rest is done.
    before = (tmp_path / "translated").stat()
    kept.rest()
    assert (tmp_path / "translated").stat() == before
    assert "10.1.1.2" in kept.copies


class Carrying:
    """The relay of a data plane of eth0."""

    def __init__(self) -> None:
        self.tun = SimpleNamespace(name="eth0")
        self.outgoing: list[Any] = []
        self.incoming: list[Any] = []

    def give(self, packet: memoryview) -> None:
        """Nothing comes from a filter here."""


def datagram(source: str) -> bytes:
    """A packet of UDP to 192.0.2.1."""
    addresses = inet_aton(source) + inet_aton("192.0.2.1")
    return struct.pack(">BBHHHBBH", 0x45, 0, 29, 1, 0, 64, 17, 0) + addresses + PAYLOAD


def calls(work: Callable[[], object]) -> list[str]:
    """The calls of the operating system that *work* makes, by the names that Python has for
    them; those for what this process is are none."""
    found = []

    def note(frame: FrameType, event: str, what: Any) -> None:
        if event == "c_call" and getattr(what, "__module__", "") in ("posix", "fcntl", "_socket"):
            found.append(what.__name__)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return [name for name in found if name not in QUIET]


def keeping_many(folder: Path, line: str, number: int) -> Kept:
    """All but one of so many addresses of eth0 are former ones, beside 10.1.1.1."""
    kept = Kept(str(folder), line)
    for last in range(1, number):
        kept.add(f"10.1.0.{last}/16")
    kept.rest()
    for last in range(1, number):
        kept.remove(f"10.1.0.{last}/16")
    kept.add("10.1.1.1/16")
    kept.rest()
    return kept


def lines(work: Callable[[], object]) -> int:
    """How many lines of the product outside its kernels *work* takes, each time that they run."""
    found = 0

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        nonlocal found
        path = frame.f_code.co_filename
        if "/netalias/" not in path or "/kernel/" in path or "/tests/" in path:
            return None
        found += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return found


def test_a_copy_that_lasts_longer_than_the_line_says(tmp_path: Path) -> None:
    """Nothing is known of it but its lifetime: others end in their own time, and for good."""
    kept = Kept(str(tmp_path), "eth0 iface-alias kernel keep 3600 max 3")
    kept.add("10.0.0.1/24")
    kept.add("10.0.0.2/24")
    kept.rest()
    kept.remove("10.0.0.1/24")
    kept.rest()
    (tmp_path / "kept").unlink()
    kept.text = "eth0 iface-alias kernel keep 20 max 3"
    kept.begin()
    kept.negotiate("10.0.0.2/24", "10.0.0.3/24")
    kept.rest()
    assert kept.copies == ["10.0.0.1", "10.0.0.2"]
    kept.pass_time(21)
    assert kept.copies == ["10.0.0.1"]


def test_each_line_of_the_record_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change beside hundreds of kept addresses makes those of what has changed."""
    kept = keeping_many(tmp_path, LINE, COUNT)
    made, text = [], record.address_text

    def counted(family: int, local: bytes) -> str:
        made.append(local)
        return text(family, local)

    monkeypatch.setattr(record, "address_text", counted)
    kept.negotiate("10.1.1.1/16", "10.1.1.2/16")
    (found,) = record.read(kept.folder, kept.kernel.cookie()).values()
    assert len(found.former) == COUNT
    assert len(made) < COUNT + 20  # reading it makes them as well


def test_each_address_of_what_a_data_plane_translates_is_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who writes it and by who reads it; another one who reads it finds the same."""
    old = frozenset(bytes((10, 0, last, 1)) for last in range(COUNT))
    made: list[object] = []
    for name in ("address_text", "inet_pton"):
        call = getattr(translated, name)
        monkeypatch.setattr(
            translated, name, lambda *words, call=call: made.append(words) or call(*words)
        )
    folder = str(tmp_path)
    record, reader = translated.Record(folder, 1), translated.Reader(folder, 1)
    for come, gone in (((), ()), (("10.1.0.1",), ("10.0.0.1",)), (("10.1.0.2",), ("10.0.9.1",))):
        made.clear()
        old = (old | {*map(inet_aton, come)}) - {*map(inet_aton, gone)}
        wish = translated.Translated()
        wish.families[AF_INET] = inet_aton("10.9.9.9"), old
        record.write({"link0": wish})
        assert reader.load() == (not come)
        assert reader.devices == {"link0": wish}
        assert not come or len(made) < 8
        assert read(folder) == {"link0": wish}


def read(folder: str) -> dict[str, translated.Translated]:
    """The record as one reads it who begins now."""
    reader = translated.Reader(folder, 1)
    reader.load()
    reader.close()
    return reader.devices
