"""Checks of declared lines that are no aliases: whether anybody carries them out, whether the
packets of tunnels arrive, and whether others have routed a network into one."""

from __future__ import annotations

from netalias.desired.tunnels import unit_of
from netalias.doctor.finding import ERROR, HINT, WARNING, Finding
from netalias.plan.tunnels import claimed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netalias.doctor.facts import Facts

LEVELS = {
    "tunnel-failed": ERROR,
    "tunnel-key": ERROR,
    "tunnel-refused": ERROR,
    "tunnel-unanswered": ERROR,
    "tunnel-mtu": WARNING,
}
"""Faults of tunnels (observed/tunnels.py): their levels."""


def unwatched(facts: Facts) -> Iterator[Finding]:
    """A line that needs a watcher, and none runs."""
    if facts.watched:
        return
    mains = {main.name for main in facts.mains}
    for task in facts.tasks:
        if task.watched and (facts.everywhere or task.main in mains):
            yield Finding(
                WARNING,
                f"{task.title} is declared, and nobody carries it out",
                f"{task.place} waits for netalias watch, which is not running",
                main=task.main,
            )


def of_tunnels(check: str) -> Callable[[Facts], Iterator[Finding]]:
    """The check for one of LEVELS: a tunnel whose packets do not arrive, with the reason."""

    def found(facts: Facts) -> Iterator[Finding]:
        mains = {main.name for main in facts.mains}
        for name, faults in facts.tunnels.items():
            if not (facts.everywhere or name in mains):
                continue
            for one in faults:
                if one.check == check:
                    level = HINT if one.maybe else LEVELS[check]
                    yield Finding(level, one.text, one.why, device=name)

    return found


def tunnel_route(facts: Facts) -> Iterator[Finding]:
    """A network is routed to the device of a tunnel, which has one machine behind it."""
    snapshot = facts.observed.snapshot
    for device in snapshot.devices.values():
        if device.kind != "tun" or unit_of(device.name) < 0:
            continue
        for network, command in claimed(device, snapshot.on(device.index)):
            yield Finding(
                WARNING,
                f"hosts of {network} are cut off: {device.name} has the route to them",
                "an address that others gave it has brought the connected route",
                command,
                device=device.name,
            )
