"""Checks of gateways: the way out of sockets that are bound to the device of an alias."""

from __future__ import annotations

from netalias.doctor.finding import ERROR, HINT, WARNING, Finding, finding, netalias
from netalias.kinds import VRF
from netalias.model import address_text
from netalias.model.commands import command
from netalias.model.gateways import DelRule, Rule, table_of, unit_of_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Alias, Device

LINKED = ("macvlan", "ipvlan")


def gateway(facts: Facts) -> Iterator[Finding]:
    """The rule or the default route of a gateway is gone."""
    rules, ways = set(facts.gateways.rules), facts.gateways.ways
    for alias in facts.aliases:
        device, main = alias.device, alias.main
        if device is None or main is None or not alias.gateway:
            continue
        table = table_of(main.index, alias.name.slot)
        lost = []
        if Rule(device.name, alias.family, table) not in rules:
            lost.append(f"the rule for {device.name} is gone")
        routed = any(
            (way.index, way.table, way.network, way.gateway)
            == (device.index, table, b"", alias.gateway)
            for way in ways
        )
        if alias.up and not routed:
            lost.append(f"the default route of {device.name} is gone")
        if lost:
            text = address_text(alias.family, alias.gateway)
            yield finding(
                alias,
                ERROR,
                f"sockets that are bound to {device.name} reach nothing beyond its segment",
                " and ".join(lost),
                netalias(alias.name, f"gateway {text}"),
            )


def no_gateway(facts: Facts) -> Iterator[Finding]:
    """A socket is bound to the device of an alias that has no gateway, though its main device has
    a default route."""
    bound = {index for what, index in facts.held if "socket" in what}
    for alias in facts.aliases:
        device, main, wish = alias.device, alias.main, facts.wishes.get(alias.name)
        if device is None or main is None or alias.gateway or alias.kind not in LINKED:
            continue
        if device.index not in bound or (wish is not None and wish.gateway):
            continue
        if facts.observed.snapshot.master(main, VRF) is None and _leads(main, alias, facts):
            yield finding(
                alias,
                HINT,
                f"a socket is bound to {device.name}, and reaches nothing beyond its segment",
                f"the default route leads through {main.name}, and the alias has no gateway",
                netalias(alias.name, "gateway auto"),
            )


def _leads(main: Device, alias: Alias, facts: Facts) -> bool:
    """Whether a default route of the family of the alias leads through its main device."""
    return any(
        not route.prefixlen and route.gateway and main.index in route.devices
        for route in facts.unicast(alias.family)
    )


def leftover_rule(facts: Facts) -> Iterator[Finding]:
    """A rule of ours has outlived the device of its alias."""
    snapshot = facts.observed.snapshot
    for rule in facts.gateways.rules:
        unit = unit_of_table(rule.table)
        device = rule.device or (f"vif{unit}" if unit >= 0 else "")
        if device and snapshot.device(device) is None:
            yield Finding(
                WARNING,
                f"a rule for {device} is left, which would hold for the next device so called",
                f"there is no device {device} any more",
                command(DelRule(rule)),
                device=device,
            )
