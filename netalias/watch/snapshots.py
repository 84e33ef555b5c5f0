"""Snapshots of the state after the events: whole, or the part that concerns a few aliases. Pure."""

from __future__ import annotations

from netalias.kinds import KINDS
from netalias.model import AF_INET, AF_INET6, IFA_F_SECONDARY, PROTOCOL, Snapshot, names
from netalias.model.events import ADDRESS, LOCAL
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from netalias.desired.declarations import Declarations
    from netalias.model import Address, Device
    from netalias.model.events import Key, State
    from netalias.model.local_routes import LocalRoute


def snapshot(state: State) -> Snapshot:
    """All devices and addresses, in the order in which the kernel lists them."""
    devices = sorted(state.devices(), key=lambda device: device.index)
    found: list[Address] = []
    for device in devices:
        found += _ordered(_addresses(state.parts[device.index]))
    return Snapshot(devices, found, local_routes(state))


def local_routes(state: State) -> list[LocalRoute]:
    """All local routes of ours."""
    return [
        value for parts in state.parts.values() for key, value in parts.items() if key[0] == LOCAL
    ]


def _addresses(parts: dict[Key, Any]) -> list[Address]:
    return [entry.address for key, entry in parts.items() if key[0] == ADDRESS]


def _ordered(found: list[Address]) -> list[Address]:
    """Addresses of one device, oldest first -> in the order in which the kernel lists them.

    An IPv4 address follows the older ones of its scope, narrow scopes come first, and a secondary
    one follows all others (__inet_insert_ifa); an IPv6 address precedes the older ones of its
    scope, and narrow scopes come last (ipv6_link_dev_addr).
    """
    ipv4 = [one for one in found if one.family == AF_INET]
    ipv4.sort(key=lambda one: 1 if one.flags & IFA_F_SECONDARY else -one.scope)
    ipv6 = [one for one in reversed(found) if one.family != AF_INET]
    ipv6.sort(key=lambda one: one.scope)
    return ipv4 + ipv6


def relevant(state: State, wished: Declarations, group: int) -> Snapshot:
    """The part of the state that matters for these declarations, all of host addresses.

    All devices but aliases; of the aliases the declared ones, and one more of each kind on each
    main device, which shows which kind the device takes. Of the addresses the declared ones, and
    those of these aliases.
    """
    part = _Relevant(state, wished, group)
    devices = part.devices()
    found = part.addresses({device.index for device in devices})
    return Snapshot(devices, found, local_routes(state))


class _Relevant:
    def __init__(self, state: State, wished: Declarations, group: int) -> None:
        self._state = state
        self._group = group
        self._locals = {address for block in wished.blocks for address in block.addresses}
        self._slots: dict[str, set[int]] = {}
        for block in wished.blocks:
            self._slots.setdefault(block.wish.name.main, set()).update(block.slots)
        self._texts: set[str] = set()
        self._noted: dict[int, set[str]] = {}  # slots by the index of the main device
        self._aliases: set[int] = set()

    def devices(self) -> list[Device]:
        found: list[Device] = []
        aliases: list[Device] = []
        for device in list(self._state.devices()):
            is_alias = device.group == self._group and device.kind in KINDS
            (aliases if is_alias else found).append(device)
        for device in found:
            self._expect(device)
        others = {}
        for device in aliases:
            if self._is_wished(device):
                self._aliases.add(device.index)
                found.append(device)
            else:
                others[device.link, device.kind] = device
        self._aliases.update(device.index for device in others.values())
        return [*found, *others.values()]

    def _expect(self, main: Device) -> None:
        """Note the names that the declared aliases of this main device may have."""
        for called in (main.name, *main.altnames):
            for slot in self._slots.get(called, ()):
                name = AliasName(main.name, slot)
                self._texts |= {names.primary(name), str(name), f"{called}:{slot}"}
                self._noted.setdefault(main.index, set()).add(str(slot))

    def _is_wished(self, device: Device) -> bool:
        if device.name in self._texts or not self._texts.isdisjoint(device.altnames):
            return True
        slots = self._noted.get(device.link, ())
        # Its name may be made of a former name of its main device.
        for text in device.altnames or device.ifalias.split(" ", 2)[1:2]:
            if text.rpartition(":")[2] in slots:
                return True
        return False

    def addresses(self, indexes: set[int]) -> Iterator[Address]:
        for index, parts in self._state.parts.items():
            every = index in self._aliases
            if index in indexes:
                found = _addresses(parts)
                yield from _ordered([one for one in found if every or self._concerns(one)])

    def _concerns(self, address: Address) -> bool:
        """Whether an address may be that of a declared alias, or shelter one (IPv6)."""
        if address.family == AF_INET6 and address.protocol != PROTOCOL:
            return True
        return address.local in self._locals or address.metric > 0 or address.label in self._texts
