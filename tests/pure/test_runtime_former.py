"""Former devices of aliases: the file, and what a reconciliation makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from netalias.desired import declarations
from netalias.engine import Engine, Setup
from netalias.engine.reconcile import Rules, look, reconcile
from netalias.kernel.memory import Memory
from netalias.model import Device
from netalias.runtime import SIZE_MAX
from netalias.runtime.former import FILE, MOST, FormerDevices
from netalias.runtime.private import PrivateDirectory

MAC = bytes.fromhex("02000000000a")
TEXT = "namespace 7\neth0:0 4 02000000000a\n"


def device(index: int, mac: bytes = MAC) -> Device:
    return Device(index, "eth0_0", mac=mac)


def test_what_is_noted_is_found_by_the_next_run(tmp_path: Path) -> None:
    """The last values count."""
    former = FormerDevices(str(tmp_path), 7)
    former.note("eth0:0", device(3))
    former.note("eth0:0", device(4))
    former.save()
    assert (tmp_path / FILE[1:]).read_text(encoding="ascii") == TEXT
    found = FormerDevices(str(tmp_path), 7)
    assert (found.find("eth0:0"), found.find("eth0:1")) == ((4, MAC), None)


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    """Nor does a copy for a dry run."""
    path = tmp_path / FILE[1:]
    path.write_text(TEXT, encoding="ascii")
    before = path.stat()
    former = FormerDevices(str(tmp_path), 7)
    former.note("eth0:0", device(4))
    former.save()
    other = former.in_memory()
    other.note("eth0:0", device(5))
    other.save()
    assert (path.stat().st_ino, former.find("eth0:0")) == (before.st_ino, (4, MAC))


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("7", "8"),
        TEXT.replace("7", "77"),
        TEXT.replace(" 4 ", " x "),
        TEXT.replace(" 4 ", " 0 "),
        TEXT.replace(" 4 ", " -4 "),
        TEXT.replace("0a", ""),
        TEXT.replace("0a", "0g"),
        TEXT.replace("0a", "0a 5"),
        "eth0:0 4 02000000000a\n",
        "\xff",
        "",
    ],
)
def test_what_is_not_certain_is_not_used(tmp_path: Path, text: str) -> None:
    """The file of another namespace, and malformed lines."""
    (tmp_path / FILE[1:]).write_text(text, encoding="latin-1")
    assert FormerDevices(str(tmp_path), 7).find("eth0:0") is None


def test_the_file_can_be_read_in_one_piece(tmp_path: Path) -> None:
    """Of too many devices it has the newest; the longest names fit."""
    former = FormerDevices(str(tmp_path), 7)
    for slot in range(MOST + 1):
        former.note(f"{'e' * 15}:{slot}", device(0x7FFFFFFF))
    former.save()
    assert (tmp_path / FILE[1:]).stat().st_size < SIZE_MAX
    found = FormerDevices(str(tmp_path), 7)
    known = [found.find(f"{'e' * 15}:{slot}") is not None for slot in (0, 1, MOST)]
    assert known == [False, True, True]


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """A device with another index is better than none."""
    former = FormerDevices(str(tmp_path / "missing"), 7)
    former.note("eth0:0", device(4))
    former.save()
    assert former.find("eth0:0") == (4, MAC)


def run(kernel: Memory, folder: Path, text: str) -> dict[str, tuple[int, bytes]]:
    """A reconciliation by a process of its own; index and MAC of the devices afterwards."""
    engine = Engine(Setup(kernel, runtime=PrivateDirectory(str(folder))))
    declared = declarations.parse([("t.conf", text)], engine.registry)
    assert declared.errors == []
    with engine.transaction():
        assert reconcile(engine, declared, Rules()).status == 0
    found = (alias.device for alias in engine.show())
    return {one.name: (one.index, one.mac) for one in found if one is not None}


@pytest.mark.parametrize("count", [3, 200])
@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "dummy"])
def test_a_lost_device_comes_back_as_it_was(tmp_path: Path, kind: str, count: int) -> None:
    """With its index and its MAC, though other devices came meanwhile."""
    kernel = Memory()
    kernel.add_device("eth0", up=True)
    text = f"eth0:1-{count} 10.0.0.1/32+ kind {kind}\n"
    before = run(kernel, tmp_path, text)
    for name in ("eth0_1", "eth0_3"):
        kernel.remove_device(name)
    kernel.add_device("eth1")
    assert run(kernel, tmp_path, text) == before


def test_a_comparison_before_the_first_change(tmp_path: Path) -> None:
    """The runtime directory is made with the first lock, and is used from then on."""

    class Made(PrivateDirectory):
        def acquire(self, cookie: int = 0) -> None:
            self.path = str(tmp_path)

    kernel = Memory()
    kernel.add_device("eth0", up=True)
    engine = Engine(Setup(kernel, runtime=Made()))
    declared = declarations.parse([("t.conf", "eth0:0 10.0.0.1/32\n")], engine.registry)
    look(engine, declared, Rules())
    with engine.transaction():
        reconcile(engine, declared, Rules())
    assert (tmp_path / FILE[1:]).exists()


def test_aliases_of_other_commands_are_noted_too(tmp_path: Path) -> None:
    """By the first reconciliation that sees them, though it has nothing to do."""
    kernel = Memory()
    kernel.add_device("eth0", up=True)
    Engine(Setup(kernel)).create("eth0:0", "10.0.0.1", "kind", "macvlan")
    text = "eth0:0 10.0.0.1/32 kind macvlan\n"
    before = run(kernel, tmp_path, text)
    kernel.remove_device("eth0_0")
    kernel.add_device("eth1")
    assert run(kernel, tmp_path, text) == before


def test_a_declared_mac_counts_more(tmp_path: Path) -> None:
    """The index comes back all the same."""
    kernel = Memory()
    kernel.add_device("eth0", up=True)
    before = run(kernel, tmp_path, "eth0:0 10.0.0.1/32 kind macvlan\n")
    kernel.remove_device("eth0_0")
    text = "eth0:0 10.0.0.1/32 kind macvlan hw ether 02:00:00:00:00:0a\n"
    assert run(kernel, tmp_path, text) == {"eth0_0": (before["eth0_0"][0], MAC)}


def test_no_more_are_held_than_are_written() -> None:
    """The oldest are forgotten: a watcher meets ever new names."""
    former = FormerDevices()
    for index in range(1, MOST + 101):
        former.note(f"eth0:{index}", device(index))
    assert len(former._known) == MOST
    assert former.find("eth0:100") is None
    assert former.find("eth0:101") == (101, MAC)
