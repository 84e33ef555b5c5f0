"""Announcements that take time: many at a limited rate, repeated ones, or those after the kernel's
verdict on IPv6 addresses. A command leaves them to a child; a program that uses the library waits.

An address that is gone when its turn comes is not announced, since by then another host may have
it; nor is one that has come to another device, which a later command has announced, or will.
"""

from __future__ import annotations

from time import monotonic, sleep

from netalias import errors
from netalias.model import IFA_F_DADFAILED, IFA_F_TENTATIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.claim import Claim, Context, Policy
    from netalias.kernel import Kernel
    from netalias.kernel.netlink.moved import Moved
    from netalias.model import Snapshot
    from netalias.packets.announce import Announcement

    Failures = list[errors.NetaliasError]

DESCRIPTORS = 1 << 20
"""NR_OPEN of linux/fs.h."""
FEW = 128
"""Number of devices up to which they are read one by one."""
STRIDE = 1000
"""Number of addresses that are announced after one check that they still exist."""


def send(
    context: Context,
    kernel: Kernel,
    claims: Sequence[Claim],
    policy: Policy,
    *,
    rounds: int | None = None,
) -> Failures:
    """Announce in rounds, by default as many as each claim has, and wait for the last one; the
    failures."""
    failures: Failures = []
    aside = context.aside and rounds is None
    try:
        context.within(lambda: failures.extend(_rounds(kernel, claims, policy, aside, rounds)))
    except errors.NetaliasError as error:
        failures.append(error)
    return failures


def send_in_child(
    context: Context,
    kernel: Kernel,
    claims: Sequence[Claim],
    policy: Policy,
    *,
    decided: bool = True,
) -> Failures:
    """Announce in rounds in a child process; the failures before it starts.

    Without *decided* the child waits for the kernel's verdict first. It shares no descriptor with
    this process, not even that of *kernel*.
    """
    from netalias.packets import opened, refused

    def work() -> None:
        with kernel.reopened() as own:
            unique = claims if decided else _unique(own, claims)
            _rounds(own, unique, policy, aside=False)

    def begin() -> None:
        trial = opened()  # reports a missing right, which the child could not
        _child(work)
        trial.close()

    try:
        context.within(begin)
    except OSError as error:
        return [refused("any device", error)]
    except errors.NetaliasError as error:
        return [error]
    return []


def _rounds(
    kernel: Kernel,
    claims: Sequence[Claim],
    policy: Policy,
    aside: bool,
    rounds: int | None = None,
) -> Iterable[errors.NetaliasError]:
    """Announce each claim as often as it has rounds, *rounds* times at most; each failure once."""
    from netalias.packets.announce import INTERVAL, RATE, announce

    rate = RATE if policy.rate is None else policy.rate
    found: Failures = []
    changes = _changes(len(claims))
    begin = monotonic()
    last = max((one.rounds for one in claims), default=0) - 1
    last = last if rounds is None else min(last, rounds - 1)
    try:
        for number in range(last + 1):
            sleep(max(0.0, begin + number * INTERVAL - monotonic()))
            due = [one for one in claims if one.rounds > number]
            for first in range(0, len(due), STRIDE):
                some = due[first : first + STRIDE]
                end = number == last and first + STRIDE >= len(due)
                present = _present(_read(kernel, some), some)
                found += announce(present, rate, aside=aside and end, changes=changes)
    finally:
        if changes is not None:
            changes.close()
    failures: dict[str, errors.NetaliasError] = {}
    for error in found:
        # A device that vanished after the reading has no address to announce.
        if not isinstance(error, errors.NoSuchDevice):
            failures[str(error)] = error
    return failures.values()


def _changes(count: int) -> Moved | None:
    """The changes of addresses from now on, where so many are not announced at once."""
    from netalias.packets import NEAR

    if count <= NEAR:
        return None
    from netalias.kernel.netlink.moved import Moved

    return Moved()


def _unique(kernel: Kernel, followed: Sequence[Claim]) -> list[Claim]:
    """The claims of IPv6 addresses that the kernel finds unique (RFC 4862)."""
    from netalias.claim import patience
    from netalias.packets.dad import DadMonitor

    with DadMonitor({one.main.index for one in followed}) as watch:
        snapshot = _read(kernel, followed)
        places = {
            (device.index, one.address): one
            for one in followed
            if (device := snapshot.device(one.device)) is not None
        }
        taken, late = watch.verdicts(places, patience(len(places)), usable=False)
    bad = {(conflict.index, conflict.address) for conflict in taken}.union(late)
    return [one for place, one in places.items() if place not in bad]


def _child(work: Callable[[], object]) -> None:
    """Do *work* in a child process without the descriptors of this one; its errors are lost.

    If fork(2) fails, the work is done here.
    """
    from os import _exit, chdir, closerange, fork, setsid

    try:
        process = fork()
    except OSError:
        work()
        return
    if process:
        return
    try:
        setsid()  # a signal to the job of the command does not reach the child
        chdir("/")  # and it keeps no file system busy
        closerange(0, DESCRIPTORS)
        work()
    finally:
        _exit(0)


def _read(kernel: Kernel, claims: Iterable[Claim]) -> Snapshot:
    """A snapshot that has at least the devices of *claims*."""
    wanted = {name for one in claims for name in (one.device, one.main.name)}
    return kernel.part(wanted) if len(wanted) <= FEW else kernel.snapshot()


def _present(snapshot: Snapshot, claims: Iterable[Claim]) -> list[Announcement]:
    """The announcements of claims whose address is present and not tentative or a duplicate."""
    from netalias.packets.announce import Announcement

    present = {
        (device.index, entry.local)
        for device in snapshot.devices.values()
        for entry in snapshot.addresses.get(device.index, ())
        if not entry.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)
    }
    found: list[Announcement] = []
    for one in claims:
        carrier = snapshot.device(one.device)
        sender = carrier if one.own else snapshot.device(one.main.name)
        if carrier is None or sender is None or not sender.mac:
            continue
        if (carrier.index, one.address) in present:
            index = one.main.index if one.crowded else sender.index
            main, place = one.main.index, (one.address, carrier.index)
            found.append(Announcement(index, main, sender.mac, *place))
    return found
