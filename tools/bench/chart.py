"""The chart of docs/performance.md: ``chart.py FILE.svg``, points as JSON on standard input.

A point is [kind, count, peer, operation, milliseconds]. Runs in the environment of the bench, which
has matplotlib. The same points give the same bytes.
"""

from __future__ import annotations

import json
import sys

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "netalias", "svg.fonttype": "none", "font.size": 9})

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402

Point = tuple[str, int, str, str, float]

KINDS = ("macvlan", "label")
OPERATIONS = ("create all", "no-op", "one added", "100 removed")
OWN = "netalias"


def main() -> int:
    """Draw a row for each kind, a column for each operation, a line for each peer."""
    points: list[Point] = json.load(sys.stdin)
    peers = list(dict.fromkeys(point[2] for point in points))
    figure, axes = plt.subplots(
        len(KINDS), len(OPERATIONS), figsize=(13, 6.5), sharey=True, squeeze=False
    )
    for kind, row in zip(KINDS, axes, strict=True):
        for operation, axis in zip(OPERATIONS, row, strict=True):
            _panel(axis, [p for p in points if p[0] == kind and p[3] == operation], peers)
            axis.set_title(f"{kind}: {operation}")
        row[0].set_ylabel("milliseconds")
    for axis in axes[-1]:
        axis.set_xlabel("aliases")
    lines = {line.get_label(): line for axis in axes.flat for line in axis.get_lines()}
    names = [peer for peer in peers if peer in lines]
    figure.legend([lines[name] for name in names], names, loc="lower center", ncols=len(names))
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(sys.argv[1], metadata={"Date": None, "Creator": None})
    return 0


def _panel(axis: Axes, points: list[Point], peers: list[str]) -> None:
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    for number, peer in enumerate(peers):
        own = sorted((count, taken) for _, count, name, _, taken in points if name == peer)
        if own:
            axis.plot(
                [count for count, _ in own],
                [taken for _, taken in own],
                color=f"C{number}",
                marker="o",
                markersize=4,
                linewidth=2.5 if peer == OWN else 1.2,
                label=peer,
            )


if __name__ == "__main__":
    sys.exit(main())
