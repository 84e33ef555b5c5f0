"""The traffic of aliases between two readings: rates, totals, and their order. Pure.

An alias that came after the reading before, or whose counters went back since its device was made
again, has had all of its traffic since then.
"""

from __future__ import annotations

from netalias.views import NOTHING, address
from netalias.views.fields import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.families import Registry
    from netalias.model import Alias, Stats

COUNTERS = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets")
UNITS = ("", "k", "M", "G", "T", "P", "E", "Z")
"""Powers of 1000, as with ip -s -h."""
DROPPED = (("RXP/s", "TXP/s"), ("ADDRESS",), ("RX", "TX"))
"""Columns to leave out where there is no room, the first ones first."""


class Reading:
    """The aliases of one reading of the kernel, at *time*, seconds of a clock that only goes on."""

    def __init__(self, time: float, aliases: Sequence[Alias]) -> None:
        self.time = time
        self.aliases = aliases
        self.found = {
            alias.name: (alias.device.index, alias.device.stats)
            for alias in aliases
            if alias.device is not None
        }


class Row:
    """The traffic of one alias: counters by name, and their growth in a second; both are None for a
    label, which has no counters, and ``rates`` after the first reading. ``last`` is another alias
    if it stands for a run of shards (folded())."""

    __slots__ = ("alias", "last", "place", "rates", "totals")

    def __init__(
        self,
        place: int,
        alias: Alias,
        totals: dict[str, int] | None,
        rates: dict[str, float] | None,
    ) -> None:
        self.place = place
        self.alias = self.last = alias
        self.totals = totals
        self.rates = rates

    def rate(self, *counters: str) -> float:
        """The sum of these rates; -1 where there are none."""
        return sum(self.rates[one] for one in counters) if self.rates is not None else -1.0

    def total(self, *counters: str) -> float:
        """The sum of these counters; -1 where there are none."""
        return sum(self.totals[one] for one in counters) if self.totals is not None else -1.0


ORDERS: dict[str, tuple[str, Callable[[Row], float]]] = {
    "b": ("both", lambda row: row.rate("rx_bytes", "tx_bytes")),
    "r": ("RX", lambda row: row.rate("rx_bytes")),
    "t": ("TX", lambda row: row.rate("tx_bytes")),
    "p": ("packets", lambda row: row.rate("rx_packets", "tx_packets")),
    "c": ("total", lambda row: row.total("rx_bytes", "tx_bytes")),
    "n": ("name", lambda row: -float(row.place)),
}
"""Key: what the rows are sorted by, the largest first; names stay in chain order."""
COLUMNS = (
    ("RX/s", True, "rx_bytes"), ("TX/s", True, "tx_bytes"), ("RXP/s", True, "rx_packets"),
    ("TXP/s", True, "tx_packets"), ("RX", False, "rx_bytes"), ("TX", False, "tx_bytes"),
)  # fmt: skip
"""Heading, whether it is a rate, and the counter. Bytes, but for RXP and TXP, which are packets."""
HEADINGS = ("ALIAS", "ADDRESS", *(heading for heading, _, _ in COLUMNS))


def rows(before: Reading | None, now: Reading) -> list[Row]:
    """The traffic of all aliases of *now*, in its order; *before* is None for the first reading."""
    return [_row(place, alias, before, now) for place, alias in enumerate(now.aliases)]


def folded(found: Sequence[Row]) -> list[Row]:
    """The rows of *found*, all in chain order, with those of a run of shards in one."""
    if not any(row.alias.hidden for row in found):
        return [*found]
    from netalias.views.folded import runs

    by_alias = {id(row.alias): row for row in found}
    shown = []
    for first, last in runs(row.alias for row in found):
        row = by_alias[id(first)]
        row.last = last
        shown.append(row)
    return shown


def _row(place: int, alias: Alias, before: Reading | None, now: Reading) -> Row:
    device = alias.device
    if device is None or device.stats is None:
        return Row(place, alias, None, None)
    totals = _counters(device.stats)
    if before is None or now.time <= before.time:
        return Row(place, alias, totals, None)
    index, stats = before.found.get(alias.name, (0, None))
    old = _counters(stats) if stats is not None and index == device.index else None
    if old is None or any(totals[one] < old[one] for one in COUNTERS):
        old = dict.fromkeys(COUNTERS, 0)
    seconds = now.time - before.time
    return Row(place, alias, totals, {one: (totals[one] - old[one]) / seconds for one in COUNTERS})


def _counters(stats: Stats) -> dict[str, int]:
    return {one: getattr(stats, one) for one in COUNTERS}


def ordered(found: Iterable[Row], order: str, *, reverse: bool = False) -> list[Row]:
    """The rows sorted by a key of ORDERS; those that are equal stay in chain order."""
    value = ORDERS[order][1]
    return sorted(found, key=lambda row: (value(row) if reverse else -value(row), row.place))


def texts(row: Row, registry: Registry) -> tuple[str, ...]:
    """The texts of a row under HEADINGS; "-" where there is no number."""
    name, where = str(row.alias.name), address(row.alias, registry)
    if row.last is not row.alias:
        from netalias.views.folded import texts as run_of

        said = run_of(row.alias, row.last, registry)
        name, where = said["ALIAS"], said["ADDRESS"]
    return (
        name,
        where,
        *(_text(row.rates if rate else row.totals, counter) for _, rate, counter in COLUMNS),
    )


def _text(numbers: dict[str, int] | dict[str, float] | None, counter: str) -> str:
    return NOTHING if numbers is None else scaled(numbers[counter])


def scaled(number: float) -> str:
    """Three digits and a unit: ``999``, ``1.23k``, ``45.6M``."""
    unit = 0
    while number >= 999.5 and unit + 1 < len(UNITS):
        number /= 1000
        unit += 1
    if not unit:
        return f"{number:.0f}"
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f}{UNITS[unit]}"


def summary(found: Sequence[Row]) -> str:
    """``12 aliases, 3 with traffic: RX 1.20M/s TX 30.0k/s``."""
    busy = sum(row.rate("rx_packets", "tx_packets") > 0 for row in found)
    rates = [
        scaled(sum(max(row.rate(one), 0.0) for row in found)) for one in ("rx_bytes", "tx_bytes")
    ]
    aliases = "1 alias" if len(found) == 1 else f"{len(found)} aliases"
    return f"{aliases}, {busy} with traffic: RX {rates[0]}/s TX {rates[1]}/s"


def objects(found: Iterable[Row], registry: Registry, seconds: float) -> list[dict[str, object]]:
    """The JSON objects of views.fields() with ``seconds``, the time between the readings, and
    ``rates``, bytes and packets in a second by direction; null for a label."""
    return [
        fields(row.alias, registry) | {"seconds": round(seconds, 3), "rates": _rates(row)}
        for row in found
    ]


def _rates(row: Row) -> dict[str, dict[str, float]] | None:
    if row.rates is None:
        return None
    return {
        way: {what: round(row.rates[f"{way}_{what}"], 3) for what in ("bytes", "packets")}
        for way in ("rx", "tx")
    }
