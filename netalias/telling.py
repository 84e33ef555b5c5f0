"""Announcements that take more than a moment: many at a rate, repeated, or after the kernel's
verdict on an IPv6 address. A command leaves them to a child, a program that uses the library waits.
"""

from __future__ import annotations

from time import sleep

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.arrival import Arrival, Policy
    from netalias.kernel import Kernel
    from netalias.model import Snapshot
    from netalias.packets.announce import Announcement
    from netalias.segment import Segment

DESCRIPTORS = 1 << 20
"""NR_OPEN of linux/fs.h."""
AT_ONCE = 1000
"""Addresses that a child announces without looking whether they are there still: one second."""
INTERVAL = 2.0
"""ANNOUNCE_INTERVAL of RFC 5227, 1.1."""


def send(
    segment: Segment, kernel: Kernel, arrivals: Sequence[Arrival], policy: Policy
) -> list[str]:
    """Announce in rounds, and wait for the last one; what was refused, as sentences."""
    items = _placed(kernel.part(_names(arrivals)), arrivals)
    refused: list[str] = []

    def work() -> None:
        refused.extend(f"not announced: {error}" for error in _rounds(items, policy, segment.aside))

    try:
        segment.within(work)
    except errors.NetaliasError as error:
        refused.append(f"not announced: {error}")
    return refused


def leave(
    segment: Segment,
    kernel: Kernel,
    now: Sequence[Arrival],
    later: Sequence[Arrival],
    policy: Policy,
) -> None:
    """A child announces, at a rate and as often as wished; *later* once the kernel has decided.

    It looks again before every thousand: what has gone meanwhile may belong to another host.
    """
    snapshot = kernel.part(_names([*now, *later]))

    def work() -> None:
        told = [*now, *_good(later, snapshot)]
        for number in range(max((one.rounds for one in told), default=0)):
            if number:
                sleep(INTERVAL)
            due = [one for one in told if one.rounds > number]
            for first in range(0, len(due), AT_ONCE):
                _still(due[first : first + AT_ONCE], policy)

    _child(lambda: segment.within(work))


def _still(arrivals: Sequence[Arrival], policy: Policy) -> None:
    """Announce once what stands where it stood."""
    from netalias.kernel.netlink import Netlink

    with Netlink() as kernel:
        snapshot = kernel.snapshot()
    standing = {
        (device.name, entry.local)
        for index, device in snapshot.devices.items()
        if device.up
        for entry in snapshot.on(index)
    }
    left = [one for one in arrivals if (one.device, one.address) in standing]
    items = _placed(snapshot, left)
    _rounds({1: [item for group in items.values() for item in group]}, policy, aside=False)


def _rounds(
    items: dict[int, list[Announcement]], policy: Policy, aside: bool
) -> list[errors.NetaliasError]:
    from netalias.packets import announce

    rate = announce.RATE if policy.rate is None else policy.rate
    refused: list[errors.NetaliasError] = []
    for rounds, group in items.items():
        refused += announce.announce(group, rate, rounds, aside=aside)
    return refused


def _good(asked: Sequence[Arrival], snapshot: Snapshot) -> list[Arrival]:
    """Those of the IPv6 addresses that nobody else has."""
    from netalias.packets.dad import Watch
    from netalias.seeking import VERDICT

    devices = {one.device: snapshot.device(one.device) for one in asked}
    places = {
        (device.index, one.address): one
        for one in asked
        if (device := devices[one.device]) is not None
    }
    with Watch({one.main.index for one in asked}) as watch:
        bad = {(conflict.index, conflict.address) for conflict in watch.wait(places, VERDICT)}
    return [one for place, one in places.items() if place not in bad]


def _child(work: Callable[[], object]) -> None:
    """Have *work* done by a process of its own, which holds nothing of this one, and whose errors
    nobody hears of. Where no process can be made it is done here."""
    from os import _exit, closerange, fork, setsid

    try:
        process = fork()
    except OSError:
        work()
        return
    if process:
        return
    try:
        setsid()  # what stops the command does not stop it
        closerange(0, DESCRIPTORS)
        work()
    finally:
        _exit(0)


def _names(arrivals: Sequence[Arrival]) -> list[str]:
    return [name for one in arrivals for name in (one.device, one.main.name)]


def _placed(snapshot: Snapshot, arrivals: Sequence[Arrival]) -> dict[int, list[Announcement]]:
    """What is announced, by the number of rounds; devices that have gone are left out."""
    from netalias.packets.announce import Announcement

    found: dict[int, list[Announcement]] = {}
    for one in arrivals:
        device = snapshot.device(one.device if one.own else one.main.name)
        if device is not None and device.mac:
            item = Announcement(device.index, one.main.index, device.mac, one.address)
            found.setdefault(one.rounds, []).append(item)
    return found
