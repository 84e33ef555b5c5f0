"""Events of devices, addresses and routes: differences between a state and a newer one. Pure.

A state holds the last value of each object. A message about an object that has not changed makes
no event, so it does not matter how often the kernel repeats itself.
"""

from __future__ import annotations

from netalias.model import AF_INET6, FOREVER, RT_TABLE_MAIN, RTN_UNICAST, Device, Value
from netalias.model.devices import Devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from netalias.model import Address
    from netalias.model.local_routes import LocalRoute

    Key = tuple[Any, ...]
    Word = tuple[Key, Any, tuple[int, int] | None]

# Sorts of objects: the first element of a key. The second is the index of a device, or 0.
LINK = "link"
ADDRESS = "address"
ROUTE = "route"
LOCAL = "local"
"""A local route of ours; other routes are of the sort ROUTE."""
RULE = "rule"
MEDIA = "media"
NETNS = "netns"

# Sorts of events of a device, besides the names of its attributes.
ARRIVAL = "arrival"
DEPARTURE = "departure"
FLAG = "flag"
CARRIER = "carrier"

FLAGS = (
    (0x1, "UP"), (0x2, "BROADCAST"), (0x4, "DEBUG"), (0x8, "LOOPBACK"), (0x10, "POINTOPOINT"),
    (0x20, "NOTRAILERS"), (0x40, "RUNNING"), (0x80, "NOARP"), (0x100, "PROMISC"),
    (0x200, "ALLMULTI"), (0x400, "MASTER"), (0x800, "SLAVE"), (0x1000, "MULTICAST"),
    (0x2000, "PORTSEL"), (0x4000, "AUTOMEDIA"), (0x8000, "DYNAMIC"), (0x10000, "LOWER_UP"),
    (0x20000, "DORMANT"), (0x40000, "ECHO"),
)  # fmt: skip
"""Bits and words of IFF_* (linux/if.h)."""
LOWER_UP = "LOWER_UP"

ADDRESS_FLAGS = (
    (0x02, "nodad"), (0x04, "optimistic"), (0x08, "dadfailed"), (0x10, "home"),
    (0x20, "deprecated"), (0x40, "tentative"), (0x100, "mngtmpaddr"), (0x200, "noprefixroute"),
    (0x400, "autojoin"), (0x800, "stable-privacy"),
)  # fmt: skip
"""Bits and words of IFA_F_* (linux/if_addr.h), without IFA_F_PERMANENT: the lifetime has that."""
IFA_F_FIRST = 0x01
"""IFA_F_SECONDARY of IPv4, IFA_F_TEMPORARY of IPv6."""

# Attributes whose change is an event of the same name.
LINK_FIELDS = ("name", "mtu", "mac", "master", "group", "ifalias")
ADDRESS_FIELDS = (
    "peer", "prefixlen", "scope", "label", "broadcast", "metric", "protocol",
)  # fmt: skip


class Entry(Value):
    """An address, and the time when its lifetime was set, in hundredths of a second since the boot
    (tstamp of struct ifa_cacheinfo)."""

    __slots__ = ("address", "stamp")

    def __init__(self, address: Address, stamp: int = 0) -> None:
        self.address = address
        self.stamp = stamp


class Route(Value):
    """A route: struct rtmsg and the attributes that tell routes apart.

    ``network``, ``gateway`` and ``source`` are packed and may be empty; ``devices`` are indexes,
    one for each next hop.
    """

    __slots__ = (
        "devices", "family", "gateway", "metric", "network", "prefixlen", "protocol", "scope",
        "source", "table", "tos", "type",
    )  # fmt: skip

    def __init__(
        self,
        family: int,
        network: bytes,
        prefixlen: int,
        devices: tuple[int, ...],
        *,
        gateway: bytes = b"",
        source: bytes = b"",
        metric: int = 0,
        table: int = RT_TABLE_MAIN,
        protocol: int = 0,
        scope: int = 0,
        tos: int = 0,
        type: int = RTN_UNICAST,
    ) -> None:
        self.family = family
        self.network = network
        self.prefixlen = prefixlen
        self.devices = devices
        self.gateway = gateway
        self.source = source
        self.metric = metric
        self.table = table
        self.protocol = protocol
        self.scope = scope
        self.tos = tos
        self.type = type

    def __hash__(self) -> int:
        # Of some fields only: a key is hashed again and again, and there may be a million.
        return hash((self.network, self.prefixlen, self.table, self.metric))


class Event(Value):
    """One change of one object.

    ``what``: ARRIVAL, DEPARTURE, FLAG, CARRIER, the name of an attribute of a device, ADDRESS,
    ROUTE, LOCAL, RULE, MEDIA, NETNS. ``field`` is the flag or attribute that changed from ``old``
    to ``new``; empty where the object itself came (``old`` is None) or went (``new`` is None).
    ``device`` is the last known value of the device, ``subject`` the address or route. ``moved`` is
    the id of the namespace that a device was moved to, and its index there.
    """

    __slots__ = ("device", "field", "key", "moved", "new", "old", "subject", "what")

    def __init__(
        self,
        what: str,
        key: Key,
        field: str = "",
        old: object = None,
        new: object = None,
        *,
        device: Device | None = None,
        subject: Any = None,
        moved: tuple[int, int] | None = None,
    ) -> None:
        self.what = what
        self.key = key
        self.field = field
        self.old = old
        self.new = new
        self.device = device
        self.subject = subject
        self.moved = moved


class State:
    """The objects of a namespace by the index of their device, and by key.

    ``local``: the local routes of ours of all devices.
    """

    __slots__ = ("_lookup", "local", "parts")

    def __init__(self) -> None:
        self.parts: dict[int, dict[Key, Any]] = {}
        self.local: dict[Key, LocalRoute] = {}
        self._lookup: Devices | None = None

    @property
    def lookup(self) -> Devices:
        """The devices by their names and places; kept from the first use on."""
        if self._lookup is None:
            self._lookup = Devices(self.devices())
        return self._lookup

    def get(self, key: Key) -> Any:
        """The object, or None."""
        return self.parts.get(key[1], {}).get(key)

    def put(self, key: Key, value: Any) -> None:
        """Store the value of an object; None removes it."""
        if key[0] == LINK and self._lookup is not None:
            self._lookup.replace(self.get(key), value)
        if value is not None:
            self.parts.setdefault(key[1], {})[key] = value
            if key[0] == LOCAL:
                self.local[key] = value
            return
        self.local.pop(key, None)
        home = self.parts.get(key[1], {})
        home.pop(key, None)
        if not home:
            self.parts.pop(key[1], None)

    def drop(self, index: int) -> None:
        """Remove a device with all objects of it."""
        for key, _ in self.of(index, LOCAL):
            self.local.pop(key, None)
        self.put((LINK, index), None)
        self.parts.pop(index, None)

    def arrange(self, index: int, keys: Iterable[Key]) -> None:
        """Bring the objects of a device into this order, that of the kernel."""
        parts = self.parts.get(index, {})
        for key in keys:
            if key in parts:
                parts[key] = parts.pop(key)

    def device(self, index: int) -> Device | None:
        """The device with this index."""
        found: Device | None = self.get((LINK, index))
        return found

    def devices(self) -> Iterator[Device]:
        """All devices that are known."""
        found = (self.device(index) for index in self.parts)
        return (device for device in found if device is not None)

    def of(self, index: int, sort: str) -> list[tuple[Key, Any]]:
        """The objects of one sort that belong to a device."""
        return [one for one in self.parts.get(index, {}).items() if one[0][0] == sort]


def address_key(address: Address) -> Key:
    """The fields by which the kernel tells addresses of one device apart: for IPv6 the address
    (ipv6_chk_same_addr), for IPv4 also its network and peer (__inet_insert_ifa)."""
    if address.family == AF_INET6:
        return ADDRESS, address.index, AF_INET6, address.local
    return (
        ADDRESS, address.index, address.family, address.local, address.prefixlen, address.peer,
    )  # fmt: skip


def route_key(route: Route) -> Key:
    """The key of a route: all of its fields."""
    return (ROUTE, route.devices[0] if route.devices else 0, route)


def local_key(route: LocalRoute) -> Key:
    """The key of a local route of ours: all of its fields."""
    return LOCAL, route.index, route


def apply(state: State, key: Key, new: Any, moved: tuple[int, int] | None = None) -> list[Event]:
    """Store the value *new* of one object in *state*; the events that follow from it.

    *new* is a Device, an Entry, a Route, a number, or for MEDIA a dict of the known fields; None
    for an object that is gone.
    """
    old = state.get(key)
    if key[0] == MEDIA:
        return _media(state, key, old or {}, new)
    if old is None and new is None:
        return []
    if key[0] == LINK:
        return _link(state, key, old, new, moved)
    if key[0] == ADDRESS and old and new and old.address.secondary > new.address.secondary:
        state.put(key, None)  # a promoted one follows the other primaries (__inet_del_ifa)
    state.put(key, new)
    if old is None or new is None:
        subject = old if new is None else new
        return [Event(key[0], key, "", old, new, device=state.device(key[1]), subject=subject)]
    if key[0] == ADDRESS:
        return list(_address(key, old, new, state.device(key[1])))
    return []


def difference(state: State, fresh: State) -> Iterator[Event]:
    """Make *state* equal to *fresh*; the events between them. Media are not compared."""
    for index, parts in list(state.parts.items()):
        if (LINK, index) in parts and (LINK, index) not in fresh.parts.get(index, ()):
            yield from apply(state, (LINK, index), None)
    for index in [*state.parts, *(index for index in fresh.parts if index not in state.parts)]:
        present = fresh.parts.get(index, {})
        if (LINK, index) in present:
            yield from apply(state, (LINK, index), present[LINK, index])
        for key in list(state.parts.get(index, ())):
            if key not in present and key[0] != MEDIA:
                yield from apply(state, key, None)
        for key, value in present.items():
            if key[0] not in (LINK, MEDIA):
                yield from apply(state, key, value)
        state.arrange(index, present)


def _link(
    state: State, key: Key, old: Device | None, new: Device | None, moved: tuple[int, int] | None
) -> list[Event]:
    if new is None:
        # The kernel does not announce the IPv4 routes that it drops.
        index = key[1]
        left = [*state.of(index, ROUTE), *state.of(index, ADDRESS)]
        found = [event for part, _ in left for event in apply(state, part, None)]
        state.drop(index)
        return [*found, Event(DEPARTURE, key, "", old, None, device=old, moved=moved)]
    if old is not None and old.kind != new.kind:  # re-made with the same index
        return [*apply(state, key, None), *apply(state, key, new)]
    state.put(key, new)
    if old is None:
        return [Event(ARRIVAL, key, "", None, new, device=new)]
    return list(_link_changes(key, old, new))


def _link_changes(key: Key, old: Device, new: Device) -> Iterator[Event]:
    for bit, name in FLAGS:
        if (old.flags ^ new.flags) & bit:
            what = CARRIER if name == LOWER_UP else FLAG
            yield Event(what, key, name, bool(old.flags & bit), bool(new.flags & bit), device=new)
    for field in LINK_FIELDS:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield Event(field, key, field, before, after, device=new)
    for altname in old.altnames:
        if altname not in new.altnames:
            yield Event("altname", key, "altname", altname, None, device=new)
    for altname in new.altnames:
        if altname not in old.altnames:
            yield Event("altname", key, "altname", None, altname, device=new)


def _address(key: Key, old: Entry, new: Entry, device: Device | None) -> Iterator[Event]:
    def changed(field: str, before: object, after: object) -> Event:
        return Event(ADDRESS, key, field, before, after, device=device, subject=new)

    was, now = old.address, new.address
    for bit, name in address_flags(now.family):
        if (was.flags ^ now.flags) & bit:
            yield changed(name, bool(was.flags & bit), bool(now.flags & bit))
    for field in ADDRESS_FIELDS:
        before, after = getattr(was, field), getattr(now, field)
        if before != after:
            yield changed(field, before, after)
    before, after = (was.valid, was.preferred), (now.valid, now.preferred)
    # A lifetime that runs down between two readings is no event.
    ended = _lasts(before) != _lasts(after)
    if ended or (old.stamp != new.stamp and not _lasts(after)):
        yield changed("lifetime", before, after)


def _lasts(lifetime: tuple[int, int]) -> bool:
    return lifetime == (FOREVER, FOREVER)


def address_flags(family: int) -> tuple[tuple[int, str], ...]:
    """Bits of IFA_FLAGS in a family, and their words in ip-address(8)."""
    first = "temporary" if family == AF_INET6 else "secondary"
    return ((IFA_F_FIRST, first), *ADDRESS_FLAGS)


def _media(
    state: State, key: Key, old: Mapping[str, int], new: Mapping[str, int] | None
) -> list[Event]:
    """The events of a change; fields that were not known before are one event together."""
    device = state.device(key[1])
    if device is None or new is None:
        return []
    first = {field: value for field, value in new.items() if field not in old}
    found = [Event(MEDIA, key, "", None, first, device=device)] if first else []
    for field, value in new.items():
        if field in old and old[field] != value:
            found.append(Event(MEDIA, key, field, old[field], value, device=device))
    state.put(key, {**old, **new})
    return found
