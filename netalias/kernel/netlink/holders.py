"""The devices that have one address, found without a dump of everything.

A dump of thousands of addresses takes the kernel some microseconds for each, and as long again
where they are on devices of their own. SIOCGIFCONF (netdevice(7)) lists the same IPv4 addresses, 40
bytes for each, in a tenth of that time; it knows nothing but the label. That names the device, or
the hidden one of a shard, and of that only the address itself is read.
"""

from __future__ import annotations

from _socket import SOCK_CLOEXEC, SOCK_DGRAM, socket
from _struct import Struct, calcsize

from netalias.kernel.netlink import codec, near
from netalias.model import AF_INET, AF_INET6, Snapshot, hidden, names
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from netalias.kernel.netlink.near import Asked, Message
    from netalias.model import Address, Device

    class Reading(Asked, Protocol):
        """The Netlink, which imports this file."""

        def beginning(self, request: bytes, until: bytes = ...) -> tuple[list[bytes], bool]: ...


SIOCGIFCONF = 0x8912
"""linux/sockios.h."""
IFCONF = Struct("@iP")
"""struct ifconf (linux/if.h): size and place of the list."""
NAME = 16
"""Bytes of ifr_name, which is the label of the address, up to its NUL."""
ENTRY = NAME + calcsize("@LLHBBB0L")
"""struct ifreq: the name, and a union as large as struct ifmap."""
ADDRESS = NAME + 4
"""Place of sin_addr in it, behind sin_family and sin_port of struct sockaddr_in."""
SPARE = 64
"""Entries that may come between the question for the size of the list and that for the list."""


def owners(kernel: Reading, local: bytes, data: list[bytes] | None) -> Snapshot:
    """The answer to Kernel.owners() among many devices, or from *data*, the dump of all addresses,
    among many of them on few devices."""
    entries = _labelled(kernel, local) if data is None and len(local) == 4 else None
    if entries is None:
        family = AF_INET if len(local) == 4 else AF_INET6
        data = data or kernel.taken(codec.get_addresses(0, family)) or []
        entries = _equal(kernel.messages(one for one in data if local in one), local)
    found: dict[int, Device] = {}
    for index in {entry.index for entry in entries}:
        device = near.at(kernel, index)
        below = None
        if device is not None and not device.remote:
            main = hidden.main_of(device.name, device.ifalias)
            below = next(iter(kernel.named([main])), None) if main else near.at(kernel, device.link)
        found |= {one.index: one for one in (device, below) if one is not None}
    return Snapshot(found.values(), entries)


def _labelled(kernel: Reading, local: bytes) -> list[Address] | None:
    """The addresses equal to the IPv4 address *local*, by their labels; None where these do not
    tell all of their devices."""
    labels = listed(local)
    if labels is None:
        return None
    wanted = dict.fromkeys(name for label in labels for name in _devices_of(label))
    entries: dict[int, list[Address]] = {}
    until = codec.attr(codec.IFA_LOCAL, local)
    for device in kernel.named(wanted):
        if sum(map(len, entries.values())) < len(labels):
            request = codec.get_addresses(0, AF_INET, device.index)
            data, _ = kernel.beginning(request, until)
            there = kernel.messages(one for one in data if until in one)
            found = _equal(there, local)
            entries[device.index] = [one for one in found if one.index == device.index]
    whole = [one for some in entries.values() for one in some]
    return whole if len(whole) == len(labels) else None


def _devices_of(label: str) -> list[str]:
    """The names of the devices that may have an address with this label."""
    main, colon, slot = label.partition(":")
    number = names.number(slot) if colon else -1
    return [hidden.device_of(AliasName(main, number)), main] if number >= 0 else [main]


def listed(local: bytes) -> list[str] | None:
    """The labels of the addresses equal to the IPv4 address *local*; None where they cannot be
    told. Asks in the network namespace of the calling thread."""
    try:
        with_inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    except OSError:
        return None
    # The modules array and ctypes load collections, which takes as long as a dump of thousands.
    from _ctypes import _SimpleCData, addressof
    from fcntl import ioctl

    class Byte(_SimpleCData):  # type: ignore[type-arg]
        _type_ = "c"

    try:
        size, _ = IFCONF.unpack(ioctl(with_inet, SIOCGIFCONF, IFCONF.pack(0, 0)))
        room = size + SPARE * ENTRY
        buffer = bytearray(room)
        place = addressof((Byte * room).from_buffer(buffer))
        size, _ = IFCONF.unpack(ioctl(with_inet, SIOCGIFCONF, IFCONF.pack(room, place)))
    except OSError:
        return None
    finally:
        with_inet.close()
    return found(buffer, size, local) if size < room else None


def found(entries: bytearray, size: int, local: bytes) -> list[str]:
    """The labels of the struct ifreq in the first *size* bytes of *entries* with this IPv4
    address."""
    labels = []
    at = entries.find(local, 0, size)
    while at >= 0:
        begin = at - ADDRESS
        if begin % ENTRY == 0:
            name = entries[begin : begin + NAME].partition(b"\0")[0]
            labels.append(name.decode("utf-8", "surrogateescape"))
        at = entries.find(local, at + 1, size)
    return labels


def _equal(messages: Iterable[Message], local: bytes) -> list[Address]:
    """The addresses equal to *local* in a dump."""
    read = (
        codec.read_address(data, start, end)
        for kind, _, data, start, end in messages
        if kind == codec.RTM_NEWADDR and local in data[start:end]
    )
    return [entry for entry in read if entry.local == local]
