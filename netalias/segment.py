"""The network segments that aliases stand on: who has an address there, and that it is ours now.

What takes longer than a command should (the kernel's verdict on an IPv6 address, hundreds of
announcements at a rate, announcements that are repeated) is left to a child of a command; a program
that uses the library waits for it, except for the kernel's verdict.
"""

from __future__ import annotations

from netalias import errors
from netalias.model import AF_INET, AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from netalias.arrival import Arrival, Policy
    from netalias.kernel import Kernel
    from netalias.model import Snapshot
    from netalias.packets.announce import Announcement
    from netalias.packets.dad import Watch
    from netalias.plan import Plan

    Within = Callable[[Callable[[], Any]], Any]

CARRIER = 5.0
"""Seconds that a carrier is waited for."""
VERDICT = 8.0
"""Seconds that the kernel's verdict is waited for: it takes one or two (RFC 4862, 5.1)."""
AT_ONCE = 64
"""So many IPv4 addresses go out together (packets/sending.py, BURST)."""
DESCRIPTORS = 1 << 20
"""NR_OPEN of linux/fs.h."""


class Segment:
    """``within`` calls a function inside the namespace; *aside*: this process is about to end, and
    leaves what takes time to a child."""

    def __init__(self, within: Within, *, aside: bool = False) -> None:
        self._within = within
        self.aside = aside

    def arriving(
        self, kernel: Kernel, snapshot: Snapshot, arrivals: Sequence[Arrival], policy: Policy
    ) -> Arriving:
        """One run that brings *arrivals*."""
        return Arriving(self, kernel, snapshot, arrivals, policy)

    # Before

    def conflicts(
        self, snapshot: Snapshot, arrivals: Sequence[Arrival]
    ) -> list[tuple[Arrival, errors.NetaliasError]]:
        """Look for others that have the IPv4 addresses that ask for it.

        Each that is in use with a Conflict, each that could not be looked for with its StateError.
        Raises NotPermitted, KernelError.
        """
        found: list[tuple[Arrival, errors.NetaliasError]] = []
        for acd in ("fast", "rfc"):
            asked = [
                one
                for one in arrivals
                if one.family == AF_INET
                and one.asked
                and one.acd == acd
                and not _here(one, snapshot)
            ]
            found += self._look(snapshot, asked, acd) if asked else []
        return found

    def _look(
        self, snapshot: Snapshot, asked: Sequence[Arrival], acd: str
    ) -> list[tuple[Arrival, errors.NetaliasError]]:
        from netalias.packets import acd as timings
        from netalias.packets.probe import check

        timing = timings.FAST if acd == "fast" else timings.RFC
        pairs = [(one.main.index, one.address) for one in asked]
        macs = _macs(snapshot)
        try:
            conflicts = self._within(lambda: check(pairs, macs, timing, CARRIER, aside=self.aside))
        except errors.StateError as error:
            mains = dict.fromkeys(one.main.index for one in asked)
            if len(mains) == 1:
                return [(one, _of(one, error)) for one in asked]
            # One main device that cannot be asked on must not keep the others from being served.
            groups = ([one for one in asked if one.main.index == main] for main in mains)
            return [pair for group in groups for pair in self._look(snapshot, group, acd)]
        texts = {(one.index, one.address): str(one) for one in conflicts}
        return [
            (one, errors.Conflict(f"{one.name}: {texts[one.main.index, one.address]}"))
            for one in asked
            if (one.main.index, one.address) in texts
        ]

    def watch(self, snapshot: Snapshot, arrivals: Sequence[Arrival]) -> Verdicts | None:
        """What follows the kernel's verdict on the IPv6 addresses that ask for it; None for none.

        It is opened before they are added. Raises NotPermitted, KernelError.
        """
        asked = [one for one in arrivals if one.family == AF_INET6 and one.asked]
        return Verdicts(asked, snapshot, self._within, aside=self.aside) if asked else None

    # After

    def announce(self, kernel: Kernel, told: Sequence[Arrival], policy: Policy) -> list[str]:
        """Announce what has arrived; what could not be, as sentences.

        An IPv6 address is not advertised before the kernel has decided on it (RFC 4862, 5.4).
        """
        now = [one for one in told if one.family == AF_INET or one.asked]
        later = [one for one in told if one.family != AF_INET and not one.asked]
        rounds = max(one.rounds for one in told)
        if len(now) == 1 and not later and rounds == 1 and now[0].family == AF_INET:
            return self._single(now[0])
        if self.aside and (later or rounds > 1 or len(now) > AT_ONCE):
            self._leave(kernel, now, later, policy)
            return []
        return self.send(kernel, now, policy)

    def _single(self, one: Arrival) -> list[str]:
        from netalias.packets.gratuitous import single

        name = one.device if one.own else one.main.name
        mac = b"" if one.own else one.main.mac
        try:
            self._within(lambda: single(name, mac, one.address, aside=self.aside))
        except errors.NetaliasError as error:
            return [f"{one.name}: it was not announced: {error}"]
        return []

    def send(self, kernel: Kernel, arrivals: Sequence[Arrival], policy: Policy) -> list[str]:
        """Announce in rounds, and wait for the last one; what was refused, as sentences."""
        from netalias.packets import announce

        items = _placed(kernel.part(_names(arrivals)), arrivals)
        rate = announce.RATE if policy.rate is None else policy.rate
        refused: list[str] = []

        def work() -> None:
            for rounds, group in items.items():
                failures = announce.announce(group, rate, rounds, aside=self.aside)
                refused.extend(f"not announced: {error}" for error in failures)

        try:
            self._within(work)
        except errors.NetaliasError as error:
            refused.append(f"not announced: {error}")
        return refused

    def _leave(
        self, kernel: Kernel, now: Sequence[Arrival], later: list[Arrival], policy: Policy
    ) -> None:
        """A child announces, at a rate and as often as wished, and waits for the kernel."""
        snapshot = kernel.part(_names([*now, *later]))

        def work() -> None:
            from netalias.packets import announce

            rate = announce.RATE if policy.rate is None else policy.rate
            good = [*now, *_good(later, snapshot)]
            for rounds, group in _placed(snapshot, good).items():
                announce.announce(group, rate, rounds)

        _child(lambda: self._within(work))


class Arriving:
    """One run: ``look`` and ``follow`` before it, ``verdicts`` and ``announce`` after it.

    Pairs are an arrival and the error that keeps it away. As a context manager it closes what
    follows the kernel.
    """

    def __init__(
        self,
        segment: Segment,
        kernel: Kernel,
        snapshot: Snapshot,
        arrivals: Sequence[Arrival],
        policy: Policy,
    ) -> None:
        self.arrivals = arrivals
        self._segment = segment
        self._kernel = kernel
        self._snapshot = snapshot
        self._policy = policy
        self._verdicts: Verdicts | None = None

    def __enter__(self) -> Arriving:
        return self

    def __exit__(self, *_: object) -> None:
        if self._verdicts is not None:
            self._verdicts.close()

    def look(self) -> list[tuple[Arrival, errors.NetaliasError]]:
        """Who has the IPv4 addresses."""
        if not any(one.asked for one in self.arrivals):
            return []
        return self._segment.conflicts(self._snapshot, self.arrivals)

    def follow(self) -> None:
        """Follow the kernel from now on, for the IPv6 addresses that are about to be added."""
        self._verdicts = self._segment.watch(self._snapshot, self.arrivals)

    def verdicts(self) -> list[tuple[Arrival, errors.NetaliasError]]:
        """Who has the IPv6 addresses that were added."""
        if self._verdicts is None:
            return []
        return self._verdicts.wait(self._kernel.part(_names(self._verdicts.asked)))

    def only(self, plans: Iterable[Plan]) -> None:
        """Leave out what other plans bring."""
        left = set(map(id, plans))
        self.arrivals = [one for one in self.arrivals if id(one.plan) in left]

    def announce(self, lost: Iterable[Plan] = ()) -> list[str]:
        """Announce all but those of the plans *lost*; what could not be, as sentences."""
        gone = {id(plan) for plan in lost}
        told = [one for one in self.arrivals if one.rounds and id(one.plan) not in gone]
        return self._segment.announce(self._kernel, told, self._policy) if told else []


class Verdicts:
    """The kernel's verdict on IPv6 addresses (packets/dad.py), from now on."""

    def __init__(
        self,
        asked: Sequence[Arrival],
        snapshot: Snapshot,
        within: Within,
        *,
        aside: bool = False,
    ) -> None:
        from netalias.packets.dad import Watch

        self.asked = asked
        self._within = within
        self._aside = aside
        mains = {one.main.index for one in asked}
        self._watch: Watch = within(lambda: Watch(mains, _macs(snapshot)))

    def __enter__(self) -> Verdicts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the sockets."""
        self._watch.close(aside=self._aside)

    def wait(self, snapshot: Snapshot) -> list[tuple[Arrival, errors.NetaliasError]]:
        """Those that somebody else has, or that could not be decided on, each with its error.

        *snapshot* is one in which the devices of all are to be found.
        """
        places: dict[tuple[int, bytes], Arrival] = {}
        for one in self.asked:
            device = snapshot.device(one.device)
            if device is not None:
                places[device.index, one.address] = one
        try:
            conflicts = self._within(lambda: self._watch.wait(places, VERDICT))
        except errors.StateError as error:
            return [(one, _of(one, error)) for one in self.asked]
        return [
            (one, errors.Conflict(f"{one.name}: {conflict}"))
            for conflict in conflicts
            for one in [places[conflict.index, conflict.address]]
        ]


def _good(asked: Sequence[Arrival], snapshot: Snapshot) -> list[Arrival]:
    """Those of the IPv6 addresses that nobody else has."""
    if not asked:
        return []
    with Verdicts(asked, snapshot, lambda work: work()) as verdicts:
        bad = {id(one) for one, _ in verdicts.wait(snapshot)}
    return [one for one in asked if id(one) not in bad]


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
    setsid()  # what stops the command does not stop it
    closerange(0, DESCRIPTORS)
    try:
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


def _here(one: Arrival, snapshot: Snapshot) -> bool:
    """Whether the address stands on this segment already, and is ours: it only moves."""
    around = [one.main, *snapshot.uppers(one.main.index)]
    entries = [entry for device in around for entry in snapshot.on(device.index)]
    return any(entry.local == one.address for entry in entries)


def _macs(snapshot: Snapshot) -> set[bytes]:
    return {device.mac for device in snapshot.devices.values()}


def _of(one: Arrival, error: errors.StateError) -> errors.StateError:
    """The same error for one of several that it is true of."""
    return errors.StateError(f"{one.name}: {error}", error.hint)
