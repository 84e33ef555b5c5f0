"""The state of a monitor when thousands of addresses go: what each of them costs."""

from __future__ import annotations

from collections.abc import Iterator
from socket import AF_INET, AF_INET6
from typing import Any

from netalias.kernel.netlink.monitor import Monitor
from netalias.model import Address
from netalias.model.events import LOCAL, Entry, Event, State, address_key, apply
from netalias.model.local_routes import LocalRoute

INDEX = 5
COUNT = 1000


class Counted(dict[Any, Any]):
    """The objects of a device, with the number of those that were looked at."""

    seen = 0

    def __iter__(self) -> Iterator[Any]:
        for key in super().__iter__():
            self.seen += 1
            yield key

    def items(self) -> Any:
        """They are looked at as well."""
        return [(key, self[key]) for key in self]


def addresses(family: int, size: int) -> list[Address]:
    """Many addresses of a family on one device."""
    packed = [number.to_bytes(size, "big") for number in range(1, COUNT + 1)]
    return [Address(INDEX, family, one, size * 8, 0, 0) for one in packed]


def gone(monitor: Monitor, address: Address) -> list[Event]:
    """One of them goes; what follows from it."""
    key = address_key(address)
    (event,) = apply(monitor.state, key, None)
    return [*monitor._unannounced(event)]


def test_an_address_that_goes_costs_the_same_whatever_is_left() -> None:
    """Local routes go unannounced with the last IPv4 address only; whether it is the last one is
    found without a look at all others."""
    monitor = Monitor.__new__(Monitor)
    monitor.state = State()
    objects = monitor.state.parts[INDEX] = Counted()
    four = addresses(AF_INET, 4)
    for one in [*four, addresses(AF_INET6, 16)[0]]:
        monitor.state.put(address_key(one), Entry(one))
    route = LocalRoute(INDEX, AF_INET, b"\n\0\0\1", 32, 1)
    monitor.state.put((LOCAL, INDEX, route), route)
    objects.seen = 0
    for address in four[:-1]:
        assert gone(monitor, address) == []
    assert objects.seen <= 2 * COUNT
    (event,) = gone(monitor, four[-1])
    assert event.key == (LOCAL, INDEX, route)
