"""Bundles as table rows and JSON."""

from __future__ import annotations

from netalias.model.names import number
from netalias.views import NOTHING
from netalias.views.links import LONGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.views.links import Served

ABOUT = (
    "delivered", "lost", "late", "duplicate", "incomplete", "overflowed", "waiting",
    "waiting_bytes", "slack_us", "foreign", "looped", "dropped",
)  # fmt: skip
TEXTS = {"link": "link", "device": "device", "kind": "kind", "phase": "phase", "state": "member"}
"""Key of the JSON object: the word of the record."""
KNOWN = ("rate", "weight", "rtt_us", "rtt_min_us", "since_s")
"""Numbers that are null until they are known."""
COUNTED = (
    "deaths", "in_rate", "out_rate", "in_bytes", "out_bytes", "fragments_sent",
    "fragments_received", "fragments_lost", "in_flight_bytes", "window_bytes",
)  # fmt: skip


def objects(served: Iterable[Served]) -> list[dict[str, object]]:
    """The JSON objects of all bundles. Rates are bytes a second: ``rate`` is the measured one of a
    link, by which it gets its ``weight`` in percent; what is not known is null."""
    return [
        {
            "ifname": one.name,
            "pid": one.pid,
            "since": one.since,
            **{key: _count(one.about, key) for key in ABOUT},
            "links": [_link(link) for link in one.links],
        }
        for one in served
    ]


def _link(link: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {key: link.get(word) or None for key, word in TEXTS.items()}
    found |= {key: _count(link, key) if link.get(key) else None for key in KNOWN}
    return found | {key: _count(link, key) for key in COUNTED}


def _count(words: Mapping[str, str], key: str) -> int:
    """The number behind a word; 0 for none."""
    return max(0, number(words.get(key, ""), LONGEST))


HEADINGS = [
    "NAME", "LINK", "STATE", "RATE", "WEIGHT", "RTT", "IN/s", "OUT/s", "SENT", "RECEIVED", "LOST",
    "DEATHS",
]  # fmt: skip
DROPPED = (("IN/s", "OUT/s"), ("SENT", "RECEIVED"), ("WEIGHT",), ("LOST", "DEATHS"))
"""Columns to leave out where a terminal is too narrow, the first ones first."""


def rows(served: Iterable[Served]) -> list[tuple[str, ...]]:
    """A row under HEADINGS for each link; rates in Mbit/s, round-trip times in milliseconds."""
    found = []
    for one in objects(served):
        for link in one["links"]:  # type: ignore[attr-defined]
            found.append((
                str(one["ifname"]),
                str(link["link"]),
                str(link["state"] or NOTHING),
                _scaled(link["rate"], 8 / 1e6, " Mbit/s"),
                _scaled(link["weight"], 1, " %"),
                _scaled(link["rtt_us"], 1e-3, " ms"),
                *(_scaled(link[key], 8 / 1e6, " Mbit/s") for key in ("in_rate", "out_rate")),
                *(str(link[f"fragments_{key}"]) for key in ("sent", "received", "lost")),
                str(link["deaths"]),
            ))  # fmt: skip
    return found


def _scaled(value: int | None, factor: float, unit: str) -> str:
    if value is None:
        return NOTHING
    scaled = value * factor
    return f"{scaled:.0f}{unit}" if factor == 1 or scaled >= 100 else f"{scaled:.1f}{unit}"
