"""Declared leases are renewed in time. Others run out unless whoever made them renews them, and
what is left of them goes (keeping.py).

The lock is not asked for: nothing is added by a renewal, and a run that hangs with the lock in its
hands shall not cost addresses.
"""

from __future__ import annotations

from netalias.kernel import GONE
from netalias.model.leases import PARTS, renewals, running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.kernel import Failure
    from netalias.model.names import AliasName
    from netalias.watch.controller import Keeping


class Leasing:
    """The leases among the wishes of *keeping*."""

    def __init__(self, keeping: Keeping, now: float) -> None:
        self._keeping = keeping
        self._last = now

    def due(self, now: float) -> float | None:
        """Seconds until renew(); None without a declared lease."""
        blocks = self._keeping.wished.declared.blocks
        shortest = min((block.wish.lease for block in blocks if block.wish.lease), default=0)
        return max(0.0, self._last + shortest / PARTS - now) if shortest else None

    def renew(self, now: float) -> list[Failure]:
        """Renew what has used up its share of time, all in one batch; what was refused, but for
        what is not there any more. Raises KernelError."""
        self._last = now
        keeping = self._keeping
        lengths: dict[AliasName, int] = {}
        aging = []
        for alias in keeping.engine.world().aliases:
            wish = keeping.wish(alias)
            if wish is not None and wish.lease and running(alias):
                assert alias.entry is not None
                lengths[alias.name] = wish.lease
                if alias.entry.valid <= wish.lease * (PARTS - 1) / PARTS + 1:
                    aging.append(alias)
        failures = keeping.engine.kernel.apply(renewals(aging, lengths))
        return [one for one in failures if one.error.errno not in GONE]
