"""Aliases that stand for loans of pools, and are no strays."""

from __future__ import annotations

from netalias.desired.pools import KEYWORD
from netalias.runtime import owned
from netalias.runtime.loans import Record, names, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.model import Alias


class Lent:
    """The aliases that stand for loans, as the records of *engine* tell.

    The records are read when the first alias with a lease is asked about: no other one is lent.
    Without *declared* the pools of all of them count as declared.
    """

    def __init__(self, engine: Engine, declared: Declarations | None = None) -> None:
        self._engine = engine
        self._pools: set[str] | None = None
        if declared is not None:
            self._pools = {one.subject for one in declared.tasks if one.keyword == KEYWORD}
        self._known: dict[tuple[str, bytes], str] | None = None

    def pool(self, alias: Alias) -> str:
        """The name of the pool whose loan an alias stands for, empty for none."""
        if not alias.lease:
            return ""
        if self._known is None:
            self._known = self._read()
        return self._known.get((str(alias.name), alias.address), "")

    def stays(self, alias: Alias) -> bool:
        """Whether an alias stands for a loan of a declared pool."""
        name = self.pool(alias)
        return name in self._pools if self._pools is not None else bool(name)

    def _read(self) -> dict[tuple[str, bytes], str]:
        engine = self._engine
        cookie = engine.setup.cookie or engine.kernel.cookie()
        folder = owned(engine.runtime.path, cookie)
        known = {}
        for name in names(folder) if folder else ():
            for size in (4, 16):
                loans = Record(folder, name, size, cookie).loans
                for one in loans.running(now()):
                    known[one.alias, one.address.to_bytes(size, "big")] = name
        return known
