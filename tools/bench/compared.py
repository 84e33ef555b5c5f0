"""The figures of netalias and its peers for many aliases, as tables with their targets."""

from __future__ import annotations

import json
import statistics

from page import UNMEASURED, duration, table, verdict
from peers import ALL, COMPARE, CREATE, DECLARED, LABEL, MACVLAN, ONE, OPERATIONS, SOME

BARE = "python -c pass"
OWN = "netalias"
FACTOR = 20
"""The least ratio of the time of a slow peer to that of netalias."""
MEGABYTES = {CREATE: 90, COMPARE: 60}
"""The peak of the memory at most."""
FLOOR = "floor (C)"
APART = (ONE,)
"""Operations whose ratio to a bare Python leaves out what the kernel takes for it."""

Cell = tuple[str, int, str, str]
"""Kind, count, peer, operation."""


class Results:
    """Times in milliseconds, the peers by name, and the reasons for missing times."""

    def __init__(self) -> None:
        self.times: dict[Cell, list[float]] = {}
        self.peers: dict[str, tuple[str, str]] = {}
        """Version and remark."""
        self.reasons: dict[tuple[str, str, int], str] = {}
        """Peer, kind, count: why it stopped, or an empty text."""
        self.peaks: dict[str, int] = {}
        """KiB."""

    def add(self, kind: str, count: int, peer: str, operation: str, taken: float) -> None:
        """Add the time of one run."""
        self.times.setdefault((kind, count, peer, operation), []).append(taken)

    def median(self, kind: str, count: int, peer: str, operation: str) -> float | None:
        """The median in milliseconds; None if no run ended."""
        found = self.times.get((kind, count, peer, operation))
        return statistics.median(found) if found else None

    def sizes(self) -> list[tuple[str, int]]:
        """The measured kinds and counts, in order."""
        return list(dict.fromkeys((kind, count) for kind, count, _, _ in self.times))


class Target:
    """A time of netalias, and the one that it is compared with.

    ``apart`` names a peer whose own time is shown beside the ratio.
    """

    def __init__(self, own: Cell, other: str, limit: float, apart: str = "") -> None:
        self.own = own
        self.other = other
        self.limit = limit
        self.apart = apart

    def row(self, results: Results) -> list[str]:
        """The row of the target: text, limit, measured value, verdict."""
        kind, count, _, operation = self.own
        text = f"{operation}, {count} {kind}s: `{self.other}`"
        limit = f"<= {self.limit:g} x"
        own = results.median(*self.own)
        other = results.median(kind, count, self.other, operation)
        if own is None or other is None:
            return [text, limit, "-", UNMEASURED]
        value = own / other
        aside = results.median(kind, count, self.apart, operation) if self.apart else None
        told = f"; {self.apart}: {duration(aside)}" if aside else ""
        least = results.median(kind, count, FLOOR, operation) if self.other != FLOOR else None
        reason = f"the floor alone {least / other:.2f} x" if least else ""
        return [text, limit, f"{value:.2f} x{told}", verdict(value, self.limit, reason)]


LIMITS: tuple[tuple[str, str, str, dict[int, float]], ...] = (
    (CREATE, LABEL, "ip -batch", {1000: 1.5, 4000: 0.9}),
    (CREATE, MACVLAN, "ip -batch", {1000: 0.5, 4000: 0.04}),
    (CREATE, MACVLAN, FLOOR, {1000: 1.2, 4000: 1.15}),
    (ONE, MACVLAN, BARE, {4000: 4.0}),
    (ONE, LABEL, BARE, {4000: 4.0}),
    (SOME, MACVLAN, "ip -batch", {1000: 0.03}),
    (ALL, MACVLAN, "ip -batch", {4000: 1.1}),
)
"""Operation, kind, peer: multiples of its time by the number of aliases, at most. Those of a no-op
are in unchanged.py."""


def _targets() -> list[Target]:
    return [
        Target((kind, count, OWN, operation), peer, limit, FLOOR if operation in APART else "")
        for operation, kind, peer, counts in LIMITS
        for count, limit in counts.items()
    ]


def _slow(results: Results, peer: str, kind: str) -> list[str]:
    """The row for the least factor at the largest count that a slow peer finished.

    The factor of the floor beside it is the limit on this kernel.
    """
    text, limit = f"every operation, {kind}s: {peer}", f">= {FACTOR} x faster"
    finished = [
        count
        for other, count in results.sizes()
        if other == kind and results.median(kind, count, peer, ALL)
    ]
    if not finished:
        return [text, limit, "-", UNMEASURED]
    count = max(finished)
    factors = _factors(results, kind, count, peer, OWN)
    least = min(factors, key=lambda name: factors[name])
    measured = f"{factors[least]:.0f} x ({least}) at {count}"
    floor = _factors(results, kind, count, peer, FLOOR).get(least)
    measured += f"; the floor {floor:.0f} x" if floor else ""
    return [text, limit, measured, verdict(FACTOR, factors[least])]


def _factors(results: Results, kind: str, count: int, slow: str, fast: str) -> dict[str, float]:
    """The ratio of the times of two peers, by operation."""
    found = {}
    for operation in DECLARED:
        taken = results.median(kind, count, slow, operation)
        own = results.median(kind, count, fast, operation)
        if taken and own:
            found[operation] = taken / own
    return found


def _memory(results: Results) -> list[list[str]]:
    rows = []
    for operation, limit in MEGABYTES.items():
        text = f"peak of the memory, 50 000 labels: {operation}"
        peak = results.peaks.get(operation, 0) * 1024 / 1e6
        found = [f"{peak:.0f} MB", verdict(peak, limit)] if peak else ["-", UNMEASURED]
        rows.append([text, f"<= {limit} MB", *found])
    return rows


def targets(results: Results) -> list[list[str]]:
    """The rows of all targets: text, limit, measured value, verdict."""
    rows = [target.row(results) for target in _targets()]
    rows += [
        _slow(results, peer, kind) for peer in ("ifupdown2", "IfState") for kind in (MACVLAN, LABEL)
    ]
    return [*rows, *_memory(results)]


def figures(results: Results, kind: str, count: int) -> str:
    """The table for one number of aliases: a row for each peer, with its ratio to netalias."""
    rows = []
    for peer in (*results.peers, BARE):
        reason = results.reasons.get((peer, kind, count), "")
        cells = [_cell(results, kind, count, peer, operation) for operation in OPERATIONS]
        runs = len(results.times.get((kind, count, peer, CREATE), ()))
        if any(cell != "-" for cell in cells) or reason:
            rows.append([peer, *cells, str(runs or "-"), reason])
    return table(["", *OPERATIONS, "n", ""], rows)


def _cell(results: Results, kind: str, count: int, peer: str, operation: str) -> str:
    taken = results.median(kind, count, peer, operation)
    if taken is None:
        return "-"
    own = results.median(kind, count, OWN, operation)
    return duration(taken) + (f" ({_factor(taken / own)})" if own and peer != OWN else "")


def _factor(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def peers(results: Results) -> str:
    """The peers with their versions, as a list."""
    return "\n".join(
        f"- {' '.join(filter(None, (name, version)))}{f': {remark}' * bool(remark)}"
        for name, (version, remark) in results.peers.items()
    )


def text(results: Results, picture: str) -> str:
    """The whole as Markdown, with the *picture* of this name."""
    parts = [
        INTRODUCTION,
        peers(results),
        f"![Time over number of aliases]({picture})",
        table(("target", "limit", "measured", ""), targets(results)),
        *(
            f"### {count} {kind}s\n\n{figures(results, kind, count)}"
            for kind, count in results.sizes()
        ),
        NOTES,
    ]
    return "\n\n".join(part.strip() for part in parts)


def points(results: Results) -> str:
    """The medians as JSON, for chart.py."""
    found = [[*cell, statistics.median(values)] for cell, values in results.times.items()]
    return json.dumps(found)


INTRODUCTION = """\
Medians of n runs of whole processes, from start to end. The numbers in brackets are multiples of
the time of netalias. All peers take turns in every round, each in a fresh network namespace with
one veth device. The operations follow one another in one namespace, and after each of them the
addresses are counted.
"""

NOTES = """\
### How to read it

- "no-op" is a run that finds nothing to do. "no-op, compared" is the same without the fingerprint
  of the last run, so that every wish is compared with the kernel. In the tables for 100 aliases,
  "100 removed" means ten.
- The naive `ip -batch` makes one alias after the other: `link add` ... `type macvlan mode bridge`,
  `link property add`, `addr add`, `link set up`. Removing all macvlans is one `link del group`.
- The floor is the messages of netalias, recorded once and sent again by a program that does nothing
  else: no configuration, no reading, no comparison, no verification.
- ifupdown2 is compiled to bytecode as its package would do it. A peer whose operation takes more
  than two minutes is stopped. A size that would take a peer longer than that, since its time grows
  with the square, is not tried. A peer that needs more than twenty seconds for all operations runs
  once. Slow peers are measured with the smallest number only, unless `--all` is given.
- The memory is measured with 500 labels on each of 100 devices: 50 000 on one device keep the
  kernel busy for more than a minute, with any program.
"""
