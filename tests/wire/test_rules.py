"""The messages about rules and their routes: rules.py = spec.py, and anything at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import few, indexes, message, sequences, u32

from netalias import errors
from netalias.kernel import netlink
from netalias.kernel.netlink import codec, numbers, rules, spec
from netalias.model import AF_INET, AF_INET6, PROTOCOL, RT_SCOPE_LINK
from netalias.model.gateways import METRIC_INET6, Rule, Way

SIZES = {AF_INET: 4, AF_INET6: 16}
READERS = (rules.read_rule, rules.read_ways, rules.read_default, rules.read_routers)
item = spec.attribute


@st.composite
def ways(draw: st.DrawFn) -> Way:
    """Routes of both families as the kernel could hold them."""
    family = draw(st.sampled_from(sorted(SIZES)))
    packed = st.binary(min_size=SIZES[family], max_size=SIZES[family])
    network = draw(st.one_of(st.just(b""), packed))
    length = draw(st.integers(1, SIZES[family] * 8)) if network else 0
    gateway = draw(st.one_of(st.just(b""), packed))
    return Way(draw(indexes), family, draw(u32), network, length, gateway)


some_rules = st.builds(Rule, st.sampled_from(["eth0_0", "a"]), st.sampled_from([*SIZES]), u32, u32)


def parsed(packed: bytes, type: str, flags: list[str], sequence: int) -> Any:
    """The body of the only message, which spec writes the same."""
    (found,) = spec.parse(packed)
    assert spec.build(found) == packed
    assert (found.type, found.sequence, found.port) == (type, sequence, 0)
    assert sorted(found.flags.names()) == sorted(flags)
    return found.body


def read(reader: Callable[[bytes, int, int], Any], made: dict[str, Any]) -> Any:
    """What a reader makes of one message."""
    data = spec.build(made)
    ((_, _, _, start, end),) = netlink.messages(data)
    return reader(data, start, end)


def rule_message(rule: Rule, protocol: int = PROTOCOL, *, detached: bool = False) -> dict[str, Any]:
    """The RTM_NEWRULE by which the kernel describes *rule*."""
    body = {
        "family": rule.family,
        "table": 0,
        "action": "FR_ACT_TO_TBL",
        "flags": 0x10 * detached,
        "attributes": [
            item("FRA_TABLE", rule.table),
            item("FRA_SUPPRESS_PREFIXLEN", b"\xff" * 4),
            item("FRA_OIFNAME", rule.device),
            item("FRA_PROTOCOL", protocol),
            item("FRA_PRIORITY", rule.priority),
        ],
    }
    return message("RTM_NEWRULE", body, 1, ["NLM_F_MULTI"])


def route_message(way: Way, protocol: int = PROTOCOL, kind: str = "RTN_UNICAST") -> dict[str, Any]:
    """The RTM_NEWROUTE by which the kernel describes *way*."""
    usual = METRIC_INET6 if way.family == AF_INET6 else 0
    body = {
        "rtm_family": way.family,
        "rtm_dst_len": way.prefixlen,
        "rtm_protocol": protocol,
        "rtm_type": kind,
        "attributes": [item("RTA_TABLE", way.table), item("RTA_PRIORITY", way.metric or usual)],
    }
    for name, value in (("RTA_DST", way.network), ("RTA_GATEWAY", way.gateway)):
        if value:
            body["attributes"].append(item(name, value))
    body["attributes"].append(item("RTA_OIF", way.index))
    return message("RTM_NEWROUTE", body, 1, ["NLM_F_MULTI"])


@pytest.mark.parametrize(
    ("prefix", "table"),
    [
        ("RTM_", numbers.TYPES),
        ("FRA_", numbers.FRA),
        ("FR_ACT_", numbers.FR_ACT),
        ("RTA_", numbers.RTA),
        ("RTN_", numbers.RTN),
    ],
)
def test_both_know_the_same_numbers(prefix: str, table: dict[str, int]) -> None:
    """A constant has the number that the specification gives to its name."""
    found = {name: value for name, value in vars(rules).items() if name.startswith(prefix)}
    assert found
    assert found == {name: table[name] for name in found}


@few
@given(sequences, some_rules)
def test_rules_written(sequence: int, rule: Rule) -> None:
    """Both messages say all of a rule."""
    flags = ["NLM_F_REQUEST", "NLM_F_CREATE", "NLM_F_EXCL"]
    made = parsed(rules.add_rule(sequence, rule), "RTM_NEWRULE", flags, sequence)
    gone = parsed(rules.del_rule(sequence, rule), "RTM_DELRULE", ["NLM_F_REQUEST"], sequence)
    assert made == gone
    assert (made.family, made.table, made.action) == (rule.family, 0, "FR_ACT_TO_TBL")
    assert spec.find(made, "FRA_OIFNAME") == rule.device
    assert spec.find(made, "FRA_TABLE") == rule.table
    assert spec.find(made, "FRA_PRIORITY") == rule.priority
    assert spec.find(made, "FRA_PROTOCOL") == PROTOCOL


@few
@given(sequences, ways())
def test_routes_written(sequence: int, way: Way) -> None:
    """Both messages say all of a route; what is on an IPv4 link has its scope."""
    flags = ["NLM_F_REQUEST", "NLM_F_CREATE", "NLM_F_APPEND"]
    made = parsed(rules.add_way(sequence, way.index, way), "RTM_NEWROUTE", flags, sequence)
    packed = rules.del_way(sequence, way.index, way)
    assert made == parsed(packed, "RTM_DELROUTE", ["NLM_F_REQUEST"], sequence)
    assert (made.rtm_family, made.rtm_dst_len) == (way.family, way.prefixlen)
    assert (made.rtm_table, made.rtm_protocol, made.rtm_type) == (0, PROTOCOL, "RTN_UNICAST")
    link = way.family == AF_INET and not way.gateway
    assert made.rtm_scope == (RT_SCOPE_LINK if link else 0)
    assert spec.find(made, "RTA_TABLE") == way.table
    assert spec.find(made, "RTA_OIF") == way.index
    assert spec.find(made, "RTA_DST") == (way.network or None)
    assert spec.find(made, "RTA_GATEWAY") == (way.gateway or None)


@few
@given(some_rules, st.booleans())
def test_rules_read(rule: Rule, detached: bool) -> None:
    """Ours come back, those without a device too; those of others do not."""
    made = rule_message(rule, detached=detached)
    assert read(rules.read_rule, made) == rule
    assert read(rules.read_rule, rule_message(rule, 2)) is None


@few
@given(ways())
def test_routes_read(way: Way) -> None:
    """Ours come back; those of others, and those that lead nowhere, do not."""
    assert read(rules.read_ways, route_message(way)) == [way]
    assert read(rules.read_ways, route_message(way, 4)) == []
    assert read(rules.read_ways, route_message(way, kind="RTN_UNREACHABLE")) == []


def test_next_hops() -> None:
    """IPv6 joins routes of one metric; each is a route of its own."""
    both = [Way(number, AF_INET6, 7, b"", 0, bytes([number]) * 16) for number in (3, 4)]
    hops = b"".join(
        rules.NEXTHOP.pack(28, 0, 0, one.index) + codec.attr(rules.RTA_GATEWAY, one.gateway)
        for one in both
    )
    made = route_message(Way(3, AF_INET6, 7))
    made["body"]["attributes"][-1] = item("RTA_MULTIPATH", hops)
    assert read(rules.read_ways, made) == both
    made["body"]["attributes"][-1] = item("RTA_MULTIPATH", b"\2" + hops[1:])
    with pytest.raises(errors.WireError, match="a next hop claims 2 of 56 bytes"):
        read(rules.read_ways, made)


def test_default_routes() -> None:
    """Only one of others, in the table main, by a gateway."""
    way = Way(5, AF_INET, 254, b"", 0, b"\n\0\0\xfe", metric=1024)
    assert read(rules.read_default, route_message(way, 3)) == (1024, 5, b"\n\0\0\xfe")
    for other in (
        route_message(way),
        route_message(Way(5, AF_INET, 9, b"", 0, way.gateway), 3),
        route_message(Way(5, AF_INET, 254), 3),
        route_message(Way(5, AF_INET, 254, b"\n\0\0\0", 8, way.gateway), 3),
        route_message(way, 3, "RTN_UNREACHABLE"),
    ):
        assert read(rules.read_default, other) is None


def test_routers() -> None:
    """One for each next hop with a gateway, of unicast routes of anybody."""
    way = Way(5, AF_INET, 9, b"\n\x14\0\0", 16, b"\n\0\0\t")
    for protocol in (PROTOCOL, 3):
        found = read(rules.read_routers, route_message(way, protocol))
        assert found == [(way.gateway, "10.20.0.0/16 via 10.0.0.9")]
    assert read(rules.read_routers, route_message(Way(5, AF_INET, 9))) == []
    assert read(rules.read_routers, route_message(way, 3, "RTN_UNREACHABLE")) == []
    hops = b"".join(
        rules.NEXTHOP.pack(16, 0, 0, number) + codec.attr(rules.RTA_GATEWAY, bytes([10, 0, 0, 9]))
        for number in (3, 4)
    )
    made = route_message(Way(3, AF_INET, 254))
    made["body"]["attributes"][-1] = item("RTA_MULTIPATH", hops)
    assert read(rules.read_routers, made) == [(b"\n\0\0\t", "default via 10.0.0.9")] * 2


@few
@given(st.binary(max_size=80))
def test_anything_at_all(data: bytes) -> None:
    """Malformed bodies are errors of the wire, and no others."""
    for reader in READERS:
        try:
            reader(data, 0, len(data))
        except errors.WireError:
            continue
