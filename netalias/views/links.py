"""Links as table rows and JSON."""

from __future__ import annotations

from netalias.model.names import number
from netalias.views import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Protocol

    class Served(Protocol):
        """The record of a network device (runtime/links.py)."""

        name: str
        content: str
        pid: int
        since: str
        links: list[dict[str, str]]
        about: dict[str, str]


PHYSICAL = {
    "NAME": "ifname", "DEVICE": "device", "KIND": "kind", "PHASE": "phase", "CARRIER": "carrier",
    "CD": "cd", "OPENED": "opened", "IN": "in_bytes", "OUT": "out_bytes", "IN/s": "in_rate",
    "OUT/s": "out_rate", "DAMAGED": "in_damaged", "DROPPED": "dropped",
}  # fmt: skip
"""Heading of each column: the key of the JSON object."""
HEADINGS = [*PHYSICAL]
DROPPED = (("KIND", "CD"), ("CARRIER",), ("OPENED",), ("IN/s", "OUT/s"), ("DAMAGED",))
"""Columns to leave out where a terminal is too narrow, the first ones first."""
TEXTS = ("link", "device", "kind", "phase", "carrier", "cd")
NUMBERS = (
    "opened", "in_packets", "in_bytes", "in_damaged", "in_dropped", "in_rate", "out_packets",
    "out_bytes", "out_dropped", "out_rate",
)  # fmt: skip
LONGEST = 20
"""Digits of a number at most: that of 64 bits."""


def physical(served: Iterable[Served]) -> list[dict[str, object]]:
    """The JSON objects of all links. Rates are bytes a second of the last five seconds; what is not
    known is null."""
    return [
        {
            "ifname": one.name,
            "content": one.content,
            "pid": one.pid,
            "since": one.since,
            **{key: _text(link, key) for key in TEXTS},
            **{key: max(0, number(link.get(key, ""), LONGEST)) for key in NUMBERS},
        }
        for one in served
        for link in one.links
    ]


def _text(link: Mapping[str, str], key: str) -> str | None:
    found = link.get(key, "")
    return None if found in ("", NOTHING) else found


def rows(served: Iterable[Served]) -> list[tuple[str, ...]]:
    """The same as rows under HEADINGS; packets that were dropped are counted together."""
    found = []
    for link in physical(served):
        link["dropped"] = sum(int(str(link[f"{one}_dropped"])) for one in ("in", "out"))
        values = (link[key] for key in PHYSICAL.values())
        found.append(tuple(NOTHING if value is None else str(value) for value in values))
    return found
