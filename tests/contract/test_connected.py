"""Connected routes on every Kernel: they come and go with addresses, and alone by a step."""

from __future__ import annotations

import pytest
from stage import done, index, inet
from support import until

from netalias.kernel import Kernel
from netalias.kernel.netlink import routes as routes_of
from netalias.kernel.netlink.codec import RTA_DST, RTA_OIF, RTM_NEWROUTE, RTMSG, attr, attr_u32
from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    RT_TABLE_LOCAL,
    RTN_LOCAL,
    Address,
)
from netalias.model.routes import AddRoute, Connected, DelRoute, connected
from netalias.model.steps import AddAddress, DelAddress, SetLink

FLAGS = IFA_F_PERMANENT | IFA_F_NODAD
ENTRIES = {
    "inet": inet("10.9.0.5/24"),
    "inet-metric": inet("10.9.0.5/24", metric=7),
    "inet6": inet("2001:db8:9::5/64", flags=FLAGS),
    "inet6-metric": inet("2001:db8:9::5/64", flags=FLAGS, metric=9),
}


@pytest.fixture
def raised(kernel: Kernel) -> Kernel:
    """eth9 is up."""
    done(kernel, SetLink("eth9", index(kernel, "eth9"), up=True))
    return kernel


def routes(kernel: Kernel) -> set[Connected]:
    """Those through eth9 to networks of ENTRIES."""
    eth9 = index(kernel, "eth9")
    found = {one for one in kernel.connected() if one.index == eth9}
    return {one for one in found if one.network[:2] in (b"\x0a\x09", b"\x20\x01")}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_with_an_address(raised: Kernel, entry: Address) -> None:
    """It comes and goes with it."""
    eth9 = index(raised, "eth9")
    done(raised, AddAddress("eth9", eth9, entry))
    assert routes(raised) == {connected(entry, eth9)}
    done(raised, DelAddress("eth9", eth9, entry))
    assert routes(raised) == set()


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_deleted_and_added(raised: Kernel, entry: Address) -> None:
    """Alone, and as often as one likes; afterwards it goes with the address."""
    eth9 = index(raised, "eth9")
    route = connected(entry, eth9)
    done(raised, AddAddress("eth9", eth9, entry))
    for _ in range(2):
        done(raised, DelRoute("eth9", eth9, route))
        assert routes(raised) == set()
    for _ in range(2):
        done(raised, AddRoute("eth9", eth9, route))
        assert routes(raised) == {route}
    done(raised, DelAddress("eth9", eth9, entry))
    assert routes(raised) == set()


@pytest.mark.parametrize("entry", [inet("2001:db8:9::5/64", flags=FLAGS), inet("10.9.0.5/24")])
@pytest.mark.parametrize("lifetime", [FOREVER, 300])
def test_an_address_that_waits_for_its_device(
    kernel: Kernel, entry: Address, lifetime: int
) -> None:
    """The route comes with the device, except for an IPv6 address with a lifetime."""
    eth9 = index(kernel, "eth9")
    entry = entry.copy(valid=lifetime, preferred=lifetime)
    if lifetime != FOREVER:
        entry.flags &= ~IFA_F_PERMANENT
    done(kernel, SetLink("eth9", eth9, up=False))
    done(kernel, AddAddress("eth9", eth9, entry))
    done(kernel, SetLink("eth9", eth9, up=True))
    waits = entry.family == AF_INET or lifetime == FOREVER
    assert routes(kernel) == ({connected(entry, eth9)} if waits else set())


def test_no_route(raised: Kernel) -> None:
    """A host, a secondary address, and one without a prefix route bring none."""
    eth9 = index(raised, "eth9")
    silent = inet("10.9.1.5/24", flags=IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE)
    for entry in (inet("10.9.0.5/24"), inet("10.9.0.6/24"), inet("10.9.2.5/32"), silent):
        done(raised, AddAddress("eth9", eth9, entry))
    assert routes(raised) == {connected(inet("10.9.0.5/24"), eth9)}


def test_an_ipv6_address_that_leaves_its_route_behind(raised: Kernel) -> None:
    """The kernel does so where another address has the network, whatever its metric."""
    eth9 = index(raised, "eth9")
    first, second = (
        inet(f"2001:db8:9::{number}/64", flags=FLAGS, metric=metric)
        for number, metric in ((5, 9), (6, 0))
    )
    for entry in (first, second):
        done(raised, AddAddress("eth9", eth9, entry))
    done(raised, DelAddress("eth9", eth9, first))
    assert routes(raised) == {connected(first, eth9), connected(second, eth9)}
    done(raised, DelRoute("eth9", eth9, connected(first, eth9)))
    assert routes(raised) == {connected(second, eth9)}


@pytest.mark.parametrize("others", [0, routes_of.FEW])
def test_addresses_that_are_delivered(raised: Kernel, others: int) -> None:
    """Those with a route to their device, asked for one by one or in a dump."""
    eth9, entry = index(raised, "eth9"), ENTRIES["inet6"]
    done(raised, AddAddress("eth9", eth9, entry))
    here = (eth9, entry.local)
    until(lambda: raised.delivered({here}) in (None, {here}))
    absent = {(eth9, entry.local[:-1] + bytes([100 + number])) for number in range(others + 1)}
    assert raised.delivered({here, *absent}) in (None, {here})
    assert raised.delivered({(index(raised, "lo"), entry.local), *absent}) in (None, set())
    assert raised.delivered(set()) in (None, set())
    done(raised, DelAddress("eth9", eth9, entry))
    assert raised.delivered({here}) in (None, set())


def test_few_are_asked_for_by_address() -> None:
    """A host may have thousands of routes in that table, which nobody dumps for one of them."""
    place = (7, ENTRIES["inet6"].local)
    header = RTMSG.pack(AF_INET6, 128, 0, 0, RT_TABLE_LOCAL, 0, 0, RTN_LOCAL, 0)
    body = bytes(header) + attr(RTA_DST, place[1]) + attr_u32(RTA_OIF, place[0])
    asked: list[bytes] = []

    def one(_: str, request: bytes) -> tuple[int, bytes, int, int]:
        asked.append(request)
        return RTM_NEWROUTE, body, 0, len(body)

    def dump(*_: object) -> list[tuple[int, bytes]]:
        raise AssertionError

    assert routes_of.delivered(dump, one, {place}) == {place}
    assert place[1] in asked[0]
    assert routes_of.delivered(lambda *_: [(8, place[1])], one, {(8, place[1])}) == {(8, place[1])}
