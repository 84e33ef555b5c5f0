"""Events as lines and as JSON.

``+`` is an arrival, ``-`` a departure, ``~`` a change, ``=`` an object that was there before.
"""

from __future__ import annotations

from netalias.families import FAMILIES
from netalias.families.fields import address_fields
from netalias.model import FOREVER, RT_TABLE_MAIN, address_text, mac_text
from netalias.model.events import (
    ADDRESS,
    ARRIVAL,
    CARRIER,
    DEPARTURE,
    FLAG,
    FLAGS,
    MEDIA,
    NETNS,
    ROUTE,
    address_flags,
)
from netalias.observed import alias_of
from netalias.observed.labels import label_of
from netalias.views import NOTHING, SCOPES
from netalias.views.fields import OPERSTATES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.model import Address, Device
    from netalias.model.events import Event, Route, State

# linux/ethtool.h: DUPLEX_*, PORT_*, SPEED_UNKNOWN
DUPLEX = {0: "half", 1: "full"}
PORTS = {0: "tp", 1: "aui", 2: "mii", 3: "fibre", 4: "bnc", 5: "da", 0xEF: "none", 0xFF: "other"}
SPEED_UNKNOWN = 0xFFFFFFFF
ROUTE_TYPES = {
    1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole",
    7: "unreachable", 8: "prohibit", 9: "throw", 10: "nat",
}  # fmt: skip
"""RTN_* of linux/rtnetlink.h."""


class Lines:
    """A printer of events; names come from *state*, and *group* is our mark."""

    def __init__(self, state: State, group: int) -> None:
        self._state = state
        self._group = group

    def text(self, event: Event, *, initial: bool = False) -> str:
        """An event as a line, without a newline."""
        sign = "=" if initial else "~" if event.field else "-" if event.new is None else "+"
        words = [sign, self._subject(event), *self._thing(event)]
        if event.field:
            old, new = (self._shown(event, value) for value in (event.old, event.new))
            label = "carrier" if event.what == CARRIER else event.field
            words += [label, old, "->", new]
        return " ".join(words)

    def fields(self, event: Event, *, initial: bool = False) -> dict[str, object]:
        """An event as a JSON object, with the field names of ``ip -json`` where ip has them."""
        result: dict[str, object] = {"event": event.what}
        if initial:
            result["initial"] = True
        if event.device is not None:
            result |= {"ifindex": event.device.index, "ifname": event.device.name}
            alias = self._alias(event)
            if alias:
                result["altname"] = alias
        if event.what in OBJECTS:
            change = "changed" if event.field else "deleted" if event.new is None else "added"
            result["change"] = change
        if event.what == ARRIVAL and event.device is not None:
            result |= self._device(event.device)
        elif event.what == ADDRESS:
            result |= _address(
                event.subject.address, whole=not event.field and event.new is not None
            )
        elif event.what == ROUTE:
            result |= self._route(event.subject)
        elif event.what == NETNS:
            result["netnsid"] = event.key[2]
        elif event.what == MEDIA and not event.field:
            result |= {name: _media(name, value) for name, value in event.new.items()}  # type: ignore[attr-defined]
        if event.moved is not None:
            result |= {"netnsid": event.moved[0], "new_ifindex": event.moved[1]}
        if event.field:
            if event.what in (FLAG, *OBJECTS):
                result["field"] = KEYS.get(event.field, event.field)
            result |= {"old": self._value(event, event.old), "new": self._value(event, event.new)}
        return result

    # Names

    def _subject(self, event: Event) -> str:
        if event.what == NETNS:
            return "netns"
        if event.device is None:
            return f"index {event.key[1]}"
        if event.what == "name":
            return str(event.old)
        return self._alias(event) or event.device.name

    def _alias(self, event: Event) -> str:
        """The name of the alias that the device or the address is; empty for none."""
        device = event.device
        assert device is not None
        alias = alias_of(device, self._group)
        if alias is None and event.what == ADDRESS:
            alias = label_of(event.subject.address, device)
        return str(alias) if alias is not None else ""

    def _named(self, index: int) -> str:
        found = self._state.device(index)
        return found.name if found is not None else f"index {index}"

    # Lines

    def _thing(self, event: Event) -> list[str]:
        """The words after the name of the device."""
        if event.what == ADDRESS:
            return _address_words(event)
        if event.what == ROUTE:
            return ["route", *self._route_words(event.subject)]
        if event.what == NETNS:
            return [str(event.key[2])]
        if event.what == DEPARTURE:
            words = ["index", str(event.key[1])]
            if event.moved is not None:
                words += ["to netns", str(event.moved[0]), "index", str(event.moved[1])]
            return words
        if event.what == ARRIVAL and event.device is not None:
            return self._device_words(event.device)
        if event.what == MEDIA and not event.field:
            known: dict[str, int] = event.new  # type: ignore[assignment]
            return [word for name in known for word in (name, _plain(_media(name, known[name])))]
        return []

    def _device_words(self, device: Device) -> list[str]:
        words = ["index", str(device.index), f"<{','.join(_flags(device))}>"]
        words += ["mtu", str(device.mtu)]
        if device.mac:
            words += ["mac", mac_text(device.mac)]
        if device.master:
            words += ["master", self._named(device.master)]
        for altname in device.altnames:
            words += ["altname", altname]
        return words

    def _route_words(self, route: Route) -> list[str]:
        found = self._route(route)
        words = [str(found["dst"])]
        if route.type != 1:
            words.insert(0, str(found["type"]))
        if route.gateway:
            words += ["via", str(found["gateway"])]
        if len(route.devices) > 1:
            words += [word for index in route.devices for word in ("dev", self._named(index))]
        if route.source:
            words += ["src", str(found["prefsrc"])]
        if route.metric:
            words += ["metric", str(route.metric)]
        if route.table != RT_TABLE_MAIN:
            words += ["table", str(route.table)]
        return words

    def _shown(self, event: Event, value: Any) -> str:
        """A value as text."""
        if event.field == "lifetime":
            return "/".join("forever" if one == FOREVER else str(one) for one in value)
        return _plain(self._value(event, value))

    # JSON

    def _value(self, event: Event, value: Any) -> object:
        """A value for JSON."""
        if event.what == MEDIA:
            return _media(event.field, value)
        if event.what == "master":
            return self._named(value) if value else None
        if event.what == "mac":
            return mac_text(value) or None
        if isinstance(value, bytes):
            return address_text(event.subject.address.family, value) if value else None
        if event.field == "lifetime":
            return {"valid_life_time": value[0], "preferred_life_time": value[1]}
        if event.field == "scope":
            return SCOPES.get(value, str(value))
        return None if value == "" else value

    def _device(self, device: Device) -> dict[str, object]:
        result: dict[str, object] = {
            "flags": _flags(device),
            "mtu": device.mtu,
            "operstate": OPERSTATES[device.operstate] if device.operstate < 7 else "UNKNOWN",
            "group": device.group,
            "address": mac_text(device.mac),
            "altnames": list(device.altnames),
        }
        if device.kind:
            result["kind"] = device.kind
        if device.master:
            result["master"] = self._named(device.master)
        return result

    def _route(self, route: Route) -> dict[str, object]:
        network = route.network or bytes(4 if route.family == 2 else 16)
        result: dict[str, object] = {
            "family": FAMILIES[route.family],
            "type": ROUTE_TYPES.get(route.type, str(route.type)),
            "dst": f"{address_text(route.family, network)}/{route.prefixlen}",
            "dev": [self._named(index) for index in route.devices],
            "table": route.table,
            "protocol": route.protocol,
            "metric": route.metric,
        }
        if route.gateway:
            family = 2 if len(route.gateway) == 4 else 10
            result["gateway"] = address_text(family, route.gateway)
        if route.source:
            result["prefsrc"] = address_text(route.family, route.source)
        return result


KEYS = {"peer": "address_peer"}
"""Changed field: its name in JSON, where that is another one."""
OBJECTS = (ADDRESS, ROUTE, MEDIA, NETNS)
"""Event types whose objects belong to a device, and come, go and change."""


def _flags(device: Device) -> list[str]:
    return [name for bit, name in FLAGS if device.flags & bit]


def _address(address: Address, *, whole: bool) -> dict[str, object]:
    """The fields of an address; *whole*: all of them, else only those that identify it."""
    result = address_fields(address.family, address.local, address.prefixlen, peer=address.peer)
    if not whole:
        return result
    if address.broadcast:
        result["broadcast"] = address_text(address.family, address.broadcast)
    if address.label:
        result["label"] = address.label
    if address.own_metric:
        result["metric"] = address.own_metric
    return result | {
        "scope": SCOPES.get(address.scope, str(address.scope)),
        "protocol": address.protocol,
        "valid_life_time": address.valid,
        "preferred_life_time": address.preferred,
        "state": _states(address),
    }


def _states(address: Address) -> list[str]:
    return [name for bit, name in address_flags(address.family) if address.flags & bit]


def _address_words(event: Event) -> list[str]:
    address = event.subject.address
    words = [f"{address_text(address.family, address.local)}/{address.prefixlen}"]
    if address.peer:
        words += ["peer", address_text(address.family, address.peer)]
    if event.field or event.new is None:
        return words
    if address.own_metric:
        words += ["metric", str(address.own_metric)]
    words += _states(address)
    if address.valid != FOREVER:
        words += ["lifetime", str(address.valid)]
    return words


def _speed(value: int) -> object:
    return None if value == SPEED_UNKNOWN else value


_MEDIA: dict[str, Callable[[int], object]] = {
    "speed": _speed,
    "duplex": DUPLEX.get,
    "port": lambda value: PORTS.get(value, str(value)),
    "autoneg": bool,
}
"""Field: the function for its JSON value. Speed is in Mbit/s; None is unknown to the driver."""


def _media(field: str, value: int) -> object:
    return _MEDIA[field](value)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return NOTHING if value is None else str(value)
