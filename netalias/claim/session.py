"""A claim session: probe for addresses, follow the kernel's verdicts, announce.

The probes are in check.py, the announcements in announce.py. One IPv4 address with default options
has no session: the engine announces it directly.
"""

from __future__ import annotations

from netalias.claim import Policy, claims, mark_crowded
from netalias.model import AF_INET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from netalias import errors
    from netalias.claim import Claim, Context, Found
    from netalias.claim.check import Verdicts
    from netalias.desired import Wish
    from netalias.kernel import Kernel
    from netalias.model import Snapshot
    from netalias.plan import Plan

AT_ONCE = 64
"""Number of IPv4 addresses that are announced in one burst (packets/pacing.py, BURST)."""


def announce(
    context: Context, kernel: Kernel, claims: Sequence[Claim], policy: Policy
) -> list[str]:
    """Announce addresses that were added; failures as sentences.

    An IPv6 address is not advertised before the kernel's verdict (RFC 4862, section 5.4): without
    one yet, it is left to a child, or not announced if the process goes on.
    """
    now = [one for one in claims if one.decided]
    later = [one for one in claims if not one.decided]
    long = len(now) > AT_ONCE or any(one.rounds > 1 for one in now)
    from netalias.claim.announce import send, send_in_child

    failures: list[errors.NetaliasError] = []
    if now:
        work = send_in_child if context.aside and long else send
        failures += work(context, kernel, now, policy)
    if later and context.aside:
        failures += send_in_child(context, kernel, later, policy, decided=False)
    return [f"not announced: {error.line()}" for error in failures]


def opened(
    context: Context,
    kernel: Kernel,
    snapshot: Snapshot,
    pairs: Iterable[tuple[Wish | None, Plan]],
    policy: Policy | None,
) -> ClaimSession | None:
    """The session that claims the addresses of these plans; None without any."""
    policy = policy or Policy()
    found = list(claims(pairs, policy))
    if not found:
        return None
    mark_crowded(found, snapshot)
    return (context.claimant or ClaimSession)(context, kernel, snapshot, found, policy)


class ClaimSession:
    """The claims of a run: ``look`` and ``follow`` before it, ``verdicts`` and ``announce`` after.

    Results are pairs of a claim and the error that prevents it. Leaving it as a context manager
    closes the sockets of follow().
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
        self._probed = [one for one in claims if one.probed]
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

    def unprobed(self, clear: Collection[tuple[int, bytes]] = ()) -> list[Claim]:
        """The claims of IPv4 addresses that look() has to probe for; *clear* are the places of
        those that were probed for already."""
        probed = [one for one in self._probed if one.family == AF_INET]
        return [one for one in probed if one.place not in clear]

    def look(self, clear: Collection[tuple[int, bytes]] = ()) -> Found:
        """Probe for the IPv4 addresses but those at *clear*; the claims that fail."""
        wanted = self.unprobed(clear)
        if not wanted:
            return []
        from netalias.claim.check import conflicts

        return conflicts(self._context, self._snapshot, wanted)

    def follow(self) -> None:
        """Follow the kernel's verdicts on the IPv6 addresses that are about to be added."""
        followed = [one for one in self._probed if one.family != AF_INET]
        if followed:
            from netalias.claim.check import Verdicts

            self._verdicts = Verdicts(self._context, self._snapshot, followed)

    @property
    def awaited(self) -> list[Plan]:
        """The plans that add the followed addresses."""
        if self._verdicts is None:
            return []
        plans = (one.plan for one in self._probed if one.family != AF_INET)
        return [plan for plan in plans if plan is not None]

    def verdicts(self) -> Found:
        """Wait for the verdicts on the IPv6 addresses that were added; the claims that fail."""
        verdicts = self._verdicts
        return verdicts.wait(self._kernel) if verdicts is not None else []

    def hand_over(self) -> None:
        """Tell neighbours, once more than they are told at the end, of addresses whose former MAC
        is about to go: what comes for that would be lost until then."""
        leaving = [one for one in self.claims if one.leaves and one.rounds]
        if leaving:
            from netalias.claim.announce import send

            send(self._context, self._kernel, leaving, self._policy, rounds=1)

    def announce(self, lost: Iterable[Plan] = ()) -> list[str]:
        """Announce all claims but those of the plans *lost*; failures as sentences."""
        left = self._left(lost)
        return announce(self._context, self._kernel, left, self._policy) if left else []

    def _left(self, lost: Iterable[Plan]) -> list[Claim]:
        """The claims to be announced, without those of the plans *lost*."""
        gone = set(map(id, lost))
        return [one for one in self.claims if one.rounds and id(one.plan) not in gone]
