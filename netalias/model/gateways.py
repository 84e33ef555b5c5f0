"""Ways out for sockets that are bound to an alias device: a rule, and a routing table of its own.

The rule (``ip rule add oif eth0_0``) holds only for a lookup that names the device, which is what a
socket with SO_BINDTODEVICE does, and it comes behind the table main: what the host itself sends
ends there, and where main has no route for it the rule does not match. The table has the network of
the alias and the default route. Rules and routes carry the mark in their protocol (FRA_PROTOCOL,
rtm_protocol).
"""

from __future__ import annotations

from errno import EEXIST, ENOENT, ESRCH

from netalias.model import AF_INET6, PROTOCOL, Value, address_text
from netalias.model.steps import RAISE, RETIRE, SET, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PRIORITY = 32768
"""The priority of our rules: behind those of the tables main (32766) and default (32767)."""

FROM_PRIORITY = 32700
"""The priority of our rules for a source: before the table main, whose default route would hold
for it."""

METRIC_INET6 = 1024
"""Metric of an IPv6 route without a given one (IP6_RT_PRIO_USER of net/ip6_route.h)."""

_TUNNELS = 1 << 30
_TABLES = 1 << 31
"""Upper half of the numbers of routing tables: nobody counts that far by hand."""


def table_of(main: int, slot: int) -> int:
    """The number of the routing table of an alias, by the ifindex of its main device and its slot.

    Two main devices whose indexes differ by a multiple of 32768 share tables. That does no harm,
    as the rule names the device and so does every route.
    """
    return _TABLES | (main & 0x7FFF) << 16 | slot


def slot_of(table: int) -> tuple[int, int]:
    """The ifindex of a main device, modulo 32768, and the slot that gave a number by table_of()."""
    return table >> 16 & 0x7FFF, table & 0xFFFF


def tunnel_table(unit: int) -> int:
    """The number of the routing table of the tunnel device vif *unit*."""
    return _TUNNELS | unit


def unit_of_table(table: int) -> int:
    """The number that gave a *table* by tunnel_table(); -1 for any other one."""
    return table ^ _TUNNELS if table >> 16 == _TUNNELS >> 16 else -1


class Rule(Value):
    """A rule for lookups with the output device *device*, a primary name, in our *table*.

    One with a *source*, a packed address, is for what is sent from there, and names no device.
    """

    __slots__ = ("device", "family", "priority", "source", "table")

    def __init__(
        self,
        device: str,
        family: int,
        table: int,
        priority: int = PRIORITY,
        source: bytes = b"",
    ) -> None:
        self.device = device
        self.family = family
        self.table = table
        self.priority = priority
        self.source = source


class Way(Value):
    """A route of ours, through the device with this index.

    ``network`` is packed, empty for the default route; ``gateway`` is empty for what is on the
    link, and ``source`` (RTA_PREFSRC) where the kernel chooses one. ``metric`` is 0 for that of the
    family, which for IPv6 the kernel calls METRIC_INET6.
    """

    __slots__ = ("family", "gateway", "index", "metric", "network", "prefixlen", "source", "table")

    def __init__(
        self,
        index: int,
        family: int,
        table: int,
        network: bytes = b"",
        prefixlen: int = 0,
        gateway: bytes = b"",
        *,
        source: bytes = b"",
        metric: int = 0,
    ) -> None:
        self.index = index
        self.family = family
        self.table = table
        self.network = network
        self.prefixlen = prefixlen
        self.gateway = gateway
        self.source = source
        self.metric = 0 if family == AF_INET6 and metric == METRIC_INET6 else metric

    @property
    def text(self) -> str:
        """The words of ip-route(8): ``default via 10.0.0.254``, ``10.0.0.0/24 src 10.0.0.1``."""
        words = ["default"]
        if self.network:
            words = [f"{address_text(self.family, self.network)}/{self.prefixlen}"]
        for word, packed in (("via", self.gateway), ("src", self.source)):
            words += [word, address_text(self.family, packed)] if packed else []
        return " ".join([*words, *(["metric", str(self.metric)] if self.metric else [])])


class Gateways(Value):
    """One reading of the rules and routes with our mark, of both families."""

    __slots__ = ("rules", "ways")

    def __init__(self, rules: list[Rule] | None = None, ways: list[Way] | None = None) -> None:
        self.rules = rules or []
        self.ways = ways or []


class Routing:
    """The questions about gateways to a kernel; the first one loads the implementation."""

    def read(self) -> Gateways:
        """The rules and routes with our mark. Raises KernelError."""
        raise NotImplementedError

    def default(self, index: int, family: int) -> bytes:
        """The gateway, packed, of the default route with the lowest metric that the table main has
        through the device with this index; empty without one. Raises KernelError."""
        raise NotImplementedError

    def sources(self, family: int) -> list[tuple[bytes, str]]:
        """The source (RTA_PREFSRC), packed, and the words of each route of a family that has one,
        but those of the kernel itself. Raises KernelError."""
        raise NotImplementedError

    def routers(self, family: int) -> list[tuple[bytes, str]]:
        """The gateway, packed, and the words of each unicast route of a family that has one, of all
        tables; one for each next hop. Raises KernelError."""
        raise NotImplementedError


def ours(found: Rule | Way) -> bool:
    """Whether a rule or route with our mark is of the form that table_of() gives."""
    return found.table >= _TABLES


class RuleStep(Step):
    """Base of the steps about a rule, which the kernel keeps apart from its device."""

    __slots__ = ("rule",)

    def __init__(self, rule: Rule, phase: int) -> None:
        # Not the name of the device: that its deletion undoes all does not hold for a rule.
        text = address_text(rule.family, rule.source) if rule.source else ""
        super().__init__(f"rule from {text}" if text else f"rule oif {rule.device}", -1, phase)
        self.rule = rule


class AddRule(RuleStep):
    """RTM_NEWRULE with NLM_F_EXCL; a rule that is there already counts as made."""

    __slots__ = ()
    tolerate = (EEXIST,)

    def __init__(self, rule: Rule, phase: int = RAISE) -> None:
        super().__init__(rule, phase)

    def inverse(self) -> Step:
        return DelRule(self.rule)


class DelRule(RuleStep):
    """RTM_DELRULE of exactly this rule; one that has gone counts as deleted."""

    __slots__ = ()
    tolerate = (ENOENT,)

    def __init__(self, rule: Rule, phase: int = RETIRE) -> None:
        super().__init__(rule, phase)

    def inverse(self) -> Step:
        return AddRule(self.rule)


class AddWay(Step):
    """RTM_NEWROUTE; the device must be up, and ``way.index`` is ignored.

    A route that is there already counts as made. With NLM_F_APPEND a new default route may come
    before the old one goes.
    """

    __slots__ = ("way",)
    tolerate = (EEXIST,)

    def __init__(self, device: str, index: int, way: Way, phase: int = RAISE) -> None:
        super().__init__(device, index, phase)
        self.way = way

    def inverse(self) -> Step:
        return DelWay(self.device, self.index, self.way)


class DelWay(Step):
    """RTM_DELROUTE of exactly this route; one that has gone counts as deleted."""

    __slots__ = ("way",)
    tolerate = (ESRCH,)

    def __init__(self, device: str, index: int, way: Way, phase: int = RETIRE) -> None:
        super().__init__(device, index, phase)
        self.way = way

    def inverse(self) -> Step:
        return AddWay(self.device, self.index, self.way)


class SetGsoSize(Step):
    """RTM_SETLINK of IFLA_GSO_MAX_SIZE: ``size`` is the largest superpacket, in bytes, that the
    kernel hands to the device. It is not undone: the device goes with its tunnel."""

    __slots__ = ("size",)

    def __init__(self, device: str, index: int, size: int) -> None:
        super().__init__(device, index, SET)
        self.size = size


def _rule(verb: str) -> Callable[[RuleStep], str]:
    def words(step: RuleStep) -> str:
        from netalias.model.shell import quoted

        rule = step.rule
        if rule.source:
            selector = f"from {address_text(rule.family, rule.source)}"
        else:
            selector = f"oif {quoted(rule.device)}"
        return (
            f"{_ip(rule.family)} rule {verb} pref {rule.priority} {selector}"
            f" lookup {rule.table} protocol {PROTOCOL}"
        )

    return words


def _way(verb: str) -> Callable[[AddWay | DelWay], str]:
    def words(step: AddWay | DelWay) -> str:
        from netalias.model.shell import quoted

        way = step.way
        return (
            f"{_ip(way.family)} route {verb} {way.text} dev {quoted(step.device)}"
            f" table {way.table} proto {PROTOCOL}"
        )

    return words


def _ip(family: int) -> str:
    return "ip -6" if family == AF_INET6 else "ip"


WORDS: dict[type[Step], tuple[Callable[[Any], str], Callable[[Any], str]]] = {
    AddRule: (_rule("add"), lambda step: f"add the {step.device}"),
    DelRule: (_rule("del"), lambda step: f"delete the {step.device}"),
    AddWay: (_way("append"), lambda step: f"add the route {step.way.text} to {step.device}"),
    DelWay: (_way("del"), lambda step: f"delete the route {step.way.text} from {step.device}"),
    SetGsoSize: (
        lambda step: f"ip link set dev {step.device} gso_max_size {step.size}",
        lambda step: f"bound the superpackets of {step.device}",
    ),
}
"""Class of step: its words, as in commands.WORDS."""
