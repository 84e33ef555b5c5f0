"""The main devices of pools that float: what cannot stand here is left to other hosts.

A device that is gone, down, or without a carrier reaches nobody, so its pools are taken out of what
this host serves. One that has come back has to stay for a moment before it gets them again.
"""

from __future__ import annotations

from netalias.desired.floats import Float
from netalias.model import IFF_LOWER_UP
from netalias.model.events import ARRIVAL, CARRIER, DEPARTURE, FLAG, LINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.desired.tasks import Task
    from netalias.model import Device
    from netalias.model.events import Event
    from netalias.system.journal import Journal

BACK = 2.0
"""Seconds for which a device that has come back has to be there."""
WAKING = (ARRIVAL, CARRIER, DEPARTURE, FLAG, "altname", "name")
"""Events that may concern a main device."""


class Mains:
    """*devices* tells the devices that there are."""

    def __init__(self, devices: Callable[[], Iterable[Device]], journal: Journal) -> None:
        self._devices = devices
        self._journal = journal
        self._names: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._back: dict[str, float] = {}
        self._changed = False

    def hear(self, event: Event) -> None:
        """Take note of an event; filter() may give something else after it."""
        if event.key[0] != LINK or event.what not in WAKING or event.device is None:
            return
        called = {event.device.name, *event.device.altnames, str(event.old)}
        self._changed |= not self._names.isdisjoint(called)

    def due(self, now: float) -> float | None:
        """Seconds until filter() may give something else; None for not before an event."""
        if self._changed:
            return 0.0
        return min((max(0.0, when - now) for when in self._back.values()), default=None)

    def filter(self, tasks: Iterable[Task], now: float) -> list[str]:
        """The lines of those *tasks* that can be carried out here, and of all that are no pools."""
        self._changed = False
        tasks = [*tasks]
        self._names = {one.main for one in tasks if isinstance(one, Float)}
        found = {name: one for one in self._devices() for name in (one.name, *one.altnames)}
        for name in sorted(self._names):
            self._look(name, _reason(name, found.get(name)), now)
        for known in (self._reasons, self._back):
            for name in known.keys() - self._names:
                del known[name]
        return [one.text for one in tasks if one.main not in self._reasons]

    def _look(self, name: str, reason: str, now: float) -> None:
        """Go by the *reason* why nothing can stand on a device, empty for none."""
        if reason:
            if reason != self._reasons.get(name):
                self._journal.warning(f"{reason}: what floats on it is left to other hosts")
            self._reasons[name] = reason
            self._back.pop(name, None)
        elif name in self._reasons and now < self._back.setdefault(name, now + BACK):
            pass  # it may go at once
        elif self._reasons.pop(name, ""):
            del self._back[name]
            self._journal.notice(f"{name} is back: its share of what floats is taken")


def _reason(name: str, device: Device | None) -> str:
    """The reason why nothing can stand on a device; empty for none."""
    if device is None:
        return f"there is no device {name}"
    if not device.up:
        return f"{name} is down"
    return "" if device.flags & IFF_LOWER_UP else f"{name} has no carrier"
