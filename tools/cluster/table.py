"""The table of faults, for the terminal and for docs/cluster-faults.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from scene import Outcome, Scene

PAGE = Path(__file__).parents[2] / "docs" / "cluster-faults.md"
HEAD = (
    "fault", "two holders", "silent: ARP", "TCP", "stage", "stated", "announced", "in a second",
    "verdict",
)  # fmt: skip
SHOWN = 5
"""Findings of a kind that are printed."""


def cells(one: Outcome) -> list[str]:
    """The cells of an outcome, as HEAD names them."""
    doubled = len({double.address for double in one.frames.doubles})
    return [
        one.title,
        f"{doubled} for {one.doubled:.2f} s" if doubled else "none",
        *(f"{value:.2f} s" for value in (*one.longest, one.noise, one.limit)),
        str(one.frames.claims),
        str(one.frames.storm),
        "as stated" if one.good else "**missed**",
    ]


def row(texts: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(texts)} |"


def evidence(scene: Scene, one: Outcome) -> Iterator[str]:
    """The reasons why an outcome is not as stated."""
    if one.good:
        return
    if one.problem:
        yield f"  {one.problem}"
    if one.frames.lost:
        yield f"  {one.frames.lost} frames were not recorded: the trace proves nothing"
    for double in one.frames.doubles[:SHOWN]:
        holders = " and ".join(scene.segment.holder(mac) for mac in double.macs)
        lasting = double.end - double.begin
        yield f"  {double.address}: {holders} at {double.begin:.4f}, for {lasting:.4f} s"
    gaps = sorted(one.frames.gaps, key=lambda gap: -gap.seconds)
    late = [
        gap
        for gap in gaps
        if gap.address not in one.removed and gap.seconds > one.limit + one.noise
    ]
    for gap in late[:SHOWN]:
        before, after = scene.segment.holder(gap.before), scene.segment.holder(gap.after)
        yield f"  {gap.address}: silent {gap.seconds:.2f} s from {gap.begin:.4f}, {before}>{after}"
    silent = sorted(set(one.frames.silent) ^ one.removed)
    if silent:
        yield f"  silent in the end: {', '.join(silent[:SHOWN])} and so on, {len(silent)} in all"


def write(name: str, outcomes: Sequence[Outcome]) -> None:
    """Put the table between the marks of this name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    rows = [row(HEAD), row(["---"] * len(HEAD)), *(row(cells(one)) for one in outcomes)]
    PAGE.write_text(head + begin + "\n".join(rows) + "\n" + end + tail, encoding="utf-8")
