"""Aliases of pools that lend their addresses, or whose addresses float: they are no strays."""

from __future__ import annotations

from netalias import errors
from netalias.desired.pools import KEYWORD
from netalias.runtime import owned, tasks
from netalias.runtime.loans import Record, names, now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.desired.declarations import Declarations
    from netalias.desired.tasks import Task
    from netalias.engine import Engine
    from netalias.model import Alias


FLOAT = "float"


def _declared(lines: Iterable[str]) -> Iterator[Task]:
    """The tasks that *lines* declare. A malformed one, or one of another version, is ignored."""
    from netalias.desired.tasks import read

    for line in lines:
        try:
            yield read(line.split())
        except errors.NetaliasError:
            continue


class Lent:
    """The aliases that stand for loans, as the records of *engine* tell.

    The records are read when the first alias with a lease is asked about: no other one is lent.
    Without *declared* the pools of all of them count as declared. Those that float are known by
    the lines in *declared*, and by those of a running watcher.
    """

    def __init__(self, engine: Engine, declared: Declarations | None = None) -> None:
        self._engine = engine
        self._pools: set[str] | None = None
        self._floats: dict[tuple[int, bytes], tuple[str, str]] = {}
        if declared is not None:
            self._pools = {one.subject for one in declared.tasks if one.keyword == KEYWORD}
            self._note(declared.tasks)
        self._known: dict[tuple[str, bytes], str] | None = None

    def pool(self, alias: Alias) -> str:
        """The title of the pool that an alias belongs to, ``pool web`` or ``float web``; empty for
        none."""
        if not alias.lease:
            return ""
        if self._known is None:
            self._known = self._read()
        name = self._known.get((str(alias.name), alias.address), "")
        return f"{KEYWORD} {name}" if name else self._floating(alias)

    def stays(self, alias: Alias) -> bool:
        """Whether an alias belongs to a declared pool."""
        keyword, _, name = self.pool(alias).partition(" ")
        if keyword == FLOAT:
            return self._is_on_main(alias)
        return bool(name) and (self._pools is None or name in self._pools)

    def _note(self, lines: Iterable[Task]) -> None:
        """Note the addresses of the pools that float."""
        for one in lines:
            if one.keyword == FLOAT:
                from netalias.desired.floats import Float

                assert isinstance(one, Float)
                found = (one.title, one.main)
                self._floats |= {(slot, packed): found for packed, slot in one.places.items()}

    def _floating(self, alias: Alias) -> str:
        """The title of the pool that floats, and has the slot and the address of an alias."""
        return self._floats.get((alias.name.slot, alias.address), ("", ""))[0]

    def _is_on_main(self, alias: Alias) -> bool:
        """Whether an alias that floats is on the device of its line, and not on one that has
        another name by now."""
        _, main = self._floats[alias.name.slot, alias.address]
        device = alias.main
        return main in (
            (device.name, *device.altnames) if device is not None else (alias.name.main,)
        )

    def _read(self) -> dict[tuple[str, bytes], str]:
        engine = self._engine
        cookie = engine.setup.cookie or engine.kernel.cookie()
        folder = owned(engine.runtime.path, cookie)
        known = {}
        if folder:
            self._note(_declared(tasks.left(folder, tasks.FLOATS)))
        for name in names(folder) if folder else ():
            for size in (4, 16):
                loans = Record(folder, name, size, cookie).loans
                for one in loans.running(now()):
                    known[one.alias, one.address.to_bytes(size, "big")] = name
        return known


def settled(
    engine: Engine, aliases: Iterable[Alias], declared: Declarations | None = None
) -> list[Alias]:
    """The *aliases* that do not float, as *declared* or as the records tell: whoever makes one that
    does again gives it a lifetime, in which another host may have its address."""
    lent = Lent(engine, declared)
    return [alias for alias in aliases if not lent.pool(alias).startswith(f"{FLOAT} ")]
