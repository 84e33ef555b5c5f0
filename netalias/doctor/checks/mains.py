"""Checks of main devices: faults that keep all their aliases from working."""

from __future__ import annotations

from netalias.doctor.facts import text_of
from netalias.doctor.finding import ERROR, WARNING, Finding, netalias
from netalias.kinds import PORT_MASTERS
from netalias.model import ARPHRD_ETHER, IFF_LOWER_UP, IFF_NOARP
from netalias.model.names import AliasName
from netalias.model.shell import link, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.model import Alias, Device


def main_down(facts: Facts) -> Iterator[Finding]:
    """The main device is down."""
    for main in facts.mains:
        if not main.up:
            yield Finding(
                ERROR,
                f"{main.name}: no alias on it can be reached",
                f"{main.name} is down",
                f"ip link set {link(main.name)} up",
                main=main.name,
                device=main.name,
            )


def main_carrier(facts: Facts) -> Iterator[Finding]:
    """The main device is up and has no carrier."""
    for main in facts.mains:
        if main.up and not main.flags & IFF_LOWER_UP:
            why, command = _no_carrier(main, facts)
            yield Finding(
                ERROR,
                f"{main.name}: no alias on it can be reached",
                f"{main.name} has no carrier: {why}",
                command,
                main=main.name,
                device=main.name,
            )


def _no_carrier(main: Device, facts: Facts) -> tuple[str, str]:
    """The reason for the missing carrier, and the command that mends it, or empty."""
    snapshot = facts.observed.snapshot
    lower = None if main.remote else snapshot.devices.get(main.link)
    if lower is not None and not lower.up:
        return f"{lower.name}, which it depends on, is down", f"ip link set {link(lower.name)} up"
    if main.kind in PORT_MASTERS:
        ports = [one for one in snapshot.uppers(main.index) if one.master == main.index]
        down = [one for one in ports if not one.up]
        if down:
            return f"its port {down[0].name} is down", f"ip link set {link(down[0].name)} up"
        return ("none of its ports has one" if ports else f"the {main.kind} has no port"), ""
    if main.kind == "tun":
        return "no program has it open", ""
    return "check the cable and its other end", ""


def main_port(facts: Facts) -> Iterator[Finding]:
    """Aliases are on a port of a bridge, bond or team, which takes every frame."""
    for main in facts.mains:
        master = facts.observed.snapshot.master(main, PORT_MASTERS)
        if master is None:
            continue
        for alias in facts.on(main):
            if alias.ours and alias.family:
                yield Finding(
                    WARNING,
                    f"{alias.name}: nothing that is sent to {text_of(alias)} arrives at"
                    f" {main.name}",
                    f"{main.name} is a port of the {master.kind} {master.name}, which takes its"
                    " frames",
                    _move(alias, master, facts),
                    main=main.name,
                    alias=str(alias.name),
                    device=main.name,
                    address=text_of(alias),
                )


def _move(alias: Alias, master: Device, facts: Facts) -> str:
    slot = alias.name.slot
    while AliasName(master.name, slot) in facts.observed.by_name:
        slot += 1
    there = AliasName(master.name, slot)
    address = f"{text_of(alias)}/{alias.prefixlen}"
    return f"{netalias(alias.name, '-')} && {netalias(there, address)}"


def main_vrf(facts: Facts) -> Iterator[Finding]:
    """The main device is in a VRF and the device of an alias is not."""
    for alias in facts.aliases:
        if alias.main is None or alias.device is None or alias.kind == "dummy":
            continue
        master = facts.observed.snapshot.devices.get(alias.main.master)
        if master is not None and master.kind == "vrf" and alias.device.master != master.index:
            yield Finding(
                ERROR,
                f"{alias.name}: programs in the VRF {master.name} do not see its packets",
                f"{alias.main.name} is in {master.name} and {alias.device.name} is not",
                f"ip link set {link(alias.device.name)} master {quoted(master.name)}",
                main=alias.main.name,
                alias=str(alias.name),
                device=alias.device.name,
            )


def noarp(facts: Facts) -> Iterator[Finding]:
    """ARP and neighbour discovery are off on the device that should answer (IFF_NOARP)."""
    seen: set[int] = set()
    for alias in facts.aliases:
        device = facts.receiver(alias)
        if device is None or device.index in seen or not device.flags & IFF_NOARP:
            continue
        if device.type != ARPHRD_ETHER or (device.kind == "ipvlan" and device.mode > 0):
            continue  # devices that never use ARP
        seen.add(device.index)
        yield Finding(
            ERROR,
            f"{alias.name}: hosts cannot learn the MAC of {text_of(alias) or device.name}",
            f"ARP is switched off on {device.name} (NOARP)",
            f"ip link set {link(device.name)} arp on",
            main=alias.name.main,
            alias=str(alias.name),
            device=device.name,
            address=text_of(alias),
        )
