"""Hidden devices: each holds the addresses of up to SHARD neighbouring slots of one main device.

A hidden device has a primary name (device_of), a group of its own beside the mark of alias
devices, and a record of its main device as its ifalias text: ``netalias eth0 shard``. Only all
three together make it one of ours. The kernel does not link it to its main device.
"""

from __future__ import annotations

from netalias.model import HIDDEN, is_scratch, names
from netalias.model.names import RECORD, AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netalias.model import Device, Snapshot

SHARD = 200
"""Slots whose addresses share a hidden device: the kernel walks all addresses of a device for each
that is added, and each device costs some too."""
WORD = "shard"
"""Last word of the record."""


def device_of(name: AliasName) -> str:
    """The primary name of the hidden device that has the address of a shard: ``eth0_s0`` for the
    slots 0 to 199; abbreviated as that of the device of the last slot is (names.primary)."""
    begin = _begins.get(name.main)
    if begin is None:
        begin = names.primary(AliasName(name.main, names.SLOT_MAX)).rpartition("_")[0]
        _begins[name.main] = begin
    return f"{begin}_s{name.slot // SHARD}"


_begins: dict[str, str] = {}
"""The beginning of the names of the hidden devices of a main device, by its name."""


def slots_beside(slot: int) -> range:
    """The slots that share the hidden device of *slot*."""
    first = slot - slot % SHARD
    return range(first, first + SHARD)


def slots_of(device: str) -> range:
    """The slots whose shards are on the hidden device with this primary name."""
    return slots_beside(int(device.rpartition("_s")[2]) * SHARD)


def group_of(mark: int) -> int:
    """The group (IFLA_GROUP) of hidden devices where alias devices have *mark*."""
    return mark ^ HIDDEN


def record(main: str) -> str:
    """The ifalias text of the hidden devices of a main device."""
    return f"{RECORD} {main} {WORD}"


def main_of(name: str, ifalias: str) -> str:
    """The name of the main device that a hidden device with this primary name and ifalias text
    belongs to; empty for any other device. An interrupted run may have left the text empty."""
    head, _, digits = name.rpartition("_s")
    number = names.number(digits, 3)
    if number < 0:
        return ""
    words = ifalias.split()
    if not words:
        main = head
    elif len(words) == 3 and (words[0], words[2]) == (RECORD, WORD):
        main = words[1]
    else:
        return ""
    return main if main and device_of(AliasName(main, number * SHARD)) == name else ""


def owner(device: Device, mark: int) -> str:
    """The name of the main device of a hidden device of ours; empty for any other device."""
    group = group_of(mark)
    if device.group != group and not is_scratch(device.group, group):
        return ""
    return main_of(device.name, device.ifalias)


class Leaving:
    """The shards of a hidden device that goes with all of them: their packed addresses, the labels
    of these with the NULs behind them, and the prefix length that was asked for."""

    __slots__ = ("asked", "labels", "local")

    def __init__(self, local: Sequence[bytes], labels: Sequence[bytes], asked: int) -> None:
        self.local = local
        self.labels = labels
        self.asked = asked


class Unread:
    """A reading without the addresses of some hidden devices.

    ``left`` are these by ifindex; ``snapshot`` has the devices. ``whole`` gives the same reading
    with all addresses.
    """

    __slots__ = ("left", "snapshot", "whole")

    def __init__(
        self, snapshot: Snapshot, left: Mapping[int, Leaving], whole: Callable[[], Snapshot]
    ) -> None:
        self.snapshot = snapshot
        self.left = left
        self.whole = whole
