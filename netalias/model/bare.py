"""Bare aliases: IPv4 host addresses with our mark, and nothing else to them.

A bare label is an address with a label; a bare device a macvlan with its usual names and one such
address. Of thousands that are as they are declared, nobody needs an object: a kernel leaves them
out of its reading (Kernel.snapshot_without).
"""

from __future__ import annotations

from itertools import repeat

from netalias.model import (
    AF_INET,
    FOREVER,
    IFA_F_PERMANENT,
    PROTOCOL,
    RT_SCOPE_UNIVERSE,
    Snapshot,
)
from netalias.model.names import RECORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from netalias.model import Address, Device

    Names = Mapping[str, Mapping[bytes, bytes]]
    """Name of a main device -> packed IPv4 address -> name of its alias."""
    Left = dict[str, set[bytes]]
    """Name of a main device -> the packed addresses that were left out."""
    Gone = tuple[str, int, bytes]
    """A device that was left out: name of the alias, ifindex, MAC."""

BITS = 32
_RECORD = RECORD.encode() + b" "
KIND = "macvlan"
"""The kind of bare devices."""


class Bare:
    """The bare aliases that may be left out of a reading, if they are as these say: *labels*, and
    *devices* of *group*."""

    __slots__ = ("devices", "group", "labels")

    def __init__(self, labels: Names, devices: Names, group: int) -> None:
        self.labels = labels
        self.devices = devices
        self.group = group


class Sifted:
    """A reading without bare aliases.

    ``labels`` are the addresses of labels that are missing from ``snapshot``, ``devices`` the
    devices by address, both by name of the main device; ``ahead`` is the number of IPv4 addresses
    in ``snapshot`` that come before the first of those labels, or less. ``whole`` gives the same
    reading with all of them.
    """

    __slots__ = ("ahead", "devices", "labels", "snapshot", "whole")

    def __init__(
        self,
        snapshot: Snapshot,
        labels: Left,
        ahead: Mapping[str, int],
        devices: dict[str, dict[bytes, Gone]],
        whole: Callable[[], Snapshot],
    ) -> None:
        self.snapshot = snapshot
        self.labels = labels
        self.ahead = ahead
        self.devices = devices
        self.whole = whole

    def note_absent(self) -> None:
        """Note in ``snapshot`` which devices it is without."""
        mains = {self.snapshot.device(name): some for name, some in self.devices.items()}
        self.snapshot.absent = {
            main.index: [*some.values()] for main, some in mains.items() if main is not None
        }


def is_bare(entry: Address) -> bool:
    """Whether an address has nothing but its label, at most."""
    return (
        entry.family == AF_INET
        and entry.prefixlen == BITS
        and entry.flags == IFA_F_PERMANENT
        and entry.scope == RT_SCOPE_UNIVERSE
        and entry.protocol == PROTOCOL
        and entry.valid == entry.preferred == FOREVER
        and not (entry.peer or entry.broadcast or entry.metric)
    )


def records(names: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The primary names and the ifaliases of the bare devices of the aliases with these *names*."""
    found = [*names]
    primary = map(bytes.replace, found, repeat(b":"), repeat(b"_"))
    return [*primary], [*map(_RECORD.__add__, found)]


def without(snapshot: Snapshot, bare: Bare) -> Sifted:
    """*snapshot* without what *bare* says."""
    labels: Left = {}
    ahead: dict[str, int] = {}
    devices: dict[str, dict[bytes, Gone]] = {}
    gone: set[int] = set()
    entries: list[Address] = []
    for name, wanted in bare.devices.items():
        main = snapshot.device(name)
        if main is not None and main.name == name:
            found = [
                one
                for one in snapshot.uppers(main.index)
                if _is_as(one, main, snapshot, wanted, bare.group)
            ]
            devices[name] = {
                snapshot.on(one.index)[0].local: (one.altnames[0], one.index, one.mac)
                for one in found
            }
            gone.update(one.index for one in found)
    for index, some in snapshot.addresses.items():
        device = snapshot.devices.get(index)
        name = device.name if device is not None else ""
        before = 0
        for entry in some if index not in gone else ():
            if is_bare(entry) and bare.labels.get(name, {}).get(entry.local) == _raw(entry.label):
                labels.setdefault(name, set()).add(entry.local)
                ahead.setdefault(name, before)
            else:
                before += entry.family == AF_INET
                entries.append(entry)
    links = [one for one in snapshot.devices.values() if one.index not in gone]
    return Sifted(
        Snapshot(links, entries, snapshot.local_routes), labels, ahead, devices, lambda: snapshot
    )


def _is_as(
    device: Device, main: Device, snapshot: Snapshot, wanted: Mapping[bytes, bytes], group: int
) -> bool:
    """Whether a device is bare, and as *wanted*."""
    entries = snapshot.on(device.index)
    if len(entries) != 1 or not is_bare(entries[0]) or entries[0].label != device.name:
        return False
    name = wanted.get(entries[0].local, b"")
    return (
        device.kind == KIND
        and ([_raw(device.name)], [_raw(device.ifalias)]) == records([name])
        and tuple(map(_raw, device.altnames)) == (name,)
        and device.group == group
        and device.up
        and device.mtu == main.mtu
        and device.link == main.index
        and not (device.remote or device.master)
    )


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
