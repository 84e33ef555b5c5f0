"""Claims of a watcher: addresses are probed for beside its loop, and nothing waits for them.

An address that is to be probed for is left out of the repair that would add it, as one that cannot
be added. The probes go out from the loop (``packets.probe.Probing``), without the lock. When they
are done, the alias is compared again with what the kernel has by then, and the repair finds the
verdict. So a plan is never older than the wait.

The verdict on an IPv6 address is the kernel's own, and comes as an event: nobody waits for it.
"""

from __future__ import annotations

from select import POLLIN

from netalias import errors
from netalias.claim import Policy
from netalias.claim.check import CARRIER, failed, foreign, problems
from netalias.claim.session import ClaimSession
from netalias.model import AF_INET
from netalias.packets import acd
from netalias.packets.probe import Probing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from netalias.claim import Claim, Context, Found
    from netalias.kernel import Kernel
    from netalias.model import Snapshot
    from netalias.model.events import State
    from netalias.model.names import AliasName
    from netalias.packets.probe import Environment
    from netalias.plan import Plan
    from netalias.watch.announcer import Announcer

    Finished = Callable[[Sequence[Claim], Found], None]
    Place = tuple[int, bytes]
    """The index of a main device and a packed address on its link."""

VALID = 10.0
"""Seconds for which a verdict holds; the repair follows at once, if no other run has the lock."""


class Checking(errors.Conflict):
    """An address is being probed for: the alias comes when that is done."""


class _Check:
    """Probes for addresses on one device; ``due`` is the time of the next turn."""

    __slots__ = ("claims", "due", "finished", "probing")

    def __init__(self, probing: Probing, claims: Sequence[Claim], finished: Finished) -> None:
        self.probing = probing
        self.claims = claims
        self.finished = finished
        self.due = 0.0


class Claims:
    """A part of the loop: the checks that are under way, and their verdicts.

    *state* is what is known of the kernel; *clock* counts seconds. ``checked`` is called with the
    names of aliases whose verdicts have come.
    """

    def __init__(
        self,
        state: State,
        announcer: Announcer,
        clock: Callable[[], float],
        environment: Environment | None = None,
    ) -> None:
        self.checked: Callable[[Iterable[AliasName]], None] = lambda names: None
        self._state = state
        self._announcer = announcer
        self._clock = clock
        self._environment = environment
        self._checks: list[_Check] = []
        self._wanted: dict[Place, Claim] = {}
        self._pending: set[Place] = set()
        self._verdicts: dict[Place, tuple[float, errors.NetaliasError | None]] = {}

    def session(
        self,
        context: Context,
        kernel: Kernel,
        snapshot: Snapshot,
        claims: Sequence[Claim],
        policy: Policy,
    ) -> Session:
        """The session of a repair (Setup.claimant)."""
        return Session(context, kernel, snapshot, claims, policy, self, self._announcer)

    def verdict(self, one: Claim) -> errors.NetaliasError | None:
        """The reason why an address cannot be added now, at first only Checking; None if it can."""
        place = one.main.index, one.address
        when, error = self._verdicts.pop(place, (-VALID, None))
        if self._clock() - when < VALID:
            return error
        if place not in self._pending:
            self._pending.add(place)
            self._wanted[place] = one
        return Checking(f"{one.name}: it is being checked whether another host has its address")

    def ask(self, claims: Sequence[Claim], finished: Finished) -> None:
        """Probe for the IPv4 addresses among *claims*; *finished* is called for each main device
        with its claims, and with those of them that are in use or undecided."""
        for group in _by_main(one for one in claims if one.family == AF_INET):
            self._start(group, finished)

    def _start(self, group: Sequence[Claim], finished: Finished) -> None:
        """Probe for addresses on one main device, all with the same timing."""
        pairs = [place for one in group for place in one.questions]
        macs = {device.mac for device in self._state.devices()}
        timing = acd.FAST if group[0].acd == "fast" else acd.RFC
        try:
            probing = Probing(pairs, macs, timing, CARRIER, self._environment)
        except errors.NetaliasError as error:
            finished(group, failed(group, error))
            return
        self._checks.append(_Check(probing, group, finished))

    def _note(self, group: Sequence[Claim], found: Found) -> None:
        """Keep the verdicts on the addresses of *group*, and have their aliases compared."""
        errors_by_place = {(one.main.index, one.address): error for one, error in found}
        now = self._clock()
        kept = self._verdicts.items()  # one may never be asked for: its alias went meanwhile
        self._verdicts = {place: one for place, one in kept if now - one[0] < VALID}
        for one in group:
            place = one.main.index, one.address
            self._pending.discard(place)
            self._verdicts[place] = now, errors_by_place.get(place)
        self.checked([one.name for one in group])

    # A part of the loop

    def wanted(self, now: float) -> dict[int, int]:
        """The sockets of all checks."""
        return {file.fileno(): POLLIN for check in self._checks for file in check.probing.files}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Something came in: the checks that read it are due."""
        for check in self._checks:
            if any(file.fileno() == fileno for file in check.probing.files):
                check.due = now

    def due(self, now: float) -> float | None:
        """Seconds until the next turn of a check; 0 when one is to begin."""
        if self._wanted:
            return 0.0
        return min((max(0.0, check.due - now) for check in self._checks), default=None)

    def tick(self, now: float) -> None:
        """Begin the checks that repairs want, and take the turns that are due."""
        wanted, self._wanted = [*self._wanted.values()], {}
        for group in _by_main(wanted):
            self._start(group, self._note)
        for check in [check for check in self._checks if check.due <= now]:
            self._turn(check)

    def _turn(self, check: _Check) -> None:
        try:
            wait = check.probing.turn()
            if wait is not None:
                check.due = self._clock() + wait
                return
            found = problems(check.claims, *check.probing.verdicts())
        except errors.NetaliasError as error:
            found = failed(check.claims, error)
        self._checks.remove(check)
        check.probing.close(aside=True)
        check.finished(check.claims, found)

    def close(self) -> None:
        """End all checks."""
        for check in self._checks:
            check.probing.close()
        self._checks = []


def _by_main(claims: Iterable[Claim]) -> Iterable[list[Claim]]:
    """Claims by main device and timing: one that cannot send does not fail those on others."""
    found: dict[tuple[int, str], list[Claim]] = {}
    for one in claims:
        found.setdefault((one.main.index, one.acd), []).append(one)
    return found.values()


class Session(ClaimSession):
    """The claims of one repair, for which nothing waits."""

    def __init__(
        self,
        context: Context,
        kernel: Kernel,
        snapshot: Snapshot,
        claims: Sequence[Claim],
        policy: Policy,
        checks: Claims,
        announcer: Announcer,
    ) -> None:
        super().__init__(context, kernel, snapshot, claims, policy)
        self._checks = checks
        self._announcer = announcer

    def look(self, clear: Collection[Place] = ()) -> Found:
        """The claims that cannot be added now: addresses in use, or still being probed for."""
        probed = foreign(self._snapshot, self.unprobed(clear))
        found = [(one, self._checks.verdict(one)) for one in probed]
        return [(one, error) for one, error in found if error is not None]

    def follow(self) -> None:
        """Nothing: the kernel's verdicts come as events."""

    def announce(self, lost: Iterable[Plan] = ()) -> list[str]:
        """Announce all claims but those of the plans *lost*, from the loop; no failures yet."""
        self._announcer.add(self._left(lost))
        return []
