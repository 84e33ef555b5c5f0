"""One session of claiming: probe for addresses, follow the kernel's verdicts, announce.

Probing stands in check.py, announcing in announce.py. One IPv4 address for which nothing is wished
does not come here: the engine announces it.
"""

from __future__ import annotations

from netalias.model import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias import errors
    from netalias.claim import Claim, Context, Found, Policy
    from netalias.claim.check import Verdicts
    from netalias.kernel import Kernel
    from netalias.model import Snapshot
    from netalias.plan import Plan

AT_ONCE = 64
"""The number of IPv4 addresses that go out in one burst (packets/pacing.py, BURST)."""


def announce(
    context: Context, kernel: Kernel, claims: Sequence[Claim], policy: Policy
) -> list[str]:
    """Announce addresses that have come; failures, as sentences.

    An IPv6 address is not advertised before the kernel has decided on it (RFC 4862, 5.4): one that
    was not followed is left to a child, or left out.
    """
    from netalias.claim.announce import leave, send

    now = [one for one in claims if one.family == AF_INET or one.asked]
    later = [one for one in claims if one.family != AF_INET and not one.asked]
    refused: list[errors.NetaliasError] = []
    if now:
        long = len(now) > AT_ONCE or any(one.rounds > 1 for one in now)
        work = leave if context.aside and long else send
        refused += work(context, kernel, now, policy)
    if later and context.aside:
        refused += leave(context, kernel, later, policy, decided=False)
    return [f"not announced: {error.line()}" for error in refused]


class ClaimSession:
    """One run: ``look`` and ``follow`` before it, ``verdicts`` and ``announce`` after it.

    Pairs are a claim and the error that keeps it away. As a context manager it closes what
    follows the kernel.
    """

    def __init__(
        self,
        context: Context,
        kernel: Kernel,
        snapshot: Snapshot,
        claims: Sequence[Claim],
        policy: Policy,
    ) -> None:
        self.claims = claims
        self._context = context
        self._kernel = kernel
        self._snapshot = snapshot
        self._policy = policy
        self._verdicts: Verdicts | None = None

    def __enter__(self) -> ClaimSession:
        return self

    def __exit__(self, *_: object) -> None:
        if self._verdicts is not None:
            self._verdicts.close()

    def look(self) -> Found:
        """Who has the IPv4 addresses that are to be looked for."""
        if not self._asked:
            return []
        from netalias.claim.check import conflicts

        return self._wait(lambda: conflicts(self._context, self._snapshot, self._asked))

    def follow(self) -> None:
        """Follow the kernel from now on, for the IPv6 addresses that are about to be added."""
        asked = [one for one in self._asked if one.family != AF_INET]
        if asked:
            from netalias.claim.check import Verdicts

            self._verdicts = Verdicts(self._context, self._snapshot, asked)

    @property
    def awaited(self) -> list[Plan]:
        """The plans that bring the addresses followed."""
        if self._verdicts is None:
            return []
        asked = (one.plan for one in self._asked if one.family != AF_INET)
        return [plan for plan in asked if plan is not None]

    def verdicts(self) -> Found:
        """Who has the IPv6 addresses that were added."""
        verdicts = self._verdicts
        return self._wait(lambda: verdicts.wait(self._kernel)) if verdicts is not None else []

    def _wait(self, work: Callable[[], Found]) -> Found:
        found: Found = self._context.waiting(work)
        return found

    def announce(self, lost: Iterable[Plan] = ()) -> list[str]:
        """Announce all but those of the plans *lost*; what could not be, as sentences."""
        gone = set(map(id, lost))
        told = [one for one in self.claims if one.rounds and id(one.plan) not in gone]
        return announce(self._context, self._kernel, told, self._policy) if told else []

    @property
    def _asked(self) -> list[Claim]:
        return [one for one in self.claims if one.asked]
