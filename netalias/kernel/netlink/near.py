"""What one alias depends on, read without the thousands of devices beside it.

A dump of all devices costs some twenty microseconds for each. So where there are many, a command
about one alias reads by name and by index: its main device, its own device, another alias of the
main device, the holder of the address, and the addresses of all these.
"""

from __future__ import annotations

from netalias.kernel.netlink import codec, messages
from netalias.kernel.netlink.neighbours import read_route
from netalias.model import AF_INET, AF_INET6, Snapshot, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.kernel.netlink import Netlink
    from netalias.model import Address, Device
    from netalias.model.names import AliasName

KINDS = ("macvlan", "ipvlan")
"""Kinds that share a main device only with devices of the same kind."""
RTM_F_FIB_MATCH = 0x2000
"""Flag of RTM_GETROUTE (linux/rtnetlink.h): the answer is the entry of the table, so that of a
local address names the device that has it, and not lo."""
TRIES = 8
"""Aliases that are looked at for one with an IPv4 address."""
FAMILIES = {4: AF_INET, 16: AF_INET6}
"""Size of an address: its family."""


# Writing --------------------------------------------------------------------------------------


def get_link_at(sequence: int, index: int) -> bytes:
    """RTM_GETLINK for the device with this index."""
    return codec.message(codec.RTM_GETLINK, 0, sequence, codec.ifinfo(index) + _BRIEF)


def get_links_of(sequence: int, kind: str) -> bytes:
    """RTM_GETLINK for all devices of this IFLA_INFO_KIND (link_kind_filtered of rtnetlink.c)."""
    wanted = codec.nest(codec.IFLA_LINKINFO, codec.attr_text(codec.IFLA_INFO_KIND, kind))
    body = codec.ifinfo() + _BRIEF + wanted
    return codec.message(codec.RTM_GETLINK, codec.NLM_F_DUMP, sequence, body)


_BRIEF = codec.attr_u32(codec.IFLA_EXT_MASK, codec.RTEXT_FILTER_SKIP_STATS)


def get_entry(sequence: int, local: bytes) -> bytes:
    """RTM_GETROUTE for the entry of the tables that matches an IPv4 address."""
    header = codec.RTMSG.pack(AF_INET, len(local) * 8, 0, 0, 0, 0, 0, 0, RTM_F_FIB_MATCH)
    body = header + codec.attr(codec.RTA_DST, local)
    return codec.message(codec.RTM_GETROUTE, 0, sequence, body)


def get_address(sequence: int, local: bytes) -> bytes:
    """RTM_GETADDR for an IPv6 address on any device (inet6_rtm_getaddr)."""
    body = codec.IFADDR.pack(AF_INET6, 0, 0, 0, 0) + codec.attr(codec.IFA_ADDRESS, local)
    return codec.message(codec.RTM_GETADDR, 0, sequence, body)


# Asking ---------------------------------------------------------------------------------------


class Reading:
    """Devices that were asked for one by one, each with its addresses."""

    def __init__(self, kernel: Netlink) -> None:
        self._kernel = kernel
        self._devices: dict[int, Device] = {}
        self._entries: dict[int, list[Address]] = {}

    def snapshot(self) -> Snapshot:
        """What was read."""
        entries = (entry for found in self._entries.values() for entry in found)
        return Snapshot(self._devices.values(), entries)

    def add(self, device: Device) -> list[Address]:
        """Add a device; its addresses."""
        if device.index not in self._devices:
            self._entries[device.index] = self._kernel.on(device.index)
            self._devices[device.index] = device
        return self._entries[device.index]

    def add_index(self, index: int) -> Device | None:
        """Add the device with this index; None if it is gone."""
        if index not in self._devices:
            answer = self._kernel.one("device by index", get_link_at(0, index))
            if answer is None or answer[0] != codec.RTM_NEWLINK:
                return None
            self.add(codec.read_link(*answer[1:]))
        return self._devices[index]

    def add_companion(self, head: Sequence[bytes], main: Device, group: int) -> bool:
        """Add another device on *main* with the mark *group*, and go on until one has an IPv4
        address, for the first TRIES; whether there is any."""
        tries = 0
        for device in self._stacked(head, main, group):
            if device.index in self._devices:
                continue
            tries += 1
            if any(entry.family == AF_INET for entry in self.add(device)) or tries == TRIES:
                break
        return tries > 0

    def _stacked(self, head: Sequence[bytes], main: Device, group: int) -> Iterator[Device]:
        """The first devices on *main* with this mark: of those in *head*, the beginning of the list
        of all devices, then of those of each kind."""
        yield from _marked(head, main, group)
        for kind in KINDS:
            yield from _marked(self._kernel.beginning(get_links_of(0, kind))[0], main, group)


def _marked(datagrams: Sequence[bytes], main: Device, group: int) -> Iterator[Device]:
    for data in datagrams:
        for kind, _, _, start, end in messages(data):
            if kind != codec.RTM_NEWLINK:
                continue
            device = codec.read_link(data, start, end)
            if device.link == main.index and device.group == group and not device.remote:
                yield device


def near(
    kernel: Netlink, head: Sequence[bytes], name: AliasName, group: int, local: bytes
) -> Snapshot | None:
    """The answer to Kernel.near(); *head* is the beginning of the list of all devices."""
    reading = Reading(kernel)
    main = None
    for device in kernel.named((name.main, name, names.primary(name))):
        reading.add(device)
        if device.name == name.main:
            main = device
    if main is None or not reading.add_companion(head, main, group):
        return None
    if local:
        reading.add_index(_holder(kernel, local))
    return reading.snapshot()


def _holder(kernel: Netlink, local: bytes) -> int:
    """The index of a device that has this address; 0 if none has it, or is down with it (IPv4)."""
    if FAMILIES.get(len(local)) == AF_INET6:
        answer = kernel.one("address", get_address(0, local))
        if answer is not None and answer[0] == codec.RTM_NEWADDR:
            return codec.read_address(*answer[1:]).index
        return 0
    answer = kernel.one("route", get_entry(0, local))
    if answer is None or answer[0] != codec.RTM_NEWROUTE:
        return 0
    index, ends_here = read_route(*answer[1:])
    return index if ends_here else 0


def owners(kernel: Netlink, local: bytes) -> Snapshot | None:
    """The answer to Kernel.owners()."""
    datagrams = kernel.taken(codec.get_addresses(0, FAMILIES[len(local)]))
    if datagrams is None:
        return None
    reading = Reading(kernel)
    for data in datagrams:
        if local not in data:
            continue
        for kind, _, _, start, end in messages(data):
            if kind == codec.RTM_NEWADDR and data.find(local, start, end) >= 0:
                entry = codec.read_address(data, start, end)
                device = reading.add_index(entry.index) if entry.local == local else None
                if device is not None and device.link and not device.remote:
                    reading.add_index(device.link)
    return reading.snapshot()
