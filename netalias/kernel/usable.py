"""Waiting until what moves is in use at its new place, before the old one goes.

The kernel leaves two things to a queue of work (net/ipv6/addrconf.c). The route to a new IPv6
address, in the table ``local``, comes with addrconf_dad_work: until then the address is there, and
what arrives for it is dropped. And a new device looks for the routers and neighbours of its network
only from a link-local address that is no longer tentative (ndisc_send_ns of net/ipv6/ndisc.c).
"""

from __future__ import annotations

from time import monotonic, sleep

from netalias.model import IFA_F_NOPREFIXROUTE, IFA_F_TENTATIVE, RT_SCOPE_LINK
from netalias.model.steps import AddAddress, moves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from netalias.model import Snapshot
    from netalias.model.steps import Step

    class Readings(Protocol):
        """The part of a Kernel that is called here."""

        def delivered(self, asked: set[tuple[int, bytes]]) -> set[tuple[int, bytes]] | None: ...

        def made(self, name: str) -> int: ...

        def part(self, names: Iterable[str]) -> Snapshot: ...


LIMIT = 4.0
"""Seconds to wait at most: whatever keeps the kernel from it, the run goes on. A link-local address
takes one or two (RFC 4862, section 5.1)."""
PAUSE = 0.003


def wait(kernel: Readings, done: Iterable[Step]) -> None:
    """Wait for the addresses that *done* has added, and that only move: for the route to each, and
    for neighbour discovery on the devices that are to have the route of their network."""
    moved = [step for step in done if isinstance(step, AddAddress) and moves(step)]
    missing = {(step.index or kernel.made(step.device), step.address.local) for step in moved}
    devices = {step.device for step in moved if step.address.flags & IFA_F_NOPREFIXROUTE}
    end = monotonic() + LIMIT
    while (missing or devices) and monotonic() < end:
        found = kernel.delivered(missing)
        if found is None:
            return
        missing -= found
        if devices:
            devices -= _speaking(kernel, devices)
        if missing or devices:
            sleep(PAUSE)


def _speaking(kernel: Readings, names: set[str]) -> set[str]:
    """The devices of *names* with a link-local address that is not tentative, or which are gone."""
    snapshot = kernel.part(names)
    silent = {
        device.name
        for device in snapshot.devices.values()
        if not any(
            entry.scope == RT_SCOPE_LINK and not entry.flags & IFA_F_TENTATIVE
            for entry in snapshot.on(device.index)
        )
    }
    return names - silent
