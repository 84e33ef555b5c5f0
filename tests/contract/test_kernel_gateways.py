"""Rules and the routes of their tables on every Kernel: made, read, deleted, lost, undone."""

from __future__ import annotations

from errno import EHOSTUNREACH, EINVAL, ENETDOWN, ENETUNREACH, ENODEV
from socket import inet_pton

import pytest
from stage import MAC, done, index, inet, macvlan, refused
from support import Namespace

from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    PROTOCOL,
    RT_TABLE_MAIN,
)
from netalias.model.commands import command
from netalias.model.gateways import (
    AddRule,
    AddWay,
    DelRule,
    DelWay,
    Gateways,
    Rule,
    Way,
    table_of,
)
from netalias.model.steps import AddAddress, DelAddress, DelLink, SetLink

TABLE = table_of(2, 0)
SILENT = IFA_F_NOPREFIXROUTE | IFA_F_NODAD
ADDRESSES = ("10.9.0.5/24", "2001:db8::5/64")
NETWORKS = ("10.9.0.0/24", "2001:db8::/64")
ROUTERS = ("10.9.0.254", "2001:db8::fe")


def way(network: str = "", gateway: str = "", number: int = 0, table: int = TABLE) -> Way:
    """A route, such as ``10.9.0.0/24`` or one to a gateway."""
    family = AF_INET6 if ":" in network + gateway else AF_INET
    word, _, length = network.partition("/")
    return Way(
        number,
        family,
        table,
        inet_pton(family, word) if word else b"",
        int(length or 0),
        inet_pton(family, gateway) if gateway else b"",
    )


def rule(family: int = AF_INET, table: int = TABLE) -> Rule:
    """The rule for the device ``a``."""
    return Rule("a", family, table)


def stand(kernel: Kernel) -> int:
    """Make the device ``a``, up, with an address of each family; its index."""
    done(kernel, macvlan(kernel, "a", mac=MAC))
    number = index(kernel, "a")
    done(kernel, SetLink("a", number, addrgen=1))
    done(kernel, SetLink("a", number, up=True))
    done(kernel, *(AddAddress("a", number, inet(one, flags=SILENT)) for one in ADDRESSES))
    return number


def lead(kernel: Kernel) -> int:
    """Make the device, and the networks and default routes of both families; its index."""
    number = stand(kernel)
    done(kernel, *(AddWay("a", number, way(network)) for network in NETWORKS))
    done(kernel, *(AddWay("a", number, way(gateway=router)) for router in ROUTERS))
    return number


def texts(kernel: Kernel) -> list[str]:
    """The routes, as texts."""
    return sorted(one.text for one in kernel.routing().read().ways)


WHOLE = sorted([*NETWORKS, *(f"default via {router}" for router in ROUTERS)])


def test_there_are_none(kernel: Kernel) -> None:
    """Rules and routes without our mark are not read."""
    assert kernel.routing().read() == Gateways()
    assert not kernel.ruled()


@pytest.mark.parametrize("family", [AF_INET, AF_INET6])
def test_where_there_has_never_been_a_route(kernel: Kernel, family: int) -> None:
    """Linux makes a table with its first route, and refuses to list one that is not there."""
    assert kernel.routing().default(index(kernel, "eth9"), family) == b""
    assert kernel.routing().sources(family) == []
    assert kernel.routing().routers(family) == []


def test_rules(kernel: Kernel) -> None:
    """Made and deleted, each family apart; the second time is no error."""
    for _ in range(2):
        done(kernel, AddRule(rule()), AddRule(rule(AF_INET6)))
        assert kernel.routing().read().rules == [rule(), rule(AF_INET6)]
        assert kernel.ruled()
    for _ in range(2):
        done(kernel, DelRule(rule()))
        assert kernel.routing().read().rules == [rule(AF_INET6)]
    done(kernel, DelRule(rule(AF_INET6)))
    assert not kernel.ruled()


def test_only_the_same_rule_is_deleted(kernel: Kernel) -> None:
    """One in another table, or with another priority, stays."""
    others = [rule(table=TABLE + 1), Rule("a", AF_INET, TABLE, 40000)]
    done(kernel, *map(AddRule, others), DelRule(rule()))
    assert kernel.routing().read().rules == others


@pytest.mark.parametrize("address", ["10.9.0.5", "2001:db8::5"])
def test_rules_by_source(kernel: Kernel, address: str) -> None:
    """Of one address, beside those of devices; each is read, and deleted alone."""
    family = AF_INET6 if ":" in address else AF_INET
    source = inet_pton(family, address)
    wanted = Rule("", family, 5000, 32700, source)
    other = Rule("", family, 5000, 32700, source[:-1] + b"\6")
    for _ in range(2):
        done(kernel, AddRule(rule(family)), AddRule(wanted), AddRule(other))
        assert set(kernel.routing().read().rules) == {rule(family), wanted, other}
    done(kernel, DelRule(wanted))
    assert set(kernel.routing().read().rules) == {rule(family), other}
    assert command(AddRule(wanted)).endswith(
        f" rule add pref 32700 from {address} lookup 5000 protocol {PROTOCOL}"
    )
    assert AddRule(wanted).device == f"rule from {address}"


def test_a_rule_outlives_its_device(kernel: Kernel) -> None:
    """It needs no device, and its deletion undoes the making in any order."""
    number = stand(kernel)
    done(kernel, AddRule(rule()), DelLink("a", number, 0))
    assert kernel.routing().read().rules == [rule()]


def test_routes(kernel: Kernel) -> None:
    """The network, and the default route; each once, however often it is made."""
    number = lead(kernel)
    assert texts(kernel) == WHOLE
    assert {one.index for one in kernel.routing().read().ways} == {number}
    assert {one.table for one in kernel.routing().read().ways} == {TABLE}
    done(kernel, *(AddWay("a", number, way(gateway=router)) for router in ROUTERS))
    assert texts(kernel) == WHOLE
    for _ in range(2):
        done(kernel, *(DelWay("a", number, way(gateway=router)) for router in ROUTERS))
        assert texts(kernel) == sorted(NETWORKS)


@pytest.mark.parametrize("at", range(2))
def test_a_new_gateway_beside_the_old_one(kernel: Kernel, at: int) -> None:
    """The new default route comes before the old one goes: there is one at any time."""
    number = lead(kernel)
    new = ("10.9.0.253", "2001:db8::fd")[at]
    done(kernel, AddWay("a", number, way(gateway=new)))
    done(kernel, DelWay("a", number, way(gateway=ROUTERS[at])))
    assert f"default via {new}" in texts(kernel)
    assert f"default via {ROUTERS[at]}" not in texts(kernel)


def test_devices_share_a_table(kernel: Kernel) -> None:
    """Each has its own routes in it."""
    number = lead(kernel)
    done(kernel, macvlan(kernel, "b"))
    other = index(kernel, "b")
    done(kernel, SetLink("b", other, up=True))
    done(kernel, *(AddWay("b", other, way(network)) for network in NETWORKS))
    done(kernel, *(AddWay("b", other, way(gateway=router)) for router in ROUTERS))
    assert texts(kernel) == sorted(WHOLE * 2)
    done(kernel, *(DelWay("b", other, way(gateway=router)) for router in ROUTERS))
    done(kernel, *(DelWay("b", other, way(network)) for network in NETWORKS))
    assert {one.index for one in kernel.routing().read().ways} == {number}


def test_refusals(kernel: Kernel) -> None:
    """A gateway that is not on the link, a device that is down, or not there."""
    number = stand(kernel)
    for router, errno in zip(ROUTERS, (ENETUNREACH, EHOSTUNREACH), strict=True):
        assert refused(kernel, AddWay("a", number, way(gateway=router))).errno == errno
    done(kernel, SetLink("a", number, up=False))
    for network in NETWORKS:
        assert refused(kernel, AddWay("x", 9999, way(network))).errno == ENODEV
        assert refused(kernel, AddWay("a", number, way(network))).errno == ENETDOWN
    assert texts(kernel) == []


def test_a_link_local_gateway(kernel: Kernel) -> None:
    """It needs no network, as it is always on the link."""
    number = stand(kernel)
    done(kernel, AddWay("a", number, way(gateway="fe80::1")))
    assert texts(kernel) == ["default via fe80::1"]


def test_a_host_on_the_link(kernel: Kernel) -> None:
    """A gateway outside every network is reached by a route to itself."""
    number = stand(kernel)
    done(kernel, AddWay("a", number, way("10.8.0.254/32")))
    done(kernel, AddWay("a", number, way(gateway="10.8.0.254")))
    assert texts(kernel) == ["10.8.0.254/32", "default via 10.8.0.254"]


def test_what_a_device_loses(kernel: Kernel) -> None:
    """Its routes when it goes down; those of IPv4 with its last IPv4 address too."""
    number = lead(kernel)
    done(kernel, DelAddress("a", number, inet(ADDRESSES[0])))
    assert texts(kernel) == [NETWORKS[1], f"default via {ROUTERS[1]}"]
    done(kernel, SetLink("a", number, up=False))
    assert texts(kernel) == []


def test_what_goes_with_a_device(kernel: Kernel) -> None:
    """Its routes."""
    number = lead(kernel)
    done(kernel, DelLink("a", number, 0))
    assert kernel.routing().read() == Gateways()


def test_undone(kernel: Kernel) -> None:
    """A plan that is refused leaves neither a rule nor a route."""
    number = stand(kernel)
    bad = AddWay("a", number, way(gateway="10.7.0.1"))
    steps = [AddRule(rule()), AddWay("a", number, way(NETWORKS[0])), bad]
    (failure,) = kernel.apply(steps)
    assert failure.step is bad
    assert failure.left == []
    assert kernel.routing().read() == Gateways()


@pytest.mark.parametrize(("network", "router"), [*zip(NETWORKS, ROUTERS, strict=True)])
def test_default_gateway(
    kernel: Kernel, network: str, router: str, request: pytest.FixtureRequest
) -> None:
    """That of the main's default route with the lowest metric; ours and other tables do not count,
    nor those of other devices."""
    family = AF_INET6 if ":" in router else AF_INET
    number, a = index(kernel, "eth9"), lead(kernel)
    assert kernel.routing().default(number, family) == b""
    if isinstance(kernel, Memory):
        kernel.add_default("eth9", router)
    else:
        namespace: Namespace = request.getfixturevalue("veth")
        for words in (
            f"{network} dev eth9",
            f"default via {router}1 dev eth9 metric 2000",
            f"default via {router} dev eth9 metric 1500",
            f"default via {router}2 dev eth9 metric 5 table 7",
        ):
            words = words.replace("10.9.0.2541", "10.9.0.251").replace("10.9.0.2542", "10.9.0.252")
            namespace.ip(f"-{6 if family == AF_INET6 else 4} route add {words}")
    assert kernel.routing().default(number, family) == inet_pton(family, router)
    assert kernel.routing().default(a, family) == b""


def test_as_commands(kernel: Kernel, request: pytest.FixtureRequest) -> None:
    """The commands of ip(8) do the same: what they delete is what the steps have made."""
    number = lead(kernel)
    done(kernel, AddRule(rule()), AddRule(rule(AF_INET6)))
    steps = [AddRule(one) for one in kernel.routing().read().rules]
    back = [*(step.inverse() for step in steps)]
    back += [DelWay("a", number, one) for one in reversed(kernel.routing().read().ways)]
    lines = [command(step) for step in back]
    assert lines[:2] == [
        f"ip rule del pref 32768 oif a lookup {TABLE} protocol 97",
        f"ip -6 rule del pref 32768 oif a lookup {TABLE} protocol 97",
    ]
    if isinstance(kernel, Memory):
        return
    namespace: Namespace = request.getfixturevalue("veth")
    for line in sorted(lines, key=lambda line: "default" not in line):
        namespace.ip(line.removeprefix("ip "))
    assert kernel.routing().read() == Gateways()


FAR = {
    AF_INET: ("10.77.0.0/16", "10.78.0.0/16"),
    AF_INET6: ("2001:db8:77::/64", "2001:db8:78::/64"),
}
"""Networks of a route with a gateway, and of one without."""


@pytest.mark.parametrize(("network", "router"), [*zip(NETWORKS, ROUTERS, strict=True)])
def test_routers(kernel: Kernel, network: str, router: str, request: pytest.FixtureRequest) -> None:
    """Those of all routes with a gateway, of the default one too, with the words of the route."""
    family = AF_INET6 if ":" in router else AF_INET
    expected = [(inet_pton(family, router), f"default via {router}")]
    assert kernel.routing().routers(family) == []
    if isinstance(kernel, Memory):
        kernel.add_default("eth9", router)
    else:
        namespace: Namespace = request.getfixturevalue("veth")
        far, dead = FAR[family]
        ip = f"-{6 if family == AF_INET6 else 4} route add"
        namespace.ip(f"{ip} {network} dev eth9")
        namespace.ip(f"{ip} default via {router} dev eth9")
        namespace.ip(f"{ip} {far} via {router} dev eth9 table 7")
        namespace.ip(f"{ip} unreachable {dead}")
        expected.append((inet_pton(family, router), f"{far} via {router}"))
    assert sorted(kernel.routing().routers(family)) == sorted(expected)


@pytest.mark.parametrize("at", range(2))
def test_a_source_and_a_metric(kernel: Kernel, at: int) -> None:
    """Both are read as they were set, and tell a route from others; the metric that IPv6 gives a
    route by itself is none."""
    number = lead(kernel)
    family, network = (AF_INET, AF_INET6)[at], way(("10.7.0.0/16", "2001:db8:7::/48")[at])
    source = inet_pton(family, ADDRESSES[at].partition("/")[0])
    place = number, family, RT_TABLE_MAIN, network.network, network.prefixlen, b""
    made = [
        Way(*place, source=source, metric=7),
        Way(*place, source=source, metric=1024 if at else 0),
    ]
    assert made[1].metric == 0
    for _ in range(2):
        done(kernel, *(AddWay("a", number, one) for one in made))
        there = [one for one in kernel.routing().read().ways if one.table == RT_TABLE_MAIN]
        assert sorted(there, key=lambda one: -one.metric) == made
    done(kernel, DelWay("a", number, made[0]))
    assert made[0] not in kernel.routing().read().ways
    assert made[1] in kernel.routing().read().ways
    assert f"{network.text} src " in command(AddWay("a", number, made[0]))


def test_a_source_that_goes(kernel: Kernel) -> None:
    """A route of IPv4 goes with its source, one of IPv6 goes on without it; one that is not there
    is refused."""
    number = lead(kernel)
    places = [
        (number, one.family, RT_TABLE_MAIN, one.network, one.prefixlen, b"")
        for one in map(way, ("10.7.0.0/16", "2001:db8:7::/48"))
    ]
    sources = [inet(one).local for one in ADDRESSES]
    routes = [Way(*one, source=two) for one, two in zip(places, sources, strict=True)]
    done(kernel, *(AddWay("a", number, one) for one in routes))
    done(kernel, *(DelAddress("a", number, inet(one, flags=SILENT)) for one in ADDRESSES))
    there = [one for one in kernel.routing().read().ways if one.table == RT_TABLE_MAIN]
    assert there == [Way(*places[1])]
    for one in routes:
        assert refused(kernel, AddWay("a", number, one)).errno == EINVAL
