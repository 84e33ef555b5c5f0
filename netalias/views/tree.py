"""The chain as a tree: main devices in order, each with its aliases below."""

from __future__ import annotations

from netalias.views import address, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netalias.families import Registry
    from netalias.model import Alias, Snapshot

MARKS = {True: ("├─ ", "└─ "), False: ("|- ", "`- ")}
"""Branch of every alias but the last, and of the last; by whether Unicode can be written."""


def render(
    aliases: Sequence[Alias],
    snapshot: Snapshot,
    registry: Registry,
    *,
    unicode: bool,
    more: Mapping[int, Sequence[str]] = {},
) -> Iterator[str]:
    """The lines of the tree; main devices without aliases are shown too.

    *aliases* are in chain order. *more* holds further lines for a device, by its index.
    """
    own = {alias.device.index for alias in aliases if alias.device is not None}
    blocks: dict[int, list[Alias]] = {index: [] for index in snapshot.devices if index not in own}
    orphans = []
    for alias in aliases:
        if alias.main is None:
            orphans.append(alias)
        else:
            blocks.setdefault(alias.main.index, []).append(alias)
    for index, block in blocks.items():
        main = snapshot.devices[index]
        yield f"{main.name} {'up' if main.up else 'down'}\n"
        yield from _block(block, registry, unicode, more.get(index, ()))
    if orphans:
        yield "(main device gone)\n"
        yield from _block(orphans, registry, unicode)


def _block(
    block: Sequence[Alias], registry: Registry, unicode: bool, more: Sequence[str] = ()
) -> Iterator[str]:
    middle, last = MARKS[unicode]
    texts = [*_lines(block, registry), *more]
    for place, text in enumerate(texts, 1):
        yield f"{last if place == len(texts) else middle}{text}\n"


def _lines(block: Sequence[Alias], registry: Registry) -> Iterator[str]:
    """One line for each alias, and for a run of shards."""
    if not any(alias.hidden for alias in block):
        for alias in block:
            yield f"{_named(alias)} {address(alias, registry)} {alias.kind} {state(alias)}"
        return
    from netalias.views.folded import runs
    from netalias.views.folded import texts as run_of

    for first, last in runs(block):
        name, where = _named(first), address(first, registry)
        if first is not last:
            said = run_of(first, last, registry)
            name, where = said["ALIAS"], said["ADDRESS"]
        yield f"{name} {where} {first.kind} {state(first)}"


def _named(alias: Alias) -> str:
    """The name, and that of its device, which programs need."""
    return f"{alias.name} {alias.device.name}" if alias.device is not None else str(alias.name)
