"""Snapshots of the state after the events: whole, or the part that concerns a few aliases. Pure."""

from __future__ import annotations

from itertools import islice

from netalias.kinds import KINDS
from netalias.model import AF_INET, IFA_F_SECONDARY, PROTOCOL, Snapshot, names
from netalias.model.events import ADDRESS
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from netalias.desired.declarations import Declarations
    from netalias.model import Address, Device
    from netalias.model.events import Key, State


def snapshot(state: State) -> Snapshot:
    """All devices and addresses, in the order in which the kernel lists them."""
    devices = sorted(state.devices(), key=lambda device: device.index)
    found: list[Address] = []
    for device in devices:
        found += _ordered(_addresses(state.parts[device.index]))
    return Snapshot(devices, found, [*state.local.values()])


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
    return Snapshot(devices, found, [*state.local.values()])


class _Relevant:
    def __init__(self, state: State, wished: Declarations, group: int) -> None:
        self._state = state
        self._group = group
        self._locals = {address for block in wished.blocks for address in block.addresses}
        self._slots: dict[str, set[int]] = {}
        for block in wished.blocks:
            self._slots.setdefault(block.wish.name.main, set()).update(block.slots)
        self._texts: set[str] = set()
        self._aliases: set[int] = set()

    def devices(self) -> list[Device]:
        """The devices, by index. What they cost grows with those that are no aliases."""
        found: dict[int, Device] = {}
        crowds = []
        for (group, kind, *_), members in self._state.lookup.places.items():
            if group == self._group and kind in KINDS:
                crowds.append(members)
            else:
                found.update(members)
        aliases = {
            one.index: one
            for main in [*found.values()]
            for one in self._wished(main)
            if one.index not in found
        }
        for members in crowds:
            others = (one for one in reversed(members.values()) if one.index not in aliases)
            aliases |= {one.index: one for one in islice(others, 1)}
        self._aliases.update(aliases)
        return sorted([*found.values(), *aliases.values()], key=lambda one: one.index)

    def _wished(self, main: Device) -> Iterator[Device]:
        """The devices that may be those of declared aliases of a main device."""
        named = self._state.lookup
        for called in (main.name, *main.altnames):
            for slot in self._slots.get(called, ()):
                name = AliasName(main.name, slot)
                texts = {names.primary(name), str(name), f"{called}:{slot}"}
                self._texts |= texts
                yield from filter(None, map(named.called, texts))
                # Its name may be made of a former name of its main device.
                yield from named.with_slot(main.index, str(slot))

    def addresses(self, indexes: set[int]) -> Iterator[Address]:
        for index in sorted(indexes):
            every = index in self._aliases
            found = _addresses(self._state.parts[index])
            yield from _ordered([one for one in found if every or self._concerns(one)])

    def _concerns(self, address: Address) -> bool:
        """Whether an address may be that of a declared alias, or speak in its place."""
        if address.protocol != PROTOCOL and ":" not in address.label:
            return True
        return address.local in self._locals or address.metric > 0 or address.label in self._texts
