"""Addresses that float, and commands by hand: nobody but the cluster gives them to a host.

An alias that somebody makes stands for ever, while the cluster has another host answer for its
address. Known are the pools of a watcher of the namespace, and those in the files of this host,
which are about its own namespace.
"""

from __future__ import annotations

from netalias import errors
from netalias.cli import concerns, may_float

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.cli import Options
    from netalias.desired import Wish
    from netalias.desired.floats import Float
    from netalias.desired.pools import Pool
    from netalias.engine import Engine
    from netalias.engine.batch import Command
    from netalias.model.names import AliasName


RENEWED = "netalias watch sets its lifetime; --force gives it another one all the same"


def check(options: Options, engine: Engine, wishes: Iterable[Wish]) -> None:
    """Check that no wish asks for an address that floats, nor for another lifetime of one, unless
    that is forced. Raises AlreadyExists."""
    for wish in wishes if not options.force else ():
        if concerns(wish) and (found := _refusal(_pools(options, engine), wish, engine)):
            raise found


def mark(options: Options, engine: Engine, commands: Iterable[Command]) -> None:
    """Give each command that asks for an address that floats, or its lifetime, its error."""
    pools: list[Float] | None = None
    for one in commands:
        if one.wish is not None and concerns(one.wish) and one.error is None:
            pools = _pools(options, engine) if pools is None else pools
            one.error = _refusal(pools, one.wish, engine)


def refuse(
    options: Options, engine: Engine, addresses: Iterable[tuple[str, bytes]], hint: str = ""
) -> None:
    """Raises AlreadyExists for the first of *addresses*, each given with what has it or is to get
    it, and packed, that floats."""
    pools = _pools(options, engine)
    for title, packed in addresses if pools else ():
        for pool in pools:
            if packed in pool.places:
                raise _error(title, pool, packed, hint)


def apart(options: Options, engine: Engine, pool: Pool) -> None:
    """Raises AlreadyExists for a pool that would lend an address that floats."""
    for one in _pools(options, engine):
        twice = next((packed for packed in one.addresses if pool.lends(packed)), None)
        if twice is not None:
            raise _error(pool.title, one, twice)


def _refusal(pools: Iterable[Float], wish: Wish, engine: Engine) -> errors.AlreadyExists | None:
    """The refusal of a wish for an address that floats, a prefix that has one, or the lifetime of
    one that stands."""
    former = b"" if wish.address or not pools else _present(engine, wish.name)
    for pool in pools:
        if former in pool.places:
            return _error(str(wish.name), pool, former, RENEWED)
        if wish.address in pool.places:
            return _error(str(wish.name), pool, wish.address)
        if wish.kind == "prefix" and wish.prefixlen is not None:
            from netalias.model.prefix import contains

            place = wish.address, wish.prefixlen
            packed = next((one for one in pool.addresses if contains(*place, one)), None)
            if packed is not None:
                return _error(str(wish.name), pool, packed)
    return None


def _present(engine: Engine, name: AliasName) -> bytes:
    """The packed address of an alias, by any name of its main device; empty without one."""
    from netalias.observed.query import find

    try:
        return find(engine.observe(), name).address
    except errors.NoSuchDevice:
        return b""


def _error(title: str, pool: Float, packed: bytes, hint: str = "") -> errors.AlreadyExists:
    address = pool.spelled(packed)
    where = f" ({pool.place})" if pool.source else ""
    return errors.AlreadyExists(
        f"{title}: {address} belongs to {pool.title}{where}: another host may have it,"
        " and both would answer",
        hint or f"netalias cluster move {address} HOST; --force makes it all the same",
    )


def _pools(options: Options, engine: Engine) -> list[Float]:
    """The pools that float here."""
    if not may_float(options):
        return []
    return [*(_filed() if not options.netns else ()), *_watched(engine)]


def _watched(engine: Engine) -> Iterator[Float]:
    """The pools of a watcher; those that a killed one has left may stand."""
    from netalias.desired.lines import words_of
    from netalias.runtime import owned, tasks

    folder = owned(engine.runtime.path, engine.setup.cookie or engine.kernel.cookie())
    for line in tasks.left(folder, tasks.FLOATS) if folder else ():
        yield from _read(words_of(line))


def _filed() -> Iterator[Float]:
    """The pools in the files of this host. A file that cannot be read, or a wrong line, is for
    others to tell of."""
    from netalias import sources
    from netalias.desired.floats import KEYWORD
    from netalias.desired.lines import numbered, words_of

    try:
        files = sources.default_files()
    except errors.NetaliasError:
        return
    for file in files:
        try:
            ((name, text),) = sources.decode(sources.read([file]))
        except errors.NetaliasError:
            continue
        for number, line in numbered(text) if KEYWORD in text else ():
            for pool in _read(words_of(line)):
                pool.source, pool.line = name, number
                yield pool


def _read(words: list[str]) -> Iterator[Float]:
    """The pool of a line; none for any other line, and for a wrong one."""
    from netalias.desired.floats import KEYWORD, read

    if words[:1] == [KEYWORD]:
        try:
            yield read(words)
        except errors.NetaliasError:
            return
