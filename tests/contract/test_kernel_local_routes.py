"""Local routes of whole networks on every Kernel: made, read, deleted, refused, lost."""

from __future__ import annotations

from errno import EEXIST, ENETDOWN, ENODEV
from socket import inet_pton

import pytest
from stage import done, index, inet, refused

from netalias.kernel import Kernel
from netalias.model import AF_INET, AF_INET6
from netalias.model.local_routes import AddLocal, DelLocal, LocalRoute
from netalias.model.steps import AddAddress, DelAddress, SetLink

NETWORKS = ("10.9.0.0/16", "2001:db8:9::/64")


def route(network: str, number: int = 0, slot: int = 5) -> LocalRoute:
    """The local route of ``10.9.0.0/16`` on the device with this index."""
    family = AF_INET6 if ":" in network else AF_INET
    word, _, length = network.partition("/")
    return LocalRoute(number, family, inet_pton(family, word), int(length), slot)


def texts(kernel: Kernel) -> list[str]:
    """The networks that are local, with their slots."""
    return sorted(f"{one.slot} {one.text}" for one in kernel.snapshot().local_routes)


def add(kernel: Kernel, *networks: str, slot: int = 5) -> None:
    """Make these networks local on eth9."""
    number = index(kernel, "eth9")
    done(kernel, *(AddLocal("eth9", number, route(one, number, slot)) for one in networks))


def test_there_are_none(kernel: Kernel) -> None:
    """A device and its own addresses have local routes, none of ours."""
    done(kernel, AddAddress("eth9", index(kernel, "eth9"), inet("10.0.0.1/24")))
    assert texts(kernel) == []


def test_they_are_read_back(kernel: Kernel) -> None:
    """Device, network and slot are what was written."""
    number = index(kernel, "eth9")
    add(kernel, *NETWORKS)
    assert sorted(kernel.snapshot().local_routes, key=lambda one: one.family) == [
        route(one, number) for one in NETWORKS
    ]
    assert kernel.part(["eth9"]).local_routes


@pytest.mark.parametrize("network", NETWORKS)
def test_one_is_added_once(kernel: Kernel, network: str) -> None:
    """The same again is refused; with another slot it is another route."""
    add(kernel, network)
    number = index(kernel, "eth9")
    assert refused(kernel, AddLocal("eth9", number, route(network))).errno == EEXIST
    add(kernel, network, slot=6)
    assert texts(kernel) == [f"5 {network}", f"6 {network}"]


@pytest.mark.parametrize("network", NETWORKS)
def test_exactly_one_is_deleted(kernel: Kernel, network: str) -> None:
    """The other slot stays, and one that has gone counts as deleted."""
    number = index(kernel, "eth9")
    add(kernel, network)
    add(kernel, network, slot=6)
    for _ in range(2):
        done(kernel, DelLocal("eth9", number, route(network)))
        assert texts(kernel) == [f"6 {network}"]


def test_a_refused_plan_leaves_none(kernel: Kernel) -> None:
    """A route is undone with the plan that it belongs to."""
    number = index(kernel, "eth9")
    steps = [AddLocal("eth9", number, route(one)) for one in NETWORKS]
    (failure,) = kernel.apply([*steps, AddLocal("none", 999, route("10.8.0.0/16"))])
    assert failure.error.errno == ENODEV
    assert texts(kernel) == []


def test_what_a_device_that_goes_down_takes_along(kernel: Kernel) -> None:
    """That of IPv6 goes, that of IPv4 stays; on a device that is down only IPv4 can have one."""
    number = index(kernel, "eth9")
    done(kernel, AddAddress("eth9", number, inet("10.0.0.1/24")))
    add(kernel, *NETWORKS)
    done(kernel, SetLink("eth9", number, up=False))
    assert texts(kernel) == ["5 10.9.0.0/16"]
    assert refused(kernel, AddLocal("eth9", number, route(NETWORKS[1]))).errno == ENETDOWN
    add(kernel, "10.8.0.0/16")
    done(kernel, SetLink("eth9", number, up=True))
    assert texts(kernel) == ["5 10.8.0.0/16", "5 10.9.0.0/16"]


def test_an_ipv6_address_takes_none_of_ipv4_along(kernel: Kernel) -> None:
    """Also where the device has no IPv4 address at all."""
    number = index(kernel, "eth9")
    add(kernel, NETWORKS[0])
    entry = inet("2001:db8:1::1/64")
    done(kernel, AddAddress("eth9", number, entry), DelAddress("eth9", number, entry))
    assert texts(kernel) == ["5 10.9.0.0/16"]


def test_the_last_address_takes_those_of_ipv4_along(kernel: Kernel) -> None:
    """And no earlier one (fib_disable_ip)."""
    number = index(kernel, "eth9")
    entries = [inet(one) for one in ("10.0.0.1/24", "10.0.1.1/24")]
    done(kernel, *(AddAddress("eth9", number, one) for one in entries))
    add(kernel, *NETWORKS)
    done(kernel, DelAddress("eth9", number, entries[0]))
    assert texts(kernel) == ["5 10.9.0.0/16", "5 2001:db8:9::/64"]
    done(kernel, DelAddress("eth9", number, entries[1]))
    assert texts(kernel) == ["5 2001:db8:9::/64"]
