"""The results as text: tables, targets, and docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import processor, verdict
from installs import REPO, Installs
from peers import ALL, COMPARE, CREATE, DECLARED, LABEL, MACVLAN, NOTHING, ONE, OPERATIONS, SOME
from processes import Failed

BARE = "python -c pass"
OWN = "netalias"
PAGE = REPO / "docs" / "performance.md"
PICTURE = REPO / "docs" / "performance.svg"
PACKETS = "## Conflict check and announcement"
"""The heading of the section by packets.py, the first one not written here."""
WATCHING = "## Watching"
"""The heading of the section by watching.py."""
FACTOR = 20
"""The least ratio of the time of a slow peer to that of netalias."""
MEGABYTES = 120

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
    """A time of netalias, and the sum of times that it is compared with."""

    def __init__(
        self, text: str, kind: str, count: int, operation: str, others: Sequence[Cell], limit: float
    ) -> None:
        self.text = text
        self.own = (kind, count, OWN, operation)
        self.others = others
        self.limit = limit

    def row(self, results: Results) -> list[str]:
        """The row of the target: text, limit, measured value, verdict."""
        own = results.median(*self.own)
        others = [results.median(*cell) for cell in self.others]
        limit = f"<= {self.limit:.2f} x"
        if own is None or None in others:
            return [self.text, limit, "-", "not measured"]
        value = own / sum(other for other in others if other is not None)
        return [self.text, limit, f"{value:.2f} x", _word(value, self.limit)]


def _word(value: float, limit: float) -> str:
    return verdict(value, limit, "").strip()


def _against(
    peer: str, other: str, kind: str, counts: dict[int, float], operation: str
) -> list[Target]:
    text = f"{operation}, {{}} {kind}s: {other}"
    return [
        Target(
            text.format(count),
            kind,
            count,
            operation,
            [(kind, count, peer, operation)],
            limit,
        )
        for count, limit in counts.items()
    ]


def _targets() -> list[Target]:
    found = [
        *_against("ip -batch", "naive `ip -batch`", MACVLAN, {1000: 0.55, 4000: 0.12}, CREATE),
        *_against("floor (C)", "the floor in C", MACVLAN, {1000: 1.15, 4000: 1.15}, CREATE),
        *_against("ip -batch", "`ip -batch`", LABEL, {1000: 1.4, 4000: 0.9}, CREATE),
        *_against(BARE, f"`{BARE}`", LABEL, {1000: 1.3, 10_000: 1.7}, NOTHING),
        *_against(BARE, f"`{BARE}`", MACVLAN, {4000: 5.0}, NOTHING),
        *_against(BARE, f"`{BARE}`", LABEL, {10_000: 2.5}, COMPARE),
        *_against("ip -batch", "single deletions by `ip -batch`", MACVLAN, {1000: 0.03}, SOME),
    ]
    for kind in (MACVLAN, LABEL):
        whole = [(kind, 4000, OWN, COMPARE)]
        text = f"{ONE}, 4000 {kind}s: the no-op, compared"
        found.append(Target(text, kind, 4000, ONE, whole, 1.1))
    group = [(MACVLAN, 4000, "ip -batch", ALL), (MACVLAN, 4000, BARE, ALL)]
    text = f"{ALL}, 4000 macvlans: one group deletion and `{BARE}`"
    found.append(Target(text, MACVLAN, 4000, ALL, group, 1.1))
    return found


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
        return [text, limit, "-", "not measured"]
    count = max(finished)
    factors = _factors(results, kind, count, peer, OWN)
    least = min(factors, key=lambda name: factors[name])
    measured = f"{factors[least]:.0f} x ({least}) at {count}"
    floor = _factors(results, kind, count, peer, "floor (C)").get(least)
    measured += f"; the floor {floor:.0f} x" if floor else ""
    return [text, limit, measured, _word(FACTOR, factors[least])]


def _factors(results: Results, kind: str, count: int, slow: str, fast: str) -> dict[str, float]:
    """The ratio of the times of two peers, by operation."""
    found = {}
    for operation in DECLARED:
        taken = results.median(kind, count, slow, operation)
        own = results.median(kind, count, fast, operation)
        if taken and own:
            found[operation] = taken / own
    return found


def _memory(results: Results) -> list[str]:
    text, limit = "peak of the memory, 50 000 wishes and addresses", f"<= {MEGABYTES} MB"
    if not results.peaks:
        return [text, limit, "-", "not measured"]
    found = {name: peak * 1024 / 1e6 for name, peak in results.peaks.items()}
    measured = ", ".join(f"{name} {peak:.0f} MB" for name, peak in found.items())
    return [text, limit, measured, _word(max(found.values()), MEGABYTES)]


def targets(results: Results) -> list[list[str]]:
    """The rows of all targets: text, limit, measured value, verdict."""
    rows = [target.row(results) for target in _targets()]
    rows += [
        _slow(results, peer, kind) for peer in ("ifupdown2", "IfState") for kind in (MACVLAN, LABEL)
    ]
    return [*rows, _memory(results)]


# Tables ---------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, aligned for reading as plain text."""
    body = [list(head), *map(list, rows)]
    widths = [max(len(row[place]) for row in body) for place in range(len(head))]
    body.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in body
    )


def duration(milliseconds: float) -> str:
    """A duration as text: ``93.6 ms``, ``976 ms``, ``11.6 s``."""
    if milliseconds >= 10_000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 100 else f"{milliseconds:.1f} ms"


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


def facts(results: Results) -> str:
    """The facts of a run: machine, day, peers with their versions."""
    lines = [
        f"- {time.strftime('%Y-%m-%d')}, Linux {platform.release()}, {platform.machine()},"
        f" {os.cpu_count()} processors: {processor()}",
        f"- Python {platform.python_version()} ({platform.python_compiler()})",
    ]
    for name, (version, remark) in results.peers.items():
        lines.append(
            f"- {' '.join(filter(None, (name, version)))}" + (f": {remark}" * bool(remark))
        )
    return "\n".join(lines)


def text(results: Results) -> str:
    """The whole report for a terminal."""
    parts = [facts(results), table(("target", "limit", "measured", ""), targets(results))]
    for kind, count in results.sizes():
        parts.append(f"{count} {kind}s\n\n{figures(results, kind, count)}")
    return "\n\n".join(parts)


# The page -------------------------------------------------------------------------------------

INTRODUCTION = """\
# Many aliases at once

Written by `make bench`. The times are those of whole processes, from start to end, as medians of n
runs. The numbers in brackets are multiples of the time of netalias. All peers take turns in every
round, each in a fresh network namespace with one veth device, on a machine that has come to rest.
The operations follow one another in one namespace, and after each of them the addresses are
counted. Absolute times hold for this machine only; the ratios carry over.
"""

NOTES = """\
## How to read it

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
  once.
- The memory is measured with 500 labels on each of 100 devices: 50 000 on one device keep the
  kernel busy for more than a minute, with any program.
"""


def write(results: Results, installs: Installs) -> None:
    """Write docs/performance.md and its chart. Raises Failed."""
    parts = [
        INTRODUCTION,
        facts(results),
        "",
        f"![Time over number of aliases]({PICTURE.name})",
        "",
        "## Targets",
        "",
        table(("target", "limit", "measured", ""), targets(results)),
        "",
        "## Figures",
    ]
    for kind, count in results.sizes():
        parts += ["", f"### {count} {kind}s", "", figures(results, kind, count)]
    packets = PACKETS + PAGE.read_text(encoding="utf-8").partition(PACKETS)[2]
    PAGE.write_text("\n".join([*parts, "", NOTES]), encoding="utf-8")
    keep(packets)
    _draw(results, installs.python())


def keep(section: str) -> None:
    """Replace a section, or several, of docs/performance.md; a new one is appended."""
    heading, _, body = section.partition("\n")
    if not body:
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(f"{heading}\n")
    _, mark, others = rest.partition("\n## ")
    after = f"\n## {others}" if mark else ""
    PAGE.write_text(f"{before.rstrip()}\n\n{section.rstrip()}\n{after}", encoding="utf-8")


def _draw(results: Results, python: Path) -> None:
    points = [[*cell, statistics.median(values)] for cell, values in results.times.items()]
    program = str(Path(__file__).with_name("chart.py"))
    done = subprocess.run(
        [str(python), program, str(PICTURE)], input=json.dumps(points), text=True, check=False
    )
    if done.returncode:
        raise Failed("the picture was not drawn")
