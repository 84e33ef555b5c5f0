"""The surroundings of one alias, read without the thousands of devices beside it.

A dump of all devices costs some twenty microseconds for each. So where there are many, a command
about one alias reads by name and by index: its main device, its own device, another alias of the
main device, the holder of the address, and the addresses of all these.
"""

from __future__ import annotations

from netalias.kernel.netlink import codec
from netalias.model import AF_INET, AF_INET6, Snapshot, hidden, names
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Protocol

    from netalias.model import Address, Device

    class Asked(Protocol):
        """The Netlink, which imports this file."""

        crowded: bool

        def named(self, names: Iterable[str]) -> list[Device]: ...
        def on(self, index: int) -> list[Address]: ...
        def one(self, operation: str, request: bytes) -> tuple[int, bytes, int, int] | None: ...
        def beginning(self, request: bytes) -> tuple[list[bytes], bool]: ...
        def taken(self, request: bytes) -> list[bytes] | None: ...
        def messages(self, datagrams: Iterable[bytes]) -> Iterator[Message]: ...

    Message = tuple[int, int, bytes, int, int]
    """Type and flags of a message; its datagram, start and end of its body."""

KINDS = ("macvlan", "ipvlan")
"""Kinds that share a main device only with devices of the same kind."""
RTM_F_FIB_MATCH = 0x2000
"""Flag of RTM_GETROUTE (linux/rtnetlink.h): the answer is the entry of the table, so that of a
local address names the device that has it, and not lo."""
SIEVED = 8192
"""Bytes of the addresses of a device from which on only some of them are decoded."""
TRIES = 8
"""Aliases that are looked at for one with an IPv4 address."""


# Writing --------------------------------------------------------------------------------------


def get_links_of(sequence: int, kind: str) -> bytes:
    """RTM_GETLINK for the devices of this IFLA_INFO_KIND (link_kind_filtered of rtnetlink.c), of
    which only the first are read: see codec.SURVEY."""
    wanted = codec.nest(codec.IFLA_LINKINFO, codec.attr_text(codec.IFLA_INFO_KIND, kind))
    body = codec.ifinfo() + wanted
    return codec.message(codec.RTM_GETLINK, codec.NLM_F_DUMP, sequence, body)


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


def at(kernel: Asked, index: int) -> Device | None:
    """The device with this index; None if there is none."""
    request = codec.message(codec.RTM_GETLINK, 0, 0, codec.ifinfo(index) + codec.BRIEF)
    answer = kernel.one("device by index", request) if index else None
    if answer is None or answer[0] != codec.RTM_NEWLINK:
        return None
    return codec.read_link(*answer[1:])


class Reading:
    """Devices that were asked for one by one, each with its addresses.

    Of those of the main device of the alias *name* some are left out (Sieve); the packed address
    *local* matters too.
    """

    def __init__(self, kernel: Asked, name: AliasName, local: bytes) -> None:
        self._kernel = kernel
        self._name = name
        self._local = local
        self._devices: dict[int, Device] = {}
        self._entries: dict[int, list[Address]] = {}

    def snapshot(self) -> Snapshot:
        """The devices and addresses that were read."""
        entries = (entry for found in self._entries.values() for entry in found)
        return Snapshot(self._devices.values(), entries)

    def add(self, device: Device) -> list[Address]:
        """Add a device; its addresses."""
        index = device.index
        if index not in self._devices:
            found = self._sifted(index) if device.name == self._name.main else None
            self._entries[index] = self._kernel.on(index) if found is None else found
            self._devices[index] = device
        return self._entries[index]

    def _sifted(self, index: int) -> list[Address] | None:
        """The addresses of the main device that matter; None where it has few, or they are not
        known."""
        datagrams = self._kernel.taken(codec.get_addresses(0, 0, index)) or []
        if sum(map(len, datagrams)) < SIEVED:
            return None
        from netalias.kernel.netlink.sieve import Sieve

        self._kernel.crowded = True
        return Sieve(self._name.slot, [self._local] if self._local else []).entries(
            datagrams, index
        )

    def add_named(self) -> Device | None:
        """Add the devices that the names of the alias and its main device stand for; the latter."""
        name, main = self._name, None
        wanted = (name.main, name, names.primary(name), hidden.device_of(name))
        for device in self._kernel.named(wanted):
            self.add(device)
            if device.name == name.main:
                main = device
        return main

    def add_shards(self, group: int) -> bool:
        """Add a hidden device of other slots, unless that of the alias has several addresses
        already; whether there is any with addresses."""
        name, group = self._name, hidden.group_of(group)
        beside = (slot for slot in (0, name.slot - hidden.SHARD) if slot >= 0)
        others = [hidden.device_of(AliasName(name.main, slot)) for slot in beside]
        own = [self.add(one) for one in self._devices.values() if one.group == group]
        if any(len(entries) > 1 for entries in own):
            return True
        found = (one for one in self._kernel.named(others) if one.group == group)
        return any(self.add(device) for device in found) or any(own)

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
        for kind in ("", *KINDS):
            part = self._kernel.beginning(get_links_of(0, kind))[0] if kind else head
            for device in read_devices(self._kernel.messages(part)):
                if device.link == main.index and device.group == group and not device.remote:
                    yield device


def read_devices(messages: Iterable[Message]) -> Iterator[Device]:
    """The devices in the messages of a dump. Raises WireError."""
    for kind, _, data, start, end in messages:
        if kind == codec.RTM_NEWLINK:
            yield codec.read_link(data, start, end)


def near(
    kernel: Asked, head: Sequence[bytes], name: AliasName, group: int, local: bytes
) -> Snapshot | None:
    """The answer to Kernel.near() among many devices; *head* is the beginning of their list."""
    reading = Reading(kernel, name, local)
    main = reading.add_named()
    if main is None:
        return None
    beside = reading.add_companion(head, main, group)
    if not (reading.add_shards(group) or beside):
        return None
    holder = at(kernel, _holder(kernel, local)) if local else None
    if holder is not None:
        reading.add(holder)
    return reading.snapshot()


def sifted(
    links: Iterable[Message], addresses: Iterable[bytes], name: AliasName, local: bytes
) -> Snapshot | None:
    """The answer to Kernel.near() among many addresses, from both dumps, that of addresses as
    datagrams."""
    listed = list(links)
    if any(flags & codec.NLM_F_DUMP_INTR for _, flags, _, _, _ in listed):
        return None
    devices = list(read_devices(listed))
    main = next((device for device in devices if device.name == name.main), None)
    own = hidden.device_of(name)
    others = {
        device.index
        for device in devices
        if device.name != own and hidden.main_of(device.name, device.ifalias) == name.main
    }
    if main is None:
        return None
    from netalias.kernel.netlink.sieve import Sieve

    found = Sieve(name.slot, [local] if local else []).entries(addresses, main.index, others)
    return Snapshot(devices, found) if found is not None else None


def _holder(kernel: Asked, local: bytes) -> int:
    """The index of a device that has this address; 0 if none has it, or is down with it (IPv4)."""
    if len(local) > 4:
        answer = kernel.one("address", get_address(0, local))
        if answer is not None and answer[0] == codec.RTM_NEWADDR:
            return codec.read_address(*answer[1:]).index
        return 0
    from netalias.kernel.netlink.neighbours import read_route

    answer = kernel.one("route", get_entry(0, local))
    if answer is None or answer[0] != codec.RTM_NEWROUTE:
        return 0
    index, ends_here = read_route(*answer[1:])
    return index if ends_here else 0
