"""Imported aliases as lines of netalias.conf(5). Pure.

Detailed, one alias a line with its place, or folded into ranges under the files that they are of::

    eth0:1    10.0.0.1/24    kind label   # FILE:3
    eth0:2    10.0.0.2/24    kind label   # FILE:6
    eth0:0    10.0.0.9/24    kind label   # FILE:9: eth0:web

    # FILE
    eth0:1-2  10.0.0.1-2/24  kind label
    eth0:0    10.0.0.9/24    kind label   # eth0:web
"""

from __future__ import annotations

from netalias.desired.export import aligned, fields, runs
from netalias.families import lazy
from netalias.families.fields import address_fields
from netalias.model import AF_INET, AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.importers.slots import Row


def detailed(rows: Iterable[Row]) -> list[str]:
    """Aligned lines, one for each alias; those that are asleep are comments."""
    return aligned([_detailed(row) for row in rows])


def _detailed(row: Row) -> tuple[str, str, str]:
    address, *words = row.found.words
    text = ": ".join(filter(None, (row.found.place, row.remark, row.found.asleep)))
    return _called(row), address, f"{' '.join(words)}   # {text}"


def folded(rows: Sequence[Row]) -> list[str]:
    """Aligned lines with ranges where slots and addresses run on, each block below its file."""
    found: list[tuple[str, ...]] = []
    heading = ""
    for file, block in _blocks(rows):
        if file != heading:
            found.append((f"# {file}",))
            heading = file
        found += block
    return aligned(found)


def objects(rows: Iterable[Row]) -> list[dict[str, object]]:
    """JSON objects with the fields of ``save -j``, and ``place``; aliases that are asleep have
    none."""
    return [_object(row) for row in rows if not row.found.asleep]


def _object(row: Row) -> dict[str, object]:
    entry = _Entry(row)
    found: dict[str, object] = {"altname": str(row.name), "kind": entry.kind}
    found |= address_fields(entry.family, entry.address, entry.asked)
    return found | fields(row.found.words[1:]) | {"place": row.found.place}


def _blocks(rows: Iterable[Row]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """The file of each block and its lines as rows of aligned()."""
    from itertools import groupby

    registry = lazy()
    for (file, single), some in groupby(rows, _block):
        if single:
            yield file, [_single(row) for row in some]
        else:
            pairs = ((_Entry(row), row.found.words[1:]) for row in some)
            yield file, [run.row(registry) for run in runs(pairs)]


def _block(row: Row) -> tuple[str, bool]:
    """The file of an alias, and whether it needs a line of its own."""
    return row.found.place.rpartition(":")[0] or row.found.place, bool(
        row.remark or row.found.asleep
    )


def _single(row: Row) -> tuple[str, str, str]:
    address, *words = row.found.words
    text = ": ".join(filter(None, (row.remark, row.found.asleep)))
    return _called(row), address, f"{' '.join(words)}   # {text}"


def _called(row: Row) -> str:
    return f"# {row.name}" if row.found.asleep else str(row.name)


class _Entry:
    """An alias as runs() wants it; it always has an address."""

    expired = False
    whole = True

    __slots__ = ("address", "asked", "family", "kind", "name")

    def __init__(self, row: Row) -> None:
        words = row.found.words
        self.name = row.name
        self.address = row.found.packed
        self.asked = int(words[0].rpartition("/")[2])
        self.family = AF_INET if len(self.address) == 4 else AF_INET6
        self.kind = words[words.index("kind") + 1]
