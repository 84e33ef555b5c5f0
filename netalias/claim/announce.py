"""Announcements that take more than a moment: many at a rate, repeated, or after the kernel's
verdict on an IPv6 address. A command leaves them to a child, a program that uses the library waits.

What does not stand any more when its turn comes is not announced: by then it may be another host's.
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
    from netalias.model import Snapshot
    from netalias.packets.announce import Announcement

    Refused = list[errors.NetaliasError]

DESCRIPTORS = 1 << 20
"""NR_OPEN of linux/fs.h."""
FEW = 128
"""Up to so many devices are read one by one."""
STRIDE = 1000
"""So many are announced without looking whether they are there still."""


def send(context: Context, kernel: Kernel, claims: Sequence[Claim], policy: Policy) -> Refused:
    """Announce in rounds, and wait for the last one; what was refused."""
    refused: Refused = []
    try:
        context.within(lambda: refused.extend(_rounds(kernel, claims, policy, context.aside)))
    except errors.NetaliasError as error:
        refused.append(error)
    return refused


def leave(
    context: Context,
    kernel: Kernel,
    claims: Sequence[Claim],
    policy: Policy,
    *,
    decided: bool = True,
) -> Refused:
    """A child announces, at a rate and as often as wished; what is refused before it begins.

    Without *decided* it waits for the kernel's verdict first. It holds nothing of this process,
    *kernel* neither.
    """
    from netalias.packets import opened, refused

    def work() -> None:
        with kernel.reopened() as own:
            good = claims if decided else _good(own, claims)
            _rounds(own, good, policy, aside=False)

    def begin() -> None:
        right = opened()  # nobody hears of what is refused to the child
        _child(work)
        right.close()

    try:
        context.within(begin)
    except OSError as error:
        return [refused("any device", error)]
    except errors.NetaliasError as error:
        return [error]
    return []


def _rounds(
    kernel: Kernel, claims: Sequence[Claim], policy: Policy, aside: bool
) -> Iterable[errors.NetaliasError]:
    """Each refusal once."""
    from netalias.packets.announce import INTERVAL, RATE, announce

    rate = RATE if policy.rate is None else policy.rate
    refused: dict[str, errors.NetaliasError] = {}
    begin = monotonic()
    last = max((one.rounds for one in claims), default=0) - 1
    for number in range(last + 1):
        sleep(max(0.0, begin + number * INTERVAL - monotonic()))
        due = [one for one in claims if one.rounds > number]
        for first in range(0, len(due), STRIDE):
            some = due[first : first + STRIDE]
            end = number == last and first + STRIDE >= len(due)
            for error in announce(_standing(_read(kernel, some), some), rate, aside=aside and end):
                refused.setdefault(str(error), error)
    return refused.values()


def _good(kernel: Kernel, asked: Sequence[Claim]) -> list[Claim]:
    """Those of the IPv6 addresses that nobody else has."""
    from netalias.claim import patience
    from netalias.packets.dad import DadMonitor

    with DadMonitor({one.main.index for one in asked}) as watch:
        snapshot = _read(kernel, asked)
        places = {
            (device.index, one.address): one
            for one in asked
            if (device := snapshot.device(one.device)) is not None
        }
        taken, late = watch.verdicts(places, patience(len(places)), usable=False)
    bad = {(conflict.index, conflict.address) for conflict in taken}.union(late)
    return [one for place, one in places.items() if place not in bad]


def _child(work: Callable[[], object]) -> None:
    """Have *work* done by a process of its own, which holds nothing of this one, and whose errors
    nobody hears of. Where no process can be made it is done here."""
    from os import _exit, chdir, closerange, fork, setsid

    try:
        process = fork()
    except OSError:
        work()
        return
    if process:
        return
    try:
        setsid()  # what stops the command does not stop it
        chdir("/")  # nor does it keep a file system mounted
        closerange(0, DESCRIPTORS)
        work()
    finally:
        _exit(0)


def _read(kernel: Kernel, claims: Iterable[Claim]) -> Snapshot:
    """The devices of *claims* as they are now, and maybe others."""
    wanted = {name for one in claims for name in (one.device, one.main.name)}
    return kernel.part(wanted) if len(wanted) <= FEW else kernel.snapshot()


def _standing(snapshot: Snapshot, claims: Iterable[Claim]) -> list[Announcement]:
    """How those are announced whose address is there, and decided on."""
    from netalias.packets.announce import Announcement

    present = {
        (device.index, entry.local)
        for device in snapshot.devices.values()
        for entry in snapshot.on(device.index)
        if not entry.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)
    }
    found: list[Announcement] = []
    for one in claims:
        carrier = snapshot.device(one.device)
        sender = carrier if one.own else snapshot.device(one.main.name)
        if carrier is None or sender is None or not sender.mac:
            continue
        if (carrier.index, one.address) in present:
            found.append(Announcement(sender.index, one.main.index, sender.mac, one.address))
    return found
