"""As much of what is known as it takes to look at a few aliases. Pure."""

from __future__ import annotations

from netalias.kinds import KINDS
from netalias.model import AF_INET, Snapshot, names
from netalias.model.events import ADDRESS
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.desired.declarations import Declarations
    from netalias.model import Address, Device
    from netalias.model.events import State


def snapshot(state: State) -> Snapshot:
    """All devices and addresses, in the order in which the kernel lists them."""
    devices = sorted(state.devices(), key=lambda device: device.index)
    return Snapshot(devices, (one for device in devices for one in _listed(state, device.index)))


def _listed(state: State, index: int) -> list[Address]:
    return _ordered([entry.address for _, entry in state.of(index, ADDRESS)])


def _ordered(found: list[Address]) -> list[Address]:
    """Addresses of one device, in the order in which they were heard of, as the kernel lists them.

    An IPv4 address comes after the older ones, secondary ones after all others
    (__inet_insert_ifa); an IPv6 address before the older ones of its scope (ipv6_link_dev_addr).
    """
    old = [one for one in found if one.family == AF_INET]
    old.sort(key=lambda one: one.secondary)
    new = [one for one in reversed(found) if one.family != AF_INET]
    new.sort(key=lambda one: one.scope)
    return old + new


def relevant(state: State, wished: Declarations, group: int) -> Snapshot:
    """What the wishes, all for host addresses, can have to do with.

    All devices but aliases; of these those that are wished for, and one more of each kind on each
    main device, which tells that the kind can stand there, and no other. Of the addresses those
    that are wished, and those of these aliases.
    """
    sight = _Relevant(state, wished, group)
    devices = list(sight.devices())
    return Snapshot(devices, sight.addresses({device.index for device in devices}))


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

    def devices(self) -> Iterator[Device]:
        aliases = []
        for device in self._state.devices():
            if device.group == self._group and device.kind in KINDS:
                aliases.append(device)
            else:
                self._expect(device)
                yield device
        others = {}
        for device in aliases:
            if self._is_wished(device):
                self._aliases.add(device.index)
                yield device
            else:
                others[device.link, device.kind] = device
        self._aliases.update(device.index for device in others.values())
        yield from others.values()

    def _expect(self, main: Device) -> None:
        """What the wished aliases of this device are called, if it has any."""
        for called in (main.name, *main.altnames):
            for slot in self._slots.get(called, ()):
                name = AliasName(main.name, slot)
                self._texts |= {names.primary(name), str(name), f"{called}:{slot}"}
                self._noted.setdefault(main.index, set()).add(str(slot))

    def _is_wished(self, device: Device) -> bool:
        if device.name in self._texts or not self._texts.isdisjoint(device.altnames):
            return True
        slots = self._noted.get(device.link, ())
        # It may be called by a former name of its main device.
        for text in device.altnames or device.ifalias.split(" ", 2)[1:2]:
            if text.rpartition(":")[2] in slots:
                return True
        return False

    def addresses(self, indexes: set[int]) -> Iterator[Address]:
        for index, parts in self._state.parts.items():
            every = index in self._aliases
            if index in indexes:
                found = (entry.address for key, entry in parts.items() if key[0] == ADDRESS)
                yield from _ordered([one for one in found if every or self._concerns(one)])

    def _concerns(self, address: Address) -> bool:
        return address.local in self._locals or address.metric > 0 or address.label in self._texts
