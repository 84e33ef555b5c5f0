"""What thousands of aliases cost at once: instructions over those of a bare Python, calls, bytes.

The ways of counting are those of test_startup.py. A limit has some percent to spare.
"""

from __future__ import annotations

import cProfile
import pstats
import shutil
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import test_startup
from test_startup import SLOWER, Launched

from netalias import recognition
from netalias.desired import declarations
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.kernel.netlink import codec, fingerprint, hidden_runs, runs, sieve
from netalias.kernel.netlink.device_runs import Devices
from netalias.kernel.proof import proven
from netalias.kernel.undoing import UndoProof, inverses
from netalias.model import FOREVER, GROUP, IFF_UP, PROTOCOL, Address, Device, Snapshot
from netalias.model.bare import Bare
from netalias.model.steps import DelAddress
from netalias.observed import Observed
from netalias.plan.compare import compare

if TYPE_CHECKING:
    from netalias.recognition import Run

launched = test_startup.launched

COUNT = 2000
CREATED, KNOWN, COMPARED, ONE = 10.9, 1.26, 3.05, 5.0
"""Instructions of a reconciliation of COUNT labels over those of a bare Python: one that creates
them, without announcements, one that finds its fingerprint, one that compares, one that adds a
label and verifies it."""
if sys.version_info < (3, 11, 5):
    # A bare 3.11.2 of Debian 12 takes a fifth less than 3.11.7, and is the unit.
    CREATED += 1.4
    ONE += 0.5
LINE, MESSAGE, DEVICE = 0.2, 0.1, 0.1
"""Calls of functions for each line that is read, address that is compared, device in a digest."""
RECOGNISED = 0.3
"""The same for each device that is recognised, in datagrams of 25."""
APART = 12
"""The same for each address of a digest, where each is on a device of its own, and one of another
program has a lifetime."""
SIFTED = 0.2
"""The same for each macvlan that is left out of a comparison, and its address."""
MEMORY = 1650
"""Bytes at most while an alias more is planned that is like the one before."""
COMPARED_MACVLAN = 94
"""Calls of functions for each macvlan that is recognised, and is as declared."""
PLANNED = 66
"""Calls of functions for each new alias of a line that is like the one before."""
PROVEN, UNDONE = 26, 60
"""Calls of functions for each deletion that is proven, and for one that is undone."""


MARKED, UNMARKED = (codec.attr(codec.IFA_PROTO, bytes([one])) for one in (PROTOCOL, 0))


def address(slot: int) -> str:
    """The address of a slot."""
    return f"10.0.{slot >> 8}.{slot & 255}"


def lines(count: int) -> str:
    """A file of labels, as a program writes it."""
    return "".join(f"eth9:{slot} {address(slot)} kind label\n" for slot in range(1, count + 1))


def calls(work: Callable[..., object], argument: object) -> int:
    """The number of function calls of *work*, also of those written in C."""
    profile = cProfile.Profile()
    profile.runcall(work, argument)
    found: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    return found


def labels(count: int, *, apart: bool = False) -> bytes:
    """The addresses of *count* labels of ours on device 7, or *apart*, each on a device of its own,
    as the kernel dumps them."""
    found = []
    for slot in range(count):
        index = 7 + slot * apart
        local = (0x0A000000 + slot).to_bytes(4, "big")
        body = b"".join(
            [
                codec.IFADDR.pack(2, 32, 0x80, 0, index),
                codec.attr(codec.IFA_ADDRESS, local),
                codec.attr(codec.IFA_LOCAL, local),
                codec.attr_text(codec.IFA_LABEL, f"eth9:{slot}"),
                codec.attr(codec.IFA_PROTO, bytes([PROTOCOL])),
                codec.attr_u32(codec.IFA_FLAGS, 0x80),
                codec.attr(codec.IFA_CACHEINFO, codec.CACHEINFO.pack(FOREVER, FOREVER, slot, slot)),
            ]
        )
        found.append(codec.HEADER.pack(16 + len(body), codec.RTM_NEWADDR, 2, 2, 9) + body)
    return b"".join(found)


def macvlans(count: int) -> bytes:
    """The messages of *count* devices, as the kernel dumps them, with their counters."""
    found = []
    for index in range(count):
        body = b"".join(
            [
                codec.ifinfo(index + 8, 1),
                codec.attr_text(codec.IFLA_IFNAME, f"eth9_{index:04}"),
                codec.attr(codec.IFLA_STATS64, index.to_bytes(192, "little")),
                codec.attr(codec.IFLA_LINKINFO, codec.attr_text(codec.IFLA_INFO_KIND, "macvlan")),
            ]
        )
        found.append(codec.HEADER.pack(16 + len(body), codec.RTM_NEWLINK, 2, 1, 9) + body)
    return b"".join(found)


def bare(count: int) -> tuple[bytes, bytes, Bare]:
    """Both dumps of *count* macvlans of device 7, as netalias makes and the kernel lists them, and
    what is declared."""
    links, entries = [], []
    wanted = {}
    for slot in range(10_000, 10_000 + count):
        name, local = f"eth9_{slot}", (0x0A000000 + slot).to_bytes(4, "big")
        wanted[local] = f"eth9:{slot}".encode()
        texts = codec.attr_text(codec.IFLA_ALT_IFNAME, f"eth9:{slot}")
        parts = [
            codec.ifinfo(slot, IFF_UP),
            codec.attr_text(codec.IFLA_IFNAME, name),
            codec.attr_u32(codec.IFLA_MTU, 1500),
            codec.attr_u32(codec.IFLA_GROUP, GROUP),
            codec.attr_u32(codec.IFLA_LINK, 7),
            codec.attr_text(codec.IFLA_IFALIAS, f"netalias eth9:{slot}"),
            codec.attr(codec.IFLA_ADDRESS, slot.to_bytes(6, "big")),
            codec.nest(codec.IFLA_LINKINFO, codec.attr_text(codec.IFLA_INFO_KIND, "macvlan")),
            codec.nest(codec.IFLA_PROP_LIST, texts),
        ]
        links.append(codec.message(codec.RTM_NEWLINK, 2, 2, b"".join(parts)))
        parts = [
            codec.IFADDR.pack(2, 32, 0x80, 0, slot),
            codec.attr(codec.IFA_ADDRESS, local),
            codec.attr(codec.IFA_LOCAL, local),
            codec.attr_text(codec.IFA_LABEL, name),
            MARKED,
            codec.attr_u32(codec.IFA_FLAGS, 0x80),
            codec.attr(codec.IFA_CACHEINFO, codec.CACHEINFO.pack(FOREVER, FOREVER, slot, slot)),
        ]
        entries.append(codec.message(codec.RTM_NEWADDR, 2, 2, b"".join(parts)))
    return b"".join(links), b"".join(entries), Bare({}, {"eth9": wanted}, GROUP)


def each(work: Callable[..., object], make: Callable[[int], object]) -> float:
    """The calls of *work* for one thing more of those that *make* makes."""
    few, many = (calls(work, make(count)) for count in (COUNT, 3 * COUNT))
    return (many - few) / (2 * COUNT)


def test_lines_that_are_alike_take_no_calls_of_their_own() -> None:
    """A line more is a handful of steps in C, and no object of ours."""

    def read(text: str) -> None:
        assert not declarations.parse([("file", text)], lazy()).errors

    assert each(read, lines) < LINE


def test_addresses_that_are_as_declared_take_no_calls_of_their_own() -> None:
    """They are left out by columns."""
    slots = range(3 * COUNT)
    wanted = {"eth9": {(0x0A000000 + slot).to_bytes(4, "big"): b"eth9:%d" % slot for slot in slots}}

    def sift(data: bytes) -> None:
        sifted = runs.Sieve(wanted, {7: "eth9"}, (2).to_bytes(4, sys.byteorder))
        sifted.take(data)
        assert not sifted.bodies

    assert each(sift, labels) < MESSAGE


def test_labels_beside_one_take_no_calls_of_their_own() -> None:
    """A command about one label passes over the others by columns."""

    def sift(data: bytes) -> None:
        found = sieve.Sieve(COUNT // 2, [(0x0A000000).to_bytes(4, "big")]).entries([data], 7)
        assert found is not None
        assert len(found) == 2

    assert each(sift, labels) < MESSAGE


def test_shards_that_go_with_their_device_take_no_calls_of_their_own() -> None:
    """They are left out by columns; so they are in the proof before the send."""
    slots = range(3 * COUNT)
    names = frozenset(b"eth9:%d" % slot for slot in slots)
    known = frozenset((0x0A000000 + slot).to_bytes(4, "big") for slot in slots)
    sequence = (2).to_bytes(4, sys.byteorder)

    def sift(data: bytes, expected: frozenset[bytes], fit: hidden_runs.Fit) -> None:
        sieve = hidden_runs.Sieve({7: expected}, fit, sequence)
        sieve.take(data)
        assert sieve.left
        assert not sieve.bodies

    planned = partial(sift, expected=names, fit=hidden_runs.are_labels)
    assert each(planned, labels) < MESSAGE
    assert each(partial(sift, expected=known, fit=hidden_runs.are_known), labels) < MESSAGE


def test_macvlans_that_are_as_declared_take_no_calls_of_their_own() -> None:
    """They are left out by columns, and so are their addresses."""

    def sift(found: tuple[bytes, bytes, Bare]) -> None:
        links, entries, wanted = found
        sequence = (2).to_bytes(4, sys.byteorder)
        devices = Devices(wanted, sequence)
        devices.take(links)
        devices.match([Device(7, "eth9")])
        assert not devices.sift([entries], sequence)
        assert not [*devices.remaining()]

    assert each(sift, bare) < SIFTED


def test_a_digest_takes_no_calls_for_each_device_or_address() -> None:
    """Both dumps enter it by columns."""
    assert each(lambda data: [*fingerprint.link_runs(data, {})], macvlans) < DEVICE
    assert each(lambda data: [*fingerprint.address_runs(data)], labels) < MESSAGE
    assert (
        each(lambda data: [*fingerprint.address_runs(data)], partial(labels, apart=True)) < MESSAGE
    )


def test_a_digest_with_lifetimes_that_count_down() -> None:
    """Others are still cut by columns."""
    lent = labels(1).replace(fingerprint.FOREVER * 2, bytes(8)).replace(MARKED, UNMARKED)

    def found(data: bytes) -> None:
        assert any(holes for _, _, holes in fingerprint.address_runs(lent + data))

    assert each(found, labels) < MESSAGE
    assert each(found, partial(labels, apart=True)) < APART


def test_a_recognition_takes_no_calls_for_each_device_or_address() -> None:
    """Both dumps are cut by columns, whatever stands between the holes."""
    size = len(macvlans(1)) * 25

    def recognise(found: tuple[list[Run], list[bytes]]) -> None:
        assert [*recognition.lasting(iter(found[0]), found[1])]

    def dumped(count: int) -> tuple[list[Run], list[bytes]]:
        data = macvlans(count)
        datagrams = [data[at : at + size] for at in range(0, len(data), size)]
        return [*fingerprint.together(fingerprint.link_runs(data, {}))], datagrams

    assert each(recognise, dumped) < RECOGNISED


def test_new_aliases_that_are_alike_are_planned_by_one() -> None:
    """One more takes the objects of its plan, and none of the questions."""

    def plan(text: str) -> None:
        snapshot = Snapshot([Device(7, "eth9", flags=IFF_UP)])
        declared = declarations.parse([("file", text)], lazy())
        diff = compare(declared.items, Observed(snapshot, lazy()))
        assert len(diff.items) == len(declared)

    assert each(plan, lines) < PLANNED


def test_new_aliases_take_little_memory() -> None:
    """Thousands of aliases that are alike share one copy of what they have in common."""

    def peak(count: int) -> int:
        declared = declarations.parse([("file", lines(count))], lazy())
        observed = Observed(Snapshot([Device(7, "eth9", flags=IFF_UP)]), lazy())
        tracemalloc.start()
        diff = compare(declared.items, observed)
        assert len(diff.items) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert (peak(3 * COUNT) - peak(COUNT)) / (2 * COUNT) < MEMORY


def test_a_macvlan_that_is_as_declared_is_recognised_by_few_calls() -> None:
    """Its three names are compared as texts where they are those of one alias."""

    def check(text: str) -> None:
        declared = declarations.parse([("file", text)], lazy())
        devices = [Device(7, "eth9", flags=IFF_UP)]
        entries = []
        for index, (wish, _) in enumerate(declared, 8):
            slot = wish.name.slot
            devices.append(
                Device(
                    index,
                    f"eth9_{slot}",
                    flags=IFF_UP,
                    altnames=(f"eth9:{slot}",),
                    kind="macvlan",
                    mode=4,
                    link=7,
                    group=GROUP,
                    ifalias=f"netalias eth9:{slot}",
                )
            )
            entries.append(Address(index, 2, wish.address, 32, protocol=PROTOCOL))
        diff = compare(declared.blocks, Observed(Snapshot(devices, entries), lazy()))
        assert diff.same

    def macvlan_lines(count: int) -> str:
        return lines(count).replace("label", "macvlan")

    assert each(check, macvlan_lines) < COMPARED_MACVLAN


def deletions(count: int) -> tuple[Snapshot, list[DelAddress]]:
    """A device with *count* labels, all of which but one go."""
    entries = [
        Address(
            7, 2, (0x0A000000 + at).to_bytes(4, "big"), 32, protocol=PROTOCOL, label=f"eth9:{at}"
        )
        for at in range(count)
    ]
    device = Device(7, "eth9", flags=1)
    going = [DelAddress("eth9", 7, entry) for entry in entries[1:]]
    return Snapshot([device], entries), going


def test_a_deletion_is_proven_and_undone_without_a_look_at_all_others() -> None:
    """Each address is found by its key, however many there are."""

    class Reread(Memory):
        """A kernel that has what was seen."""

        def reread(self, names: object, *, addresses: bool, only: object = ()) -> Snapshot:
            return self.seen

    def prove(found: tuple[Snapshot, list[DelAddress]]) -> None:
        kernel = Reread()
        kernel.seen, going = found
        assert proven(kernel, kernel.seen, going, ()) == (going, [])

    def undo(found: tuple[Snapshot, list[DelAddress]]) -> None:
        kernel = Reread()
        kernel.seen, going = found
        adding = [one.inverse() for one in going]
        pairs = inverses(adding)
        assert len(UndoProof(kernel, None).undoing(pairs, adding)) == len(going)

    assert each(prove, deletions) < PROVEN
    assert each(undo, deletions) < UNDONE


@pytest.mark.long
@pytest.mark.root
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_thousands_of_labels_are_created_by_few_instructions(
    launched: Launched, tmp_path: Path
) -> None:
    """Without announcements: those are of a child, whose instructions are told, too."""
    file = tmp_path / "netalias.conf"
    file.write_text(lines(COUNT).replace("\n", " announce off\n"), encoding="utf-8")
    bare = launched.instructions([sys.executable, "-c", "pass"])
    assert launched.instructions(launched.words(f"reconcile {file}")) / bare <= CREATED + SLOWER


@pytest.mark.early
@pytest.mark.root
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_thousands_of_labels_take_few_instructions(launched: Launched, tmp_path: Path) -> None:
    """Known by the fingerprint, compared, and one added among them."""
    files = [tmp_path / name for name in ("netalias.conf", "copy.conf", "longer.conf")]
    for file, count in zip(files, (COUNT, COUNT, COUNT + 1), strict=True):
        file.write_text(lines(count), encoding="utf-8")
    bare = launched.instructions([sys.executable, "-c", "pass"])
    launched.run(launched.words(f"reconcile {files[0]}"))
    found = [launched.instructions(launched.words(f"reconcile {file}")) / bare for file in files]
    limits = [limit + SLOWER for limit in (KNOWN, COMPARED, ONE)]
    assert not [one for one, limit in zip(found, limits, strict=True) if one > limit], found
