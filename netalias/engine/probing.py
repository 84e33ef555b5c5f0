"""Plans that are still true after a wait: what was read before it is read, and planned, again.

A conflict check takes up to twelve seconds, with the wait for a carrier. Meanwhile other programs
go on: a plan that was made before it would be carried out in another world.
"""

from __future__ import annotations

from netalias import errors
from netalias.plan import Difference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.claim import Claim, Found
    from netalias.claim.session import ClaimSession
    from netalias.desired import Wish
    from netalias.observed import Observed
    from netalias.plan import Plan

    Claiming = Callable[[Observed, Sequence[Difference]], ClaimSession | None]
    """Engine.claiming()."""
    Planned = tuple[Observed, Sequence[Difference]]
    Place = tuple[int, bytes]

TRIES = 5
"""Number of times that a plan may bring addresses that no earlier one had."""


class Probes:
    """The addresses that were probed for in a run, by ifindex of the main device and address:
    ``clear`` are not in use, ``conflicts`` have the reason why they cannot be added.

    *judge* is called with what was found, and raises what is to end the run.
    """

    def __init__(self, judge: Callable[[Found], object] = list) -> None:
        self.clear: set[Place] = set()
        self.conflicts: dict[Place, errors.NetaliasError] = {}
        self._judge = judge

    def settle(self, claiming: Claiming, planned: Planned, plan: Callable[[], Planned]) -> Settled:
        """The plan that may be carried out, with the session for its addresses.

        That is *planned* if nothing has to be waited for; else what *plan* reads and plans after
        all its addresses were probed for. Raises Conflict, StateError, KernelError.
        """
        for _ in range(TRIES):
            observed, items = planned
            session = claiming(observed, items)
            if session is None or not session.unprobed(self.clear):
                return Settled(observed, items, session)
            self._look(session)
            planned = plan()
        raise errors.StateError(
            "other programs change the network all the time: the addresses to be checked were"
            f" others each of {TRIES} times"
        )

    def _look(self, session: ClaimSession) -> None:
        """Probe for what was not probed for yet."""
        asked: Sequence[Claim] = session.unprobed(self.clear)
        found = session.look(self.clear)
        self._judge(found)
        self.conflicts |= {one.place: error for one, error in found}
        self.clear |= {one.place for one in asked} - self.conflicts.keys()


class Settled:
    """A plan that may be carried out: ``observed`` and ``items``, and the ``session`` that claims
    its addresses, None without any."""

    __slots__ = ("items", "observed", "session")

    def __init__(
        self, observed: Observed, items: Sequence[Difference], session: ClaimSession | None
    ) -> None:
        self.observed = observed
        self.items = items
        self.session = session


def probed(
    claiming: Claiming,
    planned: Planned,
    read_and_plan: Callable[[], tuple[Observed, Plan]],
    wish: Wish,
) -> tuple[Observed, list[Difference], ClaimSession | None]:
    """Probe for the address that *planned* adds for *wish*; the plan that is made after that, with
    the session. Raises Conflict, StateError, KernelError."""

    def judge(found: Found) -> None:
        for _, error in found:
            raise error

    def plan() -> Planned:
        observed, result = read_and_plan()
        return observed, [Difference("", wish.name, result, wish), *result.sysctls]

    settled = Probes(judge).settle(claiming, planned, plan)
    return settled.observed, list(settled.items), settled.session


def judge(*, abort: bool) -> Callable[[Found], None]:
    """The function that judges what probes have found: with *abort*, it raises Conflict if an
    address that another host has is to abort the run."""

    def judged(found: Found) -> None:
        if abort and any(one.abort for one, _ in found):
            raise abort_error([error for _, error in found])

    return judged


def abort_error(found: Sequence[errors.NetaliasError]) -> errors.NetaliasError:
    """The error that aborts a run: a Conflict of *found* if there is one, with the first of the
    others as details."""
    from netalias.model.listing import first

    *others, last = sorted(found, key=lambda error: isinstance(error, errors.Conflict))
    last.details = first(error.line() for error in others)
    return last
