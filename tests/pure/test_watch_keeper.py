"""Former addresses of a device, kept by a watcher: over the kernel in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kept import LINE, Kept

from netalias import desired
from netalias.engine.iface import carry_out
from netalias.model import AF_INET, AF_INET6, PROTOCOL, address_text
from netalias.model.events import State
from netalias.model.iface import MANUAL
from netalias.model.renames import RenameLink
from netalias.model.steps import AddAltname
from netalias.plan import iface
from netalias.plan.keeping import copy_of
from netalias.runtime import asked
from netalias.runtime.kept import read


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """eth0 has 10.0.0.1/24."""
    found = Kept(str(tmp_path))
    found.add("10.0.0.1/24")
    found.rest()
    return found


def test_nothing_is_kept_while_nothing_goes(kept: Kept) -> None:
    """No table, no socket, no address; promote_secondaries is 1 as long as the line is there."""
    assert (kept.copies, kept.translated, kept.tables.closed) == ([], [], True)
    assert kept.kernel.setting("eth0", "promote_secondaries") == 1
    assert kept.kernel.setting("eth1", "promote_secondaries") == 0
    kept.load("")
    assert kept.kernel.setting("eth0", "promote_secondaries") == 0
    assert read(kept.folder, kept.kernel.cookie()) == {}


def test_what_is_carried_out_is_recorded(kept: Kept) -> None:
    """Each line as a whole; other limits of it too, with which nothing else changes."""
    file = Path(kept.folder) / "tasks"
    assert file.read_text() == f"{LINE}\n"
    kept.load("eth0 iface-alias kernel")
    assert file.read_text() == "eth0 iface-alias kernel keep 3600 max 8\n"
    kept.load("eth0 iface-alias off")
    assert not file.exists()


def test_three_negotiations_and_back(kept: Kept) -> None:
    """Each former address is kept and leaves as the newest; one that returns is kept no more."""
    kept.remove("10.0.0.1/24")
    kept.rest()
    assert (kept.copies, kept.translated) == (["10.0.0.1"], ["eth0: 10.0.0.1 -> nothing"])
    kept.add("10.0.0.2/24")
    kept.rest()
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2"]
    kept.negotiate("10.0.0.2/24", "10.0.0.3/24")
    assert kept.copies == ["10.0.0.1", "10.0.0.2"]
    assert kept.translated == ["eth0: 10.0.0.1 10.0.0.2 -> 10.0.0.3"]
    kept.negotiate("10.0.0.3/24", "10.0.0.1/24")
    assert kept.copies == ["10.0.0.2", "10.0.0.3"]
    assert kept.translated == ["eth0: 10.0.0.2 10.0.0.3 -> 10.0.0.1"]
    assert kept.others == ["10.0.0.1/24"]
    assert "eth0: 10.0.0.1 is kept" in kept.journal.getvalue()
    assert "eth0: 10.0.0.1 is back" in kept.journal.getvalue()


def test_a_copy_that_comes_wakes_nobody(kept: Kept) -> None:
    """It is there as it was decided; one that is taken away comes back, as before."""
    for text, family in (("10.0.0.1/24", AF_INET), ("2001:db8::1/64", AF_INET6)):
        if family == AF_INET6:
            kept.add(text)
            kept.rest()
        kept.remove(text)
        kept.hear()
        kept.keeper.act(kept.now)
        kept.hear()
        assert kept.keeper.due(kept.now) != 0.0
    assert kept.copies == ["10.0.0.1", "2001:db8::1"]
    index = kept.kernel.device("eth0").index
    (copy,) = (one for one in kept.kernel.snapshot().on(index) if one.protocol == PROTOCOL)
    kept.remove(copy)  # type: ignore[arg-type]
    kept.hear()
    assert kept.keeper.due(kept.now) == 0.0
    kept.rest()
    assert kept.copies == ["10.0.0.1", "2001:db8::1"]


def test_both_at_once(kept: Kept) -> None:
    """The new address comes before the old one goes, or between two looks."""
    kept.add("10.0.0.2/24")
    kept.rest()
    assert kept.translated == []
    kept.remove("10.0.0.1/24")
    kept.rest()
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2"]
    kept.remove("10.0.0.2/24")
    kept.add("10.0.0.3/24")
    kept.rest()
    assert kept.translated == ["eth0: 10.0.0.1 10.0.0.2 -> 10.0.0.3"]


def test_one_that_came_and_went_unseen_by_a_reading(kept: Kept) -> None:
    """The events of it are enough."""
    kept.add("10.0.0.9/24")
    kept.hear()
    kept.remove("10.0.0.9/24")
    kept.rest()
    assert kept.copies == ["10.0.0.9"]


def test_the_oldest_goes_first(kept: Kept) -> None:
    """Of more than ``max`` of a family."""
    for last in range(1, 6):
        kept.negotiate(f"10.0.0.{last}/24", f"10.0.0.{last + 1}/24")
        kept.pass_time(2)
    assert kept.copies == ["10.0.0.3", "10.0.0.4", "10.0.0.5"]
    kept.load("eth0 iface-alias kernel keep 100 max 1")
    assert kept.copies == ["10.0.0.5"]
    assert kept.translated == ["eth0: 10.0.0.5 -> 10.0.0.6"]


def test_it_ends_in_time(kept: Kept) -> None:
    """By the kernel; the table follows, and goes with its last address. Other limits count from
    the beginning."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    kept.pass_time(50)
    kept.negotiate("10.0.0.2/24", "10.0.0.3/24")
    kept.pass_time(51)
    assert kept.copies == ["10.0.0.2"]
    assert kept.translated == ["eth0: 10.0.0.2 -> 10.0.0.3"]
    kept.load("eth0 iface-alias kernel keep 200 max 3")
    kept.pass_time(148)
    assert kept.copies == ["10.0.0.2"]
    kept.pass_time(3)
    assert (kept.copies, kept.tables.tables) == ([], {})


def test_who_flushes_the_device_ends_nothing(kept: Kept) -> None:
    """As scripts of DHCP clients do: the copy comes back with what is left of its time."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    kept.pass_time(60)
    kept.remove("10.0.0.2/24")
    for entry in kept.kernel.snapshot().on(kept.kernel.device("eth0").index):
        kept.kernel.remove_address("eth0", entry)
    kept.rest()
    assert kept.copies == ["10.0.0.1", "10.0.0.2"]
    kept.pass_time(41)
    assert kept.copies == ["10.0.0.2"]


def test_a_device_that_vanishes_and_returns(kept: Kept) -> None:
    """With another index, or under its alternative name: what it had is kept from the time when it
    went."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    kept.kernel.remove_device("eth0")
    kept.rest()
    assert kept.translated == []
    kept.now += 40
    kept.kernel.add_device("eth0", up=True)
    kept.rest()
    assert kept.copies == ["10.0.0.1", "10.0.0.2"]
    kept.add("10.0.0.3/24")
    kept.rest()
    assert kept.translated == ["eth0: 10.0.0.1 10.0.0.2 -> 10.0.0.3"]
    assert kept.kernel.setting("eth0", "promote_secondaries") == 1
    kept.pass_time(61)
    assert kept.copies == []


def test_no_more_are_kept_of_a_device_that_is_away(kept: Kept) -> None:
    """The limit of the line holds from the moment at which it goes, in the record too."""
    kept.load("eth0 iface-alias kernel keep 100 max 1")
    kept.add("10.0.0.2/24")
    kept.rest()
    kept.kernel.remove_device("eth0")
    kept.rest()
    record = read(kept.folder, kept.kernel.cookie())["eth0"]
    assert [address_text(*key) for key in record.former] == ["10.0.0.2"]


def test_a_killed_watcher(kept: Kept) -> None:
    """The next one goes on, has nothing to do where nothing has changed, and keeps what went
    meanwhile."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    sent = kept.kernel.sent
    kept.begin()
    assert kept.kernel.sent == sent
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2"]
    kept.remove("10.0.0.2/24")
    kept.add("10.0.0.3/24")
    kept.begin()
    assert kept.translated == ["eth0: 10.0.0.1 10.0.0.2 -> 10.0.0.3"]
    kept.load("")
    assert (kept.copies, kept.tables.tables, kept.others) == ([], {}, ["10.0.0.3/24"])


def test_a_line_that_went_while_nobody_watched(kept: Kept) -> None:
    """What it made is undone by the next watcher; the record tells it."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    kept.text = ""
    kept.begin()
    assert (kept.copies, kept.tables.tables) == ([], {})
    assert kept.kernel.setting("eth0", "promote_secondaries") == 0


def test_the_record_is_not_needed_for_what_the_kernel_has(kept: Kept) -> None:
    """A runtime directory that was removed."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    (Path(kept.folder) / "kept").unlink()
    kept.begin()
    assert (kept.copies, kept.translated) == (["10.0.0.1"], ["eth0: 10.0.0.1 -> 10.0.0.2"])
    kept.pass_time(101)
    assert kept.copies == []


def test_an_address_that_moves_to_a_bridge_is_not_lost(kept: Kept) -> None:
    """It lives on elsewhere, and what is bound to it with it."""
    kept.remove("10.0.0.1/24")
    kept.add("10.0.0.1/24", "eth1")
    kept.rest()
    assert kept.copies == []


@pytest.mark.parametrize("line", ["eth0:0 10.0.0.7/24 kind label", "eth0:0 10.0.0.7/24 kind shard"])
def test_aliases_are_none_of_it(kept: Kept, line: str) -> None:
    """Neither ours nor those of others: they have an owner of their own."""
    kept.engine.realise(desired.parse(line.split(), kept.engine.registry))
    kept.add("10.0.0.8/24", label="eth0:8")
    kept.add("fe80::8/64", scope=253)
    kept.rest()
    kept.remove("10.0.0.8/24")
    kept.remove("fe80::8/64")
    kept.rest()
    assert kept.translated == []


def test_the_device_of_an_alias_keeps_its_own_address(kept: Kept) -> None:
    """A copy on it is not taken for the address of the alias, whichever comes first."""
    kept.engine.realise(desired.parse(["eth0:0", "10.0.0.7/24"], kept.engine.registry))
    kept.load("eth0_0 iface-alias kernel")
    kept.add("10.7.0.1/24", "eth0_0")
    kept.rest()
    kept.remove("10.7.0.1/24", "eth0_0")
    kept.rest()
    kept.remove("10.0.0.7/24", "eth0_0")
    kept.add("10.0.0.7/24", "eth0_0", protocol=PROTOCOL)
    there = kept.kernel.snapshot().on(kept.kernel.device("eth0_0").index)
    assert [one.peer for one in there if one.family == AF_INET] == [bytes((0, 7, 0, 1)), b""]
    (alias,) = kept.engine.observe().aliases
    assert (alias.name, alias.address, alias.prefixlen) == ("eth0:0", bytes((10, 0, 0, 7)), 24)
    assert alias.whole
    kept.engine.realise(desired.parse(["eth0:0", "10.0.0.7/24"], kept.engine.registry))
    left = kept.kernel.snapshot().on(alias.device.index)
    assert [one.local for one in left] == [one.local for one in there]


@pytest.mark.parametrize("text", ["10.0.0.7/24", "10.7.0.7/32"])
def test_manual_addresses_are_none_of_it(kept: Kept, text: str) -> None:
    """A-11: one that `iface` has added is not kept when it is deleted, and nothing leaves as it,
    even where it came last."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    kept.now += 10
    kept.add(text, protocol=MANUAL)
    kept.rest()
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2"]
    kept.remove(text)
    kept.rest()
    assert kept.copies == ["10.0.0.1"]
    kept.remove("10.0.0.2/24")
    kept.add(text, protocol=MANUAL)
    kept.rest()
    assert kept.translated == ["eth0: 10.0.0.1 10.0.0.2 -> nothing"]


@pytest.mark.parametrize("word", ["delete", "clear"])
def test_iface_ends_the_keeping_of_an_address(kept: Kept, word: str) -> None:
    """A-18: one that is deleted by hand, or cleared with the others, does not come back; the rest
    goes on, and what goes later is kept as before."""
    for last in (1, 2):
        kept.negotiate(f"10.0.0.{last}/24", f"10.0.0.{last + 1}/24")
    assert kept.copies == ["10.0.0.1", "10.0.0.2"]
    local = bytes((10, 0, 0, 1))
    plans = {"delete": lambda table: iface.delete(table, local), "clear": iface.clear}
    with kept.engine.transaction():
        carry_out(kept.engine, "eth0", plans[word])
    left = ["10.0.0.2"] if word == "delete" else []
    assert kept.copies == left
    kept.rest()
    kept.begin()
    assert kept.copies == left
    assert kept.translated == [f"eth0: {one} -> 10.0.0.3" for one in left]
    kept.negotiate("10.0.0.3/24", "10.0.0.4/24")
    assert kept.copies == [*left, "10.0.0.3"]


def test_ipv6(kept: Kept) -> None:
    """A host address without a preferred lifetime; another family, another translation."""
    kept.add("2001:db8::1/64")
    kept.rest()
    kept.remove("2001:db8::1/64")
    kept.add("2001:db8::2/64")
    kept.rest()
    assert kept.copies == ["2001:db8::1"]
    assert kept.translated == ["eth0: 2001:db8::1 -> 2001:db8::2"]


def test_ipv6_copies_stand_in_nobodys_way(kept: Kept) -> None:
    """They are on lo, so the owner of an address can give it to the device again, whatever it did
    before."""
    kept.add("2001:db8::1/64")
    kept.rest()
    kept.kernel.set_device("eth0", up=False)
    kept.rest()
    assert kept.copies == ["2001:db8::1"]
    kept.kernel.set_device("eth0", up=True)
    kept.add("2001:db8::1/64")
    kept.rest()
    assert (kept.copies, kept.translated) == ([], [])
    kept.remove("2001:db8::1/64")
    kept.add("2001:db8::2/64")
    kept.rest()
    (Path(kept.folder) / "kept").unlink()
    kept.begin()
    assert kept.translated == ["eth0: 2001:db8::1 -> 2001:db8::2"]
    kept.load("")
    assert kept.copies == []


@pytest.mark.parametrize("text", ["10.0.0.5/32", "10.0.0.0/32", "10.0.0.5/24"])
def test_ipv4_copies_stand_in_nobodys_way(kept: Kept, text: str) -> None:
    """The owner of an address can give it to the device again beside its copy, a /32 too."""
    kept.add(text)
    kept.rest()
    kept.remove(text)
    kept.rest()
    assert kept.copies == [text[: text.index("/")]]
    kept.add(text)
    kept.rest()
    assert (kept.copies, kept.others) == ([], ["10.0.0.1/24", text])


def test_lo_takes_no_copies_of_others(kept: Kept) -> None:
    """Those of IPv6 on lo are of other devices. One that lo itself loses is not kept: its owner
    could not add it again beside a copy."""
    kept.load(f"lo iface-alias kernel keep 100 max 1\n{LINE}")
    for last in (1, 2):
        kept.add(f"2001:db8::{last}/64")
    kept.add("2001:db8::7/128", "lo")
    kept.rest()
    for last in (1, 2):
        kept.remove(f"2001:db8::{last}/64")
        kept.rest()
    kept.remove("2001:db8::7/128", "lo")
    kept.rest()
    assert kept.copies == ["2001:db8::1", "2001:db8::2"]
    assert kept.translated == ["eth0: 2001:db8::1 2001:db8::2 -> nothing"]
    kept.add("2001:db8::7/128", "lo")
    kept.rest()
    kept.load(LINE)
    assert kept.copies == ["2001:db8::1", "2001:db8::2"]


def test_a_copy_of_ipv6_that_two_devices_share(kept: Kept) -> None:
    """It stays as long as one of them keeps the address, and comes back at once when it goes."""
    kept.load("eth0 iface-alias kernel keep 10\neth1 iface-alias kernel keep 100")
    for device in ("eth0", "eth1"):
        kept.add("2001:db8::1/64", device)
    kept.rest()
    for device in ("eth0", "eth1"):
        kept.remove("2001:db8::1/64", device)
    kept.rest()
    assert kept.translated == [f"eth{one}: 2001:db8::1 -> nothing" for one in (0, 1)]
    for _ in range(40):
        kept.pass_time(1)
        assert kept.copies == ["2001:db8::1"]
    assert kept.translated == ["eth1: 2001:db8::1 -> nothing"]
    kept.remove("2001:db8::1/128", "lo")
    kept.rest()
    assert kept.copies == ["2001:db8::1"]
    kept.pass_time(61)
    assert (kept.copies, kept.tables.tables) == ([], {})


@pytest.mark.parametrize("protocol", [0, PROTOCOL])
@pytest.mark.parametrize("text", ["10.0.0.1/24", "2001:db8::1/64"])
def test_another_device_gets_a_former_address(kept: Kept, text: str, protocol: int) -> None:
    """It is kept no more, or what is sent from it would leave with another one."""
    if ":" in text:
        kept.add(text)
        kept.rest()
    kept.negotiate(text, text.replace("1/", "2/"))
    local = text[: text.index("/")]
    assert kept.copies == [local]
    kept.add(text, "eth1", protocol=protocol)
    kept.rest()
    assert (kept.copies, kept.translated) == ([], [])
    kept.remove(text, "eth1")
    kept.rest()
    assert (kept.copies, kept.translated) == ([], [])


def test_a_kernel_that_cannot_translate(kept: Kept) -> None:
    """The address is kept all the same, and the reason is told once."""
    kept.lacks = "this kernel has no nf_tables"
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    kept.pass_time(30)
    assert kept.copies == ["10.0.0.1"]
    assert kept.journal.getvalue().count("no nf_tables") == 1
    kept.lacks = ""
    kept.pass_time(70)
    assert kept.opened


@pytest.mark.parametrize(
    ("name", "label"), [("eth0", "eth0:kept"), ("enx001122334455", "enx0011223:kept")]
)
def test_the_label_is_not_that_of_the_device(name: str, label: str) -> None:
    """ifconfig sets the address whose label is the name, and would make a lasting address of a copy
    that ends."""
    assert copy_of(AF_INET, bytes((10, 0, 0, 1)), 2, 9, name).label == label
    assert copy_of(AF_INET6, bytes(16), 1, 9, name).label == ""


def test_what_is_asked_for_by_hand_goes_before_the_file(kept: Kept) -> None:
    """Also for the watcher after this one."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    cookie = kept.kernel.cookie()
    asked.write(kept.folder, cookie, "eth0", "eth0 iface-alias off")
    kept.keeper.learn()
    kept.rest()
    assert (kept.copies, kept.tables.tables) == ([], {})
    kept.begin()
    kept.negotiate("10.0.0.2/24", "10.0.0.3/24")
    assert kept.copies == []
    asked.write(kept.folder, cookie, "eth0", "eth0 iface-alias kernel keep 7 max 1")
    kept.keeper.learn()
    kept.rest()
    kept.negotiate("10.0.0.3/24", "10.0.0.4/24")
    assert kept.copies == ["10.0.0.3"]
    assert asked.read(kept.folder, cookie + 1) == {}


@pytest.mark.parametrize(
    "line", ["eth0 iface-alias kernel keep", "eth0 iface-al", "eth0", " ", "eth0 pool 1", "\udcff"]
)
def test_a_malformed_line_that_was_asked_for_is_ignored(kept: Kept, line: str) -> None:
    """The watcher goes on with the file, and the next one begins."""
    cookie = kept.kernel.cookie()
    asked.write(kept.folder, cookie, "eth0", line)
    asked.write(kept.folder, cookie, "eth1", "eth1 iface-alias kernel")
    kept.keeper.learn()
    kept.begin()
    kept.add("10.1.0.1/24", "eth1")
    kept.rest()
    kept.remove("10.1.0.1/24", "eth1")
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2", "eth1: 10.1.0.1 -> nothing"]


def two_negotiate(kept: Kept) -> None:
    """Another address for eth1, and then for eth0."""
    kept.load(f"{LINE}\neth1 iface-alias kernel")
    kept.add("10.1.0.1/24", "eth1")
    kept.rest()
    kept.remove("10.1.0.1/24", "eth1")
    kept.add("10.1.0.2/24", "eth1")
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")


def test_two_devices(kept: Kept) -> None:
    """Each by itself."""
    two_negotiate(kept)
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2", "eth1: 10.1.0.1 -> 10.1.0.2"]
    kept.load(LINE)
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2"]
    assert kept.kernel.setting("eth1", "promote_secondaries") == 0
    assert kept.kernel.setting("eth0", "promote_secondaries") == 1


def test_two_names_of_one_device(kept: Kept) -> None:
    """The line with the primary name counts, and no line undoes what the other does; when it goes,
    the other one goes on with what is kept."""
    kept.kernel.apply([AddAltname("eth0", kept.kernel.device("eth0").index, "lan0")])
    kept.load(f"lan0 iface-alias kernel keep 50 max 1\n{LINE}")
    for last in range(1, 5):
        kept.negotiate(f"10.0.0.{last}/24", f"10.0.0.{last + 1}/24")
        kept.pass_time(2)
    assert kept.copies == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    kept.load("lan0 iface-alias kernel keep 100 max 2")
    assert kept.copies == ["10.0.0.3", "10.0.0.4"]
    assert kept.kernel.setting("eth0", "promote_secondaries") == 1


def test_a_change_of_one_address_costs_no_look_at_each_pair(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of addresses of this device and of another one are read once, at the beginning."""
    for last in range(1, 251):
        kept.add(f"10.1.0.{last}/16")
        kept.add(f"10.2.0.{last}/16", "eth1")
    kept.rest()
    of, read = State.of, 0

    def counted(state: State, index: int, what: str) -> Iterator[Any]:
        nonlocal read
        for one in of(state, index, what):
            read += 1
            yield one

    monkeypatch.setattr(State, "of", counted)
    kept.add("10.1.0.251/16")
    kept.hear()
    kept.keeper.act(kept.now)
    assert kept.keeper.due(kept.now)
    kept.remove("10.1.0.9/16")
    kept.hear()
    kept.keeper.act(kept.now)
    monkeypatch.undo()
    assert kept.copies == ["10.1.0.9"]
    assert read == 0


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("text", ["10.0.0.1/24", "2001:db8::1/64"])
def test_a_device_that_is_renamed(kept: Kept, text: str, watched: bool) -> None:
    """Its former addresses follow it to the line of its other name, with the times that they have,
    and so do those that it loses meanwhile; also where no watcher runs."""
    line = "lan0 iface-alias kernel keep 100 max 3"
    kept.load(f"{LINE}\n{line}")
    old, new = (text.replace("1/", f"{last}/") for last in (1, 2))
    if ":" in text:
        kept.add(text)
        kept.rest()
    kept.negotiate(old, new)
    kept.pass_time(40)
    rename(kept, "eth0", "lan0")
    if not watched:
        kept.remove(new, "lan0")
        kept.add(text.replace("1/", "3/"), "lan0")
        kept.begin()
    kept.rest()
    first, second, third = (f"{text.partition('/')[0][:-1]}{last}" for last in (1, 2, 3))
    leaves = f"{first} -> {second}" if watched else f"{first} {second} -> {third}"
    assert kept.translated == [f"lan0: {leaves}"]
    assert read(kept.folder, kept.kernel.cookie())["eth0"].former == {}
    kept.pass_time(61)
    assert copies(kept, "lan0") == ([] if watched else [second])


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("renamed", [True, False])
def test_killed_before_it_has_recorded_a_change(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, recorded: bool, renamed: bool
) -> None:
    """An address of the table was an own one: the next watcher goes on with it, also where a
    rename has made the label of an alias of its label meanwhile. One that went is kept."""
    kept.load(f"{LINE}\nlan0 iface-alias kernel keep 100 max 3")
    kept.remove("10.0.0.1/24")
    if recorded:
        kept.rest()
    kept.add("10.0.0.2/24")
    _killed_before_it_records(kept, monkeypatch)
    name = "eth0"
    if renamed:
        name = "lan0"
        rename(kept, "eth0", name)
    kept.begin()
    assert kept.translated == [f"{name}: 10.0.0.1 -> 10.0.0.2"]
    kept.remove("10.0.0.2/24", name)
    _killed_before_it_records(kept, monkeypatch)
    kept.begin()
    assert copies(kept, name) == ["10.0.0.1", "10.0.0.2"]


def _killed_before_it_records(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hear and act; it ends where it would write its record."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("netalias.runtime.kept.write", killed)
        with pytest.raises(KeyboardInterrupt):
            kept.rest()


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("line", [LINE, ""])
def test_a_device_that_is_renamed_and_has_no_line_then(
    kept: Kept, line: str, watched: bool
) -> None:
    """Its former addresses end, and come back to a device that is called as before."""
    kept.add("2001:db8::1/64")
    kept.rest()
    kept.remove("2001:db8::1/64")
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    rename(kept, "eth0", "lan0")
    if watched:
        kept.rest()
        kept.load(line)
    else:
        kept.text = line
        kept.begin()
    assert (copies(kept, "lan0"), kept.tables.tables) == ([], {})
    assert kept.kernel.setting("lan0", "promote_secondaries") == 0
    rename(kept, "lan0", "eth0")
    kept.rest()
    assert copies(kept, "eth0") == ["10.0.0.1", "2001:db8::1"] * bool(line)


def test_two_devices_swap_their_names(kept: Kept) -> None:
    """The former addresses stay with each of them."""
    two_negotiate(kept)
    for before, after in (("eth0", "lan0"), ("eth1", "eth0"), ("lan0", "eth1")):
        rename(kept, before, after)
    kept.rest()
    assert kept.translated == ["eth0: 10.1.0.1 -> 10.1.0.2", "eth1: 10.0.0.1 -> 10.0.0.2"]


def rename(kept: Kept, name: str, new: str) -> None:
    """Somebody gives a device another name."""
    assert kept.kernel.apply([RenameLink(name, kept.kernel.device(name).index, new)]) == []


def copies(kept: Kept, name: str) -> list[str]:
    """The former addresses on a device, and on lo."""
    snapshot = kept.kernel.snapshot()
    entries = [*snapshot.on(1), *snapshot.on(kept.kernel.device(name).index)]
    return sorted(
        address_text(one.family, one.local) for one in entries if one.protocol == PROTOCOL
    )


def test_alias_disable_ends_translation_and_clears_no_address(kept: Kept) -> None:
    """A-10: what was asked for by hand ends with it, too; kept addresses stay for as long as they
    last, and are translated again when nothing disables it any more."""
    asked.write(kept.folder, kept.kernel.cookie(), "eth1", "eth1 iface-alias kernel keep 50 max 8")
    kept.keeper.learn()
    kept.add("10.1.0.1/24", "eth1")
    kept.rest()
    kept.remove("10.1.0.1/24", "eth1")
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2", "eth1: 10.1.0.1 -> nothing"]
    kept.load("alias disable")
    assert (kept.copies, kept.tables.tables) == (["10.0.0.1"], {})
    assert (Path(kept.folder) / "tasks").read_text() == "alias disable\n"
    assert kept.kernel.setting("eth0", "promote_secondaries") == 0
    kept.negotiate("10.0.0.2/24", "10.0.0.3/24")
    assert (kept.copies, kept.tables.tables) == (["10.0.0.1"], {})
    kept.begin()
    assert kept.copies == ["10.0.0.1"]
    kept.load(LINE)
    assert "eth0: 10.0.0.1 -> 10.0.0.3" in kept.translated
    kept.load("eth0 iface-alias off\nalias enable")
    assert "eth1: 10.1.0.1 -> nothing" in kept.translated
    kept.load("alias disable")
    kept.load("")
    assert (Path(kept.folder) / "tasks").read_text() == "eth1 iface-alias kernel keep 50 max 8\n"
