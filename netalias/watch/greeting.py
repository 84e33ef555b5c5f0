"""Addresses are announced when the carrier of their main device is back, since a switch may have
forgotten everything meanwhile, and as often as it is wished. A child does it, nobody waits."""

from __future__ import annotations

from netalias.claim import Policy
from netalias.claim import announce as telling
from netalias.desired.declarations import counted
from netalias.engine import announce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Alias
    from netalias.system.journal import Journal
    from netalias.watch.controller import Keeping


class Greeting:
    """*folder* is that of the namespace, *now* the time of the loop's clock."""

    def __init__(self, keeping: Keeping, journal: Journal, folder: str, now: float) -> None:
        self._keeping = keeping
        self._engine = keeping.engine
        self._journal = journal
        self._folder = folder
        self._policy = self._engine.policy or Policy()
        self._last = now

    def back(self, indexes: set[int]) -> None:
        """These main devices have got a carrier."""
        told = [
            announce.standing(alias, self._policy)
            for alias in self._keeping.world().aliases
            if alias.main is not None and alias.main.index in indexes
            if not announce.mute(alias) and not self._is_silent(alias)
        ]
        if not told or not self._policy.announce or self._engine.segment is None:
            return
        refused = telling.leave(self._engine.segment(), self._engine.kernel, told, self._policy)
        for error in refused:
            self._journal.warning(f"not announced: {error.line()}")
        if not refused:
            count = counted(len(told), "address")
            self._journal.info(f"the carrier is back: {count} announced")

    def due(self, now: float) -> float | None:
        """Seconds until again(); None where nothing is announced again and again."""
        blocks = self._keeping.wished.declared.blocks
        periods = {announce.every(block.wish, self._policy) for block in blocks} - {0}
        return max(0.0, self._last + min(periods) - now) if periods else None

    def again(self, now: float) -> None:
        """Announce what is due. Raises StateError."""
        self._last = now
        declared = self._keeping.wished.declared
        for note in announce.again(self._engine, self._folder, declared, "", (), telling.leave):
            self._journal.warning(note)

    def _is_silent(self, alias: Alias) -> bool:
        wish = self._keeping.wish(alias)
        return wish is not None and wish.announce == 0
