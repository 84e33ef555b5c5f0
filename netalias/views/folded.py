"""Shards as rows of a table or a tree: one row for a run of slots and addresses that are alike."""

from __future__ import annotations

from netalias.views import COLUMNS, address, rows, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from netalias.families import Registry
    from netalias.model import Alias

    Columns = tuple[tuple[str, Callable[[Alias, Registry], str]], ...]


def folded(
    aliases: Iterable[Alias], registry: Registry, columns: Columns = COLUMNS
) -> list[tuple[str, ...]]:
    """The rows of *aliases*, as views.rows() gives them, with those of a run of shards in one."""
    found: list[tuple[str, ...]] = []
    for first, last in runs(aliases):
        (row,) = rows([first], registry, columns)
        if first is not last:
            said = texts(first, last, registry)
            row = tuple(
                said.get(heading, text) for (heading, _), text in zip(columns, row, strict=True)
            )
        found.append(row)
    return found


def texts(first: Alias, last: Alias, registry: Registry) -> dict[str, str]:
    """The cells of a run by heading, where they differ from those of its first alias."""
    assert first.hidden is not None
    assert last.hidden is not None
    devices = first.hidden.name
    if last.hidden is not first.hidden:
        devices += f"-{last.hidden.name.rpartition('_s')[2]}"
    begin = address(first, registry).partition("/")[0]
    return {
        "ALIAS": f"{first.name}-{last.name.slot}",
        "DEVICE": devices,
        "ADDRESS": f"{begin}-{address(last, registry)}",
    }


def runs(aliases: Iterable[Alias]) -> Iterator[tuple[Alias, Alias]]:
    """The first and the last alias of each run; any other kind is a run by itself."""
    first = last = None
    for alias in aliases:
        if first is not None and last is not None and _continues(last, alias):
            last = alias
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = alias
    if first is not None and last is not None:
        yield first, last


def _continues(last: Alias, alias: Alias) -> bool:
    """Whether a shard follows another one, and no column but those of texts() differs."""
    if alias.hidden is None or last.hidden is None or alias.main is not last.main:
        return False
    if alias.name.slot != last.name.slot + 1 or alias.prefixlen != last.prefixlen:
        return False
    distance = int.from_bytes(alias.address, "big") - int.from_bytes(last.address, "big")
    return distance == 1 and state(alias) == state(last)
