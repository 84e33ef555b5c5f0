"""The table of faults, for the terminal and for docs/cluster-faults.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from scene import TAKEN, Outcome, Scene

PAGE = Path(__file__).parents[2] / "docs" / "cluster-faults.md"
HEAD = (
    "fault", "two holders", "silent: ARP", "ND", "TCP", "stage", "stated", "taken", "announced",
    "in a second", "verdict",
)  # fmt: skip
SHOWN = 5
"""Findings of a kind that are printed."""


def cells(one: Outcome) -> list[str]:
    """The cells of an outcome, as HEAD names them."""
    doubled = len({double.address for double in one.frames.doubles})
    arp, nd, tcp = (f"{value:.2f} s" for value in one.longest)
    inet6 = any(":" in tenure.address for tenure in one.frames.tenures)
    return [
        one.title,
        f"{doubled} for {one.doubled:.2f} s" if doubled else "none",
        arp,
        nd if inet6 else "-",
        tcp,
        f"{one.noise:.2f} s",
        f"{one.limit:.2f} s",
        "-" if one.taken is None else f"{one.taken:.2f} s",
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
    if (one.taken or 0.0) > TAKEN + one.noise:
        yield f"  the last address was taken {one.taken:.2f} s after the margin"
    silent = sorted(set(one.frames.silent) ^ one.removed)
    if silent:
        yield f"  silent in the end: {', '.join(silent[:SHOWN])} and so on, {len(silent)} in all"


def write(name: str, titles: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    """Put outcomes into the table between the marks of this name."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(merged(text, name, titles, outcomes), encoding="utf-8")


def merged(text: str, name: str, titles: Sequence[str], outcomes: Sequence[Outcome]) -> str:
    """The page with these outcomes between the marks of a name, in the order of *titles*: rows of
    faults that were not done now stay as they are."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    head, _, rest = text.partition(begin)
    former, _, tail = rest.partition(end)
    rows = {line.split("|")[1].strip(): line for line in former.splitlines()[2:]}
    rows |= {one.title: row(cells(one)) for one in outcomes}
    lines = [row(HEAD), row(["---"] * len(HEAD)), *(rows[one] for one in titles if one in rows)]
    return head + begin + "\n".join(lines) + "\n" + end + tail
