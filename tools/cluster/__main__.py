"""Floating addresses on a stage of network namespaces, judged by what is seen on the segment.

    python tools/cluster keepalived [--count N] [--only WORDS]

prints a table of faults: the number of addresses with two holders, the longest time without an
answer, and the announcements.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests")]

import rival  # noqa: E402  (the path comes first)
from faults import HOLDERS, Fault, carry_out  # noqa: E402
from scene import Outcome, Scene  # noqa: E402
from segment import Segment, floats  # noqa: E402
from unpacked import found  # noqa: E402

HEAD = (
    "fault", "two holders", "for", "silent: ARP", "TCP", "stated", "announcements", "in one second",
)  # fmt: skip


def main() -> int:
    """Run the faults; the exit status is that of the verdict."""
    parser = argparse.ArgumentParser(description="Floating addresses, and faults.")
    parser.add_argument("what", choices=["keepalived"])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    words, why = found("keepalived")
    if why:
        print(why, file=sys.stderr)
        return 1
    segment = Segment(5)
    try:
        addresses = floats(options.count)
        scene = Scene(segment, rival.Keepalived(segment, words, addresses), addresses)
        outcomes = run(scene, [one for one in HOLDERS if options.only in one.title])
    finally:
        segment.close()
    return 0 if all(one.good for one in outcomes) else 1


def run(scene: Scene, faults: Sequence[Fault]) -> list[Outcome]:
    """One fault after the other; each is printed when it is over."""
    scene.until(scene.even, "all hosts have their shares")
    print(row(HEAD), row(["---"] * len(HEAD)), sep="\n", flush=True)
    outcomes = []
    for fault in faults:
        outcomes.append(carry_out(scene, fault))
        print(row(cells(outcomes[-1])), flush=True)
    return outcomes


def cells(one: Outcome) -> list[str]:
    """The cells of an outcome, as HEAD names them."""
    doubled = len({double.address for double in one.frames.doubles})
    return [
        one.title,
        str(doubled),
        seconds(one.doubled) if doubled else "",
        *map(seconds, one.longest),
        seconds(one.limit),
        str(one.frames.claims),
        str(one.frames.storm),
    ]


def row(texts: Sequence[str]) -> str:
    """A row of a table in Markdown."""
    return f"| {' | '.join(texts)} |"


def seconds(value: float) -> str:
    """``1.23 s``."""
    return f"{value:.2f} s"


if __name__ == "__main__":
    sys.exit(main())
